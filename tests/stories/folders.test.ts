import { mkdirSync, mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Server, startServer } from '../server.ts';

// A folder for each shop: a policy on the shop opens that folder's files and no other's, and the evidence says so.

const subjects = {
  ann: { tenant: 'trade', roles: ['seller'], claims: { shop: 'ann' } },
  bob: { tenant: 'trade', roles: ['seller'], claims: { shop: 'bob' } },
  vera: { tenant: 'trade', roles: ['auditor'] },
};

let server: Server<keyof typeof subjects>;
beforeAll(async () => {
  server = await startServer({ paths: [shops()], subjects });
}, 60_000);
afterAll(() => server.close());

function shops(): string {
  const folder = mkdtempSync(join(tmpdir(), 'ambit-folders-'));
  for (const [shop, orders] of [
    ['ann', 'id,total\n1,10\n2,20\n'],
    ['bob', 'id,total\n3,30\n'],
  ] as const) {
    mkdirSync(join(folder, `data/orders/shop=${shop}/day=2026-01-01`), { recursive: true });
    writeFileSync(join(folder, `data/orders/shop=${shop}/day=2026-01-01/part.csv`), orders);
  }
  writeFileSync(
    join(folder, 'orders.yaml'),
    `apiVersion: ambit/v1
kind: DataProduct
name: orders
version: 1.0.0
tenant: trade
owner: { team: test }
purposes: { selling: test }
claims: { shop: { type: string } }
stores: { lake: { root: data } }
catalogs: { csv: { type: csv, store: lake } }
tables:
  orders:
    catalog: csv
    path: orders/
    partitions: [shop, day]
    columns: { id: { type: bigint }, shop: { type: string }, day: { type: date }, total: { type: bigint } }
functions: { allow: ["@aggregate"] }
policies:
  cedar: [orders.cedar]
  rows: { own: { table: orders, where: shop = $claims.shop } }
`,
  );
  writeFileSync(
    join(folder, 'orders.cedar'),
    `@id("all") permit (principal in Role::"trade/seller", action in [Action::"open", Action::"read", Action::"call"], resource);
@id("evidence") permit (principal in Role::"trade/auditor", action == Action::"readEvidence", resource);\n`,
  );
  return folder;
}

test.each([
  ['ann', [['2026-01-01', 30]]],
  ['bob', [['2026-01-01', 30]]],
] as const)('%s opens the files of one shop', async (name, rows) => {
  const body = { sql: 'SELECT day, sum(total) AS total FROM orders GROUP BY day', purpose: 'selling' };
  const answer = await server.as(name, '/v1/products/orders/query', { body });
  expect(((await answer.json()) as { rows: unknown }).rows).toEqual(rows);
  const session = answer.headers.get('ambit-session') ?? '';
  const evidence = (await (await server.as('vera', `/v1/sessions/${session}`)).json()) as {
    outcome: { engine: { accesses: { object: string; bytes: number }[] } };
  };
  const read = evidence.outcome.engine.accesses.filter(({ bytes }) => bytes > 0).map(({ object }) => object);
  expect(read).toEqual([`orders/shop=${name}/day=2026-01-01/part.csv`]);
});
