//! Values as JSON that lose nothing on the way: what readers would round is a string.

use std::sync::{Arc, LazyLock};

use datafusion::arrow::array::{Array, ArrowPrimitiveType, AsArray, PrimitiveArray};
use datafusion::arrow::datatypes::{
    DataType, Decimal128Type, Decimal256Type, DecimalType, FieldRef, Float32Type, Float64Type, Int64Type, UInt64Type,
};
use datafusion::arrow::error::ArrowError;
use datafusion::arrow::json::writer::{NullableEncoder, make_encoder};
use datafusion::arrow::json::{Encoder as JsonEncoder, EncoderFactory, EncoderOptions};

/// JSON forms that lose nothing, at any depth.
#[derive(Debug)]
struct Exact;

/// How every value is written.
pub(crate) static EXACT: LazyLock<EncoderOptions> = LazyLock::new(|| {
    EncoderOptions::default()
        .with_explicit_nulls(true)
        .with_encoder_factory(Arc::new(Exact))
});
static PLAIN: LazyLock<EncoderOptions> = LazyLock::new(EncoderOptions::default);

impl EncoderFactory for Exact {
    fn make_default_encoder<'a>(
        &self,
        field: &'a FieldRef,
        array: &'a dyn Array,
        _: &'a EncoderOptions,
    ) -> Result<Option<NullableEncoder<'a>>, ArrowError> {
        const SAFE: u64 = (1 << 53) - 1;
        let quoted: Box<dyn Fn(usize) -> bool + 'a> = match array.data_type() {
            DataType::Int64 => {
                let values = array.as_primitive::<Int64Type>().values();
                Box::new(|row| values.get(row).is_some_and(|value| value.unsigned_abs() > SAFE))
            }
            DataType::UInt64 => {
                let values = array.as_primitive::<UInt64Type>().values();
                Box::new(|row| values.get(row).is_some_and(|value| *value > SAFE))
            }
            DataType::Float32 => return Ok(Some(floats(array.as_primitive::<Float32Type>(), field)?)),
            DataType::Float64 => return Ok(Some(floats(array.as_primitive::<Float64Type>(), field)?)),
            DataType::Decimal128(..) => return Ok(Some(decimals(array.as_primitive::<Decimal128Type>()))),
            DataType::Decimal256(..) => return Ok(Some(decimals(array.as_primitive::<Decimal256Type>()))),
            DataType::Binary => {
                let values = array.as_binary::<i32>();
                return Ok(Some(written(array, move |row, bytes| base64(values.value(row), bytes))));
            }
            DataType::FixedSizeBinary(_) => {
                let values = array.as_fixed_size_binary();
                return Ok(Some(written(array, move |row, bytes| base64(values.value(row), bytes))));
            }
            _ => return Ok(None),
        };
        let mut digits = make_encoder(field, array, &PLAIN)?;
        let write = move |row: usize, bytes: &mut Vec<u8>| {
            let quote = quoted(row);
            bytes.extend(quote.then_some(b'"'));
            digits.encode(row, bytes);
            bytes.extend(quote.then_some(b'"'));
        };
        Ok(Some(written(array, write)))
    }
}

struct Writing<F>(F);

impl<F: FnMut(usize, &mut Vec<u8>)> JsonEncoder for Writing<F> {
    fn encode(&mut self, row: usize, bytes: &mut Vec<u8>) {
        (self.0)(row, bytes);
    }
}

fn written<'a>(array: &dyn Array, write: impl FnMut(usize, &mut Vec<u8>) + 'a) -> NullableEncoder<'a> {
    NullableEncoder::new(Box::new(Writing(write)), array.nulls().cloned())
}

fn floats<'a, T: ArrowPrimitiveType>(
    array: &'a PrimitiveArray<T>,
    field: &'a FieldRef,
) -> Result<NullableEncoder<'a>, ArrowError>
where
    T::Native: Into<f64>,
{
    let mut digits = make_encoder(field, array, &PLAIN)?;
    let write = move |row: usize, bytes: &mut Vec<u8>| {
        let value: f64 = array.value(row).into();
        match value {
            value if value.is_nan() => bytes.extend_from_slice(b"\"NaN\""),
            f64::INFINITY => bytes.extend_from_slice(b"\"Infinity\""),
            f64::NEG_INFINITY => bytes.extend_from_slice(b"\"-Infinity\""),
            _ => digits.encode(row, bytes),
        }
    };
    Ok(written(array, write))
}

fn decimals<T: DecimalType>(array: &PrimitiveArray<T>) -> NullableEncoder<'_> {
    written(array, |row, bytes| {
        bytes.push(b'"');
        bytes.extend_from_slice(array.value_as_string(row).as_bytes());
        bytes.push(b'"');
    })
}

/// RFC 4648, padded, in quotes.
fn base64(value: &[u8], bytes: &mut Vec<u8>) {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    bytes.push(b'"');
    for three in value.chunks(3) {
        let mut padded = [0_u8; 4];
        for (slot, byte) in padded.iter_mut().skip(1).zip(three) {
            *slot = *byte;
        }
        let bits = u32::from_be_bytes(padded);
        for place in 0..4_usize {
            let letter = LETTERS.get((bits >> (18 - 6 * place) & 63) as usize).copied();
            bytes.push(if place > three.len() {
                b'='
            } else {
                letter.unwrap_or(b'=')
            });
        }
    }
    bytes.push(b'"');
}
