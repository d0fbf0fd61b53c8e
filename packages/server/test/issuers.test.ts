import { generateKeyPairSync } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Boundary, difference, textualImplication } from '@ambit/contract';
import { withPolicies } from '@ambit/policy';
import fc from 'fast-check';
import { exportJWK, type JWTPayload, SignJWT } from 'jose';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { product } from '../../policy/test/product.ts';
import { TokenVerifier } from '../src/tokens.ts';

// Whoever approves a difference of issuers that only narrows lets nobody in who was not, and makes nobody another: tokens are
// shown to both sides.

type Issuers = NonNullable<Boundary['issuers']>;

const folder = mkdtempSync(join(tmpdir(), 'ambit-issuers-'));
const pairs = { one: generateKeyPairSync('ec', { namedCurve: 'P-256' }), two: generateKeyPairSync('ed25519') };
const ALGORITHMS = { one: 'ES256', two: 'EdDSA' } as const;

beforeAll(async () => {
  const keys = await Promise.all(
    Object.entries(pairs).map(async ([kid, { publicKey }]) => ({ ...(await exportJWK(publicKey)), kid })),
  );
  writeFileSync(join(folder, 'both.json'), JSON.stringify({ keys }));
  writeFileSync(join(folder, 'one.json'), JSON.stringify({ keys: keys.slice(0, 1) }));
});
afterAll(() => rmSync(folder, { recursive: true }));

const NAMES = ['https://a', 'https://b'];
const issuer = fc.record({
  audience: fc.constantFrom('ambit', 'other'),
  jwks: fc.constantFrom(join(folder, 'both.json'), join(folder, 'one.json')),
  algorithms: fc.constantFrom(['ES256'], ['EdDSA'], ['ES256', 'EdDSA']),
  tenant: fc.constantFrom('north', 'south'),
  type: fc.constantFrom(null, 'at+jwt', 'JWT', 'logout+jwt'),
  principal: fc.constantFrom('sub', 'name'),
  roles: fc.constantFrom('roles', 'groups'),
  kind: fc.constantFrom(null, 'kind'),
  claims: fc.constantFrom({}, { region: 'area' }, { region: 'name' }),
});
const issuers: fc.Arbitrary<Issuers> = fc.dictionary(fc.constantFrom(...NAMES), issuer, { maxKeys: 2 });
/** The same but for one member, or one issuer more or less: far more of those only narrow. */
const sides = fc.oneof(
  fc.tuple(issuers, issuers),
  fc.tuple(issuers, fc.constantFrom(...NAMES), issuer).map(([all, name, other]): [Issuers, Issuers] => {
    const { [name]: gone, ...rest } = all;
    return gone === undefined ? [{ ...all, [name]: other }, all] : [all, rest];
  }),
  fc
    .tuple(
      issuers,
      fc.constantFrom(...NAMES),
      issuer,
      fc.constantFrom('audience', 'jwks', 'algorithms', 'type', 'kind'),
    )
    .map(([all, name, other, member]): [Issuers, Issuers] => {
      const known = all[name];
      return known === undefined
        ? [all, all]
        : [all, { ...all, [name]: { ...known, [member]: other[member as 'type'] } }];
    }),
);

async function tokens(): Promise<readonly string[]> {
  const made: Promise<string>[] = [];
  const payload: JWTPayload = { sub: 'ada', name: 'west', roles: ['r'], groups: ['g'], area: 'x', kind: 'service' };
  for (const iss of NAMES)
    for (const aud of ['ambit', 'other'])
      for (const kid of ['one', 'two'] as const)
        for (const typ of [undefined, 'JWT', 'application/at+jwt', 'logout+jwt']) {
          const header = { alg: ALGORITHMS[kid], kid, ...(typ === undefined ? {} : { typ }) };
          const token = new SignJWT(payload).setProtectedHeader(header).setIssuer(iss).setAudience(aud);
          made.push(token.setExpirationTime('1h').sign(pairs[kid].privateKey));
        }
  return Promise.all(made);
}

function verifierOf(declared: Issuers): Promise<TokenVerifier> {
  return TokenVerifier.create(
    Object.entries(declared).map(([name, { type, kind, ...rest }]) => ({
      issuer: name,
      ...rest,
      type: type ?? undefined,
      kind: kind ?? undefined,
    })),
  );
}

it('a difference of issuers that only narrows lets nobody in, and makes nobody another', {
  timeout: 120_000,
}, async () => {
  const all = await tokens();
  const oracle = withPolicies(textualImplication);
  let narrower = 0;
  await fc.assert(
    fc.asyncProperty(sides, async ([before, after]) => {
      const boundary = (declared: Issuers) => product('', { issuers: declared });
      const { effect } = await difference(boundary(before), boundary(after), oracle);
      if (effect !== 'narrows') return;
      narrower += 1;
      const [old, now] = await Promise.all([verifierOf(before), verifierOf(after)]);
      for (const token of all) {
        const subject = await now.subject(token);
        if (subject !== null) expect(subject).toEqual(await old.subject(token));
      }
    }),
    { numRuns: 150 },
  );
  expect(narrower).toBeGreaterThan(20);
});
