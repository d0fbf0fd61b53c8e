import type { BoundaryTable } from '@ambit/contract';
import type { SessionTemplate } from '@ambit/engine';
import type { Governor, Grant } from '@ambit/policy';
import type { Product } from './load.ts';
import { storeNameOf, storeOf } from './stores.ts';

const TEMPLATES_KEPT_MAX = 1_000;
const kept = new Map<string, SessionTemplate>();

/** What the engine is told of a grant. The same grant gives the same object, and so the same bytes and digest. */
export function describe(
  product: Product,
  grant: Grant & { readonly digest: string },
  closed: ReadonlySet<string>,
): SessionTemplate {
  // Two products can have one boundary and lie in two places.
  const key = `${grant.digest} ${JSON.stringify(product.roots)} ${[...closed].toSorted().join(' ')}`;
  const known = kept.get(key);
  if (known !== undefined) return known;
  const template = templateOf(product, grant, closed);
  const [oldest] = kept.keys();
  if (kept.size >= TEMPLATES_KEPT_MAX && oldest !== undefined) kept.delete(oldest);
  kept.set(key, template);
  return template;
}

function templateOf(product: Product, grant: Grant, closed: ReadonlySet<string>): SessionTemplate {
  const { boundary, fingerprint } = product;
  const sources = neededSources(boundary, grant);
  const stores = new Set(sources.map((name) => storeNameOf(boundary, name)));
  return {
    boundary: fingerprint,
    stores: pick(stores, (name) => storeOf(product, name)),
    sources: pick(sources, (name) => sourceOf(boundary.tables[name] as BoundaryTable, storeNameOf(boundary, name))),
    tables: pick(Object.keys(grant.tables), (table) => ({
      source: table,
      columns: (grant.tables[table]?.columns ?? []).map(({ name, masks }) => ({
        name,
        masks: applying(masks).map((id) => ({ id, sql: boundary.masks[id]?.with ?? '' })),
      })),
      filters: applying(grant.tables[table]?.filters ?? []).map((id) => ({
        id,
        sql: boundary.rowFilters[id]?.where ?? '',
      })),
      closed: closed.has(table) || lookedUp(boundary, grant, table).some((other) => closed.has(other)),
      statistics: boundary.tables[table]?.statistics ?? true,
    })),
    views: pick(Object.keys(grant.views), (view) => ({ sql: boundary.views[view]?.sql ?? '' })),
    functions: [...grant.functions],
    settings: Object.fromEntries(Object.entries(boundary.settings).map(([key, { value }]) => [key, value])),
    claims: Object.fromEntries(Object.entries(boundary.claims).map(([name, { type }]) => [name, type])),
  };
}

/** Granted tables, and what the row filters that apply to them read. */
export function neededSources(boundary: Product['boundary'], grant: Grant): readonly string[] {
  const needed = new Set(Object.keys(grant.tables));
  for (const table of Object.keys(grant.tables)) {
    for (const other of lookedUp(boundary, grant, table)) needed.add(other);
  }
  return [...needed].filter((table) => table in boundary.tables).toSorted();
}

/** Tables that the row filters of a table read. */
function lookedUp(boundary: Product['boundary'], grant: Grant, table: string): readonly string[] {
  const filters = applying(grant.tables[table]?.filters ?? []);
  return filters.flatMap((id) => Object.keys(boundary.rowFilters[id]?.reads.tables ?? {}));
}

function applying(governors: readonly Governor[]): readonly string[] {
  return governors.filter(({ exemptedBy }) => exemptedBy.length === 0).map(({ id }) => id);
}

export function sourceOf(table: BoundaryTable, store: string): SessionTemplate['sources'][string] {
  const columns = table.columns.map(({ name, type, nullable }) => ({ name, type, nullable }));
  const partitions = [...(table.partitions ?? [])];
  return { store, path: table.path, format: { ...table.format }, columns, partitions };
}

function pick<V>(names: Iterable<string>, value: (name: string) => V): Record<string, V> {
  return Object.fromEntries([...names].map((name) => [name, value(name)]));
}
