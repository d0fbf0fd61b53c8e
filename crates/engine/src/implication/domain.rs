//! Sets of values of one type, as comparisons with constants cut them out: `delay < 15`, `state IN ('CA', 'NV')`.

use std::collections::BTreeSet;

use datafusion::arrow::datatypes::{DataType, TimeUnit};
use datafusion::scalar::ScalarValue;

/// A value as the engine orders it within its type.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Value {
    /// Whole numbers, booleans, dates and times, decimals without their point; floats by their place in IEEE 754's total
    /// order, which is what comparisons go by.
    Number(i128),
    /// Strings are compared by their bytes.
    Bytes(Vec<u8>),
}

/// A place between two values.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Cut {
    /// Before all values.
    Bottom,
    Before(Value),
}

/// Values, without NULL: at each cut one is either entering the set or leaving it, beginning outside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Values(Vec<Cut>);

impl Values {
    pub(super) const fn none() -> Self {
        Self(vec![])
    }

    pub(super) fn all() -> Self {
        Self(vec![Cut::Bottom])
    }

    pub(super) fn below(value: &Value) -> Self {
        Self(vec![Cut::Bottom, Cut::Before(value.clone())])
    }

    pub(super) fn up_to(value: &Value) -> Self {
        Self(vec![Cut::Bottom, after(value)])
    }

    pub(super) fn one(value: &Value) -> Self {
        Self(vec![Cut::Before(value.clone()), after(value)])
    }

    pub(super) fn listed(values: &BTreeSet<Value>) -> Self {
        let mut cuts: Vec<Cut> = vec![];
        for value in values {
            let begin = Cut::Before(value.clone());
            // One that comes right after another goes on where that ends.
            if cuts.last() == Some(&begin) {
                cuts.pop();
            } else {
                cuts.push(begin);
            }
            cuts.push(after(value));
        }
        Self(cuts)
    }

    /// Strings that begin so: between the prefix and what comes after all that begin with it.
    pub(super) fn beginning(prefix: &[u8]) -> Self {
        let mut end = prefix.to_vec();
        while let Some(last) = end.pop() {
            if let Some(next) = last.checked_add(1) {
                end.push(next);
                break;
            }
        }
        let mut cuts = vec![Cut::Before(Value::Bytes(prefix.to_vec()))];
        if !end.is_empty() {
            cuts.push(Cut::Before(Value::Bytes(end)));
        }
        Self(cuts)
    }

    pub(super) fn not(mut self) -> Self {
        if self.0.first() == Some(&Cut::Bottom) {
            self.0.remove(0);
        } else {
            self.0.insert(0, Cut::Bottom);
        }
        self
    }

    pub(super) fn and(&self, other: &Self) -> Self {
        let places: BTreeSet<&Cut> = self.0.iter().chain(&other.0).collect();
        let mut cuts = vec![];
        let mut inside = false;
        for place in places {
            if (self.has(place) && other.has(place)) != inside {
                inside = !inside;
                cuts.push(place.clone());
            }
        }
        Self(cuts)
    }

    pub(super) fn or(&self, other: &Self) -> Self {
        self.clone().not().and(&other.clone().not()).not()
    }

    /// Whether what comes right after the cut is in the set.
    fn has(&self, place: &Cut) -> bool {
        self.0.iter().take_while(|cut| *cut <= place).count() % 2 == 1
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn holds(&self, value: &Value) -> bool {
        self.has(&Cut::Before(value.clone()))
    }

    /// What is less than some value here.
    pub(super) fn below_greatest(&self) -> Self {
        match self.0.last() {
            None => Self::none(),
            Some(Cut::Before(Value::Number(end))) if self.ends() => Self::below(&Value::Number(end - 1)),
            Some(end) if self.ends() => Self(vec![Cut::Bottom, end.clone()]),
            Some(_) => Self::all(),
        }
    }

    /// What is greater than some value here.
    pub(super) fn above_least(&self) -> Self {
        match self.0.first() {
            None => Self::none(),
            Some(Cut::Bottom) => Self::all(),
            Some(Cut::Before(least)) => Self(vec![after(least)]),
        }
    }

    /// Whether no value here is greater than any value there.
    pub(super) fn is_up_to(&self, other: &Self) -> bool {
        match (self.0.last(), other.0.first()) {
            (None, _) | (_, None) => true,
            (Some(end), Some(Cut::Before(least))) => self.ends() && *end <= after(least),
            (Some(_), Some(Cut::Bottom)) => false,
        }
    }

    /// Whether it has values up to a last cut, not all that are greater.
    fn ends(&self) -> bool {
        self.0.len().is_multiple_of(2)
    }

    /// The least and the greatest number, where there are such.
    pub(super) fn span(&self) -> Option<(i128, i128)> {
        match (self.0.first(), self.0.last()) {
            (Some(Cut::Before(Value::Number(low))), Some(Cut::Before(Value::Number(end)))) if self.ends() => {
                Some((*low, *end - 1))
            }
            _ => None,
        }
    }

    /// The numbers from one to another.
    pub(super) fn between(low: i128, high: i128) -> Self {
        Self(vec![
            Cut::Before(Value::Number(low)),
            Cut::Before(Value::Number(high + 1)),
        ])
    }
}

/// Nothing is between a number and the next one, nor between a string and the same with a zero byte at its end.
fn after(value: &Value) -> Cut {
    Cut::Before(match value {
        Value::Number(number) => Value::Number(number + 1),
        Value::Bytes(bytes) => Value::Bytes(bytes.iter().copied().chain([0]).collect()),
    })
}

/// What a term may be: some of the values of its type, NULL or not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Domain {
    pub values: Values,
    pub null: bool,
}

impl Domain {
    pub(super) fn and(&self, other: &Self) -> Self {
        Self {
            values: self.values.and(&other.values),
            null: self.null && other.null,
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.values.is_empty() && !self.null
    }
}

/// All values of a type. Of a type that has no order here, nothing is known.
pub(super) fn values_of(data_type: &DataType) -> Values {
    match data_type {
        DataType::Boolean => Values::between(0, 1),
        DataType::Int8 => Values::between(i8::MIN.into(), i8::MAX.into()),
        DataType::Int16 => Values::between(i16::MIN.into(), i16::MAX.into()),
        DataType::Int32 | DataType::Date32 => Values::between(i32::MIN.into(), i32::MAX.into()),
        DataType::Int64 | DataType::Timestamp(..) | DataType::Time64(_) => {
            Values::between(i64::MIN.into(), i64::MAX.into())
        }
        DataType::Utf8
        | DataType::LargeUtf8
        | DataType::Utf8View
        | DataType::Binary
        | DataType::LargeBinary
        | DataType::BinaryView => Values(vec![Cut::Before(Value::Bytes(vec![]))]),
        _ => Values::all(),
    }
}

/// A constant's place among the values of a type. A zero of floats has none: whether it equals the negative one is up to
/// who compares them. Nor has NaN.
pub(super) fn value_of(constant: &ScalarValue, data_type: &DataType) -> Option<Value> {
    let number = |value: i128| Some(Value::Number(value));
    match (constant, data_type) {
        (ScalarValue::Boolean(Some(value)), DataType::Boolean) => number((*value).into()),
        (ScalarValue::Int8(Some(value)), DataType::Int8) => number((*value).into()),
        (ScalarValue::Int16(Some(value)), DataType::Int16) => number((*value).into()),
        (ScalarValue::Int32(Some(value)), DataType::Int32) => number((*value).into()),
        (ScalarValue::Int64(Some(value)), DataType::Int64) => number((*value).into()),
        (ScalarValue::Date32(Some(value)), DataType::Date32) => number((*value).into()),
        (ScalarValue::Time64Microsecond(Some(value)), DataType::Time64(TimeUnit::Microsecond)) => {
            number((*value).into())
        }
        (
            ScalarValue::TimestampSecond(Some(value), _)
            | ScalarValue::TimestampMillisecond(Some(value), _)
            | ScalarValue::TimestampMicrosecond(Some(value), _)
            | ScalarValue::TimestampNanosecond(Some(value), _),
            DataType::Timestamp(..),
        ) if constant.data_type() == *data_type => number((*value).into()),
        (ScalarValue::Decimal128(Some(value), ..), DataType::Decimal128(..)) if constant.data_type() == *data_type => {
            number(*value)
        }
        (ScalarValue::Float32(Some(value)), DataType::Float32) => float((*value).into()),
        (ScalarValue::Float64(Some(value)), DataType::Float64) => float(*value),
        _ => text_of(constant)
            .filter(|_| is_text(data_type))
            .map(|text| Value::Bytes(text.as_bytes().to_vec())),
    }
}

/// Where a float is in the total order.
fn float(value: f64) -> Option<Value> {
    if value.is_nan() || value == 0.0 {
        return None;
    }
    let bits = i128::from(value.to_bits());
    let sign = 1 << 63;
    Some(Value::Number(if bits >= sign { sign - 1 - bits } else { bits }))
}

pub(super) fn text_of(constant: &ScalarValue) -> Option<&str> {
    constant.try_as_str().flatten()
}

pub(super) fn is_text(data_type: &DataType) -> bool {
    matches!(data_type, DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View)
}
