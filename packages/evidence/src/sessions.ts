import type { Catalog, SegmentIndex } from './catalog.ts';
import type {
  BoundaryLoaded,
  EvidenceRecord,
  GrantIssued,
  Json,
  RecordEnvelope,
  ReviewApplied,
  SessionIntent,
  SessionOutcome,
} from './record.ts';
import type { Tail } from './tail.ts';

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

type Kind = 'intents' | 'outcomes' | 'documents';

async function find<T extends EvidenceRecord>(
  tail: Tail,
  catalog: Catalog,
  kind: Kind,
  key: string,
): Promise<T | null> {
  for (const segment of tail.segments.toReversed()) {
    const found = await within(tail, segment, async () => {
      const place = (await indexOf(tail, catalog, segment))[kind][key];
      return place === undefined ? null : ((await catalog.record(segment, place)) as T);
    });
    if (found !== null) return found;
  }
  return null;
}

async function indexOf({ current }: Tail, catalog: Catalog, segment: number): Promise<SegmentIndex> {
  return current?.number === segment ? current.index : catalog.load(segment);
}

/** What is found in a segment; null where it was removed for its age meanwhile. */
async function within<T>(tail: Tail, segment: number, look: () => Promise<T>): Promise<T | null> {
  try {
    return await look();
  } catch (error) {
    if (segment <= tail.pruned) return null;
    throw error;
  }
}

/** The newest document of a key; null if there is none. */
export function findDocument<Body>(tail: Tail, catalog: Catalog, key: string): Promise<Of<Body> | null> {
  return find(tail, catalog, 'documents', key) as Promise<Of<Body> | null>;
}

/** What one session left; null if it is not there. */
export async function findSession(tail: Tail, catalog: Catalog, id: string): Promise<SessionEvidence | null> {
  const intent = await find<Of<SessionIntent>>(tail, catalog, 'intents', id);
  return intent === null ? null : joined(tail, catalog, intent);
}

async function joined(tail: Tail, catalog: Catalog, intent: Of<SessionIntent>): Promise<SessionEvidence> {
  const running = tail.open.has(intent.session);
  const [outcome, grant, boundary, review] = await Promise.all([
    running ? null : find<Of<SessionOutcome>>(tail, catalog, 'outcomes', intent.session),
    find<Of<GrantIssued>>(tail, catalog, 'documents', intent.grant),
    find<Of<BoundaryLoaded>>(tail, catalog, 'documents', intent.fingerprint),
    intent.review === undefined ? null : find<Of<ReviewApplied>>(tail, catalog, 'documents', intent.review),
  ]);
  return { intent, outcome, grant, boundary, review };
}

/** Sessions that fit, the newest first. */
export async function listSessions(
  tail: Tail,
  catalog: Catalog,
  filter: SessionFilter,
  limit: number,
): Promise<readonly SessionEvidence[]> {
  const found: SessionEvidence[] = [];
  for (const segment of tail.segments.toReversed()) {
    const index = await within(tail, segment, () => indexOf(tail, catalog, segment));
    const places = Object.values(index?.intents ?? {}).toSorted((a, b) => b[0] - a[0]);
    for (const place of places) {
      const intent = await within(tail, segment, () => catalog.record(segment, place) as Promise<Of<SessionIntent>>);
      if (intent === null || !matches(intent, filter)) continue;
      found.push(await joined(tail, catalog, intent));
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
