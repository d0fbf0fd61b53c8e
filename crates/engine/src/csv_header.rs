//! The first line of a CSV file, where it names the columns.

use std::sync::Arc;

use datafusion::arrow::array::{ArrayRef, AsArray};
use datafusion::arrow::csv;
use datafusion::arrow::datatypes::{DataType, Field, Schema};
use datafusion::common::Result;
use object_store::path::Path;
use object_store::{GetRange, ObjectStore};

use crate::declared::unlike;
use crate::source::part;

/// It is looked for in this much of a file.
const HEADER_BYTES: u64 = 64 * 1024;

/// Holds the names against those that are declared, in their order.
pub(crate) async fn check_header(store: &dyn ObjectStore, object: &Path, schema: &Schema, delimiter: u8) -> Result<()> {
    let names = csv_header(store, object, delimiter, Names::Exactly(schema.fields().len())).await?;
    if names.iter().eq(schema.fields().iter().map(|field| field.name())) {
        Ok(())
    } else {
        Err(unlike(
            "the header of a CSV file does not name the declared columns".into(),
        ))
    }
}

/// How many names a header may have.
#[derive(Clone, Copy)]
pub(crate) enum Names {
    Exactly(usize),
    UpTo(usize),
}

/// Names in the first line of a CSV file. One without text is empty; none of those stand at the end.
pub(crate) async fn csv_header(
    store: &dyn ObjectStore,
    object: &Path,
    delimiter: u8,
    names: Names,
) -> Result<Vec<String>> {
    let (Names::Exactly(most) | Names::UpTo(most)) = names;
    let head = part(store, object, GetRange::Bounded(0..HEADER_BYTES)).await?;
    let line = head.split(|byte| *byte == b'\n').next().unwrap_or_default();
    let line = line.strip_prefix("\u{feff}".as_bytes()).unwrap_or(line);
    let texts: Vec<Field> = (0..most)
        .map(|index| Field::new(index.to_string(), DataType::Utf8, true))
        .collect();
    let mut reader = csv::ReaderBuilder::new(Arc::new(Schema::new(texts)))
        .with_header(false)
        .with_delimiter(delimiter)
        .with_truncated_rows(matches!(names, Names::UpTo(_)))
        .build(line)?;
    let Some(found) = reader.next().transpose().map_err(|error| unlike(error.to_string()))? else {
        return Ok(vec![]);
    };
    let name = |column: &ArrayRef| {
        let name = column.as_string::<i32>().iter().flatten().next().unwrap_or_default();
        name.trim_end_matches('\r').to_string()
    };
    let mut names: Vec<String> = found.columns().iter().map(name).collect();
    while names.last().is_some_and(String::is_empty) {
        names.pop();
    }
    Ok(names)
}
