import type { RunningSession } from '@ambit/engine';
import { limits } from './limits.ts';

/** A session between its intent and its outcome: who ends it, and when it is over for a consumer who does not take it. */
export class Running {
  readonly #cut = new AbortController();
  readonly #deadline: NodeJS.Timeout;
  #grace: NodeJS.Timeout | undefined;
  #started: RunningSession | null = null;
  #cancelled: string | null = null;
  #stopListening = (): void => {};

  /** Counted from now, as the engine counts it. */
  constructor(deadlineMs: number) {
    this.#deadline = setTimeout(() => this.#cut.abort(), deadlineMs + limits.deadlineGraceMs);
  }

  /** Fires when the session must be over, whether or not its consumer has taken what there was. */
  get cut(): AbortSignal {
    return this.#cut.signal;
  }

  /** Who or what cancelled it. */
  get cancelled(): string | null {
    return this.#cancelled;
  }

  /** Cancels it when its consumer has gone. */
  goneWith(signal: AbortSignal): void {
    const gone = (): void => this.cancel('because its consumer went away');
    signal.addEventListener('abort', gone, { once: true });
    this.#stopListening = () => signal.removeEventListener('abort', gone);
    if (signal.aborted) gone();
  }

  startedAs(started: RunningSession): void {
    this.#started = started;
    if (this.#cancelled !== null) started.cancel();
  }

  /** The first reason counts. */
  cancel(reason: string): void {
    if (this.#cancelled !== null) return;
    this.#cancelled = reason;
    this.#started?.cancel();
    this.#grace = setTimeout(() => this.#cut.abort(), limits.cancelGraceMs);
  }

  close(): void {
    clearTimeout(this.#deadline);
    clearTimeout(this.#grace);
    this.#stopListening();
  }
}
