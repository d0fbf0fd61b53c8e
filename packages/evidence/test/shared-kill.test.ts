import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, beforeAll, expect, it, onTestFinished } from 'vitest';
import { type Postgres, startPostgres } from './postgres.ts';
import { type Appender, build, expectKept, startAppender } from './process.ts';
import { startProxy } from './proxy.ts';
import { sharedLog, type SharedLog } from './shared-support.ts';
import { freshFolder, readRecords } from './support.ts';

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

async function startOne(shared: SharedLog, given?: string, port = postgres.port): Promise<Server> {
  const folder = given ?? (await freshFolder());
  const process = await startAppender(folder, 8, [], { key: shared.key, shared: { ...shared.options, port } });
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

const acknowledged = ({ process }: Server): number =>
  process.said().filter((line) => line.startsWith('intent') || line.startsWith('outcome')).length;

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
