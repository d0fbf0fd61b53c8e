import { cpSync, mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';

import { ambit } from '../../packages/cli/test/player.ts';
import { type Server, startServer } from '../server.ts';
import { makePerson, ownedContract, POLICY } from './owners.ts';

// Contracts come, go and move while a server runs in production: what was approved is served on.

vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 });

const home = mkdtempSync(join(tmpdir(), 'ambit-owned-'));
const contract = join(home, 'shop.yaml');
let text = '';
let server: Server<'sam'>;

beforeAll(async () => {
  text = ownedContract(
    'shop',
    ['ann', 'bo'].map((name) => `${name}: ${makePerson(home, name)}`),
  );
  mkdirSync(join(home, 'data'));
  writeFileSync(join(home, 'data/orders.csv'), 'id,customer\n1,Ann\n');
  writeFileSync(contract, text);
  writeFileSync(join(home, 'shop.cedar'), POLICY);
  const subjects = { sam: { tenant: 'north', roles: ['buyer'] } };
  server = await startServer({ paths: [home], name: 'production', subjects });
  for (const name of ['ann', 'bo']) {
    const how = ['--key', join(home, `${name}.pem`), '--expires', '30d', '--reason', 'looked', '--author', 'd@e.org'];
    const words = ['review', 'approve', contract, '--environment', join(server.folder, 'environment.yaml'), '--yes'];
    expect(await ambit([...words, ...how], { cwd: home })).toMatchObject({ status: 0 });
  }
  await until(async () => (await ask('shop')).status === 200);
});

afterAll(async () => {
  await server.close();
  rmSync(home, { recursive: true });
});

const ask = (product: string): Promise<Response> =>
  server.as('sam', `/v1/products/${product}/query`, { body: { sql: 'SELECT id FROM orders', purpose: 'buying' } });

async function until(what: () => Promise<boolean>): Promise<void> {
  for (let attempt = 0; attempt < 300; attempt += 1) {
    if (await what()) return;
    await sleep(100);
  }
  throw new Error(`that never came:\n${server.said()}`);
}

async function reloadRefused(): Promise<boolean> {
  const health = (await (await server.as(null, '/health')).json()) as { readonly reloadRefused: object | null };
  return health.reloadRefused !== null;
}

test('a name means what was approved, until a newer version is too', async () => {
  const before = (await ask('shop')).headers.get('ambit-fingerprint');
  const second = join(home, 'shop-2.yaml');
  writeFileSync(second, `${text.replace('version: 1.0.0', 'version: 2.0.0')}policies: { cedar: [shop.cedar] }\n`);
  await until(reloadRefused);
  for (const name of ['shop', 'shop@1']) {
    const still = await ask(name);
    expect([name, still.status, still.headers.get('ambit-fingerprint')]).toEqual([name, 200, before]);
  }
  expect((await ask('shop@2')).status).toBe(404);
  rmSync(second);
  await until(async () => !(await reloadRefused()));
});

test('reviews are found beside a contract that was moved with them', async () => {
  const air = join(home, 'air');
  mkdirSync(air);
  cpSync(join(home, 'data'), join(air, 'data'), { recursive: true });
  for (const name of ['reviews', 'shop.cedar', 'shop.yaml']) renameSync(join(home, name), join(air, name));
  await sleep(4_000);
  expect((await ask('shop')).status).toBe(200);
});
