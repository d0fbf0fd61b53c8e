import { cp, mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { sha256 } from '../src/canonical.ts';
import { disk as realDisk } from '../src/files.ts';
import { openLog } from '../src/log.ts';
import { verifyLog } from '../src/verify.ts';
import { FaultyDisk } from './faulty-disk.ts';
import { freshFolder, intent, type Line, linesOf, outcome, refusal, runSession } from './support.ts';

let original: string;
const middle = '00000002.segment';

beforeAll(async () => {
  original = await mkdtemp(join(tmpdir(), 'ambit-evidence-'));
  for (let boot = 0; boot < 3; boot += 1) {
    const log = await openLog({ folder: original, ambit: '0.1.0' });
    for (let at = 0; at < 3; at += 1) await runSession(log, `${boot}-${at}`);
    await log.append(intent(`${boot}-open`));
    await log.close();
  }
  return async () => {
    await rm(original, { recursive: true, force: true });
    await rm(`${original}.key`);
  };
});

describe('the verifier', () => {
  it('finds nothing in a log that nobody changed', async () => {
    const found = await verifyLog(original);
    const lines = await Promise.all([1, 2, 3].map((at) => readFile(join(original, `0000000${at}.segment`))));
    const records = lines.reduce((sum, bytes) => sum + linesOf(bytes).lines.length, 0);
    expect(found).toMatchObject({ segments: 3, problems: [], records, signed: records, unsigned: 0, tornBytes: 0 });
    expect(found).toMatchObject({ open: 1, pruned: 0, trusted: false, keys: [expect.stringContaining('ambit/')] });
  });

  it('finds nothing in a log that is being written, nor in one whose process was killed', async () => {
    const folder = await freshFolder();
    const log = await openLog({ folder, ambit: '0.1.0' });
    for (let at = 0; at < 300; at += 1) await runSession(log, `s${at}`);
    const living = await verifyLog(folder);
    expect(living).toMatchObject({ problems: [], records: 601 });
    expect(living.signed + living.unsigned).toBe(601);
    await log.close();
  });

  it('reads only', async () => {
    const folder = await freshFolder();
    await cp(original, folder, { recursive: true });
    const contents = async (): Promise<readonly string[]> => {
      const entries = await readdir(folder, { recursive: true, withFileTypes: true });
      const files = entries.filter((entry) => entry.isFile()).map(({ parentPath, name }) => join(parentPath, name));
      return Promise.all(files.toSorted().map(async (path) => `${path} ${sha256(await readFile(path))}`));
    };
    const before = await contents();
    await verifyLog(folder);
    expect(await contents()).toEqual(before);
  });

  it('names the record of every bit that flips', { timeout: 120_000 }, async () => {
    const disk = new FaultyDisk();
    const load = async (folder: string, under: string): Promise<void> => {
      for (const entry of await readdir(folder, { withFileTypes: true })) {
        const path = join(folder, entry.name);
        if (entry.isDirectory()) await load(path, `${under}/${entry.name}`);
        else {
          const bytes = await realDisk.read(path);
          disk.files.set(`${under}/${entry.name}`, { bytes, durable: bytes });
        }
      }
    };
    await load(original, '/log');
    const bytes = await readFile(join(original, middle));
    const { lines } = linesOf(bytes);
    for (const { record, offset, length } of [lines[0], lines[3], lines.at(-1)] as Line[]) {
      for (let bit = 0; bit < (length + 1) * 8; bit += 5) {
        const flipped = Buffer.from(bytes);
        const at = offset + (bit >> 3);
        flipped[at] = (flipped[at] as number) ^ (1 << (bit & 7));
        disk.files.set(`/log/${middle}`, { bytes: flipped, durable: flipped });
        const { problems } = await verifyLog('/log', { files: disk });
        const named = problems.some(({ segment, records }) => segment === 2 && records?.[0] === record.seq);
        expect(named, `bit ${bit & 7} of byte ${at}: ${JSON.stringify(problems)}`).toBe(true);
      }
    }
  });

  it('takes an abandoned tail that could not be cut off for none: the next header says where it begins', async () => {
    const disk = new FaultyDisk();
    const folder = await freshFolder();
    const log = await openLog({ folder, ambit: '0.1.0', files: disk });
    const { seq } = await log.append(intent('s1'));
    let failing = true;
    disk.fault = (step, name) => (failing && name === '00000001.segment' && step !== 'append' ? 'EIO' : null);
    await expect(log.append(refusal('lost'))).rejects.toThrow();
    failing = false;
    await log.append(outcome('s1', seq));
    await log.close();
    expect((await verifyLog(folder, { files: disk })).problems).toEqual([]);
  });
});
