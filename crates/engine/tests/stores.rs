//! A store is bounded to its root, and says what was asked of it.

use crate::fixture::{EMPLOYEES, Fixture};

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
async fn a_header_that_is_not_the_contracts_is_refused() {
    let swapped = EMPLOYEES.replace("id,tenant,name", "id,name,tenant");
    let code = code_for("emp.csv", |root| {
        std::fs::write(root.join("emp.csv"), &swapped).unwrap()
    })
    .await;
    assert_eq!(code, "SourceFailed");
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
