//! A result's batches are its own: how many rows came at once, which hidden rows decide, is not told.

use std::io::Cursor;

use ambit_protocol::OutputFormat;
use datafusion::arrow::compute::concat_batches;
use datafusion::arrow::ipc::reader::StreamReader;

use super::encodings::{FORMATS, sample, written};

#[test]
fn how_rows_came_does_not_tell() {
    let sample = sample();
    let once = concat_batches(&sample.schema(), [&sample, &sample, &sample]).unwrap();
    let by = |sizes: &[usize]| {
        let mut offset = 0;
        let slices = sizes.iter().map(|rows| {
            offset += rows;
            once.slice(offset - rows, *rows)
        });
        slices.collect::<Vec<_>>()
    };
    for format in FORMATS {
        let whole = written(format, std::slice::from_ref(&once));
        for sizes in [[1; 9].as_slice(), &[3, 3, 3], &[1, 7, 1], &[2, 0, 5, 2], &[8, 1]] {
            assert!(written(format, &by(sizes)) == whole, "{format:?}: {sizes:?}");
        }
    }
    let batches = StreamReader::try_new(Cursor::new(written(OutputFormat::Arrow, &[once])), None).unwrap();
    let rows: Vec<usize> = batches.map(|batch| batch.unwrap().num_rows()).collect();
    assert_eq!(rows, [2, 2, 2, 2, 1]);
}
