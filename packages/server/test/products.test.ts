import { readFile, writeFile } from 'node:fs/promises';
import { Agent, request as httpRequest } from 'node:http';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { describeApi } from '../src/server.ts';
import { analyst, auditor, query, type Reply, startWorld, type World } from './support.ts';

let world: World;
let ada: string;
let otto: string;
beforeAll(async () => {
  world = await startWorld();
  ada = await world.token(analyst);
  otto = await world.token(auditor);
});
afterAll(() => world?.close());

const as = (token: string, url: string, purpose: string): Promise<Reply> =>
  world.ask({ url, token, headers: { 'ambit-purpose': purpose } });

describe('a product', () => {
  it('is listed with the purposes that a subject has', async () => {
    const { products } = (await world.ask({ url: '/v1/products', token: ada })).json() as {
      products: { name: string; purposes: { name: string }[] }[];
    };
    const purposes = Object.fromEntries(products.map((one) => [one.name, one.purposes.map(({ name }) => name)]));
    expect(purposes).toEqual({ shop: ['reporting'], weather: ['browsing', 'planning'] });
  });

  it('tells what this subject with this purpose may see, and why', async () => {
    const told = (await as(ada, '/v1/products/shop', 'reporting')).json();
    expect(told).toMatchObject({ name: 'shop', purpose: 'reporting', limits: { rows: 200_000 } });
    const tables = told['tables'] as { name: string; columns: { name: string }[]; filters: unknown[] }[];
    const orders = tables.find(({ name }) => name === 'orders');
    expect(orders?.columns.map(({ name }) => name)).toEqual(['id', 'region', 'amount', 'customer']);
    expect(orders?.filters).toEqual([
      {
        id: 'own-region',
        description: 'Orders of your own region',
        applies: true,
        exemptedBy: [],
        missingClaims: [],
      },
    ]);
    expect(orders?.columns[3]).toMatchObject({
      type: 'string',
      determinedBy: ['shop.cedar#analysts'],
      masks: [{ id: 'first-letter', applies: true }],
    });
    expect(told['queries']).toMatchObject([{ name: 'largest', parameters: [{ name: 'above' }, { name: 'top' }] }]);
    expect(told['views']).toMatchObject([{ name: 'regional' }]);
  });

  it('tells nothing of what it denies', async () => {
    for (const url of ['/v1/products/shop', '/v1/products/shop/openapi.json']) {
      const { body } = await as(ada, url, 'reporting');
      for (const name of ['payroll', 'margin_code', 'owners', 'everything-paid', 'vault', 'audit'])
        expect(body, `${name} in ${url}`).not.toContain(name);
    }
  });

  it('tells an exemption by the policy that gives it', async () => {
    const { body } = await as(otto, '/v1/products/shop', 'audit');
    expect(body).toContain('"exemptedBy":["shop.cedar#auditors"]');
    expect(body).toContain('payroll');
  });

  it('has a document of its own, with each named query as an operation', async () => {
    const document = (await as(ada, '/v1/products/shop/openapi.json', 'reporting')).json();
    const paths = document['paths'] as Record<string, { get: { parameters: unknown[] }; post: object }>;
    const own = ['', '/boundary', '/openapi.json', '/queries/largest', '/query'].map(
      (path) => `/v1/products/shop${path}`,
    );
    expect(Object.keys(paths).toSorted()).toEqual(own);
    expect(paths['/v1/products/shop/queries/largest']?.get.parameters).toMatchObject([
      { name: 'above', in: 'query', required: false, schema: { type: 'number', default: 0 } },
      { name: 'top', in: 'query', required: true, schema: { type: 'integer', format: 'int32' } },
      { name: 'ambit-purpose', in: 'header', required: true, schema: { enum: ['reporting'] } },
    ]);
    expect(paths['/v1/products/shop/queries/largest']?.post).toMatchObject({
      requestBody: {
        content: { 'application/json': { schema: { properties: { parameters: { required: ['top'] } } } } },
      },
    });
    expect(paths['/v1/products/shop/query']?.post).toMatchObject({ security: [{ bearer: [] }] });
    expect((await as(otto, '/v1/products/shop/openapi.json', 'audit')).body).toContain('everything-paid');
  });
});

describe('the API description', () => {
  it('is the one that is committed', async () => {
    const committed = await readFile(new URL('../../../schemas/openapi.json', import.meta.url), 'utf8');
    expect(`${JSON.stringify(await describeApi(), null, 2)}\n`).toBe(committed);
  });

  it('names every route, and no product', async () => {
    const { paths } = (await world.ask({ url: '/v1/openapi.json' })).json() as { paths: Record<string, object> };
    expect(Object.keys(paths).toSorted()).toEqual([
      '/health',
      '/ready',
      '/v1/evidence',
      '/v1/evidence/checkpoint',
      '/v1/evidence/consistency',
      '/v1/evidence/queries/{name}',
      '/v1/evidence/query',
      '/v1/openapi.json',
      '/v1/products',
      '/v1/products/{product}',
      '/v1/products/{product}/boundary',
      '/v1/products/{product}/openapi.json',
      '/v1/products/{product}/queries/{name}',
      '/v1/products/{product}/query',
      '/v1/sessions',
      '/v1/sessions/{session}',
      '/v1/sessions/{session}/receipt',
      '/v1/sessions/{session}/replay',
    ]);
    expect(JSON.stringify(paths)).not.toMatch(/shop|weather|vault/);
  });

  it('gives every operation an id of its own', async () => {
    const { paths } = (await describeApi()) as { paths: Record<string, Record<string, { operationId: string }>> };
    const ids = Object.values(paths).flatMap((item) => Object.values(item).map((operation) => operation.operationId));
    expect(new Set(ids).size).toBe(ids.length);
  });
});

describe('readiness', () => {
  it('is refused while no worker can run a session', async () => {
    expect((await world.ask({ url: '/ready' })).status).toBe(200);
    const own = await startWorld();
    onTestFinished(() => own.close());
    await own.engine.close();
    expect((await own.ask({ url: '/ready' })).status).toBe(503);
    expect((await own.ask({ url: '/health' })).status).toBe(200);
  });
});

describe('a connection that is kept', () => {
  it('carries many results without collecting listeners', async () => {
    const warnings: string[] = [];
    const warned = (warning: Error): void => void warnings.push(warning.message);
    process.on('warning', warned);
    onTestFinished(() => void process.off('warning', warned));
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    onTestFinished(() => agent.destroy());
    for (let i = 0; i < 15; i += 1) await over(agent);
    await sleep(50);
    expect(warnings).toEqual([]);
  });

  it('is closed when it has been idle for as long as the server says', async () => {
    const { server } = world.server.app;
    const before = server.keepAliveTimeout;
    server.keepAliveTimeout = 200;
    onTestFinished(() => {
      server.keepAliveTimeout = before;
    });
    const agent = new Agent({ keepAlive: true, maxSockets: 1, timeout: 30_000 });
    onTestFinished(() => agent.destroy());
    await over(agent);
    await sleep(2_000);
    expect(Object.values(agent.freeSockets).flat()).toEqual([]);
  });
});

describe('two servers of one process', () => {
  it('read each their own folder, though their boundaries are the same', async () => {
    const salt = 'the same';
    const first = await startWorld({ salt });
    onTestFinished(() => first.close());
    const second = await startWorld({ salt });
    onTestFinished(() => second.close());
    await writeFile(join(second.folder, 'data/numbers.csv'), 'i\n77\n');
    for (const [at, rows] of [
      [first, 3_000],
      [second, 1],
    ] as const) {
      const token = await at.token(analyst);
      const reply = await at.ask({ ...query('SELECT count(*) AS n FROM numbers'), token });
      expect(reply.json()).toMatchObject({ rows: [[rows]] });
    }
  });
});

function over(agent: Agent): Promise<void> {
  return new Promise((done, fail) => {
    const request = httpRequest(`${world.server.url}/v1/products/shop/query`, {
      method: 'POST',
      agent,
      headers: { 'content-type': 'application/json', authorization: `Bearer ${ada}` },
    });
    request.on('response', (answer) => {
      answer.resume();
      answer.on('end', () => setImmediate(done));
    });
    request.on('error', fail);
    request.end(JSON.stringify(query('SELECT 1 AS one').payload));
  });
}
