import { canonicalize } from '../canonical.ts';
import type { Boundary, BoundaryCatalog, BoundaryColumn, BoundaryTable } from '../boundary.ts';
import { described } from './access.ts';
import { changes, type Comparing, type Line, narrows, pointer, quoted, type Said, widens } from './line.ts';
import { members, named, own, type Rules, shown, without } from './walk.ts';

// Where rows come from.

export function storeOf(boundary: Boundary, table: string): string | undefined {
  return own(boundary.catalogs, own(boundary.tables, table)?.catalog ?? '')?.store;
}

/** Where a table lies within its store and how it is read; not which bytes the store holds. */
export function supply(boundary: Boundary, name: string): string | null {
  const table = own(boundary.tables, name);
  if (table === undefined) return null;
  const { path, format, partitions = null } = table;
  return canonicalize([path, format, partitions, own(boundary.catalogs, table.catalog) ?? null]);
}

export function catalogLines(
  { after: boundary }: Comparing,
  before: Boundary['catalogs'],
  after: Boundary['catalogs'],
) {
  const place = (name: string) => ({ path: ['catalogs', name], subject: `catalog \`${name}\`` });
  return named(before, after, {
    place,
    text: ({ type, store }) => `${type} in store \`${store}\``,
    added: () => changes('nothing is read through it but by tables, which have lines of their own'),
    removed: () => narrows('nothing is read through it any more'),
    changed: (old: BoundaryCatalog, now: BoundaryCatalog, name) => {
      const tables = Object.keys(boundary.tables)
        .filter((table) => boundary.tables[table]?.catalog === name)
        .toSorted();
      return members(place(name), old, now, {
        type: { name: 'the format', means: () => changes(`tables ${quoted(tables)} are read otherwise`) },
        store: { name: 'the store', means: () => changes(`tables ${quoted(tables)} now read other data`) },
      });
    },
  });
}

export function tableLines(comparing: Comparing, before: Boundary['tables'], after: Boundary['tables']) {
  const place = (name: string) => ({ path: ['tables', name], subject: `table \`${name}\`` });
  return named(before, after, {
    place,
    text: ({ columns }) => `columns ${columns.map(({ name }) => name).join(', ')}`,
    added: (_, name) => widens(`whoever policies let read it sees its rows${filtersOf(comparing.after, name)}`),
    removed: () => narrows('nobody can read it any more'),
    changed: (old: BoundaryTable, now: BoundaryTable, name) =>
      members(place(name), old, now, tableRules(comparing, name)),
  });
}

function filtersOf({ rowFilters }: Boundary, table: string): string {
  const filters = Object.keys(rowFilters)
    .filter((name) => rowFilters[name]?.table === table)
    .toSorted();
  return filters.length === 0
    ? ': no row filter holds for it'
    : `, as far as row filters ${quoted(filters)} let through`;
}

function tableRules(comparing: Comparing, table: string): Rules<BoundaryTable> {
  const other = changes('its rows are other rows');
  return {
    description: described(),
    catalog: { name: 'the catalog', means: () => other },
    path: { name: 'the path', means: () => other },
    format: { name: 'the format', means: () => changes('its files are read otherwise') },
    partitions: { name: 'the partitions', means: () => changes('columns come from names of folders, or no longer do') },
    statistics: {
      name: 'the use of statistics',
      means: (_, now) =>
        now === false
          ? narrows('what its files say of rows chooses no plans any more')
          : widens('what its files say of rows, hidden ones too, may choose plans, and so how long a query takes'),
    },
    columns: { name: '', means: (old, now) => columnLines(comparing, table, old, now) },
  };
}

function columnLines(
  comparing: Comparing,
  table: string,
  before: readonly BoundaryColumn[],
  after: readonly BoundaryColumn[],
): readonly Line[] {
  const place = (name: string) => ({
    path: ['tables', table, 'columns', name],
    subject: `column \`${name}\` of table \`${table}\``,
  });
  const byName = (columns: readonly BoundaryColumn[]) => Object.fromEntries(columns.map((one) => [one.name, one]));
  const lines = named(byName(before), byName(after), {
    place,
    text: ({ type }) => type,
    added: (_, name) => widens(`whoever policies let read it sees its values${masksOf(comparing.after, table, name)}`),
    removed: () => narrows('nobody can read it any more'),
    changed: (old: BoundaryColumn, now: BoundaryColumn, name) =>
      members(place(name), old, now, columnRules(comparing, place(name))),
  });
  const names = (columns: readonly BoundaryColumn[]) => columns.map(({ name }) => name);
  const stay = names(before).filter((name) => names(after).includes(name));
  const stood = names(after).filter((name) => names(before).includes(name));
  if (stay.join('\n') === stood.join('\n')) return lines;
  const moved = changes('`SELECT *` gives its columns in another order');
  const subject = `the order of columns of table \`${table}\``;
  return [
    ...lines,
    { path: pointer('tables', table, 'columns'), subject, before: shown(stay), after: shown(stood), ...moved },
  ];
}

function masksOf({ masks }: Boundary, table: string, column: string): string {
  const found = Object.keys(masks)
    .filter((name) => masks[name]?.columns.some((one) => one.table === table && one.column === column))
    .toSorted();
  return found.length === 0 ? '' : `, as masks ${quoted(found)} show them`;
}

function columnRules(
  comparing: Comparing,
  { path, subject }: { readonly path: readonly string[]; readonly subject: string },
): Rules<BoundaryColumn> {
  return {
    name: { name: 'the name', means: () => changes('it has another name') },
    type: { name: 'the type', means: () => changes('its values are read as another type') },
    nullable: { name: 'NULL', means: (_, now) => changes(now ? 'it may hold NULL' : 'it holds no NULL') },
    description: described(),
    tags: {
      name: 'the tags',
      means: (old, now) => [
        ...without(now, old).map((tag) => tagLine(comparing, path, subject, tag, true)),
        ...without(old, now).map((tag) => tagLine(comparing, path, subject, tag, false)),
      ],
    },
  };
}

/** Masks that follow a tag have lines of their own; this one is of policies that name it. */
function tagLine(comparing: Comparing, path: readonly string[], of: string, tag: string, added: boolean): Line {
  const [was, is] = added ? [null, tag] : [tag, null];
  const subject = `tag \`${tag}\` of ${of}`;
  return { path: pointer(...path, 'tags'), subject, before: was, after: is, ...tagged(comparing, tag, added) };
}

function tagged({ before, after, oracle }: Comparing, tag: string, added: boolean): Said {
  const naming = oracle.policies.naming(added ? after : before, { entity: { type: 'Tag', id: tag } });
  const ids = (effect: 'permit' | 'forbid') => naming.filter((one) => one.effect === effect).map(({ id }) => id);
  const [permits, forbids] = [ids('permit'), ids('forbid')];
  if (naming.length === 0) return changes('no policy names the tag');
  const decided = permits.length === naming.length || forbids.length === naming.length;
  if (!decided)
    return widens(`${quoted(naming.map(({ id }) => id))} depends on the tag, and nobody can tell what that opens`);
  if (permits.length > 0)
    return added
      ? widens(`what ${quoted(permits)} permits on the tag holds for it`)
      : narrows(`what ${quoted(permits)} permits on the tag no longer holds for it`);
  return added
    ? narrows(`what ${quoted(forbids)} forbids on the tag is forbidden for it`)
    : widens(`what ${quoted(forbids)} forbids on the tag is no longer forbidden for it`);
}
