import { join } from 'node:path';
import { root, type Server as AnyServer, startServer } from '../server.ts';

export { running } from '../server.ts';

/** Subjects of the example. */
const subjects = {
  maria: { tenant: 'mobility', roles: ['operator'], claims: { state: 'CA' } },
  vera: { tenant: 'mobility', roles: ['auditor'] },
  noah: { tenant: 'mobility', roles: ['researcher'], claims: { released_until: '2001-04-01T00:00:00' } },
};

export type Name = keyof typeof subjects;

/** A server of the example. */
export interface Server extends AnyServer<Name> {
  /** Asks the product in SQL. */
  ask(name: Name, purpose: string, sql: string, headers?: Record<string, string>): Promise<Response>;
  restart(): Promise<Server>;
}

/** Starts the example, or other contracts, with an environment of its own. */
export async function startExample(
  paths: readonly string[] = [join(root, 'examples/flights')],
  environment = '',
): Promise<Server> {
  const lake = `stores:\n  lake: { root: ${join(root, 'node_modules/vega-datasets/data')} }\n`;
  return asking(await startServer({ paths, environment: `${lake}${environment}`, subjects }));
}

function asking(server: AnyServer<Name>): Server {
  return {
    ...server,
    ask: (name, purpose, sql, headers = {}) =>
      server.as(name, '/v1/products/flights/query', { body: { sql, purpose }, headers }),
    restart: async () => asking(await server.restart()),
  };
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
