import type { BoundaryTable } from '@ambit/contract';
import {
  type Engine,
  EngineUnavailable,
  type RunningSession,
  type SessionTemplate,
  type SourceAccess,
} from '@ambit/engine';
import type { EvidenceLog } from '@ambit/evidence';
import { type Issuer, keysOf, recordIssued } from '../credentials/issuer.ts';
import { CredentialUnavailable } from '../credentials/keys.ts';
import { sourceOf } from '../describe.ts';
import { limits } from '../limits.ts';
import type { Product } from '../load.ts';
import { storeNameOf, storeOf } from '../stores.ts';
import type { Question } from './measure.ts';

// A question of the server's own to the data of a product: in a session like any other, but for a grant. There is no
// subject whose it could be; it shows every row to nobody, and gives a number.

/** Who is asked, and who has to know of it. */
export interface Asking {
  /** The workers that are there now. */
  readonly engine: () => Pick<Engine, 'open'>;
  readonly issuer: Issuer;
  readonly evidence: EvidenceLog;
}

/** What came of a question. */
export interface Told {
  /** The number; null: there is none. */
  readonly value: number | null;
  /** Why there is none. */
  readonly code: string | null;
  readonly accesses: readonly SourceAccess[];
}

/** Why there was no number of which nobody is to blame but the moment. */
export const OF_THE_MOMENT: readonly string[] = [
  'engine_unavailable',
  'engine_crashed',
  'credential_unavailable',
  'cancelled',
];

/** What a question reads of a product, as it lies there: without row filters and masks, and nothing else of it. */
function ungoverned(product: Product, { tables: read, views: named, functions }: Question): SessionTemplate {
  const { boundary, fingerprint } = product;
  const tables = read.flatMap((name) => {
    const table = boundary.tables[name];
    return table === undefined ? [] : [[name, table] as const];
  });
  const stores = new Set(tables.map(([name]) => storeNameOf(boundary, name)));
  const views = named.flatMap((name) => {
    const view = boundary.views[name];
    return view === undefined ? [] : [[name, { sql: view.sql }] as const];
  });
  return {
    boundary: fingerprint,
    stores: Object.fromEntries([...stores].map((name) => [name, storeOf(product, name)])),
    sources: Object.fromEntries(tables.map(([name, table]) => [name, sourceOf(table, storeNameOf(boundary, name))])),
    tables: Object.fromEntries(tables.map(([name, table]) => [name, wholeOf(name, table)])),
    views: Object.fromEntries(views),
    functions: [...functions],
    settings: Object.fromEntries(Object.entries(boundary.settings).map(([key, { value }]) => [key, value])),
    claims: {},
  };
}

function wholeOf(source: string, { columns, statistics }: BoundaryTable): SessionTemplate['tables'][string] {
  const all = columns.map(({ name }) => ({ name, masks: [] }));
  return { source, columns: all, filters: [], closed: false, statistics: statistics ?? true };
}

/** Asks in a session that is gone afterwards, under the limits of the product's own. Throws `EvidenceUnavailable`. */
export async function ask(
  asking: Asking,
  product: Product,
  asked: { readonly question: Question; readonly id: string; readonly clockMicros: number },
  signal: AbortSignal,
): Promise<Told> {
  if (signal.aborted) return noNumber('cancelled');
  let started: RunningSession;
  try {
    started = await open(asking, product, asked);
  } catch (error) {
    if (error instanceof EngineUnavailable) return noNumber('engine_unavailable');
    if (error instanceof CredentialUnavailable) return noNumber('credential_unavailable');
    throw error;
  }
  const cancel = (): void => started.cancel();
  signal.addEventListener('abort', cancel, { once: true });
  try {
    return await answerOf(started);
  } finally {
    signal.removeEventListener('abort', cancel);
    await started.events.return();
  }
}

/** What its stores are asked with is on record before the engine has it. */
async function open(
  { engine, issuer, evidence }: Asking,
  product: Product,
  { question, id, clockMicros }: Parameters<typeof ask>[2],
): Promise<RunningSession> {
  const { timeoutMs, concurrency: _, queue: __, ...bounds } = product.boundary.limits;
  const template = ungoverned(product, question);
  const issued = await issuer.issue(product, template, Date.now() + timeoutMs);
  await recordIssued(evidence, issued);
  return engine().open(template, {
    session: id,
    tenant: product.boundary.product.tenant,
    purpose: 'quality',
    claims: {},
    clockMicros,
    credentials: keysOf(issued),
    // More than a row is no answer.
    limits: { ...bounds, rows: 1, bytes: limits.qualityAnswerBytesMax, deadlineMs: timeoutMs },
    statement: { sql: question.sql, parameters: { ...question.parameters } },
    format: 'json',
    traceparent: null,
  });
}

async function answerOf({ events }: RunningSession): Promise<Told> {
  const chunks: Uint8Array[] = [];
  for (let next = await events.next(); next.done !== true; next = await events.next()) {
    const event = next.value;
    if (event.kind === 'data') chunks.push(event.bytes);
    if (event.kind === 'crashed') return noNumber(event.crash.cause === 'killed' ? 'limit_time' : 'engine_crashed');
    if (event.kind !== 'outcome') continue;
    const { error, accesses } = event.outcome;
    if (error !== null) return noNumber(error.code, accesses);
    const value = numberOf(Buffer.concat(chunks).toString('utf8'));
    return value === null ? noNumber('no_number', accesses) : { value, code: null, accesses };
  }
  return noNumber('engine_crashed');
}

function noNumber(code: string, accesses: readonly SourceAccess[] = []): Told {
  return { value: null, code, accesses };
}

/** A share where there are two. Of nothing it is none. */
function numberOf(json: string): number | null {
  const { rows } = JSON.parse(json) as { readonly rows: readonly (readonly (number | string | null)[])[] };
  const [found = null, total] = rows[0] ?? [];
  if (found === null) return null;
  const value = Number(found);
  if (!Number.isFinite(value)) return null;
  if (total === undefined) return value;
  return Number(total) === 0 ? 0 : Math.round((value / Number(total)) * 1e8) / 1e6;
}
