// DataFusion's Python package, as most of its services are written: a new `SessionContext` with every table registered.

import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { ToolError } from '../../tools/process.mjs';
import { pythonEnvironment } from '../../tools/setup/python.mjs';
import { root } from '../../tools/setup.mjs';

/** @typedef {Awaited<ReturnType<typeof preparePython>>} Python */

export async function preparePython() {
  const here = (/** @type {string} */ name) => fileURLToPath(new URL(name, import.meta.url));
  const commands = await pythonEnvironment(root, here('requirements.txt'));
  return {
    /**
     * Microseconds of each of so many new contexts with so many tables.
     *
     * @param {string} file
     * @param {number} tables
     * @param {number} rounds
     * @returns {Promise<number[]>}
     */
    contexts: async (file, tables, rounds) => {
      const words = [here('contexts.py'), file, String(tables), String(Math.ceil(rounds))];
      const { status, stdout, stderr } = spawnSync(join(commands, 'python'), words, { encoding: 'utf8' });
      if (status !== 0) throw new ToolError(`DataFusion's Python package failed: ${stderr.trim()}`);
      return JSON.parse(stdout);
    },
  };
}
