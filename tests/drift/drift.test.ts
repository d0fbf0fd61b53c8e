import { mkdirSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parquetWriteBuffer } from 'hyparquet-writer';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { ambit } from '../../packages/cli/test/player.ts';
import { saying as toldBy, type Server, startServer } from '../server.ts';

// Data that changes under a server: what appeared is shown to nobody, what vanished or changed its type closes the table.

type Columns = Parameters<typeof parquetWriteBuffer>[0]['columnData'];

const ID: Columns[number] = { name: 'id', data: [1, 2], type: 'INT32' };
const REGION: Columns[number] = { name: 'region', data: ['north', 'south'], type: 'STRING' };
const AMOUNT: Columns[number] = { name: 'amount', data: [10n, 20n], type: 'INT64' };
const DECLARED = [ID, REGION, AMOUNT];

const subjects = { ann: { tenant: 'shop', roles: ['clerk'] }, vera: { tenant: 'shop', roles: ['auditor'] } };

let folder = '';
let server: Server<keyof typeof subjects>;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'ambit-drift-'));
  mkdirSync(join(folder, 'data/parts'), { recursive: true });
  parquet('orders.parquet', DECLARED);
  parquet('parts/a.parquet', DECLARED);
  write('regions.csv', REGIONS);
  write('events.json', EVENTS.join('\n'));
  write('visits.json', `[${EVENTS.join(',')}]`);
  write('bare.csv', '1,north\n');
  writeFileSync(join(folder, 'orders.yaml'), CONTRACT);
  writeFileSync(join(folder, 'orders.cedar'), CEDAR);
  server = await startServer({ paths: [folder], subjects, environment: 'drift: { every: 100ms }\n' });
}, 300_000);
afterAll(async () => {
  await server.close();
  rmSync(folder, { recursive: true });
});

const REGIONS = 'region,name\nnorth,North\nsouth,South\n';
const EVENTS = ['{"id":1,"region":"north","paid":"1.50"}', '{"id":2,"region":null,"paid":2}'];

const CONTRACT = `apiVersion: ambit/v1
kind: DataProduct
name: orders
version: 1.0.0
tenant: shop
owner: { team: sales }
purposes: { selling: test }
stores: { lake: { root: data } }
catalogs:
  parquet: { type: parquet, store: lake }
  csv: { type: csv, store: lake }
  bare: { type: csv, store: lake, header: false }
  lines: { type: json, store: lake }
  array: { type: json, store: lake, layout: array }
tables:
  orders: &orders
    catalog: parquet
    path: orders.parquet
    columns: { id: { type: int }, region: { type: string }, amount: { type: bigint } }
  parts: { catalog: parquet, path: parts/, columns: { id: { type: bigint }, region: { type: string }, amount: { type: bigint } } }
  regions: { catalog: csv, path: regions.csv, columns: { region: { type: string }, name: { type: string } } }
  bare: { catalog: bare, path: bare.csv, columns: { id: { type: int }, region: { type: string } } }
  events:
    catalog: lines
    path: events.json
    columns: { id: { type: bigint, nullable: false }, region: { type: string }, paid: { type: "decimal(9, 2)" } }
  visits:
    catalog: array
    path: visits.json
    columns: { id: { type: bigint, nullable: false }, region: { type: string }, paid: { type: "decimal(9, 2)" } }
views: { totals: { sql: "SELECT region, sum(amount) AS total FROM orders GROUP BY region" } }
functions: { allow: ["@aggregate"] }
policies:
  rows: { known: { table: parts, where: region IN (SELECT region FROM regions) } }
`.replace('&orders', '');

const CEDAR = `
@id("all") permit (principal in Role::"shop/clerk", action in [Action::"open", Action::"read", Action::"call"], resource);
@id("evidence") permit (principal in Role::"shop/auditor", action == Action::"readEvidence", resource);
`;

/** Replaces a file at once, as whoever delivers data does. */
function write(path: string, content: string | Uint8Array): void {
  writeFileSync(join(folder, 'data', `${path}.new`), content);
  renameSync(join(folder, 'data', `${path}.new`), join(folder, 'data', path));
}

function parquet(path: string, columnData: Columns): void {
  write(path, new Uint8Array(parquetWriteBuffer({ columnData })));
}

/** Waits until the server says something that it has not said before. */
const saying = (said: string, change: () => void): Promise<void> => toldBy(server, said, change);

async function ask(sql: string): Promise<{ status: number; body: { rows?: unknown; code?: string; detail?: string } }> {
  const answer = await server.as('ann', '/v1/products/orders/query', { body: { sql, purpose: 'selling' } });
  return { status: answer.status, body: (await answer.json()) as { rows?: unknown } };
}

async function closed(): Promise<readonly string[]> {
  const answer = await server.as('ann', '/v1/products/orders', { headers: { 'ambit-purpose': 'selling' } });
  const { tables } = (await answer.json()) as { tables: readonly { name: string; closed: boolean }[] };
  return tables.filter((table) => table.closed).map(({ name }) => name);
}

/** Records of drift, the newest last. */
function records(): readonly { table: string; state: string; drift: { kind: string; column: string | null }[] }[] {
  const log = join(server.folder, '.ambit/evidence');
  const segments = readdirSync(log).filter((name) => name.endsWith('.segment'));
  const lines = segments.toSorted().flatMap((name) => readFileSync(join(log, name), 'utf8').split('\n'));
  return lines
    .filter((line) => line.includes('"type":"source.drifted"'))
    .map((line) => JSON.parse(line.slice(line.indexOf('{'))) as ReturnType<typeof records>[number]);
}

describe('a column', () => {
  test('that appeared is shown to nobody, and the table stays open', async () => {
    const secret: Columns[number] = { name: 'secret', data: ['x', 'y'], type: 'STRING' };
    await saying('table orders of orders is open: column `secret`', () =>
      parquet('orders.parquet', [...DECLARED, secret]),
    );
    expect(await ask('SELECT * FROM orders ORDER BY id')).toMatchObject({
      status: 200,
      body: {
        rows: [
          [1, 'north', 10],
          [2, 'south', 20],
        ],
      },
    });
    expect(await ask('SELECT secret FROM orders')).toMatchObject({ body: { code: 'column_unknown' } });
    expect(records().at(-1)).toMatchObject({
      table: 'orders',
      state: 'open',
      drift: [{ kind: 'appeared', column: 'secret' }],
    });
    await saying('table orders of orders is open: its data is what', () => parquet('orders.parquet', DECLARED));
  });

  test('that vanished closes the table and what reads it, and nothing else, until it is back', async () => {
    await saying('table orders of orders is closed: column `amount` is not in', () =>
      parquet('orders.parquet', [ID, REGION]),
    );
    // Without a column that is gone the file could be read: the table is closed all the same.
    for (const sql of ['SELECT id FROM orders', 'SELECT * FROM totals', 'SELECT 1 FROM parts, orders']) {
      expect(await ask(sql)).toMatchObject({
        status: 503,
        body: { code: 'table_closed', detail: 'table `orders` is closed: its data is not what its contract declares' },
      });
    }
    expect(await ask('SELECT count(*) FROM regions')).toMatchObject({ status: 200 });
    expect(await closed()).toEqual(['orders']);
    expect(records().at(-1)).toMatchObject({ state: 'closed', drift: [{ kind: 'vanished', column: 'amount' }] });
    await saying('table orders of orders is open', () => parquet('orders.parquet', DECLARED));
    expect(await ask('SELECT * FROM totals ORDER BY region')).toMatchObject({
      body: {
        rows: [
          ['north', 10],
          ['south', 20],
        ],
      },
    });
    expect(records().at(-1)).toMatchObject({ state: 'open', drift: [] });
  });

  test('of another type closes the table, of one that keeps every value it does not', async () => {
    const text: Columns[number] = { name: 'amount', data: ['10', '20'], type: 'STRING' };
    await saying('column `amount` is Utf8', () => parquet('orders.parquet', [ID, REGION, text]));
    expect(await closed()).toEqual(['orders']);
    await saying('table orders of orders is open', () =>
      parquet('orders.parquet', [ID, REGION, { name: 'amount', data: [1, 2], type: 'INT32' }]),
    );
    await saying('is closed', () => parquet('orders.parquet', [ID, REGION, text]));
    await saying('is open', () => parquet('orders.parquet', DECLARED));
  });
});

test('one file of a folder is enough, and is named', async () => {
  await saying('table parts of orders is closed: column `amount` is not in parts/b.parquet', () =>
    parquet('parts/b.parquet', [ID, REGION]),
  );
  expect(await closed()).toEqual(['parts']);
  await saying('table parts of orders is open', () => rmSync(join(folder, 'data/parts/b.parquet')));
});

test('what a row filter looks up closes the table that it filters', async () => {
  await saying('column `region` is not in regions.csv any more', () =>
    write('regions.csv', 'name,area\nNorth,north\n'),
  );
  expect(await ask('SELECT count(*) FROM parts')).toMatchObject({ status: 503, body: { code: 'table_closed' } });
  expect(await ask('SELECT count(*) FROM orders')).toMatchObject({ status: 200 });
  await saying('is open', () => write('regions.csv', REGIONS));
  expect(await ask('SELECT count(*) FROM parts')).toMatchObject({ status: 200 });
});

describe('a column of CSV', () => {
  const regions = [
    ['north', 'North'],
    ['south', 'South'],
  ];
  const read = () => ask('SELECT * FROM regions ORDER BY region');

  test('that appeared is shown to nobody, wherever it stands', async () => {
    for (const [said, text] of [
      ['column `zone` appeared in regions.csv', 'zone,region,name\nhush1,north,North\nhush2,south,South\n'],
      ['column `kind` appeared in regions.csv', 'region,kind,name\nnorth,hush1,North\nsouth,hush2,South\n'],
      ['column `last` appeared in regions.csv', 'name,region,last\nNorth,north,hush1\nSouth,south,hush2\n'],
    ] as const) {
      await saying(`table regions of orders is open: ${said}`, () => write('regions.csv', text));
      expect(await read()).toMatchObject({ status: 200, body: { rows: regions } });
      for (const sql of ['SELECT zone FROM regions', 'SELECT kind FROM regions', 'SELECT last FROM regions'])
        expect(await ask(sql)).toMatchObject({ body: { code: 'column_unknown' } });
      expect(await ask('SELECT count(*) FROM parts')).toMatchObject({ status: 200 });
    }
    expect(records().at(-1)).toMatchObject({
      table: 'regions',
      state: 'open',
      drift: [{ kind: 'appeared', column: 'last' }],
    });
    const told = await ambit(['drift', folder, '--json'], { cwd: folder });
    expect(told.status).toBe(0);
    expect(told.out).not.toContain('hush');
    await saying('table regions of orders is open: its data is what', () => write('regions.csv', REGIONS));
  });

  test('may stand elsewhere than declared', async () => {
    write('regions.csv', 'name,region\nNorth,north\nSouth,south\n');
    expect(await read()).toMatchObject({ status: 200, body: { rows: regions } });
    expect(await ambit(['drift', folder], { cwd: folder })).toMatchObject({ status: 0 });
    expect(await ask('SELECT count(*) FROM parts')).toMatchObject({ body: { rows: [[2]] } });
    write('regions.csv', REGIONS);
  });

  test('that a header names twice closes the table', async () => {
    await saying('column `name` stands more than once in the header of regions.csv', () =>
      write('regions.csv', 'region,name,name\nnorth,North,hush\n'),
    );
    expect(await closed()).toEqual(['regions']);
    expect(records().at(-1)).toMatchObject({ state: 'closed', drift: [{ kind: 'repeated', column: 'name' }] });
    await saying('is open', () => write('regions.csv', REGIONS));
  });

  test('closes the table where no header says which it is', async () => {
    await saying('bare.csv cannot be read: its first line has 3 values, and the contract 2 columns', () =>
      write('bare.csv', '1,north,hush\n'),
    );
    expect(await closed()).toEqual(['bare']);
    await saying('is open', () => write('bare.csv', '1,north\n'));
    expect(await ask('SELECT * FROM bare')).toMatchObject({ body: { rows: [[1, 'north']] } });
  });
});

test('a header that is gone is a row, and no value of it is told', async () => {
  const said = server.said().length;
  await saying('the header of regions.csv names no column of the contract', () =>
    write('regions.csv', 'zanzibar,Zanzibar City\n'),
  );
  const told = await ambit(['drift', folder, '--json'], { cwd: folder });
  expect(told.out).toContain('"kind": "header"');
  await saying('is open', () => write('regions.csv', REGIONS));
  const log = join(server.folder, '.ambit/evidence');
  const segments = readdirSync(log).filter((name) => name.endsWith('.segment'));
  const everything = [
    told.out,
    server.said().slice(said),
    ...segments.map((name) => readFileSync(join(log, name), 'utf8')),
  ];
  for (const text of everything) expect(text.toLowerCase()).not.toContain('zanzibar');
});

describe.each([
  ['events', 'events.json', (objects: readonly string[]) => objects.join('\n')],
  ['visits', 'visits.json', (objects: readonly string[]) => `[${objects.join(',\n')}]`],
] as const)('JSON in %s', (table, file, written) => {
  const change = (...objects: string[]) => write(file, written(objects));
  const asDeclared = () => change(...EVENTS);

  test('with a key that appeared is read without it', async () => {
    await saying(`table ${table} of orders is open: column \`extra\` appeared in ${file}`, () =>
      change('{"extra":"hush","id":1,"region":"north","paid":1}'),
    );
    expect(await ask(`SELECT * FROM ${table}`)).toMatchObject({ status: 200, body: { rows: [[1, 'north', '1.00']] } });
    expect(await ask(`SELECT extra FROM ${table}`)).toMatchObject({ body: { code: 'column_unknown' } });
    await saying('its data is what', asDeclared);
  });

  test('that lacks a column is closed, whether it may be NULL or not', async () => {
    for (const [column, object] of [
      ['id', '{"region":"north","paid":1}'],
      ['paid', '{"id":1,"region":"north"}'],
    ] as const) {
      await saying(`table ${table} of orders is closed: column \`${column}\` is not in ${file} any more`, () =>
        change(object),
      );
      expect(await closed()).toEqual([table]);
      expect(await ask(`SELECT region FROM ${table}`)).toMatchObject({ status: 503, body: { code: 'table_closed' } });
      expect(records().at(-1)).toMatchObject({ table, state: 'closed', drift: [{ kind: 'vanished', column }] });
      await saying('is open', asDeclared);
    }
    // One object that has it is enough.
    change('{"id":1,"region":"north"}', '{"id":2,"paid":null}');
    expect(await ambit(['drift', folder], { cwd: folder })).toMatchObject({ status: 0 });
    asDeclared();
  });

  test('with a value of another kind is closed, and the value is not told', async () => {
    const said = server.said().length;
    for (const [kind, object] of [
      ['string', '{"id":"hush","region":"north","paid":1}'],
      ['fraction', '{"id":1.5,"region":"north","paid":1}'],
      ['null', '{"id":null,"region":"north","paid":1}'],
    ] as const) {
      await saying(`column \`id\` is ${kind} in ${file}, and Int64 in the contract`, () => change(object));
      expect(await closed()).toEqual([table]);
      const told = await ambit(['drift', folder, '--json'], { cwd: folder });
      expect(told.status).toBe(1);
      expect(told.out).not.toContain('hush');
      await saying('is open', asDeclared);
    }
    expect(server.said().slice(said)).not.toContain('hush');
    expect(await ask(`SELECT * FROM ${table} ORDER BY id`)).toMatchObject({
      body: {
        rows: [
          [1, 'north', '1.50'],
          [2, null, '2.00'],
        ],
      },
    });
  });
});

test('a file that is none, or is not there, closes its table', async () => {
  await saying('table orders of orders is closed: orders.parquet cannot be read', () =>
    write('orders.parquet', 'none'),
  );
  await saying('is open', () => parquet('orders.parquet', DECLARED));
  await saying('table orders of orders is closed', () => rmSync(join(folder, 'data/orders.parquet')));
  await saying('is open', () => parquet('orders.parquet', DECLARED));
});

test('the command tells the same without a server, for a merge gate', async () => {
  const fine = await ambit(['drift', folder], { cwd: folder });
  expect(fine).toMatchObject({ status: 0, err: '' });
  expect(fine.out).toContain('orders.parts: as declared, 1 file\n');
  parquet('orders.parquet', [ID, REGION]);
  const drifted = await ambit(['drift', folder, '--json'], { cwd: folder });
  expect(drifted.status).toBe(1);
  expect(drifted.err).toContain('error: 1 table would be closed');
  const orders = (JSON.parse(drifted.out) as { table: string }[]).find(({ table }) => table === 'orders');
  expect(orders).toMatchObject({ closed: true, drift: [{ kind: 'vanished', column: 'amount' }], files: 1 });
});
