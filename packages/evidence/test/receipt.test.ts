import { generateKeyPairSync } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { parseCheckpoint, signCheckpoint } from '../src/checkpoint.ts';
import { openLog } from '../src/log.ts';
import { provesConsistency } from '../src/merkle.ts';
import { verifierKey } from '../src/note.ts';
import { type Receipt, verifyReceipt } from '../src/receipt.ts';
import { verifyLog } from '../src/verify.ts';
import { freshFolder, runSession } from './support.ts';

/** A receipt of the seventh of many sessions, the key that signed it, and the log as it went on. */
async function issued(): Promise<{
  readonly receipt: Receipt;
  readonly key: string;
  readonly folder: string;
}> {
  const folder = await freshFolder();
  const log = await openLog({ folder, ambit: '0.1.0' });
  for (let at = 0; at < 20; at += 1) await runSession(log, `s${at}`);
  const receipt = (await log.receipt('s7')) as Receipt;
  await Promise.all(Array.from({ length: 400 }, (_, at) => runSession(log, `later-${at}`)));
  const { key } = log;
  await log.close();
  return { receipt, key, folder };
}

describe('a receipt', () => {
  it('holds, and the log of today begins with its checkpoint', async () => {
    const { receipt, key, folder } = await issued();
    expect(verifyReceipt(receipt, key)).toMatchObject({
      holds: true,
      entries: [{ type: 'session.intent' }, { type: 'session.outcome' }],
    });
    expect((await verifyLog(folder, { key, checkpoints: [receipt.checkpoint] })).problems).toEqual([]);
  });

  it('can be had of every session at any time, from what is in memory and from what is on the disk', async () => {
    const { folder } = await issued();
    const log = await openLog({ folder, ambit: '0.1.0' });
    for (const session of ['s0', 's19', 'later-0', 'later-127', 'later-399']) {
      expect(verifyReceipt((await log.receipt(session)) as Receipt, log.key).holds, session).toBe(true);
    }
    expect(await log.receipt('nobody')).toBeNull();
    await log.close();
  });

  it('leads to a head that every later head grew from', async () => {
    const { receipt, folder } = await issued();
    const old = parseCheckpoint(receipt.checkpoint) as never;
    const log = await openLog({ folder, ambit: '0.1.0' });
    const { checkpoint, proof } = (await log.consistency((old as { size: number }).size)) as never;
    const hashes = (proof as string[]).map((hash) => Buffer.from(hash, 'base64'));
    expect(provesConsistency(old, parseCheckpoint(checkpoint) as never, hashes)).toBe(true);
    expect(provesConsistency(old, parseCheckpoint(checkpoint) as never, hashes.slice(1))).toBe(false);
    expect(await log.consistency(1e9)).toBeNull();
    expect(await log.consistency(0.5)).toBeNull();
    await log.close();
  });

  it('does not hold for another session, another place, another record, or by another key', async () => {
    const { receipt, key } = await issued();
    const reason = (changed: Partial<Receipt>): string | null => {
      const verdict = verifyReceipt({ ...receipt, ...changed }, key);
      return verdict.holds ? null : verdict.reason;
    };
    expect(reason({})).toBeNull();
    expect(reason({ session: 's8' })).toContain('is not of session');
    const [first_, second] = receipt.entries;
    if (first_ === undefined || second === undefined) throw new Error('a receipt has two records');
    expect(reason({ entries: [{ ...first_, index: first_.index + 1 }] })).toContain('not in the checkpoint');
    expect(reason({ entries: [{ ...first_, proof: second.proof }] })).toContain('not in the checkpoint');
    expect(reason({ entries: [{ ...first_, proof: first_.proof.slice(1) }] })).toContain('not in the checkpoint');
    expect(reason({ entries: [{ ...first_, proof: [...first_.proof, first_.proof[0] as string] }] })).toContain(
      'not in',
    );
    expect(reason({ entries: [{ ...first_, entry: first_.entry.replace('sha256:', 'sha256:0') }] })).toContain(
      'not in',
    );
    expect(reason({ entries: [] })).toContain('names no record');
    const checkpoint = parseCheckpoint(receipt.checkpoint);
    expect(reason({ checkpoint: receipt.checkpoint.replace(`\n${checkpoint?.size}\n`, '\n9\n') })).toContain(
      'not signed',
    );
    const { privateKey } = generateKeyPairSync('ed25519');
    const own = { name: checkpoint?.origin ?? '', key: privateKey };
    expect(reason({ checkpoint: signCheckpoint(checkpoint as never, [own]), key: verifierKey(own) })).toContain(
      'not signed',
    );
  });

  it.each([{}, { entries: 1 }, { entries: [1] }, null, 'x', []])('that is none is no crash: %j', (value) => {
    expect(verifyReceipt(value as never, null).holds).toBe(false);
  });
});
