import {
  type Attributes,
  type HrTime,
  type SpanContext,
  SpanKind,
  SpanStatusCode,
  TraceFlags,
} from '@opentelemetry/api';
import type { JsonTraceSerializer } from '@opentelemetry/otlp-transformer';
import type { RecordEnvelope, SessionIntent, SessionOutcome } from '@ambit/evidence';
import { spanId, traceOf } from '../identity.ts';
import { limits } from '../limits.ts';
import { errorText, type Operator, type Report, reportOf } from '../report.ts';
import type { Origin } from './origin.ts';

/** A span as the SDK hands it to an exporter. */
export type Span = Parameters<typeof JsonTraceSerializer.serializeRequest>[0][number];

/** A session that ended, and when its records were asked for and durable, in milliseconds since 1970. */
export interface Ended {
  readonly intent: RecordEnvelope & SessionIntent;
  readonly outcome: RecordEnvelope & SessionOutcome;
  /** Null: another process run wrote it. */
  readonly intentDurableAt: number | null;
  readonly outcomeAskedAt: number;
  readonly outcomeDurableAt: number;
}

/** Steps of the one path before the outcome, in their order. */
const STEPS = ['authorize', 'admit', 'intent', 'plan', 'run'];

/** Spans of a session, its own first. None when whoever asked does not keep the trace. */
export function spansOf(origin: Origin, ended: Ended): readonly Span[] {
  const { intent, outcome } = ended;
  const { traceId, parentId, sampled } = traceOf(intent.session, intent.traceparent);
  if (!sampled) return [];
  const span = spanMaker(origin, intent.session, traceId);
  const report = reportOf(outcome);
  const steps = stepsOf(ended);
  const start = steps.at(0)?.start ?? Date.parse(intent.at);
  const root = span('session', {
    name: summaryOf(report),
    kind: SpanKind.SERVER,
    parent: parentId,
    start,
    end: ended.outcomeDurableAt,
    attributes: sessionAttributes(ended, report),
    error: errorText(outcome),
  });
  const parent = root.spanContext().spanId;
  const children = steps.map(({ name, start: from, end }) =>
    span(`step ${name}`, { name: `ambit.${name}`, parent, start: from, end, attributes: {} }),
  );
  return [root, ...children, ...engineSpans(span, ended, report, steps)];
}

/** What a statement does, without its words. */
function summaryOf(report: Report | null): string {
  return ['SELECT', ...Object.keys(report?.tables ?? {})].join(' ').slice(0, 255);
}

/** Database semantic conventions; `db.query.text` is left out, for it holds literals. */
function sessionAttributes({ intent, outcome }: Ended, report: Report | null): Attributes {
  const tables = Object.keys(report?.tables ?? {});
  const { memoryPeakBytes = null, spillBytes = null } = report ?? {};
  return {
    'db.system.name': 'other_sql',
    'db.namespace': intent.product,
    'db.operation.name': 'SELECT',
    'db.query.summary': summaryOf(report),
    ...(tables.length === 1 ? { 'db.collection.name': tables[0] } : {}),
    ...(outcome.status === 'completed' ? { 'db.response.returned_rows': outcome.rows } : {}),
    ...(outcome.error === null
      ? {}
      : { 'error.type': outcome.error.code, 'db.response.status_code': outcome.error.code }),
    'ambit.session': intent.session,
    'ambit.product.version': intent.version,
    'ambit.fingerprint': intent.fingerprint,
    'ambit.purpose': intent.purpose,
    'ambit.status': outcome.status,
    'ambit.format': intent.format,
    ...(intent.statement.name === null ? {} : { 'ambit.query': intent.statement.name }),
    'ambit.result.bytes': outcome.bytes,
    ...(memoryPeakBytes === null ? {} : { 'ambit.memory.peak_bytes': memoryPeakBytes }),
    ...(spillBytes === null ? {} : { 'ambit.spill.bytes': spillBytes }),
  };
}

interface Step {
  readonly name: string;
  readonly start: number;
  readonly end: number;
}

/** The record's steps laid end to end: the intent's step ended when the intent was durable. */
function stepsOf({ outcome, intentDurableAt, outcomeAskedAt, outcomeDurableAt }: Ended): readonly Step[] {
  if (intentDurableAt === null) return [];
  const ms = (name: string): number => (outcome.steps[name] ?? 0) / 1_000;
  let at = intentDurableAt - ms('authorize') - ms('admit') - ms('intent');
  const steps = STEPS.filter((name) => outcome.steps[name] !== undefined).map((name) => {
    const start = at;
    at += ms(name);
    return { name, start, end: at };
  });
  return [...steps, { name: 'outcome', start: Math.max(at, outcomeAskedAt), end: outcomeDurableAt }];
}

/** What the worker timed itself, below the steps in which it did it, and the operators below its run. */
function engineSpans(
  span: SpanMaker,
  { intent }: Ended,
  report: Report | null,
  steps: readonly Step[],
): readonly Span[] {
  const plan = steps.find(({ name }) => name === 'plan');
  if (report === null || plan === undefined) return [];
  const ms = (name: string): number => (report.timings[name] ?? 0) / 1_000;
  const planning = Math.max(plan.start, plan.end - ms('planMicros'));
  const assembling = Math.max(plan.start, planning - ms('assembleMicros'));
  const ran = plan.end + ms('runMicros');
  const id = (step: string): string => spanId(intent.session, `step ${step}`);
  const run = span('engine run', {
    name: 'ambit.engine.run',
    parent: id('run'),
    start: plan.end,
    end: ran,
    attributes: { 'ambit.engine.first_row_ms': ms('firstRowMicros') },
  });
  const stage = (name: string, parent: string, start: number, end: number): Span =>
    span(`engine ${name}`, { name: `ambit.engine.${name}`, parent, start, end, attributes: {} });
  return [
    stage('assemble', id('plan'), assembling, planning),
    stage('plan', id('plan'), planning, plan.end),
    run,
    ...operatorSpans(span, report.operators, { run, start: plan.end, end: ran }),
    stage('close', id('run'), ran, ran + ms('closeMicros')),
  ];
}

/** The run of a plan, in milliseconds since 1970. */
interface Ran {
  readonly run: Span;
  readonly start: number;
  readonly end: number;
}

/**
 * Depth first, as the record has them: each from when its first partition began until the last was done. One that does not tell is
 * open while the plan runs. The time that it computed, of all partitions, is an attribute.
 */
function operatorSpans(span: SpanMaker, operators: readonly Operator[], ran: Ran): readonly Span[] {
  const above: string[] = [];
  return operators.slice(0, limits.operatorSpansMax).map((operator, at) => {
    const parent = above[operator.depth - 1] ?? ran.run.spanContext().spanId;
    const made = span(`operator ${at}`, {
      name: operator.operator,
      parent,
      ...timesOf(operator, ran),
      attributes: operatorAttributes(operator),
    });
    above.length = operator.depth;
    above[operator.depth] = made.spanContext().spanId;
    return made;
  });
}

function timesOf({ startMicros, endMicros }: Operator, { start, end }: Ran): { start: number; end: number } {
  const at = (micros: number | null | undefined, otherwise: number): number =>
    micros === null || micros === undefined ? otherwise : Math.min(end, start + micros / 1_000);
  const from = at(startMicros, start);
  return { start: from, end: Math.max(from, at(endMicros, end)) };
}

/** Inside a barrier, counts are of hidden rows too: they stay in the evidence. */
function operatorAttributes({ inside, metrics }: Operator): Attributes {
  const compute = metrics['elapsed_compute'];
  const rows = metrics['output_rows'];
  return {
    ...(compute === undefined ? {} : { 'ambit.operator.compute_ns': compute }),
    ...(inside === null ? {} : { 'ambit.operator.inside': inside }),
    ...(inside !== null || rows === undefined ? {} : { 'ambit.operator.output_rows': rows }),
  };
}

interface Made {
  readonly name: string;
  readonly kind?: SpanKind;
  readonly parent: string | null;
  /** Milliseconds since 1970. */
  readonly start: number;
  readonly end: number;
  readonly attributes: Attributes;
  /** What went wrong. */
  readonly error?: string | null;
}

type SpanMaker = (id: string, made: Made) => Span;

/** Spans with ids that are made of the session's: sent twice, they are the same. */
function spanMaker({ resource, scope }: Origin, session: string, traceId: string): SpanMaker {
  const context = (id: string): SpanContext => ({ traceId, spanId: id, traceFlags: TraceFlags.SAMPLED });
  return (id, { name, kind = SpanKind.INTERNAL, parent, start, end, attributes, error = null }) => {
    const own = context(spanId(session, id));
    const [startTime, endTime] = [hrTime(start), hrTime(end)];
    return {
      name,
      kind,
      spanContext: () => own,
      ...(parent === null ? {} : { parentSpanContext: context(parent) }),
      startTime,
      endTime,
      duration: [0, 0],
      status: error === null ? { code: SpanStatusCode.UNSET } : { code: SpanStatusCode.ERROR, message: error },
      attributes,
      links: [],
      events: [],
      ended: true,
      resource,
      instrumentationScope: scope,
      droppedAttributesCount: 0,
      droppedEventsCount: 0,
      droppedLinksCount: 0,
    };
  };
}

/** Seconds and nanoseconds. */
export function hrTime(time: number): HrTime {
  const seconds = Math.floor(time / 1_000);
  return [seconds, Math.round((time - seconds * 1_000) * 1_000_000)];
}
