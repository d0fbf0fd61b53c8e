import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Case, codeOf, startWorlds, tableOf, tries, triesOn, type Worlds } from './oracles.ts';

// D. What a mask or an aggregate lets through. `ssn` is `***` for all, `hired` is the first of its month.

let worlds: Worlds;
beforeAll(async () => {
  worlds = await startWorlds();
});
afterAll(() => worlds.close());

describe('masks hold below the statement', () => {
  const cases: readonly (readonly [id: string, tries: string, sql: string, inOrder?: true])[] = [
    ['D1', 'a filter on it', "SELECT count(*) FROM {table} WHERE ssn LIKE 'SECRET%'"],
    ['D1', 'a filter on what is under it', "SELECT id FROM {table} WHERE substr(ssn, 1, 6) = 'SECRET'"],
    ['D1', 'a filter by position', "SELECT count(*) FROM {table} WHERE position('ssn' IN ssn) > 0"],
    ['D1', 'a pattern', "SELECT count(*) FROM {table} WHERE regexp_like(ssn, '[0-9]')"],
    ['D1', 'HAVING', "SELECT dept FROM {table} GROUP BY dept HAVING max(ssn) > '***'"],
    ['D2', 'a join on it', 'SELECT count(*) FROM {table} a JOIN {table} b ON a.ssn = b.ssn'],
    ['D2', 'a join against guesses', "SELECT id FROM (VALUES ('SECRET' || '-ssn-w-1')) g(s) JOIN {table} ON ssn = g.s"],
    [
      'D2',
      'IN against guesses',
      "SELECT id FROM {table} WHERE ssn IN ('SECRET' || '-ssn-w-1', 'SECRET' || '-ssn-x-1')",
    ],
    [
      'D2',
      'a semi join on it',
      'SELECT count(*) FROM {table} a WHERE a.ssn IN (SELECT ssn FROM {table} b WHERE b.id > 1100)',
    ],
    ['D3', 'GROUP BY', 'SELECT ssn, count(*) FROM {table} GROUP BY ssn'],
    ['D3', 'DISTINCT', 'SELECT DISTINCT ssn, hired FROM {table}'],
    ['D3', 'count of distinct values', 'SELECT count(DISTINCT ssn), approx_distinct(ssn) FROM {table}'],
    ['D3', 'set operations', 'SELECT ssn FROM {table} INTERSECT SELECT ssn FROM {table}'],
    ['D4', 'ORDER BY', 'SELECT id FROM {table} ORDER BY ssn, id', true],
    ['D4', 'ORDER BY the day under a month', 'SELECT id, hired FROM {table} ORDER BY hired, id', true],
    ['D4', 'extremes', 'SELECT min(ssn), max(ssn), min(hired), max(hired) FROM {table}'],
    ['D4', 'rank', 'SELECT id, rank() OVER (ORDER BY ssn), dense_rank() OVER (ORDER BY hired) FROM {table}'],
    [
      'D4',
      'first and last',
      'SELECT first_value(id ORDER BY hired, id), last_value(id ORDER BY hired, id) FROM {table}',
    ],
    ['D4', 'TopK', 'SELECT id FROM {table} ORDER BY ssn DESC, id LIMIT 3', true],
    ['D5', 'a hash of it', 'SELECT count(DISTINCT sha256(ssn)), count(DISTINCT md5(ssn)) FROM {table}'],
    ['D5', 'a hash against guesses', "SELECT id FROM {table} WHERE sha256(ssn) = sha256('SECRET' || '-ssn-w-1')"],
    ['D6', 'its length', 'SELECT min(char_length(ssn)), max(char_length(ssn)), max(octet_length(ssn)) FROM {table}'],
    ['D6', 'its NULLs', 'SELECT count(*) FROM {table} WHERE ssn IS NULL'],
    ['D6', 'its NULLs, counted', 'SELECT count(ssn), count(*) FROM {table}'],
    ['D6', 'COALESCE', "SELECT coalesce(ssn, 'none'), nullif(ssn, '***') FROM {table}"],
    ['D6', 'its type', 'SELECT DISTINCT arrow_typeof(ssn), arrow_typeof(hired) FROM {table}'],
    ['D6', 'a cast', "SELECT try_cast(ssn AS INT), hired - DATE '2000-01-01' FROM {table}"],
    [
      'D7',
      'bisecting a bucket',
      "SELECT count(*) FROM {table} WHERE hired BETWEEN DATE '2010-01-02' AND DATE '2010-01-31'",
    ],
    ['D7', 'the part that the bucket drops', "SELECT DISTINCT date_part('day', hired) FROM {table}"],
    ['D7', 'a bucket with an exact sum', 'SELECT hired, sum(salary), count(*) FROM {table} GROUP BY hired'],
    [
      'D8',
      'a total less a total',
      'SELECT (SELECT sum(salary) FROM {table}) - (SELECT sum(salary) FROM {table} WHERE id <> 2)',
    ],
    [
      'D8',
      'statistics of a sample',
      'SELECT round(stddev(salary), 6), round(var_pop(salary), 6), median(salary), round(corr(id, salary), 9) FROM {table}',
    ],
    ['D10', 'a mask through a subquery', 'SELECT max(s) FROM (SELECT ssn AS s FROM {table} WHERE id > 0) x'],
    ['D10', 'a mask through WITH', "WITH t AS (SELECT * FROM {table}) SELECT count(*) FROM t WHERE ssn LIKE 'SECRET%'"],
    ['D10', 'a mask through UNNEST', 'SELECT DISTINCT unnest([ssn, ssn]) FROM {table}'],
    [
      'D10',
      'a mask in a correlated subquery',
      'SELECT (SELECT max(b.ssn) FROM {table} b WHERE b.id = a.id) FROM {table} a',
    ],
  ];
  triesOn(
    ['emp', 'emp_arrow', 'emp_csv', 'emp_team'],
    cases.map(([id, attack, sql, inOrder]) => ({ id, tries: attack, sql, must: inOrder ? 'same, in order' : 'same' })),
    () => worlds,
  );
  tries(
    [
      {
        id: 'D10',
        tries: 'a mask through a view',
        sql: 'SELECT DISTINCT ssn FROM well_paid',
        must: { rows: [['***']] },
      },
      {
        id: 'D10',
        tries: 'what the mask says',
        sql: "SELECT count(*) FROM emp WHERE ssn = '***'",
        must: { rows: [[60]] },
      },
    ] satisfies readonly Case[],
    () => worlds,
  );
});

describe('one purpose a session', () => {
  const consent = 'SELECT count(*) FROM consent';

  test('D9 a table of a purpose is there for it alone, whatever roles one has', async () => {
    const billing = await worlds.w.ask({ sql: consent, as: 'bill', purpose: 'billing' });
    expect(tableOf(billing, true).rows).toEqual([[2]]);
    expect(codeOf(await worlds.w.ask({ sql: consent, as: 'bill' }))).toBe('table_unknown');
    expect(codeOf(await worlds.w.ask({ sql: consent, purpose: 'billing' }))).toBe('purpose_refused');
  });

  test('D9 two roles lift no mask and add no row', async () => {
    const sql = 'SELECT count(*), min(ssn), max(hired) FROM emp';
    const [alice, bill] = await Promise.all([worlds.w.ask(sql), worlds.w.ask({ sql, as: 'bill' })]);
    expect(tableOf(bill, true).rows).toEqual(tableOf(alice, true).rows);
    const billing = await worlds.w.ask({ sql, as: 'bill', purpose: 'billing' });
    expect(tableOf(billing, true).rows).toEqual(tableOf(alice, true).rows);
  });

  test.each([
    ['two of them in one word', { purpose: 'analytics billing' }, {}, 'purpose_refused'],
    ['a list', { purpose: ['analytics', 'billing'] }, {}, 'request_invalid'],
    ['one in the body, one in the header', { purpose: 'analytics' }, { 'ambit-purpose': 'billing' }, 'purpose_refused'],
    ['two of them in a header', {}, { 'ambit-purpose': 'analytics, billing' }, 'purpose_refused'],
    ['none', {}, {}, 'purpose_required'],
    ['an empty one', { purpose: '' }, {}, 'purpose_refused'],
    ['capitals', { purpose: 'Billing' }, {}, 'purpose_refused'],
    ['a name of every object', { purpose: '__proto__' }, {}, 'purpose_refused'],
    ['a method of every object', { purpose: 'constructor' }, {}, 'purpose_refused'],
  ])('D9 %s', async (_, purpose, headers, code) => {
    const body = { sql: consent, ...purpose };
    expect(codeOf(await worlds.w.send('bill', '/v1/products/people/query', { body, headers }))).toBe(code);
  });

  test('D11 a claim that is missing refuses: it is not NULL', async () => {
    for (const table of ['emp_json', 'emp_team']) {
      const reply = await worlds.w.ask({ sql: `SELECT count(*) FROM ${table}`, as: 'claimless' });
      expect(codeOf(reply), table).toBe('claim_missing');
    }
    expect(codeOf(await worlds.w.ask({ sql: 'SELECT count(*) FROM emp', as: 'claimless' }))).toBeNull();
  });

  test('D11 a claim comes from the credential, never from the request', async () => {
    for (const sql of ['SELECT $claims.tenant', 'SELECT count(*) FROM emp WHERE tenant = $tenant']) {
      expect(codeOf(await worlds.w.ask(sql)), sql).toBe('parameter_invalid');
    }
    const parameters = { tenant: 'b' };
    const asked = { sql: 'SELECT count(*) FROM emp WHERE tenant = $tenant', parameters };
    expect(tableOf(await worlds.w.ask(asked), true).rows).toEqual([[0]]);
  });
});
