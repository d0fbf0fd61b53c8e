import type { BigIntStats } from 'node:fs';
import { readdir, stat } from 'node:fs/promises';
import { dirname, extname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { filesBeneath } from '@ambit/session';

import { limits } from './limits.ts';

// Files are looked at, not listened to: what tells of changes differs between systems, and is silent on network file
// systems, in containers, and where a link is put in another's place.

/** Files at one moment. */
export interface Look {
  /** The same as long as nothing has changed. */
  readonly stamp: string;
  /** When the last of them changed, in milliseconds since 1970. */
  readonly changedMs: number;
  /** One of those that were named is not there. */
  readonly missing: boolean;
}

/** Looks at contracts and policies of these paths, and at some files more. */
export async function look(paths: readonly string[], files: readonly string[]): Promise<Look> {
  const found = new Set(files);
  for (const path of paths) for (const file of await filesOf(path)) found.add(file);
  const stamps: string[] = [];
  let changedMs = 0;
  let missing = false;
  for (const file of [...found].toSorted()) {
    const at = await stat(file, { bigint: true }).catch(() => null);
    stamps.push(`${file} ${at === null ? 'gone' : stampOf(at)}`);
    if (at === null) missing ||= files.includes(file);
    else changedMs = Math.max(changedMs, Number(at.ctimeMs));
  }
  return { stamp: stamps.join('\n'), changedMs, missing };
}

function stampOf({ ino, size, mtimeNs, ctimeNs }: BigIntStats): string {
  return `${ino} ${size} ${mtimeNs} ${ctimeNs}`;
}

/** A folder's contracts and policies, and what may become one. Of a file also the policies beside it. */
async function filesOf(path: string): Promise<readonly string[]> {
  try {
    if ((await stat(path)).isDirectory()) return await filesBeneath(path, ['.yaml', '.yml', '.cedar']);
    const beside = await readdir(dirname(path));
    return [path, ...beside.filter((name) => extname(name) === '.cedar').map((name) => join(dirname(path), name))];
  } catch {
    // It was there a moment ago: the stamp says that it is not.
    return [path];
  }
}

/**
 * Calls back when files have changed and nothing has for a while, also where that was before this, but after `since`. `same`
 * tells whether nothing has changed since then. Ends when it is told to.
 */
export async function watch(
  looking: () => Promise<Look>,
  since: number,
  changed: (same: () => Promise<boolean>) => Promise<void>,
  signal: AbortSignal,
): Promise<void> {
  let seen = await looking();
  // What changed while it was read for the first time would be nobody's to notice.
  let due = seen.missing || seen.changedMs >= since - limits.watchClockMs;
  let waitMs = 0;
  for (;;) {
    if (!due && !(await paused(waitMs, signal))) return;
    const startedAt = performance.now();
    const now = await looking();
    waitMs = Math.max(limits.watchEveryMs, (performance.now() - startedAt) / limits.watchShareMax);
    if (now.stamp === seen.stamp && !due) continue;
    due = false;
    seen = await settled(looking, now, signal);
    if (signal.aborted) return;
    const { stamp } = seen;
    await changed(async () => (await looking()).stamp === stamp);
  }
}

async function settled(looking: () => Promise<Look>, first: Look, signal: AbortSignal): Promise<Look> {
  const until = performance.now() + limits.watchUnrestMsMax;
  for (let last = first; ; ) {
    if (!(await paused(limits.watchQuietMs, signal))) return last;
    const next = await looking();
    if (next.stamp === last.stamp || performance.now() > until) return next;
    last = next;
  }
}

/** False: there is nothing to wait for any more. */
async function paused(ms: number, signal: AbortSignal): Promise<boolean> {
  await sleep(ms, undefined, { signal, ref: false }).catch(() => undefined);
  return !signal.aborted;
}
