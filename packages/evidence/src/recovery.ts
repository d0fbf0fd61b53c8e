import { join } from 'node:path';
import { parseCheckpoint } from './checkpoint.ts';
import { entryOf } from './entry.ts';
import { EvidenceDamaged } from './errors.ts';
import type { Files } from './files.ts';
import { parseVerifierKey, signedBy } from './note.ts';
import { CHECKPOINT } from './publisher.ts';
import type { EvidenceRecord } from './record.ts';
import { decodeSegment, type Located, type SegmentHeader, segmentName, segmentsOf, withoutRoom } from './segment.ts';
import { readStart } from './segment-start.ts';
import { readParts, TILE_WIDTH, Tiles } from './tiles.ts';

/** What start-up found. */
export interface Recovered {
  /** Segments that are there, ascending. */
  readonly segments: readonly number[];
  readonly log: string | null;
  readonly nextSeq: number;
  /** Sessions with an intent and no outcome: seq of the intent by session. */
  readonly open: ReadonlyMap<string, number>;
  readonly records: number;
  readonly tornBytes: number;
  readonly lastAt: string;
  /** Verifier key that signs from here on; null for a new log. */
  readonly key: string | null;
  readonly tiles: Tiles;
}

interface Read {
  readonly header: SegmentHeader;
  readonly records: readonly Located[];
}

/**
 * Reads the last two segments: their headers carry what was before. What lies on the disk of the tree may lag behind by that much.
 * A torn tail is set aside, never repaired in silence. Segments before `since` are passed over: entry bundles stand for them.
 * Throws `EvidenceDamaged` where the log is not what its checkpoints say.
 */
export async function recover(files: Files, folder: string, since = 0): Promise<Recovered> {
  const found = segmentsOf(await files.list(folder)).filter((segment) => segment >= since);
  const { segments, last, tornBytes } = await readLast(files, folder, found);
  if (last === null) return newLog(files, folder);
  for (const [at, segment] of segments.entries()) {
    const expected = (segments[0] as number) + at;
    if (segment !== expected) throw new EvidenceDamaged(`segment ${segmentName(expected)} is missing`);
  }
  const before = segments.at(-2);
  const reads: Read[] = before === undefined ? [last] : [await readClosed(files, folder, before, last.header), last];
  const tiles = await treeOf(files, folder, segments, reads);
  const end = last.records.at(-1)?.record;
  return {
    segments,
    log: last.header.log,
    nextSeq: tiles.size,
    open: openAt(last),
    records: last.records.length,
    tornBytes,
    lastAt: end?.at ?? last.header.after,
    key: keyAt(last),
    tiles,
  };
}

async function newLog(files: Files, folder: string): Promise<Recovered> {
  const published = await files.read(join(folder, CHECKPOINT)).catch(() => null);
  // A start that failed may have left one of nothing.
  if (published !== null && parseCheckpoint(published.toString('utf8'))?.size !== 0) {
    throw new EvidenceDamaged('there is a checkpoint, and no segment');
  }
  const nothing = { segments: [], records: 0, tornBytes: 0, nextSeq: 0 };
  return { ...nothing, log: null, key: null, open: new Map(), lastAt: '', tiles: new Tiles() };
}

/** The last segment that was made whole, cut to its last whole record. */
export async function readLast(
  files: Files,
  folder: string,
  numbers: readonly number[],
): Promise<{ readonly segments: readonly number[]; readonly last: Read | null; readonly tornBytes: number }> {
  const segments = [...numbers];
  for (let segment = segments.at(-1); segment !== undefined; segment = segments.at(-1)) {
    const path = join(folder, segmentName(segment));
    const found = await files.read(path);
    const bytes = withoutRoom(found);
    if (!bytes.includes(10)) {
      // Killed while the segment was made: it holds nothing that was acknowledged.
      await files.remove(path);
      segments.pop();
      continue;
    }
    const { header, records, end } = decodeSegment(bytes);
    if (header === null) throw new EvidenceDamaged(`${segmentName(segment)} has no header that this version reads`);
    if (end < bytes.length) {
      await files.replace(await freeName(files, folder, `${segmentName(segment)}.torn`), bytes.subarray(end));
      await files.replace(path, bytes.subarray(0, end));
    } else if (end < found.length) await (await files.reopen(path, end)).close();
    // Written before a kill, perhaps, and not synced: what is built on it must not outlive it.
    await files.settle([path]);
    return { segments, last: { header, records }, tornBytes: bytes.length - end };
  }
  return { segments, last: null, tornBytes: 0 };
}

/** A path that nothing has: what was set aside before is not replaced. */
async function freeName(files: Files, folder: string, name: string): Promise<string> {
  const names = new Set(await files.list(folder));
  let free = name;
  for (let count = 2; names.has(free); count += 1) free = `${name}.${count}`;
  return join(folder, free);
}

/** A segment that is closed: its records up to the next one's first. */
async function readClosed(files: Files, folder: string, segment: number, next: SegmentHeader): Promise<Read> {
  const { header, records } = decodeSegment(await files.read(join(folder, segmentName(segment))));
  if (header === null) throw new EvidenceDamaged(`${segmentName(segment)} has no header that this version reads`);
  return { header, records: records.filter(({ record }) => record.seq < next.first) };
}

/** The tree as the disk has it where these segments begin, and their records. If that is not whole: from all segments. */
async function treeOf(
  files: Files,
  folder: string,
  segments: readonly number[],
  reads: readonly Read[],
): Promise<Tiles> {
  const [{ header: first }] = reads as [Read];
  const restored = await Tiles.restore(files, folder, first.first);
  const usable = restored !== null && agrees(restored, first);
  const tiles = usable ? restored : await rebuild(files, folder, segments.slice(0, -reads.length), first);
  for (const read of reads) {
    if (!agrees(tiles, read.header)) {
      throw new EvidenceDamaged(
        `the records before ${segmentName(read.header.segment)} are not those of its checkpoint`,
      );
    }
    addAll(tiles, read.records);
  }
  const published = await files.read(join(folder, CHECKPOINT)).catch(() => null);
  const checkpoint = published === null ? null : parseCheckpoint(published.toString('utf8'));
  if (checkpoint !== null && checkpoint.size > tiles.size) {
    throw new EvidenceDamaged(`the last checkpoint covers ${checkpoint.size} records, and ${tiles.size} are there`);
  }
  return tiles;
}

/** The tree before `next`, from segments, and from entry bundles where retention removed them. */
async function rebuild(files: Files, folder: string, segments: readonly number[], next: SegmentHeader): Promise<Tiles> {
  const tiles = new Tiles();
  const [oldest] = segments;
  const { first } = oldest === undefined ? next : await headerOf(files, folder, oldest);
  while (tiles.size < first) {
    const width = Math.min(TILE_WIDTH, first - tiles.size);
    const entries = await readParts(files, folder, -1, tiles.size / TILE_WIDTH, width);
    if (entries === null) throw new EvidenceDamaged(`records from ${tiles.size} on are missing`);
    for (const entry of entries) tiles.add(entry.toString('utf8'));
  }
  for (const [at, segment] of segments.entries()) {
    const following = segments[at + 1];
    const header = following === undefined ? next : await headerOf(files, folder, following);
    addAll(tiles, (await readClosed(files, folder, segment, header)).records);
  }
  return tiles;
}

async function headerOf(files: Files, folder: string, segment: number): Promise<SegmentHeader> {
  const start = await readStart(files, folder, segment);
  if (start === null) throw new EvidenceDamaged(`${segmentName(segment)} has no header that this version reads`);
  return start.header;
}

function addAll(tiles: Tiles, records: readonly Pick<Located, 'record' | 'digest'>[]): void {
  for (const { record, digest } of records) {
    if (record.seq !== tiles.size) throw new EvidenceDamaged(`record ${tiles.size} is missing or out of order`);
    tiles.add(entryOf(record, digest));
  }
}

function agrees(tiles: Tiles, { first, checkpoint, key }: SegmentHeader): boolean {
  const said = parseCheckpoint(checkpoint);
  const verifier = parseVerifierKey(key);
  if (said === null || verifier === null || !signedBy(said.note, verifier)) return false;
  return said.size === first && tiles.size === first && tiles.root().equals(said.root);
}

function openAt({ header, records }: Read): ReadonlyMap<string, number> {
  const open = new Map(header.open);
  for (const { record } of records) followSession(open, record);
  return open;
}

/** Keeps in `open` the sessions without outcome. */
export function followSession(open: Map<string, number>, record: EvidenceRecord): void {
  if (record.type === 'session.intent') open.set(record.session, record.seq);
  else if (record.type === 'session.outcome') open.delete(record.session);
}

function keyAt({ header, records }: Read): string {
  return records.reduce((key, { record }) => (record.type === 'key.rotated' ? record.to : key), header.key);
}
