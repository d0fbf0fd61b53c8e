import { join } from 'node:path';
import { EvidenceShared } from '../errors.ts';
import type { Files } from '../files.ts';

/** Says of a folder that it is a copy of a log that servers share. Whoever wrote to it alone would fork the log. */
const MARK = 'shared';

export async function markShared(files: Files, folder: string, log: string): Promise<void> {
  if ((await markOf(files, folder)) === null) await files.replace(join(folder, MARK), Buffer.from(`${log}\n`));
}

/** Whether a folder is such a copy. */
export async function isMarked(files: Files, folder: string): Promise<boolean> {
  return (await markOf(files, folder)) !== null;
}

/** Throws `EvidenceShared`. */
export async function expectAlone(files: Files, folder: string): Promise<void> {
  const log = await markOf(files, folder);
  if (log !== null) {
    throw new EvidenceShared(
      `the folder is a copy of ${log.trim()}, which servers share: without their database it is not written to`,
    );
  }
}

async function markOf(files: Files, folder: string): Promise<string | null> {
  const bytes = await files.read(join(folder, MARK)).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return null;
    throw error;
  });
  return bytes === null ? null : bytes.toString('utf8');
}
