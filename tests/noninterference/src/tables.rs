//! Generated tables: rows as JSON, so that a case can be read and kept, and as Arrow.

use std::sync::Arc;

use datafusion::arrow::array::{ArrayRef, RecordBatch, RecordBatchOptions};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{DataType, Field, Schema};
use datafusion::arrow::json::ReaderBuilder;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::draw::Draw;
use crate::kinds::Kind;
use crate::policies;

pub type Row = Vec<Value>;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Format {
    Parquet,
    Arrow,
    Csv,
    Json,
}

/// How a column of strings lies in its file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Layout {
    Plain,
    Large,
    View,
    Dictionary,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Column {
    pub name: String,
    pub kind: Kind,
    pub layout: Layout,
    /// Whether the grant names it.
    pub shown: bool,
    /// Applied in order.
    pub masks: Vec<String>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Table {
    pub name: String,
    pub format: Format,
    /// Rows of a row group, of an Arrow batch.
    pub chunk: usize,
    pub columns: Vec<Column>,
    pub filters: Vec<String>,
    /// D.
    pub rows: Vec<Row>,
    /// D': other hidden rows, other values where a mask or the grant hides them.
    pub twin: Vec<Row>,
    /// Whether the grant names the table. A mapping is read by policies alone.
    pub granted: bool,
}

const LAYOUTS: [Layout; 4] = [Layout::Plain, Layout::Dictionary, Layout::View, Layout::Large];
const FORMATS: [Format; 10] = [
    Format::Parquet,
    Format::Parquet,
    Format::Parquet,
    Format::Parquet,
    Format::Parquet,
    Format::Parquet,
    Format::Arrow,
    Format::Arrow,
    Format::Csv,
    Format::Json,
];

/// Columns beside those that every table has.
const OTHERS: [(&str, Kind); 13] = [
    ("x", Kind::Double),
    ("name", Kind::Text),
    ("flag", Kind::Boolean),
    ("d", Kind::Date),
    ("ts", Kind::Timestamp),
    ("m", Kind::Decimal),
    ("b", Kind::Binary),
    ("l", Kind::List),
    ("s", Kind::Struct),
    ("i", Kind::Int),
    ("w", Kind::Smallint),
    ("z", Kind::Timestamptz),
    ("r", Kind::Real),
];

impl Table {
    pub fn draw(draw: &mut Draw, name: &str) -> Self {
        let format = *draw.pick(&FORMATS);
        let text = matches!(format, Format::Csv | Format::Json);
        let mut kinds = vec![
            ("id", Kind::Bigint),
            ("tenant", Kind::Text),
            ("n", Kind::Bigint),
            ("code", Kind::Code),
        ];
        for other in OTHERS {
            if draw.chance(45) && (!text || other.1.in_text_files()) {
                kinds.push(other);
            }
        }
        let mut columns = Vec::new();
        for (name, kind) in kinds {
            columns.push(Column {
                name: name.into(),
                kind,
                layout: if text { Layout::Plain } else { *draw.pick(&LAYOUTS) },
                shown: name == "id" || !draw.chance(if name == "tenant" { 60 } else { 12 }),
                masks: if name == "id" {
                    vec![]
                } else {
                    policies::masks(draw, kind)
                },
            });
        }
        let filters = policies::filters(draw, &columns);
        let mut table = Self {
            name: name.into(),
            format,
            chunk: [1024, 1, 3, 16, 64][draw.below(5)],
            columns,
            filters,
            rows: vec![],
            twin: vec![],
            granted: true,
        };
        let sizes = [(0, 6), (1, 12), (8, 30), (0, 0), (30, 120)];
        let (low, high) = *draw.pick(&sizes);
        let rows = draw.between(low, high);
        table.rows = (0..rows).map(|id| table.row(draw, id)).collect();
        table
    }

    /// A row that is meant to be seen, or one that is meant to be hidden.
    pub fn row(&self, draw: &mut Draw, id: usize) -> Row {
        let hide = draw.chance(45);
        let columns = self.columns.iter().enumerate();
        columns
            .map(|(index, column)| match column.name.as_str() {
                "id" => Value::from(id),
                "tenant" if hide => [Value::from("b"), Value::from("c"), Value::Null][draw.below(3)].clone(),
                "tenant" => Value::from(["a", "a", "a", "a1"][draw.below(4)]),
                _ if draw.chance(8) => Value::Null,
                // What a mask or the grant takes away is hidden in visible rows too.
                _ if hide || (draw.chance(30) && self.covered(column)) => {
                    self.fits(column.kind.hidden(draw, id * 100 + index))
                }
                _ => self.fits(column.kind.seen(draw)),
            })
            .collect()
    }

    /// Whether policy hides the column's own value, as far as can be told here.
    fn covered(&self, column: &Column) -> bool {
        !column.shown || !column.masks.is_empty()
    }

    /// A CSV file has no empty string, and JSON no value that is not a number.
    pub fn fits(&self, value: Value) -> Value {
        let text = value.as_str().unwrap_or("-");
        match self.format {
            Format::Csv if text.is_empty() => Value::Null,
            Format::Json if matches!(text, "NaN" | "inf" | "-inf") => Value::Null,
            _ => value,
        }
    }

    pub fn shown(&self) -> impl Iterator<Item = &Column> {
        self.columns.iter().filter(|column| column.shown)
    }

    /// These rows, of the declared types.
    pub fn declared(&self, rows: &[Row]) -> RecordBatch {
        let types = self.columns.iter().map(|column| column.kind.declared());
        self.batch(rows, &types.collect::<Vec<_>>())
    }

    /// These rows, of the types that they have in their file.
    pub fn stored(&self, rows: &[Row]) -> RecordBatch {
        let types = self.columns.iter().map(|column| match (column.kind, column.layout) {
            (Kind::Text | Kind::Code, Layout::Large) => DataType::LargeUtf8,
            (Kind::Text | Kind::Code, Layout::View) => DataType::Utf8View,
            (Kind::Text | Kind::Code, Layout::Dictionary) => {
                DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8))
            }
            (Kind::Binary, Layout::Large) => DataType::LargeBinary,
            (Kind::Binary, Layout::View) => DataType::BinaryView,
            (kind, _) => kind.read(),
        });
        self.batch(rows, &types.collect::<Vec<_>>())
    }

    fn batch(&self, rows: &[Row], types: &[DataType]) -> RecordBatch {
        let read = self
            .columns
            .iter()
            .map(|column| Field::new(&column.name, column.kind.read(), true));
        let read = Arc::new(Schema::new(read.collect::<Vec<_>>()));
        let objects: Vec<Map<String, Value>> = rows
            .iter()
            .map(|row| {
                let names = self.columns.iter().map(|column| column.name.clone());
                names.zip(row.iter().cloned()).collect()
            })
            .collect();
        let mut decoder = ReaderBuilder::new(Arc::clone(&read))
            .with_batch_size(rows.len().max(1))
            .build_decoder()
            .expect("a reader of known types");
        decoder.serialize(&objects).expect("rows of known types");
        let batch = decoder
            .flush()
            .expect("values of their columns' types")
            .unwrap_or_else(|| RecordBatch::new_empty(read));
        let columns: Vec<ArrayRef> = batch
            .columns()
            .iter()
            .zip(types)
            .map(|(column, wanted)| cast(column, wanted).expect("a cast that keeps values"))
            .collect();
        let fields = self
            .columns
            .iter()
            .zip(types)
            .map(|(column, wanted)| Field::new(&column.name, wanted.clone(), column.name != "id"));
        let schema = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
        let options = RecordBatchOptions::new().with_row_count(Some(rows.len()));
        RecordBatch::try_new_with_options(schema, columns, &options).expect("columns of their schema")
    }
}
