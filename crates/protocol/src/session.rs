//! One session: opened, run and closed in one round trip.

use std::collections::BTreeMap;
use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Opens a session on a template and runs its one statement.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct OpenSession {
    /// Session id, as in the evidence.
    pub session: String,
    /// Digest of a template that this worker holds.
    pub template: String,
    /// Bound to `$tenant` in policy SQL.
    pub tenant: String,
    /// Bound to `$purpose` in policy SQL.
    pub purpose: String,
    /// Bound to `$claims.NAME` in policy SQL. A claim that a policy names and that is missing here refuses the session.
    pub claims: BTreeMap<String, TypedValue>,
    /// The session's clock, in microseconds since 1970 UTC: what `now()` says, to consumer and policy alike.
    pub clock_micros: i64,
    /// What the stores of the template that name a credential are asked with, by reference.
    pub credentials: BTreeMap<String, StoreCredential>,
    /// What the session may use up.
    pub limits: SessionLimits,
    /// What it runs.
    pub statement: Statement,
    /// How the rows are written into data frames.
    pub format: OutputFormat,
    /// W3C `traceparent` of the request, if it had one.
    pub traceparent: Option<String>,
}

/// What requests to a store are signed with. It outlives the session, and nothing keeps it.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct StoreCredential {
    /// Identifier of the key: not a secret, and what the store's own records name.
    pub key_id: String,
    /// Secret.
    pub secret_key: String,
    /// Secret, of a key for a time.
    pub session_token: Option<String>,
}

impl fmt::Debug for StoreCredential {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("StoreCredential")
            .field("key_id", &self.key_id)
            .finish_non_exhaustive()
    }
}

/// A value with its contract type. `value` is a JSON boolean, number or string, or null; 64-bit integers and decimals
/// may be strings, dates and timestamps are ISO 8601 strings.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TypedValue {
    /// A scalar type of the contract.
    #[serde(rename = "type")]
    pub data_type: String,
    /// The value.
    pub value: serde_json::Value,
}

/// A statement and its named parameters.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Statement {
    /// One SQL query.
    pub sql: String,
    /// Bound to `$name`.
    pub parameters: BTreeMap<String, TypedValue>,
}

/// Limits of one session. All are hard: the one that is passed ends the session with its own error code.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SessionLimits {
    /// From now to the last byte, in milliseconds. What was spent in queues is already taken off.
    pub deadline_ms: u64,
    /// Memory that operators may reserve, in bytes.
    pub memory_bytes: u64,
    /// Spill files, in bytes. 0 turns spilling off.
    pub spill_bytes: u64,
    /// Rows of the result.
    pub rows: u64,
    /// Bytes of the result, as written in its format.
    pub bytes: u64,
    /// Bytes of the statement.
    pub statement_bytes: u64,
    /// Nodes of the parsed statement.
    pub statement_nodes: u64,
    /// Depth of the parsed statement, flat operator chains counted as they nest.
    pub statement_depth: u64,
    /// Nodes of the logical plan after views and CTEs are expanded.
    pub plan_nodes: u64,
}

/// Formats of data frames.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum OutputFormat {
    /// Arrow IPC stream, uncompressed. Its end-of-stream marker is only written on success.
    Arrow,
    /// An object a line.
    Ndjson,
    /// `{"columns":[...],"rows":[[...]...],"complete":true}`; `complete` is only written on success.
    Json,
    /// RFC 4180 with a header line.
    Csv,
}
