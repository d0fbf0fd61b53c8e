import { Catalog } from './catalog.ts';
import { disk, type Files } from './files.ts';
import { limits } from './limits.ts';
import { lockFolder } from './lock.ts';
import type {
  BoundaryLoaded,
  EvidenceRecord,
  GrantIssued,
  Json,
  RecordBody,
  RecordEnvelope,
  SessionIntent,
  SessionOutcome,
} from './record.ts';
import { recover } from './recovery.ts';
import { Writer } from './writer.ts';

type Of<Body> = RecordEnvelope & Body;

/** Everything that one session left. */
export interface SessionEvidence {
  readonly intent: Of<SessionIntent>;
  /** Null while it runs. */
  readonly outcome: Of<SessionOutcome> | null;
  readonly grant: Of<GrantIssued> | null;
  readonly boundary: Of<BoundaryLoaded> | null;
}

export interface SessionFilter {
  readonly product?: string;
  readonly tenant?: string;
  readonly principal?: string;
  readonly kind?: string;
}

/** The append-only log. */
export interface EvidenceLog {
  /** Resolves when the record is durable. Rejects with `EvidenceUnavailable`. */
  append(body: RecordBody): Promise<EvidenceRecord>;
  /** Writes a boundary once a boot, before the first intent that names it. */
  ensureBoundary(boundary: Omit<BoundaryLoaded, 'type'>): Promise<void>;
  /** Writes a grant once a boot, before the first intent that names it. */
  ensureGrant(digest: string, grant: Json): Promise<void>;
  /** Null: it can be written. */
  failure(): string | null;
  session(id: string): Promise<SessionEvidence | null>;
  /** The newest first. */
  sessions(filter: SessionFilter, limit: number): Promise<readonly SessionEvidence[]>;
  close(): Promise<void>;
}

/** Opens the log of a folder for this process alone, and closes what a process before it left open. */
export async function openLog(options: {
  readonly folder: string;
  /** Version of Ambit. */
  readonly ambit: string;
  readonly files?: Files;
}): Promise<EvidenceLog> {
  const { folder, ambit, files = disk } = options;
  await files.ensureFolder(folder);
  const unlock = await lockFolder(folder);
  try {
    return await openLocked(folder, ambit, files, unlock);
  } catch (error) {
    await unlock();
    throw error;
  }
}

async function openLocked(
  folder: string,
  ambit: string,
  files: Files,
  unlock: () => Promise<void>,
): Promise<EvidenceLog> {
  const recovered = await recover(files, folder);
  const catalog = new Catalog(files, folder);
  const writer = new Writer(files, folder, catalog, recovered);
  const { records, tornBytes } = recovered;
  await writer.append({ type: 'log.opened', log: writer.log, ambit, recovered: { records, tornBytes } });
  await Promise.all([...recovered.open].map(([session, intent]) => writer.append(orphaned(session, intent))));
  const probe = setInterval(() => void writer.probe(), limits.healDelayMs);
  probe.unref();
  const documents = new Map<string, Promise<unknown>>();
  const once = async (key: string, body: RecordBody): Promise<void> => {
    const known = documents.get(key);
    const writing = known ?? writer.append(body);
    documents.set(key, writing);
    await writing.catch((error: unknown) => {
      documents.delete(key);
      throw error;
    });
  };
  return {
    append: (body) => writer.append(body),
    ensureBoundary: (boundary) => once(boundary.fingerprint, { type: 'boundary.loaded', ...boundary }),
    ensureGrant: (digest, grant) => once(digest, { type: 'grant.issued', digest, grant }),
    failure: () => writer.failure,
    session: (id) => findSession(writer, catalog, id),
    sessions: (filter, limit) => listSessions(writer, catalog, filter, limit),
    close: async () => {
      clearInterval(probe);
      await writer.close();
      await unlock();
    },
  };
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
  const [outcome, grant, boundary] = await Promise.all([
    running ? null : find<Of<SessionOutcome>>(writer, catalog, 'outcomes', intent.session),
    find<Of<GrantIssued>>(writer, catalog, 'documents', intent.grant),
    find<Of<BoundaryLoaded>>(writer, catalog, 'documents', intent.fingerprint),
  ]);
  return { intent, outcome, grant, boundary };
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
