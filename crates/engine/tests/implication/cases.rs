//! Cases, beside what is expected of them: a file a question, see `tests/implication/README.md`.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::{Path, PathBuf};

use ambit_engine::Engine;
use ambit_protocol::{CoarsensRequest, Column, ComparisonReport, ImpliesRequest};

use super::{engine, text};

const RULE: &str = "\n----\n";

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/implication")
}

/// Tables of `tables.txt`, by name. The claims are the columns of the one that is called so.
fn tables() -> BTreeMap<String, Vec<Column>> {
    let text = std::fs::read_to_string(folder().join("tables.txt")).unwrap();
    let column = |part: &str| {
        let (name, data_type) = part.split_once(' ').unwrap();
        Column {
            name: name.into(),
            data_type: data_type.trim_end_matches('!').into(),
            nullable: !data_type.ends_with('!'),
        }
    };
    text.lines()
        .map(|line| {
            let mut parts = line.split(" | ");
            let name = parts.next().unwrap();
            (name.to_string(), parts.map(column).collect())
        })
        .collect()
}

async fn asked(engine: &Engine, question: &str) -> ComparisonReport {
    let mut tables = tables();
    let declared = tables.remove("claims").unwrap();
    let claims = declared
        .into_iter()
        .map(|claim| (claim.name, claim.data_type))
        .collect();
    let mut lines: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for line in question.lines() {
        let (word, rest) = line.split_once(": ").unwrap_or((line.trim_end_matches(':'), ""));
        lines.entry(word).or_default().push(rest.to_string());
    }
    let mut of = |word: &str| lines.remove(word).unwrap_or_default();
    let (column, unchanged, settings) = (of("column"), of("unchanged"), BTreeMap::new());
    let (stronger, weaker, before, after) = (of("stronger"), of("weaker"), of("before"), of("after"));
    assert!(lines.is_empty(), "no words of a case: {lines:?}");
    match column.into_iter().next() {
        Some(column) => {
            let request = CoarsensRequest {
                table: "flights".into(),
                column,
                columns: tables.remove("flights").unwrap(),
                claims,
                settings,
                before,
                after,
            };
            engine.coarsens(request).await
        }
        None => {
            let request = ImpliesRequest {
                table: "flights".into(),
                tables,
                unchanged,
                claims,
                settings,
                stronger,
                weaker,
            };
            engine.implies(request).await
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_case_is_answered_as_it_was_thought_to_be() {
    let engine = engine();
    let mut unlike = String::new();
    let mut files: Vec<PathBuf> = std::fs::read_dir(folder().join("cases"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    files.sort();
    assert!(files.len() >= 60, "{} cases", files.len());
    for file in files {
        let case = std::fs::read_to_string(&file).unwrap();
        let (question, expected) = case.split_once(RULE).unwrap();
        let found = text(&asked(&engine, question).await);
        if found != expected.trim_end() {
            let name = file.file_name().unwrap().display();
            write!(
                unlike,
                "\n== {name}\n{question}\n-- expected\n{expected}-- found\n{found}\n"
            )
            .unwrap();
        }
    }
    assert!(unlike.is_empty(), "{unlike}");
}
