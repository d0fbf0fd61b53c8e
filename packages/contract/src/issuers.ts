import type { BoundaryIssuer } from './boundary.ts';
import type { Document } from './document.ts';
import type { Problem } from './problem.ts';
import type { Environment } from './schema.ts';

/** Whose tokens are taken, by issuer, every default said. */
export function issuersOf({ identity }: Environment): Readonly<Record<string, BoundaryIssuer>> {
  return Object.fromEntries(
    (identity?.jwt ?? []).map(
      ({ issuer, audience, jwks, algorithms, tenant, type, principal, roles, kind, claims = {} }) => [
        issuer,
        {
          audience,
          jwks,
          algorithms: [...new Set(algorithms)].toSorted(),
          tenant,
          type: type ?? null,
          principal: principal ?? 'sub',
          roles: roles ?? 'roles',
          kind: kind ?? null,
          claims,
        },
      ],
    ),
  );
}

/** Issuers that stand there twice: a token names its issuer, and nothing else tells one entry from the other. */
export function issuerProblems({ identity }: Environment, problem: Document<Environment>['problem']): Problem[] {
  const issuers = (identity?.jwt ?? []).map(({ issuer }) => issuer);
  return issuers.flatMap((issuer, at) => {
    if (issuers.indexOf(issuer) === at) return [];
    const hint = 'a token names its issuer alone: put both together, or take one away';
    return [problem(['identity', 'jwt', at, 'issuer'], `issuer \`${issuer}\` stands there twice`, hint)];
  });
}
