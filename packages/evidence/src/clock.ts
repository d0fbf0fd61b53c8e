/** Where time comes from. Both are read at the same moment. */
export interface Clock {
  /** UTC, milliseconds since 1970. May be set back. */
  wallMs(): number;
  /** Nanoseconds since some moment. Never goes back. */
  monotonicNs(): bigint;
}

export const systemClock: Clock = { wallMs: () => Date.now(), monotonicNs: () => process.hrtime.bigint() };

export interface Tick {
  /** UTC, microseconds, ISO 8601. */
  readonly at: string;
  /** Monotonic nanoseconds, as a string. */
  readonly monotonic: string;
}

/**
 * The log's time: `at` never goes back, not even when the system's clock is set back (then it stands still until the
 * clock has caught up, while `monotonic` goes on, which shows it); `monotonic` differs in any two ticks.
 *
 * The system clock gives milliseconds. Microseconds come from the monotonic clock, anchored anew whenever the two part.
 */
export function makeTicker(clock: Clock, notBeforeMicros: number): () => Tick {
  let last = notBeforeMicros;
  let lastNs = -1n;
  let anchorMs = 0;
  let anchorNs = 0n;
  return () => {
    const wallMs = clock.wallMs();
    let ns = clock.monotonicNs();
    let micros = anchorMs * 1000 + Number((ns - anchorNs) / 1000n);
    if (micros < wallMs * 1000 || micros >= (wallMs + 1) * 1000) {
      anchorMs = wallMs;
      anchorNs = ns;
      micros = wallMs * 1000;
    }
    last = Math.max(last, micros);
    if (ns <= lastNs) ns = lastNs + 1n;
    lastNs = ns;
    return { at: formatMicros(last), monotonic: ns.toString() };
  };
}

/** `2026-01-31T12:00:00.000000Z`. */
export function formatMicros(micros: number): string {
  const ms = Math.floor(micros / 1000);
  return `${new Date(ms).toISOString().slice(0, -1)}${String(micros - ms * 1000).padStart(3, '0')}Z`;
}

/** The inverse of `formatMicros`; null for any other text. */
export function parseMicros(at: string): number | null {
  if (!/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/.test(at)) return null;
  const ms = Date.parse(`${at.slice(0, 23)}Z`);
  if (Number.isNaN(ms)) return null;
  const micros = ms * 1000 + Number(at.slice(23, 26));
  return formatMicros(micros) === at ? micros : null;
}
