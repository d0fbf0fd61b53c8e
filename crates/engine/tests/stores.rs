//! A store is bounded to its root, and says what was asked of it.

use ambit_protocol::SourceFormat;

use crate::fixture::{EMPLOYEES, Fixture, TRIPWIRE};

async fn code_for(path: &str, prepare: impl Fn(&std::path::Path)) -> String {
    let mut fixture = Fixture::new();
    let outside = tempfile::tempdir().unwrap();
    std::fs::write(outside.path().join("emp.csv"), EMPLOYEES.replace(",b,", ",a,")).unwrap();
    std::os::unix::fs::symlink(outside.path(), fixture.folder.path().join("away")).unwrap();
    prepare(fixture.folder.path());
    fixture.template.sources.get_mut("emp").unwrap().path = path.into();
    let answer = fixture.ask("SELECT name FROM emp").await;
    assert!(!answer.text().contains("SECRET"), "{path}");
    assert!(
        !answer.told().contains(&fixture.folder.path().display().to_string()),
        "{path}"
    );
    answer.code()
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_outside_the_root_opens() {
    for path in [
        "away/emp.csv",
        "away/",
        "%61way/emp.csv",
        "x/../emp.csv",
        "emp.csv%00",
        "fifo.csv",
        "link.csv",
    ] {
        let code = code_for(path, |root| {
            std::os::unix::fs::symlink(root.join("emp.csv"), root.join("link.csv")).unwrap();
            let made = std::process::Command::new("mkfifo")
                .arg(root.join("fifo.csv"))
                .status()
                .unwrap();
            assert!(made.success());
        })
        .await;
        let bounded = code == "SourceFailed" || (path == "x/../emp.csv" && code.is_empty());
        assert!(bounded, "{path}: {code}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_header_that_lacks_a_declared_column_or_has_it_twice_is_refused() {
    for header in ["id,renamed,name", "id,name,name", "id,tenant,tenant"] {
        let renamed = EMPLOYEES.replace("id,tenant,name", header);
        let code = code_for("emp.csv", |root| {
            std::fs::write(root.join("emp.csv"), &renamed).unwrap()
        })
        .await;
        assert_eq!(code, "SourceFailed", "{header}");
    }
}

/// The policy asks the column that the header names: no other one, and not what stands where it is declared.
#[tokio::test(flavor = "multi_thread")]
async fn columns_of_a_csv_file_go_by_name_for_a_policy_too() {
    let rows = [
        ("1", "a", "ann", "100"),
        ("2", "b", TRIPWIRE, "0"),
        ("3", "a", "cid", "300"),
    ];
    let mut text = "new,salary,name,other,tenant,ssn,id\n".to_string();
    for (id, tenant, name, salary) in rows {
        text += &format!("{TRIPWIRE},{salary},{name},a,{tenant},{TRIPWIRE},{id}\n");
    }
    let fixture = Fixture::new();
    std::fs::write(fixture.folder.path().join("emp.csv"), text).unwrap();
    let answer = fixture
        .ask("SELECT * FROM emp WHERE salary < 1000 ORDER BY id DESC")
        .await;
    let shown = "{\"id\":3,\"name\":\"cid\",\"salary\":300,\"ssn\":\"***\"}\n\
                 {\"id\":1,\"name\":\"ann\",\"salary\":100,\"ssn\":\"***\"}\n";
    assert_eq!(answer.text(), shown, "{}", answer.told());
    for sql in [
        "SELECT new FROM emp",
        "SELECT other FROM emp",
        "SELECT count(new) FROM emp",
    ] {
        let refused = fixture.ask(sql).await;
        assert_eq!(refused.code(), "ColumnUnknown", "{sql}");
        assert!(!refused.told().contains(TRIPWIRE), "{sql}");
    }
    let count = fixture.ask("SELECT count(*) AS n FROM emp").await;
    assert_eq!(count.text(), "{\"n\":2}\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_value_that_is_not_of_its_type_is_a_source_failure_without_the_value() {
    let fixture = Fixture::new();
    std::fs::write(
        fixture.folder.path().join("emp.csv"),
        EMPLOYEES.replace("300", "SECRET-300"),
    )
    .unwrap();
    let answer = fixture.ask("SELECT * FROM emp").await;
    assert_eq!(answer.code(), "SourceFailed");
    assert!(!answer.told().contains("SECRET"));
}

const LINES: &str = r#"{"id":1,"tenant":"a","name":"ann","salary":100,"ssn":"1"}
{"id":2,"tenant":"b","name":"SECRET-bob","salary":0,"ssn":"2"}
{"id":3,"tenant":"a","name":"cid","salary":300,"ssn":"3"}
"#;

/// A file that is one JSON array cannot be cut into ranges; that there is one makes no other file slow.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_read_whole_is_so_where_its_own_plan_reads_it() {
    let mut fixture = Fixture::new();
    std::fs::write(fixture.folder.path().join("emp.json"), LINES).unwrap();
    std::fs::write(fixture.folder.path().join("allowed.json"), r#"[{"tenant":"a"}]"#).unwrap();
    let template = &mut fixture.template;
    let least = "datafusion.optimizer.repartition_file_min_size";
    template.settings.insert(least.into(), "0".into());
    let emp = template.sources.get_mut("emp").unwrap();
    (emp.path, emp.format) = ("emp.json".into(), SourceFormat::Json { array: false });
    let mut allowed = emp.clone();
    (allowed.path, allowed.format) = ("allowed.json".into(), SourceFormat::Json { array: true });
    allowed.columns.retain(|column| column.name == "tenant");
    template.sources.insert("allowed".into(), allowed);
    let rows = "{\"id\":1}\n{\"id\":3}\n";
    for (filter, cut) in [
        ("tenant = $claims.tenant", true),
        ("tenant IN (SELECT tenant FROM allowed)", false),
    ] {
        let table = fixture.template.tables.get_mut("emp").unwrap();
        table.filters.first_mut().unwrap().sql = filter.into();
        let answer = fixture.ask("SELECT id FROM emp ORDER BY id").await;
        assert_eq!(answer.text(), rows, "{filter}: {}", answer.told());
        let planned = answer.planned.unwrap();
        let plans = planned.tables.get("emp").unwrap().inner_plans.concat();
        assert_eq!(plans.contains("file_groups={2 groups"), cut, "{plans}");
    }
}
