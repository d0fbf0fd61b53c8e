import { join } from 'node:path';
import { EvidenceDamaged } from './errors.ts';
import type { Files } from './files.ts';
import { type SegmentHeader, segmentName } from './segment.ts';
import { readStart } from './segment-start.ts';
import type { Tail } from './tail.ts';
import type { Writer } from './writer.ts';

/** Segments at the end that a start reads. */
const READ_AT_START = 2;

/**
 * Removes whole segments that are older than `before`; returns how many records went. The last of those that could go stays: the
 * next one's first intents may name a grant that lies at its end.
 */
export async function prune(
  { segments: all }: Tail,
  writer: Writer,
  files: Files,
  folder: string,
  before: Date,
): Promise<number> {
  const segments = all.slice(0, -READ_AT_START);
  let [gone, last, first]: [number, number, number] = [0, 0, 0];
  for (const segment of segments) {
    const next = await headerOf(files, folder, segment + 1);
    if (next.after >= before.toISOString()) break;
    [gone, last] = [last, segment];
    if (gone > 0) ({ first } = await headerOf(files, folder, gone + 1));
  }
  if (gone === 0) return 0;
  const from = (await headerOf(files, folder, segments[0] as number)).first;
  // Said before it is done: what is missing without a record was taken away.
  await writer.append({ type: 'evidence.pruned', segment: gone, first, before: before.toISOString() });
  const removed = segments.filter((segment) => segment <= gone);
  all.splice(0, removed.length);
  const names = await files.list(folder);
  for (const segment of removed) {
    const own = names.filter((name) => name.startsWith(segmentName(segment)));
    for (const name of own) await files.remove(join(folder, name));
  }
  return first - from;
}

async function headerOf(files: Files, folder: string, segment: number): Promise<SegmentHeader> {
  const start = await readStart(files, folder, segment);
  if (start === null) throw new EvidenceDamaged(`${segmentName(segment)} has no header`);
  return start.header;
}
