import { join } from 'node:path';
import { sha256 } from './canonical.ts';
import { disk, type Files } from './files.ts';
import { limits } from './limits.ts';
import type { EvidenceRecord } from './record.ts';
import { digestedRecord, segmentName, segmentsOf } from './segment.ts';

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
    const header = await readHeader(files, join(folder, segmentName(segment)));
    if (header === null) continue;
    found.unshift({ segment, log: header.log, header: header.digest, start: header.length, until: after });
    after = header.first;
  }
  return found;
}

interface Header {
  readonly log: string;
  readonly first: number;
  readonly digest: string;
  readonly length: number;
}

async function readHeader(files: Files, path: string): Promise<Header | null> {
  const line = await readLine(files, path, 0);
  if (line === null) return null;
  try {
    const { log, first } = JSON.parse(line.toString('utf8')) as { log: string; first: number };
    return { log, first, digest: sha256(line), length: line.length + 1 };
  } catch {
    return null;
  }
}

/** The line at an offset, without its end; null if it is not whole. */
async function readLine(files: Files, path: string, offset: number): Promise<Buffer | null> {
  for (let length = limits.readBytes; length <= limits.segmentBytesMax + limits.readBytes; length *= 2) {
    const bytes = await files.readAt(path, offset, length);
    const end = bytes.indexOf(10);
    if (end >= 0) return bytes.subarray(0, end);
    if (bytes.length < length) return null;
  }
  return null;
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
