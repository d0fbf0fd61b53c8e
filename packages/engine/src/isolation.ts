import type { Isolation } from './config.ts';
import { EngineUnavailable } from './errors.ts';
import { limits } from './limits.ts';
import type { Worker } from './worker.ts';
import { Pause, type Workers } from './workers.ts';

/** A worker, for one session. */
export interface Lease {
  readonly worker: Worker;
  /** The session has ended. More than once is once. */
  readonly release: () => void;
}

/** Which worker a session gets. */
export interface Isolated {
  /** Starts what should run before the first session. Throws `EngineUnavailable` if it does not start. */
  warm(): Promise<void>;
  /** A worker for a session of this tenant. Throws `EngineUnavailable` if there is no room. */
  lease(tenant: string): Promise<Lease>;
  /** Gives no worker that runs now a further session. */
  renew(): Promise<void>;
}

export const isolations: Readonly<Record<Isolation, (workers: Workers) => Isolated>> = {
  shared: sharedByAll,
  tenant: oneForEachTenant,
  session: oneForEachSession,
};

/** Always as many workers: a session gets the one with the fewest sessions. */
function sharedByAll(workers: Workers): Isolated {
  const slots: Promise<Worker>[] = [];
  const sessions = new WeakMap<Worker, number>();
  const count = (worker: Worker): number => sessions.get(worker) ?? 0;
  /** Replaces the slot's worker whenever it dies. Ends when the engine closes. */
  const keep = async (slot: number, first: Worker): Promise<void> => {
    const pause = new Pause();
    let worker = first;
    for (;;) {
      const startedAt = performance.now();
      await worker.left;
      if (performance.now() - startedAt >= limits.steadyMsMin) pause.reset();
      const next = workers.startUntilReady(pause);
      slots[slot] = next;
      worker = await next;
    }
  };
  const leastBusy = async (): Promise<Worker> => {
    for (;;) {
      const [least] = workers.open().toSorted((a, b) => count(a) - count(b));
      if (least !== undefined) return least;
      const next = await Promise.any(slots).catch(closed);
      if (!next.closed) return next;
      // It has left, and its slot has the next one on the next turn.
      await next.left;
    }
  };
  return {
    warm: async () => {
      const first = await Promise.all(Array.from({ length: workers.config.workers }, () => workers.start()));
      for (const [slot, worker] of first.entries()) {
        slots[slot] = Promise.resolve(worker);
        keep(slot, worker).catch(() => undefined);
      }
    },
    lease: async () => {
      const worker = await leastBusy();
      sessions.set(worker, count(worker) + 1);
      return leaseOf(worker, () => {
        sessions.set(worker, count(worker) - 1);
        if (worker.closed && count(worker) === 0) worker.retire();
      });
    },
    renew: async () => {
      for (const worker of workers.open()) {
        if (count(worker) === 0) worker.retire();
        else worker.leave();
      }
    },
  };
}

interface Place {
  readonly worker: Promise<Worker>;
  sessions: number;
  /** Runs while it has no session. */
  idle: NodeJS.Timeout | undefined;
}

/** A worker for each tenant that asks, until it has not asked for a while or another needs the room. */
function oneForEachTenant(workers: Workers): Isolated {
  const places = new Map<string, Place>();
  const forget = (tenant: string, place: Place): void => {
    clearTimeout(place.idle);
    if (places.get(tenant) === place) places.delete(tenant);
  };
  const retire = (tenant: string, place: Place): void => {
    forget(tenant, place);
    void place.worker.then((worker) => worker.retire());
  };
  const take = (tenant: string): Place => {
    const idle = [...places].find(([, { sessions }]) => sessions === 0);
    if (places.size >= workers.config.workers && idle !== undefined) retire(...idle);
    if (places.size >= workers.config.workers) {
      throw new EngineUnavailable('all workers are taken by other tenants');
    }
    const place: Place = { worker: workers.start(), sessions: 0, idle: undefined };
    places.set(tenant, place);
    place.worker.then(
      (worker) => worker.exited.then(() => forget(tenant, place)),
      () => forget(tenant, place),
    );
    return place;
  };
  const lease = async (tenant: string): Promise<Lease> => {
    const place = places.get(tenant) ?? take(tenant);
    // Counted before it has started: nobody takes it for idle.
    place.sessions += 1;
    clearTimeout(place.idle);
    const worker = await place.worker;
    if (worker.closed) {
      forget(tenant, place);
      return lease(tenant);
    }
    return leaseOf(worker, () => {
      place.sessions -= 1;
      if (place.sessions === 0) place.idle = setTimeout(() => retire(tenant, place), limits.tenantIdleMs).unref();
    });
  };
  const renew = async (): Promise<void> => {
    for (const [tenant, place] of places) {
      if (place.sessions === 0) retire(tenant, place);
      // The last of its sessions retires it.
      else forget(tenant, place);
    }
  };
  return { warm: async () => {}, lease, renew };
}

/** One session, one process: nothing can be left for another. */
function oneForEachSession(workers: Workers): Isolated {
  const spares = new Set<Promise<Worker>>();
  const pause = new Pause();
  let busy = 0;
  const refill = (): void => {
    const wanted = Math.min(limits.sparesMax, workers.config.workers - busy);
    while (!workers.closing && spares.size < wanted) addSpare(workers.startUntilReady(pause));
  };
  const addSpare = (spare: Promise<Worker>): void => {
    spares.add(spare);
    spare
      .then((worker) => worker.exited)
      .then(
        () => spares.delete(spare) && refill(),
        () => spares.delete(spare),
      );
  };
  const ready = async (): Promise<Worker> => {
    for (;;) {
      const [spare = workers.startUntilReady(pause)] = spares;
      spares.delete(spare);
      const worker = await spare;
      // A spare may have died just now.
      if (worker.closed) continue;
      pause.reset();
      return worker;
    }
  };
  return {
    warm: async () => {
      addSpare(Promise.resolve(await workers.start()));
      refill();
    },
    lease: async () => {
      if (busy >= workers.config.workers) throw new EngineUnavailable('all workers are busy');
      busy += 1;
      const free = (): void => {
        busy -= 1;
        refill();
      };
      try {
        const worker = await ready();
        return leaseOf(worker, () => {
          worker.retire();
          free();
        });
      } catch (error) {
        free();
        throw error;
      }
    },
    renew: async () => {
      for (const spare of spares) {
        spares.delete(spare);
        spare.then(
          (worker) => worker.retire(),
          () => undefined,
        );
      }
      refill();
    },
  };
}

function leaseOf(worker: Worker, release: () => void): Lease {
  let released = false;
  return {
    worker,
    release: () => {
      if (released) return;
      released = true;
      release();
    },
  };
}

function closed(): never {
  throw new EngineUnavailable('the engine is closing');
}
