import type { EngineConfig } from './config.ts';
import { EngineUnavailable } from './errors.ts';
import { isolations, type Lease } from './isolation.ts';
import { limits } from './limits.ts';
import type { Worker } from './worker.ts';
import { Workers } from './workers.ts';

/** Workers, replaced when they die. */
export interface WorkerPool {
  /** A worker for one session of this tenant. Throws `EngineUnavailable` when none can be had in time. */
  lease(tenant: string): Promise<Lease>;
  /** Workers that take sessions now. */
  workers(): readonly Worker[];
  /** Gives the next sessions to new workers. */
  renew(): Promise<void>;
  /** No session can be opened soon. */
  failing(): boolean;
  close(): Promise<void>;
}

/** Throws `EngineUnavailable` when workers do not start. */
export async function startPool(config: EngineConfig): Promise<WorkerPool> {
  const workers = await Workers.in(config);
  const isolated = isolations[config.isolation](workers);
  try {
    await isolated.warm();
  } catch (error) {
    await workers.close();
    throw error;
  }
  return {
    lease: (tenant) => inTime(isolated.lease(tenant)),
    workers: () => workers.open(),
    renew: () => isolated.renew(),
    failing: () => workers.failing,
    close: () => workers.close(),
  };
}

async function inTime(leasing: Promise<Lease>): Promise<Lease> {
  let timer: NodeJS.Timeout | undefined;
  let late = false;
  const timeout = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      late = true;
      reject(new EngineUnavailable('no worker was ready in time'));
    }, limits.acquireMsMax);
  });
  leasing.then(
    (lease) => {
      if (late) lease.release();
    },
    () => undefined,
  );
  return Promise.race([leasing, timeout]).finally(() => clearTimeout(timer));
}
