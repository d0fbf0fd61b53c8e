import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { ambit } from '../../packages/cli/test/player.ts';
import { type Postgres, startPostgres } from '../../packages/evidence/test/postgres.ts';
import { type Server, startServer } from '../server.ts';
import { makePerson, ownedContract, POLICY } from './owners.ts';

// Two servers begin one log together, and each has a contract of the same name that other people approved.

vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 });

const home = mkdtempSync(join(tmpdir(), 'ambit-beginning-'));
const people = [
  ['ann', 'bo'],
  ['eve', 'mal'],
] as const;
let postgres: Postgres;
const servers: Server<'sam'>[] = [];

beforeAll(async () => {
  postgres = await startPostgres();
  const environment = `evidenceKey: ${join(home, 'evidence.key')}
evidenceDatabase: { host: 127.0.0.1, port: ${postgres.port}, database: evidence, user: ambit }
`;
  const subjects = { sam: { tenant: 'north', roles: ['buyer'] } };
  for (const [at, names] of people.entries()) {
    const folder = join(home, String(at));
    mkdirSync(join(folder, 'data'), { recursive: true });
    writeFileSync(join(folder, 'data/orders.csv'), 'id,customer\n1,Ann\n');
    writeFileSync(join(folder, 'shop.cedar'), POLICY);
    const listed = names.map((name) => `${name}: ${makePerson(home, name)}`);
    writeFileSync(join(folder, 'shop.yaml'), `${ownedContract('shop', listed)}policies: { cedar: [shop.cedar] }\n`);
    servers.push(await startServer({ paths: [folder], name: 'production', environment, subjects }));
  }
  for (const [at, names] of people.entries()) {
    const { folder } = servers[at];
    for (const name of names) {
      const how = ['--key', join(home, `${name}.pem`), '--expires', '30d', '--reason', 'looked', '--author', 'd@e.org'];
      const contract = join(home, String(at), 'shop.yaml');
      const words = ['review', 'approve', contract, '--environment', join(folder, 'environment.yaml'), '--yes'];
      expect(await ambit([...words, ...how], { cwd: home })).toMatchObject({ status: 0 });
    }
  }
});

afterAll(async () => {
  for (const server of servers) await server.close();
  await postgres.close();
  rmSync(home, { recursive: true });
});

const ask = (server: Server<'sam'>): Promise<Response> =>
  server.as('sam', '/v1/products/shop/query', { body: { sql: 'SELECT id FROM orders', purpose: 'buying' } });

async function until(what: () => Promise<boolean> | boolean): Promise<void> {
  for (let attempt = 0; attempt < 300; attempt += 1) {
    if (await what()) return;
    await sleep(100);
  }
  throw new Error(`that never came:\n${servers.map((server) => server.said()).join('\n---\n')}`);
}

test('one of them begins the product, and the other is refused by name, also when it starts again', async () => {
  await until(() => servers.every((server) => server.said().includes('is approved by')));
  const answers = await Promise.all(servers.map(ask));
  expect(answers.map(({ status }) => status).toSorted((a, b) => a - b)).toEqual([200, 503]);
  const lost = answers.findIndex(({ status }) => status === 503);
  expect(await answers[lost]?.json()).toMatchObject({ code: 'boundary_unapproved' });
  const other = servers[lost];
  const begins = /its reviews begin with \S+, and the first boundary served here was/;
  await until(() => begins.test(other.said()));
  expect((await ask(other)).status).toBe(503);
  expect((await ask(servers[1 - lost])).status).toBe(200);
  servers[lost] = await other.restart();
  await until(() => begins.test(servers[lost].said()));
  expect((await ask(servers[lost])).status).toBe(503);
});
