import type { Dispatcher } from 'undici';
import { EngineProtocolError } from './errors.ts';
import { readFrames } from './frames.ts';
import type { OpenSession, Outcome, Planned, ProtocolError, Sandbox, SessionTemplate } from './generated/protocol.ts';
import { limits } from './limits.ts';
import type { WorkerPool } from './pool.ts';
import { templateBytes } from './template.ts';
import type { Worker } from './worker.ts';

/** What a session tells: at most one `planned`, data, and one `outcome` or `crashed`, always last. */
export type SessionEvent =
  | { readonly kind: 'planned'; readonly planned: Planned }
  | { readonly kind: 'data'; readonly bytes: Uint8Array }
  | { readonly kind: 'outcome'; readonly outcome: Outcome }
  | { readonly kind: 'crashed'; readonly crash: Crash };

/** The worker died under the session. */
export interface Crash {
  /** `killed`: this package ended it, because the session did not end by itself. */
  readonly cause: 'died' | 'killed';
  /** Whether a cancel came before. */
  readonly cancelled: boolean;
}

/** A session that runs in a worker. */
export interface RunningSession {
  /** Process id of the worker. */
  readonly worker: number;
  readonly sandbox: Sandbox;
  /** Pull it to its end: that is the backpressure, and the only way to the outcome. */
  readonly events: AsyncGenerator<SessionEvent, void, undefined>;
  /** Asks the session to end. The events go on to their outcome. */
  cancel(): void;
}

/** Opens a session on a worker of the pool. Throws `EngineUnavailable` before anything ran. */
export async function openSession(
  pool: WorkerPool,
  template: { readonly digest: string; readonly template: SessionTemplate },
  open: OpenSession,
): Promise<RunningSession> {
  const worker = await pool.acquire(open.tenant);
  const state: Watch = {
    worker,
    id: open.session,
    sent: false,
    cancelled: false,
    killed: false,
    ended: false,
    timer: undefined,
  };
  return {
    worker: worker.ready.pid,
    sandbox: worker.ready.sandbox,
    events: events(pool, state, template, open),
    cancel: () => cancel(state),
  };
}

interface Watch {
  readonly worker: Worker;
  readonly id: string;
  /** The worker was asked to open it. */
  sent: boolean;
  cancelled: boolean;
  killed: boolean;
  /** Nothing of it is left in the worker. */
  ended: boolean;
  timer: NodeJS.Timeout | undefined;
}

async function* events(
  pool: WorkerPool,
  watch: Watch,
  template: { readonly digest: string; readonly template: SessionTemplate },
  open: OpenSession,
): AsyncGenerator<SessionEvent, void, undefined> {
  killAfter(watch, watch.cancelled ? limits.cancelGraceMs : open.limits.deadlineMs + limits.deadlineGraceMs);
  let body: Dispatcher.ResponseData['body'] | undefined;
  try {
    body = await post(watch, template, open);
    for await (const frame of readFrames(body)) {
      if (frame.kind === 'data') yield { kind: 'data', bytes: frame.bytes };
      else if (frame.kind === 'planned') yield { kind: 'planned', planned: frame.json as Planned };
      else {
        const outcome = frame.json as Outcome;
        // However long the outcome waits to be taken: the worker has done with it, and others' sessions run there.
        end(watch);
        // Unless a step of it that nothing can interrupt still runs: it ends with its worker, or would run for minutes.
        if (outcome.residue.tasks > 0) watch.worker.kill();
        yield { kind: 'outcome', outcome };
        return;
      }
    }
    yield { kind: 'crashed', crash: crashOf(watch) };
  } catch (error) {
    if (error instanceof EngineProtocolError) throw error;
    yield { kind: 'crashed', crash: crashOf(watch) };
  } finally {
    end(watch);
    // A consumer that stops pulling gives up its session: the worker sees the connection close.
    body?.destroy();
    pool.release(watch.worker);
  }
}

function end(watch: Watch): void {
  watch.ended = true;
  clearTimeout(watch.timer);
}

function crashOf(watch: Watch): Crash {
  return { cause: watch.killed ? 'killed' : 'died', cancelled: watch.cancelled };
}

async function post(
  watch: Watch,
  template: { readonly digest: string; readonly template: SessionTemplate },
  open: OpenSession,
): Promise<Dispatcher.ResponseData['body']> {
  const { worker } = watch;
  if (!worker.templates.has(template.digest)) await put(worker, template);
  const request = { method: 'POST', path: '/sessions', body: JSON.stringify(open) } as const;
  watch.sent = true;
  let answer = await worker.http.request(request);
  if (answer.statusCode === 404) {
    await answer.body.dump();
    await put(worker, template);
    answer = await worker.http.request(request);
  }
  if (answer.statusCode !== 200) throw await protocolError(answer);
  // A cancel may have overtaken it.
  if (watch.cancelled) askToCancel(watch);
  return answer.body;
}

async function put(
  worker: Worker,
  template: { readonly digest: string; readonly template: SessionTemplate },
): Promise<void> {
  const path = `/templates/${template.digest}`;
  const answer = await worker.http.request({ method: 'PUT', path, body: templateBytes(template.template) });
  if (answer.statusCode !== 204) throw await protocolError(answer);
  await answer.body.dump();
  worker.templates.add(template.digest);
}

async function protocolError(answer: Dispatcher.ResponseData): Promise<EngineProtocolError> {
  const error = (await answer.body.json()) as ProtocolError;
  return new EngineProtocolError(error.code, error.message);
}

function cancel(watch: Watch): void {
  if (watch.cancelled || watch.ended) return;
  watch.cancelled = true;
  killAfter(watch, limits.cancelGraceMs);
  if (watch.sent) askToCancel(watch);
}

function askToCancel({ worker, id }: Watch): void {
  const path = `/sessions/${id}`;
  // Not open, or not any more: the events tell. No answer: the timer ends it.
  worker.http.request({ method: 'DELETE', path }).then(
    (answer) => answer.body.dump(),
    () => undefined,
  );
}

/** The CPU is quiet by then, or the worker is gone: it cannot be asked, since it may be busy in one long step. */
function killAfter(watch: Watch, delayMs: number): void {
  clearTimeout(watch.timer);
  watch.timer = setTimeout(() => {
    watch.killed = true;
    watch.worker.kill();
  }, delayMs);
}
