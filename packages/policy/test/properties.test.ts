import type { Boundary } from '@ambit/contract';
import * as fc from 'fast-check';
import { describe, expect, test, vi } from 'vitest';
import { type Authorization, authorize, compilePolicies, type Grant, type Subject } from '../src/index.ts';
import { boundaries, policySets, PURPOSES, rules, subjects } from './arbitraries.ts';
import { Oracle, render, type Rule } from './oracle.ts';
import { applied, column, mask, rowFilter, shown } from './product.ts';

// Each run compiles a policy set of its own, twice where it compares: seconds where others use the processor too.
vi.setConfig({ testTimeout: 120_000 });

const situations = boundaries.chain((boundary) =>
  fc.record({
    boundary: fc.constant(boundary),
    policies: policySets(boundary),
    subject: subjects,
    purpose: fc.constantFrom(...PURPOSES),
  }),
);

function withRules(boundary: Boundary, policies: readonly Rule[]): Boundary {
  return { ...boundary, policies: { 'flights.cedar': render(policies) } };
}

function answer(boundary: Boundary, policies: readonly Rule[], subject: Subject, purpose: string): Authorization {
  return authorize(compilePolicies(withRules(boundary, policies)), subject, purpose);
}

function grantOf(authorization: Authorization): Grant | null {
  return authorization.allowed ? authorization.grant : null;
}

/** Everything that a grant shows more than another: what appeared, and what no longer narrows it. Null shows nothing. */
function wider(before: Grant | null, after: Grant | null): readonly string[] {
  if (after === null) return [];
  if (before === null) return ['a session'];
  const found: string[] = [];
  for (const kind of ['functions', 'queries'] as const) {
    found.push(...after[kind].filter((name) => !before[kind].includes(name)).map((name) => `${kind} ${name}`));
  }
  found.push(...Object.keys(after.views).filter((view) => !(view in before.views)));
  for (const [name, { columns }] of Object.entries(after.tables)) {
    const known = new Set(before.tables[name]?.columns.map((one) => one.name));
    found.push(...columns.filter((one) => !known.has(one.name)).map((one) => `${name}.${one.name}`));
  }
  return [...found, ...lifted(before, after)];
}

/** Row filters and masks that narrow what `before` shows, and that `after` shows without them. */
function lifted(before: Grant, after: Grant): readonly string[] {
  return Object.entries(before.tables).flatMap(([name, table]) => {
    const now = after.tables[name];
    if (now === undefined) return [];
    const filters = applied(table.filters).filter((id) => !applied(now.filters).includes(id));
    const masks = table.columns.flatMap((one) => {
      const same = now.columns.find((other) => other.name === one.name);
      return same === undefined ? [] : applied(one.masks).filter((id) => !applied(same.masks).includes(id));
    });
    return [...filters, ...masks];
  });
}

describe('a grant', () => {
  test('is what a naive reading of the policies gives, for every subject that asks the same compiled policies', () => {
    let granted = 0;
    const askers = fc.array(fc.tuple(subjects, fc.constantFrom(...PURPOSES)), { minLength: 1, maxLength: 5 });
    fc.assert(
      fc.property(situations, askers, ({ boundary, policies }, asking) => {
        const compiled = compilePolicies(withRules(boundary, policies));
        for (const [subject, purpose] of asking) {
          const grant = grantOf(authorize(compiled, subject, purpose));
          const oracle = new Oracle(boundary, policies, subject, purpose);
          expect(grant === null ? null : shown(grant)).toEqual(oracle.grant());
          if (grant !== null) granted += 1;
        }
      }),
      { numRuns: 40 },
    );
    // A property about grants says nothing if there are none.
    expect(granted).toBeGreaterThan(15);
  });

  test('lists decisions that a naive reading takes too, with the same deciding policies', () => {
    fc.assert(
      fc.property(situations, ({ boundary, policies, subject, purpose }) => {
        const grant = grantOf(answer(boundary, policies, subject, purpose));
        fc.pre(grant !== null);
        const oracle = new Oracle(boundary, policies, subject, purpose);
        for (const { action, resource, allowed, determinedBy } of grant.decisions) {
          expect({ allowed, determinedBy }).toEqual(oracle.decide(action, resource));
        }
        const listed = new Set(grant.decisions.map(({ action, resource }) => `${action} ${resource}`));
        for (const [name, { columns }] of Object.entries(boundary.tables)) {
          for (const one of columns) expect(listed).toContain(`read Column::"${name}.${one.name}"`);
        }
        for (const name of boundary.functions) expect(listed).toContain(`call Function::"${name}"`);
      }),
      { numRuns: 40 },
    );
  });

  test('names each permit that lifted a filter or mask, and no other', () => {
    fc.assert(
      fc.property(situations, ({ boundary, policies, subject, purpose }) => {
        const grant = grantOf(answer(boundary, policies, subject, purpose));
        fc.pre(grant !== null);
        const oracle = new Oracle(boundary, policies, subject, purpose);
        for (const { columns, filters } of Object.values(grant.tables)) {
          const governors = [
            ...filters.map((filter) => ['RowFilter', filter] as const),
            ...columns.flatMap(({ masks }) => masks.map((one) => ['Mask', one] as const)),
          ];
          for (const [type, { id, exemptedBy }] of governors) {
            const { allowed, determinedBy } = oracle.decide('exempt', `${type}::"${id}"`);
            expect(exemptedBy).toEqual(allowed ? determinedBy : []);
          }
        }
      }),
      { numRuns: 40 },
    );
  });
});

describe('policy is monotone', () => {
  test('one more forbid never widens', () => {
    const more = situations.chain((situation) =>
      fc.record({ situation: fc.constant(situation), forbid: rules(situation.boundary, { effect: 'forbid' }) }),
    );
    fc.assert(
      fc.property(more, ({ situation: { boundary, policies, subject, purpose }, forbid }) => {
        const before = grantOf(answer(boundary, policies, subject, purpose));
        const after = grantOf(answer(boundary, [...policies, { ...forbid, id: 'more' }], subject, purpose));
        expect(wider(before, after)).toEqual([]);
      }),
      { numRuns: 30 },
    );
  });

  test('one more row filter never widens', () => {
    fc.assert(
      fc.property(situations, fc.constantFrom('t0', 't1'), ({ boundary, policies, subject, purpose }, on) => {
        const narrowed = { ...boundary, rowFilters: { ...boundary.rowFilters, more: rowFilter(on) } };
        const before = grantOf(answer(boundary, policies, subject, purpose));
        const after = grantOf(answer(narrowed, policies, subject, purpose));
        expect(wider(before, after)).toEqual([]);
        // And it does apply, unless a permit says otherwise.
        const found = after?.tables[on]?.filters.find(({ id }) => id === 'more');
        if (after?.tables[on] !== undefined) expect(found).toBeDefined();
      }),
      { numRuns: 30 },
    );
  });

  test('one more mask never widens', () => {
    fc.assert(
      fc.property(situations, ({ boundary, policies, subject, purpose }) => {
        const masked = {
          ...boundary,
          masks: { ...boundary.masks, more: mask([{ table: 't0', column: 'c0' }], null, 9) },
        };
        const before = grantOf(answer(boundary, policies, subject, purpose));
        const after = grantOf(answer(masked, policies, subject, purpose));
        expect(wider(before, after)).toEqual([]);
        const seen = after?.tables['t0']?.columns.find(({ name }) => name === 'c0');
        if (seen !== undefined) expect(seen.masks.map(({ id }) => id)).toContain('more');
      }),
      { numRuns: 30 },
    );
  });

  test('one more ordinary permit never lifts a filter or a mask', () => {
    const more = situations.chain((situation) =>
      fc.record({
        situation: fc.constant(situation),
        permit: rules(situation.boundary, { effect: 'permit', ordinary: true }),
      }),
    );
    fc.assert(
      fc.property(more, ({ situation: { boundary, policies, subject, purpose }, permit }) => {
        const before = grantOf(answer(boundary, policies, subject, purpose));
        const after = grantOf(answer(boundary, [...policies, { ...permit, id: 'more' }], subject, purpose));
        fc.pre(before !== null);
        expect(after).not.toBeNull();
        expect(lifted(before, after ?? before)).toEqual([]);
      }),
      { numRuns: 30 },
    );
  });

  test('these comparisons see a column, a lifted filter and a lifted mask', () => {
    const governed = { id: 'g', exemptedBy: [] };
    const free = { id: 'g', exemptedBy: ['flights.cedar#p'] };
    const grant = (filter: typeof governed | typeof free, ofMask: typeof filter, columns = ['a']): Grant => ({
      format: 'ambit/grant/v1',
      product: 'p',
      version: '1.0.0',
      fingerprint: '',
      environment: 'test',
      purpose: 'p',
      tables: {
        t: {
          determinedBy: [],
          columns: columns.map((name) => ({ ...column(name), determinedBy: [], masks: [ofMask] })),
          filters: [filter],
        },
      },
      views: {},
      functions: [],
      queries: [],
      decisions: [],
    });
    const before = grant(governed, governed);
    expect(wider(before, before)).toEqual([]);
    expect(wider(before, grant(free, governed))).toEqual(['g']);
    expect(wider(before, grant(governed, free))).toEqual(['g']);
    expect(wider(before, grant(governed, governed, ['a', 'b']))).toEqual(['t.b']);
    expect(wider(null, before)).toEqual(['a session']);
    expect(wider(before, null)).toEqual([]);
  });
});
