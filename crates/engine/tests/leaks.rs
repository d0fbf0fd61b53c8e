//! What policy hides cannot be learned: each case leaked, or would leak, from a plain filter over a shared session.

use crate::fixture::{Fixture, TRIPWIRE};

/// Queries that fail on the hidden row if they ever meet it, or would carry its value out.
const ATTACKS: [&str; 16] = [
    "SELECT count(*) AS n FROM emp WHERE 1 / (id - 2) > -10",
    "SELECT count(*) AS n FROM emp WHERE CAST(CASE WHEN name LIKE 'SECRET%' THEN name ELSE '1' END AS INT) > 0",
    "SELECT CASE WHEN name LIKE 'SECRET%' THEN CAST(name AS INT) ELSE 1 END + id AS n FROM emp",
    "SELECT id FROM emp ORDER BY 1 / (id - 2) LIMIT 1",
    "SELECT a.id FROM emp a JOIN emp b ON 10 / (a.id - 2) = b.id",
    "SELECT id, 10 / salary AS n FROM emp",
    "SELECT max(name) AS n FROM emp",
    "SELECT (SELECT count(*) FROM emp) AS n",
    "SELECT id FROM emp WHERE id IN (SELECT id FROM emp WHERE name = 'SECRET-bob')",
    "SELECT count(*) AS n FROM emp GROUP BY salary / (id - 2)",
    "SELECT id FROM ambit.public.emp WHERE name LIKE 'SECRET%'",
    "SELECT id FROM paid UNION ALL SELECT id FROM emp WHERE 1 / (id - 2) > -10",
    "WITH RECURSIVE t AS (SELECT 1 AS n UNION ALL SELECT t.n + 1 FROM t JOIN emp ON emp.id = t.n) SELECT n FROM t",
    "SELECT DISTINCT ON (salary) name FROM emp ORDER BY salary",
    "SELECT name, rank() OVER (ORDER BY salary) AS n FROM emp",
    "SELECT to_timestamp(CASE WHEN name LIKE 'SECRET%' THEN name ELSE '2020-01-01' END) AS n FROM emp",
];

#[tokio::test(flavor = "multi_thread")]
async fn hidden_rows_stay_hidden() {
    let fixture = Fixture::new();
    for attack in ATTACKS {
        let answer = fixture.ask(attack).await;
        assert_eq!(
            answer.outcome.error.as_ref().map(|error| &error.message),
            None,
            "{attack}"
        );
        assert!(!answer.text().contains(TRIPWIRE), "{attack}: {}", answer.text());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn counts_are_of_visible_rows() {
    let fixture = Fixture::new();
    assert_eq!(fixture.ask("SELECT count(*) AS n FROM emp").await.text(), "{\"n\":3}\n");
    assert_eq!(
        fixture
            .ask("SELECT count(*) AS n FROM emp WHERE name = 'SECRET-bob'")
            .await
            .text(),
        "{\"n\":0}\n"
    );
    assert_eq!(fixture.ask("SELECT id FROM emp LIMIT 3").await.outcome.rows, 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn predicates_see_the_mask() {
    let fixture = Fixture::new();
    assert_eq!(
        fixture
            .ask("SELECT count(*) AS n FROM emp WHERE ssn LIKE '333%'")
            .await
            .text(),
        "{\"n\":0}\n"
    );
    assert_eq!(
        fixture.ask("SELECT DISTINCT ssn FROM emp").await.text(),
        "{\"ssn\":\"***\"}\n"
    );
    let joined = "SELECT emp.id FROM (VALUES ('333-33-3333')) v(s) JOIN emp ON emp.ssn = v.s";
    assert_eq!(fixture.ask(joined).await.outcome.rows, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn denied_and_missing_are_one_answer() {
    let fixture = Fixture::new();
    let denied = fixture.ask("SELECT tenant FROM emp").await;
    let missing = fixture.ask("SELECT tenanx FROM emp").await;
    assert_eq!(
        denied.told().replace("tenant", "X"),
        missing.told().replace("tenanx", "X")
    );
    assert_eq!(denied.code(), "ColumnUnknown");
    assert_eq!(fixture.ask("SELECT * FROM payroll").await.code(), "TableUnknown");
}

/// Its type is the contract's, whatever the credential says.
#[tokio::test(flavor = "multi_thread")]
async fn a_claim_has_its_declared_type() {
    let fixture = Fixture::new();
    let mut open = fixture.open("SELECT count(*) AS n FROM emp", crate::fixture::limits());
    open.claims.get_mut("tenant").unwrap().data_type = "bigint".into();
    let answer = fixture.run(open, tokio_util::sync::CancellationToken::new()).await;
    assert_eq!(answer.text(), "{\"n\":3}\n", "{}", answer.told());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_claim_refuses() {
    let fixture = Fixture::new();
    let mut open = fixture.open("SELECT * FROM emp", crate::fixture::limits());
    open.claims.clear();
    assert_eq!(
        fixture
            .run(open, tokio_util::sync::CancellationToken::new())
            .await
            .code(),
        "ClaimMissing"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn arrow_bytes_hold_visible_rows_alone() {
    let mut fixture = Fixture::new();
    let mut rows = String::from("id,tenant,name,salary,ssn\n");
    for id in 0..5_000 {
        let (tenant, name) = if id % 7 == 0 {
            ("a", "visible")
        } else {
            ("b", "SECRET-bob of a long name that needs a buffer")
        };
        rows.push_str(&format!("{id},{tenant},{name}-{id},{id},x\n"));
    }
    std::fs::write(fixture.folder.path().join("emp.csv"), rows).unwrap();
    fixture.template.boundary = "sha256:wide".into();
    for sql in [
        "SELECT name FROM emp",
        "SELECT name FROM emp ORDER BY name LIMIT 3",
        "SELECT struct(name, ssn) AS s FROM emp",
    ] {
        let mut open = fixture.open(sql, crate::fixture::limits());
        open.format = ambit_protocol::OutputFormat::Arrow;
        let answer = fixture.run(open, tokio_util::sync::CancellationToken::new()).await;
        assert_eq!(answer.code(), "", "{sql}");
        let found = answer
            .bytes
            .windows(TRIPWIRE.len())
            .any(|window| window == TRIPWIRE.as_bytes());
        assert!(!found, "{sql}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_evidence_says_what_applied() {
    let fixture = Fixture::new();
    let answer = fixture.ask("SELECT name, ssn FROM emp WHERE id > 1").await;
    let planned = answer.planned.expect("it was planned");
    let used = planned.tables.get("emp").expect("it reads emp");
    assert_eq!(used.filters, ["own"]);
    assert_eq!(
        used.masks.get("ssn").map(Vec::as_slice),
        Some(&["stars".to_string()][..])
    );
    assert_eq!(used.pushed_predicates.len(), 1);
    assert!(
        !planned.physical_plan.contains("tenant"),
        "the consumer's plan shows the policy"
    );
    let accesses: Vec<&str> = answer
        .outcome
        .accesses
        .iter()
        .map(|access| access.object.as_str())
        .collect();
    assert_eq!(accesses, ["emp.csv"]);
}
