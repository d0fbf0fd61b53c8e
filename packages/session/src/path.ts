import { createHash, randomBytes } from 'node:crypto';
import type {
  Engine,
  OutputFormat,
  Planned,
  ResultColumn,
  RunningSession,
  SessionEvent,
  TypedValue,
} from '@ambit/engine';
import { EngineProtocolError, EngineUnavailable } from '@ambit/engine';
import type { EvidenceLog, Json, SessionOutcome } from '@ambit/evidence';
import { authorize, type Grant, type Subject } from '@ambit/policy';
import { Admission } from './admission.ts';
import { describe } from './describe.ts';
import { Refused, SessionFailed } from './errors.ts';
import type { Product } from './load.ts';
import { declaredParameters, type GivenValue, inferParameters } from './parameters.ts';

/** What somebody asks. The subject comes from authentication alone. */
export interface Request {
  /** Chosen by the server, for its logs. */
  readonly id: string;
  readonly subject: Subject;
  readonly product: string;
  readonly purpose: string | null;
  readonly ask: { readonly sql: string } | { readonly query: string };
  readonly parameters: Readonly<Record<string, GivenValue>>;
  readonly format: OutputFormat;
  readonly traceparent: string | null;
}

/** A session that delivers. */
export interface Answer {
  readonly session: string;
  readonly fingerprint: string;
  readonly purpose: string;
  /** Position of the intent in the evidence. */
  readonly evidence: number;
  readonly columns: readonly ResultColumn[];
  /** Its end is reached when the outcome is durable; it throws `SessionFailed` if the session does not complete. */
  readonly body: AsyncGenerator<Uint8Array, void, undefined>;
}

/** The one path. There is no second way to the engine. */
export class Path {
  readonly #products: ReadonlyMap<string, Product>;
  readonly #engine: Engine;
  readonly #evidence: EvidenceLog;
  readonly #admission = new Admission();
  readonly #running = new Map<string, RunningSession>();

  constructor(products: readonly Product[], engine: Engine, evidence: EvidenceLog) {
    this.#products = new Map(products.map((product) => [product.boundary.product.name, product]));
    this.#engine = engine;
    this.#evidence = evidence;
  }

  /** Resolves when the first bytes are there. Throws `Refused`, `SessionFailed` or `EvidenceUnavailable` before that. */
  async run(request: Request): Promise<Answer> {
    const watch = new Watch();
    try {
      const product = this.#resolve(request);
      const grant = this.#authorize(product, request);
      const statement = statementOf(product, grant, request);
      watch.mark('authorize');
      const leave = await this.#admit(product, request, watch);
      try {
        return await this.#open({ product, grant, statement, request, watch, leave });
      } catch (error) {
        leave();
        throw error;
      }
    } catch (error) {
      if (error instanceof Refused) await this.#recordRefusal(request, error);
      throw error;
    }
  }

  /** Ends a running session. False: it does not run here. */
  cancel(session: string): boolean {
    const running = this.#running.get(session);
    running?.cancel();
    return running !== undefined;
  }

  #resolve({ product }: Request): Product {
    const found = this.#products.get(product);
    if (found !== undefined) return found;
    // The same words as for a product that this subject may not open.
    throw new Refused(
      'product_unknown',
      `no product \`${product}\` for this subject`,
      'list the products that you may open',
      [],
    );
  }

  #authorize(product: Product, { subject, purpose }: Request): Grant & { readonly digest: string } {
    const answer = authorize(product.policies, subject, purpose);
    if (answer.allowed) return answer.grant;
    const { code, message, hint, decisions } = answer.refusal;
    throw new Refused(code, message, hint, decisions);
  }

  #admit({ boundary }: Product, { subject }: Request, watch: Watch): Promise<() => void> {
    const key = `${boundary.product.name}\n${subject.tenant}`;
    return this.#admission
      .enter(key, boundary.limits, watch.startedAt + boundary.limits.timeoutMs)
      .finally(() => watch.mark('admit'));
  }

  /** From here on there is a session: an intent, and exactly one outcome. */
  async #open(opening: Opening): Promise<Answer> {
    const { product, grant, statement, request, watch } = opening;
    const id = `ses_${randomBytes(16).toString('hex')}`;
    const { fingerprint } = product;
    await this.#recordGrant(product, grant);
    const intent = await this.#evidence.append(intentOf(id, opening));
    watch.mark('intent');
    const session: Session = {
      ...opening,
      id,
      intent: intent.seq,
      planned: null,
      sandbox: null,
      delivered: { rows: 0, bytes: 0 },
    };
    try {
      const running = await this.#engine.open(describe(product, grant), {
        session: id,
        tenant: request.subject.tenant,
        purpose: grant.purpose,
        claims: claimsOf(product, request.subject),
        clockMicros: Date.now() * 1_000,
        limits: limitsOf(product, watch),
        statement: { sql: statement.sql, parameters: statement.parameters },
        format: request.format,
        traceparent: request.traceparent,
      });
      this.#running.set(id, running);
      session.sandbox = running.sandbox as unknown as Json;
      const body = this.#deliver(session, running);
      // The first pull runs until there is a byte, or throws: a status can still tell.
      const first = await body.next();
      return {
        session: id,
        fingerprint,
        purpose: grant.purpose,
        evidence: intent.seq,
        columns: session.planned?.columns ?? [],
        body: startingWith(first, body),
      };
    } catch (error) {
      if (error instanceof EngineUnavailable) throw await this.#neverRan(session, error);
      throw error;
    }
  }

  /** Streams, one chunk behind: the last is held back until the outcome is durable. */
  async *#deliver(session: Session, running: RunningSession): AsyncGenerator<Uint8Array, void, undefined> {
    let held: Uint8Array | null = null;
    let ended = false;
    try {
      // By hand, not `for await`: leaving that loop would close the events before their outcome.
      for (let next = await running.events.next(); next.done !== true && !ended; next = await running.events.next()) {
        const event = next.value;
        if (event.kind === 'planned') {
          session.planned = event.planned;
          session.watch.mark('plan');
        } else if (event.kind === 'data') {
          if (held !== null) {
            session.delivered.bytes += held.length;
            yield held;
          }
          held = event.bytes;
        } else {
          ended = true;
          await this.#end(session, event, held);
          break;
        }
      }
      if (held !== null) yield held;
    } catch (error) {
      if (!(error instanceof EngineProtocolError)) throw error;
      ended = true;
      throw await this.#refusedByWorker(session, error);
    } finally {
      if (!ended) await this.#abandon(session, running);
      await running.events.return();
      this.#running.delete(session.id);
      session.leave();
    }
  }

  /** Writes the outcome, and throws unless the session completed. */
  async #end(
    session: Session,
    event: Extract<SessionEvent, { kind: 'outcome' | 'crashed' }>,
    held: Uint8Array | null,
  ): Promise<void> {
    session.watch.mark('run');
    const completed = event.kind === 'outcome' && event.outcome.status === 'completed';
    if (completed) session.delivered.bytes += held?.length ?? 0;
    const { record, failure } = event.kind === 'outcome' ? outcomeOf(session, event) : crashOf(session, event);
    await this.#evidence.append(record);
    if (failure !== null) throw failure;
  }

  /** The consumer went away: the session is cancelled, and its outcome is waited for. */
  async #abandon(session: Session, running: RunningSession): Promise<void> {
    running.cancel();
    for await (const event of running.events) {
      if (event.kind === 'planned' || event.kind === 'data') continue;
      session.watch.mark('run');
      const { record } = event.kind === 'outcome' ? outcomeOf(session, event) : crashOf(session, event);
      await this.#evidence.append(record);
      return;
    }
  }

  /** A fault of the control plane: what it sent was not what the worker takes. */
  async #refusedByWorker(session: Session, error: EngineProtocolError): Promise<SessionFailed> {
    const told = {
      code: 'internal' as const,
      message: 'the engine failed; the session was closed',
      hint: null,
      position: null,
    };
    await this.#evidence.append(outcome(session, 'failed', told, `${error.code}: ${error.message}`, null));
    return new SessionFailed({ id: session.id, fingerprint: session.product.fingerprint }, told);
  }

  async #neverRan(session: Session, error: EngineUnavailable): Promise<SessionFailed> {
    const told = {
      code: 'engine_unavailable' as const,
      message: 'no worker can run the session now',
      hint: 'try again later',
      position: null,
    };
    await this.#evidence.append(outcome(session, 'failed', told, error.message, null));
    return new SessionFailed({ id: session.id, fingerprint: session.product.fingerprint }, told);
  }

  async #recordGrant({ boundary, fingerprint }: Product, grant: Grant & { readonly digest: string }): Promise<void> {
    const { name: product, version } = boundary.product;
    await Promise.all([
      this.#evidence.ensureBoundary({
        product,
        version,
        environment: boundary.environment,
        fingerprint,
        boundary: boundary as unknown as Json,
      }),
      this.#evidence.ensureGrant(grant.digest, grant as unknown as Json),
    ]);
  }

  async #recordRefusal({ id, product, subject, purpose }: Request, refused: Refused): Promise<void> {
    const fingerprint = this.#products.get(product)?.fingerprint ?? null;
    const { code, message, decisions } = refused;
    await this.#evidence.append({
      type: 'request.refused',
      request: id,
      product,
      fingerprint,
      subject: subject as unknown as Json,
      purpose,
      code,
      message,
      decisions: decisions as unknown as Json,
    });
  }
}

interface Statement {
  readonly kind: 'sql' | 'query';
  readonly name: string | null;
  readonly sql: string;
  readonly parameters: Record<string, TypedValue>;
}

interface Opening {
  readonly product: Product;
  readonly grant: Grant & { readonly digest: string };
  readonly statement: Statement;
  readonly request: Request;
  readonly watch: Watch;
  readonly leave: () => void;
}

interface Session extends Opening {
  readonly id: string;
  readonly intent: number;
  planned: Planned | null;
  sandbox: Json;
  readonly delivered: { rows: number; bytes: number };
}

function statementOf({ boundary }: Product, grant: Grant, { ask, parameters }: Request): Statement {
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
    parameters: declaredParameters(query.parameters, parameters),
  };
}

/** Declared claims alone cross, in their declared types. */
function claimsOf({ boundary }: Product, subject: Subject): Record<string, TypedValue> {
  const claims: Record<string, TypedValue> = {};
  for (const [name, { type }] of Object.entries(boundary.claims)) {
    const value = subject.claims[name];
    if (value !== undefined) claims[name] = { type, value };
  }
  return claims;
}

function limitsOf({ boundary: { limits } }: Product, watch: Watch) {
  const { timeoutMs, concurrency: _, queue: __, ...rest } = limits;
  return { ...rest, deadlineMs: Math.max(1, timeoutMs - watch.elapsedMs()) };
}

function intentOf(id: string, { product, grant, statement, request }: Opening) {
  const { boundary, fingerprint } = product;
  const { kind, name, sql, parameters } = statement;
  const digest = `sha256:${createHash('sha256').update(sql).digest('hex')}`;
  return {
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
  } as const;
}

function credentialsOf({ boundary }: Product, grant: Grant): Json {
  const stores = Object.keys(grant.tables).map(
    (table) => boundary.catalogs[boundary.tables[table]?.catalog ?? '']?.store ?? '',
  );
  return Object.fromEntries(
    [...new Set(stores)].toSorted().map((store) => [store, boundary.stores[store]?.credential ?? null]),
  );
}

/** Evidence holds no floats: a fraction is kept as its text. */
function exact(value: Json): Json {
  if (typeof value === 'number') return Number.isSafeInteger(value) ? value : String(value);
  if (Array.isArray(value)) return value.map(exact);
  if (value === null || typeof value !== 'object') return value;
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, exact(inner as Json)]));
}

type Told = Pick<SessionFailed, 'code' | 'message' | 'hint' | 'position'>;

function outcomeOf(session: Session, { outcome: engine }: Extract<SessionEvent, { kind: 'outcome' }>) {
  const { status, error, ...report } = engine;
  const told: Told | null =
    error === null ? null : { ...error, position: error.position ?? null, hint: error.hint ?? null };
  // All rows that the engine encoded count only when the last chunk leaves.
  session.delivered.rows = engine.rows;
  const record = outcome(session, status, told, error?.detail ?? null, report as unknown as Json);
  return {
    record,
    failure:
      told === null ? null : new SessionFailed({ id: session.id, fingerprint: session.product.fingerprint }, told),
  };
}

function crashOf(session: Session, { crash }: Extract<SessionEvent, { kind: 'crashed' }>) {
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

function outcome(
  session: Session,
  status: SessionOutcome['status'],
  told: Told | null,
  detail: string | null,
  report: Json,
): SessionOutcome {
  const planned = session.planned as unknown as { [key: string]: Json } | null;
  const engine = { sandbox: session.sandbox, ...planned, ...(report as { [key: string]: Json } | null) };
  return {
    type: 'session.outcome',
    session: session.id,
    intent: session.intent,
    status,
    error: told === null ? null : { code: told.code, message: told.message, detail },
    rows: session.delivered.rows,
    bytes: session.delivered.bytes,
    engine: exact(engine),
    steps: session.watch.steps,
  };
}

async function* startingWith(
  first: IteratorResult<Uint8Array, void>,
  rest: AsyncGenerator<Uint8Array, void, undefined>,
) {
  try {
    if (first.done !== true) yield first.value;
    yield* rest;
  } finally {
    await rest.return();
  }
}

/** Microseconds of each step. */
class Watch {
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
