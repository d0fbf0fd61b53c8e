import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'vitest';
import { type Asked, type Server, startServer } from '../server.ts';
import { writeWorld } from './product.ts';
import { HIDDEN_NUMBER, TRIPWIRE, type World as Rows } from './rows.ts';

/** Who attacks, and whom. Only the auditor may see what the policy hides. */
const subjects = {
  alice: { tenant: 'a', roles: ['analyst'], claims: { tenant: 'a', lead: 'lea' } },
  bob: { tenant: 'b', roles: ['analyst'], claims: { tenant: 'b', lead: 'lea' } },
  bill: { tenant: 'a', roles: ['biller', 'analyst'], claims: { tenant: 'a', lead: 'lea' } },
  claimless: { tenant: 'a', roles: ['analyst'] },
  stranger: { tenant: 'a', roles: ['visitor'], claims: { tenant: 'a' } },
  auditor: { tenant: 'a', roles: ['auditor'], claims: { tenant: 'a', lead: 'lea' } },
} as const;

export type Name = keyof typeof subjects;

/** What came back, whole. */
export interface Reply {
  readonly status: number;
  /** The transfer had its end. */
  readonly complete: boolean;
  readonly headers: Readonly<Record<string, string>>;
  readonly bytes: Buffer;
  readonly text: string;
  /** Its body. */
  // oxlint-disable-next-line typescript/no-unnecessary-type-parameters -- who asked knows the form of the answer
  json<T = Readonly<Record<string, unknown>>>(): T;
}

export interface Query {
  readonly sql: string;
  readonly as?: Name;
  readonly product?: string;
  readonly purpose?: string;
  readonly parameters?: object;
  readonly accept?: string;
}

/** A server over the rows of one world. Every answer to a consumer is searched for what the policy hides. */
export interface World {
  readonly server: Server<Name>;
  /** Contracts and data. */
  readonly folder: string;
  send(as: Name | null, path: string, asked?: Asked): Promise<Reply>;
  ask(query: Query | string): Promise<Reply>;
  /** Kills the server, and starts it again. */
  restart(): Promise<void>;
  close(): Promise<void>;
}

export interface Options {
  readonly wide?: boolean;
  readonly environment?: string;
  /** Adds contracts to the world's own, in its folder. */
  readonly also?: (folder: string, rows: Rows) => readonly string[];
}

export async function startWorld(rows: Rows, { wide = false, environment = '', also }: Options = {}): Promise<World> {
  const folder = mkdtempSync(join(tmpdir(), `ambit-attack-${rows}-`));
  const paths = [...writeWorld(folder, rows, { wide }), ...(also?.(folder, rows) ?? [])];
  const engine = 'engine: { workers: 1, threads: 2, memory: 512MiB, spill: 256MiB }\n';
  let server = await startServer({ paths, environment: environment === '' ? engine : environment, subjects });
  const send: World['send'] = async (as, path, asked = {}) => {
    const reply = await whole(await server.as(as, path, asked));
    if (as !== 'auditor') expectNothingHidden(reply, `${path} ${JSON.stringify(asked.body ?? null)}`);
    return reply;
  };
  return {
    get server() {
      return server;
    },
    folder,
    send,
    ask: (query) => {
      const { sql, as = 'alice', product = 'people', purpose = 'analytics', parameters, accept } = asQuery(query);
      return send(as, `/v1/products/${product}/query`, {
        body: { sql, purpose, ...(parameters === undefined ? {} : { parameters }) },
        ...(accept === undefined ? {} : { headers: { accept } }),
      });
    },
    restart: async () => {
      server = await server.restart();
    },
    close: async () => {
      const said = server.said();
      const left = temporaryFiles(server.folder);
      await server.close();
      rmSync(folder, { recursive: true, force: true });
      expect(hiddenIn(Buffer.from(said)), 'in what the server wrote for its operator').toBeNull();
      for (const [path, bytes] of left) expect(hiddenIn(bytes), `in the temporary file ${path}`).toBeNull();
    },
  };
}

export const asQuery = (query: Query | string): Query => (typeof query === 'string' ? { sql: query } : query);

export async function whole(response: Response): Promise<Reply> {
  const chunks: Uint8Array[] = [];
  let complete = true;
  try {
    for await (const chunk of response.body ?? []) chunks.push(chunk);
  } catch {
    complete = false;
  }
  const bytes = Buffer.concat(chunks);
  const text = bytes.toString('utf8');
  return {
    status: response.status,
    complete,
    headers: Object.fromEntries(response.headers),
    bytes,
    text,
    // oxlint-disable-next-line typescript/no-unnecessary-type-parameters -- as declared
    json: <T>() => JSON.parse(text) as T,
  };
}

const upper = Buffer.alloc(8);
upper.writeBigInt64LE(BigInt(HIDDEN_NUMBER));
/** In text the first digits, in Arrow the upper bytes, of every hidden number; and the word in every hidden text. */
const HIDDEN: readonly (readonly [string, Buffer])[] = [
  ['a hidden text', Buffer.from(TRIPWIRE)],
  ['a hidden number', Buffer.from(String(HIDDEN_NUMBER).slice(0, 8))],
  ['a hidden number', upper.subarray(3)],
];

/** What of the hidden is in these bytes, if anything. */
export function hiddenIn(bytes: Buffer): string | null {
  for (const [what, pattern] of HIDDEN) {
    const at = bytes.indexOf(pattern);
    if (at >= 0) return `${what} at byte ${at}: ${bytes.subarray(Math.max(0, at - 60), at + 60).toString('latin1')}`;
  }
  return null;
}

export function expectNothingHidden({ bytes, headers }: Reply, context: string): void {
  expect(hiddenIn(bytes), `in the answer to ${context}`).toBeNull();
  expect(hiddenIn(Buffer.from(JSON.stringify(headers))), `in the headers of ${context}`).toBeNull();
}

/** Files below `tmp` of a server's folder that can be opened by name. */
export function temporaryFiles(folder: string): readonly (readonly [string, Buffer])[] {
  const entries = readdirSync(join(folder, 'tmp'), { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) => [entry.name, readFileSync(join(entry.parentPath, entry.name))] as const);
}
