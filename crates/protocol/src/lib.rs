//! What crosses between the control plane and an engine worker, and nothing else.
//!
//! These structs are the one source: their JSON Schema is emitted to `schemas/engine-protocol.json`, and the TypeScript
//! types of `packages/engine` are generated from that. Every key is always present; `null` means "none", so that a
//! missing key is a bug that shows itself.
//!
//! The protocol is HTTP/1.1 over a Unix socket:
//!
//! | request | body | answer |
//! |---|---|---|
//! | `GET /health` | - | [`Health`] |
//! | `GET /catalog` | - | [`EngineCatalog`] |
//! | `POST /check` | [`CheckRequest`] | [`CheckReport`] |
//! | `POST /inspect` | [`InspectRequest`] | [`InspectReport`] |
//! | `POST /implies` | [`ImpliesRequest`] | [`ComparisonReport`] |
//! | `POST /coarsens` | [`CoarsensRequest`] | [`ComparisonReport`] |
//! | `PUT /templates/{digest}` | [`SessionTemplate`] | 204; the digest is the SHA-256 of the body's bytes |
//! | `POST /sessions` | [`OpenSession`] | frames, see [`FrameKind`]; 404 [`ProtocolError`] if the template is not held |
//! | `DELETE /sessions/{id}` | - | 202: the session is cancelled and its frames end with an outcome; 404 if not open |

mod catalog;
mod check;
mod comparison;
mod frame;
mod inspect;
mod lineage;
mod outcome;
mod session;
mod template;
mod worker;

pub use catalog::{
    EngineCatalog, FunctionEntry, FunctionKind, Health, Leakproof, LeakproofArgument, Sandbox, SettingEntry,
};
pub use check::{CheckColumn, CheckItem, CheckProblem, CheckReport, CheckRequest, CheckResult, CheckScope, TableRead};
pub use comparison::{
    Answer, CoarsensRequest, ComparedList, ComparisonProblem, ComparisonReport, Counterexample, ImpliesRequest,
    Judgement,
};
pub use frame::{FRAME_HEADER_BYTES, FrameKind, ProtocolError};
pub use inspect::{Drift, DriftKind, InspectReport, InspectRequest, SourceState};
pub use lineage::{ColumnLineage, Lineage, LineageHow, LineageInput};
pub use outcome::{
    EngineError, EngineErrorCode, OperatorMetrics, Outcome, OutcomeStatus, Planned, Position, Residue, ResultColumn,
    SourceAccess, TableUse, Timings,
};
pub use session::{OpenSession, OutputFormat, SessionLimits, Statement, StoreCredential, TypedValue};
pub use template::{
    Column, GovernedColumn, Mask, RowFilter, SessionTemplate, Source, SourceFormat, Store, Table, View,
};
pub use worker::{Endpoint, WorkerConfig, WorkerReady};
