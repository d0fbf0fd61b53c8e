import { Refused } from './errors.ts';

interface Gate {
  running: number;
  readonly waiting: (() => void)[];
}

/** Places for sessions, so many under each key: one key's crowd never closes the door to another's. */
export class Admission {
  readonly #gates = new Map<string, Gate>();

  /**
   * Waits for a place. Throws `Refused` when the queue is full, the time is over or the consumer gone. Call the result
   * when the session has ended.
   */
  async enter(
    key: string,
    limits: { readonly concurrency: number; readonly queue: number },
    deadlineAt: number,
    gone: AbortSignal = new AbortController().signal,
  ): Promise<() => void> {
    const gate = this.#gates.get(key) ?? { running: 0, waiting: [] };
    this.#gates.set(key, gate);
    if (gate.running >= limits.concurrency) await this.#wait(gate, limits.queue, deadlineAt, gone);
    else gate.running += 1;
    let left = false;
    return () => {
      if (left) return;
      left = true;
      const next = gate.waiting.shift();
      // The place passes on: `running` stays as it is.
      if (next !== undefined) next();
      else gate.running -= 1;
    };
  }

  async #wait(gate: Gate, queueMax: number, deadlineAt: number, gone: AbortSignal): Promise<void> {
    if (gate.waiting.length >= queueMax) {
      throw new Refused(
        'limit_concurrency',
        'too many requests of the tenant wait for the product already',
        'try again later',
        [],
      );
    }
    await new Promise<void>((enter, refuse) => {
      const entered = (): void => {
        stopWaiting();
        enter();
      };
      const late = (): void => {
        stopWaiting();
        const message = 'the time limit was reached while waiting for a place';
        refuse(new Refused('limit_time', message, 'try again later', []));
      };
      const left = (): void => {
        stopWaiting();
        refuse(new Refused('cancelled', 'the consumer went away while waiting for a place', null, []));
      };
      const timer = setTimeout(late, Math.max(0, deadlineAt - Date.now()));
      const stopWaiting = (): void => {
        clearTimeout(timer);
        gone.removeEventListener('abort', left);
        const at = gate.waiting.indexOf(entered);
        if (at >= 0) gate.waiting.splice(at, 1);
      };
      gone.addEventListener('abort', left);
      gate.waiting.push(entered);
      if (gone.aborted) left();
    });
  }
}
