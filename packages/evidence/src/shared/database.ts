import { setTimeout as pause } from 'node:timers/promises';
import type pg from 'pg';
import { EvidenceUnavailable } from '../errors.ts';
import { limits } from '../limits.ts';
import type { Batch } from './batch.ts';
import { connect, isAnswer, unavailable } from './connection.ts';
import type { DatabaseOptions } from './options.ts';
import { ensureTables, type Tables, tablesOf } from './schema.ts';

/** The head of a shared log. */
export interface Head {
  readonly log: string;
  /** Verifier key of whoever appends. */
  readonly key: string;
  /** `seq` of the next record. */
  readonly position: number;
  /** It is being put there out of a folder: nobody serves it yet. */
  readonly sharing: boolean;
}

/** A place among the bytes of a log. */
export interface BatchPlace {
  readonly segment: number;
  readonly start: number;
}

/** What an append changes beside the log, in the same step. */
export interface Together {
  /** Process runs that are lost: nothing of theirs is taken from here on. */
  readonly fences: readonly string[];
  /** Whether this process run ends with it. */
  readonly ends: boolean;
  /** Verifier key of whoever appends after it. */
  readonly key: string;
  /** Batches of segments up to this one go; null: none do. */
  readonly prunes: number | null;
}

/**
 * A shared log in PostgreSQL, for one process run. All goes over one connection, which holds the lock that says that the run
 * lives: whatever takes the connection takes the right to append.
 */
export class Database {
  readonly boot: string;
  readonly #options: DatabaseOptions;
  readonly tables: Tables;
  readonly #onNews: () => void;
  #client: pg.Client | null = null;
  /** Numbers of the lock that says that this run lives; null until it serves. */
  #lock: readonly [number, number] | null = null;
  #closed = false;
  /** It could not be reached: nobody waits for it any more, until it can. */
  #away = false;

  constructor(options: DatabaseOptions, boot: string, onNews: () => void = () => {}) {
    this.#options = options;
    this.tables = tablesOf(options.schema);
    this.boot = boot;
    this.#onNews = onNews;
  }

  /** Makes the tables where they are not there. */
  async prepare(): Promise<void> {
    const client = await this.#connected();
    await ensureTables(client, this.#options.schema).catch((error: unknown) => {
      throw unavailable(error);
    });
  }

  /** Null: nobody has begun the log. */
  async head(): Promise<Head | null> {
    const [row] = await this.rows<{ log: string; key: string; position: string; sharing: boolean }>(
      `SELECT log, key, position, sharing FROM ${this.tables.log}`,
    );
    return row === undefined ? null : { ...row, position: Number(row.position) };
  }

  /** Begins the log, unless another server was faster. `sharing`: it is there already, and is about to be put here. */
  async begin(log: string, key: string, sharing = false): Promise<void> {
    await this.rows(
      `INSERT INTO ${this.tables.log} (log, key, position, sharing) VALUES ($1, $2, 0, $3) ON CONFLICT DO NOTHING`,
      [log, key, sharing],
    );
  }

  /** From here on this run serves, and others see that it lives. */
  async serve(log: string): Promise<void> {
    const space = Number.parseInt(log.slice(0, 8), 16) | 0;
    // One statement: the row is not seen before its lock is held.
    const [row] = await this.rows<{ place: number; locked: boolean }>(
      `WITH own AS (INSERT INTO ${this.tables.servers} (boot, state) VALUES ($1, 'serving') RETURNING place)
       SELECT place, pg_try_advisory_lock($2, place) AS locked FROM own`,
      [this.boot, space],
    );
    if (row?.locked !== true) throw new EvidenceUnavailable('the lock of this server in the database is taken');
    this.#lock = [space, row.place];
    await this.#listen(await this.#connected());
  }

  /**
   * Appends a batch if the log ends where it begins. Throws `EvidenceUnavailable`, for good where this run was fenced. Where the
   * connection is lost meanwhile, it looks whether the batch is there.
   */
  async append(batch: Batch, together: Together, inTurn: boolean): Promise<'appended' | 'overtaken'> {
    const { fences, ends, key, prunes } = together;
    const client = await this.#connected();
    try {
      const { rows } = await client.query<{ moved: boolean; state: string | null }>({
        text: appending(this.tables, prunes !== null),
        values: [
          batch.id,
          batch.first,
          batch.records,
          batch.boot,
          batch.segment,
          batch.start,
          batch.bytes,
          batch.checkpoint,
          fences,
          ends,
          this.#channel(),
          key,
          ...(prunes === null ? [] : [prunes]),
        ],
        name: prunes === null ? 'append' : 'append and prune',
      } as pg.QueryConfig);
      if (inTurn) await client.query('COMMIT');
      if (rows[0]?.moved === true) return 'appended';
      if (rows[0]?.state !== 'serving') throw fenced();
      return 'overtaken';
    } catch (error) {
      if (error instanceof EvidenceUnavailable) throw error;
      return this.#outcomeOf(batch, error, inTurn);
    }
  }

  /** Nobody knows what became of a batch. Nothing of it comes later: the connection that it was sent over is gone. */
  async #outcomeOf(batch: Batch, error: unknown, inTurn: boolean): Promise<'appended' | 'overtaken'> {
    if (!isAnswer(error)) this.#drop();
    else if (inTurn) await this.rows('ROLLBACK');
    const [row] = await this.rows(`SELECT FROM ${this.tables.batches} WHERE id = $1`, [batch.id]);
    if (row !== undefined) return 'appended';
    if (isAnswer(error)) throw unavailable(error);
    return 'overtaken';
  }

  /** Keeps others from appending until the next append, or until the database ends it: for a server that is always too late. */
  async takeTurn(): Promise<void> {
    await this.rows('BEGIN');
    await this.rows(`SELECT position FROM ${this.tables.log} FOR UPDATE`);
  }

  /** Lets others append again, without having. */
  async leaveTurn(): Promise<void> {
    await this.rows('ROLLBACK');
  }

  /** What was appended from a place on, as much as is fetched at once; and where the log ends. */
  async after({
    segment,
    start,
  }: BatchPlace): Promise<{ readonly batches: readonly Batch[]; readonly position: number }> {
    const rows = await this.rows<{ position: string } & { [Name in keyof Batch]: string | null }>(
      `SELECT log.position, found.* FROM ${this.tables.log} AS log LEFT JOIN (
         SELECT id, boot, first, records, segment, start, bytes, checkpoint,
           sum(octet_length(bytes)) OVER (ORDER BY segment, start) - octet_length(bytes) AS before
         FROM ${this.tables.batches} WHERE (segment, start) >= ($1, $2) ORDER BY segment, start LIMIT $3
       ) AS found ON found.before < $4 ORDER BY found.segment, found.start`,
      [segment, start, limits.fetchedBatchesMax, limits.fetchedBytesMax],
    );
    const batches = rows.filter(({ id }) => id !== null).map(batchOf);
    return { batches, position: Number(rows[0]?.position ?? 0) };
  }

  /** `seq` of a segment's first record; null if the log has no such segment. */
  async firstOf(segment: number): Promise<number | null> {
    const [row] = await this.rows<{ first: string | null }>(
      `SELECT min(first) AS first FROM ${this.tables.batches} WHERE segment = $1`,
      [segment],
    );
    return typeof row?.first === 'string' ? Number(row.first) : null;
  }

  /** The oldest segment that is there, and its first record; null: there is none. */
  async oldest(): Promise<{ readonly segment: number; readonly first: number } | null> {
    const [row] = await this.rows<{ segment: number; first: string }>(
      `SELECT segment, first FROM ${this.tables.batches} ORDER BY segment, start LIMIT 1`,
    );
    return row === undefined ? null : { segment: row.segment, first: Number(row.first) };
  }

  /** Fails where this run was fenced. */
  async check(): Promise<void> {
    const [row] = await this.rows<{ state: string }>(`SELECT state FROM ${this.tables.servers} WHERE boot = $1`, [
      this.boot,
    ]);
    if (row?.state !== 'serving') throw fenced();
  }

  /** Process runs whose connection is gone at the moment. */
  async missing(): Promise<readonly string[]> {
    const rows = await this.rows<{ boot: string }>(
      `SELECT boot FROM ${this.tables.servers} WHERE state = 'serving' AND boot <> $1 AND place::bigint NOT IN (
         SELECT objid::bigint FROM pg_locks WHERE locktype = 'advisory' AND granted AND objsubid = 2
           AND classid::bigint = $2 AND database = (SELECT oid FROM pg_database WHERE datname = current_database()))`,
      [this.boot, (this.#lock?.[0] ?? 0) >>> 0],
    );
    return rows.map(({ boot }) => boot);
  }

  /** Takes the place of process runs, as far as they have not come back: until `release` they cannot. */
  async takeLost(boots: readonly string[]): Promise<readonly string[]> {
    const { servers } = this.tables;
    const taken = await this.rows<{ boot: string }>(
      `SELECT boot FROM (SELECT boot, place FROM ${servers} WHERE boot = ANY($1::uuid[]) OFFSET 0) AS other
       WHERE pg_try_advisory_lock($2, place)`,
      [boots, this.#lock?.[0]],
    );
    const names = taken.map(({ boot }) => boot);
    // Read again: whoever held a lock before may have fenced it meanwhile.
    const lost = await this.rows<{ boot: string }>(
      `SELECT boot FROM ${servers} WHERE boot = ANY($1::uuid[]) AND state = 'serving' ORDER BY place`,
      [names],
    );
    if (lost.length === 0) await this.release(names);
    return lost.map(({ boot }) => boot);
  }

  async release(boots: readonly string[]): Promise<void> {
    await this.rows(`SELECT pg_advisory_unlock($2, place) FROM ${this.tables.servers} WHERE boot = ANY($1::uuid[])`, [
      boots,
      this.#lock?.[0],
    ]);
  }

  async close(): Promise<void> {
    this.#closed = true;
    const client = this.#client;
    this.#client = null;
    await client?.end().catch(() => undefined);
  }

  /** Asks over the one connection. */
  async rows<Row extends pg.QueryResultRow>(text: string, values: unknown[] = []): Promise<Row[]> {
    const client = await this.#connected();
    try {
      return (await client.query<Row>(text, values)).rows;
    } catch (error) {
      if (!isAnswer(error)) this.#drop();
      throw unavailable(error);
    }
  }

  #drop(): void {
    const client = this.#client;
    this.#client = null;
    client?.connection?.stream.destroy();
  }

  async #connected(): Promise<pg.Client> {
    if (this.#client !== null) return this.#client;
    const until = performance.now() + (this.#away ? 0 : limits.reconnectMs);
    for (;;) {
      if (this.#closed) throw new EvidenceUnavailable('the log is closed');
      try {
        const client = await this.#connect();
        this.#away = false;
        return client;
      } catch (error) {
        this.#away = performance.now() > until;
        if ((error instanceof EvidenceUnavailable && error.final) || performance.now() > until)
          throw unavailable(error);
        await pause(limits.reconnectDelayMs);
      }
    }
  }

  async #connect(): Promise<pg.Client> {
    const client = await connect(this.#options, this.boot);
    client.on('error', () => {
      if (this.#client === client) this.#drop();
      this.#onNews();
    });
    try {
      if (this.#lock !== null) {
        await this.#resume(client, this.#lock);
        await this.#listen(client);
      }
    } catch (error) {
      await client.end().catch(() => undefined);
      throw error;
    }
    this.#client = client;
    return client;
  }

  /** Goes on as the same run: nobody has fenced it, and nothing that it sent before is still under way. */
  async #resume(client: pg.Client, lock: readonly [number, number]): Promise<void> {
    await client.query(
      `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
       WHERE usename = current_user AND application_name = $1 AND pid <> pg_backend_pid()`,
      [`ambit ${this.boot}`],
    );
    const { rows } = await client.query<{ locked: boolean }>('SELECT pg_try_advisory_lock($1, $2) AS locked', [
      ...lock,
    ]);
    const found = await client.query<{ state: string }>(`SELECT state FROM ${this.tables.servers} WHERE boot = $1`, [
      this.boot,
    ]);
    if (found.rows[0]?.state !== 'serving') throw fenced();
    if (rows[0]?.locked !== true) throw new EvidenceUnavailable('another server holds the lock of this one');
  }

  async #listen(client: pg.Client): Promise<void> {
    client.on('notification', ({ payload }) => {
      if (payload !== this.boot) this.#onNews();
    });
    await client.query(`LISTEN "${this.#channel()}"`);
  }

  #channel(): string {
    return `ambit evidence ${this.#options.schema}`;
  }
}

/** A batch, where the log ends before it; runs that change with it; and old batches that go with it. */
function appending({ log, batches, servers }: Tables, prunes: boolean): string {
  const gone = `, gone AS (DELETE FROM ${batches} WHERE segment <= $13::integer AND EXISTS (SELECT FROM moved))`;
  return `
    WITH moved AS (
      UPDATE ${log} SET position = $2::bigint + $3::integer, key = $12::text
      WHERE position = $2 AND NOT sharing AND EXISTS (SELECT FROM ${servers} WHERE boot = $4 AND state = 'serving')
      RETURNING position
    ), added AS (
      INSERT INTO ${batches} (id, first, records, boot, segment, start, bytes, checkpoint)
      SELECT $1::uuid, $2::bigint, $3::integer, $4::uuid, $5::integer, $6::bigint, $7::bytea, $8::text FROM moved
    ), changed AS (
      UPDATE ${servers} SET
        state = CASE WHEN boot = $4 THEN 'ended' ELSE 'fenced' END,
        fenced_by = CASE WHEN boot = $4 THEN NULL ELSE $4::uuid END
      WHERE (boot = ANY($9::uuid[]) OR (boot = $4 AND $10)) AND EXISTS (SELECT FROM moved)
    )${prunes ? gone : ''}
    SELECT (SELECT pg_notify($11, $4::text) FROM moved) IS NOT NULL AS moved,
           (SELECT state FROM ${servers} WHERE boot = $4) AS state`;
}

function batchOf(row: { readonly [Name in keyof Batch]: unknown }): Batch {
  return {
    id: row.id as string,
    boot: row.boot as string,
    first: Number(row.first),
    records: Number(row.records),
    segment: Number(row.segment),
    start: Number(row.start),
    bytes: row.bytes as Buffer,
    checkpoint: row.checkpoint as string,
  };
}

function fenced(): EvidenceUnavailable {
  return new EvidenceUnavailable(
    'evidence_fenced: another server took this one for lost and closed its sessions; it writes nothing any more: start it again',
    true,
  );
}
