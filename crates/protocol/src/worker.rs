//! Starting a worker: one line in, one line out.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::catalog::Sandbox;

/// The first and only line that a worker reads from its standard input. The end of that input ends the worker.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct WorkerConfig {
    /// Path of the Unix socket to listen on, in a folder that only its owner can enter.
    pub socket: String,
    /// Threads that run queries.
    pub threads: u32,
    /// Memory that all sessions together may reserve, in bytes.
    pub memory_bytes: u64,
    /// Address space of the process, in bytes: what no pool accounts for ends the worker here, not the machine.
    pub address_space_bytes: Option<u64>,
    /// Folder of spill files; its content is removed. None turns spilling off.
    pub spill_folder: Option<String>,
    /// Spill of all sessions together, in bytes.
    pub spill_bytes: u64,
    /// Templates that are kept.
    pub templates_max: u32,
    /// Folders that may be read: the roots of all local stores.
    pub roots: Vec<String>,
    /// Servers that may be talked to: those of all remote stores. Empty: the process opens no connection.
    pub endpoints: Vec<Endpoint>,
}

/// A server of a remote store.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Endpoint {
    /// Scheme, host and port: `https://s3.eu-central-1.amazonaws.com`.
    pub origin: String,
    /// Certificates in PEM that vouch for it, and no others. None: those that the machine trusts.
    pub certificates: Option<String>,
}

/// The first line that a worker writes to its standard output: it listens.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct WorkerReady {
    /// Process id.
    pub pid: u32,
    /// `datafusion` version.
    pub engine_version: String,
    /// What the kernel enforces.
    pub sandbox: Sandbox,
}
