import type { Boundary } from '@ambit/contract';
import * as fc from 'fast-check';
import type { Decision, Subject } from '../src/index.ts';
import type { Rule } from './oracle.ts';
import { column, mask, product, query, rowFilter, subject, table, view } from './product.ts';

const TABLES = ['t0', 't1', 't2'] as const;
const COLUMNS = ['c0', 'c1', 'c2'] as const;
const TAGS = ['g0', 'g1'] as const;
const FUNCTIONS = ['f0', 'f1', 'f2'] as const;
const ROLES = ['operator', 'auditor', 'researcher'] as const;
export const PURPOSES = ['operations', 'research'] as const;

const some = <T>(values: readonly T[]): fc.Arbitrary<T[]> => fc.subarray([...values]);
const one = <T>(values: readonly T[]): fc.Arbitrary<T> => fc.constantFrom(...values);

const columnsRead = fc.dictionary(one(TABLES), fc.subarray([...COLUMNS], { minLength: 1 }), { maxKeys: 2 });

/** A boundary without policies. */
export const boundaries: fc.Arbitrary<Boundary> = fc
  .record({
    tags: fc.array(some(TAGS), { minLength: 9, maxLength: 9 }),
    filters: fc.array(one(TABLES), { maxLength: 3 }),
    masks: fc.array(
      fc.oneof(
        fc.record({ tag: one(TAGS) }),
        fc.record({ table: one(TABLES), column: one(COLUMNS), order: fc.integer({ min: 0, max: 1 }) }),
      ),
      { maxLength: 4 },
    ),
    views: fc.array(fc.record({ tables: columnsRead, functions: some(FUNCTIONS), deep: fc.boolean() }), {
      maxLength: 3,
    }),
    queries: fc.array(fc.record({ tables: columnsRead, functions: some(FUNCTIONS), view: fc.boolean() }), {
      maxLength: 2,
    }),
  })
  .map(({ tags, filters, masks, views, queries }) => {
    const tables = Object.fromEntries(
      TABLES.map((name, t) => [name, table(...COLUMNS.map((c, index) => column(c, tags[t * 3 + index] ?? [])))]),
    );
    const tagged = (tag: string): { table: string; column: string }[] =>
      Object.entries(tables).flatMap(([name, { columns }]) =>
        columns.flatMap((c) => (c.tags.includes(tag) ? [{ table: name, column: c.name }] : [])),
      );
    return product(
      {},
      {
        tables,
        functions: [...FUNCTIONS],
        rowFilters: Object.fromEntries(filters.map((on, index) => [`r${index}`, rowFilter(on)])),
        masks: Object.fromEntries(
          masks.map((each, index) => [
            `m${index}`,
            'tag' in each ? mask(tagged(each.tag), each.tag) : mask([each], null, each.order),
          ]),
        ),
        views: Object.fromEntries(
          views.map(({ tables: read, functions, deep }, index) => [
            `v${index}`,
            view({ tables: read, functions, views: deep && index > 0 ? [`v${index - 1}`] : [] }),
          ]),
        ),
        queries: Object.fromEntries(
          queries.map(({ tables: read, functions, view: deep }, index) => [
            `q${index}`,
            query({ tables: read, functions, views: deep && views.length > 0 ? ['v0'] : [] }),
          ]),
        ),
      },
    );
  });

type Scope = NonNullable<Rule['scope']>;
type Kind = readonly [actions: readonly Decision['action'][], scopes: readonly (Scope | null)[]];

/** What policies on this boundary can name, each with the actions that it makes sense for. */
function kinds(boundary: Boundary): readonly Kind[] {
  const tags = new Set(Object.values(boundary.tables).flatMap(({ columns }) => columns.flatMap((c) => c.tags)));
  const within = (type: string, ids: Iterable<string>): Scope[] =>
    [...ids].map((id) => ({ op: 'in', resource: `${type}::"${id}"` }));
  const itself = (type: string, ids: Iterable<string>): Scope[] =>
    [...ids].map((id) => ({ op: '==', resource: `${type}::"${id}"` }));
  const anywhere = [null, ...within('Product', ['flights'])];
  const columns = Object.entries(boundary.tables).flatMap(([name, declared]) =>
    declared.columns.map((c) => `${name}.${c.name}`),
  );
  const tables = Object.keys(boundary.tables);
  const filters = Object.keys(boundary.rowFilters);
  const masks = Object.keys(boundary.masks);
  const maskTags = Object.values(boundary.masks).flatMap(({ tag }) => (tag !== null && tags.has(tag) ? [tag] : []));
  return [
    [['open', 'read', 'call'], anywhere],
    [['read'], [...within('Table', tables), ...within('Tag', tags), ...itself('Column', columns)]],
    [['read'], [...anywhere, ...itself('View', Object.keys(boundary.views))]],
    [['call'], [...anywhere, ...itself('Function', boundary.functions)]],
    [['exempt'], [...anywhere, ...itself('RowFilter', filters), ...itself('Mask', masks)]],
    [
      ['exempt'],
      [
        ...within(
          'Table',
          filters.map((id) => boundary.rowFilters[id]?.table ?? ''),
        ),
        ...within('Tag', maskTags),
      ],
    ],
  ];
}

/** A policy that Cedar finds valid on this boundary. */
export function rules(
  boundary: Boundary,
  only: Partial<Pick<Rule, 'effect'>> & { ordinary?: boolean } = {},
): fc.Arbitrary<Omit<Rule, 'id'>> {
  const possible = kinds(boundary).filter(
    ([actions, scopes]) => scopes.length > 0 && !(only.ordinary === true && actions.includes('exempt')),
  );
  return one(possible).chain(([actions, scopes]) =>
    fc.record({
      effect:
        only.effect === undefined
          ? fc.constantFrom('permit' as const, 'permit' as const, 'forbid' as const)
          : fc.constant(only.effect),
      role: fc.option(one(ROLES.map((role) => `mobility/${role}`)), { freq: 2 }),
      actions: fc.constant(actions),
      scope: one(scopes),
      purpose: fc.option(one(PURPOSES), { freq: 1 }),
      state: fc.option(fc.constantFrom('CA', 'NY'), { freq: 1 }),
      channel: fc.option(fc.constantFrom('http' as const, 'mcp' as const), { freq: 1 }),
    }),
  );
}

/** Policies of which some are likely to open. */
export function policySets(boundary: Boundary): fc.Arbitrary<readonly Rule[]> {
  const opening = fc.record({
    effect: fc.constant('permit' as const),
    role: fc.option(one(ROLES.map((role) => `mobility/${role}`)), { freq: 2 }),
    actions: fc.constant(['open', 'read', 'call'] as const),
    scope: fc.constant(null),
    purpose: fc.option(one(PURPOSES), { freq: 1 }),
    state: fc.constant(null),
    channel: fc.constant(null),
  });
  return fc
    .tuple(fc.array(opening, { maxLength: 2 }), fc.array(rules(boundary), { maxLength: 6 }))
    .map(([first, rest]) => [...first, ...rest].map((rule, index) => ({ ...rule, id: `p${index}` })));
}

export const subjects: fc.Arbitrary<Subject> = fc
  .record({
    tenant: fc.constantFrom('mobility', 'mobility', 'mobility', 'skyline-air'),
    principal: fc.constantFrom('maria', 'noor'),
    roles: some(ROLES),
    claims: fc.constantFrom({}, { state: 'CA' }, { state: 'NY' }),
    channel: fc.constantFrom('http' as const, 'mcp' as const),
    kind: fc.constantFrom('user' as const, 'service' as const, 'agent' as const),
  })
  .map((changes) => subject(changes));
