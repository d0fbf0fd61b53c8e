import { limits } from '../limits.ts';
import type { Signer } from '@ambit/contract';
import { sshSigned, unarmoured } from '@ambit/review';

import { type Git, literally, objectsOf } from './checkout.ts';

/** The newest commit in which a file held a text that passes, or null. Merges count as the commits that they merge. */
export async function lastCommit(git: Git, file: string, passes: (text: string) => boolean): Promise<string | null> {
  const words = ['log', `--max-count=${limits.historyCommitsMax}`, '--format=%H', '--', literally(file)];
  const commits = linesOf(await git.text(words).catch(() => ''));
  const texts = await objectsOf(
    git,
    commits.map((commit) => `${commit}:${file}`),
  );
  return commits.find((_, at) => passes(texts[at]?.toString('utf8') ?? '')) ?? null;
}

/** The commit that added a file; null if none did. */
export async function addedIn({ text }: Git, file: string): Promise<string | null> {
  const found = await text(['log', '-1', '--diff-filter=A', '--format=%H', '--', literally(file)]).catch(() => '');
  return found.trim() === '' ? null : found.trim();
}

/**
 * Addresses of those who wrote, committed or co-wrote the commits of a range that changed these files; and those of a signer
 * whose SSH key signed one, under whatever address.
 */
export async function authorsIn(
  git: Git,
  range: string,
  files: readonly string[],
  signers: readonly Signer[],
): Promise<readonly string[]> {
  const words = (format: string) => ['log', format, '--end-of-options', range, '--', ...files.map(literally)];
  const told = await git.text(words('--format=%ae%n%ce%n%(trailers:key=Co-authored-by,valueonly)'));
  const commits = await objectsOf(git, linesOf(await git.text(words('--format=%H'))));
  const signed = commits.flatMap((commit) => (commit === null ? [] : signersOfCommit(commit, signers)));
  return sorted([...addressesOf(told), ...signed.flatMap(({ emails }) => emails)]);
}

/** Whoever works in this checkout, where these files are not as they were committed. */
export async function authorsNow({ text }: Git, files: readonly string[]): Promise<readonly string[]> {
  const changed = await text(['status', '--porcelain', '--', ...files.map(literally)]);
  return changed === '' ? [] : sorted(addressesOf(await text(['config', 'user.email']).catch(() => '')));
}

const SIGNATURE = /^gpgsig(?:-sha256)? .*\n(?: .*\n)*/gm;

/** Who of these signed a commit. A signature that does not hold is nobody's: anybody can write one down. */
function signersOfCommit(commit: Buffer, signers: readonly Signer[]): readonly Signer[] {
  // Byte by byte: what was signed need not be UTF-8.
  const text = commit.toString('latin1');
  const end = text.indexOf('\n\n') + 1;
  const [head, rest] = [text.slice(0, end), text.slice(end)];
  const message = Buffer.from(head.replaceAll(SIGNATURE, '') + rest, 'latin1');
  const signatures = (head.match(SIGNATURE) ?? []).flatMap((block) => {
    const armour = block.slice(block.indexOf(' ') + 1).replaceAll('\n ', '\n');
    return unarmoured(armour) ?? [];
  });
  return signers.filter(({ keys }) =>
    keys.some((key) => signatures.some((signature) => sshSigned(key, 'git', message, signature))),
  );
}

function linesOf(text: string): readonly string[] {
  return text.split('\n').filter((line) => line !== '');
}

function addressesOf(text: string): readonly string[] {
  const found = text.split('\n').map((line) => (/<([^<>\s]+)>\s*$/.exec(line)?.[1] ?? line).trim().toLowerCase());
  return found.filter((word) => word.includes('@'));
}

function sorted(words: readonly string[]): readonly string[] {
  return [...new Set(words)].toSorted();
}
