import { join } from 'node:path';
import type { Catalog } from './catalog.ts';
import { EvidenceDamaged } from './errors.ts';
import type { Files } from './files.ts';
import type { EvidencePruned } from './record.ts';
import { rootsOf } from './roots.ts';
import { type SegmentHeader, segmentName } from './segment.ts';
import { readStart } from './segment-start.ts';
import type { Tail } from './tail.ts';

/** Segments at the end that a start reads. */
const READ_AT_START = 2;

/** Segments that may go, as the log will say it, and how many records they have. */
export interface Old {
  readonly said: EvidencePruned;
  readonly records: number;
}

/**
 * Whole segments that are older than `before`, so many at most; null if there are none. The last of those that could go stays: the
 * next one's first intents may name a grant that lies at its end.
 */
export async function oldOf(
  { segments: all, open }: Tail,
  catalog: Catalog,
  files: Files,
  folder: string,
  { before, segmentsMax }: { readonly before: Date; readonly segmentsMax: number },
): Promise<Old | null> {
  const segments = all.slice(0, -READ_AT_START);
  // A session that has not ended needs its intent: by that others know whose it is.
  const oldestOpen = [...open.values()].reduce((oldest, seq) => Math.min(oldest, seq), Number.POSITIVE_INFINITY);
  let could = 0;
  for (const segment of segments) {
    const next = await headerOf(files, folder, segment + 1);
    if (next.after >= before.toISOString() || next.first > oldestOpen) break;
    could += 1;
  }
  const gone = segments.slice(0, Math.min(Math.max(0, could - 1), segmentsMax));
  const [oldest, newest] = [gone[0], gone.at(-1)];
  if (oldest === undefined || newest === undefined) return null;
  const { first: from } = await headerOf(files, folder, oldest);
  const { first } = await headerOf(files, folder, newest + 1);
  const roots = await rootsOf(catalog, gone);
  const said: EvidencePruned = {
    type: 'evidence.pruned',
    segment: newest,
    first,
    before: before.toISOString(),
    roots,
  };
  return { said, records: first - from };
}

/** Removes segments that the log says are removed. */
export async function removeOld({ segments }: Tail, files: Files, folder: string, upTo: number): Promise<void> {
  const removed = segments.filter((segment) => segment <= upTo);
  if (removed.length === 0) return;
  await removeSegments(files, folder, removed);
  segments.splice(0, removed.length);
}

/** The oldest first, so that what is left has no gap, and of each what is derived from it before itself. */
export async function removeSegments(files: Files, folder: string, segments: readonly number[]): Promise<void> {
  const names = (await files.list(folder)).toSorted((a, b) => b.length - a.length);
  for (const segment of segments) {
    for (const name of names.filter((one) => one.startsWith(segmentName(segment))))
      await files.remove(join(folder, name));
  }
}

async function headerOf(files: Files, folder: string, segment: number): Promise<SegmentHeader> {
  const start = await readStart(files, folder, segment);
  if (start === null) throw new EvidenceDamaged(`${segmentName(segment)} has no header`);
  return start.header;
}
