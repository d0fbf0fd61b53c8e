import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { tableFromIPC } from '@uwdata/flechette';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { HIDDEN, SLOW, SLOW_END } from './product.ts';
import { analyst, eventually, query, send, sessionsOf, startWorld, transfer, type World } from './support.ts';

let world: World;
let ada: string;
beforeEach(async () => {
  world = await startWorld();
  ada = await world.token(analyst);
});
afterEach(() => world?.close());

/** Its last row cannot be read. */
const FAILING = 'SELECT i, value FROM readings';

describe('a result that fails halfway', () => {
  it('is cut in every format, and holds no mark of its end', async () => {
    const json = await transfer(world, ada, FAILING, 'application/json');
    expect(() => JSON.parse(json.bytes.toString()) as unknown).toThrow();
    expect(json.bytes.toString()).not.toContain('complete');
    const csv = await transfer(world, ada, FAILING, 'text/csv');
    const arrow = await transfer(world, ada, FAILING, 'application/vnd.apache.arrow.stream');
    expect(arrow.bytes.subarray(-8).toString('hex')).not.toBe('ffffffff00000000');
    const ndjson = await transfer(world, ada, FAILING, 'application/x-ndjson');
    const last = ndjson.bytes.toString().trim().split('\n').at(-1) ?? '';
    const problem: unknown = JSON.parse(last);
    expect(problem).toMatchObject({ $problem: { code: 'source_failed', session: ndjson.headers['ambit-session'] } });
    for (const { status, complete, bytes } of [json, csv, arrow, ndjson]) {
      expect({ status, complete }).toEqual({ status: 200, complete: false });
      expect(bytes.length).toBeGreaterThan(100_000);
      expect(bytes.includes(HIDDEN)).toBe(false);
    }
  });

  it('is recognizable to a client of HTTP/1.0 too, which knows no chunks', async () => {
    const { hostname, port } = new URL(world.server.url);
    const socket = connect(Number(port), hostname);
    const body = JSON.stringify(query(FAILING).payload);
    socket.write(
      `POST /v1/products/shop/query HTTP/1.0\r\nauthorization: Bearer ${ada}\r\naccept: text/csv\r\n` +
        `content-type: application/json\r\ncontent-length: ${body.length}\r\n\r\n${body}`,
    );
    const chunks: Buffer[] = [];
    socket.on('data', (chunk: Buffer) => chunks.push(chunk));
    const reset = await new Promise<boolean>((done) => {
      socket.on('error', () => done(true));
      socket.on('close', () => done(false));
    });
    // A reset says it; a status that is no success does; an orderly end after a 200 does not.
    expect(reset || !/^HTTP\/1\.[01] 200/.test(Buffer.concat(chunks).toString())).toBe(true);
  });

  it('leaves one outcome, and does not count what was not delivered', async () => {
    const { headers, bytes } = await transfer(world, ada, FAILING, 'text/csv');
    const session = await world.evidence.session(String(headers['ambit-session']));
    expect(session?.outcome).toMatchObject({ status: 'failed', error: { code: 'source_failed' } });
    // A cut may lose what was on its way: never the other way round.
    expect(session?.outcome?.bytes).toBeGreaterThanOrEqual(bytes.length);
  });

  it('counts no row when no byte left', async () => {
    // One batch of it is whole, and held back; the next fails.
    const reply = await world.ask({ ...query('SELECT i, value FROM readings WHERE i > 57000'), token: ada });
    expect(reply.json()['code']).toBe('source_failed');
    const session = await world.evidence.session(String(reply.json()['session']));
    expect(session?.outcome).toMatchObject({ rows: 0, bytes: 0 });
  });

  it('frees its place: as many fail as want to', async () => {
    for (let i = 0; i < 6; i += 1) await transfer(world, ada, FAILING, 'text/csv');
    expect((await world.ask({ ...query('SELECT 1 AS one'), token: ada })).status).toBe(200);
  });
});

describe('a limit that is reached on the way', () => {
  it('cuts the result, and the evidence names it', async () => {
    const { complete, bytes, headers } = await transfer(
      world,
      ada,
      'SELECT a.i FROM numbers a, numbers b',
      'application/x-ndjson',
    );
    expect(complete).toBe(false);
    const lines = bytes.toString().trim().split('\n');
    expect(JSON.parse(lines.at(-1) ?? '')).toMatchObject({ $problem: { code: 'limit_rows', boundary: 'limits' } });
    expect(lines.length - 1).toBeLessThanOrEqual(200_000);
    const session = await world.evidence.session(String(headers['ambit-session']));
    expect(session?.outcome).toMatchObject({ error: { code: 'limit_rows' } });
  });
});

describe('a consumer that goes away', () => {
  const outcome = async () => (await sessionsOf(world, 'ada'))[0]?.outcome;

  it('before the first byte ends its session within seconds', async () => {
    let leave = (): void => {};
    const sent = send(world.server.url, ada, SLOW, 'text/csv', (destroy) => {
      leave = destroy;
    }).catch(() => null);
    await eventually(async () => (await sessionsOf(world, 'ada'))[0], 5_000);
    await sleep(200);
    leave();
    await sent;
    expect(await eventually(outcome, 4_000)).toMatchObject({ error: { code: 'cancelled' } });
  });

  it('while it waits for a row ends its session within seconds', async () => {
    const answer = await send(world.server.url, ada, SLOW_END);
    let at = Date.now();
    answer.on('data', () => {
      at = Date.now();
    });
    answer.on('error', () => undefined);
    await eventually(async () => Date.now() - at > 500 || null, 10_000);
    expect(await outcome()).toBeNull();
    answer.destroy();
    expect(await eventually(outcome, 4_000)).toMatchObject({ error: { code: 'cancelled' } });
  });

  it('while rows flow ends its session within seconds', async () => {
    const answer = await send(world.server.url, ada, SLOW_END);
    answer.on('error', () => undefined);
    await new Promise((first) => answer.once('data', first));
    answer.destroy();
    expect(await eventually(outcome, 4_000)).toMatchObject({ error: { code: 'cancelled' } });
  });
});

describe('a session that is cancelled', () => {
  it('answers 409 and says so in the evidence', async () => {
    const asked = world.ask({ ...query(SLOW), token: ada });
    const { intent } = await eventually(async () => (await sessionsOf(world, 'ada'))[0], 5_000);
    const url = `/v1/sessions/${intent.session}`;
    const other = await world.token({ ...analyst, principal: 'bob' });
    expect((await world.ask({ url, method: 'DELETE', token: other })).status).toBe(404);
    await sleep(100);
    expect((await world.ask({ url, method: 'DELETE', token: ada })).status).toBe(202);
    expect((await asked).json()).toMatchObject({ status: 409, code: 'cancelled' });
    const [session] = await sessionsOf(world, 'ada');
    expect(session?.outcome).toMatchObject({ rows: 0, bytes: 0, error: { code: 'cancelled' } });
    expect((await world.ask({ url, method: 'DELETE', token: ada })).status).toBe(409);
  });
});

describe('a product that is full', () => {
  it('lets some wait, refuses the rest, and has room again', async () => {
    // Four run, one waits.
    const first = Array.from({ length: 5 }, () => world.ask({ ...query(SLOW), token: ada }));
    await eventually(async () => ((await sessionsOf(world, 'ada')).length === 4 ? true : null), 10_000);
    const refused = await world.ask({ ...query('SELECT 1 AS one'), token: ada });
    expect(refused.json()).toMatchObject({ status: 429, code: 'limit_concurrency' });
    expect(refused.headers['retry-after']).toBe('1');
    // Another tenant's subjects are not its crowd.
    const keeper = await world.token({ tenant: 'south', principal: 'k', roles: ['keeper'] });
    const other = { sql: 'SELECT count(*) AS n FROM coins', purpose: 'reporting' };
    expect((await world.ask({ url: '/v1/products/vault/query', token: keeper, payload: other })).status).toBe(200);
    const stop = async (): Promise<void> => {
      const running = (await sessionsOf(world, 'ada')).filter((session) => session.outcome === null);
      for (const { intent } of running)
        await world.ask({ url: `/v1/sessions/${intent.session}`, method: 'DELETE', token: ada });
    };
    const stopping = setInterval(() => void stop(), 300);
    const ended = await Promise.all(first);
    clearInterval(stopping);
    expect(ended.map(({ status }) => status)).toEqual([409, 409, 409, 409, 409]);
    expect((await world.ask({ ...query('SELECT 1 AS one'), token: ada })).status).toBe(200);
  });
});

describe('no evidence', () => {
  it('no session: 503, until it can be written again', async () => {
    world.full.now = true;
    const refused = await world.ask({ ...query('SELECT 1 AS one'), token: ada });
    expect(refused.json()).toMatchObject({ status: 503, code: 'evidence_unavailable', boundary: 'evidence' });
    expect(refused.headers['retry-after']).toBe('1');
    expect((await world.ask({ url: '/ready' })).status).toBe(503);
    expect((await world.ask({ url: '/health' })).status).toBe(200);
    world.full.now = false;
    await eventually(async () => {
      const { status } = await world.ask({ ...query('SELECT 1 AS one'), token: ada });
      return status === 200 ? true : null;
    }, 10_000);
    expect((await world.ask({ url: '/ready' })).status).toBe(200);
  });

  it('no refusal either: nothing is answered that is not recorded', async () => {
    world.full.now = true;
    const payload = { sql: 'SELECT 1', purpose: 'fun' };
    const reply = await world.ask({ url: '/v1/products/shop/query', token: ada, payload });
    expect(reply.json()).toMatchObject({ status: 503, code: 'evidence_unavailable' });
  });

  it('for the outcome: the result never ends', async () => {
    // The first byte is there before the log is full.
    const answer = await send(world.server.url, ada, SLOW_END, 'application/vnd.apache.arrow.stream');
    world.full.now = true;
    const chunks: Buffer[] = [];
    answer.on('data', (chunk: Buffer) => chunks.push(chunk));
    answer.on('error', () => undefined);
    const closed = new Promise<void>((done) => answer.once('close', done));
    const id = String(answer.headers['ambit-session']);
    await world.ask({ url: `/v1/sessions/${id}`, method: 'DELETE', token: ada });
    await closed;
    expect(answer.complete).toBe(false);
    expect(Buffer.concat(chunks).subarray(-8).toString('hex')).not.toBe('ffffffff00000000');
    expect((await world.evidence.session(id))?.outcome).toBeNull();
  });
});

describe('a worker that dies', () => {
  it('ends its session as crashed, and the next one runs', async () => {
    const asked = world.ask({ ...query(SLOW), token: ada });
    await eventually(async () => (await sessionsOf(world, 'ada'))[0], 5_000);
    await sleep(200);
    const [worker] = await world.engine.health();
    process.kill(worker?.pid ?? 0, 'SIGKILL');
    expect((await asked).json()).toMatchObject({ status: 502, code: 'engine_crashed' });
    const [session] = await sessionsOf(world, 'ada');
    expect(session?.outcome).toMatchObject({ status: 'crashed', rows: 0, bytes: 0 });
    const next = await transfer(world, ada, 'SELECT 1 AS one', 'application/vnd.apache.arrow.stream');
    expect(tableFromIPC(next.bytes).numRows).toBe(1);
  });
});
