//! What the gates say to statements that no session runs.

use crate::fixture::Fixture;

const REFUSED: [(&str, &str); 28] = [
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
    ("SELECT * FROM generate_series(1, 10)", "StatementRefused"),
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
