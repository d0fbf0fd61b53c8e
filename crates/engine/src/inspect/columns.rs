//! What a file tells of its columns, beside those that are declared.

use ambit_protocol::{Drift, DriftKind};
use datafusion::arrow::datatypes::{DataType, Schema};

use super::told;
use crate::csv_layout::repeated;
use crate::declared::keeps_values;

/// A difference in one column.
pub(super) fn drift(kind: DriftKind, column: &str, object: &str) -> Drift {
    Drift {
        kind,
        column: Some(told(column)),
        declared: None,
        found: None,
        object: object.to_string(),
    }
}

/// Columns with types, as Parquet and Arrow files have them.
pub(super) fn typed(declared: &Schema, found: &Schema, object: &str) -> Vec<Drift> {
    let text = |data_type: &DataType| Some(told(&data_type.to_string()));
    let mut all = Vec::new();
    for field in declared.fields() {
        match found.field_with_name(field.name()) {
            Err(_) => all.push(Drift {
                declared: text(field.data_type()),
                ..drift(DriftKind::Vanished, field.name(), object)
            }),
            Ok(column) if !keeps_values(column.data_type(), field.data_type()) => all.push(Drift {
                declared: text(field.data_type()),
                found: text(column.data_type()),
                ..drift(DriftKind::Retyped, field.name(), object)
            }),
            Ok(_) => {}
        }
    }
    for column in found.fields() {
        if declared.field_with_name(column.name()).is_err() {
            all.push(Drift {
                found: text(column.data_type()),
                ..drift(DriftKind::Appeared, column.name(), object)
            });
        }
    }
    all
}

/// Names in the header of a CSV file. One that is not declared is told only beside all that are: where a file has lost its
/// header, what stands there are values of a row.
pub(super) fn named(declared: &Schema, names: &[String], object: &str) -> Vec<Drift> {
    let is_declared = |name: &str| declared.field_with_name(name).is_ok();
    let missing: Vec<_> = declared
        .fields()
        .iter()
        .filter(|field| !names.contains(field.name()))
        .collect();
    if !missing.is_empty() && missing.len() == declared.fields().len() {
        return vec![Drift {
            kind: DriftKind::Header,
            column: None,
            declared: None,
            found: None,
            object: object.to_string(),
        }];
    }
    let vanished = missing.iter().map(|field| Drift {
        declared: Some(told(&field.data_type().to_string())),
        ..drift(DriftKind::Vanished, field.name(), object)
    });
    let may_be_told = |name: &&str| missing.is_empty() || is_declared(name);
    let repeated = repeated(names).into_iter().filter(may_be_told);
    let appeared = names.iter().map(String::as_str).filter(|name| !is_declared(name));
    vanished
        .chain(repeated.map(|name| drift(DriftKind::Repeated, name, object)))
        .chain(
            appeared
                .filter(may_be_told)
                .map(|name| drift(DriftKind::Appeared, name, object)),
        )
        .collect()
}
