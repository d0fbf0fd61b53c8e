import { readFile, rename, rm, writeFile } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';
import { EvidenceKeyUnknown } from '../src/errors.ts';
import { openLog } from '../src/log.ts';
import { type Receipt, verifyReceipt } from '../src/receipt.ts';
import { verifyLog } from '../src/verify.ts';
import { freshFolder, open, runSession } from './support.ts';

describe('a key', () => {
  it('hands over to the next, and whoever trusts one of them trusts the log', async () => {
    const folder = await freshFolder();
    const log = await openLog({ folder, ambit: '0.1.0' });
    const keys = [log.key];
    await runSession(log, 'early');
    const early = (await log.receipt('early')) as Receipt;
    for (let rotations = 0; rotations < 2; rotations += 1) {
      keys.push(await log.rotateKey());
      await runSession(log, `s${rotations}`);
    }
    expect(log.key).toBe(keys.at(-1));
    await log.close();
    for (const key of keys)
      expect(await verifyLog(folder, { key })).toMatchObject({ problems: [], trusted: true, keys });
    expect(await verifyLog(folder, { checkpoints: [early.checkpoint] })).toMatchObject({ problems: [] });
    expect(verifyReceipt(early, keys[0] ?? '').holds).toBe(true);
    expect(verifyReceipt(early, keys[1] ?? '').holds).toBe(false);
    const next = await open(folder);
    expect(next.key).toBe(keys.at(-1));
  });

  it('that was killed before its last step finishes it at the next start', async () => {
    const folder = await freshFolder();
    const path = `${folder}.key`;
    const log = await openLog({ folder, ambit: '0.1.0' });
    const old = await readFile(path);
    const rotated = await log.rotateKey();
    await log.close();
    await rename(path, `${path}.next`);
    await writeFile(path, old, { mode: 0o600 });
    expect((await open(folder)).key).toBe(rotated);
  });

  it('that is lost, or another, signs nothing: the log is refused by name', async () => {
    const folder = await freshFolder();
    await (await openLog({ folder, ambit: '0.1.0' })).close();
    const path = `${folder}.key`;
    await rename(path, `${path}.old`);
    await expect(openLog({ folder, ambit: '0.1.0' })).rejects.toThrow(EvidenceKeyUnknown);
    await (await openLog({ folder: await freshFolder(), ambit: '0.1.0', key: path })).close();
    await expect(openLog({ folder, ambit: '0.1.0' })).rejects.toThrow('is not the one that the log names');
    await writeFile(path, 'SECRET, and no key');
    await expect(openLog({ folder, ambit: '0.1.0' })).rejects.toThrow(/^(?!.*SECRET).*holds no Ed25519 private key/);
    await rename(`${path}.old`, path);
    await (await openLog({ folder, ambit: '0.1.0' })).close();
    await rm(path);
  });
});
