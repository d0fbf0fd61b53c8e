import { setTimeout as pause } from 'node:timers/promises';
import { EvidenceContradiction, EvidenceUnavailable } from './errors.ts';
import { limits } from './limits.ts';
import { fitting, prepare, type Prepared, takeBatch } from './prepared.ts';
import type { EvidenceRecord, RecordBody } from './record.ts';
import type { Store } from './store.ts';
import type { Tail } from './tail.ts';

const NEVER = Number.POSITIVE_INFINITY;

/** Records that became durable together. */
export interface DurableBatch {
  readonly records: number;
  /** Milliseconds from the moment that they were written until they were durable. */
  readonly ms: number;
}

interface Waiting extends Prepared {
  readonly done: (record: EvidenceRecord) => void;
  readonly failed: (error: Error) => void;
}

/**
 * Writes the log, one batch at a time. Records that come while a batch is being made durable wait for the next, and
 * share what makes it durable.
 */
export class Writer {
  readonly #tail: Tail;
  readonly #store: Store;
  readonly #queue: Waiting[] = [];
  /** What is to be done between two batches. */
  readonly #steps: (() => Promise<void>)[] = [];
  #running: Promise<void> | null = null;
  #failure: string | null = null;
  #healAt = 0;
  #closed = false;
  /** Outcomes of sessions that ended while nothing could be written. */
  #held: Prepared[] = [];

  /** Told of each batch that is durable. */
  readonly observers: ((batch: DurableBatch) => void)[] = [];

  constructor(tail: Tail, store: Store) {
    this.#tail = tail;
    this.#store = store;
  }

  /** Why the log cannot be written now, or null. */
  get failure(): string | null {
    return this.#failure;
  }

  /** Tries to write again, so that a server without requests gets ready by itself. */
  async probe(): Promise<void> {
    if (this.#failure === null || this.#closed || this.#running !== null) return;
    this.#running = this.#heal()
      .catch(() => undefined)
      .finally(() => {
        this.#running = null;
        if (this.#queue.length + this.#steps.length > 0) this.#running = this.#drain();
      });
    await this.#running;
  }

  /** Does something between two batches, while the log can be written. Where it fails, the log has failed. */
  between(step: () => Promise<void>): Promise<void> {
    return new Promise((done, failed) => {
      this.#steps.push(async () => {
        // What was not tried has not failed: however often somebody asks, the log heals when it is time.
        if (this.#failure !== null || this.#closed) {
          failed(new EvidenceUnavailable(this.#failure ?? 'the log is closed'));
          return;
        }
        try {
          await step();
          done();
        } catch (error) {
          if (!this.#closed) await this.#broke(error as Error);
          failed(new EvidenceUnavailable(this.#failure ?? 'the log is closed'));
        }
      });
      this.#running ??= this.#drain();
    });
  }

  /** Resolves when the record is durable. */
  append(given: RecordBody): Promise<EvidenceRecord> {
    if (this.#closed) return Promise.reject(new EvidenceUnavailable('the log is closed'));
    let prepared: Prepared;
    try {
      // Here, not in the batch: what cannot be recorded is its caller's fault, and must not fail its neighbours.
      prepared = fitting(given);
    } catch (error) {
      return Promise.reject(error);
    }
    const { body, pieces, bytes } = prepared;
    const mayWait = body.type === 'session.outcome';
    const contradiction = this.#contradicts(body);
    if (contradiction !== null) return Promise.reject(new EvidenceContradiction(contradiction));
    if (this.#tail.tiles.waiting > limits.unpublishedTilesMax && !mayWait) {
      return Promise.reject(new EvidenceUnavailable('the tree of the log cannot be written'));
    }
    if (this.#failure !== null && !mayWait && Date.now() < this.#healAt) {
      return Promise.reject(new EvidenceUnavailable(this.#failure));
    }
    return new Promise((done, failed) => {
      if (body.type === 'session.outcome') this.#tail.ending.add(body.session);
      this.#queue.push({ body, pieces, bytes, done, failed });
      this.#running ??= this.#drain();
    });
  }

  /** A session has one intent, and after it one outcome. */
  #contradicts(body: RecordBody): string | null {
    if (body.type !== 'session.outcome') return null;
    if (!this.#tail.open.has(body.session)) return `session \`${body.session}\` is not open`;
    return this.#tail.ending.has(body.session) ? `session \`${body.session}\` has an outcome` : null;
  }

  async close(): Promise<void> {
    this.#closed = true;
    await this.#running;
    await this.#store.close();
    await this.#tail.publisher.finish();
  }

  async #drain(): Promise<void> {
    // Appends of the same turn of the event loop belong to one batch.
    await Promise.resolve();
    while (this.#queue.length + this.#steps.length > 0) {
      for (const step of this.#steps.splice(0)) await step();
      if (this.#queue.length === 0) continue;
      await this.#gather();
      const batch = takeBatch(this.#queue);
      try {
        if (this.#failure !== null) await this.#heal();
        await this.#write(batch);
      } catch (error) {
        await this.#fail(batch, error as Error);
      }
    }
    this.#running = null;
  }

  /**
   * Where many sessions are open their records come one by one: those that come within a moment of each other share what makes
   * them durable. As soon as nobody comes any more, nobody waits.
   */
  async #gather(): Promise<void> {
    const many = limits.gatherSessionsMin;
    const until = performance.now() + limits.gatherMsMax;
    for (let before = 0; this.#tail.open.size >= many && this.#queue.length < many; ) {
      if (this.#queue.length === before || performance.now() >= until) return;
      before = this.#queue.length;
      await pause(limits.gatherMs);
    }
  }

  async #write(batch: readonly Waiting[]): Promise<void> {
    const since = performance.now();
    const records = await this.#store.write(batch);
    const written = records.filter((record) => record !== null).length;
    const durable = { records: written, ms: performance.now() - since };
    if (written > 0) for (const observer of this.observers) observer(durable);
    batch.forEach(({ done, failed }, at) => {
      const record = records[at] ?? null;
      if (record === null) failed(new EvidenceContradiction('the reviews of a product begin with one boundary alone'));
      else done(record);
    });
  }

  /** Nothing is written any more until the log heals. */
  async #broke(error: Error): Promise<void> {
    const unavailable = error instanceof EvidenceUnavailable;
    const why = unavailable ? null : ((error as NodeJS.ErrnoException).code ?? error.message);
    this.#failure ??= why === null ? error.message : `the evidence cannot be written: ${why}`;
    if (unavailable && error.final) this.#healAt = NEVER;
    else if (this.#healAt !== NEVER) this.#healAt = Date.now() + limits.healDelayMs;
    await this.#store.abandon();
  }

  async #fail(batch: readonly Waiting[], error: Error): Promise<void> {
    await this.#broke(error);
    const outcomes = batch.filter(({ body }) => body.type === 'session.outcome');
    for (const { failed } of batch.filter(({ body }) => body.type !== 'session.outcome')) {
      failed(new EvidenceUnavailable(this.#failure as string));
    }
    if (outcomes.length > 0) await this.#saveOutcomes(outcomes);
  }

  /** Outcomes of what already ran: into the room that is kept for them, else into memory until the log can be written. */
  async #saveOutcomes(outcomes: readonly Waiting[]): Promise<void> {
    try {
      if (!(await this.#store.giveRoom())) throw new EvidenceUnavailable(this.#failure ?? '');
      await this.#write(outcomes);
    } catch {
      await this.#store.abandon();
      for (const { failed, ...outcome } of outcomes) {
        if (this.#held.length < limits.heldOutcomesMax) this.#held.push(outcome);
        failed(new EvidenceUnavailable(this.#failure ?? 'the evidence cannot be written'));
      }
    }
  }

  /** Tries to write again: first that there was a gap, then what was held. */
  async #heal(): Promise<void> {
    const reason = this.#failure ?? '';
    if (Date.now() < this.#healAt) throw new EvidenceUnavailable(reason);
    this.#failure = null;
    try {
      const lacking = await this.#store.heal();
      // Where nobody knew it, one may have become durable.
      this.#held = this.#held.filter(
        ({ body }) => body.type === 'session.outcome' && this.#tail.open.has(body.session),
      );
      const queue = [prepare({ type: 'evidence.gap', reason }), ...lacking, ...this.#held];
      while (queue.length > 0) await this.#store.write(takeBatch(queue));
      this.#held = [];
    } catch (error) {
      const final = error instanceof EvidenceUnavailable && error.final;
      this.#failure = final ? error.message : reason;
      if (final) this.#healAt = NEVER;
      throw error;
    }
  }
}
