import { createServer, type IncomingMessage, type Server as HttpServer, type ServerResponse } from 'node:http';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';

import { type Server, startServer } from '../server.ts';

// A store that answers what it likes: a session gets what was asked for, of one version, or an error of Ambit's own words.

type Answering = (request: IncomingMessage, response: ServerResponse) => void;

const subjects = { ann: { tenant: 'shop', roles: ['clerk'] }, vera: { tenant: 'shop', roles: ['auditor'] } };
const CSV = 'region,name\nnorth,North\nsouth,South\n';
const ETAG = '"0123456789abcdef0123456789abcdef"';

let store: HttpServer;
let elsewhere: HttpServer;
let answering: Answering;
let asked: IncomingMessage[] = [];
let strayed = 0;
let folder = '';
let server: Server<keyof typeof subjects>;

const listening = async (one: HttpServer): Promise<string> => {
  await new Promise<void>((done) => one.listen(0, '127.0.0.1', done));
  return `http://127.0.0.1:${(one.address() as AddressInfo).port}`;
};
let other = '';

beforeAll(async () => {
  answering = honest;
  store = createServer((request, response) => {
    asked.push(request);
    answering(request, response);
  });
  elsewhere = createServer((_, response) => {
    strayed += 1;
    response.end(CSV);
  });
  const url = await listening(store);
  other = await listening(elsewhere);
  folder = mkdtempSync(join(tmpdir(), 'ambit-hostile-'));
  writeFileSync(join(folder, 'shops.yaml'), CONTRACT.replace('ENDPOINT', url));
  writeFileSync(join(folder, 'shops.cedar'), CEDAR);
  server = await startServer({ paths: [folder], subjects, environment: 'drift: { every: 24h }\n' });
}, 60_000);
afterAll(async () => {
  await server?.close();
  store.closeAllConnections();
  for (const one of [store, elsewhere]) one.close();
  rmSync(folder, { recursive: true });
});
beforeEach(() => {
  answering = honest;
  asked = [];
});

const CONTRACT = `apiVersion: ambit/v1
kind: DataProduct
name: shops
version: 1.0.0
tenant: shop
owner: { team: sales }
purposes: { selling: test }
stores: { lake: { url: "s3://lake/shop/", endpoint: "ENDPOINT" } }
catalogs: { csv: { type: csv, store: lake } }
tables:
  regions: { catalog: csv, path: regions.csv, columns: { region: { type: string }, name: { type: string } } }
  parts: { catalog: csv, path: parts/, columns: { region: { type: string }, name: { type: string } } }
functions: { allow: ["@aggregate"] }
limits: { timeout: 3s }
`;

const CEDAR = `
@id("all") permit (principal in Role::"shop/clerk", action in [Action::"open", Action::"read", Action::"call"], resource);
@id("evidence") permit (principal in Role::"shop/auditor", action == Action::"readEvidence", resource);
`;

/** What a store is to say. */
function honest({ method, url = '', headers }: IncomingMessage, response: ServerResponse): void {
  if (url.includes('list-type=2')) return listing(response, [['shop/parts/a.csv', ETAG]]);
  part(CSV, method, headers.range, response, { etag: ETAG });
}

function part(
  text: string,
  method: string | undefined,
  range: string | undefined,
  response: ServerResponse,
  headers: Record<string, string>,
): void {
  const bytes = Buffer.from(text);
  const [, from, to] = /^bytes=(\d*)-(\d*)$/.exec(range ?? '') ?? [];
  const start = from === undefined ? 0 : from === '' ? bytes.length - Number(to) : Number(from);
  const end = to === undefined || to === '' || from === '' ? bytes.length : Math.min(Number(to) + 1, bytes.length);
  response.writeHead(range === undefined ? 200 : 206, {
    'last-modified': 'Mon, 01 Jun 2026 00:00:00 GMT',
    'content-length': String(end - start),
    ...(range === undefined ? {} : { 'content-range': `bytes ${start}-${end - 1}/${bytes.length}` }),
    ...headers,
  });
  response.end(method === 'HEAD' ? undefined : bytes.subarray(start, end));
}

function listing(response: ServerResponse, keys: readonly (readonly [key: string, etag: string])[]): void {
  const contents = keys.map(
    ([key, etag]) =>
      `<Contents><Key>${key}</Key><LastModified>2026-06-01T00:00:00.000Z</LastModified><ETag>${etag.replaceAll('"', '&quot;')}</ETag><Size>${CSV.length}</Size></Contents>`,
  );
  response.writeHead(200, { 'content-type': 'application/xml' });
  response.end(`<ListBucketResult><IsTruncated>false</IsTruncated>${contents.join('')}</ListBucketResult>`);
}

async function ask(sql: string): Promise<{ status: number; session: string; body: Record<string, unknown> }> {
  const answer = await server.as('ann', '/v1/products/shops/query', { body: { sql, purpose: 'selling' } });
  const body = (await answer.json()) as Record<string, unknown>;
  return { status: answer.status, session: answer.headers.get('ambit-session') ?? String(body['session']), body };
}

async function refusedAs(code: string, sql: string): Promise<string> {
  const { session, body } = await ask(sql);
  expect(body).toMatchObject({ code });
  expect(JSON.stringify(body)).not.toMatch(/127\.0\.0\.1|lake\/shop|North|quoted by the store/);
  const { outcome } = (await (await server.as('vera', `/v1/sessions/${session}`)).json()) as {
    outcome: { error: { detail: string | null }; engine: { residue: Record<string, number> } };
  };
  expect(outcome.engine.residue).toEqual({ memoryBytes: 0, spillBytes: 0, tasks: 0 });
  return outcome.error.detail ?? '';
}

const ALL = 'SELECT region, name FROM regions ORDER BY region';
const PARTS = 'SELECT count(*) FROM parts';

describe('a store that is honest', () => {
  test('is asked for what is needed, without a signature where there is no credential', async () => {
    expect(await ask(ALL)).toMatchObject({
      status: 200,
      body: {
        rows: [
          ['north', 'North'],
          ['south', 'South'],
        ],
      },
    });
    expect(await ask(PARTS)).toMatchObject({ status: 200, body: { rows: [[2]] } });
    expect(asked.length).toBeGreaterThan(0);
    for (const { headers, url, method } of asked) {
      expect(headers.authorization).toBeUndefined();
      expect(['GET', 'HEAD']).toContain(method);
      expect(url).toMatch(/^\/lake(\/shop\/|\?.*prefix=shop%2Fparts%2F)/);
    }
  });
});

describe('a store that is not', () => {
  test('sends nobody elsewhere', async () => {
    answering = (_, response) => {
      response.writeHead(307, { location: `${other}/lake/shop/regions.csv` });
      response.end();
    };
    await refusedAs('source_failed', ALL);
    expect(strayed).toBe(0);
  });

  test.each([
    ['beside its prefix', 'other/secret.csv'],
    ['beside the folder', 'shop/partsold/secret.csv'],
    ['that climbs out', 'shop/parts/../secret.csv'],
  ])('cannot list an object %s', async (_, key) => {
    answering = (request, response) =>
      request.url?.includes('list-type=2') === true ? listing(response, [[key, ETAG]]) : honest(request, response);
    await refusedAs('source_failed', PARTS);
    expect(asked.every(({ url }) => url?.includes('secret') !== true)).toBe(true);
  });

  test('cannot give another version in the midst of a session', async () => {
    let count = 0;
    answering = ({ method, headers }, response) => {
      count += 1;
      part(CSV, method, headers.range, response, { etag: `"version-${count}"` });
    };
    expect(await refusedAs('source_failed', ALL)).toContain('changed while the session read it');
    expect(asked.slice(1).some(({ headers }) => headers['if-match'] === '"version-1"')).toBe(true);
  });

  test('has to say which version it gives', async () => {
    answering = ({ method, headers }, response) => part(CSV, method, headers.range, response, {});
    await refusedAs('source_failed', ALL);
  });

  test('is not believed that a part is what is the whole', async () => {
    answering = ({ method }, response) => part(CSV.repeat(9), method, undefined, response, { etag: ETAG });
    await refusedAs('source_failed', ALL);
  });

  test('is named by its code to the operator, and not at all to who asks', async () => {
    answering = (_, response) => {
      response.writeHead(403, { 'content-type': 'application/xml' });
      response.end('<Error><Code>AccessDenied</Code><Message>quoted by the store</Message></Error>');
    };
    expect(await refusedAs('source_failed', ALL)).toContain('403');
    const detail = await refusedAs('source_failed', PARTS);
    expect(detail).toContain('AccessDenied');
    // It may quote the request, and with it a session's token.
    expect(detail).not.toContain('quoted by the store');
  });

  test('that never answers holds a session for its time and no longer', async () => {
    answering = () => {};
    const started = Date.now();
    await refusedAs('limit_time', ALL);
    expect(Date.now() - started).toBeLessThan(6_000);
    store.closeAllConnections();
  }, 20_000);

  test('that breaks off in the midst is asked again or refused, never half believed', async () => {
    answering = ({ method, headers }, response) => {
      if (method === 'HEAD' || headers.range !== undefined)
        return part(CSV, method, headers.range, response, { etag: ETAG });
      response.writeHead(200, {
        etag: ETAG,
        'content-length': String(CSV.length),
        'last-modified': 'Mon, 01 Jun 2026 00:00:00 GMT',
      });
      response.write(CSV.slice(0, 20));
      setTimeout(() => response.destroy(), 20);
    };
    const { status, body } = await ask(ALL);
    if (status === 200)
      expect(body).toMatchObject({
        rows: [
          ['north', 'North'],
          ['south', 'South'],
        ],
      });
    else expect(body).toMatchObject({ code: 'source_failed' });
  });
});

describe('drift', () => {
  test('a store that does not answer closes no table', async () => {
    answering = (_, response) => {
      response.writeHead(503);
      response.end();
    };
    const watched = await startServer({ paths: [folder], subjects, environment: 'drift: { every: 200ms }\n' });
    try {
      expect(watched.said()).toContain('table regions of shops is as it was: regions.csv cannot be asked for');
      answering = honest;
      const answer = await watched.as('ann', '/v1/products/shops/query', { body: { sql: ALL, purpose: 'selling' } });
      expect(answer.status).toBe(200);
    } finally {
      await watched.close();
    }
  }, 90_000);
});
