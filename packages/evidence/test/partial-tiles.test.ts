import { cp, mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { dirname, join, relative } from 'node:path';
import { expect, it } from 'vitest';
import { parseCheckpoint } from '../src/checkpoint.ts';
import { openLog } from '../src/log.ts';
import { partialPaths } from '../src/tiles.ts';
import { verifyLog } from '../src/verify.ts';
import { freshFolder, refusal } from './support.ts';

// A partial tile serves whoever reads by a checkpoint of its size, and no longer.

/** Partial tiles that are there, and folders for them. */
async function partialOf(
  folder: string,
): Promise<{ readonly paths: readonly string[]; readonly folders: readonly string[] }> {
  const found = await readdir(join(folder, 'tile'), { recursive: true, withFileTypes: true });
  const named = found.map((entry) => ({
    path: relative(folder, join(entry.parentPath, entry.name)),
    file: entry.isFile(),
  }));
  return {
    paths: named.filter(({ path, file }) => file && dirname(path).endsWith('.p')).map(({ path }) => path),
    folders: named.filter(({ path }) => path.endsWith('.p')).map(({ path }) => path),
  };
}

async function sizeOn(folder: string): Promise<number> {
  return parseCheckpoint(await readFile(join(folder, 'checkpoint'), 'utf8'))?.size ?? -1;
}

async function grow(folder: string, records: number): Promise<void> {
  const log = await openLog({ folder, ambit: '0.1.0' });
  await Promise.all(Array.from({ length: records }, (_, at) => log.append(refusal(`${at}`))));
  await log.close();
}

it('of processes that ended do not gather', async () => {
  const folder = await freshFolder();
  for (let boot = 0; boot < 8; boot += 1) await grow(folder, 100);
  const { paths, folders } = await partialOf(folder);
  const size = await sizeOn(folder);
  expect(size).toBe(8 * 102);
  for (const path of partialPaths(size)) expect(paths).toContain(path);
  // Those of the last three checkpoints: a bundle, and a tile of two levels each.
  expect(paths.length).toBeLessThanOrEqual(9);
  for (const path of folders)
    expect(
      paths.some((one) => dirname(one) === path),
      path,
    ).toBe(true);
  expect((await verifyLog(folder)).problems).toEqual([]);
});

it('that a process left which was killed are gone at the next start, but for those that its readers may have', async () => {
  const folder = await freshFolder();
  const log = await openLog({ folder, ambit: '0.1.0' });
  await Promise.all(Array.from({ length: 300 }, (_, at) => log.append(refusal(`${at}`))));
  const copy = await freshFolder();
  await cp(folder, copy, { recursive: true });
  await cp(`${folder}.key`, `${copy}.key`);
  await rm(join(copy, 'lock'), { force: true });
  await log.close();
  await grow(copy, 1);
  const size = await sizeOn(copy);
  // What older versions left: files of any width, and folders with nothing in them.
  const left = ['tile/0/000.p/7', 'tile/0/001.p/3', 'tile/entries/001.p/9', 'tile/entries/x000/002.p/5'];
  for (const path of left) {
    await mkdir(dirname(join(copy, path)), { recursive: true });
    await writeFile(join(copy, path), 'left');
  }
  await mkdir(join(copy, 'tile/entries/000.p'));
  const next = await openLog({ folder: copy, ambit: '0.1.0' });
  const { paths, folders } = await partialOf(copy);
  for (const path of left) expect(paths).not.toContain(path);
  expect(folders).not.toContain('tile/entries/000.p');
  expect(folders).not.toContain('tile/entries/x000/002.p');
  // Somebody holds the checkpoint of before the start.
  for (const path of partialPaths(size)) expect(paths).toContain(path);
  await next.close();
  expect((await verifyLog(copy)).problems).toEqual([]);
});
