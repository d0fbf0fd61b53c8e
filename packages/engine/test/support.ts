import { existsSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  type Engine,
  type EngineConfig,
  engineBinary,
  type OpenSession,
  type Outcome,
  type RunningSession,
  type SessionTemplate,
  startEngine,
} from '../src/index.ts';

/** A folder with a table that makes answers as long as a test needs. */
export const data = mkdtempSync(join(tmpdir(), 'ambit-test-data-'));
writeFileSync(join(data, 'numbers.csv'), `n\n${Array.from({ length: 1_000 }, (_, index) => index).join('\n')}\n`);

const engines: Engine[] = [];

/** An engine of its own, closed after the test file. */
export async function engineWith(config: Partial<EngineConfig> = {}): Promise<Engine> {
  const engine = await startEngine({
    binary: engineBinary(),
    isolation: 'shared',
    workers: 1,
    threads: 1,
    memoryBytes: 256 * 2 ** 20,
    spillBytes: 0,
    roots: [data],
    endpoints: [],
    log: () => {},
    ...config,
  });
  engines.push(engine);
  return engine;
}

export async function closeEngines(): Promise<void> {
  await Promise.all(engines.splice(0).map((engine) => engine.close()));
}

const columns = [{ name: 'n', type: 'bigint', nullable: false }];

/** A boundary of its own for each mark. */
export async function templateOf(engine: Engine, mark = 'a'): Promise<SessionTemplate> {
  const { settings } = await engine.catalog();
  return {
    boundary: `sha256:${mark}`,
    stores: { files: { kind: 'local', root: data } },
    sources: {
      numbers: {
        store: 'files',
        path: 'numbers.csv',
        format: { type: 'csv', header: true, delimiter: ',' },
        columns,
        partitions: [],
      },
    },
    tables: {
      numbers: { source: 'numbers', columns: [{ name: 'n', masks: [] }], filters: [], closed: false, statistics: true },
    },
    views: {},
    functions: ['count', 'sum'],
    settings: Object.fromEntries(settings.map(({ key, ambit, default: fallback }) => [key, ambit ?? fallback])),
    claims: {},
  };
}

let opened = 0;

export interface Asking {
  readonly sql?: string;
  readonly tenant?: string;
  readonly deadlineMs?: number;
}

/** Some rows. */
export const short = 'SELECT n FROM numbers ORDER BY n LIMIT 3';
/** A hundred million rows: more than anybody takes. */
export const long = 'SELECT a.n, b.n FROM numbers a CROSS JOIN numbers b CROSS JOIN numbers c LIMIT 100000000';

export function sessionOf({ sql = short, tenant = 'a', deadlineMs = 60_000 }: Asking): Omit<OpenSession, 'template'> {
  opened += 1;
  return {
    session: `ses_${opened}`,
    tenant,
    purpose: 'test',
    claims: {},
    clockMicros: 0,
    credentials: {},
    limits: {
      deadlineMs,
      memoryBytes: 128 * 2 ** 20,
      spillBytes: 0,
      rows: 1_000_000_000,
      bytes: 2 ** 40,
      statementBytes: 65_536,
      statementNodes: 1_000,
      statementDepth: 100,
      planNodes: 1_000,
    },
    statement: { sql, parameters: {} },
    format: 'csv',
    traceparent: null,
  };
}

/** Opens a session on the engine's first template. */
export async function open(engine: Engine, asking: Asking = {}): Promise<RunningSession> {
  return engine.open(await known(engine), sessionOf(asking));
}

const templates = new WeakMap<Engine, Promise<SessionTemplate>>();

function known(engine: Engine): Promise<SessionTemplate> {
  const template = templates.get(engine) ?? templateOf(engine);
  templates.set(engine, template);
  return template;
}

export interface Taken {
  readonly kinds: readonly string[];
  readonly text: string;
  readonly outcome: Outcome | null;
}

/** Takes a session to its end. */
export async function take({ events }: RunningSession): Promise<Taken> {
  const kinds: string[] = [];
  const bytes: Uint8Array[] = [];
  let outcome: Outcome | null = null;
  for await (const event of events) {
    if (event.kind !== kinds.at(-1)) kinds.push(event.kind);
    if (event.kind === 'data') bytes.push(event.bytes);
    if (event.kind === 'outcome') outcome = event.outcome;
  }
  return { kinds, text: Buffer.concat(bytes).toString(), outcome };
}

/** Pulls until there is data. */
export async function firstData({ events }: RunningSession): Promise<void> {
  for (let next = await events.next(); next.done !== true; next = await events.next()) {
    if (next.value.kind === 'data') return;
    if (next.value.kind === 'outcome') throw new Error(JSON.stringify(next.value.outcome.error));
  }
  throw new Error('there was no data');
}

/** Whether a process runs: one that has ended and was not waited for does not. */
export function runs(pid: number): boolean {
  try {
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
  } catch {
    return false;
  }
}

/** Waits until a process is gone: a child's end is known to its parent by then. */
export function gone(pid: number): Promise<void> {
  return until(() => !existsSync(`/proc/${pid}`));
}

/** Waits for what will be; the test's own time limit ends it. */
export async function until(holds: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await holds())) await new Promise((resolve) => setTimeout(resolve, 5));
}

export async function pids(engine: Engine): Promise<readonly number[]> {
  return (await engine.health()).map(({ pid }) => pid);
}
