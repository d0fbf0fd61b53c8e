// What evidence costs: sessions a second with it durable beside none of it written, appends a second, bytes a session, and how
// long a verifier takes.

import { spawn } from 'node:child_process';
import { closeSync, fdatasyncSync, mkdtempSync, openSync, readdirSync, rmSync, statSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

import { root } from '../../tools/setup.mjs';
import { quantile } from '../quantiles.mjs';

const { openLog, verifyLog } = await import('../../packages/evidence/dist/index.js');

const crowds = [1, 16, 128];
/** Each way by turns: a machine that others use is not always as fast. */
const rounds = 5;
const roundMs = 4_000;
const sql = 'SELECT count(*) AS n FROM airports';

/** @param {number} records */
export async function evidence(records) {
  const folder = mkdtempSync(join(tmpdir(), 'ambit-bench-'));
  try {
    return {
      syncMicros: syncOf(folder),
      sessions: await sessions(folder),
      ...(await appends(join(folder, 'appends'), records)),
      ...(await verified(join(folder, 'appends'))),
    };
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** One sync of 4 KiB, p50 in microseconds. */
function syncOf(/** @type {string} */ folder) {
  const file = openSync(join(folder, 'sync'), 'w');
  const times = Array.from({ length: 200 }, () => {
    writeSync(file, Buffer.alloc(4096, 1));
    const started = process.hrtime.bigint();
    fdatasyncSync(file);
    return Number(process.hrtime.bigint() - started) / 1_000;
  });
  closeSync(file);
  return Math.round(quantile(times, 0.5));
}

/** Sessions a second by number of clients, both ways. */
async function sessions(/** @type {string} */ folder) {
  console.error('bench: sessions with evidence and without');
  const ways = {
    durable: await serve('durable', join(folder, 'durable')),
    off: await serve('off', join(folder, 'off')),
  };
  const found = [];
  let asked = 0;
  for (const clients of crowds) {
    /** @type {Record<string, number[]>} */
    const rates = { durable: [], off: [] };
    for (let round = 0; round <= rounds; round += 1) {
      for (const [way, server] of Object.entries(ways)) {
        const count = await crowd(server, clients);
        if (way === 'durable') asked += count;
        // The first round warms up.
        if (round > 0) rates[way]?.push(count / (roundMs / 1_000));
      }
    }
    const median = (/** @type {string} */ way) => Math.round(quantile(rates[way] ?? [], 0.5));
    const shares = (rates['durable'] ?? []).map((rate, at) => rate / (rates['off']?.[at] ?? Number.NaN));
    found.push({ clients, durable: median('durable'), off: median('off'), share: quantile(shares, 0.5) });
  }
  for (const { stop } of Object.values(ways)) await stop();
  const bytes = bytesOf(join(folder, 'durable/evidence'), '.segment');
  return { rates: found, bytesEach: Math.round(bytes / asked) };
}

/** @typedef {{ url: string, token: string, stop: () => Promise<void> }} Served */

/** @returns {Promise<Served>} */
async function serve(/** @type {string} */ mode, /** @type {string} */ folder) {
  const child = spawn(process.execPath, [join(root, 'bench/peers/recorded.mjs'), mode, folder], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const lines = createInterface({ input: child.stdout });
  const line = await new Promise((resolve, reject) => {
    lines.once('line', resolve);
    child.once('exit', () => reject(new Error('the server did not start')));
  });
  const stop = () =>
    new Promise((resolve) => {
      child.once('exit', () => resolve(undefined));
      child.kill('SIGTERM');
    });
  return { ...JSON.parse(line), stop };
}

/** How many sessions so many clients got within a round. */
async function crowd(/** @type {Served} */ { url, token }, /** @type {number} */ clients) {
  const until = Date.now() + roundMs;
  let count = 0;
  const headers = {
    authorization: `Bearer ${token}`,
    'content-type': 'application/json',
    'ambit-purpose': 'safety-audit',
  };
  const client = async () => {
    while (Date.now() < until) {
      const answer = await fetch(`${url}/v1/products/flights/query`, {
        method: 'POST',
        headers,
        body: JSON.stringify({ sql }),
      });
      await answer.arrayBuffer();
      if (answer.status === 200) count += 1;
    }
  };
  await Promise.all(Array.from({ length: clients }, client));
  return count;
}

/** Records a second of callers that wait for each. */
async function appends(/** @type {string} */ folder, /** @type {number} */ records) {
  console.error(`bench: ${records} appends`);
  const log = await openLog({ folder, ambit: '0.1.0' });
  const callers = 512;
  let next = 0;
  const started = process.hrtime.bigint();
  const caller = async (/** @type {number} */ name) => {
    while (next < records) {
      next += 2;
      const session = `ses_${String(name).padStart(4, '0')}${String(next).padStart(28, '0')}`;
      const { seq } = await log.append({ ...intent, session });
      await log.append({ ...outcome, session, intent: seq });
    }
  };
  await Promise.all(Array.from({ length: callers }, (_, name) => caller(name)));
  const seconds = Number(process.hrtime.bigint() - started) / 1e9;
  await log.close();
  return { appends: { records: next, callers, perSecond: Math.round(next / seconds) } };
}

async function verified(/** @type {string} */ folder) {
  console.error('bench: verifying them');
  const started = process.hrtime.bigint();
  const { records, problems } = await verifyLog(folder);
  const seconds = Number(process.hrtime.bigint() - started) / 1e9;
  return { verify: { records, problems: problems.length, seconds, bytes: bytesOf(folder, '.segment') } };
}

function bytesOf(/** @type {string} */ folder, /** @type {string} */ ending) {
  const names = readdirSync(folder).filter((name) => name.endsWith(ending));
  return names.reduce((sum, name) => sum + statSync(join(folder, name)).size, 0);
}

const digest = `sha256:${'a'.repeat(64)}`;
const intent = /** @type {const} */ ({
  type: 'session.intent',
  request: 'req_00000000000000000000000000000000',
  product: 'flights',
  version: '1.0.0',
  environment: 'production',
  fingerprint: digest,
  grant: digest,
  subject: { tenant: 'mobility', principal: 'vera', kind: 'user', roles: ['auditor'], claims: {}, onBehalfOf: null },
  purpose: 'safety-audit',
  scope: 'request',
  statement: { kind: 'sql', name: null, sql, digest, parameters: {} },
  format: 'json',
  limits: { memoryBytes: 536870912, spillBytes: 1073741824, timeoutMs: 30000, rows: 1000000, bytes: 268435456 },
  credentials: { lake: null },
  traceparent: null,
});
const outcome = /** @type {const} */ ({
  type: 'session.outcome',
  status: 'completed',
  error: null,
  rows: 1,
  bytes: 120,
  engine: { columns: [{ name: 'n', nullable: false, type: 'bigint' }], planDigest: digest, resultDigest: digest },
  steps: { authorize: 210, admit: 12, intent: 900, plan: 2100, run: 3200 },
});
