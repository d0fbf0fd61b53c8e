import { generateKeyPairSync } from 'node:crypto';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { loadEnvironment, loadProducts, type Offer } from '@ambit/session';
import { exportJWK, SignJWT } from 'jose';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { SLOW } from './product.ts';
import { analyst, eventually, query, sessionsOf, startWorld, type World } from './support.ts';

const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
let world: World;
let folder = '';
const issuer = () => ({
  issuer: 'https://issuer',
  audience: 'ambit',
  jwks: join(folder, 'jwks.json'),
  algorithms: ['ES256'],
  tenant: 'north',
});
const jwt = (): Promise<string> =>
  new SignJWT({ roles: ['analyst'] })
    .setProtectedHeader({ alg: 'ES256' })
    .setIssuer('https://issuer')
    .setAudience('ambit')
    .setSubject('tom')
    .setExpirationTime('5m')
    .sign(privateKey);

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'ambit-server-reload-'));
  await writeFile(join(folder, 'jwks.json'), JSON.stringify({ keys: [await exportJWK(publicKey)] }));
  world = await startWorld({ issuers: [issuer()] });
});
afterAll(async () => {
  await world.close();
  await rm(folder, { recursive: true });
});

/** Asks what takes longer than the test; ends when somebody goes away. */
async function askSlowly(token: string, signal: AbortSignal): Promise<void> {
  await fetch(`${world.server.url}/v1/products/shop/query`, {
    method: 'POST',
    signal,
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
    body: JSON.stringify({ sql: SLOW, purpose: 'reporting' }),
  }).catch(() => undefined);
}

/** The same products, each with another boundary. */
async function another(salt: string): Promise<Offer> {
  const files = world.products.map(({ file }) => file);
  for (const file of files) {
    const text = await readFile(file, 'utf8');
    await writeFile(file, text.replace(/^description: .*$/m, `description: ${salt}`));
  }
  return { products: await loadProducts(files, await loadEnvironment(null), world.engine), engine: world.engine };
}

const named = ({ products }: Offer): string | undefined =>
  products.find(({ boundary }) => boundary.product.name === 'shop')?.fingerprint;

it('issuers change with the products, at once, or not at all', async () => {
  const credential = await jwt();
  const ask = async (): Promise<number> => (await world.ask({ url: '/v1/products', token: credential })).status;
  expect(await ask()).toBe(200);
  // What cannot be made ready changes nothing.
  await expect(world.server.prepare([{ ...issuer(), jwks: join(folder, 'none.json') }])).rejects.toThrow('ENOENT');
  expect(await ask()).toBe(200);
  const swap = await world.server.prepare([]);
  expect(await ask()).toBe(200);
  await swap(await another('without issuers'));
  expect(await ask()).toBe(401);
  await (await world.server.prepare([issuer()]))(await another('with issuers'));
  expect(await ask()).toBe(200);
});

it('who waits for a place gets what is served when there is one; who has one keeps what it has', async () => {
  const ada = await world.token({ ...analyst, principal: 'ada' });
  const before = named(world.server.served.now);
  const running = Array.from({ length: 4 }, () => new AbortController());
  const open = running.map(({ signal }) => askSlowly(ada, signal));
  const began = await eventually(async () => {
    const found = await sessionsOf(world, 'ada');
    return found.length === 4 ? found : null;
  }, 10_000);
  expect(began.map(({ intent }) => intent.fingerprint)).toEqual([before, before, before, before]);
  const waiting = world.ask({ ...query('SELECT count(*) AS n FROM orders'), token: ada });
  const next = await another('while it waits');
  const swap = await world.server.prepare([issuer()]);
  let unused = false;
  const drained = swap(next).then(() => {
    unused = true;
  });
  expect(named(next)).not.toBe(before);
  running[0]?.abort();
  const answered = await waiting;
  expect(answered.headers['ambit-fingerprint']).toBe(named(next));
  // Three sessions still use what was served before.
  expect(unused).toBe(false);
  for (const one of running) one.abort();
  await Promise.all([drained, ...open]);
  const ended = await eventually(async () => {
    const found = await sessionsOf(world, 'ada');
    return found.length === 5 && found.every(({ outcome }) => outcome !== null) ? found : null;
  }, 10_000);
  expect(ended.map(({ intent }) => intent.fingerprint).filter((one) => one === before)).toHaveLength(4);
});

it('the health says since when, and that something is wrong', async () => {
  const first = (await world.ask({ url: '/health' })).json();
  expect(first).toEqual({ status: 'alive', loadedAt: world.server.served.loadedAt, reloadRefused: null });
  world.server.served.refused = { at: '2026-01-01T00:00:00.000Z', problems: 2 };
  expect((await world.ask({ url: '/health' })).json()).toMatchObject({ reloadRefused: { problems: 2 } });
  await (await world.server.prepare([issuer()]))(await another('put right'));
  expect((await world.ask({ url: '/health' })).json()).toMatchObject({ reloadRefused: null });
});
