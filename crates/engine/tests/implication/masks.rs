//! Drawn masks: what is answered, beside what DataFusion shows of rows.

use std::collections::{BTreeMap, HashMap};

use ambit_protocol::{Answer, CoarsensRequest, Counterexample, Judgement};
use datafusion::scalar::ScalarValue;

use super::drawn::{Draw, columns, rows};
use super::truth::{Truth, scalar};
use super::{engine, word};

const SEED: u64 = 7;
const ROWS: usize = 5_000;

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

/// What two subjects are shown of every row.
fn shown(truth: &Truth, column: &str, mask: &str) -> Vec<Option<ScalarValue>> {
    let subjects = [
        [("claims.state", "'ab'"), ("claims.level", "5")],
        [("claims.state", "'CA'"), ("claims.level", "0")],
    ];
    let sql = mask.replace("value", column);
    subjects.iter().flat_map(|claims| truth.values(&sql, claims)).collect()
}

/// Whether rows that look the same before look the same after, subject by subject.
fn coarsens(before: &[Option<ScalarValue>], after: &[Option<ScalarValue>]) -> bool {
    let mut first = HashMap::new();
    before.iter().zip(after).enumerate().all(|(place, rows)| match rows {
        (Some(before), Some(after)) => first.entry((place / ROWS, before)).or_insert(after) == &after,
        _ => true,
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
    let mut draw = Draw::seeded(SEED);
    let truth = Truth::new(&columns(), rows(&mut draw, ROWS));
    let engine = engine();
    let mut counts: BTreeMap<(bool, &str), usize> = BTreeMap::new();
    let (mut wrong, mut open) = (vec![], vec![]);
    for (column, masks) in MASKS {
        let shown: Vec<_> = masks.iter().map(|mask| shown(&truth, column, mask)).collect();
        for (before, old) in masks.iter().zip(&shown) {
            for (after, new) in masks.iter().zip(&shown) {
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
                *counts.entry((holds, word(answer))).or_default() += 1;
                let mistaken = match answer {
                    Answer::Yes => !holds,
                    Answer::No => !shows(counterexample.as_ref().unwrap(), column, (before, after)),
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
    }
    println!("{counts:?}");
    for line in open.iter().step_by(open.len() / 60 + 1) {
        println!("open: {line}");
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
    let (yes, cannot) = (counts.get(&(true, "yes")), counts.get(&(true, "cannot tell")));
    let (yes, cannot) = (yes.copied().unwrap_or_default(), cannot.copied().unwrap_or_default());
    assert!(yes * 10 > (yes + cannot) * 4, "too few are decided: {counts:?}");
}
