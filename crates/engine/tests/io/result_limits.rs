//! Limits of a result are exact, and hold before what is too much has been made.

use std::sync::Arc;

use ambit_protocol::OutputFormat;
use datafusion::arrow::array::{ArrayRef, StringViewArray};

use super::encode::EncodeError;
use super::encodings::{FORMATS, batch, encoder, sample, written};

#[test]
fn limits_are_exact() {
    for format in FORMATS {
        let whole = written(format, &[sample(), sample()]).len() as u64;
        for (rows, bytes, fits) in [(6, whole, true), (5, whole, false), (6, whole - 1, false)] {
            let mut encoder = encoder(format, &sample(), rows, bytes);
            let ended = encoder
                .encode(&sample())
                .and_then(|_| encoder.encode(&sample()))
                .and_then(|_| encoder.finish());
            match ended {
                Ok(_) => assert!(fits, "{format:?}: {rows} rows, {bytes} bytes"),
                Err(EncodeError::Rows(limit)) => assert_eq!((limit, rows, fits), (5, 5, false)),
                Err(EncodeError::Bytes(limit)) => assert_eq!((limit, rows, fits), (whole - 1, 6, false)),
                Err(EncodeError::Failed(error)) => panic!("{error}"),
            }
        }
    }
}

/// Many rows may share one string in memory; written, each has its own.
#[test]
fn a_small_batch_cannot_outgrow_the_limit_before_it_is_refused() {
    let long = "x".repeat(1 << 20);
    let mut builder = datafusion::arrow::array::StringViewBuilder::new();
    let block = builder.append_block(long.as_bytes().into());
    for _ in 0..8_192 {
        builder.try_append_view(block, 0, 1 << 20).unwrap();
    }
    let batch = batch(vec![("s", Arc::new(builder.finish()) as ArrayRef)]);
    for format in FORMATS {
        let mut encoder = encoder(format, &batch, u64::MAX, 10 << 20);
        assert!(
            matches!(encoder.encode(&batch), Err(EncodeError::Bytes(_))),
            "{format:?}"
        );
    }
}

/// What is written and what waits count together: a row that waits is refused when it comes, not when it goes.
#[test]
fn rows_that_wait_count() {
    let row = |text: &str| batch(vec![("s", Arc::new(StringViewArray::from(vec![text])) as ArrayRef)]);
    // Each of these is written as two.
    let quotes = row(&"\"".repeat(500));
    let mut encoder = encoder(OutputFormat::Ndjson, &quotes, u64::MAX, 2_500);
    for _ in 0..2 {
        assert!(encoder.encode(&quotes).is_ok());
    }
    let long = row(&"x".repeat(1_000));
    assert!(matches!(encoder.encode(&long), Err(EncodeError::Bytes(2_500))));
}
