/* Generated from schemas/engine-protocol.json, which the Rust types emit. Never edit. */

/**
 * Whether it holds.
 *
 * This interface was referenced by `EngineProtocol`'s JSON-Schema
 * via the `definition` "Answer".
 */
export type Answer = 'yes' | 'no' | 'cannot tell';
/**
 * What a piece of SQL is, and so which names it sees.
 *
 * This interface was referenced by `EngineProtocol`'s JSON-Schema
 * via the `definition` "CheckScope".
 */
export type CheckScope =
  | {
      kind: 'rowFilter';
      /**
       * Table that is filtered.
       */
      table: string;
    }
  | {
      /**
       * Masked column.
       */
      column: string;
      kind: 'mask';
      /**
       * Table of the masked column.
       */
      table: string;
    }
  | {
      kind: 'query';
      /**
       * Parameters and their types.
       */
      parameters: {
        [k: string]: string;
      };
    };
/**
 * A way from a column to a result. `identity`, `transformation` and `aggregation` are of OpenLineage's type DIRECT, the
 * others of its type INDIRECT; the name is the subtype.
 *
 * This interface was referenced by `EngineProtocol`'s JSON-Schema
 * via the `definition` "LineageHow".
 */
export type LineageHow =
  'identity' | 'transformation' | 'aggregation' | 'join' | 'group_by' | 'filter' | 'sort' | 'window' | 'conditional';
/**
 * The lists of a comparison.
 *
 * This interface was referenced by `EngineProtocol`'s JSON-Schema
 * via the `definition` "ComparedList".
 */
export type ComparedList = 'stronger' | 'weaker' | 'before' | 'after';
/**
 * Kinds of drift. All but the first make queries of the table fail.
 *
 * This interface was referenced by `EngineProtocol`'s JSON-Schema
 * via the `definition` "DriftKind".
 */
export type DriftKind = 'appeared' | 'vanished' | 'retyped' | 'repeated' | 'header' | 'unreadable' | 'unreachable';
/**
 * Kinds of functions.
 *
 * This interface was referenced by `EngineProtocol`'s JSON-Schema
 * via the `definition` "FunctionKind".
 */
export type FunctionKind = 'scalar' | 'aggregate' | 'window';
/**
 * What an argument of a leakproof function may be.
 *
 * This interface was referenced by `EngineProtocol`'s JSON-Schema
 * via the `definition` "LeakproofArgument".
 */
export type LeakproofArgument = 'text' | 'binary' | 'float' | 'textLiteral' | 'count';
/**
 * The engine's closed catalogue of errors: one for each boundary that can refuse, and one for each way to fail.
 *
 * This interface was referenced by `EngineProtocol`'s JSON-Schema
 * via the `definition` "EngineErrorCode".
 */
export type EngineErrorCode =
  | 'sql_syntax'
  | 'statement_refused'
  | 'statement_too_complex'
  | 'table_unknown'
  | 'column_unknown'
  | 'function_unknown'
  | 'sql_invalid'
  | 'parameter_invalid'
  | 'claim_missing'
  | 'plan_refused'
  | 'compute_failed'
  | 'table_closed'
  | 'source_failed'
  | 'limit_memory'
  | 'limit_spill'
  | 'limit_rows'
  | 'limit_bytes'
  | 'limit_time'
  | 'cancelled'
  | 'internal';
/**
 * Kinds of frames, in the order they come: at most one `Planned`, any number of `Data`, exactly one `Outcome`.
 * An answer without an outcome is a crash.
 *
 * This interface was referenced by `EngineProtocol`'s JSON-Schema
 * via the `definition` "FrameKind".
 */
export type FrameKind = 'planned' | 'data' | 'outcome';
/**
 * File formats of a source.
 *
 * This interface was referenced by `EngineProtocol`'s JSON-Schema
 * via the `definition` "SourceFormat".
 */
export type SourceFormat =
  | {
      type: 'parquet';
    }
  | {
      /**
       * One ASCII character.
       */
      delimiter: string;
      /**
       * Whether the first line names the columns.
       */
      header: boolean;
      type: 'csv';
    }
  | {
      /**
       * True: one array of objects. False: an object a line.
       */
      array: boolean;
      type: 'json';
    }
  | {
      type: 'arrow';
    };
/**
 * Where a source's bytes are, resolved by the control plane.
 *
 * This interface was referenced by `EngineProtocol`'s JSON-Schema
 * via the `definition` "Store".
 */
export type Store =
  | {
      kind: 'local';
      /**
       * Absolute path of the folder.
       */
      root: string;
    }
  | {
      /**
       * Name of the bucket.
       */
      bucket: string;
      /**
       * Reference of a credential of the session. None: requests are not signed.
       */
      credential: string | null;
      /**
       * Where it is: scheme, host and port. One of the worker's endpoints.
       */
      endpoint: string;
      kind: 's3';
      /**
       * What each key begins with: empty, or ends with `/`.
       */
      prefix: string;
      /**
       * Region that requests are signed for.
       */
      region: string;
      /**
       * Whether the endpoint's host names the bucket. Else the path of a request does.
       */
      virtualHosted: boolean;
    };
/**
 * Formats of data frames.
 *
 * This interface was referenced by `EngineProtocol`'s JSON-Schema
 * via the `definition` "OutputFormat".
 */
export type OutputFormat = 'arrow' | 'ndjson' | 'json' | 'csv';
/**
 * Ends of a session.
 *
 * This interface was referenced by `EngineProtocol`'s JSON-Schema
 * via the `definition` "OutcomeStatus".
 */
export type OutcomeStatus = 'completed' | 'refused' | 'failed' | 'cancelled';

/**
 * A column of a checked query.
 *
 * This interface was referenced by `EngineProtocol`'s JSON-Schema
 * via the `definition` "CheckColumn".
 */
export interface CheckColumn {
  /**
   * Name.
   */
  name: string;
  /**
   * Whether NULL can occur.
   */
  nullable: boolean;
  /**
   * Contract type, or the Arrow type's name where the contract has none.
   */
  type: string;
}
/**
 * One piece of SQL.
 *
 * This interface was referenced by `EngineProtocol`'s JSON-Schema
 * via the `definition` "CheckItem".
 */
export interface CheckItem {
  /**
   * Chosen by the caller, returned with the result.
   */
  id: string;
  /**
   * What the SQL is.
   */
  scope: CheckScope;
  /**
   * The SQL.
   */
  sql: string;
}
/**
 * Why a piece of SQL does not plan.
 *
 * This interface was referenced by `EngineProtocol`'s JSON-Schema
 * via the `definition` "CheckProblem".
 */
export interface CheckProblem {
  /**
   * Column in the SQL, from 1, in characters, where known.
   */
  column: number | null;
  /**
   * What to do: the nearest valid word, or what was expected.
   */
  hint: string | null;
  /**
   * Line in the SQL, from 1, where known.
   */
  line: number | null;
  /**
   * One sentence, lower case, no final stop.
   */
  message: string;
  /**
   * The declared parameter that it is about, if that is not in the SQL.
   */
  parameter: string | null;
}
/**
 * The results: a view's under `view:NAME`, an item's and a value's under its id, and under `setting:KEY` that of a setting
 * whose value is none. SQL over a view that does not plan has a result without a problem: the view's is enough.
 *
 * This interface was referenced by `EngineProtocol`'s JSON-Schema
 * via the `definition` "CheckReport".
 */
export interface CheckReport {
  /**
   * A result for every view, item and value.
   */
  results: {
    [k: string]: CheckResult;
  };
}
/**
 * One result.
 *
 * This interface was referenced by `EngineProtocol`'s JSON-Schema
 * via the `definition` "CheckResult".
 */
export interface CheckResult {
  /**
   * Claims that it names, sorted.
   */
  claims: string[];
  /**
   * Columns of the result, for views and queries.
   */
  columns: CheckColumn[];
  /**
   * Functions that it calls, sorted.
   */
  functions: string[];
  /**
   * Why it does not plan. `None`: it does.
   */
  problem: CheckProblem | null;
  /**
   * Tables and columns that it reads, views expanded.
   */
  reads: TableRead[];
  /**
   * Views that it reads, directly.
   */
  views: string[];
}
/**
 * A table that checked SQL reads.
 *
 * This interface was referenced by `EngineProtocol`'s JSON-Schema
 * via the `definition` "TableRead".
 */
export interface TableRead {
  /**
   * Columns, sorted.
   */
  columns: string[];
  /**
   * Table.
   */
  table: string;
}
/**
 * A contract's SQL, whole. Nothing is opened: tables are empty ones of the declared schema.
 *
 * This interface was referenced by `EngineProtocol`'s JSON-Schema
 * via the `definition` "CheckRequest".
 */
export interface CheckRequest {
  /**
   * Declared claims and their types.
   */
  claims: {
    [k: string]: string;
  };
  /**
   * Functions that consumers may call. Views and named queries are held to these, policies are not.
   */
  functions: string[];
  /**
   * What is checked beside the views.
   */
  items: CheckItem[];
  /**
   * Every setting.
   */
  settings: {
    [k: string]: string;
  };
  /**
   * Declared columns by table.
   */
  tables: {
    [k: string]: Column[];
  };
  /**
   * Values that must be of their types, by an id.
   */
  values: {
    [k: string]: TypedValue;
  };
  /**
   * Views by name.
   */
  views: {
    [k: string]: View;
  };
}
/**
 * A declared column.
 *
 * This interface was referenced by `EngineProtocol`'s JSON-Schema
 * via the `definition` "Column".
 */
export interface Column {
  /**
   * Name as the source has it. Case-sensitive.
   */
  name: string;
  /**
   * Whether the source may hold NULL.
   */
  nullable: boolean;
  /**
   * A type of the contract: `boolean`, `tinyint`, `smallint`, `int`, `bigint`, `real`, `double`, `decimal(P, S)`,
   * `string`, `binary`, `date`, `time`, `timestamp`, `timestamptz`, `list<T>`, `struct<name: T, ...>`.
   */
  type: string;
}
/**
 * A value with its contract type. `value` is a JSON boolean, number or string, or null; 64-bit integers and decimals
 * may be strings, dates and timestamps are ISO 8601 strings.
 *
 * This interface was referenced by `EngineProtocol`'s JSON-Schema
 * via the `definition` "TypedValue".
 */
export interface TypedValue {
  /**
   * A scalar type of the contract.
   */
  type: string;
  /**
   * The value.
   */
  value: unknown;
}
/**
 * A view over governed tables: it sees what the session sees, never more.
 *
 * This interface was referenced by `EngineProtocol`'s JSON-Schema
 * via the `definition` "View".
 */
export interface View {
  /**
   * A SQL query.
   */
  sql: string;
}
/**
 * Is what `after` shows of a column a function of what `before` shows, whatever the data and the claims?
 *
 * This interface was referenced by `EngineProtocol`'s JSON-Schema
 * via the `definition` "CoarsensRequest".
 */
export interface CoarsensRequest {
  /**
   * Masks that may show more.
   */
  after: string[];
  /**
   * Masks in the order in which they apply. None: the column is shown as it is.
   */
  before: string[];
  /**
   * Declared claims and their types. Their values are unknown, and the same on both sides.
   */
  claims: {
    [k: string]: string;
  };
  /**
   * The masked column.
   */
  column: string;
  /**
   * The table's declared columns.
   */
  columns: Column[];
  /**
   * Every setting.
   */
  settings: {
    [k: string]: string;
  };
  /**
   * Table of the masked column.
   */
  table: string;
}
/**
 * Where one column of a result comes from.
 *
 * This interface was referenced by `EngineProtocol`'s JSON-Schema
 * via the `definition` "ColumnLineage".
 */
export interface ColumnLineage {
  /**
   * Sorted by table and column, each once. Empty: a constant, or a count of rows.
   */
  inputs: LineageInput[];
  /**
   * Name as the statement gives it. Not unique.
   */
  name: string;
}
/**
 * A visible column of a governed table, and its part.
 *
 * This interface was referenced by `EngineProtocol`'s JSON-Schema
 * via the `definition` "LineageInput".
 */
export interface LineageInput {
  /**
   * Visible column of it.
   */
  column: string;
  /**
   * All ways from it to here, sorted.
   */
  how: LineageHow[];
  /**
   * Whether the policy masks the column: what goes on is the mask's value.
   */
  masked: boolean;
  /**
   * Governed table.
   */
  table: string;
}
/**
 * Which SQL does not plan, and why.
 *
 * This interface was referenced by `EngineProtocol`'s JSON-Schema
 * via the `definition` "ComparisonProblem".
 */
export interface ComparisonProblem {
  /**
   * Its place there, from 0.
   */
  index: number;
  /**
   * The list that it is in.
   */
  list: ComparedList;
  /**
   * Why it does not plan.
   */
  problem: CheckProblem;
}
/**
 * The answer, or what is wrong with the question: exactly one of both.
 *
 * This interface was referenced by `EngineProtocol`'s JSON-Schema
 * via the `definition` "ComparisonReport".
 */
export interface ComparisonReport {
  /**
   * The answer.
   */
  judgement: Judgement | null;
  /**
   * SQL that does not parse or is not of its type.
   */
  problem: ComparisonProblem | null;
}
/**
 * An answer and why.
 *
 * This interface was referenced by `EngineProtocol`'s JSON-Schema
 * via the `definition` "Judgement".
 */
export interface Judgement {
  /**
   * Whether it holds.
   */
  answer: Answer;
  /**
   * For `no`.
   */
  counterexample: Counterexample | null;
  /**
   * Why, in words. Quotes the contract's SQL and nothing else.
   */
  reason: string;
}
/**
 * What shows that the answer is no. Its values are made of what stands in the contract's SQL: no data was read.
 *
 * This interface was referenced by `EngineProtocol`'s JSON-Schema
 * via the `definition` "Counterexample".
 */
export interface Counterexample {
  /**
   * The subject's claims, `tenant` and `purpose`: those that the policies name. NULL: the subject does not have it.
   */
  claims: {
    [k: string]: TypedValue;
  };
  /**
   * Of masks: another row. `before` shows the same of both, `after` does not.
   */
  other: {
    [k: string]: TypedValue;
  } | null;
  /**
   * A row, its columns by name: those that the policies read. It passes `stronger` and not `weaker`.
   */
  row: {
    [k: string]: TypedValue;
  };
}
/**
 * A difference between a contract and the data.
 *
 * This interface was referenced by `EngineProtocol`'s JSON-Schema
 * via the `definition` "Drift".
 */
export interface Drift {
  /**
   * The column; none where it is the whole source.
   */
  column: string | null;
  /**
   * Declared type.
   */
  declared: string | null;
  /**
   * Type in the file, for JSON the kinds of its values; or why it cannot be read.
   */
  found: string | null;
  /**
   * What it is.
   */
  kind: DriftKind;
  /**
   * Path in the store of the first file that differs so.
   */
  object: string;
}
/**
 * A server of a remote store.
 *
 * This interface was referenced by `EngineProtocol`'s JSON-Schema
 * via the `definition` "Endpoint".
 */
export interface Endpoint {
  /**
   * Certificates in PEM that vouch for it, and no others. None: those that the machine trusts.
   */
  certificates: string | null;
  /**
   * Scheme, host and port: `https://s3.eu-central-1.amazonaws.com`.
   */
  origin: string;
}
/**
 * Everything that a contract can name of the engine: emitted to `schemas/engine-catalog.json`.
 *
 * This interface was referenced by `EngineProtocol`'s JSON-Schema
 * via the `definition` "EngineCatalog".
 */
export interface EngineCatalog {
  /**
   * `datafusion` version.
   */
  engineVersion: string;
  /**
   * Every function, sorted by name.
   */
  functions: FunctionEntry[];
  /**
   * Every `datafusion.*` setting, sorted by key.
   */
  settings: SettingEntry[];
}
/**
 * A function of DataFusion.
 *
 * This interface was referenced by `EngineProtocol`'s JSON-Schema
 * via the `definition` "FunctionEntry".
 */
export interface FunctionEntry {
  /**
   * Other names.
   */
  aliases: string[];
  /**
   * One sentence, from DataFusion's documentation.
   */
  description: string;
  /**
   * Group as a contract names it, without the `@`: `aggregate`, `window`, `datetime`, `string`, `math`, `regex`,
   * `nested`, `conditional`, `crypto`, `encoding`, `struct`, `other`.
   */
  group: string;
  /**
   * Kind.
   */
  kind: FunctionKind;
  /**
   * Whether a consumer's predicate with this function may run next to hidden rows. `null`: it waits above them.
   */
  leakproof: Leakproof | null;
  /**
   * Canonical name.
   */
  name: string;
  /**
   * `immutable`, `stable` or `volatile`.
   */
  volatility: string;
}
/**
 * Why a function can neither fail nor reveal, and with which arguments.
 *
 * This interface was referenced by `EngineProtocol`'s JSON-Schema
 * via the `definition` "Leakproof".
 */
export interface Leakproof {
  /**
   * Arguments by position: with others it is not leakproof.
   */
  arguments: LeakproofArgument[];
  /**
   * The reason.
   */
  reason: string;
}
/**
 * A setting of DataFusion.
 *
 * This interface was referenced by `EngineProtocol`'s JSON-Schema
 * via the `definition` "SettingEntry".
 */
export interface SettingEntry {
  /**
   * The value that Ambit sets instead, if any.
   */
  ambit: string | null;
  /**
   * DataFusion's default, independent of the machine.
   */
  default: string;
  /**
   * DataFusion's words.
   */
  description: string;
  /**
   * `datafusion.execution.batch_size` and the like.
   */
  key: string;
  /**
   * Whether a contract or environment may set it. The others hold up a boundary.
   */
  settable: boolean;
}
/**
 * Why a session did not complete. `code`, `message` and `hint` are for the consumer and never hold a value that the
 * policy hides; `detail` is the engine's own text, for the operator alone.
 *
 * This interface was referenced by `EngineProtocol`'s JSON-Schema
 * via the `definition` "EngineError".
 */
export interface EngineError {
  /**
   * Stable code.
   */
  code: EngineErrorCode;
  /**
   * The engine's text. May hold hidden values: never shown to a consumer.
   */
  detail: string | null;
  /**
   * What to do.
   */
  hint: string | null;
  /**
   * One sentence, lower case, no final stop.
   */
  message: string;
  /**
   * Where in the statement.
   */
  position: Position | null;
}
/**
 * A place in a statement, both from 1.
 *
 * This interface was referenced by `EngineProtocol`'s JSON-Schema
 * via the `definition` "Position".
 */
export interface Position {
  /**
   * Column, in characters.
   */
  column: number;
  /**
   * Line.
   */
  line: number;
}
/**
 * A visible column and how it is masked.
 *
 * This interface was referenced by `EngineProtocol`'s JSON-Schema
 * via the `definition` "GovernedColumn".
 */
export interface GovernedColumn {
  /**
   * None: the column is shown as it is. Several: applied in this order, `value` being the result of the one before.
   */
  masks: Mask[];
  /**
   * Name of a column of the source.
   */
  name: string;
}
/**
 * A mask: SQL that stands for a column's value and keeps its type.
 *
 * This interface was referenced by `EngineProtocol`'s JSON-Schema
 * via the `definition` "Mask".
 */
export interface Mask {
  /**
   * Name of the mask in the contract.
   */
  id: string;
  /**
   * A SQL expression over `value` (the masked column) and the source's other columns, raw.
   */
  sql: string;
}
/**
 * A worker's state.
 *
 * This interface was referenced by `EngineProtocol`'s JSON-Schema
 * via the `definition` "Health".
 */
export interface Health {
  /**
   * `datafusion` version.
   */
  engineVersion: string;
  /**
   * Memory reserved by all sessions, in bytes.
   */
  memoryReservedBytes: number;
  /**
   * Process id.
   */
  pid: number;
  /**
   * Resident memory of the process, in bytes.
   */
  residentBytes: number;
  /**
   * What the kernel enforces on this process.
   */
  sandbox: Sandbox;
  /**
   * Open sessions.
   */
  sessions: number;
  /**
   * Sessions since the start.
   */
  sessionsTotal: number;
  /**
   * Spill on disk, in bytes.
   */
  spillBytes: number;
  /**
   * Tasks of sessions alive.
   */
  tasks: number;
  /**
   * Templates held.
   */
  templates: number;
}
/**
 * What of the sandbox is in force.
 *
 * This interface was referenced by `EngineProtocol`'s JSON-Schema
 * via the `definition` "Sandbox".
 */
export interface Sandbox {
  /**
   * File access is limited to store roots (read) and the spill folder: `enforced`, `partial`, `unavailable`.
   */
  landlock: string;
  /**
   * Resource limits in force, `name=value`.
   */
  rlimits: string[];
  /**
   * System calls that no query needs (sockets, exec, ptrace, mounts) fail: `enforced`, `unavailable`.
   */
  seccomp: string;
}
/**
 * Does every row that passes `stronger` pass `weaker`, whatever the data and the claims?
 *
 * Both lists are over one table, under one set of settings: where the type or the nullability of a column that they
 * read, or a setting, is not the same on both sides, this is not the question to ask.
 *
 * This interface was referenced by `EngineProtocol`'s JSON-Schema
 * via the `definition` "ImpliesRequest".
 */
export interface ImpliesRequest {
  /**
   * Declared claims and their types. Their values are unknown, and the same on both sides.
   */
  claims: {
    [k: string]: string;
  };
  /**
   * Every setting.
   */
  settings: {
    [k: string]: string;
  };
  /**
   * Row filters, as a contract has them. All hold together; none lets every row pass.
   */
  stronger: string[];
  /**
   * The filtered table.
   */
  table: string;
  /**
   * Declared columns by table: of the filtered one, and of those that subqueries read.
   */
  tables: {
    [k: string]: Column[];
  };
  /**
   * Tables whose rows are the same on both sides. A subquery is equal to another only if all that it reads is here.
   */
  unchanged: string[];
  /**
   * Row filters that may let more rows pass.
   */
  weaker: string[];
}
/**
 * What was found.
 *
 * This interface was referenced by `EngineProtocol`'s JSON-Schema
 * via the `definition` "InspectReport".
 */
export interface InspectReport {
  /**
   * By name of the source.
   */
  sources: {
    [k: string]: SourceState;
  };
}
/**
 * A source as its files are now.
 *
 * This interface was referenced by `EngineProtocol`'s JSON-Schema
 * via the `definition` "SourceState".
 */
export interface SourceState {
  /**
   * What was read to tell.
   */
  accesses: SourceAccess[];
  /**
   * Where it is not as declared, sorted, each column once. For JSON as far as its first objects tell, for CSV without a
   * header as far as the number of its columns does.
   */
  drift: Drift[];
  /**
   * Files that were looked at. Of a folder with very many, the last by name.
   */
  files: number;
  /**
   * Files that there are.
   */
  filesTotal: number;
}
/**
 * What was read of one object.
 *
 * This interface was referenced by `EngineProtocol`'s JSON-Schema
 * via the `definition` "SourceAccess".
 */
export interface SourceAccess {
  /**
   * Bytes read.
   */
  bytes: number;
  /**
   * Reference of the credential that was used.
   */
  credential: string | null;
  /**
   * Requests that the store refused or failed.
   */
  failures: number;
  /**
   * Path in the store. For a listing, the folder, ending with `/`.
   */
  object: string;
  /**
   * Byte ranges `[start, end)` that were read, merged and sorted.
   */
  ranges: [number, number][];
  /**
   * Requests: lists, heads and reads.
   */
  requests: number;
  /**
   * Size of the object, in bytes, when it was opened.
   */
  size: number | null;
  /**
   * Name of the store.
   */
  store: string;
  /**
   * Version of the object: its entity tag.
   */
  version: string | null;
}
/**
 * Sources to look at.
 *
 * This interface was referenced by `EngineProtocol`'s JSON-Schema
 * via the `definition` "InspectRequest".
 */
export interface InspectRequest {
  /**
   * Fingerprint of the boundary that they belong to.
   */
  boundary: string;
  /**
   * What those of them that name a credential are asked with, by reference.
   */
  credentials: {
    [k: string]: StoreCredential;
  };
  /**
   * Sources by name.
   */
  sources: {
    [k: string]: Source;
  };
  /**
   * Stores by name. Only those that a source below needs.
   */
  stores: {
    [k: string]: Store;
  };
}
/**
 * What requests to a store are signed with. It outlives the session, and nothing keeps it.
 *
 * This interface was referenced by `EngineProtocol`'s JSON-Schema
 * via the `definition` "StoreCredential".
 */
export interface StoreCredential {
  /**
   * Identifier of the key: not a secret, and what the store's own records name.
   */
  keyId: string;
  /**
   * Secret.
   */
  secretKey: string;
  /**
   * Secret, of a key for a time.
   */
  sessionToken: string | null;
}
/**
 * A table as it lies in a store.
 *
 * This interface was referenced by `EngineProtocol`'s JSON-Schema
 * via the `definition` "Source".
 */
export interface Source {
  /**
   * All declared columns, in declared order.
   */
  columns: Column[];
  /**
   * How the bytes are read.
   */
  format: SourceFormat;
  /**
   * Those of the columns whose values the names of folders carry, outermost first: `tenant=acme/part.parquet`. Empty: files
   * have all columns.
   */
  partitions: string[];
  /**
   * Path of a file in the store, or of a folder when it ends with `/`. Relative, `/`-separated, no `.` or `..`.
   */
  path: string;
  /**
   * Name of a store of the template.
   */
  store: string;
}
/**
 * Where a statement's columns come from, as the statement says it: taken from its bound plan, before any optimizer. It
 * names what the consumer was granted and used. What only the policy reads is not in it: filters and masks are named by
 * their ids, see [`TableUse`](crate::TableUse).
 *
 * A column of a table that is neither among the inputs of a column of the result nor in `dataset` has no part in that
 * column's values: with other values in it, the column of the result would be the same.
 *
 * This interface was referenced by `EngineProtocol`'s JSON-Schema
 * via the `definition` "Lineage".
 */
export interface Lineage {
  /**
   * Columns of the result, in order: as many as `Planned.columns`.
   */
  columns: ColumnLineage[];
  /**
   * What decides which rows there are, how often and in which order: it is behind every column. Indirect, always.
   */
  dataset: LineageInput[];
  /**
   * The lineage is longer than a record holds, or took too long to follow. Then every column of the result may come
   * from every column in `dataset`, which are all that the statement's tables show; their `how` is empty.
   */
  widened: boolean;
}
/**
 * Opens a session on a template and runs its one statement.
 *
 * This interface was referenced by `EngineProtocol`'s JSON-Schema
 * via the `definition` "OpenSession".
 */
export interface OpenSession {
  /**
   * Bound to `$claims.NAME` in policy SQL. A claim that a policy names and that is missing here refuses the session.
   */
  claims: {
    [k: string]: TypedValue;
  };
  /**
   * The session's clock, in microseconds since 1970 UTC: what `now()` says, to consumer and policy alike.
   */
  clockMicros: number;
  /**
   * What the stores of the template that name a credential are asked with, by reference.
   */
  credentials: {
    [k: string]: StoreCredential;
  };
  /**
   * How the rows are written into data frames.
   */
  format: OutputFormat;
  /**
   * What the session may use up.
   */
  limits: SessionLimits;
  /**
   * Bound to `$purpose` in policy SQL.
   */
  purpose: string;
  /**
   * Session id, as in the evidence.
   */
  session: string;
  /**
   * What it runs.
   */
  statement: Statement;
  /**
   * Digest of a template that this worker holds.
   */
  template: string;
  /**
   * Bound to `$tenant` in policy SQL.
   */
  tenant: string;
  /**
   * W3C `traceparent` of the request, if it had one.
   */
  traceparent: string | null;
}
/**
 * Limits of one session. All are hard: the one that is passed ends the session with its own error code.
 *
 * This interface was referenced by `EngineProtocol`'s JSON-Schema
 * via the `definition` "SessionLimits".
 */
export interface SessionLimits {
  /**
   * Bytes of the result, as written in its format.
   */
  bytes: number;
  /**
   * From now to the last byte, in milliseconds. What was spent in queues is already taken off.
   */
  deadlineMs: number;
  /**
   * Memory that operators may reserve, in bytes.
   */
  memoryBytes: number;
  /**
   * Nodes of the logical plan after views and CTEs are expanded.
   */
  planNodes: number;
  /**
   * Rows of the result.
   */
  rows: number;
  /**
   * Spill files, in bytes. 0 turns spilling off.
   */
  spillBytes: number;
  /**
   * Bytes of the statement.
   */
  statementBytes: number;
  /**
   * Depth of the parsed statement, flat operator chains counted as they nest.
   */
  statementDepth: number;
  /**
   * Nodes of the parsed statement.
   */
  statementNodes: number;
}
/**
 * A statement and its named parameters.
 *
 * This interface was referenced by `EngineProtocol`'s JSON-Schema
 * via the `definition` "Statement".
 */
export interface Statement {
  /**
   * Bound to `$name`.
   */
  parameters: {
    [k: string]: TypedValue;
  };
  /**
   * One SQL query.
   */
  sql: string;
}
/**
 * Metrics of one operator.
 *
 * This interface was referenced by `EngineProtocol`'s JSON-Schema
 * via the `definition` "OperatorMetrics".
 */
export interface OperatorMetrics {
  /**
   * Depth in the plan, the root being 0.
   */
  depth: number;
  /**
   * Governed table whose barrier this runs inside, if any. Such metrics are for the owner alone.
   */
  inside: string | null;
  /**
   * Values summed over partitions: counts, bytes, nanoseconds, by DataFusion's metric name.
   */
  metrics: {
    [k: string]: number;
  };
  /**
   * Operator's name.
   */
  operator: string;
}
/**
 * How a session ended. Sent when nothing of it is left in the worker.
 *
 * This interface was referenced by `EngineProtocol`'s JSON-Schema
 * via the `definition` "Outcome".
 */
export interface Outcome {
  /**
   * What was read from stores, an entry an object.
   */
  accesses: SourceAccess[];
  /**
   * Batches written into data frames.
   */
  batches: number;
  /**
   * Bytes of data frames.
   */
  bytes: number;
  /**
   * Why, unless it completed.
   */
  error: EngineError | null;
  /**
   * Highest reservation, in bytes.
   */
  memoryPeakBytes: number;
  /**
   * Operators of the whole plan, barriers' insides too, depth first.
   */
  operators: OperatorMetrics[];
  /**
   * What was left when this was sent. All zero, or the session leaked.
   */
  residue: Residue;
  /**
   * SHA-256 of the data frames' bytes: `sha256:...`.
   */
  resultDigest: string;
  /**
   * Rows written into data frames.
   */
  rows: number;
  /**
   * Spill written, in bytes.
   */
  spillBytes: number;
  /**
   * How it ended.
   */
  status: OutcomeStatus;
  /**
   * Where time went.
   */
  timings: Timings;
}
/**
 * What a session left behind.
 *
 * This interface was referenced by `EngineProtocol`'s JSON-Schema
 * via the `definition` "Residue".
 */
export interface Residue {
  /**
   * Memory still reserved, in bytes.
   */
  memoryBytes: number;
  /**
   * Spill still on disk, in bytes.
   */
  spillBytes: number;
  /**
   * Tasks still alive.
   */
  tasks: number;
}
/**
 * Where time went, in microseconds from the arrival of the request in the worker.
 *
 * This interface was referenced by `EngineProtocol`'s JSON-Schema
 * via the `definition` "Timings".
 */
export interface Timings {
  /**
   * Building the session: state, runtime, catalog, stores.
   */
  assembleMicros: number;
  /**
   * From the last row until nothing was left.
   */
  closeMicros: number;
  /**
   * From the end of planning to the first row.
   */
  firstRowMicros: number;
  /**
   * Parsing, gates, binding, optimizing, physical planning, verification.
   */
  planMicros: number;
  /**
   * From the end of planning to the last row, waiting for the reader included.
   */
  runMicros: number;
}
/**
 * What was planned and verified, before the first row.
 *
 * This interface was referenced by `EngineProtocol`'s JSON-Schema
 * via the `definition` "Planned".
 */
export interface Planned {
  /**
   * Columns of the result.
   */
  columns: ResultColumn[];
  /**
   * Functions of the bound and of the optimized plan, sorted.
   */
  functions: string[];
  /**
   * Where they come from.
   */
  lineage: Lineage;
  /**
   * The physical plan above the barriers, for the owner.
   */
  physicalPlan: string;
  /**
   * SHA-256 of the bound plan's text, literals included: `sha256:...`.
   */
  planDigest: string;
  /**
   * Governed tables that the plan reads, by name.
   */
  tables: {
    [k: string]: TableUse;
  };
  /**
   * Views that were expanded, sorted.
   */
  views: string[];
}
/**
 * A column of a result.
 *
 * This interface was referenced by `EngineProtocol`'s JSON-Schema
 * via the `definition` "ResultColumn".
 */
export interface ResultColumn {
  /**
   * Name as the statement gives it.
   */
  name: string;
  /**
   * Whether NULL can occur.
   */
  nullable: boolean;
  /**
   * Contract type, or the Arrow type's name where the contract has none.
   */
  type: string;
}
/**
 * How a statement uses a governed table.
 *
 * This interface was referenced by `EngineProtocol`'s JSON-Schema
 * via the `definition` "TableUse".
 */
export interface TableUse {
  /**
   * Visible columns that the consumer's plan takes from the barrier, sorted.
   */
  columns: string[];
  /**
   * Row filters that were applied, by id.
   */
  filters: string[];
  /**
   * The plans inside this table's barriers, for the owner.
   */
  innerPlans: string[];
  /**
   * Masks that were applied, by column.
   */
  masks: {
    [k: string]: string[];
  };
  /**
   * Consumer predicates that ran inside the barrier.
   */
  pushedPredicates: string[];
  /**
   * Name of the source.
   */
  source: string;
}
/**
 * Body of every answer that is not 2xx: the request itself was wrong, no session was opened.
 *
 * This interface was referenced by `EngineProtocol`'s JSON-Schema
 * via the `definition` "ProtocolError".
 */
export interface ProtocolError {
  /**
   * `template_unknown`, `template_invalid`, `digest_mismatch`, `request_invalid`, `session_unknown`, `session_open`.
   */
  code: string;
  /**
   * For the operator.
   */
  message: string;
}
/**
 * A row filter: SQL that must be true for a row to exist.
 *
 * This interface was referenced by `EngineProtocol`'s JSON-Schema
 * via the `definition` "RowFilter".
 */
export interface RowFilter {
  /**
   * Name of the row filter in the contract.
   */
  id: string;
  /**
   * A SQL predicate over the source's columns; subqueries name sources, raw.
   */
  sql: string;
}
/**
 * Everything that a session may hold, as the grant names it. Immutable, content-addressed, sent once to each worker;
 * a session is this plus claims, limits, a clock and a statement ([`crate::OpenSession`]).
 *
 * This interface was referenced by `EngineProtocol`'s JSON-Schema
 * via the `definition` "SessionTemplate".
 */
export interface SessionTemplate {
  /**
   * Fingerprint of the boundary that this was cut from.
   */
  boundary: string;
  /**
   * Declared claims and their types (the contract's type names), so that `$claims.x` has a type in policy SQL.
   */
  claims: {
    [k: string]: string;
  };
  /**
   * Canonical names of the functions that the consumer and the views may call.
   */
  functions: string[];
  /**
   * Every `datafusion.*` setting with its value. A key that the engine does not know is refused.
   */
  settings: {
    [k: string]: string;
  };
  /**
   * Raw tables by name, which policy expressions see and consumers never do.
   */
  sources: {
    [k: string]: Source;
  };
  /**
   * Stores by name. Only those that a source below needs.
   */
  stores: {
    [k: string]: Store;
  };
  /**
   * Governed tables by name: what the consumer's SQL can reach.
   */
  tables: {
    [k: string]: Table;
  };
  /**
   * Views by name, planned over the governed tables and other views of this template.
   */
  views: {
    [k: string]: View;
  };
}
/**
 * A table as this grant shows it.
 *
 * This interface was referenced by `EngineProtocol`'s JSON-Schema
 * via the `definition` "Table".
 */
export interface Table {
  /**
   * Its data is not what the contract declares: whoever names it is told that it is closed.
   */
  closed: boolean;
  /**
   * The columns that exist for this session, in declared order. One that is not here was never there.
   */
  columns: GovernedColumn[];
  /**
   * All apply (AND); NULL does not pass.
   */
  filters: RowFilter[];
  /**
   * Name of a source of the template.
   */
  source: string;
  /**
   * Whether what files say of the rows may choose plans: never shown, but the time of a query can tell of it.
   */
  statistics: boolean;
}
/**
 * The first and only line that a worker reads from its standard input. The end of that input ends the worker.
 *
 * This interface was referenced by `EngineProtocol`'s JSON-Schema
 * via the `definition` "WorkerConfig".
 */
export interface WorkerConfig {
  /**
   * Address space of the process, in bytes: what no pool accounts for ends the worker here, not the machine.
   */
  addressSpaceBytes: number | null;
  /**
   * Servers that may be talked to: those of all remote stores. Empty: the process opens no connection.
   */
  endpoints: Endpoint[];
  /**
   * Memory that all sessions together may reserve, in bytes.
   */
  memoryBytes: number;
  /**
   * Folders that may be read: the roots of all local stores.
   */
  roots: string[];
  /**
   * Path of the Unix socket to listen on, in a folder that only its owner can enter.
   */
  socket: string;
  /**
   * Spill of all sessions together, in bytes.
   */
  spillBytes: number;
  /**
   * Folder of spill files; its content is removed. None turns spilling off.
   */
  spillFolder: string | null;
  /**
   * Templates that are kept.
   */
  templatesMax: number;
  /**
   * Threads that run queries.
   */
  threads: number;
}
/**
 * The first line that a worker writes to its standard output: it listens.
 *
 * This interface was referenced by `EngineProtocol`'s JSON-Schema
 * via the `definition` "WorkerReady".
 */
export interface WorkerReady {
  /**
   * `datafusion` version.
   */
  engineVersion: string;
  /**
   * Process id.
   */
  pid: number;
  /**
   * What the kernel enforces.
   */
  sandbox: Sandbox;
}
