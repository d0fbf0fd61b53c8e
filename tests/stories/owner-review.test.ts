import { execFile } from 'node:child_process';
import { createPrivateKey } from 'node:crypto';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { keyId } from '@ambit/contract';
import {
  BREAK_GLASS_NAMESPACE,
  BREAK_GLASS_TYPE,
  instant,
  keepOpening,
  pemSigner,
  signStatement,
  subjectOf,
} from '@ambit/review';
import { Ajv } from 'ajv';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { root, type Server, startServer } from '../server.ts';
import { makePerson, ownedContract, POLICY } from './owners.ts';
import { startExample } from './server.ts';

// Nothing runs in production that no owner approved: a server, its owners and an operator, each with a key of their own.

vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 });

const home = mkdtempSync(join(tmpdir(), 'ambit-owners-'));
const environment = (): string => join(server.folder, 'environment.yaml');
const contract = join(home, 'shop.yaml');
const reviews = join(home, 'reviews/shop/production');
const PEOPLE = ['ann', 'bo', 'cy', 'mallory', 'mate', 'olga'] as const;
const pem = (name: string): string => join(home, `${name}.pem`);
const listed = new Map<string, string>();

let server: Server<'sam' | 'otto' | 'zoe' | 'host'>;

beforeAll(async () => {
  for (const name of PEOPLE) listed.set(name, makePerson(home, name));
  mkdirSync(join(home, 'data'));
  writeFileSync(join(home, 'data/orders.csv'), 'id,customer\n1,Ann\n');
  for (const product of ['shop', 'stall']) {
    writeFileSync(join(home, `${product}.yaml`), contractOf(product));
    writeFileSync(join(home, `${product}.cedar`), POLICY);
  }
  server = await startServer({
    paths: [home],
    name: 'production',
    environment: `breakGlass: { maxHours: 2, operators: { olga: ${listed.get('olga') ?? ''} } }\n`,
    subjects: {
      sam: { tenant: 'north', roles: ['buyer'] },
      otto: { tenant: 'north', roles: ['auditor'] },
      zoe: { tenant: 'south', roles: ['buyer'] },
      host: { tenant: 'ambit', roles: ['auditor'] },
    },
  });
});

afterAll(async () => {
  await server.close();
  rmSync(home, { recursive: true });
});

const contractOf = (product: string, reviewers: readonly string[] = ['ann', 'bo', 'cy']): string =>
  ownedContract(
    product,
    reviewers.map((name) => `${name}: ${listed.get(name) ?? ''}`),
  );

interface Ran {
  readonly status: number;
  readonly err: string;
}

function ambit(...words: readonly string[]): Promise<Ran> {
  const command = [join(root, 'packages/cli/bin/ambit.js'), ...words];
  return new Promise((done) => {
    execFile(process.execPath, command, { cwd: server.folder }, (error, _, err) => {
      done({ status: typeof error?.code === 'number' ? error.code : 0, err });
    });
  });
}

const approve = (name: string, expires = '30d', ...more: readonly string[]) =>
  ambit(
    'review',
    'approve',
    contract,
    '--environment',
    environment(),
    '--key',
    pem(name),
    '--expires',
    expires,
    '--reason',
    `${name} looked`,
    '--author',
    'dev@example.org',
    '--yes',
    ...more,
  );

const ask = (product: string, name: 'sam' | 'zoe' = 'sam') =>
  server.as(name, `/v1/products/${product}/query`, { body: { sql: 'SELECT customer FROM orders', purpose: 'buying' } });

/** What a product answers, once it answers so. */
async function answered(product: string, status: number): Promise<Response> {
  for (let attempt = 0; attempt < 300; attempt += 1) {
    const answer = await ask(product);
    if (answer.status === status) return answer;
    await answer.text();
    await sleep(100);
  }
  throw new Error(`${product} never answered ${status}:\n${server.said()}`);
}

async function eventually(what: () => boolean | Promise<boolean>): Promise<void> {
  for (let attempt = 0; attempt < 300; attempt += 1) {
    if (await what()) return;
    await sleep(100);
  }
  throw new Error(`that never came:\n${server.said()}`);
}

async function records(type: string): Promise<readonly Record<string, unknown>[]> {
  const folder = join(server.folder, '.ambit/evidence');
  const lines = readdirSync(folder)
    .filter((name) => name.endsWith('.segment'))
    .flatMap((name) => readFileSync(join(folder, name), 'utf8').split('\n'));
  const read = lines.filter((line) => line.includes(`"type":"${type}"`)).map((line) => line.slice(line.indexOf('{')));
  return read.map((line) => JSON.parse(line) as Record<string, unknown>);
}

describe('a server in production', () => {
  test('serves nothing that nobody approved, and says what to do; to strangers it says nothing', async () => {
    const refused = await ask('shop');
    expect(refused.status).toBe(503);
    const problem = (await refused.json()) as { detail: string };
    expect(problem).toMatchObject({ code: 'boundary_unapproved', boundary: 'review' });
    expect(problem.detail).toMatch(
      /^no owner approved the boundary [0-9a-f]{12} of shop 1.0.0 for production: too_few$/,
    );
    expect(JSON.stringify(problem)).not.toContain('ann');
    expect(await (await ask('shop', 'zoe')).json()).toMatchObject({ code: 'product_unknown' });
    expect(server.said()).toContain('review: not serving shop 1.0.0');
    const description = await server.as('sam', '/v1/products/shop', { headers: { 'ambit-purpose': 'buying' } });
    expect(description.status).toBe(503);
    const { products } = (await (await server.as('sam', '/v1/products')).json()) as { products: { name: string }[] };
    expect(products.find(({ name }) => name === 'shop')).toMatchObject({ review: { state: 'refused', until: null } });
    const looking = { body: { sql: 'SELECT count(*) FROM sessions', purpose: 'review' } };
    // Ambit comes with the product of the evidence: its release is what covers it.
    expect((await server.as('otto', '/v1/products/evidence/query', looking)).status).toBe(200);
  });

  test('serves what two people approved, until an approval ends, and again when it is renewed', async () => {
    expect((await approve('ann')).err).toContain('1 more to approve');
    await sleep(3_000);
    expect((await ask('shop')).status).toBe(503);
    const until = instant(Date.now() + 15_000);
    expect(await approve('bo', until)).toMatchObject({ status: 0 });
    const served = await answered('shop', 200);
    expect((await served.json()) as object).toMatchObject({ rows: [['Ann']] });
    // The other product is another matter.
    expect((await ask('stall')).status).toBe(503);

    const evidence = await server.as('otto', `/v1/sessions/${served.headers.get('ambit-session')}`);
    const { intent, review } = (await evidence.json()) as { intent: { review: string }; review: { digest: string } };
    expect(review).toMatchObject({
      from: 'nothing',
      needed: 2,
      reviews: [{ who: 'ann' }, { who: 'bo', expires: until }],
    });
    expect(intent.review).toBe(review.digest);
    const explained = await server.as('sam', `/v1/sessions/${served.headers.get('ambit-session')}`);
    expect(await explained.json()).toMatchObject({ review: null });
    expect(await records('review.applied')).toHaveLength(1);

    await sleep(Math.max(0, Date.parse(until) - Date.now()));
    const over = await ask('shop');
    expect(over.status).toBe(503);
    expect(((await over.json()) as { detail: string }).detail).toContain('expired');
    expect(await approve('cy')).toMatchObject({ status: 0 });
    await answered('shop', 200);
  });

  test('does not believe a review that was changed', async () => {
    const file = join(reviews, readdirSync(reviews).find((name) => name.endsWith('-cy.json')) ?? '');
    const before = readFileSync(file, 'utf8');
    const envelope = JSON.parse(before) as { payload: string };
    const longer = Buffer.from(envelope.payload, 'base64').toString().replace('cy looked', 'cy agreed');
    writeFileSync(file, before.replace(envelope.payload, Buffer.from(longer).toString('base64')));
    const refused = await answered('shop', 503);
    expect(((await refused.json()) as { detail: string }).detail).toContain('signature_invalid');
    writeFileSync(file, before);
    await answered('shop', 200);
  });

  test('serves on what was approved when the contract changes, and the change as soon as somebody approves it', async () => {
    const before = (await ask('shop')).headers.get('ambit-fingerprint');
    writeFileSync(contract, `${contractOf('shop')}description: Orders of a shop\n`);
    await eventually(() => server.said().includes('reload refused'));
    expect(server.said()).toContain('is not approved for production: it changes, which 1 person approves; nobody has');
    const still = await ask('shop');
    expect([still.status, still.headers.get('ambit-fingerprint')]).toEqual([200, before]);
    expect(await (await server.as(null, '/health')).json()).toMatchObject({ reloadRefused: { problems: 1 } });

    expect(await approve('bo')).toMatchObject({ status: 0 });
    await eventually(async () => (await ask('shop')).headers.get('ambit-fingerprint') !== before);
    const served = await ask('shop');
    expect(served.status).toBe(200);
    expect(await (await server.as(null, '/health')).json()).toMatchObject({ reloadRefused: null });
    const evidence = await server.as('otto', `/v1/sessions/${served.headers.get('ambit-session')}`);
    expect(await evidence.json()).toMatchObject({
      review: { from: before, effect: 'changes', reviews: [{ who: 'bo' }] },
    });

    // Back to what was approved before: that approval is in force.
    writeFileSync(contract, contractOf('shop'));
    await eventually(async () => (await ask('shop')).headers.get('ambit-fingerprint') === before);
  });

  test('begins with what it served first: others who list themselves take nothing over', async () => {
    writeFileSync(contract, contractOf('shop', ['mallory', 'mate']));
    for (const name of ['mallory', 'mate']) {
      expect(await approve(name, '30d', '--from', 'nothing')).toMatchObject({
        status: 0,
        err: expect.stringMatching(/approve/) as string,
      });
    }
    server = await server.restart();
    const refused = await ask('shop');
    expect(refused.status).toBe(503);
    expect(((await refused.json()) as { detail: string }).detail).toContain('chain_reset');
    writeFileSync(contract, contractOf('shop'));
    server = await server.restart();
    expect((await ask('shop')).status).toBe(200);
  });
});

/** Rows that somebody sees, looking back in SQL. */
async function lookBack(name: 'sam' | 'otto' | 'host', sql: string): Promise<unknown[][]> {
  const answer = await server.as(name, '/v1/evidence/query', { body: { sql, purpose: 'review' } });
  const body = (await answer.json()) as { readonly rows?: unknown[][] };
  if (body.rows === undefined) throw new Error(JSON.stringify(body));
  return body.rows;
}

test('who approved what ran is a question in SQL, for the owner', async () => {
  const sql = "SELECT DISTINCT who, reason FROM approved_sessions WHERE product = 'shop' ORDER BY who";
  const approved = [
    ['ann', 'ann looked'],
    ['bo', 'bo looked'],
    ['cy', 'cy looked'],
  ];
  expect(await lookBack('otto', sql)).toEqual(approved);
  expect(await lookBack('host', sql)).toEqual(approved);
  // Sam sees that his sessions ran because of reviews, and not of whose.
  const [own = []] = await lookBack('sam', 'SELECT count(review), count(*) FILTER (WHERE break_glass) FROM sessions');
  expect(own[0]).toBeGreaterThan(0);
  expect(own[1]).toBe(0);
  expect(await lookBack('sam', 'SELECT who FROM reviews')).toEqual([]);
  expect(await lookBack('sam', sql)).toEqual([]);
  const { effect, digest } = (await records('review.applied'))[0] ?? {};
  const [row] = await lookBack(
    'otto',
    `SELECT DISTINCT effect, needed, replaced, what FROM reviews WHERE review = '${String(digest)}'`,
  );
  expect(row).toEqual([effect, 2, 'nothing', 'review']);
  const named = await server.as(
    'host',
    '/v1/evidence/queries/approvals?since=2001-03-01T00:00:00&until=2001-04-01T00:00:00',
    {
      headers: { 'ambit-purpose': 'review' },
    },
  );
  expect(await named.json()).toMatchObject({ rows: [], complete: true });
});

describe('break-glass', () => {
  const open = (name: string, ...more: readonly string[]) =>
    ambit(
      'break-glass',
      'open',
      'stall',
      home,
      '--environment',
      environment(),
      '--key',
      pem(name),
      '--reason',
      'the till is down',
      '--yes',
      ...more,
    );

  test('opens a boundary for an operator, in every answer and record, until it is closed', async () => {
    expect(await open('ann', '--for', '1h')).toMatchObject({
      status: 1,
      err: expect.stringMatching(/no operator has this key/) as string,
    });
    expect(await open('olga', '--for', '3h')).toMatchObject({
      status: 1,
      err: expect.stringMatching(/longer than may be/) as string,
    });
    expect((await ask('stall')).status).toBe(503);
    expect(await open('olga', '--for', '1h')).toMatchObject({ status: 0 });
    const served = await answered('stall', 200);
    expect(served.headers.get('ambit-break-glass')).toMatch(/^until=\d{4}-.*Z$/);
    const nonsense = await server.as('sam', '/v1/products/stall/query', { body: { sql: 'x', purpose: 'buying' } });
    expect(nonsense.status).toBe(400);
    expect(nonsense.headers.get('ambit-break-glass')).not.toBeNull();
    expect((await ask('shop')).headers.get('ambit-break-glass')).toBeNull();
    expect((await ask('stall', 'zoe')).headers.get('ambit-break-glass')).toBeNull();
    expect(await (await server.as(null, '/health')).json()).toMatchObject({ status: 'alive', breakGlass: 1 });
    const { products } = (await (await server.as('sam', '/v1/products')).json()) as { products: { name: string }[] };
    expect(products.find(({ name }) => name === 'stall')).toMatchObject({ review: { state: 'break-glass' } });
    const evidence = await server.as('otto', `/v1/sessions/${served.headers.get('ambit-session')}`);
    expect(await evidence.json()).toMatchObject({
      review: { breakGlass: { who: 'olga', reason: 'the till is down' } },
    });
    expect(await records('break-glass.opened')).toMatchObject([{ product: 'stall', opening: { who: 'olga' } }]);

    expect(await ambit('break-glass', 'close', 'stall', '--environment', environment())).toMatchObject({ status: 0 });
    await answered('stall', 503);
    expect(await records('break-glass.ended')).toMatchObject([{ product: 'stall', cause: 'closed' }]);
    expect(await (await server.as(null, '/health')).json()).not.toHaveProperty('breakGlass');
  });

  test('ends by itself', async () => {
    const fingerprint = /not serving stall[^\n]*boundary ([0-9a-f]{12})/.exec(server.said())?.[1] ?? '';
    const { products } = (await (await server.as('sam', '/v1/products')).json()) as {
      products: { name: string; fingerprint: string }[];
    };
    const stall = products.find(({ name }) => name === 'stall');
    expect(stall?.fingerprint).toContain(fingerprint);
    const signer = await pemSigner(pem('olga'));
    expect(createPrivateKey(readFileSync(pem('olga'))).asymmetricKeyType).toBe('ed25519');
    const until = Math.ceil(Date.now() / 1_000) * 1_000 + 8_000;
    const statement = {
      _type: 'https://in-toto.io/Statement/v1' as const,
      subject: subjectOf('stall', stall?.fingerprint ?? ''),
      predicateType: BREAK_GLASS_TYPE,
      predicate: {
        product: 'stall',
        version: '1.0.0',
        environment: 'production',
        reason: 'a moment',
        who: { name: 'olga', key: keyId(signer.key) },
        signedAt: instant(Date.now()),
        until: instant(until),
      },
    };
    const text = await signStatement(statement, signer, BREAK_GLASS_NAMESPACE);
    await keepOpening(join(server.folder, '.ambit/break-glass'), statement, text);
    await answered('stall', 200);
    await sleep(until - Date.now());
    expect((await ask('stall')).status).toBe(503);
    for (let attempt = 0; (await records('break-glass.ended')).length < 2 && attempt < 100; attempt += 1)
      await sleep(100);
    expect((await records('break-glass.ended')).at(-1)).toMatchObject({ cause: 'over' });
  });

  test('which sessions ran under it is a question in SQL, afterwards too', async () => {
    const named = await server.as('host', '/v1/evidence/queries/break-glass-sessions', {
      headers: { 'ambit-purpose': 'review' },
    });
    const { rows } = (await named.json()) as { readonly rows: readonly unknown[][] };
    expect(rows.length).toBeGreaterThan(1);
    for (const [, , , principal, product, purpose, who] of rows) {
      expect([principal, product, purpose, who]).toEqual(['sam', 'stall', 'buying', 'olga']);
    }
    expect(rows.map((row) => row[7])).toEqual(expect.arrayContaining(['the till is down', 'a moment']));
    const sql = "SELECT count(*) FROM sessions WHERE break_glass AND product = 'stall'";
    expect(await lookBack('sam', sql)).toEqual([[rows.length]]);
    expect(await lookBack('sam', sql.replace('stall', 'shop'))).toEqual([[0]]);
  });
});

test('every record of all this is of the schema', async () => {
  const schema = JSON.parse(readFileSync(join(root, 'schemas/evidence-record.schema.json'), 'utf8')) as object;
  const valid = new Ajv({ strict: false }).compile(schema);
  for (const type of ['review.applied', 'break-glass.opened', 'break-glass.ended', 'session.intent']) {
    const found = await records(type);
    expect(found.length, type).toBeGreaterThan(0);
    for (const record of found) expect(valid(record), JSON.stringify(valid.errors)).toBe(true);
  }
});

test('elsewhere than in production nobody has to approve anything, unless the environment says so', async () => {
  const plain = await startExample();
  const asking = await startExample(undefined, 'review: required\n');
  try {
    const sql = 'SELECT count(*) FROM flights';
    expect((await plain.ask('vera', 'safety-audit', sql)).status).toBe(200);
    expect((await asking.ask('vera', 'safety-audit', sql)).status).toBe(503);
  } finally {
    await Promise.all([plain.close(), asking.close()]);
  }
});
