import { execFile } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Receiver, startReceiver } from '../exports/receiver.ts';
import { root, type Server, startServer } from '../server.ts';

// A product whose literals are sealed, served with everything that could tell of them: exports, and people who look back.

const contract = `apiVersion: ambit/v1
kind: DataProduct
name: people
version: 1.0.0
tenant: a
owner: { team: people }
purposes: { analytics: Look, audit: Check }
evidence: { literals: sealed }
stores: { lake: { root: data } }
catalogs: { csv: { type: csv, store: lake } }
tables:
  emp:
    catalog: csv
    path: emp.csv
    columns: { id: { type: bigint }, name: { type: string }, born: { type: date }, salary: { type: bigint } }
  numbers: { catalog: csv, path: numbers.csv, columns: { n: { type: bigint } } }
  visits: { catalog: csv, path: visits/, partitions: [clinic], columns: { clinic: { type: string }, day: { type: int } } }
views: { earners: { sql: "SELECT id, name FROM emp WHERE salary > 100" } }
functions: { allow: ["@aggregate", "@math", "@string", "@datetime", "@conditional", "@regex", "@encoding", "@struct", "@other"] }
limits: { timeout: 3s, concurrency: 8 }
queries:
  by-name:
    parameters: { name: { type: string }, above: { type: int, default: 0, maximum: 1000 } }
    sql: "SELECT id FROM emp WHERE name = $name AND salary > $above"
policies: { masks: { secret: { table: emp, column: salary, with: "value / 10" } } }
`;

const cedar = `
@id("analysts") permit (principal in Role::"a/analyst", action in [Action::"open", Action::"read", Action::"call"], resource)
when { context.purpose == "analytics" };
@id("owners") permit (principal in Role::"a/owner", action == Action::"readEvidence", resource);
`;

const subjects = {
  ann: { tenant: 'a', roles: ['analyst'] },
  olga: { tenant: 'a', roles: ['owner'] },
  teo: { tenant: 'a', roles: ['evidence-auditor'] },
  eve: { tenant: 'b', roles: ['analyst'] },
  ruth: { tenant: 'ambit', roles: ['auditor'] },
};

export type Name = keyof typeof subjects;

/** A server whose evidence has its literals sealed. */
export interface SealedWorld {
  readonly server: Server<Name>;
  readonly receiver: Receiver;
  /** Asks as `ann`. Returns the session, if there was one, and what was answered. */
  ask(
    body: object,
    path?: string,
  ): Promise<{ readonly session: string; readonly status: number; readonly text: string }>;
  /** Runs the command line where the server's files are. */
  ambit(
    words: readonly string[],
    name?: Name,
  ): Promise<{ readonly code: number; readonly out: string; readonly err: string }>;
  /** Every file of the server but those that hold keys, by path. */
  files(): ReadonlyMap<string, Buffer>;
  records(): readonly Record<string, unknown>[];
  close(): Promise<void>;
}

export async function startSealed(): Promise<SealedWorld> {
  const folder = mkdtempSync(join(tmpdir(), 'ambit-sealed-'));
  mkdirSync(join(folder, 'data/visits/clinic=north'), { recursive: true });
  writeFileSync(join(folder, 'data/emp.csv'), 'id,name,born,salary\n1,ann,2001-01-01,100\n2,bob,1990-05-05,200\n');
  writeFileSync(join(folder, 'data/numbers.csv'), `n\n${[...Array(5_000).keys()].join('\n')}\n`);
  writeFileSync(join(folder, 'data/visits/clinic=north/part.csv'), 'day\n1\n2\n');
  writeFileSync(join(folder, 'people.yaml'), contract);
  writeFileSync(join(folder, 'people.cedar'), cedar);
  const receiver = await startReceiver();
  const server = await startServer<Name>({
    paths: [join(folder, 'people.yaml')],
    environment: `engine: { workers: 1, threads: 2, memory: 512MiB, spill: 256MiB }
exports:
  openlineage: { url: "${receiver.url}/lineage" }
  otlp: { url: "${receiver.url}/otlp" }
`,
    subjects,
  });
  return {
    server,
    receiver,
    ask: async (body, path = 'query') => {
      const answer = await server.as('ann', `/v1/products/people/${path}`, { body: { purpose: 'analytics', ...body } });
      const text = await answer.text();
      const { session = '' } = answer.ok ? {} : (JSON.parse(text) as { session?: string });
      return { session: answer.headers.get('ambit-session') ?? session, status: answer.status, text };
    },
    ambit: (words, name) =>
      new Promise((done) => {
        const as = name === undefined ? {} : { AMBIT_SERVER: server.url, AMBIT_TOKEN: server.token(name) };
        const command = [join(root, 'packages/cli/bin/ambit.js'), ...words];
        execFile(process.execPath, command, { cwd: server.folder, env: { ...process.env, ...as } }, (error, out, err) =>
          done({ code: error === null ? 0 : Number(error.code), out, err }),
        );
      }),
    files: () => filesOf(server.folder),
    records: () => recordsOf(join(server.folder, '.ambit/evidence')),
    close: async () => {
      await server.close();
      await receiver.close();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

function filesOf(folder: string): ReadonlyMap<string, Buffer> {
  const paths = readdirSync(folder, { recursive: true }).map(String);
  const files = paths.filter((path) => statSync(join(folder, path), { throwIfNoEntry: false })?.isFile());
  return new Map(
    files.filter((path) => !path.includes('evidence.seals')).map((path) => [path, readFileSync(join(folder, path))]),
  );
}

/** The records of a log, in order. */
export function recordsOf(log: string): readonly Record<string, unknown>[] {
  const segments = readdirSync(log).filter((name) => name.endsWith('.segment'));
  return segments.toSorted().flatMap((name) =>
    readFileSync(join(log, name), 'utf8')
      .split('\n')
      .slice(1, -1)
      .map((line) => JSON.parse(line.slice(65)) as Record<string, unknown>),
  );
}
