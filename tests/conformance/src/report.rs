//! The figures.

use std::collections::BTreeMap;
use std::fmt;

/// How a governed answer compares.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// As DataFusion answers.
    Equal,
    /// As DataFusion answers when it has what a product can have: tables in a contract's types, settings of a boundary.
    AsHeld,
    /// Neither answers.
    BothFail,
    /// DataFusion itself answers now so, now so.
    Open,
    /// On the list; and whether DataFusion answers with what a product can have.
    Listed(String, bool),
    /// Not on the list.
    Unlike(String),
}

/// What a run found.
#[derive(Debug, Default)]
pub struct Report {
    /// Files run.
    pub files: usize,
    /// Statements that set up.
    pub set_up: u64,
    /// EXPLAIN, DESCRIBE and SHOW.
    pub about: u64,
    /// Queries whose governed answer is DataFusion's.
    pub equal: u64,
    /// Those whose governed answer is DataFusion's with the types and settings that a product can have.
    pub as_held: u64,
    /// Queries that neither answers.
    pub both_fail: u64,
    /// Queries that DataFusion itself does not always answer alike.
    pub open: u64,
    /// Queries on the list that DataFusion answers, by reason.
    pub listed: BTreeMap<String, u64>,
    /// Those of them that DataFusion does not answer with the types and settings that a product can have.
    pub beyond: u64,
    /// Queries that differ and are not on the list.
    pub unlike: Vec<String>,
    /// Entries of the list that stood for nothing.
    pub idle: Vec<String>,
}

impl Report {
    pub(crate) fn count(&mut self, place: &str, sql: &str, verdict: Verdict) {
        match verdict {
            Verdict::Equal => self.equal += 1,
            Verdict::AsHeld => self.as_held += 1,
            Verdict::BothFail => self.both_fail += 1,
            Verdict::Open => self.open += 1,
            Verdict::Listed(reason, held) => {
                *self.listed.entry(reason).or_default() += 1;
                self.beyond += u64::from(!held);
            }
            Verdict::Unlike(how) => self.unlike.push(format!("{place}\n    {sql}\n    {how}")),
        }
    }

    pub(crate) fn add(&mut self, other: Self) {
        self.files += other.files;
        self.set_up += other.set_up;
        self.about += other.about;
        self.equal += other.equal;
        self.as_held += other.as_held;
        self.both_fail += other.both_fail;
        self.open += other.open;
        self.beyond += other.beyond;
        for (reason, count) in other.listed {
            *self.listed.entry(reason).or_default() += count;
        }
        self.unlike.extend(other.unlike);
    }

    /// Queries that DataFusion answers, always alike.
    pub fn answered(&self) -> u64 {
        self.equal + self.as_held + self.listed.values().sum::<u64>() + self.unlike.len() as u64
    }

    /// Those of them that a governed session answers alike.
    pub fn alike(&self) -> u64 {
        self.equal + self.as_held
    }
}

impl fmt::Display for Report {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        for unlike in &self.unlike {
            writeln!(out, "{unlike}")?;
        }
        for idle in &self.idle {
            writeln!(out, "stands for nothing: {idle}")?;
        }
        writeln!(out, "{:>6} files", self.files)?;
        writeln!(out, "{:>6} statements that set up", self.set_up)?;
        writeln!(out, "{:>6} EXPLAIN, DESCRIBE, SHOW: not asked", self.about)?;
        writeln!(out, "{:>6} queries that neither answers", self.both_fail)?;
        writeln!(out, "{:>6} queries that DataFusion answers now so, now so", self.open)?;
        writeln!(out, "{:>6} queries that DataFusion answers", self.answered())?;
        writeln!(out, "{:>6} of them alike", self.alike())?;
        writeln!(
            out,
            "{:>6} of those with a contract's types or a boundary's settings",
            self.as_held
        )?;
        for (reason, count) in &self.listed {
            writeln!(out, "{count:>6} of them refused: {reason}")?;
        }
        writeln!(out, "{:>6} of them unlike", self.unlike.len())?;
        writeln!(
            out,
            "{} of those that DataFusion answers",
            share(self.alike(), self.answered())
        )?;
        let possible = self.answered() - self.beyond;
        writeln!(
            out,
            "{} of those that it answers with the types and settings that a product can have ({possible})",
            share(self.alike(), possible)
        )
    }
}

/// In percent.
fn share(part: u64, whole: u64) -> String {
    let hundredths = part * 10_000 / whole.max(1);
    format!("{}.{:02} %", hundredths / 100, hundredths % 100)
}
