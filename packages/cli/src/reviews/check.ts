import { join, relative, resolve } from 'node:path';
import type { SignedReplay } from '@ambit/review';

import { compareLog } from '../against.ts';
import { environmentOf, isName } from '../environment.ts';
import { CliError, exitCodes } from '../failure.ts';
import { type Checked, checkedJson, checkMarkdown } from '../page/review.ts';
import { type Terminal, writeOut } from '../terminal.ts';
import { authorsIn, type Git, gitOf, type Range, rangeOf, withTree } from './git.ts';
import { replaySummary } from './reports.ts';
import { type Reviewed, reviewedProducts, sourcesOf } from './reviewed.ts';

export interface CheckOptions {
  readonly range: string;
  readonly environment: readonly string[];
  /** Folder of an evidence log. */
  readonly replay?: string | undefined;
  readonly json?: true | undefined;
}

/** What a range of commits changes of boundaries, and whether their owners approved it. Fails where they did not. */
export async function checkRange(terminal: Terminal, paths: readonly string[], options: CheckOptions): Promise<void> {
  const git = await gitOf(terminal.cwd);
  if (git === null) throw new CliError(exitCodes.usage, 'this is no git checkout', 'run it where the contracts are');
  const range = await rangeOf(git, options.range);
  const inRoot = (path: string): string => relative(git.root, resolve(terminal.cwd, path));
  const asked = {
    paths: (paths.length === 0 ? ['.'] : paths).map(inRoot),
    environments: options.environment.map((named) => (isName(named) ? named : inRoot(named))),
    log: options.replay ?? null,
  };
  const before = await withTree(git, range.from, (tree) => standing(terminal, tree, asked));
  const { checked, notes } = await withTree(git, range.to, async (tree) => ({
    checked: await changed(terminal, git, range, tree, asked, before),
    notes: await openings(tree, asked, before),
  }));
  const gone = [...before.products.keys()].filter((key) => !checked.some((one) => keyOf(one) === key));
  const text = options.json
    ? `${JSON.stringify({ changed: checked.map(checkedJson), gone, notes }, null, 2)}\n`
    : checkMarkdown(checked, gone, notes);
  await writeOut(terminal, text);
  const missing = checked.filter(({ state }) => state === 'missing').length;
  if (missing > 0) throw new CliError(exitCodes.failed, `${missing} not approved`, 'the summary says by whom, and how');
}

interface Asked {
  readonly paths: readonly string[];
  readonly environments: readonly string[];
  /** Folder of the evidence log whose sessions are held against what changed; null: none. */
  readonly log: string | null;
}

interface Before {
  readonly products: ReadonlyMap<string, Reviewed>;
  /** Who may open boundaries without a review, by environment. */
  readonly operators: ReadonlyMap<string, string>;
}

function keyOf({ product }: Pick<Reviewed, 'product'>): string {
  return `${product.boundary.product.name} in ${product.boundary.environment}`;
}

/** What was there before. What was wrong then was not served, and so was nothing. */
async function standing(terminal: Terminal, tree: string, { paths, environments }: Asked): Promise<Before> {
  const products = new Map<string, Reviewed>();
  const operators = new Map<string, string>();
  for (const environment of environments) {
    const file = fileIn(tree, environment);
    operators.set(environment, await operatorsOf(file, inTree(tree, paths)).catch(() => ''));
    const found = await reviewedProducts(terminal, inTree(tree, paths), file).catch((error: unknown) => {
      if (error instanceof CliError) return [];
      throw error;
    });
    for (const one of found) if (one.required) products.set(keyOf(one), one);
  }
  return { products, operators };
}

function inTree(tree: string, paths: readonly string[]): readonly string[] {
  return paths.map((path) => join(tree, path));
}

/** A name is looked for beside the contracts, there too. */
function fileIn(tree: string, environment: string): string {
  return isName(environment) ? environment : join(tree, environment);
}

async function operatorsOf(file: string, beside: readonly string[]): Promise<string> {
  return JSON.stringify((await environmentOf(file, beside)).value.breakGlass ?? null);
}

async function changed(
  terminal: Terminal,
  git: Git,
  { from, to }: Range,
  tree: string,
  { paths, environments, log }: Asked,
  before: Before,
): Promise<readonly Checked[]> {
  const checked: Checked[] = [];
  for (const environment of environments) {
    const file = fileIn(tree, environment);
    const authors = (product: Reviewed['product'], files: readonly string[]) =>
      authorsIn(git, `${from}..${to}`, sourcesOf(product, files, tree));
    const known = ({ boundary }: Reviewed['product']) =>
      before.products.get(`${boundary.product.name} in ${boundary.environment}`);
    const found = await reviewedProducts(terminal, inTree(tree, paths), file, {
      authors,
      // A product that was reviewed goes on from there: it does not begin anew.
      root: (product) => known(product)?.verdict.root ?? null,
    }).catch((error: unknown) => {
      if (!(error instanceof CliError)) throw error;
      throw new CliError(error.exitCode, error.message.replaceAll(`${tree}/`, ''), error.hint);
    });
    for (const one of found.filter(({ required }) => required)) {
      const place = { ...one, product: { ...one.product, file: relative(tree, one.product.file) }, environment };
      const state = stateOf(one, known(one.product));
      const replay = log === null || state === 'unchanged' ? null : await replayedIn(log, one);
      checked.push({ ...place, authors: await authors(one.product, one.files), state, replay });
    }
  }
  return checked;
}

async function replayedIn(log: string, { product }: Reviewed): Promise<SignedReplay> {
  return replaySummary(await compareLog(log, product, null));
}

function stateOf({ product, verdict }: Reviewed, before: Reviewed | undefined): Checked['state'] {
  const same = before?.product.fingerprint === product.fingerprint && before.verdict.covered === verdict.covered;
  if (same) return 'unchanged';
  return verdict.covered ? 'approved' : 'missing';
}

/** Whether others than before may open boundaries without a review. */
async function openings(
  tree: string,
  { paths, environments }: Asked,
  { operators }: Before,
): Promise<readonly string[]> {
  const notes: string[] = [];
  for (const environment of environments) {
    const now = await operatorsOf(fileIn(tree, environment), inTree(tree, paths)).catch(() => '');
    if (now !== operators.get(environment))
      notes.push(`${environment}: \`breakGlass\` changes: who may open boundaries without a review, or for how long`);
  }
  return notes;
}
