import type { ProblemCode } from '@ambit/server';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Case, codeOf, judge, startWorlds, tableOf, tries, triesOn, type Worlds } from './oracles.ts';

// A. The policy never attaches: a way to a table that its author did not think of.

let worlds: Worlds;
beforeAll(async () => {
  worlds = await startWorlds();
});
afterAll(() => worlds.close());

describe('names', () => {
  const cases: readonly Case[] = [
    { id: 'A1', tries: 'the bare name', sql: 'SELECT count(*) FROM emp', must: 'same' },
    { id: 'A1', tries: 'a schema before it', sql: 'SELECT count(*) FROM public.emp', must: 'same' },
    { id: 'A1', tries: 'catalog and schema before it', sql: 'SELECT count(*) FROM ambit.public.emp', must: 'same' },
    { id: 'A1', tries: 'another schema', sql: 'SELECT 1 FROM private.emp', must: { refused: 'table_unknown' } },
    {
      id: 'A1',
      tries: 'another catalog',
      sql: 'SELECT 1 FROM datafusion.public.emp',
      must: { refused: 'table_unknown' },
    },
    {
      id: 'A1',
      tries: 'another product as a catalog',
      sql: 'SELECT 1 FROM plain.public.emp',
      must: { refused: 'table_unknown' },
    },
    {
      id: 'A1',
      tries: 'a name that hides it',
      sql: 'WITH emp AS (SELECT * FROM emp) SELECT count(*) FROM emp',
      must: 'same',
    },
    {
      id: 'A1',
      tries: 'a name that hides it, and what it hides',
      sql: 'WITH emp AS (SELECT 1 AS one) SELECT (SELECT count(*) FROM emp) AS a, (SELECT count(*) FROM public.emp) AS b',
      must: 'same',
    },
    { id: 'A18', tries: 'capitals', sql: 'SELECT count(*) FROM EMP', must: 'same' },
    { id: 'A18', tries: 'quoted capitals', sql: 'SELECT count(*) FROM "EMP"', must: { refused: 'table_unknown' } },
    { id: 'A18', tries: 'quoted dots', sql: 'SELECT count(*) FROM "public.emp"', must: { refused: 'table_unknown' } },
    { id: 'A18', tries: 'a Cyrillic letter', sql: 'SELECT count(*) FROM еmp', must: { refused: 'table_unknown' } },
    {
      id: 'A18',
      tries: 'a combining mark',
      sql: 'SELECT count(*) FROM "e\u0301mp"',
      must: { refused: 'table_unknown' },
    },
    {
      id: 'A18',
      tries: 'full-width letters',
      sql: 'SELECT count(*) FROM "ｅｍｐ"',
      must: { refused: 'table_unknown' },
    },
    {
      id: 'A18',
      tries: 'a NUL at its end',
      sql: 'SELECT count(*) FROM "emp\u0000"',
      must: { refused: 'table_unknown' },
    },
    { id: 'A18', tries: 'a space at its end', sql: 'SELECT count(*) FROM "emp "', must: { refused: 'table_unknown' } },
    {
      id: 'A18',
      tries: 'a zero-width space',
      sql: 'SELECT count(*) FROM "emp\u200b"',
      must: { refused: 'table_unknown' },
    },
    {
      id: 'A18',
      tries: 'a denied column in capitals',
      sql: 'SELECT SALARY_RAW FROM emp',
      must: { refused: 'column_unknown' },
    },
    { id: 'A18', tries: 'a comment inside', sql: 'SELECT count(*) FROM emp/**/AS/**/e', must: 'same' },
  ];
  tries(cases, () => worlds);
});

describe('every slot of a statement', () => {
  const slots: readonly (readonly [id: string, slot: string, sql: string, inOrder?: true])[] = [
    ['A2', 'a scalar subquery', 'SELECT (SELECT count(*) FROM {table})'],
    ['A2', 'a scalar subquery in a subquery', 'SELECT (SELECT (SELECT max(id) FROM {table}) + count(*) FROM {table})'],
    ['A3', 'IN', "SELECT 1 FROM (VALUES (1)) v(x) WHERE x IN (SELECT 1 FROM {table} WHERE name LIKE 'SECRET_bob%')"],
    ['A3', 'NOT IN', 'SELECT x FROM (VALUES (2), (1000)) v(x) WHERE x NOT IN (SELECT id FROM {table})'],
    ['A3', 'EXISTS', "SELECT 1 WHERE EXISTS (SELECT 1 FROM {table} WHERE name LIKE 'SECRET%')"],
    [
      'A3',
      'NOT EXISTS',
      'SELECT x FROM (VALUES (2), (1000)) v(x) WHERE NOT EXISTS (SELECT 1 FROM {table} WHERE id = x)',
    ],
    [
      'A5',
      'SELECT list, correlated',
      'SELECT id, (SELECT count(*) FROM {table} i WHERE i.dept = o.dept) FROM {table} o',
    ],
    [
      'A5',
      'CASE arm',
      "SELECT CASE WHEN (SELECT count(*) FROM {table} WHERE salary = 0) > 0 THEN 'zero' ELSE 'none' END",
    ],
    ['A5', 'JOIN ON', 'SELECT v.x FROM (VALUES (2), (1000)) v(x) JOIN {table} e ON v.x = e.id'],
    ['A5', 'HAVING', 'SELECT dept FROM {table} GROUP BY dept HAVING count(*) > (SELECT count(*) FROM {table}) / 4'],
    ['A5', 'ORDER BY', 'SELECT id FROM {table} ORDER BY salary NULLS LAST, id', true],
    [
      'A5',
      'ORDER BY a subquery',
      'SELECT x FROM (VALUES (1), (2)) v(x) ORDER BY x * (SELECT min(id) FROM {table})',
      true,
    ],
    [
      'A5',
      'FILTER',
      "SELECT count(*) FILTER (WHERE name LIKE 'SECRET%'), count(*) FILTER (WHERE salary < 1) FROM {table}",
    ],
    ['A5', 'window', 'SELECT id, rank() OVER (ORDER BY salary, id), count(*) OVER (PARTITION BY dept) FROM {table}'],
    [
      'A5',
      'window frame',
      'SELECT id, sum(salary) OVER (ORDER BY id ROWS BETWEEN 1 PRECEDING AND CURRENT ROW) FROM {table}',
    ],
    ['A5', 'QUALIFY', 'SELECT id FROM {table} QUALIFY row_number() OVER (ORDER BY id) <= 3'],
    [
      'A5',
      "a function's argument",
      'SELECT abs((SELECT min(salary) FROM {table})), coalesce((SELECT max(name) FROM {table}), name) FROM {table}',
    ],
    ['A5', 'an array', 'SELECT [(SELECT min(id) FROM {table}), (SELECT max(id) FROM {table})]'],
    ['A5', 'BETWEEN', 'SELECT 1 WHERE 2 BETWEEN (SELECT min(id) FROM {table}) AND (SELECT max(id) FROM {table})'],
    ['A5', 'ANY', 'SELECT x FROM (VALUES (2), (1000)) v(x) WHERE x = ANY(SELECT id FROM {table})'],
    ['A5', 'ALL', 'SELECT x FROM (VALUES (2), (999)) v(x) WHERE x < ALL(SELECT id FROM {table})'],
    ['A5', 'GROUP BY an expression', 'SELECT length(name), count(*) FROM {table} GROUP BY length(name)'],
    ['A5', 'GROUPING SETS', 'SELECT dept, tenant, count(*) FROM {table} GROUP BY GROUPING SETS ((dept), (tenant), ())'],
    ['A5', 'DISTINCT', 'SELECT DISTINCT dept, tenant FROM {table}'],
    ['A5', 'DISTINCT ON', 'SELECT DISTINCT ON (dept) dept, id FROM {table} ORDER BY dept, id', true],
    ['A5', 'LIMIT and OFFSET', 'SELECT id FROM {table} ORDER BY id LIMIT 5 OFFSET 57', true],
    ['A7', 'self-join', 'SELECT count(*) FROM {table} a JOIN {table} b ON a.dept = b.dept'],
    [
      'A7',
      'lateral',
      'SELECT count(*) FROM {table} e JOIN LATERAL (SELECT * FROM {table} i WHERE i.id = e.id) x ON true',
    ],
    ['A7', 'comma join', 'SELECT count(*) FROM {table} a, {table} b WHERE a.id = b.id'],
    ['A7', 'cross join', 'SELECT count(*) FROM {table} a CROSS JOIN {table} b'],
    [
      'A7',
      'outer joins',
      'SELECT count(*), count(b.id) FROM {table} a FULL JOIN (SELECT id + 7 AS id FROM {table}) b ON a.id = b.id',
    ],
    ['A7', 'semi join', 'SELECT count(*) FROM (VALUES (2), (1000)) v(x) LEFT SEMI JOIN {table} ON x = id'],
    ['A7', 'anti join', 'SELECT x FROM (VALUES (2), (1000)) v(x) LEFT ANTI JOIN {table} ON x = id'],
    ['A8', 'UNION ALL', 'SELECT name FROM {table} UNION ALL SELECT name FROM public.{table}'],
    ['A8', 'UNION', 'SELECT dept FROM {table} UNION SELECT tenant FROM {table}'],
    ['A8', 'INTERSECT', 'SELECT x FROM (VALUES (2), (1000)) v(x) INTERSECT SELECT id FROM {table}'],
    ['A8', 'EXCEPT', 'SELECT x FROM (VALUES (2), (1000)) v(x) EXCEPT SELECT id FROM {table}'],
    [
      'A10',
      'a recursive WITH',
      'WITH RECURSIVE t AS (SELECT min(id) AS n FROM {table} UNION ALL SELECT n + 7 FROM t JOIN {table} ON id = n + 7) SELECT count(*), max(n) FROM t',
    ],
    [
      'A10',
      'a recursive WITH that starts at a hidden row',
      'WITH RECURSIVE t AS (SELECT 1 AS n UNION ALL SELECT n + 1 FROM t JOIN {table} ON id = n + 1) SELECT count(*) FROM t',
    ],
    [
      'A17',
      'the whole row',
      'SELECT {table}.id, e FROM {table} JOIN (SELECT struct(id, ssn) AS e, id AS i FROM {table}) x ON x.i = {table}.id',
    ],
    ['A17', 'a wildcard', 'SELECT * FROM {table}'],
    ['A17', 'a qualified wildcard', 'SELECT e.* FROM {table} e'],
    ['A17', 'EXCLUDE', 'SELECT * EXCLUDE (id) FROM {table}'],
    ['A17', 'REPLACE', 'SELECT * REPLACE (upper(ssn) AS ssn) FROM {table}'],
    ['A17', 'a natural join', 'SELECT count(*) FROM {table} NATURAL JOIN (SELECT id, ssn FROM {table}) x'],
    ['A17', 'USING', 'SELECT count(*) FROM {table} JOIN (SELECT id, ssn FROM {table}) x USING (id, ssn)'],
    ['A17', 'a struct of it', "SELECT named_struct('s', ssn, 'n', name) FROM {table}"],
    [
      'A17',
      'an aggregate of all',
      'SELECT array_agg(ssn ORDER BY id), string_agg(name, chr(44) ORDER BY id) FROM {table}',
    ],
  ];
  triesOn(
    ['emp', 'emp_csv', 'emp_team'],
    slots.map(([id, slot, sql, inOrder]) => ({ id, tries: slot, sql, must: inOrder ? 'same, in order' : 'same' })),
    () => worlds,
  );
});

describe('views and named queries', () => {
  const cases: readonly Case[] = [
    { id: 'A9', tries: 'a view', sql: 'SELECT * FROM well_paid', must: 'same' },
    { id: 'A9', tries: 'a view that aggregates', sql: 'SELECT * FROM by_dept', must: 'same' },
    {
      id: 'A9',
      tries: 'an attack through a view',
      sql: 'SELECT count(*) FROM well_paid WHERE 1 / (salary - 0) < 5',
      must: 'same',
    },
    { id: 'A9', tries: 'a view of what is denied', sql: 'SELECT * FROM costs', must: { refused: 'table_unknown' } },
    {
      id: 'A9',
      tries: 'a view of its own',
      sql: 'CREATE VIEW v AS SELECT * FROM emp',
      must: { refused: 'statement_refused' },
    },
    {
      id: 'A9',
      tries: 'a temporary view',
      sql: 'CREATE TEMPORARY VIEW v AS SELECT * FROM emp',
      must: { refused: 'statement_refused' },
    },
  ];
  tries(cases, () => worlds);

  test('A9 a view has the rights of who asks', async () => {
    const seen = async (as: 'alice' | 'bob') =>
      (
        await worlds.w.server.as(as, '/v1/products/people/query', {
          body: { sql: 'SELECT count(*) AS n, min(name) AS name FROM well_paid', purpose: 'analytics' },
        })
      ).json() as Promise<{ rows: [number, string][] }>;
    const [alice, bob] = await Promise.all([seen('alice'), seen('bob')]);
    expect(alice.rows[0]?.[1]).not.toContain('SECRET');
    // What alice may not see is bob's own: the tripwire is there to be found.
    expect(bob.rows[0]).toEqual([0, null]);
  });

  test('A15 a named query is governed, by GET and by POST', async () => {
    const path = '/v1/products/people/queries/people-of';
    const get = await worlds.w.send('alice', `${path}?dept=sales`, { headers: { 'ambit-purpose': 'analytics' } });
    const post = await worlds.w.send('alice', path, { body: { purpose: 'analytics', parameters: { dept: 'sales' } } });
    expect(tableOf(get, true)).toEqual(tableOf(post, true));
    const { rows } = tableOf(get, true);
    expect(rows).toHaveLength(20);
    expect(new Set(rows.map(([, , ssn]) => ssn))).toEqual(new Set(['***']));
    const hidden = await worlds.w.send('alice', path, { body: { purpose: 'analytics', parameters: { dept: '%' } } });
    expect(tableOf(hidden, true).rows).toEqual([]);
    const denied = await worlds.w.send('alice', '/v1/products/people/queries/total-cost', {
      body: { purpose: 'analytics' },
    });
    expect(codeOf(denied)).toBe('query_unknown');
  });
});

describe('a second way to the same bytes', () => {
  const refused = (id: string, sql: string, code: ProblemCode): Case => ({
    id,
    tries: sql,
    sql,
    must: { refused: code },
  });
  tries(
    [
      refused('A11', "SELECT * FROM 'emp.parquet'", 'table_unknown'),
      refused('A11', 'SELECT * FROM "data/emp.parquet"', 'table_unknown'),
      refused('A11', "SELECT * FROM 'file:///etc/passwd'", 'table_unknown'),
      refused('A11', "SELECT * FROM 'ambit://stores/0/emp.parquet'", 'table_unknown'),
      refused('A11', 'SELECT * FROM "emp$files"', 'table_unknown'),
      refused('A11', 'SELECT * FROM "emp$snapshots"', 'table_unknown'),
      refused('A11', 'SELECT * FROM emp.files', 'table_unknown'),
      refused('A11', 'SELECT * FROM emp_raw', 'table_unknown'),
      refused('A12', "SELECT * FROM read_parquet('emp.parquet')", 'statement_refused'),
      refused('A12', "SELECT * FROM parquet_metadata('emp.parquet')", 'statement_refused'),
      refused('A12', 'SELECT * FROM loop(emp)', 'statement_refused'),
      refused('A12', 'SELECT * FROM range(1, (SELECT max(salary) FROM emp))', 'sql_invalid'),
      refused('A12', 'SELECT * FROM generate_series(1, 3) WITH ORDINALITY', 'statement_refused'),
      refused('A12', 'SELECT * FROM TABLE(emp())', 'statement_refused'),
      refused('A12', 'SELECT * FROM LATERAL FLATTEN(input => emp)', 'statement_refused'),
      refused('A12', 'SELECT * FROM emp, LATERAL generate_series(1, emp.id)', 'sql_invalid'),
      refused('A12', 'SELECT * FROM emp, LATERAL read_parquet(emp.name)', 'statement_refused'),
      refused('A12', "SELECT * FROM JSON_TABLE('[]', '$[*]' COLUMNS(x INT PATH '$'))", 'statement_refused'),
      refused('A12', 'SELECT * FROM emp PIVOT (sum(salary) FOR dept IN (1))', 'statement_refused'),
      refused('A12', 'TABLE emp', 'sql_syntax'),
      refused('A13', 'CREATE TABLE x AS SELECT * FROM emp', 'statement_refused'),
      refused('A13', 'SELECT * INTO x FROM emp', 'statement_refused'),
      refused('A13', 'INSERT INTO x SELECT * FROM emp', 'statement_refused'),
      refused('A13', 'INSERT INTO emp VALUES (1)', 'statement_refused'),
      refused('A13', 'UPDATE emp SET tenant = $tenant', 'statement_refused'),
      refused('A13', 'DELETE FROM emp WHERE 1 / (id - 2) > 0', 'statement_refused'),
      refused('A13', 'MERGE INTO emp USING emp e ON true WHEN MATCHED THEN DELETE', 'statement_refused'),
      refused('A13', 'TRUNCATE TABLE emp', 'statement_refused'),
      refused('A13', "COPY (SELECT * FROM emp) TO '/tmp/x.csv'", 'statement_refused'),
      refused('A13', 'WITH x AS (DELETE FROM emp RETURNING *) SELECT * FROM x', 'statement_refused'),
      refused('A13', 'ANALYZE TABLE emp COMPUTE STATISTICS', 'statement_refused'),
      refused('A14', 'EXPLAIN ANALYZE SELECT * FROM emp', 'statement_refused'),
      refused('A14', "EXPLAIN ANALYZE COPY (SELECT * FROM emp) TO '/tmp/x.csv'", 'statement_refused'),
      refused('A14', 'SELECT * FROM (EXPLAIN SELECT * FROM emp)', 'sql_syntax'),
      refused('A16', 'SELECT * FROM emp TABLESAMPLE BERNOULLI (50)', 'statement_refused'),
      refused('A16', "SELECT * FROM emp FOR SYSTEM_TIME AS OF '2020-01-01'", 'sql_syntax'),
      refused('A16', 'SELECT id FROM emp START WITH id = 2 CONNECT BY PRIOR id = 2', 'statement_refused'),
      refused('A16', 'SELECT id, count(*) FROM emp GROUP BY id WITH ROLLUP', 'statement_refused'),
      refused('A16', 'SELECT id FROM emp ORDER BY id WITH FILL FROM 1 TO 9', 'statement_refused'),
      refused('A16', 'SELECT count(1)(id) FROM emp', 'statement_refused'),
      refused('A16', 'SELECT * FROM emp FOR UPDATE', 'statement_refused'),
      refused('A16', 'SELECT * FROM emp PARTITION (p0)', 'statement_refused'),
      refused('A16', 'SELECT * FROM emp WITH (NOLOCK)', 'statement_refused'),
      refused('A17', 'SELECT emp FROM emp', 'column_unknown'),
      refused('A17', 'SELECT (emp).salary_raw FROM emp', 'statement_refused'),
      refused('A17', 'SELECT row_to_json(emp) FROM emp', 'function_unknown'),
    ],
    () => worlds,
  );
});

describe('other front doors', () => {
  test.each([
    ['Substrait bytes', '/v1/products/people/query', 'application/vnd.substrait', 'substrait', 415],
    ['a protobuf plan', '/v1/products/people/query', 'application/x-protobuf', '\u0008\u0001', 415],
    ['text', '/v1/products/people/query', 'text/plain', 'SELECT 1', 415],
    ['a form', '/v1/products/people/query', 'application/x-www-form-urlencoded', 'sql=SELECT+1', 415],
    [
      'a plan in the body',
      '/v1/products/people/query',
      'application/json',
      '{"plan": "x", "purpose": "analytics"}',
      400,
    ],
    ['a route for SQL', '/v1/sql', 'application/json', '{"sql": "SELECT 1"}', 404],
    ['a route to the engine', '/sessions', 'application/json', '{"sql": "SELECT 1"}', 404],
    ['a template', '/v1/templates/sha256:0', 'application/json', '{}', 404],
    ['a debug route', '/v1/debug/query', 'application/json', '{"sql": "SELECT 1"}', 404],
    ['metrics', '/metrics', 'application/json', '{}', 404],
  ])('A15 %s', async (_, path, type, body, status) => {
    const reply = await worlds.w.send('alice', path, { method: 'POST', body, headers: { 'content-type': type } });
    expect(reply.status).toBe(status);
  });

  test.each([
    ['PREPARE p AS SELECT * FROM emp'],
    ['EXECUTE p'],
    ['DEALLOCATE p'],
    ['DECLARE c CURSOR FOR SELECT * FROM emp'],
  ])('A15 a prepared handle: %s', async (sql) => {
    await judge(worlds, { sql }, { refused: 'statement_refused' });
  });

  test('A15 SQL in the query string is no statement', async () => {
    const reply = await worlds.w.send('alice', '/v1/products/people/query?sql=SELECT%201&purpose=analytics', {
      body: { purpose: 'analytics' },
    });
    expect(codeOf(reply)).toBe('request_invalid');
  });
});
