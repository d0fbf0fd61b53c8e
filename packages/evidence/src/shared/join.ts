import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { originOf, parseCheckpoint } from '../checkpoint.ts';
import { entryOf } from '../entry.ts';
import { EvidenceDamaged, EvidenceUnavailable } from '../errors.ts';
import type { Files } from '../files.ts';
import { leafHash, rootAt } from '../merkle.ts';
import { verifierKey } from '../note.ts';
import { type Recovered, recover } from '../recovery.ts';
import { removeSegments } from '../retention.ts';
import { decodeSegment, segmentName, segmentsOf } from '../segment.ts';
import { expectSigner, findSigner, loadSigner } from '../signer.ts';
import { covers } from './batch.ts';
import { complete, type LastBatch } from './copy.ts';
import type { Database, Head } from './database.ts';
import { markShared } from './mark.ts';

/** A shared log that a folder was brought up to, and proven to be. */
export interface Joined {
  readonly log: string;
  /** Verifier key of whoever appends. */
  readonly key: string;
  readonly recovered: Recovered;
}

/** Begins the log in the database if nobody has, with the key of this server, and brings the folder up to it. */
export async function joinLog(database: Database, files: Files, folder: string, keyFile: string): Promise<Joined> {
  await database.prepare();
  const begun = (await database.head()) ?? (await begin(database, files, folder, keyFile));
  if (begun.sharing) {
    throw new EvidenceUnavailable(
      'the log is about to be put into the database: run `ambit evidence share` to its end',
    );
  }
  const { log } = begun;
  // Before anything is fetched: whoever has not the key has no business with it.
  await expectKey(database, begun, keyFile);
  for (let attempt = 1; ; attempt += 1) {
    const { oldest, last } = await complete(files, folder, database);
    const recovered = await recover(files, folder, oldest ?? 0);
    expectProven({ log, last }, recovered);
    await markShared(files, folder, log);
    if (oldest !== null) await removeLeft(files, folder, oldest, recovered);
    const key = recovered.key ?? begun.key;
    if ((await findSigner(keyFile, originOf(log), key)) !== null) return { log, key, recovered };
    // Rotated a moment ago, of which the folder does not know yet.
    if (attempt >= ATTEMPTS_MAX) await expectSigner(keyFile, originOf(log), key);
  }
}

const ATTEMPTS_MAX = 5;

async function expectKey(database: Database, { log, key }: Head, keyFile: string): Promise<void> {
  try {
    await expectSigner(keyFile, originOf(log), key);
  } catch (error) {
    const now = await database.head();
    // Rotated a moment ago.
    if (now === null || now.key === key) throw error;
    await expectSigner(keyFile, originOf(log), now.key);
  }
}

async function begin(database: Database, files: Files, folder: string, keyFile: string): Promise<Head> {
  if (segmentsOf(await files.list(folder)).length > 0) {
    throw new EvidenceDamaged(
      'the folder holds a log, and the database none: put it there with `ambit evidence share`, or give the shared log a folder of its own',
    );
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
  { log, last }: { readonly log: string; readonly last: LastBatch | null },
  { log: found, tiles, key }: Pick<Recovered, 'log' | 'tiles' | 'key'>,
): void {
  if (last === null) return;
  if (found !== log || key === null || !covers(last.checkpoint, log, tiles.growing(), key)) {
    throw new EvidenceDamaged('what the database has is not what its last checkpoint signs');
  }
}

/**
 * Removes what the folder has from before the oldest segment of the database: if a record says that it was removed for its age, and
 * it is of this log. A database that lost it takes it away from nobody.
 */
async function removeLeft(files: Files, folder: string, oldest: number, recovered: Recovered): Promise<void> {
  const left = segmentsOf(await files.list(folder)).filter((segment) => segment < oldest);
  const newest = left.at(-1);
  if (newest === undefined) return;
  if (!(await isSaid(files, folder, oldest - 1, recovered.segments))) {
    throw new EvidenceDamaged(
      `the database lacks segments up to ${segmentName(oldest - 1)}, and no record says that they were removed for their age`,
    );
  }
  await expectOwn(files, folder, newest, recovered);
  await removeSegments(files, folder, left);
}

async function isSaid(files: Files, folder: string, upTo: number, segments: readonly number[]): Promise<boolean> {
  for (const segment of segments.toReversed()) {
    const { records } = decodeSegment(await files.read(join(folder, segmentName(segment))));
    if (records.some(({ record }) => record.type === 'evidence.pruned' && record.segment === upTo)) return true;
  }
  return false;
}

/** A segment that the database has not any more is of this log: its records are leaves of its tree. */
async function expectOwn(files: Files, folder: string, segment: number, { tiles, log }: Recovered): Promise<void> {
  const { header, records } = decodeSegment(await files.read(join(folder, segmentName(segment))));
  const said = header === null ? null : parseCheckpoint(header.checkpoint);
  const node = tiles.reader(files, folder);
  const isBefore = said !== null && said.size <= tiles.size && (await rootAt(said.size, node)).equals(said.root);
  let isOwn = header?.log === log && isBefore;
  for (const { record, digest } of records) {
    if (!isOwn) break;
    isOwn = record.seq < tiles.size && (await node(0, record.seq)).equals(leafHash(entryOf(record, digest)));
  }
  if (!isOwn) throw new EvidenceDamaged(`${segmentName(segment)} is not what the database had: it is another log`);
}
