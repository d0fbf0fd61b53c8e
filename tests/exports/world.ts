import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'vitest';
import { type Server, startServer } from '../server.ts';
import type { Receiver, Sent } from './receiver.ts';
import type { Event } from './schemas.ts';

/** Stand in rows that nobody sees, in statements, in files of headers: in nothing that is exported. */
export const HIDDEN = 'HIDDENVALUE';
export const LITERAL = 'LITERALVALUE';
export const TOKEN = 'Bearer TOKENVALUE';

const contract = `apiVersion: ambit/v1
kind: DataProduct
name: people
version: 1.0.0
tenant: a
owner: { team: people }
purposes: { analytics: Look, audit: Check }
stores: { lake: { root: data } }
catalogs: { csv: { type: csv, store: lake } }
tables:
  emp:
    catalog: csv
    path: emp.csv
    columns: { id: { type: bigint }, tenant: { type: string }, name: { type: string }, salary: { type: bigint } }
  teams:
    catalog: csv
    path: teams.csv
    columns: { id: { type: bigint }, team: { type: string } }
  numbers:
    catalog: csv
    path: numbers.csv
    columns: { n: { type: bigint } }
functions: { allow: ["@aggregate", "@math", "@string", "@other"] }
limits: { timeout: 20s, concurrency: 64 }
policies:
  rows: { own: { table: emp, where: tenant = $tenant } }
queries:
  by-name:
    parameters: { name: { type: string } }
    sql: "SELECT id, name FROM emp WHERE name = $name"
`;

const cedar = `
@id("analysts")
permit (principal in Role::"a/analyst", action in [Action::"open", Action::"read", Action::"call"], resource)
when { context.purpose == "analytics" };
`;

/** Runs for as long as it is let. */
export const ENDLESS = 'SELECT count(*) FROM numbers a, numbers b, numbers c WHERE a.n + b.n + c.n = -1';

type Name = 'ann' | 'stranger';

/** A server whose sessions are exported. */
export interface World {
  /** Folder of its contract, `people.yaml`. */
  readonly folder: string;
  readonly server: Server<Name>;
  ask(sql: string, headers?: Record<string, string>, signal?: AbortSignal): Promise<Response>;
  /** Kills it, and starts it again. */
  restart(): Promise<void>;
  /** Stops it, and says how long that took. */
  stop(): Promise<number>;
  close(): Promise<void>;
}

/** `exports` is YAML; `token` in the folder of the environment holds `TOKEN`. */
export async function startWorld(exports: string, environment = ''): Promise<World> {
  const folder = mkdtempSync(join(tmpdir(), 'ambit-exports-'));
  mkdirSync(join(folder, 'data'));
  const rows = [`1,a,ann,100`, `2,a,bob,200`, `3,b,${HIDDEN},300`, `4,b,${HIDDEN},0`];
  writeFileSync(join(folder, 'data/emp.csv'), `id,tenant,name,salary\n${rows.join('\n')}\n`);
  writeFileSync(join(folder, 'data/teams.csv'), 'id,team\n1,red\n2,blue\n');
  writeFileSync(join(folder, 'data/numbers.csv'), `n\n${[...Array(5_000).keys()].join('\n')}\n`);
  writeFileSync(join(folder, 'people.yaml'), contract);
  writeFileSync(join(folder, 'people.cedar'), cedar);
  writeFileSync(join(folder, 'token'), `${TOKEN}\n`);
  let server = await startServer<Name>({
    paths: [join(folder, 'people.yaml')],
    environment: `engine: { workers: 1, threads: 2, memory: 512MiB, spill: 256MiB }\n${environment}exports:\n${exports.replaceAll('TOKEN_FILE', join(folder, 'token'))}`,
    subjects: { ann: { tenant: 'a', roles: ['analyst'] }, stranger: { tenant: 'b', roles: ['visitor'] } },
  });
  let stopped = false;
  const stop = async (): Promise<number> => {
    const from = Date.now();
    stopped = true;
    const gone = new Promise((exit) => server.process.once('exit', exit));
    server.process.kill('SIGTERM');
    await gone;
    return Date.now() - from;
  };
  return {
    folder,
    get server() {
      return server;
    },
    ask: (sql, headers = {}, signal) =>
      server.as('ann', '/v1/products/people/query', {
        body: { sql, purpose: 'analytics' },
        headers,
        ...(signal === undefined ? {} : { signal }),
      }),
    restart: async () => {
      server = await server.restart();
    },
    stop,
    close: async () => {
      const said = server.said();
      if (!stopped) await stop();
      rmSync(server.folder, { recursive: true, force: true });
      rmSync(folder, { recursive: true, force: true });
      expectNothing(said);
    },
  };
}

/** Fails when a text holds what nothing that is exported may. */
export function expectNothing(text: string): void {
  for (const planted of [HIDDEN, LITERAL, 'TOKENVALUE']) expect(text).not.toContain(planted);
}

/** Fails when a receiver was told what it may not be. */
export function expectNothingIn({ came }: Receiver): void {
  for (const { path, text } of came) {
    expectNothing(path);
    expectNothing(text);
  }
}

export function eventsOf(sent: readonly Sent[]): readonly Event[] {
  return sent.map(({ text }) => JSON.parse(text) as Event);
}

/** Types of the events of a session, in the order in which they came. */
export function courseOf(events: readonly Event[], session: string): readonly string[] {
  return events
    .filter(({ run }) => run.facets['ambit_session']?.['session'] === session)
    .map(({ eventType }) => eventType);
}

/** The session of an answer, read to its end. */
export async function sessionOf(answer: Response): Promise<string> {
  const text = await answer.text().catch(() => '');
  const header = answer.headers.get('ambit-session');
  return header ?? (JSON.parse(text) as { session?: string }).session ?? '';
}
