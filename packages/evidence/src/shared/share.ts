import { createHash, randomUUID } from 'node:crypto';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { originOf, signCheckpoint } from '../checkpoint.ts';
import { EvidenceDamaged, EvidenceShared } from '../errors.ts';
import { disk } from '../files.ts';
import { lockFolder } from '../lock.ts';
import { openLog } from '../log.ts';
import { verifierKey } from '../note.ts';
import { Publisher } from '../publisher.ts';
import { type Recovered, recover } from '../recovery.ts';
import { decodeSegment, segmentName, segmentsOf } from '../segment.ts';
import { readStart } from '../segment-start.ts';
import { loadSigner } from '../signer.ts';
import { verifyLog } from '../verify.ts';
import type { Batch } from './batch.ts';
import { Database } from './database.ts';
import { keepEntries } from './entries.ts';
import { fetchLog } from './fetch.ts';
import { isMarked, markShared } from './mark.ts';
import type { DatabaseOptions } from './options.ts';

/** A log that is shared from here on. */
export interface SharedLog {
  readonly log: string;
  /** Verifier key of whoever appends. */
  readonly key: string;
  readonly records: number;
}

interface ShareOptions {
  readonly folder: string;
  /** File of the private key. */
  readonly key: string;
  /** Version of Ambit. */
  readonly ambit: string;
  readonly database: DatabaseOptions;
}

/** The log of a folder, in order and signed to its end. */
interface Whole {
  readonly folder: string;
  readonly recovered: Recovered;
  readonly log: string;
  /** Verifier key. */
  readonly key: string;
  /** Signed checkpoint of all of it. */
  readonly checkpoint: string;
}

/**
 * Puts the log of a folder, whose server is stopped, into a database that has none: the same bytes under the same key. Both ends are
 * verified. Nobody can serve it before all of it is there; what was interrupted goes on when it is called again. Throws
 * `EvidenceLocked`, `EvidenceShared` where the database has another log, `EvidenceDamaged`, `EvidenceKeyUnknown` or `EvidenceUnavailable`.
 */
export async function shareLog(options: ShareOptions): Promise<SharedLog> {
  const { folder } = options;
  await endOpen(options);
  const unlock = await lockFolder(folder);
  const database = new Database(options.database, randomUUID());
  try {
    const whole = await wholeOf(options);
    await put(database, whole);
    await expectThere(options.database, whole);
    return { log: whole.log, key: whole.key, records: whole.recovered.nextSeq };
  } finally {
    await database.close();
    await unlock();
  }
}

/** Sessions that a killed server left open end as at any start: in the database nobody would know whose they are. */
async function endOpen({ folder, key, ambit }: ShareOptions): Promise<void> {
  const names = await disk.list(folder).catch(() => []);
  if (segmentsOf(names).length === 0) {
    throw new EvidenceDamaged('the folder holds no log: servers begin the shared one themselves');
  }
  if (await isMarked(disk, folder)) return;
  const { open, records } = await locked(folder, () => recover(disk, folder));
  if (open.size > 0 || records === 0) await (await openLog({ folder, key, ambit })).close();
}

async function locked<T>(folder: string, work: () => Promise<T>): Promise<T> {
  const unlock = await lockFolder(folder);
  try {
    return await work();
  } finally {
    await unlock();
  }
}

async function wholeOf({ folder, key: keyFile }: ShareOptions): Promise<Whole> {
  const recovered = await recover(disk, folder);
  const log = recovered.log ?? '';
  const signer = await loadSigner(keyFile, originOf(log), recovered.key);
  const publisher = new Publisher(disk, folder, recovered.tiles, originOf(log), signer);
  await publisher.publish();
  await publisher.settle();
  const key = verifierKey(signer);
  await expectVerified(folder, key);
  const head = { origin: originOf(log), size: recovered.nextSeq, root: recovered.tiles.root() };
  return { folder, recovered, log, key, checkpoint: signCheckpoint(head, [signer]) };
}

async function expectVerified(folder: string, key: string): Promise<void> {
  const [problem] = (await verifyLog(folder, { key })).problems;
  if (problem !== undefined) throw new EvidenceDamaged(problem.reason);
}

async function put(database: Database, whole: Whole): Promise<void> {
  const { folder, recovered, log, key } = whole;
  await database.prepare();
  if ((await database.head()) === null && (await isMarked(disk, folder))) {
    throw new EvidenceShared('the folder is a copy of a log that servers share, and the database has none');
  }
  await database.begin(log, key, true);
  const head = await database.head();
  if (head?.log !== log)
    throw new EvidenceShared(`the database has another log, ${head?.log ?? 'which is gone again'}`);
  // It was put there whole.
  if (!head.sharing) return;
  const [oldest = 0] = recovered.segments;
  const from = (await readStart(disk, folder, oldest))?.header.first ?? 0;
  await keepEntries(database, disk, folder, { from: 0, to: from, size: recovered.nextSeq });
  const sizes: number[] = [];
  for (const batch of batchesOf(whole)) {
    const made = await batch;
    sizes.push(made.bytes.length);
    await putBatch(database, log, made);
  }
  // Before anybody may append to it there: here nobody may any more.
  await markShared(disk, folder, log);
  await finish(database, whole, sizes);
}

/** Each segment is a batch, with the checkpoint that the next one begins with. */
function* batchesOf({ folder, recovered, checkpoint }: Whole): Generator<Promise<Batch>> {
  const { segments, nextSeq } = recovered;
  const boot = randomUUID();
  for (const [at, segment] of segments.entries()) {
    const next = segments[at + 1];
    yield (async () => {
      const bytes = await disk.read(join(folder, segmentName(segment)));
      const { header } = decodeSegment(bytes);
      const after = next === undefined ? null : ((await readStart(disk, folder, next))?.header ?? null);
      if (header === null) throw new EvidenceDamaged(`${segmentName(segment)} has no header`);
      const { first } = header;
      const records = (after?.first ?? nextSeq) - first;
      const signed = after?.checkpoint ?? checkpoint;
      return { id: randomUUID(), boot, first, records, segment, start: 0, bytes, checkpoint: signed };
    })();
  }
}

/** Puts a segment there, if it is not, and expects that it is what it should be. */
async function putBatch(database: Database, log: string, batch: Batch): Promise<void> {
  const { tables } = database;
  const digest = createHash('sha256').update(batch.bytes).digest('hex');
  const there = async (): Promise<boolean> => {
    const found = await database.rows<{ digest: string; first: string; records: number }>(
      `SELECT encode(sha256(bytes), 'hex') AS digest, first, records FROM ${tables.batches} WHERE segment = $1`,
      [batch.segment],
    );
    const [row] = found;
    if (row === undefined) return false;
    const same = row.digest === digest && Number(row.first) === batch.first && row.records === batch.records;
    if (found.length === 1 && same) return true;
    throw new EvidenceDamaged(`the database has another ${segmentName(batch.segment)} of this log`);
  };
  if (await there()) return;
  // Not into a log that is served: somebody else may have put all of it there meanwhile.
  await database.rows(
    `INSERT INTO ${tables.batches} (id, boot, first, records, segment, start, bytes, checkpoint)
     SELECT $1::uuid, $2::uuid, $3::bigint, $4::integer, $5::integer, 0, $6::bytea, $7::text
     FROM ${tables.log} WHERE log = $8::uuid AND sharing FOR SHARE
     ON CONFLICT (segment, start) DO NOTHING`,
    [batch.id, batch.boot, batch.first, batch.records, batch.segment, batch.bytes, batch.checkpoint, log],
  );
  if (!(await there())) throw new EvidenceShared('servers share the log already');
}

/** From here on the log is served, if it is all that the folder has and nothing else. */
async function finish(database: Database, { recovered, log, key }: Whole, sizes: readonly number[]): Promise<void> {
  const { tables } = database;
  await database.takeTurn();
  try {
    const rows = await database.rows<{ segment: number; bytes: number }>(
      `SELECT segment, octet_length(bytes) AS bytes FROM ${tables.batches} ORDER BY segment, start`,
    );
    const same = rows.every(({ segment, bytes }, at) => segment === recovered.segments[at] && bytes === sizes[at]);
    if (rows.length !== sizes.length || !same) {
      throw new EvidenceDamaged('the database has more of this log, or another end of it, than the folder');
    }
    await database.rows(
      `UPDATE ${tables.log} SET sharing = false, position = $1, key = $2 WHERE sharing AND log = $3`,
      [recovered.nextSeq, key, log],
    );
    await database.rows('COMMIT');
  } catch (error) {
    await database.leaveTurn().catch(() => undefined);
    throw error;
  }
}

/** What an auditor is given out of the database verifies, and begins with what the folder has. */
async function expectThere(options: DatabaseOptions, { folder, recovered, key }: Whole): Promise<void> {
  // In the folder, which is taken: what a killed process left there goes.
  const fetched = join(folder, 'fetched');
  await rm(fetched, { recursive: true, force: true });
  try {
    await fetchLog(options, fetched);
    await expectVerified(fetched, key);
    // Servers may have removed old ones since.
    const [oldest = 0] = segmentsOf(await disk.list(fetched));
    for (const segment of recovered.segments.filter((one) => one >= oldest)) {
      const [own, there] = await Promise.all(
        [folder, fetched].map((one) => disk.read(join(one, segmentName(segment)))),
      );
      if (own !== undefined && there?.subarray(0, own.length).equals(own) === true) continue;
      throw new EvidenceDamaged(`${segmentName(segment)} is not in the database as it is in the folder`);
    }
  } finally {
    await rm(fetched, { recursive: true, force: true });
  }
}
