import { readdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { loadEnvironment, loadProducts } from '@ambit/session';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { analyst, auditor, eventually, sessionsOf, startWorld, type Reply, type World } from './support.ts';

// One server serves several versions of a product. Each is a boundary of its own.

let world: World;
let ada = '';
const dates = { since: '2026-01-31', sunset: '2126-06-30', successor: '2.0.0', notice: 'It had no tax in it' };

beforeAll(async () => {
  world = await startWorld();
  ada = await world.token(analyst);
  const shop = world.products.find(({ boundary }) => boundary.product.name === 'shop')?.file ?? '';
  const text = await readFile(shop, 'utf8');
  const files = world.products.map(({ file }) => file);
  const other = async (version: string, more: string): Promise<void> => {
    const file = join(dirname(shop), `shop-${version}.yaml`);
    const cedar = `policies:\n  cedar: [shop.cedar]\n`;
    await writeFile(file, text.replace('version: 1.2.0', `version: ${version}\n${more}`).replace('policies:\n', cedar));
    files.push(file);
  };
  await other('1.0.0', `deprecation: ${JSON.stringify(dates)}`);
  await other('0.9.0', 'deprecation: { since: 2020-01-01, sunset: 2021-01-01, successor: 1.2.0 }');
  await other('2.0.0', '');
  await other('3.0.0-rc.1', '');
  const products = await loadProducts(files, await loadEnvironment(null), world.engine);
  await (await world.server.prepare([]))({ products, engine: world.engine });
});
afterAll(() => world.close());

function ask(product: string, sql = 'SELECT count(*) AS n FROM orders', token = ada): Promise<Reply> {
  return world.ask({ url: `/v1/products/${product}/query`, payload: { sql, purpose: 'reporting' }, token });
}

const fingerprintOf = (version: string): string | undefined =>
  world.server.served.now.products.find(
    ({ boundary: { product } }) => product.name === 'shop' && product.version === version,
  )?.fingerprint;

describe('a name', () => {
  it.each([
    ['shop', '2.0.0'],
    ['shop@1', '1.2.0'],
    ['shop@1.0', '1.0.0'],
    ['shop@1.0.0', '1.0.0'],
    ['shop%401.2.0', '1.2.0'],
    ['shop@3.0.0-rc.1', '3.0.0-rc.1'],
  ])('%s is version %s', async (name, version) => {
    const answer = await ask(name);
    expect(answer.status).toBe(200);
    expect(answer.headers['ambit-fingerprint']).toBe(fingerprintOf(version));
    const headers = { 'ambit-purpose': 'reporting' };
    const described = await world.ask({ url: `/v1/products/${name}`, token: ada, headers });
    expect(described.json()).toMatchObject({ name: 'shop', version, fingerprint: fingerprintOf(version) });
  });

  it.each(['shop@3', 'shop@4.0.0', 'shop@1.2.1', 'nothing@1'])('%s is unknown', async (name) => {
    expect((await ask(name)).json()).toMatchObject({ status: 404, code: 'product_unknown' });
  });

  it('that is none is refused before anything is looked up', async () => {
    for (const name of ['shop@', 'shop@1@2', 'shop@%2e%2e%2f']) expect((await ask(name)).status).toBe(400);
  });

  it('in the API of a version is the one that was asked for', async () => {
    const headers = { 'ambit-purpose': 'reporting' };
    const document = await world.ask({ url: '/v1/products/shop@1/openapi.json', token: ada, headers });
    const { paths, info } = document.json() as { paths: object; info: object };
    expect(info).toMatchObject({ version: '1.2.0' });
    expect(Object.keys(paths)).toContain('/v1/products/shop@1/query');
  });
});

describe('a version that comes to its end', () => {
  it('says so to whoever may open it, and to nobody else', async () => {
    for (const answer of [
      await ask('shop@1.0.0'),
      await world.ask({ url: '/v1/products/shop@1.0.0', token: ada, headers: { 'ambit-purpose': 'reporting' } }),
    ]) {
      expect(answer.headers).toMatchObject({
        deprecation: `@${Date.UTC(2026, 0, 31) / 1_000}`,
        sunset: 'Sun, 30 Jun 2126 00:00:00 GMT',
        link: '</v1/products/shop@2.0.0>; rel="successor-version"',
      });
    }
    for (const name of ['shop', 'shop@1', 'shop@2.0.0'])
      expect((await ask(name)).headers).not.toHaveProperty('deprecation');
    const stranger = await world.token({ tenant: 'south', principal: 'eve', roles: [] });
    const answer = await ask('shop@1.0.0', 'SELECT 1 AS one', stranger);
    expect(answer.status).toBe(404);
    expect(answer.headers).not.toHaveProperty('deprecation');
  });

  it('is refused from that day on, by name; to whom it was never there it is not', async () => {
    const ended = { status: 410, code: 'version_ended', detail: 'version 0.9.0 of `shop` ended on 2021-01-01' };
    expect((await ask('shop@0.9.0')).json()).toMatchObject({ ...ended, hint: 'ask for `shop@1.2.0`' });
    const headers = { 'ambit-purpose': 'reporting' };
    expect((await world.ask({ url: '/v1/products/shop@0', token: ada, headers })).json()).toMatchObject(ended);
    const stranger = await world.token({ tenant: 'south', principal: 'eve', roles: [] });
    expect((await ask('shop@0.9.0', 'SELECT 1 AS one', stranger)).json()).toMatchObject({ code: 'product_unknown' });
  });

  it('is listed with its dates, until it has ended', async () => {
    const { products } = (await world.ask({ url: '/v1/products', token: ada })).json() as {
      products: { name: string; version: string; deprecation?: object }[];
    };
    const versions = products
      .filter(({ name }) => name === 'shop')
      .map(({ version, deprecation }) => [version, deprecation]);
    expect(Object.fromEntries(versions)).toEqual({
      '1.2.0': undefined,
      '1.0.0': dates,
      '2.0.0': undefined,
      '3.0.0-rc.1': undefined,
    });
  });
});

describe('the evidence', () => {
  it('of a session has its version, of a refusal the name', async () => {
    const bob = await world.token({ ...analyst, principal: 'bob' });
    await ask('shop@1', 'SELECT count(*) AS n FROM orders', bob);
    const [session] = await eventually(async () => {
      const found = await sessionsOf(world, 'bob');
      return found[0]?.outcome === null || found.length === 0 ? null : found;
    }, 5_000);
    expect(session?.intent).toMatchObject({ product: 'shop', version: '1.2.0', fingerprint: fingerprintOf('1.2.0') });
    // Repeated on its own version, though its name means another now.
    const otto = await world.token(auditor);
    const url = `/v1/sessions/${session?.intent.session}/replay`;
    expect((await world.ask({ url, method: 'POST', token: otto })).json()).toMatchObject({ verdict: 'same' });
    const refused = await world.ask({
      url: '/v1/products/shop@1/query',
      payload: { sql: 'SELECT 1', purpose: 'none' },
      token: bob,
    });
    expect(refused.status).toBe(403);
    const folder = join(world.folder, 'evidence');
    const segment = (await readdir(folder)).find((name) => name.endsWith('.segment')) ?? '';
    const lines = (await readFile(join(folder, segment), 'utf8')).split('\n').slice(1, -1);
    const records = lines.map((line) => JSON.parse(line.slice(65)) as Readonly<Record<string, unknown>>);
    const record = records.findLast(({ type }) => type === 'request.refused');
    expect(record).toMatchObject({ product: 'shop', fingerprint: fingerprintOf('1.2.0'), code: 'purpose_refused' });
  });
});
