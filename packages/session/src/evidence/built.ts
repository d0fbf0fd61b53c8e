import { readdir, readFile, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { ReadableSegment } from '@ambit/evidence';
import { BUILT, type PartFiles, placeOf, UNFINISHED, writeWhole } from './parts.ts';
import { type EvidenceTable, evidenceTables } from './rows.ts';

/** Changes when the rows that records give do: what was built before is built again. */
const FORMAT = 'ambit/evidence-tables/v1';

interface Mark {
  readonly format: string;
  readonly log: string;
  readonly header: string;
  readonly files: PartFiles;
}

/** The name of a closed segment's files. */
export function segmentPart(segment: number): string {
  return String(segment).padStart(8, '0');
}

/** Says that a closed segment is in the tables, whole. */
export async function markBuilt(root: string, { segment, log, header }: ReadableSegment, files: PartFiles) {
  const mark: Mark = { format: FORMAT, log, header, files };
  await writeWhole(root, BUILT, segmentPart(segment), JSON.stringify(mark));
}

/**
 * The segments that the tables hold whole. Everything else in their folders is taken away: files of the segment that was
 * written last, of what was not finished, of segments that are no more, of another log or an older format.
 */
export async function findBuilt(root: string, segments: readonly ReadableSegment[]): Promise<Set<number>> {
  const built = new Set<number>();
  for (const segment of segments) {
    if (segment.until !== null && (await isWhole(root, segment))) built.add(segment.segment);
  }
  const names = new Set([...built].map((segment) => `${segmentPart(segment)}.json`));
  for (const folder of [...evidenceTables, BUILT, UNFINISHED]) {
    for (const name of await readdir(join(root, folder))) {
      if (folder === UNFINISHED || !names.has(name)) await rm(join(root, folder, name), { recursive: true });
    }
  }
  return built;
}

async function isWhole(root: string, { segment, log, header }: ReadableSegment): Promise<boolean> {
  const name = segmentPart(segment);
  try {
    const mark = JSON.parse(await readFile(placeOf(root, BUILT, name), 'utf8')) as Mark;
    if (mark.format !== FORMAT || mark.log !== log || mark.header !== header) return false;
    for (const table of evidenceTables) {
      if ((await sizeOf(root, table, name)) !== (mark.files[table] ?? null)) return false;
    }
    return true;
  } catch {
    return false;
  }
}

/** Null: there is none. */
async function sizeOf(root: string, table: EvidenceTable, name: string): Promise<number | null> {
  const found = await stat(placeOf(root, table, name)).catch(() => null);
  return found?.size ?? null;
}
