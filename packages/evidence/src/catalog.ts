import { join } from 'node:path';
import type { Files } from './files.ts';
import type { EvidenceRecord } from './record.ts';
import { decodeLine, decodeSegment, type Located, segmentName } from './segment.ts';

/** Where records lie in one segment. Rebuildable from it. */
export interface SegmentIndex {
  /** By session: `[offset, length]` of the intent and of the outcome. */
  readonly intents: Record<string, readonly [number, number]>;
  readonly outcomes: Record<string, readonly [number, number]>;
  /** By fingerprint or digest. */
  readonly documents: Record<string, readonly [number, number]>;
}

export function emptyIndex(): SegmentIndex {
  // Without a prototype: an id such as `constructor` must find nothing.
  const none = <V>(): Record<string, V> => Object.create(null) as Record<string, V>;
  return { intents: none(), outcomes: none(), documents: none() };
}

/** Adds a record to the index of its segment. */
export function indexRecord(index: SegmentIndex, { record, offset, length }: Omit<Located, 'digest'>): void {
  const place = [offset, length] as const;
  if (record.type === 'session.intent') index.intents[record.session] = place;
  else if (record.type === 'session.outcome') index.outcomes[record.session] = place;
  else if (record.type === 'grant.issued' || record.type === 'credential.issued')
    index.documents[record.digest] = place;
  else if (record.type === 'boundary.loaded') index.documents[record.fingerprint] = place;
  else if (record.type === 'review.applied') {
    index.documents[record.digest] = place;
    if (record.root !== null) index.documents[reviewOf(record.product, record.environment)] = place;
  } else if (record.type === 'evidence.pruned') {
    for (const { product, environment } of record.roots ?? []) index.documents[reviewOf(product, environment)] = place;
  }
}

const REVIEW_OF = 'review of ';

/** What the last record is found by that says where the reviews of a product begin. */
export function reviewOf(product: string, environment: string): string {
  return `${REVIEW_OF}${product} in ${environment}`;
}

/** Where the records of a segment are that say where the reviews of products begin. */
export function reviewsIn({ documents }: SegmentIndex): readonly (readonly [number, number])[] {
  return Object.entries(documents)
    .filter(([key]) => key.startsWith(REVIEW_OF))
    .map(([, place]) => place)
    .toSorted(([a], [b]) => a - b);
}

export function buildIndex(records: readonly Located[]): SegmentIndex {
  const index = emptyIndex();
  for (const located of records) indexRecord(index, located);
  return index;
}

/** Indexes of all segments. Those of closed segments lie beside them; the last ones asked for are kept. */
export class Catalog {
  readonly #files: Files;
  readonly #folder: string;
  readonly #kept = new Map<number, SegmentIndex>();

  constructor(files: Files, folder: string) {
    this.#files = files;
    this.#folder = folder;
  }

  async save(segment: number, index: SegmentIndex): Promise<void> {
    await this.#files.replace(this.#path(segment), Buffer.from(JSON.stringify(index)));
  }

  async load(segment: number): Promise<SegmentIndex> {
    const kept = this.#kept.get(segment);
    if (kept !== undefined) return kept;
    const index = await this.#read(segment);
    this.#kept.set(segment, index);
    const oldest = this.#kept.keys().next().value;
    if (this.#kept.size > INDEXES_KEPT_MAX && oldest !== undefined) this.#kept.delete(oldest);
    return index;
  }

  async #read(segment: number): Promise<SegmentIndex> {
    try {
      const read = JSON.parse((await this.#files.read(this.#path(segment))).toString('utf8')) as SegmentIndex;
      const index = emptyIndex();
      Object.assign(index.intents, read.intents);
      Object.assign(index.outcomes, read.outcomes);
      Object.assign(index.documents, read.documents);
      return index;
    } catch {
      const bytes = await this.#files.read(join(this.#folder, segmentName(segment)));
      const index = buildIndex(decodeSegment(bytes).records);
      await this.save(segment, index).catch(() => undefined);
      return index;
    }
  }

  /** The record at a place, verified. */
  async record(segment: number, [offset, length]: readonly [number, number]): Promise<EvidenceRecord> {
    const line = await this.#files.readAt(join(this.#folder, segmentName(segment)), offset, length);
    const located = decodeLine(line, offset);
    if (typeof located === 'string') throw new Error(`segment ${segment} at byte ${offset}: ${located}`);
    return located.record;
  }

  #path(segment: number): string {
    return join(this.#folder, `${segmentName(segment)}.index`);
  }
}

const INDEXES_KEPT_MAX = 16;
