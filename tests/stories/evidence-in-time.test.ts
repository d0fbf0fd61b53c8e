import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openLog } from '@ambit/evidence';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { root, type Server, startServer } from '../server.ts';

// Whoever asks the evidence about a day reads that day.

const BOOTS = 4;
const SESSIONS = 3_000;
/** When each process run had begun. */
const begun: string[] = [];

let folder: string;
let server: Server<'iris'>;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'ambit-in-time-'));
  for (let boot = 0; boot < BOOTS; boot += 1) await run(boot);
  const lake = `stores: { lake: { root: ${join(root, 'node_modules/vega-datasets/data')} } }\n`;
  server = await startServer({
    paths: [join(root, 'examples/flights/flights.yaml')],
    environment: `${lake}evidence: ${folder}\nevidenceKey: ${folder}.key\n`,
    subjects: { iris: { tenant: 'ambit', roles: ['auditor'] } },
  });
}, 120_000);
afterAll(async () => {
  await server.close();
  for (const path of [folder, `${folder}.key`]) rmSync(path, { recursive: true });
});

/** One run of a process, whose sessions are in a segment of their own. */
async function run(boot: number): Promise<void> {
  const log = await openLog({ folder, ambit: '0.1.0' });
  const authentication = { method: 'api-key', reference: 'k' };
  const nobody = { roles: [], claims: {}, channel: 'http', onBehalfOf: null, authentication };
  const subject = { tenant: 't', principal: `p${boot}`, kind: 'user', ...nobody };
  const boundary = { product: { name: 'x', version: '1.0.0' }, settings: {}, tables: {}, catalogs: {} };
  await log.ensureBoundary({ product: 'x', version: '1.0.0', environment: 'test', fingerprint: 'f', boundary });
  await log.ensureGrant('g', {
    format: 'ambit/grant/v1',
    product: 'x',
    fingerprint: 'f',
    purpose: 'why',
    tables: {},
    decisions: [],
  });
  begun.push(new Date().toISOString().replace('Z', ''));
  const about = { product: 'x', version: '1.0.0', environment: 'test', fingerprint: 'f', grant: 'g' };
  const asked = { purpose: 'why', scope: 'request', format: 'json', limits: {}, credentials: {}, traceparent: null };
  await Promise.all(
    Array.from({ length: SESSIONS }, async (_, at) => {
      const session = `ses_${boot}_${at}`;
      const sql = `SELECT ${'a, '.repeat(20)} ${boot * SESSIONS + at} FROM x`;
      const statement = { kind: 'sql', name: null, sql, digest: `sha256:${at}`, parameters: {} } as const;
      const named = { session, request: session, subject, statement } as const;
      const { seq } = await log.append({ type: 'session.intent', ...named, ...about, ...asked });
      const ended = {
        status: 'completed',
        error: null,
        rows: 1,
        bytes: 1,
        engine: { functions: ['abs'] },
        steps: {},
      } as const;
      await log.append({ type: 'session.outcome', session, intent: seq, ...ended });
    }),
  );
  await log.close();
}

/** Its rows, and the bytes that it read of the files of a table. */
async function ask(sql: string, table: string): Promise<{ readonly rows: unknown[][]; readonly bytes: number }> {
  const answer = await server.as('iris', '/v1/evidence/query', { body: { sql, purpose: 'review' } });
  const body = (await answer.json()) as { rows: unknown[][] };
  const session = await server.as('iris', `/v1/sessions/${answer.headers.get('ambit-session')}`);
  const { outcome } = (await session.json()) as {
    outcome: { engine: { accesses: { object: string; bytes: number }[] } };
  };
  const own = outcome.engine.accesses.filter(({ object }) => object.startsWith(`${table}/`));
  return { rows: body.rows, bytes: own.reduce((sum, { bytes }) => sum + bytes, 0) };
}

test('a query with a bound on time does not read what is older', async () => {
  // What is learnt of files at first sight is kept.
  await ask('SELECT max(s.request), max(u.name) FROM sessions s LEFT JOIN uses u ON u.session = s.session', 'sessions');
  const all = await ask('SELECT count(*), count(DISTINCT request), max(request) FROM sessions', 'sessions');
  const since = `at >= '${begun[BOOTS - 1]}'`;
  const some = await ask(
    `SELECT count(*), count(DISTINCT request), max(request) FROM sessions WHERE ${since} AND product = 'x'`,
    'sessions',
  );
  const none = await ask(`SELECT count(*), max(name) FROM uses WHERE at < '2020-01-01'`, 'uses');
  const uses = await ask('SELECT count(*), max(name) FROM uses', 'uses');
  expect(Number(all.rows[0]?.[0])).toBeGreaterThanOrEqual(BOOTS * SESSIONS);
  expect(some.rows).toEqual([[SESSIONS, SESSIONS, `ses_${BOOTS - 1}_999`]]);
  expect(some.bytes).toBeLessThan(all.bytes / 2);
  expect(none.rows).toEqual([[0, null]]);
  expect(none.bytes).toBeLessThan(uses.bytes / 2);
});
