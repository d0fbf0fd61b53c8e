import { hash } from 'node:crypto';
import type { Engine, Planned, SessionEvent, TypedValue } from '@ambit/engine';
import type { Json, SessionIntent, SessionOutcome } from '@ambit/evidence';
import type { Grant, Subject } from '@ambit/policy';
import type { Approval } from './approval.ts';
import { Refused, SessionFailed } from './errors.ts';
import type { Issued } from './credentials/issuer.ts';
import { neededSources } from './describe.ts';
import type { Product } from './load.ts';
import { declaredParameters, inferParameters } from './parameters.ts';
import type { Request } from './path.ts';
import type { Running } from './running.ts';
import { storeNameOf } from './stores.ts';
import { sealIntent, type Sealing, sealOutcome } from './sealing/records.ts';

// What a session is, step by step, and the records that it leaves.

export interface Statement {
  readonly kind: 'sql' | 'query';
  readonly name: string | null;
  readonly sql: string;
  readonly parameters: Record<string, TypedValue>;
}

export interface Opening {
  readonly product: Product;
  /** The workers that were there when it began. */
  readonly engine: Engine;
  readonly grant: Grant & { readonly digest: string };
  readonly statement: Statement;
  readonly request: Request;
  readonly clockMicros: number;
  readonly watch: Watch;
  readonly leave: () => void;
}

export interface Session extends Opening, Progress {
  readonly id: string;
  readonly intent: number;
  readonly running: Running;
  /** Null: its records hold literals as they are. */
  readonly sealing: Sealing | null;
  /** Gives back what was made ready for it to read. */
  readonly sources: { release: () => void };
  /** Gives back its place, and forgets it. */
  readonly close: () => void;
}

/** What is learned of a session while it runs. */
interface Progress {
  planned: Planned | null;
  /** What its stores can be asked with. */
  issued: readonly Issued[];
  sandbox: Json;
  readonly delivered: { rows: number; bytes: number };
}

export function nothingYet(): Progress {
  return { planned: null, issued: [], sandbox: null, delivered: { rows: 0, bytes: 0 } };
}

export function statementOf(
  { boundary }: Product,
  grant: Grant,
  { ask, parameters, parametersFrom }: Request,
): Statement {
  if ('sql' in ask) return { kind: 'sql', name: null, sql: ask.sql, parameters: inferParameters(parameters) };
  const query = grant.queries.includes(ask.query) ? boundary.queries[ask.query] : undefined;
  if (query === undefined) {
    const hint = grant.queries.length === 0 ? 'this session has none' : `queries here: ${grant.queries.join(', ')}`;
    throw new Refused('query_unknown', `no query \`${ask.query}\` in this session`, hint, []);
  }
  return {
    kind: 'query',
    name: ask.query,
    sql: query.sql,
    parameters: declaredParameters(query.parameters, parameters, parametersFrom),
  };
}

/** Declared claims alone cross, in their declared types. */
export function claimsOf({ boundary }: Product, subject: Subject): Record<string, TypedValue> {
  const claims: Record<string, TypedValue> = {};
  for (const [name, { type }] of Object.entries(boundary.claims)) {
    const value = subject.claims[name];
    if (value !== undefined) claims[name] = { type, value };
  }
  return claims;
}

export function limitsOf({ boundary: { limits } }: Product, watch: Watch) {
  const { timeoutMs, concurrency: _, queue: __, ...rest } = limits;
  return { ...rest, deadlineMs: Math.max(1, timeoutMs - watch.elapsedMs()) };
}

export function intentOf(
  id: string,
  { product, grant, statement, request, clockMicros }: Opening,
  review: Approval | null,
  sealing: Sealing | null,
): SessionIntent {
  const { boundary, fingerprint } = product;
  const { kind, name, sql, parameters } = statement;
  const digest = `sha256:${hash('sha256', sql, 'hex')}`;
  const intent: SessionIntent = {
    type: 'session.intent',
    session: id,
    request: request.id,
    product: boundary.product.name,
    version: boundary.product.version,
    environment: boundary.environment,
    fingerprint,
    grant: grant.digest,
    subject: exact(request.subject as unknown as Json),
    purpose: grant.purpose,
    scope: 'request',
    statement: {
      kind,
      name,
      sql,
      digest,
      parameters: exact(parameters as unknown as Json) as { [name: string]: Json },
    },
    format: request.format,
    limits: boundary.limits as unknown as Json,
    credentials: credentialsOf(product, grant),
    traceparent: request.traceparent,
    clockMicros,
    ...(review === null ? {} : { review: review.digest }),
    ...replayOf(request),
  };
  return sealIntent(intent, sealing);
}

/** That a session repeats another, and for whom, as records say it. */
export function replayOf({ replay }: Request): { readonly replay?: { readonly of: string; readonly by: Json } } {
  if (replay === undefined) return {};
  const { tenant, principal, kind, authentication } = replay.by;
  return { replay: { of: replay.of, by: { tenant, principal, kind, authentication: { ...authentication } } } };
}

function credentialsOf({ boundary }: Product, grant: Grant): Json {
  const stores = neededSources(boundary, grant).map((table) => storeNameOf(boundary, table));
  return Object.fromEntries(
    [...new Set(stores)].toSorted().map((store) => [store, boundary.stores[store]?.credential ?? null]),
  );
}

/** Evidence holds no floats: a fraction is kept as its text. */
function exact(value: Json): Json {
  return holdsFraction(value) ? written(value) : value;
}

/** Hardly any does. */
function holdsFraction(value: Json): boolean {
  if (typeof value === 'number') return !Number.isSafeInteger(value);
  return value !== null && typeof value === 'object' && Object.values(value).some(holdsFraction);
}

function written(value: Json): Json {
  if (typeof value === 'number') return Number.isSafeInteger(value) ? value : String(value);
  if (Array.isArray(value)) return value.map(written);
  if (value === null || typeof value !== 'object') return value;
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, written(inner)]));
}

export type Told = Pick<SessionFailed, 'code' | 'message' | 'hint' | 'position'>;

export function outcomeOf(session: Session, { outcome: engine }: Extract<SessionEvent, { kind: 'outcome' }>) {
  const { status, error, ...report } = engine;
  const told: Told | null =
    error === null ? null : { ...error, position: error.position ?? null, hint: error.hint ?? null };
  // What the engine encoded was delivered only if a byte of it left: the last chunk is held back until the outcome is known.
  if (status === 'completed' || session.delivered.bytes > 0) session.delivered.rows = engine.rows;
  const record = outcome(session, status, told, error?.detail ?? null, report as unknown as Json);
  return {
    record,
    failure:
      told === null ? null : new SessionFailed({ id: session.id, fingerprint: session.product.fingerprint }, told),
  };
}

export function crashOf(session: Session, { crash }: Extract<SessionEvent, { kind: 'crashed' }>) {
  const overrun = crash.cause === 'killed';
  const told: Told = crash.cancelled
    ? { code: 'cancelled', message: 'the session was cancelled', hint: null, position: null }
    : overrun
      ? {
          code: 'limit_time',
          message: "the session's time limit was reached",
          hint: 'read less, or ask the owner for more time',
          position: null,
        }
      : {
          code: 'engine_crashed',
          message: 'the worker of the session died',
          hint: 'nothing was left behind; try again, or ask for less at once',
          position: null,
        };
  const detail = overrun ? 'the worker was killed: the session did not end by itself' : 'the worker died';
  return {
    record: outcome(session, 'crashed', told, detail, null),
    failure: new SessionFailed({ id: session.id, fingerprint: session.product.fingerprint }, told),
  };
}

export function outcome(
  session: Session,
  status: SessionOutcome['status'],
  told: Told | null,
  detail: string | null,
  report: Json,
): SessionOutcome {
  const planned = session.planned as unknown as { [key: string]: Json } | null;
  const engine = { sandbox: session.sandbox, ...planned, ...(report as { [key: string]: Json } | null) };
  const whole: SessionOutcome = {
    type: 'session.outcome',
    session: session.id,
    intent: session.intent,
    status,
    error:
      told === null ? null : { code: told.code, message: told.message, detail: detail ?? whoCancelled(session, told) },
    rows: session.delivered.rows,
    bytes: session.delivered.bytes,
    engine: exact(engine),
    ...issuedTo(session),
    steps: session.watch.steps,
  };
  return sealOutcome(whole, session.sealing);
}

/** What its stores could be asked with: by name, never the secret. */
function issuedTo({ issued }: Session): Pick<SessionOutcome, 'issued'> {
  if (issued.length === 0) return {};
  const named = issued.map(({ record: { reference, digest, keyId, role, expires } }) => ({
    reference,
    digest,
    keyId,
    role,
    expires,
  }));
  return { issued: named };
}

/** For the owner: whose doing a cancel was. */
function whoCancelled({ running }: Session, { code }: Told): string | null {
  return code === 'cancelled' && running.cancelled !== null ? `cancelled ${running.cancelled}` : null;
}

/** A body whose first part was pulled already. However early its reader stops, the rest is told. */
export function startingWith(
  first: IteratorResult<Uint8Array, void>,
  rest: AsyncGenerator<Uint8Array, void, undefined>,
): AsyncGenerator<Uint8Array, void, undefined> {
  let held: typeof first | null = first;
  return {
    next: async () => {
      const given = held ?? (await rest.next());
      held = null;
      return given;
    },
    return: (value) => rest.return(value),
    throw: (error) => rest.throw(error),
    [Symbol.asyncIterator]() {
      return this;
    },
  };
}

/** Microseconds of each step. */
export class Watch {
  readonly startedAt = Date.now();
  readonly steps: Record<string, number> = {};
  readonly #start = process.hrtime.bigint();
  #last = this.#start;

  mark(step: string): void {
    const now = process.hrtime.bigint();
    this.steps[step] = Number((now - this.#last) / 1_000n);
    this.#last = now;
  }

  elapsedMs(): number {
    return Number((process.hrtime.bigint() - this.#start) / 1_000_000n);
  }
}
