import { meantBy, type Problem } from '@ambit/contract';
import type { Engine } from '@ambit/engine';
import type { EvidenceLog } from '@ambit/evidence';
import { type Differ, Gate, type Opening, reviewsFolder, type Standing, whyRefused } from '@ambit/review';
import {
  type BoundEnvironment,
  breakGlassOf,
  ContractsInvalid,
  isReviewed,
  type Product,
  productOf,
} from '@ambit/session';

import { limits } from '../limits.ts';
import { implicationOf } from '../diff/compare.ts';
import type { Loaded } from '../reload.ts';
import { differWith } from './differing.ts';

interface Gating {
  readonly log: EvidenceLog;
  /** The workers of the moment. */
  readonly engine: () => Engine;
  /** Folder of openings without a review. */
  readonly openings: string;
  readonly tell: (line: string) => void;
}

/** Gates before what is served, where the environment serves only what owners approved. */
export class Gates {
  readonly #with: Gating;
  /** What is recorded goes there. */
  #log: EvidenceLog;
  readonly #known = new WeakMap<Product, Watch>();
  #served: readonly Watch[] = [];
  /** What would be served if somebody approved it. */
  #waiting: readonly Watch[] = [];
  /** What was said of names that mean an older version. */
  #toldNames: readonly string[] = [];
  #approved = (): void => {};
  #looking: Promise<void> = Promise.resolve();
  readonly #timer: NodeJS.Timeout;

  constructor(gating: Gating) {
    this.#with = gating;
    this.#log = gating.log;
    this.#timer = setInterval(() => {
      this.#looking = this.#looking.then(() => this.#look());
    }, limits.reviewsEveryMs);
    this.#timer.unref();
  }

  /**
   * Puts a gate before each product. Throws `ContractsInvalid` where a boundary that nobody approved would take the place of
   * one that is served: that is served on, until somebody approves the other.
   */
  async before(loaded: Loaded): Promise<Loaded> {
    const { environment } = loaded;
    this.#waiting = [];
    if (!isReviewed(environment.value)) return loaded;
    const watches = await Promise.all(loaded.products.map((product) => this.#watch(product, environment)));
    const pending = watches.filter((watch) => !watch.open() && this.#replaces(watch, watches));
    this.#waiting = pending;
    const problems = pending.map((watch) => watch.problem());
    if (problems.length > 0) throw new ContractsInvalid(problems, filesOf(loaded));
    const products = watches.map((watch) => {
      const product = watch.gated();
      this.#known.set(product, watch);
      return product;
    });
    return { ...loaded, products };
  }

  /** Records go here from now on: to the same log, and to those who are told of what it takes. */
  recordTo(log: EvidenceLog): void {
    this.#log = log;
  }

  /** These are served from now on. */
  take(products: readonly Product[]): void {
    const before = this.#served;
    this.#served = products.flatMap((product) => this.#known.get(product) ?? []);
    for (const watch of this.#served) {
      const same = before.find((one) => one !== watch && one.product.fingerprint === watch.product.fingerprint);
      if (same !== undefined) watch.goOn(same);
    }
    const gone = before.filter((watch) => !this.#served.includes(watch));
    this.#looking = this.#looking.then(async () => {
      for (const watch of gone) await this.#told(watch.stop('closed'));
      await this.#look();
    });
  }

  /** Called when what waited for approval has it. */
  onApproved(approved: () => void): void {
    this.#approved = approved;
  }

  /** Looks no more, and records what was open without a review. */
  async close(): Promise<void> {
    clearInterval(this.#timer);
    await this.#looking;
    await Promise.all(this.#served.map((watch) => this.#told(watch.stop('stopped'))));
  }

  /** Whether something that is served would go, and this would come. */
  #replaces({ product }: Watch, next: readonly Watch[]): boolean {
    const { name } = product.boundary.product;
    const isIts = (watch: Watch): boolean => watch.product.boundary.product.name === name;
    const stays = (watch: Watch): boolean => next.some((one) => one.product.fingerprint === watch.product.fingerprint);
    return this.#served.filter(isIts).some((watch) => watch.open() && !stays(watch));
  }

  async #watch(product: Product, environment: BoundEnvironment): Promise<Watch> {
    const { engine, openings, tell } = this.#with;
    const { name } = product.boundary.product;
    const { environment: where } = product.boundary;
    const root = (await this.#log.lastReview(name, where))?.root ?? null;
    const folder = reviewsFolder(product.file, name, where);
    const differ: Differ = (from, to) => differWith(implicationOf(engine()))(from, to);
    const breakGlass = breakGlassOf(environment.value, openings);
    const gate = await Gate.of({ product, folder, differ, root, breakGlass }, Date.now());
    return new Watch(product, gate, (body) => this.#log.append(body), tell);
  }

  async #look(): Promise<void> {
    for (const watch of this.#served) await this.#told(watch.look());
    this.#tellNames();
    const waiting = this.#waiting;
    for (const watch of waiting) await this.#told(watch.gate.look(Date.now()));
    if (waiting.length === 0 || waiting !== this.#waiting || !waiting.every((watch) => watch.open())) return;
    this.#waiting = [];
    this.#approved();
  }

  /** Says which names mean an older version than the newest, which no owner ever approved. */
  #tellNames(): void {
    const products = this.#served.map((watch) => watch.gated());
    const lines = products.flatMap((product) => {
      const { name, version } = product.boundary.product;
      const versions = products.filter((one) => one.boundary.product.name === name).map(versionOf);
      const older = namesOf(version).flatMap((asked) => {
        const meant = productOf({ products }, asked === null ? name : `${name}@${asked}`);
        if (meant === undefined || meant === product || meantBy(asked, versions) !== version) return [];
        return [`\`${asked === null ? name : `${name}@${asked}`}\` means ${versionOf(meant)}`];
      });
      return older.length === 0 ? [] : [`review: ${older.join(', ')}: no owner approved ${version}`];
    });
    for (const line of lines.filter((one) => !this.#toldNames.includes(one))) this.#with.tell(line);
    this.#toldNames = lines;
  }

  /** A log that cannot be written for a moment ends no watch. */
  async #told(work: Promise<unknown>): Promise<void> {
    await work.catch((error: unknown) => this.#with.tell(`review: ${(error as Error).message}`));
  }
}

function versionOf({ boundary }: Product): string {
  return boundary.product.version;
}

/** What can be asked of a product to get a version without naming it whole. */
function namesOf(version: string): readonly (string | null)[] {
  const [major = '', minor = ''] = version.split('.');
  return [null, major, `${major}.${minor}`];
}

function filesOf({ environment, products }: Loaded): readonly string[] {
  return [...environment.files, ...products.flatMap(({ files }) => files)];
}

/** Watches one gate, and tells what becomes of it: to the operator, and to the evidence what owners did not approve. */
class Watch {
  readonly product: Product;
  readonly gate: Gate;
  readonly #append: EvidenceLog['append'];
  readonly #tell: (line: string) => void;
  #said = '';
  #opening: Opening | null = null;

  constructor(product: Product, gate: Gate, append: EvidenceLog['append'], tell: (line: string) => void) {
    this.product = product;
    this.gate = gate;
    this.#append = append;
    this.#tell = tell;
  }

  async look(): Promise<void> {
    const standing = await this.gate.look(Date.now());
    const line = this.#line(standing);
    if (line !== this.#said) this.#tell(line);
    this.#said = line;
    await this.#record(standing);
  }

  /** Knows what another watch of the same boundary told: to nobody it is news. */
  goOn(before: Watch): void {
    this.#said = before.#said;
    this.#opening = before.#opening;
    before.#opening = null;
  }

  /** The product behind its gate. */
  gated(): Product {
    return { ...this.product, standing: (now) => this.gate.standing(now) };
  }

  /** Whether it may be served now. */
  open(): boolean {
    return this.gate.standing(Date.now()).kind !== 'refused';
  }

  /** Why it may not. */
  problem(): Problem {
    const { message, hint } = whyRefused(this.product, this.gate.standing(Date.now()).verdict);
    return { file: this.product.file, line: 1, column: 1, message, hint };
  }

  /** What is open without a review is no more. */
  async stop(cause: 'closed' | 'stopped'): Promise<void> {
    const opening = this.#opening;
    this.#opening = null;
    if (opening !== null) await this.#ended(opening, cause);
  }

  #line(standing: Standing): string {
    const { name, version } = this.product.boundary.product;
    if (standing.kind === 'approved') {
      const who = standing.verdict.counted.map((one) => one.who).join(', ');
      return `review: ${name} ${version} is approved by ${who} until ${iso(standing.until)}`;
    }
    if (standing.kind === 'opened') {
      const { who, until, reason } = standing.opening;
      return `review: BREAK-GLASS: ${name} ${version}, which no owner approved, is open until ${until} because of ${who}: ${reason}`;
    }
    const { message, hint } = whyRefused(this.product, standing.verdict);
    return `review: not serving ${name} ${version}: ${message}\nhint: ${hint}`;
  }

  /** What cannot be recorded now is recorded at a later look. */
  async #record(standing: Standing): Promise<void> {
    const opening = standing.kind === 'opened' ? standing.opening : null;
    const before = this.#opening;
    if (opening?.digest === before?.digest) return;
    if (before !== null) {
      const over = Date.parse(before.until) <= Date.now();
      await this.#ended(before, standing.kind === 'approved' ? 'approved' : over ? 'over' : 'closed');
      this.#opening = null;
    }
    if (opening === null) return;
    await this.#append({ type: 'break-glass.opened', ...this.#which(), opening });
    this.#opening = opening;
  }

  async #ended(opening: Opening, cause: 'over' | 'closed' | 'approved' | 'stopped'): Promise<void> {
    await this.#append({ type: 'break-glass.ended', ...this.#which(), opening: opening.digest, cause });
  }

  #which() {
    const { boundary, fingerprint } = this.product;
    const { name: product, version } = boundary.product;
    return { product, version, environment: boundary.environment, fingerprint };
  }
}

function iso(ms: number): string {
  return new Date(ms).toISOString().replace('.000Z', 'Z');
}
