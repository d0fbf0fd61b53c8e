import { randomBytes } from 'node:crypto';
import type { Engine, OutputFormat, ResultColumn, RunningSession, SessionEvent } from '@ambit/engine';
import { EngineProtocolError, EngineUnavailable } from '@ambit/engine';
import type { EvidenceLog, Json } from '@ambit/evidence';
import { authorize, type Grant, type Subject } from '@ambit/policy';
import { Admission } from './admission.ts';
import { describe } from './describe.ts';
import { Refused, SessionFailed } from './errors.ts';
import type { Product } from './load.ts';
import type { GivenValue } from './parameters.ts';
import {
  claimsOf,
  crashOf,
  intentOf,
  limitsOf,
  type Opening,
  outcome,
  outcomeOf,
  type Session,
  startingWith,
  statementOf,
  Watch,
} from './records.ts';

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
  /** Fires when the consumer is gone. */
  readonly signal: AbortSignal;
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
      const { signal } = request;
      signal.addEventListener('abort', () => running.cancel(), { once: true });
      if (signal.aborted) running.cancel();
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
