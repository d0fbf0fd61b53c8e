//! Every function that is called leakproof, over extreme values of every kind: it answers, whatever the value.

use std::sync::Arc;

use ambit_engine::Engine;
use ambit_protocol::LeakproofArgument;
use datafusion::arrow::array::{ArrayRef, BinaryViewArray, Float32Array, Float64Array, RecordBatch, StringViewArray};
use datafusion::prelude::SessionContext;

const TEXTS: [&str; 14] = [
    "",
    " ",
    "a",
    "\u{0}",
    "%_\\",
    "(",
    "ß\u{130}\u{149}ﬃ",
    "\u{1f468}\u{200d}\u{1f469}\u{200d}\u{1f467}",
    "e\u{301}",
    "\u{fffd}\u{10ffff}",
    "\u{202e}abc",
    "-9223372036854775808",
    "a string that is longer than twelve bytes",
    "\n\t\r",
];

const FLOATS: [f64; 14] = [
    0.0,
    -0.0,
    1.0,
    -1.0,
    0.5,
    f64::NAN,
    f64::INFINITY,
    f64::NEG_INFINITY,
    f64::MAX,
    f64::MIN,
    f64::MIN_POSITIVE,
    f64::EPSILON,
    5e-324,
    1e300,
];

/// A column of each kind; a NULL at its end.
fn extremes(long: &str) -> RecordBatch {
    let rows = 16;
    let texts: StringViewArray = (0..rows - 1)
        .map(|row| Some(TEXTS.get(row).copied().unwrap_or(long)))
        .chain([None])
        .collect();
    let binaries: BinaryViewArray = texts.iter().map(|text| text.map(str::as_bytes)).collect();
    let floats: Float64Array = (0..rows).map(|row| FLOATS.get(row).copied()).collect();
    #[expect(clippy::cast_possible_truncation, reason = "the extremes of the narrower type")]
    let narrow: Float32Array = floats.iter().map(|float| float.map(|float| float as f32)).collect();
    RecordBatch::try_from_iter([
        ("text", Arc::new(texts) as ArrayRef),
        ("bytes", Arc::new(binaries)),
        ("wide", Arc::new(floats)),
        ("narrow", Arc::new(narrow)),
    ])
    .unwrap()
}

/// What may stand for an argument in SQL.
fn samples(kind: LeakproofArgument) -> Vec<String> {
    let words = |words: &[&str]| {
        words
            .iter()
            .map(|word| format!("'{}'", word.replace('\'', "''")))
            .collect()
    };
    match kind {
        LeakproofArgument::Text => vec!["text".into(), "''".into()],
        LeakproofArgument::Binary => vec!["bytes".into()],
        LeakproofArgument::Float => vec!["wide".into(), "narrow".into()],
        LeakproofArgument::TextLiteral => words(&["", "a", "(", "%", "\u{130}", "longer than twelve bytes"]),
        LeakproofArgument::Count => ["0", "1", "2", "1000000"].map(Into::into).to_vec(),
    }
}

/// Every way to fill the arguments.
fn calls(name: &str, arguments: &[LeakproofArgument]) -> Vec<String> {
    let filled = arguments
        .iter()
        .fold(vec![Vec::new()], |before: Vec<Vec<String>>, kind| {
            let with = |call: &Vec<String>| {
                let samples = samples(*kind).into_iter();
                samples
                    .map(|sample| call.iter().cloned().chain([sample]).collect())
                    .collect::<Vec<_>>()
            };
            before.iter().flat_map(with).collect()
        });
    filled
        .into_iter()
        .map(|call| format!("{name}({})", call.join(", ")))
        .collect()
}

#[tokio::test]
async fn leakproof_functions_answer_every_value() {
    let context = SessionContext::new();
    let batch = extremes(&"\u{130}x".repeat(10_000));
    context.register_batch("t", batch).unwrap();
    let (mut called, mut failed) = (0, Vec::new());
    for function in Engine::catalog().functions {
        let Some(leakproof) = function.leakproof else { continue };
        assert!(!leakproof.reason.is_empty(), "{} has no reason", function.name);
        assert_eq!(function.volatility, "immutable", "{}", function.name);
        for call in calls(&function.name, &leakproof.arguments) {
            let frame = context.sql(&format!("SELECT {call} AS v FROM t")).await.unwrap();
            // In a task of its own: what panics is not leakproof either.
            match tokio::spawn(frame.collect()).await {
                Ok(Ok(answer)) => assert_eq!(answer.iter().map(RecordBatch::num_rows).sum::<usize>(), 16, "{call}"),
                Ok(Err(error)) => failed.push(format!("{call}: {error}")),
                Err(panic) => failed.push(format!("{call}: {panic}")),
            }
            called += 1;
        }
    }
    assert_eq!(failed, Vec::<String>::new());
    assert!(called > 100, "only {called} calls");
}
