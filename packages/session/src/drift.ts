import { isDeepStrictEqual } from 'node:util';
import { canonicalize } from '@ambit/contract';
import type { Drift, Engine, InspectRequest, SourceState } from '@ambit/engine';
import type { EvidenceLog, Json, SourceDrifted } from '@ambit/evidence';
import { isServed } from './approval.ts';
import { type Issued, Issuer, keysOf, recordIssued } from './credentials/issuer.ts';
import { sourceOf } from './describe.ts';
import { limits } from './limits.ts';
import type { Product } from './load.ts';
import { storeNameOf, storeOf } from './stores.ts';

/** A table whose data was held against its contract. */
export interface TableState {
  readonly product: Product;
  readonly table: string;
  /** Closed: no session reads it. */
  readonly closed: boolean;
  readonly found: SourceState;
}

/** Tables that are closed because their data is not what their contract declares or promises. */
export interface Drifts {
  closed(product: Product): ReadonlySet<string>;
}

/** Where nobody looks, nothing is closed: the engine holds each file against the contract when it reads it. */
export const noDrifts: Drifts = { closed: () => new Set() };

/** A table is closed where either says so. */
export function eitherCloses(one: Drifts, other: Drifts): Drifts {
  return { closed: (product) => new Set([...one.closed(product), ...other.closed(product)]) };
}

/** What is known of a table, and what the evidence says of it. */
interface Known {
  readonly state: TableState;
  readonly recorded: readonly Drift[];
}

/**
 * Holds the data of products against their contracts, now and again. A column that appeared is told and shown to nobody. What
 * else differs closes the table: whoever asks for it is told so at once, and a record says what was found.
 */
export class DriftWatch implements Drifts {
  readonly #engine: () => Pick<Engine, 'inspect'>;
  readonly #evidence: EvidenceLog;
  readonly #tell: (message: string) => void;
  readonly #issuer = new Issuer();
  /** By product as it lies on this machine, then by table. */
  readonly #known = new Map<string, Map<string, Known>>();
  #timer: NodeJS.Timeout | null = null;
  #running: Promise<void> = Promise.resolve();

  constructor(engine: () => Pick<Engine, 'inspect'>, evidence: EvidenceLog, tell: (message: string) => void) {
    this.#engine = engine;
    this.#evidence = evidence;
    this.#tell = tell;
  }

  closed(product: Product): ReadonlySet<string> {
    const states = [...(this.#known.get(keyOf(product))?.values() ?? [])];
    return new Set(states.filter(({ state }) => state.closed).map(({ state }) => state.table));
  }

  /** Looks at what is served now and again. */
  every(ms: number, products: () => readonly Product[]): void {
    if (this.#timer !== null) clearInterval(this.#timer);
    this.#timer = setInterval(() => void this.check(products()), ms);
    this.#timer.unref();
  }

  /**
   * Looks at the products that are served. One that cannot be looked at stays as it was; one that nobody approved is not looked at:
   * where its data lies is what somebody would approve.
   */
  check(products: readonly Product[]): Promise<void> {
    this.#running = this.#running.then(async () => {
      const looked = products.filter((product) => product.backing === undefined && isServed(product, Date.now()));
      for (const product of looked) {
        try {
          const { request, issued } = await requestOf(product, this.#issuer);
          await recordIssued(this.#evidence, issued);
          for (const state of await look(this.#engine(), product, request)) await this.#found(state);
        } catch (error) {
          this.#tell(`the data of ${product.boundary.product.name} cannot be looked at: ${(error as Error).message}`);
        }
      }
      const keys = new Set(products.map(keyOf));
      for (const key of this.#known.keys()) if (!keys.has(key)) this.#known.delete(key);
    });
    return this.#running;
  }

  async close(): Promise<void> {
    if (this.#timer !== null) clearInterval(this.#timer);
    await this.#running;
  }

  /**
   * Records what is other than the last record says. A table that was never looked at counts as one that is as declared. It is
   * closed whether or not that can be recorded; what could not be is recorded at a later look.
   */
  async #found(state: TableState): Promise<void> {
    const { product, table, closed, found } = state;
    // What a store does not say today is no news of the data.
    if (found.drift.some(({ kind }) => kind === 'unreachable')) {
      this.#tell(told(product.boundary.product.name, state));
      return;
    }
    const tables = this.#known.get(keyOf(product)) ?? new Map<string, Known>();
    this.#known.set(keyOf(product), tables);
    const { recorded = [], state: before } = tables.get(table) ?? {};
    tables.set(table, { state, recorded });
    const { name, version } = product.boundary.product;
    if (!isDeepStrictEqual(before?.found.drift ?? [], found.drift)) this.#tell(told(name, state));
    if (isDeepStrictEqual(recorded, found.drift)) return;
    const record: SourceDrifted = {
      type: 'source.drifted',
      product: name,
      version,
      environment: product.boundary.environment,
      fingerprint: product.fingerprint,
      table,
      state: closed ? 'closed' : 'open',
      drift: found.drift as unknown as Json,
      files: found.files,
      filesTotal: found.filesTotal,
      accesses: found.accesses as unknown as Json,
    };
    try {
      await this.#evidence.append(record);
      tables.set(table, { state, recorded: found.drift });
    } catch (error) {
      this.#tell(`that table ${table} of ${name} changed is not in the evidence yet: ${(error as Error).message}`);
    }
  }
}

/** Holds the data of a product's tables against its contract. Throws `EngineUnavailable` and `CredentialUnavailable`. */
export async function inspect(engine: Pick<Engine, 'inspect'>, product: Product): Promise<readonly TableState[]> {
  const { request } = await requestOf(product, new Issuer());
  return look(engine, product, request);
}

async function look(
  engine: Pick<Engine, 'inspect'>,
  product: Product,
  request: InspectRequest,
): Promise<readonly TableState[]> {
  const report = await engine.inspect(request);
  return Object.entries(report.sources).map(([table, found]) => {
    return {
      product,
      table,
      closed: found.drift.some(({ kind }) => kind !== 'appeared' && kind !== 'unreachable'),
      found,
    };
  });
}

/** A difference between a contract and its data, as a sentence. */
export function driftText({ kind, column, declared, found, object }: Drift): string {
  const sentences: Readonly<Record<Drift['kind'], string>> = {
    appeared: `column \`${column}\`${found === null ? '' : ` of type ${found}`} appeared in ${object}: no session sees it`,
    vanished: `column \`${column}\` is not in ${object} any more`,
    retyped: `column \`${column}\` is ${found} in ${object}, and ${declared} in the contract`,
    repeated: `column \`${column}\` stands more than once in the header of ${object}`,
    header: `the header of ${object} names no column of the contract`,
    unreadable: `${object} cannot be read: ${found}`,
    unreachable: `${object} cannot be asked for: ${found}`,
  };
  return sentences[kind];
}

function told(product: string, { table, closed, found }: TableState): string {
  const unknown = found.drift.some(({ kind }) => kind === 'unreachable');
  const state = unknown ? 'is as it was' : closed ? 'is closed' : 'is open';
  const why = found.drift.map(driftText);
  return `table ${table} of ${product} ${state}: ${why.length === 0 ? 'its data is what its contract declares' : why.join('; ')}`;
}

/** What is asked of the engine, and the credentials in it. */
interface Looking {
  readonly request: InspectRequest;
  readonly issued: readonly Issued[];
}

/** What is looked at. The keys of its stores are issued for it. */
async function requestOf(product: Product, issuer: Issuer): Promise<Looking> {
  const { boundary, fingerprint } = product;
  const stores = Object.fromEntries(Object.keys(boundary.stores).map((name) => [name, storeOf(product, name)]));
  const sources = Object.fromEntries(
    Object.entries(boundary.tables).map(([name, table]) => [name, sourceOf(table, storeNameOf(boundary, name))]),
  );
  const issued = await issuer.issue(product, { stores, sources }, Date.now() + limits.inspectMs);
  return { request: { boundary: fingerprint, stores, credentials: keysOf(issued), sources }, issued };
}

function keyOf({ fingerprint, roots }: Product): string {
  return `${fingerprint} ${canonicalize(roots)}`;
}
