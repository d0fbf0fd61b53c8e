import { join, relative, resolve } from 'node:path';
import { canonicalize } from '@ambit/contract';
import type { SignedReplay } from '@ambit/review';
import { isReviewed } from '@ambit/session';

import { compareLog } from '../against.ts';
import { environmentOf, isName } from '../environment.ts';
import { CliError, exitCodes } from '../failure.ts';
import { type Git, gitOf, type Range, rangeOf } from '../git/checkout.ts';
import { authorsIn } from '../git/history.ts';
import { withTree } from '../git/tree.ts';
import { type Checked, checkedJson, checkMarkdown } from '../page/review.ts';
import { type Terminal, writeOut } from '../terminal.ts';
import { replaySummary } from './reports.ts';
import { type Reviewed, reviewedProducts, reviewersEver, sourcesOf } from './reviewed.ts';

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
  const { checked, rules } = await withTree(git, range.to, async (tree) => ({
    checked: await changed(terminal, git, range, tree, asked, before),
    rules: await rulesOf(tree, asked),
  }));
  const summary = {
    gone: before.products.filter((one) => !checked.some((now) => nameOf(now) === nameOf(one))).map(nameOf),
    unguarded: asked.environments.filter((one) => before.rules.get(one)?.reviewed && !rules.get(one)?.reviewed),
    notes: notesOf(asked.environments, before.rules, rules),
  };
  const text = options.json
    ? `${JSON.stringify({ changed: checked.map(checkedJson), ...summary }, null, 2)}\n`
    : checkMarkdown(checked, summary);
  await writeOut(terminal, text);
  const missing = checked.filter(({ state }) => state === 'missing').length;
  if (missing > 0) throw new CliError(exitCodes.failed, `${missing} not approved`, 'the summary says by whom, and how');
  if (summary.unguarded.length > 0) {
    const what = `nobody would have to approve what is served with ${summary.unguarded.join(', ')}`;
    throw new CliError(exitCodes.failed, what, "put back the environment's name, or `review: required`");
  }
}

interface Asked {
  readonly paths: readonly string[];
  readonly environments: readonly string[];
  /** Folder of the evidence log whose sessions are held against what changed; null: none. */
  readonly log: string | null;
}

interface Before {
  /** Those that somebody had to approve. */
  readonly products: readonly Reviewed[];
  readonly rules: ReadonlyMap<string, EnvironmentRules>;
}

/** What an environment says of reviews, and is in no boundary. */
interface EnvironmentRules {
  /** Whether it serves only what owners approved. */
  readonly reviewed: boolean;
  /** As text that is the same for the same. */
  readonly breakGlass: string;
}

function nameOf({ product: { boundary } }: Pick<Reviewed, 'product'>): string {
  return `${boundary.product.name} ${boundary.product.version} in ${boundary.environment}`;
}

/** What was there before. What was wrong then was not served, and so was nothing. */
async function standing(terminal: Terminal, tree: string, asked: Asked): Promise<Before> {
  const { paths, environments } = asked;
  const products: Reviewed[] = [];
  for (const environment of environments) {
    const found = await reviewedProducts(terminal, inTree(tree, paths), fileIn(tree, environment)).catch(
      (error: unknown) => {
        if (error instanceof CliError) return [];
        throw error;
      },
    );
    products.push(...found.filter(({ required }) => required));
  }
  return { products, rules: await rulesOf(tree, asked) };
}

function inTree(tree: string, paths: readonly string[]): readonly string[] {
  return paths.map((path) => join(tree, path));
}

/** A name is looked for beside the contracts, there too. */
function fileIn(tree: string, environment: string): string {
  return isName(environment) ? environment : join(tree, environment);
}

/** The rules of each environment that can be read. */
async function rulesOf(tree: string, { paths, environments }: Asked): Promise<ReadonlyMap<string, EnvironmentRules>> {
  const rules = new Map<string, EnvironmentRules>();
  for (const environment of environments) {
    const found = await environmentOf(fileIn(tree, environment), inTree(tree, paths)).catch(() => null);
    if (found === null) continue;
    const { value } = found;
    rules.set(environment, {
      reviewed: isReviewed(value),
      breakGlass: canonicalize(value.breakGlass ?? null),
    });
  }
  return rules;
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
    const authors = ({ product, files, archive }: Pick<Reviewed, 'product' | 'files' | 'archive'>) =>
      authorsIn(git, `${from}..${to}`, sourcesOf(product, files, tree), reviewersEver(archive, product));
    const found = await reviewedProducts(terminal, inTree(tree, paths), file, {
      authors,
      // A product that was reviewed goes on from there, whichever version it was: it does not begin anew.
      root: (product) => versionsOf(before, product).find(({ verdict }) => verdict.root !== null)?.verdict.root ?? null,
    }).catch((error: unknown) => {
      if (!(error instanceof CliError)) throw error;
      throw new CliError(error.exitCode, error.message.replaceAll(`${tree}/`, ''), error.hint);
    });
    for (const one of found.filter(({ required }) => required)) {
      const place = { ...one, product: { ...one.product, file: relative(tree, one.product.file) }, environment };
      const state = stateOf(one, versionsOf(before, one.product));
      const replay = log === null || state === 'unchanged' ? null : await replayedIn(log, one);
      checked.push({ ...place, authors: await authors(one), state, replay });
    }
  }
  return checked;
}

async function replayedIn(log: string, { product }: Reviewed): Promise<SignedReplay> {
  return replaySummary(await compareLog(log, product, null));
}

/** Versions of a product that were reviewed in its environment. */
function versionsOf({ products }: Before, { boundary }: Reviewed['product']): readonly Reviewed[] {
  return products.filter(
    ({ product: { boundary: one } }) =>
      one.product.name === boundary.product.name && one.environment === boundary.environment,
  );
}

function stateOf({ product, verdict }: Reviewed, before: readonly Reviewed[]): Checked['state'] {
  const same = before.find((one) => one.product.fingerprint === product.fingerprint);
  if (same?.verdict.covered === verdict.covered) return 'unchanged';
  return verdict.covered ? 'approved' : 'missing';
}

const NO_RULES: EnvironmentRules = { reviewed: false, breakGlass: 'null' };

/** What changes of who may do without reviews, without a boundary changing. */
function notesOf(environments: readonly string[], before: Before['rules'], after: Before['rules']): readonly string[] {
  return environments.flatMap((environment) => {
    const [old = NO_RULES, now = NO_RULES] = [before.get(environment), after.get(environment)];
    if (old.breakGlass === now.breakGlass) return [];
    return [`${environment}: \`breakGlass\` changes: who may open boundaries without a review, or for how long`];
  });
}
