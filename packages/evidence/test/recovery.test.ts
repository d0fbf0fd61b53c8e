import { generateKeyPairSync } from 'node:crypto';
import { copyFile, cp, mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { canonical } from '../src/canonical.ts';
import { parseCheckpoint, type SignedCheckpoint, signCheckpoint } from '../src/checkpoint.ts';
import { EvidenceDamaged, EvidenceUnavailable } from '../src/errors.ts';
import { type EvidenceLog, openLog } from '../src/log.ts';
import type { LogOpened } from '../src/record.ts';
import { recover } from '../src/recovery.ts';
import { withoutRoom } from '../src/segment.ts';
import { verifyLog } from '../src/verify.ts';
import { FaultyDisk } from './faulty-disk.ts';
import { type Line, freshFolder, intent, linesOf, open, outcome, readLines, refusal, runSession } from './support.ts';

/** A log of one boot with a finished session and an open one, as a kill leaves it. */
async function written(): Promise<{ readonly segment: Buffer; readonly lines: readonly Line[]; readonly key: string }> {
  const folder = await freshFolder();
  const log = await openLog({ folder, ambit: '0.1.0' });
  await runSession(log, 'done');
  await log.append(intent('open'));
  const segment = withoutRoom(await readFile(join(folder, '00000001.segment')));
  await log.close();
  return { segment, lines: linesOf(segment).lines, key: `${folder}.key` };
}

/** A folder whose log that key signs. */
async function folderOf(key: string): Promise<string> {
  const folder = await freshFolder();
  await copyFile(key, `${folder}.key`);
  return folder;
}

async function reopen({ segment, key }: Pick<Awaited<ReturnType<typeof written>>, 'segment' | 'key'>): Promise<{
  readonly folder: string;
  readonly log: EvidenceLog;
}> {
  const folder = await folderOf(key);
  await writeFile(join(folder, '00000001.segment'), segment);
  return { folder, log: await open(folder) };
}

async function opened(folder: string, segment: string): Promise<LogOpened['recovered']> {
  const found = (await readLines(join(folder, segment))).lines.find(({ record }) => record.type === 'log.opened');
  if (found?.record.type !== 'log.opened') throw new Error(`no \`log.opened\` in ${segment}`);
  return found.record.recovered;
}

describe('start-up', () => {
  it('closes what was open as orphaned, once', async () => {
    const { segment, lines, key } = await written();
    const { folder, log } = await reopen({ segment, key });
    const orphan = await log.session('open');
    expect(orphan).toMatchObject({
      outcome: { status: 'orphaned', intent: orphan?.intent.seq, error: { code: 'orphaned' } },
    });
    expect(await log.session('done')).toMatchObject({ outcome: { status: 'completed' } });
    expect(await opened(folder, '00000002.segment')).toEqual({ records: lines.length, tornBytes: 0 });
    await log.close();
    const again = await open(folder);
    const texts = await Promise.all(
      ['00000001', '00000002', '00000003'].map((name) => readLines(join(folder, `${name}.segment`))),
    );
    const outcomes = texts.flatMap((text) => text.lines).filter(({ record }) => record.type === 'session.outcome');
    expect(outcomes).toHaveLength(2);
    expect(await again.session('open')).toMatchObject({ outcome: { status: 'orphaned' } });
  });

  it('closes as orphaned what was opened in a segment before the last', async () => {
    const folder = await freshFolder();
    const log = await openLog({ folder, ambit: '0.1.0' });
    await log.append(intent('early'));
    const filler = 'x'.repeat(1024 * 1024);
    for (let at = 0; at < 17; at += 1) await log.append(refusal(filler));
    const killed = await folderOf(`${folder}.key`);
    await cp(folder, killed, { recursive: true, filter: (path) => !path.endsWith('lock') });
    await log.close();
    expect((await readdir(killed)).filter((name) => name.endsWith('.segment'))).toHaveLength(2);
    expect(await (await open(killed)).session('early')).toMatchObject({ outcome: { status: 'orphaned' } });
  });

  it('keeps every whole record, wherever the tail was cut, and the torn bytes beside them', {
    timeout: 60_000,
  }, async () => {
    const { segment, lines, key } = await written();
    const last = lines.at(-1) as Line;
    const folder = await folderOf(key);
    for (let cut = last.offset - 40; cut < segment.length; cut += 1) {
      const disk = new FaultyDisk();
      const path = join(folder, '00000001.segment');
      const torn = segment.subarray(0, cut);
      disk.files.set(path, { bytes: torn, durable: torn });
      const whole = lines.filter(({ offset, length }) => offset + length < cut);
      const end = whole.reduce((_, { offset, length }) => offset + length + 1, 0);
      const log = await openLog({ folder, ambit: '0.1.0', files: disk });
      const second = linesOf(await disk.read(join(folder, '00000002.segment'))).lines[0] as Line;
      expect(second.record).toMatchObject({
        seq: whole.length,
        recovered: { records: whole.length, tornBytes: cut - end },
      });
      expect((await disk.read(path)).equals(segment.subarray(0, end))).toBe(true);
      if (cut > end) expect((await disk.read(`${path}.torn`)).equals(segment.subarray(end, cut))).toBe(true);
      expect((await verifyLog(folder, { files: disk })).problems).toEqual([]);
      await log.close();
    }
  });

  it('drops a segment whose header never got to the disk', async () => {
    const { segment, key } = await written();
    const folder = await folderOf(key);
    await writeFile(join(folder, '00000001.segment'), segment);
    await writeFile(join(folder, '00000002.segment'), '{"first":');
    const log = await open(folder);
    expect(await log.session('done')).toMatchObject({ outcome: { status: 'completed' } });
    expect((await verifyLog(folder)).problems).toEqual([]);
  });

  it('keeps the identity of the log', async () => {
    const { folder } = await reopen(await written());
    const headers = await Promise.all(
      ['00000001', '00000002'].map((name) => readLines(join(folder, `${name}.segment`))),
    );
    expect(headers[1]?.header['log']).toBe(headers[0]?.header['log']);
  });

  it.each([0, 0.3, 0.7, 1])('loses nothing acknowledged to a power loss that keeps %s of the rest', async (kept) => {
    const disk = new FaultyDisk();
    const folder = await freshFolder();
    const log = await openLog({ folder, ambit: '0.1.0', files: disk });
    await Promise.all(Array.from({ length: 20 }, (_, at) => runSession(log, `s${at}`)));
    // Written and not synced: nobody was told that these are recorded.
    let stop: () => void = () => undefined;
    const reached = new Promise<void>((done) => (stop = done));
    disk.fault = (step) => {
      if (step === 'sync') stop();
      return null;
    };
    const unacknowledged = Array.from({ length: 5 }, (_, at) => log.append(intent(`u${at}`)));
    while (disk.syncing === 0) await new Promise((done) => setImmediate(done));
    const after = disk.afterPowerLoss(kept);
    await reached;
    await Promise.all(unacknowledged);
    await log.close();
    const next = await openLog({ folder, ambit: '0.1.0', files: after });
    for (let at = 0; at < 20; at += 1)
      expect(await next.session(`s${at}`)).toMatchObject({ outcome: { status: 'completed' } });
    for (const { outcome: ended } of await next.sessions({}, 100)) expect(ended).not.toBeNull();
    expect((await verifyLog(folder, { files: after })).problems).toEqual([]);
    await next.close();
  });

  it('reads the last two segments, however many there are', async () => {
    const disk = new FaultyDisk();
    const folder = await freshFolder();
    for (let boot = 0; boot < 5; boot += 1) await (await openLog({ folder, ambit: '0.1.0', files: disk })).close();
    const read = new Set<string>();
    const real = disk.read.bind(disk);
    disk.read = (path) => {
      if (path.endsWith('.segment')) read.add(path);
      return real(path);
    };
    await (await openLog({ folder, ambit: '0.1.0', files: disk })).close();
    expect(read).toEqual(new Set(['00000004.segment', '00000005.segment'].map((name) => join(folder, name))));
  });
});

describe('recovery', () => {
  it('a bit that flips in the middle is damage, not a torn tail: what follows is not dropped', async () => {
    const folder = await freshFolder();
    const log = await openLog({ folder, ambit: '0.1.0' });
    for (let at = 0; at < 10; at += 1) await runSession(log, `s${at}`);
    await log.close();
    const path = join(folder, '00000001.segment');
    const bytes = await readFile(path);
    const target = linesOf(bytes).lines[4] as Line;
    bytes[target.offset + 100] = (bytes[target.offset + 100] as number) ^ 1;
    await writeFile(path, bytes);
    await expect(open(folder)).rejects.toThrow();
  });

  it('a bit that flips in a header does not make a segment of records vanish', async () => {
    const { segment, key } = await written();
    const damaged = Buffer.from(segment);
    damaged[3] = (damaged[3] as number) ^ 1;
    await expect(reopen({ segment: damaged, key })).rejects.toThrow(EvidenceDamaged);
  });

  it('a header whose checkpoint another key signed is not built on, though its root be right', async () => {
    const folder = await freshFolder();
    for (let boot = 0; boot < 2; boot += 1) await (await openLog({ folder, ambit: '0.1.0' })).close();
    const path = join(folder, '00000002.segment');
    const [header = '', ...lines] = (await readFile(path, 'utf8')).split('\n');
    const said = JSON.parse(header) as { readonly checkpoint: string };
    const { privateKey } = generateKeyPairSync('ed25519');
    const { origin, size, root } = parseCheckpoint(said.checkpoint) as SignedCheckpoint;
    const checkpoint = signCheckpoint({ origin, size, root }, [{ name: origin, key: privateKey }]);
    await writeFile(path, [canonical({ ...said, checkpoint }), ...lines].join('\n'));
    await expect(open(folder)).rejects.toThrow(EvidenceDamaged);
  });

  it('torn bytes that were set aside are never replaced', async () => {
    const { segment, key } = await written();
    const folder = await folderOf(key);
    await writeFile(join(folder, '00000001.segment.torn'), 'set aside before');
    await writeFile(join(folder, '00000001.segment'), segment.subarray(0, -5));
    await open(folder);
    const kept = await Promise.all(
      (await readdir(folder))
        .filter((name) => name.includes('torn'))
        .map((name) => readFile(join(folder, name), 'utf8')),
    );
    expect(kept).toContain('set aside before');
  });

  it('a segment missing before the last is not passed over', async () => {
    const { folder, log } = await reopen(await written());
    await log.close();
    const bytes = await readFile(join(folder, '00000002.segment'));
    const other = join(await freshFolder(), 'log');
    await mkdir(other, { mode: 0o700 });
    await writeFile(join(other, '00000002.segment'), bytes);
    await expect(open(other)).rejects.toThrow();
  });

  it('what recovery builds on is durable before it builds: a kill, then a power loss', async () => {
    const disk = new FaultyDisk();
    const folder = await freshFolder();
    const log = await openLog({ folder, ambit: '0.1.0', files: disk });
    const unacknowledged = log.append(intent('written, not synced'));
    while (disk.syncing === 0) await new Promise((done) => setImmediate(done));
    const killed = disk.afterKill();
    await unacknowledged;
    await log.close();
    await (await openLog({ folder, ambit: '0.1.0', files: killed })).close();
    expect((await verifyLog(folder, { files: killed.afterPowerLoss(0) })).problems).toEqual([]);
  });

  it('time does not go back after a segment that holds no record yet', async () => {
    const disk = new FaultyDisk();
    const folder = await freshFolder();
    await (await openLog({ folder, ambit: '0.1.0', files: disk })).close();
    let appends = 0;
    disk.fault = (step, name) => {
      if (step === 'append' && name === '00000002.segment') appends += 1;
      return appends === 2 ? 'EIO' : null;
    };
    await expect(openLog({ folder, ambit: '0.1.0', files: disk })).rejects.toThrow(EvidenceUnavailable);
    disk.fault = () => null;
    expect(linesOf(await disk.read(join(folder, '00000002.segment'))).lines).toEqual([]);
    expect((await recover(disk, folder)).lastAt).not.toBe('');
  });
});

describe('an outcome', () => {
  it('that was refused and came too late for the process is orphaned at the next start', async () => {
    const disk = new FaultyDisk();
    const folder = await freshFolder();
    const log = await openLog({ folder, ambit: '0.1.0', files: disk });
    const { seq } = await log.append(intent('s1'));
    disk.fault = (step) => (step === 'sync' || step === 'create' ? 'EIO' : null);
    await expect(log.append(outcome('s1', seq))).rejects.toThrow();
    await log.close();
    disk.fault = () => null;
    const next = await openLog({ folder, ambit: '0.1.0', files: disk });
    expect(await next.session('s1')).toMatchObject({ outcome: { status: 'orphaned' } });
    await next.close();
  });
});
