//! Folders whose names carry a column: a policy on it opens no file of another.

use ambit_protocol::{OutcomeStatus, SourceFormat};

use crate::fixture::{Fixture, TRIPWIRE};

/// The employees, a folder for each tenant.
fn parted() -> Fixture {
    let mut fixture = Fixture::new();
    let source = fixture.template.sources.get_mut("emp").unwrap();
    source.path = "emp/".into();
    source.partitions = vec!["tenant".into()];
    for (tenant, rows) in [
        (
            "a",
            "1,ann,100,111-11-1111\n3,cid,300,333-33-3333\n4,dan,400,444-44-4444\n".to_string(),
        ),
        ("b", format!("2,{TRIPWIRE},0,{TRIPWIRE}\n")),
    ] {
        place(
            &fixture,
            &format!("tenant={tenant}"),
            &format!("id,name,salary,ssn\n{rows}"),
        );
    }
    fixture
}

fn place(fixture: &Fixture, folder: &str, text: &str) {
    let folder = fixture.folder.path().join("emp").join(folder);
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("part.csv"), text).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_policy_opens_its_own_folder_alone() {
    let fixture = parted();
    let answer = fixture.ask("SELECT id, name FROM emp ORDER BY id").await;
    let rows = "{\"id\":1,\"name\":\"ann\"}\n{\"id\":3,\"name\":\"cid\"}\n{\"id\":4,\"name\":\"dan\"}\n";
    assert_eq!(answer.text(), rows, "{}", answer.told());
    let read = answer.outcome.accesses.iter().filter(|access| access.bytes > 0);
    let read: Vec<&str> = read.map(|access| access.object.as_str()).collect();
    assert_eq!(read, ["emp/tenant=a/part.csv"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folders_name_is_a_column_like_another() {
    let mut fixture = parted();
    let table = fixture.template.tables.get_mut("emp").unwrap();
    table.filters.clear();
    table.columns.first_mut().unwrap().name = "tenant".into();
    let all = fixture
        .ask("SELECT tenant, count(*) AS n FROM emp GROUP BY tenant ORDER BY tenant")
        .await;
    assert_eq!(
        all.text(),
        "{\"tenant\":\"a\",\"n\":3}\n{\"tenant\":\"b\",\"n\":1}\n",
        "{}",
        all.told()
    );
    // A consumer's own predicate prunes too.
    let one = fixture.ask("SELECT count(*) AS n FROM emp WHERE tenant = 'a'").await;
    assert_eq!(one.text(), "{\"n\":3}\n");
    assert!(
        one.outcome
            .accesses
            .iter()
            .all(|access| access.bytes == 0 || access.object.contains("tenant=a"))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_outside_its_folders_fails_the_table() {
    for folder in ["", "tenant=__HIVE_DEFAULT_PARTITION__", "state=a", "tenant=a/day=1"] {
        let fixture = parted();
        place(&fixture, folder, "id,name,salary,ssn\n9,eve,900,999-99-9999\n");
        let answer = fixture.ask("SELECT count(*) AS n FROM emp").await;
        assert_eq!(answer.code(), "SourceFailed", "{folder}: {}", answer.text());
        assert_eq!(answer.outcome.status, OutcomeStatus::Failed);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_format_but_arrow_has_partitions() {
    let mut fixture = parted();
    let source = fixture.template.sources.get_mut("emp").unwrap();
    source.format = SourceFormat::Json { array: false };
    let folder = fixture.folder.path().join("emp/tenant=a");
    let line = "{\"id\":7,\"name\":\"gus\",\"salary\":1,\"ssn\":\"x\"}\n";
    std::fs::write(folder.join("part.json"), line).unwrap();
    let json = fixture.ask("SELECT id, name FROM emp").await;
    assert_eq!(json.text(), "{\"id\":7,\"name\":\"gus\"}\n", "{}", json.told());
    fixture.template.sources.get_mut("emp").unwrap().format = SourceFormat::Arrow;
    assert_eq!(fixture.ask("SELECT id FROM emp").await.code(), "SourceFailed");
}

#[tokio::test(flavor = "multi_thread")]
async fn each_folders_file_has_its_own_header() {
    let mut fixture = parted();
    // The folder's name is the tenant, whatever a column of the file says.
    let rows = format!("eve,{TRIPWIRE},900,5,b,x\nfay,{TRIPWIRE},800,6,b,y\n");
    place(&fixture, "tenant=a", &format!("name,new,salary,id,tenant,ssn\n{rows}"));
    let answer = fixture.ask("SELECT id, name, salary FROM emp ORDER BY id").await;
    let shown = "{\"id\":5,\"name\":\"eve\",\"salary\":900}\n{\"id\":6,\"name\":\"fay\",\"salary\":800}\n";
    assert_eq!(answer.text(), shown, "{}", answer.told());
    let table = fixture.template.tables.get_mut("emp").unwrap();
    table.filters.clear();
    table.columns.first_mut().unwrap().name = "tenant".into();
    let all = fixture
        .ask("SELECT tenant, count(*) AS n, min(name) AS name FROM emp GROUP BY tenant ORDER BY tenant")
        .await;
    let shown = format!(
        "{{\"tenant\":\"a\",\"n\":2,\"name\":\"eve\"}}\n{{\"tenant\":\"b\",\"n\":1,\"name\":\"{TRIPWIRE}\"}}\n"
    );
    assert_eq!(all.text(), shown, "{}", all.told());
}
