//! What the gates say to statements that no session runs.

use crate::fixture::Fixture;

const REFUSED: [(&str, &str); 32] = [
    ("DROP TABLE emp", "StatementRefused"),
    (
        "CREATE EXTERNAL TABLE x STORED AS CSV LOCATION '/etc/passwd'",
        "SqlSyntax",
    ),
    ("COPY (SELECT * FROM emp) TO '/tmp/x.csv'", "StatementRefused"),
    ("INSERT INTO emp VALUES (1)", "StatementRefused"),
    ("SET datafusion.optimizer.max_passes = 0", "StatementRefused"),
    ("PREPARE p AS SELECT 1", "StatementRefused"),
    ("EXPLAIN SELECT * FROM emp", "StatementRefused"),
    ("EXPLAIN ANALYZE SELECT * FROM emp", "StatementRefused"),
    ("SHOW ALL", "StatementRefused"),
    ("DESCRIBE emp", "StatementRefused"),
    ("SELECT 1; SELECT 2", "StatementRefused"),
    ("", "StatementRefused"),
    ("SELECT * FROM read_parquet('emp.parquet')", "StatementRefused"),
    ("SELECT * FROM x.range(1, 10)", "StatementRefused"),
    ("SELECT * FROM range(1, 10) WITH ORDINALITY", "StatementRefused"),
    ("SELECT * FROM emp, range(1, emp.id)", "SqlInvalid"),
    ("SELECT * FROM emp TABLESAMPLE BERNOULLI (10)", "StatementRefused"),
    ("SELECT * FROM emp FOR UPDATE", "StatementRefused"),
    ("SELECT * INTO x FROM emp", "StatementRefused"),
    (
        "SELECT id FROM emp UNION ALL SELECT id INTO x FROM emp",
        "StatementRefused",
    ),
    (
        "SELECT id FROM emp START WITH id = 1 CONNECT BY PRIOR id = 2",
        "StatementRefused",
    ),
    (
        "SELECT id, count(*) FROM emp GROUP BY id WITH ROLLUP",
        "StatementRefused",
    ),
    (
        "SELECT id FROM emp ORDER BY id WITH FILL FROM 1 TO 9",
        "StatementRefused",
    ),
    ("SELECT count(1)(id) FROM emp", "StatementRefused"),
    ("SELECT id AS \"__datafusion_extracted_1\" FROM emp", "StatementRefused"),
    ("SELECT id AS '__datafusion_extracted_1' FROM emp", "StatementRefused"),
    ("SELECT * FROM information_schema.tables", "TableUnknown"),
    ("SELECT * FROM '/etc/passwd'", "TableUnknown"),
    ("SELECT * FROM other.public.emp", "TableUnknown"),
    ("SELECT nosuch(id) FROM emp", "FunctionUnknown"),
    ("SELECT input_file_name() FROM emp", "FunctionUnknown"),
    ("SELECT $missing", "ParameterInvalid"),
];

#[tokio::test(flavor = "multi_thread")]
async fn the_gates_refuse_by_name() {
    let fixture = Fixture::new();
    for (sql, code) in REFUSED {
        let answer = fixture.ask(sql).await;
        assert_eq!(answer.code(), code, "{sql}: {}", answer.told());
        assert!(answer.outcome.operators.is_empty(), "{sql} ran");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn operators_are_functions_too() {
    let mut fixture = Fixture::new();
    fixture.template.functions = vec!["count".into()];
    for sql in [
        "SELECT substr('abc', 1, 2)",
        "SELECT [1, 2][1]",
        "SELECT extract(year FROM now())",
        "SELECT position('a' IN 'b')",
        "SELECT (SELECT substr('abc', 1, 2)) AS part",
        "SELECT count(*) FROM emp WHERE EXISTS (SELECT 1 FROM paid WHERE position('a' IN 'b') = emp.id)",
    ] {
        assert_eq!(fixture.ask(sql).await.code(), "FunctionUnknown", "{sql}");
    }
    assert_eq!(fixture.ask("SELECT count(*) AS n FROM emp").await.text(), "{\"n\":3}\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dictionary_of_nulls_alone_is_an_answer() {
    let sql = "SELECT arrow_cast(CASE WHEN id > 99 THEN name END, 'Dictionary(Int32, Utf8)') AS d FROM emp";
    let answer = Fixture::new().ask(sql).await;
    assert_eq!(answer.text(), "{\"d\":null}\n".repeat(3), "{}", answer.told());
}

#[tokio::test(flavor = "multi_thread")]
async fn functions_in_from_are_those_of_the_grant() {
    let mut fixture = Fixture::new();
    let sql = "SELECT sum(value) AS s FROM generate_series(1, 2 + 2) WHERE value > 1";
    let answer = fixture.ask(sql).await;
    assert_eq!(answer.text(), "{\"s\":9}\n", "{}", answer.told());
    let planned = answer.planned.as_ref().expect("it was planned");
    assert_eq!(planned.functions, ["generate_series", "sum"]);
    let endless = fixture.ask("SELECT * FROM range(1, 9000000000000000000)").await;
    assert_eq!(endless.code(), "LimitRows");
    fixture.template.functions = vec!["sum".into(), "range".into()];
    assert_eq!(fixture.ask(sql).await.code(), "FunctionUnknown");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_gates_walk_the_bodies_of_lambdas() {
    let mut fixture = Fixture::new();
    let dialect = "datafusion.sql_parser.dialect".to_string();
    fixture.template.settings.insert(dialect, "databricks".into());
    // Row 2 is hidden: only over it does the body fail.
    let answer = fixture
        .ask("SELECT array_transform([8], x -> x / (id - 2)) AS l FROM emp ORDER BY id")
        .await;
    assert_eq!(
        answer.text(),
        "{\"l\":[-8]}\n{\"l\":[8]}\n{\"l\":[4]}\n",
        "{}",
        answer.told()
    );
    let table = fixture
        .ask("SELECT array_transform([1], x -> (SELECT max(id) FROM payroll)) AS l")
        .await;
    assert_eq!(table.code(), "TableUnknown");
    fixture.template.functions = vec!["array_transform".into(), "make_array".into()];
    for sql in [
        "SELECT array_transform(['a'], x -> upper(x)) AS l",
        "SELECT array_transform(['a'], x -> (SELECT substr('abc', 1, 2))) AS l",
        "SELECT array_filter([1], x -> x > 0) AS l",
    ] {
        assert_eq!(fixture.ask(sql).await.code(), "FunctionUnknown", "{sql}");
    }
}

/// The dialect is the boundary's: every one meets the same gates, in statements, views and policies.
#[tokio::test(flavor = "multi_thread")]
async fn every_dialect_meets_the_same_gates() {
    let dialects = [
        "generic",
        "postgresql",
        "sqlite",
        "snowflake",
        "redshift",
        "mssql",
        "clickhouse",
        "bigquery",
        "ansi",
        "duckdb",
        "databricks",
        "spark",
    ];
    for dialect in dialects {
        let mut fixture = Fixture::new();
        let key = "datafusion.sql_parser.dialect".to_string();
        fixture.template.settings.insert(key, dialect.into());
        let answer = fixture
            .ask("SELECT id, ssn FROM emp WHERE salary > 100 ORDER BY id")
            .await;
        let rows = "{\"id\":3,\"ssn\":\"***\"}\n{\"id\":4,\"ssn\":\"***\"}\n";
        assert_eq!(answer.text(), rows, "{dialect}: {}", answer.told());
        for (sql, _) in REFUSED {
            let refused = fixture.ask(sql).await;
            assert!(refused.outcome.error.is_some(), "{dialect}: {sql}");
            assert!(refused.outcome.operators.is_empty(), "{dialect}: {sql} ran");
        }
    }
}
