import { cp, mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { EvidenceDamaged, EvidenceShared } from '../src/errors.ts';
import { openLog } from '../src/log.ts';
import { type Receipt, verifyReceipt } from '../src/receipt.ts';
import { verifyLog } from '../src/verify.ts';
import { type Postgres, startPostgres } from './postgres.ts';
import { startProxy } from './proxy.ts';
import { leavesOf, sharedLog, type SharedLog, until } from './shared-support.ts';
import { freshFolder, readRecords, runSession } from './support.ts';

let postgres: Postgres;
beforeAll(async () => {
  postgres = await startPostgres();
}, 60_000);
afterAll(() => postgres.close());

const segments = async (folder: string): Promise<readonly string[]> =>
  (await readdir(folder)).filter((name) => name.endsWith('.segment')).toSorted();

/** Servers one after the other in a folder: each begins a segment, of more than a bundle of records. */
async function runs(shared: SharedLog, from: number, to: number, folder?: string, sessions = 150): Promise<string> {
  let own = folder;
  for (let run = from; run < to; run += 1) {
    const opened = await shared.open(own);
    own = opened.folder;
    await Promise.all(Array.from({ length: sessions }, (_, at) => runSession(opened.log, `${run}-${at}`)));
    await opened.log.close();
  }
  await pause(5);
  return own as string;
}

describe('old segments of a log that servers share', () => {
  it('go everywhere, in the step that says so, and leave a log that verifies, proves and goes on', async () => {
    const shared = await sharedLog(postgres);
    const old = await runs(shared, 0, 1);
    const first = await shared.open(old);
    const receipt = (await first.log.receipt('0-7')) as Receipt;
    await first.log.close();
    await runs(shared, 1, 5, old);
    const stays = await shared.open();
    await pause(5);
    const before = new Date();
    await runSession(stays.log, 'late');
    const pruner = await shared.open(old);
    expect(await pruner.log.prune(new Date(0))).toBe(0);
    const removed = await pruner.log.prune(before);
    expect(removed).toBeGreaterThan(4 * 300);
    expect(await pruner.log.prune(before)).toBe(0);
    expect(await pruner.log.session('0-7')).toBeNull();
    await runSession(pruner.log, 'after');
    await until(() => stays.log.records() === pruner.log.records());
    expect(await stays.log.session('0-7')).toBeNull();
    expect(await stays.log.session('after')).not.toBeNull();
    expect(await segments(stays.folder)).not.toContain('00000001.segment');
    expect(await segments(stays.folder)).toEqual(await segments(old));
    const [{ oldest }] = (await postgres.query(
      `SELECT min(segment) AS oldest FROM ${shared.options.schema}.batches`,
    )) as [{ oldest: number }];
    expect(await segments(old)).toContain(`${String(oldest).padStart(8, '0')}.segment`);
    await runSession(stays.log, 'more');
    await stays.log.close();
    await pruner.log.close();
    const fresh = await shared.open();
    await runSession(fresh.log, 'fresh');
    expect((await fresh.log.receipt('late')) !== null).toBe(true);
    await fresh.log.close();
    const fetched = await shared.fetched(fresh.folder);
    const { key } = fresh.log;
    const found = await verifyLog(fetched, { key, checkpoints: [receipt.checkpoint] });
    expect(found).toMatchObject({ problems: [], pruned: removed, trusted: true });
    expect(verifyReceipt(receipt, key).holds).toBe(true);
    // The tree still has what went.
    expect((await leavesOf(fetched)).get('session.outcome')).toContain('0-7');
    expect((await readRecords(fetched)).filter(({ type }) => type === 'evidence.pruned')).not.toEqual([]);
  });

  it('go from a folder whose server was away for all of it, and it goes on', async () => {
    const shared = await sharedLog(postgres);
    const away = await runs(shared, 0, 2);
    const other = await runs(shared, 2, 7);
    const pruner = await shared.open(other);
    expect(await pruner.log.prune(new Date())).toBeGreaterThan(0);
    await pruner.log.close();
    const back = await shared.open(away);
    expect(await segments(away)).not.toContain('00000002.segment');
    await runSession(back.log, 'back');
    await back.log.close();
    await shared.fetched(away);
    expect((await leavesOf(away)).get('session.outcome')).toContain('0-7');
  });

  it('go from a folder whose server was killed while it removed them', async () => {
    const shared = await sharedLog(postgres);
    const folder = await runs(shared, 0, 6);
    const kept = await mkdtemp(join(tmpdir(), 'ambit-kept-'));
    onTestFinished(() => rm(kept, { recursive: true }));
    await cp(folder, kept, { recursive: true });
    const pruner = await shared.open(folder);
    expect(await pruner.log.prune(new Date())).toBeGreaterThan(0);
    await pruner.log.close();
    const there = await segments(folder);
    for (const name of (await segments(kept)).slice(1)) await cp(join(kept, name), join(folder, name));
    await (await shared.open(folder)).log.close();
    for (const name of (await segments(folder)).slice(0, there.length - 1)) expect(there).toContain(name);
    await shared.fetched(folder);
  });

  it('stay with a server whose database lost them, or says of another log that they went', async () => {
    const shared = await sharedLog(postgres);
    const folder = await runs(shared, 0, 6);
    const { schema } = shared.options;
    const before = await segments(folder);
    await postgres.query(`CREATE TABLE ${schema}.kept AS SELECT * FROM ${schema}.batches WHERE segment < 3;
      DELETE FROM ${schema}.batches WHERE segment < 3`);
    await expect(shared.open(folder)).rejects.toThrow('no record says that they were removed for their age');
    await expect(shared.open()).rejects.toThrow('the database lacks the tree of record 0');
    expect(await segments(folder)).toEqual(before);
    await postgres.query(`INSERT INTO ${schema}.batches SELECT * FROM ${schema}.kept; DROP TABLE ${schema}.kept`);
    await (await shared.open(folder)).log.close();
    // Leaves that somebody changed make another tree.
    const pruner = await shared.open(folder);
    expect(await pruner.log.prune(new Date())).toBeGreaterThan(0);
    await pruner.log.close();
    await postgres.query(
      `UPDATE ${schema}.entries SET bytes = overlay(bytes PLACING '\\x30' FROM 40) WHERE bundle = 0`,
    );
    await expect(shared.open()).rejects.toBeInstanceOf(EvidenceDamaged);
    await (await shared.open(folder)).log.close();
  });

  it('need a role that may remove them: another is refused, and goes on', async () => {
    const shared = await sharedLog(postgres);
    const folder = await runs(shared, 0, 5);
    const { schema } = shared.options;
    await postgres.query(`
      CREATE ROLE serving_${schema} LOGIN;
      GRANT USAGE ON SCHEMA ${schema} TO serving_${schema};
      GRANT SELECT ON ALL TABLES IN SCHEMA ${schema} TO serving_${schema};
      GRANT UPDATE ON ${schema}.log TO serving_${schema};
      GRANT INSERT ON ${schema}.batches TO serving_${schema};
      GRANT INSERT, UPDATE ON ${schema}.servers TO serving_${schema}`);
    const role = { ...shared.options, user: `serving_${schema}` };
    const log = await openLog({ folder, key: shared.key, ambit: '0.1.0', shared: role });
    onTestFinished(() => log.close());
    await expect(log.prune(new Date())).rejects.toBeInstanceOf(EvidenceShared);
    expect(log.failure()).toBeNull();
    // What others remove, it follows.
    const pruner = await shared.open(await runs(shared, 5, 6));
    expect(await pruner.log.prune(new Date())).toBeGreaterThan(0);
    await until(async () => !(await segments(folder)).includes('00000001.segment'));
    await runSession(log, 'after');
  });

  it('are removed once, by two servers at the same moment', async () => {
    const shared = await sharedLog(postgres);
    const folder = await runs(shared, 0, 6);
    const [a, b] = [await shared.open(folder), await shared.open()];
    const removed = await Promise.all([a.log.prune(new Date()), b.log.prune(new Date())]);
    expect(Math.max(...removed)).toBeGreaterThan(0);
    await runSession(a.log, 'a');
    await runSession(b.log, 'b');
    await a.log.close();
    await b.log.close();
    await shared.fetched(b.folder);
  });
});

it('many steps remove many segments', async () => {
  const shared = await sharedLog(postgres);
  let folder = await freshFolder();
  for (let run = 0; run < 24; run += 1) {
    const opened = await shared.open(folder);
    ({ folder } = opened);
    await runSession(opened.log, `s${run}`);
    await opened.log.close();
  }
  await pause(5);
  const pruner = await shared.open(folder);
  await pruner.log.prune(new Date());
  await pruner.log.close();
  const fetched = await shared.fetched(folder);
  const said = (await readRecords(fetched)).filter(({ type }) => type === 'evidence.pruned');
  expect(said.length).toBeGreaterThan(1);
  expect((await segments(fetched)).length).toBeLessThan(5);
});

it('a server that was paused for longer than they were kept goes on after them', { timeout: 60_000 }, async () => {
  const shared = await sharedLog(postgres);
  const proxy = await startProxy(postgres.port);
  onTestFinished(() => proxy.close());
  const folder = await runs(shared, 0, 1);
  const paused = await shared.open(undefined, proxy.port);
  await runSession(paused.log, 'before');
  const [known, key] = [paused.log.records(), paused.log.key];
  // As one that is paused: its connection stays, and nothing that was asked or told comes through.
  const deliver = proxy.hold();
  const keeper = await shared.open(await runs(shared, 1, 4, folder, 40));
  const rotated = await keeper.log.rotateKey();
  await keeper.log.close();
  await runs(shared, 4, 8, folder, 40);
  const pruner = await shared.open(folder);
  expect(await pruner.log.prune(new Date())).toBeGreaterThan(known);
  expect(paused.log.records()).toBe(known);
  deliver();
  await until(() => paused.log.records() >= pruner.log.records());
  expect(paused.log.failure()).toBeNull();
  expect([paused.log.key, paused.log.key === key]).toEqual([rotated, false]);
  await runSession(paused.log, 'after');
  expect(verifyReceipt((await paused.log.receipt('7-3')) as Receipt, rotated).holds).toBe(true);
  expect(await paused.log.session('before')).toBeNull();
  await until(() => paused.log.records() === pruner.log.records());
  await pruner.log.close();
  await paused.log.close();
  await shared.fetched(paused.folder);
  await (await shared.open(paused.folder)).log.close();
});
