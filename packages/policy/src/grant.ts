import type { ClaimValue } from '@ambit/contract';

/** Who asks. Made by authentication alone; nothing in a request's body can change it. */
export interface Subject {
  readonly tenant: string;
  /** Unique in the tenant. */
  readonly principal: string;
  readonly kind: 'user' | 'service' | 'agent' | 'anonymous';
  /** Sorted. */
  readonly roles: readonly string[];
  readonly claims: Readonly<Record<string, ClaimValue>>;
  readonly channel: 'http' | 'flight-sql' | 'postgres' | 'mcp' | 'cli';
  /** For an agent: whom it acts for. */
  readonly onBehalfOf: { readonly tenant: string; readonly principal: string } | null;
  readonly authentication: {
    readonly method: 'api-key' | 'jwt' | 'anonymous' | 'policy-test';
    /** Key id, or issuer and token id, or the file of a policy test. Never the credential. */
    readonly reference: string;
  };
}

/** One question to Cedar and its answer. `determinedBy` are policy ids, `file#id`. Empty on a default deny. */
export interface Decision {
  readonly action: 'open' | 'read' | 'call' | 'exempt' | 'explain' | 'readEvidence' | 'review';
  /** `Table::"flights"`, `Column::"flights.delay"`, ... */
  readonly resource: string;
  readonly allowed: boolean;
  readonly determinedBy: readonly string[];
}

/** The policy's answer for (subject, purpose, boundary). Pure data; `digest` is the SHA-256 of the rest, canonical. */
export interface Grant {
  readonly format: 'ambit/grant/v1';
  readonly product: string;
  readonly version: string;
  readonly fingerprint: string;
  readonly environment: string;
  readonly purpose: string;
  /** Governed tables by name. A table without a visible column is not here. */
  readonly tables: Readonly<Record<string, GrantedTable>>;
  /** Views all of whose tables, columns, views and functions are granted, and that are permitted themselves. */
  readonly views: Readonly<Record<string, { readonly determinedBy: readonly string[] }>>;
  /** Canonical names, sorted. */
  readonly functions: readonly string[];
  /** Named queries all of whose reads are granted, sorted. */
  readonly queries: readonly string[];
  /** Every decision that was taken, allow and deny, in a stable order. */
  readonly decisions: readonly Decision[];
}

export interface GrantedTable {
  readonly determinedBy: readonly string[];
  /** Visible columns, in declared order. */
  readonly columns: readonly GrantedColumn[];
  /** Row filters of the table: those that apply, and those that this subject is exempted from. */
  readonly filters: readonly Governor[];
}

export interface GrantedColumn {
  readonly name: string;
  readonly determinedBy: readonly string[];
  /** Masks of the column, in order: those that apply, and those exempted from. */
  readonly masks: readonly Governor[];
}

/** A row filter or mask as it stands for this grant. */
export interface Governor {
  readonly id: string;
  /** Policy ids that permit the exemption; empty: it applies. */
  readonly exemptedBy: readonly string[];
}

/** Why there is no grant. `message` is for the consumer: it names the boundary that refused, never what it hides. */
export interface Refusal {
  readonly code: 'product_unknown' | 'purpose_required' | 'purpose_refused' | 'policy_failed';
  readonly message: string;
  readonly hint: string | null;
  readonly decisions: readonly Decision[];
}

export type Authorization =
  | { readonly allowed: true; readonly grant: Grant & { readonly digest: string } }
  | { readonly allowed: false; readonly refusal: Refusal };
