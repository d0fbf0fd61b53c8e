import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { listKeys, revokeKey } from '@ambit/server';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Case, codeOf, type Evidence, startWorlds, tableOf, tries, type Worlds } from './oracles.ts';
import { quietAfter } from './processes.ts';

// E. What one session leaves for another, and what is left of a session that has ended.

let worlds: Worlds;
beforeAll(async () => {
  worlds = await startWorlds();
});
afterAll(() => worlds.close());

const refused = (id: string, sql: string, code: 'statement_refused' | 'sql_syntax' = 'statement_refused'): Case => ({
  id,
  tries: sql,
  sql,
  must: { refused: code },
});

describe('settings', () => {
  tries(
    [
      refused('E1', 'SET datafusion.optimizer.skip_failed_rules = true'),
      refused('E1', 'SET datafusion.optimizer.skip_failed_rules = true; SELECT count(*) FROM emp'),
      refused('E2', 'SET datafusion.optimizer.max_passes = 0'),
      refused('E3', "SET datafusion.runtime.memory_limit = '1T'"),
      refused('E3', "SET datafusion.runtime.temp_directory = '/tmp'"),
      refused('E3', "SET datafusion.runtime.max_temp_directory_size = '1T'"),
      refused('E3', 'SET datafusion.catalog.information_schema = true'),
      refused('E3', 'RESET datafusion.runtime.memory_limit'),
      refused('E3', "SET LOCAL timezone = 'UTC'"),
      refused('E3', "SET tenant = 'b'"),
      refused('E3', 'SET ROLE auditor'),
      refused('E3', 'SET SESSION AUTHORIZATION auditor'),
      refused('E3', 'USE plain'),
      refused('E3', 'SELECT 1 SETTINGS max_threads = 1', 'sql_syntax'),
      refused('E4', 'BEGIN'),
      refused('E4', 'COMMIT'),
      refused('E4', 'ROLLBACK'),
      refused('E4', 'DISCARD ALL'),
      refused('E4', 'GRANT SELECT ON emp TO public'),
      refused('E4', 'CREATE ROLE r'),
      refused('E4', 'ALTER TABLE emp RENAME TO e'),
      refused('E4', 'DROP TABLE emp'),
      refused('E4', 'CREATE SCHEMA s'),
      refused('E4', 'CREATE INDEX i ON emp (id)'),
      refused('E4', 'LOCK TABLE emp'),
      refused('E8', 'PREPARE p AS SELECT * FROM emp'),
      refused('E8', 'EXECUTE p'),
    ],
    () => worlds,
  );

  test('E1 no setting moves, whatever was tried', async () => {
    const settings = async () => {
      const { headers } = await worlds.w.ask('SELECT 1');
      const evidence = await worlds.w.send('auditor', `/v1/sessions/${headers['ambit-session']}`);
      return evidence.json<Evidence>().boundary['settings'] as Record<string, { value: string }>;
    };
    const before = await settings();
    for (const key of ['datafusion.optimizer.skip_failed_rules', 'datafusion.optimizer.max_passes']) {
      await worlds.w.ask(`SET ${key} = 1`);
    }
    expect(await settings()).toEqual(before);
    expect(before['datafusion.optimizer.skip_failed_rules']?.value).toBe('false');
  });
});

describe('sessions side by side', () => {
  test('E5 E7 a race of two subjects: each sees its own rows, with its own evidence', async () => {
    const tenants = { alice: 'a', bob: 'b' } as const;
    const asks = Array.from({ length: 200 }, async (_, at) => {
      const as = at % 2 === 0 ? 'alice' : 'bob';
      const sql = `SELECT DISTINCT tenant, ${at} AS at FROM ${['emp', 'emp_csv', 'emp_json', 'well_paid'][at % 4]}`;
      const reply = await worlds.w.ask({ sql, as, product: at % 3 === 0 ? 'pushed' : 'people' });
      if (sql.includes('well_paid')) return;
      expect(tableOf(reply, true).rows).toEqual([[tenants[as], at]]);
    });
    await Promise.all(asks);
  });

  test('E6 a store of one product is not another product’s', async () => {
    for (const sql of ["SELECT * FROM 'ambit://stores/plain/emp.parquet'", "SELECT * FROM 's3://victim/emp.parquet'"]) {
      expect(codeOf(await worlds.w.ask(sql)), sql).toBe('table_unknown');
    }
  });

  test('E12 nothing of a failed session is there for the next', async () => {
    const good = 'SELECT count(*) FROM emp';
    for (const sql of ['SELECT 1 / (id - 1000) FROM emp', 'SELECT $x', 'SELECT', 'SELECT * FROM payroll']) {
      await worlds.w.ask(sql);
      const { rows } = tableOf(await worlds.w.ask(good), true);
      expect(rows, sql).toEqual([[60]]);
    }
    for (const name of ['mine', 'x', 'v']) {
      await worlds.w.ask(`WITH ${name} AS (SELECT 1 AS one) SELECT * FROM ${name}`);
      expect(codeOf(await worlds.w.ask(`SELECT * FROM ${name}`)), name).toBe('table_unknown');
    }
  });

  test('E15 a session has one clock, and its evidence the time', async () => {
    const sql = 'SELECT count(DISTINCT now()) AS nows, min(now()) = now() AS same FROM emp a CROSS JOIN emp b';
    expect(tableOf(await worlds.w.ask(sql), true).rows).toEqual([[1, true]]);
  });
});

describe('ids of sessions', () => {
  const ids = async (): Promise<string> =>
    (await worlds.w.ask({ sql: 'SELECT 1', as: 'bob' })).headers['ambit-session'] ?? '';

  test('E16 they cannot be guessed', async () => {
    const many = await Promise.all(Array.from({ length: 20 }, ids));
    for (const id of many) expect(id).toMatch(/^ses_[0-9a-f]{32}$/);
    expect(new Set(many).size).toBe(20);
    // Nothing of one is in the next.
    expect(new Set(many.map((id) => id.slice(4, 12))).size).toBe(20);
  });

  test.each([['GET'], ['DELETE']])('E16 %s of somebody else’s is as one that never was', async (method) => {
    const [theirs, never] = [await ids(), `ses_${'0'.repeat(32)}`];
    const answers = await Promise.all(
      [theirs, never].map(async (id) => {
        const reply = await worlds.w.send('alice', `/v1/sessions/${id}`, { method });
        return `${reply.status} ${reply.text.replaceAll(id, 'ID')}`;
      }),
    );
    expect(answers[0]).toBe(answers[1]);
    expect(answers[0]).toMatch(/^404 /);
  });

  test.each([
    ['constructor'],
    ['__proto__'],
    ['..%2f..%2fkeys.json'],
    ['ses_%00'],
    [`ses_${'f'.repeat(5_000)}`],
    ['*'],
    ["ses_' OR 1=1"],
  ])('E16 an id that is none: %s', async (id) => {
    const reply = await worlds.w.send('alice', `/v1/sessions/${id.includes('%') ? id : encodeURIComponent(id)}`);
    expect(Math.floor(reply.status / 100), reply.text).toBe(4);
  });

  test('E16 a session of one kind of principal is not that of another with its name', async () => {
    const { sessions } = (await worlds.w.send('alice', '/v1/sessions')).json<{ sessions: { session: string }[] }>();
    const bobs = await ids();
    expect(sessions.map(({ session }) => session)).not.toContain(bobs);
    expect((await worlds.w.server.as(null, `/v1/sessions/${bobs}`)).status).toBe(401);
  });
});

describe('a session that is cancelled', () => {
  const endless = 'WITH RECURSIVE t AS (SELECT 1 AS n UNION ALL SELECT n + 1 FROM t) SELECT count(*) FROM t';
  const numbers = (rows: number): string =>
    `WITH RECURSIVE t AS (SELECT 1 AS n UNION ALL SELECT n + 1 FROM t WHERE n < ${rows})`;
  test.each([
    ['a recursion', endless],
    ['one step of minutes', 'SELECT sum(levenshtein(repeat(note, 900), repeat(name, 6000))) FROM emp'],
    [
      'a cross join that is sorted',
      `${numbers(3_000)} SELECT a.n FROM t a, t b, t c ORDER BY a.n * b.n % 7919 LIMIT 5`,
    ],
    ['a distance of long texts', `${numbers(2_000)} SELECT sum(levenshtein(repeat('ab', n), repeat('ba', n))) FROM t`],
    [
      'a pattern over long texts',
      `${numbers(4_000)} SELECT sum(length(regexp_replace(repeat('a', n * 20), '(a|b|ab)+?c?', 'x', 'g'))) FROM t`,
    ],
    [
      'a join without a key',
      `${numbers(20_000)} SELECT count(*) FROM t a JOIN t b ON a.n % 7 < b.n % 11 AND a.n <> b.n`,
    ],
  ])('E10 the CPU is quiet: %s', async (_, sql) => {
    const { server } = worlds.w;
    const workers = server.workers();
    const abort = new AbortController();
    const asked = server
      .as('alice', '/v1/products/people/query', { body: { sql, purpose: 'analytics' }, signal: abort.signal })
      .then(
        (answer) => answer.status,
        () => 'gone',
      );
    await sleep(700);
    abort.abort();
    // A second, and what a busy machine needs to notice.
    expect(await quietAfter(workers, 3_000)).toBeLessThan(1_600);
    expect(await asked).toBe('gone');
    expect(tableOf(await worlds.w.ask('SELECT count(*) FROM emp'), true).rows).toEqual([[60]]);
  });

  test('E10 its outcome says so', async () => {
    const { sessions } = (await worlds.w.send('alice', '/v1/sessions')).json<{ sessions: { status: string }[] }>();
    const ends = sessions.map(({ status }) => status);
    expect(ends).not.toContain('running');
    expect(ends.filter((status) => status === 'cancelled' || status === 'crashed').length).toBe(6);
  });
});

describe('a panic', () => {
  test('E11 ends its session alone', async () => {
    const panic = "SELECT regexp_replace(repeat('a', 60000), 'a', repeat('b', 60000), 'g') AS x";
    const reply = await worlds.w.ask(panic);
    expect(['internal', 'limit_memory', 'engine_crashed']).toContain(codeOf(reply));
    const { session } = reply.json<{ session: string }>();
    const { outcome } = (await worlds.w.send('auditor', `/v1/sessions/${session}`)).json<Evidence>();
    expect(outcome?.status).toMatch(/failed|crashed/);
    const replies = await Promise.all(Array.from({ length: 8 }, () => worlds.w.ask('SELECT count(*) FROM emp')));
    for (const next of replies) expect(tableOf(next, true).rows).toEqual([[60]]);
  });
});

// The last, because it takes bob's key.
describe('a key that is revoked', () => {
  test('E9 is out with the next request', async () => {
    const file = join(worlds.w.server.folder, '.ambit/keys.json');
    expect(codeOf(await worlds.w.ask({ sql: 'SELECT 1', as: 'bob' }))).toBeNull();
    const key = (await listKeys(file)).find(({ principal }) => principal === 'bob');
    expect(await revokeKey(file, key?.id ?? '')).toBe(true);
    expect(codeOf(await worlds.w.ask({ sql: 'SELECT 1', as: 'bob' }))).toBe('credential_invalid');
    expect(codeOf(await worlds.w.ask('SELECT 1'))).toBeNull();
  });
});
