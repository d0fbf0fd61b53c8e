import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';

import { ambit } from '../../packages/cli/test/player.ts';

// `ambit test` as an owner uses it: files in a folder, the real engine, exit statuses.

let cwd = '';
beforeAll(() => {
  cwd = mkdtempSync(join(tmpdir(), 'ambit-policy-tests-'));
  writeFileSync(join(cwd, 'orders.csv'), 'region,amount,mail\nnorth,10,a@x\nnorth,20,b@x\nsouth,30,c@x\n');
  writeFileSync(join(cwd, 'orders.yaml'), CONTRACT);
  writeFileSync(join(cwd, 'orders.cedar'), CEDAR);
});
afterAll(() => rmSync(cwd, { recursive: true }));

const CONTRACT = `
apiVersion: ambit/v1
kind: DataProduct
name: orders
version: 1.0.0
tenant: shop
description: Orders
owner: { team: sales }
purposes: { billing: Send bills, study: Look at regions }
claims: { region: { type: string, description: Where somebody works } }
stores: { here: { root: . } }
catalogs: { csv: { type: csv, store: here } }
tables:
  orders:
    catalog: csv
    path: orders.csv
    columns: { region: { type: string }, amount: { type: bigint }, mail: { type: string, tags: [personal] } }
functions: { allow: ["@aggregate"] }
policies:
  rows: { own-region: { table: orders, where: region = $claims.region } }
  masks: { no-mail: { tag: personal, with: "'hidden'" } }
`;

const CEDAR = `
@id("open")
permit (principal in Role::"shop/clerk", action in [Action::"open", Action::"read", Action::"call"], resource);
@id("study")
permit (principal in Role::"shop/clerk", action == Action::"exempt", resource == RowFilter::"own-region")
when { context.purpose == "study" };
`;

const HEAD = `
apiVersion: ambit/v1
kind: PolicyTests
contract: orders.yaml
subjects: { ann: { roles: [clerk], claims: { region: north } }, eve: {} }
tests:
`;

/** Runs policy tests of a file, with its text from `tests:` on. */
function tested(tests: string, ...words: readonly string[]) {
  const file = join(cwd, 'orders.test.yaml');
  writeFileSync(file, HEAD + tests);
  return ambit(['test', file, ...words], { cwd });
}

const GOOD = `
  a clerk sees the orders of its region, and no mail:
    as: ann
    purpose: billing
    sql: SELECT amount, mail FROM orders
    expect: { columns: [amount, mail], rows: [[20, hidden], [10, hidden]] }
  rows:
    as: ann
    sql: SELECT count(*) FROM orders
    cases:
      - { purpose: billing, expect: { rows: [[2]] } }
      - { purpose: study, expect: { rows: [[3]] } }
  others get nothing:
    as: eve
    purpose: billing
    sql: SELECT 1
    expect: { refused: product_unknown }
`;

test('tests that pass, each case by its own name, and all of the policy noticed', async () => {
  const ran = await tested(GOOD, '--mutants', '--covered');
  expect(ran).toMatchObject({ status: 0, err: '' });
  expect(ran.out).toContain('pass  rows: billing');
  expect(ran.out).toMatch(/\n4 tests passed, 0 failed\n$/);
  expect(ran.out).not.toContain('Never exercised');
});

test('a test that fails says what was there and what was not, and where it stands', async () => {
  const junit = join(cwd, 'junit.xml');
  const ran = await tested(
    '  mail <is> seen:\n    as: ann\n    purpose: billing\n    sql: SELECT mail FROM orders WHERE amount = 10\n    expect: { rows: [[a@x]] }\n',
    '--junit',
    junit,
  );
  expect(ran.status).toBe(1);
  expect(ran.err).toBe('error: 1 of 1 policy tests failed\n');
  expect(ran.out).toContain('orders.test.yaml:7\n');
  expect(ran.out).toContain('not there:\n        ["a@x"]\n      there, and not expected:\n        ["hidden"]\n');
  const xml = readFileSync(junit, 'utf8');
  expect(xml).toContain('tests="1" failures="1" errors="0"');
  expect(xml).toContain('name="mail &lt;is&gt; seen"');
  expect(xml).toContain('<failure message="not there:">');
});

test('what no test exercised is told, and can be asked for', async () => {
  const some =
    '  rows:\n    as: ann\n    purpose: billing\n    sql: SELECT count(*) FROM orders\n    expect: { count: 1 }\n';
  const ran = await tested(some);
  expect(ran.status).toBe(0);
  expect(ran.out).toContain('Never exercised\n  mask no-mail\n  policy orders.cedar#study\n  purpose study\n');
  expect(await tested(some, '--covered')).toMatchObject({ status: 1 });
});

test('what was exercised by tests that look at nothing, no test would miss', async () => {
  const ran = await tested(
    '  all is counted:\n    as: ann\n    sql: SELECT count(mail) FROM orders\n    cases:\n      - { purpose: billing, expect: { count: 1 } }\n      - { purpose: study, expect: { count: 1 } }\n',
    '--mutants',
    '--covered',
  );
  expect(ran.status).toBe(1);
  expect(ran.out).not.toContain('Never exercised');
  expect(ran.out).toContain(
    [
      'No test would miss',
      '  row filter own-region: without it every test still passes',
      '  mask no-mail: without it every test still passes',
      '  policy orders.cedar#study: without it every test still passes',
      '',
    ].join('\n'),
  );
});

test('results have a digest that is the same for the same, and tells what changed', async () => {
  const read = async (text: string) =>
    JSON.parse((await tested(text, '--json')).out) as { digest: string; fingerprint: string; failed: number }[];
  const one = await read(GOOD);
  const two = await read(GOOD);
  const other = await read(GOOD.replace('[[3]]', '[[4]]'));
  expect(one[0]?.digest).toMatch(/^sha256:[0-9a-f]{64}$/);
  expect(two[0]?.digest).toBe(one[0]?.digest);
  expect(other[0]).toMatchObject({ failed: 1, fingerprint: one[0]?.fingerprint });
  expect(other[0]?.digest).not.toBe(one[0]?.digest);
});

test.each([
  ['as: anne\n    purpose: billing\n    sql: SELECT 1\n    expect: { count: 1 }', 'did you mean `ann`'],
  ['as: ann\n    purpose: billing\n    sql: SELECT 1', 'nothing is expected'],
  ['as: ann\n    sql: SELECT 1\n    query: q\n    expect: { count: 1 }', 'what is asked is not clear'],
  ['sql: SELECT 1\n    expect: { count: 1 }', 'nobody asks'],
  ['as: ann\n    sql: SELECT 1\n    expect: { count: 1, refused: x }', 'who is refused gets no rows'],
  ['as: ann\n    action: readEvidence\n    expect: { count: 1 }', 'an action has no rows'],
  ['as: ann\n    sql: SELECT 1\n    expects: { count: 1 }', 'did you mean `expect`'],
])('a file that is wrong is told so at its place: %s', async (text, said) => {
  const ran = await tested(`  one:\n    ${text}\n`);
  expect(ran).toMatchObject({ status: 1, out: '' });
  expect(ran.err).toContain(said);
  expect(ran.err).toMatch(/orders\.test\.yaml:\d+:\d+ {2}/);
});

test('a folder without policy tests is told so', async () => {
  const empty = mkdtempSync(join(cwd, 'empty-'));
  const ran = await ambit(['test', empty], { cwd });
  expect(ran).toMatchObject({ status: 2, out: '' });
  expect(ran.err).toContain('hint: policy tests are a YAML file whose kind is PolicyTests');
});

test('the tests of the example leave nothing of its policy out', async () => {
  const environment = join('examples', 'flights', 'environments', 'development.yaml');
  const ran = await ambit(
    ['test', join('examples', 'flights'), '--environment', environment, '--mutants', '--covered'],
    { cwd },
  );
  expect(ran).toMatchObject({ status: 0, err: '' });
}, 120_000);

test.each([
  ['SIGINT', 130],
  ['SIGTERM', 143],
] as const)('ended by %s, it leaves nothing, and its exit status is %i', async (signal, status) => {
  const temporary = mkdtempSync(join(cwd, 'tmp-'));
  const file = join(cwd, 'slow.test.yaml');
  const crowd = Array.from({ length: 18 }, (_, at) => `orders o${at}`).join(', ');
  const slow = `SELECT count(*) FROM ${crowd} WHERE o0.amount + o1.amount + o17.amount > 3`;
  writeFileSync(file, `${HEAD}  slow: { as: ann, purpose: study, sql: "${slow}", expect: { count: 1 } }\n`);
  const command = join(import.meta.dirname, '../../packages/cli/bin/ambit.js');
  const env = { ...process.env, TMPDIR: temporary };
  const child = spawn(process.execPath, [command, 'test', file], { cwd, env, stdio: ['ignore', 'pipe', 'pipe'] });
  let said = '';
  child.stderr.on('data', (chunk: Buffer) => void (said += chunk.toString()));
  const ended = once(child, 'exit');
  const isThere = (): boolean =>
    readdirSync(temporary).some((name) => name.startsWith('ambit-test-') && sealed(join(temporary, name)));
  for (let attempt = 0; attempt < 300 && !isThere(); attempt += 1) await sleep(50);
  expect(isThere()).toBe(true);
  // The session runs.
  await sleep(500);
  child.kill(signal);
  expect(await ended).toEqual([status, null]);
  expect(said).toMatch(/error: (?:interrupted|terminated)\n$/);
  expect(readdirSync(temporary).filter((name) => name.startsWith('ambit-test-'))).toEqual([]);
});

/** Whether the log of the tests is open, with the keys that seal it. */
function sealed(folder: string): boolean {
  return readdirSync(folder).length > 1;
}
