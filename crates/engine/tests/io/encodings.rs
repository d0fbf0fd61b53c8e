//! Results as their readers get them: exact values, ends that say whether they are whole, limits.

use std::io::Cursor;
use std::sync::Arc;

use ambit_protocol::OutputFormat;
use datafusion::arrow::array::{
    ArrayRef, BinaryViewArray, BooleanArray, Date32Array, Decimal128Array, DictionaryArray, Float64Array, Int64Array,
    ListArray, RecordBatch, StringArray, StringViewArray, StructArray, TimestampMicrosecondArray, UInt64Array,
};
use datafusion::arrow::compute::concat_batches;
use datafusion::arrow::datatypes::{DataType, Field, Fields, Int32Type, Int64Type, Schema};
use datafusion::arrow::ipc::reader::StreamReader;
use serde_json::{Value, json};

use super::encode::{EncodeError, Encoder, Sizes, Written};

pub(super) const FORMATS: [OutputFormat; 4] = [
    OutputFormat::Arrow,
    OutputFormat::Ndjson,
    OutputFormat::Json,
    OutputFormat::Csv,
];

pub(super) fn batch(columns: Vec<(&str, ArrayRef)>) -> RecordBatch {
    RecordBatch::try_from_iter_with_nullable(columns.into_iter().map(|(name, column)| (name, column, true))).unwrap()
}

/// Rows go out by twos.
pub(super) fn encoder(format: OutputFormat, batch: &RecordBatch, rows: u64, bytes: u64) -> Encoder {
    let sizes = Sizes {
        rows,
        bytes,
        batch_rows: 2,
    };
    Encoder::new(format, &batch.schema(), sizes).unwrap()
}

fn endless(format: OutputFormat, batch: &RecordBatch) -> Encoder {
    encoder(format, batch, u64::MAX, u64::MAX)
}

fn joined(written: Result<Vec<Written>, EncodeError>) -> Vec<u8> {
    written
        .unwrap()
        .iter()
        .flat_map(|written| written.bytes.to_vec())
        .collect()
}

pub(super) fn written(format: OutputFormat, batches: &[RecordBatch]) -> Vec<u8> {
    let mut encoder = endless(format, &batches[0]);
    let mut bytes = Vec::new();
    for batch in batches {
        bytes.extend(joined(encoder.encode(batch)));
    }
    bytes.extend(joined(encoder.finish()));
    bytes
}

fn text(format: OutputFormat, batches: &[RecordBatch]) -> String {
    String::from_utf8(written(format, batches)).unwrap()
}

/// The values of one column, by JSON and by NDJSON, which must agree.
fn values(column: ArrayRef) -> Vec<Value> {
    let batch = batch(vec![("c", column)]);
    let whole: Value = serde_json::from_str(&text(OutputFormat::Json, std::slice::from_ref(&batch))).unwrap();
    let rows: Vec<Value> = whole["rows"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| row[0].clone())
        .collect();
    let lines: Vec<Value> = text(OutputFormat::Ndjson, &[batch])
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap()["c"].clone())
        .collect();
    assert_eq!(rows, lines);
    rows
}

pub(super) fn sample() -> RecordBatch {
    let long = "a string too long to be held in its view";
    let list = ListArray::from_iter_primitive::<Int64Type, _, _>(vec![Some(vec![Some(1), None]), None, Some(vec![])]);
    let dictionary: DictionaryArray<Int32Type> = vec![Some("x"), None, Some("x")].into_iter().collect();
    batch(vec![
        (
            "n",
            Arc::new(Int64Array::from(vec![Some(1), None, Some(-3)])) as ArrayRef,
        ),
        (
            "s",
            Arc::new(StringViewArray::from(vec![Some(long), None, Some("a,\"b\"\r\nc")])),
        ),
        (
            "b",
            Arc::new(BinaryViewArray::from(vec![
                Some(b"\x00\xff".as_slice()),
                None,
                Some(b""),
            ])),
        ),
        ("d", Arc::new(dictionary)),
        ("l", Arc::new(list)),
        (
            "t",
            Arc::new(TimestampMicrosecondArray::from(vec![Some(1_500_000), None, Some(0)]).with_timezone("UTC")),
        ),
    ])
}

#[test]
fn json_is_columns_rows_and_an_end() {
    let whole: Value = serde_json::from_str(&text(OutputFormat::Json, &[sample()])).unwrap();
    assert_eq!(
        whole["columns"][0],
        json!({"name": "n", "type": "bigint", "nullable": true})
    );
    let types: Vec<&str> = whole["columns"]
        .as_array()
        .unwrap()
        .iter()
        .map(|c| c["type"].as_str().unwrap())
        .collect();
    assert_eq!(
        types,
        ["bigint", "string", "binary", "string", "list<bigint>", "timestamptz"]
    );
    let long = "a string too long to be held in its view";
    assert_eq!(
        whole["rows"][0],
        json!([1, long, "AP8=", "x", [1, null], "1970-01-01T00:00:01.500Z"])
    );
    assert_eq!(whole["rows"][1], json!([null, null, null, null, null, null]));
    assert_eq!(
        whole["rows"][2],
        json!([-3, "a,\"b\"\r\nc", "", "x", [], "1970-01-01T00:00:00Z"])
    );
    assert_eq!(whole["complete"], json!(true));
}

#[test]
fn binary_is_base64() {
    let bytes: Vec<&[u8]> = vec![b"", b"f", b"fo", b"foo", b"foob", b"fooba", b"foobar", b"\xfb\xff\xfe"];
    let column: ArrayRef = Arc::new(BinaryViewArray::from_iter_values(bytes));
    let expected = ["", "Zg==", "Zm8=", "Zm9v", "Zm9vYg==", "Zm9vYmE=", "Zm9vYmFy", "+//+"];
    assert_eq!(values(column), expected.map(|text| json!(text)));
}

#[test]
fn integers_are_numbers_while_every_reader_keeps_them_exact() {
    const SAFE: i64 = (1 << 53) - 1;
    let column: ArrayRef = Arc::new(Int64Array::from(vec![
        1,
        SAFE,
        SAFE + 1,
        -SAFE,
        -SAFE - 1,
        i64::MIN,
        i64::MAX,
    ]));
    let expected = [
        json!(1),
        json!(SAFE),
        json!("9007199254740992"),
        json!(-SAFE),
        json!("-9007199254740992"),
        json!("-9223372036854775808"),
        json!("9223372036854775807"),
    ];
    assert_eq!(values(column), expected);
    let column: ArrayRef = Arc::new(UInt64Array::from(vec![7, u64::MAX]));
    assert_eq!(values(column), [json!(7), json!("18446744073709551615")]);
    // At any depth.
    let list = ListArray::from_iter_primitive::<Int64Type, _, _>(vec![Some(vec![Some(i64::MAX), Some(2)])]);
    assert_eq!(values(Arc::new(list)), [json!(["9223372036854775807", 2])]);
}

#[test]
fn decimals_are_strings_at_any_depth() {
    let decimals = || {
        Arc::new(
            Decimal128Array::from(vec![Some(-150), None])
                .with_precision_and_scale(20, 2)
                .unwrap(),
        )
    };
    assert_eq!(values(decimals()), [json!("-1.50"), Value::Null]);
    let fields = Fields::from(vec![Field::new("d", DataType::Decimal128(20, 2), true)]);
    let nested = StructArray::new(fields, vec![decimals()], None);
    assert_eq!(values(Arc::new(nested)), [json!({"d": "-1.50"}), json!({"d": null})]);
}

#[test]
fn what_json_has_no_number_for_is_said() {
    let column = Float64Array::from(vec![
        Some(f64::NAN),
        Some(f64::INFINITY),
        Some(f64::NEG_INFINITY),
        None,
        Some(0.1),
    ]);
    assert_eq!(
        values(Arc::new(column)),
        [
            json!("NaN"),
            json!("Infinity"),
            json!("-Infinity"),
            Value::Null,
            json!(0.1)
        ],
        "not NULL"
    );
}

#[test]
fn dates_and_booleans_are_iso_and_bare() {
    let column: ArrayRef = Arc::new(Date32Array::from(vec![0, -1]));
    assert_eq!(values(column), [json!("1970-01-01"), json!("1969-12-31")]);
    assert_eq!(
        values(Arc::new(BooleanArray::from(vec![true, false]))),
        [json!(true), json!(false)]
    );
}

#[test]
fn any_text_survives_json() {
    let odd = vec![
        "",
        "null",
        "\"",
        "\\",
        "\u{0}\u{1f}\u{7f}",
        "\n\r\t",
        "\u{2028}",
        "é𝄞",
        "</script>",
        "{\"\":",
    ];
    let column: ArrayRef = Arc::new(StringArray::from(odd.clone()));
    assert_eq!(values(column), odd.iter().map(|text| json!(text)).collect::<Vec<_>>());
    let names: Vec<(&str, ArrayRef)> = odd
        .iter()
        .map(|name| (*name, Arc::new(Int64Array::from(vec![1])) as ArrayRef))
        .collect();
    let whole: Value = serde_json::from_str(&text(OutputFormat::Json, &[batch(names.clone())])).unwrap();
    let line: Value = serde_json::from_str(text(OutputFormat::Ndjson, &[batch(names)]).trim_end()).unwrap();
    for (index, name) in odd.iter().enumerate() {
        assert_eq!(whole["columns"][index]["name"], json!(name));
        assert_eq!(line[name], json!(1));
    }
}

/// A value must not look different because of the rows that it happens to travel with.
#[test]
fn text_does_not_depend_on_batches() {
    let numbers: Vec<i64> = (0..40)
        .map(|row| if row % 7 == 0 { i64::MAX - row } else { row })
        .collect();
    let names: Vec<String> = (0..40).map(|row| format!("row {row}, \"quoted\"")).collect();
    let whole = batch(vec![
        ("n", Arc::new(Int64Array::from(numbers)) as ArrayRef),
        ("s", Arc::new(StringArray::from(names))),
    ]);
    for format in [OutputFormat::Ndjson, OutputFormat::Json, OutputFormat::Csv] {
        let expected = text(format, std::slice::from_ref(&whole));
        for step in [1, 3, 39] {
            let parts: Vec<RecordBatch> = (0..40)
                .step_by(step)
                .map(|at| whole.slice(at, step.min(40 - at)))
                .collect();
            assert_eq!(text(format, &parts), expected, "{format:?} by {step}");
        }
    }
}

#[test]
fn an_unfinished_json_does_not_parse() {
    let mut encoder = endless(OutputFormat::Json, &sample());
    let mut bytes = joined(encoder.encode(&sample()));
    assert!(serde_json::from_slice::<Value>(&bytes).is_err());
    bytes.extend(joined(encoder.encode(&sample())));
    assert!(serde_json::from_slice::<Value>(&bytes).is_err());
    bytes.extend(joined(encoder.finish()));
    let whole: Value = serde_json::from_slice(&bytes).unwrap();
    assert_eq!(whole["rows"].as_array().unwrap().len(), 6);
}

#[test]
fn csv_is_rfc_4180() {
    let csv = text(OutputFormat::Csv, &[sample()]);
    let mut lines = csv.split("\r\n");
    assert_eq!(lines.next(), Some("n,s,b,d,l,t"));
    assert_eq!(
        lines.next(),
        Some("1,a string too long to be held in its view,AP8=,x,\"[1,null]\",1970-01-01T00:00:01.500Z")
    );
    assert_eq!(lines.next(), Some(",,,,,"));
    // A quoted value keeps its line break.
    assert_eq!(lines.next(), Some("-3,\"a,\"\"b\"\""));
    assert_eq!(lines.next(), Some("c\",,x,[],1970-01-01T00:00:00Z"));
    assert_eq!((lines.next(), lines.next()), (Some(""), None), "the last line ends too");
}

#[test]
fn arrow_is_read_back_and_ends_only_when_whole() {
    const END: [u8; 8] = [0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0];
    let mut encoder = endless(OutputFormat::Arrow, &sample());
    let mut bytes = joined(encoder.encode(&sample()));
    bytes.extend(joined(encoder.encode(&sample())));
    assert!(!bytes.ends_with(&END));
    bytes.extend(joined(encoder.finish()));
    assert!(bytes.ends_with(&END));
    let reader = StreamReader::try_new(Cursor::new(bytes), None).unwrap();
    let schema = reader.schema();
    let read: Vec<RecordBatch> = reader.map(Result::unwrap).collect();
    let read = concat_batches(&schema, &read).unwrap();
    assert_eq!(read.num_rows(), 6);
    // Types that every reader knows.
    assert_eq!(schema.field(1).data_type(), &DataType::Utf8);
    assert_eq!(schema.field(2).data_type(), &DataType::Binary);
    assert_eq!(schema.field(3).data_type(), &DataType::Utf8);
    let shown = |batch: &RecordBatch| {
        datafusion::arrow::util::pretty::pretty_format_batches(std::slice::from_ref(batch))
            .unwrap()
            .to_string()
    };
    assert_eq!(shown(&read.slice(0, 3)), shown(&sample()));
    assert_eq!(shown(&read.slice(3, 3)), shown(&sample()));
}

#[test]
fn a_result_without_rows_still_says_its_columns() {
    for format in FORMATS {
        let encoder = encoder(format, &sample(), 0, u64::MAX);
        let bytes = joined(encoder.finish());
        match format {
            OutputFormat::Arrow => {
                let reader = StreamReader::try_new(Cursor::new(bytes), None).unwrap();
                assert_eq!(reader.schema().fields().len(), 6);
                assert_eq!(reader.count(), 0);
            }
            OutputFormat::Ndjson => assert!(bytes.is_empty()),
            OutputFormat::Json => {
                let whole: Value = serde_json::from_slice(&bytes).unwrap();
                assert_eq!((&whole["rows"], &whole["complete"]), (&json!([]), &json!(true)));
            }
            OutputFormat::Csv => assert_eq!(bytes, b"n,s,b,d,l,t\r\n"),
        }
    }
}

#[test]
fn schema_metadata_is_not_written() {
    let hidden = [("path".to_string(), "TRIPWIRE".to_string())].into();
    let field = Field::new("n", DataType::Int64, true).with_metadata(hidden);
    let hidden = [("owner".to_string(), "TRIPWIRE".to_string())].into();
    let schema = Arc::new(Schema::new_with_metadata(vec![field], hidden));
    let batch = RecordBatch::try_new(schema, vec![Arc::new(Int64Array::from(vec![1]))]).unwrap();
    for format in FORMATS {
        let bytes = written(format, std::slice::from_ref(&batch));
        assert!(!bytes.windows(8).any(|window| window == b"TRIPWIRE"), "{format:?}");
    }
}
