import type { EvidenceLog, RecordEnvelope, SessionIntent } from '@ambit/evidence';
import { JsonLogsSerializer, JsonMetricsSerializer, JsonTraceSerializer } from '@opentelemetry/otlp-transformer';
import type { Endpoint } from '../config.ts';
import { limits } from '../limits.ts';
import { Receiver } from '../receiver.ts';
import type { Observed } from '../tap.ts';
import { type LogRecord, logOf } from './logs.ts';
import { type Gauges, type Metrics, metricsOf } from './metrics.ts';
import type { Origin } from './origin.ts';
import { Sender, type SignalCounts } from './sender.ts';
import { type Span, spansOf } from './spans.ts';

type Intent = RecordEnvelope & SessionIntent;

export interface Telemetry {
  readonly metrics: Metrics;
  observe(observed: Observed): Promise<void>;
  close(): Promise<void>;
}

export interface TelemetryOptions {
  readonly otlp: Endpoint | null;
  readonly log: EvidenceLog;
  readonly origin: Origin;
  readonly gauges: Omit<Gauges, 'telemetry' | 'evidenceFailure'>;
  readonly tell: (message: string) => void;
}

/** Traces, metrics and logs of what the log takes. They may be lost, and are counted then: the log itself is not. */
export async function startTelemetry({ otlp, log, origin, gauges, tell }: TelemetryOptions): Promise<Telemetry> {
  const senders = otlp === null ? null : sendersOf(await Receiver.create('exports.otlp', otlp), tell);
  const metrics = metricsOf(origin, {
    ...gauges,
    evidenceFailure: () => log.failure(),
    telemetry: () => countsOf(senders),
  });
  log.onSync((batch) => metrics.synced(batch));
  const open = new Map<string, { readonly intent: Intent; readonly durableAt: number | null }>();
  const pushMetrics = async (): Promise<void> => senders?.metrics.push([(await metrics.collect()).resourceMetrics]);
  const clock = senders === null ? undefined : setInterval(() => void pushMetrics(), limits.metricsEveryMs).unref();
  return {
    metrics,
    observe: async (observed) => {
      const { record, askedAt, durableAt } = observed;
      if (record.type === 'session.intent' && open.size < limits.sessionsFollowedMax) {
        open.set(record.session, { intent: record, durableAt });
      }
      const ended = record.type === 'session.outcome' ? record : null;
      const begun = ended === null ? null : (open.get(ended.session) ?? (await begunEarlier(log, ended.session)));
      if (ended !== null) open.delete(ended.session);
      metrics.count(observed, begun?.intent ?? null);
      if (senders === null) return;
      const said = logOf(origin, record, begun?.intent ?? null);
      if (said !== null) senders.logs.push([said]);
      if (ended === null || begun === null) return;
      const { intent, durableAt: intentDurableAt } = begun;
      senders.traces.push(
        spansOf(origin, {
          intent,
          outcome: ended,
          intentDurableAt,
          outcomeAskedAt: askedAt,
          outcomeDurableAt: durableAt,
        }),
      );
    },
    close: async () => {
      clearInterval(clock);
      await pushMetrics();
      await Promise.all(Object.values(senders ?? {}).map((sender) => sender.close()));
    },
  };
}

/** A session that another process run began: when it was durable then, nobody knows. */
async function begunEarlier(log: EvidenceLog, session: string) {
  const found = await log.session(session);
  return found === null ? null : { intent: found.intent, durableAt: null };
}

function sendersOf(receiver: Receiver, tell: (message: string) => void) {
  return {
    traces: new Sender<Span>({
      receiver,
      signal: 'traces',
      encode: (spans) => JsonTraceSerializer.serializeRequest(spans),
      waitingMax: limits.spansWaitingMax,
      tell,
    }),
    logs: new Sender<LogRecord>({
      receiver,
      signal: 'logs',
      encode: (records) => JsonLogsSerializer.serializeRequest(records),
      waitingMax: limits.logsWaitingMax,
      tell,
    }),
    // Totals: of those that wait only the newest says anything.
    metrics: new Sender<Parameters<typeof JsonMetricsSerializer.serializeRequest>[0]>({
      receiver,
      signal: 'metrics',
      encode: (collected) => JsonMetricsSerializer.serializeRequest(collected.at(-1) as (typeof collected)[number]),
      waitingMax: METRICS_WAITING_MAX,
      tell,
    }),
  };
}

function countsOf(senders: ReturnType<typeof sendersOf> | null): Readonly<Record<string, SignalCounts>> {
  return senders === null ? {} : { traces: senders.traces.counts(), logs: senders.logs.counts() };
}

const METRICS_WAITING_MAX = 4;
