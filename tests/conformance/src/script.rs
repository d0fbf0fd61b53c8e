//! A test file as the statements it makes DataFusion run.

use std::path::Path;

use sqllogictest::{Condition, DefaultColumnType, Record, parse_file};

use crate::Fault;

/// The label by which files tell DataFusion from other databases.
const LABEL: &str = "DataFusion";

/// A statement and where it stands.
pub(crate) struct Step {
    pub sql: String,
    pub line: u32,
}

pub(crate) fn read(path: &Path) -> Result<Vec<Step>, Fault> {
    let records = parse_file::<DefaultColumnType>(path)?;
    Ok(records.into_iter().filter_map(step).collect())
}

fn step(record: Record<DefaultColumnType>) -> Option<Step> {
    let (Record::Statement {
        sql, loc, conditions, ..
    }
    | Record::Query {
        sql, loc, conditions, ..
    }) = record
    else {
        return None;
    };
    let skipped = conditions.iter().any(|condition| match condition {
        Condition::OnlyIf { label } => label != LABEL,
        Condition::SkipIf { label } => label == LABEL,
    });
    (!skipped).then(|| Step { sql, line: loc.line() })
}
