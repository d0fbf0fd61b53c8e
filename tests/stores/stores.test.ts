import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parquetWriteBuffer } from 'hyparquet-writer';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { ambit } from '../../packages/cli/test/player.ts';
import { type Server, startServer } from '../server.ts';
import { BUCKET, type Keys, type Moto, startMoto } from './moto.ts';

// Tables in an object store: each session asks with the credential that its boundary names, and the evidence says so.

const subjects = { ann: { tenant: 'shop', roles: ['clerk'] }, vera: { tenant: 'shop', roles: ['auditor'] } };
const allow = (action: readonly string[], resource: string) => ({
  Effect: 'Allow',
  Action: action,
  Resource: resource,
});

let moto: Moto;
let folder = '';
let reader: Keys;
let taker: Keys;
let server: Server<keyof typeof subjects>;

beforeAll(async () => {
  moto = await startMoto();
  folder = mkdtempSync(join(tmpdir(), 'ambit-stores-'));
  mkdirSync(join(folder, 'secrets'));
  await moto.put('shop/orders.parquet', parquet([1, 2, 3], ['north', 'south', 'north']));
  await moto.put('shop/parts/region=north/a.parquet', amounts([10, 20]));
  await moto.put('shop/parts/region=south/b.parquet', amounts([30, 31]));
  await moto.put('shop/regions.csv', 'region,name\nnorth,North\nsouth,South\n');
  await moto.put('other/secret.csv', 'region,name\nhidden,Hidden\n');
  reader = await moto.user('reader', {
    Statement: [
      allow(['s3:GetObject'], `arn:aws:s3:::${BUCKET}/shop/*`),
      allow(['s3:ListBucket'], `arn:aws:s3:::${BUCKET}`),
    ],
  });
  const role = await moto.role('analyst', {
    Statement: [
      allow(['s3:GetObject'], `arn:aws:s3:::${BUCKET}/*`),
      allow(['s3:ListBucket'], `arn:aws:s3:::${BUCKET}`),
    ],
  });
  taker = await moto.user('taker', { Statement: [allow(['sts:AssumeRole'], '*')] });
  secret('reader', reader);
  secret('taker', taker);
  await moto.guard();
  writeFileSync(join(folder, 'orders.yaml'), CONTRACT);
  writeFileSync(join(folder, 'orders.cedar'), CEDAR);
  server = await startServer({ paths: [folder], subjects, environment: environment(role) });
}, 600_000);
afterAll(async () => {
  await server?.close();
  moto?.close();
  rmSync(folder, { recursive: true });
});

const CONTRACT = `apiVersion: ambit/v1
kind: DataProduct
name: orders
version: 1.0.0
tenant: shop
owner: { team: sales }
purposes: { selling: test }
stores:
  lake: { url: "s3://${BUCKET}/shop/", credential: lake-reader }
  mine: { url: "s3://${BUCKET}/shop/", credential: lake-role }
catalogs:
  parquet: { type: parquet, store: lake }
  csv: { type: csv, store: lake }
  taken: { type: parquet, store: mine }
tables:
  orders: { catalog: parquet, path: orders.parquet, columns: { id: { type: int }, region: { type: string } } }
  parts: { catalog: parquet, path: parts/, partitions: [region], columns: { amount: { type: int }, region: { type: string } } }
  regions: { catalog: csv, path: regions.csv, columns: { region: { type: string }, name: { type: string } } }
  again: { catalog: taken, path: parts/, partitions: [region], columns: { amount: { type: int }, region: { type: string } } }
  gone: { catalog: csv, path: gone.csv, columns: { region: { type: string } } }
functions: { allow: ["@aggregate"] }
policies:
  rows: { known: { table: orders, where: region IN (SELECT region FROM regions WHERE name = 'North') } }
`;

const CEDAR = `
@id("all") permit (principal in Role::"shop/clerk", action in [Action::"open", Action::"read", Action::"call"], resource);
@id("evidence") permit (principal in Role::"shop/auditor", action == Action::"readEvidence", resource);
`;

function environment(role: string): string {
  const secrets = join(folder, 'secrets');
  return `stores:
  lake: { url: "s3://${BUCKET}/shop/", endpoint: "${moto.url}" }
  mine: { url: "s3://${BUCKET}/shop/", endpoint: "${moto.url}" }
credentials:
  lake-reader: { keys: "${secrets}/reader.json" }
  lake-role: { keys: "${secrets}/taker.json", role: { arn: "${role}", endpoint: "${moto.url}" } }
`;
}

function secret(name: string, keys: object): void {
  writeFileSync(join(folder, 'secrets', `${name}.json`), JSON.stringify({ Version: 1, ...keys }));
}

function parquet(ids: number[], regions: string[]): Uint8Array {
  const columnData = [
    { name: 'id', data: ids, type: 'INT32' as const },
    { name: 'region', data: regions, type: 'STRING' as const },
  ];
  return new Uint8Array(parquetWriteBuffer({ columnData }));
}

function amounts(data: number[]): Uint8Array {
  return new Uint8Array(parquetWriteBuffer({ columnData: [{ name: 'amount', data, type: 'INT32' }] }));
}

interface Answer {
  readonly status: number;
  readonly session: string;
  readonly body: { readonly rows?: unknown; readonly code?: string; readonly detail?: string };
}

async function ask(sql: string): Promise<Answer> {
  const answer = await server.as('ann', '/v1/products/orders/query', { body: { sql, purpose: 'selling' } });
  const body = (await answer.json()) as Answer['body'] & { session?: string };
  return { status: answer.status, session: answer.headers.get('ambit-session') ?? body.session ?? '', body };
}

interface Evidence {
  readonly intent: { readonly credentials: Readonly<Record<string, string | null>> };
  readonly outcome: {
    readonly status: string;
    readonly error: { readonly detail: string | null } | null;
    readonly issued?: readonly { reference: string; keyId: string; role: string | null; expires: string | null }[];
    readonly engine: { readonly accesses: readonly Access[] };
  };
}

interface Access {
  readonly store: string;
  readonly credential: string | null;
  readonly object: string;
  readonly requests: number;
  readonly bytes: number;
  readonly ranges: readonly (readonly [number, number])[];
  readonly size: number | null;
  readonly version: string | null;
  readonly failures: number;
}

async function evidence(session: string, as: keyof typeof subjects = 'vera'): Promise<Evidence> {
  return (await (await server.as(as, `/v1/sessions/${session}`)).json()) as Evidence;
}

/** Everything that the server has written, of any kind. */
function written(): string {
  const files = (
    readdirSync(server.folder, { recursive: true, withFileTypes: true }) as {
      name: string;
      parentPath: string;
      isFile(): boolean;
    }[]
  ).filter((entry) => entry.isFile());
  return [server.said(), ...files.map(({ parentPath, name }) => readFileSync(join(parentPath, name), 'latin1'))].join(
    '\n',
  );
}

/** Records of the log. */
function segments(): readonly Record<string, unknown>[] {
  const log = join(server.folder, '.ambit/evidence');
  const files = readdirSync(log).filter((name) => name.endsWith('.segment'));
  const lines = files.flatMap((name) => readFileSync(join(log, name), 'utf8').split('\n'));
  return lines
    .filter((line) => line.includes('{'))
    .map((line) => JSON.parse(line.slice(line.indexOf('{'))) as Record<string, unknown>);
}

describe('a role that is not given', () => {
  test('refuses the session before the engine is asked, and only the operator learns why', async () => {
    secret('taker', reader);
    const answer = await ask('SELECT 1 FROM again');
    expect(answer).toMatchObject({ status: 503, body: { code: 'credential_unavailable' } });
    expect(JSON.stringify(answer.body)).not.toContain('lake-role');
    const { outcome } = await evidence(answer.session);
    expect(outcome).toMatchObject({ status: 'failed', engine: { sandbox: null } });
    expect(outcome.error?.detail).toMatch(/^credential `lake-role` cannot take on its role: \w+$/);
    secret('taker', taker);
  });
});

describe('keys of an account', () => {
  test('a file and a folder of a bucket are tables, and policies read there too', async () => {
    expect(await ask('SELECT id FROM orders ORDER BY id')).toMatchObject({ status: 200, body: { rows: [[1], [3]] } });
    expect(await ask('SELECT region, sum(amount) FROM parts GROUP BY region ORDER BY region')).toMatchObject({
      status: 200,
      body: {
        rows: [
          ['north', 30],
          ['south', 61],
        ],
      },
    });
  });

  test('what a predicate on folders leaves out is not asked for', async () => {
    const { session } = await ask("SELECT amount FROM parts WHERE region = 'south'");
    const { outcome } = await evidence(session);
    const read = outcome.engine.accesses.filter(({ bytes }) => bytes > 0).map(({ object }) => object);
    expect(read).toEqual(['parts/region=south/b.parquet']);
  });

  test('the evidence has each request with the reference of the credential, its key, and no secret', async () => {
    const { session } = await ask('SELECT id FROM orders');
    const { intent, outcome } = await evidence(session);
    expect(intent.credentials).toEqual({ lake: 'lake-reader', mine: 'lake-role' });
    expect(outcome.issued).toHaveLength(2);
    expect(outcome.issued?.slice(0, 1)).toEqual([
      {
        reference: 'lake-reader',
        digest: expect.stringMatching(/^sha256:/),
        keyId: reader.AccessKeyId,
        role: null,
        expires: null,
      },
    ]);
    const file = outcome.engine.accesses.find(({ object }) => object === 'orders.parquet');
    expect(file).toMatchObject({ store: 'lake', credential: 'lake-reader', failures: 0 });
    expect(file?.version).toMatch(/^"[0-9a-f]{32}"$/);
    expect(file?.ranges.reduce((sum, [start, end]) => sum + end - start, 0)).toBeGreaterThan(0);
    // Its own subject learns the reference, and nothing of the key.
    const own = await evidence(session, 'ann');
    expect(own.intent.credentials).toEqual({ lake: 'lake-reader', mine: 'lake-role' });
    expect(JSON.stringify(own)).not.toContain(reader.AccessKeyId);
    expect(JSON.stringify(own)).not.toContain(BUCKET);
  });

  test('keys that are changed are taken up by the next session; bad ones refuse it and say which', async () => {
    secret('reader', { ...reader, SecretAccessKey: 'not-the-secret-of-this-key' });
    const wrong = await ask('SELECT count(*) FROM regions');
    expect(wrong).toMatchObject({ status: 502, body: { code: 'source_failed' } });
    expect(JSON.stringify(wrong.body)).not.toMatch(/lake-reader|127\.0\.0\.1|Signature/);
    for (const [keys, why] of [
      ['{', 'is no JSON'],
      ['{"AccessKeyId":"a"}', 'has no SecretAccessKey'],
      [JSON.stringify({ ...reader, Expiration: '2020-01-01T00:00:00Z' }), 'expires before the session may end'],
    ] as const) {
      writeFileSync(join(folder, 'secrets/reader.json'), keys);
      const answer = await ask('SELECT count(*) FROM regions');
      expect(answer).toMatchObject({ status: 503, body: { code: 'credential_unavailable' } });
      const { outcome } = await evidence(answer.session);
      expect(outcome).toMatchObject({ status: 'failed', error: { detail: expect.stringContaining(why) } });
    }
    rmSync(join(folder, 'secrets/reader.json'));
    expect(await ask('SELECT count(*) FROM regions')).toMatchObject({ body: { code: 'credential_unavailable' } });
    secret('reader', reader);
    expect(await ask('SELECT count(*) FROM regions')).toMatchObject({ status: 200, body: { rows: [[2]] } });
  });

  test('a file that is not there closes its table', async () => {
    expect(await ask('SELECT * FROM gone')).toMatchObject({ status: 503, body: { code: 'table_closed' } });
  });
});

describe('keys of a role', () => {
  test("a session has keys for a time, asked for with a policy of its tables' files alone", async () => {
    const { session, ...answer } = await ask('SELECT sum(amount) FROM again');
    expect(answer).toMatchObject({ status: 200, body: { rows: [[91]] } });
    const { outcome } = await evidence(session);
    const [, issued] = outcome.issued ?? [];
    expect(issued).toMatchObject({ reference: 'lake-role', role: expect.stringMatching(/role\/analyst$/) });
    expect(issued?.keyId).toMatch(/^ASIA/);
    const lives = Date.parse(issued?.expires ?? '') - Date.now();
    expect(lives).toBeGreaterThan(10 * 60_000);
    expect(lives).toBeLessThanOrEqual(15 * 60_000);
    const taken = segments().filter(({ type }) => type === 'credential.issued');
    expect(taken.find(({ keyId }) => keyId === issued?.keyId)).toMatchObject({ scope: { [BUCKET]: ['shop/parts/'] } });
  });

  test('sessions of one kind have the same keys for as long as they are good', async () => {
    const [one, two] = [await ask('SELECT 1 FROM again'), await ask('SELECT 2 FROM again')];
    const keys = await Promise.all([one, two].map(async ({ session }) => (await evidence(session)).outcome.issued));
    expect(keys[0]).toEqual(keys[1]);
  });
});

describe('looking back', () => {
  test('the page of a session and the tables of the evidence say which credential was used for what', async () => {
    const { session } = await ask('SELECT sum(amount) FROM again');
    const profile = { AMBIT_TOKEN: server.token('vera') };
    const page = await ambit(['session', 'explain', session, '--server', server.url], { cwd: folder, env: profile });
    expect(page.out).toMatch(
      /Credentials\n {2}could use +lake-reader on store lake, lake-role on store mine\n {2}used +lake-role: \d+ requests/,
    );
    expect(page.out).toMatch(
      /lake-role +keys of arn:aws:iam::\d+:role\/analyst for this session's tables alone, key ASIA/,
    );
    const sql = `SELECT DISTINCT reference, key_id IS NOT NULL, role IS NOT NULL FROM credentials WHERE what = 'store' AND key_id IS NOT NULL ORDER BY 1`;
    const table = await ambit(['evidence', 'query', sql, '--server', server.url, '--format', 'json'], {
      cwd: folder,
      env: profile,
    });
    expect(JSON.parse(table.out)).toMatchObject({
      rows: [
        ['lake-reader', true, false],
        ['lake-role', true, true],
      ],
    });
  });

  test('no secret is in anything that the server wrote or said', () => {
    const all = written();
    for (const { SecretAccessKey } of [reader, taker]) expect(all.includes(SecretAccessKey)).toBe(false);
    expect(all).not.toMatch(/FwoGZXIvYXdz|SessionToken/);
  });
});

describe('the data', () => {
  test('an object that is put in the place of another is read anew', async () => {
    await moto.open();
    await moto.put('shop/regions.csv', 'region,name\nnorth,Norden\nsouth,North\n');
    await moto.guard();
    expect(await ask('SELECT id FROM orders ORDER BY id')).toMatchObject({ body: { rows: [[2]] } });
  });
});
