import type { Boundary } from '@ambit/contract';
import type { ReviewApplied, SessionCredential } from '@ambit/evidence';
import type { Grant, Subject } from '@ambit/policy';
import type { SealState } from '@ambit/session';

/** A session's evidence, as `GET /v1/sessions/{id}` gives it: the parts that the page tells. */
export interface SessionEvidence {
  readonly session: string;
  readonly intent: Intent;
  /** Null while the session runs. */
  readonly outcome: Outcome | null;
  readonly grant: Grant;
  readonly boundary: Boundary;
  /** Because of what the boundary was served; null or absent where that is not told, or nobody had to approve it. */
  readonly review?: Pick<ReviewApplied, 'reviews' | 'breakGlass'> | null;
  /** Whether this is all of it, or what the session's own subject may know. */
  readonly whole: boolean;
  /** There where the contract has literals sealed. */
  readonly seal?: SealState;
}

export interface Intent {
  readonly seq: number;
  readonly at: string;
  readonly product: string;
  readonly version: string;
  readonly environment: string;
  readonly fingerprint: string;
  readonly subject: Subject;
  readonly purpose: string;
  readonly scope: string;
  readonly statement: {
    readonly kind: 'sql' | 'query';
    readonly name: string | null;
    readonly sql: string;
    readonly parameters: Readonly<Record<string, { readonly type: string; readonly value: unknown }>>;
  };
  readonly format: string;
  readonly limits: Readonly<Record<string, unknown>>;
  /** Reference of the credential by store; null where the store needs none. */
  readonly credentials: Readonly<Record<string, string | null>>;
  /** Microseconds since 1970 UTC; absent in records of before it was kept. */
  readonly clockMicros?: number;
  /** There where the session repeats another for somebody. */
  readonly replay?: { readonly of: string; readonly by: Pick<Subject, 'tenant' | 'principal'> };
}

export interface Outcome {
  readonly seq: number;
  readonly at: string;
  readonly status: string;
  readonly error: { readonly code: string; readonly message: string; readonly detail: string | null } | null;
  readonly rows: number;
  readonly bytes: number;
  readonly engine: EngineReport | null;
  /** What its stores could be asked with; for those who may read the whole evidence. */
  readonly issued?: readonly SessionCredential[];
  /** Microseconds of each step of the one path. */
  readonly steps: Readonly<Record<string, number>>;
}

/** What the engine reported, as far as it came. */
export interface EngineReport {
  readonly tables?: Readonly<Record<string, TableUse>>;
  readonly views?: readonly string[];
  readonly functions?: readonly string[];
  readonly accesses?: readonly Access[];
  readonly memoryPeakBytes?: number;
  readonly spillBytes?: number;
  readonly lineage?: Lineage;
  /** For those who may read the whole evidence. */
  readonly operators?: readonly Operator[];
  readonly residue?: Residue;
}

export interface TableUse {
  readonly columns: readonly string[];
  readonly filters: readonly string[];
  readonly masks: Readonly<Record<string, readonly string[]>>;
}

export interface Access {
  readonly store: string;
  readonly credential: string | null;
  readonly object: string;
  readonly version?: string | null;
  /** What follows is for those who may read the whole evidence. */
  readonly requests?: number;
  readonly bytes?: number;
  /** `[start, end)`, merged and sorted. */
  readonly ranges?: readonly (readonly [number, number])[];
  readonly size?: number | null;
  readonly failures?: number;
}

export interface Residue {
  readonly memoryBytes: number;
  readonly spillBytes: number;
  readonly tasks: number;
}

/** From which columns the result comes. */
export interface Lineage {
  readonly columns: readonly { readonly name: string; readonly inputs: readonly LineageInput[] }[];
  /** Columns that decide which rows there are. */
  readonly dataset: readonly LineageInput[];
  readonly widened: boolean;
}

export interface LineageInput {
  readonly table: string;
  readonly column: string;
  readonly masked: boolean;
  readonly how: readonly string[];
}

/** An operator of the plan, depth first. */
export interface Operator {
  readonly operator: string;
  readonly depth: number;
  /** Table whose barrier it runs inside. */
  readonly inside: string | null;
  readonly metrics: Readonly<Record<string, number>>;
}
