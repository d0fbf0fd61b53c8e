//! The first line of a CSV file: the names of its columns, or as many values as it has columns.

use std::sync::Arc;

use datafusion::arrow::csv;
use datafusion::arrow::csv::reader::Format;
use datafusion::arrow::datatypes::{DataType, Field, Schema};
use datafusion::common::Result;
use object_store::path::Path;
use object_store::{GetRange, ObjectStore};

use crate::declared::unlike;
use crate::source::part;

/// It is looked for in this much of a file.
const HEADER_BYTES: u64 = 64 * 1024;
/// Columns beyond those that are declared: whoever reads the file splits every row into all of them.
const MORE_MAX: usize = 1_000;

/// What stands in the first line of a CSV file, read as its rows are. A column without a name is empty.
pub(crate) async fn csv_header(
    store: &dyn ObjectStore,
    object: &Path,
    declared: &Schema,
    delimiter: u8,
) -> Result<Vec<String>> {
    let read = part(store, object, GetRange::Bounded(0..HEADER_BYTES)).await?;
    let head: &[u8] = &read;
    let format = Format::default().with_header(true).with_delimiter(delimiter);
    // What the reader says of it may quote it.
    let (found, _) = format
        .infer_schema(head, Some(0))
        .map_err(|_| unlike("the first line of a CSV file is not text".into()))?;
    let names: Vec<String> = found.fields().iter().map(|field| field.name().clone()).collect();
    if names.len() > declared.fields().len() + MORE_MAX {
        return Err(unlike(format!(
            "a CSV file has {} columns, more than {MORE_MAX} beyond those of the contract",
            names.len()
        )));
    }
    if head.len() as u64 == HEADER_BYTES && !ends(head, names.len(), delimiter)? {
        return Err(unlike(format!(
            "the first line of a CSV file is longer than {HEADER_BYTES} bytes"
        )));
    }
    Ok(names)
}

/// Whether the first line has its end within this much of the file.
fn ends(head: &[u8], columns: usize, delimiter: u8) -> Result<bool> {
    let texts: Vec<Field> = (0..columns).map(|_| Field::new("", DataType::Utf8, true)).collect();
    let mut decoder = csv::ReaderBuilder::new(Arc::new(Schema::new(texts)))
        .with_delimiter(delimiter)
        .with_batch_size(1)
        .build_decoder();
    Ok(decoder.decode(head)? < head.len())
}
