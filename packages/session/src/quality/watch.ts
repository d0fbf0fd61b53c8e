import { canonicalize } from '@ambit/contract';
import type { QualityResult } from '@ambit/evidence';
import { isServed } from '../approval.ts';
import type { Drifts } from '../drift.ts';
import { limits } from '../limits.ts';
import type { Product } from '../load.ts';
import type { Asking } from './ask.ts';
import { checkQuality, closingTables, hasPromises, keepingOf, qualityText } from './check.ts';

/** What is known of the data of a product. */
interface Known {
  /** Tables whose closing rules passed when they were last looked at. */
  readonly open: ReadonlySet<string>;
  readonly results: readonly QualityResult[];
  /** From when on it is looked at again before its turn, in milliseconds since 1970; null: not at all. */
  readonly again: number | null;
}

const NOTHING: Known = { open: new Set(), results: [], again: 0 };

/**
 * Holds the data of products against their rules and service levels, now and again. What fails is told and recorded. A table
 * with a rule that closes it is open only while that rule is known to pass: until somebody has looked it is closed.
 */
export class QualityWatch implements Drifts {
  readonly #asking: Asking;
  readonly #tell: (message: string) => void;
  /** By what decides of a verdict: a contract that changes elsewhere keeps what is known. */
  readonly #known = new Map<string, Known>();
  readonly #ended = new AbortController();
  #timers: readonly NodeJS.Timeout[] = [];
  #running: Promise<void> = Promise.resolve();

  constructor(asking: Asking, tell: (message: string) => void) {
    this.#asking = asking;
    this.#tell = tell;
  }

  closed(product: Product): ReadonlySet<string> {
    const { key, closing } = factsOf(product);
    if (closing.length === 0) return NONE;
    const open = this.#known.get(key)?.open ?? NONE;
    return new Set(closing.filter((table) => !open.has(table)));
  }

  /** Looks at what is served now and again, and soon at what nobody has looked at. */
  every(ms: number, products: () => readonly Product[]): void {
    for (const timer of this.#timers) clearInterval(timer);
    const again = setInterval(() => void this.check(products()), ms);
    const fresh = setInterval(() => void this.checkNew(products()), limits.qualityNewMs);
    this.#timers = [again, fresh];
    for (const timer of this.#timers) timer.unref();
  }

  /** Looks at what is served and was not looked at yet, as after it was approved. */
  checkNew(products: readonly Product[]): Promise<void> {
    return this.#after(() =>
      products.filter((product) => {
        const { again } = this.#known.get(factsOf(product).key) ?? NOTHING;
        return again !== null && again <= Date.now();
      }),
    );
  }

  /** Looks at the products that are served. One of which nothing can be told stays as it was. */
  check(products: readonly Product[]): Promise<void> {
    return this.#after(() => {
      const keys = new Set(products.map((product) => factsOf(product).key));
      for (const key of this.#known.keys()) if (!keys.has(key)) this.#known.delete(key);
      return products;
    });
  }

  /** One look at a time. What is not served is nobody's to look at: where its data lies is what somebody would approve. */
  #after(chosen: () => readonly Product[]): Promise<void> {
    this.#running = this.#running.then(async () => {
      for (const product of chosen()) {
        if (this.#ended.signal.aborted) return;
        if (product.backing !== undefined || !hasPromises(product) || !isServed(product, Date.now())) continue;
        try {
          await this.#look(product);
        } catch (error) {
          const { name } = product.boundary.product;
          this.#tell(`the data of ${name} cannot be held against its rules: ${(error as Error).message}`);
        }
      }
    });
    return this.#running;
  }

  async close(): Promise<void> {
    for (const timer of this.#timers) clearInterval(timer);
    this.#ended.abort();
    await this.#running;
  }

  async #look(product: Product): Promise<void> {
    const { key, closing } = factsOf(product);
    const before = this.#known.get(key) ?? NOTHING;
    const openAfter = (results: readonly QualityResult[]): readonly string[] =>
      closing.filter((table) => {
        const keeping = keepingOf(product, table, results);
        return keeping === 'kept' || (keeping === 'unknown' && before.open.has(table));
      });
    const closedAfter = (results: readonly QualityResult[]): readonly string[] => {
      const open = openAfter(results);
      return closing.filter((table) => !open.includes(table));
    };
    const { signal } = this.#ended;
    const { results, unrecorded } = await checkQuality(this.#asking, product, closedAfter, signal);
    if (signal.aborted) return;
    const open = new Set(openAfter(results));
    // Nobody should wait for a table longer than it takes its store or a worker to come back.
    const away = open.size < closing.length && results.some(({ code }) => AWAY.includes(code ?? ''));
    const after = { open, results, again: away ? Date.now() + limits.qualityAgainMs : null };
    this.#known.set(key, after);
    this.#tellChanges(product, before, after);
    if (unrecorded !== null)
      this.#tell(`what became of the rules of ${product.boundary.product.name} is not in the evidence: ${unrecorded}`);
  }

  #tellChanges(product: Product, before: Known, after: Known): void {
    const { name } = product.boundary.product;
    for (const result of after.results) {
      const old = before.results.find((one) => one.kind === result.kind && nameOf(one) === nameOf(result));
      if ((old?.status ?? 'passed') !== result.status) this.#tell(`${name}: ${qualityText(result)}`);
    }
    for (const table of factsOf(product).closing) {
      if (before.open.has(table) && !after.open.has(table))
        this.#tell(`table ${table} of ${name} is closed: a rule that closes it does not pass`);
      if (!before.open.has(table) && after.open.has(table))
        this.#tell(`table ${table} of ${name} is open: the rules that close it pass`);
    }
  }
}

/** What comes back by itself. A rule that takes its worker along is not among it: it would take it again. */
const AWAY: readonly string[] = ['engine_unavailable', 'credential_unavailable', 'source_failed'];

const NONE: ReadonlySet<string> = new Set();

function nameOf({ table, name }: QualityResult): string {
  return `${table} ${name}`;
}

interface Facts {
  readonly key: string;
  readonly closing: readonly string[];
}

const kept = new WeakMap<Product, Facts>();

/** What decides of a verdict, as one text, and the tables that one can close. */
function factsOf(product: Product): Facts {
  const known = kept.get(product);
  if (known !== undefined) return known;
  const { boundary, roots } = product;
  const { stores, catalogs, tables, views, settings, limits: bounds, quality = {} } = boundary;
  const { name, version } = boundary.product;
  const key = canonicalize([name, version, roots, stores, catalogs, tables, views, settings, bounds, quality]);
  const facts = { key, closing: closingTables(product) };
  kept.set(product, facts);
  return facts;
}
