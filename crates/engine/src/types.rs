//! The contract's types and Arrow's, and typed values of the protocol as scalars.

use std::collections::HashSet;
use std::fmt::Write;
use std::sync::Arc;

use ambit_protocol::{Column, TypedValue};
use chrono::{DateTime, NaiveDate, NaiveDateTime, NaiveTime, Timelike};
use datafusion::arrow::datatypes::{DataType, Field, Fields, Schema, SchemaRef, TimeUnit};
use datafusion::scalar::ScalarValue;
use serde_json::Value;

/// Nesting of `list` and `struct`.
const DEPTH_MAX: usize = 16;

/// Why a type name or a value was not taken. Quotes types, never values.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{0}")]
pub(crate) struct TypeError(String);

fn error<T>(text: impl Into<String>) -> Result<T, TypeError> {
    Err(TypeError(text.into()))
}

/// The Arrow type of a contract's type. Strings are views: what DataFusion's Parquet reader gives fastest, and the
/// barrier compacts.
pub(crate) fn parse_type(name: &str) -> Result<DataType, TypeError> {
    let mut parser = TypeParser {
        rest: name,
        whole: name,
    };
    let parsed = parser.parse(0)?;
    if parser.rest.trim().is_empty() {
        Ok(parsed)
    } else {
        error(format!("`{name}` is not a type"))
    }
}

struct TypeParser<'a> {
    rest: &'a str,
    whole: &'a str,
}

impl TypeParser<'_> {
    fn parse(&mut self, depth: usize) -> Result<DataType, TypeError> {
        if depth > DEPTH_MAX {
            return error(format!("a type nests at most {DEPTH_MAX} deep"));
        }
        let word = self.word();
        Ok(match word.as_str() {
            "boolean" => DataType::Boolean,
            "tinyint" => DataType::Int8,
            "smallint" => DataType::Int16,
            "int" => DataType::Int32,
            "bigint" => DataType::Int64,
            "real" => DataType::Float32,
            "double" => DataType::Float64,
            "string" => DataType::Utf8View,
            "binary" => DataType::BinaryView,
            "date" => DataType::Date32,
            "time" => DataType::Time64(TimeUnit::Microsecond),
            "timestamp" => DataType::Timestamp(TimeUnit::Microsecond, None),
            "timestamptz" => DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
            "decimal" => self.decimal()?,
            "list" => {
                self.expect('<')?;
                let item = self.parse(depth + 1)?;
                self.expect('>')?;
                DataType::List(Arc::new(Field::new_list_field(item, true)))
            }
            "struct" => DataType::Struct(self.fields(depth)?),
            _ => return self.unknown(),
        })
    }

    fn decimal(&mut self) -> Result<DataType, TypeError> {
        self.expect('(')?;
        let precision = self.number()?;
        self.expect(',')?;
        let scale = self.number()?;
        self.expect(')')?;
        if precision == 0 || precision > 38 || scale > precision {
            return error("a decimal has 1 to 38 digits, and at most as many after the point");
        }
        let scale = i8::try_from(scale).map_err(|_| TypeError("scale is too large".into()))?;
        Ok(DataType::Decimal128(precision, scale))
    }

    fn fields(&mut self, depth: usize) -> Result<Fields, TypeError> {
        self.expect('<')?;
        let mut fields = Vec::new();
        loop {
            let name = self.word();
            if name.is_empty() {
                return self.unknown();
            }
            if fields.iter().any(|field: &Field| *field.name() == name) {
                return error(format!("`{}` names field `{name}` twice", self.whole));
            }
            self.expect(':')?;
            fields.push(Field::new(name, self.parse(depth + 1)?, true));
            if self.take(',') {
                continue;
            }
            self.expect('>')?;
            return Ok(fields.into());
        }
    }

    fn word(&mut self) -> String {
        self.rest = self.rest.trim_start();
        let end = self
            .rest
            .find(|c: char| !c.is_alphanumeric() && c != '_')
            .unwrap_or(self.rest.len());
        let (word, rest) = self.rest.split_at(end);
        self.rest = rest;
        word.to_string()
    }

    fn number(&mut self) -> Result<u8, TypeError> {
        let word = self.word();
        word.parse()
            .map_err(|_| TypeError(format!("`{}` is not a type", self.whole)))
    }

    fn take(&mut self, wanted: char) -> bool {
        self.rest = self.rest.trim_start();
        let Some(rest) = self.rest.strip_prefix(wanted) else {
            return false;
        };
        self.rest = rest;
        true
    }

    fn expect(&mut self, wanted: char) -> Result<(), TypeError> {
        if self.take(wanted) {
            Ok(())
        } else {
            error(format!("expected `{wanted}` in type `{}`", self.whole))
        }
    }

    fn unknown<T>(&self) -> Result<T, TypeError> {
        error(format!("`{}` is not a type", self.whole))
    }
}

/// The contract's name of an Arrow type, or Arrow's own where the contract has none.
pub(crate) fn type_name(data_type: &DataType) -> String {
    match data_type {
        DataType::Boolean => "boolean".into(),
        DataType::Int8 => "tinyint".into(),
        DataType::Int16 => "smallint".into(),
        DataType::Int32 => "int".into(),
        DataType::Int64 => "bigint".into(),
        DataType::Float32 => "real".into(),
        DataType::Float64 => "double".into(),
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => "string".into(),
        DataType::Binary | DataType::LargeBinary | DataType::BinaryView => "binary".into(),
        DataType::Date32 => "date".into(),
        DataType::Time64(_) => "time".into(),
        DataType::Timestamp(_, None) => "timestamp".into(),
        DataType::Timestamp(_, Some(_)) => "timestamptz".into(),
        DataType::Decimal128(precision, scale) => format!("decimal({precision}, {scale})"),
        DataType::List(item) | DataType::LargeList(item) => format!("list<{}>", type_name(item.data_type())),
        DataType::Struct(fields) => {
            let mut text = String::from("struct<");
            for (index, field) in fields.iter().enumerate() {
                let comma = if index > 0 { ", " } else { "" };
                let _ = write!(text, "{comma}{}: {}", field.name(), type_name(field.data_type()));
            }
            text + ">"
        }
        DataType::Dictionary(_, values) => type_name(values),
        other => other.to_string(),
    }
}

/// The schema of declared columns. It has no metadata: `arrow_metadata()` would show it.
pub(crate) fn schema_of(columns: &[Column]) -> Result<SchemaRef, TypeError> {
    let field = |column: &Column| {
        let data_type =
            parse_type(&column.data_type).map_err(|error| TypeError(format!("column `{}`: {error}", column.name)))?;
        Ok(Field::new(&column.name, data_type, column.nullable))
    };
    let fields: Result<Vec<Field>, TypeError> = columns.iter().map(field).collect();
    let mut names = HashSet::new();
    match columns.iter().find(|column| !names.insert(column.name.as_str())) {
        Some(twice) => error(format!("column `{}` is declared twice", twice.name)),
        None => Ok(Arc::new(Schema::new(fields?))),
    }
}

/// NULL of a type.
pub(crate) fn null_of(name: &str) -> Result<ScalarValue, TypeError> {
    ScalarValue::try_from(&parse_type(name)?).map_err(|_| TypeError(format!("`{name}` is not a type of a parameter")))
}

/// The value, exactly: what would lose a digit is refused.
pub(crate) fn scalar_of(value: &TypedValue) -> Result<ScalarValue, TypeError> {
    let data_type = parse_type(&value.data_type)?;
    if value.value.is_null() {
        return null_of(&value.data_type);
    }
    let mismatch = || TypeError(format!("the value is not of type `{}`", value.data_type));
    scalar(&data_type, &value.value).ok_or_else(mismatch)
}

fn scalar(data_type: &DataType, value: &Value) -> Option<ScalarValue> {
    Some(match data_type {
        DataType::Boolean => ScalarValue::Boolean(Some(value.as_bool()?)),
        DataType::Int8 => ScalarValue::Int8(Some(integer(value)?.try_into().ok()?)),
        DataType::Int16 => ScalarValue::Int16(Some(integer(value)?.try_into().ok()?)),
        DataType::Int32 => ScalarValue::Int32(Some(integer(value)?.try_into().ok()?)),
        DataType::Int64 => ScalarValue::Int64(Some(integer(value)?)),
        DataType::Float32 => ScalarValue::Float32(Some(real(value)?)),
        DataType::Float64 => ScalarValue::Float64(Some(double(value)?)),
        DataType::Utf8View => ScalarValue::Utf8View(Some(value.as_str()?.to_string())),
        DataType::Date32 => {
            let date = NaiveDate::parse_from_str(value.as_str()?, "%Y-%m-%d").ok()?;
            let days = date.signed_duration_since(NaiveDate::default()).num_days();
            ScalarValue::Date32(Some(i32::try_from(days).ok()?))
        }
        DataType::Time64(TimeUnit::Microsecond) => {
            let time: NaiveTime = value.as_str()?.parse().ok()?;
            let micros = i64::from(time.num_seconds_from_midnight()) * 1_000_000 + i64::from(fraction(time)?);
            ScalarValue::Time64Microsecond(Some(micros))
        }
        DataType::Timestamp(TimeUnit::Microsecond, None) => {
            let instant = naive(value.as_str()?)?;
            fraction(instant.time())?;
            ScalarValue::TimestampMicrosecond(Some(instant.and_utc().timestamp_micros()), None)
        }
        DataType::Timestamp(TimeUnit::Microsecond, zone) => {
            let instant = DateTime::parse_from_rfc3339(value.as_str()?).ok()?;
            fraction(instant.time())?;
            ScalarValue::TimestampMicrosecond(Some(instant.timestamp_micros()), zone.clone())
        }
        DataType::Decimal128(precision, scale) => decimal(value, *precision, *scale)?,
        _ => return None,
    })
}

fn integer(value: &Value) -> Option<i64> {
    value.as_i64().or_else(|| value.as_str()?.parse().ok())
}

/// An integer that a double cannot hold is refused; a fraction has the nearest value, as everywhere. Text has the nearest
/// value too: who writes one says that digits do not matter.
fn double(value: &Value) -> Option<f64> {
    if let Some(text) = value.as_str() {
        return numeral(text);
    }
    let double = value.as_f64().filter(|double| double.is_finite())?;
    let exact = value
        .as_i64()
        .map(i128::from)
        .or_else(|| value.as_u64().map(i128::from));
    #[expect(
        clippy::cast_possible_truncation,
        reason = "an i128 holds every 64-bit integer and its neighbours"
    )]
    exact.is_none_or(|exact| double as i128 == exact).then_some(double)
}

/// Digits, a point, an exponent: not the words that Rust reads as well.
fn numeral(text: &str) -> Option<f64> {
    let letters = text
        .bytes()
        .any(|byte| !matches!(byte, b'0'..=b'9' | b'+' | b'-' | b'.' | b'e' | b'E'));
    let parsed: f64 = text.parse().ok().filter(|_| !letters)?;
    parsed.is_finite().then_some(parsed)
}

fn real(value: &Value) -> Option<f32> {
    let double = double(value)?;
    #[expect(clippy::cast_possible_truncation, reason = "what the cast loses is looked at")]
    let real = double as f32;
    let whole = value.is_i64() || value.is_u64();
    (real.is_finite() && (!whole || f64::from(real) == double)).then_some(real)
}

/// Microseconds of a second, if that is all there is: no finer digit, no leap second.
fn fraction(time: NaiveTime) -> Option<u32> {
    let nanos = time.nanosecond();
    (nanos < 1_000_000_000 && nanos.is_multiple_of(1_000)).then_some(nanos / 1_000)
}

/// `2001-04-01T00:00:00`, with a space for the T, with fractions, or a date alone.
fn naive(text: &str) -> Option<NaiveDateTime> {
    ["%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%d %H:%M:%S%.f", "%Y-%m-%dT%H:%M"]
        .iter()
        .find_map(|format| NaiveDateTime::parse_from_str(text, format).ok())
        .or_else(|| NaiveDate::parse_from_str(text, "%Y-%m-%d").ok()?.and_hms_opt(0, 0, 0))
}

/// Digits that the type cannot hold are refused, not rounded.
fn decimal(value: &Value, precision: u8, scale: i8) -> Option<ScalarValue> {
    let text = value
        .as_str()
        .map(ToString::to_string)
        .or_else(|| value.as_i64().map(|number| number.to_string()))?;
    let (sign, digits) = text.strip_prefix('-').map_or((1, text.as_str()), |digits| (-1, digits));
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let places = usize::try_from(scale).ok()?;
    if whole.is_empty() || fraction.len() > places || !format!("{whole}{fraction}").bytes().all(|c| c.is_ascii_digit())
    {
        return None;
    }
    let unscaled: i128 = format!("{whole}{fraction:0<places$}").parse().ok()?;
    (unscaled < 10_i128.pow(u32::from(precision))).then_some(ScalarValue::Decimal128(
        Some(sign * unscaled),
        precision,
        scale,
    ))
}
