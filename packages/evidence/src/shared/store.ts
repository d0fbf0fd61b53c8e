import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { buildIndex, type Catalog, emptyIndex } from '../catalog.ts';
import { signCheckpoint, originOf } from '../checkpoint.ts';
import { EvidenceUnavailable } from '../errors.ts';
import type { Files } from '../files.ts';
import { limits } from '../limits.ts';
import type { Growing } from '../merkle.ts';
import { type Signer, verifierKey } from '../note.ts';
import { orphaned, prepare, type Prepared } from '../prepared.ts';
import type { EvidenceRecord } from '../record.ts';
import { type Old, removeOld } from '../retention.ts';
import { decodeSegment, type Located, segmentName } from '../segment.ts';
import { findSession } from '../sessions.ts';
import { findSigner, rotation, takeNext } from '../signer.ts';
import type { Store } from '../store.ts';
import { recordsOf, type Segment, type Tail } from '../tail.ts';
import { type Batch, check, type Checked, grownBy } from './batch.ts';
import type { Database, Together } from './database.ts';
import { keepEntries } from './entries.ts';
import { leapOf } from './leap.ts';

const NEVER_RAN = 'the session never ran: its server did not learn in time that the intent was durable';

interface Place {
  readonly files: Files;
  readonly folder: string;
  /** File of the private key. */
  readonly key: string;
}

/** What is changed with an append. */
type With = Partial<Pick<Together, 'fences' | 'prunes'>> & {
  /** Whom the key hands over to in it. */
  readonly next?: Signer;
};

/**
 * A batch is durable when the database has it, which decides its place among those of other servers. The folder is a copy: of all
 * that the database has up to the last batch that this server knows, byte for byte.
 */
export class SharedStore implements Store {
  readonly #tail: Tail;
  readonly #database: Database;
  readonly #files: Files;
  readonly #folder: string;
  readonly #keyFile: string;
  readonly #catalog: Catalog;
  /** Verifier key of whoever appends. */
  #key: string;
  #tree: Growing;
  /** Each process run begins a segment. */
  #begins = true;
  /** The folder may have more of the last segment than is remembered. */
  #unsure = false;
  /** Sessions of this run whose intent became durable after it was refused. */
  readonly #strays = new Set<string>();
  /** Process runs that were away, and at how many looks in a row. */
  #missing: ReadonlyMap<string, number> = new Map();
  /** Those that appended since the last look: whoever does lives, also if it is away whenever somebody looks. */
  readonly #heard = new Set<string>();

  constructor(tail: Tail, database: Database, catalog: Catalog, { files, folder, key }: Place) {
    this.#tail = tail;
    this.#database = database;
    this.#catalog = catalog;
    this.#files = files;
    this.#folder = folder;
    this.#keyFile = key;
    this.#tree = tail.tiles.growing();
    this.#key = verifierKey(tail.publisher.signer);
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

  async write(batch: readonly Prepared[]): Promise<readonly (EvidenceRecord | null)[]> {
    let admitted: readonly Prepared[] = [];
    const located = await this.#append(() => {
      admitted = this.#tail.admitted(batch);
      return admitted.map((one) => this.#renewed(one));
    });
    return recordsOf(batch, admitted, located);
  }

  /** A run says at its beginning who signs: somebody may have rotated while it waited for that. */
  #renewed(one: Prepared): Prepared {
    const { body } = one;
    return body.type === 'log.opened' && body.key !== this.#key ? prepare({ ...body, key: this.#key }) : one;
  }

  /** Lets another key sign from here on, unless it does already. */
  async rotate(next: Signer): Promise<void> {
    const { log, publisher } = this.#tail;
    const isNext = (): boolean => this.#key === verifierKey(next);
    await this.#append(() => (isNext() ? [] : [prepare(rotation(log, publisher.signer, next))]), { next });
  }

  /** Removes old segments, in the step that says so, unless somebody has. Their leaves stay. */
  async prune({ said, records }: Old): Promise<void> {
    const { publisher } = this.#tail;
    await publisher.publish();
    const range = { from: said.first - records, to: said.first, size: publisher.published?.size ?? 0 };
    // Before the step: until their batches are gone nobody reads them.
    await keepEntries(this.#database, this.#files, this.#folder, range);
    const isDone = (): boolean => this.#tail.pruned >= said.segment;
    await this.#append(() => (isDone() ? [] : [prepare(said)]), { prunes: said.segment });
    await this.#removeOld();
  }

  async #removeOld(): Promise<void> {
    await removeOld(this.#tail, this.#files, this.#folder, this.#tail.pruned);
  }

  /** Appends what is made anew each time that another server was faster. Nothing, if there is nothing any more. */
  async #append(make: () => readonly Prepared[], given: With = {}): Promise<readonly Located[]> {
    const { fences = [], prunes = null, next = null } = given;
    for (let overtaken = 0; overtaken < limits.attemptsMax; overtaken += 1) {
      const inTurn = overtaken >= limits.overtakenMax;
      if (inTurn) await this.#takeTurn();
      const prepared = make();
      if (prepared.length === 0) {
        if (inTurn) await this.#database.leaveTurn();
        return [];
      }
      const signer = next ?? this.#tail.publisher.signer;
      const { batch, located, tree } = this.#batchOf(prepared, signer);
      const together: Together = { fences, ends: this.#ends(prepared), key: verifierKey(signer), prunes };
      if ((await this.#database.append(batch, together, inTurn)) === 'appended') {
        this.#tail.publisher.next = next;
        await this.#keep(batch, { located, grown: tree, key: verifierKey(signer) });
        this.#begins = false;
        return located;
      }
      await this.pull();
    }
    throw new EvidenceUnavailable('the database of the evidence loses its connection with each append');
  }

  async #takeTurn(): Promise<void> {
    try {
      await this.#database.takeTurn();
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

  #batchOf(prepared: readonly Prepared[], signer: Signer) {
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
      checkpoint: signCheckpoint(head, [signer]),
    };
    return { batch, located, tree };
  }

  /** Takes what other servers have appended. */
  async pull(): Promise<void> {
    for (;;) {
      const { seq, current } = this.#tail;
      const place = { segment: current?.number ?? 0, start: current?.length ?? 0 };
      const { batches, position } = await this.#database.after(place);
      if (position < seq) {
        throw new EvidenceUnavailable(
          `evidence_damaged: the database has ${position} records and this server ${seq}: it lost what it had taken`,
          true,
        );
      }
      if ((batches[0]?.first ?? seq) > seq) {
        await this.#leap();
        // Nothing leads there: what was fetched is refused below.
        if (this.#tail.seq > seq) continue;
      }
      for (const batch of batches) {
        const checked = check(batch, this.#tail, this.#tree, this.#key);
        if (checked.key !== this.#key) await this.#prepareFor(checked.key);
        await this.#keep(batch, checked);
        this.#heard.add(batch.boot);
        for (const { record } of checked.located) {
          // Whoever asked for it was refused: what became durable by `write` does not come this way.
          if (record.type === 'session.intent' && record.boot === this.#tail.boot) this.#strays.add(record.session);
        }
      }
      if (this.#tail.seq >= position) {
        if (await this.#signs()) break;
      } else if (batches.length === 0) {
        throw new EvidenceUnavailable(`evidence_damaged: the database lacks record ${this.#tail.seq}`, true);
      }
    }
    await this.#removeOld();
  }

  /** Whether the log is this server's to sign: not where its key has handed over to one that comes after what is fetched. */
  async #signs(): Promise<boolean> {
    const { publisher } = this.#tail;
    if (!publisher.withholds) return true;
    await this.#prepareFor(this.#key);
    publisher.handOver();
    return !publisher.withholds;
  }

  /** Where the next records are gone for their age, before this server had them, goes on after them. */
  async #leap(): Promise<void> {
    const tail = this.#tail;
    const place = { database: this.#database, files: this.#files, folder: this.#folder };
    const leap = await leapOf(place, tail, this.#tree);
    if (leap === null) return;
    const { header, entries, grown } = leap;
    const hands = header.key !== this.#key;
    if (hands) await this.#prepareFor(header.key);
    const { current } = tail;
    if (current !== null) {
      await current.file.sync();
      await this.#catalog.save(current.number, current.index);
      await current.file.close();
    }
    tail.leap(header, entries);
    this.#tree = grown;
    if (!hands) return;
    tail.publisher.handOver();
    await this.#handOver(header.key);
  }

  /**
   * Who signs after a rotation. A key that has handed over since need not be here: nothing is signed until that comes. Else this
   * server takes nothing of what came with the key until it has it.
   */
  async #prepareFor(key: string): Promise<void> {
    const { log, seq, publisher } = this.#tail;
    const origin = originOf(log);
    const found = await findSigner(this.#keyFile, origin, key);
    if (found !== null) {
      publisher.next = found.signer;
      return;
    }
    const last = (await this.#database.head())?.key ?? key;
    if (last === key || (await findSigner(this.#keyFile, origin, last)) === null) {
      throw new EvidenceUnavailable(
        `evidence_key_unknown: the log is signed by another key from record ${seq} on, which is in neither \`${this.#keyFile}\` nor \`${this.#keyFile}.next\`: put it there`,
      );
    }
    publisher.withhold();
  }

  /** Writes a batch into the folder. It is durable: the disk need not have it before its segment is closed. */
  async #keep(batch: Batch, { located, grown, key }: Checked): Promise<void> {
    this.#unsure = true;
    const segment = batch.start === 0 ? await this.#beginSegment(batch.segment) : (this.#tail.current as Segment);
    await segment.file.append(batch.bytes);
    this.#unsure = false;
    if (batch.start === 0) {
      this.#tail.segments.push(segment.number);
      this.#tail.current = segment;
    }
    this.#tail.remember(segment, located, batch.start + batch.bytes.length);
    this.#tree = grown;
    if (key !== this.#key) await this.#handOver(key);
  }

  /** The new key takes the old one's place in this server's file, if it waited beside it. */
  async #handOver(key: string): Promise<void> {
    this.#key = key;
    const found = await findSigner(this.#keyFile, originOf(this.#tail.log), key).catch(() => null);
    // What fails here is done at the next start.
    if (found?.waits === true) await takeNext(this.#keyFile, found.signer).catch(() => undefined);
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
    const before = (boot: string): number => (this.#heard.has(boot) ? 0 : (this.#missing.get(boot) ?? 0));
    const seen = new Map(missing.map((boot) => [boot, before(boot) + 1]));
    this.#missing = seen;
    this.#heard.clear();
    const away = missing.filter((boot) => (seen.get(boot) ?? 0) >= limits.missedLooksMax);
    const lost = away.length === 0 ? [] : await this.#database.takeLost(away);
    if (lost.length === 0) return;
    try {
      await this.#append(() => lost.flatMap((server) => this.#lossOf(server)), { fences: lost });
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
