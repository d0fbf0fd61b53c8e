import { createHash, randomBytes, randomInt } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Ajv } from 'ajv';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { until } from '../exports/receiver.ts';
import { root } from '../server.ts';
import { type Name, type SealedWorld, startSealed } from './sealed-world.ts';

// Secrets as literals, in every place where a statement or a request can have one. Then nothing that the server keeps, says,
// sends or answers to others holds any of them.

const valid = new Ajv({ strict: false }).compile(
  JSON.parse(readFileSync(join(root, 'schemas/evidence-record.schema.json'), 'utf8')) as object,
);

let world: SealedWorld;
beforeAll(async () => {
  world = await startSealed();
}, 120_000);
afterAll(() => world.close());

const secrets: string[] = [];
const kept = (secret: string): string => {
  secrets.push(secret);
  return secret;
};
/** A word that nobody says by chance. */
const word = (): string =>
  kept(
    `zq${randomBytes(8)
      .toString('hex')
      .replaceAll(/[0-9]/g, (digit) => 'ghijklmnop'[Number(digit)] ?? '')}`,
  );
const number = (): string => kept(String(randomInt(10 ** 11, 10 ** 12)));
const hex = (): string => {
  const text = word();
  return kept(Buffer.from(text).toString('hex'));
};

const statements: readonly (() => string)[] = [
  () => `SELECT id FROM emp WHERE name = '${word()}'`,
  () => `SELECT id FROM emp WHERE name = 'it''s ${word()}'`,
  () => `SELECT id FROM emp WHERE name = E'\\\\${word()}'`,
  () => `SELECT id FROM emp WHERE name = E'it\\'s ${word()}' OR name = '${word()}'`,
  () => `SELECT id FROM emp WHERE name = 'ends in \\' OR name = '${word()}'`,
  () => `SELECT id FROM emp WHERE name = $$${word()}$$`,
  () => `SELECT id FROM emp WHERE name = $tag$it's ${word()}$tag$`,
  () => `SELECT id FROM emp WHERE salary = ${number()}`,
  () => `SELECT id FROM emp WHERE salary > -${number()}.${number()} AND salary < ${number()}e3`,
  () => `SELECT id FROM emp WHERE arrow_cast(name, 'Binary') = X'${hex()}'`,
  () => `SELECT encode(X'${hex()}', 'hex') AS h`,
  () => `SELECT id FROM emp WHERE name LIKE '%${word()}%' OR name ILIKE '${word()}_'`,
  () => `SELECT id FROM emp WHERE name IN ('${word()}', '${word()}', 'ann') OR id IN (${number()}, ${number()})`,
  () => `SELECT id FROM emp WHERE regexp_like(name, '${word()}.*')`,
  () => `SELECT id FROM emp -- ${word()}`,
  () => `/* ${word()} /* ${word()} */ ${word()} */ SELECT id FROM emp`,
  () => `SELECT id AS "${word()}" FROM emp`,
  () => `SELECT id AS ${word()} FROM emp`,
  () => `WITH ${word()} AS (SELECT 1 AS x) SELECT '${word()}' FROM emp AS ${word()}`,
  () => `SELECT '${word()}'`,
  () => `SELECT '${word()}' AS name, ${number()}, name || '${word()}' FROM emp ORDER BY 1 || '${word()}'`,
  () => `SELECT count(*) FILTER (WHERE name = '${word()}') FROM emp GROUP BY concat(name, '${word()}')`,
  () => `SELECT a.id FROM emp a JOIN emp b ON a.id = b.id AND b.name <> '${word()}' WHERE b.id < ${number()}`,
  () => `SELECT e.name FROM earners e WHERE e.name BETWEEN '${word()}' AND '${word()}'`,
  () => `SELECT day FROM visits WHERE clinic = '${word()}'`,
  () => `SELECT CAST('${word()}' AS BIGINT)`,
  () => `SELECT CAST(concat('${word()}', name) AS BIGINT) FROM emp`,
  () => `SELECT DATE '${word()}'`,
  () => `SELECT INTERVAL '${word()}' DAY`,
  () => `SELECT id FROM emp WHERE name = '${word()}' GROUP BY BY`,
  () => `SELEC '${word()}'`,
  () => `SELECT '${word()}`,
  () => `SELECT "${word()}`,
  () => `SELECT ${word()} FROM emp`,
  () => `SELECT id FROM ${word()}`,
  () => `SELECT ${word()}(id) FROM emp`,
  () => `SELECT id FROM emp WHERE "${word()}" = 1`,
  () => `SELECT named_struct('${word()}', id) FROM emp`,
  () => `SELECT arrow_cast(now(), 'Timestamp(Second, Some("${word()}"))')`,
  () => `SELECT 1 / (id - id) FROM emp WHERE name <> '${word()}'`,
  () => `SELECT regexp_like(name, '(${word()}') FROM emp`,
  () => `INSERT INTO emp VALUES (1, '${word()}', NULL, ${number()})`,
  () => `SET datafusion.execution.batch_size = ${number()}`,
  () => `EXPLAIN SELECT '${word()}'`,
  () => `SELECT id FROM emp WHERE name = $${word()}`,
  () => `SELECT id FROM emp; SELECT '${word()}'`,
  () =>
    `WITH RECURSIVE t AS (SELECT 1 AS i UNION ALL SELECT i + 1 FROM t WHERE i < 1000000000) SELECT count(*) FROM t WHERE concat('', i) <> '${word()}'`,
  () =>
    `SELECT count(*) FROM numbers a, numbers b, numbers c WHERE a.n + b.n + c.n = -${number()} AND '${word()}' <> concat('', a.n)`,
];

/** Requests that are not only a statement. */
const requests: readonly (() => readonly [body: object, path?: string])[] = [
  () => [{ sql: 'SELECT id FROM emp WHERE name = $who', parameters: { who: word() } }],
  () => [{ sql: 'SELECT id FROM emp WHERE salary = $x', parameters: { x: Number(number()) } }],
  () => {
    const name = word();
    return [{ sql: `SELECT id FROM emp WHERE name = $${name}`, parameters: { [name]: word() } }];
  },
  () => [{ sql: 'SELECT id FROM emp WHERE name = $x', parameters: { x: { type: 'string', value: word() } } }],
  () => [{ sql: 'SELECT id FROM emp WHERE name = $x', parameters: { x: { type: word(), value: 1 } } }],
  () => [{ sql: 'SELECT id FROM emp WHERE id = $x', parameters: { x: { type: 'bigint', value: word() } } }],
  () => [{ sql: 'SELECT id FROM emp WHERE born = $x', parameters: { x: { type: 'date', value: word() } } }],
  () => [{ sql: 'SELECT 1', parameters: { [word()]: null } }],
  () => [{ sql: 'SELECT 1', purpose: word() }],
  () => [{ sql: 'SELECT 1', purpose: word() }, '../people@9/query'],
  () => [{ parameters: { name: word() } }, 'queries/by-name'],
  () => [{ parameters: { name: word(), above: Number(number()) } }, 'queries/by-name'],
  () => [{ parameters: { name: word(), above: word() } }, 'queries/by-name'],
  () => [{ parameters: { [word()]: 1, name: 'x' } }, 'queries/by-name'],
  () => [{ parameters: { name: word() } }, `queries/${word()}`],
];

const holds = (bytes: Buffer | string): readonly string[] => {
  const text = bytes.toString('latin1').toLowerCase();
  return secrets.filter((secret) => text.includes(secret));
};

test('no secret that was asked with is anywhere but with whom it is', async () => {
  const sessions: string[] = [];
  const asked: [object, string?][] = [
    ...statements.map((make) => [{ sql: make() }] as [object]),
    ...requests.map((make) => [...make()] as [object, string?]),
  ];
  for (const [body, path] of asked) {
    const { session } = await world.ask(body, path);
    if (session !== '') sessions.push(session);
  }
  const by = word();
  await (await world.server.as('ann', `/v1/products/people/queries/by-name?name=${by}`)).text();
  expect(sessions.length).toBeGreaterThan(40);
  const statuses = new Set(world.records().map(({ status }) => status));
  for (const status of ['completed', 'refused', 'failed']) expect(statuses).toContain(status);
  const codes = new Set(
    world.records().map(({ code, error }) => code ?? (error as { code?: string } | undefined)?.code),
  );
  for (const code of [
    'sql_syntax',
    'column_unknown',
    'compute_failed',
    'limit_time',
    'parameter_invalid',
    'query_unknown',
  ])
    expect(codes).toContain(code);
  const last = sessions.at(-1) ?? '';
  await until(() => world.receiver.came.some(({ text }) => text.includes(last)));

  // Others, by every way there is to look back.
  for (const name of ['olga', 'teo', 'eve', 'ruth'] satisfies Name[]) {
    for (const table of [
      'sessions',
      'uses',
      'credentials',
      'opened',
      'accesses',
      'refusals',
      'grants',
      'decisions',
      'settings',
    ]) {
      const sql = `SELECT * FROM ${table}`;
      const answer = await world.server.as(name, '/v1/evidence/query', { body: { sql, purpose: 'review' } });
      const text = await answer.text();
      expect(holds(text), `${name}: ${sql}`).toEqual([]);
      if (table === 'sessions' && (name === 'olga' || name === 'teo'))
        expect(text).toContain('SELECT id FROM emp WHERE name = ?');
    }
    expect(holds(await (await world.server.as(name, '/v1/sessions')).text())).toEqual([]);
  }
  for (const name of ['teo', 'eve', 'ruth'] satisfies Name[])
    for (const session of sessions.slice(0, 5))
      expect((await world.server.as(name, `/v1/sessions/${session}`)).status).toBe(404);
  for (const session of sessions) {
    const receipt = await world.server.as('olga', `/v1/sessions/${session}/receipt`);
    expect(holds(await receipt.text())).toEqual([]);
  }

  for (const record of world.records())
    expect(valid(record), `${JSON.stringify(record['type'])}: ${JSON.stringify(valid.errors)}`).toBe(true);
  expect(world.records().filter(({ sealed }) => sealed !== undefined).length).toBeGreaterThan(100);

  // Its own subject and the owner read what was asked.
  const [first = ''] = sessions;
  expect(holds(await (await world.server.as('ann', '/v1/sessions')).text()).length).toBeGreaterThan(20);
  for (const name of ['ann', 'olga'] satisfies Name[]) {
    const shown = await (await world.server.as(name, `/v1/sessions/${first}`)).text();
    expect(shown).toContain(secrets[0]);
    expect(JSON.parse(shown)).toMatchObject({ seal: { state: 'opened', destroyed: null } });
  }

  // What was sent, said and kept.
  expect(world.receiver.came.length).toBeGreaterThan(sessions.length);
  for (const { path, text } of world.receiver.came) expect(holds(path + text), path).toEqual([]);
  expect(holds(world.server.said())).toEqual([]);
  const files = world.files();
  expect([...files.keys()].some((path) => path.endsWith('.segment'))).toBe(true);
  expect([...files.keys()].some((path) => path.includes('tables/sessions/'))).toBe(true);
  for (const [path, bytes] of files) expect(holds(bytes), path).toEqual([]);
}, 300_000);

test('digests in the log are none that somebody could find by trying', async () => {
  const sql = `SELECT id FROM emp WHERE id = 7`;
  const { session, text } = await world.ask({ sql });
  const plain = [sql, text].map((one) => createHash('sha256').update(one).digest('hex'));
  const records = JSON.stringify(world.records().filter((record) => record['session'] === session));
  for (const digest of plain) expect(records).not.toContain(digest);
  expect(records).toMatch(/"digest":"hmac-sha256:[0-9a-f]{64}"/);
  // Whoever can ask the same has another digest: there is nothing to compare with.
  const again = await world.ask({ sql });
  const digests = world
    .records()
    .filter(({ type, session: of }) => type === 'session.intent' && [session, again.session].includes(String(of)))
    .map(({ statement }) => (statement as { digest: string }).digest);
  expect(new Set(digests).size).toBe(2);
});
