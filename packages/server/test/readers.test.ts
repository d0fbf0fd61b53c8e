import { connect, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import { SLOW } from './product.ts';
import { analyst, eventually, query, send, sessionsOf, startWorld, type World } from './support.ts';

// A reader who takes little, or nothing, or asks much at once, disturbs nobody.

let world: World;
let ada: string;
beforeEach(async () => {
  // Shorter than the time limit of the product, which is 20 s.
  world = await startWorld({ limits: { slowReaderMsMax: 1_500, headersMsMax: 1_000, requestCheckEveryMs: 200 } });
  ada = await world.token(analyst);
});
afterEach(() => world?.close());

/** More than all buffers on its way hold. */
const MUCH =
  "SELECT a.i, b.i AS j, 'xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx' AS t FROM numbers a, numbers b WHERE a.i < 60";

function asking(sql: string): string {
  const body = JSON.stringify(query(sql).payload);
  const headers = `host: x\r\nauthorization: Bearer ${ada}\r\naccept: text/csv\r\ncontent-type: application/json`;
  return `POST /v1/products/shop/query HTTP/1.1\r\n${headers}\r\ncontent-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`;
}

/** A connection on which nothing is read. */
function silent(...sent: string[]): Socket {
  const { hostname, port } = new URL(world.server.url);
  const socket = connect(Number(port), hostname);
  socket.on('error', () => undefined);
  socket.pause();
  socket.write(sent.join(''));
  return socket;
}

const worker = async (): Promise<number | undefined> => (await world.engine.health())[0]?.pid;
const outcome = async () => (await sessionsOf(world, 'ada'))[0]?.outcome;

describe('a reader who takes nothing', () => {
  it('has its session cancelled, and the worker that others share goes on', async () => {
    const before = await worker();
    const socket = silent(asking(MUCH));
    expect(await eventually(outcome, 10_000)).toMatchObject({ status: 'cancelled', error: { code: 'cancelled' } });
    await sleep(1_500);
    expect(await worker()).toBe(before);
    socket.destroy();
  });

  it('is cut off when somebody cancels its session, whose outcome is its own', async () => {
    const before = await worker();
    const socket = silent(asking(MUCH));
    const { intent } = await eventually(async () => (await sessionsOf(world, 'ada'))[0], 5_000);
    await sleep(300);
    const url = `/v1/sessions/${intent.session}`;
    expect((await world.ask({ url, method: 'DELETE', token: ada })).status).toBe(202);
    const ended = await eventually(outcome, 1_500);
    expect(ended).toMatchObject({ status: 'cancelled', error: { detail: 'cancelled by ada of north' } });
    await sleep(1_500);
    expect(await worker()).toBe(before);
    socket.destroy();
  });
});

describe('a reader who takes nothing until the time limit has passed', () => {
  it('is cut off, and the worker that others share goes on', async () => {
    const own = await startWorld({ timeout: '1s' });
    onTestFinished(() => own.close());
    const token = await own.token(analyst);
    const answer = await send(own.server.url, token, MUCH, 'text/csv');
    answer.pause();
    const [before] = await own.engine.health();
    await sleep(4_000);
    expect((await own.engine.health())[0]?.pid).toBe(before?.pid);
    expect((await sessionsOf(own, 'ada'))[0]?.outcome?.error?.code).toBe('limit_time');
    answer.destroy();
  });
});

describe('requests that follow each other without waiting', () => {
  it('are cancelled, all of them, when their connection closes', async () => {
    const socket = silent(asking(SLOW), asking(SLOW), asking(SLOW));
    await eventually(async () => ((await sessionsOf(world, 'ada')).length === 3 ? true : null), 10_000);
    socket.destroy();
    await eventually(async () => {
      const sessions = await sessionsOf(world, 'ada');
      return sessions.every((session) => session.outcome?.status === 'cancelled') ? true : null;
    }, 4_000);
  });
});

describe('bytes that are no request', () => {
  const answerTo = (...sent: string[]): Promise<string> =>
    new Promise((done) => {
      const socket = silent(...sent);
      let text = '';
      socket.on('data', (chunk: Buffer) => {
        text += chunk.toString();
      });
      socket.on('close', () => done(text));
      socket.resume();
    });

  it.each([
    ['two lengths', 'POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 5\r\ncontent-length: 6\r\n\r\nhello'],
    [
      'a length and chunks',
      'POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 5\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n',
    ],
    [
      'chunks that are not the last coding',
      'POST / HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked, gzip\r\n\r\n0\r\n\r\n',
    ],
    ['a header without a name', 'GET /health HTTP/1.1\r\nhost: x\r\n: y\r\n\r\n'],
    ['a space before the colon', 'GET /health HTTP/1.1\r\nhost: x\r\nauthorization : y\r\n\r\n'],
    ['another protocol', '\u0016\u0003\u0001\u0000\u0005hello'],
  ])('%s: one problem, and the connection ends', async (_, bytes) => {
    const text = await answerTo(bytes, 'GET /health HTTP/1.1\r\nhost: x\r\n\r\n');
    expect(text).toMatch(/^HTTP\/1\.1 400 /);
    expect(text.match(/HTTP\/1\.1/g)).toHaveLength(1);
    expect(text).not.toContain('alive');
    expect(JSON.parse(text.split('\r\n\r\n')[1] ?? '')).toMatchObject({ code: 'request_invalid', status: 400 });
  });

  it('headers that are too large', async () => {
    const text = await answerTo(`GET /health HTTP/1.1\r\nhost: x\r\nx: ${'y'.repeat(20_000)}\r\n\r\n`);
    expect(JSON.parse(text.split('\r\n\r\n')[1] ?? '')).toMatchObject({ code: 'headers_too_large', status: 431 });
  });

  it('headers that never end: the connection ends, whether something came of them or not', async () => {
    const text = await answerTo('GET /health HTTP/1.1\r\nhost: x\r\nx:');
    expect(JSON.parse(text.split('\r\n\r\n')[1] ?? '')).toMatchObject({ code: 'request_timeout', status: 408 });
    await answerTo('');
  });

  it('are not answered in the midst of the answer to a request before them', async () => {
    const text = await answerTo(asking('SELECT i FROM numbers'), '\u0000\u0000\r\n\r\n');
    expect(text).not.toContain('HTTP/1.1 400');
  });
});
