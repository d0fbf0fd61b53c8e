import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { type Catalog, emptyIndex, indexRecord, type SegmentIndex } from './catalog.ts';
import { type Member, membersOf } from './canonical.ts';
import { entryOf } from './entry.ts';
import { EvidenceContradiction, EvidenceUnavailable } from './errors.ts';
import type { Files, LogFile } from './files.ts';
import { limits } from './limits.ts';
import { verifierKey } from './note.ts';
import type { Publisher } from './publisher.ts';
import type { EvidenceRecord, Json, RecordBody, RecordEnvelope } from './record.ts';
import { followSession, type Recovered } from './recovery.ts';
import { encodeHeader, encodeRecord, FORMAT, type Located, segmentName } from './segment.ts';
import type { Tiles } from './tiles.ts';

/** What is to be recorded, and its members as they will be written: they are made once. */
interface Prepared {
  readonly body: RecordBody;
  readonly members: readonly Member[];
}

interface Waiting extends Prepared {
  readonly done: (record: EvidenceRecord) => void;
  readonly failed: (error: Error) => void;
}

interface Segment {
  readonly number: number;
  readonly file: LogFile;
  readonly index: SegmentIndex;
  /** Bytes that are acknowledged. */
  length: number;
}

/**
 * Writes the log. Records that come while a batch is being made durable wait for the next, and share its sync. A
 * segment that failed once is never written again: after a failed sync nobody knows what is on the disk.
 */
export class Writer {
  readonly boot = randomUUID();
  readonly open: Map<string, number>;
  readonly segments: number[];
  #queue: Waiting[] = [];
  #running: Promise<void> | null = null;
  #segment: Segment | null = null;
  #seq: number;
  #lastMicros: bigint;
  /** Of the last record that is durable. */
  #lastAt: string;
  #failure: string | null = null;
  #healAt = 0;
  #closed = false;
  #reserve = false;
  /** Outcomes of sessions that ended while nothing could be written. */
  #held: Prepared[] = [];
  /** Sessions whose outcome waits to be written. */
  readonly #ending = new Set<string>();
  readonly #files: Files;
  readonly #folder: string;
  readonly #catalog: Catalog;
  readonly #tiles: Tiles;
  readonly #publisher: Publisher;
  #settling: Promise<void> = Promise.resolve();
  readonly log: string;

  constructor(given: {
    readonly files: Files;
    readonly folder: string;
    readonly catalog: Catalog;
    readonly log: string;
    readonly recovered: Recovered;
    readonly publisher: Publisher;
  }) {
    const { recovered } = given;
    this.#files = given.files;
    this.#folder = given.folder;
    this.#catalog = given.catalog;
    this.log = given.log;
    this.open = new Map(recovered.open);
    this.segments = [...recovered.segments];
    this.#seq = recovered.nextSeq;
    this.#tiles = recovered.tiles;
    this.#publisher = given.publisher;
    this.#lastAt = recovered.lastAt;
    this.#lastMicros = recovered.lastAt === '' ? 0n : microsOf(recovered.lastAt);
  }

  /** Why the log cannot be written now, or null. */
  get failure(): string | null {
    return this.#failure;
  }

  /** Tries to write again, so that a server without requests gets ready by itself. */
  async probe(): Promise<void> {
    if (this.#failure === null || this.#closed || this.#running !== null) return;
    this.#running = this.#heal()
      .catch(() => undefined)
      .finally(() => {
        this.#running = null;
        if (this.#queue.length > 0) this.#running = this.#drain();
      });
    await this.#running;
  }

  /** Forgets the segments up to this one: they are about to be removed. */
  forget(segment: number): void {
    this.segments.splice(
      0,
      this.segments.findIndex((number) => number > segment),
    );
  }

  get current(): { readonly number: number; readonly index: SegmentIndex } | null {
    return this.#segment;
  }

  /** Resolves when the record is durable. */
  append(given: RecordBody): Promise<EvidenceRecord> {
    if (this.#closed) return Promise.reject(new EvidenceUnavailable('the log is closed'));
    let prepared: Prepared;
    try {
      // Here, not in the batch: what cannot be recorded is its caller's fault, and must not fail its neighbours.
      prepared = fitting(given);
    } catch (error) {
      return Promise.reject(error);
    }
    const { body } = prepared;
    const mayWait = body.type === 'session.outcome';
    const contradiction = this.#contradicts(body);
    if (contradiction !== null) return Promise.reject(new EvidenceContradiction(contradiction));
    if (this.#tiles.waiting > limits.unpublishedTilesMax && !mayWait) {
      return Promise.reject(new EvidenceUnavailable('the tree of the log cannot be written'));
    }
    if (this.#failure !== null && !mayWait && Date.now() < this.#healAt) {
      return Promise.reject(new EvidenceUnavailable(this.#failure));
    }
    return new Promise((done, failed) => {
      if (body.type === 'session.outcome') this.#ending.add(body.session);
      this.#queue.push({ ...prepared, done, failed });
      this.#running ??= this.#drain();
    });
  }

  /** A session has one intent, and after it one outcome. */
  #contradicts(body: RecordBody): string | null {
    if (body.type !== 'session.outcome') return null;
    if (!this.open.has(body.session)) return `session \`${body.session}\` is not open`;
    return this.#ending.has(body.session) ? `session \`${body.session}\` has an outcome` : null;
  }

  async close(): Promise<void> {
    this.#closed = true;
    await this.#running;
    await this.#segment?.file.close();
    this.#segment = null;
    // What fails here is made again at the next start.
    await this.#publisher.publish().catch(() => undefined);
    await this.#settling;
    await this.#publisher.settle().catch(() => undefined);
  }

  async #drain(): Promise<void> {
    // Appends of the same turn of the event loop belong to one batch.
    await Promise.resolve();
    while (this.#queue.length > 0) {
      const batch = this.#queue.splice(0, limits.batchRecordsMax);
      try {
        if (this.#failure !== null) await this.#heal();
        const records = await this.#write(batch);
        batch.forEach(({ done }, at) => {
          done(records[at] as EvidenceRecord);
        });
      } catch (error) {
        await this.#fail(batch, error as Error);
      }
    }
    this.#running = null;
  }

  async #write(prepared: readonly Prepared[]): Promise<readonly EvidenceRecord[]> {
    const segment = await this.#writable();
    const lines: Buffer[] = [];
    const written: { record: EvidenceRecord; digest: string; offset: number; length: number }[] = [];
    let offset = segment.length;
    for (const [at, { body, members }] of prepared.entries()) {
      const envelope = this.#envelope(this.#seq + at);
      const record = { ...envelope, ...body };
      const { line, digest } = encodeRecord([...membersOf({ ...envelope }), ...members]);
      lines.push(line);
      written.push({ record, digest, offset, length: line.length - 1 });
      offset += line.length;
    }
    await segment.file.append(Buffer.concat(lines));
    await segment.file.sync();
    this.#seq += prepared.length;
    segment.length = offset;
    for (const located of written) this.#remember(segment, located);
    return written.map(({ record }) => record);
  }

  #remember(segment: Segment, located: Located): void {
    indexRecord(segment.index, located);
    const { record, digest } = located;
    // Not before it is durable: every checkpoint of the tree may be shown.
    this.#tiles.add(entryOf(record, digest));
    // In the same step: no checkpoint may cover it and be signed by the old key.
    if (record.type === 'key.rotated') this.#publisher.handOver();
    followSession(this.open, record);
    this.#lastAt = record.at;
    if (record.type === 'session.outcome') this.#ending.delete(record.session);
  }

  /** The segment to write to: a new one where the last is full or was abandoned. */
  async #writable(): Promise<Segment> {
    if (this.#segment !== null && this.#segment.length < limits.segmentBytesMax) return this.#segment;
    if (this.#segment !== null) {
      const full = this.#segment;
      this.#segment = null;
      await full.file.close();
      await this.#catalog.save(full.number, full.index);
      await this.#settleTree();
    }
    await this.#ensureReserve();
    const number = (this.segments.at(-1) ?? 0) + 1;
    const header = encodeHeader({
      format: FORMAT,
      log: this.log,
      segment: number,
      first: this.#seq,
      after: this.#lastAt,
      checkpoint: this.#publisher.head().note,
      key: verifierKey(this.#publisher.signer),
      open: [...this.open],
    });
    const path = join(this.#folder, segmentName(number));
    // What an attempt before this one left under the name holds nothing acknowledged.
    await this.#files.remove(path);
    const file = await this.#files.create(path);
    await file.append(header);
    await file.sync();
    this.segments.push(number);
    this.#segment = { number, file, index: emptyIndex(), length: header.length };
    return this.#segment;
  }

  /** Start-up leans on the tree as it is two segments before the end: it is durable by then. */
  async #settleTree(): Promise<void> {
    await this.#settling;
    this.#settling = this.#publisher
      .publish()
      .then(() => this.#publisher.settle())
      .catch(() => undefined);
  }

  #envelope(seq: number): RecordEnvelope {
    const now = BigInt(Date.now()) * 1_000n;
    if (now > this.#lastMicros) this.#lastMicros = now;
    const at = isoOf(this.#lastMicros);
    return { v: 1, seq, at, monotonic: process.hrtime.bigint().toString(), boot: this.boot };
  }

  /** Room that outcomes may use when the disk is full. Real bytes: a hole would promise nothing. */
  async #ensureReserve(): Promise<void> {
    if (this.#reserve || this.#failure !== null) return;
    const kept = await this.#files.read(this.#reservePath()).catch(() => null);
    if (kept?.length !== limits.reserveBytes) {
      await this.#files.replace(this.#reservePath(), Buffer.alloc(limits.reserveBytes, 1));
    }
    this.#reserve = true;
  }

  #reservePath(): string {
    return join(this.#folder, 'reserve');
  }

  async #fail(batch: readonly Waiting[], error: Error): Promise<void> {
    this.#failure ??= `the evidence cannot be written: ${(error as NodeJS.ErrnoException).code ?? error.message}`;
    this.#healAt = Date.now() + limits.healDelayMs;
    await this.#abandon();
    const outcomes = batch.filter(({ body }) => body.type === 'session.outcome');
    for (const { failed } of batch.filter(({ body }) => body.type !== 'session.outcome')) {
      failed(new EvidenceUnavailable(this.#failure));
    }
    if (outcomes.length > 0) await this.#saveOutcomes(outcomes);
  }

  /** Outcomes of what already ran: into the reserve's room, else into memory until the log can be written. */
  async #saveOutcomes(outcomes: readonly Waiting[]): Promise<void> {
    try {
      await this.#files.remove(this.#reservePath());
      this.#reserve = false;
      const records = await this.#write(outcomes);
      outcomes.forEach(({ done }, at) => {
        done(records[at] as EvidenceRecord);
      });
    } catch {
      await this.#abandon();
      for (const { body, members, failed } of outcomes) {
        if (this.#held.length < limits.heldOutcomesMax) this.#held.push({ body, members });
        failed(new EvidenceUnavailable(this.#failure ?? 'the evidence cannot be written'));
      }
    }
  }

  async #abandon(): Promise<void> {
    const abandoned = this.#segment;
    this.#segment = null;
    if (abandoned === null) return;
    // If even this fails, the next header's `first` says where the acknowledged records end.
    await abandoned.file.truncate(abandoned.length).catch(() => undefined);
    await abandoned.file.close().catch(() => undefined);
    await this.#catalog.save(abandoned.number, abandoned.index).catch(() => undefined);
  }

  /** Tries to write again: first that there was a gap, then what was held. */
  async #heal(): Promise<void> {
    const reason = this.#failure ?? '';
    if (Date.now() < this.#healAt) throw new EvidenceUnavailable(reason);
    this.#failure = null;
    try {
      await this.#ensureReserve();
      const held = this.#held;
      await this.#write([prepare({ type: 'evidence.gap', reason }), ...held]);
      this.#held = [];
    } catch (error) {
      this.#failure = reason;
      throw error;
    }
  }
}

function isoOf(micros: bigint): string {
  const at = new Date(Number(micros / 1_000n)).toISOString();
  return at.replace('Z', `${String(micros % 1_000n).padStart(3, '0')}Z`);
}

function microsOf(at: string): bigint {
  return BigInt(Date.parse(`${at.slice(0, 23)}Z`)) * 1_000n + BigInt(at.slice(23, 26) || '0');
}

function prepare(body: RecordBody): Prepared {
  return { body, members: membersOf(body as unknown as { readonly [name: string]: Json }) };
}

/** A session that ran has an outcome, if without the report that makes it too long. Nothing else is shortened. */
function fitting(given: RecordBody): Prepared {
  const prepared = prepare(given);
  const bytes = prepared.members.reduce((sum, [, written]) => sum + written.length, 0);
  if (bytes <= limits.recordBytesMax) return prepared;
  if (given.type !== 'session.outcome') throw new TypeError(`a record has at most ${limits.recordBytesMax} bytes`);
  return prepare({ ...given, engine: { omitted: `a report of ${bytes} bytes is longer than a record may be` } });
}
