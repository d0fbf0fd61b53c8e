import { readFile, stat } from 'node:fs/promises';
import { isDeepStrictEqual } from 'node:util';
import type { ClaimValue } from '@ambit/contract';
import type { Subject } from '@ambit/policy';
import {
  createLocalJWKSet,
  createRemoteJWKSet,
  decodeJwt,
  errors,
  type JSONWebKeySet,
  type JWTPayload,
  type JWTVerifyGetKey,
  jwtVerify,
} from 'jose';
import { limits } from './limits.ts';
import { RequestRefused } from './problems.ts';

/** An issuer whose tokens are taken, as the environment declares it. */
export interface Issuer {
  readonly issuer: string;
  readonly audience: string;
  /** https URL, or an absolute path. */
  readonly jwks: string;
  readonly algorithms: readonly string[];
  readonly tenant: string;
  /** The `typ` that its tokens have. Undefined: none, `JWT` or `at+jwt`. */
  readonly type?: string | undefined;
  readonly principal?: string | undefined;
  readonly roles?: string | undefined;
  readonly kind?: string | undefined;
  readonly claims?: Readonly<Record<string, string>> | undefined;
}

/** Verifies tokens. Issuer, audience and algorithms are pinned by the environment; nothing in a token chooses them. */
export class TokenVerifier {
  readonly #issuers: ReadonlyMap<string, { readonly issuer: Issuer; readonly keys: JWTVerifyGetKey }>;

  private constructor(issuers: ReadonlyMap<string, { readonly issuer: Issuer; readonly keys: JWTVerifyGetKey }>) {
    this.#issuers = issuers;
  }

  /** Throws when the file of an issuer's keys cannot be read. */
  static async create(issuers: readonly Issuer[]): Promise<TokenVerifier> {
    const entries = await Promise.all(
      issuers.map(async (issuer) => [issuer.issuer, { issuer, keys: await keysOf(issuer.jwks) }] as const),
    );
    return new TokenVerifier(new Map(entries));
  }

  /** One for other issuers. Where they are the same it is this one, with the keys that it has fetched. */
  async with(issuers: readonly Issuer[]): Promise<TokenVerifier> {
    const known = [...this.#issuers.values()].map(({ issuer }) => issuer);
    return isDeepStrictEqual(known, issuers) ? this : TokenVerifier.create(issuers);
  }

  /** The token's subject, or null for whatever reason. Throws `identity_unavailable` when nobody can tell. */
  async subject(token: string): Promise<Subject | null> {
    try {
      const known = this.#issuers.get(decodeJwt(token).iss ?? '');
      if (known === undefined) return null;
      const { issuer, keys } = known;
      const { payload, protectedHeader } = await jwtVerify(token, keys, {
        issuer: issuer.issuer,
        audience: issuer.audience,
        algorithms: [...issuer.algorithms],
        clockTolerance: limits.jwtClockToleranceSeconds,
        requiredClaims: ['exp'],
      });
      return typeAccepted(issuer, protectedHeader.typ) ? subjectOf(issuer, payload) : null;
    } catch (error) {
      if (error instanceof RequestRefused) throw error;
      return null;
    }
  }
}

/** RFC 8725 3.11: a token that was made for another use, as a logout token, is no access token whoever signed it. */
function typeAccepted({ type }: Issuer, typ: string | undefined): boolean {
  const given = typ?.toLowerCase().replace(/^application\//, '');
  return type === undefined
    ? given === undefined || given === 'jwt' || given === 'at+jwt'
    : given === type.toLowerCase();
}

/** Keys of an issuer, that change without a restart. */
async function keysOf(jwks: string): Promise<JWTVerifyGetKey> {
  if (!jwks.startsWith('https:')) return fileKeys(jwks);
  const remote = createRemoteJWKSet(new URL(jwks), {
    cooldownDuration: limits.jwksCooldownMs,
    timeoutDuration: limits.jwksMsMax,
  });
  return async (header, token) => {
    try {
      return await remote(header, token);
    } catch (error) {
      // That it has no such key is an answer; all else is none.
      if (error instanceof errors.JWKSNoMatchingKey || error instanceof errors.JWKSMultipleMatchingKeys) throw error;
      if (error instanceof errors.JOSENotSupported) throw error;
      throw unavailable();
    }
  };
}

async function fileKeys(path: string): Promise<JWTVerifyGetKey> {
  const read = async () => createLocalJWKSet(JSON.parse(await readFile(path, 'utf8')) as JSONWebKeySet);
  const stampOf = async () => {
    const { mtimeNs, ino, size } = await stat(path, { bigint: true });
    return `${mtimeNs}-${ino}-${size}`;
  };
  let stamp = await stampOf();
  let keys = await read();
  return async (header, token) => {
    try {
      const now = await stampOf();
      if (now !== stamp) keys = await read();
      stamp = now;
    } catch {
      throw unavailable();
    }
    return keys(header, token);
  };
}

function unavailable(): RequestRefused {
  const message = "the keys of the token's issuer cannot be read now, so nobody can tell whether it is valid";
  return new RequestRefused('identity_unavailable', message, 'try again later');
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
