//! Sources are as their contract declares them, or fail: nothing is inferred, filled in, or matched by position.

use std::fs::{self, File};
use std::path::Path;
use std::sync::Arc;

use ambit_protocol::{SourceAccess, SourceFormat};
use datafusion::arrow::array::{
    ArrayRef, Date32Array, Decimal128Array, DictionaryArray, Float32Array, Float64Array, Int32Array, Int64Array,
    LargeStringArray, StringArray, StructArray, TimestampMillisecondArray, TimestampNanosecondArray, UInt64Array,
};
use datafusion::arrow::datatypes::{DataType, Field, Fields, Int32Type};
use datafusion::prelude::{col, lit};

use super::lake::{Lake, batch, csv};

#[tokio::test]
async fn every_format_gives_its_rows() {
    let lake = Lake::new();
    let rows = batch(vec![
        ("id", Arc::new(Int64Array::from(vec![1, 2])) as ArrayRef),
        ("name", Arc::new(StringArray::from(vec![Some("a"), None]))),
    ]);
    lake.parquet("t.parquet", &rows).arrow("t.arrow", &rows);
    lake.text("t.csv", "id,name\n1,a\n2,\n").text("bare.csv", "1;a\n2;\n");
    lake.text("t.json", "{\"id\":1,\"name\":\"a\"}\n{\"id\":2,\"name\":null}\n");
    lake.text("a.json", "[{\"name\":\"a\",\"id\":1},\n{\"id\":2}]");
    let bare = SourceFormat::Csv {
        header: false,
        delimiter: ";".into(),
    };
    let declared = [("id", "bigint!"), ("name", "string")];
    for (format, path) in [
        (SourceFormat::Parquet, "t.parquet"),
        (SourceFormat::Arrow, "t.arrow"),
        (csv(), "t.csv"),
        (bare, "bare.csv"),
        (SourceFormat::Json { array: false }, "t.json"),
        (SourceFormat::Json { array: true }, "a.json"),
    ] {
        assert_eq!(lake.rows(format, path, &declared).await.unwrap(), "1,a\n2,", "{path}");
    }
}

#[tokio::test]
async fn a_folder_is_all_its_files() {
    let lake = Lake::new();
    let part = |id| batch(vec![("id", Arc::new(Int64Array::from(vec![id])) as ArrayRef)]);
    lake.parquet("f/a.parquet", &part(1))
        .parquet("f/b.parquet", &part(2))
        .text("f/notes.txt", "no table");
    lake.arrow("g/a.arrow", &part(1)).arrow("g/b.arrow", &part(2));
    lake.text("c/a.csv", "id\n1\n").text("c/b.csv", "id\n2\n");
    let declared = [("id", "bigint")];
    for (format, path) in [
        (SourceFormat::Parquet, "f/"),
        (SourceFormat::Arrow, "g/"),
        (csv(), "c/"),
    ] {
        assert_eq!(lake.rows(format, path, &declared).await.unwrap(), "1\n2", "{path}");
    }
    lake.fails(SourceFormat::Parquet, "absent/", &declared).await;
    lake.fails(SourceFormat::Parquet, "absent.parquet", &declared).await;
}

#[tokio::test]
async fn a_parquet_file_is_read_as_declared_where_nothing_is_lost() {
    let lake = Lake::new();
    let dictionary: DictionaryArray<Int32Type> = vec!["a", "b"].into_iter().collect();
    let rows = batch(vec![
        ("int", Arc::new(Int32Array::from(vec![1, -2])) as ArrayRef),
        ("large", Arc::new(LargeStringArray::from(vec!["a", "b"]))),
        ("packed", Arc::new(dictionary)),
        ("millis", Arc::new(TimestampMillisecondArray::from(vec![1, -1]))),
        ("real", Arc::new(Float32Array::from(vec![0.5, 1.5]))),
        (
            "money",
            Arc::new(
                Decimal128Array::from(vec![150, -25])
                    .with_precision_and_scale(10, 2)
                    .unwrap(),
            ),
        ),
        ("day", Arc::new(Date32Array::from(vec![0, 1]))),
        ("undeclared", Arc::new(Int64Array::from(vec![7, 7]))),
    ]);
    lake.parquet("t.parquet", &rows).arrow("t.arrow", &rows);
    // In another order, too: columns go by name.
    let declared = [
        ("large", "string"),
        ("int", "bigint"),
        ("packed", "string"),
        ("millis", "timestamp"),
        ("real", "double"),
        ("money", "decimal(20, 2)"),
        ("day", "date"),
    ];
    let expected =
        "a,1,a,1970-01-01T00:00:00.001,0.5,1.50,1970-01-01\nb,-2,b,1969-12-31T23:59:59.999,1.5,-0.25,1970-01-02";
    for (format, path) in [(SourceFormat::Parquet, "t.parquet"), (SourceFormat::Arrow, "t.arrow")] {
        assert_eq!(lake.rows(format, path, &declared).await.unwrap(), expected, "{path}");
    }
}

#[tokio::test]
async fn a_column_that_is_missing_or_of_another_type_fails() {
    let lake = Lake::new();
    let rows = batch(vec![
        ("wide", Arc::new(Int64Array::from(vec![1])) as ArrayRef),
        ("unsigned", Arc::new(UInt64Array::from(vec![1]))),
        ("text", Arc::new(StringArray::from(vec!["1"]))),
        ("double", Arc::new(Float64Array::from(vec![1.5]))),
        (
            "money",
            Arc::new(
                Decimal128Array::from(vec![150])
                    .with_precision_and_scale(10, 2)
                    .unwrap(),
            ),
        ),
    ]);
    lake.parquet("t.parquet", &rows).arrow("t.arrow", &rows);
    for (name, data_type) in [
        ("absent", "bigint"),
        ("Wide", "bigint"),
        ("wide", "int"),
        ("wide", "string"),
        ("wide", "double"),
        ("wide", "timestamp"),
        ("unsigned", "bigint"),
        ("text", "bigint"),
        ("text", "binary"),
        ("double", "real"),
        ("double", "bigint"),
        ("money", "decimal(10, 1)"),
        ("money", "decimal(9, 2)"),
        ("money", "double"),
        ("text", "list<string>"),
    ] {
        lake.unlike(SourceFormat::Parquet, "t.parquet", &[(name, data_type)])
            .await;
        lake.unlike(SourceFormat::Arrow, "t.arrow", &[(name, data_type)]).await;
    }
}

/// A declared column may be the one that a policy asks, so it is missed even where no query names it.
#[tokio::test]
async fn one_file_of_a_folder_without_a_column_fails_the_source() {
    let lake = Lake::new();
    let whole = batch(vec![
        ("id", Arc::new(Int64Array::from(vec![1])) as ArrayRef),
        ("tenant", Arc::new(StringArray::from(vec!["a"]))),
    ]);
    let partial = batch(vec![("id", Arc::new(Int64Array::from(vec![2])) as ArrayRef)]);
    lake.parquet("p/a.parquet", &whole).parquet("p/b.parquet", &partial);
    lake.arrow("a/a.arrow", &whole).arrow("a/b.arrow", &partial);
    let declared = [("id", "bigint"), ("tenant", "string")];
    lake.unlike(SourceFormat::Parquet, "p/", &declared).await;
    lake.unlike(SourceFormat::Arrow, "a/", &declared).await;
    // Arrow files are read by position: another order would show one column as another.
    let swapped = whole.project(&[1, 0]).unwrap();
    lake.arrow("s/a.arrow", &whole).arrow("s/b.arrow", &swapped);
    lake.unlike(SourceFormat::Arrow, "s/", &declared).await;
    for (format, path) in [(SourceFormat::Parquet, "p/"), (SourceFormat::Arrow, "a/")] {
        let (frame, _) = lake.table(format, path, &declared).unwrap();
        let narrow = frame.select(vec![col("id")]).unwrap();
        assert!(
            narrow.collect().await.is_err(),
            "{path}: the query does not name the missing column"
        );
    }
}

/// Whoever declares a column NOT NULL lets the optimizer drop `IS NOT NULL`: a NULL must fail, not pass.
#[tokio::test]
async fn a_null_where_none_is_declared_fails() {
    let lake = Lake::new();
    let rows = batch(vec![(
        "id",
        Arc::new(Int64Array::from(vec![Some(1), None])) as ArrayRef,
    )]);
    lake.parquet("t.parquet", &rows).arrow("t.arrow", &rows);
    lake.text("t.csv", "id\n1\n\"\"\n")
        .text("t.json", "{\"id\":1}\n{\"id\":null}\n")
        .text("m.json", "{\"id\":1}\n{}\n");
    for (format, path) in [
        (SourceFormat::Parquet, "t.parquet"),
        (SourceFormat::Arrow, "t.arrow"),
        (csv(), "t.csv"),
        (SourceFormat::Json { array: false }, "t.json"),
        (SourceFormat::Json { array: false }, "m.json"),
    ] {
        lake.fails(format, path, &[("id", "bigint!")]).await;
    }
}

#[tokio::test]
async fn instants_finer_than_the_contract_are_cut_to_it() {
    let lake = Lake::new();
    let rows = batch(vec![(
        "at",
        Arc::new(TimestampNanosecondArray::from(vec![1_500])) as ArrayRef,
    )]);
    lake.parquet("t.parquet", &rows);
    let rows = lake
        .rows(SourceFormat::Parquet, "t.parquet", &[("at", "timestamp")])
        .await
        .unwrap();
    assert_eq!(rows, "1970-01-01T00:00:00.000001");
}

#[tokio::test]
async fn structs_are_matched_by_field_name() {
    let lake = Lake::new();
    let fields = Fields::from(vec![
        Field::new("b", DataType::Int32, true),
        Field::new("a", DataType::Utf8, true),
    ]);
    let inner: Vec<ArrayRef> = vec![
        Arc::new(Int32Array::from(vec![7])),
        Arc::new(StringArray::from(vec!["x"])),
    ];
    let rows = batch(vec![("s", Arc::new(StructArray::new(fields, inner, None)) as ArrayRef)]);
    lake.parquet("t.parquet", &rows).arrow("t.arrow", &rows);
    for (format, path) in [(SourceFormat::Parquet, "t.parquet"), (SourceFormat::Arrow, "t.arrow")] {
        let rows = lake
            .rows(format.clone(), path, &[("s", "struct<a: string, b: bigint>")])
            .await
            .unwrap();
        assert_eq!(rows, "{a: x, b: 7}", "{path}");
        lake.unlike(format, path, &[("s", "struct<a: string, c: bigint>")])
            .await;
    }
}

#[tokio::test]
async fn broken_files_fail() {
    let lake = Lake::new();
    let rows = batch(vec![(
        "id",
        Arc::new(Int64Array::from_iter_values(0..1000)) as ArrayRef,
    )]);
    lake.parquet("t.parquet", &rows).arrow("t.arrow", &rows);
    for name in ["t.parquet", "t.arrow"] {
        let bytes = fs::read(lake.path(name)).unwrap();
        let format = || {
            if name == "t.parquet" {
                SourceFormat::Parquet
            } else {
                SourceFormat::Arrow
            }
        };
        for (cut, length) in [
            ("empty", 0),
            ("head", 4),
            ("half", bytes.len() / 2),
            ("tail", bytes.len() - 1),
        ] {
            let path = format!("{cut}-{name}");
            fs::write(lake.path(&path), &bytes[..length]).unwrap();
            lake.fails(format(), &path, &[("id", "bigint")]).await;
        }
        lake.text("other", "not a file of this kind, but long enough to be taken for one");
        lake.fails(format(), "other", &[("id", "bigint")]).await;
    }
}

#[tokio::test]
async fn a_path_means_the_file_of_that_name_in_its_store() {
    let lake = Lake::new();
    lake.text("plain.csv", "id\n1\n")
        .text("with space.csv", "id\n2\n")
        .text("ünï.csv", "id\n3\n");
    let declared = [("id", "bigint")];
    assert_eq!(lake.rows(csv(), "with space.csv", &declared).await.unwrap(), "2");
    assert_eq!(lake.rows(csv(), "ünï.csv", &declared).await.unwrap(), "3");
    for path in [
        "../m1/plain.csv",
        "x/../plain.csv",
        "./plain.csv",
        "%70lain.csv",
        "x/%2e%2e/plain.csv",
        "plain.csv?version=1",
        "plain.csv#fragment",
        "pla\tin.csv",
        "pla\nin.csv",
        "/plain.csv",
        "//plain.csv",
        " plain.csv",
        "plain.csv ",
        "",
        "*.csv",
        "plain.cs[v]",
    ] {
        lake.fails(csv(), path, &declared).await;
    }
}

#[tokio::test]
async fn footers_are_read_once_and_only_while_the_file_is_the_same() {
    let lake = Lake::new();
    let rows = |from: i64| {
        batch(vec![(
            "id",
            Arc::new(Int64Array::from_iter_values(from..from + 9)) as ArrayRef,
        )])
    };
    lake.parquet("t.parquet", &rows(100));
    let declared = [("id", "bigint")];
    let read = async |from: i64| -> (usize, Vec<SourceAccess>) {
        let (frame, log) = lake.table(SourceFormat::Parquet, "t.parquet", &declared).unwrap();
        let found = frame.filter(col("id").gt_eq(lit(from))).unwrap().count().await.unwrap();
        (found, log.accesses())
    };
    let (found, first) = read(100).await;
    assert_eq!(found, 9);
    let (found, second) = read(100).await;
    assert_eq!(found, 9);
    assert!(second[0].bytes < first[0].bytes, "the footer is shared");
    assert!(second[0].requests > 0, "and the file is still asked for");
    // Replaced by one of the same size and time: the old footer's statistics would hide every row.
    let file = lake.path("t.parquet");
    let before = fs::metadata(&file).unwrap();
    lake.parquet("new", &rows(200));
    let new = lake.path("new");
    assert_eq!(fs::metadata(&new).unwrap().len(), before.len());
    std::thread::sleep(std::time::Duration::from_millis(20));
    File::options()
        .write(true)
        .open(&new)
        .unwrap()
        .set_modified(before.modified().unwrap())
        .unwrap();
    fs::rename(&new, &file).unwrap();
    assert_eq!(read(200).await.0, 9);
    let _ = Path::new("");
}
