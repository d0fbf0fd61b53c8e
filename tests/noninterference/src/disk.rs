//! Tables as files, in each format that sources have.

use std::fs::File;
use std::path::Path;

use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::csv;
use datafusion::arrow::ipc::writer::FileWriter;
use datafusion::arrow::json::LineDelimitedWriter;
use datafusion::parquet::arrow::ArrowWriter;
use datafusion::parquet::file::properties::WriterProperties;

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
            writer.write(&batch).expect("a batch");
        }
        Format::Json => {
            let mut writer = LineDelimitedWriter::new(file);
            writer.write(&batch).expect("a batch");
            writer.finish().expect("an end");
        }
    }
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
