import { readFile } from 'node:fs/promises';
import type { ClaimValue } from '@ambit/contract';
import type { Subject } from '@ambit/policy';
import { createLocalJWKSet, createRemoteJWKSet, decodeJwt, type JSONWebKeySet, type JWTPayload, jwtVerify } from 'jose';
import { limits } from './limits.ts';

/** An issuer whose tokens are taken, as the environment declares it. */
export interface Issuer {
  readonly issuer: string;
  readonly audience: string;
  /** https URL, or an absolute path. */
  readonly jwks: string;
  readonly algorithms: readonly string[];
  readonly tenant: string;
  readonly principal?: string | undefined;
  readonly roles?: string | undefined;
  readonly kind?: string | undefined;
  readonly claims?: Readonly<Record<string, string>> | undefined;
}

type KeySet = ReturnType<typeof createRemoteJWKSet> | ReturnType<typeof createLocalJWKSet>;

/** Verifies tokens. Issuer, audience and algorithms are pinned by the environment; nothing in a token chooses them. */
export class TokenVerifier {
  readonly #issuers: ReadonlyMap<string, { readonly issuer: Issuer; readonly keys: KeySet }>;

  private constructor(issuers: ReadonlyMap<string, { readonly issuer: Issuer; readonly keys: KeySet }>) {
    this.#issuers = issuers;
  }

  static async create(issuers: readonly Issuer[]): Promise<TokenVerifier> {
    const entries = await Promise.all(
      issuers.map(async (issuer) => [issuer.issuer, { issuer, keys: await keySet(issuer.jwks) }] as const),
    );
    return new TokenVerifier(new Map(entries));
  }

  /** The token's subject, or null for whatever reason. */
  async subject(token: string): Promise<Subject | null> {
    try {
      const known = this.#issuers.get(decodeJwt(token).iss ?? '');
      if (known === undefined) return null;
      const { issuer, keys } = known;
      const { payload } = await jwtVerify(token, keys as ReturnType<typeof createLocalJWKSet>, {
        issuer: issuer.issuer,
        audience: issuer.audience,
        algorithms: [...issuer.algorithms],
        clockTolerance: limits.jwtClockToleranceSeconds,
        requiredClaims: ['exp'],
      });
      return subjectOf(issuer, payload);
    } catch {
      return null;
    }
  }
}

async function keySet(jwks: string): Promise<KeySet> {
  if (jwks.startsWith('https:'))
    return createRemoteJWKSet(new URL(jwks), { cooldownDuration: 30_000, timeoutDuration: 5_000 });
  return createLocalJWKSet(JSON.parse(await readFile(jwks, 'utf8')) as JSONWebKeySet);
}

function subjectOf(issuer: Issuer, payload: JWTPayload): Subject | null {
  const named = payload[issuer.principal ?? 'sub'];
  if (typeof named !== 'string' || named === '') return null;
  // RFC 8693: `act` asks, for the token's subject. Whatever else the token says, that is an agent.
  const actor = actorOf(payload);
  if (actor === null) return null;
  const declared = issuer.kind === undefined ? 'user' : payload[issuer.kind];
  const kind = actor === undefined ? declared : 'agent';
  // An agent that acts for nobody has no grant to narrow.
  if (kind !== 'user' && kind !== 'service' && (kind !== 'agent' || actor === undefined)) return null;
  const roles = payload[issuer.roles ?? 'roles'];
  return {
    tenant: issuer.tenant,
    principal: actor ?? named,
    kind,
    roles: Array.isArray(roles) ? roles.filter((role): role is string => typeof role === 'string').toSorted() : [],
    claims: claimsOf(issuer, payload),
    channel: 'http',
    onBehalfOf: actor === undefined ? null : { tenant: issuer.tenant, principal: named },
    authentication: { method: 'jwt', reference: `${issuer.issuer} ${payload.jti ?? ''}`.trim() },
  };
}

/** The actor; undefined: there is none; null: one that cannot be read. */
function actorOf(payload: JWTPayload): string | null | undefined {
  const act: unknown = payload['act'];
  if (act === undefined) return undefined;
  const actor = typeof act === 'object' && act !== null && 'sub' in act ? act.sub : undefined;
  return typeof actor === 'string' && actor !== '' ? actor : null;
}

function claimsOf(issuer: Issuer, payload: JWTPayload): Record<string, ClaimValue> {
  const claims: Record<string, ClaimValue> = {};
  for (const [name, from] of Object.entries(issuer.claims ?? {})) {
    const value = payload[from];
    if (typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean') claims[name] = value;
  }
  return claims;
}
