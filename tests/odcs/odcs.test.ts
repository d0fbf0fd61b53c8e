import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { parse } from 'yaml';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { ambit } from '../../packages/cli/test/player.ts';
import { run } from '../../tools/process.mjs';
import { pythonEnvironment } from '../../tools/setup/python.mjs';
import { root } from '../server.ts';

// Contracts of the Open Data Contract Standard: what is written is what datacontract-cli takes, and what it writes is taken.

let cwd = '';
let commands = '';
beforeAll(async () => {
  cwd = mkdtempSync(join(tmpdir(), 'ambit-odcs-'));
  commands = await pythonEnvironment(root, join(root, 'tests/odcs/requirements.txt'));
}, 600_000);
afterAll(() => rmSync(cwd, { recursive: true }));

async function datacontract(...words: readonly string[]) {
  const ran = await run(join(commands, 'datacontract'), [...words], { output: 'capture', cwd });
  return { ...ran, said: `${ran.stdout}${ran.stderr}` };
}

function written(name: string, text: string): string {
  writeFileSync(join(cwd, name), text);
  return join(cwd, name);
}

const ORDERS = `
apiVersion: v3.1.0
kind: DataContract
id: orders
name: Orders of shops
version: 2.1.0
status: active
tenant: Retail GmbH
dataProduct: shop-orders
description: { purpose: What was ordered, usage: Plan deliveries }
team: { name: sales, members: [{ username: ann@example.com, role: owner }] }
servers: [{ server: files, type: local, path: data, format: csv }]
schema:
  - name: orders
    physicalType: table
    description: An order
    properties:
      - { name: id, logicalType: integer, physicalType: BIGINT, required: true }
      - { name: placed, logicalType: timestamp, logicalTypeOptions: { timezone: true } }
      - { name: total, logicalType: number, physicalType: "DECIMAL(12, 2)", description: Without taxes }
      - { name: mail, logicalType: string, classification: Restricted, tags: [personal data] }
`;

const CEDAR = '@id("all")\npermit (principal, action in [Action::"open", Action::"read", Action::"call"], resource);\n';

test('a contract is exported as what datacontract-cli takes', async () => {
  const exported = await ambit(
    [
      'odcs',
      'export',
      join(root, 'examples/flights/flights.yaml'),
      '--environment',
      join(root, 'examples/flights/environments/development.yaml'),
    ],
    { cwd },
  );
  expect(exported).toMatchObject({ status: 0, err: '' });
  const linted = await datacontract('lint', written('flights.odcs.yaml', exported.out));
  expect([linted.status, linted.said]).toEqual([0, expect.stringContaining('valid')]);
  const sql = await datacontract('export', 'sql', join(cwd, 'flights.odcs.yaml'), '--server', 'development_lake').then(
    ({ said }) => said,
  );
  expect(sql).not.toContain('Traceback');
}, 120_000);

test('an ODCS contract becomes one that can be validated, and takes its columns from the file', async () => {
  const file = written('orders.odcs.yaml', ORDERS);
  expect((await datacontract('lint', file)).status).toBe(0);
  const imported = await ambit(['odcs', 'import', file], { cwd });
  expect(imported).toMatchObject({ status: 0, err: '' });
  expect(parse(imported.out)).toMatchObject({
    name: 'shop_orders',
    version: '2.1.0',
    tenant: 'retail-gmbh',
    owner: { team: 'sales' },
    purposes: { general: 'Plan deliveries' },
    stores: { lake: { root: 'data' } },
    tables: { orders: { catalog: 'csv', path: 'orders.csv', odcs: 'orders.odcs.yaml' } },
  });
  const contract = written('orders.yaml', imported.out);
  written('orders.cedar', CEDAR);
  expect(await ambit(['validate', contract], { cwd })).toMatchObject({ status: 0, err: '' });
  const back = await ambit(['odcs', 'export', contract], { cwd });
  const [orders] = (parse(back.out) as { schema: { properties: object[] }[] }).schema;
  expect(orders?.properties).toEqual([
    { name: 'id', logicalType: 'integer', physicalType: 'bigint', required: true },
    {
      name: 'placed',
      logicalType: 'timestamp',
      physicalType: 'timestamptz',
      logicalTypeOptions: { timezone: true },
      required: false,
    },
    {
      name: 'total',
      logicalType: 'number',
      physicalType: 'decimal(12, 2)',
      required: false,
      description: 'Without taxes',
    },
    {
      name: 'mail',
      logicalType: 'string',
      physicalType: 'string',
      required: false,
      tags: ['personal-data', 'restricted'],
    },
  ]);
}, 120_000);

test('what datacontract-cli makes of a table of somebody else is taken', async () => {
  const ddl = written(
    'ddl.sql',
    'CREATE TABLE visits (id BIGINT NOT NULL, seen TIMESTAMP, score DOUBLE PRECISION, name VARCHAR(20));\n',
  );
  const made = await datacontract(
    'import',
    'sql',
    '--source',
    ddl,
    '--dialect',
    'postgres',
    '--output',
    join(cwd, 'visits.odcs.yaml'),
  );
  expect([made.status, made.said]).toEqual([0, expect.anything()]);
  const imported = await ambit(['odcs', 'import', join(cwd, 'visits.odcs.yaml')], { cwd });
  expect(imported).toMatchObject({ status: 0, err: '' });
  const contract = written('visits.yaml', imported.out);
  written('visits.cedar', CEDAR);
  written('product.cedar', CEDAR);
  expect(await ambit(['validate', contract], { cwd })).toMatchObject({ status: 0, err: '' });
}, 120_000);

describe('every type of a contract comes back as it went', () => {
  const scalar = fc.constantFrom(
    'boolean',
    'tinyint',
    'smallint',
    'int',
    'bigint',
    'real',
    'double',
    'string',
    'binary',
    'date',
    'time',
    'timestamp',
    'timestamptz',
    'decimal(38, 10)',
    'decimal(5, 0)',
  );
  const type = fc.letrec<{ type: string }>((tie) => ({
    type: fc.oneof(
      { maxDepth: 3, withCrossShrink: true },
      scalar,
      tie('type').map((inner) => `list<${inner}>`),
      fc.tuple(tie('type'), tie('type')).map(([a, b]) => `struct<a: ${a}, b: ${b}>`),
    ),
  })).type;

  test('whatever it is made of', async () => {
    const types = fc.sample(type, { numRuns: 60, seed: 7 });
    const columns = types.map((one, at) => `      c${at}: { type: "${one}" }`).join('\n');
    const head = ORDERS_CONTRACT.replace('COLUMNS', `columns:\n${columns}`);
    const contract = written('types.yaml', head);
    written('types.cedar', CEDAR);
    const exported = await ambit(['odcs', 'export', contract], { cwd });
    expect(exported).toMatchObject({ status: 0, err: '' });
    const file = written('types.odcs.yaml', exported.out);
    expect((await datacontract('lint', file)).status).toBe(0);
    const taken = written('taken.yaml', ORDERS_CONTRACT.replace('COLUMNS', 'odcs: types.odcs.yaml#things'));
    written('taken.cedar', CEDAR);
    const again = await ambit(['odcs', 'export', taken], { cwd });
    expect(again).toMatchObject({ status: 0, err: '' });
    const typesOf = (text: string) =>
      (parse(text) as { schema: { properties: { name: string; physicalType: string }[] }[] }).schema[0]?.properties.map(
        ({ name, physicalType }) => [name, physicalType],
      );
    expect(typesOf(again.out)).toEqual(types.map((one, at) => [`c${at}`, one]));
  }, 120_000);
});

describe('quality, service levels and servers', () => {
  const RULED = `
apiVersion: v3.1.0
kind: DataContract
id: sales
name: sales
version: 1.0.0
status: active
dataProduct: sales
team: { name: sales }
support: [{ channel: help, url: https://example.com }]
servers:
  - { server: files, type: local, path: ruled, format: csv }
  - { server: warehouse, type: snowflake, account: a, database: b, schema: c }
  - { server: spare, type: local, path: elsewhere, format: csv }
schema:
  - name: sales
    logicalType: object
    quality:
      - { id: enough, metric: rowCount, mustBeBetween: [2, 4], schedule: 0 20 * * *, scheduler: cron }
      - { id: once, metric: duplicateValues, arguments: { properties: [id, shop] }, mustBe: 0 }
      - { name: Total of shops, type: sql, query: "SELECT COUNT(*) FROM {object} WHERE shop IS NULL", mustBe: 1 }
      - { id: dialect, type: sql, query: "SELECT nosuchfunction(shop) FROM sales", mustBe: 1 }
      - { type: text, description: All of it is right }
      - { id: soda, type: custom, engine: soda, implementation: "type: x" }
    properties:
      - name: id
        logicalType: integer
        physicalType: bigint
        unique: true
        quality:
          - { metric: duplicateValues, mustBe: 0 }
          - { metric: nullValues, mustBe: 0, dimension: completeness }
      - name: shop
        logicalType: string
        quality:
          - { id: known, metric: invalidValues, arguments: { validValues: [north, south] }, mustBe: 0 }
          - { id: share, metric: missingValues, arguments: { missingValues: [null, west] }, unit: percent, mustBeLessOrEqualTo: 50 }
          - { id: query, type: sql, query: "SELECT count({property}) FROM {object}", mustBe: 3 }
      - name: code
        logicalType: string
        quality: [{ id: form, metric: invalidValues, arguments: { pattern: "^[a-z]+$" }, mustBe: 0, severity: low }]
      - { name: sold, logicalType: timestamp, physicalType: timestamp }
      - { name: paid, logicalType: date, physicalType: date }
slaProperties:
  - { id: fresh, property: freshness, value: 36500, unit: d, element: sales.sold }
  - { property: freshness, value: 1, unit: d, element: sales.paid, description: Never }
  - { property: generalAvailability, value: "2026-03-01", schedule: 0 0 * * * }
  - { property: retention, value: 2.5, unit: y, element: "sales.sold, sales.id" }
  - { property: timeOut, value: 20, unit: s }
`;
  const SALES = [
    'id,shop,code,sold,paid',
    '1,north,a,2026-01-01T00:00:00,2026-01-01',
    '2,west,B,2026-01-02T00:00:00,2026-01-02',
    '3,south,c,2026-01-03T00:00:00,2026-01-03',
    '4,,d,2026-01-04T00:00:00,2026-01-04',
    '',
  ].join('\n');

  async function taken(): Promise<string> {
    mkdirSync(join(cwd, 'ruled'), { recursive: true });
    written('ruled/sales.csv', SALES);
    const imported = await ambit(['odcs', 'import', written('sales.odcs.yaml', RULED)], { cwd });
    expect(imported).toMatchObject({ status: 0, err: '' });
    written('sales.cedar', CEDAR);
    return written('sales.yaml', imported.out);
  }

  test('are taken, and what has no counterpart is named', async () => {
    expect((await datacontract('lint', written('sales.odcs.yaml', RULED))).status).toBe(0);
    const contract = await taken();
    const text = readFileSync(contract, 'utf8');
    for (const line of [
      '#   server warehouse: there is no store of type snowflake here',
      '#   server spare: an environment can bind it',
      '#   service level generalAvailability: schedule',
      '#   service level retention: it is about several elements',
      '#   support',
      '#   unique of sales.id',
    ])
      expect(text).toContain(`${line}\n`);
    expect(parse(text)).toMatchObject({
      stores: { lake: { root: 'ruled' } },
      limits: { timeout: '20s' },
      serviceLevels: {
        fresh: { property: 'freshness', value: 36500, unit: 'd', element: 'sales.sold' },
        freshness: { description: 'Never' },
        'general-availability': { value: '2026-03-01' },
      },
    });
    const { status, err } = await ambit(['validate', contract], { cwd });
    expect(status).toBe(0);
    const notes = err.split('\n').filter((line) => line.startsWith('note: '));
    expect(notes.every((line) => /sales\.odcs\.yaml:\d+:\d+ {2}/.test(line))).toBe(true);
    expect(notes.map((line) => line.replace(/^.*:\d+:\d+ {2}/, ''))).toEqual([
      'of rule `enough` this is not taken: `schedule`, `scheduler`',
      'rule `text` is not checked: it is words for people',
      'rule `soda` is not checked: it is for `soda`',
      expect.stringContaining('rule `dialect` is not checked: '),
    ]);
  }, 120_000);

  /** What `datacontract test` finds, by rule or service level. */
  async function verdicts(file: string, server: string, schema: string): Promise<Readonly<Record<string, string>>> {
    const json = join(cwd, 'verdicts.json');
    const words = ['test', file, '--server', server, '--schema-name', schema];
    const ran = await datacontract(...words, '--output', json, '--output-format', 'json');
    expect(ran.said).not.toContain('Traceback');
    const { checks } = JSON.parse(readFileSync(json, 'utf8')) as {
      checks: { category: string; qualityId: string; result: string; field: string | null }[];
    };
    const judged = checks.filter(({ category }) => category === 'quality' || category === 'servicelevel');
    return Object.fromEntries(
      judged.map((one) => [`${one.field === null ? '' : `${one.field}.`}${one.qualityId}`, one.result]),
    );
  }

  test('go back as they came, and datacontract-cli finds of the data what `ambit quality` finds', async () => {
    const contract = await taken();
    const exported = await ambit(['odcs', 'export', contract], { cwd });
    const file = written('sales.back.odcs.yaml', exported.out);
    expect((await datacontract('lint', file)).status).toBe(0);
    const quality = await ambit(['quality', contract, '--json'], { cwd });
    const [{ results } = { results: [] }] = JSON.parse(quality.out) as {
      results: { kind: string; name: string; column: string; status: string; severity: string }[];
    }[];
    const ours = Object.fromEntries(
      results.map(({ kind, name, column, status, severity }) => [
        kind === 'rule' ? name : `${column}.${name}`,
        status === 'failed' && severity !== 'error' ? 'warning' : status,
      ]),
    );
    expect(ours).toEqual({
      enough: 'passed',
      once: 'passed',
      'total-of-shops': 'passed',
      'id.duplicate-values': 'passed',
      'id.null-values': 'passed',
      'shop.known': 'failed',
      'shop.share': 'passed',
      'shop.query': 'passed',
      'code.form': 'warning',
      'sold.fresh': 'passed',
      'paid.freshness': 'failed',
    });
    expect(await verdicts(file, 'development_sales', 'sales')).toEqual(ours);
    // Once more through a contract that takes all of it from what was written.
    const again = await ambit(['odcs', 'import', file], { cwd });
    const second = await ambit(['odcs', 'export', written('sales.yaml', again.out)], { cwd });
    const parts = (text: string) => {
      const { schema, slaProperties, servers } = parse(text) as Record<string, unknown>;
      return { schema, slaProperties, servers };
    };
    expect(parts(second.out)).toEqual(parts(exported.out));
  }, 240_000);
});

const ORDERS_CONTRACT = `
apiVersion: ambit/v1
kind: DataProduct
name: things
version: 1.0.0
tenant: shop
owner: { team: sales }
purposes: { general: test }
stores: { here: { root: . } }
catalogs: { parquet: { type: parquet, store: here } }
tables:
  things:
    catalog: parquet
    path: things.parquet
    COLUMNS
`;

test.each([
  ['odcs: none.yaml', 'cannot read `none.yaml`', 'bad.yaml'],
  ['odcs: orders.odcs.yaml', 'there is no object `things`', 'orders.odcs.yaml'],
  ['odcs: orders.odcs.yaml#order', 'did you mean `orders`', 'orders.odcs.yaml'],
  ['odcs: old.odcs.yaml#a', 'is not of the form', 'old.odcs.yaml'],
  ['odcs: untyped.odcs.yaml#a', 'property `x` has no type that a column can have', 'untyped.odcs.yaml'],
  ['odcs: orders.odcs.yaml#orders\n    columns: { a: { type: int } }', 'declared twice', 'bad.yaml'],
  ['description: none', 'has no columns', 'bad.yaml'],
])('what is wrong is told at its place: %s', async (columns, said, file) => {
  written('orders.odcs.yaml', ORDERS);
  written('old.odcs.yaml', ORDERS.replace('v3.1.0', 'v2.2.2'));
  written(
    'untyped.odcs.yaml',
    'apiVersion: v3.1.0\nkind: DataContract\nschema:\n  - name: a\n    properties: [{ name: x, logicalType: object }]\n',
  );
  written('bad.cedar', CEDAR);
  const ran = await ambit(['validate', written('bad.yaml', ORDERS_CONTRACT.replace('COLUMNS', columns))], { cwd });
  expect(ran).toMatchObject({ status: 1, out: '' });
  expect(ran.err).toContain(said);
  expect(ran.err).toMatch(new RegExp(`${file.replace('.', '\\.')}:\\d+:\\d+ {2}`));
});
