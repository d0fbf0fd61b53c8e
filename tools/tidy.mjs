// The house style, as a check: lengths, directions, words, descriptions. `tidy(read...)` is pure, so that its tests can
// show it bad code.

import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

import { runTool } from './process.mjs';
import { importDirections, manifestDirections, unusedFiles } from './tidy/direction.mjs';
import { unusedExports } from './tidy/exports.mjs';
import { fileLength, functionLengths } from './tidy/shape.mjs';
import { bannedWords, missingDocuments } from './tidy/words.mjs';

/** @typedef {import('./tidy/shape.mjs').Problem} Problem */

// What a tool or somebody else wrote.
const generated = /(?:^|\/)(?:generated|published)\/|^schemas\/|^Cargo\.lock$|^package-lock\.json$|engine-costs\.json$/;
const tests = /(?:^|\/)tests?\/|\.test\.ts$|_test\.rs$/;
const code = /\.(?:ts|mts|mjs|js|tsx|rs)$/;
// Its own rules and their tests name what they forbid.
const aboutTidy = /^tools\/(?:tidy\/|test\/tidy)/;
const readable = /\.(?:ts|mts|mjs|js|tsx|rs|md|json|ya?ml|toml|cedar|cedarschema|sql|slt|sh|py)$|^\.ci\/|^NOTICE$/;

/**
 * Every problem of these files.
 *
 * @param {ReadonlyMap<string, string>} files Text by path, relative to the root.
 * @param {(name: string, from: string) => boolean} exists Whether a document that a file names is there.
 * @returns {Problem[]}
 */
export function tidy(files, exists) {
  /** @type {Problem[]} */
  const problems = [];
  for (const [path, text] of files) {
    if (generated.test(path) || !readable.test(path)) continue;
    if (code.test(path)) problems.push(...fileLength(path, text));
    if (code.test(path) && !tests.test(path)) problems.push(...functionLengths(path, text));
    if (!aboutTidy.test(path)) problems.push(...bannedWords(path, text), ...missingDocuments(path, text, exists));
    problems.push(...importDirections(path, text));
    if (/^(?:packages\/[\w-]+\/package\.json|crates\/[\w-]+\/Cargo\.toml)$/.test(path)) {
      problems.push(...manifestDirections(path, text), ...description(path, text));
    }
    if (/^crates\/[\w-]+\/src\/(?:lib|main)\.rs$/.test(path) && !text.startsWith('//!')) {
      problems.push({ path, line: 1, message: 'a crate says what it is in its first line, `//! ...`' });
    }
  }
  problems.push(...packages(files).flatMap(unusedFiles), ...unusedExports(files), ...lockedRegistry(files));
  return problems;
}

/**
 * @param {ReadonlyMap<string, string>} files
 * @returns {ReadonlyMap<string, string>[]}
 */
function packages(files) {
  /** @type {Map<string, Map<string, string>>} */
  const found = new Map();
  for (const [path, text] of files) {
    const name = /^packages\/([\w-]+)\/src\/.*\.ts$/.exec(path)?.[1];
    if (name === undefined || generated.test(path)) continue;
    found.set(name, (found.get(name) ?? new Map()).set(path, text));
  }
  return [...found.values()];
}

/**
 * @param {string} path
 * @param {string} text
 * @returns {Problem[]}
 */
function description(path, text) {
  const found = path.endsWith('.json') ? JSON.parse(text).description : /^description = "(.+)"$/m.exec(text)?.[1];
  return found ? [] : [{ path, line: 1, message: 'a package says in its manifest what it is for: `description`' }];
}

/**
 * Lock files that name a mirror would install for nobody else.
 *
 * @param {ReadonlyMap<string, string>} files
 * @returns {Problem[]}
 */
function lockedRegistry(files) {
  const text = files.get('package-lock.json') ?? '';
  return text.split('\n').flatMap((line, index) => {
    const url = /"resolved": "(https?:[^"]+)"/.exec(line)?.[1];
    if (url === undefined || url.startsWith('https://registry.npmjs.org/')) return [];
    return [{ path: 'package-lock.json', line: index + 1, message: "locked to another registry than npm's" }];
  });
}

/**
 * The repository's files, as git sees them: those that are ignored are not the repository's.
 *
 * @param {string} root
 * @returns {ReadonlyMap<string, string>}
 */
export function repositoryFiles(root) {
  const listed = execFileSync('git', ['ls-files', '--cached', '--others', '--exclude-standard', '-z'], {
    cwd: root,
    encoding: 'utf8',
    maxBuffer: 64 * 1024 * 1024,
  });
  const paths = listed.split('\0').filter((path) => path !== '' && existsSync(join(root, path)));
  return new Map(
    paths.filter((path) => readable.test(path)).map((path) => [path, readFileSync(join(root, path), 'utf8')]),
  );
}

/**
 * @param {string} root
 * @returns {Problem[]}
 */
export function tidyRepository(root) {
  const exists = (/** @type {string} */ name, /** @type {string} */ from) =>
    [join(root, dirname(from), name), join(root, name)].some((path) => existsSync(path));
  return tidy(repositoryFiles(root), exists);
}

async function main() {
  const problems = tidyRepository(join(dirname(fileURLToPath(import.meta.url)), '..'));
  for (const { path, line, message } of problems) console.log(`${path}:${line}  ${message}`);
  return problems.length === 0 ? 0 : 1;
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) await runTool(main);
