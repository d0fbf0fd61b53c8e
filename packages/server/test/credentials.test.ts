import { connect } from 'node:net';
import { writeFile } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { revokeKey } from '../src/keys.ts';
import { InsecureListen, startServer } from '../src/server.ts';
import { analyst, query, startWorld, type World } from './support.ts';

describe('the server', () => {
  let world: World;
  beforeAll(async () => {
    world = await startWorld();
  });
  afterAll(() => world?.close());

  it.each(['Bearer nonsense', 'Bearer ambit_0000000000000000_', 'Basic YTpi', 'ambit', ''])(
    'refuses the credential `%s`, where anonymous is allowed too',
    async (authorization) => {
      const reply = await world.ask({
        url: '/v1/products/weather/queries/rainy',
        headers: { authorization, 'ambit-purpose': 'browsing' },
      });
      expect(reply.json()).toMatchObject({ status: 401, code: 'credential_invalid', boundary: 'authentication' });
      expect(reply.headers['www-authenticate']).toMatch(/^Bearer/);
      for (const word of authorization.split(' ').filter((part) => part.length > 6))
        expect(reply.body.replace('`Authorization: Bearer`', '')).not.toContain(word);
    },
  );

  it('lets nobody in without a credential but where a contract says so, and for its purposes alone', async () => {
    const open = (product: string, purpose: string) =>
      world.ask({ url: `/v1/products/${product}/query`, payload: { sql: 'SELECT 1 AS one', purpose } });
    expect((await open('weather', 'browsing')).status).toBe(200);
    expect((await open('shop', 'reporting')).json()).toMatchObject({ status: 401, code: 'credential_required' });
    // A product that is not there is told no better.
    expect((await open('nothing', 'reporting')).body).toBe((await open('shop', 'reporting')).body);
    expect((await open('weather', 'planning')).json()).toMatchObject({ status: 403, code: 'purpose_refused' });
  });

  it('lists for nobody what nobody may open', async () => {
    const reply = await world.ask({ url: '/v1/products' });
    expect(reply.json()).toMatchObject({ products: [{ name: 'weather', purposes: [{ name: 'browsing' }] }] });
    expect(reply.body).not.toContain('planning');
    expect(reply.body).not.toContain('shop');
    expect((await world.ask({ url: '/v1/sessions' })).status).toBe(401);
  });

  it('refuses a revoked key with the next request', async () => {
    const token = await world.token({ ...analyst, principal: 'rita' });
    expect((await world.ask({ ...query('SELECT 1 AS one'), token })).status).toBe(200);
    await revokeKey(world.keys, token.split('_')[1] ?? '');
    expect((await world.ask({ ...query('SELECT 1 AS one'), token })).status).toBe(401);
  });

  it('keeps claims that the contract does not declare from the engine', async () => {
    const token = await world.token({ ...analyst, claims: { region: 'west', evil: 'x' } });
    expect((await world.ask({ ...query('SELECT id FROM orders'), token })).status).toBe(200);
  });

  it('listens to this machine alone, unless there is TLS', async () => {
    const options = {
      products: world.products,
      engine: world.engine,
      evidence: world.evidence,
      keys: world.keys,
      issuers: [],
      port: 0,
      tls: null,
      version: '0.1.0',
      log: () => {},
    };
    await expect(startServer({ ...options, host: '0.0.0.0', insecure: false })).rejects.toThrow(InsecureListen);
    await expect(startServer({ ...options, host: '::', insecure: false })).rejects.toThrow(InsecureListen);
    const server = await startServer({ ...options, host: '0.0.0.0', insecure: true });
    await server.close();
  });

  it('refuses two credentials: what is in front may have looked at the other', async () => {
    const token = await world.token(analyst);
    const { hostname, port } = new URL(world.server.url);
    const answer = await new Promise<string>((resolve) => {
      const socket = connect(Number(port), hostname);
      let text = '';
      socket.on('data', (chunk: Buffer) => {
        text += chunk.toString();
      });
      socket.on('close', () => resolve(text));
      const twice = `authorization: Bearer ${token}\r\n`.repeat(2);
      socket.write(`GET /v1/products HTTP/1.1\r\nhost: x\r\nconnection: close\r\n${twice}\r\n`);
    });
    expect(answer).toMatch(/^HTTP\/1\.1 401 /);
    expect(answer).toContain('"detail":"there are two credentials"');
  });

  it('says that nobody can tell while the file of keys is broken, and tells the operator where', async () => {
    const own = await startWorld();
    const token = await own.token(analyst);
    await writeFile(own.keys, '{"keys": [{}]}');
    const reply = await own.ask({ url: '/v1/products', token });
    expect(reply.json()).toMatchObject({ status: 503, code: 'identity_unavailable', boundary: 'authentication' });
    expect(own.said.join()).toContain(reply.headers['ambit-request']);
    expect(own.said.join()).not.toContain(token);
    await own.close();
  });
});

describe('a route', () => {
  let world: World;
  beforeAll(async () => {
    world = await startWorld();
  });
  afterAll(() => world?.close());

  /** Whoever adds a route that needs no credential says so here. */
  const forEveryone = ['GET /health', 'GET /ready', 'GET /v1/openapi.json'];
  /** Without a credential it shows what contracts say that nobody in particular may see. */
  const forContracts = ['GET /v1/products'];

  it('needs a credential, or is on a short list', async () => {
    const { paths } = (await world.ask({ url: '/v1/openapi.json' })).json() as { paths: Record<string, object> };
    const described = Object.entries(paths).flatMap(([path, item]) =>
      Object.keys(item).map((method) => `${method.toUpperCase()} ${path}`),
    );
    // What the router knows, not what the document says.
    const known = world.server.app
      .printRoutes({ commonPrefix: false, includeHooks: false })
      .match(/\(([A-Z, ]+)\)/g)
      ?.flatMap((list) => list.slice(1, -1).split(', '))
      .filter((method) => method !== 'HEAD');
    expect(known).toHaveLength(described.length);
    for (const route of described) {
      const [method = '', path = ''] = route.split(' ');
      const url = path
        .replace('{product}', 'shop')
        .replace('{name}', 'largest')
        .replace('{session}', `ses_${'0'.repeat(32)}`);
      const none = await world.ask({ url, method });
      const bad = await world.ask({ url, method, headers: { authorization: 'Bearer nonsense' } });
      const open = forEveryone.includes(route);
      expect({ route, status: none.status }).toEqual({
        route,
        status: open || forContracts.includes(route) ? 200 : 401,
      });
      expect({ route, status: bad.status }).toEqual({ route, status: open ? 200 : 401 });
    }
  });
});
