//! What crosses the barrier: inwards, what the consumer's joins and limits learn; outwards, estimates. Neither changes an
//! answer, and what hidden rows hold decides neither.

use std::fs::File;
use std::sync::Arc;

use ambit_protocol::{RowFilter, SourceFormat};
use datafusion::arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray};
use datafusion::parquet::arrow::ArrowWriter;
use datafusion::parquet::file::properties::WriterProperties;

use crate::fixture::{Answer, Fixture};

/// Rows of `emp`, in row groups of a thousand, by rising id: every second one is of tenant a.
const ROWS: i64 = 20_000;

fn lake() -> Fixture {
    let mut fixture = Fixture::new();
    let ids: Vec<i64> = (0..ROWS).collect();
    let texts = |text: fn(&i64) -> String| Arc::new(StringArray::from_iter_values(ids.iter().map(text))) as ArrayRef;
    let batch = RecordBatch::try_from_iter_with_nullable([
        ("id", Arc::new(Int64Array::from(ids.clone())) as ArrayRef, true),
        ("tenant", texts(|id| if id % 2 == 0 { "a" } else { "b" }.into()), true),
        ("name", texts(|id| format!("name-{id:05}")), true),
        (
            "salary",
            Arc::new(Int64Array::from(ids.iter().map(|id| id % 100).collect::<Vec<_>>())),
            true,
        ),
        ("ssn", texts(|id| format!("{id:09}")), true),
    ])
    .unwrap();
    let properties = WriterProperties::builder()
        .set_max_row_group_row_count(Some(1_000))
        .build();
    let file = File::create(fixture.folder.path().join("emp.parquet")).unwrap();
    let mut writer = ArrowWriter::try_new(file, batch.schema(), Some(properties)).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
    let source = fixture.template.sources.get_mut("emp").unwrap();
    source.path = "emp.parquet".into();
    source.format = SourceFormat::Parquet;
    fixture
}

/// The sum of a metric inside barriers.
fn inside(answer: &Answer, metric: &str) -> u64 {
    let operators = answer.outcome.operators.iter();
    operators
        .filter(|operator| operator.inside.is_some())
        .filter_map(|operator| operator.metrics.get(metric))
        .sum()
}

fn skipped(answer: &Answer) -> u64 {
    inside(answer, "row_groups_pruned_statistics") + inside(answer, "row_groups_pruned_dynamic_filter")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_joins_keys_skip_row_groups() {
    let fixture = lake();
    let answer = fixture
        .ask("SELECT emp.name FROM (VALUES (4000), (4001), (4002)) v(id) JOIN emp ON emp.id = v.id ORDER BY 1")
        .await;
    assert_eq!(answer.text(), "{\"name\":\"name-04000\"}\n{\"name\":\"name-04002\"}\n");
    assert!(skipped(&answer) >= 15, "{} row groups skipped", skipped(&answer));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_limit_skips_row_groups() {
    let fixture = lake();
    let answer = fixture.ask("SELECT id FROM emp ORDER BY id DESC LIMIT 2").await;
    assert_eq!(answer.text(), "{\"id\":19998}\n{\"id\":19996}\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_masked_key_learns_nothing_inside() {
    let fixture = lake();
    let answer = fixture
        .ask("SELECT count(*) AS n FROM (VALUES ('000004000'), ('***')) v(s) JOIN emp ON emp.ssn = v.s")
        .await;
    assert_eq!(answer.text(), "{\"n\":10000}\n");
    assert_eq!(skipped(&answer), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failing_sort_key_stays_outside() {
    let fixture = lake();
    // 3 is hidden; 4 is not.
    let fine = fixture
        .ask("SELECT id FROM emp ORDER BY 100 / (id - 3) DESC, id LIMIT 1")
        .await;
    assert_eq!(fine.text(), "{\"id\":4}\n");
    let fails = fixture
        .ask("SELECT id FROM emp ORDER BY 100 / (id - 4) DESC LIMIT 1")
        .await;
    assert_eq!(fails.code(), "ComputeFailed");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_recursive_join_forgets_what_it_learnt() {
    let fixture = lake();
    let walk = "WITH RECURSIVE t AS (SELECT CAST(0 AS BIGINT) AS n UNION ALL \
                SELECT emp.id AS n FROM t JOIN emp ON emp.id = t.n + 4998 WHERE t.n < 15000) SELECT n FROM t ORDER BY n";
    let answer = fixture.ask(walk).await;
    assert_eq!(
        answer.text(),
        "{\"n\":0}\n{\"n\":4998}\n{\"n\":9996}\n{\"n\":14994}\n{\"n\":19992}\n"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn counts_and_ranges_are_of_visible_rows() {
    let mut fixture = lake();
    let asked = "SELECT count(*) AS n, min(id) AS low, max(id) AS high, max(ssn) AS masked FROM emp";
    assert_eq!(
        fixture.ask(asked).await.text(),
        "{\"n\":10000,\"low\":0,\"high\":19998,\"masked\":\"***\"}\n"
    );
    fixture.template.tables.get_mut("emp").unwrap().filters.clear();
    assert_eq!(
        fixture.ask(asked).await.text(),
        "{\"n\":20000,\"low\":0,\"high\":19999,\"masked\":\"***\"}\n"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn file_metadata_answers_only_where_nothing_is_hidden() {
    let mut fixture = lake();
    let asked = "SELECT count(*) AS n, max(id) AS high FROM emp";
    assert!(read(&fixture.ask(asked).await) > 0, "a filter must look at every row");
    fixture.template.tables.get_mut("emp").unwrap().filters.clear();
    let answer = fixture.ask(asked).await;
    assert_eq!(answer.text(), "{\"n\":20000,\"high\":19999}\n");
    assert_eq!(read(&answer), 0, "nothing is hidden, and the footer knows");
    let nullable: Vec<bool> = answer
        .planned
        .iter()
        .flat_map(|plan| &plan.columns)
        .map(|column| column.nullable)
        .collect();
    assert_eq!(nullable, [false, true], "what the footer knew is not told");
    fixture.template.tables.get_mut("emp").unwrap().statistics = false;
    assert!(
        read(&fixture.ask(asked).await) > 0,
        "the contract keeps what the footer knows inside"
    );
}

/// Rows that came out of barriers' scans.
fn read(answer: &Answer) -> u64 {
    inside(answer, "output_rows")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_policy_prunes_row_groups() {
    let mut fixture = lake();
    fixture.template.tables.get_mut("emp").unwrap().filters = vec![RowFilter {
        id: "few".into(),
        sql: "id < 2500".into(),
    }];
    let answer = fixture.ask("SELECT count(*) AS n FROM emp").await;
    assert_eq!(answer.text(), "{\"n\":2500}\n");
    assert_eq!(skipped(&answer), 17);
}

#[tokio::test(flavor = "multi_thread")]
async fn leakproof_functions_go_inside_and_others_wait() {
    let fixture = lake();
    for (predicate, goes) in [
        ("name LIKE 'name-0000%'", true),
        ("upper(name) = 'NAME-00002'", true),
        ("starts_with(name, 'name-0000')", true),
        ("character_length(name) > 3", true),
        ("substr(name, 6, 5) = '00002'", true),
        ("ssn LIKE '0%'", false),
        ("upper(ssn) = 'X'", false),
        ("name || name = 'x'", false),
        ("name LIKE ssn", false),
        ("substr(name, id, 1) = 'x'", false),
        ("regexp_like(name, 'a+')", false),
        ("10 / (id - 3) > 1", false),
        ("CAST(name AS INT) = 3", false),
        ("abs(id) = 3", false),
        ("repeat(name, id) = ''", false),
    ] {
        let answer = fixture
            .ask(&format!("SELECT id FROM emp WHERE {predicate} LIMIT 5"))
            .await;
        assert!(answer.planned.is_some(), "{predicate}: {:?}", answer.outcome.error);
        let planned = answer.planned.unwrap();
        let pushed = &planned.tables.get("emp").unwrap().pushed_predicates;
        assert_eq!(!pushed.is_empty(), goes, "{predicate}: {pushed:?}");
    }
}
