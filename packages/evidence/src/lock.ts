import { link, open, readFile, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { EvidenceLocked } from './errors.ts';

/** Takes the log's folder for this process. A holder that was killed holds nothing. */
export async function lockFolder(folder: string): Promise<() => Promise<void>> {
  const path = join(folder, 'lock');
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
    if (started !== '' && (await startedAt(Number(holder))) === started) {
      throw new EvidenceLocked(`process ${holder} writes the evidence in \`${folder}\``);
    }
    // By its name alone another contender's fresh lock could be removed: only one can take the old one away.
    const taken = `${path}.${process.pid}`;
    await rename(path, taken).catch(() => undefined);
    const removed = await readFile(taken, 'utf8').catch(() => '');
    if (removed !== '' && removed !== `${holder} ${started}`) await link(taken, path).catch(() => undefined);
    await rm(taken, { force: true });
  }
  throw new EvidenceLocked(`another process took the evidence in \`${folder}\``);
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
