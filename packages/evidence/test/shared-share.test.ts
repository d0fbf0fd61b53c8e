import { cp, mkdtemp, open as openFile, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import {
  EvidenceDamaged,
  EvidenceKeyUnknown,
  EvidenceLocked,
  EvidenceShared,
  EvidenceUnavailable,
} from '../src/errors.ts';
import { openLog } from '../src/log.ts';
import { type Receipt, verifyReceipt } from '../src/receipt.ts';
import { shareLog } from '../src/shared/share.ts';
import { verifyLog } from '../src/verify.ts';
import { type Postgres, startPostgres } from './postgres.ts';
import { build, startSharer } from './process.ts';
import { startProxy } from './proxy.ts';
import { leavesOf, sharedLog, type SharedLog, until } from './shared-support.ts';
import { freshFolder, intent, readRecords, runSession } from './support.ts';

let postgres: Postgres;
beforeAll(async () => {
  build();
  postgres = await startPostgres();
}, 90_000);
afterAll(() => postgres.close());

interface Alone {
  readonly folder: string;
  readonly key: string;
  readonly receipt: Receipt;
  readonly checkpoint: string;
}

/** A log of its own that several runs wrote, with all that one can have been through. */
async function alone(shared: SharedLog, runs = 6): Promise<Alone> {
  const folder = await freshFolder();
  const { key } = shared;
  let receipt: Receipt | null = null;
  let checkpoint = '';
  for (let run = 0; run < runs; run += 1) {
    const log = await openLog({ folder, key, ambit: '0.1.0' });
    await Promise.all(Array.from({ length: 100 }, (_, at) => runSession(log, `${run}-${at}`)));
    receipt ??= await log.receipt('0-7');
    checkpoint = log.checkpoint();
    if (run === 1) await log.rotateKey();
    await log.close();
  }
  return { folder, key, receipt: receipt as Receipt, checkpoint };
}

const share = ({ options, key }: SharedLog, folder: string, port = options.port): ReturnType<typeof shareLog> =>
  shareLog({ folder, key, ambit: '0.1.0', database: { ...options, port } });

async function bytesOf(folder: string): Promise<Readonly<Record<string, string>>> {
  const names = (await readdir(folder)).filter((name) => name.endsWith('.segment'));
  const read = await Promise.all(names.map(async (name) => [name, await readFile(join(folder, name), 'latin1')]));
  return Object.fromEntries(read) as Record<string, string>;
}

describe('the log of a folder', () => {
  it('is shared from here on: the same bytes under the same key, and what it proved is proved still', async () => {
    const shared = await sharedLog(postgres);
    const { folder, receipt, checkpoint } = await alone(shared);
    const before = await bytesOf(folder);
    const { key, records } = await share(shared, folder);
    expect(await bytesOf(folder)).toEqual(before);
    expect(await bytesOf(await shared.fetched(folder))).toEqual(before);
    expect(records).toBe((await readRecords(folder)).length);
    const [own, other] = [await shared.open(folder), await shared.open()];
    expect(own.log.key).toBe(key);
    expect(verifyReceipt((await other.log.receipt('0-7')) as Receipt, key).holds).toBe(true);
    await Promise.all([runSession(own.log, 'own'), runSession(other.log, 'other')]);
    await own.log.close();
    await other.log.close();
    const fetched = await shared.fetched(other.folder);
    const found = await verifyLog(fetched, { key, checkpoints: [checkpoint, receipt.checkpoint] });
    expect(found).toMatchObject({ problems: [], trusted: true });
    expect(verifyReceipt(receipt, found.keys[0] as string).holds).toBe(true);
    for (const [name, bytes] of Object.entries(before)) expect((await bytesOf(fetched))[name]).toBe(bytes);
    // Nobody writes to it alone any more.
    const opening = openLog({ folder, key: shared.key, ambit: '0.1.0' });
    await expect(opening).rejects.toBeInstanceOf(EvidenceShared);
    // And once more it is what it was.
    expect((await share(shared, folder)).key).toBe(key);
  });

  it('whose old segments were removed is shared with its tree', async () => {
    const shared = await sharedLog(postgres);
    const { folder, receipt } = await alone(shared);
    await pause(5);
    const log = await openLog({ folder, key: shared.key, ambit: '0.1.0' });
    const removed = await log.prune(new Date());
    expect(removed).toBeGreaterThan(0);
    await log.close();
    await share(shared, folder);
    const fetched = await shared.fetched(folder);
    expect(await verifyLog(fetched, { checkpoints: [receipt.checkpoint] })).toMatchObject({
      problems: [],
      pruned: removed,
    });
    expect((await leavesOf(fetched)).get('session.intent')).toContain('0-7');
    const server = await shared.open();
    await runSession(server.log, 'after');
    expect(await server.log.prune(new Date())).toBeGreaterThan(0);
  });

  it('of a server that was killed has its sessions closed, and what was written and never acknowledged with it', async () => {
    const shared = await sharedLog(postgres);
    const { folder } = await alone(shared, 2);
    const killed = await mkdtemp(join(tmpdir(), 'ambit-killed-'));
    onTestFinished(() => rm(killed, { recursive: true, force: true }));
    const log = await openLog({ folder, key: shared.key, ambit: '0.1.0' });
    await log.append(intent('left'));
    await cp(folder, killed, { recursive: true, filter: (path) => !path.endsWith('/lock') });
    await log.close();
    const [last] = (await readdir(killed))
      .filter((name) => name.endsWith('.segment'))
      .toSorted()
      .toReversed();
    const torn = await openFile(join(killed, last as string), 'a');
    await torn.write('half a rec');
    await torn.close();
    await share(shared, killed);
    const records = await readRecords(await shared.fetched(killed));
    expect(
      records.find(({ type, ...rest }) => type === 'session.outcome' && Reflect.get(rest, 'session') === 'left'),
    ).toMatchObject({ status: 'orphaned' });
    await (await shared.open(killed)).log.close();
  });

  it('with a segment that holds nothing is shared, and goes on after it', async () => {
    const shared = await sharedLog(postgres);
    const { folder } = await alone(shared, 2);
    const names = Object.keys(await bytesOf(folder)).toSorted();
    const log = await openLog({ folder, key: shared.key, ambit: '0.1.0' });
    await runSession(log, 's1');
    await log.close();
    // As a write leaves it that failed after the header: the next one begins where this one does.
    const bytes = await readFile(join(folder, '00000003.segment'));
    const file = await openFile(join(folder, '00000003.segment'), 'w');
    await file.write(bytes.subarray(0, bytes.indexOf(10) + 1));
    await file.close();
    await rm(join(folder, 'tile'), { recursive: true });
    await rm(join(folder, 'checkpoint'));
    expect(names).toHaveLength(2);
    await share(shared, folder);
    const server = await shared.open(folder);
    await runSession(server.log, 'after');
    await server.log.close();
    const fresh = await shared.open();
    await runSession(fresh.log, 'fresh');
    await fresh.log.close();
    await shared.fetched(fresh.folder);
  });

  it('is put there to the end, however often that is interrupted; nobody serves a part of it', {
    timeout: 120_000,
  }, async () => {
    const shared = await sharedLog(postgres);
    const { folder } = await alone(shared, 12);
    const before = await bytesOf(folder);
    const proxy = await startProxy(postgres.port);
    onTestFinished(() => proxy.close());
    proxy.delayMs = 25;
    const options = { key: shared.key, database: { ...shared.options, port: proxy.port } };
    for (const batches of [0, 1, 5, 11, 12]) {
      const sharer = await startSharer(folder, options);
      onTestFinished(() => sharer.kill());
      await until(async () => (await there(shared)).batches >= batches);
      await sharer.kill();
      const { sharing } = await there(shared);
      // The last may have been faster.
      if (batches > 0 && batches < 12) expect(sharing).toBe(true);
      if (sharing) await expect(shared.open()).rejects.toThrow('`ambit evidence share`');
    }
    const last = await startSharer(folder, options);
    await last.until((line) => line === 'shared');
    expect(await bytesOf(await shared.fetched(folder))).toEqual(before);
    const server = await shared.open(folder);
    await runSession(server.log, 'after');
  });

  it('is put there to the end though the database goes away meanwhile', { timeout: 60_000 }, async () => {
    const shared = await sharedLog(postgres);
    const { folder } = await alone(shared, 4);
    const proxy = await startProxy(postgres.port);
    onTestFinished(() => proxy.close());
    proxy.delayMs = 25;
    for (const batches of [1, 3, 4]) {
      const sharing = share(shared, folder, proxy.port).catch((error: unknown) => error);
      await until(async () => (await there(shared)).batches >= batches);
      proxy.down = true;
      proxy.cut();
      if (batches < 4) expect(await sharing).toBeInstanceOf(EvidenceUnavailable);
      await sharing;
      proxy.down = false;
    }
    await share(shared, folder, proxy.port);
    await shared.fetched(folder);
  });
});

/** What the database has of a log that is put there. */
async function there({ options }: SharedLog): Promise<{ readonly batches: number; readonly sharing: boolean }> {
  const [row] = await postgres
    .query(
      `SELECT (SELECT count(*)::integer FROM ${options.schema}.batches) AS batches, sharing FROM ${options.schema}.log`,
    )
    .catch(() => []);
  return { batches: Number(row?.['batches'] ?? 0), sharing: row?.['sharing'] === true };
}

describe('a log is not shared', () => {
  it('while a server writes it', async () => {
    const shared = await sharedLog(postgres);
    const folder = await freshFolder();
    const log = await openLog({ folder, key: shared.key, ambit: '0.1.0' });
    onTestFinished(() => log.close());
    await expect(share(shared, folder)).rejects.toBeInstanceOf(EvidenceLocked);
    await runSession(log, 'goes on');
  });

  it('in a database that has another, begun by servers or put there', async () => {
    const shared = await sharedLog(postgres);
    const server = await shared.open();
    await runSession(server.log, 's1');
    const key = `${await freshFolder()}.key`;
    onTestFinished(() => rm(key, { force: true }));
    const { folder } = await alone({ ...shared, key }, 1);
    const sharing = shareLog({ folder, key, ambit: '0.1.0', database: shared.options });
    await expect(sharing).rejects.toBeInstanceOf(EvidenceShared);
    await expect(share(shared, folder)).rejects.toBeInstanceOf(EvidenceKeyUnknown);
    await runSession(server.log, 's2');
    await server.log.close();
    await shared.fetched(server.folder);
  });

  it('where it is damaged, or there is none', async () => {
    const shared = await sharedLog(postgres);
    const { folder } = await alone(shared, 4);
    const path = join(folder, '00000002.segment');
    const bytes = await readFile(path);
    const file = await openFile(path, 'r+');
    await file.write(Buffer.from('x'), 0, 1, bytes.length - 20);
    await file.close();
    await expect(share(shared, folder)).rejects.toBeInstanceOf(EvidenceDamaged);
    await expect(share(shared, await freshFolder())).rejects.toThrow('the folder holds no log');
    // A log may still begin there.
    await (await shared.open()).log.close();
  });

  it('over what somebody else put there under its name', async () => {
    const shared = await sharedLog(postgres);
    const { folder } = await alone(shared, 3);
    const { schema } = shared.options;
    const first = await mkdtemp(join(tmpdir(), 'ambit-first-'));
    onTestFinished(() => rm(first, { recursive: true, force: true }));
    await cp(folder, first, { recursive: true });
    // The copy goes on alone: two histories, of which one is shared.
    const log = await openLog({ folder: first, key: shared.key, ambit: '0.1.0' });
    await runSession(log, 'one');
    await log.close();
    await share(shared, first);
    const other = await openLog({ folder, key: shared.key, ambit: '0.1.0' });
    await runSession(other, 'another');
    await other.close();
    await expect(share(shared, folder)).rejects.toBeInstanceOf(EvidenceDamaged);
    expect((await postgres.query(`SELECT sharing FROM ${schema}.log`))[0]).toEqual({ sharing: false });
    const server = await shared.open(first);
    await runSession(server.log, 'goes on');
  });
});
