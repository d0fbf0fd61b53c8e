import { createHash } from 'node:crypto';

// Ids are made of what the record says, never drawn: what is sent twice is the same thing twice.

/** Namespace of run ids, of no meaning but its own. */
const RUNS = '5f1d8a2e-6c0b-4b57-9d0e-3c1f6a7b9e42';

/** A run's UUID (version 5, RFC 9562) of a session's id. */
export function runId(session: string): string {
  const bytes = createHash('sha1')
    .update(Buffer.from(RUNS.replaceAll('-', ''), 'hex'))
    .update(session)
    .digest();
  bytes[6] = ((bytes[6] ?? 0) & 0x0f) | 0x50;
  bytes[8] = ((bytes[8] ?? 0) & 0x3f) | 0x80;
  const hex = bytes.toString('hex');
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20, 32)].join('-');
}

/** Where a session stands among traces. */
export interface TraceContext {
  readonly traceId: string;
  /** Span of whoever asked, if it said so. */
  readonly parentId: string | null;
  /** False: whoever asked decided that this trace is not kept. */
  readonly sampled: boolean;
}

const TRACEPARENT = /^[0-9a-f]{2}-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})/;

export function traceOf(session: string, traceparent: string | null): TraceContext {
  const [, traceId, parentId, flags] = TRACEPARENT.exec(traceparent ?? '') ?? [];
  if (traceId === undefined || parentId === undefined || /^0+$/.test(traceId) || /^0+$/.test(parentId)) {
    return { traceId: digest(session, 16), parentId: null, sampled: true };
  }
  return { traceId, parentId, sampled: (Number.parseInt(flags ?? '0', 16) & 1) === 1 };
}

/** Id of a session's span. */
export function spanId(session: string, span: string): string {
  return digest(`${session} ${span}`, 8);
}

function digest(text: string, bytes: number): string {
  return createHash('sha256')
    .update(text)
    .digest('hex')
    .slice(0, bytes * 2);
}
