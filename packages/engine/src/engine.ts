import type {
  CheckReport,
  CheckRequest,
  EngineCatalog,
  Health,
  OpenSession,
  SessionTemplate,
} from './generated/protocol.ts';
import { EngineUnavailable } from './errors.ts';
import { type EngineConfig, startPool } from './pool.ts';
import { openSession, type RunningSession } from './session-stream.ts';
import { templateDigest } from './template.ts';

/** The engine: supervised workers behind one door. */
export interface Engine {
  /** Settings and functions that contracts are checked against. */
  catalog(): Promise<EngineCatalog>;
  /** Checks a contract's SQL against its declared schema. */
  check(request: CheckRequest): Promise<CheckReport>;
  /** Opens a session and runs its statement. Throws `EngineUnavailable` when no worker can be had: nothing ran. */
  open(template: SessionTemplate, open: Omit<OpenSession, 'template'>): Promise<RunningSession>;
  /** Every worker's state. */
  health(): Promise<readonly Health[]>;
  close(): Promise<void>;
}

/** Starts the workers. They end with this process, whatever ends it. */
export async function startEngine(config: EngineConfig): Promise<Engine> {
  const pool = await startPool(config);
  const ask = async <T>(path: string, body?: unknown): Promise<T> => {
    const worker = await pool.acquire('');
    try {
      const answer =
        body === undefined
          ? await worker.http.request({ method: 'GET', path })
          : await worker.http.request({ method: 'POST', path, body: JSON.stringify(body) });
      if (answer.statusCode !== 200) throw new EngineUnavailable(`the engine answered ${answer.statusCode} to ${path}`);
      return (await answer.body.json()) as T;
    } finally {
      pool.release(worker);
    }
  };
  return {
    catalog: () => ask<EngineCatalog>('/catalog'),
    check: (request) => ask<CheckReport>('/check', request),
    open: (template, open) => {
      const digest = templateDigest(template);
      return openSession(pool, { digest, template }, { ...open, template: digest });
    },
    health: () =>
      Promise.all(
        pool.workers().map(async (worker) => {
          const answer = await worker.http.request({ method: 'GET', path: '/health' });
          return (await answer.body.json()) as Health;
        }),
      ),
    close: () => pool.close(),
  };
}
