import { mkdirSync, mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { verifyLog } from '@ambit/evidence';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { endOf, evidenceOf, rowsOf, running, type Server, startExample } from './server.ts';

// A session that fails halfway leaves one complete record, frees everything, and disturbs no other.

let server: Server;
beforeAll(async () => {
  server = await startExample([exampleWithBadValue()]);
}, 60_000);
afterAll(() => server.close());

const everything = Array(9).fill('SELECT delay FROM flights').join(' UNION ALL ');
const endless = 'WITH RECURSIVE t AS (SELECT 1 AS n UNION ALL SELECT n + 1 FROM t) SELECT count(*) FROM t';
const wellKnown = async (): Promise<void> => {
  expect(await rowsOf(await server.ask('vera', 'safety-audit', 'SELECT count(*) FROM good'))).toEqual([[3]]);
};

/** A product with a value, far into a table, that is not of its declared type. */
function exampleWithBadValue(): string {
  const folder = mkdtempSync(join(tmpdir(), 'ambit-halfway-'));
  mkdirSync(join(folder, 'data'));
  const rows = Array.from({ length: 2_000_000 }, (_, row) => (row === 1_900_000 ? 'SECRET' : String(row)));
  writeFileSync(join(folder, 'data/numbers.csv'), `n\n${rows.join('\n')}\n`);
  writeFileSync(join(folder, 'data/good.csv'), 'n\n1\n2\n3\n');
  writeFileSync(
    join(folder, 'flights.yaml'),
    `apiVersion: ambit/v1
kind: DataProduct
name: flights
version: 1.0.0
tenant: mobility
owner: { team: test }
purposes: { safety-audit: test }
stores: { here: { root: data }, lake: {} }
catalogs: { csv: { type: csv, store: here }, parquet: { type: parquet, store: lake } }
tables:
  numbers: { catalog: csv, path: numbers.csv, columns: { n: { type: bigint } } }
  good: { catalog: csv, path: good.csv, columns: { n: { type: bigint } } }
  flights: { catalog: parquet, path: flights-3m.parquet, columns: { delay: { type: bigint }, origin: { type: string } } }
functions: { allow: ["@aggregate", "@string", "@regex"] }
limits: { timeout: 5s, rows: 100000000, bytes: 4GiB, memory: 8MiB, spill: 0B }
`,
  );
  writeFileSync(
    join(folder, 'flights.cedar'),
    `@id("all") permit (principal in Role::"mobility/auditor", action in [Action::"open", Action::"read", Action::"call"], resource);
@id("evidence") permit (principal in Role::"mobility/auditor", action == Action::"readEvidence", resource);\n`,
  );
  return folder;
}

test('a value in row two million that cannot be read', async () => {
  const answer = await server.ask('vera', 'safety-audit', 'SELECT n FROM numbers', { accept: 'application/x-ndjson' });
  expect(answer.status).toBe(200);
  let text = '';
  await expect(
    (async () => {
      for await (const chunk of answer.body ?? []) text += Buffer.from(chunk as Uint8Array).toString('utf8');
    })(),
  ).rejects.toThrow();
  expect(text).not.toContain('SECRET');
  const outcome = await endOf(server, answer.headers.get('ambit-session') ?? '');
  expect(outcome).toMatchObject({
    status: 'failed',
    error: { code: 'source_failed' },
    engine: { residue: { memoryBytes: 0, tasks: 0 } },
  });
  await wellKnown();
}, 30_000);

test.each([
  ['json', 'application/json', (text: string) => expect(() => JSON.parse(text) as unknown).toThrow()],
  ['csv', 'text/csv', () => undefined],
  ['arrow', 'application/vnd.apache.arrow.stream', () => undefined],
])(
  'a %s answer that fails halfway is cut',
  async (_, accept, check) => {
    const answer = await server.ask('vera', 'safety-audit', 'SELECT n FROM numbers', { accept });
    let text = '';
    await expect(
      (async () => {
        for await (const chunk of answer.body ?? []) text += Buffer.from(chunk as Uint8Array).toString('latin1');
      })(),
    ).rejects.toThrow();
    check(text);
  },
  30_000,
);

test('the consumer goes away', async () => {
  const abort = new AbortController();
  const answer = await server.as('vera', '/v1/products/flights/query', {
    body: { sql: everything, purpose: 'safety-audit' },
    headers: { accept: 'text/csv' },
    signal: abort.signal,
  });
  if (answer.status !== 200) throw new Error(`${answer.status} ${await answer.text()}`);
  const session = answer.headers.get('ambit-session') ?? '';
  await answer.body?.getReader().read();
  abort.abort();
  const outcome = await endOf(server, session);
  expect(outcome.status).toBe('cancelled');
  await wellKnown();
}, 30_000);

test('a cancel by its subject', async () => {
  const answer = server.ask('vera', 'safety-audit', endless);
  let session: string | undefined;
  for (let attempt = 0; attempt < 100 && session === undefined; attempt += 1) {
    await new Promise((resolve) => setTimeout(resolve, 50));
    const { sessions } = (await (await server.as('vera', '/v1/sessions')).json()) as {
      sessions: { session: string; status: string }[];
    };
    session = sessions.find(({ status }) => status === 'running')?.session;
  }
  expect((await server.as('vera', `/v1/sessions/${session}`, { method: 'DELETE' })).status).toBe(202);
  expect((await answer).status).toBe(409);
  await wellKnown();
}, 30_000);

test.each([
  ['time', endless, 504, 'limit_time'],
  ['memory', 'SELECT count(*) FROM flights a JOIN flights b ON a.delay = b.delay', 422, 'limit_memory'],
])(
  'the %s limit',
  async (_, sql, status, code) => {
    const answer = await server.ask('vera', 'safety-audit', sql);
    expect(answer.status).toBe(status);
    const problem = (await answer.json()) as { code: string; session: string };
    expect(problem.code).toBe(code);
    expect(await endOf(server, problem.session)).toMatchObject({ error: { code } });
    await wellKnown();
  },
  30_000,
);

test('kill -9 of a worker', async () => {
  const answer = server.ask('vera', 'safety-audit', endless);
  await new Promise((resolve) => setTimeout(resolve, 500));
  for (const pid of server.workers()) process.kill(pid, 'SIGKILL');
  const problem = (await (await answer).json()) as { code: string; session: string };
  expect(problem.code).toBe('engine_crashed');
  expect(await endOf(server, problem.session)).toMatchObject({ status: 'crashed' });
  await wellKnown();
}, 30_000);

test('kill -9 of the control plane', async () => {
  server.ask('vera', 'safety-audit', endless).catch(() => undefined);
  let session: string | undefined;
  for (let attempt = 0; attempt < 100 && session === undefined; attempt += 1) {
    await new Promise((resolve) => setTimeout(resolve, 50));
    const { sessions } = (await (await server.as('vera', '/v1/sessions')).json()) as {
      sessions: { session: string; status: string }[];
    };
    session = sessions.find(({ status }) => status === 'running')?.session;
  }
  const workers = server.workers();
  server = await server.restart();
  expect((await evidenceOf(server, session ?? '')).outcome).toMatchObject({ status: 'orphaned' });
  await vi.waitFor(() => expect(workers.filter(running)).toEqual([]), 5000);
  expect((await verifyLog(join(server.folder, '.ambit/evidence'))).problems).toEqual([]);
  await wellKnown();
}, 30_000);
