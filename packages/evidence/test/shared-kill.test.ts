import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, beforeAll, expect, it, onTestFinished } from 'vitest';
import { type Postgres, startPostgres } from './postgres.ts';
import { type Appender, build, expectKept, startAppender, startKeeper } from './process.ts';
import { startProxy } from './proxy.ts';
import { leavesOf, sharedLog, type SharedLog } from './shared-support.ts';
import { freshFolder, intent, outcome, readRecords, runSession } from './support.ts';

/** More of them for a soak: `EVIDENCE_KILLS=100 npx vitest run packages/evidence/test/shared-kill.test.ts`. */
const kills = Number(process.env['EVIDENCE_KILLS'] ?? 5);

let postgres: Postgres;
beforeAll(async () => {
  build();
  postgres = await startPostgres();
}, 90_000);
afterAll(() => postgres.close());

interface Server {
  readonly folder: string;
  readonly process: Appender;
}

async function startOne(shared: SharedLog, given?: string, port = postgres.port, stays = true): Promise<Server> {
  const folder = given ?? (await freshFolder());
  const process = await startAppender(folder, 8, [], { key: shared.key, shared: { ...shared.options, port } }, stays);
  onTestFinished(() => process.kill());
  return { folder, process };
}

/** Kills who still runs, lets another close what they left, and expects everything of the log that was promised. */
async function expectAll(shared: SharedLog, servers: readonly Server[]): Promise<number> {
  for (const { process } of servers) await process.kill();
  const folders = [...new Set(servers.map(({ folder }) => folder))];
  const last = await shared.open(folders[0]);
  await shared.settled(last.log);
  await last.log.close();
  const fetched = await shared.fetched(last.folder);
  const said = servers.flatMap(({ process }) => process.said());
  const orphans = await expectKept(fetched, said);
  // The other folders are what the log was when their servers were killed, and come up to it.
  for (const folder of folders.slice(1)) {
    await (await shared.open(folder)).log.close();
    await shared.fetched(folder);
  }
  return orphans;
}

const acknowledged = ({ process }: Server): number => process.acknowledged();

it(`loses nothing through ${kills} times kill -9 of one of two servers under load`, {
  timeout: 60_000 + kills * 10_000,
}, async () => {
  const shared = await sharedLog(postgres);
  const stays = await startOne(shared);
  const gone: Server[] = [];
  let folder: string | undefined;
  for (let round = 0; round < kills; round += 1) {
    const server = await startOne(shared, folder);
    ({ folder } = server);
    await server.process.until((line) => line.startsWith('outcome'));
    await pause(Math.random() * 300);
    await server.process.kill();
    gone.push(server);
    // Whoever stays goes on at once.
    const before = acknowledged(stays);
    await stays.process.until(() => acknowledged(stays) > before);
  }
  await pause(4_500);
  expect(stays.process.said().filter((line) => line.startsWith('refused'))).toEqual([]);
  for (const server of gone) expect(acknowledged(server)).toBeGreaterThan(0);
  expect(await expectAll(shared, [...gone, stays])).toBeGreaterThan(0);
});

it('a server that is paused, fenced and continued is refused', { timeout: 60_000 }, async () => {
  const shared = await sharedLog(postgres);
  const proxy = await startProxy(postgres.port);
  onTestFinished(() => proxy.close());
  const [paused, other] = [await startOne(shared, undefined, proxy.port), await startOne(shared)];
  await paused.process.until((line) => line.startsWith('outcome'));
  paused.process.child.kill('SIGSTOP');
  // It keeps nobody waiting while it is believed to live.
  const before = acknowledged(other);
  await other.process.until(() => acknowledged(other) > before + 20);
  proxy.cut();
  const lost = async (): Promise<boolean> =>
    (await postgres.query(`SELECT FROM ${shared.options.schema}.servers WHERE state = 'fenced'`)).length > 0;
  for (let round = 0; !(await lost()); round += 1) {
    expect(round).toBeLessThan(200);
    await pause(50);
  }
  paused.process.child.kill('SIGCONT');
  await paused.process.until((line) => line === 'refused evidence_fenced');
  // What was durable before it was paused it may learn now: `expectAll` looks for each of those. From here on there are none.
  const told = acknowledged(paused);
  await pause(500);
  expect(acknowledged(paused)).toBe(told);
  const orphans = await expectAll(shared, [paused, other]);
  expect(orphans).toBeGreaterThan(0);
  const records = await readRecords(other.folder);
  expect(records.filter(({ type }) => type === 'server.lost').length).toBeGreaterThan(1);
});

it('a server that is paused with its connection open loses and forks nothing, and follows all that was done meanwhile', {
  timeout: 90_000,
}, async () => {
  const shared = await sharedLog(postgres);
  const [paused, other] = [await startOne(shared), await startOne(shared)];
  await paused.process.until((line) => line.startsWith('outcome'));
  paused.process.child.kill('SIGSTOP');
  // A session of its own, the key rotated: longer than anybody is missed.
  const keeper = await shared.open();
  const { seq } = await keeper.log.append(intent('meanwhile'));
  await keeper.log.rotateKey();
  await pause(5_000);
  const before = acknowledged(other);
  await other.process.until(() => acknowledged(other) > before + 20);
  await keeper.log.append(outcome('meanwhile', seq));
  const told = acknowledged(paused);
  paused.process.child.kill('SIGCONT');
  await paused.process.until(() => acknowledged(paused) > told + 20);
  expect(paused.process.said().filter((line) => line.startsWith('refused'))).toEqual([]);
  expect(await keeper.log.session('meanwhile')).toMatchObject({ outcome: { status: 'completed' } });
  await keeper.log.close();
  const servers = `SELECT FROM ${shared.options.schema}.servers WHERE state = 'fenced'`;
  expect(await postgres.query(servers)).toEqual([]);
  await expectAll(shared, [paused, other]);
});

it('a server that reads nothing for long is ended before what waits for it fills the queue of all', {
  timeout: 90_000,
}, async () => {
  const shared = await sharedLog(postgres);
  const [paused, other] = [await startOne(shared), await startOne(shared)];
  paused.process.child.kill('SIGSTOP');
  const channel = `ambit evidence ${shared.options.schema}`;
  const flood = `SELECT pg_notify('${channel}', repeat('x', 7000) || n) FROM generate_series(1, 4000) AS n`;
  const isLost = async (): Promise<boolean> => {
    await postgres.query(flood);
    const lost = await postgres.query(`SELECT FROM ${shared.options.schema}.servers WHERE state = 'fenced'`);
    return lost.length > 0;
  };
  for (let round = 0; !(await isLost()); round += 1) {
    expect(round).toBeLessThan(60);
    await pause(500);
  }
  const [{ used }] = (await postgres.query('SELECT pg_notification_queue_usage() AS used')) as [{ used: number }];
  expect(used).toBeLessThan(0.1);
  paused.process.child.kill('SIGCONT');
  await paused.process.until((line) => line === 'refused evidence_fenced');
  await expectAll(shared, [paused, other]);
});

it.each(['prune', 'rotate'] as const)(
  `%s, killed at any moment ${kills} times under load, leaves nothing half done`,
  {
    timeout: 120_000 + kills * 40_000,
  },
  async (what) => {
    const shared = await sharedLog(postgres);
    // One that has a session which does not end keeps its segment.
    const one = (): Promise<Server> => startOne(shared, undefined, postgres.port, what === 'rotate');
    const servers = [await one(), await one()];
    const folder = await freshFolder();
    let done = 0;
    for (let round = 0; round < kills; round += 1) {
      const keeper = await startKeeper(folder, what, { key: shared.key, shared: shared.options });
      onTestFinished(() => keeper.kill());
      if (round % 2 === 0) await keeper.until((line) => line !== 'open');
      await pause(Math.random() * 200);
      await keeper.kill();
      done += keeper.said().filter((line) => line.startsWith('rotated') || /^pruned [1-9]/.test(line)).length;
      for (const server of servers) {
        const before = acknowledged(server);
        await server.process.until(() => acknowledged(server) > before + 5);
      }
    }
    for (const { process } of servers) await process.kill();
    const last = await shared.open(folder);
    await shared.settled(last.log);
    await runSession(last.log, 'last');
    if (what === 'prune') done += await last.log.prune(new Date());
    await last.log.close();
    expect(done).toBeGreaterThan(0);
    for (const server of servers) await (await shared.open(server.folder)).log.close();
    const fetched = await shared.fetched(servers.at(-1)?.folder as string);
    // Whatever was acknowledged is in the tree, if it was removed since.
    const leaves = await leavesOf(fetched);
    for (const [kind, session] of servers.flatMap(({ process }) => process.said().map((line) => line.split(' ')))) {
      if (kind === 'intent' || kind === 'outcome') expect(leaves.get(`session.${kind}`)).toContain(session);
    }
    expect(leaves.get('session.intent')?.size).toBe(leaves.get('session.outcome')?.size);
  },
);

it('PostgreSQL killed and started again under load: refusals, and nothing lost', { timeout: 180_000 }, async () => {
  const shared = await sharedLog(postgres);
  const servers = [await startOne(shared), await startOne(shared)];
  for (let round = 0; round < 2; round += 1) {
    await pause(300);
    await postgres.kill();
    // Once within what an append waits, and then longer.
    await pause(round === 0 ? 200 : 4_000);
    await postgres.start();
    for (const server of servers) {
      const before = acknowledged(server);
      await server.process.until(() => acknowledged(server) > before + 10);
    }
  }
  const refused = servers.flatMap(({ process }) => process.said()).filter((line) => line.startsWith('refused'));
  expect(refused.length).toBeGreaterThan(0);
  await expectAll(shared, servers);
});

it('answers of the database that are lost: each record once', { timeout: 180_000 }, async () => {
  const shared = await sharedLog(postgres);
  const proxy = await startProxy(postgres.port);
  onTestFinished(() => proxy.close());
  const [far, near] = [await startOne(shared, undefined, proxy.port), await startOne(shared)];
  for (let round = 0; round < 8; round += 1) {
    await pause(100 + Math.random() * 100);
    // What is under way arrives there, and its answer does not come back.
    proxy.deaf = true;
    await pause(20);
    proxy.cut();
    proxy.deaf = false;
    const before = acknowledged(far);
    await far.process.until(() => acknowledged(far) > before + 5);
  }
  await expectAll(shared, [far, near]);
});
