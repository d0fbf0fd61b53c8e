import type {
  CheckReport,
  CheckRequest,
  CoarsensRequest,
  ComparisonReport,
  EngineCatalog,
  Health,
  InspectReport,
  InspectRequest,
  ImpliesRequest,
  Judgement,
  OpenSession,
  SessionTemplate,
} from './generated/protocol.ts';
import { EngineUnavailable, PolicySqlRefused } from './errors.ts';
import type { EngineConfig } from './config.ts';
import { limits } from './limits.ts';
import { startPool } from './pool.ts';
import { openSession, type RunningSession } from './session-stream.ts';
import { templateDigest } from './template.ts';
import type { Worker } from './worker.ts';

/** The engine: supervised workers behind one door. */
export interface Engine {
  /** Settings and functions that contracts are checked against. */
  catalog(): Promise<EngineCatalog>;
  /** Checks a contract's SQL against its declared schema. */
  check(request: CheckRequest): Promise<CheckReport>;
  /** Holds sources against what their contract declares, without reading a row. */
  inspect(request: InspectRequest): Promise<InspectReport>;
  /**
   * Does every row that passes the filters `stronger` pass the filters `weaker`, for all data and all claims? `no` has a row that
   * passes the first and not the second. Count `cannot tell` as `no`. Throws `PolicySqlRefused` for SQL that is no row filter.
   */
  implies(request: ImpliesRequest): Promise<Judgement>;
  /**
   * Is what the masks `after` show of a column a function of what the masks `before` show, for all data and all claims? `no`
   * has two rows that looked the same and would not. Count `cannot tell` as `no`. Throws `PolicySqlRefused` for SQL that is no mask.
   */
  coarsens(request: CoarsensRequest): Promise<Judgement>;
  /** Opens a session and runs its statement. Throws `EngineUnavailable` when no worker can be had: nothing ran. */
  open(template: SessionTemplate, open: Omit<OpenSession, 'template'>): Promise<RunningSession>;
  /** The state of every worker that tells it in time. */
  health(): Promise<readonly Health[]>;
  /** Whether a session can be opened: a worker answers, or none is needed yet. */
  ready(): Promise<boolean>;
  /**
   * Lets new workers take the sessions from here on: they may read what is there now under the names of the roots. Those
   * that run end when their sessions have.
   */
  renew(): Promise<void>;
  close(): Promise<void>;
}

/** Starts the workers. They end with this process, whatever ends it. */
export async function startEngine(config: EngineConfig): Promise<Engine> {
  const pool = await startPool(config);
  const ask = async <T>(path: string, body?: unknown): Promise<T> => {
    const { worker, release } = await pool.lease('');
    try {
      const answer =
        body === undefined
          ? await worker.http.request({ method: 'GET', path })
          : await worker.http.request({ method: 'POST', path, body: JSON.stringify(body) });
      if (answer.statusCode !== 200) throw new EngineUnavailable(`the engine answered ${answer.statusCode} to ${path}`);
      return (await answer.body.json()) as T;
    } finally {
      release();
    }
  };
  const health = async (): Promise<readonly Health[]> => {
    const answers = await Promise.allSettled(pool.workers().map(healthOf));
    return answers.flatMap((answer) => (answer.status === 'fulfilled' ? [answer.value] : []));
  };
  return {
    catalog: () => ask<EngineCatalog>('/catalog'),
    check: (request) => ask<CheckReport>('/check', request),
    inspect: (request) => ask<InspectReport>('/inspect', request),
    implies: async (request) => judgementOf(await ask<ComparisonReport>('/implies', request)),
    coarsens: async (request) => judgementOf(await ask<ComparisonReport>('/coarsens', request)),
    open: (template, open) => {
      const digest = templateDigest(template);
      return openSession(pool, { digest, template }, { ...open, template: digest });
    },
    health,
    ready: async () => !pool.failing() && (pool.workers().length === 0 || (await health()).length > 0),
    renew: () => pool.renew(),
    close: () => pool.close(),
  };
}

function judgementOf({ judgement, problem }: ComparisonReport): Judgement {
  if (problem !== null) throw new PolicySqlRefused(problem);
  if (judgement === null) throw new EngineUnavailable('the engine gave no answer');
  return judgement;
}

async function healthOf({ http }: Worker): Promise<Health> {
  const signal = AbortSignal.timeout(limits.healthMsMax);
  const answer = await http.request({ method: 'GET', path: '/health', signal });
  return (await answer.body.json()) as Health;
}
