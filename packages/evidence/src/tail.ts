import { type SegmentIndex, indexRecord, reviewOf } from './catalog.ts';
import { entryOf } from './entry.ts';
import type { LogFile } from './files.ts';
import { verifierKey } from './note.ts';
import type { Prepared } from './prepared.ts';
import type { Publisher } from './publisher.ts';
import type { EvidenceRecord, RecordEnvelope } from './record.ts';
import { followSession, type Recovered } from './recovery.ts';
import { encodeHeader, encodeRecords, FORMAT, type Located, recordJson, type SegmentHeader } from './segment.ts';
import type { Tiles } from './tiles.ts';

/** The segment that is written. */
export interface Segment {
  readonly number: number;
  readonly file: LogFile;
  readonly index: SegmentIndex;
  /** Bytes that are acknowledged. */
  length: number;
}

/** Records with their places, and the bytes that they are. */
export interface Encoded {
  readonly located: readonly Located[];
  readonly bytes: Buffer;
}

/** What a log is up to its last durable record, and what the next ones are made of. */
export class Tail {
  readonly boot: string;
  readonly log: string;
  /** Sessions without outcome: seq of the intent by session. */
  readonly open: Map<string, number>;
  /** The process run that each of them belongs to, as far as this process saw its intent. */
  readonly owners = new Map<string, string>();
  /** Sessions whose outcome waits to be written. */
  readonly ending = new Set<string>();
  readonly segments: number[];
  readonly tiles: Tiles;
  readonly publisher: Publisher;
  /** The segment that is written; null: the next record begins one. */
  current: Segment | null = null;
  /** The segment that comes next is this one, or after it: segments before it were removed before this process had them. */
  #next = 1;
  /** Segments up to this one are removed for their age, as far as a record of this process's time says so. */
  pruned = 0;
  /** The first boundary that was served of a product, by `reviewOf`, as far as somebody asked or it came since. */
  readonly roots = new Map<string, string>();
  /** Products of which the log had none when somebody asked. */
  readonly rootless = new Set<string>();
  /** Of the next record. */
  seq: number;
  /** Of the last record that was given one: microseconds since 1970, and as it is written. */
  #lastMicros: number;
  #lastStamp: string;
  /** Of the last record that is durable. */
  #lastAt: string;

  constructor(boot: string, log: string, recovered: Recovered, publisher: Publisher) {
    this.boot = boot;
    this.log = log;
    this.open = new Map(recovered.open);
    this.segments = [...recovered.segments];
    this.tiles = recovered.tiles;
    this.publisher = publisher;
    this.seq = recovered.nextSeq;
    this.#lastAt = recovered.lastAt;
    this.#lastStamp = recovered.lastAt;
    this.#lastMicros = recovered.lastAt === '' ? 0 : microsOf(recovered.lastAt);
  }

  /** Time of the last record that is durable; empty: there is none. */
  get lastAt(): string {
    return this.#lastAt;
  }

  /** The records that come next, as they would lie from an offset on. */
  encode(prepared: readonly Prepared[], offset: number): Encoded {
    const envelopes = prepared.map((_, place) => this.#envelope(this.seq + place));
    const { bytes, lines } = encodeRecords(
      prepared.map(({ pieces }, place) => recordJson(pieces, envelopes[place] as RecordEnvelope)),
    );
    const located = lines.map((line, place) => ({
      // By a spread it takes longer than its canonical JSON: it has some twenty members.
      record: Object.assign(envelopes[place] as RecordEnvelope, (prepared[place] as Prepared).body),
      digest: line.digest,
      offset: offset + line.offset,
      length: line.length,
    }));
    return { located, bytes };
  }

  /** What of it may be written now: a product begins once, whoever else began it meanwhile. */
  admitted<T extends Pick<Prepared, 'body'>>(batch: readonly T[]): readonly T[] {
    const begun = new Map<string, string>();
    return batch.filter(({ body }) => {
      if (body.type !== 'review.applied' || body.root === null) return true;
      const key = reviewOf(body.product, body.environment);
      const root = this.roots.get(key) ?? begun.get(key) ?? body.root;
      begun.set(key, root);
      return root === body.root;
    });
  }

  /** The number of the segment that begins after the last record, and its header: as this process signs it, or as another did. */
  header(signed = this.#head()): { readonly number: number; readonly header: Buffer } {
    const number = Math.max(this.#next, (this.segments.at(-1) ?? 0) + 1);
    const header = encodeHeader({
      format: FORMAT,
      log: this.log,
      segment: number,
      first: this.seq,
      after: this.#lastAt,
      ...signed,
      open: [...this.open],
    });
    return { number, header };
  }

  #head(): Pick<SegmentHeader, 'checkpoint' | 'key'> {
    return { checkpoint: this.publisher.head().note, key: verifierKey(this.publisher.signer) };
  }

  /** Goes on with a segment, where leaves stand for the records before it. */
  leap({ segment, first, after, open }: SegmentHeader, entries: readonly string[]): void {
    for (const entry of entries) this.tiles.add(entry);
    this.seq = first;
    this.open.clear();
    for (const [session, intent] of open) this.open.set(session, intent);
    for (const session of this.owners.keys()) if (!this.open.has(session)) this.owners.delete(session);
    this.#lastAt = after;
    if (after !== this.#lastStamp) this.#advance(microsOf(after));
    this.#next = segment;
    this.current = null;
  }

  /** These records are durable, and lie in a segment up to an offset. */
  remember(segment: Segment, located: readonly Located[], length: number): void {
    this.seq += located.length;
    segment.length = length;
    for (const one of located) this.#remember(segment, one);
  }

  #remember(segment: Segment, located: Located): void {
    indexRecord(segment.index, located);
    const { record, digest } = located;
    // Not before it is durable: every checkpoint of the tree may be shown.
    this.tiles.add(entryOf(record, digest));
    // In the same step: no checkpoint may cover it and be signed by the old key.
    if (record.type === 'key.rotated') this.publisher.handOver();
    if (record.type === 'evidence.pruned') this.pruned = Math.max(this.pruned, record.segment);
    if (record.type === 'review.applied' && record.root !== null) {
      const key = reviewOf(record.product, record.environment);
      if (!this.roots.has(key)) this.roots.set(key, record.root);
    }
    followSession(this.open, record);
    this.#lastAt = record.at;
    // Another server's clock may be ahead.
    if (record.at !== this.#lastStamp) this.#advance(microsOf(record.at));
    if (record.type === 'session.intent') this.owners.set(record.session, record.boot);
    if (record.type !== 'session.outcome') return;
    this.ending.delete(record.session);
    this.owners.delete(record.session);
  }

  #envelope(seq: number): RecordEnvelope {
    this.#advance(Date.now() * 1_000);
    return { v: 1, seq, at: this.#lastStamp, monotonic: process.hrtime.bigint().toString(), boot: this.boot };
  }

  /** Records are never given an earlier time than those before, whatever the clock says. */
  #advance(micros: number): void {
    if (micros <= this.#lastMicros) return;
    this.#lastMicros = micros;
    this.#lastStamp = isoOf(micros);
  }
}

/** The records that a batch became; null for what of it was not admitted. */
export function recordsOf(
  batch: readonly Prepared[],
  admitted: readonly Prepared[],
  located: readonly Located[],
): readonly (EvidenceRecord | null)[] {
  const records = new Map(admitted.map((one, at) => [one, located[at]?.record ?? null]));
  return batch.map((one) => records.get(one) ?? null);
}

function isoOf(micros: number): string {
  const at = new Date(Math.floor(micros / 1_000)).toISOString();
  return at.replace('Z', `${String(micros % 1_000).padStart(3, '0')}Z`);
}

function microsOf(at: string): number {
  return Date.parse(`${at.slice(0, 23)}Z`) * 1_000 + Number(at.slice(23, 26) || '0');
}
