import { chmod, mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { EngineUnavailable } from './errors.ts';
import type { WorkerConfig } from './generated/protocol.ts';
import { limits } from './limits.ts';
import { type OperatorLog, startWorker, type Worker } from './worker.ts';

/** How sessions share workers: all of them, those of one tenant, or none. */
export type Isolation = 'shared' | 'tenant' | 'session';

export interface EngineConfig {
  /** Path of the `ambit-engine` binary. */
  readonly binary: string;
  readonly isolation: Isolation;
  /** Workers of a `shared` pool; the most that `tenant` and `session` may run. */
  readonly workers: number;
  /** Threads of each worker. */
  readonly threads: number;
  /** Memory that the sessions of one worker may reserve, in bytes. */
  readonly memoryBytes: number;
  /** Spill of the sessions of one worker, in bytes; 0 turns spilling off. */
  readonly spillBytes: number;
  /** Absolute paths of the local stores' roots. */
  readonly roots: readonly string[];
  readonly log: OperatorLog;
}

/** Workers, replaced when they die. */
export interface WorkerPool {
  /** A worker for one session of this tenant. Throws `EngineUnavailable` when none can be had in time. */
  acquire(tenant: string): Promise<Worker>;
  release(worker: Worker): void;
  /** Workers that run now. */
  workers(): readonly Worker[];
  close(): Promise<void>;
}

export async function startPool(config: EngineConfig): Promise<WorkerPool> {
  const folder = await mkdtemp(join(tmpdir(), 'ambit-engine-'));
  await chmod(folder, 0o700);
  const state: State = { config, folder, all: new Set(), started: 0, closing: false };
  const pool = { shared: sharedPool, tenant: tenantPool, session: sessionPool }[config.isolation](state);
  await pool.warm();
  return {
    acquire: (tenant) => withDeadline(pool.acquire(tenant)),
    release: (worker) => {
      worker.sessions -= 1;
      pool.released(worker);
    },
    workers: () => [...state.all],
    close: async () => {
      state.closing = true;
      const leaving = [...state.all];
      for (const worker of leaving) worker.retire();
      await Promise.all(leaving.map((worker) => worker.exited));
      await rm(folder, { recursive: true, force: true });
    },
  };
}

interface State {
  readonly config: EngineConfig;
  readonly folder: string;
  readonly all: Set<Worker>;
  started: number;
  closing: boolean;
}

interface Strategy {
  warm(): Promise<void>;
  acquire(tenant: string): Promise<Worker>;
  released(worker: Worker): void;
}

async function start(state: State): Promise<Worker> {
  const { config, folder } = state;
  state.started += 1;
  const number = state.started;
  const spill = join(folder, `spill-${number}`);
  if (config.spillBytes > 0) await mkdir(spill, { mode: 0o700 });
  const started: WorkerConfig = {
    socket: join(folder, `${number}.sock`),
    threads: config.threads,
    memoryBytes: config.memoryBytes,
    addressSpaceBytes: config.memoryBytes + limits.addressSpaceHeadroomBytes,
    spillFolder: config.spillBytes > 0 ? spill : null,
    spillBytes: config.spillBytes,
    templatesMax: 1_000,
    roots: [...config.roots],
  };
  const worker = await startWorker(config.binary, started, config.log);
  state.all.add(worker);
  void worker.exited.then(async () => {
    state.all.delete(worker);
    await rm(spill, { recursive: true, force: true });
  });
  if (state.closing) worker.retire();
  return worker;
}

/** Starts a worker, again and again until one listens. */
async function startUntilReady(state: State): Promise<Worker> {
  for (let delay = 10; ; delay = Math.min(delay * 2, limits.restartDelayMsMax)) {
    try {
      return await start(state);
    } catch (error) {
      state.config.log({ level: 'error', message: (error as Error).message, worker: 0 });
      if (state.closing) throw error;
      await sleep(delay);
    }
  }
}

function sharedPool(state: State): Strategy {
  const slots: Promise<Worker>[] = [];
  const fill = (slot: number): Promise<Worker> => {
    const starting = startUntilReady(state);
    slots[slot] = starting;
    void starting.then(
      (worker) => worker.exited.then(() => (state.closing ? undefined : fill(slot))),
      () => undefined,
    );
    return starting;
  };
  return {
    warm: async () => {
      await Promise.all(Array.from({ length: state.config.workers }, (_, slot) => fill(slot)));
    },
    acquire: async () => {
      const open = [...state.all].filter((worker) => !worker.closed);
      const least = open.toSorted((a, b) => a.sessions - b.sessions)[0];
      const worker = least ?? (await Promise.any(slots));
      worker.sessions += 1;
      return worker;
    },
    released: () => {},
  };
}

function tenantPool(state: State): Strategy {
  const byTenant = new Map<string, Promise<Worker>>();
  const idle = new Map<Worker, NodeJS.Timeout>();
  const open = (tenant: string): Promise<Worker> => {
    const starting = startUntilReady(state);
    byTenant.set(tenant, starting);
    const forget = (): void => {
      if (byTenant.get(tenant) === starting) byTenant.delete(tenant);
    };
    void starting.then((worker) => worker.exited.then(forget), forget);
    return starting;
  };
  return {
    warm: async () => {},
    acquire: async (tenant) => {
      const known = await byTenant.get(tenant);
      if (known === undefined && byTenant.size >= state.config.workers) retireIdle(idle);
      if (known === undefined && byTenant.size >= state.config.workers + idle.size) {
        throw new EngineUnavailable('all workers are taken by other tenants');
      }
      const worker = known !== undefined && !known.closed ? known : await open(tenant);
      clearTimeout(idle.get(worker));
      idle.delete(worker);
      worker.sessions += 1;
      return worker;
    },
    released: (worker) => {
      if (worker.sessions > 0 || worker.closed) return;
      const timer = setTimeout(() => worker.retire(), limits.tenantIdleMs);
      timer.unref();
      idle.set(worker, timer);
    },
  };
}

/** Makes room for another tenant: a worker that has nothing to do leaves. */
function retireIdle(idle: Map<Worker, NodeJS.Timeout>): void {
  const [first] = idle;
  if (first === undefined) return;
  clearTimeout(first[1]);
  idle.delete(first[0]);
  first[0].retire();
}

function sessionPool(state: State): Strategy {
  const spares: Promise<Worker>[] = [];
  const refill = (): void => {
    const wanted = Math.min(limits.sparesMax, state.config.workers);
    while (!state.closing && spares.length < wanted) spares.push(startUntilReady(state));
  };
  return {
    warm: async () => {
      refill();
      await Promise.all(spares);
    },
    acquire: async () => {
      const busy = [...state.all].filter((worker) => worker.sessions > 0).length;
      if (busy >= state.config.workers) throw new EngineUnavailable('all workers are busy');
      const spare = spares.shift() ?? startUntilReady(state);
      refill();
      const worker = await spare;
      worker.sessions += 1;
      return worker;
    },
    // One session, one process: nothing can be left for another.
    released: (worker) => worker.retire(),
  };
}

async function withDeadline(acquiring: Promise<Worker>): Promise<Worker> {
  const late = new EngineUnavailable('no worker was ready in time');
  let timer: NodeJS.Timeout | undefined;
  const timeout = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(late), limits.acquireMsMax);
  });
  try {
    return await Promise.race([acquiring, timeout]);
  } catch (error) {
    // A worker that comes too late goes back to the pool unused.
    void acquiring.then(
      (worker) => {
        worker.sessions -= 1;
      },
      () => undefined,
    );
    throw error instanceof AggregateError ? late : error;
  } finally {
    clearTimeout(timer);
  }
}
