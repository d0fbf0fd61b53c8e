import { join } from 'node:path';
import { EvidenceDamaged } from '../errors.ts';
import type { Files, LogFile } from '../files.ts';
import { readLast } from '../recovery.ts';
import { segmentName, segmentsOf } from '../segment.ts';
import type { Batch } from './batch.ts';
import type { BatchPlace, Database } from './database.ts';
import { fetchEntries } from './entries.ts';

/** The last batch that a folder holds. */
export type LastBatch = Pick<Batch, 'checkpoint' | 'first' | 'records'>;

/** What a folder was brought up to. */
export interface Completed {
  /** The oldest segment that the database has; null: the log has no record. */
  readonly oldest: number | null;
  readonly last: LastBatch | null;
}

/**
 * Brings a folder up to what the database has, and compares what it has of its last segment. The header of that segment
 * commits to all before. Where that segment was removed for its age, the folder gets what is left, and leaves for the rest.
 * Throws `EvidenceDamaged` where the two are not the same log.
 */
export async function complete(files: Files, folder: string, database: Database): Promise<Completed> {
  for (let attempt = 1; ; attempt += 1) {
    const oldest = await database.oldest();
    const completing = await completeFrom(files, folder, database, oldest).then(
      (last) => ({ last }),
      (error: unknown) => ({ error }),
    );
    // Where somebody removed old segments meanwhile, what is there by now is gone on with.
    const same = (await database.oldest())?.segment === oldest?.segment;
    if (!same && attempt < ATTEMPTS_MAX) continue;
    if ('error' in completing) throw completing.error;
    return { oldest: oldest?.segment ?? null, last: completing.last };
  }
}

const ATTEMPTS_MAX = 3;

async function completeFrom(
  files: Files,
  folder: string,
  database: Database,
  oldest: Awaited<ReturnType<Database['oldest']>>,
): Promise<LastBatch | null> {
  const { segments } = await readLast(files, folder, segmentsOf(await files.list(folder)));
  const own = segments.at(-1);
  const from = own === undefined ? null : await database.firstOf(own);
  const removed = own !== undefined && oldest !== null && own < oldest.segment;
  if (own !== undefined && from === null && !removed) {
    throw new EvidenceDamaged(
      `the folder holds ${segmentName(own)}, and the database does not: it is another log, or lost records`,
    );
  }
  const copy = new Copy(files, folder);
  if (own !== undefined && from !== null) await copy.resume(own);
  else if (oldest !== null) await fetchEntries(files, folder, database, oldest.first);
  let place: BatchPlace = from === null ? { segment: oldest?.segment ?? 0, start: 0 } : { segment: own ?? 0, start: 0 };
  let next = from ?? oldest?.first ?? 0;
  try {
    // Up to where the log ends now: what is appended meanwhile is nobody's to wait for.
    for (let end = Number.POSITIVE_INFINITY; next < end; ) {
      const { batches, position } = await database.after(place);
      end = Math.min(end, position);
      if (batches.length === 0) break;
      for (const batch of batches) {
        if (batch.first !== next) throw new EvidenceDamaged(`the database lacks record ${next}`);
        await copy.add(batch);
        next += batch.records;
        place = { segment: batch.segment, start: batch.start + batch.bytes.length };
      }
    }
    copy.expectWhole();
  } finally {
    await copy.close();
  }
  return copy.last;
}

/** The segments of a folder, as they are made from batches. */
class Copy {
  readonly #files: Files;
  readonly #folder: string;
  #segment = 0;
  #file: LogFile | null = null;
  /** Of the segment that the folder had last: what must be in the database too. */
  #kept: Buffer = Buffer.alloc(0);
  #length = 0;
  last: Batch | null = null;

  constructor(files: Files, folder: string) {
    this.#files = files;
    this.#folder = folder;
  }

  async resume(segment: number): Promise<void> {
    const path = join(this.#folder, segmentName(segment));
    this.#kept = await this.#files.read(path);
    this.#segment = segment;
    this.#file = await this.#files.reopen(path, this.#kept.length);
  }

  async add(batch: Batch): Promise<void> {
    if (batch.segment !== this.#segment) {
      this.expectWhole();
      await this.close();
      this.#file = await this.#files.create(join(this.#folder, segmentName(batch.segment)));
      [this.#segment, this.#kept, this.#length] = [batch.segment, Buffer.alloc(0), 0];
    }
    if (batch.start !== this.#length)
      throw new EvidenceDamaged(`the database lacks bytes of ${segmentName(batch.segment)}`);
    const known = this.#kept.subarray(batch.start, batch.start + batch.bytes.length);
    if (!known.equals(batch.bytes.subarray(0, known.length))) throw this.#another();
    await this.#file?.append(batch.bytes.subarray(known.length));
    this.#length += batch.bytes.length;
    this.last = batch;
  }

  /** What the folder had is in the database, all of it. */
  expectWhole(): void {
    if (this.#length < this.#kept.length) throw this.#another();
  }

  #another(): EvidenceDamaged {
    return new EvidenceDamaged(
      `${segmentName(this.#segment)} is not what the database has: it is another log, or lost records`,
    );
  }

  async close(): Promise<void> {
    await this.#file?.sync();
    await this.#file?.close();
    this.#file = null;
  }
}
