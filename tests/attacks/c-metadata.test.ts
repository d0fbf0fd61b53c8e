import { copyFileSync, mkdirSync, readdirSync, renameSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { writeEmployees } from './files.ts';
import {
  type Case,
  codeOf,
  type Evidence,
  judge,
  oneAnswer,
  startWorlds,
  tableOf,
  tries,
  type Worlds,
} from './oracles.ts';
import { employees, visibleEmployees, type World as Rows } from './rows.ts';

// C. Channels beside the rows: metadata, statistics, caches, files, logs. Those on the wire are in `c-wire.test.ts`.

let worlds: Worlds;
beforeAll(async () => {
  worlds = await startWorlds({ also: listings });
});
afterAll(() => worlds.close());

const ARROW = 'application/vnd.apache.arrow.stream';
const refused = (
  id: string,
  sql: string,
  code: 'statement_refused' | 'table_unknown' | 'sql_syntax' | 'sql_invalid',
): Case => ({
  id,
  tries: sql,
  sql,
  must: { refused: code },
});

/** Tables whose files are missing, none, in folders of tenants, or replaced while they are served. */
function listings(folder: string, rows: Rows): readonly string[] {
  const data = join(folder, 'listings');
  mkdirSync(join(data, 'none'), { recursive: true });
  for (const tenant of rows === 'w' ? ['a', 'b', 'SECRET-tenant'] : ['a', 'c']) {
    mkdirSync(join(data, `hive/tenant=${tenant}`), { recursive: true });
    const others = employees(rows).filter((row) => row.tenant !== 'a');
    writeEmployees(join(data, `hive/tenant=${tenant}/0.parquet`), tenant === 'a' ? visibleEmployees(rows) : others);
  }
  copyFileSync(join(folder, 'plain/emp.parquet'), join(data, 'replaced.parquet'));
  const columns = 'columns: { id: { type: bigint }, tenant: { type: string }, name: { type: string } }';
  writeFileSync(
    join(folder, 'listings.yaml'),
    `apiVersion: ambit/v1
kind: DataProduct
name: listings
version: 1.0.0
tenant: a
owner: { team: people }
purposes: { analytics: Look }
stores: { lake: { root: listings } }
catalogs: { parquet: { type: parquet, store: lake } }
tables:
  gone: { catalog: parquet, path: gone.parquet, ${columns} }
  nothing: { catalog: parquet, path: none/, ${columns} }
  hive: { catalog: parquet, path: hive/, ${columns} }
  replaced: { catalog: parquet, path: replaced.parquet, ${columns} }
functions: { allow: ["@aggregate"] }
settings: { datafusion.execution.listing_table_ignore_subdirectory: false }
policies: { rows: { own: { table: hive, where: tenant = $tenant } } }
`,
  );
  writeFileSync(
    join(folder, 'listings.cedar'),
    '@id("analysts") permit (principal, action in [Action::"open", Action::"read", Action::"call"], resource);\n@id("evidence") permit (principal in Role::"a/auditor", action == Action::"readEvidence", resource);\n',
  );
  return [join(folder, 'listings.yaml')];
}

describe('statements that tell about plans, tables and settings', () => {
  tries(
    [
      refused('C1', 'EXPLAIN SELECT * FROM emp', 'statement_refused'),
      refused('C1', 'EXPLAIN VERBOSE SELECT * FROM emp', 'statement_refused'),
      refused('C1', 'EXPLAIN (COSTS ON) SELECT * FROM emp', 'statement_refused'),
      refused('C1', 'EXPLAIN FORMAT TREE SELECT * FROM emp', 'statement_refused'),
      refused('C1', 'EXPLAIN FORMAT PGJSON SELECT * FROM emp', 'sql_syntax'),
      refused('C2', 'EXPLAIN ANALYZE SELECT * FROM emp WHERE salary > 900', 'statement_refused'),
      refused('C2', 'EXPLAIN ANALYZE VERBOSE SELECT * FROM emp', 'statement_refused'),
      ...['tables', 'columns', 'views', 'schemata', 'routines', 'parameters', 'df_settings'].map((view) =>
        refused(view === 'df_settings' ? 'C4' : 'C3', `SELECT * FROM information_schema.${view}`, 'table_unknown'),
      ),
      refused('C3', 'SELECT * FROM ambit.information_schema.tables', 'table_unknown'),
      refused('C3', 'SELECT * FROM pg_catalog.pg_tables', 'table_unknown'),
      refused('C3', 'SELECT * FROM sqlite_master', 'table_unknown'),
      refused('C4', 'SHOW ALL', 'statement_refused'),
      refused('C4', 'SHOW datafusion.execution.batch_size', 'statement_refused'),
      refused('C4', 'SELECT @@datafusion', 'sql_invalid'),
      refused('C5', 'SHOW TABLES', 'statement_refused'),
      refused('C5', 'SHOW COLUMNS FROM emp', 'statement_refused'),
      refused('C5', 'SHOW CREATE TABLE emp', 'statement_refused'),
      refused('C5', 'SHOW FUNCTIONS', 'statement_refused'),
      refused('C5', 'DESCRIBE emp', 'statement_refused'),
      refused('C5', 'DESC emp', 'statement_refused'),
      refused('C5', 'DESCRIBE SELECT * FROM emp', 'statement_refused'),
    ],
    () => worlds,
  );
});

oneAnswer(
  () => worlds,
  [
    ['C5', 'a table', 'SELECT * FROM {name}', 'payroll', 'payrolx'],
    ['C5', 'a table of a mapping', 'SELECT * FROM {name}', 'teams', 'teamx'],
    ['C5', 'a table of another purpose', 'SELECT * FROM {name}', 'consent', 'consenx'],
    ['C5', 'a table in a subquery', 'SELECT 1 WHERE EXISTS (SELECT 1 FROM {name})', 'payroll', 'payrolx'],
    ['C5', 'a table in a join', 'SELECT 1 FROM emp JOIN {name} ON true', 'payroll', 'payrolx'],
    ['C5', 'a view of what is denied', 'SELECT * FROM {name}', 'costs', 'costx'],
    ['C6', 'a column', 'SELECT {name} FROM emp', 'salary_raw', 'salary_rax'],
    ['C6', 'a column in WHERE', 'SELECT id FROM emp WHERE {name} = 1', 'salary_raw', 'salary_rax'],
    ['C6', 'a qualified column', 'SELECT e.{name} FROM emp e', 'salary_raw', 'salary_rax'],
    ['C6', 'a column in ORDER BY', 'SELECT id FROM emp ORDER BY {name}', 'salary_raw', 'salary_rax'],
    ['C6', 'a column in USING', 'SELECT 1 FROM emp a JOIN emp b USING ({name})', 'salary_raw', 'salary_rax'],
    ['C6', 'a column in EXCLUDE', 'SELECT * EXCLUDE ({name}) FROM emp', 'salary_raw', 'salary_rax'],
    ['C6', 'a field of a struct', "SELECT attrs['{name}'] FROM emp", 'ssn', 'ssx'],
  ],
);

describe('hints', () => {
  test.each([
    ['a slip for a denied table', 'SELECT * FROM payrol', 'payroll'],
    ['a slip for a denied column', 'SELECT salary_ra FROM emp', 'salary_raw'],
    ['a slip for a denied view', 'SELECT * FROM cost', 'costs'],
    ['a list of columns', 'SELECT zzz FROM emp', 'salary_raw'],
    ['a list of columns of the mapping', 'SELECT zzz FROM emp_team', 'lead'],
  ])('C6 %s names nothing denied', async (_, sql, denied) => {
    const reply = await worlds.w.ask(sql);
    expect(reply.status).toBe(400);
    expect(reply.text.replaceAll(sql, '')).not.toContain(denied);
  });

  test('C6 a product that may not be opened is as one that is not there', async () => {
    const answers = await Promise.all(
      ['people', 'peoplx'].map(async (product) => {
        const reply = await worlds.w.ask({ sql: 'SELECT 1', as: 'stranger', product });
        return `${reply.status} ${reply.text.replaceAll(product, 'X')}`;
      }),
    );
    expect(answers[0]).toBe(answers[1]);
  });

  test('C3 the description lists what is granted, and nothing else', async () => {
    const { text } = await worlds.w.send('alice', '/v1/products/people', { headers: { 'ambit-purpose': 'analytics' } });
    for (const word of [
      'salary_raw',
      'payroll',
      'teams',
      'consent',
      'costs',
      'total-cost',
      'claims.lead',
      worlds.w.folder,
    ])
      expect(text, word).not.toContain(word);
    expect(text).toContain('well_paid');
    const document = await worlds.w.send('alice', '/v1/products/people/openapi.json', {
      headers: { 'ambit-purpose': 'analytics' },
    });
    for (const word of ['salary_raw', 'payroll', 'total-cost']) expect(document.text, word).not.toContain(word);
  });

  test('C3 the evidence of its own session shows its own boundary', async () => {
    const reply = await worlds.w.ask('SELECT count(*) FROM emp_team');
    const { text } = await worlds.w.send('alice', `/v1/sessions/${reply.headers['ambit-session']}`);
    for (const word of [
      'salary_raw',
      'payroll',
      'teams',
      'consent',
      'costs',
      'total-cost',
      'tenant =',
      worlds.w.folder,
    ])
      expect(text, word).not.toContain(word);
  });
});

describe('statistics and constraints', () => {
  const cases: readonly Case[] = [
    { id: 'C11', tries: 'counts', sql: 'SELECT count(*), count(name), count(DISTINCT dept) FROM emp', must: 'same' },
    {
      id: 'C11',
      tries: 'extremes',
      sql: 'SELECT min(id), max(id), min(salary), max(salary), min(hired), max(note) FROM emp',
      must: 'same',
    },
    { id: 'C11', tries: 'extremes of a mask', sql: 'SELECT min(ssn), max(ssn), count(ssn) FROM emp', must: 'same' },
    {
      id: 'C11',
      tries: 'extremes of many files',
      sql: 'SELECT min(id), max(id), count(*) FROM emp_parts',
      must: 'same',
    },
    {
      id: 'C11',
      tries: 'a value that only a Bloom filter knows',
      sql: "SELECT count(*) FROM emp WHERE name LIKE 'SECRET%' OR name = 'ann-0'",
      must: 'same',
    },
    {
      id: 'C11',
      tries: 'a range that statistics exclude',
      sql: 'SELECT count(*) FROM emp WHERE id < 1000',
      must: { rows: [[0]] },
    },
    {
      id: 'C12',
      tries: 'a key that groups',
      sql: 'SELECT id, name FROM emp GROUP BY id',
      must: { refused: 'sql_invalid' },
    },
    {
      id: 'C12',
      tries: 'duplicates that a key would exclude',
      sql: 'SELECT id, count(*) FROM emp GROUP BY id HAVING count(*) > 1',
      must: 'same',
    },
    {
      id: 'C12',
      tries: 'whether NULL can occur',
      sql: 'SELECT name IS NULL AS n, count(*) FROM emp GROUP BY name IS NULL',
      must: 'same',
    },
    {
      id: 'C12',
      tries: 'a write that a key would refuse',
      sql: 'INSERT INTO emp (id) VALUES (2)',
      must: { refused: 'statement_refused' },
    },
  ];
  tries(cases, () => worlds);
});

describe('listings', () => {
  test.each([['gone'], ['nothing']])('C14 %s: an error without a path', async (table) => {
    const reply = await worlds.w.ask({ sql: `SELECT * FROM ${table}`, product: 'listings' });
    for (const word of [worlds.w.folder, 'SECRET', '.parquet', 'No such', 'os error', 'ambit://']) {
      expect(reply.text, word).not.toContain(word);
    }
    expect(codeOf(reply)).toBe(table === 'gone' ? 'table_closed' : null);
  });

  test('C14 folders of other tenants are neither read out nor named', async () => {
    await judge(worlds, { sql: 'SELECT count(*), min(id) FROM hive', product: 'listings' }, { rows: [[60, 1000]] });
  });
});

describe('caches', () => {
  test('C15 the same statement of two subjects, again and again', async () => {
    const sql = 'SELECT count(*) AS n, min(tenant) AS t FROM emp';
    const asks = Array.from({ length: 60 }, async (_, at) => {
      const as = at % 2 === 0 ? 'alice' : 'bob';
      const { rows } = tableOf(await worlds.w.ask({ sql, as }), true);
      return [as, ...(rows[0] ?? [])];
    });
    const seen = new Set((await Promise.all(asks)).map((row) => JSON.stringify(row)));
    expect([...seen].toSorted()).toEqual(['["alice",60,"a"]', '["bob",1,"b"]']);
  });

  test('C16 two products whose stores and paths have the same names', async () => {
    const sql = 'SELECT count(*) AS n, min(id) AS first FROM emp';
    const seen = await Promise.all(
      Array.from({ length: 20 }, async (_, at) => {
        const product = at % 2 === 0 ? 'people' : 'plain';
        return [product, ...(tableOf(await worlds.w.ask({ sql, product, as: 'auditor' }), true).rows[0] ?? [])];
      }),
    );
    expect(new Set(seen.map((row) => JSON.stringify(row)))).toEqual(new Set(['["people",361,2]', '["plain",60,1000]']));
  });

  test('C16 a file that is replaced by one of its size and time is another file', async () => {
    const path = join(worlds.w.folder, 'listings/replaced.parquet');
    const ask = { sql: 'SELECT min(id), max(id), count(*) FROM replaced', product: 'listings' };
    expect(tableOf(await worlds.w.ask(ask), true).rows).toEqual([[1000, 1413, 60]]);
    const { size, atime, mtime } = statSync(path);
    const moved = visibleEmployees('w').map((row) => ({ ...row, id: row.id + 1 }));
    writeEmployees(`${path}.new`, moved);
    expect(statSync(`${path}.new`).size).toBe(size);
    utimesSync(`${path}.new`, atime, mtime);
    renameSync(`${path}.new`, path);
    expect(tableOf(await worlds.w.ask(ask), true).rows).toEqual([[1001, 1414, 60]]);
  });
});

describe('meters, files and logs', () => {
  test('C18 no header tells what was read', async () => {
    const { headers } = await worlds.w.ask('SELECT count(*) FROM emp');
    const known = [
      'ambit-evidence',
      'ambit-fingerprint',
      'ambit-purpose',
      'ambit-request',
      'ambit-session',
      'ambit-version',
      'cache-control',
      'connection',
      'content-security-policy',
      'content-type',
      'date',
      'keep-alive',
      'referrer-policy',
      'transfer-encoding',
      'x-content-type-options',
    ];
    expect(Object.keys(headers).filter((name) => !known.includes(name))).toEqual([]);
  });

  test('C19 spill lies in a folder of its own, without a name', async () => {
    const { server } = worlds.w;
    const engine = readdirSync(join(server.folder, 'tmp')).filter((name) => name.startsWith('ambit-engine-'));
    expect(engine).toHaveLength(1);
    const folder = join(server.folder, 'tmp', engine[0] ?? '');
    expect(statSync(folder).mode & 0o777).toBe(0o700);
    expect(readdirSync(folder).toSorted()).toEqual([expect.stringMatching(/sock$/), expect.stringMatching(/^spill-/)]);
    expect(
      statSync(join(folder, readdirSync(folder).find((name) => name.startsWith('spill')) ?? '')).mode & 0o777,
    ).toBe(0o700);
    expect(readdirSync(folder, { recursive: true })).toHaveLength(2);
  });

  test('C20 what a statement says and what it fails on stands in no log', async () => {
    const marker = 'LITERAL-4711';
    for (const sql of [
      `SELECT '${marker}' FROM emp LIMIT 1`,
      `SELECT CAST('${marker}' AS INT) FROM emp`,
      `SELECT ${marker.toLowerCase()} FROM`,
      `SELECT CAST(name || '${marker}' AS INT) FROM emp`,
    ]) {
      await worlds.w.ask(sql);
      await worlds.w.ask({ sql, accept: ARROW });
    }
    await worlds.w.send('alice', `/v1/products/${marker}?q=${marker}`, { headers: { 'ambit-purpose': marker } });
    expect(worlds.w.server.said()).not.toContain(marker);
    expect(worlds.w.server.said()).not.toContain(worlds.w.server.token('alice'));
  });

  test('C20 what failed is in the evidence for the owner, not for its subject', async () => {
    const reply = await worlds.w.ask('SELECT CAST(name AS INT) FROM emp');
    const path = `/v1/sessions/${reply.json<{ session: string }>().session}`;
    const own = (await worlds.w.send('alice', path)).json<Evidence>();
    const whole = (await worlds.w.send('auditor', path)).json<Evidence>();
    expect(own.outcome?.error?.detail).toBeNull();
    expect(whole.outcome?.error?.detail).toMatch(/Cannot cast string/);
  });
});
