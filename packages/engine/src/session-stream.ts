import type { Dispatcher } from 'undici';
import { EngineProtocolError } from './errors.ts';
import { type Frame, FrameError, readFrames } from './frames.ts';
import type { OpenSession, Outcome, Planned, ProtocolError, Sandbox, SessionTemplate } from './generated/protocol.ts';
import type { Lease } from './isolation.ts';
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
  const lease = await pool.lease(open.tenant);
  const { ready } = lease.worker;
  const watch = new Watch(lease, open.session);
  const events = eventsOf(watch, template, open);
  // A generator that was never pulled has nothing to close: its lease is given back all the same.
  const stop = events.return.bind(events);
  events.return = (value) => stop(value).finally(() => lease.release());
  return { worker: ready.pid, sandbox: ready.sandbox, events, cancel: () => cancel(watch) };
}

/** A session as seen from here. */
class Watch {
  readonly lease: Lease;
  readonly id: string;
  /** The worker was asked to open it. */
  sent = false;
  cancelled = false;
  killed = false;
  /** Nothing of it is left in the worker. */
  ended = false;
  timer: NodeJS.Timeout | undefined;
  frames: AsyncGenerator<Frame, void, undefined> | undefined;
  /** The worker is waited for, not the consumer. */
  waiting = true;
  /** Its last frame, when its consumer was waited for too long. */
  drained: Promise<Frame | undefined> | undefined;

  constructor(lease: Lease, id: string) {
    this.lease = lease;
    this.id = id;
  }

  get worker(): Worker {
    return this.lease.worker;
  }
}

async function* eventsOf(
  watch: Watch,
  template: { readonly digest: string; readonly template: SessionTemplate },
  open: OpenSession,
): AsyncGenerator<SessionEvent, void, undefined> {
  endAfter(watch, watch.cancelled ? limits.cancelGraceMs : open.limits.deadlineMs + limits.deadlineGraceMs);
  let body: Dispatcher.ResponseData['body'] | undefined;
  try {
    body = await post(watch, template, open);
    watch.frames = readFrames(body);
    for (;;) {
      const frame = await (watch.drained ?? nextFrame(watch));
      if (frame === undefined) break;
      if (frame.kind === 'data') yield { kind: 'data', bytes: frame.bytes };
      else if (frame.kind === 'planned') yield { kind: 'planned', planned: frame.json as Planned };
      else {
        yield { kind: 'outcome', outcome: frame.json as Outcome };
        return;
      }
    }
    yield await crashed(watch);
  } catch (error) {
    if (error instanceof EngineProtocolError) throw error;
    if (error instanceof FrameError) watch.killed = true;
    yield await crashed(watch);
  } finally {
    end(watch);
    // A consumer that stops pulling gives up its session: the worker sees the connection close.
    body?.destroy();
    watch.lease.release();
  }
}

async function nextFrame(watch: Watch): Promise<Frame | undefined> {
  watch.waiting = true;
  const next = await watch.frames?.next();
  watch.waiting = false;
  const frame = next?.value ?? undefined;
  if (frame?.kind === 'outcome') {
    // However long the outcome waits to be taken: the worker has done with it, and others' sessions run there.
    end(watch);
    // Unless a step of it that nothing can interrupt still runs: it ends with its worker, or would run for minutes.
    if ((frame.json as Outcome).residue.tasks > 0) watch.worker.kill();
  }
  return frame;
}

/** Reads on without the consumer, who gets the outcome whenever it asks: what it did not take is lost. */
async function drain(watch: Watch): Promise<Frame | undefined> {
  for (;;) {
    const frame = await nextFrame(watch);
    if (frame === undefined || frame.kind === 'outcome') return frame;
  }
}

function end(watch: Watch): void {
  watch.ended = true;
  clearTimeout(watch.timer);
}

/** An answer without an outcome: the worker is gone, or cannot be trusted. When this is told, nobody is given it any more. */
async function crashed({ worker, killed, cancelled }: Watch): Promise<SessionEvent> {
  worker.kill();
  await worker.exited;
  return { kind: 'crashed', crash: { cause: killed ? 'killed' : 'died', cancelled } };
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
  // Nothing is waited for before it is pulled: the grace begins with it.
  if (watch.timer !== undefined) endAfter(watch, limits.cancelGraceMs);
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

/**
 * The session is over by then. Where its consumer is waited for, that is found out; where its worker is, the worker is
 * killed: it cannot be asked, since it may be busy in one long step.
 */
function endAfter(watch: Watch, delayMs: number): void {
  clearTimeout(watch.timer);
  watch.timer = setTimeout(() => {
    if (watch.waiting) {
      watch.killed = true;
      watch.worker.kill();
      return;
    }
    endAfter(watch, limits.cancelGraceMs);
    watch.drained = drain(watch);
    // It is thrown to whoever takes it.
    watch.drained.catch(() => undefined);
  }, delayMs);
}
