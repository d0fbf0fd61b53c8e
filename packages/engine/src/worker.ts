import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { rm } from 'node:fs/promises';
import { createInterface } from 'node:readline';
import { Pool } from 'undici';
import { EngineUnavailable } from './errors.ts';
import type { WorkerConfig, WorkerReady } from './generated/protocol.ts';
import { limits } from './limits.ts';

/** A worker process that listens. */
export interface Worker {
  readonly ready: WorkerReady;
  readonly http: Pool;
  /** Digests of templates that it was given. */
  readonly templates: Set<string>;
  /** Resolves when the process is gone. */
  readonly exited: Promise<void>;
  /** No further session: it is leaving, or it was killed. */
  readonly closed: boolean;
  /** Resolves when it takes no further session. */
  readonly left: Promise<void>;
  /** Takes no further session; those that run go on. */
  leave(): void;
  kill(): void;
  /** Lets it end: its lifeline is cut. */
  retire(): void;
}

/** Told of what a worker writes for its operator. */
export type OperatorLog = (line: { readonly level: string; readonly message: string; readonly worker: number }) => void;

/** Starts a worker with an empty environment. Its standard input is its lifeline: it ends when this process does. */
export async function startWorker(binary: string, config: WorkerConfig, log: OperatorLog): Promise<Worker> {
  const child = spawn(binary, [], { env: {}, stdio: ['pipe', 'pipe', 'pipe'] });
  const exited = exitOf(child);
  child.stdin.on('error', () => {});
  child.stdin.write(`${JSON.stringify(config)}\n`);
  createInterface({ input: child.stderr }).on('line', (line) => log(operatorLine(line, child.pid ?? 0)));
  const ready = await readyLine(child, exited);
  const http = new Pool('http://engine', {
    connect: { socketPath: config.socket },
    // As many as there are sessions: one that waits for a connection could not be cancelled.
    connections: null,
    pipelining: 1,
    bodyTimeout: 0,
    headersTimeout: 0,
  });
  let closed = false;
  let leave = (): void => {};
  const left = new Promise<void>((done) => {
    leave = () => {
      closed = true;
      done();
    };
  });
  const worker: Worker = {
    ready,
    http,
    templates: new Set(),
    exited,
    get closed() {
      return closed;
    },
    left,
    leave,
    kill: () => {
      leave();
      child.kill('SIGKILL');
    },
    retire: () => {
      leave();
      child.stdin.end();
    },
  };
  void exited.then(async () => {
    leave();
    await Promise.all([http.destroy(), rm(config.socket, { force: true })]);
  });
  return worker;
}

async function exitOf(child: ChildProcess): Promise<void> {
  await new Promise<void>((done) => {
    child.once('exit', () => done());
    child.once('error', () => done());
  });
}

async function readyLine(child: ChildProcess, exited: Promise<void>): Promise<WorkerReady> {
  const lines = createInterface({ input: child.stdout as NodeJS.ReadableStream });
  const timeout = AbortSignal.timeout(limits.startMsMax);
  const line = await Promise.race([
    once(lines, 'line', { signal: timeout }).then(([first]) => first as string),
    exited.then(() => undefined),
  ]).catch(() => undefined);
  try {
    if (line !== undefined) return JSON.parse(line) as WorkerReady;
  } catch {
    // What is no worker of ours says something else.
  }
  child.kill('SIGKILL');
  throw new EngineUnavailable('a worker did not start');
}

function operatorLine(line: string, worker: number): Parameters<OperatorLog>[0] {
  try {
    const parsed = JSON.parse(line) as { level?: unknown; message?: unknown };
    return { level: String(parsed.level), message: String(parsed.message), worker };
  } catch {
    // The allocator's and the kernel's last words are plain text; they hold no values.
    return { level: 'error', message: line.slice(0, 200), worker };
  }
}
