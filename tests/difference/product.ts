import * as fc from 'fast-check';
import { stringify } from 'yaml';

// Products of one small table, as generated data: what an owner could have written, and what they could write next.

/** A product before it is written down. */
export interface Draft {
  readonly columns: readonly Column[];
  /** Where of a row filter, by id. */
  readonly filters: Readonly<Record<string, string>>;
  readonly masks: Readonly<Record<string, Mask>>;
  readonly views: readonly string[];
  readonly functions: readonly string[];
  readonly permits: Readonly<Record<string, Rule>>;
  readonly forbids: Readonly<Record<string, Rule>>;
  readonly purposes: readonly string[];
  /** Whether requests without a credential are admitted. */
  readonly anonymous: boolean;
  readonly tags: readonly Column[];
}

export type Column = 'a' | 'b' | 'c';

export interface Mask {
  readonly column: Column;
  readonly with: string;
  readonly order: number;
}

/** A policy: each part that is null is open. */
export interface Rule {
  readonly role: string | null;
  readonly actions: readonly string[];
  readonly resource: string | null;
  readonly purposes: readonly string[] | null;
}

/** Row filters that drafts have, with the same in TypeScript: so that a test can decide between any two. */
export const filters: Readonly<Record<string, (row: Row, level: number | null) => boolean>> = {
  'a < 2': ({ a }) => a < 2,
  'a < 5': ({ a }) => a < 5,
  'a < 10': ({ a }) => a < 10,
  "a < 10 AND b = 'xy'": ({ a, b }) => a < 10 && b === 'xy',
  "b = 'xy'": ({ b }) => b === 'xy',
  'a < $claims.level': ({ a }, level) => level !== null && a < level,
  'a < $claims.level AND a < 5': ({ a }, level) => level !== null && a < level && a < 5,
  'c IN (SELECT k FROM u WHERE flag)': ({ c }) => c % 2 === 0,
};

export interface Row {
  readonly id: number;
  readonly a: number;
  readonly b: string;
  readonly c: number;
}

export const rows: readonly Row[] = Array.from({ length: 40 }, (_, id) => ({
  id,
  a: ((id * 7) % 20) - 4,
  b: ['xy', 'xz', 'yy', 'yz'][id % 4] ?? '',
  c: id % 5,
}));

const maskTexts: Readonly<Record<Column, readonly string[]>> = {
  a: [
    'value / 5 * 5',
    'value / 10 * 10',
    '0',
    'c',
    'value + c',
    '-value',
    'a / 5 * 5',
    'a / 20 * 20',
    'a % 2',
    'CASE WHEN value = 0 THEN c ELSE value END',
  ],
  b: [
    'substr(value, 1, 1)',
    'substr(value, 1, 2)',
    'upper(substr(value, 1, 1))',
    "'x'",
    'CAST(a AS VARCHAR)',
    'lower(value)',
  ],
  c: ['value / 2 * 2', 'value / 4 * 4', '0', 'a', '(SELECT max(k) FROM u)'],
};

const COLUMNS = ['a', 'b', 'c'] as const;
const ROLES = ['mobility/operator', 'mobility/auditor'] as const;
export const PURPOSES = ['operations', 'research'] as const;
const FUNCTIONS = ['count', 'sum', 'upper'] as const;
/** Each with the SQL of what it is. */
export const VIEWS: Readonly<Record<string, string>> = {
  small: 'SELECT id, a FROM t',
  counted: 'SELECT b, count(*) AS n FROM t GROUP BY b',
};

const one = <T>(values: readonly T[]): fc.Arbitrary<T> => fc.constantFrom(...values);
const some = <T>(values: readonly T[]): fc.Arbitrary<T[]> => fc.subarray([...values]);
const ids = (letter: string, count: number) => Array.from({ length: count }, (_, index) => `${letter}${index}`);
const mask = one(COLUMNS).chain((column) =>
  fc.record({ column: fc.constant(column), with: one(maskTexts[column]), order: fc.constant(0) }),
);

const purposes = fc.option(
  some(PURPOSES).filter((words) => words.length > 0),
  { freq: 2 },
);
const ordinary: fc.Arbitrary<Rule> = fc.record({
  role: fc.option(one(ROLES), { freq: 3 }),
  actions: fc.constant(['open', 'read', 'call']),
  resource: fc.constant(null),
  purposes,
});
const reading: fc.Arbitrary<Rule> = fc.record({
  role: fc.option(one(ROLES), { freq: 2 }),
  actions: fc.constant(['read']),
  resource: one(['Table::"t"', 'Column::"t.a"', 'Column::"t.b"', 'Tag::"secret"', null]),
  purposes,
});
const exempting: fc.Arbitrary<Rule> = fc.record({
  role: fc.option(one(ROLES), { freq: 3 }),
  actions: fc.constant(['exempt']),
  resource: one(['RowFilter::"f0"', 'RowFilter::"f1"', 'Mask::"m0"', 'Mask::"m1"', null]),
  purposes,
});

const dictionary = <T>(letter: string, value: fc.Arbitrary<T>, most: number): fc.Arbitrary<Record<string, T>> =>
  fc
    .array(value, { maxLength: most })
    .map((all) => Object.fromEntries(all.map((each, at) => [`${letter}${at}`, each])));

export const drafts: fc.Arbitrary<Draft> = fc.record({
  columns: some(COLUMNS).filter((columns) => columns.length > 1),
  filters: dictionary('f', one(Object.keys(filters)), 3),
  masks: dictionary('m', mask, 3).map((masks) => numbered(masks)),
  views: some(Object.keys(VIEWS)),
  functions: some(FUNCTIONS).map((found) => [...new Set(['count', ...found])].toSorted()),
  permits: fc
    .tuple(ordinary, fc.array(fc.oneof(ordinary, reading, exempting, exempting), { maxLength: 3 }))
    .map(([first, rest]) => Object.fromEntries([first, ...rest].map((rule, at) => [`p${at}`, rule]))),
  forbids: dictionary('n', fc.oneof(reading, exempting), 1),
  purposes: fc.constant([...PURPOSES]),
  anonymous: fc.boolean(),
  tags: some(COLUMNS),
});

/** Masks that meet on a column need an order. */
function numbered(masks: Record<string, Mask>): Record<string, Mask> {
  return Object.fromEntries(Object.entries(masks).map(([id, each], at) => [id, { ...each, order: at + 1 }]));
}

type Edit = (draft: Draft) => Draft;

const drop = <T>(map: Readonly<Record<string, T>>, id: string): Record<string, T> =>
  Object.fromEntries(Object.entries(map).filter(([name]) => name !== id));
const put = <T>(map: Readonly<Record<string, T>>, id: string, value: T): Record<string, T> => ({ ...map, [id]: value });

/** What the next owner does: mostly takes away. */
const edits: fc.Arbitrary<Edit> = fc.oneof(
  fc.tuple(one(ids('f', 4)), one(Object.keys(filters))).map(
    ([id, where]): Edit =>
      (draft) => ({ ...draft, filters: put(draft.filters, id, where) }),
  ),
  one(ids('f', 3)).map(
    (id): Edit =>
      (draft) => ({ ...draft, filters: drop(draft.filters, id) }),
  ),
  fc.tuple(one(ids('m', 4)), mask, fc.integer({ min: 0, max: 9 })).map(
    ([id, value, order]): Edit =>
      (draft) => {
        const others = Object.entries(draft.masks)
          .filter(([name]) => name !== id)
          .map(([, each]) => each.order);
        const free = [order, 8, 7, 6, 5, 9].find((at) => at > 0 && !others.includes(at)) ?? 10;
        return { ...draft, masks: put(draft.masks, id, { ...value, order: free }) };
      },
  ),
  fc.tuple(one(ids('m', 3)), fc.nat()).map(
    ([id, turn]): Edit =>
      (draft) => {
        const known = draft.masks[id];
        if (known === undefined) return draft;
        const texts = maskTexts[known.column];
        return { ...draft, masks: put(draft.masks, id, { ...known, with: texts[turn % texts.length] ?? '' }) };
      },
  ),
  one(COLUMNS).map(
    (column): Edit =>
      (draft) => ({ ...draft, columns: draft.columns.filter((name) => name !== column) }),
  ),
  one(ids('p', 4)).map(
    (id): Edit =>
      (draft) => ({ ...draft, permits: drop(draft.permits, id) }),
  ),
  fc.tuple(one(ids('p', 4)), some(PURPOSES), fc.option(one(ROLES))).map(
    ([id, of, role]): Edit =>
      (draft) => {
        const known = draft.permits[id];
        if (known === undefined) return draft;
        const narrower = { ...known, role: role ?? known.role, purposes: of.length === 0 ? known.purposes : of };
        return { ...draft, permits: put(draft.permits, id, narrower) };
      },
  ),
  fc.tuple(one(ids('n', 2)), fc.oneof(reading, exempting)).map(
    ([id, rule]): Edit =>
      (draft) => ({ ...draft, forbids: put(draft.forbids, id, rule) }),
  ),
  fc.oneof(ordinary, reading, exempting).map(
    (rule): Edit =>
      (draft) => ({ ...draft, permits: put(draft.permits, 'p9', rule) }),
  ),
  one(FUNCTIONS).map(
    (name): Edit =>
      (draft) => ({ ...draft, functions: draft.functions.filter((fn) => fn !== name) }),
  ),
  one(Object.keys(VIEWS)).map(
    (name): Edit =>
      (draft) => ({ ...draft, views: draft.views.filter((view) => view !== name) }),
  ),
  one(PURPOSES).map(
    (name): Edit =>
      (draft) => ({ ...draft, purposes: draft.purposes.filter((word) => word !== name) }),
  ),
  some(COLUMNS).map(
    (tags): Edit =>
      (draft) => ({ ...draft, tags }),
  ),
  fc.boolean().map(
    (anonymous): Edit =>
      (draft) => ({ ...draft, anonymous }),
  ),
);

/** A product, and what it may be next. */
export const pairs: fc.Arbitrary<readonly [Draft, Draft]> = fc
  .tuple(drafts, fc.array(edits, { minLength: 1, maxLength: 3 }))
  .map(([draft, all]) => [draft, all.reduce((sofar, edit) => edit(sofar), draft)] as const);

/** A contract. What names something that is not there is left out, so that nearly all of them load. */
export function contractOf(draft: Draft): string {
  const columns = ['a', 'b', 'c'].filter((name) => draft.columns.includes(name as Column)) as Column[];
  const there = (sql: string): boolean =>
    COLUMNS.every((name) => columns.includes(name) || !new RegExp(`\\b${name}\\b`).test(sql));
  const type = { a: 'bigint', b: 'string', c: 'bigint' } as const;
  const declared = columns.map((name) => [
    name,
    { type: type[name], ...(draft.tags.includes(name) ? { tags: ['secret'] } : {}) },
  ]);
  const kept = Object.entries(draft.filters).filter(([, where]) => there(where));
  const masks = Object.entries(draft.masks).filter(([, each]) => columns.includes(each.column) && there(each.with));
  const views = draft.views.filter(
    (name) => there(VIEWS[name] ?? '') && (name !== 'counted' || draft.functions.includes('count')),
  );
  return stringify({
    apiVersion: 'ambit/v1',
    kind: 'DataProduct',
    name: 'things',
    version: '1.0.0',
    tenant: 'mobility',
    owner: { team: 'data' },
    purposes: Object.fromEntries(draft.purposes.map((name) => [name, name])),
    claims: { level: { type: 'bigint' } },
    ...(draft.anonymous && draft.purposes[0] !== undefined ? { anonymous: { purposes: [draft.purposes[0]] } } : {}),
    stores: { lake: { root: '.' } },
    catalogs: { csv: { type: 'csv', store: 'lake' } },
    tables: {
      t: { catalog: 'csv', path: 't.csv', columns: { id: { type: 'bigint' }, ...Object.fromEntries(declared) } },
      u: { catalog: 'csv', path: 'u.csv', columns: { k: { type: 'bigint' }, flag: { type: 'boolean' } } },
    },
    views: Object.fromEntries(views.map((name) => [name, { sql: VIEWS[name] }])),
    functions: { allow: [...draft.functions] },
    policies: {
      rows: Object.fromEntries(kept.map(([id, where]) => [id, { table: 't', where }])),
      masks: Object.fromEntries(
        masks.map(([id, { column, with: sql, order }]) => [id, { table: 't', column, with: sql, order }]),
      ),
    },
  });
}

/** The policies beside a contract, but for those that name what is not in it. */
export function cedarOf(draft: Draft, contract: string): string {
  const there = ({ resource }: Rule): boolean => {
    const [, type = '', id = ''] = /^(\w+)::"(.*)"$/.exec(resource ?? '') ?? [];
    if (type === 'Column') return draft.columns.includes(id.split('.')[1] as Column);
    if (type === 'Tag') return draft.tags.some((tag) => draft.columns.includes(tag));
    return type === '' || type === 'Table' || contract.includes(`    ${id}:`);
  };
  const known = (rule: Rule): readonly string[] | null =>
    rule.purposes?.filter((word) => draft.purposes.includes(word)) ?? null;
  const written = (effect: string, rules: Readonly<Record<string, Rule>>) =>
    Object.entries(rules)
      .filter(([, rule]) => there(rule) && known(rule)?.length !== 0)
      .map(([id, rule]) => {
        const who = rule.role === null ? 'principal' : `principal in Role::"${rule.role}"`;
        const actions = rule.actions.map((action) => `Action::"${action}"`).join(', ');
        const op =
          rule.resource?.startsWith('Table') === true || rule.resource?.startsWith('Tag') === true ? 'in' : '==';
        const what = rule.resource === null ? 'resource' : `resource ${op} ${rule.resource}`;
        const words = known(rule)
          ?.map((word) => `context.purpose == "${word}"`)
          .join(' || ');
        return `@id("${id}") ${effect} (${who}, action in [${actions}], ${what})${words === undefined ? '' : ` when { ${words} }`};`;
      });
  return [...written('permit', draft.permits), ...written('forbid', draft.forbids)].join('\n');
}
