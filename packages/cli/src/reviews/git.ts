import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { CliError, exitCodes } from '../failure.ts';
import { limits } from '../limits.ts';

/** A git checkout, asked by the git that is there. */
export interface Git {
  /** Its root. */
  readonly root: string;
  /** What a git command says; throws `CliError` if it fails. */
  readonly run: (
    words: readonly string[],
    options?: { readonly env?: Record<string, string>; readonly input?: string },
  ) => Promise<string>;
}

/** The checkout that a folder lies in; null if it lies in none, or there is no git. */
export async function gitOf(folder: string): Promise<Git | null> {
  const root = await git(folder, ['rev-parse', '--show-toplevel']).catch(() => null);
  if (root === null) return null;
  const at = root.trimEnd();
  return { root: at, run: (words, options) => git(at, words, options) };
}

function git(
  cwd: string,
  words: readonly string[],
  { env = {}, input = '' }: { readonly env?: Record<string, string>; readonly input?: string } = {},
): Promise<string> {
  return new Promise((done, fail) => {
    const options = { cwd, env: { ...process.env, ...env }, maxBuffer: limits.gitAnswerBytesMax };
    const child = execFile('git', words, options, (error, out, err) => {
      if (error === null) done(out);
      else fail(new CliError(exitCodes.failed, `git ${words[0]}: ${err.trim() || error.message}`));
    });
    child.stdin?.on('error', () => {});
    child.stdin?.end(input);
  });
}

/** A range of commits, each by its id. */
export interface Range {
  readonly from: string;
  readonly to: string;
}

/** The commits of `A..B`. Throws `CliError`. */
export async function rangeOf({ run }: Git, text: string): Promise<Range> {
  const [, from, to] = /^([^.\s-][^\s]*?)\.\.\.?([^.\s-][^\s]*)$/.exec(text) ?? [];
  if (from === undefined || to === undefined) {
    throw new CliError(exitCodes.usage, `\`${text}\` is no range`, 'two commits, as main..HEAD');
  }
  const commit = async (name: string): Promise<string> =>
    (
      await run(['rev-parse', '--verify', '--quiet', '--end-of-options', `${name}^{commit}`]).catch(() => {
        throw new CliError(exitCodes.usage, `there is no commit \`${name}\``, 'in CI, fetch the whole history');
      })
    ).trim();
  return { from: await commit(from), to: await commit(to) };
}

/** Addresses of those who wrote, committed or co-wrote the commits of a range that changed these files. */
export async function authorsIn({ run }: Git, range: string, files: readonly string[]): Promise<readonly string[]> {
  const format = '--format=%ae%n%ce%n%(trailers:key=Co-authored-by,valueonly)';
  return addressesOf(
    await run(['log', format, '--end-of-options', range, '--', ...files.map((file) => `:(top,literal)${file}`)]),
  );
}

/** Whoever works in this checkout, where these files are not as they were committed. */
export async function authorsNow({ run }: Git, files: readonly string[]): Promise<readonly string[]> {
  const changed = await run(['status', '--porcelain', '--', ...files.map((file) => `:(top,literal)${file}`)]);
  return changed === '' ? [] : addressesOf(await run(['config', 'user.email']).catch(() => ''));
}

/** The commit that added a file; null if none did. */
export async function addedIn({ run }: Git, file: string): Promise<string | null> {
  const found = await run(['log', '-1', '--diff-filter=A', '--format=%H', '--', `:(top,literal)${file}`]).catch(
    () => '',
  );
  return found.trim() === '' ? null : found.trim();
}

function addressesOf(text: string): readonly string[] {
  const found = text.split('\n').map((line) => (/<([^<>\s]+)>\s*$/.exec(line)?.[1] ?? line).trim().toLowerCase());
  return [...new Set(found.filter((word) => word.includes('@')))].toSorted();
}

/** What contracts, environments and reviews are made of. */
const FILES = ['*.yaml', '*.yml', '*.cedar', '*.json'];

/** The files of a commit that boundaries are made of, in a folder that is removed afterwards. */
export async function withTree<T>({ run }: Git, commit: string, work: (folder: string) => Promise<T>): Promise<T> {
  const folder = await mkdtemp(join(tmpdir(), 'ambit-review-'));
  try {
    const env = { GIT_INDEX_FILE: join(folder, 'index') };
    const tree = join(folder, 'tree');
    await mkdir(tree);
    await run(['read-tree', commit], { env });
    const input = await run(['ls-files', '-z', '--', ...FILES], { env });
    // A link of somebody's branch leads nowhere.
    const words = ['-c', 'core.symlinks=false', 'checkout-index', '-z', '--stdin', `--prefix=${tree}/`];
    if (input !== '') await run(words, { env, input });
    return await work(tree);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
