import { execFile } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseVerifierKey, verifyLog, verifyReceipt } from '@ambit/evidence';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Postgres, startPostgres } from '../../packages/evidence/test/postgres.ts';
import { selfMade } from '../api/certificate.ts';
import { root, type Server, startServer } from '../server.ts';

// Two servers share one log. One is killed under load; what it was told is durable is there, on the other and for an auditor.

const subjects = { ada: { tenant: 'mobility', roles: ['auditor'] }, host: { tenant: 'ambit', roles: ['auditor'] } };
type Name = keyof typeof subjects;

const SECRET = 'not-in-any-log-7f3a';
let kept: string;
let postgres: Postgres;
let environment: string;
const servers: Server<Name>[] = [];

beforeAll(async () => {
  kept = mkdtempSync(join(tmpdir(), 'ambit-several-'));
  const { certificate, key } = await selfMade();
  postgres = await startPostgres({ password: SECRET, certificate, key });
  writeFileSync(join(kept, 'password'), `${SECRET}\n`, { mode: 0o600 });
  environment = `stores: { lake: { root: ${join(root, 'node_modules/vega-datasets/data')} } }
evidenceKey: ${join(kept, 'evidence.key')}
evidenceDatabase:
  host: 127.0.0.1
  port: ${postgres.port}
  database: evidence
  user: ambit
  passwordFile: ${join(kept, 'password')}
  tls: { ca: ${certificate} }
`;
  for (let at = 0; at < 2; at += 1) servers.push(await start());
}, 120_000);
afterAll(async () => {
  for (const server of servers) await server.close();
  await postgres.close();
  rmSync(kept, { recursive: true });
});

const start = (): Promise<Server<Name>> =>
  startServer({ paths: [join(root, 'examples/flights/flights.yaml')], environment, subjects });

const folderOf = ({ folder }: Server<Name>): string => join(folder, '.ambit/evidence');

/** Sessions that a server answered, whole. */
async function load(server: Server<Name>, count: number, answered: string[] = []): Promise<readonly string[]> {
  const client = async (): Promise<void> => {
    for (let at = 0; at < count; at += 1) {
      const body = { sql: 'SELECT count(*) AS n FROM airports', purpose: 'safety-audit' };
      const answer = await server.as('ada', '/v1/products/flights/query', { body });
      await answer.text();
      if (answer.status === 200) answered.push(answer.headers.get('ambit-session') ?? '');
    }
  };
  // Whoever is killed answers nobody any more.
  await Promise.allSettled(Array.from({ length: 4 }, client));
  return answered;
}

function ambit(words: readonly string[], cwd = kept): Promise<{ code: number; text: string }> {
  return new Promise((done) => {
    execFile(process.execPath, [join(root, 'packages/cli/bin/ambit.js'), ...words], { cwd }, (error, out, err) =>
      done({ code: error === null ? 0 : Number(error.code), text: out + err }),
    );
  });
}

async function rows(server: Server<Name>, sql: string): Promise<readonly (readonly unknown[])[]> {
  const answer = await server.as('host', '/v1/evidence/query', { body: { sql, purpose: 'review' } });
  const text = await answer.text();
  expect(answer.status, text).toBe(200);
  return (JSON.parse(text) as { rows: unknown[][] }).rows;
}

test('without its password, or with a certificate that nobody vouches for, there is no log and no server', async () => {
  const password = join(kept, 'password');
  writeFileSync(password, 'another\n');
  await expect(start()).rejects.toThrow('it did not take the credentials');
  writeFileSync(password, `${SECRET}\n`);
  const trusted = environment;
  environment = environment.replace(/ {2}tls: .*\n/, '  tls: {}\n');
  await expect(start()).rejects.toThrow('the database of the evidence cannot be used: DEPTH_ZERO_SELF_SIGNED_CERT');
  environment = trusted;
}, 60_000);

test('one of two servers is killed under load: nothing that it acknowledged is lost', {
  timeout: 180_000,
}, async () => {
  const [gone, stays] = servers as [Server<Name>, Server<Name>];
  const answered: string[] = [];
  const loads = [load(gone, 10_000, answered), load(stays, 12)] as const;
  // One that is under way when it is killed, whatever the others do at that moment.
  const sql =
    'WITH RECURSIVE t AS (SELECT 1 AS i UNION ALL SELECT i + 1 FROM t WHERE i < 1000000000) SELECT count(*) FROM t';
  const body = { sql, purpose: 'safety-audit' };
  const unfinished = gone.as('ada', '/v1/products/flights/query', { body }).catch(() => null);
  const segments = (): readonly string[] => readdirSync(folderOf(gone)).filter((name) => name.endsWith('.segment'));
  const isRunning = (): boolean =>
    segments().some((name) => readFileSync(join(folderOf(gone), name), 'utf8').includes('RECURSIVE t'));
  while (answered.length < 20 || !isRunning()) await sleep(50);
  gone.process.kill('SIGKILL');
  await unfinished;
  const [acknowledged, others] = await Promise.all(loads);
  expect(acknowledged.length).toBeGreaterThan(0);
  expect(others).toHaveLength(48);
  // Evidence that the other server gives, in each of the ways that there are.
  const session = acknowledged.at(-1) as string;
  expect((await stays.as('ada', `/v1/sessions/${session}`)).status).toBe(200);
  const receipt = (await (await stays.as('ada', `/v1/sessions/${session}/receipt`)).json()) as never;
  const key = / signed by (\S+)/.exec(stays.said())?.[1] ?? '';
  expect(verifyReceipt(receipt, key)).toMatchObject({ holds: true });
  const named = (await rows(stays, "SELECT session FROM sessions WHERE product = 'flights'")).map(([id]) => id);
  expect(acknowledged.filter((one) => !named.includes(one))).toEqual([]);
  for (let open = 1; open > 0; await sleep(100)) open = (await verifyLog(folderOf(stays))).open;
  expect(await rows(stays, "SELECT count(*) AS n FROM sessions WHERE status = 'orphaned'")).not.toEqual([[0]]);
  // The killed one comes back on its own files, and the auditor finds the same in all of them.
  servers[0] = await gone.restart();
  expect((await load(servers[0], 2)).length).toBe(8);
  for (const server of servers) await server.stop();
  await expectSame(key);
});

async function expectSame(key: string): Promise<void> {
  const [first, second] = servers as [Server<Name>, Server<Name>];
  const named = ['--environment', join(first.folder, 'environment.yaml')];
  const fetched = await ambit(['evidence', 'fetch', join(kept, 'fetched'), ...named]);
  expect(fetched.code, fetched.text).toBe(0);
  for (const folder of [join(kept, 'fetched'), folderOf(first), folderOf(second)]) {
    const verified = await ambit(['verify', folder, '--key', key]);
    expect(verified.code, verified.text).toBe(0);
  }
  expect((await verifyLog(join(kept, 'fetched'))).open).toBe(0);
  for (const name of readdirSync(folderOf(second)).filter((one) => one.endsWith('.segment'))) {
    // The first of both to stop has not what the other wrote after it.
    const [whole, part] = [readFileSync(join(kept, 'fetched', name)), readFileSync(join(folderOf(first), name))];
    expect(whole.subarray(0, part.length).equals(part)).toBe(true);
    expect(readFileSync(join(folderOf(second), name)).equals(whole)).toBe(true);
  }
  expect(parseVerifierKey(key)).not.toBeNull();
  const text =
    servers.map((server) => server.said()).join('\n') + readFileSync(join(folderOf(second), '00000001.segment'));
  expect(text).not.toContain(SECRET);
}

test('the key is rotated and old segments are removed while a server serves, which follows', {
  timeout: 400_000,
}, async () => {
  const [first, second] = servers as [Server<Name>, Server<Name>];
  const named = ['--environment', join(first.folder, 'environment.yaml')];
  servers[1] = await second.restart();
  const [early] = await load(servers[1], 2);
  // Each run begins a segment: with this one, and those of the commands, that session's is old.
  servers[1] = await servers[1].restart();
  const serving = servers[1];
  const shown = async (): Promise<unknown> =>
    (await rows(serving, `SELECT count(*) AS n FROM sessions WHERE session = '${early}'`))[0]?.[0];
  expect(await shown()).toBe(1);
  // In a folder of its own: one more server, for a moment.
  const prepared = await ambit(['evidence', 'rotate-key', '--prepare', ...named]);
  expect(prepared).toMatchObject({ code: 0, text: `${join(kept, 'evidence.key.next')}\n` });
  const rotated = await ambit(['evidence', 'rotate-key', ...named]);
  expect(rotated.code, rotated.text).toBe(0);
  const key = rotated.text.trim();
  const [session] = await load(serving, 1);
  const receipt = (await (await serving.as('ada', `/v1/sessions/${session}/receipt`)).json()) as never;
  expect(verifyReceipt(receipt, key)).toMatchObject({ holds: true });
  const pruned = await ambit(['evidence', 'prune', '--before', '2100-01-01', ...named]);
  expect(pruned.text).toMatch(/^[1-9][0-9]* records removed$/m);
  // What the product shows goes with it.
  while ((await shown()) !== 0) await sleep(200);
  expect((await load(serving, 1)).length).toBe(4);
  servers[0] = await first.restart();
  expect((await load(servers[0], 1)).length).toBe(4);
  for (const server of servers) await server.stop();
  const fetched = await ambit(['evidence', 'fetch', join(kept, 'after'), ...named]);
  expect(fetched.code, fetched.text).toBe(0);
  for (const folder of [join(kept, 'after'), ...servers.map(folderOf)]) {
    const verified = await ambit(['verify', folder, '--key', key]);
    expect(verified.code, verified.text).toBe(0);
    expect(verified.text).toContain('removed');
  }
});

test('what one server has is shared, and what it proved is proved still', { timeout: 400_000 }, async () => {
  const shared = environment
    .replace('evidence.key', 'alone.key')
    .replace('user: ambit', 'user: ambit\n  schema: alone');
  const whole = environment;
  environment = shared.slice(0, shared.indexOf('evidenceDatabase'));
  const alone = await start();
  environment = shared;
  const file = join(alone.folder, 'environment.yaml');
  const named = ['--environment', join(alone.folder, 'shared.yaml')];
  writeFileSync(named[1], `apiVersion: ambit/v1\nkind: Environment\nname: test\n${shared}`);
  const [session] = await load(alone, 2);
  const receiptOf = async (server: Server<Name>): Promise<never> =>
    (await (await server.as('ada', `/v1/sessions/${session}/receipt`)).json()) as never;
  const receipt = await receiptOf(alone);
  const key = / signed by (\S+)/.exec(alone.said())?.[1] ?? '';
  const running = await ambit(['evidence', 'share', ...named], alone.folder);
  expect(running).toMatchObject({ code: 1, text: expect.stringContaining('writes the evidence') });
  await alone.stop();
  for (let time = 0; time < 2; time += 1) {
    const done = await ambit(['evidence', 'share', ...named], alone.folder);
    expect(done.code, done.text).toBe(0);
    expect(done.text).toContain(`are in the database, signed by ${key}`);
  }
  // A server that is not told of the database would write another history.
  await expect(alone.restart()).rejects.toThrow('which servers share');
  writeFileSync(file, readFileSync(named[1]));
  const both = [await alone.restart(), await start()] as const;
  environment = whole;
  for (const server of both) expect((await load(server, 1)).length).toBe(4);
  expect(verifyReceipt(await receiptOf(both[1]), key)).toMatchObject({ holds: true });
  expect(verifyReceipt(receipt, key)).toMatchObject({ holds: true });
  for (const server of both) await server.stop();
  writeFileSync(join(kept, 'receipt.json'), JSON.stringify(receipt));
  for (const server of both) {
    const trusted = ['--key', key, '--receipt', join(kept, 'receipt.json')];
    const verified = await ambit(['verify', folderOf(server), ...trusted]);
    expect(verified.code, verified.text).toBe(0);
  }
  for (const server of both) await server.close();
});
