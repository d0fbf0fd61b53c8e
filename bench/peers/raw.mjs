// DataFusion without Ambit, in a process of its own: built when it is needed, fed one measure at a time.

import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

import { run, ToolError } from '../../tools/process.mjs';
import { binaryPath } from '../../tools/setup/engine.mjs';
import { root } from '../../tools/setup.mjs';
import { flights } from '../flights.mjs';

/** @typedef {Awaited<ReturnType<typeof prepareRaw>>} Raw */

export async function prepareRaw() {
  console.error('bench: building raw DataFusion beside Ambit (a minute the first time)');
  // With the worker, DataFusion has the features that it has already: it is not compiled again.
  const { status } = await run(
    'cargo',
    ['build', '--quiet', '--locked', '--package', 'ambit-worker', '--package', 'ambit-bench'],
    { cwd: root },
  );
  if (status !== 0) throw new ToolError('what is measured beside Ambit does not build', 'the reason is above');
  const settings = ambitSettings();
  const take = (/** @type {object} */ measure) => {
    const input = JSON.stringify({ tables: { flights }, settings, requests: 1, ...measure });
    const options = { input, encoding: /** @type {const} */ ('utf8'), maxBuffer: 64 * 2 ** 20 };
    const { status: ended, stdout, stderr } = spawnSync(binaryPath(root, 'ambit-bench'), options);
    if (ended !== 0) throw new ToolError(`raw DataFusion failed: ${stderr.trim()}`);
    return JSON.parse(stdout);
  };
  return {
    /** @param {{ sql: string, requests: number, threads: number }} measure @returns {Promise<{ warm: number[], fresh: number[] }>} */
    latency: async (measure) => take({ kind: 'latency', ...measure }),
    /** @param {{ sql: string, threads: number }} measure @returns {Promise<{ micros: number, bytes: number }>} */
    stream: async (measure) => take({ kind: 'stream', ...measure }),
    /** @param {object} measure @returns {Promise<any[]>} */
    governing: async (measure) => take({ kind: 'governing', ...measure }),
  };
}

/** The settings of a session, but those of names and of the process: both sides run the same plans. */
function ambitSettings() {
  const { settings } = JSON.parse(readFileSync(join(root, 'schemas/engine-catalog.json'), 'utf8'));
  const ours = settings.filter(
    (/** @type {{ key: string }} */ { key }) => !/^datafusion\.(catalog|runtime)\./.test(key),
  );
  const values = ours.map((/** @type {any} */ { key, ambit, default: fallback }) => [key, ambit ?? fallback]);
  return Object.fromEntries(values.filter((/** @type {[string, string]} */ [, value]) => value !== ''));
}
