import { join } from 'node:path';
import { disk, type Files } from './files.ts';
import { readLines } from './lines.ts';
import type { EvidenceRecord } from './record.ts';
import { digestedRecord, segmentName, segmentsOf } from './segment.ts';
import { readStart, type SegmentStart } from './segment-start.ts';

/** Where a reader of the log stands. `segment` 0 is before all of it. */
export interface LogPlace {
  readonly segment: number;
  /** Bytes from the segment's start; 0 is before its header. */
  readonly offset: number;
  /** `seq` of the next record. */
  readonly seq: number;
}

/** What lies after a place. */
export interface Followed {
  readonly records: readonly EvidenceRecord[];
  readonly next: LogPlace;
  /** Records that are no longer there, or are not what their digests say. */
  readonly missing: number;
}

/** The start of a log: whoever reads from here reads all that is left of it. */
export const logStart: LogPlace = { segment: 0, offset: 0, seq: 0 };

/**
 * Records from a place on, oldest first. `upTo` is the `seq` of the last that is known to be durable: what follows may
 * still be taken back. Reads only.
 */
export async function readAfter(
  folder: string,
  place: LogPlace,
  { upTo, recordsMax }: { readonly upTo: number; readonly recordsMax: number },
  files: Files = disk,
): Promise<Followed> {
  const segments = segmentsOf(await files.list(folder));
  const records: EvidenceRecord[] = [];
  let { segment, offset, seq } = place;
  let missing = 0;
  while (seq <= upTo && records.length < recordsMax) {
    const at = segments.find((number) => number >= segment);
    if (at === undefined) break;
    if (at !== segment || offset === 0) {
      const start = await startOf(folder, at, files);
      const { first } = start.header;
      // A gap in the numbers: segments were removed, and with them what they held.
      missing += Math.max(0, first - seq);
      [segment, offset, seq] = [at, start.offset, Math.max(seq, first)];
    }
    const after = segments.find((number) => number > at);
    const end = after === undefined ? upTo : Math.min(upTo, (await startOf(folder, after, files)).header.first - 1);
    const read = await readSegment({
      folder,
      files,
      segment,
      offset,
      seq,
      end,
      recordsMax: recordsMax - records.length,
    });
    records.push(...read.records);
    missing += read.missing;
    [offset, seq] = [read.offset, read.seq];
    if (!read.ended) continue;
    if (after === undefined) break;
    [segment, offset] = [after, 0];
  }
  return { records, next: { segment, offset, seq }, missing };
}

/** Identity of a folder's log, and the `seq` of its last record: -1 if it has none. Reads its last segment. */
export async function logEnd(
  folder: string,
  files: Files = disk,
): Promise<{ log: string; seq: number; from: LogPlace }> {
  const last = segmentsOf(await files.list(folder)).at(-1);
  if (last === undefined) throw new Error('the folder holds no log');
  const { header, offset } = await startOf(folder, last, files);
  const { log, first } = header;
  const from = { segment: last, offset, seq: first };
  let place: LogPlace = from;
  for (;;) {
    const { next } = await readAfter(folder, place, { upTo: Number.MAX_SAFE_INTEGER, recordsMax: 1_024 }, files);
    if (next.offset === place.offset) return { log, seq: place.seq - 1, from };
    place = next;
  }
}

interface Read {
  readonly folder: string;
  readonly files: Files;
  readonly segment: number;
  readonly offset: number;
  readonly seq: number;
  /** `seq` of the last record that counts in this segment. */
  readonly end: number;
  readonly recordsMax: number;
}

async function readSegment({ folder, files, segment, recordsMax, end, ...from }: Read) {
  const records: EvidenceRecord[] = [];
  let { offset, seq } = from;
  let missing = 0;
  for await (const { line, next } of readLines(files, join(folder, segmentName(segment)), offset)) {
    if (records.length >= recordsMax) return { records, offset, seq, missing, ended: false };
    const record = digestedRecord(line);
    if (record !== null && record.seq > end) break;
    offset = next;
    // One that is not what its digest says is missed as soon as a later one comes.
    if (record === null || record.seq < seq) continue;
    missing += record.seq - seq;
    records.push(record);
    seq = record.seq + 1;
  }
  return { records, offset, seq, missing, ended: true };
}

async function startOf(folder: string, segment: number, files: Files): Promise<SegmentStart> {
  const start = await readStart(files, folder, segment);
  if (start === null) throw new Error(`segment ${segmentName(segment)} has no header`);
  return start;
}
