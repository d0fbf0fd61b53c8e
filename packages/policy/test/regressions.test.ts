// Each fails on a5721ec. Copy into packages/policy/test/ to run.
import { describe, expect, test } from 'vitest';
import { authorize, cedarSchema, compilePolicies, mayReadEvidence, validatePolicies } from '../src/index.ts';
import { everything, product, subject, view } from './product.ts';

const noClaims = subject();
const anonymous = subject({ kind: 'anonymous', principal: 'anonymous', roles: [] });
const forbid = (rest: string): string => `${everything}@id("no") forbid ${rest};`;

describe('widens (security)', () => {
  test('anonymous opens a product whose contract admits no anonymous', () => {
    expect(authorize(compilePolicies(product(everything)), anonymous, 'operations').allowed).toBe(false);
  });
  test('anonymous opens for a purpose that `anonymous.purposes` does not list', () => {
    const boundary = product(everything, { anonymous: { purposes: ['research'], claims: {} } });
    expect(authorize(compilePolicies(boundary), anonymous, 'operations').allowed).toBe(false);
  });
  test('a claim of another type is dropped, and the forbid that names it with it', () => {
    const policy = forbid(
      '(principal, action, resource) when { context.claims has level && context.claims.level < 3 }',
    );
    const answer = authorize(compilePolicies(product(policy)), subject({ claims: { level: 'low' } }), 'operations');
    expect(answer.allowed).toBe(false);
  });
  test('a forbid on a table itself does nothing', () => {
    const policy = forbid('(principal, action == Action::"read", resource == Table::"flights")');
    const answer = authorize(compilePolicies(product(policy)), noClaims, 'operations');
    expect(answer.allowed && Object.keys(answer.grant.tables)).toEqual(['airports']);
  });
  test('a misspelt purpose in a forbid forbids nothing and is loaded', () => {
    const policy = forbid('(principal, action, resource) when { context.purpose == "reserch" }');
    expect(validatePolicies(product(policy))).not.toEqual([]);
  });
  test('so does a misspelt channel', () => {
    expect(
      validatePolicies(product(forbid('(principal, action, resource) when { context.channel == "mpc" }'))),
    ).not.toEqual([]);
  });
  test('a claim named `constructor` is there although the subject has none', () => {
    const policy =
      '@id("a") permit (principal, action == Action::"open", resource) when { context.claims has "constructor" };';
    const boundary = product(policy, {
      claims: Object.fromEntries([['constructor', { type: 'string', description: '' }]]),
    });
    expect(authorize(compilePolicies(boundary), noClaims, 'operations').allowed).toBe(false);
  });
  test('a forbidden view named `constructor` is readable through another', () => {
    const policy = forbid('(principal, action == Action::"read", resource == View::"constructor")');
    const views = Object.fromEntries([
      ['constructor', view({ tables: { flights: ['delay'] } })],
      ['outer', view({ views: ['constructor'] })],
    ]);
    const answer = authorize(compilePolicies(product(policy, { views, queries: {} })), noClaims, 'operations');
    expect(answer.allowed && Object.keys(answer.grant.views)).toEqual([]);
  });
  test('evidence is read for a purpose that is not declared', () => {
    const policy = '@id("a") permit (principal, action == Action::"readEvidence", resource);';
    expect(mayReadEvidence(compilePolicies(product(policy)), noClaims, 'nonsense').allowed).toBe(false);
  });
});

describe('cannot be used', () => {
  test('a product with a boolean claim cannot be loaded', () => {
    const claims = { suspended: { type: 'boolean', description: '' } };
    expect(cedarSchema({ claims })).toContain('Bool');
    expect(validatePolicies(product(everything, { claims }))).toEqual([]);
  });
  test('a subject with half a surrogate pair throws instead of being refused', () => {
    expect(
      authorize(compilePolicies(product(everything)), subject({ principal: '\ud800' }), 'operations').allowed,
    ).toBe(false);
  });
});

describe('wrong answers', () => {
  test('the purpose `` gets the answer of no purpose, whichever came first', () => {
    const compiled = compilePolicies(product(everything));
    const codes = [null, ''].map((purpose) => {
      const answer = authorize(compiled, noClaims, purpose);
      return answer.allowed ? null : answer.refusal.code;
    });
    expect(codes).toEqual(['purpose_required', 'purpose_refused']);
  });
  test('one boundary, two digests: decisions follow the order of keys', () => {
    const boundary = product(everything);
    const digests = [
      boundary,
      { ...boundary, tables: Object.fromEntries(Object.entries(boundary.tables).toReversed()) },
    ].map((one) => {
      const answer = authorize(compilePolicies(one), noClaims, 'operations');
      return answer.allowed ? [answer.grant.fingerprint, answer.grant.digest] : null;
    });
    expect(digests[0]).toEqual(digests[1]);
  });
  test('a mask on two columns is decided, and listed, twice', () => {
    const answer = authorize(compilePolicies(product(everything)), noClaims, 'operations');
    expect(
      answer.allowed && answer.grant.decisions.filter(({ resource }) => resource === 'Mask::"coarse"').length,
    ).toBe(1);
  });
  test.fails('a refusal for an error does not say which policy erred', () => {
    const policy = forbid(
      '(principal, action == Action::"read", resource) when { context.claims has level && context.claims.level * 9223372036854775807 > 0 }',
    );
    const answer = authorize(compilePolicies(product(policy)), subject({ claims: { level: 2 } }), 'operations');
    expect(JSON.stringify(answer)).toContain('flights.cedar#no');
  });
});

describe('wrong places', () => {
  const permit = (id: number, name: string): string =>
    `@id("p${id}")\npermit (principal, action == Action::"read", resource in Table::"${name}");\n`;
  test('from the eleventh policy on: Cedar sorts `policy10` before `policy2`', () => {
    const text = Array.from({ length: 12 }, (_, index) => permit(index, index === 2 ? 'flihts' : 'flights')).join('');
    expect(validatePolicies(product(text))[0]?.line).toBeLessThanOrEqual(6);
  });
  test('after a character that is not ASCII: Cedar counts bytes', () => {
    const text =
      '@id("a") permit (principal, action == Action::"open", resource) when { "éé" == "x" || context.purpos == "x" };';
    expect(validatePolicies(product(text))[0]?.column).toBe(text.indexOf('context.purpos') + 1);
  });
  test('one mistake is one problem', () => {
    const text = '@id("a") forbid (principal, action, resource) when { context.claims.state == "x" };';
    expect(validatePolicies(product(text))).toHaveLength(1);
  });
  test.fails('a permit that covers a table but none of its columns is loaded', () => {
    const text = '@id("a") permit (principal, action == Action::"read", resource == Table::"flights");';
    expect(validatePolicies(product(text))).not.toEqual([]);
  });
});
