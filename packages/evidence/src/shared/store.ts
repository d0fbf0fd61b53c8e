import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { buildIndex, type Catalog, emptyIndex } from '../catalog.ts';
import { signCheckpoint, originOf } from '../checkpoint.ts';
import { EvidenceUnavailable } from '../errors.ts';
import type { Files } from '../files.ts';
import { limits } from '../limits.ts';
import type { Growing } from '../merkle.ts';
import { parseVerifierKey, type Verifier, verifierKey } from '../note.ts';
import { orphaned, prepare, type Prepared } from '../prepared.ts';
import type { EvidenceRecord } from '../record.ts';
import { decodeSegment, type Located, segmentName } from '../segment.ts';
import { findSession } from '../sessions.ts';
import type { Store } from '../store.ts';
import type { Segment, Tail } from '../tail.ts';
import { type Batch, check, grownBy } from './batch.ts';
import type { Database, Together } from './database.ts';

const NEVER_RAN = 'the session never ran: its server did not learn in time that the intent was durable';

/**
 * A batch is durable when the database has it, which decides its place among those of other servers. The folder is a copy: of all
 * that the database has up to the last batch that this server knows, byte for byte.
 */
export class SharedStore implements Store {
  readonly #tail: Tail;
  readonly #database: Database;
  readonly #files: Files;
  readonly #folder: string;
  readonly #catalog: Catalog;
  readonly #verifier: Verifier;
  #tree: Growing;
  /** Each process run begins a segment. */
  #begins = true;
  /** The folder may have more of the last segment than is remembered. */
  #unsure = false;
  /** Sessions of this run whose intent became durable after it was refused. */
  readonly #strays = new Set<string>();
  /** Process runs that were away, and at how many looks in a row. */
  #missing: ReadonlyMap<string, number> = new Map();

  constructor(tail: Tail, database: Database, catalog: Catalog, files: Files, folder: string) {
    this.#tail = tail;
    this.#database = database;
    this.#catalog = catalog;
    this.#files = files;
    this.#folder = folder;
    this.#tree = tail.tiles.growing();
    this.#verifier = parseVerifierKey(verifierKey(tail.publisher.signer)) as Verifier;
  }

  /** Takes up the last segment of the folder, which others may still write, and learns whose the open sessions are. */
  async resume(): Promise<void> {
    const tail = this.#tail;
    const number = tail.segments.at(-1);
    if (number === undefined) return;
    const path = join(this.#folder, segmentName(number));
    const bytes = await this.#files.read(path);
    const index = buildIndex(decodeSegment(bytes).records);
    tail.current = { number, file: await this.#files.reopen(path, bytes.length), index, length: bytes.length };
    for (const session of tail.open.keys()) {
      const found = await findSession(tail, this.#catalog, session);
      if (found !== null) tail.owners.set(session, found.intent.boot);
    }
  }

  write(batch: readonly Prepared[]): Promise<readonly EvidenceRecord[]> {
    return this.#append(() => batch, []);
  }

  /** Appends what is made anew each time that another server was faster. */
  async #append(make: () => readonly Prepared[], fences: readonly string[]): Promise<readonly EvidenceRecord[]> {
    for (let overtaken = 0; overtaken < limits.attemptsMax; overtaken += 1) {
      const inTurn = overtaken >= limits.overtakenMax;
      if (inTurn) await this.#takeTurn();
      const prepared = make();
      const { batch, located, tree } = this.#batchOf(prepared);
      const ends = this.#ends(prepared);
      const together: Together = { fences, ends };
      if ((await this.#database.append(batch, together, inTurn)) === 'appended') {
        await this.#keep(batch, located, tree);
        this.#begins = false;
        return located.map(({ record }) => record);
      }
      await this.pull();
    }
    throw new EvidenceUnavailable('the database of the evidence loses its connection with each append');
  }

  async #takeTurn(): Promise<void> {
    await this.#database.takeTurn();
    try {
      await this.pull();
    } catch (error) {
      await this.#database.leaveTurn().catch(() => undefined);
      throw error;
    }
  }

  /** Whether this is the last of a run, all of whose sessions have an outcome. Else somebody must close them. */
  #ends(prepared: readonly Prepared[]): boolean {
    if (!prepared.some(({ body }) => body.type === 'log.closed')) return false;
    const ended = new Set(prepared.map(({ body }) => (body.type === 'session.outcome' ? body.session : null)));
    const { owners, boot } = this.#tail;
    return [...owners].every(([session, owner]) => owner !== boot || ended.has(session));
  }

  #batchOf(prepared: readonly Prepared[]) {
    const tail = this.#tail;
    const { current } = tail;
    const goesOn = current !== null && !this.#begins && current.length < limits.segmentBytesMax ? current : null;
    const { number, header } = goesOn === null ? tail.header() : { number: goesOn.number, header: Buffer.alloc(0) };
    const start = goesOn?.length ?? 0;
    const { located, bytes } = tail.encode(prepared, start + header.length);
    const tree = grownBy(this.#tree, located);
    const head = { origin: originOf(tail.log), size: tree.size, root: tree.root() };
    const batch: Batch = {
      id: randomUUID(),
      boot: tail.boot,
      first: tail.seq,
      records: located.length,
      segment: number,
      start,
      bytes: Buffer.concat([header, bytes]),
      checkpoint: signCheckpoint(head, [tail.publisher.signer]),
    };
    return { batch, located, tree };
  }

  /** Takes what other servers have appended. */
  async pull(): Promise<void> {
    for (;;) {
      const { batches, position } = await this.#database.after(this.#tail.seq);
      if (position < this.#tail.seq) {
        throw new EvidenceUnavailable(
          `evidence_damaged: the database has ${position} records and this server ${this.#tail.seq}: it lost what it had taken`,
          true,
        );
      }
      for (const batch of batches) {
        const { located, grown } = check(batch, this.#tail, this.#tree, this.#verifier);
        await this.#keep(batch, located, grown);
        for (const { record } of located) {
          // Whoever asked for it was refused: what became durable by `write` does not come this way.
          if (record.type === 'session.intent' && record.boot === this.#tail.boot) this.#strays.add(record.session);
        }
      }
      if (this.#tail.seq >= position) return;
    }
  }

  /** Writes a batch into the folder. It is durable: the disk need not have it before its segment is closed. */
  async #keep(batch: Batch, located: readonly Located[], tree: Growing): Promise<void> {
    this.#unsure = true;
    const segment = batch.start === 0 ? await this.#beginSegment(batch.segment) : (this.#tail.current as Segment);
    await segment.file.append(batch.bytes);
    this.#unsure = false;
    if (batch.start === 0) {
      this.#tail.segments.push(segment.number);
      this.#tail.current = segment;
    }
    this.#tail.remember(segment, located, batch.start + batch.bytes.length);
    this.#tree = tree;
  }

  async #beginSegment(number: number): Promise<Segment> {
    const full = this.#tail.current;
    if (full !== null) {
      await full.file.sync();
      await this.#catalog.save(full.number, full.index);
      await this.#tail.publisher.settleSoon();
    }
    const path = join(this.#folder, segmentName(number));
    // What an attempt before this one left.
    await this.#files.remove(path);
    const file = await this.#files.create(path);
    await full?.file.close();
    return { number, file, index: emptyIndex(), length: 0 };
  }

  /**
   * Process runs that stay away are fenced, and their sessions closed, in one step. Not at once: when the database starts again,
   * all have to come back.
   */
  async #fence(): Promise<void> {
    const missing = await this.#database.missing();
    const seen = new Map(missing.map((boot) => [boot, (this.#missing.get(boot) ?? 0) + 1]));
    this.#missing = seen;
    const away = missing.filter((boot) => (seen.get(boot) ?? 0) >= limits.missedLooksMax);
    const lost = away.length === 0 ? [] : await this.#database.takeLost(away);
    if (lost.length === 0) return;
    try {
      await this.#append(() => lost.flatMap((server) => this.#lossOf(server)), lost);
    } finally {
      await this.#database.release(lost);
    }
  }

  #lossOf(server: string): readonly Prepared[] {
    const { open, owners } = this.#tail;
    const sessions = [...open].filter(([session]) => owners.get(session) === server);
    const message = 'the server of the session was lost before it ended';
    return [
      prepare({ type: 'server.lost', server, sessions: sessions.length }),
      ...sessions.map(([session, intent]) => prepare(orphaned(session, intent, message))),
    ];
  }

  /** What is to be done now and then: whether this run is still believed to live, and the others are. */
  async look(): Promise<void> {
    await this.#database.check();
    await this.pull();
    await this.#fence();
  }

  /** The database has no room for one server's outcomes alone. */
  async giveRoom(): Promise<boolean> {
    return false;
  }

  /** The segment is gone on with: what it holds is decided elsewhere. */
  async abandon(): Promise<void> {}

  async heal(): Promise<readonly Prepared[]> {
    await this.#database.check();
    if (this.#unsure) await this.#cut();
    await this.pull();
    const { open } = this.#tail;
    for (const session of this.#strays) if (!open.has(session)) this.#strays.delete(session);
    return [...this.#strays].map((session) => prepare(orphaned(session, open.get(session) as number, NEVER_RAN)));
  }

  /** The folder has what is remembered, and no more. */
  async #cut(): Promise<void> {
    const { current } = this.#tail;
    if (current !== null) {
      await current.file.close().catch(() => undefined);
      const path = join(this.#folder, segmentName(current.number));
      this.#tail.current = { ...current, file: await this.#files.reopen(path, current.length) };
    }
    this.#unsure = false;
  }

  async close(): Promise<void> {
    const { current } = this.#tail;
    await current?.file.sync().catch(() => undefined);
    await current?.file.close().catch(() => undefined);
    await this.#database.close();
  }
}
