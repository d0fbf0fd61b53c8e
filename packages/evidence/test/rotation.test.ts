import { createHash, createPublicKey, generateKeyPairSync, type KeyObject, sign } from 'node:crypto';
import { readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
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

/** Cosigns a checkpoint, after C2SP tlog-cosignature. */
function cosigned(
  note: string,
  name: string,
  key: KeyObject,
  changed = '',
): { readonly note: string; readonly key: string } {
  const spki = createPublicKey(key).export({ format: 'der', type: 'spki' });
  const tagged = Buffer.concat([Buffer.of(4), spki.subarray(-32)]);
  const id = createHash('sha256').update(`${name}\n`).update(tagged).digest().subarray(0, 4);
  const time = Buffer.alloc(8);
  time.writeBigUInt64BE(1_790_000_000n);
  const text = note.slice(0, note.indexOf('\n\n') + 1);
  const signature = sign(null, Buffer.from(`cosignature/v1\ntime 1790000000\n${text}${changed}`), key);
  const line = `\u2014 ${name} ${Buffer.concat([id, time, signature]).toString('base64')}\n`;
  return { note: note + line, key: `${name}+${id.toString('hex')}+${tagged.toString('base64')}` };
}

describe('a witness', () => {
  it('cosigns the checkpoint, and whoever asks for its signature is told when it is not there', async () => {
    const folder = await freshFolder();
    const log = await openLog({ folder, ambit: '0.1.0' });
    await runSession(log, 's1');
    await log.close();
    const path = join(folder, 'checkpoint');
    const note = await readFile(path, 'utf8');
    const { privateKey } = generateKeyPairSync('ed25519');
    const good = cosigned(note, 'witness.example/w1', privateKey);
    const problems = async (): Promise<readonly string[]> =>
      (await verifyLog(folder, { key: log.key, witnesses: [good.key] })).problems.map(({ reason }) => reason);
    const missing = ['no checkpoint of the log is cosigned by witness.example/w1'];
    expect(await problems()).toEqual(missing);
    await writeFile(path, good.note);
    expect(await problems()).toEqual([]);
    await writeFile(path, cosigned(note, 'witness.example/w1', privateKey, 'more').note);
    expect(await problems()).toEqual(missing);
    expect((await verifyLog(folder, { witnesses: ['none'] })).problems).toHaveLength(1);
  });
});
