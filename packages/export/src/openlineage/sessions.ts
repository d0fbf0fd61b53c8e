import type { BoundaryLoaded, EvidenceLog, EvidenceRecord, RecordEnvelope, SessionIntent } from '@ambit/evidence';
import { limits } from '../limits.ts';
import { type BoundaryFacts, ended, type RunEvent, started } from './event.ts';

type Intent = RecordEnvelope & SessionIntent;

/** Makes events of records. What came by lately is kept; the rest is looked up in the log. */
export class Sessions {
  readonly #log: EvidenceLog;
  readonly #version: string;
  readonly #intents = new Map<string, Intent>();
  readonly #boundaries = new Map<string, BoundaryFacts>();

  constructor(log: EvidenceLog, version: string) {
    this.#log = log;
    this.#version = version;
  }

  /** The event of a record, or null: only sessions have some. */
  async event(record: EvidenceRecord): Promise<RunEvent | null> {
    if (record.type === 'boundary.loaded')
      keep(this.#boundaries, record.fingerprint, factsOf(record), limits.boundariesKeptMax);
    if (record.type === 'session.intent') {
      keep(this.#intents, record.session, record, limits.intentsKeptMax);
      return started(this.#version, record, await this.#boundary(record));
    }
    if (record.type !== 'session.outcome') return null;
    const intent = this.#intents.get(record.session) ?? (await this.#log.session(record.session))?.intent;
    this.#intents.delete(record.session);
    // Its segment was removed: nobody can say whose the outcome is.
    if (intent === undefined) return null;
    return ended(this.#version, intent, record, await this.#boundary(intent));
  }

  async #boundary({ fingerprint, session }: Intent): Promise<BoundaryFacts | null> {
    const known = this.#boundaries.get(fingerprint);
    if (known !== undefined) return known;
    const boundary = (await this.#log.session(session))?.boundary ?? null;
    if (boundary === null) return null;
    const facts = factsOf(boundary);
    keep(this.#boundaries, fingerprint, facts, limits.boundariesKeptMax);
    return facts;
  }
}

function keep<V>(kept: Map<string, V>, key: string, value: V, most: number): void {
  kept.delete(key);
  kept.set(key, value);
  const oldest = kept.keys().next().value;
  if (kept.size > most && oldest !== undefined) kept.delete(oldest);
}

/** Of a boundary only what events need is kept. */
function factsOf({ boundary }: Pick<BoundaryLoaded, 'boundary'>): BoundaryFacts {
  const { engine = null, tables = {} } = boundary as {
    readonly engine?: BoundaryFacts['engine'];
    readonly tables?: Readonly<
      Record<string, { readonly columns?: readonly { readonly name: string; readonly type: string }[] }>
    >;
  };
  const types = Object.entries(tables).map(([table, { columns = [] }]) => [
    table,
    Object.fromEntries(columns.map(({ name, type }) => [name, type])),
  ]);
  return { engine, types: Object.fromEntries(types) as BoundaryFacts['types'] };
}
