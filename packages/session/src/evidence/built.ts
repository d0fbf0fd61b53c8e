import { readdir, readFile, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { ReadableSegment } from '@ambit/evidence';
import { BUILT, fileOf, type PartFiles, placeOf, ROWS, SERVED, UNFINISHED, writeWhole } from './parts.ts';
import { documentTables, type RecordTable, recordTables } from './rows.ts';

/** Changes when the rows that records give do: what was built before is built again. */
const FORMAT = 'ambit/evidence-tables/v5';

interface Mark {
  readonly format: string;
  readonly log: string;
  readonly header: string;
  readonly files: PartFiles;
  /** Names of the grants, boundaries and reviews that its rows speak of. */
  readonly documents: readonly string[];
}

/** What the tables hold whole. */
export interface Built {
  readonly segments: Set<number>;
  /** Names of grants, boundaries and reviews. */
  readonly documents: Set<string>;
}

/** The name of a closed segment's files. */
export function segmentPart(segment: number): string {
  return String(segment).padStart(8, '0');
}

/** Says that a closed segment is in the tables, whole. */
export async function markBuilt(
  root: string,
  { segment, log, header }: ReadableSegment,
  files: PartFiles,
  documents: ReadonlySet<string>,
): Promise<void> {
  const mark: Mark = { format: FORMAT, log, header, files, documents: [...documents] };
  await writeWhole(root, BUILT, segmentPart(segment), JSON.stringify(mark));
}

/**
 * What the tables hold whole. Everything else in their folders is taken away: files of the segment that was written
 * last, of what was not finished, of segments that are no more, of another log or an older format.
 */
export async function findBuilt(root: string, segments: readonly ReadableSegment[]): Promise<Built> {
  const built: Built = { segments: new Set(), documents: new Set() };
  const there = await documentsThere(root);
  for (const segment of segments) {
    const mark = segment.until === null ? null : await wholeMark(root, segment);
    if (mark === null || !mark.documents.every((name) => there.has(name))) continue;
    built.segments.add(segment.segment);
    for (const name of mark.documents) built.documents.add(name);
  }
  const parts = new Set([...built.segments].map(segmentPart));
  for (const folder of [...recordTables, BUILT]) await keepOnly(root, folder, parts);
  for (const folder of documentTables) await keepOnly(root, folder, built.documents);
  for (const folder of [SERVED, UNFINISHED]) await keepOnly(root, folder, new Set());
  return built;
}

/** Grants that are in both of their tables, boundaries, and reviews. */
async function documentsThere(root: string): Promise<ReadonlySet<string>> {
  const names = async (table: string): Promise<readonly string[]> =>
    (await readdir(join(root, table))).filter((file) => file.endsWith(ROWS)).map((file) => file.slice(0, -ROWS.length));
  const decisions = new Set(await names('decisions'));
  const grants = (await names('grants')).filter((name) => decisions.has(name));
  return new Set([...grants, ...(await names('settings')), ...(await names('reviews'))]);
}

async function keepOnly(root: string, folder: string, names: ReadonlySet<string>): Promise<void> {
  const kept = new Set([...names].map((name) => fileOf(folder, name)));
  for (const file of await readdir(join(root, folder))) {
    if (!kept.has(file)) await rm(join(root, folder, file), { recursive: true });
  }
}

async function wholeMark(root: string, { segment, log, header }: ReadableSegment): Promise<Mark | null> {
  const name = segmentPart(segment);
  try {
    const mark = JSON.parse(await readFile(placeOf(root, BUILT, name), 'utf8')) as Mark;
    if (mark.format !== FORMAT || mark.log !== log || mark.header !== header) return null;
    for (const table of recordTables) {
      if ((await sizeOf(root, table, name)) !== (mark.files[table] ?? null)) return null;
    }
    return mark;
  } catch {
    return null;
  }
}

/** Null: there is none. */
async function sizeOf(root: string, table: RecordTable, name: string): Promise<number | null> {
  const found = await stat(placeOf(root, table, name)).catch(() => null);
  return found?.size ?? null;
}
