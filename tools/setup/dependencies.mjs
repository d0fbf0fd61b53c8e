// node_modules, as package-lock.json says.

import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

import { run, ToolError } from '../process.mjs';

/**
 * Whether what is installed is what the lock file names. npm keeps its own record of what it installed; optional
 * packages for other platforms are missing there, and nothing else may be.
 *
 * @param {string} root
 */
export function dependenciesInstalled(root) {
  const record = join(root, 'node_modules/.package-lock.json');
  if (!existsSync(record)) return false;
  const wanted = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8')).packages;
  const installed = JSON.parse(readFileSync(record, 'utf8')).packages;
  for (const [path, entry] of Object.entries(wanted)) {
    const inNodeModules = path.includes('node_modules/');
    if (!inNodeModules) continue;
    const present = installed[path];
    if (present === undefined ? entry.optional !== true : present.version !== entry.version) return false;
  }
  return commandsLinked(root, wanted);
}

/**
 * npm links the commands of the workspace's own packages when it installs; a package that gained one later has none.
 *
 * @param {string} root
 * @param {Record<string, { bin?: Record<string, string> }>} packages
 */
function commandsLinked(root, packages) {
  return Object.entries(packages)
    .filter(([path]) => path.startsWith('packages/') && !path.includes('node_modules/'))
    .flatMap(([, entry]) => Object.keys(entry.bin ?? {}))
    .every((command) => existsSync(join(root, 'node_modules/.bin', command)));
}

/** @param {string} root */
export async function installDependencies(root) {
  // The versions of the lock file, which stays as it is. Not `npm ci`: that refuses where a registry lacks the binaries of
  // other platforms. No install script runs: no dependency needs one.
  const words = ['install', '--no-save', '--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error'];
  const { status } = await run('npm', words, { cwd: root });
  if (status !== 0) {
    throw new ToolError(
      'npm could not install the dependencies',
      'the reason is above; `npm install --no-save` repeats this step alone',
    );
  }
}
