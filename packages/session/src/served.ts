import { meantBy, nameAndVersion } from '@ambit/contract';
import type { Engine } from '@ambit/engine';
import type { Product } from './load.ts';

/** Products, and the workers that run their sessions. Nothing of it changes: another offer takes its place, whole. */
export interface Offer {
  readonly products: readonly Product[];
  readonly engine: Engine;
}

/** What a session uses for as long as it runs. */
export interface Use {
  readonly offer: Offer;
  /** Called when the session has ended. Once more does nothing. */
  readonly leave: () => void;
}

/** That what was read anew is not served. */
export interface ReloadRefused {
  /** UTC, ISO 8601. */
  readonly at: string;
  /** How many problems there were. */
  readonly problems: number;
}

/** What is served now. A session keeps the offer that it began with, whatever takes its place. */
export class Served {
  #now: Counted;
  #loadedAt = new Date().toISOString();
  /** Why files that have changed since are not served; null: they are. */
  refused: ReloadRefused | null = null;

  constructor(offer: Offer) {
    this.#now = new Counted(offer);
  }

  get now(): Offer {
    return this.#now.offer;
  }

  /** UTC, ISO 8601: since when this offer is served. */
  get loadedAt(): string {
    return this.#loadedAt;
  }

  /** Begins to use what is served now. */
  enter(): Use {
    return this.#now.enter();
  }

  /** Serves another offer from now on. Resolves when no session uses the one before any more. */
  replace(offer: Offer): Promise<void> {
    const before = this.#now;
    this.#now = new Counted(offer);
    this.#loadedAt = new Date().toISOString();
    this.refused = null;
    return before.unused();
  }
}

/**
 * The product of a name, which may ask for a version: `flights`, `flights@1`, `flights@1.2.0`. A version that no owner ever
 * approved takes no name from one that somebody did; one whose approval has ended keeps its name, and is refused by it.
 */
export function productOf({ products }: Pick<Offer, 'products'>, asked: string): Product | undefined {
  const { name, version } = nameAndVersion(asked);
  const versions = products.filter(({ boundary }) => boundary.product.name === name);
  const meant = (among: readonly Product[]): string | null =>
    meantBy(
      version,
      among.map(({ boundary }) => boundary.product.version),
    );
  const found = meant(versions.filter(isPublished)) ?? meant(versions);
  return versions.find(({ boundary }) => boundary.product.version === found);
}

function isPublished({ standing }: Product): boolean {
  const now = standing?.(Date.now());
  return now === undefined || now.kind !== 'refused' || now.verdict.published;
}

/** The product that a session was on: its version, or where that is not served, what its name means now. */
export function productThen(
  offer: Pick<Offer, 'products'>,
  { product, version }: { readonly product: string; readonly version: string },
): Product | undefined {
  return productOf(offer, `${product}@${version}`) ?? productOf(offer, product);
}

/** An offer, and how many sessions use it. */
class Counted {
  readonly offer: Offer;
  #uses = 0;
  #lastLeft = (): void => {};

  constructor(offer: Offer) {
    this.offer = offer;
  }

  enter(): Use {
    this.#uses += 1;
    let using = true;
    const leave = (): void => {
      if (!using) return;
      using = false;
      this.#uses -= 1;
      if (this.#uses === 0) this.#lastLeft();
    };
    return { offer: this.offer, leave };
  }

  async unused(): Promise<void> {
    if (this.#uses === 0) return;
    await new Promise<void>((resolve) => {
      this.#lastLeft = resolve;
    });
  }
}
