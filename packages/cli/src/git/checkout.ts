import { execFile } from 'node:child_process';

import { CliError, exitCodes } from '../failure.ts';
import { limits } from '../limits.ts';

/** A git checkout, asked by the git that is there. */
export interface Git {
  /** Its root. */
  readonly root: string;
  /** What a git command says; throws `CliError` if it fails. */
  readonly bytes: (words: readonly string[], input?: string) => Promise<Buffer>;
  /** The same as text. */
  readonly text: (words: readonly string[], input?: string) => Promise<string>;
}

/** The checkout that a folder lies in; null if it lies in none, or there is no git. */
export async function gitOf(folder: string): Promise<Git | null> {
  const found = await ran(folder, ['rev-parse', '--show-toplevel'], '').catch(() => null);
  if (found === null) return null;
  const root = found.toString('utf8').trimEnd();
  const bytes: Git['bytes'] = (words, input = '') => ran(root, words, input);
  return { root, bytes, text: async (words, input) => (await bytes(words, input)).toString('utf8') };
}

function ran(cwd: string, words: readonly string[], input: string): Promise<Buffer> {
  return new Promise((done, fail) => {
    const options = { cwd, encoding: 'buffer', maxBuffer: limits.gitBytesMax } as const;
    const child = execFile('git', words, options, (error, out, err) => {
      if (error === null) done(out);
      else fail(failureOf(words, error, err.toString('utf8')));
    });
    child.stdin?.on('error', () => {});
    child.stdin?.end(input);
  });
}

function failureOf([command]: readonly string[], cause: Error & { code?: unknown }, said: string): CliError {
  if (cause.code === 'ENOENT') {
    const hint = 'history, versions and authors are read with it';
    return new CliError(exitCodes.failed, 'git is not there', hint, { cause });
  }
  if (cause.code === 'ERR_CHILD_PROCESS_STDIO_MAXBUFFER') {
    const message = `git ${command} has more to say than is read: ${limits.gitBytesMax} bytes`;
    return new CliError(exitCodes.failed, message, 'name less of it, as a folder or a shorter range', { cause });
  }
  return new CliError(exitCodes.failed, `git ${command}: ${said.trim() || cause.message}`, null, { cause });
}

/** The commit that a ref names, or null. */
export async function commitOf({ text }: Git, ref: string): Promise<string | null> {
  const words = ['rev-parse', '--verify', '--quiet', '--end-of-options', `${ref}^{commit}`];
  return text(words).then(
    (id) => id.trim(),
    () => null,
  );
}

/** A range of commits, each by its id. */
export interface Range {
  readonly from: string;
  readonly to: string;
}

/** The commits of `A..B`. Throws `CliError`. */
export async function rangeOf(git: Git, text: string): Promise<Range> {
  const [, from, to] = /^([^.\s-][^\s]*?)\.\.\.?([^.\s-][^\s]*)$/.exec(text) ?? [];
  if (from === undefined || to === undefined) {
    throw new CliError(exitCodes.usage, `\`${text}\` is no range`, 'two commits, as main..HEAD');
  }
  const commit = async (name: string): Promise<string> => {
    const found = await commitOf(git, name);
    if (found !== null) return found;
    throw new CliError(exitCodes.usage, `there is no commit \`${name}\``, 'in CI, fetch the whole history');
  };
  return { from: await commit(from), to: await commit(to) };
}

/** A file, and nothing that looks like a pattern of files. */
export function literally(file: string): string {
  return `:(top,literal)${file}`;
}

/** Objects of the repository by name, null for those that are not there: in one process, however many. */
export async function objectsOf({ bytes }: Git, names: readonly string[]): Promise<readonly (Buffer | null)[]> {
  if (names.length === 0) return [];
  const all = await bytes(['cat-file', '--batch'], `${names.join('\n')}\n`);
  let at = 0;
  return names.map(() => {
    const end = all.indexOf('\n', at);
    if (end < 0) return null;
    const [, , size] = all.toString('utf8', at, end).split(' ');
    at = end + 1;
    if (size === undefined || !/^\d+$/.test(size)) return null;
    const content = all.subarray(at, at + Number(size));
    at += Number(size) + 1;
    return content;
  });
}
