import { canonical, isCanonical, membersAround, sha256 } from './canonical.ts';
import type { EvidenceRecord, Json, RecordBody, RecordEnvelope } from './record.ts';

/** Version of the format. */
export const FORMAT = 'ambit/evidence/v2';

/** First line of a segment. */
export interface SegmentHeader {
  readonly format: typeof FORMAT;
  readonly log: string;
  readonly segment: number;
  /** `seq` of its first record. Records of the segment before that have this `seq` or a later one were never acknowledged. */
  readonly first: number;
  /** Time of the last record before it; empty for the first segment. */
  readonly after: string;
  /** Checkpoint of all records before it: a signed note. */
  readonly checkpoint: string;
  /** Verifier key that signed it. */
  readonly key: string;
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

/** Numbers of the segments among the names of a folder, ascending. */
export function segmentsOf(names: readonly string[]): readonly number[] {
  return names
    .filter((name) => /^\d{8}\.segment$/.test(name))
    .map((name) => Number(name.slice(0, 8)))
    .toSorted((a, b) => a - b);
}

/** Of the envelope, in canonical order. */
const ENVELOPE = ['at', 'boot', 'monotonic', 'seq', 'v'];

/** The text of a record before it has a place: what comes before, between and after the members of its envelope. */
export function piecesOf(body: RecordBody): readonly string[] {
  return membersAround(ENVELOPE, body as unknown as { readonly [name: string]: Json });
}

/** The canonical JSON of a record that has its place. */
export function recordJson(pieces: readonly string[], { at, boot, monotonic, seq, v }: RecordEnvelope): string {
  const [first, afterAt, afterBoot, afterMonotonic, afterSeq, last] = pieces;
  return (
    `{${first}"at":"${at}"${afterAt},"boot":${JSON.stringify(boot)}${afterBoot}` +
    `,"monotonic":"${monotonic}"${afterMonotonic},"seq":${seq}${afterSeq},"v":${v}${last}}`
  );
}

/** Lines, and where each lies in them. */
export interface EncodedLines {
  readonly bytes: Buffer;
  readonly lines: readonly Omit<Located, 'record'>[];
}

/** Hexadecimal digits of a digest, and the space after them. */
const DIGEST_BYTES = 65;

/** A line each: the digest of the canonical JSON, a space, the canonical JSON. The digest is what the Merkle leaf names. */
export function encodeRecords(texts: readonly string[]): EncodedLines {
  const lengths = texts.map((json) => DIGEST_BYTES + Buffer.byteLength(json));
  const bytes = Buffer.allocUnsafe(lengths.reduce((sum, length) => sum + length + 1, 0));
  let offset = 0;
  const lines = texts.map((json, at) => {
    const length = lengths[at] as number;
    bytes.write(json, offset + DIGEST_BYTES);
    const digest = sha256(bytes.subarray(offset + DIGEST_BYTES, offset + length));
    bytes.write(`${digest} `, offset, 'latin1');
    bytes[offset + length] = LINE_FEED;
    const line = { digest, offset, length };
    offset += length + 1;
    return line;
  });
  return { bytes, lines };
}

const LINE_FEED = 10;

export function encodeHeader(header: SegmentHeader): Buffer {
  return Buffer.from(`${canonical(header as unknown as Json)}\n`);
}

/** File name of a segment. */
export function segmentName(segment: number): string {
  return `${String(segment).padStart(8, '0')}.segment`;
}

/** The records of a segment up to the first line that is not whole, and where that one begins: what follows is torn. */
export function decodeSegment(bytes: Buffer): {
  readonly header: SegmentHeader | null;
  readonly records: readonly Located[];
  readonly end: number;
} {
  const { header, lines, end } = decodeLines(bytes);
  const records: Located[] = [];
  for (const line of header === null ? [] : lines) {
    if (!('record' in line)) return { header, records, end: line.offset };
    records.push(line);
  }
  return { header, records, end: header === null ? 0 : end };
}

/**
 * Every line of a segment, whole or not, where the last one ends, and how many bytes of others come after that. No line holds a
 * zero: the first is where room begins that nothing was written to, or not wholly.
 */
export function decodeLines(given: Buffer): {
  readonly header: SegmentHeader | null;
  readonly lines: readonly (Located | { readonly offset: number; readonly reason: string })[];
  readonly end: number;
  readonly torn: number;
} {
  const room = given.indexOf(0);
  const bytes = room < 0 ? given : given.subarray(0, room);
  const headerEnd = bytes.indexOf(10);
  const header = headerEnd < 0 ? null : parseHeader(bytes.subarray(0, headerEnd));
  const lines: (Located | { readonly offset: number; readonly reason: string })[] = [];
  let offset = headerEnd + 1;
  for (let end = bytes.indexOf(10, offset); end >= 0; end = bytes.indexOf(10, offset)) {
    const located = decodeLine(bytes.subarray(offset, end), offset);
    lines.push(typeof located === 'string' ? { offset, reason: located } : located);
    offset = end + 1;
  }
  return { header, lines, end: offset, torn: withoutRoom(given.subarray(offset)).length };
}

/** Bytes without the zeros at their end. */
export function withoutRoom(bytes: Buffer): Buffer {
  let end = bytes.length;
  while (end > 0 && bytes[end - 1] === 0) end -= 1;
  return bytes.subarray(0, end);
}

/** A record of one line, without its newline, or what is wrong with it. */
export function decodeLine(line: Buffer, offset: number): Located | string {
  const found = digested(line);
  if (typeof found === 'string') return found;
  const { json, digest } = found;
  const value = parseCanonical(json);
  if (value === null) return 'the record is not canonical';
  return isRecord(value) ? { record: value, digest, offset, length: line.length } : 'it has not what every record has';
}

/** Whoever wrote the line: nothing that reads records may stumble over their envelope. */
function isRecord(value: object): value is EvidenceRecord {
  const { v, seq, at, boot, monotonic, type, session = '' } = value as { readonly [member: string]: Json };
  const texts = [at, boot, monotonic, type, session];
  return v === 1 && Number.isSafeInteger(seq) && texts.every((text) => typeof text === 'string');
}

/** A record of one line if it is what its digest says, else null. That it is canonical too, whoever verifies the log looks at. */
export function digestedRecord(line: Buffer): EvidenceRecord | null {
  const found = digested(line);
  return typeof found === 'string' ? null : (JSON.parse(found.json) as EvidenceRecord);
}

/** The JSON of a line and the digest before it, or why they do not fit. */
function digested(line: Buffer): { readonly json: string; readonly digest: string } | string {
  if (line.length < 66 || line[64] !== 32) return 'not a record';
  const digest = line.subarray(0, 64).toString('latin1');
  const json = line.subarray(65);
  if (sha256(json) !== digest) return 'the record is not what its digest says';
  return { json: json.toString('utf8'), digest };
}

function parseCanonical(text: string): object | null {
  try {
    const value = JSON.parse(text) as Json;
    return text.startsWith('{') && isCanonical(value, text) ? (value as object) : null;
  } catch {
    return null;
  }
}

/** A header of one line, without its newline; null if it is none. */
export function parseHeader(line: Buffer): SegmentHeader | null {
  const header = parseCanonical(line.toString('utf8')) as SegmentHeader | null;
  const named = header === null ? [] : Object.keys(header);
  return header?.format === FORMAT && named.join() === HEADER_MEMBERS.join() ? header : null;
}

/** In canonical order. */
const HEADER_MEMBERS = ['after', 'checkpoint', 'first', 'format', 'key', 'log', 'open', 'segment'];
