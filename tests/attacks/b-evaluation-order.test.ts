import { afterAll, beforeAll, describe } from 'vitest';
import { type Case, startWorlds, tries, triesOn, type Worlds } from './oracles.ts';
import { TABLES } from './product.ts';

// B. Hidden rows reach the consumer's expressions: one that fails on them tells of them, its error quotes them.

let worlds: Worlds;
beforeAll(async () => {
  worlds = await startWorlds();
});
afterAll(() => worlds.close());

/** 0 for the hidden row with this name, 1 for all others. */
const ZERO = "(CASE WHEN name LIKE 'SECRET_bob%' THEN 0 ELSE 1 END)";
/** The name of a hidden row, a number for all others. */
const NAME = "(CASE WHEN name LIKE 'SECRET%' THEN name ELSE '1' END)";

const onEveryTable: readonly (readonly [id: string, tries: string, sql: string])[] = [
  ['B1', 'division by zero in WHERE', `SELECT count(*) FROM {table} WHERE 1 / ${ZERO} = 1`],
  ['B1', 'division by a hidden column', 'SELECT count(*) FROM {table} WHERE 1000 / salary > -1'],
  ['B1', 'division by a hidden id', 'SELECT count(*) FROM {table} WHERE 1 / (id - 2) > -10'],
  ['B1', 'remainder', 'SELECT count(*) FROM {table} WHERE 1 % (id - 2) > -10'],
  ['B1', 'division in the SELECT list', 'SELECT id, 1 / (id - 2) AS x FROM {table}'],
  ['B1', 'division in an aggregate', 'SELECT sum(1 / (id - 2)), max(1000 / salary) FROM {table}'],
  ['B1', 'division in GROUP BY', 'SELECT count(*) FROM {table} GROUP BY 1 / (id - 2)'],
  ['B1', 'division in a window', 'SELECT sum(1 / (id - 2)) OVER (PARTITION BY dept) FROM {table}'],
  ['B1', 'division in a join', 'SELECT count(*) FROM {table} a JOIN {table} b ON 1 / (a.id - 2) = b.id - a.id'],
  [
    'B1',
    'division in an outer join',
    'SELECT count(*) FROM {table} a LEFT JOIN {table} b ON a.id = b.id AND 1 / (b.id - 2) > -10',
  ],
  [
    'B1',
    'division in a correlated subquery',
    'SELECT count(*) FROM {table} o WHERE EXISTS (SELECT 1 FROM {table} i WHERE i.id = o.id AND 1 / (i.id - 2) > -10)',
  ],
  [
    'B1',
    'division before a comparison that excludes it',
    'SELECT count(*) FROM {table} WHERE id <> 2 AND 1 / (id - 2) > -10',
  ],
  ['B2', 'a cast that quotes its value', `SELECT count(*) FROM {table} WHERE CAST(${NAME} AS INT) > 0`],
  ['B2', 'a cast in the SELECT list', `SELECT tenant, CAST(${NAME} AS INT) + id AS n FROM {table}`],
  ['B2', 'a cast in a join', `SELECT count(*) FROM {table} a JOIN (VALUES (1)) v(x) ON CAST(${NAME} AS INT) = v.x`],
  [
    'B2',
    'a cast to a date',
    `SELECT count(*) FROM {table} WHERE CAST(CASE WHEN name LIKE 'SECRET%' THEN name ELSE '2020-01-01' END AS DATE) > DATE '1900-01-01'`,
  ],
  ['B2', 'a cast to a decimal', `SELECT count(*) FROM {table} WHERE CAST(${NAME} AS DECIMAL(10, 2)) > 0`],
  ['B2', 'a cast to a boolean', `SELECT count(*) FROM {table} WHERE CAST(${NAME} AS BOOLEAN)`],
  [
    'B2',
    'a narrowing cast',
    'SELECT count(*) FROM {table} WHERE CAST(CASE WHEN id < 1000 THEN 300 + id ELSE 1 END AS TINYINT) > 0',
  ],
  [
    'B3',
    'to_timestamp',
    `SELECT count(to_timestamp(CASE WHEN name LIKE 'SECRET%' THEN name ELSE '2020-01-01' END)) FROM {table}`,
  ],
  [
    'B3',
    'to_date',
    `SELECT count(to_date(CASE WHEN name LIKE 'SECRET%' THEN name ELSE '2020-01-01' END)) FROM {table}`,
  ],
  ['B3', 'arrow_cast', `SELECT count(arrow_cast(${NAME}, 'Int32')) FROM {table}`],
  [
    'B3',
    'a pattern that is broken',
    "SELECT count(*) FROM {table} WHERE regexp_like('a', CASE WHEN name LIKE 'SECRET%' THEN name || '(' ELSE 'a' END)",
  ],
  ['B3', 'a character that is none', 'SELECT count(chr(CASE WHEN id = 2 THEN -1 ELSE 65 END)) FROM {table}'],
  [
    'B3',
    'bytes that are none',
    `SELECT count(decode(CASE WHEN name LIKE 'SECRET%' THEN name ELSE '00' END, 'hex')) FROM {table}`,
  ],
  [
    'B3',
    'a logarithm, a root, a power',
    'SELECT count(ln(salary)), count(sqrt(salary)), count(power(id, 2)) FROM {table}',
  ],
  ['B3', 'a factorial', 'SELECT count(factorial(CASE WHEN id = 2 THEN 99 ELSE 3 END)) FROM {table}'],
  ['B3', 'overflow of a sum', 'SELECT count(*) FROM {table} WHERE salary + 9223372036854000000 > 0'],
  ['B3', 'overflow of a product', 'SELECT count(*) FROM {table} WHERE salary * 9000000000000 > 0'],
  [
    'B3',
    'overflow of a decimal',
    'SELECT count(CAST(CASE WHEN id < 1000 THEN 99999 ELSE 1 END AS DECIMAL(5, 2))) FROM {table}',
  ],
  [
    'B3',
    'a bin before all time',
    "SELECT count(date_bin(INTERVAL '15 minutes', CAST(hired AS TIMESTAMP), TIMESTAMP '2020-01-01')) FROM {table}",
  ],
  ['B3', 'an index out of a list', 'SELECT count(array_element([1, 2], id)) FROM {table}'],
  [
    'B3',
    'a repetition without end',
    "SELECT max(length(repeat('x', CASE WHEN id = 2 THEN 2000000000 ELSE 1 END))) FROM {table}",
  ],
  [
    'B3',
    'a time zone that is none',
    `SELECT count(to_local_time(CAST(hired AS TIMESTAMP))) FROM {table} WHERE ${ZERO} = 1`,
  ],
  ['B4', 'a predicate beside the policy', `SELECT count(*) FROM {table} WHERE 1 / ${ZERO} = 1 AND tenant IS NOT NULL`],
  [
    'B5',
    'a predicate before the policy',
    `SELECT count(*) FROM (SELECT * FROM {table} WHERE 1 / ${ZERO} = 1) x WHERE tenant = 'a'`,
  ],
  ['B5', 'a cheap predicate before a dear policy', 'SELECT count(*) FROM {table} WHERE id <> 2 OR 1 / (id - 2) > 0'],
  ['B5', 'a predicate without columns', 'SELECT count(*) FROM {table} WHERE random() >= 0'],
  [
    'B5',
    'a projection that slides below a filter',
    `SELECT tenant, CAST(${NAME} AS INT) + salary AS x FROM {table} WHERE salary > 0`,
  ],
  [
    'B7',
    'a predicate that reads fewer bytes than the policy',
    'SELECT count(*) FROM {table} WHERE 1 / (id - 2) > -10 AND length(tenant) = 1',
  ],
  [
    'B10',
    'IN over a failing subquery',
    'SELECT count(*) FROM {table} WHERE id IN (SELECT 1 / (id - 2) + id FROM {table})',
  ],
  ['B10', 'COALESCE that must not look further', `SELECT count(coalesce(id, CAST(${NAME} AS INT))) FROM {table}`],
  ['B10', 'CASE that must not look further', `SELECT sum(CASE WHEN id = 2 THEN 1 / (id - 2) ELSE 1 END) FROM {table}`],
  ['B12', 'a limit that the policy outlives', 'SELECT count(*) FROM (SELECT id FROM {table} LIMIT 50) x'],
  ['B12', 'a limit over all', 'SELECT count(*) FROM (SELECT * FROM {table} LIMIT 1000) x'],
  ['B12', 'a limit with an offset', 'SELECT count(*) FROM (SELECT id FROM {table} LIMIT 10 OFFSET 55) x'],
  ['B13', 'the raw value of a masked column', "SELECT count(*) FROM {table} WHERE ssn LIKE 'SECRET%'"],
  ['B13', 'all but the mask', "SELECT count(*) FROM {table} WHERE ssn <> '***'"],
  ['B13', 'a range of the raw value', "SELECT count(*) FROM {table} WHERE ssn BETWEEN 'SECRET' AND 'SECRETZ'"],
  ['B13', 'the day under a masked month', "SELECT count(*) FROM {table} WHERE hired = DATE '2010-01-17'"],
  [
    'B13',
    'a division by the day under it',
    "SELECT count(*) FROM {table} WHERE 1 / (date_part('day', hired) - 17) < 5",
  ],
  ['B14', 'TopK over a failing key', 'SELECT count(*) FROM (SELECT id FROM {table} ORDER BY 1 / (id - 2) LIMIT 5) x'],
  ['B14', 'TopK over a hidden minimum', 'SELECT min(id) FROM (SELECT id FROM {table} ORDER BY salary, id LIMIT 1) x'],
  [
    'B14',
    'a join filter over a failing key',
    'SELECT count(*) FROM (VALUES (1)) v(x) JOIN {table} ON v.x = 1 / (id - 2) + 1',
  ],
  [
    'B14',
    'a join filter over hidden rows',
    'SELECT count(*) FROM {table} a JOIN {table} b ON a.id = b.id WHERE a.salary > 300',
  ],
  [
    'B14',
    'minimum and maximum',
    'SELECT min(id), max(id), min(salary), max(salary), min(name), max(dept) FROM {table}',
  ],
  ['B16', 'a clock', "SELECT count(*) FROM {table} WHERE now() > TIMESTAMP '2020-01-01' AND 1 / (id - 2) > -10"],
  ['B16', 'a fresh id for each row', 'SELECT count(DISTINCT uuid()) FROM {table}'],
  [
    'B16',
    'a volatile divisor',
    'SELECT count(*) FROM {table} WHERE 1 / (CASE WHEN random() < 2 THEN id - 2 ELSE 1 END) > -10',
  ],
];

describe('an expression that fails on a hidden row', () => {
  triesOn(
    TABLES,
    onEveryTable.map(([id, attack, sql]) => ({ id, tries: attack, sql, must: 'same' })),
    () => worlds,
  );
});

describe('with predicates pushed into the readers of Parquet', () => {
  triesOn(
    ['emp', 'emp_parts', 'emp_like', 'emp_team'],
    onEveryTable.map(([id, attack, sql]) => ({ id, tries: attack, sql, product: 'pushed', must: 'same' })),
    () => worlds,
  );
});

describe('an expression that fails on a visible row', () => {
  const cases: readonly Case[] = [
    { id: 'B1', tries: 'division by zero', sql: 'SELECT 1 / (id - 1000) FROM emp', must: { fails: 'compute_failed' } },
    {
      id: 'B2',
      tries: 'a cast of a visible name',
      sql: 'SELECT CAST(name AS INT) FROM emp',
      must: { fails: 'compute_failed' },
    },
    {
      id: 'B3',
      tries: 'a broken pattern',
      sql: "SELECT regexp_like('a', name || '(') FROM emp",
      must: { fails: 'compute_failed' },
    },
    {
      id: 'B3',
      tries: 'a narrowing cast',
      sql: 'SELECT CAST(id AS TINYINT) FROM emp',
      must: { fails: 'compute_failed' },
    },
    {
      id: 'B13',
      tries: 'a cast of a mask',
      sql: 'SELECT CAST(ssn AS INT) FROM emp',
      must: { fails: 'compute_failed' },
    },
  ];
  tries(cases, () => worlds);
});

describe('what would see rows by itself', () => {
  const cases: readonly Case[] = [
    {
      id: 'B9',
      tries: 'a function of its own',
      sql: 'CREATE FUNCTION leak(x TEXT) RETURNS TEXT RETURN x',
      must: { refused: 'statement_refused' },
    },
    {
      id: 'B9',
      tries: 'a function that is not there',
      sql: 'SELECT leak(name) FROM emp',
      must: { refused: 'function_unknown' },
    },
    {
      id: 'B9',
      tries: 'a lambda',
      sql: 'SELECT array_transform([1], x -> x + 1)',
      must: { refused: 'column_unknown' },
    },
    {
      id: 'B9',
      tries: 'the name of the file',
      sql: 'SELECT input_file_name() FROM emp',
      must: { refused: 'function_unknown' },
    },
    {
      id: 'B9',
      tries: 'positions in the file',
      sql: 'SELECT file_row_index() FROM emp',
      must: { refused: 'function_unknown' },
    },
    {
      id: 'B11',
      tries: 'an alias of the optimizer',
      sql: 'SELECT CAST(name AS INT) AS "__datafusion_extracted_1" FROM emp',
      must: { refused: 'statement_refused' },
    },
    {
      id: 'B11',
      tries: 'the same in a derived table',
      sql: 'SELECT 1 FROM (SELECT 1 / (id - 2) AS "__datafusion_extracted_1" FROM emp) x',
      must: { refused: 'statement_refused' },
    },
    {
      id: 'B11',
      tries: 'a common expression of the optimizer',
      sql: 'SELECT 1 / (id - 2) AS __common_expr_1 FROM emp',
      must: { refused: 'statement_refused' },
    },
    {
      id: 'B11',
      tries: 'a subquery of the optimizer',
      sql: 'SELECT 1 FROM emp AS "__scalar_sq_1"',
      must: { refused: 'statement_refused' },
    },
    {
      id: 'B11',
      tries: 'escapes in such a name',
      sql: 'SELECT 1 AS U&"__datafusion\\005fextracted_1" FROM emp',
      must: { refused: 'sql_syntax' },
    },
  ];
  tries(cases, () => worlds);
});
