//! Column lineage, beside what is expected of it: a file a statement, see `tests/lineage/README.md`.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::{Path, PathBuf};

use ambit_protocol::{
    Column, GovernedColumn, Lineage, LineageInput, Mask, RowFilter, Source, SourceFormat, Table, View,
};
use tokio_util::sync::CancellationToken;

use crate::fixture::{Fixture, limits};

/// Between a statement and what is expected of it.
const RULE: &str = "\n----\n";

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/lineage")
}

/// The tables of `tables.txt`, each with one row of nothing but NULL: `ssn` is masked and rows are filtered by `tenant`,
/// which nobody is granted.
fn product() -> Fixture {
    let mut fixture = Fixture::new();
    let text = std::fs::read_to_string(folder().join("tables.txt")).unwrap();
    (fixture.template.sources, fixture.template.tables) = (BTreeMap::new(), BTreeMap::new());
    for line in text.lines() {
        let mut parts = line.split(" | ");
        let name = parts.next().unwrap();
        let columns: Vec<Column> = parts
            .map(|part| {
                let (name, data_type) = part.split_once(' ').unwrap();
                Column {
                    name: name.into(),
                    data_type: data_type.into(),
                    nullable: true,
                }
            })
            .collect();
        let path = format!("{name}.json");
        std::fs::write(fixture.folder.path().join(&path), "{}\n").unwrap();
        let shown = columns.iter().filter(|column| column.name != "tenant");
        let table = Table {
            source: name.into(),
            columns: shown.map(|column| governed(&column.name)).collect(),
            filters: columns
                .iter()
                .filter(|column| column.name == "tenant")
                .map(own)
                .collect(),
            closed: false,
            statistics: true,
        };
        let source = Source {
            store: "lake".into(),
            path,
            format: SourceFormat::Json { array: false },
            columns,
            partitions: vec![],
        };
        fixture.template.sources.insert(name.into(), source);
        fixture.template.tables.insert(name.into(), table);
    }
    let view = |sql: &str| View { sql: sql.into() };
    fixture.template.views = BTreeMap::from([
        (
            "paid".into(),
            view("SELECT id, name, salary * 12 AS yearly FROM emp WHERE salary > 100"),
        ),
        (
            "costs".into(),
            view(
                "SELECT d.name AS dept, sum(p.yearly) AS cost FROM paid p JOIN emp e ON e.id = p.id JOIN dept d ON d.id = e.dept GROUP BY d.name",
            ),
        ),
    ]);
    fixture
}

fn governed(name: &str) -> GovernedColumn {
    let stars = Mask {
        id: "stars".into(),
        sql: "'***'".into(),
    };
    GovernedColumn {
        name: name.into(),
        masks: if name == "ssn" { vec![stars] } else { vec![] },
    }
}

fn own(column: &Column) -> RowFilter {
    RowFilter {
        id: "own".into(),
        sql: format!("{} = $claims.tenant", column.name),
    }
}

/// A lineage as cases write it.
fn text(lineage: &Lineage) -> String {
    let mut text = String::new();
    for column in &lineage.columns {
        writeln!(text, "{}: {}", column.name, list(&column.inputs)).unwrap();
    }
    writeln!(text, "*: {}", list(&lineage.dataset)).unwrap();
    let lines: Vec<&str> = text.lines().map(str::trim_end).collect();
    lines.join("\n")
}

fn list(inputs: &[LineageInput]) -> String {
    let one = |input: &LineageInput| {
        let how = serde_json::to_value(&input.how).unwrap();
        let how: Vec<String> = serde_json::from_value(how).unwrap();
        let masked = if input.masked { " masked" } else { "" };
        format!("{}.{}{masked} {}", input.table, input.column, how.join(" "))
    };
    inputs.iter().map(one).collect::<Vec<_>>().join(", ")
}

async fn lineage(fixture: &Fixture, sql: &str) -> Lineage {
    let answer = fixture.ask(sql).await;
    let told = format!("{}: {sql}", answer.told());
    let planned = answer.planned.expect(&told);
    assert_eq!(planned.lineage.columns.len(), planned.columns.len());
    planned.lineage
}

#[tokio::test(flavor = "multi_thread")]
async fn every_case_has_the_lineage_that_it_was_thought_to_have() {
    let (fixture, mut lambdas) = (product(), product());
    let dialect = "datafusion.sql_parser.dialect".to_string();
    lambdas.template.settings.insert(dialect, "duckdb".into());
    let mut unlike = String::new();
    let mut files: Vec<PathBuf> = std::fs::read_dir(folder().join("cases"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    files.sort();
    assert!(files.len() >= 52, "{} cases", files.len());
    for file in files {
        let case = std::fs::read_to_string(&file).unwrap();
        let (sql, expected) = case.split_once(RULE).unwrap();
        let lambda = sql.contains("->");
        let lineage = lineage(if lambda { &lambdas } else { &fixture }, sql).await;
        let found = text(&lineage);
        if found != expected.trim_end() || lineage.widened {
            let name = file.file_name().unwrap().display();
            write!(unlike, "\n== {name}\n{sql}\n-- expected\n{expected}-- found\n{found}\n").unwrap();
        }
    }
    assert!(unlike.is_empty(), "{unlike}");
}

/// A product of one table of so many columns, `c0` and on.
fn wide(columns: usize) -> Fixture {
    let mut fixture = product();
    let columns: Vec<Column> = (0..columns)
        .map(|number| Column {
            name: format!("c{number}"),
            data_type: "bigint".into(),
            nullable: true,
        })
        .collect();
    let mut source = fixture.template.sources.get("dept").unwrap().clone();
    let mut table = fixture.template.tables.get("dept").unwrap().clone();
    table.columns = columns.iter().map(|column| governed(&column.name)).collect();
    source.columns = columns;
    table.source = "wide".into();
    fixture.template.sources.insert("wide".into(), source);
    fixture.template.tables.insert("wide".into(), table);
    fixture
}

/// What is asked may be big: it is the lineage that must not be.
async fn lineage_of_big(fixture: &Fixture, sql: &str) -> Lineage {
    let mut limits = limits();
    (limits.statement_bytes, limits.statement_nodes) = (8 << 20, 1 << 20);
    let answer = fixture.run(fixture.open(sql, limits), CancellationToken::new()).await;
    let told = answer.told();
    answer.planned.expect(&told).lineage
}

fn names(columns: usize, name: impl Fn(usize) -> String) -> String {
    (0..columns).map(name).collect::<Vec<_>>().join(", ")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wide_and_a_deep_statement_are_followed_exactly() {
    let fixture = wide(1_000);
    let lineage = lineage_of_big(
        &fixture,
        "SELECT DISTINCT * FROM (SELECT * FROM wide UNION ALL SELECT * FROM wide) AS w",
    )
    .await;
    assert!(!lineage.widened);
    assert_eq!((lineage.columns.len(), lineage.dataset.len()), (1_000, 1_000));
    assert_eq!(list(&lineage.columns.get(999).unwrap().inputs), "wide.c999 identity");
    // Near the limit of steps, one within the other.
    let mut sql = "WITH w0 AS (SELECT id, salary FROM emp)".to_string();
    for level in 1..450 {
        write!(
            sql,
            ", w{level} AS (SELECT id, salary + 1 AS salary FROM w{} WHERE id > 0)",
            level - 1
        )
        .unwrap();
    }
    let lineage = lineage_of_big(&fixture, &format!("{sql} SELECT salary FROM w449")).await;
    assert_eq!(text(&lineage), "salary: emp.salary transformation\n*: emp.id filter");
}

/// Each column comes from each other, by a recursion that turns them around: 250,000 inputs, and the record has no room.
#[tokio::test(flavor = "multi_thread")]
async fn a_lineage_that_no_record_holds_says_that_all_may_come_from_all() {
    let fixture = wide(500);
    let sql = format!(
        "WITH RECURSIVE r({}) AS (SELECT * FROM wide UNION ALL SELECT {} FROM r WHERE r.x0 < 0) SELECT * FROM r",
        names(500, |number| format!("x{number}")),
        names(500, |number| format!("x{}", (number + 1) % 500))
    );
    let lineage = lineage_of_big(&fixture, &sql).await;
    assert!(lineage.widened);
    assert_eq!((lineage.columns.len(), lineage.dataset.len()), (500, 500));
    assert!(lineage.columns.iter().all(|column| column.inputs.is_empty()));
    assert!(lineage.dataset.iter().all(|input| input.how.is_empty()));
}

/// As many inputs as columns, in so many layers that following them all would take minutes.
#[tokio::test(flavor = "multi_thread")]
async fn a_lineage_that_takes_too_long_is_not_followed() {
    let fixture = wide(256);
    let mut sql = "WITH w0 AS (SELECT * FROM wide)".to_string();
    for level in 1..=40 {
        let columns = names(256, |number| {
            format!("c{number} + c{} AS c{number}", (number + (1 << (level % 8))) % 256)
        });
        write!(sql, ", w{level} AS (SELECT {columns} FROM w{})", level - 1).unwrap();
    }
    let lineage = lineage_of_big(&fixture, &format!("{sql} SELECT c0 FROM w40")).await;
    assert!(lineage.widened);
    assert_eq!(lineage.dataset.len(), 256);
}

/// The cases of TPC-H are the example's queries.
#[test]
fn the_queries_of_tpch_are_those_of_the_example() {
    let words = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    let example = words(&std::fs::read_to_string(folder().join("../../examples/tpch/tpch.yaml")).unwrap());
    for number in 1..=22 {
        let case = std::fs::read_to_string(folder().join(format!("cases/tpch-{number:02}.txt"))).unwrap();
        let (sql, _) = case.split_once(RULE).unwrap();
        assert!(example.contains(&words(sql)), "q{number}");
    }
}
