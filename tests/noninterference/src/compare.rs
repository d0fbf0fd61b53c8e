//! What is the same: rows as multisets or in order, names, types, codes; and what must not be there: planted words.

use std::collections::BTreeSet;
use std::io::Cursor;

use datafusion::arrow::array::{Array, AsArray, RecordBatch};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{DataType, Field, FieldRef, Fields, Float64Type, Schema};
use datafusion::arrow::ipc::reader::StreamReader;
use datafusion::arrow::util::display::{ArrayFormatter, FormatOptions};

use crate::kinds::PLANTED;

/// How far two sums of the same doubles may be apart.
const TOLERANCE: f64 = 1e-9;

#[derive(Debug, Clone)]
pub enum Cell {
    Number(f64),
    Text(String),
}

impl PartialEq for Cell {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Number(a), Self::Number(b)) => {
                a == b || (a.is_nan() && b.is_nan()) || (a - b).abs() <= TOLERANCE * a.abs().max(b.abs())
            }
            (Self::Text(a), Self::Text(b)) => a == b,
            _ => false,
        }
    }
}

pub type Cells = Vec<Vec<Cell>>;

/// The batches of an Arrow result.
pub fn decoded(bytes: &[u8]) -> (Schema, Vec<RecordBatch>) {
    let reader = StreamReader::try_new(Cursor::new(bytes), None).expect("an Arrow stream");
    let schema = reader.schema().as_ref().clone();
    (schema, reader.map(|batch| batch.expect("a batch")).collect())
}

/// Rows as cells; doubles stay numbers.
pub fn cells(batches: &[RecordBatch]) -> Cells {
    let options = FormatOptions::default().with_null("NULL");
    let mut rows = Vec::new();
    for batch in batches {
        let first = rows.len();
        rows.extend((0..batch.num_rows()).map(|_| Vec::with_capacity(batch.num_columns())));
        for column in batch.columns() {
            let plain = cast(column, &plain(column.data_type())).expect("views unpack");
            let floats = matches!(plain.data_type(), DataType::Float32 | DataType::Float64);
            let numbers = cast(&plain, &DataType::Float64).ok().filter(|_| floats);
            let texts = ArrayFormatter::try_new(plain.as_ref(), &options).expect("a known type");
            for row in 0..batch.num_rows() {
                let number = numbers.as_ref().filter(|numbers| numbers.is_valid(row));
                rows[first + row].push(match number {
                    Some(numbers) => Cell::Number(numbers.as_primitive::<Float64Type>().value(row)),
                    None => Cell::Text(texts.value(row).to_string()),
                });
            }
        }
    }
    rows
}

/// Sorted, so that the same multisets are the same lists.
pub fn sorted(mut rows: Cells) -> Cells {
    let key = |row: &Vec<Cell>| {
        let cells = row.iter().map(|cell| match cell {
            // Coarser than the tolerance, and one zero.
            Cell::Number(number) => format!("{:.6e}", number + 0.0),
            Cell::Text(text) => text.clone(),
        });
        cells.collect::<Vec<_>>()
    };
    rows.sort_by_cached_key(key);
    rows
}

/// Names and types as a result shows them: without views and dictionaries.
pub fn shape(schema: &Schema) -> Vec<(String, DataType)> {
    let fields = schema.fields().iter();
    fields
        .map(|field| (field.name().clone(), plain(field.data_type())))
        .collect()
}

fn plain(data_type: &DataType) -> DataType {
    let inner = |field: &FieldRef| Field::new(field.name(), plain(field.data_type()), true);
    match data_type {
        DataType::Utf8View | DataType::LargeUtf8 => DataType::Utf8,
        DataType::BinaryView | DataType::LargeBinary => DataType::Binary,
        DataType::Dictionary(_, values) => plain(values),
        DataType::List(item) => DataType::List(inner(item).into()),
        DataType::LargeList(item) => DataType::LargeList(inner(item).into()),
        DataType::Struct(fields) => DataType::Struct(fields.iter().map(inner).collect::<Fields>()),
        other => other.clone(),
    }
}

/// Planted words, as `hush12345x`.
pub fn planted(bytes: &[u8]) -> BTreeSet<String> {
    const LENGTH: usize = PLANTED.len() + 6;
    let mut found = BTreeSet::new();
    for window in bytes.windows(LENGTH) {
        let (word, rest) = window.split_at(PLANTED.len());
        let digits = rest
            .split_last()
            .is_some_and(|(end, digits)| end.eq_ignore_ascii_case(&b'x') && digits.iter().all(u8::is_ascii_digit));
        if digits && word.eq_ignore_ascii_case(PLANTED.as_bytes()) {
            found.insert(String::from_utf8_lossy(window).to_ascii_lowercase());
        }
    }
    found
}
