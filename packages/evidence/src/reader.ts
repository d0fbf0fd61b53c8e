import { join } from 'node:path';
import { disk, type Files } from './files.ts';
import { limits } from './limits.ts';
import type { EvidenceRecord } from './record.ts';
import { digestedRecord, segmentName, segmentsOf } from './segment.ts';
import { readStart } from './segment-start.ts';

/** A segment as a reader finds it, while somebody may write the last one. */
export interface ReadableSegment {
  readonly segment: number;
  /** Identity of the log. */
  readonly log: string;
  /** SHA-256 of the header: another log's segment of that number has another. */
  readonly header: string;
  /** Offset of the first record. */
  readonly start: number;
  /** Records from this `seq` on are not acknowledged here: the next segment has them. Null: it is the last. */
  readonly until: number | null;
}

/** The segments of a folder, ascending. Those without a whole header hold nothing. */
export async function readableSegments(folder: string, files: Files = disk): Promise<readonly ReadableSegment[]> {
  const found: ReadableSegment[] = [];
  let after: number | null = null;
  for (const segment of segmentsOf(await files.list(folder)).toReversed()) {
    const start = await readStart(files, folder, segment);
    if (start === null) continue;
    found.unshift({
      segment,
      log: start.header.log,
      header: start.digest,
      start: start.offset,
      until: after,
    });
    after = start.header.first;
  }
  return found;
}

/** A record and where the next one begins. */
export interface ReadRecord {
  readonly record: EvidenceRecord;
  readonly next: number;
}

/**
 * The acknowledged records of a segment from an offset on, up to the `seq` `before`. Reads as much at a time as a record
 * may be long. What is not what its digest says ends it with an error: nothing is built on it.
 */
export async function* readRecords(
  folder: string,
  { segment, until }: ReadableSegment,
  from: number,
  before: number,
  files: Files = disk,
): AsyncGenerator<ReadRecord, void, undefined> {
  const path = join(folder, segmentName(segment));
  const end = Math.min(before, until ?? before);
  let offset = from;
  let length: number = limits.readBytes;
  for (;;) {
    const bytes = await files.readAt(path, offset, length);
    let at = 0;
    for (let line = bytes.indexOf(10); line >= 0; line = bytes.indexOf(10, at)) {
      const record = digestedRecord(bytes.subarray(at, line));
      if (record === null) {
        throw new Error(`segment ${segment} at byte ${offset + at}: the record is not what its digest says`);
      }
      if (record.seq >= end) return;
      at = line + 1;
      yield { record, next: offset + at };
    }
    if (bytes.length < length) return;
    offset += at;
    // A record that is longer than what was read.
    length = at === 0 ? length * 2 : limits.readBytes;
  }
}
