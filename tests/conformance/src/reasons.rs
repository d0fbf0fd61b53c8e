//! The list of what is not answered as DataFusion answers it, and why.

use std::sync::atomic::{AtomicU64, Ordering};

use serde::Deserialize;

use crate::Fault;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Listed {
    refused: Vec<Reason>,
}

/// An entry. It stands for a difference if all that it names is found there.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Reason {
    /// Why, for whoever reads the figures.
    pub reason: String,
    /// Part of the difference: the error with its code, or what is unlike.
    told: Option<String>,
    /// Part of the statement, in any case.
    sql: Option<String>,
    /// Part of the file's path.
    file: Option<String>,
    /// Part of a circumstance: a setting that no boundary sets, a column of a type that no contract has.
    fact: Option<String>,
    #[serde(skip)]
    uses: AtomicU64,
}

/// What an entry is held against.
pub(crate) struct Difference<'a> {
    pub told: &'a str,
    pub sql: &'a str,
    pub file: &'a str,
    pub facts: &'a [String],
}

pub(crate) struct Reasons(Vec<Reason>);

impl Reasons {
    pub(crate) fn read() -> Result<Self, Fault> {
        Ok(Self(toml::from_str::<Listed>(include_str!("../refused.toml"))?.refused))
    }

    /// The first entry that stands for it.
    pub(crate) fn of(&self, difference: &Difference<'_>) -> Option<&str> {
        let found = self.0.iter().find(|reason| reason.fits(difference))?;
        found.uses.fetch_add(1, Ordering::Relaxed);
        Some(&found.reason)
    }

    /// Entries that stood for nothing.
    pub(crate) fn idle(&self) -> Vec<String> {
        let idle = self.0.iter().filter(|reason| reason.uses.load(Ordering::Relaxed) == 0);
        idle.map(|entry| {
            format!(
                "{}: told {:?}, sql {:?}, file {:?}, fact {:?}",
                entry.reason, entry.told, entry.sql, entry.file, entry.fact
            )
        })
        .collect()
    }
}

impl Reason {
    fn fits(&self, difference: &Difference<'_>) -> bool {
        let within =
            |part: &Option<String>, whole: &str| part.as_ref().is_none_or(|part| whole.contains(part.as_str()));
        let sql = difference.sql.to_lowercase();
        within(&self.told, difference.told)
            && self.sql.as_ref().is_none_or(|part| sql.contains(&part.to_lowercase()))
            && within(&self.file, difference.file)
            && self
                .fact
                .as_ref()
                .is_none_or(|part| difference.facts.iter().any(|fact| fact.contains(part.as_str())))
    }
}
