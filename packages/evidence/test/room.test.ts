import { mkdtemp, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { disk } from '../src/files.ts';
import { limits } from '../src/limits.ts';
import { openLog } from '../src/log.ts';
import { verifyLog } from '../src/verify.ts';
import { FaultyDisk } from './faulty-disk.ts';
import { freshFolder, intent, linesOf, refusal, runSession } from './support.ts';

const FIRST = '00000001.segment';

async function freshFile() {
  const folder = await mkdtemp(join(tmpdir(), 'ambit-room-'));
  onTestFinished(() => rm(folder, { recursive: true }));
  const path = join(folder, 'file');
  return { path, file: await disk.createDurable(path) };
}

describe('a file that is appended to durably', () => {
  it('has what was appended, however long, and room behind it until it is closed', async () => {
    const { path, file } = await freshFile();
    const parts = [10, limits.roomBytes - 10, 1, 3 * limits.roomBytes + 7].map((length, at) =>
      Buffer.alloc(length, at + 1),
    );
    for (const part of parts) {
      await file.append(part);
      const written = await readFile(path);
      expect(written.length % limits.roomBytes === 0 || written.at(-1) !== 0).toBe(true);
    }
    expect((await readFile(path)).subarray(0, Buffer.concat(parts).length).equals(Buffer.concat(parts))).toBe(true);
    await file.close();
    expect((await readFile(path)).equals(Buffer.concat(parts))).toBe(true);
  });

  it('goes on where it was cut', async () => {
    const { path, file } = await freshFile();
    await file.append(Buffer.from('kept, gone'));
    await file.truncate(4);
    await file.append(Buffer.from('!'));
    expect((await stat(path)).size).toBe(4 + limits.roomBytes);
    await file.close();
    expect(await readFile(path, 'utf8')).toBe('kept!');
  });

  it('takes what fits on a disk that has not room for more', async () => {
    const full = new FaultyDisk({ roomy: true });
    full.capacity = 100;
    const file = await full.createDurable('/folder/file');
    await file.append(Buffer.alloc(60, 1));
    expect(full.used()).toBe(60);
    await expect(file.append(Buffer.alloc(60, 2))).rejects.toMatchObject({ code: 'ENOSPC' });
    full.capacity = Number.POSITIVE_INFINITY;
    await file.append(Buffer.alloc(60, 3));
    await file.close();
    expect(await full.read('/folder/file')).toEqual(Buffer.concat([Buffer.alloc(60, 1), Buffer.alloc(60, 3)]));
  });
});

describe('a segment whose writer was killed', () => {
  it('has no room any more after the next start, and nothing of it was torn', async () => {
    const folder = await freshFolder();
    const files = new FaultyDisk({ roomy: true });
    const log = await openLog({ folder, ambit: '0.1.0', files });
    await runSession(log, 'done');
    const killed = files.afterKill();
    await log.close();
    const path = join(folder, FIRST);
    expect((await killed.read(path)).at(-1)).toBe(0);
    expect(await verifyLog(folder, { files: killed })).toMatchObject({ problems: [], tornBytes: 0 });
    await (await openLog({ folder, ambit: '0.1.0', files: killed })).close();
    expect((await killed.read(path)).at(-1)).toBe(10);
    expect(killed.names().filter((name) => name.endsWith('.torn'))).toEqual([]);
  });

  it('keeps what is whole before a hole that power left in the last batch, and sets the rest aside', async () => {
    const folder = await freshFolder();
    const files = new FaultyDisk({ roomy: true });
    const log = await openLog({ folder, ambit: '0.1.0', files });
    await runSession(log, 'done');
    const path = join(folder, FIRST);
    const before = linesOf(await files.read(path)).lines.length;
    // One batch: the second of it is there, and of the first not all.
    await Promise.all([log.append(refusal('x'.repeat(4_000))), log.append(intent('behind'))]);
    const { lines } = linesOf(await files.read(path));
    const { offset, length } = lines[before] as { offset: number; length: number };
    const broken = files.afterKill();
    await log.close();
    const bytes = await broken.read(path);
    bytes.fill(0, offset + 1_000, offset + 2_000);
    broken.files.set(path, { bytes, durable: bytes });
    // Nobody was told that they are durable: no checkpoint has them.
    const end = lines.at(-1) as { offset: number; length: number };
    expect((await verifyLog(folder, { files: broken })).tornBytes).toBe(end.offset + end.length + 1 - offset);
    await (await openLog({ folder, ambit: '0.1.0', files: broken })).close();
    expect((await broken.read(path)).length).toBe(offset);
    expect((await broken.read(`${path}.torn`)).subarray(0, 1_000)).toEqual(bytes.subarray(offset, offset + 1_000));
    expect(length).toBeGreaterThan(4_000);
    expect((await verifyLog(folder, { files: broken })).problems).toEqual([]);
  });
});
