import { dirname, join } from 'node:path';
import { EvidenceDamaged, EvidenceShared } from '../errors.ts';
import type { Files } from '../files.ts';
import { limits } from '../limits.ts';
import { bundleOf, parseBundle, readParts, TILE_WIDTH, tilePath } from '../tiles.ts';
import type { Database } from './database.ts';

// Of records whose batches were removed the database keeps the leaves: with them whoever comes has the whole tree.

/** Servers need no right to remove anything. Throws `EvidenceShared` where this one has none. */
export async function expectMayRemove(database: Database): Promise<void> {
  const { batches, entries } = database.tables;
  const [row] = await database.rows<{ may: boolean }>(
    `SELECT has_table_privilege($1, 'DELETE') AND has_table_privilege($2, 'INSERT')
       AND has_table_privilege($2, 'UPDATE') AS may`,
    [batches, entries],
  );
  if (row?.may === true) return;
  throw new EvidenceShared(
    `the role may not remove segments: it needs DELETE on ${batches}, and INSERT and UPDATE on ${entries}`,
  );
}

/** Puts the leaves of records `[from, to)` of a tree of `size` into the database, from a folder that has them. */
export async function keepEntries(
  database: Database,
  files: Files,
  folder: string,
  { from, to, size }: { readonly from: number; readonly to: number; readonly size: number },
): Promise<void> {
  const end = Math.ceil(to / TILE_WIDTH);
  for (let first = Math.floor(from / TILE_WIDTH); first < end; first += limits.bundlesMax) {
    const places = Array.from({ length: Math.min(limits.bundlesMax, end - first) }, (_, at) => first + at);
    const bundles = await Promise.all(
      places.map(async (bundle) => {
        const entries = await readParts(files, folder, -1, bundle, Math.min(TILE_WIDTH, size - bundle * TILE_WIDTH));
        if (entries === null) throw new EvidenceDamaged(`\`${tilePath(-1, bundle)}\` is missing or cut`);
        return bundleOf(entries);
      }),
    );
    // The last one may be there, with fewer.
    await database.rows(
      `INSERT INTO ${database.tables.entries} AS held (bundle, bytes) SELECT * FROM unnest($1::bigint[], $2::bytea[])
       ON CONFLICT (bundle) DO UPDATE SET bytes = excluded.bytes
         WHERE octet_length(excluded.bytes) > octet_length(held.bytes)`,
      [places, bundles],
    );
  }
}

/** Puts the leaves of the first `to` records into a folder, for its tree to be made from. They prove nothing until it is. */
export async function fetchEntries(files: Files, folder: string, database: Database, to: number): Promise<void> {
  const end = Math.ceil(to / TILE_WIDTH);
  for (let first = 0; first < end; first += limits.bundlesMax) {
    const until = Math.min(end, first + limits.bundlesMax);
    const rows = await database.rows<{ bundle: string; bytes: Buffer }>(
      `SELECT bundle, bytes FROM ${database.tables.entries} WHERE bundle >= $1 AND bundle < $2`,
      [first, until],
    );
    const found = new Map(rows.map(({ bundle, bytes }) => [Number(bundle), bytes]));
    for (let bundle = first; bundle < until; bundle += 1) {
      const entries = parseBundle(found.get(bundle) ?? Buffer.alloc(0)) ?? [];
      const lacking = entries.length < Math.min(TILE_WIDTH, to - bundle * TILE_WIDTH);
      if (lacking) throw new EvidenceDamaged(`the database lacks the tree of record ${bundle * TILE_WIDTH}`);
      await place(files, folder, bundle, entries);
    }
  }
}

async function place(files: Files, folder: string, bundle: number, entries: readonly Buffer[]): Promise<void> {
  const path = tilePath(-1, bundle, entries.length);
  const own = await readParts(files, folder, -1, bundle, entries.length);
  if (own === null) {
    await files.ensureFolder(dirname(join(folder, path)));
    await files.write(join(folder, path), bundleOf(entries));
  } else if (own.some((entry, at) => !entry.equals(entries[at] as Buffer))) {
    throw new EvidenceDamaged(`\`${path}\` is not what the database has: it is another log`);
  }
}
