import { type Boundary, canonicalize } from '@ambit/contract';
import type { Grant, GrantedTable, Governor } from './grant.ts';

/** One thing that a subject would see more of, less of, or otherwise. */
export interface Difference {
  /** `changed`: the text differs, and nobody could tell whether it shows more or less. */
  readonly effect: 'more' | 'less' | 'changed';
  readonly kind: 'table' | 'column' | 'row filter' | 'mask' | 'view' | 'function' | 'query' | 'source';
  /** `flights`, `flights.delay`, `flights: own-state`. */
  readonly name: string;
}

/** A grant with the boundary that it was cut from. */
export interface Granted {
  readonly grant: Grant;
  readonly boundary: Boundary;
}

/** What a row filter or mask shows that says something else; `same`: what it showed, in other words. */
export type Meaning = (kind: 'row filter' | 'mask', id: string) => Difference['effect'] | 'same';

/**
 * What a subject with the second grant sees more or less of than with the first. Structure is compared, no rows; what other
 * words of a row filter or mask mean tells `meaning`.
 */
export function compareGrants(
  before: Granted,
  after: Granted,
  meaning: Meaning = () => 'changed',
): readonly Difference[] {
  return [
    ...names('table', Object.keys(before.grant.tables), Object.keys(after.grant.tables)),
    ...both(before.grant.tables, after.grant.tables).flatMap((table) => compareTable(table, before, after, meaning)),
    ...texts('view', before.grant.views, after.grant.views, sqlOf(before.boundary.views), sqlOf(after.boundary.views)),
    ...names('function', before.grant.functions, after.grant.functions),
    ...texts(
      'query',
      listed(before.grant.queries),
      listed(after.grant.queries),
      sqlOf(before.boundary.queries),
      sqlOf(after.boundary.queries),
    ),
  ];
}

/** One word for all differences: `mixed` where there is more and less, or what nobody can tell. */
export function effectOf(differences: readonly Difference[]): 'same' | 'more' | 'less' | 'mixed' {
  const effects = new Set(differences.map(({ effect }) => effect));
  const [only] = effects;
  if (only === undefined) return 'same';
  return effects.size > 1 || only === 'changed' ? 'mixed' : only;
}

type Text = (name: string) => string;

function compareTable(table: string, before: Granted, after: Granted, meaning: Meaning): readonly Difference[] {
  const [old, now] = [before.grant.tables[table] as GrantedTable, after.grant.tables[table] as GrantedTable];
  const qualified = (name: string): string => `${table}.${name}`;
  const columns = (granted: GrantedTable): readonly string[] => granted.columns.map(({ name }) => qualified(name));
  const masked = (granted: GrantedTable) =>
    new Map(granted.columns.map(({ name, masks }) => [qualified(name), applying(masks)]));
  const [oldMasks, nowMasks] = [masked(old), masked(now)];
  return [
    ...(supply(table, before) === supply(table, after)
      ? []
      : [{ effect: 'changed', kind: 'source', name: table } as const]),
    ...names('column', columns(old), columns(now)),
    ...governors(
      { kind: 'row filter', on: table, oldText: whereOf(before), nowText: whereOf(after), meaning },
      applying(old.filters),
      applying(now.filters),
    ),
    ...[...oldMasks].flatMap(([column, masks]) => {
      const others = nowMasks.get(column);
      if (others === undefined) return [];
      const compared = { kind: 'mask', on: column, oldText: withOf(before), nowText: withOf(after), meaning } as const;
      return governors(compared, masks, others);
    }),
  ];
}

/** Row filters of a table, or masks of a column. */
interface Governing {
  readonly kind: 'row filter' | 'mask';
  readonly on: string;
  readonly oldText: Text;
  readonly nowText: Text;
  readonly meaning: Meaning;
}

/** A filter or mask that is new shows less; one that is gone, or that the subject is exempted from now, shows more. */
function governors(
  { kind, on, oldText, nowText, meaning }: Governing,
  old: readonly string[],
  now: readonly string[],
): readonly Difference[] {
  const told = (effect: Difference['effect'], id: string): Difference => ({ effect, kind, name: `${on}: ${id}` });
  const stay = old.filter((id) => now.includes(id));
  const moved = stay.join('\n') !== now.filter((id) => old.includes(id)).join('\n');
  return [
    ...old.filter((id) => !now.includes(id)).map((id) => told('more', id)),
    ...now.filter((id) => !old.includes(id)).map((id) => told('less', id)),
    ...stay.flatMap((id) => {
      if (moved) return [told('changed', id)];
      const effect = oldText(id) === nowText(id) ? 'same' : meaning(kind, id);
      return effect === 'same' ? [] : [told(effect, id)];
    }),
  ];
}

function applying(all: readonly Governor[]): readonly string[] {
  return all.filter(({ exemptedBy }) => exemptedBy.length === 0).map(({ id }) => id);
}

/** What a row filter says, and where what it reads comes from. */
function whereOf(granted: Granted): Text {
  return (id) => {
    const filter = granted.boundary.rowFilters[id];
    const reads = Object.keys(filter?.reads.tables ?? {}).toSorted();
    return [filter?.where, ...reads.map((table) => `${table} ${supply(table, granted)}`)].join('\n');
  };
}

function withOf({ boundary }: Granted): Text {
  return (id) => boundary.masks[id]?.with ?? '';
}

function sqlOf(declared: Readonly<Record<string, { readonly sql: string }>>): Text {
  return (name) => declared[name]?.sql ?? '';
}

/** Where a table's rows come from. */
function supply(table: string, { boundary }: Granted): string {
  const declared = boundary.tables[table];
  const catalog = boundary.catalogs[declared?.catalog ?? ''];
  const store = boundary.stores[catalog?.store ?? ''];
  const { path = null, format = null, partitions = null } = declared ?? {};
  // Canonical: a boundary of the log has its members in another order than one that was just loaded.
  return canonicalize([path, format, partitions, catalog ?? null, store ?? null]);
}

function names(kind: Difference['kind'], old: readonly string[], now: readonly string[]): readonly Difference[] {
  return [
    ...now.filter((name) => !old.includes(name)).map((name) => ({ effect: 'more', kind, name }) as const),
    ...old.filter((name) => !now.includes(name)).map((name) => ({ effect: 'less', kind, name }) as const),
  ];
}

/** Names, and the text behind those that stay. */
function texts(
  kind: Difference['kind'],
  old: Readonly<Record<string, unknown>>,
  now: Readonly<Record<string, unknown>>,
  oldText: Text,
  nowText: Text,
): readonly Difference[] {
  const changed = both(old, now).filter((name) => oldText(name) !== nowText(name));
  return [
    ...names(kind, Object.keys(old), Object.keys(now)),
    ...changed.map((name) => ({ effect: 'changed', kind, name }) as const),
  ];
}

function listed(words: readonly string[]): Readonly<Record<string, true>> {
  return Object.fromEntries(words.map((word) => [word, true]));
}

function both(old: Readonly<Record<string, unknown>>, now: Readonly<Record<string, unknown>>): readonly string[] {
  return Object.keys(old).filter((name) => Object.hasOwn(now, name));
}
