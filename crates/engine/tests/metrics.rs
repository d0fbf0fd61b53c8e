//! What the outcome tells of the plan's operators.

use crate::fixture::Fixture;

#[tokio::test(flavor = "multi_thread")]
async fn operators_tell_when_they_ran() {
    let fixture = Fixture::new();
    let answer = fixture
        .ask("SELECT salary, count(*) FROM emp GROUP BY salary ORDER BY 1")
        .await;
    assert!(answer.outcome.error.is_none(), "{}", answer.told());
    let run = answer.outcome.timings.run_micros;
    let operators = &answer.outcome.operators;
    let told = |inside: bool| -> Vec<(u64, u64)> {
        let those = operators.iter().filter(|operator| operator.inside.is_some() == inside);
        those
            .filter_map(|operator| operator.start_micros.zip(operator.end_micros))
            .collect()
    };
    for times in [told(false), told(true)] {
        assert!(!times.is_empty());
        assert!(
            times.iter().all(|(start, end)| start <= end && *end <= run),
            "{times:?} of {run}"
        );
    }
    // Not all for as long as the plan ran.
    assert!(
        told(false)
            .iter()
            .chain(&told(true))
            .any(|(start, end)| end - start < run)
    );
    assert!(
        operators
            .iter()
            .all(|operator| !operator.metrics.contains_key("start_timestamp"))
    );
}
