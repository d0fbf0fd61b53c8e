import { readdir } from 'node:fs/promises';
import { setTimeout as pause } from 'node:timers/promises';
import { expect, it } from 'vitest';
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
