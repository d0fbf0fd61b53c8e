import { resolve } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import type { Environment, Problem } from '@ambit/contract';
import type { BoundEnvironment } from '@ambit/session';

// What a server is when it starts, it stays.

/** What of an environment holds for as long as a server runs, with paths made whole. */
function fixedOf(
  { value, folder }: BoundEnvironment,
  listen: string | undefined,
): Partial<Record<keyof Environment, unknown>> {
  const whole = (path: string | undefined): string | undefined => (path === undefined ? path : resolve(folder, path));
  return {
    name: value.name,
    // A line that goes from a base shall not put owner review aside. In production it is not asked for: it is so.
    review: value.name === 'production' ? undefined : value.review,
    // What the command line says holds, whatever the file says.
    listen: listen ?? value.listen,
    tls: value.tls === undefined ? undefined : [whole(value.tls.certificate), whole(value.tls.key)],
    evidence: whole(value.evidence),
    evidenceKey: whole(value.evidenceKey),
    keys: whole(value.keys),
    exports: value.exports === undefined ? undefined : [folder, value.exports],
  };
}

/** What another environment would change that cannot change while a server runs. */
export function fixedProblems(
  before: BoundEnvironment,
  after: BoundEnvironment,
  listen: string | undefined,
): readonly Problem[] {
  const now = fixedOf(before, listen);
  const wanted = fixedOf(after, listen);
  return (Object.keys(now) as (keyof Environment)[])
    .filter((key) => !isDeepStrictEqual(now[key], wanted[key]))
    .map((key) => {
      const hint = 'restart the server, or put back what was there';
      return after.problem([key], `\`${key}\` cannot change while the server runs: it needs a restart`, hint, 'key');
    });
}
