import { relative, resolve } from 'node:path';
import {
  type Archive,
  type Differ,
  differencesTo,
  readArchive,
  reviewsFolder,
  stepsTo,
  type Verdict,
  verdictOf,
} from '@ambit/review';
import { isReviewed, loadProducts, type Product } from '@ambit/session';

import { environmentOf } from '../environment.ts';
import { checked, contractsOf } from '../serving.ts';
import type { Terminal } from '../terminal.ts';
import { implicationOf } from '../diff/compare.ts';
import { differWith } from './differing.ts';

/** A product in an environment, with what its reviews say of it. */
export interface Reviewed {
  readonly product: Product;
  /** File of the environment. */
  readonly environment: string;
  /** Whether the environment serves only what is approved. */
  readonly required: boolean;
  /** Folder of its reviews. */
  readonly folder: string;
  readonly archive: Archive;
  readonly verdict: Verdict;
}

/** What is known from elsewhere than the files of reviews. */
export interface Known {
  readonly authors?: (product: Product) => Promise<readonly string[]>;
  readonly root?: (product: Product) => string | null;
  readonly from?: string | undefined;
}

/** The products of contracts in an environment, each with its reviews. */
export async function reviewedProducts(
  terminal: Terminal,
  paths: readonly string[],
  environment: string,
  known: Known = {},
): Promise<readonly Reviewed[]> {
  const bound = await environmentOf(environment);
  const files = await contractsOf(terminal, paths);
  return checked(async (engine) => {
    const differ = differWith(implicationOf(engine));
    const products = await loadProducts(files, bound, engine);
    return Promise.all(
      products.map(async (product) => {
        const { name } = product.boundary.product;
        const folder = reviewsFolder(product.file, name, product.boundary.environment);
        const archive = await readArchive(folder);
        const verdict = await judge(product, archive, known, differ);
        return { product, environment, required: isReviewed(bound.value), folder, archive, verdict };
      }),
    );
  });
}

async function judge(
  product: Product,
  archive: Archive,
  { authors, root, from }: Known,
  differ: Differ,
): Promise<Verdict> {
  const now = Date.now();
  const steps = from === undefined ? stepsTo(archive, product, now) : [from];
  return verdictOf(archive, product, {
    now,
    differences: await differencesTo(archive, product, steps, differ),
    authors: (await authors?.(product)) ?? [],
    root: root?.(product) ?? null,
    ...(from === undefined ? {} : { from }),
  });
}

/** Where a product came from: its contract, its policies and the environment, relative to a folder. */
export function sourcesOf(
  { product, environment }: Pick<Reviewed, 'product' | 'environment'>,
  root: string,
): readonly string[] {
  const policies = Object.keys(product.boundary.policies).map((name) => resolve(product.file, '..', name));
  return [product.file, ...policies, environment].map((file) => relative(root, resolve(file)));
}
