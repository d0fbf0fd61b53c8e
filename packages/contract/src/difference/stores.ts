import type { Boundary, BoundaryBucket, BoundaryCredential, BoundaryFolder, BoundaryStore } from '../boundary.ts';
import { changes, type Comparing, type Line, narrows, pointer, quoted } from './line.ts';
import { storeOf } from './sources.ts';
import { members, named, type Place, type Rules, shown } from './walk.ts';

// Where bytes are, and what they are asked for with.

export function storeLines({ after: boundary }: Comparing, before: Boundary['stores'], after: Boundary['stores']) {
  const place = (name: string) => ({ path: ['stores', name], subject: `store \`${name}\`` });
  return named(before, after, {
    place,
    text: placeOf,
    added: () => changes('nothing is read from it but by tables, which have lines of their own'),
    removed: () => narrows('nothing is read from it any more'),
    changed: (old: BoundaryStore, now: BoundaryStore, name) => changed(place(name), readers(boundary, name), old, now),
  });
}

function changed(place: Place, who: string, old: BoundaryStore, now: BoundaryStore): readonly Line[] {
  const other = changes(`${who} other data`);
  const kind = { name: 'the kind', means: () => other };
  const credential = { name: 'the credential', means: () => changes(`${who} what another credential may read`) };
  if (old.kind === 'local' && now.kind === 'local') {
    const folder: Rules<BoundaryFolder> = { kind, root: { name: 'the root', means: () => other }, credential };
    return members(place, old, now, folder);
  }
  if (old.kind === 's3' && now.kind === 's3') {
    const server = changes(`${who} what another server says`);
    const bucket: Rules<BoundaryBucket> = {
      kind,
      url: { name: 'the url', means: () => other },
      endpoint: { name: 'the server', means: () => server },
      region: { name: 'the region', means: () => server },
      credential,
      certificates: { name: 'the certificates', means: () => changes('others vouch for the server') },
    };
    return members(place, old, now, bucket);
  }
  return [{ path: pointer(...place.path), subject: place.subject, before: shown(old), after: shown(now), ...other }];
}

function placeOf(store: BoundaryStore): string {
  return store.kind === 'local' ? store.root : store.url;
}

export function credentialLines(
  { after: boundary }: Comparing,
  before: Boundary['credentials'] = {},
  after: Boundary['credentials'] = {},
) {
  const place = (name: string) => ({ path: ['credentials', name], subject: `credential \`${name}\`` });
  const stores = (name: string) =>
    Object.keys(boundary.stores)
      .filter((store) => boundary.stores[store]?.credential === name)
      .toSorted();
  const whatItMay = (name: string) => changes(`stores ${quoted(stores(name))} give what it may read`);
  return named(before, after, {
    place,
    text: (credential: BoundaryCredential) => (credential.kind === 'keys' ? 'keys' : credential.role),
    added: (_, name) => whatItMay(name),
    removed: () => narrows('no store is asked with it any more'),
    changed: (old: BoundaryCredential, now: BoundaryCredential, name): readonly Line[] => [
      {
        path: pointer('credentials', name),
        subject: place(name).subject,
        before: shown(old),
        after: shown(now),
        ...whatItMay(name),
      },
    ],
  });
}

/** Who reads a store: tables, and row filters that look into them. */
function readers(boundary: Boundary, store: string): string {
  const tables = Object.keys(boundary.tables)
    .filter((table) => storeOf(boundary, table) === store)
    .toSorted();
  const filters = Object.entries(boundary.rowFilters)
    .filter(([, { reads }]) => Object.keys(reads.tables).some((table) => tables.includes(table)))
    .map(([name]) => name)
    .toSorted();
  if (tables.length === 0) return 'no table reads it; those to come would read';
  const read = `${tables.length === 1 ? 'table' : 'tables'} ${quoted(tables)}`;
  if (filters.length === 0) return `${read} now read`;
  const decide = `${filters.length === 1 ? 'row filter' : 'row filters'} ${quoted(filters)}`;
  return `${read} now read, and ${decide} decide by,`;
}
