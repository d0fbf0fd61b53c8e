import { Refused } from './errors.ts';

interface Gate {
  running: number;
  readonly waiting: (() => void)[];
}

/** Sessions of a product at once, for each tenant: one tenant's crowd never closes the door to another. */
export class Admission {
  readonly #gates = new Map<string, Gate>();

  /** Waits for a place. Throws `Refused` when the queue is full or the time is over. Call the result when the session has ended. */
  async enter(
    key: string,
    limits: { readonly concurrency: number; readonly queue: number },
    deadlineAt: number,
  ): Promise<() => void> {
    const gate = this.#gates.get(key) ?? { running: 0, waiting: [] };
    this.#gates.set(key, gate);
    if (gate.running >= limits.concurrency) await this.#wait(gate, limits.queue, deadlineAt);
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

  async #wait(gate: Gate, queueMax: number, deadlineAt: number): Promise<void> {
    if (gate.waiting.length >= queueMax) {
      throw new Refused('limit_concurrency', 'too many sessions of the product wait already', 'try again later', []);
    }
    await new Promise<void>((enter, refuse) => {
      const timer = setTimeout(
        () => {
          gate.waiting.splice(gate.waiting.indexOf(entered), 1);
          refuse(
            new Refused('limit_time', 'the time limit was reached while waiting for a place', 'try again later', []),
          );
        },
        Math.max(0, deadlineAt - Date.now()),
      );
      const entered = (): void => {
        clearTimeout(timer);
        enter();
      };
      gate.waiting.push(entered);
    });
  }
}
