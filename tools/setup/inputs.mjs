// What a build is made from, as one digest: a build whose inputs have not changed is not run again.

import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join, relative } from 'node:path';

const ignored = new Set(['node_modules', 'dist', 'target', '.git', '.ambit']);

/**
 * Files below `folder` for which `wanted` holds, sorted.
 *
 * @param {string} folder
 * @param {(path: string) => boolean} wanted
 * @returns {string[]}
 */
export function filesBelow(folder, wanted) {
  /** @type {string[]} */
  const found = [];
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) {
      if (!ignored.has(entry.name)) found.push(...filesBelow(path, wanted));
    } else if (wanted(path)) {
      found.push(path);
    }
  }
  return found.sort();
}

/**
 * Digest of the names and contents of files. Contents, not times: a fresh checkout of the same commit is the same.
 *
 * @param {string} root
 * @param {readonly string[]} files
 * @param {readonly string[]} [also] What else decides the result.
 */
export function digestOf(root, files, also = []) {
  const hash = createHash('sha256');
  for (const text of also) hash.update(`${text}\0`);
  for (const file of files) {
    hash.update(`${relative(root, file)}\0`);
    hash.update(createHash('sha256').update(readFileSync(file)).digest());
  }
  return `sha256:${hash.digest('hex')}`;
}

/**
 * The digest that was recorded, or null.
 *
 * @param {string} file
 */
export function recorded(file) {
  try {
    return readFileSync(file, 'utf8').trim();
  } catch {
    return null;
  }
}
