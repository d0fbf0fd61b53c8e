//! What a session did: the engine's half of the evidence.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::Lineage;

/// What was planned and verified, before the first row.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Planned {
    /// Columns of the result.
    pub columns: Vec<ResultColumn>,
    /// Where they come from.
    pub lineage: Lineage,
    /// Governed tables that the plan reads, by name.
    pub tables: BTreeMap<String, TableUse>,
    /// Views that were expanded, sorted.
    pub views: Vec<String>,
    /// Functions of the bound and of the optimized plan, sorted.
    pub functions: Vec<String>,
    /// SHA-256 of the bound plan's text, literals included: `sha256:...`.
    pub plan_digest: String,
    /// The physical plan above the barriers, for the owner.
    pub physical_plan: String,
}

/// A column of a result.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ResultColumn {
    /// Name as the statement gives it.
    pub name: String,
    /// Contract type, or the Arrow type's name where the contract has none.
    #[serde(rename = "type")]
    pub data_type: String,
    /// Whether NULL can occur.
    pub nullable: bool,
}

/// How a statement uses a governed table.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TableUse {
    /// Name of the source.
    pub source: String,
    /// Visible columns that the consumer's plan takes from the barrier, sorted.
    pub columns: Vec<String>,
    /// Row filters that were applied, by id.
    pub filters: Vec<String>,
    /// Masks that were applied, by column.
    pub masks: BTreeMap<String, Vec<String>>,
    /// Consumer predicates that ran inside the barrier.
    pub pushed_predicates: Vec<String>,
    /// The plans inside this table's barriers, for the owner.
    pub inner_plans: Vec<String>,
}

/// How a session ended. Sent when nothing of it is left in the worker.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Outcome {
    /// How it ended.
    pub status: OutcomeStatus,
    /// Why, unless it completed.
    pub error: Option<EngineError>,
    /// Rows written into data frames.
    pub rows: u64,
    /// Batches written into data frames.
    pub batches: u64,
    /// Bytes of data frames.
    pub bytes: u64,
    /// SHA-256 of the data frames' bytes: `sha256:...`.
    pub result_digest: String,
    /// Operators of the whole plan, barriers' insides too, depth first.
    pub operators: Vec<OperatorMetrics>,
    /// What was read from stores, an entry an object.
    pub accesses: Vec<SourceAccess>,
    /// Highest reservation, in bytes.
    pub memory_peak_bytes: u64,
    /// Spill written, in bytes.
    pub spill_bytes: u64,
    /// Where time went.
    pub timings: Timings,
    /// What was left when this was sent. All zero, or the session leaked.
    pub residue: Residue,
}

/// Ends of a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum OutcomeStatus {
    /// All rows were delivered.
    Completed,
    /// A gate refused the statement; nothing ran.
    Refused,
    /// It ran and failed.
    Failed,
    /// It was cancelled, or its consumer went away.
    Cancelled,
}

/// Why a session did not complete. `code`, `message` and `hint` are for the consumer and never hold a value that the
/// policy hides; `detail` is the engine's own text, for the operator alone.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct EngineError {
    /// Stable code.
    pub code: EngineErrorCode,
    /// One sentence, lower case, no final stop.
    pub message: String,
    /// What to do.
    pub hint: Option<String>,
    /// Where in the statement.
    pub position: Option<Position>,
    /// The engine's text. May hold hidden values: never shown to a consumer.
    pub detail: Option<String>,
}

/// A place in a statement, both from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Position {
    /// Line.
    pub line: u64,
    /// Column, in characters.
    pub column: u64,
}

/// The engine's closed catalogue of errors: one for each boundary that can refuse, and one for each way to fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum EngineErrorCode {
    /// The statement does not parse.
    SqlSyntax,
    /// Not a single query, or a construct that the gate does not admit.
    StatementRefused,
    /// The statement is larger, deeper or wider than the limits allow.
    StatementTooComplex,
    /// No such table or view in this session.
    TableUnknown,
    /// No such column in this session.
    ColumnUnknown,
    /// No such function in this session.
    FunctionUnknown,
    /// Names are right, types or structure are not.
    SqlInvalid,
    /// A parameter is missing, not used, or not of its type.
    ParameterInvalid,
    /// A policy needs a claim that the subject does not have.
    ClaimMissing,
    /// An invariant of the physical plan does not hold. Always a fault of the engine.
    PlanRefused,
    /// A value could not be computed: division by zero, overflow, a failing cast, a bad pattern.
    ComputeFailed,
    /// The table is closed: its data is not what its contract declares.
    TableClosed,
    /// A source could not be read, or holds what its declared schema excludes.
    SourceFailed,
    /// The session's memory limit was reached.
    LimitMemory,
    /// The session's spill limit was reached.
    LimitSpill,
    /// The session's row limit was reached.
    LimitRows,
    /// The session's byte limit was reached.
    LimitBytes,
    /// The session's deadline passed.
    LimitTime,
    /// Cancelled by its subject, its owner, or because its consumer went away.
    Cancelled,
    /// A panic or another fault of the engine. It ended this session alone.
    Internal,
}

/// Metrics of one operator.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct OperatorMetrics {
    /// Operator's name.
    pub operator: String,
    /// Depth in the plan, the root being 0.
    pub depth: u32,
    /// Governed table whose barrier this runs inside, if any. Such metrics are for the owner alone.
    pub inside: Option<String>,
    /// Values summed over partitions: counts, bytes, nanoseconds, by DataFusion's metric name.
    pub metrics: BTreeMap<String, u64>,
    /// When the first of its partitions began, in microseconds from the beginning of the run. Null: it does not tell.
    pub start_micros: Option<u64>,
    /// When the last of them was done. Null: none was, or it does not tell.
    pub end_micros: Option<u64>,
}

/// What was read of one object.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SourceAccess {
    /// Name of the store.
    pub store: String,
    /// Reference of the credential that was used.
    pub credential: Option<String>,
    /// Path in the store. For a listing, the folder, ending with `/`.
    pub object: String,
    /// Requests: lists, heads and reads.
    pub requests: u64,
    /// Bytes read.
    pub bytes: u64,
    /// Byte ranges `[start, end)` that were read, merged and sorted.
    pub ranges: Vec<(u64, u64)>,
    /// Size of the object, in bytes, when it was opened.
    pub size: Option<u64>,
    /// Version of the object: its entity tag.
    pub version: Option<String>,
    /// Requests that the store refused or failed.
    pub failures: u64,
}

/// Where time went, in microseconds from the arrival of the request in the worker.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Timings {
    /// Building the session: state, runtime, catalog, stores.
    pub assemble_micros: u64,
    /// Parsing, gates, binding, optimizing, physical planning, verification.
    pub plan_micros: u64,
    /// From the end of planning to the first row.
    pub first_row_micros: u64,
    /// From the end of planning to the last row, waiting for the reader included.
    pub run_micros: u64,
    /// From the last row until nothing was left.
    pub close_micros: u64,
}

/// What a session left behind.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Residue {
    /// Memory still reserved, in bytes.
    pub memory_bytes: u64,
    /// Spill still on disk, in bytes.
    pub spill_bytes: u64,
    /// Tasks still alive.
    pub tasks: u64,
}
