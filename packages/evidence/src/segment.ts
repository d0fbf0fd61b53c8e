import { canonical, sha256 } from './canonical.ts';
import type { EvidenceRecord, Json } from './record.ts';

/** First line of a segment. */
export interface SegmentHeader {
  readonly format: 'ambit/evidence/v1';
  readonly log: string;
  readonly segment: number;
  /** `seq` of its first record. Records of the segment before that have this `seq` or a later one were never acknowledged. */
  readonly first: number;
  /** Chain over all records before it: see `chain`. Empty for the first. */
  readonly previous: string;
  /** Sessions whose intent is in an earlier segment and whose outcome is not: `[session, seq of the intent]`. */
  readonly open: readonly (readonly [string, number])[];
}

/** A record as it lies in a segment. */
export interface Located {
  readonly record: EvidenceRecord;
  readonly digest: string;
  readonly offset: number;
  readonly length: number;
}

/** What is wrong with a segment, and where. */
export interface SegmentProblem {
  readonly segment: number;
  /** Bytes from the segment's start. */
  readonly offset: number;
  readonly reason: string;
}

/** A line: the digest of the canonical JSON, a space, the canonical JSON. The digest is what the Merkle leaf names. */
export function encodeRecord(record: EvidenceRecord): { readonly line: Buffer; readonly digest: string } {
  const json = canonical(record as unknown as Json);
  const digest = sha256(json);
  return { line: Buffer.from(`${digest} ${json}\n`), digest };
}

export function encodeHeader(header: SegmentHeader): Buffer {
  return Buffer.from(`${canonical(header as unknown as Json)}\n`);
}

/** Links records across segments, so that one that is changed, moved or missing shows in every later header. */
export function chain(previous: string, digest: string): string {
  return sha256(previous + digest);
}

export function segmentName(segment: number): string {
  return `${String(segment).padStart(8, '0')}.segment`;
}

/** Reads a segment. Stops at the first line that is not whole; what follows is torn. */
export function decodeSegment(
  segment: number,
  bytes: Buffer,
): {
  readonly header: SegmentHeader | null;
  readonly records: readonly Located[];
  readonly end: number;
  readonly problem: SegmentProblem | null;
} {
  const fail = (offset: number, reason: string) => ({ segment, offset, reason });
  const headerEnd = bytes.indexOf(10);
  const header = headerEnd < 0 ? null : parseHeader(bytes.subarray(0, headerEnd));
  if (header === null) return { header, records: [], end: 0, problem: fail(0, 'no header') };
  const records: Located[] = [];
  let offset = headerEnd + 1;
  while (offset < bytes.length) {
    const end = bytes.indexOf(10, offset);
    if (end < 0) return { header, records, end: offset, problem: fail(offset, 'the last record is torn') };
    const located = decodeLine(bytes.subarray(offset, end), offset);
    if (typeof located === 'string') return { header, records, end: offset, problem: fail(offset, located) };
    records.push(located);
    offset = end + 1;
  }
  return { header, records, end: offset, problem: null };
}

/** A record of one line, without its newline, or what is wrong with it. */
export function decodeLine(line: Buffer, offset: number): Located | string {
  if (line.length < 66 || line[64] !== 32) return 'not a record';
  const digest = line.subarray(0, 64).toString('latin1');
  const json = line.subarray(65);
  if (sha256(json) !== digest) return 'the record is not what its digest says';
  const text = json.toString('utf8');
  const record = JSON.parse(text) as EvidenceRecord;
  if (canonical(record as unknown as Json) !== text) return 'the record is not canonical';
  return { record, digest, offset, length: line.length };
}

function parseHeader(line: Buffer): SegmentHeader | null {
  try {
    const header = JSON.parse(line.toString('utf8')) as SegmentHeader;
    const whole =
      header.format === 'ambit/evidence/v1' && canonical(header as unknown as Json) === line.toString('utf8');
    return whole ? header : null;
  } catch {
    return null;
  }
}
