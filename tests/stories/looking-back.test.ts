import { mkdtempSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { root, type Server, startServer } from '../server.ts';

// The evidence is a product like another. Two tenants ask; later people look back in SQL, and each sees what is theirs.

const subjects = {
  maria: { tenant: 'mobility', roles: ['operator'] },
  noah: { tenant: 'mobility', roles: ['researcher'] },
  olga: { tenant: 'other', roles: ['partner'] },
  vera: { tenant: 'mobility', roles: ['auditor'] },
  cleo: { tenant: 'other', roles: ['evidence-auditor'] },
  host: { tenant: 'ambit', roles: ['auditor'] },
  eve: { tenant: 'nobody', roles: ['auditor'], claims: { reads: 'flights', evidence_auditor: true } },
};

type Name = keyof typeof subjects;

const folder = mkdtempSync(join(tmpdir(), 'ambit-looking-back-'));
let server: Server<Name>;
/** Sessions by what they are in the story. */
const sessions: Record<string, string> = {};

beforeAll(async () => {
  writeFileSync(join(folder, 'flights.csv'), 'id,origin,delay,secret\n1,SFO,10,x\n2,LAX,20,y\n');
  writeFileSync(join(folder, 'airports.csv'), 'iata,state\nSFO,CA\nLAX,CA\n');
  contract(8192);
  policies();
  server = await startServer({ paths: [folder], subjects });
  sessions['delays'] = await ask('maria', 'SELECT max(delay) AS worst FROM flights');
  sessions['airports'] = await ask('maria', "SELECT count(iata) AS n FROM airports WHERE state = 'CA'");
  sessions['partner'] = await ask('olga', "SELECT delay FROM flights WHERE origin = 'SFO'");
  sessions['origins'] = await ask('noah', 'SELECT DISTINCT origin FROM flights');
  sessions['secret'] = await ask('olga', 'SELECT secret FROM flights');
  expect((await query('eve', 'flights', 'SELECT 1', 'operations')).status).toBe(404);
  expect((await query('noah', 'flights', 'SELECT 1', 'partnership')).status).toBe(403);
}, 120_000);
afterAll(async () => {
  await server.close();
  rmSync(folder, { recursive: true });
});

function contract(batch: number): void {
  writeFileSync(
    join(folder, 'flights.yaml'),
    `apiVersion: ambit/v1
kind: DataProduct
name: flights
version: 1.0.0
tenant: mobility
owner: { team: test }
purposes: { operations: test, research: test, partnership: test }
stores: { lake: { root: . } }
catalogs: { lists: { type: csv, store: lake } }
tables:
  flights:
    catalog: lists
    path: flights.csv
    columns: { id: { type: bigint }, origin: { type: string }, delay: { type: bigint }, secret: { type: string } }
  airports:
    catalog: lists
    path: airports.csv
    columns: { iata: { type: string }, state: { type: string } }
functions: { allow: ["@aggregate"] }
settings: { datafusion.execution.batch_size: ${batch} }
policies:
  rows: { known: { table: flights, where: "origin IN (SELECT iata FROM airports)" } }
`,
  );
}

function policies(): void {
  const opening = 'action in [Action::"open", Action::"read", Action::"call"], resource';
  writeFileSync(
    join(folder, 'flights.cedar'),
    `@id("operators") permit (principal in Role::"mobility/operator", ${opening}) when { context.purpose == "operations" };
@id("researchers") permit (principal in Role::"mobility/researcher", ${opening}) when { context.purpose == "research" };
@id("partners") permit (principal in Role::"other/partner", ${opening}) when { context.purpose == "partnership" };
@id("no-secrets") forbid (principal in Role::"other/partner", action == Action::"read", resource == Column::"flights.secret");
@id("no-airports") forbid (principal in Role::"other/partner", action == Action::"read", resource in Table::"airports");
@id("evidence") permit (principal in Role::"mobility/auditor", action == Action::"readEvidence", resource);
`,
  );
}

const purposes: Partial<Record<Name, string>> = { maria: 'operations', noah: 'research', olga: 'partnership' };

function query(name: Name, product: string, sql: string, purpose: string): Promise<Response> {
  return server.as(name, `/v1/products/${product}/query`, { body: { sql, purpose } });
}

/** Asks the flights, and returns the session's id whether or not it was answered. */
async function ask(name: Name, sql: string): Promise<string> {
  const answer = await query(name, 'flights', sql, purposes[name] ?? '');
  const body = (await answer.json()) as { readonly session?: string };
  return answer.headers.get('ambit-session') ?? body.session ?? '';
}

/** Rows that somebody sees, looking back. */
async function lookBack(name: Name, sql: string): Promise<unknown[][]> {
  const answer = await query(name, 'evidence', sql, 'review');
  const body = (await answer.json()) as { readonly rows?: unknown[][] };
  if (body.rows === undefined) throw new Error(JSON.stringify(body));
  return body.rows;
}

const march = new Date().toISOString().slice(0, 7);

const questions = {
  'who read column delay of flights, for which purpose, within a month': {
    sql: `SELECT principal, purpose, count(*) AS sessions FROM read_columns
      WHERE product = 'flights' AND table_name = 'flights' AND column_name = 'delay'
        AND at >= '${march}-01T00:00:00' AND at < TIMESTAMP '${march}-01T00:00:00' + INTERVAL '1 month'
      GROUP BY principal, purpose ORDER BY principal`,
    vera: () => [
      ['maria', 'operations', 1],
      ['olga', 'partnership', 1],
    ],
    cleo: () => [['olga', 'partnership', 1]],
    maria: () => [['maria', 'operations', 1]],
  },
  'which sessions used this credential': {
    sql: `SELECT session FROM credentials WHERE product = 'flights'
      AND reference = (SELECT max(credential) FROM sessions WHERE principal = 'olga') ORDER BY at`,
    vera: () => [[sessions['partner']], [sessions['secret']]],
    cleo: () => [[sessions['partner']], [sessions['secret']]],
    maria: () => [],
  },
  'which could see this table and did not use it': {
    sql: `SELECT v.session FROM visible_tables v
      WHERE v.product = 'flights' AND v.table_name = 'airports' AND NOT EXISTS (
        SELECT 1 FROM read_tables r WHERE r.session = v.session AND r.table_name = v.table_name) ORDER BY v.at`,
    vera: () => [[sessions['delays']], [sessions['origins']]],
    cleo: () => [],
    maria: () => [[sessions['delays']]],
  },
  'which were refused, and why': {
    sql: `SELECT principal, session, code, determined_by FROM refusals WHERE product = 'flights' ORDER BY at`,
    vera: () => [
      ['olga', sessions['secret'], 'column_unknown', null],
      ['eve', null, 'product_unknown', ''],
      ['noah', null, 'purpose_refused', ''],
    ],
    cleo: () => [['olga', sessions['secret'], 'column_unknown', null]],
    maria: () => [],
  },
} as const;

describe('the owner asks, in SQL', () => {
  const cases = Object.entries(questions).flatMap(([question, { sql, ...answers }]) =>
    Object.entries(answers).map(([name, rows]) => [question, name as Name, sql, rows] as const),
  );
  test.each(cases)('%s (%s)', async (_, name, sql, rows) => {
    expect(await lookBack(name, sql)).toEqual(rows());
  });
});

test('the questions work as the document has them', async () => {
  const text = readFileSync(join(root, 'docs/evidence.md'), 'utf8');
  const asked = [...text.matchAll(/```sql\n(SELECT.*?)```/gs)].map(([, sql = '']) => sql);
  expect(asked).toHaveLength(7);
  const rows = await Promise.all(asked.map((sql) => lookBack('vera', sql)));
  // In March there was nobody, the credential is nobody's, the settings are today's, and nobody had to approve anything.
  expect(rows.map(({ length }) => length)).toEqual([0, 0, 2, 0, 3, 0, 0]);
});

test('what a tenant has asked, another does not see, nor does who has asked nothing', async () => {
  const tables = ['sessions', 'uses', 'credentials', 'opened', 'grants', 'decisions', 'settings', 'visible_columns'];
  for (const table of tables) {
    const sql = `SELECT count(*) FROM ${table} WHERE product = 'flights'`;
    expect(await lookBack('eve', sql), table).toEqual([[0]]);
    expect((await lookBack('vera', sql))[0]?.[0], table).toBeGreaterThan(0);
  }
  // Her own refusal, of which she was told; not that there is such a product.
  expect(await lookBack('eve', 'SELECT principal, code, fingerprint FROM refusals')).toEqual([
    ['eve', 'product_unknown', null],
  ]);
  expect(await lookBack('eve', 'SELECT DISTINCT product FROM served_settings')).toEqual([['evidence']]);
  expect(await lookBack('cleo', "SELECT DISTINCT tenant FROM sessions WHERE product = 'flights'")).toEqual([['other']]);
  expect((await server.as(null, '/v1/evidence/query', { body: { sql: 'SELECT 1' } })).status).toBe(401);
});

describe('what a session’s own subject is not shown elsewhere, it is not shown here', () => {
  test.each([
    ['olga', null, [['flights.csv', 'lake']], [], false],
    ['vera', 'number', [['flights.csv', 'lake']], ['airports.csv', 'flights.csv'], true],
    ['host', 'number', [['flights.csv', 'lake']], ['airports.csv', 'flights.csv'], true],
  ] as const)('%s', async (name, inside, opened, objects, denials) => {
    const of = `WHERE session = '${sessions['partner']}'`;
    const [row = []] = await lookBack(name, `SELECT bytes_read, memory_peak_bytes FROM sessions ${of}`);
    expect(row.map((value) => (value === null ? null : typeof value))).toEqual([inside, inside]);
    expect(await lookBack(name, `SELECT path, store FROM opened ${of}`)).toEqual(opened);
    expect((await lookBack(name, `SELECT DISTINCT object FROM accesses ${of} ORDER BY object`)).flat()).toEqual(
      objects,
    );
    const denied = await lookBack(
      name,
      "SELECT DISTINCT resource FROM decisions WHERE product = 'flights' AND NOT allowed",
    );
    expect(denied.flat().includes('Column::"flights.secret"')).toBe(denials);
  });

  test('literals are for the tenant of the session and the owner of the product', async () => {
    const sql = `SELECT statement, error_message FROM sessions WHERE session IN ('${sessions['partner']}', '${sessions['secret']}') ORDER BY at`;
    const whole = [
      ["SELECT delay FROM flights WHERE origin = 'SFO'", null],
      ['SELECT secret FROM flights', expect.stringContaining('secret')],
    ];
    for (const name of ['olga', 'cleo', 'vera'] as const) expect(await lookBack(name, sql)).toEqual(whole);
    expect(await lookBack('host', sql)).toEqual([
      [null, null],
      [null, null],
    ]);
  });
});

test('a query sees every session that has ended, by any door', async () => {
  const before = await lookBack('maria', "SELECT count(*) FROM sessions WHERE product = 'flights'");
  await Promise.all([1, 2, 3].map(() => ask('maria', 'SELECT count(*) FROM airports')));
  const sql = "SELECT count(*) FROM sessions WHERE product = 'flights'";
  const alias = await server.as('maria', '/v1/evidence/query', { body: { sql, purpose: 'review' } });
  expect(((await alias.json()) as { rows: number[][] }).rows).toEqual([[Number(before[0]?.[0]) + 3]]);
  const named = await server.as(
    'maria',
    '/v1/evidence/queries/column-readers?product=flights&table_name=flights&column_name=delay',
    { headers: { 'ambit-purpose': 'review' } },
  );
  expect(((await named.json()) as { rows: unknown[][] }).rows).toEqual([
    ['mobility', 'maria', 'operations', 1, expect.any(String)],
  ]);
});

test('the tables are built again, and settings of then are told from those of today', async () => {
  const tables = join(server.folder, '.ambit/evidence/tables');
  const before = await everyAnswer();
  expect(readdirSync(join(tables, 'sessions')).length).toBeGreaterThan(0);
  expect(await lookBack('vera', 'SELECT count(*) FROM changed_settings')).toEqual([[0]]);
  contract(4096);
  // In one step: the server may be building them again meanwhile.
  renameSync(tables, `${tables}.gone`);
  rmSync(`${tables}.gone`, { recursive: true });
  server = await server.restart();
  expect(await everyAnswer()).toEqual(before);
  expect(
    await lookBack(
      'olga',
      `SELECT session, setting, value_then, value_now FROM changed_settings WHERE product = 'flights' ORDER BY at`,
    ),
  ).toEqual(['partner', 'secret'].map((name) => [sessions[name], 'datafusion.execution.batch_size', '8192', '4096']));
  // Once more, as after a crash halfway: what no closed segment is known to be is not kept.
  writeFileSync(join(tables, 'sessions/00000001-000001.parquet'), '{"broken');
  writeFileSync(join(tables, 'uses/00000001.parquet'), '');
  server = await server.restart();
  expect(await everyAnswer()).toEqual(before);
});

test('tables that are deleted while the server runs are built again, for workers that may read them', async () => {
  const known = 'SELECT session, status FROM sessions WHERE seq <= $last ORDER BY seq';
  const [[last] = []] = await lookBack('vera', 'SELECT max(seq) FROM sessions');
  const of = async (): Promise<unknown> => lookBack('vera', known.replace('$last', String(last)));
  const before = await of();
  const workers = server.workers();
  const running = await server.as('maria', '/v1/products/flights/query', {
    body: { sql: 'SELECT a.delay FROM flights a, flights b LIMIT 2000000', purpose: 'operations' },
  });
  rmSync(join(server.folder, '.ambit/evidence/tables'), { recursive: true, maxRetries: 10 });
  expect(await of()).toEqual(before);
  expect(server.said()).toContain('somebody else changed the tables of the evidence: they are built again');
  // A session that ran all along is not cut off for it.
  const { complete } = (await running.json()) as { complete?: boolean };
  expect(complete).toBe(true);
  const gone = (): boolean => server.workers().every((pid) => !workers.includes(pid));
  for (let attempt = 0; attempt < 100 && !gone(); attempt += 1) await new Promise((turn) => setTimeout(turn, 50));
  expect(gone()).toBe(true);
});

test('where the log is not what it was, the evidence is not asked, and everything else is', async () => {
  const segment = join(server.folder, '.ambit/evidence/00000001.segment');
  const text = readFileSync(segment, 'utf8');
  writeFileSync(segment, text.replace('SELECT max(delay)', 'SELECT min(delay)'));
  rmSync(join(server.folder, '.ambit/evidence/tables'), { recursive: true, maxRetries: 10 });
  server = await server.restart();
  const refused = await query('vera', 'evidence', 'SELECT 1', 'review');
  expect([refused.status, await refused.json()]).toMatchObject([503, { code: 'evidence_unavailable' }]);
  expect((await query('maria', 'flights', 'SELECT count(*) FROM flights', 'operations')).status).toBe(200);
  expect(server.said()).toContain('the record is not what its digest says');
  writeFileSync(segment, text);
  server = await server.restart();
  expect((await lookBack('vera', questions['which were refused, and why'].sql)).length).toBeGreaterThanOrEqual(3);
});

async function everyAnswer(): Promise<unknown> {
  const asked = Object.entries(questions).map(async ([question, { sql }]) => [question, await lookBack('vera', sql)]);
  return Object.fromEntries(await Promise.all(asked)) as unknown;
}

test('no contract can take its name', async () => {
  const other = mkdtempSync(join(tmpdir(), 'ambit-taken-'));
  writeFileSync(
    join(other, 'evidence.yaml'),
    `apiVersion: ambit/v1
kind: DataProduct
name: evidence
version: 1.0.0
tenant: mobility
owner: { team: test }
purposes: { review: test }
stores: { lake: { root: . } }
catalogs: { lists: { type: csv, store: lake } }
tables: { t: { catalog: lists, path: t.csv, columns: { id: { type: bigint } } } }
`,
  );
  writeFileSync(join(other, 'evidence.cedar'), '');
  await expect(startServer({ paths: [other], subjects: {} })).rejects.toThrow(
    'no contract can declare a product `evidence`',
  );
  rmSync(other, { recursive: true });
});
