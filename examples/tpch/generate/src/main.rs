//! Writes the eight tables of TPC-H as Parquet files: `ambit-tpch SCALE FOLDER`. Scale 1 has 8.7 million rows.

use std::error::Error;
use std::fs::{File, create_dir_all, rename};
use std::path::Path;

use arrow::array::RecordBatch;
use arrow::error::ArrowError;
use datafusion::parquet::arrow::ArrowWriter;
use datafusion::parquet::basic::Compression;
use datafusion::parquet::file::properties::WriterProperties;
use tpchgen::generators::{
    CustomerGenerator, LineItemGenerator, NationGenerator, OrderGenerator, PartGenerator, PartSuppGenerator,
    RegionGenerator, SupplierGenerator,
};
use tpchgen_arrow::{
    CustomerArrow, LineItemArrow, NationArrow, OrderArrow, PartArrow, PartSuppArrow, RegionArrow, SupplierArrow,
};

type Outcome = Result<(), Box<dyn Error>>;

/// A row group of the writer's own default would be the whole of most tables.
const ROW_GROUP_ROWS_MAX: usize = 256 * 1024;

fn main() -> Outcome {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let [scale, folder] = words.as_slice() else {
        return Err("usage: ambit-tpch SCALE FOLDER".into());
    };
    let scale: f64 = scale.parse()?;
    if !(scale > 0.0 && scale <= 1000.0) {
        return Err("the scale is a number above 0, up to 1000".into());
    }
    let folder = Path::new(folder);
    create_dir_all(folder)?;
    write(folder, "nation", NationArrow::new(NationGenerator::new(scale, 1, 1)))?;
    write(folder, "region", RegionArrow::new(RegionGenerator::new(scale, 1, 1)))?;
    write(
        folder,
        "supplier",
        SupplierArrow::new(SupplierGenerator::new(scale, 1, 1)),
    )?;
    write(folder, "part", PartArrow::new(PartGenerator::new(scale, 1, 1)))?;
    write(
        folder,
        "customer",
        CustomerArrow::new(CustomerGenerator::new(scale, 1, 1)),
    )?;
    write(
        folder,
        "partsupp",
        PartSuppArrow::new(PartSuppGenerator::new(scale, 1, 1)),
    )?;
    write(folder, "orders", OrderArrow::new(OrderGenerator::new(scale, 1, 1)))?;
    write(
        folder,
        "lineitem",
        LineItemArrow::new(LineItemGenerator::new(scale, 1, 1)),
    )
}

/// A file is there whole or not at all.
fn write(folder: &Path, table: &str, batches: impl Iterator<Item = Result<RecordBatch, ArrowError>>) -> Outcome {
    let unfinished = folder.join(format!("{table}.parquet.new"));
    let mut batches = batches.peekable();
    let Some(Ok(first)) = batches.peek() else {
        return Err(format!("table {table} has no rows").into());
    };
    let properties = WriterProperties::builder()
        .set_compression(Compression::SNAPPY)
        .set_max_row_group_row_count(Some(ROW_GROUP_ROWS_MAX))
        .build();
    let mut writer = ArrowWriter::try_new(File::create(&unfinished)?, first.schema(), Some(properties))?;
    let mut rows = 0;
    for batch in batches {
        let batch = batch?;
        rows += batch.num_rows();
        writer.write(&batch)?;
    }
    writer.close()?;
    rename(&unfinished, folder.join(format!("{table}.parquet")))?;
    eprintln!("tpch: {table}, {rows} rows");
    Ok(())
}
