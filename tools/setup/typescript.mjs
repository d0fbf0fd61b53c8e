// packages/*/dist, by tsc.

import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';

import { run, ToolError } from '../process.mjs';
import { digestOf, filesBelow } from './inputs.mjs';

/** @param {string} root */
export function typescriptInputs(root) {
  const packages = join(root, 'packages');
  const sources = filesBelow(packages, (path) => /\/src\/.*\.ts$|\/tsconfig\.json$|\/package\.json$/.test(path));
  const shared = ['tsconfig.json', 'tsconfig.base.json', 'package-lock.json'].map((name) => join(root, name));
  return digestOf(root, [...sources, ...shared]);
}

/**
 * The inputs and when each package was last compiled: one that was compiled since, by hand, is not what the stamp is about.
 *
 * @param {string} root
 * @param {string} inputs
 */
export function typescriptStamp(root, inputs) {
  const times = readdirSync(join(root, 'packages')).map(
    (name) => statSync(join(root, 'packages', name, 'dist/.tsbuildinfo'), { throwIfNoEntry: false })?.mtimeMs ?? 'none',
  );
  return [inputs, ...times].join(' ');
}

/** @param {string} root */
export async function buildTypescript(root) {
  const { status } = await run(process.execPath, [join(root, 'node_modules/typescript/bin/tsc'), '-b'], { cwd: root });
  if (status !== 0) throw new ToolError('the TypeScript packages do not compile', 'the reasons are above');
}
