import type { ClaimValue, Reads } from '../boundary.ts';
import type { DIMENSIONS, Metric, Operator, SEVERITIES } from './schema.ts';

/** Rules by table, then by name: `enough` of a table, `origin.known` of its column. */
export type BoundaryQuality = Readonly<Record<string, Readonly<Record<string, BoundaryRule>>>>;

/** A rule that data is held against. */
export interface BoundaryRule {
  readonly description: string;
  readonly dimension: (typeof DIMENSIONS)[number] | null;
  /** Null: it is of the table. */
  readonly column: string | null;
  /** What gives the number. */
  readonly measure: Measure;
  readonly unit: 'rows' | 'percent';
  readonly operator: Operator;
  /** Numbers as text, one or two: a boundary has no floats. */
  readonly than: readonly string[];
  readonly severity: (typeof SEVERITIES)[number];
  readonly onFailure: 'report' | 'close';
}

/** What a rule counts. */
export type Measure =
  | { readonly metric: Extract<Metric, 'nullValues' | 'rowCount'> }
  | { readonly metric: Extract<Metric, 'missingValues'>; readonly values: readonly ClaimValue[] }
  | {
      readonly metric: Extract<Metric, 'invalidValues'>;
      readonly values: readonly ClaimValue[] | null;
      readonly pattern: string | null;
    }
  | { readonly metric: Extract<Metric, 'duplicateValues'>; readonly columns: readonly string[] }
  | { readonly sql: string; readonly reads: Reads };

/** What an owner promises of the service. */
export interface BoundaryServiceLevel {
  readonly description: string;
  readonly property: string;
  /** A fractional number as its text. */
  readonly value: ClaimValue;
  readonly unit: string | null;
  readonly element: string | null;
  readonly driver: string | null;
}
