import { readdir } from 'node:fs/promises';
import { setTimeout as pause } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { parseCheckpoint } from '../src/checkpoint.ts';
import { openLog } from '../src/log.ts';
import { type Receipt, verifyReceipt } from '../src/receipt.ts';
import { verifyLog } from '../src/verify.ts';
import { freshFolder, intent, open, outcome, runSession } from './support.ts';

const names = async (folder: string): Promise<readonly string[]> =>
  (await readdir(folder)).filter((name) => name.includes('segment')).toSorted();

it('removes whole segments that are old, and leaves a log that verifies, proves and goes on', async () => {
  const folder = await freshFolder();
  let receipt: Receipt | null = null;
  let before = new Date(0);
  for (let boot = 0; boot < 6; boot += 1) {
    const log = await openLog({ folder, ambit: '0.1.0' });
    await Promise.all(Array.from({ length: 80 }, (_, at) => runSession(log, `${boot}-${at}`)));
    if (boot === 0) receipt = await log.receipt('0-7');
    await log.close();
    if (boot === 3) {
      await pause(5);
      before = new Date();
      await pause(5);
    }
  }
  const log = await openLog({ folder, ambit: '0.1.0' });
  expect(await log.prune(new Date(0))).toBe(0);
  // Of the four that are old one stays.
  expect(await log.prune(before)).toBe(3 * 162);
  expect(await log.prune(before)).toBe(0);
  expect(await log.session('0-7')).toBeNull();
  expect(await log.session('3-7')).not.toBeNull();
  expect((await log.sessions({}, 1_000)).length).toBe(3 * 80);
  expect(await names(folder)).not.toContain('00000003.segment');
  expect(await names(folder)).toContain('00000004.segment');
  const { key } = log;
  await log.close();
  const found = await verifyLog(folder, { key, checkpoints: [receipt?.checkpoint ?? ''] });
  expect(found).toMatchObject({ problems: [], pruned: 3 * 162, trusted: true });
  expect(verifyReceipt(receipt as Receipt, key).holds).toBe(true);
  const again = await open(folder);
  await runSession(again, 'after');
  expect(await again.session('after')).not.toBeNull();
});

it('proves what a key signed whose rotation was removed with its segment', async () => {
  const folder = await freshFolder();
  const keys: string[] = [];
  let receipt: Receipt | null = null;
  for (let boot = 0; boot < 5; boot += 1) {
    const log = await openLog({ folder, ambit: '0.1.0' });
    await runSession(log, `s${boot}`);
    keys.push(log.key);
    if (boot === 0) receipt = await log.receipt('s0');
    if (boot < 2) await log.rotateKey();
    await log.close();
  }
  const log = await openLog({ folder, ambit: '0.1.0' });
  await pause(5);
  expect(await log.prune(new Date())).toBeGreaterThan(0);
  await log.close();
  const key = keys.at(-1) ?? '';
  const { checkpoint } = receipt as Receipt;
  const found = await verifyLog(folder, { key, checkpoints: [checkpoint] });
  expect(found).toMatchObject({ problems: [], trusted: true, keys: [key] });
  // Its tree is what ties it to the log: another one is still told apart.
  const other = await freshFolder();
  const stranger = await openLog({ folder: other, ambit: '0.1.0' });
  await runSession(stranger, 'x');
  const foreign = stranger.checkpoint();
  await stranger.close();
  const { origin } = parseCheckpoint(checkpoint) ?? {};
  const forged = foreign.replace(/^.*/, String(origin));
  expect((await verifyLog(folder, { checkpoints: [forged] })).problems.map(({ kind }) => kind)).toEqual(['forked']);
  expect((await verifyLog(folder, { checkpoints: [foreign] })).problems.map(({ kind }) => kind)).toContain(
    'checkpoint',
  );
  const [problem] = (await verifyLog(folder, { key: keys[0] as string })).problems;
  expect(problem?.reason).toMatch(
    /never signed by the trusted key since record [0-9]+, before which segments were removed/,
  );
});

it('keeps what the sessions that stay were allowed', async () => {
  const folder = await freshFolder();
  const log = await openLog({ folder, ambit: '0.1.0' });
  const filler = 'x'.repeat(4 * 1024 * 1024);
  for (let at = 0; at < 30; at += 1) {
    const ensured = log.ensureGrant('sha256:grant', { tables: {} });
    const { seq } = await log.append(intent(`s${at}`));
    await ensured;
    await log.append(outcome(`s${at}`, seq, { engine: { filler } }));
  }
  await pause(5);
  expect(await log.prune(new Date())).toBeGreaterThan(0);
  const kept = await log.sessions({}, 100);
  expect(kept.length).toBeGreaterThan(3);
  for (const { intent: asked, grant } of kept.slice(0, -4)) expect(grant, asked.session).not.toBeNull();
  await log.close();
  expect((await verifyLog(folder)).problems).toEqual([]);
});
