//! CSV and JSON hold text alone: what does not fit the declared type fails.

use std::fs;

use ambit_protocol::SourceFormat;
use datafusion::prelude::{col, lit};

use super::lake::{Lake, csv};

#[tokio::test]
async fn a_csv_header_says_where_the_declared_columns_are() {
    let lake = Lake::new();
    let declared = [("id", "bigint!"), ("name", "string")];
    for (path, content) in [
        ("good.csv", "id,name\n1,a\n"),
        ("crlf.csv", "id,name\r\n1,a\r\n"),
        ("quoted.csv", "\"id\",\"name\"\n1,a\n"),
        ("bom.csv", "\u{feff}id,name\n1,a\n"),
        ("swapped.csv", "name,id\na,1\n"),
        ("before.csv", "more,id,name\nb,1,a\n"),
        ("between.csv", "id,more,name\n1,\"b\n,c\",a\n"),
        ("behind.csv", "id,name,more\r\n1,a,b\r\n"),
        ("around.csv", "\u{feff}x,name,\"y\nz\",id,z\n,a,\"1,2\",1,\n"),
        ("case.csv", "Id,ID,id,name\n7,8,1,a\n"),
        ("unnamed.csv", ",id,name,\n0,1,a,\n"),
        ("bare.csv", "name,id,more\na,1,b"),
        // What is not declared has no type: no value of it is looked at.
        ("numbers.csv", "more,name,id\nx,a,1\n"),
    ] {
        lake.text(path, content);
        assert_eq!(lake.rows(csv(), path, &declared).await.unwrap(), "1,a", "{path}");
    }
    for (path, content) in [
        ("upper.csv", "ID,name\n1,a\n"),
        ("few.csv", "id\n1\n"),
        ("none.csv", "1,a\n2,b\n"),
        ("spaced.csv", "id, name\n1,a\n"),
        ("delimiter.csv", "id;name\n1;a\n"),
        ("twice.csv", "id,name,id\n1,a,2\n"),
        ("others-twice.csv", "id,more,name,more\n1,b,a,c\n"),
    ] {
        lake.text(path, content);
        lake.unlike(csv(), path, &declared).await;
    }
    lake.text("empty.csv", "");
    lake.fails(csv(), "empty.csv", &declared).await;
}

#[tokio::test]
async fn each_file_of_a_folder_has_its_own_header() {
    let lake = Lake::new();
    let declared = [("id", "bigint"), ("name", "string"), ("real", "double")];
    lake.text("f/a.csv", "id,name,real\n1,a,0.5\n")
        .text("f/b.csv", "real,name,id\n1.5,b,2\n")
        .text("f/c.csv", "name,more,id,real,last\nc,x,3,2.5,y\n")
        .text("f/d.csv", "name,more,id,real,last\nd,x,4,3.5,y\n");
    let all = "1,a,0.5\n2,b,1.5\n3,c,2.5\n4,d,3.5";
    assert_eq!(lake.rows(csv(), "f/", &declared).await.unwrap(), all);
    // What is computed of some columns, in another order, and of none.
    let (frame, _) = lake.table(csv(), "f/", &declared).unwrap();
    let sums = frame
        .filter(col("real").gt(lit(1.0)))
        .unwrap()
        .select(vec![col("real") + col("id"), col("name")])
        .unwrap();
    let found = sums.collect().await.unwrap();
    assert_eq!(found.iter().map(|batch| batch.num_rows()).sum::<usize>(), 3);
    let (frame, _) = lake.table(csv(), "f/", &declared).unwrap();
    assert_eq!(frame.count().await.unwrap(), 4);
    lake.text("f/e.csv", "id,name,more\n5,e,x\n");
    lake.unlike(csv(), "f/", &declared).await;
}

#[tokio::test]
async fn a_csv_file_has_a_bounded_header() {
    let lake = Lake::new();
    let declared = [("id", "bigint")];
    let more = |columns: usize| -> String { (0..columns).map(|index| format!(",c{index}")).collect() };
    lake.text("many.csv", &format!("id{}\n1{}\n", more(1_000), more(1_000)));
    assert_eq!(lake.rows(csv(), "many.csv", &declared).await.unwrap(), "1");
    lake.text("more.csv", &format!("id{}\n1{}\n", more(1_001), more(1_001)));
    lake.unlike(csv(), "more.csv", &declared).await;
    let name = "n".repeat(70_000);
    lake.text("long.csv", &format!("id,{name}\n1,a\n"));
    lake.unlike(csv(), "long.csv", &declared).await;
    lake.text("open.csv", &format!("id,\"{name}\n1,a\n"));
    lake.unlike(csv(), "open.csv", &declared).await;
    // A name that is cut is not another name.
    lake.text("cut.csv", &format!("x{},id{name}\n,1\n", "x".repeat(64 * 1024 - 4)));
    lake.unlike(csv(), "cut.csv", &declared).await;
}

#[tokio::test]
async fn without_a_header_columns_go_by_their_place() {
    let lake = Lake::new();
    let bare = || SourceFormat::Csv {
        header: false,
        delimiter: ",".into(),
    };
    let declared = [("id", "bigint"), ("name", "string")];
    lake.text("two.csv", "1,a\n")
        .text("three.csv", "1,a,b\n")
        .text("one.csv", "1\n");
    assert_eq!(lake.rows(bare(), "two.csv", &declared).await.unwrap(), "1,a");
    for path in ["three.csv", "one.csv"] {
        lake.fails(bare(), path, &declared).await;
    }
}

#[tokio::test]
async fn csv_lines_that_do_not_fit_fail() {
    let lake = Lake::new();
    for (path, content) in [
        ("type.csv", "id,name\nx,a\n"),
        ("range.csv", "id,name\n99999999999999999999,a\n"),
        ("short.csv", "id,name\n1\n"),
        ("long.csv", "id,name\n1,a,b\n"),
        ("moved-short.csv", "name,more,id\na,b\n"),
        ("moved-long.csv", "name,more,id\na,b,1,c\n"),
        ("moved-type.csv", "name,more,id\na,1,b\n"),
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
