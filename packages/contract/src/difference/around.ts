import type { Boundary, BoundaryColumn } from '../boundary.ts';
import type { Around, Comparing } from './line.ts';
import { supply } from './sources.ts';
import { own, same } from './walk.ts';

/** What the row filters and masks of a table are about, on both sides. */
export function around({ before, after }: Comparing, table: string): Around {
  const claims = Object.entries({ ...before.claims, ...after.claims });
  const columns = Object.entries(after.tables).map(([name, { columns: declared }]) => [name, declared]);
  const unchanged = Object.keys(after.tables).filter(
    (name) =>
      supply(before, name) === supply(after, name) &&
      same(own(before.tables, name)?.columns, own(after.tables, name)?.columns),
  );
  return {
    table,
    columns: { ...Object.fromEntries(columns), [table]: columnsOf(before, after, table) },
    unchanged,
    claims: Object.fromEntries(claims.map(([name, { type }]) => [name, type])),
    settings: Object.fromEntries(Object.entries(after.settings).map(([key, { value }]) => [key, value])),
  };
}

/** All columns that either boundary knows: the files hold them, whatever is shown. Nobody says any more that one has no NULL. */
function columnsOf(before: Boundary, after: Boundary, table: string): readonly BoundaryColumn[] {
  const now = own(after.tables, table)?.columns ?? [];
  const known = now.map(({ name }) => name);
  const gone = (own(before.tables, table)?.columns ?? []).filter(({ name }) => !known.includes(name));
  return [...now, ...gone.map((column) => ({ ...column, nullable: true }))];
}
