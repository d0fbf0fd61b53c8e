import type { EvidenceRecord, QualityChecked, SessionIntent, DurableBatch } from '@ambit/evidence';
import { MeterProvider, MetricReader } from '@opentelemetry/sdk-metrics';
import type { LineageCounts } from '../openlineage/exporter.ts';
import type { Observed } from '../tap.ts';
import type { Origin } from './origin.ts';
import type { SignalCounts } from './sender.ts';

/** What is asked for when metrics are collected. */
export interface Gauges {
  /** Why the log cannot be written; null: it can. */
  evidenceFailure(): string | null;
  /** Workers that answer. */
  workers(): Promise<number>;
  lineage(): LineageCounts | null;
  telemetry(): Readonly<Record<string, SignalCounts>>;
}

export interface Metrics {
  /** Counts a record, and the intent that it answers. */
  count(observed: Observed, intent: SessionIntent | null): void;
  /** Counts the records that a sync of the log made durable. */
  synced(batch: DurableBatch): void;
  collect(): ReturnType<MetricReader['collect']>;
}

const SECONDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30];
/** Records of a sync: as many as waited for it. */
const BATCHES = [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1_024];
const FINE_SECONDS = [0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1];

/** Collected when somebody asks: Prometheus, or the clock of OTLP. */
class OnDemand extends MetricReader {
  protected async onShutdown(): Promise<void> {}
  protected async onForceFlush(): Promise<void> {}
}

/** No label tells who asked: products, purposes, steps, statuses and codes are all declared, and few. */
export function metricsOf({ resource, scope }: Origin, gauges: Gauges): Metrics {
  const reader = new OnDemand();
  const meter = new MeterProvider({ resource, readers: [reader] }).getMeter(scope.name, scope.version);
  const histogram = (name: string, description: string, boundaries = SECONDS) =>
    meter.createHistogram(name, { description, unit: 's', advice: { explicitBucketBoundaries: boundaries } });
  const counter = (name: string, description: string, unit = '1') => meter.createCounter(name, { description, unit });
  const sessions = counter('ambit.sessions', 'Sessions that ended');
  const refusals = counter('ambit.refusals', 'Requests and statements that were refused, by code');
  const failures = counter('ambit.failures', 'Sessions that did not complete, by code');
  const rows = counter('ambit.result.rows', 'Rows that were delivered');
  const bytes = counter('ambit.result.bytes', 'Bytes that were delivered', 'By');
  const duration = histogram('ambit.session.duration', 'From authorization to the durable outcome');
  const step = histogram('ambit.step.duration', 'Each step of the one path');
  const appended = histogram('ambit.evidence.append.duration', 'From the append to the durable record', FINE_SECONDS);
  const sync = histogram('ambit.evidence.sync.duration', 'Syncs of the log, each for a batch of records', FINE_SECONDS);
  const batches = meter.createHistogram('ambit.evidence.sync.records', {
    description: 'Records that one sync made durable',
    unit: '1',
    advice: { explicitBucketBoundaries: BATCHES },
  });
  const present = (name: string, description: string) => meter.createUpDownCounter(name, { description });
  const running = present('ambit.sessions.running', 'Sessions with an intent and no outcome');
  const openings = present('ambit.break_glass.open', 'Boundaries that no owner approved and an operator has opened');
  const countPromises = promiseCounter(meter);
  observeGauges(meter, gauges);
  const ended = (
    record: Extract<EvidenceRecord, { type: 'session.outcome' }>,
    recordMs: number,
    intent: SessionIntent,
  ): void => {
    const { product, purpose } = intent;
    const { status, error } = record;
    sessions.add(1, { product, purpose, status });
    if (status === 'refused') refusals.add(1, { product, code: error?.code ?? 'unknown' });
    else if (error !== null) failures.add(1, { product, code: error.code });
    rows.add(record.rows, { product });
    bytes.add(record.bytes, { product });
    if (status === 'orphaned') return;
    let micros = recordMs * 1_000;
    for (const [name, spent] of Object.entries(record.steps)) {
      step.record(spent / 1_000_000, { step: name });
      micros += spent;
    }
    step.record(recordMs / 1_000, { step: 'outcome' });
    duration.record(micros / 1_000_000, { product, status });
  };
  return {
    count: ({ record, askedAt, durableAt }, intent) => {
      // What opening the log wrote was not timed.
      if (durableAt > askedAt) appended.record((durableAt - askedAt) / 1_000, { type: record.type });
      if (record.type === 'session.intent') running.add(1, { product: record.product });
      else if (record.type === 'break-glass.opened') openings.add(1, { product: record.product });
      else if (record.type === 'break-glass.ended') openings.add(-1, { product: record.product });
      else if (record.type === 'quality.checked') countPromises(record);
      else if (record.type === 'request.refused') {
        // Without a boundary the product is whatever was asked for, by anybody.
        const product = record.fingerprint === null ? '' : (record.product ?? '');
        refusals.add(1, { product, code: record.code });
      } else if (record.type === 'session.outcome' && intent !== null) {
        if (record.boot === intentBoot(intent)) running.add(-1, { product: intent.product });
        ended(record, durableAt - askedAt, intent);
      }
    },
    synced: ({ records, ms }) => {
      batches.record(records);
      sync.record(ms / 1_000);
    },
    collect: () => reader.collect(),
  };
}

/** The process run that began the session: one that another began was never counted as running here. */
function intentBoot(intent: SessionIntent): string | undefined {
  return (intent as Partial<EvidenceRecord>).boot;
}

type Meter = ReturnType<MeterProvider['getMeter']>;

/** What data kept of what its contract promises. Rules are declared, and so few. */
function promiseCounter(meter: Meter): (record: QualityChecked) => void {
  const description = 'Rules and service levels that data was held against, by what was found';
  const checks = meter.createCounter('ambit.quality.checks', { description, unit: '1' });
  const kept = meter.createGauge('ambit.quality.kept', {
    description: '1: the data kept the promise when it was last looked at',
  });
  return ({ product, version, results }) => {
    for (const { table, name, severity, status } of results) {
      const promise = { product, version, table, promise: name };
      checks.add(1, { ...promise, severity, status });
      kept.record(status === 'passed' ? 1 : 0, promise);
    }
  };
}

function observeGauges(meter: Meter, gauges: Gauges): void {
  const gauge = (name: string, description: string) => meter.createObservableGauge(name, { description });
  const total = (name: string, description: string) => meter.createObservableCounter(name, { description });
  gauge('ambit.evidence.writable', '1: the log can be written').addCallback((result) => {
    result.observe(gauges.evidenceFailure() === null ? 1 : 0);
  });
  gauge('ambit.engine.workers', 'Workers that answer').addCallback(async (result) => {
    result.observe(await gauges.workers());
  });
  gauge('ambit.openlineage.waiting', 'Durable records that are not delivered yet').addCallback((result) => {
    const counts = gauges.lineage();
    if (counts !== null) result.observe(counts.waiting);
  });
  total('ambit.openlineage.events', 'Events by what became of them').addCallback((result) => {
    const counts = gauges.lineage();
    if (counts === null) return;
    result.observe(counts.delivered, { result: 'delivered' });
    result.observe(counts.rejected, { result: 'rejected' });
    result.observe(counts.attemptsFailed, { result: 'attempt_failed' });
  });
  total('ambit.telemetry.items', 'Spans and logs by what became of them').addCallback((result) => {
    for (const [signal, { sent, dropped }] of Object.entries(gauges.telemetry())) {
      result.observe(sent, { signal, result: 'sent' });
      result.observe(dropped, { signal, result: 'dropped' });
    }
  });
}
