import { chmod, mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { EngineConfig } from './config.ts';
import { EngineUnavailable } from './errors.ts';
import type { WorkerConfig } from './generated/protocol.ts';
import { limits } from './limits.ts';
import { startWorker, type Worker } from './worker.ts';

/** The workers that run, and how one more is started. */
export class Workers {
  readonly #config: EngineConfig;
  readonly #folder: string;
  readonly #running = new Set<Worker>();
  readonly #starting = new Set<Promise<Worker>>();
  readonly #closing = new AbortController();
  #started = 0;
  #failing = false;

  private constructor(config: EngineConfig, folder: string) {
    this.#config = config;
    this.#folder = folder;
  }

  /** None runs yet. Their sockets and spill are in a folder of their own. */
  static async in(config: EngineConfig): Promise<Workers> {
    const folder = await mkdtemp(join(tmpdir(), 'ambit-engine-'));
    await chmod(folder, 0o700);
    return new Workers(config, folder);
  }

  get config(): EngineConfig {
    return this.#config;
  }

  get closing(): boolean {
    return this.#closing.signal.aborted;
  }

  /** Those that take sessions. */
  open(): readonly Worker[] {
    return [...this.#running].filter((worker) => !worker.closed);
  }

  /** There is none, and none will come soon: the last that was started did not listen, or the engine closes. */
  get failing(): boolean {
    return this.closing || (this.#failing && this.open().length === 0);
  }

  /** Starts one. Throws `EngineUnavailable` if it does not listen in time. */
  start(): Promise<Worker> {
    if (this.closing) return Promise.reject(new EngineUnavailable('the engine is closing'));
    const starting = this.#start();
    this.#starting.add(starting);
    void this.#watch(starting);
    return starting;
  }

  /** Starts one, again and again until it listens. Throws when the engine closes. */
  async startUntilReady(pause: Pause): Promise<Worker> {
    for (;;) {
      await pause.wait(this.#closing.signal);
      try {
        return await this.start();
      } catch (error) {
        if (this.closing) throw error;
        this.#config.log({ level: 'error', message: (error as Error).message, worker: 0 });
      }
    }
  }

  /** Ends all, those that start now too. */
  async close(): Promise<void> {
    this.#closing.abort();
    await Promise.allSettled(this.#starting);
    const leaving = [...this.#running];
    for (const worker of leaving) worker.retire();
    const late = setTimeout(() => leaving.forEach((worker) => worker.kill()), limits.retireGraceMs);
    await Promise.all(leaving.map((worker) => worker.exited));
    clearTimeout(late);
    await rm(this.#folder, { recursive: true, force: true });
  }

  async #watch(starting: Promise<Worker>): Promise<void> {
    const [{ status }] = await Promise.allSettled([starting]);
    this.#starting.delete(starting);
    this.#failing = status === 'rejected';
  }

  async #start(): Promise<Worker> {
    const { threads, memoryBytes, spillBytes, roots, endpoints, binary, log } = this.#config;
    this.#started += 1;
    const number = this.#started;
    const spill = spillBytes > 0 ? join(this.#folder, `spill-${number}`) : null;
    if (spill !== null) await mkdir(spill, { mode: 0o700 });
    const config: WorkerConfig = {
      socket: join(this.#folder, `${number}.sock`),
      threads,
      memoryBytes,
      addressSpaceBytes: memoryBytes + limits.addressSpaceHeadroomBytes,
      spillFolder: spill,
      spillBytes,
      templatesMax: limits.templatesMax,
      roots: [...roots],
      endpoints: [...endpoints],
    };
    const worker = await startWorker(binary, config, log);
    this.#running.add(worker);
    void worker.exited.then(async () => {
      this.#running.delete(worker);
      if (spill !== null) await rm(spill, { recursive: true, force: true });
    });
    return worker;
  }
}

/** The time between two starts: it grows while workers die young, or they would burn a core. */
export class Pause {
  #delayMs = 0;

  async wait(signal: AbortSignal): Promise<void> {
    const delay = this.#delayMs;
    this.#delayMs = Math.min(Math.max(10, delay * 2), limits.restartDelayMsMax);
    if (delay > 0) await sleep(delay, undefined, { signal, ref: false });
  }

  /** The last one was good: the next starts at once. */
  reset(): void {
    this.#delayMs = 0;
  }
}
