import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { exportJWK, generateKeyPair, SignJWT } from 'jose';
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
  for (const name of ['ann', 'bo']) expect(await approve(contract, name)).toMatchObject({ status: 0 });
  await until(async () => (await ask('shop')).status === 200);
});

afterAll(async () => {
  await server.close();
  rmSync(home, { recursive: true });
});

function approve(file: string, name: string) {
  const how = ['--key', join(home, `${name}.pem`), '--expires', '30d', '--reason', 'looked', '--author', 'd@e.org'];
  const words = ['review', 'approve', file, '--environment', join(server.folder, 'environment.yaml'), '--yes'];
  return ambit([...words, ...how], { cwd: home });
}

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

/** What a name answers: the status, and the version where there is one. */
async function meant(...names: readonly string[]): Promise<readonly (readonly [number, string | null])[]> {
  return Promise.all(
    names.map(async (name) => {
      const answer = await ask(name);
      await answer.arrayBuffer();
      return [answer.status, answer.headers.get('ambit-version')] as const;
    }),
  );
}

async function unapproved(): Promise<number> {
  return ((await (await server.as(null, '/health')).json()) as { readonly unapproved?: number }).unapproved ?? 0;
}

test('a name means what was approved, until a newer version is; after a restart as after a reload', async () => {
  const second = join(home, 'shop-2.yaml');
  writeFileSync(second, `${text.replace('version: 1.0.0', 'version: 2.0.0')}policies: { cedar: [shop.cedar] }\n`);
  await until(async () => (await unapproved()) === 1);
  const older = [
    [200, '1.0.0'],
    [200, '1.0.0'],
    [503, null],
    [503, null],
  ];
  const names = ['shop', 'shop@1', 'shop@2', 'shop@2.0.0'];
  expect(await meant(...names)).toEqual(older);
  expect(await reloadRefused()).toBe(false);
  expect(await (await ask('shop@2')).json()).toMatchObject({ code: 'boundary_unapproved' });
  const told =
    /review: not serving shop 2\.0\.0: .*\nhint: .*ambit review approve.*\n(?:.*\n)*?review: `shop` means 1\.0\.0: no owner approved 2\.0\.0/;
  await until(async () => told.test(server.said()));
  server = await server.restart();
  expect(await meant(...names)).toEqual(older);
  expect(await unapproved()).toBe(1);
  await until(async () => told.test(server.said()));

  for (const name of ['ann', 'bo']) expect(await approve(second, name)).toMatchObject({ status: 0 });
  await until(async () => (await meant('shop'))[0]?.[1] === '2.0.0');
  expect(await meant('shop@1', 'shop@2')).toEqual([
    [200, '1.0.0'],
    [200, '2.0.0'],
  ]);
});

test('a version whose approval ended keeps its name, and is refused by it: nothing older takes its place unsaid', async () => {
  const second = join(home, 'shop-2.yaml');
  const reviews = join(home, 'reviews/shop/production');
  for (const name of ['ann', 'bo']) {
    const [file = ''] = readdirSync(reviews).filter(
      (one) => one.endsWith(`-${name}.json`) && !one.startsWith('nothing'),
    );
    const words = ['review', 'revoke', join(reviews, file), '--itself', '--key', join(home, `${name}.pem`), '--yes'];
    expect(await ambit([...words, '--reason', 'it shows too much'], { cwd: home })).toMatchObject({ status: 0 });
  }
  await until(async () => (await meant('shop'))[0]?.[0] === 503);
  const ended = [
    [503, null],
    [200, '1.0.0'],
    [503, null],
  ];
  expect(await meant('shop', 'shop@1', 'shop@2')).toEqual(ended);
  server = await server.restart();
  expect(await meant('shop', 'shop@1', 'shop@2')).toEqual(ended);

  // Nor does an older one where the version is there with another boundary, which nobody approved.
  writeFileSync(second, readFileSync(second, 'utf8').replace('buying: Buy', 'buying: Buy more'));
  server = await server.restart();
  expect(await meant('shop', 'shop@1', 'shop@2')).toEqual(ended);
  rmSync(second);
  await until(async () => (await meant('shop'))[0]?.[1] === '1.0.0');
});

test('whose tokens are taken is approved before they are', async () => {
  const { publicKey, privateKey } = await generateKeyPair('EdDSA');
  writeFileSync(join(server.folder, 'jwks.json'), JSON.stringify({ keys: [await exportJWK(publicKey)] }));
  const token = new SignJWT({ sub: 'eve', roles: ['buyer'] }).setProtectedHeader({ alg: 'EdDSA' });
  const signed = await token.setIssuer('https://id').setAudience('ambit').setExpirationTime('1h').sign(privateKey);
  const eve = async (): Promise<number> => {
    const headers = { authorization: `Bearer ${signed}` };
    const body = { sql: 'SELECT id FROM orders', purpose: 'buying' };
    const answer = await server.as(null, '/v1/products/shop/query', { body, headers });
    await answer.arrayBuffer();
    return answer.status;
  };
  const environment = join(server.folder, 'environment.yaml');
  const issuer = '{ issuer: "https://id", audience: ambit, jwks: jwks.json, algorithms: [EdDSA], tenant: north }';
  writeFileSync(environment, `${readFileSync(environment, 'utf8')}identity: { jwt: [${issuer}] }\n`);
  await until(reloadRefused);
  expect([await eve(), (await ask('shop')).status]).toEqual([401, 200]);
  for (const name of ['ann', 'bo']) expect(await approve(contract, name)).toMatchObject({ status: 0 });
  await until(async () => (await eve()) === 200);
  expect(await reloadRefused()).toBe(false);
});

test('reviews are found beside a contract that was moved with them', async () => {
  const air = join(home, 'air');
  mkdirSync(air);
  cpSync(join(home, 'data'), join(air, 'data'), { recursive: true });
  for (const name of ['reviews', 'shop.cedar', 'shop.yaml']) renameSync(join(home, name), join(air, name));
  await sleep(4_000);
  await until(async () => (await ask('shop')).status === 200);
  expect(await reloadRefused()).toBe(false);
});
