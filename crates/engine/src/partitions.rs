//! Columns that the names of folders carry, as Hive has them: `tenant=acme/day=2024-01-01/part.parquet`. A policy on such
//! columns alone opens no file of another folder.

use std::sync::Arc;

use datafusion::arrow::datatypes::{DataType, Field, Schema};
use datafusion::common::Result;
use object_store::path::Path;

use crate::declared::unlike;

/// What stands for NULL in the name of a folder. DataFusion would take it for a value.
const NOTHING: &str = "__HIVE_DEFAULT_PARTITION__";

/// The columns that files have, and those that the names of their folders have, outermost first.
pub(crate) fn parted(declared: &Schema, partitions: &[String]) -> Result<(Schema, Vec<(String, DataType)>)> {
    let mut folders = Vec::with_capacity(partitions.len());
    for name in partitions {
        let field = declared.field_with_name(name)?;
        folders.push((name.clone(), field.data_type().clone()));
    }
    let in_files = |field: &&Arc<Field>| !partitions.contains(field.name());
    let files: Vec<_> = declared.fields().iter().filter(in_files).cloned().collect();
    Ok((Schema::new(files), folders))
}

/// Refuses a file that does not lie where the partitions say: DataFusion would leave it out.
pub(crate) fn hold_place(folder: &Path, file: &Path, partitions: &[String]) -> Result<()> {
    let misplaced = || {
        unlike(format!(
            "a file lies outside the folders of `{}`",
            partitions.join("`, `")
        ))
    };
    let parts: Vec<_> = file.prefix_match(folder).ok_or_else(misplaced)?.collect();
    let named = parts.len() == partitions.len() + 1
        && parts.iter().zip(partitions).all(|(part, name)| {
            let value = part.as_ref().strip_prefix(name).and_then(|rest| rest.strip_prefix('='));
            value.is_some_and(|value| value != NOTHING)
        });
    if named { Ok(()) } else { Err(misplaced()) }
}
