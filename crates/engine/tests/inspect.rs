//! Sources held against their contract: what differs, told without a value.

use std::collections::BTreeMap;

use ambit_protocol::{Column, Drift, DriftKind, InspectRequest, Source, SourceFormat, Store};

use crate::fixture::{Fixture, TRIPWIRE};

const COLUMNS: [(&str, &str, bool); 4] = [
    ("id", "bigint", false),
    ("name", "string", true),
    ("paid", "decimal(9, 2)", true),
    ("tags", "list<string>", true),
];

/// What differs in these files, in words.
async fn drift(format: SourceFormat, columns: &[(&str, &str, bool)], files: &[(&str, &str)]) -> Vec<String> {
    let fixture = Fixture::new();
    let folder = fixture.folder.path().join("f");
    for (name, text) in files {
        let path = folder.join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
    let column = |(name, data_type, nullable): &(&str, &str, bool)| Column {
        name: (*name).into(),
        data_type: (*data_type).into(),
        nullable: *nullable,
    };
    let path = match files {
        [(name, _)] => format!("f/{name}"),
        _ => "f/".into(),
    };
    let request = InspectRequest {
        boundary: "sha256:test".into(),
        stores: BTreeMap::from([(
            "lake".into(),
            Store::Local {
                root: fixture.folder.path().display().to_string(),
            },
        )]),
        credentials: BTreeMap::new(),
        sources: BTreeMap::from([(
            "t".into(),
            Source {
                store: "lake".into(),
                path,
                format,
                columns: columns.iter().map(column).collect(),
                partitions: vec![],
            },
        )]),
    };
    let report = fixture.engine.inspect(request).await;
    let found = &report.sources.get("t").unwrap();
    assert_eq!(found.files, files.len() as u64);
    let told = serde_json::to_string(&report).unwrap();
    assert!(!told.contains(TRIPWIRE), "{told}");
    found.drift.iter().map(words).collect()
}

fn words(drift: &Drift) -> String {
    let kind = match drift.kind {
        DriftKind::Appeared => "appeared",
        DriftKind::Vanished => "vanished",
        DriftKind::Retyped => "retyped",
        DriftKind::Repeated => "repeated",
        DriftKind::Header => "header",
        DriftKind::Unreadable => "unreadable",
        DriftKind::Unreachable => "unreachable",
    };
    let parts = [
        Some(kind),
        drift.column.as_deref(),
        drift.found.as_deref(),
        Some(&drift.object),
    ];
    parts.into_iter().flatten().collect::<Vec<_>>().join(" ")
}

fn csv(header: bool) -> SourceFormat {
    SourceFormat::Csv {
        header,
        delimiter: ",".into(),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_csv_header_is_held_against_the_declared_names() {
    let columns = COLUMNS.get(..3).unwrap();
    let hidden = format!("{TRIPWIRE},{TRIPWIRE} too\n1,2\n");
    let cases: [(&str, &[&str]); 9] = [
        ("id,name,paid\n1,a,2\n", &[]),
        ("paid,id,name\n2,1,a\n", &[]),
        (
            "paid,new,id,name,\n2,b,1,a,\n",
            &["appeared  f/t.csv", "appeared new f/t.csv"],
        ),
        ("id,name\n1,a\n", &["vanished paid f/t.csv"]),
        // What is not declared is not told where a declared name is missing: it may be a value.
        ("id,SECRET-bob,name\n1,2,a\n", &["vanished paid f/t.csv"]),
        ("id,name,paid,id\n1,a,2,3\n", &["repeated id f/t.csv"]),
        (
            "id,x,name,paid,x\n1,b,a,2,c\n",
            &["appeared x f/t.csv", "repeated x f/t.csv"],
        ),
        (&hidden, &["header f/t.csv"]),
        ("", &["unreadable"]),
    ];
    for (text, expected) in cases {
        let found = drift(csv(true), columns, &[("t.csv", text)]).await;
        let alike =
            found.len() == expected.len() && found.iter().zip(expected).all(|(found, told)| found.starts_with(told));
        assert!(alike, "{text}: {found:?}");
    }
    let two = [
        ("a.csv", "id,name,paid\n1,a,2\n"),
        ("b.csv", "new,paid,name,id\n1,2,a,3\n"),
    ];
    assert_eq!(drift(csv(true), columns, &two).await, ["appeared new f/b.csv"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn csv_without_a_header_has_as_many_columns_as_are_declared() {
    let columns = COLUMNS.get(..2).unwrap();
    for text in ["1,a\n", "1,\"a,b\n\"\n", "", "\n"] {
        assert!(
            drift(csv(false), columns, &[("t.csv", text)]).await.is_empty(),
            "{text}"
        );
    }
    for (text, values) in [("1\n", 1), ("1,a,SECRET-bob\n", 3)] {
        let found = drift(csv(false), columns, &[("t.csv", text)]).await;
        let said = format!("its first line has {values} values, and the contract 2 columns");
        assert!(
            found.len() == 1 && found.iter().all(|one| one.contains(&said)),
            "{found:?}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_objects_of_json_are_held_against_the_declared_columns() {
    let cases: [(&[&str], &[&str]); 14] = [
        (
            &[
                r#"{"id":1,"name":"a","paid":1.5,"tags":["x"]}"#,
                r#"{"tags":null,"paid":"2.25","id":2}"#,
                r#"{"id":3.0,"name":null}"#,
            ],
            &[],
        ),
        (&[], &[]),
        (
            &[r#"{"id":1,"name":"SECRET-bob","paid":1,"tags":[],"new":{"SECRET-bob":1}}"#],
            &["appeared new"],
        ),
        // One that may be NULL is missed where no object has it.
        (
            &[r#"{"id":1,"name":"a","tags":[]}"#, r#"{"id":2,"name":"b"}"#],
            &["vanished paid"],
        ),
        (&[r#"{"id":1,"name":"a","paid":null,"tags":[]}"#], &[]),
        (&[r#"{"name":"a","paid":1,"tags":[]}"#], &["vanished id"]),
        (
            &[r#"{"id":1,"name":"a","paid":1,"tags":[]}"#, r#"{"name":"b"}"#],
            &["retyped id null"],
        ),
        (&[r#"{"id":null,"name":"a","paid":1,"tags":[]}"#], &["retyped id null"]),
        (
            &[r#"{"id":"SECRET-bob","name":"a","paid":1,"tags":[]}"#],
            &["retyped id string"],
        ),
        (
            &[r#"{"id":1,"name":"a","paid":1,"tags":[]}"#, r#"{"id":1.5}"#],
            &["retyped id fraction"],
        ),
        (
            &[r#"{"id":1,"name":7,"paid":{},"tags":[]}"#, r#"{"id":1,"name":"x"}"#],
            &["retyped name number or string", "retyped paid object"],
        ),
        (
            &[r#"{"id":1,"name":"a","paid":1,"tags":"SECRET-bob"}"#],
            &["retyped tags string"],
        ),
        (&[r#"{"id":1,"name":"a","paid":1,"tags":[7]}"#], &["retyped tags list"]),
        // Without a declared key nobody knows what the keys are.
        (
            &[r#"{"SECRET-bob":1}"#],
            &["vanished id", "vanished name", "vanished paid", "vanished tags"],
        ),
    ];
    for (objects, expected) in cases {
        for array in [false, true] {
            let text = if array {
                format!(" [{}]\n", objects.join(" ,\n"))
            } else {
                objects.join("\n")
            };
            let found = drift(SourceFormat::Json { array }, &COLUMNS, &[("t.json", &text)]).await;
            let expected: Vec<String> = expected.iter().map(|told| format!("{told} f/t.json")).collect();
            assert_eq!(found, expected, "{text}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_json_of_its_kind_is_not_readable() {
    let object = r#"{"id":1,"name":"a","paid":1,"tags":[]}"#;
    let lines = [
        format!("[{object}]"),
        format!("{object}\n{{\"id\":"),
        format!("{object}\n\"SECRET-bob\""),
        "SECRET-bob".into(),
        "7".into(),
    ];
    for text in lines {
        let found = drift(SourceFormat::Json { array: false }, &COLUMNS, &[("t.json", &text)]).await;
        assert!(
            found.len() == 1 && found.iter().all(|one| one.starts_with("unreadable")),
            "{text}: {found:?}"
        );
    }
    let arrays = [
        object.to_string(),
        format!("[{object}"),
        format!("[{object},]"),
        format!("[{object},\"SECRET-bob\"]"),
        format!("[{object}]{object}"),
        format!("[{object} {object}]"),
    ];
    for text in arrays {
        let found = drift(SourceFormat::Json { array: true }, &COLUMNS, &[("t.json", &text)]).await;
        assert!(
            found.len() == 1 && found.iter().all(|one| one.starts_with("unreadable")),
            "{text}: {found:?}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn of_a_large_json_file_the_beginning_is_looked_at() {
    let object = r#"{"id":1,"name":"a","paid":1,"tags":["a text that takes some room"]}"#;
    let objects = vec![object; 40_000];
    let (lines, array) = (objects.join("\n"), format!("[{}]", objects.join(",")));
    assert!(lines.len() > 2 << 20);
    // What comes later is met by the session that reads it.
    for (array, text) in [(false, lines + "\nnone"), (true, array)] {
        let found = drift(SourceFormat::Json { array }, &COLUMNS, &[("t.json", &text)]).await;
        assert!(found.is_empty(), "{found:?}");
    }
    // An object that is longer tells nothing.
    let long = format!("{{\"id\":\"{}\"}}", "x".repeat(2 << 20));
    assert!(
        drift(SourceFormat::Json { array: false }, &COLUMNS, &[("t.json", &long)])
            .await
            .is_empty()
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_json_column_that_may_be_null_is_in_one_file_of_a_folder_or_another() {
    let json = || SourceFormat::Json { array: false };
    let files = [
        ("a.json", r#"{"id":1,"name":"a"}"#),
        ("b.json", r#"{"id":2,"paid":1,"tags":[],"new":1}"#),
    ];
    assert_eq!(drift(json(), &COLUMNS, &files).await, ["appeared new f/b.json"]);
    let files = [
        ("a.json", r#"{"id":1,"name":"a"}"#),
        ("b.json", r#"{"name":"b","paid":1}"#),
    ];
    assert_eq!(
        drift(json(), &COLUMNS, &files).await,
        ["vanished id f/b.json", "vanished tags f/"]
    );
}
