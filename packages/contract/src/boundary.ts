import type { BoundaryQuality, BoundaryServiceLevel } from './quality/boundary.ts';

/**
 * The boundary: contract × environment, fully resolved. It is what an owner reviews, what the fingerprint covers and
 * what a grant is cut from. Canonical JSON (RFC 8785): integers only, no floats, never a secret.
 */
export interface Boundary {
  readonly format: 'ambit/boundary/v1';
  readonly product: ProductIdentity;
  /** Name of the environment. */
  readonly environment: string;
  /** Purposes by name: why a subject may ask. */
  readonly purposes: Readonly<Record<string, { readonly description: string }>>;
  /** Claims that policies may name, with their types. */
  readonly claims: Readonly<Record<string, { readonly type: string; readonly description: string }>>;
  /** What an unauthenticated request is, if the contract allows any. */
  readonly anonymous: {
    readonly purposes: readonly string[];
    readonly claims: Readonly<Record<string, ClaimValue>>;
  } | null;
  /** Whose tokens say who asks, by issuer. Absent where none are taken. API keys are no part of a boundary. */
  readonly issuers?: Readonly<Record<string, BoundaryIssuer>>;
  /** Absent where records hold the values in statements as they were asked. */
  readonly evidence?: { readonly literals: 'sealed' };
  readonly session: { readonly scope: Scope; readonly maxScope: Scope };
  readonly stores: Readonly<Record<string, BoundaryStore>>;
  /** What the references of stores stand for. Absent where no store has one. */
  readonly credentials?: Readonly<Record<string, BoundaryCredential>>;
  readonly catalogs: Readonly<Record<string, BoundaryCatalog>>;
  readonly tables: Readonly<Record<string, BoundaryTable>>;
  readonly views: Readonly<Record<string, BoundaryView>>;
  /** Rules that the data is held against, by table and name. Absent where there are none. */
  readonly quality?: BoundaryQuality;
  /** By name. Absent where there are none. */
  readonly serviceLevels?: Readonly<Record<string, BoundaryServiceLevel>>;
  /** Canonical names of the functions that consumers and views may call, sorted. */
  readonly functions: readonly string[];
  /** Every `datafusion.*` setting. */
  readonly settings: Readonly<Record<string, BoundarySetting>>;
  readonly limits: BoundaryLimits;
  /** Limits that the environment lowers beneath the contract's, sorted. Absent where it lowers none. */
  readonly lowered?: readonly (keyof BoundaryLimits)[];
  readonly rowFilters: Readonly<Record<string, BoundaryRowFilter>>;
  readonly masks: Readonly<Record<string, BoundaryMask>>;
  readonly queries: Readonly<Record<string, BoundaryQuery>>;
  /** Cedar policy files by name, their text with line ends as `\n`. */
  readonly policies: Readonly<Record<string, string>>;
  /** `datafusion` version that the boundary was checked against. */
  readonly engine: { readonly name: 'datafusion'; readonly version: string };
}

export interface ProductIdentity {
  readonly name: string;
  /** Semantic version. */
  readonly version: string;
  /** The tenant that owns the product. */
  readonly tenant: string;
  readonly description: string;
  readonly owner: {
    readonly team: string;
    /** Who may approve changes, sorted by name. */
    readonly reviewers: readonly Signer[];
    /** Keys of agents, whose reviews never count. Absent where none are listed. */
    readonly agents?: readonly Signer[];
    /** Absent where the usual number of people approves. */
    readonly approvals?: Approvals;
  };
  /** Absent where nobody has said that the version ends. */
  readonly deprecation?: ProductDeprecation;
}

/** Somebody who signs. */
export interface Signer {
  readonly name: string;
  /** Public keys as `TYPE BASE64`, sorted. */
  readonly keys: readonly string[];
  /** Addresses that their commits have, in lower case, sorted. */
  readonly emails: readonly string[];
}

/** What a contract asks for beyond the usual: people for a difference of each kind, and that its policy tests passed. */
export interface Approvals {
  readonly widens?: number;
  readonly narrows?: number;
  readonly changes?: number;
  readonly tests?: 'required';
}

/** How a version of a product comes to its end. Days are in UTC, as 2027-06-30. */
export interface ProductDeprecation {
  readonly since: string;
  /** From this day on it is refused; null: not yet. */
  readonly sunset: string | null;
  /** The version to use instead. */
  readonly successor: string | null;
  readonly notice: string | null;
}

/** Somebody whose tokens are believed, as the environment declares it. */
export interface BoundaryIssuer {
  readonly audience: string;
  /** Where its public keys are: https URL, or a file, relative to the environment file. */
  readonly jwks: string;
  /** Algorithms that its signatures may have, sorted. */
  readonly algorithms: readonly string[];
  /** The tenant that it speaks for. */
  readonly tenant: string;
  /** The `typ` of its tokens; null: none, `JWT` or `at+jwt`. */
  readonly type: string | null;
  /** Claims of its tokens that hold principal and roles. */
  readonly principal: string;
  readonly roles: string;
  /** The claim that holds the kind; null: every subject is a user. */
  readonly kind: string | null;
  /** Claims of its tokens by the claims of subjects that they become. */
  readonly claims: Readonly<Record<string, string>>;
}

export type Scope = 'request' | 'conversation' | 'purpose' | 'product' | 'tenant';

/** A claim's or parameter's value: `timestamp`, `date`, `decimal` and 64-bit integers may be strings. */
export type ClaimValue = string | number | boolean;

export type BoundaryStore = BoundaryFolder | BoundaryBucket;

export interface BoundaryFolder {
  readonly kind: 'local';
  /** As the environment declares it: relative roots are relative to the environment file, so that it is the same on every machine. */
  readonly root: string;
  readonly credential: null;
}

/** A bucket that is asked by the S3 protocol, or what lies beneath a prefix in it. */
export interface BoundaryBucket {
  readonly kind: 's3';
  /** `s3://bucket/` or `s3://bucket/prefix/`. */
  readonly url: string;
  /** Its server; null: that of AWS in the region. */
  readonly endpoint: string | null;
  readonly region: string;
  /** Reference of the credential; null: requests are not signed. */
  readonly credential: string | null;
  /** File of the certificates that vouch for the server, as the environment declares it. Absent: those that the machine trusts. */
  readonly certificates?: string;
}

/** What a reference stands for. Never a secret, nor where one lies. */
export type BoundaryCredential =
  /** Keys of an account. */
  | { readonly kind: 'keys' }
  /** Keys for so many minutes, of a role, for the files of a session's tables alone. `externalId`: its trust asks for one. */
  | { readonly kind: 'role'; readonly role: string; readonly minutes: number; readonly externalId?: true };

export interface BoundaryCatalog {
  readonly type: 'parquet' | 'csv' | 'json' | 'arrow';
  readonly store: string;
}

export interface BoundaryTable {
  readonly description: string;
  readonly catalog: string;
  /** Relative to the store; ends with `/` for a folder. */
  readonly path: string;
  readonly format: BoundaryFormat;
  /** Columns that the names of folders carry, outermost first; absent where there are none. */
  readonly partitions?: readonly string[];
  /** Absent where what files say of the rows may choose plans. */
  readonly statistics?: false;
  /** In declared order. */
  readonly columns: readonly BoundaryColumn[];
}

export type BoundaryFormat =
  | { readonly type: 'parquet' }
  | { readonly type: 'csv'; readonly header: boolean; readonly delimiter: string }
  | { readonly type: 'json'; readonly array: boolean }
  | { readonly type: 'arrow' };

export interface BoundaryColumn {
  readonly name: string;
  /** `boolean`, `tinyint`, `smallint`, `int`, `bigint`, `real`, `double`, `decimal(P, S)`, `string`, `binary`, `date`, `time`, `timestamp`, `timestamptz`, `list<T>`, `struct<name: T, ...>` */
  readonly type: string;
  readonly nullable: boolean;
  readonly description: string;
  /** Sorted. */
  readonly tags: readonly string[];
}

/** What a piece of SQL reads, views expanded; as the engine found it. */
export interface Reads {
  readonly tables: Readonly<Record<string, readonly string[]>>;
  /** Views that it names directly, sorted. */
  readonly views: readonly string[];
  readonly functions: readonly string[];
}

export interface BoundaryView {
  readonly description: string;
  readonly sql: string;
  readonly columns: readonly { readonly name: string; readonly type: string; readonly nullable: boolean }[];
  readonly reads: Reads;
}

export interface BoundarySetting {
  readonly value: string;
  readonly origin: 'contract' | 'environment' | 'ambit' | 'datafusion';
}

/** Limits of one session, and of all sessions that a tenant has on the version together (`concurrency`, `queue`). */
export interface BoundaryLimits {
  readonly timeoutMs: number;
  readonly memoryBytes: number;
  readonly spillBytes: number;
  readonly rows: number;
  readonly bytes: number;
  readonly statementBytes: number;
  readonly statementNodes: number;
  readonly statementDepth: number;
  readonly planNodes: number;
  readonly concurrency: number;
  readonly queue: number;
}

export interface BoundaryRowFilter {
  readonly description: string;
  readonly table: string;
  readonly where: string;
  /** Claims that it names, sorted. */
  readonly claims: readonly string[];
  /** What its subqueries read. */
  readonly reads: Reads;
}

export interface BoundaryMask {
  readonly description: string;
  readonly with: string;
  /** The columns that it masks, resolved from column or tag, sorted by table, then column. */
  readonly columns: readonly { readonly table: string; readonly column: string }[];
  /** The tag it was declared for, if any. */
  readonly tag: string | null;
  /** Masks on one column apply in ascending order; null where no column has two. */
  readonly order: number | null;
  readonly claims: readonly string[];
}

export interface BoundaryQuery {
  readonly description: string;
  readonly sql: string;
  readonly parameters: Readonly<Record<string, BoundaryParameter>>;
  readonly columns: readonly { readonly name: string; readonly type: string; readonly nullable: boolean }[];
  readonly reads: Reads;
}

export interface BoundaryParameter {
  readonly type: string;
  readonly description: string;
  /** Used when the caller gives none; null: the caller must. */
  readonly default: ClaimValue | null;
  /** Bounds of a whole number, both included. */
  readonly minimum: number | null;
  readonly maximum: number | null;
}
