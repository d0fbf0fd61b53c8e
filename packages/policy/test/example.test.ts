import { describe, expect, test } from 'vitest';
import { authorize, type Grant, mayReadEvidence, validatePolicies } from '../src/index.ts';
import { boundary, compiled, contract } from './example.ts';
import { applied, subject } from './product.ts';

function grantOf(role: string, purpose: string): Grant | null {
  const answer = authorize(compiled, subject({ roles: [role], claims: { state: 'CA' } }), purpose);
  return answer.allowed ? answer.grant : null;
}

const rows = (grant: Grant | null): string[] => applied(grant?.tables['flights']?.filters ?? []).toSorted();
const masks = (grant: Grant | null): string[] =>
  Object.values(grant?.tables ?? {}).flatMap(({ columns }) => columns.flatMap((one) => applied(one.masks)));

describe('the flights example', () => {
  test('has valid policies', () => {
    expect(validatePolicies(boundary)).toEqual([]);
  });

  test.each([
    ['operator', 'operations'],
    ['auditor', 'safety-audit'],
    ['researcher', 'research'],
  ])('opens for %s for %s and for nothing else', (role, purpose) => {
    const opened = Object.keys(contract.purposes).filter((asked) => grantOf(role, asked) !== null);
    expect(opened).toEqual([purpose]);
    const stranger = subject({ roles: [role], tenant: 'skyline-air' });
    expect(authorize(compiled, stranger, purpose)).toMatchObject({
      allowed: false,
      refusal: { code: 'product_unknown' },
    });
  });

  test('an operator sees minutes, of its own state', () => {
    const grant = grantOf('operator', 'operations');
    expect(rows(grant)).toEqual(['own-state']);
    expect(masks(grant)).toEqual([]);
  });

  test('an auditor sees everything, and the evidence', () => {
    const grant = grantOf('auditor', 'safety-audit');
    expect(rows(grant)).toEqual([]);
    expect(masks(grant)).toEqual([]);
    const reading = ['operator', 'auditor', 'researcher'].filter(
      (role) => mayReadEvidence(compiled, subject({ roles: [role] }), null).allowed,
    );
    expect(reading).toEqual(['auditor']);
  });

  test('a researcher sees all states, but days, what was released, and no distances', () => {
    const grant = grantOf('researcher', 'research');
    expect(rows(grant)).toEqual(['released']);
    expect(new Set(masks(grant))).toEqual(new Set(Object.keys(contract.policies.masks)));
    expect(grant?.tables['flights']?.columns.map(({ name }) => name)).not.toContain('distance');
    expect(grant?.views).toEqual({});
    expect(grant?.queries).toEqual([]);
  });
});
