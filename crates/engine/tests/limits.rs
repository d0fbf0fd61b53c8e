//! Every way to end: each gives its own code, and leaves nothing (the fixture looks).

use std::time::{Duration, Instant};

use ambit_protocol::OutcomeStatus;
use tokio_util::sync::CancellationToken;

use crate::fixture::{Fixture, limits};

const ENDLESS: &str = "WITH RECURSIVE t AS (SELECT 1 AS n UNION ALL SELECT n + 1 FROM t) SELECT count(*) FROM t";

#[tokio::test(flavor = "multi_thread")]
async fn time() {
    let fixture = Fixture::new();
    let mut within = limits();
    within.deadline_ms = 300;
    let answer = fixture
        .run(fixture.open(ENDLESS, within), CancellationToken::new())
        .await;
    assert_eq!(answer.code(), "LimitTime");
}

#[tokio::test(flavor = "multi_thread")]
async fn cancel() {
    let fixture = Fixture::new();
    let cancel = CancellationToken::new();
    let later = cancel.clone();
    tokio::spawn(async move {
        tokio::time::sleep(Duration::from_millis(200)).await;
        later.cancel();
    });
    let started = Instant::now();
    let answer = fixture.run(fixture.open(ENDLESS, limits()), cancel).await;
    assert_eq!(answer.outcome.status, OutcomeStatus::Cancelled);
    assert!(started.elapsed() < Duration::from_secs(5));
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_bytes_and_memory() {
    let fixture = Fixture::new();
    let product = "SELECT a.n FROM (VALUES (1),(2),(3),(4),(5),(6),(7),(8)) a(n), (VALUES (1),(2),(3)) b(n)";
    let mut within = limits();
    within.rows = 10;
    assert_eq!(
        fixture
            .run(fixture.open(product, within), CancellationToken::new())
            .await
            .code(),
        "LimitRows"
    );
    let mut within = limits();
    within.bytes = 20;
    assert_eq!(
        fixture
            .run(fixture.open(product, within), CancellationToken::new())
            .await
            .code(),
        "LimitBytes"
    );
    let mut within = limits();
    within.memory_bytes = 1 << 20;
    within.spill_bytes = 0;
    let grown = "WITH RECURSIVE t AS (SELECT 1 AS n UNION ALL SELECT n + 1 FROM t WHERE n < 200000) \
        SELECT count(DISTINCT n) FROM t";
    assert_eq!(
        fixture
            .run(fixture.open(grown, within), CancellationToken::new())
            .await
            .code(),
        "LimitMemory"
    );
}

/// DataFusion's nested-loop join that gets too little memory runs its left side again. What would not give the same rows again
/// fails: the first of these would give none, the second the half of them, and both without an error.
#[tokio::test(flavor = "multi_thread")]
async fn a_join_short_of_memory_leaves_no_row_out() {
    let mut fixture = Fixture::new();
    let one = "datafusion.execution.target_partitions".to_owned();
    fixture.template.settings.insert(one, "1".into());
    let left = [
        "(SELECT x FROM range(0, 100000) AS a(x) WHERE NOT EXISTS (SELECT 1 FROM range(-9, -1) AS b(y) WHERE x = y))",
        "(SELECT x FROM range(0, 100000) AS a(x) LEFT JOIN range(0, 50000) AS b(y) ON x = y)",
    ];
    for (quarters, left) in (4..16).flat_map(|quarters| left.map(|left| (quarters, left))) {
        let sql = format!("SELECT count(*) AS n FROM {left} l LEFT JOIN (SELECT max(id) AS m FROM emp) r ON x + m < 0");
        let mut within = limits();
        within.memory_bytes = quarters << 18;
        let answer = fixture.run(fixture.open(&sql, within), CancellationToken::new()).await;
        if answer.code() != "LimitMemory" {
            assert_eq!(
                answer.text().trim(),
                r#"{"n":100000}"#,
                "{quarters} quarters of a MiB: {sql}"
            );
        }
    }
}

/// After it spilled, each part of a join's right side would tell by itself which rows of the left it did not match: this one gave
/// 80,000.
#[tokio::test(flavor = "multi_thread")]
async fn a_join_short_of_memory_gives_no_row_twice() {
    let values = (0..20_000).map(|n| format!("({n})")).collect::<Vec<_>>().join(",");
    let right = "(SELECT id AS y FROM emp UNION ALL SELECT id + 1 FROM emp)";
    let sql = format!("SELECT count(*) AS n FROM (VALUES {values}) l(x) LEFT JOIN {right} r ON x + y < 0");
    let mut fixture = Fixture::new();
    let two = "datafusion.execution.target_partitions".to_owned();
    fixture.template.settings.insert(two, "2".into());
    for eighths in 4..10 {
        let mut within = limits();
        within.memory_bytes = eighths << 17;
        within.statement_bytes = 1 << 20;
        within.statement_nodes = 1_000_000;
        let answer = fixture.run(fixture.open(&sql, within), CancellationToken::new()).await;
        if answer.code() != "LimitMemory" {
            assert_eq!(answer.text().trim(), r#"{"n":20000}"#, "{eighths} eighths of a MiB");
        }
    }
}

/// A pattern that is none is the statement's fault.
#[tokio::test(flavor = "multi_thread")]
async fn a_pattern_that_is_none() {
    let answer = Fixture::new()
        .ask("SELECT regexp_replace(name, name || '[', 'x') AS x FROM emp")
        .await;
    assert_eq!(answer.code(), "ComputeFailed", "{:?}", answer.outcome.error);
}

/// Stacks as the worker has them: to refuse a statement, it must be parsed and dropped first.
#[test]
fn statements_that_would_overflow_a_stack_are_refused() {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .thread_stack_size(16 << 20)
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async { tokio::spawn(overflowing()).await.unwrap() });
}

async fn overflowing() {
    let fixture = Fixture::new();
    let sum = format!("SELECT {}", vec!["1"; 2_000].join("+"));
    assert_eq!(fixture.ask(&sum).await.code(), "StatementTooComplex");
    let all = format!("SELECT 1 WHERE {}", vec!["1=1"; 3_000].join(" AND "));
    assert_eq!(fixture.ask(&all).await.code(), "StatementTooComplex");
    let nested = format!("SELECT {}1{}", "(".repeat(2_000), ")".repeat(2_000));
    assert_eq!(fixture.ask(&nested).await.code(), "StatementTooComplex");
    let unions = vec!["SELECT 1"; 3_000].join(" UNION ALL ");
    assert_eq!(fixture.ask(&unions).await.code(), "StatementTooComplex");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_panic_ends_its_session_alone() {
    let fixture = Fixture::new();
    let amplified = "SELECT regexp_replace(repeat('a', 60000), 'a', repeat('b', 60000), 'g') AS x";
    let answer = fixture.ask(amplified).await;
    assert_eq!(answer.outcome.status, OutcomeStatus::Failed);
    assert_eq!(answer.told(), "the engine failed; the session was closed None");
    assert_eq!(fixture.ask("SELECT count(*) AS n FROM emp").await.text(), "{\"n\":3}\n");
}

/// A record of evidence has an end: a text that a short statement makes long is cut, and says how long it was.
#[tokio::test(flavor = "multi_thread")]
async fn no_text_is_longer_than_a_record() {
    let fixture = Fixture::new();
    let folded = fixture.ask("SELECT unnest(range(0, 200000)) AS n LIMIT 1").await;
    let plan = folded.planned.expect("it was planned").physical_plan;
    assert!(
        plan.len() < 70_000 && plan.ends_with("bytes in all)"),
        "{} bytes",
        plan.len()
    );
    let quoted = fixture
        .ask("SELECT CAST(repeat('x', 300000) || name AS INT) FROM emp")
        .await;
    let detail = quoted.outcome.error.and_then(|error| error.detail).unwrap_or_default();
    assert!(
        detail.len() < 70_000 && detail.ends_with("bytes in all)"),
        "{} bytes",
        detail.len()
    );
    let pushed = fixture
        .ask("SELECT count(*) AS n FROM emp WHERE name = repeat('x', 300000)")
        .await;
    let used = pushed
        .planned
        .and_then(|planned| planned.tables.get("emp").cloned())
        .expect("it reads emp");
    for text in used.inner_plans.iter().chain(&used.pushed_predicates) {
        assert!(text.len() < 70_000, "{} bytes", text.len());
    }
}
