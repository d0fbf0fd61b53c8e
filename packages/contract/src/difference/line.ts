import type { Boundary, BoundaryColumn } from '../boundary.ts';

/**
 * What a line does. `widens`: someone may see or do more, or nobody can tell that they may not. `narrows`: nobody sees
 * more, and someone may see less. `changes`: neither, and yet it is not the same.
 */
export type Effect = 'widens' | 'narrows' | 'changes';

/** One thing that differs between two boundaries. */
export interface Line {
  /** Where in the boundary, as a JSON pointer: `/rowFilters/own-state/where`. */
  readonly path: string;
  /** What it is, in an owner's words: row filter `own-state` of table `flights`. */
  readonly subject: string;
  /** What it was; null: it was not there. */
  readonly before: string | null;
  /** What it is; null: it is not there. */
  readonly after: string | null;
  readonly effect: Effect;
  /** Why it has this effect. */
  readonly reason: string;
}

/** All that differs between two boundaries. */
export interface Difference {
  readonly format: 'ambit/difference/v1';
  readonly product: string;
  /** Null: it is compared with nothing. */
  readonly before: Side | null;
  readonly after: Side;
  /** What an owner must look at: `widens` where any line does, else `changes` where any does. */
  readonly effect: Effect | 'same';
  /** Those that widen first, then by path. */
  readonly lines: readonly Line[];
}

/** One of two boundaries that are compared. */
export interface Side {
  readonly fingerprint: string;
  readonly version: string;
  readonly environment: string;
}

/** Decides between row filters, and between masks. */
export interface Implication {
  /**
   * Whether every row of the table that passes `stronger` passes `weaker`, whatever the claims. Both are predicates
   * over the table, NULL not passing.
   */
  implies(around: Around, stronger: string, weaker: string): Promise<Implied>;
  /** Whether what the mask `after` shows of a column is a function of what `before` shows, whatever the claims. */
  coarsens(around: Around, column: string, before: string, after: string): Promise<Implied>;
}

/** What policy SQL is about. */
export interface Around {
  /** The filtered or masked table. */
  readonly table: string;
  /** Columns by table: of this one all that either boundary knows, and of those that subqueries may read. */
  readonly columns: Readonly<Record<string, readonly BoundaryColumn[]>>;
  /** Tables whose rows are the same on both sides. */
  readonly unchanged: readonly string[];
  /** Types of the claims that may be named. */
  readonly claims: Readonly<Record<string, string>>;
  readonly settings: Readonly<Record<string, string>>;
}

/** An answer with its reason, which completes the sentence "because ...". */
export interface Implied {
  readonly answer: 'yes' | 'no' | 'cannot tell';
  readonly reason: string;
}

/** What policies are asked for. They are Cedar, which this package does not read. */
export interface PolicyReader {
  /** What differs between the policies of two boundaries, every difference of their texts with a line. */
  lines(before: Boundary, after: Boundary): readonly Line[];
  /** Policies whose decisions could depend on this. */
  naming(boundary: Boundary, what: Named): readonly NamingPolicy[];
  /** Policies that could exempt somebody from a row filter or mask. */
  exempting(boundary: Boundary, kind: 'RowFilter' | 'Mask', id: string): readonly string[];
}

/** Something that a policy may name: an entity, or an attribute of what is asked. */
export type Named =
  | { readonly entity: { readonly type: string; readonly id: string } }
  | { readonly attribute: string };

/** A policy by its id, `file#id`. `unclear`: whether it permits or forbids for what it names cannot be told, as in an `unless`. */
export interface NamingPolicy {
  readonly id: string;
  readonly effect: 'permit' | 'forbid' | 'unclear';
}

/** All that a comparison asks others for. */
export interface Oracle extends Implication {
  readonly policies: PolicyReader;
}

/** Two boundaries that are compared. */
export interface Comparing {
  readonly before: Boundary;
  readonly after: Boundary;
  readonly oracle: Oracle;
}

/** An effect with its reason. */
export type Said = Pick<Line, 'effect' | 'reason'>;

export const widens = (reason: string): Said => ({ effect: 'widens', reason });
export const narrows = (reason: string): Said => ({ effect: 'narrows', reason });
export const changes = (reason: string): Said => ({ effect: 'changes', reason });

/** A JSON pointer. */
export function pointer(...parts: readonly (string | number)[]): string {
  return parts.map((part) => `/${String(part).replaceAll('~', '~0').replaceAll('/', '~1')}`).join('');
}

/** Names in backticks, with commas. */
export function quoted(names: readonly string[]): string {
  return names.map((name) => `\`${name}\``).join(', ');
}
