//! CSV and JSON hold text alone: what does not fit the declared type fails.

use std::fs;

use ambit_protocol::SourceFormat;
use datafusion::prelude::{col, lit};

use super::lake::{Lake, csv};

#[tokio::test]
async fn a_csv_header_names_the_declared_columns_in_order() {
    let lake = Lake::new();
    let declared = [("id", "bigint"), ("name", "string")];
    lake.text("good.csv", "id,name\n1,a\n")
        .text("crlf.csv", "id,name\r\n1,a\r\n");
    lake.text("quoted.csv", "\"id\",\"name\"\n1,a\n")
        .text("bom.csv", "\u{feff}id,name\n1,a\n");
    for path in ["good.csv", "crlf.csv", "quoted.csv", "bom.csv"] {
        assert_eq!(lake.rows(csv(), path, &declared).await.unwrap(), "1,a", "{path}");
    }
    for (path, content) in [
        ("swapped.csv", "name,id\n1,1\n"),
        ("case.csv", "ID,name\n1,a\n"),
        ("few.csv", "id\n1\n"),
        ("many.csv", "id,name,more\n1,a,b\n"),
        ("none.csv", "1,a\n2,b\n"),
        ("spaced.csv", "id, name\n1,a\n"),
        ("delimiter.csv", "id;name\n1;a\n"),
    ] {
        lake.text(path, content);
        lake.unlike(csv(), path, &declared).await;
    }
    lake.text("empty.csv", "")
        .text("f/a.csv", "id,name\n1,a\n")
        .text("f/b.csv", "name,id\nb,2\n");
    lake.fails(csv(), "empty.csv", &declared).await;
    lake.unlike(csv(), "f/", &declared).await;
}

#[tokio::test]
async fn csv_lines_that_do_not_fit_fail() {
    let lake = Lake::new();
    for (path, content) in [
        ("type.csv", "id,name\nx,a\n"),
        ("range.csv", "id,name\n99999999999999999999,a\n"),
        ("short.csv", "id,name\n1\n"),
        ("long.csv", "id,name\n1,a,b\n"),
        ("utf8.csv", "id,name\n1,a\n"),
    ] {
        lake.text(path, content);
        if path == "utf8.csv" {
            fs::write(lake.path(path), b"id,name\n1,\xff\n").unwrap();
        }
        lake.fails(csv(), path, &[("id", "bigint"), ("name", "string")]).await;
    }
}

/// Large enough to be read in several parts, none of which may begin inside a quoted value.
#[tokio::test]
async fn csv_values_may_hold_line_breaks() {
    let lake = Lake::new();
    let filler = "other\nhidden,tenant\n".repeat(20);
    let mut content = String::from("tenant,note\n");
    for row in 0..40_000 {
        content.push_str(&format!("mine,\"{row}\n{filler}\"\n"));
    }
    assert!(content.len() > 12 << 20);
    lake.text("t.csv", &content);
    let (frame, _) = lake
        .table(csv(), "t.csv", &[("tenant", "string"), ("note", "string")])
        .unwrap();
    let mine = frame.filter(col("tenant").eq(lit("mine"))).unwrap();
    assert_eq!(mine.count().await.unwrap(), 40_000);
}

#[tokio::test]
async fn json_values_that_do_not_fit_fail() {
    let lake = Lake::new();
    for (path, content) in [
        ("type.json", "{\"id\":\"x\"}\n"),
        ("object.json", "{\"id\":{}}\n"),
        ("array.json", "[1,2]\n"),
        ("cut.json", "{\"id\":1}\n{\"id\":"),
    ] {
        lake.text(path, content);
        lake.fails(SourceFormat::Json { array: false }, path, &[("id", "bigint")])
            .await;
    }
}
