//! What a worker is and what its engine has.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A worker's state.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Health {
    /// Process id.
    pub pid: u32,
    /// `datafusion` version.
    pub engine_version: String,
    /// Open sessions.
    pub sessions: u64,
    /// Sessions since the start.
    pub sessions_total: u64,
    /// Templates held.
    pub templates: u64,
    /// Memory reserved by all sessions, in bytes.
    pub memory_reserved_bytes: u64,
    /// Spill on disk, in bytes.
    pub spill_bytes: u64,
    /// Tasks of sessions alive.
    pub tasks: u64,
    /// Resident memory of the process, in bytes.
    pub resident_bytes: u64,
    /// What the kernel enforces on this process.
    pub sandbox: Sandbox,
}

/// What of the sandbox is in force.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Sandbox {
    /// File access is limited to store roots (read) and the spill folder: `enforced`, `partial`, `unavailable`.
    pub landlock: String,
    /// System calls that no query needs (sockets, exec, ptrace, mounts) fail: `enforced`, `unavailable`.
    pub seccomp: String,
    /// Resource limits in force, `name=value`.
    pub rlimits: Vec<String>,
}

/// Everything that a contract can name of the engine: emitted to `schemas/engine-catalog.json`.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct EngineCatalog {
    /// `datafusion` version.
    pub engine_version: String,
    /// Every `datafusion.*` setting, sorted by key.
    pub settings: Vec<SettingEntry>,
    /// Every function, sorted by name.
    pub functions: Vec<FunctionEntry>,
}

/// A setting of DataFusion.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SettingEntry {
    /// `datafusion.execution.batch_size` and the like.
    pub key: String,
    /// DataFusion's default, independent of the machine.
    pub default: String,
    /// The value that Ambit sets instead, if any.
    pub ambit: Option<String>,
    /// Whether a contract or environment may set it. The others hold up a boundary.
    pub settable: bool,
    /// DataFusion's words.
    pub description: String,
}

/// A function of DataFusion.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct FunctionEntry {
    /// Canonical name.
    pub name: String,
    /// Other names.
    pub aliases: Vec<String>,
    /// Kind.
    pub kind: FunctionKind,
    /// Group as a contract names it, without the `@`: `aggregate`, `window`, `datetime`, `string`, `math`, `regex`,
    /// `nested`, `conditional`, `crypto`, `encoding`, `struct`, `other`.
    pub group: String,
    /// `immutable`, `stable` or `volatile`.
    pub volatility: String,
    /// One sentence, from DataFusion's documentation.
    pub description: String,
    /// Whether a consumer's predicate with this function may run next to hidden rows. `null`: it waits above them.
    pub leakproof: Option<Leakproof>,
}

/// Why a function can neither fail nor reveal, and with which arguments.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Leakproof {
    /// Arguments by position: with others it is not leakproof.
    pub arguments: Vec<LeakproofArgument>,
    /// The reason.
    pub reason: String,
}

/// What an argument of a leakproof function may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum LeakproofArgument {
    /// Any string.
    Text,
    /// Any binary value.
    Binary,
    /// Any `real` or `double`.
    Float,
    /// A string that stands in the statement.
    TextLiteral,
    /// A number that stands in the statement, from 0 to 1,000,000.
    Count,
}

/// Kinds of functions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum FunctionKind {
    /// A value for a row.
    Scalar,
    /// A value for a group.
    Aggregate,
    /// A value for a row from its window.
    Window,
}
