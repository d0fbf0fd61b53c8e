import { join } from 'node:path';
import { disk, type Files } from './files.ts';
import { readLines } from './lines.ts';
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
 * The acknowledged records of a segment from an offset on, up to the `seq` `before`. What is not what its digest says ends it with an error: nothing is built on it.
 */
export async function* readRecords(
  folder: string,
  { segment, until }: ReadableSegment,
  from: number,
  before: number,
  files: Files = disk,
): AsyncGenerator<ReadRecord, void, undefined> {
  const end = Math.min(before, until ?? before);
  for await (const { line, start, next } of readLines(files, join(folder, segmentName(segment)), from)) {
    const record = digestedRecord(line);
    if (record === null) throw new Error(`segment ${segment} at byte ${start}: the record is not what its digest says`);
    if (record.seq >= end) return;
    yield { record, next };
  }
}
