import { type ChildProcess, spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { createKey, type NewKey } from '@ambit/server';

/** The checkout. */
export const root = fileURLToPath(new URL('../', import.meta.url));

/** Whoever asks: what a test does not say of it is nothing. */
export type Subject = Partial<NewKey> & Pick<NewKey, 'tenant' | 'roles'>;

export interface Asked {
  readonly body?: unknown;
  readonly headers?: Record<string, string>;
  readonly method?: string;
  readonly signal?: AbortSignal;
}

/** A server as a user starts it: a process of its own, on files of its own. */
export interface Server<Name extends string = string> {
  readonly url: string;
  /** Its files: environment, keys and evidence in `.ambit`, temporary files in `tmp`. */
  readonly folder: string;
  readonly process: ChildProcess;
  /** Sends a request as a subject; no name is no credential. */
  as(name: Name | null, path: string, options?: Asked): Promise<Response>;
  /** The credential of a subject. */
  token(name: Name): string;
  /** All that it has written for its operator. */
  said(): string;
  /** The pids of its workers. */
  workers(): readonly number[];
  /** Tells it to stop, and waits until it has. Its files stay. */
  stop(): Promise<void>;
  /** Ends it without a word, and starts it again on the same files. */
  restart(): Promise<Server<Name>>;
  close(): Promise<void>;
}

export interface Start<Name extends string> {
  /** Contracts, or folders of them. */
  readonly paths: readonly string[];
  /** Name of the environment; without it `test`. */
  readonly name?: string;
  /** YAML of the environment, after its name. */
  readonly environment?: string;
  /** By name, which is the principal's too. */
  readonly subjects: Readonly<Record<Name, Subject>>;
  /** No file may grow longer than this: the kernel refuses what a full disk would. */
  readonly fileBytesMax?: number;
}

/** Starts contracts with an environment and keys of their own. */
export async function startServer<Name extends string>(start: Start<Name>): Promise<Server<Name>> {
  const folder = mkdtempSync(join(tmpdir(), 'ambit-test-'));
  mkdirSync(join(folder, 'tmp'));
  writeFileSync(
    join(folder, 'environment.yaml'),
    `apiVersion: ambit/v1\nkind: Environment\nname: ${start.name ?? 'test'}\n${start.environment ?? ''}`,
  );
  const tokens = new Map<Name, string>();
  for (const [name, subject] of Object.entries<Subject>(start.subjects)) {
    const key = { principal: name, kind: 'user' as const, claims: {}, onBehalfOf: null, expires: null, ...subject };
    tokens.set(name as Name, (await createKey(join(folder, '.ambit/keys.json'), key)).token);
  }
  return serve(folder, start, tokens);
}

async function serve<Name extends string>(
  folder: string,
  start: Start<Name>,
  tokens: ReadonlyMap<Name, string>,
): Promise<Server<Name>> {
  const words = ['serve', ...start.paths, '--environment', join(folder, 'environment.yaml'), '--listen', '127.0.0.1:0'];
  const command = [process.execPath, join(root, 'packages/cli/bin/ambit.js'), ...words];
  // `exec`: the server has the shell's id, and its signals.
  const limited = [
    'bash',
    '-c',
    `ulimit -f ${Math.floor((start.fileBytesMax ?? 0) / 1024)}; exec "$@"`,
    'bash',
    ...command,
  ];
  const [program = '', ...given] = start.fileBytesMax === undefined ? command : limited;
  const child = spawn(program, given, {
    cwd: folder,
    env: { ...process.env, TMPDIR: join(folder, 'tmp') },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const said: string[] = [];
  const url = await new Promise<string>((resolve, reject) => {
    createInterface({ input: child.stdout as NodeJS.ReadableStream }).on('line', (line) => said.push(line));
    createInterface({ input: child.stderr as NodeJS.ReadableStream }).on('line', (line) => {
      said.push(line);
      const [, found] = /^listening on (.*)$/.exec(line) ?? [];
      if (found !== undefined) resolve(found);
    });
    child.once('exit', () => reject(new Error(`the server did not start:\n${said.join('\n')}`)));
  });
  const gone = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  const token = (name: Name): string => tokens.get(name) ?? '';
  return {
    url,
    folder,
    process: child,
    as: (name, path, { body, headers = {}, method, signal } = {}) =>
      fetch(`${url}${path}`, {
        method: method ?? (body === undefined ? 'GET' : 'POST'),
        headers: {
          ...(name === null ? {} : { authorization: `Bearer ${token(name)}` }),
          ...(body === undefined ? {} : { 'content-type': 'application/json' }),
          ...headers,
        },
        ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
        ...(signal === undefined ? {} : { signal }),
      }),
    token,
    said: () => said.join('\n'),
    workers: () => childrenOf(child.pid ?? 0),
    stop: async () => {
      child.kill('SIGTERM');
      await gone;
    },
    restart: async () => {
      child.kill('SIGKILL');
      await gone;
      return serve(folder, start, tokens);
    },
    close: async () => {
      child.kill('SIGTERM');
      await gone;
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** Waits until the server says something that it has not said before the change. */
export async function saying(server: Pick<Server, 'said'>, said: string, change: () => void): Promise<void> {
  const before = server.said().length;
  change();
  for (let attempt = 0; attempt < 300; attempt += 1) {
    if (server.said().slice(before).includes(said)) return;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error(`the server does not say "${said}", but: ${server.said().slice(before)}`);
}

/** Whether a process runs. One that has ended may stay as a zombie for as long as whoever inherits it likes. */
export function running(pid: number): boolean {
  try {
    const [, state] = /^\d+ \(.*\) (\w)/s.exec(readFileSync(`/proc/${pid}/stat`, 'utf8')) ?? [];
    return state !== 'Z' && state !== 'X';
  } catch {
    return false;
  }
}

function childrenOf(pid: number): readonly number[] {
  const text = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8');
  return text
    .split(' ')
    .filter((word) => word !== '')
    .map(Number);
}
