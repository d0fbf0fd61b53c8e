//! One triple: a query on a world, run governed over D and over D', and raw over P(D).

use std::collections::BTreeSet;

use ambit_protocol::OutputFormat;

use crate::compare::{cells, decoded, planted, shape, sorted};
use crate::governed::{Answer, Data, Governed, ROWS_MAX};
use crate::queries::Query;
use crate::raw::{Raw, RawAnswer, RawError, shown_by_row};
use crate::tally::{MEMORY, ORDER, PLAN_CHOICE, RACE, RAW_FAULT, UNSUPPORTED};
use crate::world::World;

/// What ought not to be.
#[derive(Debug, Clone)]
pub struct Finding {
    /// The way by which something was learned.
    pub channel: &'static str,
    pub text: String,
}

/// How a triple ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum End {
    Succeeded,
    Failed,
    Unplanned,
    /// One side failed and the other did not, over visible rows alone.
    OpenOrder,
}

impl End {
    pub fn name(self) -> &'static str {
        match self {
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
            Self::Unplanned => "did not plan",
            Self::OpenOrder => "success left open by SQL",
        }
    }
}

/// Runs until two answers count as different.
const RACES: usize = 8;

pub const FORMATS: [OutputFormat; 3] = [OutputFormat::Ndjson, OutputFormat::Csv, OutputFormat::Json];

/// A world with both of its sides set up.
pub struct Stage {
    pub governed: Governed,
    pub raw: Raw,
    may_leave: BTreeSet<String>,
}

impl Stage {
    pub async fn new(world: &World) -> Self {
        let mut visible = Vec::new();
        for table in &world.tables {
            let shown = shown_by_row(table, &table.rows, world.mapping()).await;
            let rows = table.rows.iter().zip(shown);
            let rows = rows.filter(|(_, shown)| !table.granted || shown.is_some());
            visible.push(rows.map(|(row, _)| row.clone()).collect());
        }
        let raw = Raw::new(world).await;
        Self {
            governed: Governed::new(world, &visible),
            may_leave: planted(raw.words.as_bytes()),
            raw,
        }
    }

    /// Runs a triple; `formats` are looked at beside Arrow.
    pub async fn run(&self, query: &Query, formats: &[OutputFormat]) -> (End, Vec<Finding>) {
        let mut findings = Vec::new();
        let own = self.governed.ask(Data::Own, &query.sql, OutputFormat::Arrow).await;
        let twin = self.governed.ask(Data::Twin, &query.sql, OutputFormat::Arrow).await;
        self.scan(query, &own, &mut findings);
        self.twins(query, &own, &twin, &mut findings).await;
        for format in formats {
            let own = self.governed.ask(Data::Own, &query.sql, *format).await;
            let twin = self.governed.ask(Data::Twin, &query.sql, *format).await;
            self.scan(query, &own, &mut findings);
            self.twins(query, &own, &twin, &mut findings).await;
        }
        let raw = self.raw.ask(&query.sql).await;
        let end = self.held_against(query, &own, raw, &mut findings).await;
        (end, findings)
    }

    /// D and D' must not be told apart.
    async fn twins(&self, query: &Query, own: &Answer, twin: &Answer, findings: &mut Vec<Finding>) {
        if own.same(twin) {
            return;
        }
        let mut found = told_apart(query, own, twin);
        let sides = ((Data::Own, own), (Data::Twin, twin));
        if self.race(query, sides.0, sides.1, Answer::same).await || self.unsteady(query, own, twin).await {
            found.channel = RACE;
        }
        findings.push(found);
    }

    /// Whether the same data answers a different part before the same failure: the parts of a UNION run at once.
    async fn unsteady(&self, query: &Query, own: &Answer, twin: &Answer) -> bool {
        if own.code().is_none() || own.code() != twin.code() || detail(own) != detail(twin) {
            return false;
        }
        for _ in 0..RACES {
            if !self.governed.ask(Data::Own, &query.sql, own.format).await.same(own) {
                return true;
            }
        }
        false
    }

    /// Whether one and the same data answers either way: the parts of a UNION run at once. That tells nothing but time.
    async fn race(
        &self,
        query: &Query,
        (data, answer): (Data, &Answer),
        (other_data, other): (Data, &Answer),
        same: impl Fn(&Answer, &Answer) -> bool,
    ) -> bool {
        for _ in 0..RACES {
            if same(&self.governed.ask(data, &query.sql, answer.format).await, other)
                || same(&self.governed.ask(other_data, &query.sql, answer.format).await, answer)
            {
                return true;
            }
        }
        false
    }

    /// A statement that must be refused by `code`.
    pub async fn probe(&self, sql: &str, code: &str) -> Vec<Finding> {
        let mut findings = Vec::new();
        let own = self.governed.ask(Data::Own, sql, OutputFormat::Ndjson).await;
        let twin = self.governed.ask(Data::Twin, sql, OutputFormat::Ndjson).await;
        let found = own.code().unwrap_or_default();
        if found != code {
            findings.push(finding("gate", format!("`{found}` instead of `{code}`")));
        }
        if own.told() != twin.told() {
            findings.push(finding("gate", format!("{}\n  twin: {}", own.told(), twin.told())));
        }
        findings
    }

    /// Every byte that leaves.
    fn scan(&self, query: &Query, answer: &Answer, findings: &mut Vec<Finding>) {
        let mut bytes = answer.bytes();
        bytes.extend(answer.told().into_bytes());
        let asked = planted(query.sql.as_bytes());
        let leaked: Vec<String> = planted(&bytes)
            .into_iter()
            .filter(|word| !self.may_leave.contains(word) && !asked.contains(word))
            .collect();
        if !leaked.is_empty() {
            findings.push(finding("bytes", format!("hidden values left: {}", leaked.join(", "))));
        }
    }

    /// Whether plain DataFusion contradicts itself, or agrees with the session after all, when it is asked in another way.
    async fn contradicted(&self, query: &Query, own: &Answer, raw: &RawAnswer) -> bool {
        let rows = |answer: &RawAnswer| sorted(cells(&answer.rows));
        let others = self.raw.ask_otherwise(&query.sql).await;
        let mut others = others.iter();
        others.any(|other| unlike_rows(query, own, other).is_none() || (!query.arbitrary && rows(other) != rows(raw)))
    }

    /// Whether it failed while it ran, or while it was planned on ranges of rows that are all visible.
    async fn fails_on_visible_rows(&self, query: &Query, own: &Answer) -> bool {
        if own.planned.is_some() {
            return true;
        }
        let visible = self.governed.ask(Data::Visible, &query.sql, OutputFormat::Arrow).await;
        own.code().as_deref() == Some("ComputeFailed") && visible.code() == own.code()
    }

    async fn held_against(
        &self,
        query: &Query,
        own: &Answer,
        raw: Result<RawAnswer, RawError>,
        findings: &mut Vec<Finding>,
    ) -> End {
        match (own.code(), raw) {
            (None, Ok(raw)) => {
                if let Some(mut found) = unlike_rows(query, own, &raw) {
                    if self.contradicted(query, own, &raw).await {
                        found.channel = RAW_FAULT;
                    }
                    findings.push(found);
                }
                End::Succeeded
            }
            (Some(code), Err(error)) => {
                if code != error.code && !(query.fallible && self.fails_on_visible_rows(query, own).await) {
                    findings.push(finding(
                        "error",
                        format!("`{code}`, raw `{}`: {}", error.code, error.text),
                    ));
                }
                if own.planned.is_some() {
                    End::Failed
                } else {
                    End::Unplanned
                }
            }
            (Some(code), Ok(raw)) if code == "LimitRows" && more_than_allowed(&raw) => End::Failed,
            (Some(_), Ok(_)) if short(own) => {
                findings.push(finding(MEMORY, "raw is not".into()));
                End::OpenOrder
            }
            (Some(_), Ok(_)) if unsupported(own) => {
                findings.push(finding(UNSUPPORTED, detail(own).unwrap_or_default().into()));
                End::Unplanned
            }
            (None, Err(error)) if error.code == "Internal" => {
                findings.push(finding(RAW_FAULT, error.text));
                End::OpenOrder
            }
            (code, raw) => {
                let raw = raw.err().map(|error| format!("{} {}", error.code, error.text));
                let differs = format!("governed {code:?} {:?}, raw {raw:?}", detail(own));
                // Hidden rows have no part in it if it stays without them.
                let visible = self.governed.ask(Data::Visible, &query.sql, OutputFormat::Arrow).await;
                let open = (query.fallible || query.arbitrary)
                    && code.as_deref().is_none_or(|code| code == "ComputeFailed")
                    && raw.as_deref().is_none_or(|raw| raw.starts_with("ComputeFailed"));
                let differ = visible.code() != code;
                let (one, other) = ((Data::Own, own), (Data::Visible, &visible));
                if open && differ && self.race(query, one, other, |a, b| a.code() == b.code()).await {
                    findings.push(finding(RACE, differs));
                } else if !open || (differ && visible.plan() == own.plan()) {
                    findings.push(finding("success", differs));
                } else if differ {
                    findings.push(finding(PLAN_CHOICE, differs));
                }
                End::OpenOrder
            }
        }
    }
}

/// Whether DataFusion has no plan for it: it says so, or does not trust the one that it made.
fn unsupported(answer: &Answer) -> bool {
    let told = detail(answer).unwrap_or_default();
    let says = [
        "This feature is not implemented: Physical plan does not support",
        "SanityCheckPlan",
    ];
    answer.planned.is_none() && says.iter().any(|says| told.starts_with(says))
}

/// Whether these are rows that a session is right not to give.
fn more_than_allowed(raw: &RawAnswer) -> bool {
    raw.rows.iter().map(|batch| batch.num_rows() as u64).sum::<u64>() > ROWS_MAX
}

/// Whether it met its memory limit.
fn short(answer: &Answer) -> bool {
    answer.code().as_deref() == Some("LimitMemory")
}

fn detail(answer: &Answer) -> Option<&str> {
    answer.outcome.error.as_ref().and_then(|error| error.detail.as_deref())
}

fn finding(channel: &'static str, text: String) -> Finding {
    Finding { channel, text }
}

/// How the rows differ, if they do.
fn unlike_rows(query: &Query, own: &Answer, raw: &RawAnswer) -> Option<Finding> {
    let (schema, batches) = decoded(&own.bytes());
    let (found, wanted) = (shape(&schema), shape(&raw.schema));
    if found != wanted {
        return Some(finding("schema", format!("{found:?}, raw {wanted:?}")));
    }
    let (mut found, mut wanted) = (cells(&batches), cells(&raw.rows));
    if query.arbitrary {
        let differs = format!("{} rows, raw {}", found.len(), wanted.len());
        return (found.len() != wanted.len()).then(|| finding("rows", differs));
    }
    if !query.ordered {
        (found, wanted) = (sorted(found), sorted(wanted));
    }
    let differs = || format!("{found:?}\n  raw: {wanted:?}\n{}\n  raw:\n{}", own.plan(), raw.plan);
    (found != wanted).then(|| finding("rows", differs()))
}

/// How two answers differ that should not.
fn told_apart(query: &Query, own: &Answer, twin: &Answer) -> Finding {
    let differs = format!(
        "{}\n  twin: {}\n  {:?}\n  twin: {:?}\n{}\n  twin:\n{}",
        own.told(),
        twin.told(),
        detail(own),
        detail(twin),
        own.plan(),
        twin.plan()
    );
    if [own, twin].iter().any(|answer| short(answer)) {
        return finding(MEMORY, differs);
    }
    // Which rows come first is nobody's promise, and so is where a batch ends.
    let same = own.code() == twin.code() && own.outcome.rows == twin.outcome.rows && !query.ordered;
    if same && own.code().is_none() && (query.arbitrary || own.lines() == twin.lines()) {
        return finding(ORDER, differs);
    }
    // Estimates chose another join, and the consumer's own expression met other visible rows first.
    let ran = [own, twin]
        .iter()
        .all(|answer| answer.planned.is_some() && answer.code().is_none_or(|code| code == "ComputeFailed"));
    let chosen = query.fallible && ran && own.plan() != twin.plan() && (own.code().is_some() || twin.code().is_some());
    finding(if chosen { PLAN_CHOICE } else { "twins" }, differs)
}
