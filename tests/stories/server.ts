import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { createKey } from '@ambit/server';

const root = fileURLToPath(new URL('../../', import.meta.url));

/** Subjects of the example. */
const subjects = {
  maria: { role: 'operator', claims: { state: 'CA' } },
  vera: { role: 'auditor', claims: {} },
  noah: { role: 'researcher', claims: { released_until: '2001-04-01T00:00:00' } },
} as const;

export type Name = keyof typeof subjects;

/** A server as a user starts it: a process of its own, on files of its own. */
export interface Server {
  readonly url: string;
  readonly folder: string;
  readonly process: ChildProcess;
  /** Sends a request as a subject; no name is no credential. */
  as(
    name: Name | null,
    path: string,
    options?: { body?: unknown; headers?: Record<string, string>; method?: string; signal?: AbortSignal },
  ): Promise<Response>;
  /** Asks a product in SQL. */
  ask(name: Name, purpose: string, sql: string, headers?: Record<string, string>): Promise<Response>;
  /** The pids of its workers. */
  workers(): Promise<readonly number[]>;
  restart(): Promise<Server>;
  close(): Promise<void>;
}

/** Starts the example, or other contracts, with an environment of its own. */
export async function startExample(
  paths: readonly string[] = [join(root, 'examples/flights')],
  environment = '',
): Promise<Server> {
  const folder = mkdtempSync(join(tmpdir(), 'ambit-story-'));
  writeFileSync(
    join(folder, 'environment.yaml'),
    `apiVersion: ambit/v1\nkind: Environment\nname: test\nstores:\n  lake: { root: ${join(root, 'node_modules/vega-datasets/data')} }\n${environment}`,
  );
  const tokens = new Map<Name, string>();
  for (const [name, { role, claims }] of Object.entries(subjects)) {
    const key = {
      tenant: 'mobility',
      principal: name,
      kind: 'user' as const,
      roles: [role],
      claims,
      onBehalfOf: null,
      expires: null,
    };
    tokens.set(name as Name, (await createKey(join(folder, '.ambit/keys.json'), key)).token);
  }
  return serve(folder, paths, tokens);
}

async function serve(folder: string, paths: readonly string[], tokens: ReadonlyMap<Name, string>): Promise<Server> {
  const words = ['serve', ...paths, '--environment', join(folder, 'environment.yaml'), '--listen', '127.0.0.1:0'];
  const child = spawn(process.execPath, [join(root, 'packages/cli/bin/ambit.js'), ...words], {
    cwd: folder,
    stdio: ['ignore', 'inherit', 'pipe'],
  });
  const said: string[] = [];
  const url = await new Promise<string>((resolve, reject) => {
    createInterface({ input: child.stderr as NodeJS.ReadableStream }).on('line', (line) => {
      said.push(line);
      const [, found] = /^listening on (.*)$/.exec(line) ?? [];
      if (found !== undefined) resolve(found);
    });
    child.once('exit', () => reject(new Error(`the server did not start:\n${said.join('\n')}`)));
  });
  const gone = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  const server: Server = {
    url,
    folder,
    process: child,
    as: (name, path, { body, headers = {}, method, signal } = {}) =>
      fetch(`${url}${path}`, {
        method: method ?? (body === undefined ? 'GET' : 'POST'),
        headers: {
          ...(name === null ? {} : { authorization: `Bearer ${tokens.get(name)}` }),
          ...(body === undefined ? {} : { 'content-type': 'application/json' }),
          ...headers,
        },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
        ...(signal === undefined ? {} : { signal }),
      }),
    ask: (name, purpose, sql, headers = {}) =>
      server.as(name, '/v1/products/flights/query', { body: { sql, purpose }, headers }),
    workers: async () => childrenOf(child.pid ?? 0),
    restart: async () => {
      child.kill('SIGKILL');
      await gone;
      return serve(folder, paths, tokens);
    },
    close: async () => {
      child.kill('SIGTERM');
      await gone;
      rmSync(folder, { recursive: true, force: true });
    },
  };
  return server;
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

/** Rows of a JSON answer. */
export async function rowsOf(answer: Response): Promise<readonly (readonly unknown[])[]> {
  const { rows, complete } = (await answer.json()) as { rows: unknown[][]; complete?: boolean };
  if (complete !== true) throw new Error('the result is not complete');
  return rows;
}

/** The evidence of an answer's session, as somebody who may read all of it. */
export async function evidenceOf(server: Server, session: string, name: Name = 'vera'): Promise<Evidence> {
  const answer = await server.as(name, `/v1/sessions/${session}`);
  if (answer.status !== 200) throw new Error(`no evidence of "${session}": ${answer.status} ${await answer.text()}`);
  return (await answer.json()) as Evidence;
}

export interface Evidence {
  readonly intent: { readonly fingerprint: string; readonly purpose: string };
  readonly outcome: {
    readonly status: string;
    readonly rows: number;
    readonly error: { readonly code: string } | null;
    readonly engine: {
      readonly tables?: Record<string, { columns: string[]; filters: string[]; masks: Record<string, string[]> }>;
      readonly accesses?: readonly { store: string; object: string; bytes: number; credential: string | null }[];
      readonly residue?: { memoryBytes: number; spillBytes: number; tasks: number };
    } | null;
  } | null;
  readonly grant: { readonly tables: Record<string, unknown>; readonly functions: readonly string[] };
  readonly boundary: { readonly settings: Record<string, { value: string; origin: string }> };
}

/** Waits until a session has its outcome. */
export async function endOf(server: Server, session: string): Promise<NonNullable<Evidence['outcome']>> {
  for (let attempt = 0; attempt < 200; attempt += 1) {
    const { outcome } = await evidenceOf(server, session);
    if (outcome !== null) return outcome;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error('the session never ended');
}
