//! DataFusion sessions that hold only what a grant names.
//!
//! A worker has one [`Engine`]. The control plane gives it templates, opens a [`Session`] on one for each request, and
//! takes frames from it until the outcome. The way of a statement:
//!
//! ```text
//! admit (gate::statement) -> bind (names) -> verify (gate::plan) -> optimize -> verify -> plan (governed, barrier)
//!   -> verify (gate::physical) -> stream (run, encode) -> close (session)
//! ```
//!
//! Knows no HTTP and no policy language.

mod access;
mod barrier;
mod beneath;
mod check;
mod compact;
mod csv_header;
mod csv_layout;
mod declared;
mod encode;
mod endpoints;
mod engine;
mod error;
mod estimates;
mod facts;
mod functions;
mod gate;
mod governed;
mod implication;
mod injected;
mod inspect;
mod json_values;
mod leakproof;
mod lineage;
mod local_store;
mod memory;
mod names;
mod once;
mod partitions;
mod policy;
mod probing;
mod ranges;
mod reads;
mod recut;
mod remote_store;
mod report;
mod resources;
mod run;
mod scan;
mod scope;
mod series;
mod session;
mod settings;
mod source;
mod spill;
mod store;
mod tasks;
mod template;
mod types;

use ambit_protocol::{Outcome, Planned};
use bytes::Bytes;

pub use endpoints::{Endpoints, EndpointsError};
pub use engine::{Engine, EngineConfig, EngineStartError, EngineUsage, OpenError};
pub use session::Session;
pub use template::TemplateError;

/// A part of a session's answer.
#[derive(Debug)]
pub enum Frame {
    /// What was planned. At most one, first.
    Planned(Box<Planned>),
    /// Bytes of the result.
    Data(Bytes),
    /// How it ended. Exactly one, last.
    Outcome(Box<Outcome>),
}
