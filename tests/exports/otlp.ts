import type { Sent } from './receiver.ts';

// OTLP/HTTP in JSON, as its specification maps it: ids in hexadecimal, 64-bit numbers as text.

interface Value {
  readonly stringValue?: string;
  readonly intValue?: number | string;
  readonly doubleValue?: number;
}
interface Attribute {
  readonly key: string;
  readonly value: Value;
}
type Attributes = Readonly<Record<string, string | number>>;

export interface Span {
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId: string | null;
  readonly name: string;
  readonly kind: number;
  /** Nanoseconds. */
  readonly start: bigint;
  readonly end: bigint;
  readonly status: number;
  readonly attributes: Attributes;
}

export interface Log {
  readonly eventName: string;
  readonly severity: string;
  readonly traceId: string;
  readonly spanId: string;
  readonly attributes: Attributes;
}

interface RawSpan {
  traceId: string;
  spanId: string;
  parentSpanId?: string;
  name: string;
  kind: number;
  startTimeUnixNano: string;
  endTimeUnixNano: string;
  status?: { code?: number };
  attributes?: Attribute[];
}
interface RawLog {
  eventName?: string;
  severityText?: string;
  traceId?: string;
  spanId?: string;
  attributes?: Attribute[];
}
interface Resource {
  readonly attributes: Attribute[];
}

export function spansOf(sent: readonly Sent[]): readonly Span[] {
  return bodies<{ resourceSpans: { scopeSpans: { spans: RawSpan[] }[] }[] }>(sent, '/v1/traces')
    .flatMap(({ resourceSpans }) => resourceSpans.flatMap(({ scopeSpans }) => scopeSpans.flatMap(({ spans }) => spans)))
    .map((span) => ({
      traceId: hex(span.traceId, 32),
      spanId: hex(span.spanId, 16),
      parentSpanId: span.parentSpanId === undefined ? null : hex(span.parentSpanId, 16),
      name: span.name,
      kind: span.kind,
      start: BigInt(span.startTimeUnixNano),
      end: BigInt(span.endTimeUnixNano),
      status: span.status?.code ?? 0,
      attributes: flat(span.attributes),
    }));
}

export function logsOf(sent: readonly Sent[]): readonly Log[] {
  return bodies<{ resourceLogs: { scopeLogs: { logRecords: RawLog[] }[] }[] }>(sent, '/v1/logs')
    .flatMap(({ resourceLogs }) =>
      resourceLogs.flatMap(({ scopeLogs }) => scopeLogs.flatMap(({ logRecords }) => logRecords)),
    )
    .map((log) => ({
      eventName: log.eventName ?? '',
      severity: log.severityText ?? '',
      traceId: log.traceId ?? '',
      spanId: log.spanId ?? '',
      attributes: flat(log.attributes),
    }));
}

/** Names of metrics that came, and what they say they are about. */
export function metricsOf(sent: readonly Sent[]): ReadonlyMap<string, Attributes> {
  const all = bodies<{ resourceMetrics: { resource: Resource; scopeMetrics: { metrics: { name: string }[] }[] }[] }>(
    sent,
    '/v1/metrics',
  );
  return new Map(
    all.flatMap(({ resourceMetrics }) =>
      resourceMetrics.flatMap(({ resource, scopeMetrics }) =>
        scopeMetrics.flatMap(({ metrics }) => metrics.map(({ name }) => [name, flat(resource.attributes)] as const)),
      ),
    ),
  );
}

// oxlint-disable-next-line typescript/no-unnecessary-type-parameters -- who asks knows the form of the path's bodies
function bodies<T>(sent: readonly Sent[], path: string): readonly T[] {
  return sent.filter((one) => one.path === path).map(({ text }) => JSON.parse(text) as T);
}

function hex(id: string, length: number): string {
  if (!new RegExp(`^[0-9a-f]{${length}}$`).test(id)) throw new Error(`\`${id}\` is no id`);
  return id;
}

function flat(attributes: readonly Attribute[] = []): Attributes {
  return Object.fromEntries(
    attributes.map(({ key, value: { stringValue, intValue, doubleValue } }) => [
      key,
      stringValue ?? doubleValue ?? Number(intValue),
    ]),
  );
}
