//! The folder that test files believe to run in.

use std::fmt::Write;
use std::path::{Path, PathBuf};

use crate::Fault;

/// Rows of a stand-in.
const ROWS: u64 = 100;

/// Makes the folders around `datafusion/sqllogictest`, where DataFusion runs its tests, and goes there: paths in the files
/// are relative.
pub(crate) fn enter(root: &Path, texts: &Path) -> Result<(), Fault> {
    let here = root.join("datafusion/sqllogictest");
    std::fs::create_dir_all(here.join("test_files/scratch"))?;
    std::fs::create_dir_all(here.join("data"))?;
    for entry in std::fs::read_dir(texts.join("data"))? {
        let entry = entry?;
        std::fs::copy(entry.path(), here.join("data").join(entry.file_name()))?;
    }
    let csv = root.join("testing/data/csv");
    std::fs::create_dir_all(&csv)?;
    std::fs::write(csv.join("aggregate_test_100.csv"), aggregate_test())?;
    let data = root.join("datafusion/core/tests/data");
    for folder in ["recursive_cte", "partitioned_csv"] {
        std::fs::create_dir_all(data.join(folder))?;
    }
    std::env::set_current_dir(here)?;
    Ok(())
}

/// A folder of its own for what the file's statements write.
pub(crate) fn scratch(file: &Path) -> Result<(), Fault> {
    let name = file.file_stem().map(PathBuf::from).unwrap_or_default();
    std::fs::create_dir_all(Path::new("test_files/scratch").join(name))?;
    Ok(())
}

/// The table that most of DataFusion's tests ask of is not in the crate: this has its columns, and values of the same kinds
/// and ranges.
fn aggregate_test() -> String {
    let mut text = String::from("c1,c2,c3,c4,c5,c6,c7,c8,c9,c10,c11,c12,c13\n");
    let mut seed = 0x9E37_79B9_7F4A_7C15_u64;
    let mut next = || {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        seed
    };
    for _ in 0..ROWS {
        let letter = char::from(b'a' + u8::try_from(next() % 5).unwrap_or_default());
        let (c2, c3, c4) = (next() % 5 + 1, signed(next(), 8), signed(next(), 16));
        let (c5, c6, c7, c8) = (signed(next(), 32), signed(next(), 64), next() >> 56, next() >> 48);
        let (c9, c10, c11) = (next() >> 32, next(), fraction(next()));
        let (c12, c13) = (fraction(next()), next());
        let _ = writeln!(
            text,
            "{letter},{c2},{c3},{c4},{c5},{c6},{c7},{c8},{c9},{c10},{c11:.7},{c12},{c13:030}"
        );
    }
    text
}

/// The highest bits, as a number with a sign.
fn signed(bits: u64, width: u32) -> i64 {
    bits.cast_signed() >> (64 - width)
}

#[expect(clippy::cast_precision_loss, reason = "any fraction will do")]
fn fraction(bits: u64) -> f64 {
    (bits >> 11) as f64 / (1_u64 << 53) as f64
}
