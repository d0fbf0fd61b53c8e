//! Drawn masks: what is answered, beside what DataFusion shows of rows.

use std::collections::{BTreeMap, HashMap};

use ambit_protocol::{Answer, CoarsensRequest, Counterexample, Judgement};
use datafusion::scalar::ScalarValue;

use super::drawn::{Draw, asked, columns, masks, rows};
use super::truth::{Truth, scalar};
use super::{engine, word};

const SEED: u64 = 7;
const PAIRS: usize = 21_000;
/// Masks of one column.
const DRAWN: usize = 160;
const ROWS: usize = 2_000;
/// Every so many, a counterexample is tried again.
const TRIED: usize = 29;

/// What masks are made of others by, by column.
const OVER: [(&str, &[&str]); 3] = [
    (
        "n",
        &[
            "({1}) / 15",
            "({1}) / 30 * 30",
            "({1}) + 1",
            "7 - ({1})",
            "({1}) % 2",
            "abs(({1}) / 2)",
            "coalesce({1}, 0)",
            "nullif({1}, {2})",
            "CASE WHEN {1} > 5 THEN {2} ELSE 0 END",
            "CASE {1} WHEN 4 THEN 1 WHEN $claims.level THEN 2 ELSE {2} END",
            "CASE WHEN {1} IN ($claims.level, 1, 4, 5) THEN {2} END",
            "({1}) + ({2})",
            "({1}) * 2",
        ],
    ),
    (
        "s",
        &[
            "left({1}, 1)",
            "left({1}, 2)",
            "right({1}, 2)",
            "substr({1}, 1, 2)",
            "lower({1})",
            "reverse({1})",
            "md5({1})",
            "concat({1}, '-', {2})",
            "({1}) || 'x'",
            "coalesce({1}, {2})",
            "CASE WHEN {1} LIKE 'a%' THEN {2} ELSE '***' END",
            "CASE WHEN {1} IN ($claims.state, 'a', 'abc', 'zz') THEN {2} END",
            "CASE {1} WHEN 'a' THEN 'b' ELSE {2} END",
            "btrim({1})",
        ],
    ),
    (
        "t",
        &[
            "date_trunc('minute', {1})",
            "date_trunc('day', {1})",
            "date_trunc('week', {1})",
            "date_trunc('month', {1})",
            "date_trunc('quarter', {1})",
            "date_trunc('year', {1})",
            "coalesce({1}, {2})",
            "nullif({1}, {2})",
            "CASE WHEN {1} < TIMESTAMP '1970-01-01 00:00:00' THEN {2} ELSE {1} END",
            "CASE WHEN date_part('month', {1}) = 1 THEN {2} END",
            "greatest({1}, {2})",
        ],
    ),
];

/// Masks by column, `value` written as that column.
const MASKS: [(&str, &[&str]); 3] = [
    (
        "n",
        &[
            "value",
            "value / 15 * 15",
            "value / 15",
            "value / 5",
            "value / 30",
            "value / 60 * 60",
            "value % 2",
            "value + 1",
            "3 - value",
            "abs(value)",
            "value * 2",
            "value / 15 * 15 + 7",
            "0",
            "NULL",
            "CASE WHEN value > 5 THEN value / 5 ELSE 0 END",
            "CASE WHEN value / 15 > 0 THEN 1 ELSE 0 END",
            "CASE WHEN b THEN value END",
            "coalesce(value, 0)",
            "nullif(value, 4)",
            "$claims.level",
            "value / 15 + $claims.level",
            "CAST(k AS BIGINT)",
            "value / 0",
            "CAST(round(CAST(value AS DOUBLE) / 10) AS BIGINT)",
            "-value",
            "(value + 1) / 15",
        ],
    ),
    (
        "s",
        &[
            "value",
            "left(value, 1)",
            "left(value, 2)",
            "left(value, -1)",
            "substr(value, 1, 1)",
            "substr(value, 1, 3)",
            "substr(value, 2, 1)",
            "right(value, 1)",
            "right(value, 2)",
            "lower(value)",
            "upper(value)",
            "upper(lower(value))",
            "lower(left(value, 1))",
            "left(lower(value), 1)",
            "reverse(value)",
            "left(reverse(value), 1)",
            "md5(value)",
            "md5(left(value, 2))",
            "md5(md5(value))",
            "'***'",
            "concat(left(value, 1), '***')",
            "left(value, 1) || '**'",
            "coalesce(left(value, 1), '')",
            "CASE WHEN value IS NULL THEN NULL ELSE '***' END",
            "CASE WHEN value LIKE 'a%' THEN 'a' ELSE 'b' END",
            "CASE WHEN value = $claims.state THEN value ELSE '***' END",
            "btrim(value)",
            "repeat(value, 2)",
        ],
    ),
    (
        "t",
        &[
            "value",
            "date_trunc('second', value)",
            "date_trunc('minute', value)",
            "date_trunc('hour', value)",
            "date_trunc('day', value)",
            "date_trunc('DAY', value)",
            "date_trunc('week', value)",
            "date_trunc('month', value)",
            "date_trunc('quarter', value)",
            "date_trunc('year', value)",
            "date_trunc('month', date_trunc('day', value))",
            "date_trunc('day', date_trunc('month', value))",
            "CAST(CAST(value AS DATE) AS TIMESTAMP)",
            "CASE WHEN b THEN date_trunc('day', value) ELSE date_trunc('month', value) END",
            "TIMESTAMP '2000-01-01 00:00:00'",
            "NULL",
        ],
    ),
];

fn request(column: &str, before: &str, after: &str) -> CoarsensRequest {
    let claims = [("state", "string"), ("level", "bigint")];
    let masks = |mask: &str| {
        vec![match column {
            "n" => format!("CAST({mask} AS BIGINT)"),
            "s" => format!("CAST({mask} AS VARCHAR)"),
            _ => format!("arrow_cast({mask}, 'Timestamp(Microsecond, None)')"),
        }]
    };
    CoarsensRequest {
        table: "t".into(),
        column: column.into(),
        columns: columns(),
        claims: claims.map(|(name, data_type)| (name.into(), data_type.into())).into(),
        settings: BTreeMap::new(),
        before: if before == "value" { vec![] } else { masks(before) },
        after: if after == "value" { vec![] } else { masks(after) },
    }
}

/// What two subjects are shown of every row: rows with one number are shown the same. `None` where it fails.
fn shown(truth: &Truth, column: &str, mask: &str) -> Vec<Option<usize>> {
    let subjects = [
        [("claims.state", "'ab'"), ("claims.level", "5")],
        [("claims.state", "'CA'"), ("claims.level", "0")],
    ];
    let sql = mask.replace("value", column);
    let mut numbers: HashMap<ScalarValue, usize> = HashMap::new();
    let mut all = vec![];
    for claims in &subjects {
        for value in truth.values(&sql, claims) {
            all.push(value.map(|value| {
                let next = numbers.len();
                *numbers.entry(value).or_insert(next)
            }));
        }
    }
    all
}

/// Whether rows that look the same before look the same after, subject by subject.
fn coarsens(before: &[Option<usize>], after: &[Option<usize>]) -> bool {
    before.chunks(ROWS).zip(after.chunks(ROWS)).all(|(before, after)| {
        let mut first = vec![None; 2 * ROWS];
        before.iter().zip(after).all(|rows| match rows {
            (Some(before), Some(after)) => first.get_mut(*before).unwrap().get_or_insert(*after) == after,
            _ => true,
        })
    })
}

/// Whether both rows look the same before and not after.
fn shows(found: &Counterexample, column: &str, (before, after): (&str, &str)) -> bool {
    if let Some((name, _)) = found.claims.iter().find(|(_, value)| value.value.is_null()) {
        let named = |sql: &str| sql.contains(&format!("$claims.{name}"));
        return named(before) && !named(after);
    }
    let column_of = |column: &ambit_protocol::Column| {
        let of = |row: &BTreeMap<String, ambit_protocol::TypedValue>| match row.get(&column.name) {
            Some(value) => scalar(value),
            None if column.name == "k" => ScalarValue::Int32(Some(1)),
            None => scalar(&ambit_protocol::TypedValue {
                data_type: column.data_type.clone(),
                value: serde_json::Value::Null,
            }),
        };
        vec![of(&found.row), of(found.other.as_ref().unwrap())]
    };
    let truth = Truth::new(&columns(), columns().iter().map(column_of).collect());
    let values = |mask: &str| {
        let mut sql = mask.replace("value", column);
        for (name, value) in &found.claims {
            let written = match &value.value {
                serde_json::Value::String(text) if value.data_type == "string" => format!("'{text}'"),
                serde_json::Value::String(text) => text.clone(),
                other => other.to_string(),
            };
            sql = sql.replace(&format!("$claims.{name}"), &written);
        }
        truth.values(&sql, &[])
    };
    let (old, new) = (values(before), values(after));
    old.first() == old.last() && new.first() != new.last()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_yes_shows_no_more_of_any_row_and_a_no_of_two() {
    let (pairs, seed) = asked(PAIRS, SEED);
    let mut draw = Draw::seeded(seed);
    let truth = Truth::new(&columns(), rows(&mut draw, ROWS));
    let engine = engine();
    let mut counts: BTreeMap<(bool, &str), usize> = BTreeMap::new();
    let mut written: BTreeMap<&str, usize> = BTreeMap::new();
    let (mut wrong, mut open) = (vec![], vec![]);
    for ((column, atoms), (_, over)) in MASKS.iter().zip(&OVER) {
        let masks = masks(&mut draw, atoms, over, DRAWN);
        let shown: Vec<_> = masks.iter().map(|mask| shown(&truth, column, mask)).collect();
        let all: Vec<_> = masks.iter().zip(&shown).collect();
        for _ in 0..pairs / MASKS.len() {
            let ((before, old), (after, new)) = (*draw.of(&all), *draw.of(&all));
            let holds = coarsens(old, new);
            let report = engine.coarsens(request(column, before, after)).await;
            let judged = report
                .judgement
                .unwrap_or_else(|| panic!("{after}: {:?}", report.problem));
            let Judgement {
                answer,
                reason,
                counterexample,
            } = judged;
            let count = counts.entry((holds, word(answer))).or_default();
            *count += 1;
            // Of those that are made of others, most that hold on some rows do not on all there could be.
            if holds && atoms.contains(&before.as_str()) && atoms.contains(&after.as_str()) {
                *written.entry(word(answer)).or_default() += 1;
            }
            let mistaken = match answer {
                Answer::Yes => !holds,
                Answer::No => {
                    count.is_multiple_of(TRIED) && !shows(counterexample.as_ref().unwrap(), column, (before, after))
                }
                Answer::CannotTell => counterexample.is_some(),
            };
            if mistaken {
                wrong.push(format!("{before}\n-> {after}\n{}: {reason}", word(answer)));
            }
            if holds && answer == Answer::CannotTell {
                open.push(format!("{before}   ->   {after}: {reason}"));
            }
        }
    }
    println!("{counts:?}");
    for line in open.iter().step_by(open.len() / 40 + 1) {
        println!("open: {line}");
    }
    assert!(
        wrong.is_empty(),
        "{} wrong\n{}",
        wrong.len(),
        wrong.iter().take(12).cloned().collect::<Vec<_>>().join("\n\n")
    );
    let (yes, cannot) = (written.get("yes"), written.get("cannot tell"));
    let (yes, cannot) = (yes.copied().unwrap_or_default(), cannot.copied().unwrap_or_default());
    println!(
        "of those that stand in the list and hold on all rows {yes} of {}",
        yes + cannot
    );
    assert!(yes * 10 > (yes + cannot) * 4, "too few are decided: {written:?}");
}
