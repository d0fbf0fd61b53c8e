import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';

// What the kernel says of the server's workers.

const TICK_MS = 10;

/** CPU time that a process has used, in milliseconds; null when it is gone. */
export function cpuMs(pid: number): number | null {
  try {
    const fields = readFileSync(`/proc/${pid}/stat`, 'utf8')
      .replace(/^.*\) /s, '')
      .split(' ');
    return (Number(fields[11]) + Number(fields[12])) * TICK_MS;
  } catch {
    return null;
  }
}

/** How long until these processes use next to no CPU, or are gone. Throws when they still do after `ms`. */
export async function quietAfter(pids: readonly number[], ms: number): Promise<number> {
  const start = Date.now();
  const used = (): number => pids.reduce((sum, pid) => sum + (cpuMs(pid) ?? 0), 0);
  for (;;) {
    const [since, before] = [Date.now(), used()];
    await sleep(200);
    if (used() - before <= 2 * TICK_MS) return since - start;
    if (Date.now() - start > ms) throw new Error(`the workers are not quiet after ${ms} ms`);
  }
}

/** Memory that a process holds, in MiB. */
export function residentMiB(pid: number): number {
  const [, pages = '0'] = readFileSync(`/proc/${pid}/statm`, 'utf8').split(' ');
  return (Number(pages) * 4096) / 2 ** 20;
}
