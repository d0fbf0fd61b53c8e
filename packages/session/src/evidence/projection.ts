import type { EvidenceLog, EvidenceRecord, SessionEvidence } from '@ambit/evidence';
import { limits } from '../limits.ts';
import { grantRows, refusalRows, sessionRows, settingRows, type TableRow } from './rows.ts';

type Of<Type> = Extract<EvidenceRecord, { readonly type: Type }>;

/** Grants and boundaries that a segment's rows have told already. */
export interface Told {
  readonly grants: Set<string>;
  readonly boundaries: Set<string>;
}

export function nothingTold(): Told {
  return { grants: new Set(), boundaries: new Set() };
}

/**
 * Records in their order to rows. A session has its rows when it has ended. What one needs of earlier records is
 * remembered as far as there is room, and else looked up in the log.
 */
export class Projection {
  readonly #log: Pick<EvidenceLog, 'session'>;
  readonly #intents = new Kept<Of<'session.intent'>>(limits.intentsKeptMax);
  readonly #grants = new Kept<Of<'grant.issued'>>(limits.grantsKeptMax);
  readonly #boundaries = new Kept<Of<'boundary.loaded'>>(limits.boundariesKeptMax);

  constructor(log: Pick<EvidenceLog, 'session'>) {
    this.#log = log;
  }

  async rows(record: EvidenceRecord, told: Told): Promise<readonly TableRow[]> {
    switch (record.type) {
      case 'session.intent':
        this.#intents.keep(record.session, record);
        return [];
      case 'grant.issued':
        this.#grants.keep(record.digest, record);
        return [];
      case 'boundary.loaded':
        this.#boundaries.keep(record.fingerprint, record);
        return [];
      case 'request.refused':
        return refusalRows(record);
      case 'session.outcome':
        return this.#ended(record, told);
      default:
        return [];
    }
  }

  async #ended(outcome: Of<'session.outcome'>, told: Told): Promise<readonly TableRow[]> {
    const evidence = this.#remembered(outcome) ?? (await this.#log.session(outcome.session));
    this.#intents.forget(outcome.session);
    // Its intent went with a segment that was removed: there is nobody whose row it could be.
    if (evidence === null) return [];
    const { grant, fingerprint } = evidence.intent;
    const rows = [...sessionRows({ ...evidence, outcome })];
    if (!told.grants.has(grant)) rows.push(...grantRows({ ...evidence, outcome }));
    if (!told.boundaries.has(fingerprint)) rows.push(...settingRows({ ...evidence, outcome }));
    told.grants.add(grant);
    told.boundaries.add(fingerprint);
    return rows;
  }

  #remembered(outcome: Of<'session.outcome'>): SessionEvidence | null {
    const intent = this.#intents.get(outcome.session);
    if (intent === undefined) return null;
    const grant = this.#grants.get(intent.grant);
    const boundary = this.#boundaries.get(intent.fingerprint);
    return grant === undefined || boundary === undefined ? null : { intent, outcome, grant, boundary };
  }
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
