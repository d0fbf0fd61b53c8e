import { join } from 'node:path';
import { sha256 } from './canonical.ts';
import type { Files } from './files.ts';
import { limits } from './limits.ts';
import { parseHeader, type SegmentHeader, segmentName } from './segment.ts';

/** How a segment begins. */
export interface SegmentStart {
  readonly header: SegmentHeader;
  /** SHA-256 of the header's line: another log's segment of that number has another. */
  readonly digest: string;
  /** Where its records begin. */
  readonly offset: number;
}

/** Reads the first line of a segment and no more than that needs; null if it is no header. */
export async function readStart(files: Files, folder: string, segment: number): Promise<SegmentStart | null> {
  const path = join(folder, segmentName(segment));
  // It names the open sessions: most often few.
  for (let length = limits.headerBytes; ; length *= 4) {
    const bytes = await files.readAt(path, 0, length);
    const end = bytes.indexOf(10);
    if (end < 0 && bytes.length === length) continue;
    const line = bytes.subarray(0, Math.max(0, end));
    const header = end < 0 ? null : parseHeader(line);
    return header === null ? null : { header, digest: sha256(line), offset: end + 1 };
  }
}
