import { randomUUID } from 'node:crypto';
import { originOf } from '../checkpoint.ts';
import { EvidenceDamaged } from '../errors.ts';
import type { Files } from '../files.ts';
import { parseVerifierKey, verifierKey } from '../note.ts';
import type { Recovered } from '../recovery.ts';
import { segmentsOf } from '../segment.ts';
import { loadSigner } from '../signer.ts';
import { covers } from './batch.ts';
import { complete, type LastBatch } from './copy.ts';
import type { Database } from './database.ts';

/** A shared log that a folder was brought up to. */
export interface Joined {
  readonly log: string;
  /** Verifier key of whoever appends. */
  readonly key: string;
  /** Null: it has no record. */
  readonly last: LastBatch | null;
}

/** Begins the log in the database if nobody has, with the key of this server, and brings the folder up to it. */
export async function joinLog(database: Database, files: Files, folder: string, keyFile: string): Promise<Joined> {
  await database.prepare();
  const begun = (await database.head()) ?? (await begin(database, files, folder, keyFile));
  // Before anything is fetched: whoever has not the key has no business with it.
  await loadSigner(keyFile, originOf(begun.log), begun.key);
  return { log: begun.log, key: begun.key, last: await complete(files, folder, database) };
}

async function begin(database: Database, files: Files, folder: string, keyFile: string) {
  if (segmentsOf(await files.list(folder)).length > 0) {
    throw new EvidenceDamaged('the folder holds a log, and the database none: give the shared log a folder of its own');
  }
  const log = randomUUID();
  const signer = await loadSigner(keyFile, originOf(log), null);
  await database.begin(log, verifierKey(signer));
  const head = await database.head();
  if (head === null) throw new EvidenceDamaged('the database does not keep the head of the log');
  return head;
}

/** What was fetched is what the last batch's checkpoint signs. Throws `EvidenceDamaged`. */
export function expectProven(
  { log, key, last }: Joined,
  { log: found, tiles }: Pick<Recovered, 'log' | 'tiles'>,
): void {
  if (last === null) return;
  const verifier = parseVerifierKey(key);
  if (found !== log || verifier === null || !covers(last.checkpoint, log, tiles.growing(), verifier)) {
    throw new EvidenceDamaged('what the database has is not what its last checkpoint signs');
  }
}
