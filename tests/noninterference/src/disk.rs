//! Tables as files, in each format that sources have.

use std::fs::File;
use std::path::Path;
use std::sync::Arc;

use datafusion::arrow::array::{ArrayRef, RecordBatch, StringArray};
use datafusion::arrow::csv;
use datafusion::arrow::ipc::writer::FileWriter;
use datafusion::arrow::json::LineDelimitedWriter;
use datafusion::parquet::arrow::ArrowWriter;
use datafusion::parquet::file::properties::WriterProperties;

use crate::kinds::PLANTED;
use crate::tables::{Format, Row, Table};

/// Name of the file of a table.
pub fn file_name(table: &Table) -> String {
    let extension = match table.format {
        Format::Parquet => "parquet",
        Format::Arrow => "arrow",
        Format::Csv => "csv",
        Format::Json => "json",
    };
    format!("{}.{extension}", table.name)
}

/// Writes `rows` as the file of `table`.
pub fn write(folder: &Path, table: &Table, rows: &[Row]) {
    let batch = table.stored(rows);
    let file = File::create(folder.join(file_name(table))).expect("a file in a temporary folder");
    match table.format {
        Format::Parquet => parquet(file, &batch, table.chunk),
        Format::Arrow => {
            let mut writer = FileWriter::try_new(file, &batch.schema()).expect("an Arrow writer");
            // A dictionary is the same in all batches of a file.
            writer.write(&batch).expect("a batch");
            writer.finish().expect("a footer");
        }
        Format::Csv => {
            let mut writer = csv::WriterBuilder::new().with_header(true).build(file);
            writer.write(&elsewhere(&batch, table.chunk)).expect("a batch");
        }
        Format::Json => {
            let mut writer = LineDelimitedWriter::new(file);
            writer.write(&batch).expect("a batch");
            writer.finish().expect("an end");
        }
    }
}

/// Every other table in other places than declared, a column that nobody declared among them: its values are hidden, and
/// differ between D and D' as their rows do.
fn elsewhere(batch: &RecordBatch, chunk: usize) -> RecordBatch {
    if !chunk.is_multiple_of(2) {
        return batch.clone();
    }
    let columns = batch.schema();
    let named = columns.fields().iter().zip(batch.columns());
    let mut all: Vec<(String, ArrayRef)> = named
        .map(|(field, values)| (field.name().clone(), Arc::clone(values)))
        .collect();
    all.reverse();
    let told = format!("{:?}", batch.columns())
        .bytes()
        .fold(chunk, |sum, byte| sum.wrapping_mul(31) ^ usize::from(byte));
    let word = |row: usize| format!("{PLANTED}{:05}x", told.wrapping_add(row) % 100_000);
    let strange = StringArray::from_iter_values((0..batch.num_rows()).map(word));
    all.insert(all.len() / 2, ("undeclared".into(), Arc::new(strange)));
    RecordBatch::try_from_iter_with_nullable(all.into_iter().map(|(name, values)| (name, values, true)))
        .expect("columns of one length")
}

fn parquet(file: File, batch: &RecordBatch, chunk: usize) {
    let properties = WriterProperties::builder()
        .set_max_row_group_row_count(Some(chunk))
        .set_data_page_row_count_limit(chunk.div_ceil(2))
        .build();
    let mut writer = ArrowWriter::try_new(file, batch.schema(), Some(properties)).expect("a Parquet writer");
    writer.write(batch).expect("a batch");
    writer.close().expect("a footer");
}
