import type { ProductDeprecation } from './boundary.ts';
import type { Document, Path } from './document.ts';
import type { Problem } from './problem.ts';
import type { Contract } from './schema.ts';
import { compareVersions } from './versions.ts';

/** What a deprecation can have wrong beside its form. */
export function deprecationProblems(
  { problem }: Pick<Document<Contract>, 'problem'>,
  { version, deprecation }: Contract,
): readonly Problem[] {
  if (deprecation === undefined) return [];
  const { since, sunset, successor } = deprecation;
  const found: Problem[] = [];
  const say = (path: Path, message: string, hint: string | null): void =>
    void found.push(problem(['deprecation', ...path], message, hint));
  for (const [key, day] of Object.entries({ since, sunset })) {
    if (day !== undefined && !isDay(day)) say([key], `there is no day \`${day}\``, 'a date, as 2027-06-30');
  }
  if (sunset !== undefined && sunset <= since)
    say(['sunset'], `it ends on ${sunset}, and is deprecated since ${since}`, 'it ends after it is deprecated');
  if (successor !== undefined && compareVersions(successor, version) <= 0)
    say(['successor'], `\`${successor}\` does not come after \`${version}\``, 'name a later version');
  return found;
}

function isDay(text: string): boolean {
  const at = new Date(`${text}T00:00:00Z`);
  return !Number.isNaN(at.getTime()) && at.toISOString().startsWith(text);
}

/** When a version ends, in milliseconds since 1970; null: nobody has said. */
export function sunsetOf(deprecation: ProductDeprecation | undefined): number | null {
  const sunset = deprecation?.sunset ?? null;
  return sunset === null ? null : Date.parse(`${sunset}T00:00:00Z`);
}
