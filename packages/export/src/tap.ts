import type { EvidenceLog, EvidenceRecord } from '@ambit/evidence';

/** A record that is durable, and when. */
export interface Observed {
  readonly record: EvidenceRecord;
  /** Milliseconds since 1970, with fractions: when it was asked to be written, and when it was durable. */
  readonly askedAt: number;
  readonly durableAt: number;
}

/** Milliseconds since 1970, with fractions, of a clock that is not set while the process runs. */
export function now(): number {
  return performance.timeOrigin + performance.now();
}

/**
 * The same log, with somebody told of each record once it is durable. They are told later, on a turn of their own:
 * whoever appends neither waits for them nor learns how they fared.
 */
export function tapped(log: EvidenceLog, observe: (observed: Observed) => void): EvidenceLog {
  const observing = async <R extends EvidenceRecord | null>(append: () => Promise<R>): Promise<R> => {
    const askedAt = now();
    const record = await append();
    if (record === null) return record;
    const observed = { record, askedAt, durableAt: now() };
    setImmediate(() => observe(observed));
    return record;
  };
  return {
    ...log,
    // A rotation changes it while the log is open.
    get key() {
      return log.key;
    },
    append: (body) => observing(() => log.append(body)),
    // Somebody is told of these: other keys are used, or an operator opened what no owner approved.
    ensureCredential: (credential) => observing(() => log.ensureCredential(credential)),
    ensureReview: (review) => observing(() => log.ensureReview(review)),
  };
}
