import { randomBytes } from 'node:crypto';
import { nameAndVersion, type ProductIdentity } from '@ambit/contract';
import type {
  OutputFormat,
  ResultColumn,
  RunningSession,
  SessionEvent,
  SessionTemplate,
  StoreCredential,
} from '@ambit/engine';
import { EngineProtocolError } from '@ambit/engine';
import type { EvidenceLog, Json } from '@ambit/evidence';
import type { Grant, Subject } from '@ambit/policy';
import { Admission } from './admission.ts';
import { approvalOf } from './approval.ts';
import { Issuer, keysOf, recordIssued } from './credentials/issuer.ts';
import { describe } from './describe.ts';
import { type Drifts, noDrifts } from './drift.ts';
import { Refused, SessionFailed } from './errors.ts';
import { grantOf, productUnknown } from './grant.ts';
import { type Product, subjectOn } from './load.ts';
import type { GivenValue } from './parameters.ts';
import {
  claimsOf,
  crashOf,
  intentOf,
  limitsOf,
  nothingYet,
  type Opening,
  outcome,
  outcomeOf,
  replayOf,
  type Session,
  startingWith,
  statementOf,
  Watch,
} from './records.ts';
import { Running } from './running.ts';
import { sealingOf, sealRefusal } from './sealing/records.ts';
import { type Offer, productOf, type Served } from './served.ts';
import { failedTold, SourcesNotReady, toldOf } from './told.ts';

/** What somebody asks. The subject comes from authentication alone. */
export interface Request {
  /** Chosen by the server, for its logs. */
  readonly id: string;
  readonly subject: Subject;
  readonly product: string;
  readonly purpose: string | null;
  readonly ask: { readonly sql: string } | { readonly query: string };
  readonly parameters: Readonly<Record<string, GivenValue>>;
  /** In a URL every value is text. */
  readonly parametersFrom: 'url' | 'json';
  readonly format: OutputFormat;
  readonly traceparent: string | null;
  /** Fires when the consumer is gone. */
  readonly signal: AbortSignal;
  /** There where this repeats a session. */
  readonly replay?: Replay;
}

/** The session that is repeated, and who asks for that. */
export interface Replay {
  readonly of: string;
  readonly by: Pick<Subject, 'tenant' | 'principal' | 'kind' | 'authentication'>;
  /** What `now()` said in it. */
  readonly clockMicros: number;
}

/** A session that delivers. */
export interface Answer {
  readonly session: string;
  readonly product: ProductIdentity;
  readonly fingerprint: string;
  readonly purpose: string;
  /** Position of the intent in the evidence. */
  readonly evidence: number;
  readonly columns: readonly ResultColumn[];
  /** Its end is reached when the outcome is durable; it throws `SessionFailed` if the session does not complete. */
  readonly body: AsyncGenerator<Uint8Array, void, undefined>;
  /** Fires when the session was ended before its consumer took all of it: what is left is not worth waiting for. */
  readonly cut: AbortSignal;
}

/** The one path. There is no second way to the engine. */
export class Path {
  readonly #served: Served;
  readonly #evidence: EvidenceLog;
  readonly #drifts: Drifts;
  readonly #admission = new Admission();
  readonly #issuer = new Issuer();
  readonly #sessions = new Map<string, Running>();

  constructor(served: Served, evidence: EvidenceLog, drifts: Drifts = noDrifts) {
    this.#served = served;
    this.#evidence = evidence;
    this.#drifts = drifts;
  }

  /** Resolves when the first bytes are there. Throws `Refused`, `SessionFailed` or `EvidenceUnavailable` before that. */
  async run(request: Request): Promise<Answer> {
    const watch = new Watch();
    try {
      const before = this.#served.now;
      let asked = asking(before, request);
      watch.mark('authorize');
      const place = await this.#admit(asked.product, request, watch);
      const { offer, leave: unused } = this.#served.enter();
      const leave = (): void => {
        place();
        unused();
      };
      try {
        // What was loaded while it waited holds for it too.
        if (offer !== before) asked = asking(offer, request);
        const subject = subjectOn(asked.product, request.subject);
        const clockMicros = request.replay?.clockMicros ?? Date.now() * 1_000;
        const { engine } = offer;
        return await this.#open({ ...asked, engine, request: { ...request, subject }, clockMicros, watch, leave });
      } catch (error) {
        leave();
        throw error;
      }
    } catch (error) {
      if (error instanceof Refused) await this.#recordRefusal(request, error);
      throw error;
    }
  }

  /** Ends a session that runs, because of somebody. False: it does not run here. */
  cancel(session: string, by: string): boolean {
    const running = this.#sessions.get(session);
    running?.cancel(`by ${by}`);
    return running !== undefined;
  }

  /** Ends all sessions that run. */
  cancelAll(by: string): void {
    for (const running of this.#sessions.values()) running.cancel(`by ${by}`);
  }

  #admit({ boundary }: Product, { subject, signal }: Request, watch: Watch): Promise<() => void> {
    // Whoever comes without a credential is of the owner's tenant, and shall not crowd it out.
    const whose = subject.kind === 'anonymous' ? null : subject.tenant;
    const key = JSON.stringify([boundary.product.name, boundary.product.version, whose]);
    return this.#admission
      .enter(key, boundary.limits, watch.startedAt + boundary.limits.timeoutMs, signal)
      .finally(() => watch.mark('admit'));
  }

  /** From here on there is a session: an intent, and exactly one outcome. */
  async #open(opening: Opening): Promise<Answer> {
    const { product, grant, request, watch } = opening;
    const id = `ses_${randomBytes(16).toString('hex')}`;
    const review = approvalOf(product, Date.now());
    await this.#recordGrant(product, grant);
    if (review !== null) await this.#evidence.ensureReview(review);
    const running = new Running(product.boundary.limits.timeoutMs - watch.elapsedMs());
    this.#sessions.set(id, running);
    const sources = { release: (): void => {} };
    const close = (): void => {
      running.close();
      this.#sessions.delete(id);
      sources.release();
      opening.leave();
    };
    try {
      const sealing = await sealingOf(product.boundary, grant, this.#evidence);
      const intent = await this.#evidence.append(intentOf(id, opening, review, sealing));
      watch.mark('intent');
      const session: Session = {
        ...opening,
        id,
        intent: intent.seq,
        running,
        sealing,
        close,
        sources,
        ...nothingYet(),
      };
      running.goneWith(request.signal);
      const body = this.#deliver(session, await this.#start(session));
      // The first pull runs until there is a byte, or throws: a status can still tell.
      const first = await body.next();
      return {
        session: id,
        product: product.boundary.product,
        fingerprint: product.fingerprint,
        purpose: grant.purpose,
        evidence: intent.seq,
        columns: session.planned?.columns ?? [],
        body: startingWith(first, body),
        cut: running.cut,
      };
    } catch (error) {
      close();
      throw error;
    }
  }

  /** Gives the session to a worker. */
  async #start(session: Session): Promise<RunningSession> {
    const { product, engine, grant, statement, request, clockMicros, watch } = session;
    try {
      const known = await this.#ready(session);
      const template = describe(product, grant, this.#drifts.closed(product));
      const credentials = await this.#issue(session, template);
      const started = await engine.open(template, {
        session: session.id,
        tenant: request.subject.tenant,
        purpose: grant.purpose,
        claims: claimsOf(product, { ...request.subject, claims: { ...request.subject.claims, ...known } }),
        clockMicros,
        credentials,
        limits: limitsOf(product, watch),
        statement: { sql: statement.sql, parameters: statement.parameters },
        format: request.format,
        traceparent: request.traceparent,
      });
      session.sandbox = started.sandbox as unknown as Json;
      session.running.startedAs(started);
      return started;
    } catch (error) {
      throw await this.#neverRan(session, error);
    }
  }

  /** What the session's stores are asked with: on record before the engine has it, and good for as long as it may run. */
  async #issue(session: Session, template: SessionTemplate): Promise<Record<string, StoreCredential>> {
    const { product, watch } = session;
    const leftMs = product.boundary.limits.timeoutMs - watch.elapsedMs();
    session.issued = await this.#issuer.issue(product, template, Date.now() + leftMs);
    if (session.issued.length === 0) return {};
    await recordIssued(this.#evidence, session.issued);
    watch.mark('credentials');
    return keysOf(session.issued);
  }

  /** Waits for sources that the server makes itself, for as long as the session may take. */
  async #ready({ product, intent, sources, watch }: Session): Promise<Subject['claims']> {
    const { backing, boundary } = product;
    if (backing === undefined) return {};
    let late: NodeJS.Timeout | undefined;
    const deadline = new Promise<never>((_, reject) => {
      const ms = Math.max(0, boundary.limits.timeoutMs - watch.elapsedMs());
      late = setTimeout(() => reject(new SourcesNotReady('they were not built in time')), ms);
    });
    let given = false;
    const made = backing.ready(intent).then((ready) => {
      // Nobody waits for it any more.
      if (given) ready.release();
      else sources.release = ready.release;
      return ready.claims;
    });
    try {
      return await Promise.race([made, deadline]);
    } catch (error) {
      throw error instanceof SourcesNotReady ? error : new SourcesNotReady((error as Error).message);
    } finally {
      given = true;
      clearTimeout(late);
      watch.mark('sources');
    }
  }

  /** Streams, one chunk behind: the last is held back until the outcome is durable. */
  async *#deliver(session: Session, started: RunningSession): AsyncGenerator<Uint8Array, void, undefined> {
    let held: Uint8Array | null = null;
    let ended = false;
    try {
      // By hand, not `for await`: leaving that loop would close the events before their outcome.
      for (let next = await started.events.next(); next.done !== true && !ended; next = await started.events.next()) {
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
    } catch (error) {
      if (!(error instanceof EngineProtocolError)) throw error;
      ended = true;
      throw await this.#refusedByWorker(session, error);
    } finally {
      if (!ended) await this.#abandon(session, started);
      await started.events.return();
      session.close();
    }
    // The session is over: however long its last chunk is not taken, it holds nothing of anybody's.
    if (held !== null) yield held;
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
    // The engine has nothing of it any more: whoever waits for its place need not wait for the disk too.
    session.leave();
    await this.#evidence.append(record);
    if (failure !== null) throw failure;
  }

  /** The consumer went away: the session is cancelled, and its outcome is waited for. */
  async #abandon(session: Session, started: RunningSession): Promise<void> {
    session.running.cancel('because its consumer went away');
    for await (const event of started.events) {
      if (event.kind === 'planned' || event.kind === 'data') continue;
      session.watch.mark('run');
      const { record } = event.kind === 'outcome' ? outcomeOf(session, event) : crashOf(session, event);
      await this.#evidence.append(record);
      return;
    }
  }

  /** A fault of the control plane: what it sent was not what the worker takes. */
  async #refusedByWorker(session: Session, error: EngineProtocolError): Promise<SessionFailed> {
    await this.#evidence.append(outcome(session, 'failed', failedTold, `${error.code}: ${error.message}`, null));
    return new SessionFailed({ id: session.id, fingerprint: session.product.fingerprint }, failedTold);
  }

  async #neverRan(session: Session, error: unknown): Promise<SessionFailed> {
    const told = toldOf(error);
    await this.#evidence.append(outcome(session, 'failed', told, error instanceof Error ? error.message : null, null));
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

  async #recordRefusal(request: Request, refused: Refused): Promise<void> {
    const { id, subject, purpose } = request;
    const { now } = this.#served;
    const known = productOf(now, request.product);
    // Evidence of a product is by its name, whichever version was asked for.
    const product = nameAndVersion(request.product).name;
    // Also what was asked of a version that is not there.
    const sealing = known ?? productOf(now, product);
    const { code, message, decisions } = refused;
    const record = {
      type: 'request.refused',
      request: id,
      product,
      fingerprint: known?.fingerprint ?? null,
      subject: subject as unknown as Json,
      purpose,
      code,
      message,
      decisions: decisions as unknown as Json,
      ...replayOf(request),
    } as const;
    await this.#evidence.append(await sealRefusal(record, sealing?.boundary, this.#evidence));
  }
}

/** What a request is on an offer. Throws `Refused`. */
function asking(offer: Offer, request: Request): Pick<Opening, 'product' | 'grant' | 'statement'> {
  const product = productOf(offer, request.product);
  if (product === undefined) throw productUnknown(request.product);
  const grant = grantOf(product, request.subject, request.purpose);
  return { product, grant, statement: statementOf(product, grant, request) };
}
