import { relative, resolve } from 'node:path';
import type { Boundary, Signer } from '@ambit/contract';
import {
  type Archive,
  type Differ,
  differencesTo,
  readArchive,
  reviewsFolder,
  stepsTo,
  type Verdict,
  verdictOf,
  withEffects,
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
  /** Its files: its own, then its bases. */
  readonly files: readonly string[];
  /** Whether the environment serves only what is approved. */
  readonly required: boolean;
  /** Folder of its reviews. */
  readonly folder: string;
  readonly archive: Archive;
  readonly verdict: Verdict;
}

/** What is known from elsewhere than the files of reviews. */
export interface Known {
  readonly authors?: (of: Pick<Reviewed, 'product' | 'files' | 'archive'>) => Promise<readonly string[]>;
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
  const bound = await environmentOf(environment, paths);
  const files = await contractsOf(terminal, paths);
  return checked(async (engine) => {
    const differ = differWith(implicationOf(engine));
    const products = await loadProducts(files, bound, engine);
    return Promise.all(
      products.map(async (product) => {
        const { name } = product.boundary.product;
        const folder = reviewsFolder(product.file, name, product.boundary.environment);
        const archive = await withEffects(await readArchive(folder), differ);
        const verdict = await judge(product, archive, bound.files, known, differ);
        return {
          product,
          environment,
          files: bound.files,
          required: isReviewed(bound.value),
          folder,
          archive,
          verdict,
        };
      }),
    );
  });
}

async function judge(
  product: Product,
  archive: Archive,
  files: readonly string[],
  { authors, root, from }: Known,
  differ: Differ,
): Promise<Verdict> {
  const now = Date.now();
  const steps = from === undefined ? stepsTo(archive, product, now) : [from];
  return verdictOf(archive, product, {
    now,
    differences: await differencesTo(archive, product, steps, differ),
    authors: (await authors?.({ product, files, archive })) ?? [],
    root: root?.(product) ?? null,
    ...(from === undefined ? {} : { from }),
  });
}

/** Who owned the product before the change; null where there was nothing. */
export function ownerBefore({ archive, verdict }: Reviewed): Boundary['product']['owner'] | null {
  return archive.boundaries.get(verdict.from)?.product.owner ?? null;
}

/** Reviewers of a product, now and when something of it was approved: by their keys their commits are known too. */
export function reviewersEver({ boundaries }: Archive, { boundary }: Product): readonly Signer[] {
  return [boundary, ...boundaries.values()].flatMap(({ product }) => product.owner.reviewers);
}

/** Where a boundary came from: its contract, its policies, and the environment with its bases; relative to a folder. */
export function sourcesOf(product: Product, environment: readonly string[], root: string): readonly string[] {
  return [...product.files, ...environment].map((file) => relative(root, resolve(file)));
}
