import type { Engine } from '@ambit/engine';
import type { EvidenceLog } from '@ambit/evidence';
import { Gate, type Opening, reviewsFolder, type Standing, whyRefused } from '@ambit/review';
import { type BoundEnvironment, breakGlassOf, isReviewed, type Product } from '@ambit/session';

import { limits } from '../limits.ts';
import { implicationOf } from '../diff/compare.ts';
import { differWith } from './differing.ts';

/** Products behind gates that serve what owners approved. */
export interface Gates {
  readonly products: readonly Product[];
  /** Looks no more, and records what was open without a review. */
  close(): Promise<void>;
}

interface Gating {
  readonly environment: BoundEnvironment;
  readonly products: readonly Product[];
  readonly log: EvidenceLog;
  readonly engine: Engine;
  /** Folder of openings without a review. */
  readonly openings: string;
  readonly tell: (line: string) => void;
}

/** Puts a gate before each product, where the environment serves only what owners approved. */
export async function gateProducts({ environment, products, log, engine, openings, tell }: Gating): Promise<Gates> {
  if (!isReviewed(environment.value)) return { products, close: async () => {} };
  const breakGlass = breakGlassOf(environment.value, openings);
  const differ = differWith(implicationOf(engine));
  const watches = await Promise.all(
    products.map(async (product) => {
      const { name } = product.boundary.product;
      const { environment: where } = product.boundary;
      const root = (await log.lastReview(name, where))?.root ?? null;
      const folder = reviewsFolder(product.file, name, where);
      const gate = await Gate.of({ product, folder, differ, root, breakGlass }, Date.now());
      return new Watch(product, gate, log, tell);
    }),
  );
  for (const watch of watches) await watch.look();
  let looking: Promise<unknown> = Promise.resolve();
  const timer = setInterval(() => {
    looking = looking.then(() =>
      Promise.all(watches.map((watch) => watch.look().catch((error: unknown) => tell(String(error))))),
    );
  }, limits.reviewsEveryMs);
  timer.unref();
  return {
    products: watches.map(({ product, gate }) => ({ ...product, standing: (now) => gate.standing(now) })),
    close: async () => {
      clearInterval(timer);
      await looking;
      await Promise.all(watches.map((watch) => watch.stop()));
    },
  };
}

/** Watches one gate, and tells what becomes of it: to the operator, and to the evidence what owners did not approve. */
class Watch {
  readonly product: Product;
  readonly gate: Gate;
  readonly #log: EvidenceLog;
  readonly #tell: (line: string) => void;
  #said = '';
  #opening: Opening | null = null;

  constructor(product: Product, gate: Gate, log: EvidenceLog, tell: (line: string) => void) {
    this.product = product;
    this.gate = gate;
    this.#log = log;
    this.#tell = tell;
  }

  async look(): Promise<void> {
    const standing = await this.gate.look(Date.now());
    const line = this.#line(standing);
    if (line !== this.#said) this.#tell(line);
    this.#said = line;
    await this.#record(standing);
  }

  /** What is open without a review ends with the server. */
  async stop(): Promise<void> {
    if (this.#opening !== null) await this.#ended(this.#opening, 'stopped');
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

  async #record(standing: Standing): Promise<void> {
    const opening = standing.kind === 'opened' ? standing.opening : null;
    const before = this.#opening;
    if (opening?.digest === before?.digest) return;
    this.#opening = opening;
    if (before !== null) {
      const over = Date.parse(before.until) <= Date.now();
      await this.#ended(before, standing.kind === 'approved' ? 'approved' : over ? 'over' : 'closed');
    }
    if (opening !== null) await this.#log.append({ type: 'break-glass.opened', ...this.#which(), opening });
  }

  async #ended(opening: Opening, cause: 'over' | 'closed' | 'approved' | 'stopped'): Promise<void> {
    await this.#log.append({ type: 'break-glass.ended', ...this.#which(), opening: opening.digest, cause });
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
