//! Types of generated columns, by the contract's names, and values of them: harmless ones for rows that are meant to be
//! seen, and for hidden rows those on which a consumer's expression fails, or which must not leave.

use std::sync::Arc;

use datafusion::arrow::datatypes::{DataType, Field, Fields, TimeUnit};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::draw::Draw;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    Bigint,
    Int,
    Smallint,
    Double,
    Real,
    Decimal,
    Text,
    /// Text that casts to a number where it is meant to be seen.
    Code,
    Boolean,
    Date,
    Timestamp,
    Timestamptz,
    Time,
    Binary,
    List,
    Struct,
}

/// Begins what must never leave. No query makes it up.
pub const PLANTED: &str = "hush";

impl Kind {
    pub fn contract(self) -> &'static str {
        match self {
            Self::Bigint => "bigint",
            Self::Int => "int",
            Self::Smallint => "smallint",
            Self::Double => "double",
            Self::Real => "real",
            Self::Decimal => "decimal(12, 2)",
            Self::Text | Self::Code => "string",
            Self::Boolean => "boolean",
            Self::Date => "date",
            Self::Timestamp => "timestamp",
            Self::Timestamptz => "timestamptz",
            Self::Time => "time",
            Self::Binary => "binary",
            Self::List => "list<bigint>",
            Self::Struct => "struct<a: bigint, b: string>",
        }
    }

    /// What the engine declares the column to be.
    pub fn declared(self) -> DataType {
        match self {
            Self::Text | Self::Code => DataType::Utf8View,
            Self::Binary => DataType::BinaryView,
            Self::Struct => DataType::Struct(Fields::from(vec![
                Field::new("a", DataType::Int64, true),
                Field::new("b", DataType::Utf8View, true),
            ])),
            other => other.read(),
        }
    }

    /// What the values are read into from JSON.
    pub fn read(self) -> DataType {
        match self {
            Self::Bigint => DataType::Int64,
            Self::Int => DataType::Int32,
            Self::Smallint => DataType::Int16,
            Self::Double => DataType::Float64,
            Self::Real => DataType::Float32,
            Self::Decimal => DataType::Decimal128(12, 2),
            Self::Text | Self::Code => DataType::Utf8,
            Self::Boolean => DataType::Boolean,
            Self::Date => DataType::Date32,
            Self::Timestamp => DataType::Timestamp(TimeUnit::Microsecond, None),
            Self::Timestamptz => DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
            Self::Time => DataType::Time64(TimeUnit::Microsecond),
            Self::Binary => DataType::Binary,
            Self::List => DataType::List(Arc::new(Field::new_list_field(DataType::Int64, true))),
            Self::Struct => DataType::Struct(Fields::from(vec![
                Field::new("a", DataType::Int64, true),
                Field::new("b", DataType::Utf8, true),
            ])),
        }
    }

    /// Whether CSV and JSON files can hold it as the engine reads them.
    pub fn in_text_files(self) -> bool {
        !matches!(
            self,
            Self::Binary | Self::List | Self::Struct | Self::Time | Self::Timestamptz
        )
    }

    /// A value of a row that is meant to be seen.
    pub fn seen(self, draw: &mut Draw) -> Value {
        let digit = draw.below(9) + 1;
        match self {
            Self::Bigint | Self::Int | Self::Smallint => json!(digit),
            Self::Double | Self::Real => match draw.below(12) {
                9 => json!("NaN"),
                10 => json!("inf"),
                11 => json!("-2.25"),
                _ => json!(format!("{digit}.5")),
            },
            Self::Decimal => json!(format!("{digit}.25")),
            Self::Text => match draw.below(8) {
                6 => json!(""),
                7 => json!("a visible text that does not fit into a view"),
                word => json!(["ann", "bob", "Cid", "d%n", "ann", "é"][word]),
            },
            Self::Code => json!(digit.to_string()),
            Self::Boolean => json!(draw.below(2) == 0),
            Self::Date => json!(format!("2020-0{digit}-11")),
            Self::Timestamp => json!(format!("2020-0{digit}-11T01:02:03.5")),
            Self::Timestamptz => json!(format!("2020-0{digit}-11T01:02:03.5Z")),
            Self::Time => json!(format!("0{digit}:30:00")),
            Self::Binary => json!(format!("0{digit}ff")),
            Self::List => json!(vec![digit; draw.below(3) + 1]),
            Self::Struct => json!({"a": digit, "b": "ann"}),
        }
    }

    /// A value that hides: `token` makes it one of a kind.
    pub fn hidden(self, draw: &mut Draw, token: usize) -> Value {
        let planted = format!("{PLANTED}{token:05}x");
        let choice = draw.below(4);
        match self {
            Self::Bigint => json!([0, 7, i64::MAX, i64::MIN][choice]),
            Self::Int => json!([0, 7, i32::MAX, i32::MIN][choice]),
            Self::Smallint => json!([0, 7, i16::MAX, i16::MIN][choice]),
            Self::Double | Self::Real => json!(["0", "-0", "NaN", "-inf"][choice]),
            Self::Decimal => json!(["0.00", "9999999999.99", "-0.01", "7.00"][choice]),
            Self::Text | Self::Code => match choice {
                0 => json!(planted),
                1 => json!(format!("a hidden text that does not fit into a view {planted}")),
                2 => json!(format!("({planted}[")),
                _ => json!(format!("{planted}-{planted}")),
            },
            Self::Boolean => json!(choice.is_multiple_of(2)),
            Self::Date => json!(["0001-01-01", "9999-12-31", "2020-02-29", "1500-01-01"][choice]),
            Self::Timestamp => json!(
                [
                    "0001-01-01T00:00:00",
                    "9999-12-31T00:00:00",
                    "2020-02-29T00:00:00",
                    "1500-01-01T00:00:00"
                ][choice]
            ),
            Self::Timestamptz => json!(
                [
                    "0001-01-01T00:00:00Z",
                    "9999-12-31T00:00:00Z",
                    "2020-02-29T00:00:00Z",
                    "1500-01-01T00:00:00Z"
                ][choice]
            ),
            Self::Time => json!(["00:00:00", "23:59:59", "12:00:00", "00:00:01"][choice]),
            Self::Binary => json!(hex(planted.as_bytes())),
            Self::List => json!([json!([0]), json!([]), json!([i64::MAX, 1]), json!([null])][choice]),
            Self::Struct => json!({"a": 0, "b": planted}),
        }
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
