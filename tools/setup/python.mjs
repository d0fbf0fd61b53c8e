// A Python environment of a requirements file, made once. Packages come from PyPI, and are what their hashes say.

import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { createHash } from 'node:crypto';
import { dirname, join } from 'node:path';

import { run, ToolError } from '../process.mjs';

const install = 'on Debian: apt-get install python3-venv';

/**
 * The folder of the commands of an environment that holds exactly what the file lists.
 *
 * @param {string} root
 * @param {string} requirements Path of a file with hashes.
 * @returns {Promise<string>}
 */
export async function pythonEnvironment(root, requirements) {
  const digest = createHash('sha256').update(readFileSync(requirements)).digest('hex').slice(0, 16);
  const folder = join(root, '.ambit/python', digest);
  const done = join(folder, 'complete');
  if (existsSync(done)) return join(folder, 'bin');
  console.error('setup: installing Python packages for tests (about a minute)');
  mkdirSync(dirname(folder), { recursive: true, mode: 0o700 });
  // What an install that was interrupted left.
  rmSync(folder, { recursive: true, force: true });
  await step('python3', ['-m', 'venv', folder], 'there is no python3 that makes environments', install);
  const pip = [
    '-m',
    'pip',
    'install',
    '--quiet',
    '--disable-pip-version-check',
    '--require-hashes',
    '-r',
    requirements,
  ];
  await step(join(folder, 'bin/python'), pip, 'pip could not install what tests need', 'the reason is above');
  writeFileSync(`${done}.new`, `${requirements}\n`);
  renameSync(`${done}.new`, done);
  return join(folder, 'bin');
}

/**
 * @param {string} command
 * @param {string[]} parameters
 * @param {string} failure
 * @param {string} hint
 */
async function step(command, parameters, failure, hint) {
  const { status, stdout, stderr } = await run(command, parameters, { output: 'capture' });
  if (status === 0) return;
  console.error(`${stdout}${stderr}`.trim());
  throw new ToolError(`${failure} (\`${command}\`)`, hint);
}
