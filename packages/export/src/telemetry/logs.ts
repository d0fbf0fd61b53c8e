import type { BreakGlassEnded, EvidenceRecord, RecordEnvelope, SessionIntent } from '@ambit/evidence';
import { TraceFlags } from '@opentelemetry/api';
import type { JsonLogsSerializer } from '@opentelemetry/otlp-transformer';
import { spanId, traceOf } from '../identity.ts';
import type { Origin } from './origin.ts';
import { hrTime } from './spans.ts';

/** A log record as the SDK hands it to an exporter. */
export type LogRecord = Parameters<typeof JsonLogsSerializer.serializeRequest>[0][number];

const INFO = { severityNumber: 9, severityText: 'INFO' } as const;
const WARN = { severityNumber: 13, severityText: 'WARN' } as const;
const ERROR = { severityNumber: 17, severityText: 'ERROR' } as const;

interface Said {
  readonly severity: typeof INFO | typeof WARN | typeof ERROR;
  readonly eventName: string;
  readonly body: string;
  readonly attributes: Readonly<Record<string, string | number>>;
  readonly session?: { readonly id: string; readonly traceparent: string | null };
}

/** What an operator wants to be told of, in words of its own: a record's text may quote a statement. Null: nothing. */
export function logOf(
  { resource, scope }: Origin,
  record: EvidenceRecord,
  intent: (RecordEnvelope & SessionIntent) | null,
): LogRecord | null {
  const said = saidOf(record, intent);
  if (said === null) return null;
  const time = hrTime(Date.parse(record.at));
  const { severity, eventName, body, attributes, session } = said;
  const trace = session === undefined ? null : traceOf(session.id, session.traceparent);
  return {
    hrTime: time,
    hrTimeObserved: time,
    ...severity,
    eventName,
    body,
    attributes: { ...attributes, 'ambit.evidence.seq': record.seq },
    ...(session === undefined || trace === null
      ? {}
      : {
          spanContext: {
            traceId: trace.traceId,
            spanId: spanId(session.id, 'session'),
            traceFlags: trace.sampled ? TraceFlags.SAMPLED : TraceFlags.NONE,
          },
        }),
    resource,
    instrumentationScope: scope,
    droppedAttributesCount: 0,
  };
}

function saidOf(record: EvidenceRecord, intent: SessionIntent | null): Said | null {
  if (record.type === 'log.opened') {
    const { records, tornBytes } = record.recovered;
    return {
      severity: tornBytes > 0 ? WARN : INFO,
      eventName: 'ambit.log.opened',
      body: 'the evidence log was opened',
      attributes: { 'ambit.recovered.records': records, 'ambit.recovered.torn_bytes': tornBytes },
    };
  }
  if (record.type === 'evidence.gap') {
    const body = 'the evidence can be written again; while it could not, no session ran';
    return { severity: ERROR, eventName: 'ambit.evidence.gap', body, attributes: {} };
  }
  if (record.type === 'request.refused') {
    // Without a boundary the product is whatever was asked for, by anybody.
    const product = record.fingerprint === null ? {} : { 'db.namespace': record.product ?? '' };
    const attributes = { ...product, 'error.type': record.code, 'ambit.request': record.request };
    return { severity: INFO, eventName: 'ambit.request.refused', body: 'a request got no session', attributes };
  }
  if (record.type !== 'session.outcome') return servedOf(record);
  if (record.error === null) return null;
  const { session, status, error } = record;
  return {
    severity: status === 'crashed' || status === 'orphaned' || error.code === 'internal' ? ERROR : WARN,
    eventName: `ambit.session.${status}`,
    body: `a session ended as ${status}`,
    attributes: {
      'ambit.session': session,
      'error.type': error.code,
      ...(intent === null ? {} : { 'db.namespace': intent.product, 'ambit.purpose': intent.purpose }),
    },
    session: { id: session, traceparent: intent?.traceparent ?? null },
  };
}

/** What became of what is served: who changed it, who let it be served, and what its data is like. */
function servedOf(record: EvidenceRecord): Said | null {
  if (record.type === 'source.drifted') {
    const { product, table, state } = record;
    return {
      severity: state === 'closed' ? ERROR : INFO,
      eventName: 'ambit.source.drifted',
      body: `a table is ${state}: its data is other than it was`,
      attributes: { 'db.namespace': product, 'db.collection.name': table, 'ambit.table.state': state },
    };
  }
  if (record.type === 'credential.issued') {
    const { product, reference, role } = record;
    return {
      severity: INFO,
      eventName: 'ambit.credential.issued',
      body: 'stores are asked with other keys from here on',
      attributes: {
        'db.namespace': product,
        'ambit.credential': reference,
        'ambit.credential.kind': role === null ? 'keys' : 'role',
      },
    };
  }
  if (record.type === 'quality.checked') {
    const { product, results, closed } = record;
    const bad = results.filter(({ status }) => status !== 'passed');
    const worst = closed.length > 0 || bad.some(({ severity }) => severity === 'error') ? ERROR : WARN;
    return {
      severity: bad.length === 0 ? INFO : worst,
      eventName: 'ambit.quality.checked',
      body:
        bad.length === 0 ? 'data keeps what its contract promises' : 'data does not keep what its contract promises',
      attributes: {
        'db.namespace': product,
        'ambit.quality.promises': results.length,
        'ambit.quality.not_kept': bad.length,
        'ambit.quality.tables_closed': closed.length,
      },
    };
  }
  if (record.type === 'reload.applied') {
    const { cause, products } = record;
    const attributes = { 'ambit.reload.cause': cause, 'ambit.reload.products': products.length };
    return { severity: INFO, eventName: 'ambit.reload.applied', body: 'files that changed are served', attributes };
  }
  if (record.type === 'reload.refused') {
    const { cause, problems } = record;
    const attributes = { 'ambit.reload.cause': cause, 'ambit.reload.problems': problems.length };
    const body = 'files that changed are refused; what was served before is served still';
    return { severity: ERROR, eventName: 'ambit.reload.refused', body, attributes };
  }
  return approvedOf(record);
}

/** Reasons are free text, and stay in the evidence. */
function approvedOf(record: EvidenceRecord): Said | null {
  if (record.type === 'review.applied') {
    const { reviews, breakGlass, needed, effect, digest } = record;
    return {
      severity: breakGlass === null ? INFO : WARN,
      eventName: 'ambit.review.applied',
      body:
        breakGlass === null
          ? 'sessions run on a boundary because its owners approved it'
          : 'sessions run on a boundary that no owner approved, because an operator opened it',
      attributes: {
        ...boundaryOf(record),
        'ambit.review': digest,
        'ambit.review.effect': effect,
        'ambit.review.people': reviews.length,
        'ambit.review.needed': needed,
        'ambit.break_glass': breakGlass === null ? 'no' : 'yes',
      },
    };
  }
  if (record.type === 'break-glass.opened') {
    const { who, until } = record.opening;
    return {
      severity: ERROR,
      eventName: 'ambit.break_glass.opened',
      body: 'an operator opened a boundary that no owner approved',
      attributes: { ...boundaryOf(record), 'ambit.break_glass.operator': who, 'ambit.break_glass.until': until },
    };
  }
  if (record.type !== 'break-glass.ended') return null;
  return {
    severity: WARN,
    eventName: 'ambit.break_glass.ended',
    body: 'a boundary that an operator had opened is no longer open because of that',
    attributes: { ...boundaryOf(record), 'ambit.break_glass.cause': record.cause },
  };
}

function boundaryOf({ product, version, fingerprint }: Pick<BreakGlassEnded, 'product' | 'version' | 'fingerprint'>) {
  return { 'db.namespace': product, 'ambit.version': version, 'ambit.fingerprint': fingerprint };
}
