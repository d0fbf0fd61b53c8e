//! An answer as far as a consumer can tell two apart: names, types, rows; or that there is none.

use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::datatypes::{DataType, Field, Fields, SchemaRef};
use datafusion::arrow::error::ArrowError;
use datafusion::arrow::util::display::{ArrayFormatter, FormatOptions};

/// Digits of a double that do not depend on the order of a sum.
const DIGITS: usize = 11;

/// What came of a query.
#[derive(Debug, Clone)]
pub(crate) enum Answer {
    Rows(Table),
    Failed(String),
}

/// A result. Types are told apart up to how text and bytes are laid out and whether values are in a dictionary.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Table {
    names: Vec<String>,
    types: Vec<DataType>,
    rows: Vec<Vec<String>>,
}

impl Table {
    pub(crate) fn new(schema: &SchemaRef, batches: &[RecordBatch]) -> Result<Self, ArrowError> {
        let mut rows = Vec::new();
        for batch in batches {
            let options = FormatOptions::default().with_null("NULL").with_display_error(true);
            let columns: Result<Vec<_>, _> = batch
                .columns()
                .iter()
                .map(|column| ArrayFormatter::try_new(column, &options).map(|text| (text, column.data_type())))
                .collect();
            let columns = columns?;
            rows.extend((0..batch.num_rows()).map(|row| {
                let cells = columns.iter();
                cells
                    .map(|(text, kind)| cell(text.value(row).to_string(), kind))
                    .collect::<Vec<_>>()
            }));
        }
        Ok(Self {
            names: schema.fields().iter().map(|field| field.name().clone()).collect(),
            types: schema.fields().iter().map(|field| plain(field.data_type())).collect(),
            rows,
        })
    }

    fn sorted(&self) -> Vec<&Vec<String>> {
        let mut rows: Vec<_> = self.rows.iter().collect();
        rows.sort();
        rows
    }

    /// How the other differs, if it does.
    fn unlike(&self, other: &Self, ordered: bool) -> Option<String> {
        if self.names != other.names {
            return Some(format!("names: {:?} and {:?}", self.names, other.names));
        }
        if self.types != other.types {
            return Some(format!("types: {:?} and {:?}", self.types, other.types));
        }
        let (mine, theirs) = (self.sorted(), other.sorted());
        if mine != theirs {
            let odd = mine.iter().zip(&theirs).find(|(mine, theirs)| mine != theirs);
            return Some(format!("rows: {} and {}, first {odd:?}", mine.len(), theirs.len()));
        }
        (ordered && self.rows != other.rows).then(|| "order of rows".into())
    }
}

impl Answer {
    /// How the governed answer differs from this, if it does.
    pub(crate) fn unlike(&self, governed: &Self, ordered: bool) -> Option<String> {
        match (self, governed) {
            (Self::Rows(plain), Self::Rows(governed)) => plain.unlike(governed, ordered),
            (Self::Failed(_), Self::Failed(_)) => None,
            (Self::Rows(_), Self::Failed(told)) => Some(told.clone()),
            (Self::Failed(told), Self::Rows(_)) => Some(format!("answers where DataFusion does not: {told}")),
        }
    }

    /// Whether it has rows.
    pub(crate) fn filled(&self) -> bool {
        matches!(self, Self::Rows(table) if !table.rows.is_empty())
    }

    pub(crate) fn failed(&self) -> bool {
        matches!(self, Self::Failed(_))
    }
}

fn cell(text: String, kind: &DataType) -> String {
    match kind {
        DataType::Float64 | DataType::Float16 | DataType::Float32 => match text.parse::<f64>() {
            Ok(0.0) => "0".into(),
            Ok(number) if *kind == DataType::Float64 => format!("{number:.DIGITS$e}"),
            Ok(number) => format!("{number:.5e}"),
            Err(_) => text,
        },
        _ => text,
    }
}

/// A type without what only its layout in memory tells.
fn plain(kind: &DataType) -> DataType {
    let field = |field: &Field| Field::new(field.name(), plain(field.data_type()), true);
    match kind {
        DataType::Utf8 | DataType::LargeUtf8 => DataType::Utf8View,
        DataType::Binary | DataType::LargeBinary => DataType::BinaryView,
        DataType::Dictionary(_, values) => plain(values),
        DataType::List(item) => DataType::new_list(plain(item.data_type()), true),
        DataType::LargeList(item) => DataType::new_large_list(plain(item.data_type()), true),
        DataType::FixedSizeList(item, size) => DataType::new_fixed_size_list(plain(item.data_type()), *size, true),
        DataType::Struct(fields) => DataType::Struct(fields.iter().map(|inner| field(inner)).collect::<Fields>()),
        DataType::Map(entries, sorted) => DataType::Map(field(entries).into(), *sorted),
        other => other.clone(),
    }
}
