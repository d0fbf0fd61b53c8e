// The data and the questions of the measures, and the example served by a process of its own.

import { spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

import { root } from '../tools/setup.mjs';

const { createKey } = await import('../packages/server/dist/index.js');

export const data = join(root, 'node_modules/vega-datasets/data');
export const flights = join(data, 'flights-3m.parquet');

/** Threads of the one worker, and partitions of every plan, Ambit's and its peers'. */
export const threads = 2;

export const questions = {
  point: "SELECT date, delay FROM flights WHERE origin = 'LAX' AND destination = 'HDN' ORDER BY date LIMIT 1",
  aggregate:
    "SELECT origin, count(*) AS n, avg(delay) AS late FROM flights WHERE date < TIMESTAMP '2001-01-08' GROUP BY origin",
};

/** All columns of all three million rows. */
export const wholeTable = 'SELECT date, delay, distance, origin, destination FROM flights';

/**
 * The flights, with room for every measure, seen by somebody whom no filter and no mask narrows.
 *
 * @typedef {Awaited<ReturnType<typeof serveFlights>>} Server
 */
export async function serveFlights() {
  const folder = mkdtempSync(join(tmpdir(), 'ambit-bench-'));
  mkdirSync(join(folder, 'tmp'));
  writeFileSync(join(folder, 'environment.yaml'), environment);
  const { token } = await createKey(join(folder, '.ambit/keys.json'), auditor);
  const command = [join(root, 'packages/cli/bin/ambit.js'), 'serve', join(root, 'examples/flights')];
  const child = spawn(
    process.execPath,
    [...command, '--environment', join(folder, 'environment.yaml'), '--listen', '127.0.0.1:0'],
    { cwd: folder, env: { ...process.env, TMPDIR: join(folder, 'tmp') }, stdio: ['ignore', 'ignore', 'pipe'] },
  );
  const url = await listening(child);
  const headers = {
    authorization: `Bearer ${token}`,
    'content-type': 'application/json',
    'ambit-purpose': 'safety-audit',
  };
  return {
    process: child,
    /** Its evidence is in `.ambit`, its temporary files are in `tmp`. */
    folder,
    /** @param {string} sql @param {{ accept?: string, signal?: AbortSignal }} [how] */
    ask: (sql, { accept = 'application/json', signal } = {}) =>
      fetch(`${url}/v1/products/flights/query`, {
        method: 'POST',
        headers: { ...headers, accept },
        body: JSON.stringify({ sql }),
        ...(signal === undefined ? {} : { signal }),
      }),
    /** @param {string} session */
    evidence: async (session) => (await fetch(`${url}/v1/sessions/${session}`, { headers })).json(),
    stop: async () => {
      const exited = new Promise((resolve) => child.once('exit', resolve));
      child.kill('SIGTERM');
      await exited;
    },
    clear: () => rmSync(folder, { recursive: true, force: true }),
  };
}

const environment = `apiVersion: ambit/v1
kind: Environment
name: test
stores: { lake: { root: ${data} } }
engine: { isolation: shared, workers: 1, threads: ${threads}, memory: 1GiB, spill: 2GiB }
`;

/** Somebody whom no filter and no mask narrows. */
export const auditor = {
  tenant: 'mobility',
  principal: 'vera',
  kind: /** @type {const} */ ('user'),
  roles: ['auditor'],
  claims: {},
  onBehalfOf: null,
  expires: null,
};

/** @param {import('node:child_process').ChildProcess} child */
function listening(child) {
  return new Promise((resolve, reject) => {
    /** @type {string[]} */
    const said = [];
    child.once('exit', () => reject(new Error(`the server did not start:\n${said.join('\n')}`)));
    createInterface({ input: /** @type {import('node:stream').Readable} */ (child.stderr) }).on('line', (line) => {
      said.push(line);
      if (line.startsWith('listening on ')) resolve(line.slice('listening on '.length));
    });
  });
}
