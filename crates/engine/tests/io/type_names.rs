//! The contract's types and values, taken exactly or not at all.

use std::sync::Arc;

use ambit_protocol::{Column, TypedValue};
use datafusion::arrow::datatypes::{DataType, Field, TimeUnit};
use datafusion::scalar::ScalarValue;
use serde_json::{Value, json};

use super::arrays::Random;
use super::types::{null_of, parse_type, scalar_of, schema_of, type_name};

fn value(data_type: &str, value: Value) -> Result<ScalarValue, String> {
    let value = TypedValue {
        data_type: data_type.into(),
        value,
    };
    scalar_of(&value).map_err(|error| error.to_string())
}

fn refused(data_type: &str, given: Value) {
    let text = given.to_string();
    match value(data_type, given) {
        Ok(taken) => panic!("{data_type} took {text} as {taken:?}"),
        Err(error) => {
            let word = text.trim_matches('"');
            assert!(word.len() < 4 || !error.contains(word), "`{error}` quotes the value");
        }
    }
}

const SCALARS: [&str; 13] = [
    "boolean",
    "tinyint",
    "smallint",
    "int",
    "bigint",
    "real",
    "double",
    "string",
    "binary",
    "date",
    "time",
    "timestamp",
    "timestamptz",
];

/// A type's canonical name, and the same with spaces wherever they may be.
fn generated(random: &mut Random, depth: usize) -> (String, String) {
    let space = |random: &mut Random| " ".repeat(random.below(3));
    match random.below(if depth == 0 { 14 } else { 18 }) {
        13 => {
            let precision = 1 + random.below(38);
            let scale = random.below(precision + 1);
            let (a, b) = (space(random), space(random));
            (
                format!("decimal({precision}, {scale})"),
                format!("decimal{a}({b}{precision}{a},{scale}{b})"),
            )
        }
        scalar @ 0..13 => {
            let name = SCALARS[scalar];
            (name.into(), format!("{}{name}{}", space(random), space(random)))
        }
        14 | 15 => {
            let (plain, spaced) = generated(random, depth - 1);
            (format!("list<{plain}>"), format!("list {}<{spaced}>", space(random)))
        }
        _ => {
            let fields: Vec<(String, String)> = (0..=random.below(3)).map(|_| generated(random, depth - 1)).collect();
            let plain: Vec<String> = fields
                .iter()
                .enumerate()
                .map(|(i, (p, _))| format!("f{i}: {p}"))
                .collect();
            let spaced: Vec<String> = fields
                .iter()
                .enumerate()
                .map(|(i, (_, s))| format!(" f{i} :{s}"))
                .collect();
            (
                format!("struct<{}>", plain.join(", ")),
                format!("struct<{}>", spaced.join(",")),
            )
        }
    }
}

#[test]
fn a_name_and_its_type_are_one() {
    let random = &mut Random::new(3);
    for _ in 0..2_000 {
        let (name, spaced) = generated(random, 4);
        let parsed = parse_type(&name).unwrap();
        assert_eq!(type_name(&parsed), name);
        assert_eq!(parse_type(&spaced).unwrap(), parsed, "{spaced}");
    }
}

#[test]
fn what_is_not_a_type_is_refused() {
    let deep = format!("{}int{}", "list<".repeat(2_000), ">".repeat(2_000));
    let words = [
        "",
        " ",
        "integer",
        "Bigint",
        "INT",
        "int int",
        "int)",
        "string>",
        "decimal",
        "decimal()",
        "decimal(5)",
        "decimal(0, 0)",
        "decimal(39, 0)",
        "decimal(5, 6)",
        "decimal(5, -1)",
        "decimal(5, 2",
        "decimal(a, b)",
        "decimal(300, 2)",
        "list",
        "list<>",
        "list<int",
        "list<int>>",
        "struct<>",
        "struct<a>",
        "struct<a int>",
        "struct<: int>",
        "struct<a: int,>",
        "struct<a: int",
        "struct<a: int, a: string>",
        "timestamp(3)",
        "int\0",
        "utf8",
        deep.as_str(),
    ];
    for word in words {
        assert!(
            parse_type(word).is_err(),
            "took `{}`",
            word.chars().take(40).collect::<String>()
        );
    }
}

#[test]
fn arrow_types_have_the_contracts_names() {
    for string in [DataType::Utf8, DataType::LargeUtf8, DataType::Utf8View] {
        assert_eq!(type_name(&string), "string");
    }
    let dictionary = DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8));
    assert_eq!(
        type_name(&dictionary),
        "string",
        "how a value is packed is not its type"
    );
    let item = Arc::new(Field::new("element", DataType::Binary, false));
    assert_eq!(type_name(&DataType::LargeList(item)), "list<binary>");
    // Arrow's own name where the contract has none.
    assert_eq!(type_name(&DataType::UInt64), "UInt64");
    assert_eq!(
        type_name(&DataType::Time32(TimeUnit::Second)),
        DataType::Time32(TimeUnit::Second).to_string()
    );
}

#[test]
fn a_schema_is_the_declared_columns() {
    let column = |name: &str, data_type: &str, nullable| Column {
        name: name.into(),
        data_type: data_type.into(),
        nullable,
    };
    let schema = schema_of(&[column("Id", "bigint", false), column("id", "string", true)]).unwrap();
    assert_eq!(schema.field(0), &Field::new("Id", DataType::Int64, false));
    assert_eq!(schema.field(1).name(), "id");
    assert!(schema.metadata().is_empty());
    assert!(
        schema_of(&[column("a", "int", true), column("a", "int", true)]).is_err(),
        "one name, one column"
    );
    let error = schema_of(&[column("a", "float", true)]).unwrap_err().to_string();
    assert!(error.contains("`a`") && error.contains("`float`"), "{error}");
}

#[test]
fn integers_are_taken_whole() {
    assert_eq!(value("tinyint", json!(-128)).unwrap(), ScalarValue::Int8(Some(-128)));
    assert_eq!(
        value("smallint", json!(32_767)).unwrap(),
        ScalarValue::Int16(Some(32_767))
    );
    assert_eq!(
        value("int", json!("-2147483648")).unwrap(),
        ScalarValue::Int32(Some(i32::MIN))
    );
    assert_eq!(
        value("bigint", json!("9223372036854775807")).unwrap(),
        ScalarValue::Int64(Some(i64::MAX))
    );
    refused("tinyint", json!(128));
    refused("smallint", json!(-32_769));
    refused("int", json!(2_147_483_648_i64));
    refused("bigint", json!("9223372036854775808"));
    refused("bigint", json!(18_446_744_073_709_551_615_u64));
    refused("int", json!(1.5));
    refused("int", json!("1.0"));
    refused("int", json!(" 1"));
    refused("int", json!(true));
    refused("int", json!(""));
}

#[test]
fn floats_keep_their_value() {
    assert_eq!(value("double", json!(0.1)).unwrap(), ScalarValue::Float64(Some(0.1)));
    assert_eq!(value("real", json!(0.1)).unwrap(), ScalarValue::Float32(Some(0.1)));
    assert_eq!(
        value("double", json!(9_007_199_254_740_992_i64)).unwrap(),
        ScalarValue::Float64(Some(9_007_199_254_740_992.0))
    );
    refused("double", json!(9_007_199_254_740_993_i64));
    refused("real", json!(16_777_217));
    refused("real", json!(1e39));
    assert_eq!(value("double", json!("0.1")).unwrap(), ScalarValue::Float64(Some(0.1)));
    for double in [5e-324, f64::MIN_POSITIVE, f64::MAX, -0.0, 1e21, -123.456] {
        let read = value("double", json!(format!("{double:e}"))).unwrap();
        assert_eq!(read, ScalarValue::Float64(Some(double)));
    }
    for text in ["inf", "NaN", "1e400", "", "0x1"] {
        refused("double", json!(text));
    }
    refused("double", json!(true));
}

#[test]
fn decimals_keep_every_digit() {
    let taken = |text: &str| value("decimal(5, 2)", json!(text));
    assert_eq!(taken("123.45").unwrap(), ScalarValue::Decimal128(Some(12_345), 5, 2));
    assert_eq!(taken("-0.5").unwrap(), ScalarValue::Decimal128(Some(-50), 5, 2));
    assert_eq!(
        value("decimal(5, 2)", json!(-7)).unwrap(),
        ScalarValue::Decimal128(Some(-700), 5, 2)
    );
    let most = "9".repeat(38);
    assert!(value("decimal(38, 0)", json!(most)).is_ok());
    for text in [
        "1000", "-1000.00", "1.234", "1e2", "--1", "1.2.3", ".", "-", "", "+-1", "1,5", "٣", " 1",
    ] {
        refused("decimal(5, 2)", json!(text));
    }
    refused("decimal(38, 0)", json!(format!("{most}9")));
    refused("decimal(5, 2)", json!(1.5));
}

#[test]
fn instants_keep_every_digit() {
    assert_eq!(
        value("date", json!("1970-01-02")).unwrap(),
        ScalarValue::Date32(Some(1))
    );
    assert_eq!(
        value("date", json!("1969-12-31")).unwrap(),
        ScalarValue::Date32(Some(-1))
    );
    let micros = |micros| ScalarValue::TimestampMicrosecond(Some(micros), None);
    assert_eq!(
        value("timestamp", json!("1970-01-01T00:00:01.000002")).unwrap(),
        micros(1_000_002)
    );
    assert_eq!(
        value("timestamp", json!("1970-01-01 00:00:01")).unwrap(),
        micros(1_000_000)
    );
    assert_eq!(value("timestamp", json!("1970-01-02")).unwrap(), micros(86_400_000_000));
    assert_eq!(
        value("time", json!("00:00:01.5")).unwrap(),
        ScalarValue::Time64Microsecond(Some(1_500_000))
    );
    assert_eq!(
        value("timestamptz", json!("1970-01-01T01:00:00+01:00")).unwrap(),
        ScalarValue::TimestampMicrosecond(Some(0), Some("UTC".into()))
    );
    for text in [
        "2001-02-29",
        "2001-13-01",
        "2001-04-31",
        "01-04-2001",
        "today",
        "",
        "2001-04-01T00:00:00",
        "20010401",
    ] {
        refused("date", json!(text));
    }
    for text in ["24:00:00", "23:60:00", "23:59:60", "12:00:00.0000001", "noon"] {
        refused("time", json!(text));
    }
    for text in [
        "2001-04-01T24:00:00",
        "2001-04-01T23:59:60",
        "2001-04-01T00:00:00.0000001",
        "2001-04-01T00:00:00Z",
    ] {
        refused("timestamp", json!(text));
    }
    // An instant needs its zone.
    for text in [
        "2001-04-01T00:00:00",
        "2001-04-01",
        "2001-04-01T23:59:60Z",
        "2001-04-01T00:00:00.0000001Z",
    ] {
        refused("timestamptz", json!(text));
    }
    refused("timestamp", json!(986_083_200));
}

#[test]
fn other_scalars_are_taken_as_they_are() {
    assert_eq!(value("boolean", json!(true)).unwrap(), ScalarValue::Boolean(Some(true)));
    assert_eq!(
        value("string", json!("é\u{0}")).unwrap(),
        ScalarValue::Utf8View(Some("é\u{0}".into()))
    );
    refused("boolean", json!("true"));
    refused("boolean", json!(1));
    refused("string", json!(1));
    refused("list<int>", json!([1]));
    refused("nonsense", json!(1));
}

#[test]
fn null_has_its_type() {
    for name in SCALARS
        .into_iter()
        .chain(["decimal(10, 3)", "list<int>", "struct<a: int>"])
    {
        let null = null_of(name).unwrap();
        assert!(null.is_null(), "{name}");
        assert_eq!(null.data_type(), parse_type(name).unwrap());
        if !name.contains('<') {
            assert_eq!(value(name, Value::Null).unwrap(), null);
        }
    }
    assert!(null_of("nonsense").is_err());
}
