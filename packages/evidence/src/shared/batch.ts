import { originOf, parseCheckpoint } from '../checkpoint.ts';
import { entryOf } from '../entry.ts';
import { EvidenceUnavailable } from '../errors.ts';
import { type Growing, leafHash } from '../merkle.ts';
import { parseNote, parseVerifierKey, signatureOf, signedBy } from '../note.ts';
import { decodeLine, type Located, parseHeader } from '../segment.ts';
import { rotationHolds } from '../signer.ts';
import type { Tail } from '../tail.ts';

/** Records that were appended in one step, as they lie in the segments of every server. */
export interface Batch {
  readonly id: string;
  /** The process run that appended it. */
  readonly boot: string;
  /** `seq` of its first record. */
  readonly first: number;
  readonly records: number;
  readonly segment: number;
  /** Where in the segment its bytes begin. 0: it begins the segment, and its header comes first. */
  readonly start: number;
  readonly bytes: Buffer;
  /** Signed checkpoint of the log up to its last record: nobody without the log's key can make a batch. */
  readonly checkpoint: string;
}

/** What a batch is to a log that ends where it begins. */
export interface Checked {
  readonly located: readonly Located[];
  /** The tree with its records. */
  readonly grown: Growing;
  /** Verifier key that signs after it. */
  readonly key: string;
}

/** The tree with these records. */
export function grownBy(tree: Growing, located: readonly Located[]): Growing {
  const grown = tree.copy();
  for (const { record, digest } of located) grown.add(leafHash(entryOf(record, digest)));
  return grown;
}

/** Whether a checkpoint is signed by the log's key and covers this tree. */
export function covers(checkpoint: string, log: string, grown: Growing, key: string): boolean {
  const [said, verifier] = [parseCheckpoint(checkpoint), parseVerifierKey(key)];
  if (said === null || verifier === null || said.origin !== originOf(log) || said.size !== grown.size) return false;
  return said.root.equals(grown.root()) && signedBy(said.note, verifier);
}

/** Takes nothing from the database on trust: records, header and tree must be those that the checkpoint signs. */
export function check(batch: Batch, tail: Tail, tree: Growing, signs: string): Checked {
  const begins = batch.start === 0 ? batch.bytes.indexOf(10) + 1 : 0;
  if (batch.first !== tail.seq || (begins > 0 ? !headerFits(batch, begins, tail, tree, signs) : !goesOn(batch, tail))) {
    throw contradicts(tail.seq);
  }
  const located: Located[] = [];
  let key = signs;
  for (let at = begins; at < batch.bytes.length; ) {
    const end = batch.bytes.indexOf(10, at);
    const line = end < 0 ? 'it has no end' : decodeLine(batch.bytes.subarray(at, end), batch.start + at);
    if (typeof line === 'string' || line.record.seq !== batch.first + located.length) throw contradicts(tail.seq);
    const { record } = line;
    if (record.type === 'key.rotated') {
      if (record.from !== key || !rotationHolds(tail.log, record)) throw contradicts(tail.seq);
      key = record.to;
    }
    located.push(line);
    at = end + 1;
  }
  const grown = grownBy(tree, located);
  if (located.length !== batch.records || !covers(batch.checkpoint, tail.log, grown, key)) {
    throw contradicts(tail.seq);
  }
  return { located, grown, key };
}

function goesOn({ segment, start }: Batch, { current }: Tail): boolean {
  return current?.number === segment && current.length === start;
}

/** The header that this server would have written there, byte for byte, had it the key. */
function headerFits({ bytes, segment }: Batch, end: number, tail: Tail, tree: Growing, key: string): boolean {
  const checkpoint = parseHeader(bytes.subarray(0, end - 1))?.checkpoint ?? '';
  if (!isPlain(checkpoint) || !covers(checkpoint, tail.log, tree, key)) return false;
  const { number, header } = tail.header({ checkpoint, key });
  return segment === number && bytes.subarray(0, end).equals(header);
}

/** Whether a note is nothing but its text and one signature: what else stands there nobody signed. */
function isPlain(checkpoint: string): boolean {
  const note = parseNote(checkpoint);
  const [signature, ...others] = note?.signatures ?? [];
  if (note === null || signature === undefined || others.length > 0) return false;
  return checkpoint === `${note.text}\n${signatureOf(signature)}`;
}

function contradicts(seq: number): EvidenceUnavailable {
  return new EvidenceUnavailable(
    `evidence_damaged: what the database has from record ${seq} on does not follow from this server's log`,
    true,
  );
}
