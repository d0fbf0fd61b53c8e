import { type EvidenceLog, type EvidenceRecord, logEnd, readAfter } from '@ambit/evidence';
import type { Endpoint } from '../config.ts';
import { limits } from '../limits.ts';
import { backoffMs, pause } from '../receiver.ts';
import { Cursor } from './cursor.ts';
import { type Destination, destinationOf } from './destination.ts';
import type { RunEvent } from './event.ts';
import { Sessions } from './sessions.ts';

/** What an exporter has done since it started. */
export interface LineageCounts {
  readonly delivered: number;
  readonly rejected: number;
  readonly attemptsFailed: number;
  /** Durable records that are not delivered yet. */
  readonly waiting: number;
}

export interface LineageOptions {
  readonly to: Endpoint | { readonly file: string };
  readonly log: EvidenceLog;
  /** Folder of the log. */
  readonly evidence: string;
  /** Folder of the cursor. */
  readonly folder: string;
  readonly version: string;
  readonly tell: (message: string) => void;
}

/**
 * Follows the log on the disk and delivers an event for each record of a session, at least once and in each session's
 * order. It reads a few records at a time and goes on when they are delivered, however long that takes.
 */
export class LineageExporter {
  readonly #options: LineageOptions;
  readonly #destination: Destination;
  readonly #cursor: Cursor;
  readonly #sessions: Sessions;
  readonly #stop = new AbortController();
  #durable: number;
  #wake = (): void => {};
  #closing = false;
  #failing = false;
  #savedAt = Date.now();
  #counts = { delivered: 0, rejected: 0, attemptsFailed: 0 };
  #running: Promise<void> = Promise.resolve();

  private constructor(options: LineageOptions, destination: Destination, cursor: Cursor, durable: number) {
    this.#options = options;
    this.#destination = destination;
    this.#cursor = cursor;
    this.#durable = durable;
    this.#sessions = new Sessions(options.log, options.version);
  }

  /** Throws `ExportsInvalid`. The log must be open, and nothing being appended to it. */
  static async start(options: LineageOptions): Promise<LineageExporter> {
    const destination = await destinationOf(options.to);
    const end = await logEnd(options.evidence);
    const exporter = new LineageExporter(options, destination, await Cursor.open(options.folder, end.log), end.seq);
    exporter.#running = exporter.#run();
    return exporter;
  }

  /** Records up to this one are durable. */
  durable(seq: number): void {
    this.#durable = Math.max(this.#durable, seq);
    this.#wake();
  }

  counts(): LineageCounts {
    return { ...this.#counts, waiting: Math.max(0, this.#durable + 1 - this.#cursor.place.seq) };
  }

  /** Delivers what there is, for a while. The rest is delivered after the next start. */
  async close(): Promise<void> {
    this.#closing = true;
    this.#wake();
    const late = setTimeout(() => this.#stop.abort(), limits.closeMsMax);
    await this.#running;
    clearTimeout(late);
    await this.#save().catch(() => undefined);
    await this.#destination.close().catch(() => undefined);
  }

  async #run(): Promise<void> {
    for (let attempt = 0; !this.#stop.signal.aborted; ) {
      try {
        // Other servers of the log append too, and call nobody here.
        this.#durable = Math.max(this.#durable, this.#options.log.records() - 1);
        const seen = this.#durable;
        const moved = await this.#step();
        attempt = 0;
        if (moved || seen !== this.#durable) continue;
        if (this.#closing) return;
        await this.#idle();
      } catch (error) {
        // The log or the cursor cannot be read or written now.
        this.#say(
          `the evidence cannot be followed (${(error as NodeJS.ErrnoException).code ?? (error as Error).message})`,
        );
        if (this.#closing) return;
        await pause(backoffMs(attempt++), this.#stop.signal);
      }
    }
  }

  /** Reads the next records, delivers them, and moves on. False: there are none. */
  async #step(): Promise<boolean> {
    const { place } = this.#cursor;
    const bounds = { upTo: this.#durable, recordsMax: limits.lineageRecordsMax };
    const { records, next, missing } = await readAfter(this.#options.evidence, place, bounds);
    if (missing > 0)
      this.#options.tell(`openlineage: ${missing} records are no longer in the log and were not delivered`);
    if (!(await this.#deliver(records))) return false;
    const moved = next.seq !== place.seq;
    this.#cursor.place = next;
    if (Date.now() - this.#savedAt >= limits.cursorEveryMs) await this.#save();
    return moved;
  }

  /** Events of different sessions go at once, those of one after each other. False: stopped. */
  async #deliver(records: readonly EvidenceRecord[]): Promise<boolean> {
    const runs = new Map<string, (readonly [number, RunEvent])[]>();
    for (const record of records) {
      const event = await this.#sessions.event(record);
      if (event === null) continue;
      const { runId } = event.run;
      runs.set(runId, [...(runs.get(runId) ?? []), [record.seq, event]]);
    }
    const all = await Promise.all(
      [...runs.values()].map(async (events) => {
        for (const [seq, event] of events) if (!(await this.#send(seq, JSON.stringify(event)))) return false;
        return true;
      }),
    );
    return all.every((delivered) => delivered);
  }

  /** Until it is taken or rejected. False: stopped. */
  async #send(seq: number, event: string): Promise<boolean> {
    for (let attempt = 0; !this.#stop.signal.aborted; attempt += 1) {
      const answer = await this.#destination.send(event, this.#stop.signal);
      if (answer.kind === 'taken') {
        this.#counts.delivered += 1;
        if (this.#failing) this.#options.tell('openlineage: the receiver takes events again');
        this.#failing = false;
        return true;
      }
      if (answer.kind === 'rejected') {
        // It would be rejected for ever, and hold back all that follows. The log keeps what it was made of.
        this.#counts.rejected += 1;
        this.#options.tell(`openlineage: the receiver rejects the event of record ${seq}: ${answer.reason}`);
        return true;
      }
      this.#counts.attemptsFailed += 1;
      this.#say(`the receiver takes no events: ${answer.reason}; they wait in the log`);
      await pause(answer.afterMs ?? backoffMs(attempt), this.#stop.signal);
    }
    return false;
  }

  /** Waits for the next record, or for the time to make the cursor durable. */
  async #idle(): Promise<void> {
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, limits.cursorEveryMs);
      timer.unref();
      this.#wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
    this.#wake = () => {};
    if (Date.now() - this.#savedAt >= limits.cursorEveryMs) await this.#save();
  }

  async #save(): Promise<void> {
    await this.#destination.settle();
    await this.#cursor.save();
    this.#savedAt = Date.now();
  }

  /** Once for each time that it begins. */
  #say(message: string): void {
    if (!this.#failing) this.#options.tell(`openlineage: ${message}`);
    this.#failing = true;
  }
}
