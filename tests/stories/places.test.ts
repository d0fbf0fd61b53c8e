import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { type Server, startServer } from '../server.ts';

// A tenant that takes all of its places takes nobody else's.

vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 });

const home = mkdtempSync(join(tmpdir(), 'ambit-places-'));
let server: Server<'ann' | 'bo' | 'zoe'>;

const contract = (version: string, concurrency: number): string => `apiVersion: ambit/v1
kind: DataProduct
name: shop
version: ${version}
tenant: north
owner: { team: shop }
purposes: { buying: Buy }
anonymous: { purposes: [buying] }
stores: { lake: { root: . } }
catalogs: { csv: { type: csv, store: lake } }
tables:
  orders: { catalog: csv, path: orders.csv, columns: { id: { type: bigint } } }
functions: { allow: ["@aggregate"] }
limits: { concurrency: ${concurrency}, queue: 0, timeout: 20s }
policies: { cedar: [shop.cedar] }
`;

beforeAll(async () => {
  writeFileSync(join(home, 'orders.csv'), `id\n${Array.from({ length: 60 }, (_, id) => `${id}\n`).join('')}`);
  writeFileSync(
    join(home, 'shop.cedar'),
    '@id("all")\npermit (principal, action in [Action::"open", Action::"read", Action::"call"], resource);\n',
  );
  writeFileSync(join(home, 'shop-1.yaml'), contract('1.0.0', 1));
  writeFileSync(join(home, 'shop-2.yaml'), contract('2.0.0', 1));
  server = await startServer({
    paths: [home],
    environment: 'engine: { workers: 1, threads: 2 }\n',
    subjects: {
      ann: { tenant: 'north', roles: [] },
      bo: { tenant: 'north', roles: [] },
      zoe: { tenant: 'south', roles: [] },
    },
  });
});
afterAll(async () => {
  await server.close();
  rmSync(home, { recursive: true });
});

type Who = 'ann' | 'bo' | 'zoe' | null;

const ask = (who: Who, product = 'shop@1', sql = 'SELECT count(*) FROM orders', signal?: AbortSignal) =>
  server.as(who, `/v1/products/${product}/query`, { body: { sql, purpose: 'buying' }, ...(signal ? { signal } : {}) });

async function statusOf(who: Who, product = 'shop@1'): Promise<number> {
  const answer = await ask(who, product);
  await answer.arrayBuffer();
  return answer.status;
}

/** Holds a place until the result is called. */
async function holding(who: Who): Promise<() => Promise<void>> {
  const gone = new AbortController();
  const slow = 'SELECT sum(a.id + b.id + c.id + d.id + e.id) FROM orders a, orders b, orders c, orders d, orders e';
  const held = ask(who, 'shop@1', slow, gone.signal).then(
    (answer) => answer.arrayBuffer(),
    () => null,
  );
  await until(async () => (await statusOf(who)) === 429);
  return async () => {
    gone.abort();
    await held;
    await until(async () => (await statusOf(who)) === 200);
  };
}

async function until(what: () => Promise<boolean>): Promise<void> {
  for (let attempt = 0; attempt < 200; attempt += 1) {
    if (await what()) return;
    await sleep(50);
  }
  throw new Error(`that never came:\n${server.said()}`);
}

test('places are a tenant’s, in a version', async () => {
  const end = await holding('ann');
  const refused = await ask('bo');
  expect([refused.status, await refused.json()]).toMatchObject([429, { code: 'limit_concurrency' }]);
  expect(await statusOf('zoe')).toBe(200);
  expect(await statusOf('bo', 'shop@2')).toBe(200);
  expect(await statusOf(null)).toBe(200);
  await end();
});

test('whoever has no credential takes no place of the owner’s people', async () => {
  const end = await holding(null);
  expect(await statusOf('ann')).toBe(200);
  expect(await statusOf('zoe')).toBe(200);
  await end();
});
