import { execFileSync, spawnSync } from 'node:child_process';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { openLog } from '../src/log.ts';
import { type Appender, build, expectWhole, startAppender } from './process.ts';
import { freshFolder, refusal } from './support.ts';

beforeAll(build, 60_000);

const refused = (line: string): boolean => line === 'refused evidence_unavailable';

/** Resolves when an append succeeds again. */
async function resumes(appender: Appender): Promise<void> {
  const before = new Set(appender.said());
  await appender.until((line) => line.startsWith('outcome') && !before.has(line));
}

/** The kernel's limit on the size of files, of a running process: needs no privilege. */
function limitFiles(appender: Appender, bytes: number | 'unlimited'): void {
  execFileSync('prlimit', ['--pid', String(appender.child.pid), `--fsize=${bytes}:unlimited`]);
}

describe('a file system that takes no more bytes', () => {
  it('stops appends while it lasts, and loses nothing acknowledged', { timeout: 30_000 }, async () => {
    const folder = await freshFolder();
    const appender = await startAppender(folder, 8);
    onTestFinished(() => void appender.child.kill('SIGKILL'));
    await appender.until((line) => line.startsWith('outcome'));
    limitFiles(appender, 0);
    await appender.until(refused);
    await pause(50);
    const before = appender.said().length;
    await pause(300);
    expect(
      appender
        .said()
        .slice(before)
        .filter((line) => !refused(line)),
    ).toEqual([]);
    limitFiles(appender, 'unlimited');
    await resumes(appender);
    await appender.kill();
    await expectWhole(folder, appender.said());
  });
});

/** A small file system of its own: needs the right to mount. */
async function smallDisk(): Promise<string | null> {
  const folder = join(await freshFolder(), 'disk');
  await mkdir(folder);
  if (spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=24m', 'tmpfs', folder]).status !== 0) return null;
  onTestFinished(() => void spawnSync('umount', ['-l', folder]));
  return folder;
}

describe('a disk that is full', () => {
  it('stops appends, and they resume when there is room', { timeout: 60_000 }, async (context) => {
    const disk = await smallDisk();
    if (disk === null) {
      context.skip('this user may not mount a file system; the limit on files above was tested');
      return;
    }
    const folder = join(disk, 'evidence');
    execFileSync('fallocate', ['-l', '10m', join(disk, 'other')]);
    const appender = await startAppender(folder, 8);
    onTestFinished(() => void appender.child.kill('SIGKILL'));
    await appender.until(refused);
    await pause(100);
    execFileSync('rm', [join(disk, 'other')]);
    await resumes(appender);
    await appender.kill();
    await expectWhole(folder, appender.said());
  });

  // A second reserve is written beside the first at every start, so that a start needs room that nobody else needs.
  it('does not keep the log from starting: its reserve is there already', { timeout: 60_000 }, async () => {
    const disk = await smallDisk();
    // Without the right to mount there is nothing to see here, and an expected failure has to fail.
    if (disk === null) throw new Error('this user may not mount a file system');
    const folder = join(disk, 'evidence');
    await (await openLog({ folder, ambit: '0.1.0' })).close();
    execFileSync('fallocate', ['-l', '18m', join(disk, 'other')]);
    const log = await openLog({ folder, ambit: '0.1.0' });
    await log.append(refusal('there are two megabytes'));
    await log.close();
  });
});
