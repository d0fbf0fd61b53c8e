//! A value, and values close to it: a counterexample is mostly next to a constant of the SQL.

use ambit_protocol::TypedValue;
use datafusion::arrow::datatypes::DataType;
use datafusion::scalar::ScalarValue;

use crate::types;

/// The value and its neighbours, of the same type.
pub(super) fn nearby(value: &ScalarValue) -> Vec<ScalarValue> {
    macro_rules! steps {
        ($variant:ident, $number:expr) => {
            [$number.checked_add(1), $number.checked_sub(1)]
                .into_iter()
                .flatten()
                .map(|near| ScalarValue::$variant(Some(near)))
                .collect::<Vec<_>>()
        };
        ($variant:ident, $number:expr, $zone:expr) => {
            [
                $number.checked_add(1),
                $number.checked_sub(1),
                $number.checked_add(DAY),
                $number.checked_sub(DAY),
            ]
            .into_iter()
            .flatten()
            .map(|near| ScalarValue::$variant(Some(near), $zone.clone()))
            .collect::<Vec<_>>()
        };
    }
    /// In microseconds: the next day's instants look the same at other hours.
    const DAY: i64 = 86_400_000_000;
    let near = match value {
        ScalarValue::Boolean(Some(truth)) => vec![ScalarValue::Boolean(Some(!truth))],
        ScalarValue::Int8(Some(number)) => steps!(Int8, number),
        ScalarValue::Int16(Some(number)) => steps!(Int16, number),
        ScalarValue::Int32(Some(number)) => steps!(Int32, number),
        ScalarValue::Int64(Some(number)) => steps!(Int64, number),
        ScalarValue::Date32(Some(day)) => steps!(Date32, day),
        ScalarValue::Time64Microsecond(Some(time)) => steps!(Time64Microsecond, time),
        ScalarValue::TimestampMicrosecond(Some(instant), zone) => steps!(TimestampMicrosecond, instant, zone),
        ScalarValue::Decimal128(Some(number), precision, scale) => [number + 1, number - 1]
            .into_iter()
            .filter(|near| near.unsigned_abs() < 10_u128.saturating_pow(u32::from(*precision)))
            .map(|near| ScalarValue::Decimal128(Some(near), *precision, *scale))
            .collect(),
        ScalarValue::Float32(Some(number)) => [number + 1.0, number - 1.0]
            .map(|near| ScalarValue::Float32(Some(near)))
            .to_vec(),
        ScalarValue::Float64(Some(number)) => [number + 1.0, number - 1.0]
            .map(|near| ScalarValue::Float64(Some(near)))
            .to_vec(),
        ScalarValue::Utf8View(Some(text)) => texts(text),
        _ => vec![],
    };
    let mut all = vec![value.clone()];
    all.extend(near);
    all
}

/// Values of a type that tell much apart: about zero, at both ends, texts with one beginning.
pub(super) fn common(data_type: &DataType) -> Vec<ScalarValue> {
    let mut all: Vec<ScalarValue> = ScalarValue::new_default(data_type)
        .into_iter()
        .flat_map(|value| nearby(&value))
        .collect();
    all.extend(match data_type {
        DataType::Int8 => [i8::MIN, i8::MAX].map(|end| ScalarValue::Int8(Some(end))).to_vec(),
        DataType::Int16 => [i16::MIN, i16::MAX].map(|end| ScalarValue::Int16(Some(end))).to_vec(),
        DataType::Int32 => [i32::MIN, i32::MAX].map(|end| ScalarValue::Int32(Some(end))).to_vec(),
        DataType::Int64 => [i64::MIN, i64::MAX].map(|end| ScalarValue::Int64(Some(end))).to_vec(),
        DataType::Utf8View => ["abc", "abcd", "abd", "bcd"]
            .map(|text| ScalarValue::Utf8View(Some(text.into())))
            .to_vec(),
        _ => vec![],
    });
    all
}

/// A text, longer and shorter. A pattern's signs stand for themselves and for letters.
fn texts(text: &str) -> Vec<ScalarValue> {
    let plain: String = text.chars().filter(|letter| *letter != '%').collect();
    let shorter: String = plain.chars().take(plain.chars().count().saturating_sub(1)).collect();
    [
        format!("{plain}a"),
        plain.replace('_', "b"),
        plain.clone(),
        shorter,
        format!("c{plain}"),
    ]
    .map(|near| ScalarValue::Utf8View(Some(near)))
    .to_vec()
}

/// A value as the protocol has it.
pub(super) fn typed(value: &ScalarValue) -> TypedValue {
    let number = |number: i64| {
        // A larger one would lose digits on its way.
        if number.unsigned_abs() < 1 << 53 {
            number.into()
        } else {
            number.to_string().into()
        }
    };
    let written = match value {
        value if value.is_null() => serde_json::Value::Null,
        ScalarValue::Boolean(Some(truth)) => (*truth).into(),
        ScalarValue::Int8(Some(found)) => (*found).into(),
        ScalarValue::Int16(Some(found)) => (*found).into(),
        ScalarValue::Int32(Some(found)) => (*found).into(),
        ScalarValue::Int64(Some(found)) => number(*found),
        ScalarValue::Float32(Some(found)) if found.is_finite() => (*found).into(),
        ScalarValue::Float64(Some(found)) if found.is_finite() => (*found).into(),
        value => match value.cast_to(&DataType::Utf8) {
            Ok(ScalarValue::Utf8(Some(text))) => text.into(),
            _ => value.to_string().into(),
        },
    };
    TypedValue {
        data_type: types::type_name(&value.data_type()),
        value: written,
    }
}

/// A value in words.
pub(super) fn said(value: &TypedValue) -> String {
    match &value.value {
        serde_json::Value::Null => "NULL".into(),
        serde_json::Value::String(text) => format!("'{text}'"),
        other => other.to_string(),
    }
}
