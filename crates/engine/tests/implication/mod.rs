//! What one policy lets be seen beside another: hand-written cases, and drawn ones that DataFusion itself decides on rows.

#![expect(clippy::panic, reason = "a test fails by panicking")]

mod cases;
mod drawn;
mod filters;
mod masks;
mod truth;

use std::sync::Arc;

use ambit_engine::{Engine, EngineConfig};
use ambit_protocol::{Answer, ComparisonReport};

/// An engine that is asked without data.
pub fn engine() -> Arc<Engine> {
    Engine::new(EngineConfig {
        memory_bytes: 1 << 20,
        spill_folder: None,
        spill_bytes: 0,
        templates_max: 1,
        ..EngineConfig::default()
    })
    .unwrap()
}

pub fn word(answer: Answer) -> &'static str {
    match answer {
        Answer::Yes => "yes",
        Answer::No => "no",
        Answer::CannotTell => "cannot tell",
    }
}

/// A report as cases write it.
pub fn text(report: &ComparisonReport) -> String {
    match (&report.judgement, &report.problem) {
        (Some(judgement), None) => format!("{}\n{}", word(judgement.answer), judgement.reason),
        (None, Some(problem)) => {
            let list = serde_json::to_value(problem.list).unwrap();
            let hint = problem.problem.hint.as_deref().unwrap_or_default();
            format!(
                "refused\n{} {}: {} ({hint})",
                list.as_str().unwrap(),
                problem.index,
                problem.problem.message
            )
        }
        both => panic!("neither an answer nor a problem, or both: {both:?}"),
    }
}
