import { writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { ProblemCode } from '@ambit/server';
import { parquetWriteBuffer } from 'hyparquet-writer';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { codeOf, type Evidence, tableOf } from './oracles.ts';
import { quietAfter, residentMiB } from './processes.ts';
import { type Reply, startWorld, type World } from './world.ts';

// G. A statement, a file or a crowd that takes more than its share. Every one ends within its limits, with a code, and a
// neighbour is served meanwhile and after.

let world: World;
beforeAll(async () => {
  // Each tenant has a worker of its own: what ends one is not felt by the other.
  const environment = 'engine: { isolation: tenant, workers: 2, threads: 2, memory: 256MiB, spill: 64MiB }\n';
  world = await startWorld('w', { also: small, environment });
});
afterAll(() => world.close());

const TIMEOUT_MS = 2_000;

/** A product with small limits, and files that are larger than they look. */
function small(folder: string): readonly string[] {
  const data = join(folder, 'data');
  writeFiles(data);
  writeFileSync(
    join(folder, 'small.yaml'),
    `apiVersion: ambit/v1
kind: DataProduct
name: small
version: 1.0.0
tenant: a
owner: { team: people }
purposes: { analytics: Look }
stores: { lake: { root: data } }
catalogs: { parquet: { type: parquet, store: lake }, csv: { type: csv, store: lake }, json: { type: json, store: lake } }
tables:
  emp: { catalog: parquet, path: emp.parquet, columns: { id: { type: bigint }, name: { type: string } } }
  bomb: { catalog: parquet, path: bomb.parquet, columns: { text: { type: string } } }
  broad: { catalog: csv, path: broad.csv, columns: { c0: { type: bigint }, c1: { type: bigint } } }
  keys: { catalog: json, path: keys.json, columns: { k0: { type: bigint } } }
  deep: { catalog: json, path: deep.json, columns: { k0: { type: bigint } } }
  later: { catalog: json, path: later.json, columns: { k0: { type: bigint } } }
  lies: { catalog: parquet, path: lies.parquet, columns: { text: { type: string } } }
  line: { catalog: csv, path: line.csv, columns: { text: { type: string } } }
functions: { allow: ["@aggregate", "@window", "@string", "@regex", "@math", "@nested", "@conditional"] }
limits: { timeout: ${TIMEOUT_MS}ms, memory: 48MiB, spill: 16MiB, rows: 20000, bytes: 4MiB, concurrency: 4, queue: 2 }
policies: { rows: { own: { table: emp, where: "id >= 1000" } } }
`,
  );
  writeFileSync(
    join(folder, 'small.cedar'),
    '@id("all") permit (principal, action in [Action::"open", Action::"read", Action::"call"], resource);\n@id("evidence") permit (principal in Role::"a/auditor", action == Action::"readEvidence", resource);\n',
  );
  return [join(folder, 'small.yaml')];
}

function writeFiles(folder: string): void {
  const file = (name: string): string => join(folder, name);
  // 400,000 times the same KiB: a dictionary of one value, 400 MiB of text.
  const texts = Array<string>(400_000).fill('x'.repeat(1024));
  const bomb = Buffer.from(parquetWriteBuffer({ columnData: [{ name: 'text', data: texts, type: 'STRING' }] }));
  writeFileSync(file('bomb.parquet'), bomb);
  // A footer that is longer than its file.
  const lies = Buffer.from(bomb);
  lies.writeUInt32LE(0x7fffffff, lies.length - 8);
  writeFileSync(file('lies.parquet'), lies);
  const columns = Array.from({ length: 50_000 }, (_unused, at) => `c${at}`);
  writeFileSync(file('broad.csv'), `${columns.join(',')}\n${columns.map(() => '1').join(',')}\n`);
  const keys = Object.fromEntries(Array.from({ length: 100_000 }, (_unused, at) => [`k${at}`, at]));
  writeFileSync(file('keys.json'), `${JSON.stringify(keys)}\n`);
  const deep = `{"k0": ${'['.repeat(100_000)}${']'.repeat(100_000)}}\n`;
  writeFileSync(file('deep.json'), deep);
  // Behind what is looked at before anybody asks.
  writeFileSync(file('later.json'), `${'{"k0": 1}\n'.repeat(200_000)}${deep}`);
  writeFileSync(file('line.csv'), `text\n"${'x'.repeat(8 * 2 ** 20)}"\n`);
}

const ask = (sql: string, accept = 'application/json'): Promise<Reply> => world.ask({ sql, product: 'small', accept });
/** Another tenant. */
const neighbour = async (): Promise<void> => {
  expect(tableOf(await world.ask({ sql: 'SELECT count(*) FROM emp', as: 'bob' }), true).rows).toEqual([[1]]);
};

/** RB: it ends in time with one of these codes, nothing remains, the server lives and others are served. */
async function bounded(sql: string, codes: readonly (ProblemCode | null)[], accept?: string): Promise<void> {
  const { pid } = world.server.process;
  const workers = world.server.workers();
  const start = Date.now();
  const [reply] = await Promise.all([ask(sql, accept), neighbour()]);
  // The limit, and what it takes to kill what cannot be asked.
  expect(Date.now() - start).toBeLessThan(TIMEOUT_MS + 4_000);
  expect(world.server.process).toMatchObject({ pid, exitCode: null });
  await neighbour();
  const session = reply.headers['ambit-session'] ?? reply.json<{ session: string | null }>().session ?? '';
  const { outcome } = (await world.send('auditor', `/v1/sessions/${session}`)).json<Evidence>();
  expect(codes, `${reply.status} ${reply.text.slice(0, 300)}`).toContain(outcome?.error?.code ?? null);
  expect(reply.status === 200 && reply.complete).toBe(outcome?.status === 'completed');
  const residue = outcome?.engine?.['residue'] as
    | { memoryBytes: number; spillBytes: number; tasks: number }
    | undefined;
  // What cannot be interrupted ends with its worker.
  if ((residue?.tasks ?? 0) > 0) await quietAfter(workers, 2_000);
  else if (residue !== undefined) expect(residue).toEqual({ memoryBytes: 0, spillBytes: 0, tasks: 0 });
}

const many = (count: number, part: string, between: string): string => Array(count).fill(part).join(between);
const numbers = (rows: number): string =>
  `WITH RECURSIVE t AS (SELECT 1 AS n UNION ALL SELECT n + 1 FROM t WHERE n < ${rows})`;

describe('statements that overflow a stack, or plan for ever', () => {
  test.each([
    ['G1', 'a sum of 2,000', `SELECT ${many(2_000, '1', '+')}`],
    ['G1', 'a sum of 20,000', `SELECT ${many(20_000, '1', '+')}`],
    ['G1', '3,000 conditions', `SELECT 1 WHERE ${many(3_000, '1=1', ' AND ')}`],
    ['G1', '3,000 alternatives', `SELECT id FROM emp WHERE ${many(3_000, 'id = 1', ' OR ')}`],
    ['G1', '2,000 concatenations', `SELECT ${many(2_000, "'a'", '||')}`],
    ['G1', '5,000 negations', `SELECT ${'NOT '.repeat(5_000)}true`],
    ['G1', '5,000 signs', `SELECT ${'- '.repeat(5_000)}1`],
    ['G1', '2,000 casts', `SELECT 1${'::bigint'.repeat(2_000)}`],
    ['G1', '2,000 subscripts', `SELECT [1]${'[1]'.repeat(2_000)}`],
    ['G1', '2,000 fields', `SELECT a${'.b'.repeat(2_000)} FROM emp`],
    ['G1', '2,000 nested calls', `SELECT ${'abs('.repeat(2_000)}1${')'.repeat(2_000)}`],
    ['G2', 'a sum of 1,000', `SELECT ${many(1_000, '1', '+')}`],
    ['G4', '2,000 parentheses', `SELECT ${'('.repeat(2_000)}1${')'.repeat(2_000)}`],
    ['G4', '500 subqueries', `${'SELECT * FROM ('.repeat(500)}SELECT 1${') x'.repeat(500)}`],
    ['G4', '500 CASE', `SELECT ${'CASE WHEN true THEN '.repeat(500)}1${' END'.repeat(500)}`],
    ['G4', '2,000 brackets', `SELECT ${'['.repeat(2_000)}1${']'.repeat(2_000)}`],
    ['G5', '3,000 unions', many(3_000, 'SELECT 1', ' UNION ALL ')],
    [
      'G5',
      'views that multiply',
      `WITH a AS (SELECT * FROM emp ${many(9, 'UNION ALL SELECT * FROM emp', ' ')}), b AS (SELECT * FROM a ${many(9, 'UNION ALL SELECT * FROM a', ' ')}), c AS (SELECT * FROM b ${many(9, 'UNION ALL SELECT * FROM b', ' ')}) SELECT count(*) FROM c`,
    ],
    ['G5', '20,000 values', `SELECT 1 WHERE 1 IN (${many(20_000, '1', ',')})`],
    ['G5', 'a statement of 100 KiB', `SELECT '${'x'.repeat(100_000)}'`],
  ])('%s %s', async (_, __, sql) => {
    // Beyond 50 levels the parser takes CASE for a name.
    await bounded(sql, ['statement_too_complex', 'sql_syntax', 'sql_invalid', 'column_unknown', 'limit_time']);
  });

  test('G2 the largest statement that is admitted plans in time', async () => {
    await bounded(`SELECT ${many(380, '(SELECT count(*) FROM emp)', ' + ')}`, [null, 'statement_too_complex']);
    await bounded(`SELECT count(*) FROM emp WHERE ${many(390, 'id = 1', ' OR ')}`, [null]);
  });

  test('G20 a body of more than a MiB is not read', async () => {
    const reply = await ask(`SELECT '${'x'.repeat(1_100_000)}'`);
    expect(codeOf(reply)).toBe('body_too_large');
  });
});

describe('values and rows without end', () => {
  test.each([
    [
      'G7',
      'a repetition',
      "SELECT repeat('x', 2000000000)",
      ['limit_time', 'limit_memory', 'limit_bytes', 'compute_failed', 'engine_crashed', 'internal'],
    ],
    [
      'G7',
      'a padding',
      "SELECT lpad('x', 2147483647, 'y')",
      ['limit_memory', 'limit_bytes', 'compute_failed', 'engine_crashed', 'internal', 'limit_time'],
    ],
    [
      'G7',
      'an array',
      'SELECT array_repeat(1, 2000000000)',
      ['limit_memory', 'limit_bytes', 'compute_failed', 'engine_crashed', 'internal', 'limit_time'],
    ],
    [
      'G7',
      'a range',
      'SELECT range(1, 2000000000)',
      ['limit_memory', 'limit_bytes', 'compute_failed', 'engine_crashed', 'internal', 'limit_time'],
    ],
    [
      'G9',
      'a replacement',
      "SELECT regexp_replace(repeat('a', 100000), 'a', repeat('b', 100000), 'g')",
      ['limit_memory', 'compute_failed', 'engine_crashed', 'internal', 'limit_time'],
    ],
    [
      'G9',
      'a plain replacement',
      "SELECT length(replace(repeat('a', 100000), 'a', repeat('b', 30000)))",
      ['limit_memory', 'compute_failed', 'engine_crashed', 'internal', 'limit_time'],
    ],
    [
      'G10',
      'a recursion',
      'WITH RECURSIVE t AS (SELECT 1 AS x UNION ALL SELECT x + 1 FROM t) SELECT count(*) FROM t',
      ['limit_time'],
    ],
    [
      'G11',
      'a recursion that doubles',
      'WITH RECURSIVE t AS (SELECT 1 AS x UNION ALL SELECT a.x FROM t a CROSS JOIN (VALUES (1), (2)) b) SELECT count(*) FROM t',
      ['limit_time', 'limit_memory'],
    ],
    [
      'G12',
      'a cross join that is sorted',
      `${numbers(2_000)} SELECT a.n FROM t a, t b ORDER BY a.n * b.n % 7919 LIMIT 2`,
      [null, 'limit_time', 'limit_memory'],
    ],
    ['G12', 'a cross join of three', `${numbers(3_000)} SELECT count(*) FROM t a, t b, t c`, ['limit_time']],
    // DataFusion 55.2 starts the inputs of such a join a second time when memory is short, and panics.
    [
      'G12',
      'a cross join of three with a condition',
      `${numbers(3_000)} SELECT count(*) FROM t a, t b, t c WHERE a.n + b.n <> c.n`,
      ['limit_memory', 'limit_time', 'internal'],
    ],
    [
      'G13',
      'an aggregate of everything',
      `${numbers(3_000)} SELECT length(string_agg(repeat('x', 100), ',')) FROM t a, t b`,
      ['limit_memory', 'limit_time'],
    ],
    [
      'G13',
      'a list of everything',
      `${numbers(3_000)} SELECT array_length(array_agg(a.n)) FROM t a, t b`,
      ['limit_memory', 'limit_time'],
    ],
    [
      'G14',
      'a sort that spills',
      `${numbers(3_000)} SELECT max(r) FROM (SELECT row_number() OVER (ORDER BY a.n * b.n % 7919, b.n) AS r FROM t a, t b) x`,
      ['limit_spill'],
    ],
    [
      'G15',
      'a pattern that explodes',
      "SELECT regexp_like('aaa', '((a{1,200}){1,200}){1,200}')",
      ['compute_failed', 'sql_invalid'],
    ],
    [
      'G15',
      'a pattern that backtracks',
      "SELECT regexp_like(repeat('a', 30000), '^(a+)+$b')",
      [null, 'compute_failed'],
    ],
    ['G21', 'more rows than allowed', 'SELECT unnest(range(0, 30000)) AS n', ['limit_rows']],
    ['G21', 'more bytes than allowed', `${numbers(10_000)} SELECT repeat('x', 1000) AS x FROM t`, ['limit_bytes']],
    [
      'G21',
      'a series in a list',
      'SELECT count(*) FROM (SELECT unnest(range(0, 100000000)) AS x) y',
      [null, 'limit_memory', 'limit_time', 'engine_crashed'],
    ],
  ])('%s %s', async (_, __, sql, codes) => {
    await bounded(sql, codes, 'application/vnd.apache.arrow.stream');
  });

  test('G7 workers that were ended were replaced, and hold little', async () => {
    await neighbour();
    const pids = world.server.workers();
    expect(pids).toHaveLength(1);
    await quietAfter(pids, 5_000);
    // The allocator may keep what sessions had, within the worker's own bound.
    for (const pid of pids) expect(residentMiB(pid)).toBeLessThan(1_500);
  });
});

describe('files that are more than they look', () => {
  test.each([
    ['G16', 'a dictionary of one value, counted', 'SELECT count(*), max(length(text)) FROM bomb', [null]],
    ['G16', 'a dictionary of one value, delivered', 'SELECT text FROM bomb', ['limit_bytes', 'limit_rows']],
    [
      'G16',
      'a dictionary of one value, sorted',
      'SELECT max(x) FROM (SELECT text || text AS x, row_number() OVER (ORDER BY text) AS r FROM bomb) y',
      [null, 'limit_memory', 'limit_spill', 'limit_time'],
    ],
    ['G16', 'a line of 8 MiB', 'SELECT text FROM line', ['limit_bytes', 'source_failed']],
    // Those whose columns are told before a row is read were closed when the server looked at them.
    ['G17', '50,000 columns', 'SELECT c0 FROM broad', ['table_closed']],
    ['G17', '100,000 keys', 'SELECT k0 FROM keys', [null]],
    ['G17', '100,000 levels', 'SELECT k0 FROM deep', ['table_closed']],
    ['G17', '100,000 levels behind other rows', 'SELECT count(k0) FROM later', ['source_failed']],
    // The reader of Parquet panics at it.
    ['G17', 'a footer longer than its file', 'SELECT text FROM lies', ['table_closed']],
  ])('%s %s', async (_, __, sql, codes) => {
    await bounded(sql, codes, 'application/x-ndjson');
  });
});

describe('a crowd', () => {
  test('G19 more sessions than there is room for wait or are refused; other tenants and products are not', async () => {
    const slow = 'WITH RECURSIVE t AS (SELECT 1 AS x UNION ALL SELECT x + 1 FROM t) SELECT count(*) FROM t';
    const crowd = Array.from({ length: 40 }, () => ask(slow));
    await sleep(300);
    await neighbour();
    const other = await world.server.as('bob', '/v1/products/small/query', {
      body: { sql: 'SELECT count(*) AS n FROM emp', purpose: 'analytics' },
    });
    expect(other.status).toBe(200);
    const codes = (await Promise.all(crowd)).map(codeOf);
    expect(codes.filter((code) => code === 'limit_concurrency').length).toBe(34);
    expect(codes.filter((code) => code === 'limit_time').length).toBe(6);
    expect(tableOf(await ask('SELECT count(*) FROM emp'), true).rows).toEqual([[60]]);
  });

  test('G18 a reader that takes nothing ends with its session’s time', async () => {
    const { hostname, port } = new URL(world.server.url);
    const socket = connect(Number(port), hostname);
    const body = JSON.stringify({ sql: `SELECT text FROM bomb LIMIT 3900`, purpose: 'analytics' });
    socket.write(
      `POST /v1/products/small/query HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${world.server.token('alice')}\r\n` +
        `accept: text/csv\r\ncontent-type: application/json\r\ncontent-length: ${body.length}\r\n\r\n${body}`,
    );
    socket.pause();
    await sleep(TIMEOUT_MS + 1_500);
    const { sessions } = (await world.send('alice', '/v1/sessions')).json<{
      sessions: { status: string; statement: string }[];
    }>();
    const slow = sessions.find(({ statement }) => statement.includes('LIMIT 3900'));
    expect(slow?.status).not.toBe('running');
    socket.destroy();
    await neighbour();
  });

  test('G22 many connections that say nothing', async () => {
    const { hostname, port } = new URL(world.server.url);
    const sockets = Array.from({ length: 300 }, () => connect(Number(port), hostname));
    for (const socket of sockets)
      socket.on('error', () => undefined).write('POST /v1/products/small/query HTTP/1.1\r\n');
    await sleep(200);
    await neighbour();
    for (const socket of sockets) socket.destroy();
  });
});
