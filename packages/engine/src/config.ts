import type { Endpoint } from './generated/protocol.ts';
import type { OperatorLog } from './worker.ts';

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
  /** Servers of the remote stores. */
  readonly endpoints: readonly Endpoint[];
  readonly log: OperatorLog;
}
