import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import type { ServerResponse } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Writable } from 'node:stream';
import { afterAll, describe, expect, test } from 'vitest';

import { ambit, json, playing, problem } from './player.ts';

const folder = mkdtempSync(join(tmpdir(), 'ambit-cli-'));
afterAll(() => rmSync(folder, { recursive: true }));

const result = {
  columns: [
    { name: 'origin', type: 'string', nullable: true },
    { name: 'flights', type: 'bigint', nullable: false },
  ],
  rows: [
    ['ATL', 12],
    [null, '9007199254740993'],
  ],
  complete: true,
};
const session = { 'ambit-session': 'ses_1' };
const whole = (response: ServerResponse): void => json(response, result, session);
/** Writes something of the right kind, then breaks the connection. */
const breakOff = (response: ServerResponse, type: string, text: string): void => {
  response.writeHead(200, { 'content-type': type, ...session });
  response.write(text, () => setTimeout(() => response.destroy(), 20));
};

describe('ambit query', () => {
  test('writes a table to stdout, and count and session to stderr', async () => {
    await using server = await playing(whole);
    const ran = await ambit(['query', 'flights', 'SELECT 1', '--server', server.url]);
    expect(ran).toEqual({
      status: 0,
      out: 'origin           flights\n------  ----------------\nATL                   12\nNULL    9007199254740993\n',
      err: '2 rows, session ses_1\n',
    });
  });

  test('asks for a version, and says that it comes to its end', async () => {
    const ends = {
      deprecation: '@1801267200',
      sunset: 'Wed, 30 Jun 2027 00:00:00 GMT',
      link: '</v1/products/flights@2.0.0>; rel="successor-version"',
    };
    await using server = await playing((response) => json(response, result, { ...session, ...ends }));
    const ran = await ambit(['query', 'flights@1', 'SELECT 1', '--server', server.url]);
    expect(server.heard[0]?.url).toBe('/v1/products/flights%401/query');
    expect(ran.err).toBe(
      '2 rows, session ses_1\nnote: this version is deprecated since 2027-01-30; it ends on 2027-06-30; use flights@2.0.0\n',
    );
    await using other = await playing((response) => json(response, result, { ...session, deprecation: '@1801267200' }));
    const less = await ambit(['query', 'flights@1', 'SELECT 1', '--server', other.url]);
    expect(less.err).toContain('note: this version is deprecated since 2027-01-30\n');
  });

  test('asks with statement, purpose and parameters, and with the credential from the environment', async () => {
    await using server = await playing(whole);
    const words = [
      'query',
      'flights',
      'SELECT $a',
      '--purpose',
      'research',
      '--parameter',
      'a=7',
      '--parameter',
      'b=CA',
      '--parameter',
      'c="7"',
      '--parameter',
      'd=a=b',
    ];
    await ambit(words, { env: { AMBIT_SERVER: server.url, AMBIT_TOKEN: 'key-1' } });
    expect(server.heard).toMatchObject([
      {
        method: 'POST',
        url: '/v1/products/flights/query',
        headers: { authorization: 'Bearer key-1', accept: 'application/json, application/problem+json' },
        body: { sql: 'SELECT $a', purpose: 'research', parameters: { a: 7, b: 'CA', c: '7', d: 'a=b' } },
      },
    ]);
  });

  test('leaves the purpose out when none is given: the server decides what that means', async () => {
    await using server = await playing(whole);
    await ambit(['query', 'flights', 'SELECT 1', '--server', server.url]);
    expect(server.heard[0]?.body).not.toHaveProperty('purpose');
    expect(server.heard[0]?.headers).not.toHaveProperty('authorization');
  });

  test('asks the evidence for the purpose that it is there for', async () => {
    await using server = await playing(whole);
    await ambit(['evidence', 'query', 'SELECT 1', '--server', server.url]);
    await ambit(['evidence', 'query', '--query', 'refused', '--server', server.url]);
    expect(server.heard).toMatchObject([
      { url: '/v1/products/evidence/query', body: { sql: 'SELECT 1', purpose: 'review' } },
      { url: '/v1/products/evidence/queries/refused', body: { purpose: 'review' } },
    ]);
  });

  test('keeps every digit of a parameter', async () => {
    await using server = await playing(whole);
    await ambit(['query', 'p', '--query', 'q', '--parameter', 'a=9007199254740993', '--server', server.url]);
    expect(server.heard[0]).toMatchObject({
      url: '/v1/products/p/queries/q',
      body: { parameters: { a: '9007199254740993' } },
    });
  });

  test('reads the statement from a file', async () => {
    await using server = await playing(whole);
    const file = join(folder, 'question.sql');
    writeFileSync(file, 'SELECT 42');
    await ambit(['query', 'flights', '--file', file, '--server', server.url]);
    expect(server.heard[0]?.body).toMatchObject({ sql: 'SELECT 42' });
  });

  test.each([
    ['ndjson', 'application/x-ndjson', '{"a":1}\n{"a":2}\n'],
    ['csv', 'text/csv', 'a\r\n1\r\n'],
    ['json', 'application/json', '{"columns":[],"rows":[],"complete":true}'],
  ])('passes %s on as it comes', async (format, type, text) => {
    await using server = await playing((response) => response.writeHead(200, session).end(text));
    const ran = await ambit(['query', 'p', 'SELECT 1', '--format', format, '--server', server.url]);
    expect(ran).toEqual({ status: 0, out: text, err: 'session ses_1\n' });
    expect(server.heard[0]?.headers.accept).toContain(type);
  });

  test('writes a file in the format of its name', async () => {
    await using server = await playing((response) => response.writeHead(200, session).end('a\r\n1\r\n'));
    const file = join(folder, 'out.csv');
    const ran = await ambit(['query', 'p', 'SELECT 1', '--output', file, '--server', server.url]);
    expect(ran).toMatchObject({ status: 0, out: '' });
    expect(server.heard[0]?.headers.accept).toContain('text/csv');
    expect(readFileSync(file, 'utf8')).toBe('a\r\n1\r\n');
  });

  test('shows progress on a terminal and takes it away', async () => {
    await using server = await playing((response) => setTimeout(() => whole(response), 1000));
    const ran = await ambit(['query', 'p', 'SELECT 1', '--server', server.url], { errIsTerminal: true });
    expect(ran.err).toContain('running, 0 s');
    expect(ran.err.endsWith('\r\u001b[K2 rows, session ses_1\n')).toBe(true);
  });
});

describe('an answer that breaks off', () => {
  test.each([
    ['ndjson', 'application/x-ndjson', '{"a":1}\n'],
    ['csv', 'text/csv', 'a\r\n1\r\n'],
    ['json', 'application/json', '{"columns":[],"rows":[[1],'],
    ['table', 'application/json', '{"columns":[],"rows":[[1],'],
    ['arrow', 'application/vnd.apache.arrow.stream', 'ARROW'],
  ])('as %s is known by its exit status', async (format, type, text) => {
    await using server = await playing((response) => breakOff(response, type, text));
    const ran = await ambit(['query', 'p', 'SELECT 1', '--format', format, '--server', server.url]);
    expect(ran.status).toBe(4);
    expect(ran.err).toMatch(/session ses_1\nerror: the answer broke off.*\nhint: /);
    expect(ran.out).toBe(format === 'table' ? '' : text);
  });

  test.each([
    ['json', '{"columns":[],"rows":[]}'],
    ['table', '{"columns":[],"rows":[[1]],"complete":false}'],
    ['arrow', 'ARROW'],
  ])('as %s is known even when the connection ends well', async (format, text) => {
    await using server = await playing((response) => response.writeHead(200, session).end(text));
    expect(await ambit(['query', 'p', 'SELECT 1', '--format', format, '--server', server.url])).toMatchObject({
      status: 4,
    });
  });

  test('an Arrow stream with its end is whole', async () => {
    const bytes = Buffer.from([1, 2, 3, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0]);
    await using server = await playing((response) => {
      response.writeHead(200, session);
      response.write(bytes.subarray(0, 6), () => setTimeout(() => response.end(bytes.subarray(6)), 20));
    });
    expect(await ambit(['query', 'p', 'SELECT 1', '--format', 'arrow', '--server', server.url])).toMatchObject({
      status: 0,
    });
  });

  test('leaves no file behind that looks whole', async () => {
    await using server = await playing((response) => breakOff(response, 'text/csv', 'a\r\n1\r\n'));
    const file = join(folder, 'broken.csv');
    expect(await ambit(['query', 'p', 'SELECT 1', '--output', file, '--server', server.url])).toMatchObject({
      status: 4,
    });
    expect(existsSync(file)).toBe(false);
    expect(readdirSync(folder).filter((name) => name.includes('partial'))).toEqual([]);
  });
});

describe('refusals and failures', () => {
  const refusal = {
    title: 'Refused',
    detail: 'a purpose is needed',
    code: 'purpose_required',
    hint: 'one of research, operations',
    session: 'ses_9',
  };

  test('a problem is told with its code and hint', async () => {
    await using server = await playing((response) => problem(response, 403, refusal));
    expect(await ambit(['query', 'p', 'SELECT 1', '--server', server.url])).toEqual({
      status: 1,
      out: '',
      err: 'error: a purpose is needed [purpose_required]\nhint: one of research, operations\nsession: ses_9\n',
    });
  });

  test.each([
    [400, 1],
    [401, 1],
    [404, 1],
    [429, 1],
    [500, 1],
    [502, 3],
    [503, 3],
    [504, 3],
  ])('status %i is exit status %i', async (status, exitStatus) => {
    await using server = await playing((response) => problem(response, status, refusal));
    expect(await ambit(['query', 'p', 'SELECT 1', '--server', server.url])).toMatchObject({ status: exitStatus });
  });

  test('an answer that is no problem document is told by its status', async () => {
    await using server = await playing((response) =>
      response.writeHead(502, { 'content-type': 'text/html' }).end('<h1>Bad</h1>'),
    );
    expect(await ambit(['query', 'p', 'SELECT 1', '--server', server.url])).toMatchObject({
      status: 3,
      err: 'error: the server answered with status 502\n',
    });
  });

  test('a text from the server cannot write to the terminal', async () => {
    await using server = await playing((response) =>
      problem(response, 400, { detail: 'a\u001b[2Jb', hint: '\u009b2J' }),
    );
    expect((await ambit(['query', 'p', 'SELECT 1', '--server', server.url])).err).not.toMatch(/(?!\n)\p{Cc}/u);
  });

  test('a server that is not there', async () => {
    const { url } = await playing(whole).then(async (server) => {
      await server[Symbol.asyncDispose]();
      return server;
    });
    const ran = await ambit(['query', 'p', 'SELECT 1', '--server', url]);
    expect(ran).toMatchObject({ status: 3, out: '' });
    expect(ran.err).toMatch(/^error: cannot reach `http:\/\/127\.0\.0\.1:\d+`: ECONNREFUSED\nhint: is the server up\?/);
  });

  test('an interrupt ends the request, and the server sees it', async () => {
    let closed = false;
    await using server = await playing((response) => {
      response.on('close', () => {
        closed = true;
      });
    });
    const ran = await ambit(['query', 'p', 'SELECT 1', '--server', server.url], { interruptAfterMs: 50 });
    expect(ran).toMatchObject({ status: 130, out: '' });
    await expect.poll(() => closed).toBe(true);
  });

  test('a reader that has gone is no failure, and ends the request', async () => {
    let closed = false;
    await using server = await playing((response) => {
      response.on('close', () => {
        closed = true;
      });
      response.writeHead(200, session);
      setInterval(() => response.write('{"a":1}\n'), 5).unref();
    });
    const out = new Writable({
      write: (_chunk, _encoding, done) => done(Object.assign(new Error('write EPIPE'), { code: 'EPIPE' })),
    });
    expect(
      await ambit(['query', 'p', 'SELECT 1', '--format', 'ndjson', '--server', server.url], { out }),
    ).toMatchObject({ status: 0 });
    await expect.poll(() => closed).toBe(true);
  });

  test('a key does not cross a network in clear', async () => {
    const ran = await ambit(['query', 'p', 'SELECT 1', '--server', 'http://data.example.com'], {
      env: { AMBIT_TOKEN: 'key-1' },
    });
    expect(ran).toMatchObject({ status: 2, out: '' });
    expect(ran.err).toContain('in clear');
    expect(ran.err).not.toContain('key-1');
  });
});

describe('a wrong command line', () => {
  test.each([
    [['query']],
    [['query', 'p']],
    [['query', 'p', 'SELECT 1', '--query', 'q']],
    [['query', 'p', 'SELECT 1', '--format', 'xml']],
    [['query', 'p', 'SELECT 1', '--parameter', 'x']],
    [['query', 'p', 'SELECT 1', '--parameter', 'x=1', '--parameter', 'x=2']],
    [['query', 'p', 'SELECT 1', '--no-such-option']],
    [['query', 'p', 'SELECT 1', 'SELECT 2']],
    [['query', 'p', 'SELECT 1', '--server', 'nowhere']],
    [['query', 'p', 'SELECT 1', '--server', 'ftp://a']],
    [['query', 'p', 'SELECT 1', '--as', 'nobody']],
    [['query', 'p', 'SELECT 1', '--as', '../../etc/passwd']],
    [['query', 'p', '--file', '/no/such/file']],
    [['nonsense']],
    [[]],
  ])('%j', async (words) => {
    const ran = await ambit(words, { env: { AMBIT_SERVER: 'http://127.0.0.1:9' } });
    expect(ran).toMatchObject({ status: 2, out: '' });
    expect(ran.err).toMatch(/^error: .+\nhint: .+\n$|^Usage: /);
  });

  test('help is data, and no failure', async () => {
    const ran = await ambit(['query', '--help']);
    expect(ran).toMatchObject({ status: 0, err: '' });
    expect(ran.out).toContain('Usage: ambit query');
    expect((await ambit(['--help'])).out).toContain('Exit status: 0 done');
  });
});
