import { join } from 'node:path';
import type { Files } from './files.ts';
import { chain, decodeSegment, segmentName } from './segment.ts';

/** What start-up found. */
export interface Recovered {
  /** Segments that are there, ascending. */
  readonly segments: readonly number[];
  readonly log: string | null;
  readonly nextSeq: number;
  readonly chain: string;
  /** Sessions with an intent and no outcome: seq of the intent by session. */
  readonly open: ReadonlyMap<string, number>;
  readonly records: number;
  readonly tornBytes: number;
  readonly lastAt: string;
}

/** Reads the last segment: its header carries what was open before. A torn tail is set aside, never repaired in silence. */
export async function recover(files: Files, folder: string): Promise<Recovered> {
  const segments = (await files.list(folder))
    .filter((name) => /^\d{8}\.segment$/.test(name))
    .map((name) => Number(name.slice(0, 8)))
    .toSorted((a, b) => a - b);
  for (let at = segments.length - 1; at >= 0; at -= 1) {
    const segment = segments[at] as number;
    const path = join(folder, segmentName(segment));
    const bytes = await files.read(path);
    const { header, records, end } = decodeSegment(segment, bytes);
    const tornBytes = bytes.length - end;
    if (tornBytes > 0) {
      await files.replace(`${path}.torn`, bytes.subarray(end));
      await files.replace(path, bytes.subarray(0, end));
    }
    if (header === null) {
      // Killed while the segment was made: it holds nothing that was acknowledged.
      await files.remove(path);
      continue;
    }
    const open = new Map(header.open);
    let link = header.previous;
    for (const { record, digest } of records) {
      link = chain(link, digest);
      if (record.type === 'session.intent') open.set(record.session, record.seq);
      else if (record.type === 'session.outcome') open.delete(record.session);
    }
    const last = records.at(-1)?.record;
    return {
      segments: segments.slice(0, at + 1),
      log: header.log,
      nextSeq: last === undefined ? header.first : last.seq + 1,
      chain: link,
      open,
      records: records.length,
      tornBytes,
      lastAt: last?.at ?? '',
    };
  }
  return { segments: [], log: null, nextSeq: 0, chain: '', open: new Map(), records: 0, tornBytes: 0, lastAt: '' };
}
