import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';

import { CliError, exitCodes } from '../failure.ts';
import { limits } from '../limits.ts';
import { type Git, objectsOf } from './checkout.ts';

/** What contracts, environments, policies and their reviews are made of. */
const READ = /\.(?:ya?ml|cedar)$|(?:^|\/)reviews\/.*\.json$/;

/**
 * The files of a commit that boundaries are made of, in a folder that is removed afterwards: byte by byte as they were
 * committed, whatever a checkout would make of them. Nothing is checked out.
 */
export async function withTree<T>(git: Git, commit: string, work: (folder: string) => Promise<T>): Promise<T> {
  const files = await filesOf(git, commit);
  const folder = await mkdtemp(join(tmpdir(), 'ambit-git-'));
  try {
    const contents = await objectsOf(
      git,
      files.map(({ object }) => object),
    );
    for (const [at, { path }] of files.entries()) {
      const file = join(folder, path);
      await mkdir(dirname(file), { recursive: true });
      await writeFile(file, contents[at] ?? '');
    }
    return await work(folder);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function filesOf({ text }: Git, commit: string): Promise<readonly { object: string; path: string }[]> {
  const listed = await text(['ls-tree', '-r', '-z', '--full-tree', commit]);
  const files = listed.split('\0').flatMap((line) => {
    // Links are not followed: they could lead out of the commit.
    const [, object, path] = /^100(?:644|755) blob ([0-9a-f]+)\t(.*)$/s.exec(line) ?? [];
    return object !== undefined && path !== undefined && READ.test(path) ? [{ object, path }] : [];
  });
  // Git itself writes no such name; somebody else's tool can.
  const out = files.find(({ path }) => path.split(/[/\\]/).some((part) => part === '..' || part === ''));
  if (out !== undefined)
    throw new CliError(exitCodes.failed, `the commit ${commit.slice(0, 12)} has a file that leads out of it`);
  if (files.length > limits.treeFilesMax)
    throw new CliError(
      exitCodes.failed,
      `the commit ${commit.slice(0, 12)} has ${files.length} files of YAML, Cedar and reviews`,
      `at most ${limits.treeFilesMax} are read`,
    );
  return files;
}
