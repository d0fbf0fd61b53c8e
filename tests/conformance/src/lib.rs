//! DataFusion's own sqllogictest files, asked of plain DataFusion and of a governed session that may see everything. The
//! two must answer alike, or the difference stands in `refused.toml` with its reason.
//!
//! Set-up statements run in plain DataFusion; its tables are written out, as a data product would hold them, when a query
//! first names them. What a query must answer is what plain DataFusion answers, not what the file says.

mod answer;
mod declared;
mod file;
mod governed;
mod plain;
mod reasons;
mod report;
mod run;
mod script;
mod suites;
mod texts;
mod world;

pub use report::Report;
pub use run::run;
pub use suites::{Compared, suites};

/// Why a run could not be made.
pub type Fault = Box<dyn std::error::Error + Send + Sync>;
