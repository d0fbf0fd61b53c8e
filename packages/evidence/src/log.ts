import { randomUUID } from 'node:crypto';
import { canonical, sha256 } from './canonical.ts';
import { Catalog } from './catalog.ts';
import { originOf } from './checkpoint.ts';
import { entryOf } from './entry.ts';
import { EvidenceShared, EvidenceUnavailable } from './errors.ts';
import { disk, type Files } from './files.ts';
import { FolderStore } from './folder-store.ts';
import { limits } from './limits.ts';
import { lockFolder } from './lock.ts';
import { consistencyProof } from './merkle.ts';
import { type Signer, verifierKey } from './note.ts';
import { orphaned } from './prepared.ts';
import { Publisher } from './publisher.ts';
import { issueReceipt, type Receipt } from './receipt.ts';
import type { BoundaryLoaded, EvidenceRecord, Json, LogOpened, RecordBody } from './record.ts';
import { type Recovered, recover } from './recovery.ts';
import { prune } from './retention.ts';
import { findSession, listSessions, type SessionEvidence, type SessionFilter } from './sessions.ts';
import { Database } from './shared/database.ts';
import { expectProven, joinLog } from './shared/join.ts';
import type { DatabaseOptions } from './shared/options.ts';
import { SharedStore } from './shared/store.ts';
import { loadSigner, makeNext, rotation, takeNext } from './signer.ts';
import { Tail } from './tail.ts';
import { Writer } from './writer.ts';

/** The append-only log. */
export interface EvidenceLog {
  /** This process run: `boot` of its records. */
  readonly boot: string;
  /** Verifier key of its checkpoints, as `name+id+key`. */
  readonly key: string;
  /** Resolves when the record is durable. Rejects with `EvidenceUnavailable`. */
  append(body: RecordBody): Promise<EvidenceRecord>;
  /** Writes a boundary once a segment, before the first intent that names it. */
  ensureBoundary(boundary: Omit<BoundaryLoaded, 'type'>): Promise<void>;
  /** Writes a grant once a segment, before the first intent that names it. */
  ensureGrant(digest: string, grant: Json): Promise<void>;
  /** Records that this process knows to be durable, whoever wrote them. */
  records(): number;
  /** Null: it can be written. */
  failure(): string | null;
  session(id: string): Promise<SessionEvidence | null>;
  /** The newest first. */
  sessions(filter: SessionFilter, limit: number): Promise<readonly SessionEvidence[]>;
  /** The head of the log, as a signed note. */
  checkpoint(): string;
  /** What proves that a session's records are in the log; null for a session that is not there. */
  receipt(session: string): Promise<Receipt | null>;
  /** What proves that the log as it is now begins with the one that had `size` records; null if it never had so many. */
  consistency(size: number): Promise<ConsistencyProof | null>;
  /**
   * Removes the segments all of whose records are older, but for the last such, and returns how many records went. Their tree
   * stays, and a record says that they were there.
   */
  prune(before: Date): Promise<number>;
  /** Lets a new key sign from here on, and returns its verifier key. The old one is not kept. */
  rotateKey(): Promise<string>;
  close(): Promise<void>;
}

/** Proof that a log only grew. */
export interface ConsistencyProof {
  /** The head now, as a signed note. */
  readonly checkpoint: string;
  /** Hashes in base64, as RFC 9162 orders them. */
  readonly proof: readonly string[];
}

interface LogOptions {
  readonly folder: string;
  /** Version of Ambit. */
  readonly ambit: string;
  /** File of the private key that signs checkpoints, outside of the folder: made for a new log. Without it `FOLDER.key`. */
  readonly key?: string;
  /** The database that servers share the log in: the folder is this one's copy. Without it the folder is the log. */
  readonly shared?: DatabaseOptions;
  readonly files?: Files;
}

/**
 * Opens the log of a folder for this process alone, and closes what a process before it left open. Throws `EvidenceLocked`,
 * `EvidenceDamaged`, `EvidenceKeyUnknown` or `EvidenceUnavailable`.
 */
export async function openLog(options: LogOptions): Promise<EvidenceLog> {
  const { folder, files = disk } = options;
  await files.ensureFolder(folder);
  const unlock = await lockFolder(folder);
  try {
    return await openLocked(options, files, unlock);
  } catch (error) {
    await unlock();
    throw error;
  }
}

async function openLocked(options: LogOptions, files: Files, unlock: () => Promise<void>): Promise<EvidenceLog> {
  if (options.shared === undefined) return serve(await openFolder(options, files), options, unlock);
  let news = (): void => {};
  const database = new Database(options.shared, randomUUID(), () => news());
  try {
    const opened = await openShared(options, files, database);
    const log = await serve(opened, options, unlock).catch(async (error: unknown) => {
      await opened.tail.current?.file.close();
      throw error;
    });
    news = () => void opened.fresh().catch(() => undefined);
    return log;
  } catch (error) {
    await database.close();
    throw error;
  }
}

/** A log that is about to be served. */
interface Opened {
  readonly tail: Tail;
  readonly writer: Writer;
  readonly catalog: Catalog;
  readonly recovered: Recovered;
  readonly signer: Signer;
  /** Closes what processes before this one left open. */
  closeLeft(): Promise<void>;
  /** Resolves when this process knows what others have appended. */
  fresh(): Promise<void>;
  /** What is to be done now and then. */
  look(): Promise<void>;
}

async function openFolder({ folder, key = `${folder}.key` }: LogOptions, files: Files): Promise<Opened> {
  const recovered = await recover(files, folder);
  const log = recovered.log ?? randomUUID();
  const signer = await loadSigner(key, originOf(log), recovered.key);
  const catalog = new Catalog(files, folder);
  const tail = new Tail(
    randomUUID(),
    log,
    recovered,
    new Publisher(files, folder, recovered.tiles, originOf(log), signer),
  );
  const writer = new Writer(tail, new FolderStore(tail, catalog, files, folder));
  const message = 'the control plane ended before the session did';
  const left = [...recovered.open].map(([session, intent]) => orphaned(session, intent, message));
  return {
    tail,
    writer,
    catalog,
    recovered,
    signer,
    closeLeft: async () => void (await Promise.all(left.map((outcome) => writer.append(outcome)))),
    fresh: async () => {},
    look: async () => {},
  };
}

async function openShared(
  { folder, key = `${folder}.key` }: LogOptions,
  files: Files,
  database: Database,
): Promise<Opened> {
  const joined = await joinLog(database, files, folder, key);
  const { log } = joined;
  const recovered = await recover(files, folder);
  expectProven(joined, recovered);
  const signer = await loadSigner(key, originOf(log), joined.key);
  const catalog = new Catalog(files, folder);
  const tail = new Tail(
    database.boot,
    log,
    recovered,
    new Publisher(files, folder, recovered.tiles, originOf(log), signer),
  );
  const store = new SharedStore(tail, database, catalog, files, folder);
  await database.serve(log);
  await store.resume();
  const writer = new Writer(tail, store);
  let asked: Promise<void> | null = null;
  return {
    tail,
    writer,
    catalog,
    recovered,
    signer,
    // Others may have left them, and may come back.
    closeLeft: async () => {},
    // Whoever asks before the database is asked shares its answer.
    fresh: () => {
      asked ??= writer
        .between(() => {
          asked = null;
          return store.pull();
        })
        .finally(() => {
          asked = null;
        });
      return asked;
    },
    look: () => writer.between(() => store.look()),
  };
}

async function serve(opened: Opened, options: LogOptions, unlock: () => Promise<void>): Promise<EvidenceLog> {
  const { tail, writer, catalog } = opened;
  const { publisher } = tail;
  const { folder, key = `${folder}.key`, files = disk } = options;
  await settled(publisher);
  await writer.append(openedRecord(opened, options.ambit));
  await opened.closeLeft();
  // An end of the log that no checkpoint tells would be nobody's to miss.
  await publisher.publish().catch(() => undefined);
  const timers = timersOf(opened, options.shared !== undefined);
  const once = onceEach(writer, tail);
  /** What can be told without the database is told, if it is away. */
  const known = (): Promise<void> => opened.fresh().catch(() => undefined);
  const alone = (what: string): void => {
    if (options.shared === undefined) return;
    throw new EvidenceShared(`${what} is not done on a log that servers share: each has a copy of it`);
  };
  return {
    boot: tail.boot,
    get key() {
      return verifierKey(publisher.signer);
    },
    append: (body) => writer.append(body),
    ensureBoundary: (boundary) => once(boundary.fingerprint, { type: 'boundary.loaded', ...boundary }),
    ensureGrant: (digest, grant) => once(digest, { type: 'grant.issued', digest, grant }),
    records: () => tail.seq,
    failure: () => writer.failure,
    session: (id) => known().then(() => findSession(tail, catalog, id)),
    sessions: (filter, limit) => known().then(() => listSessions(tail, catalog, filter, limit)),
    checkpoint: () => publisher.head().note,
    receipt: (session) => known().then(() => receiptOf(tail, catalog, publisher, session)),
    consistency: (size) => known().then(() => grownSince(publisher, size)),
    prune: async (before) => {
      alone('removing old segments');
      return prune(tail, writer, files, folder, before);
    },
    rotateKey: async () => {
      alone('rotating the key');
      publisher.next = await makeNext(key, publisher.signer);
      await writer.append(rotation(tail.log, publisher.signer, publisher.next));
      await takeNext(key);
      return verifierKey(publisher.signer);
    },
    close: async () => {
      for (const timer of timers) clearInterval(timer);
      await writer.append({ type: 'log.closed' }).catch(() => undefined);
      await writer.close();
      await unlock();
    },
  };
}

function timersOf({ writer, tail, ...opened }: Opened, shared: boolean): readonly NodeJS.Timeout[] {
  const timers = [
    setInterval(() => void writer.probe(), limits.healDelayMs),
    // What fails is tried again, and at some point no record is taken: see `limits.unpublishedTilesMax`.
    setInterval(() => void tail.publisher.publish().catch(() => undefined), limits.publishDelayMs),
    ...(shared ? [setInterval(() => void opened.look().catch(() => undefined), limits.lookDelayMs)] : []),
  ];
  for (const timer of timers) timer.unref();
  return timers;
}

/** The tree of the segments that were read, durable before another is written: the next start may not read them again. */
async function settled(publisher: Publisher): Promise<void> {
  try {
    await publisher.publish();
    await publisher.settle();
  } catch (error) {
    throw new EvidenceUnavailable(`the tree of the log cannot be written: ${(error as Error).message}`);
  }
}

function openedRecord({ tail, signer, recovered: { records, tornBytes } }: Opened, ambit: string): LogOpened {
  return { type: 'log.opened', log: tail.log, ambit, key: verifierKey(signer), recovered: { records, tornBytes } };
}

/** Writes a document once a segment, however often it is asked for: when older ones are removed, it is still there. */
function onceEach(writer: Writer, { segments }: Tail): (key: string, body: RecordBody) => Promise<void> {
  const documents = new Map<string, Promise<unknown>>();
  let segment = segments.at(-1);
  return async (key, body) => {
    if (segment !== segments.at(-1)) {
      segment = segments.at(-1);
      documents.clear();
    }
    const known = documents.get(key);
    const writing = known ?? writer.append(body);
    documents.set(key, writing);
    await writing.catch((error: unknown) => {
      documents.delete(key);
      throw error;
    });
  };
}

async function receiptOf(tail: Tail, catalog: Catalog, publisher: Publisher, session: string): Promise<Receipt | null> {
  const found = await findSession(tail, catalog, session);
  if (found === null) return null;
  const leaves = [found.intent, found.outcome]
    .filter((record) => record !== null)
    .map((record) => ({ index: record.seq, entry: entryOf(record, sha256(canonical(record as unknown as Json))) }));
  const { size, note } = publisher.head();
  return issueReceipt(session, leaves, { size, note, key: verifierKey(publisher.signer) }, publisher.node);
}

async function grownSince(publisher: Publisher, size: number): Promise<ConsistencyProof | null> {
  const head = publisher.head();
  if (!Number.isSafeInteger(size) || size < 0 || size > head.size) return null;
  const proof = await consistencyProof(size, head.size, publisher.node);
  return { checkpoint: head.note, proof: proof.map((hash) => hash.toString('base64')) };
}
