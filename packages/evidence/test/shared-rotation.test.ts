import { copyFile, readFile, rename, rm } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { EvidenceUnavailable } from '../src/errors.ts';
import { openLog } from '../src/log.ts';
import { verifierKey } from '../src/note.ts';
import { type Receipt, verifyReceipt } from '../src/receipt.ts';
import { findSigner, loadSigner, makeNext, prepareKey, takeNext } from '../src/signer.ts';
import { verifyLog } from '../src/verify.ts';
import { type Postgres, startPostgres } from './postgres.ts';
import { startProxy } from './proxy.ts';
import { sharedLog, type SharedLog, until } from './shared-support.ts';
import { freshFolder, readRecords, refusal, runSession } from './support.ts';

let postgres: Postgres;
beforeAll(async () => {
  postgres = await startPostgres();
}, 60_000);
afterAll(() => postgres.close());

/** The key as another server's machine has it. */
async function copied(shared: SharedLog): Promise<string> {
  const key = `${await freshFolder()}.key`;
  onTestFinished(async () => {
    for (const file of [key, `${key}.next`]) await rm(file, { force: true });
  });
  await copyFile(shared.key, key);
  return key;
}

describe('the key of a log that servers share', () => {
  it('hands over on all of them, and whoever trusts one of its keys trusts the log', async () => {
    const shared = await sharedLog(postgres);
    const [a, b] = [await shared.open(), await shared.open()];
    const keys = [a.log.key];
    await runSession(a.log, 'early');
    const early = (await a.log.receipt('early')) as Receipt;
    for (const { log } of [a, b]) {
      keys.push(await log.rotateKey());
      await Promise.all([runSession(a.log, `a${keys.length}`), runSession(b.log, `b${keys.length}`)]);
    }
    await until(() => a.log.records() === b.log.records());
    expect([a.log.key, b.log.key]).toEqual([keys[2], keys[2]]);
    expect(a.log.checkpoint()).toBe(b.log.checkpoint());
    expect(verifyReceipt((await a.log.receipt('b2')) as Receipt, keys[2] as string).holds).toBe(true);
    await a.log.close();
    await b.log.close();
    const late = await shared.open();
    expect(late.log.key).toBe(keys[2]);
    await runSession(late.log, 'late');
    await late.log.close();
    const fetched = await shared.fetched(late.folder);
    for (const key of keys)
      expect(await verifyLog(fetched, { key })).toMatchObject({ problems: [], trusted: true, keys });
    expect(await verifyLog(fetched, { checkpoints: [early.checkpoint] })).toMatchObject({ problems: [] });
    expect(verifyReceipt(early, keys[0] as string).holds).toBe(true);
    expect((await verifyLog(b.folder, { key: keys[0] as string })).problems).toEqual([]);
  });

  it('is taken up by a server that had it before, and takes the old one its place', async () => {
    const shared = await sharedLog(postgres);
    const first = await shared.open();
    const own = await copied(shared);
    const other = await shared.open(undefined, undefined, own);
    await prepareKey(shared.key);
    await copyFile(`${shared.key}.next`, `${own}.next`);
    const rotated = await first.log.rotateKey();
    await runSession(other.log, 'after');
    expect(other.log.key).toBe(rotated);
    expect(await readFile(own)).toEqual(await readFile(shared.key));
    await expect(readFile(`${own}.next`)).rejects.toThrow('ENOENT');
    await other.log.close();
    await first.log.close();
    await shared.fetched(first.folder);
  });

  it('that a server does not have stops it, by name, until it has', async () => {
    const shared = await sharedLog(postgres);
    const first = await shared.open();
    const own = await copied(shared);
    const other = await shared.open(undefined, undefined, own);
    const rotated = await first.log.rotateKey();
    await runSession(first.log, 's1');
    await until(() => other.log.failure()?.startsWith('evidence_key_unknown') === true);
    await expect(other.log.append(refusal('r1'))).rejects.toBeInstanceOf(EvidenceUnavailable);
    // The whole of what is signed by a key that it has not is not taken.
    expect(other.log.key).not.toBe(rotated);
    await copyFile(shared.key, `${own}.next`);
    await until(() => other.log.failure() === null);
    await runSession(other.log, 's2');
    expect(other.log.key).toBe(rotated);
    await other.log.close();
    await first.log.close();
    const records = await readRecords(await shared.fetched(first.folder));
    expect(records.filter(({ type }) => type === 'server.lost')).toEqual([]);
    await expect(shared.open(undefined, undefined, await copied(shared))).resolves.toBeDefined();
  });

  it('that handed over again before a server had it is passed over by that server', async () => {
    const shared = await sharedLog(postgres);
    const first = await shared.open();
    const proxy = await startProxy(postgres.port);
    onTestFinished(() => proxy.close());
    const other = await shared.open(undefined, proxy.port);
    await runSession(other.log, 'before');
    const kept = other.log.checkpoint();
    proxy.down = true;
    proxy.cut();
    for (let round = 0; round < 3; round += 1) {
      await first.log.rotateKey();
      await runSession(first.log, `between-${round}`);
      // A segment begins under each of them.
      await (await shared.open()).log.close();
    }
    // Before it is taken for lost.
    proxy.down = false;
    await until(() => other.log.key === first.log.key);
    await runSession(other.log, 'after');
    await until(() => first.log.records() === other.log.records());
    expect(other.log.checkpoint()).toBe(first.log.checkpoint());
    await other.log.close();
    await first.log.close();
    const fetched = await shared.fetched(first.folder);
    expect(await verifyLog(fetched, { checkpoints: [kept] })).toMatchObject({ problems: [] });
    expect((await readRecords(fetched)).filter(({ type }) => type === 'server.lost')).toEqual([]);
  });

  it('waits where it is for its turn, though a server comes late to the one before it', async () => {
    const key = `${await freshFolder()}.key`;
    onTestFinished(() => rm(`${key}.next`, { force: true }));
    const first = await loadSigner(key, 'log', null);
    const second = await makeNext(key, first);
    await takeNext(key, second);
    const third = await makeNext(key, second);
    await takeNext(key, second);
    expect(await findSigner(key, 'log', verifierKey(second))).toMatchObject({ waits: false });
    expect(await findSigner(key, 'log', verifierKey(third))).toMatchObject({ waits: true });
  });

  it('is made once, whoever asks for it at the same moment', async () => {
    const key = `${await freshFolder()}.key`;
    onTestFinished(() => rm(`${key}.next`, { force: true }));
    const made = await Promise.all(Array.from({ length: 8 }, () => makeNext(key, { name: 'log' })));
    expect(new Set(made.map(verifierKey)).size).toBe(1);
  });

  it('rotates once where two servers rotate at the same moment, to one key', async () => {
    const shared = await sharedLog(postgres);
    const [a, b] = [await shared.open(), await shared.open()];
    await prepareKey(shared.key);
    const [one, two] = await Promise.all([a.log.rotateKey(), b.log.rotateKey()]);
    expect(one).toBe(two);
    await a.log.close();
    await b.log.close();
    const fetched = await shared.fetched();
    const rotations = (await readRecords(fetched)).filter(({ type }) => type === 'key.rotated');
    expect(rotations).toHaveLength(1);
  });

  it('of two that are made at once one hands over, and no server signs with the other', async () => {
    const shared = await sharedLog(postgres);
    const first = await shared.open();
    const own = await copied(shared);
    const other = await shared.open(undefined, undefined, own);
    const rotated = await Promise.allSettled([first.log.rotateKey(), other.log.rotateKey()]);
    const winners = rotated.filter(({ status }) => status === 'fulfilled').length;
    // Whoever comes later finds a key that it has not.
    expect(winners).toBe(1);
    const good = rotated[0]?.status === 'fulfilled' ? first : other;
    await runSession(good.log, 's1');
    await good.log.close();
    expect((await verifyLog(await shared.fetched(good.folder))).keys).toHaveLength(2);
  });

  it('that was killed before its last step finishes it at the next start', async () => {
    const shared = await sharedLog(postgres);
    const { log, folder } = await shared.open();
    const old = await copied(shared);
    const rotated = await log.rotateKey();
    await log.close();
    await rename(shared.key, `${shared.key}.next`);
    await rename(old, shared.key);
    const again = await openLog({ folder, key: shared.key, ambit: '0.1.0', shared: shared.options });
    onTestFinished(() => again.close());
    expect(again.key).toBe(rotated);
  });

  it('begins a run under the key of then, though somebody rotated while it began', async () => {
    const shared = await sharedLog(postgres);
    const { log } = await shared.open();
    await Promise.all([
      (async () => {
        for (let at = 0; at < 10; at += 1) await log.rotateKey();
      })(),
      (async () => {
        for (let at = 0; at < 5; at += 1) {
          const opened = await shared.open().catch(() => null);
          await opened?.log.close();
        }
      })(),
    ]);
    await log.close();
    await shared.fetched();
  });
});
