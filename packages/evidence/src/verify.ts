import { join } from 'node:path';
import { disk, type Files } from './files.ts';
import { chain, decodeSegment, segmentName, type SegmentProblem } from './segment.ts';

/** What a reader of the folder found. Reads only; needs no server. */
export interface Verification {
  readonly segments: number;
  readonly records: number;
  readonly problems: readonly SegmentProblem[];
}

/** Checks canonical form, digests, order, and the links between segments. A cut tail of the last segment cannot show here: only a remembered end can tell. */
export async function verifySegments(folder: string, files: Files = disk): Promise<Verification> {
  const names = (await files.list(folder)).filter((name) => /^\d{8}\.segment$/.test(name)).toSorted();
  const problems: SegmentProblem[] = [];
  let link = '';
  let records = 0;
  let next = 0;
  for (const [at, name] of names.entries()) {
    const segment = Number(name.slice(0, 8));
    const problem = (offset: number, reason: string): number => problems.push({ segment, offset, reason });
    if (segment !== at + 1) problem(0, `segment ${segmentName(at + 1)} is missing`);
    const decoded = decodeSegment(segment, await files.read(join(folder, name)));
    if (decoded.problem !== null) problems.push(decoded.problem);
    if (decoded.header === null) continue;
    if (decoded.header.previous !== link) problem(0, 'the segment does not continue the one before it');
    if (decoded.header.first !== next) problem(0, `its first record should be ${next}`);
    link = decoded.header.previous;
    for (const { record, digest, offset } of decoded.records) {
      if (record.seq !== next) problem(offset, `record ${next} is missing or out of order`);
      next = record.seq + 1;
      link = chain(link, digest);
      records += 1;
    }
  }
  return { segments: names.length, records, problems };
}
