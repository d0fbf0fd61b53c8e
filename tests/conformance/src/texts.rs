//! Where cargo keeps test files of other crates: they are fetched, never compiled, never committed.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde::Deserialize;

use crate::Fault;

/// It carries DataFusion's own test files.
pub(crate) const SQLLOGICTEST: &str = "datafusion-sqllogictest";
/// It carries the queries of TPC-H and TPC-DS.
pub(crate) const BENCHMARKS: &str = "datafusion-distributed";

#[derive(Deserialize)]
struct Metadata {
    packages: Vec<Package>,
}

#[derive(Deserialize)]
struct Package {
    name: String,
    manifest_path: PathBuf,
}

/// The folder of a crate that carries files. A manifest of its own names it, so that nothing of it is built.
pub(crate) fn folder(of: &str) -> Result<PathBuf, Fault> {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR")).join("texts/Cargo.toml");
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .args(["metadata", "--format-version", "1", "--locked", "--manifest-path"])
        .arg(&manifest)
        .output()?;
    if !output.status.success() {
        return Err(format!(
            "cargo does not fetch `{of}`: {}",
            String::from_utf8_lossy(&output.stderr)
        )
        .into());
    }
    let metadata: Metadata = serde_json::from_slice(&output.stdout)?;
    let package = metadata.packages.into_iter().find(|package| package.name == of);
    let folder = package.and_then(|package| package.manifest_path.parent().map(Path::to_path_buf));
    folder.ok_or_else(|| format!("cargo knows no `{of}`").into())
}

/// Every test file, sorted; parts that others include are not among them.
pub(crate) fn files(folder: &Path) -> Result<Vec<PathBuf>, Fault> {
    let mut found = Vec::new();
    let mut folders = vec![folder.join("test_files")];
    while let Some(next) = folders.pop() {
        for entry in std::fs::read_dir(next)? {
            let path = entry?.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "slt") {
                found.push(path);
            }
        }
    }
    found.sort();
    Ok(found)
}
