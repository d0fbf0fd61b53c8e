import { randomUUID } from 'node:crypto';
import { dirname, join } from 'node:path';
import { EvidenceDamaged, EvidenceUnavailable } from '../errors.ts';
import { disk, type Files } from '../files.ts';
import { CHECKPOINT } from '../publisher.ts';
import { recover } from '../recovery.ts';
import { complete } from './copy.ts';
import { Database } from './database.ts';
import { expectProven } from './join.ts';
import { markShared } from './mark.ts';
import type { DatabaseOptions } from './options.ts';

/** A log as it was fetched. */
export interface FetchedLog {
  readonly log: string;
  /** Verifier key that its records name last: whoever trusts it got it another way. */
  readonly key: string;
  readonly records: number;
}

/**
 * Copies a shared log into a folder that has none, with the tree and the checkpoint of its last batch. Reads the database only, and
 * needs no key. Throws `EvidenceDamaged` where what is there is not what is signed.
 */
export async function fetchLog(options: DatabaseOptions, folder: string, files: Files = disk): Promise<FetchedLog> {
  const database = new Database(options, randomUUID());
  try {
    const head = await database.head();
    if (head === null || head.sharing) throw new EvidenceUnavailable('the database holds no whole log yet');
    await files.ensureFolder(folder);
    if ((await files.list(folder)).length > 0) throw new EvidenceDamaged(`\`${folder}\` is not empty`);
    const { last } = await complete(files, folder, database);
    const recovered = await recover(files, folder);
    expectProven({ log: head.log, last }, recovered);
    if (last === null || recovered.key === null) throw new EvidenceUnavailable('the log has no record yet');
    for (const [path, bytes] of recovered.tiles.unpublished().parts) {
      await files.ensureFolder(dirname(join(folder, path)));
      await files.write(join(folder, path), bytes);
    }
    await files.replace(join(folder, CHECKPOINT), Buffer.from(last.checkpoint));
    await markShared(files, folder, head.log);
    return { log: head.log, key: recovered.key, records: recovered.nextSeq };
  } finally {
    await database.close();
  }
}
