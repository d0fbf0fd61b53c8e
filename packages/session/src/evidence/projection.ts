import type { Boundary } from '@ambit/contract';
import { type EvidenceLog, type EvidenceRecord, type SessionEvidence, sha256 } from '@ambit/evidence';
import type { Grant } from '@ambit/policy';
import { limits } from '../limits.ts';
import {
  type DocumentRows,
  grantRows,
  qualityRows,
  refusalRows,
  reviewRows,
  sessionRows,
  settingsOf,
  type TableRow,
} from './rows.ts';

type Of<Type> = Extract<EvidenceRecord, { readonly type: Type }>;

/** What a record is in the tables. */
export interface Derived {
  readonly rows: readonly TableRow[];
  /** Grants, boundaries and reviews that the rows speak of. */
  readonly documents: readonly Derivable[];
}

/** A grant, a boundary or a review, whose rows are made where they are not there yet. */
export interface Derivable {
  /** Name of its files. */
  readonly name: string;
  readonly rows: () => DocumentRows;
}

const nothing: Derived = { rows: [], documents: [] };

/**
 * Records in their order to rows. A session has its rows when it has ended. What one needs of earlier records is
 * remembered as far as there is room, and else looked up in the log.
 */
export class Projection {
  readonly #log: Pick<EvidenceLog, 'session'>;
  readonly #intents = new Kept<Of<'session.intent'>>(limits.intentsKeptMax);
  readonly #grants = new Kept<Of<'grant.issued'>>(limits.grantsKeptMax);
  readonly #boundaries = new Kept<Of<'boundary.loaded'>>(limits.boundariesKeptMax);
  readonly #reviews = new Kept<Of<'review.applied'>>(limits.reviewsKeptMax);

  constructor(log: Pick<EvidenceLog, 'session'>) {
    this.#log = log;
  }

  async derive(record: EvidenceRecord): Promise<Derived> {
    switch (record.type) {
      case 'session.intent':
        this.#intents.keep(record.session, record);
        return nothing;
      case 'grant.issued':
        this.#grants.keep(record.digest, record);
        return nothing;
      case 'boundary.loaded':
        this.#boundaries.keep(record.fingerprint, record);
        return nothing;
      case 'review.applied':
        this.#reviews.keep(record.digest, record);
        return nothing;
      case 'request.refused':
        return { rows: refusalRows(record), documents: [] };
      case 'quality.checked':
        return { rows: qualityRows(record), documents: [] };
      case 'session.outcome':
        return this.#ended(record);
      default:
        return nothing;
    }
  }

  async #ended(outcome: Of<'session.outcome'>): Promise<Derived> {
    const evidence = this.#remembered(outcome) ?? (await this.#log.session(outcome.session));
    this.#intents.forget(outcome.session);
    // Its intent went with a segment that was removed: there is nobody whose row it could be.
    if (evidence === null) return nothing;
    return { rows: sessionRows({ ...evidence, outcome }), documents: documentsOf(evidence) };
  }

  #remembered(outcome: Of<'session.outcome'>): SessionEvidence | null {
    const intent = this.#intents.get(outcome.session);
    if (intent === undefined) return null;
    const grant = this.#grants.get(intent.grant);
    const boundary = this.#boundaries.get(intent.fingerprint);
    const review = intent.review === undefined ? null : this.#reviews.get(intent.review);
    if (grant === undefined || boundary === undefined || review === undefined) return null;
    return { intent, outcome, grant, boundary, review };
  }
}

function documentsOf({ grant: issued, boundary: loaded, review }: SessionEvidence): readonly Derivable[] {
  if (issued === null || loaded === null) return [];
  const boundary = loaded.boundary as unknown as Boundary;
  const grant = issued.grant as unknown as Grant;
  return [
    { name: nameOf('grant', issued.digest), rows: () => grantRows(issued.digest, grant, boundary) },
    {
      name: nameOf('settings', loaded.fingerprint),
      rows: () => ({ settings: settingsOf(boundary, loaded.fingerprint) }),
    },
    ...(review === null
      ? []
      : [{ name: nameOf('review', review.digest), rows: () => ({ reviews: reviewRows(review) }) }]),
  ];
}

/** A digest of a digest: whatever the log says, it is the name of a file. */
function nameOf(kind: string, digest: string): string {
  return `${kind}-${sha256(digest)}`;
}

/** The last so many. */
class Kept<V> {
  readonly #max: number;
  readonly #values = new Map<string, V>();

  constructor(max: number) {
    this.#max = max;
  }

  get(key: string): V | undefined {
    return this.#values.get(key);
  }

  keep(key: string, value: V): void {
    this.#values.delete(key);
    this.#values.set(key, value);
    const oldest = this.#values.keys().next().value;
    if (this.#values.size > this.#max && oldest !== undefined) this.#values.delete(oldest);
  }

  forget(key: string): void {
    this.#values.delete(key);
  }
}
