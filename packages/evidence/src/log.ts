import { randomUUID } from 'node:crypto';
import { canonical, sha256 } from './canonical.ts';
import { Catalog, reviewOf } from './catalog.ts';
import { originOf } from './checkpoint.ts';
import { entryOf } from './entry.ts';
import { EvidenceUnavailable } from './errors.ts';
import { disk, type Files } from './files.ts';
import { limits } from './limits.ts';
import { lockFolder } from './lock.ts';
import { consistencyProof } from './merkle.ts';
import { type Signer, verifierKey } from './note.ts';
import { Publisher } from './publisher.ts';
import { issueReceipt, type Receipt } from './receipt.ts';
import type {
  BoundaryLoaded,
  EvidenceRecord,
  GrantIssued,
  Json,
  LogOpened,
  RecordBody,
  RecordEnvelope,
  ReviewApplied,
  SessionIntent,
  SessionOutcome,
} from './record.ts';
import { type Recovered, recover } from './recovery.ts';
import { prune } from './retention.ts';
import { loadSigner, makeNext, rotation, takeNext } from './signer.ts';
import { Writer } from './writer.ts';

type Of<Body> = RecordEnvelope & Body;

/** Everything that one session left. */
export interface SessionEvidence {
  readonly intent: Of<SessionIntent>;
  /** Null while it runs. */
  readonly outcome: Of<SessionOutcome> | null;
  readonly grant: Of<GrantIssued> | null;
  readonly boundary: Of<BoundaryLoaded> | null;
  /** Because of what the boundary was served; null where nobody had to approve it. */
  readonly review: Of<ReviewApplied> | null;
}

export interface SessionFilter {
  readonly product?: string;
  readonly tenant?: string;
  readonly principal?: string;
  readonly kind?: string;
}

/** The append-only log. */
export interface EvidenceLog {
  /** Verifier key of its checkpoints, as `name+id+key`. */
  readonly key: string;
  /** Resolves when the record is durable. Rejects with `EvidenceUnavailable`. */
  append(body: RecordBody): Promise<EvidenceRecord>;
  /** Writes a boundary once a segment, before the first intent that names it. */
  ensureBoundary(boundary: Omit<BoundaryLoaded, 'type'>): Promise<void>;
  /** Writes a grant once a segment, before the first intent that names it. */
  ensureGrant(digest: string, grant: Json): Promise<void>;
  /** Writes because of what a boundary is served once a segment, before the first intent that names it. */
  ensureReview(review: Omit<ReviewApplied, 'type'>): Promise<void>;
  /** Because of which reviews a product was served last; null if none is remembered. */
  lastReview(product: string, environment: string): Promise<ReviewApplied | null>;
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

async function openLocked(
  { folder, ambit, key = `${folder}.key` }: LogOptions,
  files: Files,
  unlock: () => Promise<void>,
): Promise<EvidenceLog> {
  const recovered = await recover(files, folder);
  const log = recovered.log ?? randomUUID();
  const signer = await loadSigner(key, originOf(log), recovered.key);
  const catalog = new Catalog(files, folder);
  const publisher = new Publisher(files, folder, recovered.tiles, originOf(log), signer);
  const writer = new Writer({ files, folder, catalog, log, recovered, publisher });
  await settled(publisher);
  await writer.append(opened(writer, ambit, signer, recovered));
  await Promise.all([...recovered.open].map(([session, intent]) => writer.append(orphaned(session, intent))));
  // An end of the log that no checkpoint tells would be nobody's to miss.
  await publisher.publish().catch(() => undefined);
  const timers = [
    setInterval(() => void writer.probe(), limits.healDelayMs),
    // What fails is tried again, and at some point no record is taken: see `limits.unpublishedTilesMax`.
    setInterval(() => void publisher.publish().catch(() => undefined), limits.publishDelayMs),
  ];
  for (const timer of timers) timer.unref();
  const once = onceEach(writer);
  return {
    get key() {
      return verifierKey(publisher.signer);
    },
    append: (body) => writer.append(body),
    ensureBoundary: (boundary) => once(boundary.fingerprint, { type: 'boundary.loaded', ...boundary }),
    ensureGrant: (digest, grant) => once(digest, { type: 'grant.issued', digest, grant }),
    ensureReview: (review) => once(review.digest, { type: 'review.applied', ...review }),
    lastReview: (product, environment) =>
      find<Of<ReviewApplied>>(writer, catalog, 'documents', reviewOf(product, environment)),
    failure: () => writer.failure,
    session: (id) => findSession(writer, catalog, id),
    sessions: (filter, limit) => listSessions(writer, catalog, filter, limit),
    checkpoint: () => publisher.head().note,
    receipt: (session) => receiptOf(writer, catalog, publisher, session),
    consistency: (size) => grownSince(publisher, size),
    prune: (before) => prune(writer, files, folder, before),
    rotateKey: async () => {
      publisher.next = await makeNext(key, publisher.signer);
      await writer.append(rotation(log, publisher.signer, publisher.next));
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

/** The tree of the segments that were read, durable before another is written: the next start may not read them again. */
async function settled(publisher: Publisher): Promise<void> {
  try {
    await publisher.publish();
    await publisher.settle();
  } catch (error) {
    throw new EvidenceUnavailable(`the tree of the log cannot be written: ${(error as Error).message}`);
  }
}

function opened({ log }: Writer, ambit: string, signer: Signer, { records, tornBytes }: Recovered): LogOpened {
  return { type: 'log.opened', log, ambit, key: verifierKey(signer), recovered: { records, tornBytes } };
}

/** Writes a document once a segment, however often it is asked for: when older ones are removed, it is still there. */
function onceEach(writer: Writer): (key: string, body: RecordBody) => Promise<void> {
  const documents = new Map<string, Promise<unknown>>();
  let segment = writer.segments.at(-1);
  return async (key, body) => {
    if (segment !== writer.segments.at(-1)) {
      segment = writer.segments.at(-1);
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

async function receiptOf(
  writer: Writer,
  catalog: Catalog,
  publisher: Publisher,
  session: string,
): Promise<Receipt | null> {
  const found = await findSession(writer, catalog, session);
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

function orphaned(session: string, intent: number): SessionOutcome {
  const message = 'the control plane ended before the session did';
  return {
    type: 'session.outcome',
    session,
    intent,
    status: 'orphaned',
    error: { code: 'orphaned', message, detail: null },
    rows: 0,
    bytes: 0,
    engine: null,
    steps: {},
  };
}

type Kind = 'intents' | 'outcomes' | 'documents';

async function find<T extends EvidenceRecord>(
  writer: Writer,
  catalog: Catalog,
  kind: Kind,
  key: string,
): Promise<T | null> {
  for (const segment of writer.segments.toReversed()) {
    const { current } = writer;
    const index = current?.number === segment ? current.index : await catalog.load(segment);
    const place = index[kind][key];
    if (place !== undefined) return (await catalog.record(segment, place)) as T;
  }
  return null;
}

async function findSession(writer: Writer, catalog: Catalog, id: string): Promise<SessionEvidence | null> {
  const intent = await find<Of<SessionIntent>>(writer, catalog, 'intents', id);
  return intent === null ? null : joined(writer, catalog, intent);
}

async function joined(writer: Writer, catalog: Catalog, intent: Of<SessionIntent>): Promise<SessionEvidence> {
  const running = writer.open.has(intent.session);
  const [outcome, grant, boundary, review] = await Promise.all([
    running ? null : find<Of<SessionOutcome>>(writer, catalog, 'outcomes', intent.session),
    find<Of<GrantIssued>>(writer, catalog, 'documents', intent.grant),
    find<Of<BoundaryLoaded>>(writer, catalog, 'documents', intent.fingerprint),
    intent.review === undefined ? null : find<Of<ReviewApplied>>(writer, catalog, 'documents', intent.review),
  ]);
  return { intent, outcome, grant, boundary, review };
}

async function listSessions(
  writer: Writer,
  catalog: Catalog,
  filter: SessionFilter,
  limit: number,
): Promise<readonly SessionEvidence[]> {
  const found: SessionEvidence[] = [];
  for (const segment of writer.segments.toReversed()) {
    const { current } = writer;
    const index = current?.number === segment ? current.index : await catalog.load(segment);
    const places = Object.values(index.intents).toSorted((a, b) => b[0] - a[0]);
    for (const place of places) {
      const intent = (await catalog.record(segment, place)) as Of<SessionIntent>;
      if (!matches(intent, filter)) continue;
      found.push(await joined(writer, catalog, intent));
      if (found.length >= limit) return found;
    }
  }
  return found;
}

function matches(intent: SessionIntent, filter: SessionFilter): boolean {
  const subject = intent.subject as { readonly tenant?: Json; readonly principal?: Json; readonly kind?: Json };
  return (
    (filter.product === undefined || intent.product === filter.product) &&
    (filter.tenant === undefined || subject.tenant === filter.tenant) &&
    (filter.principal === undefined || subject.principal === filter.principal) &&
    (filter.kind === undefined || subject.kind === filter.kind)
  );
}
