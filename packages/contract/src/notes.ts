import type { Document, Path } from './document.ts';
import type { Place } from './layers.ts';
import type { Problem } from './problem.ts';
import type { Contract, Environment, Limits } from './schema.ts';
import { durationMs, sizeBytes } from './units.ts';

/** What an environment overrules of a contract, and what is over. Nothing is wrong, but nobody should have to look for it. */
export function notesOf(
  document: Pick<Document<Contract>, 'problem'>,
  contract: Contract,
  environment: { readonly value: Environment; readonly origin: (path: Path) => Place },
): readonly Problem[] {
  const { value, origin } = environment;
  const says = (path: Path, what: string, here: unknown, by: string): Problem => {
    const { file, line, column } = origin(path);
    const message = `${what} is ${String(here)} in ${value.name}: ${file}:${line}:${column} ${by}`;
    return document.problem(path, message, null, 'key');
  };
  const limits = Object.entries(contract.limits ?? {}).flatMap(([key, own]) => {
    const bound = value.limits?.[key as keyof Limits];
    if (bound === undefined || amount(bound) >= amount(own)) return [];
    return [says(['limits', key], `the limit \`${key}\``, bound, `lowers it from ${String(own)}`)];
  });
  const settings = Object.entries(contract.settings ?? {}).flatMap(([key, own]) => {
    const set = value.settings?.[key];
    if (set === undefined || String(set) === String(own)) return [];
    return [says(['settings', key], `\`${key}\``, set, `says so in place of ${String(own)}`)];
  });
  const sunset = contract.deprecation?.sunset;
  const over = sunset !== undefined && Date.now() >= Date.parse(`${sunset}T00:00:00Z`);
  const ended = over ? [document.problem(['deprecation', 'sunset'], `it ended on ${sunset}: it is refused`)] : [];
  return [...limits, ...settings, ...ended];
}

function amount(limit: string | number): number {
  if (typeof limit === 'number') return limit;
  return limit.endsWith('B') ? sizeBytes(limit) : durationMs(limit);
}
