import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Ajv } from 'ajv';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { root, type Server, startServer } from '../server.ts';

// Files change while a server runs: new sessions get what they say now, open ones keep what they began with, and what is
// wrong changes nothing.

const subjects = {
  vera: { tenant: 'mobility', roles: ['auditor'] },
  noah: { tenant: 'mobility', roles: ['researcher'], claims: { released_until: '2001-04-01T00:00:00' } },
};
const lake = join(root, 'node_modules/vega-datasets/data');

let folder = '';
let server: Server<keyof typeof subjects>;

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'ambit-reload-'));
  for (const file of ['flights.yaml', 'flights.cedar'])
    cpSync(join(root, 'examples/flights', file), join(folder, file));
  writeFileSync(join(folder, 'base.yaml'), baseText('limits: { rows: 2000000 }\n'));
  server = await startServer({ paths: [folder], environment: `extends: ${join(folder, 'base.yaml')}\n`, subjects });
}, 60_000);
afterEach(async () => {
  await server.close();
  rmSync(folder, { recursive: true });
});

function baseText(more: string, data = lake): string {
  return `apiVersion: ambit/v1\nkind: EnvironmentBase\nstores: { lake: { root: ${data} } }\n${more}`;
}

function edit(file: string, change: (text: string) => string): void {
  const path = join(folder, file);
  const text = readFileSync(path, 'utf8');
  expect(change(text)).not.toBe(text);
  writeFileSync(path, change(text));
}

const ask = (name: 'vera' | 'noah', sql: string): Promise<Response> =>
  server.as(name, '/v1/products/flights/query', {
    body: { sql, purpose: name === 'noah' ? 'research' : 'safety-audit' },
    headers: { accept: 'application/x-ndjson' },
  });

async function fingerprints(): Promise<Readonly<Record<string, string>>> {
  const { products } = (await (await server.as('vera', '/v1/products')).json()) as {
    products: { name: string; fingerprint: string }[];
  };
  return Object.fromEntries(products.map((one) => [one.name, one.fingerprint]));
}

interface Health {
  readonly loadedAt: string;
  readonly reloadRefused: { readonly at: string; readonly problems: number } | null;
}

const health = async (): Promise<Health> => (await (await server.as(null, '/health')).json()) as Health;

async function until<T>(what: () => Promise<T | null | undefined | false>): Promise<T> {
  for (let attempt = 0; attempt < 300; attempt += 1) {
    const found = await what();
    if (found !== null && found !== undefined && found !== false) return found;
    await sleep(50);
  }
  throw new Error(`it never came to be:\n${server.said()}`);
}

/** Waits until other products are served than these. */
const reloaded = (before: Health): Promise<unknown> => until(async () => (await health()).loadedAt !== before.loadedAt);
const refused = (): Promise<Health> => until(async () => ((await health()).reloadRefused === null ? null : health()));

const valid = new Ajv({ strict: false }).compile(
  JSON.parse(readFileSync(join(root, 'schemas/evidence-record.schema.json'), 'utf8')) as object,
);

type Logged = Readonly<Record<string, unknown>> & { readonly type: string };

function records(type: string): readonly Logged[] {
  const log = join(server.folder, '.ambit/evidence');
  const found = readdirSync(log)
    .filter((name) => name.endsWith('.segment'))
    .flatMap((name) => readFileSync(join(log, name), 'utf8').split('\n').slice(1, -1))
    .map((line) => JSON.parse(line.slice(65)) as Logged)
    .filter((record) => record.type === type);
  for (const record of found) expect(valid(record), JSON.stringify(valid.errors)).toBe(true);
  return found;
}

test('an open session keeps its boundary, the next has the new one, and the evidence names both', async () => {
  const before = await health();
  const { flights: old = '' } = await fingerprints();
  // So much that it does not end before it is read.
  const open = await ask('noah', 'SELECT date, origin, destination FROM flights');
  expect(open.headers.get('ambit-fingerprint')).toBe(old);
  const reader = (open.body as ReadableStream<Uint8Array>).getReader();
  const first = await reader.read();

  edit('flights.yaml', (text) => text.replace("date_trunc('day', value)", "date_trunc('month', value)"));
  await reloaded(before);
  const { flights: now = '' } = await fingerprints();
  expect(now).not.toBe(old);
  const next = await ask('noah', 'SELECT count(DISTINCT date) AS dates FROM flights');
  expect(next.headers.get('ambit-fingerprint')).toBe(now);
  expect(JSON.parse((await next.text()).split('\n')[0] ?? '')).toEqual({ dates: 3 });

  // The whole of the first answer is of the old mask: days, not months.
  let text = Buffer.from(first.value ?? []).toString();
  const days = new Set<string>();
  for (;;) {
    for (const [, day = ''] of text.matchAll(/"date":"(2001-\d\d-\d\d)T00:00:00"/g)) days.add(day);
    const { done, value } = await reader.read();
    if (done) break;
    text = text.slice(-40) + Buffer.from(value).toString();
  }
  expect(days.size).toBe(90);
  const session = open.headers.get('ambit-session');
  const intent = records('session.intent').find((one) => one['session'] === session);
  expect(intent?.['fingerprint']).toBe(old);
  expect(records('session.outcome').find((one) => one['session'] === session)?.['status']).toBe('completed');
  const [applied, ...more] = records('reload.applied');
  expect(more).toEqual([]);
  expect(applied).toMatchObject({ environment: 'test', cause: 'files' });
  expect(applied?.['products']).toContainEqual({ product: 'flights', version: '1.0.0', fingerprint: now });
  const loaded = records('boundary.loaded').find((one) => one['fingerprint'] === now);
  expect(Number(loaded?.['seq'])).toBeLessThan(Number(applied?.['seq']));
  expect(server.said()).toContain(`reload: serving flights 1.0.0, ${now}, in place of ${old}\n`);
});

test('a file that is wrong changes nothing of any product, and says so, once', async () => {
  cpSync(join(root, 'examples/flights/other-tenant'), join(folder, 'other-tenant'), { recursive: true });
  const start = await health();
  await reloaded(start);
  const before = await fingerprints();
  const at = await health();
  expect(at.reloadRefused).toBeNull();

  edit('other-tenant/crew.yaml', (text) => text.replace(/description: .*/, 'description: Another text'));
  edit('flights.yaml', (text) =>
    text.replace('table: flights\n      where: date', 'table: flihgts\n      where: date'),
  );
  const now = await refused();
  expect(now).toMatchObject({ loadedAt: at.loadedAt, reloadRefused: { problems: 1 } });
  expect(await fingerprints()).toEqual(before);
  expect((await ask('vera', 'SELECT 1 AS one')).status).toBe(200);
  await sleep(2_000);
  const [record, ...more] = records('reload.refused');
  expect(more).toEqual([]);
  expect(record).toMatchObject({ environment: 'test', cause: 'files' });
  const [problem = ''] = (record?.['problems'] ?? []) as string[];
  expect(problem).toMatch(/flights\.yaml:\d+:\d+ {2}unknown table `flihgts`\n {2}hint: did you mean `flights`$/);
  // Relative: nobody learns from the evidence where the server keeps its files.
  expect(problem).not.toMatch(/^\//);
  expect(server.said()).toContain('reload refused: 1 problem; what was served before is served still\n');

  edit('flights.yaml', (text) => text.replace('flihgts', 'flights'));
  await until(async () => (await health()).reloadRefused === null);
  const after = await fingerprints();
  expect(after['flights']).toBe(before['flights']);
  expect(records('reload.refused')).toHaveLength(1);
});

test('a base of the environment, a file that is renamed over, and policies are noticed', async () => {
  let before = await health();
  writeFileSync(join(folder, 'base.yaml'), baseText('limits: { rows: 10 }\n'));
  await reloaded(before);
  const { status } = await ask('vera', 'SELECT * FROM airports');
  const failed = await (await ask('vera', 'SELECT * FROM airports')).text();
  expect(`${status} ${failed}`).toContain('limit_rows');
  expect(server.said()).toMatch(
    /note: .*flights\.yaml:\d+:3 {2}the limit `rows` is 10 in test: .*base\.yaml:4:11 lowers it/,
  );

  before = await health();
  const policies = readFileSync(join(folder, 'flights.cedar'), 'utf8');
  writeFileSync(join(folder, 'new.tmp'), policies.replaceAll('auditor"', 'nobody"'));
  renameSync(join(folder, 'new.tmp'), join(folder, 'flights.cedar'));
  await reloaded(before);
  expect((await ask('vera', 'SELECT 1 AS one')).status).toBe(404);
});

test('a folder gains a contract, and loses it', async () => {
  let before = await health();
  mkdirSync(join(folder, 'more'));
  for (const file of ['crew.yaml', 'crew.cedar'])
    cpSync(join(root, 'examples/flights/other-tenant', file), join(folder, 'more', file));
  await reloaded(before);
  expect(server.said()).toMatch(/reload: serving crew 1\.0\.0, sha256:/);
  before = await health();
  rmSync(join(folder, 'more'), { recursive: true });
  await reloaded(before);
  expect(server.said()).toContain('reload: crew 1.0.0 is not served any more\n');
  // Without any contract a server would not have started: it is refused.
  renameSync(join(folder, 'flights.yaml'), join(folder, 'flights.yaml.old'));
  await refused();
  expect((await ask('vera', 'SELECT 1 AS one')).status).toBe(200);
});

test('many files that change one after the other are one reload', async () => {
  const before = await health();
  for (const file of ['crew.cedar', 'crew.yaml'])
    cpSync(join(root, 'examples/flights/other-tenant', file), join(folder, file));
  for (let step = 0; step < 8; step += 1) {
    edit('flights.yaml', (text) => text.replace(/rows: \d+\n/, `rows: ${1_000 + step}\n`));
    // Halfway it is wrong.
    edit('flights.yaml', (text) =>
      step < 7 ? text.replace('kind: DataProduct', 'kind: DataProduct\nhalf: way') : `${text}# done\n`,
    );
    await sleep(100);
    if (step < 7) edit('flights.yaml', (text) => text.replace('\nhalf: way', ''));
  }
  await reloaded(before);
  await sleep(1_500);
  expect(records('reload.applied')).toHaveLength(1);
  expect(records('reload.refused')).toEqual([]);
  expect(Object.keys(await fingerprints())).toContain('flights');
});

test('what cannot change while a server runs is refused by name, and all that came with it', async () => {
  const before = await fingerprints();
  edit('flights.yaml', (text) => text.replace('Three million', 'Many'));
  const environment = join(server.folder, 'environment.yaml');
  const text = readFileSync(environment, 'utf8');
  writeFileSync(
    environment,
    `${text.replace('name: test', 'name: production')}evidence: elsewhere\nkeys: others.json\n`,
  );
  await refused();
  const [record] = records('reload.refused');
  expect(record?.['problems']).toEqual(
    [
      ['3:1', 'name'],
      ['5:1', 'evidence'],
      ['6:1', 'keys'],
    ].map(
      ([place, key]) =>
        `environment.yaml:${place}  \`${key}\` cannot change while the server runs: it needs a restart\n` +
        '  hint: restart the server, or put back what was there',
    ),
  );
  expect(await fingerprints()).toEqual(before);
  writeFileSync(environment, text);
  await until(async () => (await fingerprints())['flights'] !== before['flights']);
});

test('whether owners approve what is served stays as it was, whatever a base says', async () => {
  const before = await fingerprints();
  writeFileSync(join(folder, 'base.yaml'), baseText('limits: { rows: 1000000 }\nreview: required\n'));
  await refused();
  expect(await fingerprints()).toEqual(before);
  server = await server.restart();
  expect((await ask('vera', 'SELECT 1 AS one')).status).toBe(503);
  writeFileSync(join(folder, 'base.yaml'), baseText('limits: { rows: 1000000 }\n'));
  await refused();
  expect((await ask('vera', 'SELECT 1 AS one')).status).toBe(503);
  expect(records('reload.refused').at(-1)?.['problems']).toMatchObject([
    expect.stringContaining('`review` cannot change while the server runs'),
  ]);
});

test('a store that lies elsewhere gets new workers; the old ones end with their sessions', async () => {
  const before = await health();
  const old = server.workers();
  const elsewhere = join(folder, 'data');
  mkdirSync(elsewhere);
  writeFileSync(join(elsewhere, 'airports.csv'), 'iata,name,city,state,country,latitude,longitude\nQQQ,Q,Q,Q,Q,1,1\n');
  const open = await ask('vera', 'SELECT date, origin, destination FROM flights LIMIT 1500000');
  const reader = (open.body as ReadableStream<Uint8Array>).getReader();
  await reader.read();

  writeFileSync(join(folder, 'base.yaml'), baseText('limits: { rows: 2000000 }\n', elsewhere));
  await reloaded(before);
  expect(await (await ask('vera', 'SELECT iata FROM airports')).text()).toBe('{"iata":"QQQ"}\n');
  expect(old.every((pid) => server.workers().includes(pid))).toBe(true);
  let bytes = 0;
  for (let next = await reader.read(); !next.done; next = await reader.read()) bytes += next.value.length;
  expect(bytes).toBeGreaterThan(1_500_000 * 40);
  await until(async () => !old.some((pid) => server.workers().includes(pid)));
  const session = open.headers.get('ambit-session');
  expect(records('session.outcome').find((one) => one['session'] === session)?.['status']).toBe('completed');
  expect(server.workers()).toHaveLength(2);
});

test('SIGHUP reads the files anew, and says what came of it', async () => {
  server.process.kill('SIGHUP');
  await until(async () => server.said().includes('reload: nothing has changed'));
  const before = await health();
  edit('flights.yaml', (text) => text.replace('Three million', 'Many'));
  server.process.kill('SIGHUP');
  await reloaded(before);
  expect(records('reload.applied')).toHaveLength(1);
});

test('what is asked of the evidence is what is served now', async () => {
  const setting = async (): Promise<string> => {
    const sql =
      "SELECT value FROM served_settings WHERE product = 'flights' AND setting = 'datafusion.execution.batch_size'";
    const answer = await server.as('vera', '/v1/evidence/query', {
      body: { sql },
      headers: { 'ambit-purpose': 'review' },
    });
    return answer.text();
  };
  expect(await setting()).toContain('"8192"');
  const before = await health();
  edit('flights.yaml', (text) => text.replace('batch_size: 8192', 'batch_size: 4096'));
  await reloaded(before);
  await until(async () => (await setting()).includes('"4096"'));
});
