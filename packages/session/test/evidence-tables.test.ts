import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { type EvidenceLog, openLog } from '@ambit/evidence';
import { type EvidenceTables, openEvidenceTables } from '@ambit/session';
import { parquetReadObjects } from 'hyparquet';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';

// Files beside the log: what is in it and has ended is in them once, whatever ended their making.

let folder: string;
let log: EvidenceLog;
let tables: EvidenceTables;
const faults: string[] = [];

beforeEach(async () => {
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
  folder = mkdtempSync(join(tmpdir(), 'ambit-tables-'));
  faults.length = 0;
  await open();
});
afterEach(async () => {
  await close();
  vi.useRealTimers();
  rmSync(folder, { recursive: true });
});

async function open(): Promise<void> {
  log = await openLog({ folder, ambit: '0' });
  tables = await openEvidenceTables({ folder, log, served: [], report: (message) => faults.push(message) });
}

async function close(): Promise<void> {
  await tables.close();
  await log.close();
}

async function reopen(): Promise<void> {
  await close();
  await open();
}

const subject = {
  tenant: 't',
  principal: 'p',
  kind: 'user',
  roles: [],
  claims: {},
  channel: 'http',
  onBehalfOf: null,
  authentication: { method: 'api-key', reference: 'k' },
};
const boundary = { product: { name: 'x', version: '1.0.0' }, settings: {}, tables: {}, catalogs: {} };
const grant = { format: 'ambit/grant/v1', product: 'x', fingerprint: 'f', purpose: 'why', tables: {}, decisions: [] };

const review = {
  digest: 'r',
  product: 'x',
  version: '1.0.0',
  environment: 'test',
  fingerprint: 'f',
  from: 'nothing',
  root: null,
  effect: 'widens',
  needed: 2,
  reviews: [
    {
      digest: 'd1',
      who: 'ann',
      key: 'k1',
      reason: 'fine',
      signedAt: '2026-03-01T00:00:00Z',
      expires: '2026-06-01T00:00:00Z',
    },
  ],
  breakGlass: {
    digest: 'd2',
    who: 'olga',
    key: 'k2',
    reason: 'fire',
    signedAt: '2026-03-02T00:00:00Z',
    until: '2026-03-02T01:00:00Z',
  },
};

/** `approved`: the boundary is served because of reviews. */
async function begin(session: string, approved: boolean = false): Promise<number> {
  if (approved) await log.ensureReview(review);
  await log.ensureBoundary({ product: 'x', version: '1.0.0', environment: 'test', fingerprint: 'f', boundary });
  await log.ensureGrant('g', grant);
  const statement = { kind: 'sql', name: null, sql: 'SELECT 1', digest: 'd', parameters: {} } as const;
  const { seq } = await log.append({
    type: 'session.intent',
    session,
    request: session,
    product: 'x',
    version: '1.0.0',
    environment: 'test',
    fingerprint: 'f',
    grant: 'g',
    subject,
    purpose: 'why',
    scope: 'request',
    statement,
    format: 'json',
    limits: {},
    credentials: {},
    traceparent: null,
    ...(approved ? { review: review.digest } : {}),
  });
  return seq;
}

/** Ends a session. The next record has the `seq` that is given. */
async function end(session: string, intent: number): Promise<number> {
  const body = {
    type: 'session.outcome',
    session,
    intent,
    status: 'completed',
    error: null,
    rows: 1,
    bytes: 1,
  } as const;
  return (await log.append({ ...body, engine: { functions: ['abs'] }, steps: {} })).seq + 1;
}

async function run(session: string): Promise<number> {
  return end(session, await begin(session));
}

const files = (table = 'sessions'): readonly string[] => readdirSync(join(folder, 'tables', table)).toSorted();

async function rows(table: string): Promise<readonly Record<string, unknown>[]> {
  const read = files(table).map((name) => {
    const { buffer } = new Uint8Array(readFileSync(join(folder, 'tables', table, name)));
    return parquetReadObjects({ file: buffer });
  });
  return (await Promise.all(read)).flat();
}

async function sessions(table = 'sessions'): Promise<readonly unknown[]> {
  return (await rows(table)).map(({ session }) => session);
}

/** What the timer would do, until it is done. */
async function later(): Promise<void> {
  vi.advanceTimersByTime(5_000);
  await sleep(50);
  // Behind what it does.
  (await tables.ready(0))();
}

test('everything before a position is there when it is waited for, and nothing that has not ended', async () => {
  await run('a');
  const began = await begin('b');
  const next = await run('c');
  (await tables.ready(next))();
  expect(await sessions()).toEqual(['a', 'c']);
  (await tables.ready(await end('b', began)))();
  expect(await sessions()).toEqual(['a', 'c', 'b']);
  expect(await sessions('uses')).toEqual(['a', 'c', 'b']);
  expect(await sessions('settings')).toEqual([]);
});

test('a session that began in one run of the process and was orphaned by the next has its row once', async () => {
  await run('a');
  await begin('b');
  await reopen();
  (await tables.ready(await run('c')))();
  expect(await sessions()).toEqual(['a', 'b', 'c']);
  expect(files()).toEqual(['00000001.parquet', '00000002-000001.parquet']);
});

test('a grant is there once, however many sessions had it, in however many runs', async () => {
  await run('a');
  await reopen();
  (await tables.ready(await run('b')))();
  await later();
  for (const table of ['grants', 'decisions', 'settings']) expect(files(table)).toHaveLength(1);
});

test('reviews are there once, each with who signed, and sessions say whether they ran under break-glass', async () => {
  await end('a', await begin('a', true));
  await reopen();
  await end('b', await begin('b', true));
  (await tables.ready(await run('c')))();
  await later();
  const told = (await rows('sessions')).map((row) => [row['session'], row['review'] ?? null, row['break_glass']]);
  expect(told).toEqual([
    ['a', 'r', true],
    ['b', 'r', true],
    ['c', null, false],
  ]);
  expect(files('reviews')).toHaveLength(1);
  const signed = await rows('reviews');
  expect(signed).toMatchObject([
    { review: 'r', what: 'review', who: 'ann', reason: 'fine', replaced: 'nothing', statement: 'd1' },
    { review: 'r', what: 'break-glass', who: 'olga', reason: 'fire', key_name: 'k2', statement: 'd2' },
  ]);
  expect(signed.map((row) => (row['expires'] as Date).toISOString())).toEqual([
    '2026-06-01T00:00:00.000Z',
    '2026-03-02T01:00:00.000Z',
  ]);
  // What is gone is built again.
  await close();
  rmSync(join(folder, 'tables/reviews'), { recursive: true });
  await open();
  (await tables.ready(await run('d')))();
  expect(files('reviews')).toHaveLength(1);
});

test('many parts become one when nobody reads, and none goes away while somebody does', async () => {
  const reading = await tables.ready(await run('0'));
  const all = ['0'];
  for (let at = 1; at < 20; at += 1) {
    all.push(String(at));
    (await tables.ready(await run(String(at))))();
  }
  await later();
  expect(files()).toHaveLength(20);
  expect(await sessions()).toEqual(all);
  reading();
  await later();
  expect(files()).toHaveLength(1);
  expect(await sessions()).toEqual(all);
  (await tables.ready(await run('last')))();
  expect(await sessions()).toEqual([...all, 'last']);
  await reopen();
  await later();
  expect(files()).toEqual(['00000001.parquet']);
  expect(await sessions()).toEqual([...all, 'last']);
});

test.each([
  ['all of it is gone', () => rmSync(join(folder, 'tables'), { recursive: true })],
  ['a table is gone', () => rmSync(join(folder, 'tables/uses/00000001.parquet'))],
  ['a grant is gone', () => rmSync(join(folder, 'tables/grants'), { recursive: true })],
  ['a file is cut', () => writeFileSync(join(folder, 'tables/sessions/00000001.parquet'), '{"session":"a"')],
  ['a mark is cut', () => writeFileSync(join(folder, 'tables/built/00000001.json'), '{"format"')],
  [
    'it is of another log',
    () => {
      const path = join(folder, 'tables/built/00000001.json');
      writeFileSync(path, readFileSync(path, 'utf8').replace(/"log":"[^"]+"/, '"log":"other"'));
    },
  ],
  [
    'parts were left',
    () => writeFileSync(join(folder, 'tables/sessions/00000001-000002.parquet'), '{"session":"z"}\n'),
  ],
  ['something was not finished', () => writeFileSync(join(folder, 'tables/new/sessions-00000002-000001'), '{"sess')],
])('when %s, it is built again', async (_, harm) => {
  await run('a');
  await run('b');
  await reopen();
  (await tables.ready(await run('c')))();
  await close();
  harm();
  await open();
  (await tables.ready(await run('d')))();
  expect(await sessions()).toEqual(['a', 'b', 'c', 'd']);
  expect(await sessions('uses')).toEqual(['a', 'b', 'c', 'd']);
  expect(files('grants')).toHaveLength(1);
  expect(readdirSync(join(folder, 'tables/new'))).toEqual([]);
});

test('a record that is not what its digest says is not shown', async () => {
  await run('a');
  await close();
  const path = join(folder, '00000001.segment');
  const text = readFileSync(path, 'utf8');
  await open();
  (await tables.ready(await run('b')))();
  await close();
  // The log itself looks at its last two segments when it is opened.
  await open();
  await close();
  rmSync(join(folder, 'tables'), { recursive: true });
  writeFileSync(path, text.replace('SELECT 1', 'SELECT 2'));
  await open();
  await expect(tables.ready(await run('c'))).rejects.toThrow('the record is not what its digest says');
  expect(faults.join()).toContain('the record is not what its digest says');
});

const removals: readonly (readonly [string, () => void])[] = [
  ['the folder', () => rmSync(join(folder, 'tables'), { recursive: true })],
  ['a table', () => rmSync(join(folder, 'tables/sessions'), { recursive: true })],
  ['a file', () => rmSync(join(folder, 'tables/sessions', files()[0] ?? ''))],
  ['a file of what stays the same', () => rmSync(join(folder, 'tables/served_settings/now.parquet'))],
];

test.each(removals)('%s that somebody removes is there again when it is waited for', async (_, remove) => {
  await run('a');
  await reopen();
  await run('b');
  const next = await run('c');
  const release = await tables.ready(next);
  const [before, settings] = [
    await sessions(),
    readFileSync(join(folder, 'tables/served_settings/now.parquet'), 'utf8'),
  ];
  expect(before).toEqual(['a', 'b', 'c']);
  release();
  remove();
  (await tables.ready(next))();
  expect((await sessions()).map(String).toSorted()).toEqual(before);
  expect(readFileSync(join(folder, 'tables/served_settings/now.parquet'), 'utf8')).toBe(settings);
  expect(faults).toEqual(['somebody else changed the tables of the evidence: they are built again']);
  // What is left alone is built once.
  (await tables.ready(await run('d')))();
  await later();
  expect((await sessions()).map(String).toSorted()).toEqual([...before, 'd']);
  expect(faults).toHaveLength(1);
});
