//! Drawn filters: what is answered, beside what DataFusion says of rows.

use std::collections::BTreeMap;

use ambit_protocol::{Answer, Counterexample, ImpliesRequest, Judgement};
use datafusion::scalar::ScalarValue;

use super::drawn::{Draw, asked, columns, filters, rows};
use super::truth::{Claims, Truth, is_true, scalar};
use super::{engine, word};

/// What is drawn for its failures and its rounding, of which hardly anything can be told: not among what has to be decided.
const UNDECIDED: [&str; 3] = ["10 / k", "CAST(p AS", "CAST(n AS DOUBLE)"];
const SEED: u64 = 6;
const PAIRS: usize = 50_000;
/// Filters are drawn for so many pairs each.
const PAIRS_OF_ONE: usize = 120;
const ROWS: usize = 3_000;
/// Every so many, a counterexample is tried again.
const TRIED: usize = 97;

/// The last one has no claims.
const SUBJECTS: [&Claims; 5] = [
    &[
        ("claims.state", "'CA'"),
        ("claims.level", "5"),
        ("claims.day", "DATE '1970-01-11'"),
        ("tenant", "'ab'"),
    ],
    &[
        ("claims.state", "'a'"),
        ("claims.level", "0"),
        ("claims.day", "DATE '1969-12-31'"),
        ("tenant", "'CA'"),
    ],
    &[
        ("claims.state", "''"),
        ("claims.level", "9223372036854775807"),
        ("claims.day", "DATE '1970-02-01'"),
        ("tenant", "'NV'"),
    ],
    &[
        ("claims.state", "'zz'"),
        ("claims.level", "1"),
        ("claims.day", "DATE '1970-01-01'"),
        ("tenant", "'a'"),
    ],
    &[("tenant", "'ab'")],
];

fn request(stronger: &str, weaker: &str) -> ImpliesRequest {
    let claims = [("state", "string"), ("level", "bigint"), ("day", "date")];
    ImpliesRequest {
        table: "t".into(),
        tables: BTreeMap::from([("t".into(), columns())]),
        unchanged: vec![],
        claims: claims.map(|(name, data_type)| (name.into(), data_type.into())).into(),
        settings: BTreeMap::new(),
        stronger: vec![stronger.into()],
        weaker: vec![weaker.into()],
    }
}

/// Which rows pass and which fail, for every subject, a bit each: as the filter is written, and as the engine runs it.
struct Passed(Vec<[Rows; 2]>);

struct Rows {
    pass: Vec<u64>,
    fail: Vec<u64>,
}

impl Rows {
    fn of(rows: &[Option<bool>]) -> Self {
        let bits = |wanted: Option<bool>| {
            rows.chunks(64)
                .map(|chunk| {
                    chunk
                        .iter()
                        .rev()
                        .fold(0, |bits, row| bits << 1 | u64::from(*row == wanted))
                })
                .collect()
        };
        Self {
            pass: bits(Some(true)),
            fail: bits(None),
        }
    }

    /// Whether nothing is visible here that is not visible there, whichever of the rows a table has: a row that fails hides
    /// all of them.
    fn within(&self, other: &Self) -> bool {
        let within = |some: &[u64], all: &[u64]| some.iter().zip(all).all(|(some, all)| some & !all == 0);
        let shows = self.pass.iter().any(|bits| *bits != 0);
        within(&self.pass, &other.pass) && (!shows || within(&other.fail, &self.fail))
    }
}

impl Passed {
    fn of(truth: &Truth, filter: &str) -> Self {
        let of = |claims: &&Claims| truth.passes(filter, claims).map(|rows| Rows::of(&rows));
        Self(SUBJECTS.iter().map(of).collect())
    }

    /// Whether all that pass here pass there. DataFusion's simplifier takes NULL for FALSE in places: as written, two
    /// filters are compared only if it changed neither.
    fn implies(&self, other: &Self) -> bool {
        let plain = self.unchanged() && other.unchanged();
        self.0
            .iter()
            .zip(&other.0)
            .all(|([written, run], [other_written, other_run])| {
                run.within(other_run) && (!plain || written.within(other_written))
            })
    }

    fn unchanged(&self) -> bool {
        let same = |[written, run]: &[Rows; 2]| written.pass == run.pass && written.fail == run.fail;
        self.0.iter().all(same)
    }
}

/// Whether the row passes the one and not the other. A subject without a claim is refused by who names it.
fn shows(counterexample: &Counterexample, stronger: &str, weaker: &str) -> bool {
    let missing = counterexample.claims.iter().find(|(_, value)| value.value.is_null());
    if let Some((name, _)) = missing {
        let named = |sql: &str| sql.contains(&format!("$claims.{name}"));
        return named(weaker) && !named(stronger);
    }
    let column = |column: &ambit_protocol::Column| match counterexample.row.get(&column.name) {
        Some(value) => vec![scalar(value)],
        None if column.nullable => vec![scalar(&ambit_protocol::TypedValue {
            data_type: column.data_type.clone(),
            value: serde_json::Value::Null,
        })],
        None => vec![ScalarValue::Int32(Some(1))],
    };
    let truth = Truth::new(&columns(), columns().iter().map(column).collect());
    let sql = |filter: &str| {
        let mut bound = filter.to_string();
        for (name, value) in &counterexample.claims {
            let id = if name == "tenant" {
                "$tenant".into()
            } else {
                format!("$claims.{name}")
            };
            let written = match &value.value {
                serde_json::Value::String(text) if value.data_type == "string" => {
                    format!("'{}'", text.replace('\'', "''"))
                }
                serde_json::Value::String(text) if value.data_type == "date" => format!("DATE '{text}'"),
                serde_json::Value::String(text) => text.clone(),
                other => other.to_string(),
            };
            bound = bound.replace(&id, &written);
        }
        is_true(
            truth
                .values(&bound, SUBJECTS.first().unwrap())
                .first()
                .unwrap()
                .as_ref(),
        )
    };
    sql(stronger) && !sql(weaker)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_yes_is_true_of_every_row_and_a_no_of_one() {
    let (pairs, seed) = asked(PAIRS, SEED);
    let mut draw = Draw::seeded(seed);
    let truth = Truth::new(&columns(), rows(&mut draw, ROWS));
    let filters = filters(&mut draw, pairs / PAIRS_OF_ONE + 2);
    let passed: Vec<Passed> = filters.iter().map(|filter| Passed::of(&truth, filter)).collect();
    let all: Vec<(&String, &Passed)> = filters.iter().zip(&passed).collect();
    let engine = engine();
    let mut counts: BTreeMap<(bool, &str), usize> = BTreeMap::new();
    let mut usual: BTreeMap<&str, usize> = BTreeMap::new();
    let mut wrong = vec![];
    let mut open = vec![];
    for _ in 0..pairs {
        let (stronger, passes) = *draw.of(&all);
        let (weaker, allows) = *draw.of(&all);
        let implied = passes.implies(allows);
        let report = engine.implies(request(stronger, weaker)).await;
        let Judgement {
            answer,
            reason,
            counterexample,
        } = report
            .judgement
            .unwrap_or_else(|| panic!("{stronger} => {weaker}: {:?}", report.problem));
        let count = counts.entry((implied, word(answer))).or_default();
        *count += 1;
        if implied
            && !UNDECIDED
                .iter()
                .any(|kind| stronger.contains(kind) || weaker.contains(kind))
        {
            *usual.entry(word(answer)).or_default() += 1;
        }
        let mistaken = match answer {
            Answer::Yes => !implied,
            Answer::No => count.is_multiple_of(TRIED) && !shows(counterexample.as_ref().unwrap(), stronger, weaker),
            Answer::CannotTell => counterexample.is_some(),
        };
        if mistaken {
            wrong.push(format!("{stronger}\n=> {weaker}\n{}: {reason}", word(answer)));
        }
        if implied && answer == Answer::CannotTell {
            open.push(format!("{stronger}   =>   {weaker}: {reason}"));
        }
    }
    let of = |implied, answer| counts.get(&(implied, answer)).copied().unwrap_or_default();
    let (yes, no) = (of(true, "yes"), of(true, "no") + of(false, "no"));
    let told = of(true, "cannot tell") + of(false, "cannot tell");
    println!(
        "of {pairs} pairs of {} filters: {yes} yes, {no} no, {told} cannot tell",
        filters.len()
    );
    println!(
        "of those that hold on all rows {yes} of {}",
        yes + of(true, "cannot tell")
    );
    for line in open.iter().step_by(open.len() / 40 + 1) {
        println!("open: {line}");
    }
    assert!(
        wrong.is_empty(),
        "{} wrong\n{}",
        wrong.len(),
        wrong.into_iter().take(12).collect::<Vec<_>>().join("\n\n")
    );
    let of = |answer| usual.get(answer).copied().unwrap_or_default();
    assert!(
        of("yes") * 10 > (of("yes") + of("cannot tell")) * 7,
        "too few are decided: {usual:?} of {counts:?}"
    );
}
