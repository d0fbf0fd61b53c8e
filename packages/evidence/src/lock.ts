import { link, open, readFile, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { EvidenceLocked } from './errors.ts';
import { limits } from './limits.ts';

type Unlock = () => Promise<void>;

/** Takes the log's folder for this process. A holder that was killed holds nothing. */
export async function lockFolder(folder: string): Promise<Unlock> {
  const taken = await take(join(folder, 'lock'));
  if (typeof taken !== 'string') return taken;
  throw new EvidenceLocked(`${taken} the evidence in \`${folder}\``);
}

/** Does something with a file that nobody else does at the same moment who asks here too. */
export async function alone<T>(file: string, work: () => Promise<T>): Promise<T> {
  const until = performance.now() + limits.lockMs;
  for (;;) {
    const taken = await take(`${file}.lock`);
    if (typeof taken !== 'string') {
      try {
        return await work();
      } finally {
        await taken();
      }
    }
    if (performance.now() > until) throw new EvidenceLocked(`${taken} \`${file}\``);
    await pause(limits.lockDelayMs);
  }
}

/** What gives the lock back; or who has it, as the beginning of a sentence. */
async function take(path: string): Promise<Unlock | string> {
  const own = `${process.pid} ${await startedAt(process.pid)}`;
  for (let attempt = 0; attempt < 2; attempt += 1) {
    try {
      const file = await open(path, 'wx', 0o600);
      await file.writeFile(own);
      await file.close();
      return () => rm(path, { force: true });
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    }
    const [holder = '0', started = ''] = (await readFile(path, 'utf8').catch(() => '')).split(' ');
    if (started !== '' && (await startedAt(Number(holder))) === started) return `process ${holder} writes`;
    // By its name alone another contender's fresh lock could be removed: only one can take the old one away.
    const taken = `${path}.${process.pid}`;
    await rename(path, taken).catch(() => undefined);
    const removed = await readFile(taken, 'utf8').catch(() => '');
    if (removed !== '' && removed !== `${holder} ${started}`) await link(taken, path).catch(() => undefined);
    await rm(taken, { force: true });
  }
  return 'another process took';
}

/** When a process started, in the kernel's ticks since boot: a number that its successor by pid does not have. */
async function startedAt(pid: number): Promise<string> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => undefined);
  if (stat !== undefined) return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19] ?? '';
  try {
    // Without /proc a living process of that number counts as the holder.
    process.kill(pid, 0);
    return 'alive';
  } catch {
    return '';
  }
}
