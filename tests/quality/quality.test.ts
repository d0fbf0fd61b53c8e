import { spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { ambit } from '../../packages/cli/test/player.ts';
import { saying, type Server, startServer } from '../server.ts';

// What a contract promises of its data, held against the data by the real engine: by the command, and by a server.

const subjects = {
  ann: { tenant: 'shop', roles: ['clerk'] },
  vera: { tenant: 'shop', roles: ['auditor'] },
};

const CEDAR = `
@id("all") permit (principal in Role::"shop/clerk", action in [Action::"open", Action::"read", Action::"call"], resource);
@id("evidence") permit (principal in Role::"shop/auditor", action == Action::"readEvidence", resource);
`;

/** Six rows: one without a mail, one with a mail that is none, two of one mail, and a state that nobody knows. */
const ORDERS = [
  'id,mail,state,total,placed',
  '1,ann@example.com,open,10.50,2026-01-01T00:00:00',
  '2,bob@example.com,closed,20.25,2026-01-02T00:00:00',
  '3,bob@example.com,closed,1.25,2026-01-03T00:00:00',
  '4,none,open,3.00,2026-01-04T00:00:00',
  '5,,lost,4.00,2026-01-05T00:00:00',
  '6,SECRETMAIL,open,5.00,2026-01-06T00:00:00',
  '',
].join('\n');

const RULES = `
    quality:
      enough: { metric: rowCount, mustBeBetween: [6, 10] }
      few: { metric: rowCount, mustBeLessThan: 6, severity: warning }
      once: { metric: duplicateValues, arguments: { properties: [mail, state] }, mustBe: 1 }
      cheap: { sql: "SELECT max(total) FROM orders", mustBeLessOrEqualTo: 20.25 }
      known: { sql: "SELECT count(*) FROM orders o LEFT ANTI JOIN states s ON o.state = s.state", mustBe: 0 }
      nothing: { sql: "SELECT sum(total) FROM orders WHERE id > 100", mustBe: 0 }
      rows: { sql: "SELECT id FROM orders", mustBe: 0 }
`;

function contract(rules = RULES, more = ''): string {
  return `apiVersion: ambit/v1
kind: DataProduct
name: orders
version: 1.0.0
tenant: shop
owner: { team: sales }
purposes: { selling: test }
stores: { lake: { root: data } }
catalogs: { csv: { type: csv, store: lake } }
tables:
  orders:
    catalog: csv
    path: orders.csv
    columns:
      id: { type: int, quality: { unique: { metric: duplicateValues, mustBe: 0 } } }
      mail:
        type: string
        quality:
          there: { metric: nullValues, mustBe: 1, dimension: completeness }
          missing: { metric: missingValues, arguments: { missingValues: [none] }, mustBeLessThan: 2 }
          share: { metric: missingValues, arguments: { missingValues: [none] }, unit: percent, mustBeLessThan: 33.4 }
          mails: { metric: invalidValues, arguments: { pattern: "^[a-z]+@[a-z.]+$" }, mustBe: 2 }
          once: { metric: duplicateValues, mustBe: 1 }
      state: { type: string, quality: { word: { metric: invalidValues, arguments: { validValues: [open, closed] }, mustBe: 1 } } }
      total: { type: "decimal(10, 2)", quality: { valid: { metric: invalidValues, arguments: { validValues: [10.5, "20.25", 1.25, 3, 4] }, mustBe: 1 } } }
      placed: { type: timestamp }
${rules}
  states: { catalog: csv, path: states.csv, columns: { state: { type: string } } }
functions: { allow: [] }
policies:
  rows: { own: { table: orders, where: "state = 'open'" } }
${more}`;
}

const LEVELS = `
serviceLevels:
  old: { property: freshness, value: 100000, unit: d, element: orders.placed }
  new: { property: latency, value: 90, unit: m, element: orders.placed }
  up: { property: availability, value: 99.5, unit: percent }
`;

let folder = '';
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'ambit-quality-'));
  mkdirSync(join(folder, 'data'));
  write('orders.csv', ORDERS);
  write('states.csv', 'state\nopen\nclosed\n');
  writeFileSync(join(folder, 'orders.cedar'), CEDAR);
});
afterAll(() => rmSync(folder, { recursive: true }));

/** Replaces a file at once, as whoever delivers data does. */
function write(path: string, content: string): void {
  writeFileSync(join(folder, 'data', `${path}.new`), content);
  renameSync(join(folder, 'data', `${path}.new`), join(folder, 'data', path));
}

function declare(text: string): string {
  writeFileSync(join(folder, 'orders.yaml'), text);
  return join(folder, 'orders.yaml');
}

interface Result {
  readonly kind: string;
  readonly table: string;
  readonly name: string;
  readonly status: string;
  readonly value: string | null;
  readonly code: string | null;
}

async function checked(...words: readonly string[]) {
  const ran = await ambit(['quality', ...words, '--json'], { cwd: folder });
  const [product] = ran.out === '' ? [] : (JSON.parse(ran.out) as { results: Result[]; closed: string[] }[]);
  const results = Object.fromEntries((product?.results ?? []).map((one) => [`${one.kind}:${one.name}`, one]));
  return { ...ran, results, closed: product?.closed ?? [] };
}

describe('the command', () => {
  test('ended early leaves nothing, and its exit status is the signal’s', async () => {
    const temporary = mkdtempSync(join(folder, 'tmp-'));
    const crowd = Array.from({ length: 18 }, (_, at) => `orders o${at}`).join(', ');
    const slow = `SELECT count(*) FROM ${crowd} WHERE o0.id + o1.id + o17.id > 3`;
    const file = declare(contract(`    quality: { slow: { sql: "${slow}", mustBe: 0 } }\n`));
    const command = join(import.meta.dirname, '../../packages/cli/bin/ambit.js');
    const child = spawn(process.execPath, [command, 'quality', file], {
      cwd: temporary,
      env: { ...process.env, TMPDIR: temporary },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const ended = once(child, 'exit');
    const left = (): readonly string[] => readdirSync(temporary).filter((name) => name.startsWith('ambit-quality-'));
    for (let attempt = 0; attempt < 300 && left().length === 0; attempt += 1) await sleep(50);
    expect(left()).toHaveLength(1);
    await sleep(500);
    child.kill('SIGTERM');
    expect(await ended).toEqual([143, null]);
    expect(left()).toEqual([]);
  });

  test('evaluates each rule on all rows, whatever policies hide', async () => {
    const found = await checked(declare(contract(RULES, LEVELS)));
    const told = Object.fromEntries(
      Object.entries(found.results).map(([name, { status, value, code }]) => [name, code ?? `${status} ${value}`]),
    );
    expect(told).toMatchObject({
      'rule:enough': 'passed 6',
      'rule:few': 'failed 6',
      'rule:once': 'passed 1',
      'rule:cheap': 'passed 20.25',
      'rule:known': 'failed 1',
      'rule:nothing': 'no_number',
      'rule:rows': 'limit_rows',
      'rule:id.unique': 'passed 0',
      'rule:mail.there': 'passed 1',
      'rule:mail.missing': 'failed 2',
      'rule:mail.share': 'passed 33.333333',
      'rule:mail.mails': 'passed 2',
      'rule:mail.once': 'passed 1',
      'rule:state.word': 'passed 1',
      'rule:total.valid': 'passed 1',
      'service-level:old': expect.stringMatching(/^passed \d+/),
      'service-level:new': expect.stringMatching(/^failed \d+/),
    });
    expect(Object.keys(told)).not.toContain('service-level:up');
    expect(found.status).toBe(1);
    // A warning that failed is told, and fails nothing.
    expect(found.err).toContain('5 of 17 promises of the contracts are not kept');
    expect(found.out + found.err).not.toContain('SECRETMAIL');
  });

  test('tells it to people, and to CI systems', async () => {
    const file = declare(contract(RULES, LEVELS));
    const junit = join(folder, 'junit.xml');
    const { out, status } = await ambit(['quality', folder, 'orders', '--junit', junit], { cwd: folder });
    expect(status).toBe(1);
    expect(out).toContain('  pass   rule enough of orders passes: rowCount mustBeBetween 6 and 10, found 6\n');
    expect(out).toContain('  warn   rule few of orders fails: rowCount mustBeLessThan 6, found 6\n');
    expect(out).toContain('  FAIL   rule known of orders fails: sql mustBe 0, found 1\n');
    expect(out).toContain('  ERROR  rule nothing of orders has no result: sql mustBe 0, there is no value\n');
    expect(out).toContain('11 promises kept, 6 not\n');
    const xml = readFileSync(junit, 'utf8');
    expect(xml).toContain('tests="17" failures="3" errors="2"');
    const line =
      readFileSync(file, 'utf8')
        .split('\n')
        .findIndex((one) => one.includes('known:')) + 1;
    expect(xml).toContain(`name="orders.known" classname="orders" file="${file}" line="${line}"`);
  });

  test('is content where promises are kept, and where there are none', async () => {
    declare(contract('    quality: { enough: { metric: rowCount, mustNotBe: 0 } }').replace(/missing: .*/, ''));
    expect(await checked(folder)).toMatchObject({ status: 0, err: '' });
    const none = await ambit(['quality', folder, 'nothing'], { cwd: folder });
    expect(none).toMatchObject({
      status: 2,
      err: expect.stringContaining('there is no product and no file `nothing`'),
    });
  });

  test('leaves records only where it is told to, and they can be verified', async () => {
    declare(contract());
    const log = join(folder, '.ambit/evidence');
    await checked(folder);
    expect(existsSync(log)).toBe(false);
    await checked(folder, '--record');
    const [started, ended] = recordsOf(log, 'quality.');
    expect(started).toMatchObject({ type: 'quality.started', product: 'orders' });
    expect(ended).toMatchObject({ type: 'quality.checked', started: started?.['seq'], closed: [] });
    expect(ended?.['accesses']).toEqual(
      expect.arrayContaining([expect.objectContaining({ store: 'lake', object: 'orders.csv' })]),
    );
    expect(await ambit(['verify', log], { cwd: folder })).toMatchObject({ status: 0 });
    expect(JSON.stringify([started, ended])).not.toContain('SECRETMAIL');
  });
});

function recordsOf(log: string, type: string): readonly Readonly<Record<string, unknown>>[] {
  const segments = readdirSync(log).filter((name) => name.endsWith('.segment'));
  const lines = segments.toSorted().flatMap((name) => readFileSync(join(log, name), 'utf8').split('\n'));
  return lines
    .filter((line) => line.includes(`"type":"${type}`))
    .map((line) => JSON.parse(line.slice(line.indexOf('{'))) as Record<string, unknown>);
}

describe('a server', () => {
  let server: Server<keyof typeof subjects>;
  const closing = `
    quality:
      enough: { metric: rowCount, mustBeGreaterOrEqualTo: 6, onFailure: close }
      known: { sql: "SELECT count(*) FROM orders o LEFT ANTI JOIN states s ON o.state = s.state", mustBe: 0, severity: info }
`;
  beforeAll(async () => {
    write('orders.csv', ORDERS);
    declare(contract(closing));
    server = await startServer({
      paths: [folder],
      subjects,
      environment: 'quality: { every: 200ms }\nexports: { prometheus: { port: 0 } }\n',
    });
  }, 60_000);
  afterAll(async () => {
    await server.close();
  });

  async function ask(sql: string) {
    const answer = await server.as('ann', '/v1/products/orders/query', { body: { sql, purpose: 'selling' } });
    return { status: answer.status, body: (await answer.json()) as { rows?: unknown; code?: string; detail?: string } };
  }

  async function evidence(sql: string, who: keyof typeof subjects): Promise<unknown> {
    const answer = await server.as(who, '/v1/products/evidence/query', { body: { sql, purpose: 'review' } });
    return ((await answer.json()) as { rows?: unknown }).rows;
  }

  test('opens a table when the rules that close it pass, and closes it when they do not', async () => {
    for (let attempt = 0; attempt < 100 && !server.said().includes('table orders of orders is open'); attempt += 1)
      await new Promise((resolve) => setTimeout(resolve, 50));
    expect(await ask('SELECT id FROM orders ORDER BY id')).toMatchObject({
      status: 200,
      body: { rows: [[1], [4], [6]] },
    });
    await saying(server, 'table orders of orders is closed: a rule that closes it does not pass', () =>
      write('orders.csv', ORDERS.split('\n').slice(0, 3).join('\n')),
    );
    expect(await ask('SELECT id FROM orders')).toMatchObject({ status: 503, body: { code: 'table_closed' } });
    expect(await ask('SELECT state FROM states')).toMatchObject({ status: 200 });
    await saying(server, 'table orders of orders is open', () => write('orders.csv', ORDERS));
    expect(await ask('SELECT id FROM orders')).toMatchObject({ status: 200 });
  });

  test('tells its owners what it found, in SQL, and nobody else', async () => {
    const sql = "SELECT DISTINCT status, value, closed FROM quality WHERE name = 'enough' ORDER BY status";
    expect(await evidence(sql, 'vera')).toEqual([
      ['failed', '2', true],
      ['passed', '6', false],
    ]);
    expect(await evidence(sql, 'ann')).toEqual([]);
    const answer = await server.as('vera', '/v1/products/evidence/queries/failing', {
      body: { purpose: 'review', parameters: {} },
    });
    const { rows } = (await answer.json()) as { rows: readonly (readonly unknown[])[] };
    expect(rows.map(([product, , table, name, status]) => [product, table, name, status])).toEqual(
      expect.arrayContaining([['orders', 'orders', 'known', 'failed']]),
    );
  });

  test('counts it for Prometheus', async () => {
    const [, url = ''] = /metrics at (http:\S+)/.exec(server.said()) ?? [];
    const text = await (await fetch(url)).text();
    expect(text).toMatch(
      /^ambit_quality_kept\{product="orders",version="1.0.0",table="orders",promise="enough"[^}]*\} 1/m,
    );
    expect(text).toMatch(
      /^ambit_quality_kept\{product="orders",version="1.0.0",table="orders",promise="known"[^}]*\} 0/m,
    );
    expect(text).toMatch(
      /^ambit_quality_checks_total\{[^}]*promise="enough",severity="error",status="failed"[^}]*\} [1-9]/m,
    );
  });

  test('leaves a log that can be verified, each look between two records', async () => {
    await server.stop();
    const log = join(server.folder, '.ambit/evidence');
    expect(await ambit(['verify', log], { cwd: server.folder })).toMatchObject({ status: 0 });
    const started = recordsOf(log, 'quality.started');
    expect(started.length).toBeGreaterThan(2);
    expect(recordsOf(log, 'quality.checked').map((one) => one['started'])).toEqual(started.map((one) => one['seq']));
  });
});

test('a table is closed until somebody could look', async () => {
  const rules = '    quality: { always: { sql: "SELECT 1 / 0 AS a FROM orders", mustBe: 0, onFailure: close } }';
  write('orders.csv', ORDERS);
  declare(contract(rules));
  const server = await startServer({ paths: [folder], subjects });
  try {
    const body = { sql: 'SELECT id FROM orders', purpose: 'selling' };
    for (let attempt = 0; attempt < 100 && !server.said().includes('rule always'); attempt += 1)
      await new Promise((resolve) => setTimeout(resolve, 50));
    expect(server.said()).toContain('rule always of orders has no result: sql mustBe 0, it could not be told');
    const answer = await server.as('ann', '/v1/products/orders/query', { body });
    expect([answer.status, await answer.json()]).toMatchObject([503, { code: 'table_closed' }]);
  } finally {
    await server.close();
  }
});
