import type { Json, SessionOutcome } from '@ambit/evidence';

/** What exports read of an engine's report. A record of another version may lack any of it. */
export interface Report {
  readonly columns: readonly { readonly name: string; readonly type: string }[];
  readonly tables: Readonly<Record<string, { readonly columns: readonly string[] }>>;
  readonly operators: readonly Operator[];
  readonly timings: Readonly<Record<string, number>>;
  readonly memoryPeakBytes: number | null;
  readonly spillBytes: number | null;
  /** Null where the record has none. */
  readonly lineage: Json;
}

export interface Operator {
  readonly operator: string;
  readonly depth: number;
  readonly inside: string | null;
  readonly metrics: Readonly<Record<string, number>>;
  /** From the beginning of the run. Null or absent where nobody tells. */
  readonly startMicros?: number | null;
  readonly endMicros?: number | null;
}

/** Null: the statement was never planned. */
export function reportOf({ engine }: SessionOutcome): Report | null {
  const given = engine as Partial<Report> | null;
  if (given === null || typeof given !== 'object' || given.tables === undefined) return null;
  return {
    columns: given.columns ?? [],
    tables: given.tables,
    operators: given.operators ?? [],
    timings: given.timings ?? {},
    memoryPeakBytes: given.memoryPeakBytes ?? null,
    spillBytes: given.spillBytes ?? null,
    lineage: given.lineage ?? null,
  };
}

const PLAIN_NAME = /^[A-Za-z_][A-Za-z0-9_]{0,127}$/;

/**
 * Name of a result's column. The engine names what has no name by its text, which holds the statement's literals:
 * such a column is called by its place.
 */
export function columnName(name: string, at: number): string {
  return PLAIN_NAME.test(name) ? name : `column_${at + 1}`;
}

/** Codes whose messages are Ambit's own words, whatever was asked. */
const OWN_WORDS = new Set([
  'cancelled',
  'engine_crashed',
  'engine_unavailable',
  'internal',
  'limit_bytes',
  'limit_memory',
  'limit_rows',
  'limit_spill',
  'limit_time',
  'orphaned',
]);

/** Why a session did not complete, for others: a message that may quote the statement stays in the evidence. */
export function errorText({ session, error }: SessionOutcome): string | null {
  if (error === null) return null;
  if (OWN_WORDS.has(error.code)) return `${error.code}: ${error.message}`;
  return `${error.code}: the evidence of ${session} says more`;
}
