import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { BUILT, SERVED } from './parts.ts';
import { documentTables, recordTables } from './rows.ts';

/** What the folders of the tables are like: another one after somebody else made, changed or removed files there. */
export interface Stamp {
  /** Identity of the folder itself: a new one under its name has another. */
  readonly root: string;
  /** Identities of the tables' folders, and when names in them were last changed. */
  readonly tables: string;
}

/** The folders as they are now. */
export async function stampOf(root: string): Promise<Stamp> {
  const identity = async (path: string): Promise<readonly bigint[]> => {
    const found = await stat(path, { bigint: true }).catch(() => null);
    return found === null ? [] : [found.ino, found.birthtimeNs, found.mtimeNs];
  };
  const [own = 0n, born = 0n] = await identity(root);
  const tables = await Promise.all(
    [...recordTables, ...documentTables, SERVED, BUILT].map((table) => identity(join(root, table))),
  );
  return { root: `${own} ${born}`, tables: tables.map((one) => one.join(' ')).join('\n') };
}
