//! Counts of a run.

use std::collections::BTreeMap;
use std::fmt;

use crate::triple::End;

#[derive(Debug, Default, Clone)]
pub struct Tally {
    pub triples: u64,
    pub worlds: u64,
    pub probes: u64,
    pub ends: BTreeMap<End, u64>,
    pub features: BTreeMap<&'static str, u64>,
    pub channels: BTreeMap<&'static str, u64>,
}

impl Tally {
    pub fn add(&mut self, other: Self) {
        self.triples += other.triples;
        self.worlds += other.worlds;
        self.probes += other.probes;
        for (end, count) in other.ends {
            *self.ends.entry(end).or_default() += count;
        }
        for (feature, count) in other.features {
            *self.features.entry(feature).or_default() += count;
        }
        for (channel, count) in other.channels {
            *self.channels.entry(channel).or_default() += count;
        }
    }

    /// All but what is known and counted.
    pub fn findings(&self) -> u64 {
        self.channels
            .iter()
            .filter(|(channel, _)| !known(channel))
            .map(|(_, count)| count)
            .sum()
    }
}

/// Rows came in another order, or another choice of them where any would do.
pub const ORDER: &str = "order";

/// Whether one failed depended on the join that estimates chose.
pub const PLAN_CHOICE: &str = "plan choice";

/// One and the same data gave both answers: threads raced.
pub const RACE: &str = "race";

/// One met its memory limit: what batches take in memory is nobody's promise.
pub const MEMORY: &str = "memory";

/// DataFusion has a plan for one form of the query alone: where a predicate runs decides what is simplified away.
pub const UNSUPPORTED: &str = "unsupported";

/// Plain DataFusion failed by a fault of its own.
pub const RAW_FAULT: &str = "raw fault";

/// Whether a channel is known, counted and kept rare, and no finding.
pub fn known(channel: &str) -> bool {
    matches!(channel, ORDER | PLAN_CHOICE | RACE | MEMORY | UNSUPPORTED | RAW_FAULT)
}

/// By which a difference would be seen.
pub const CHANNELS: [&str; 13] = [
    "rows",
    "schema",
    "success",
    "error",
    "twins",
    ORDER,
    PLAN_CHOICE,
    RACE,
    MEMORY,
    UNSUPPORTED,
    RAW_FAULT,
    "bytes",
    "gate",
];

impl fmt::Display for Tally {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            out,
            "triples {}, worlds {}, refused statements {}",
            self.triples, self.worlds, self.probes
        )?;
        for (end, count) in &self.ends {
            let share = 100.0 * (*count as f64) / (self.triples.max(1) as f64);
            writeln!(out, "  {:<26} {count:>8} {share:>6.1} %", end.name())?;
        }
        writeln!(out, "queries by feature")?;
        for (feature, count) in &self.features {
            writeln!(out, "  {feature:<26} {count:>8}")?;
        }
        writeln!(out, "findings by channel")?;
        for channel in CHANNELS {
            let count = self.channels.get(channel).copied().unwrap_or_default();
            writeln!(out, "  {channel:<26} {count:>8}")?;
        }
        Ok(())
    }
}
