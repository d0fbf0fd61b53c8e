import { limits } from '../limits.ts';
import { backoffMs, pause, type Receiver } from '../receiver.ts';

/** What one signal did since the start. */
export interface SignalCounts {
  readonly sent: number;
  /** Lost: the queue was full, or the receiver did not take it. */
  readonly dropped: number;
}

/** Sends what is given to it, some at a time, and holds no more than its queue. What does not fit is dropped and counted. */
export class Sender<Item> {
  readonly #receiver: Receiver;
  readonly #signal: string;
  readonly #encode: (items: Item[]) => Uint8Array | undefined;
  readonly #waitingMax: number;
  readonly #tell: (message: string) => void;
  readonly #stop = new AbortController();
  readonly #pausing = new AbortController();
  #waiting: Item[] = [];
  #inHand = 0;
  #counts = { sent: 0, dropped: 0 };
  #failing = false;
  #running: Promise<void> | null = null;

  constructor(options: {
    readonly receiver: Receiver;
    /** `traces`, `logs` or `metrics`. */
    readonly signal: string;
    readonly encode: (items: Item[]) => Uint8Array | undefined;
    readonly waitingMax: number;
    readonly tell: (message: string) => void;
  }) {
    this.#receiver = options.receiver;
    this.#signal = options.signal;
    this.#encode = options.encode;
    this.#waitingMax = options.waitingMax;
    this.#tell = options.tell;
  }

  /** All of these, or none. */
  push(items: readonly Item[]): void {
    if (items.length === 0) return;
    if (this.#stop.signal.aborted || this.#waiting.length + this.#inHand + items.length > this.#waitingMax) {
      this.#counts.dropped += items.length;
      return;
    }
    this.#waiting.push(...items);
    this.#running ??= this.#run();
  }

  counts(): SignalCounts {
    return this.#counts;
  }

  /** Sends what there is, for a while. */
  async close(): Promise<void> {
    this.#pausing.abort();
    const late = setTimeout(() => this.#stop.abort(), limits.closeMsMax);
    await this.#running;
    clearTimeout(late);
    this.#stop.abort();
  }

  async #run(): Promise<void> {
    while (this.#waiting.length > 0) {
      // A batch gathers for a moment, unless it is one already.
      if (this.#waiting.length < limits.telemetryBatchMax) await pause(limits.telemetryEveryMs, this.#pausing.signal);
      const batch = this.#waiting.splice(0, limits.telemetryBatchMax);
      this.#inHand = batch.length;
      const taken = await this.#send(batch).catch(() => false);
      this.#inHand = 0;
      this.#counts[taken ? 'sent' : 'dropped'] += batch.length;
    }
    this.#running = null;
  }

  async #send(batch: Item[]): Promise<boolean> {
    const body = this.#encode(batch);
    if (body === undefined) return false;
    for (let attempt = 0; attempt < limits.telemetryAttemptsMax && !this.#stop.signal.aborted; attempt += 1) {
      const answer = await this.#receiver.post(`/v1/${this.#signal}`, body, this.#stop.signal);
      if (answer.kind === 'taken') {
        if (this.#failing) this.#tell(`otlp: the receiver takes ${this.#signal} again`);
        this.#failing = false;
        return true;
      }
      if (!this.#failing)
        this.#tell(`otlp: the receiver takes no ${this.#signal}: ${answer.reason}; what does not fit is dropped`);
      this.#failing = true;
      if (answer.kind === 'rejected') return false;
      await pause(answer.afterMs ?? backoffMs(attempt), this.#stop.signal);
    }
    return false;
  }
}
