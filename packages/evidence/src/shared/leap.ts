import { EvidenceUnavailable } from '../errors.ts';
import type { Files } from '../files.ts';
import { type Growing, leafHash } from '../merkle.ts';
import { parseHeader, type SegmentHeader } from '../segment.ts';
import type { Tail } from '../tail.ts';
import { readParts, TILE_WIDTH } from '../tiles.ts';
import { covers } from './batch.ts';
import type { Database } from './database.ts';
import { fetchEntries } from './entries.ts';

/** What stands for segments that were removed before a server had them. */
export interface Leap {
  /** Of the oldest segment that is there. */
  readonly header: SegmentHeader;
  /** Leaves of the records in between. */
  readonly entries: readonly string[];
  /** The tree with them. */
  readonly grown: Growing;
}

/**
 * The way from where a server stands to the oldest segment of the database, where that is not behind it: it was paused for that long.
 * Null: it can go on from where it stands. The leaves are those that the segment's checkpoint signs, which begins with what the server has.
 */
export async function leapOf(
  { database, files, folder }: { readonly database: Database; readonly files: Files; readonly folder: string },
  { seq, log, current }: Tail,
  tree: Growing,
): Promise<Leap | null> {
  const oldest = await database.oldest();
  if (oldest === null || oldest.segment <= (current?.number ?? 0) || oldest.first <= seq) return null;
  const [batch] = (await database.after({ segment: oldest.segment, start: 0 })).batches;
  const header = parseHeader(batch?.bytes.subarray(0, batch.bytes.indexOf(10)) ?? Buffer.alloc(0));
  await fetchEntries(files, folder, database, oldest.first);
  const entries = await entriesOf(files, folder, seq, oldest.first);
  const grown = tree.copy();
  for (const entry of entries) grown.add(leafHash(entry));
  if (header === null || header.log !== log || !covers(header.checkpoint, log, grown, header.key)) {
    throw new EvidenceUnavailable(
      `evidence_damaged: what the database has of the records from ${seq} on does not follow from this server's log`,
      true,
    );
  }
  return { header, entries, grown };
}

async function entriesOf(files: Files, folder: string, from: number, to: number): Promise<readonly string[]> {
  const entries: string[] = [];
  for (let bundle = Math.floor(from / TILE_WIDTH); bundle * TILE_WIDTH < to; bundle += 1) {
    const start = bundle * TILE_WIDTH;
    const found = await readParts(files, folder, -1, bundle, Math.min(TILE_WIDTH, to - start));
    entries.push(...(found ?? []).slice(Math.max(0, from - start)).map((entry) => entry.toString('utf8')));
  }
  return entries;
}
