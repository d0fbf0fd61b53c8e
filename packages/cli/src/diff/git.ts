import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, relative, sep } from 'node:path';

import { CliError, exitCodes } from '../failure.ts';
import { limits } from '../limits.ts';
import type { Tree } from './tree.ts';

/** The repository that a folder is in. */
export interface Repository {
  /** Its top folder. */
  readonly top: string;
}

/** The repository of a folder. Throws where there is none. */
export function repositoryOf(folder: string): Repository {
  const top = git(folder, ['rev-parse', '--show-toplevel'], null);
  if (top === null)
    throw new CliError(
      exitCodes.usage,
      `${folder} is in no git repository`,
      'versions and git refs are looked for in the history; name a folder or a file instead',
    );
  return { top: top.toString('utf8').trimEnd() };
}

/** The commit that a ref names, or null. */
export function commitOf({ top }: Repository, ref: string): string | null {
  if (ref.startsWith('-')) return null;
  const found = git(top, ['rev-parse', '--verify', '--quiet', `${ref}^{commit}`], null);
  return found === null ? null : found.toString('utf8').trim();
}

/** The newest commit in which a file held a text that passes, or null. Merges count as the commits that they merge. */
export function lastCommit({ top }: Repository, file: string, passes: (text: string) => boolean): string | null {
  const path = relative(top, file).split(sep).join('/');
  const listed = git(top, ['log', `--max-count=${limits.historyCommitsMax}`, '--format=%H', '--', path], null);
  const commits = (listed?.toString('utf8') ?? '').split('\n').filter((commit) => commit !== '');
  const texts = objects(
    top,
    commits.map((commit) => `${commit}:${path}`),
  );
  return commits.find((_, at) => passes(texts[at]?.toString('utf8') ?? '')) ?? null;
}

/** Contracts, policies and environments of a commit, in a folder of their own; nothing is checked out. */
export function treeOf({ top }: Repository, commit: string, label: string): Tree {
  const listed = git(top, ['ls-tree', '-r', '-z', '--full-tree', commit], null)?.toString('utf8') ?? '';
  const files = listed.split('\0').flatMap((line) => {
    // Links are not followed: they could lead out of the commit.
    const [, object, path] = /^100(?:644|755) blob ([0-9a-f]+)\t(.*)$/s.exec(line) ?? [];
    return object !== undefined && path !== undefined && /\.(?:ya?ml|cedar)$/.test(path) ? [{ object, path }] : [];
  });
  if (files.length > limits.treeFilesMax)
    throw new CliError(
      exitCodes.failed,
      `${label} has ${files.length} YAML and Cedar files`,
      `at most ${limits.treeFilesMax} are read`,
    );
  const folder = mkdtempSync(join(tmpdir(), 'ambit-diff-'));
  try {
    const contents = objects(
      top,
      files.map(({ object }) => object),
    );
    files.forEach(({ path }, at) => {
      const file = join(folder, path);
      mkdirSync(dirname(file), { recursive: true });
      writeFileSync(file, contents[at] ?? '');
    });
  } catch (error) {
    rmSync(folder, { recursive: true, force: true });
    throw error;
  }
  return {
    label,
    at: (path) => join(folder, relative(top, path)),
    told: (path) => `${label}:${relative(folder, path)}`,
    close: () => rmSync(folder, { recursive: true, force: true }),
  };
}

/** Objects of the repository by name, null for those that are not there: in one process, however many. */
function objects(top: string, names: readonly string[]): readonly (Buffer | null)[] {
  if (names.length === 0) return [];
  const all = git(top, ['cat-file', '--batch'], `${names.join('\n')}\n`);
  let at = 0;
  return names.map(() => {
    const end = all?.indexOf('\n', at) ?? -1;
    if (all === null || end < 0) return null;
    const [, , size] = all.toString('utf8', at, end).split(' ');
    at = end + 1;
    if (size === undefined || !/^\d+$/.test(size)) return null;
    const content = all.subarray(at, at + Number(size));
    at += Number(size) + 1;
    return content;
  });
}

/** What git says, or null where it fails. */
function git(folder: string, words: readonly string[], input: string | null): Buffer | null {
  try {
    return execFileSync('git', ['-C', folder, ...words], {
      input: input ?? '',
      stdio: ['pipe', 'pipe', 'ignore'],
      maxBuffer: limits.gitBytesMax,
    });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT')
      throw new CliError(exitCodes.failed, 'git is not there', 'versions and git refs are read with it', {
        cause: error,
      });
    if ((error as NodeJS.ErrnoException).code === 'ENOBUFS')
      throw new CliError(exitCodes.failed, 'git has more to say than is read', 'name a folder or a file instead', {
        cause: error,
      });
    return null;
  }
}
