import { randomUUID } from 'node:crypto';
import { canonical, sha256 } from './canonical.ts';
import { Cosigning } from './cosigning.ts';
import { entryOf } from './entry.ts';
import { EvidenceUnavailable } from './errors.ts';
import { disk, type Files } from './files.ts';
import { limits } from './limits.ts';
import { lockFolder } from './lock.ts';
import { consistencyProof } from './merkle.ts';
import { verifierKey } from './note.ts';
import { type Opened, openFolder, openShared } from './opening.ts';
import type { Published, Publisher } from './publisher.ts';
import { issueReceipt, type Receipt } from './receipt.ts';
import type {
  BoundaryLoaded,
  CredentialIssued,
  EvidenceRecord,
  Json,
  LogOpened,
  RecordBody,
  ReviewApplied,
} from './record.ts';
import { oldOf } from './retention.ts';
import { rootOf } from './roots.ts';
import { folderSealKeys, type SealKeys } from './seal-keys.ts';
import { findSession, listSessions, type SessionEvidence, type SessionFilter } from './sessions.ts';
import { Database } from './shared/database.ts';
import type { DatabaseOptions } from './shared/options.ts';
import { makeNext } from './signer.ts';
import type { Tail } from './tail.ts';
import type { WitnessAddress } from './witness.ts';
import type { DurableBatch, Writer } from './writer.ts';

/** The append-only log. */
export interface EvidenceLog {
  /** This process run: `boot` of its records. */
  readonly boot: string;
  /** Verifier key of its checkpoints, as `name+id+key`. */
  readonly key: string;
  /** Keys that seal what contracts have sealed. */
  readonly seals: SealKeys;
  /** Resolves when the record is durable. Rejects with `EvidenceUnavailable`. */
  append(body: RecordBody): Promise<EvidenceRecord>;
  /** Writes a boundary once a segment, before the first intent that names it. */
  ensureBoundary(boundary: Omit<BoundaryLoaded, 'type'>): Promise<void>;
  /** Writes a grant once a segment, before the first intent that names it. */
  ensureGrant(digest: string, grant: Json): Promise<void>;
  /** Writes what a credential is once a segment, before the first session that has it. The record, if this wrote it. */
  ensureCredential(credential: Omit<CredentialIssued, 'type'>): Promise<EvidenceRecord | null>;
  /** Records that this process knows to be durable, whoever wrote them. */
  records(): number;
  /**
   * Writes because of what a boundary is served once a segment, before the first intent that names it. The record, if this wrote it.
   * Rejects with `EvidenceContradiction` where the reviews of its product began with another boundary, whichever server says so.
   */
  ensureReview(review: Omit<ReviewApplied, 'type'>): Promise<EvidenceRecord | null>;
  /** The first boundary that was served of a product because of reviews; null if there was none. */
  rootOf(product: string, environment: string): Promise<string | null>;
  /** Null: it can be written. */
  failure(): string | null;
  session(id: string): Promise<SessionEvidence | null>;
  /** The newest first. */
  sessions(filter: SessionFilter, limit: number): Promise<readonly SessionEvidence[]>;
  /** The head of the log, as a signed note: with the cosignatures of witnesses where they have come. */
  checkpoint(): string;
  /** The newest checkpoint that a witness cosigned; null where there is none. */
  cosigned(): string | null;
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
  /** Tells of each batch of records that became durable, from here on. Observers must not throw. */
  onSync(observer: (batch: DurableBatch) => void): void;
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
  /** Keys that seal literals, outside of the folder. Without them those in `FOLDER.seals`. */
  readonly seals?: SealKeys;
  /** The database that servers share the log in: the folder is this one's copy. Without it the folder is the log. */
  readonly shared?: DatabaseOptions;
  readonly files?: Files;
  /** Who is asked to cosign its checkpoints. */
  readonly witnesses?: readonly WitnessAddress[];
  /** Told when a witness does not cosign. What it is told holds nothing that a witness sent. */
  readonly tell?: (message: string) => void;
}

/**
 * Opens the log of a folder for this process alone, and closes what a process before it left open. Throws `EvidenceLocked`,
 * `EvidenceDamaged`, `EvidenceKeyUnknown`, `EvidenceWitnessInvalid` or `EvidenceUnavailable`.
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
  const { folder, key = `${folder}.key`, shared } = options;
  const place = { folder, key, files };
  if (shared === undefined) return serve(await openFolder(place), options, unlock);
  let news = (): void => {};
  const database = new Database(shared, randomUUID(), () => news());
  try {
    const opened = await openShared(place, database);
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

async function serve(opened: Opened, options: LogOptions, unlock: () => Promise<void>): Promise<EvidenceLog> {
  const { tail, writer, catalog } = opened;
  const { publisher } = tail;
  const { folder, key = `${folder}.key`, files = disk, seals = folderSealKeys(`${folder}.seals`) } = options;
  const { witnesses = [], tell = () => {} } = options;
  const cosigning = await Cosigning.open({ files, folder, publisher, witnesses, tell });
  await settled(publisher);
  await writer.append(openedRecord(opened, options.ambit));
  await opened.closeLeft();
  await recordDestroyed(writer, seals);
  // An end of the log that no checkpoint tells would be nobody's to miss.
  await publisher.publish().catch(() => undefined);
  const timers = timersOf(opened, seals, options.shared !== undefined);
  cosigning.begin();
  const once = onceEach(writer, tail);
  /** What can be told without the database is told, if it is away. */
  const known = (): Promise<void> => opened.fresh().catch(() => undefined);
  return {
    boot: tail.boot,
    get key() {
      return verifierKey(publisher.signer);
    },
    seals,
    append: (body) => writer.append(body),
    ensureBoundary: async (boundary) =>
      void (await once(boundary.fingerprint, { type: 'boundary.loaded', ...boundary })),
    ensureGrant: async (digest, grant) => void (await once(digest, { type: 'grant.issued', digest, grant })),
    ensureCredential: (credential) => once(credential.digest, { type: 'credential.issued', ...credential }),
    ensureReview: (review) =>
      once(review.digest, { type: 'review.applied', ...review }, () =>
        rootOf(tail, catalog, review.product, review.environment),
      ),
    rootOf: (product, environment) => known().then(() => rootOf(tail, catalog, product, environment)),
    records: () => tail.seq,
    failure: () => writer.failure,
    session: (id) => known().then(() => findSession(tail, catalog, id)),
    sessions: (filter, limit) => known().then(() => listSessions(tail, catalog, filter, limit)),
    checkpoint: () => headOf(publisher, cosigning).note,
    cosigned: () => cosigning.newest()?.note ?? null,
    receipt: (session) => known().then(() => receiptOf(opened, cosigning, session)),
    consistency: (size) => known().then(() => grownSince(publisher, size)),
    prune: async (before) => {
      let removed = 0;
      for (;;) {
        const old = await oldOf(tail, catalog, files, folder, { before, segmentsMax: opened.prunesMax });
        if (old === null) return removed;
        await opened.prune(old);
        removed += old.records;
      }
    },
    rotateKey: async () => {
      await opened.rotate(await makeNext(key, publisher.signer));
      return verifierKey(publisher.signer);
    },
    onSync: (observer) => void writer.observers.push(observer),
    close: async () => {
      for (const timer of timers) clearInterval(timer);
      await writer.append({ type: 'log.closed' }).catch(() => undefined);
      await writer.close();
      await cosigning.close();
      await unlock();
    },
  };
}

function timersOf({ writer, tail, ...opened }: Opened, seals: SealKeys, shared: boolean): readonly NodeJS.Timeout[] {
  const timers = [
    setInterval(() => void writer.probe(), limits.healDelayMs),
    oneAtATime(limits.sealsIntervalMs, () => recordDestroyed(writer, seals)),
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
    // What is left of before needs nobody any more, now that what replaces it is durable.
    await publisher.sweep();
  } catch (error) {
    throw new EvidenceUnavailable(`the tree of the log cannot be written: ${(error as Error).message}`);
  }
}

function openedRecord({ tail, signer, recovered: { records, tornBytes } }: Opened, ambit: string): LogOpened {
  return { type: 'log.opened', log: tail.log, ambit, key: verifierKey(signer), recovered: { records, tornBytes } };
}

/** Says in the log which keys were destroyed, whoever did it. One that is said twice was destroyed once. */
async function recordDestroyed(writer: Writer, seals: SealKeys): Promise<void> {
  for (const { destroyed } of await seals.list()) {
    if (destroyed === null || destroyed.recorded) continue;
    const { id, period, at } = destroyed;
    await writer.append({ type: 'seal.destroyed', key: id, period, destroyed: at });
    await seals.recorded(id);
  }
}

/** Works again and again. What fails is tried again. */
function oneAtATime(ms: number, work: () => Promise<void>): NodeJS.Timeout {
  let working = false;
  return setInterval(() => {
    if (working) return;
    working = true;
    work()
      .catch(() => undefined)
      .finally(() => {
        working = false;
      });
  }, ms);
}

/**
 * Writes a document once a segment, however often it is asked for: when older ones are removed, it is still there. Gives the
 * record to whoever asked first, and null to all others.
 */
function onceEach(
  writer: Writer,
  { segments }: Tail,
): (key: string, body: RecordBody, before?: () => Promise<unknown>) => Promise<EvidenceRecord | null> {
  /** Null: it is there. */
  const documents = new Map<string, Promise<EvidenceRecord> | null>();
  let segment = segments.at(-1);
  return async (key, body, before) => {
    if (segment !== segments.at(-1)) {
      segment = segments.at(-1);
      documents.clear();
    }
    const known = documents.get(key);
    if (known === null) return null;
    const append = (): Promise<EvidenceRecord> => writer.append(body);
    const writing = known ?? (before === undefined ? append() : before().then(append));
    documents.set(key, writing);
    const record = await writing.catch((error: unknown) => {
      documents.delete(key);
      throw error;
    });
    if (documents.get(key) === writing) documents.set(key, null);
    return known === undefined ? record : null;
  };
}

function headOf(publisher: Publisher, cosigning: Cosigning): Published {
  const head = publisher.head();
  const cosigned = cosigning.newest();
  return cosigned?.size === head.size ? cosigned : head;
}

async function receiptOf({ tail, catalog }: Opened, cosigning: Cosigning, session: string): Promise<Receipt | null> {
  const { publisher } = tail;
  const found = await findSession(tail, catalog, session);
  if (found === null) return null;
  const leaves = [found.intent, found.outcome]
    .filter((record) => record !== null)
    .map((record) => ({ index: record.seq, entry: entryOf(record, sha256(canonical(record as unknown as Json))) }));
  const cosigned = cosigning.newest();
  // What others saw too says more than what is newer, where it covers the records.
  const covers = cosigned !== null && leaves.every(({ index }) => index < cosigned.size);
  const { size, note } = covers ? cosigned : publisher.head();
  if (leaves.some(({ index }) => index >= size)) {
    throw new EvidenceUnavailable('this server has not the key that signs the log as it is now');
  }
  return issueReceipt(session, leaves, { size, note, key: verifierKey(publisher.signer) }, publisher.node);
}

async function grownSince(publisher: Publisher, size: number): Promise<ConsistencyProof | null> {
  const head = publisher.head();
  if (!Number.isSafeInteger(size) || size < 0 || size > head.size) return null;
  const proof = await consistencyProof(size, head.size, publisher.node);
  return { checkpoint: head.note, proof: proof.map((hash) => hash.toString('base64')) };
}
