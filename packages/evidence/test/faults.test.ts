import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { EvidenceUnavailable } from '../src/errors.ts';
import { limits } from '../src/limits.ts';
import { type EvidenceLog, openLog } from '../src/log.ts';
import type { EvidenceRecord } from '../src/record.ts';
import { verifyLog } from '../src/verify.ts';
import { FaultyDisk, type Step } from './faulty-disk.ts';
import { freshFolder, intent, linesOf, outcome, refusal, runSession } from './support.ts';

interface Opened {
  readonly disk: FaultyDisk;
  readonly folder: string;
  readonly log: EvidenceLog;
}

async function faulty(): Promise<Opened> {
  const disk = new FaultyDisk();
  const folder = await freshFolder();
  return { disk, folder, log: await openLog({ folder, ambit: '0.1.0', files: disk }) };
}

const healed = (): Promise<void> => pause(limits.healDelayMs + 20);

/** Fails one step on segments, once. */
function failOnce(disk: FaultyDisk, step: Step, errno: string): void {
  disk.fault = (at, name) => {
    if (at !== step || !name.endsWith('.segment')) return null;
    disk.fault = () => null;
    return errno;
  };
}

async function recordsOf(disk: FaultyDisk, folder: string): Promise<readonly EvidenceRecord[]> {
  const segments = disk.names().filter((name) => name.endsWith('.segment'));
  const read = await Promise.all(segments.map((name) => disk.read(join(folder, name))));
  return read.flatMap((bytes) => linesOf(bytes).lines.map(({ record }) => record));
}

describe.each([
  ['append', 'EIO'],
  ['append', 'ENOSPC'],
  ['sync', 'EIO'],
  ['sync', 'ENOSPC'],
] as const)('when %s fails once with %s', (step, errno) => {
  it('refuses the records, leaves the segment for good, and heals with a gap record', async () => {
    const { disk, folder, log } = await faulty();
    await runSession(log, 'before');
    failOnce(disk, step, errno);
    await expect(log.append(intent('lost'))).rejects.toBeInstanceOf(EvidenceUnavailable);
    expect(log.failure()).toContain(errno);
    const abandoned = (await disk.read(join(folder, '00000001.segment'))).length;
    await healed();
    await runSession(log, 'after');
    expect(log.failure()).toBeNull();
    expect((await disk.read(join(folder, '00000001.segment'))).length).toBe(abandoned);
    const records = await recordsOf(disk, folder);
    expect(records.filter(({ type }) => type === 'evidence.gap')).toMatchObject([
      { reason: expect.stringContaining(errno) },
    ]);
    expect(records.map(({ seq }) => seq)).toEqual(records.map((_, at) => at));
    expect(await log.session('lost')).toBeNull();
    expect(await log.session('before')).toMatchObject({ outcome: { status: 'completed' } });
    expect((await verifyLog(folder, { files: disk })).problems).toEqual([]);
    // What was acknowledged after the failure does not lean on pages that the kernel forgot.
    expect((await verifyLog(folder, { files: disk.afterPowerLoss(0) })).records).toBe(records.length);
    await log.close();
  });
});

describe('while nothing can be written', () => {
  it('appends are refused at once, and so is all that waited', async () => {
    const { disk, log } = await faulty();
    disk.fault = (step) => (step === 'sync' ? 'EIO' : null);
    const waiting = await Promise.allSettled(Array.from({ length: 50 }, (_, at) => log.append(refusal(String(at)))));
    expect(waiting.every(({ status }) => status === 'rejected')).toBe(true);
    const before = disk.syncs;
    await expect(log.append(refusal('more'))).rejects.toBeInstanceOf(EvidenceUnavailable);
    expect(disk.syncs).toBe(before);
    await log.close();
  });

  it('an outcome is refused to its caller, and written with the gap when the log heals', async () => {
    const { disk, folder, log } = await faulty();
    const { seq } = await log.append(intent('s1'));
    disk.fault = (step) => (step === 'sync' || step === 'create' ? 'EIO' : null);
    await expect(log.append(outcome('s1', seq))).rejects.toBeInstanceOf(EvidenceUnavailable);
    disk.fault = () => null;
    await healed();
    await log.append(refusal('again'));
    const records = await recordsOf(disk, folder);
    expect(records.filter(({ type }) => type === 'session.outcome')).toMatchObject([{ session: 's1', intent: seq }]);
    await log.close();
  });

  // Readiness asks `failure()`, and a service that is not ready gets no request that would append.
  it('the log heals by itself, without an append', async () => {
    const { disk, log } = await faulty();
    failOnce(disk, 'sync', 'EIO');
    await expect(log.append(refusal('one'))).rejects.toThrow();
    await pause(limits.healDelayMs * 6);
    expect(log.failure()).toBeNull();
  });

  it('a log that could not be opened does not keep the folder', async () => {
    const disk = new FaultyDisk();
    const folder = await freshFolder();
    disk.fault = (step) => (step === 'create' ? 'EROFS' : null);
    await expect(openLog({ folder, ambit: '0.1.0', files: disk })).rejects.toBeInstanceOf(EvidenceUnavailable);
    disk.fault = () => null;
    await (await openLog({ folder, ambit: '0.1.0', files: disk })).close();
  });
});

describe('when the disk is full', () => {
  async function fill({ disk, log }: Opened): Promise<void> {
    disk.capacity = disk.used() + 10;
    await expect(log.append(refusal('one more'))).rejects.toBeInstanceOf(EvidenceUnavailable);
  }

  it('intents are refused, outcomes of running sessions use the reserve', async () => {
    const opened = await faulty();
    const { disk, folder, log } = opened;
    const { seq } = await log.append(intent('running'));
    await fill(opened);
    expect(disk.names()).toContain('reserve');
    await log.append(outcome('running', seq));
    expect(disk.names()).not.toContain('reserve');
    expect(await log.session('running')).toMatchObject({ outcome: { status: 'completed' } });
    expect((await verifyLog(folder, { files: disk })).problems).toEqual([]);
    await log.close();
  });

  it('the reserve is made again when there is room', async () => {
    const opened = await faulty();
    const { disk, log } = opened;
    const { seq } = await log.append(intent('running'));
    await fill(opened);
    await log.append(outcome('running', seq));
    disk.capacity = Number.POSITIVE_INFINITY;
    await healed();
    await runSession(log, 'after');
    expect(disk.names()).toContain('reserve');
    await log.close();
  });

  // The attempt to make the reserve again leaves `reserve.new` behind, which takes the room that it was to keep.
  it('an attempt to heal does not take the room of the outcomes that are still to come', async () => {
    const opened = await faulty();
    const { log } = opened;
    const first = await log.append(intent('first'));
    const second = await log.append(intent('second'));
    await fill(opened);
    await log.append(outcome('first', first.seq));
    await healed();
    await expect(log.append(intent('new'))).rejects.toBeInstanceOf(EvidenceUnavailable);
    await log.append(outcome('second', second.seq));
  });
});

describe('a record that cannot be encoded', () => {
  const float = { rows: 1.5 };

  it('is refused', async () => {
    const { log } = await faulty();
    await expect(log.append(intent('s1', { limits: float }))).rejects.toThrow();
    await log.close();
  });

  it('does not take the log down, nor the records beside it', async () => {
    const { log } = await faulty();
    const beside = log.append(refusal('beside'));
    await expect(log.append(intent('s1', { limits: float }))).rejects.toThrow();
    await beside;
    expect(log.failure()).toBeNull();
  });

  it('does not stop the log for ever when it is an outcome', async () => {
    const { log } = await faulty();
    const { seq } = await log.append(intent('s1'));
    await expect(log.append(outcome('s1', seq, { engine: float }))).rejects.toThrow();
    await healed();
    await runSession(log, 's2');
  });
});
