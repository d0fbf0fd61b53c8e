import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { expect } from 'vitest';
import { openLog } from '../src/log.ts';
import { verifyLog } from '../src/verify.ts';
import { readRecords } from './support.ts';

const here = (path: string): string => fileURLToPath(new URL(path, import.meta.url));

/** Longer than whatever a child waits for. */
const PATIENCE_MS = 45_000;

/** Child processes run what was built. */
export function build(): void {
  execFileSync(process.execPath, [here('../../../node_modules/typescript/bin/tsc'), '-b', here('..')]);
}

/** A process that appends, and what it was told is durable. */
export interface Appender {
  readonly child: ChildProcess;
  /** Lines that it said, whole ones only. */
  said(): readonly string[];
  /** How many of them are intents and outcomes. */
  acknowledged(): number;
  /** Resolves when it has said a line that fits. */
  until(fits: (line: string) => boolean): Promise<void>;
  kill(): Promise<void>;
}

export function startAppender(
  folder: string,
  clients: number,
  wrap: readonly string[] = [],
  options: Options = {},
  /** Whether one of its sessions does not end by itself. */
  stays = true,
): Promise<Appender> {
  return startChild('appender.mjs', [folder, String(clients), JSON.stringify(options), stays ? 'stays' : 'ends'], wrap);
}

/** A process that removes old segments of a shared log, or rotates its key, again and again. */
export function startKeeper(folder: string, what: 'prune' | 'rotate', options: Options): Promise<Appender> {
  return startChild('keeper.mjs', [folder, what, JSON.stringify(options)]);
}

/** A process that puts the log of a folder into a database. */
export function startSharer(folder: string, options: object): Promise<Appender> {
  return startChild('sharer.mjs', [folder, JSON.stringify(options)]);
}

type Options = Partial<Parameters<typeof openLog>[0]>;

async function startChild(script: string, words: readonly string[], wrap: readonly string[] = []): Promise<Appender> {
  const command = [...wrap, process.execPath, here(script), ...words];
  const child = spawn(command[0] as string, command.slice(1), { stdio: ['ignore', 'pipe', 'inherit'] });
  const lines: string[] = [];
  let rest = '';
  let acknowledged = 0;
  child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
    const whole = (rest + chunk).split('\n');
    rest = whole.pop() as string;
    for (const line of whole) lines.push(line);
    acknowledged += whole.filter((line) => /^(intent|outcome) /.test(line)).length;
  });
  const said = (): readonly string[] => lines;
  const until = async (fits: (line: string) => boolean): Promise<void> => {
    let seen = 0;
    for (const end = performance.now() + PATIENCE_MS; ; ) {
      if (performance.now() > end)
        throw new Error(`it says nothing that fits, but last: ${lines.slice(-5).join(', ')}`);
      for (; seen < lines.length; seen += 1) if (fits(lines[seen] as string)) return;
      if (child.exitCode !== null || child.signalCode !== null) throw new Error('the appender ended');
      await new Promise((done) => setTimeout(done, 5));
    }
  };
  const kill = async (): Promise<void> => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    const gone = once(child, 'close');
    child.kill('SIGKILL');
    await gone;
  };
  await until((line) => line === 'open');
  return { child, said, acknowledged: () => acknowledged, until, kill };
}

/**
 * Starts the log of a process that is gone, and expects what was promised: it verifies, every record that the process
 * was told is durable is there, and every intent has one outcome. Returns how many outcomes are `orphaned`.
 */
export async function expectWhole(folder: string, said: readonly string[]): Promise<number> {
  await (await openLog({ folder, ambit: '0.1.0' })).close();
  return expectKept(folder, said);
}

/** What `expectWhole` expects, of a log that nobody writes. */
export async function expectKept(folder: string, said: readonly string[]): Promise<number> {
  expect((await verifyLog(folder)).problems).toEqual([]);
  const intents = new Map<string, number>();
  const outcomes = new Map<string, string>();
  for (const record of await readRecords(folder)) {
    if (record.type === 'session.intent') intents.set(record.session, record.seq);
    if (record.type !== 'session.outcome') continue;
    expect(outcomes.has(record.session), `a second outcome of ${record.session}`).toBe(false);
    expect(record.intent).toBe(intents.get(record.session));
    outcomes.set(record.session, record.status);
  }
  for (const [kind, id] of said.map((line) => line.split(' ') as [string, string])) {
    if (kind === 'intent') expect(intents.has(id), `acknowledged intent of ${id}`).toBe(true);
    if (kind === 'outcome') expect(outcomes.get(id), `acknowledged outcome of ${id}`).toBe('completed');
  }
  expect([...intents.keys()].filter((session) => !outcomes.has(session))).toEqual([]);
  return [...outcomes.values()].filter((status) => status === 'orphaned').length;
}
