//! Batches as bytes of a result, counted against the session's limits.

use std::fmt::Write as _;
use std::sync::Arc;

use ambit_protocol::OutputFormat;
use bytes::Bytes;
use datafusion::arrow::array::{Array, ArrayRef, AsArray, RecordBatch, RecordBatchOptions};
use datafusion::arrow::compute::cast;
use datafusion::arrow::csv;
use datafusion::arrow::datatypes::{DataType, Field, FieldRef, Fields, Schema, SchemaRef, TimeUnit};
use datafusion::arrow::error::ArrowError;
use datafusion::arrow::ipc::writer::{IpcWriteOptions, StreamWriter};
use datafusion::arrow::json::writer::{LineDelimited, WriterBuilder};

use crate::types::type_name;

/// Why a batch was not written.
#[derive(Debug)]
pub(crate) enum EncodeError {
    /// More rows than this.
    Rows(u64),
    /// More bytes than this.
    Bytes(u64),
    /// A value has no form in the format.
    Failed(ArrowError),
}

impl From<ArrowError> for EncodeError {
    fn from(error: ArrowError) -> Self {
        Self::Failed(error)
    }
}

/// Writes one result.
pub(crate) struct Encoder {
    sink: Sink,
    /// What is written: views and dictionaries unpacked, since not every reader knows them.
    schema: SchemaRef,
    rows: u64,
    bytes: u64,
    rows_max: u64,
    bytes_max: u64,
}

enum Sink {
    Arrow(Box<StreamWriter<Vec<u8>>>),
    Csv { header: bool },
    Ndjson,
    Json { begun: bool },
}

impl Encoder {
    pub(crate) fn new(
        format: OutputFormat,
        schema: SchemaRef,
        rows_max: u64,
        bytes_max: u64,
    ) -> Result<Self, EncodeError> {
        let fields: Vec<FieldRef> = schema.fields().iter().map(|field| plain_field(field, format)).collect();
        let schema = Arc::new(Schema::new(fields));
        let sink = match format {
            OutputFormat::Arrow => {
                let options = IpcWriteOptions::default();
                Sink::Arrow(Box::new(StreamWriter::try_new_with_options(
                    Vec::new(),
                    &schema,
                    options,
                )?))
            }
            OutputFormat::Csv => Sink::Csv { header: true },
            OutputFormat::Ndjson => Sink::Ndjson,
            OutputFormat::Json => Sink::Json { begun: false },
        };
        Ok(Self {
            sink,
            schema,
            rows: 0,
            bytes: 0,
            rows_max,
            bytes_max,
        })
    }

    pub(crate) fn encode(&mut self, batch: &RecordBatch) -> Result<Bytes, EncodeError> {
        self.rows += batch.num_rows() as u64;
        if self.rows > self.rows_max {
            return Err(EncodeError::Rows(self.rows_max));
        }
        let batch = self.plain(batch)?;
        let bytes = match &mut self.sink {
            Sink::Arrow(writer) => {
                writer.write(&batch)?;
                std::mem::take(writer.get_mut())
            }
            Sink::Csv { header } => {
                let header = std::mem::take(header);
                csv_bytes(&batch, header)?
            }
            Sink::Ndjson => ndjson_bytes(&batch)?,
            Sink::Json { begun } => {
                let first = !std::mem::replace(begun, true);
                json_bytes(&self.schema, &batch, first)?
            }
        };
        self.count(bytes)
    }

    /// The end of a whole result. Never called for one that failed.
    pub(crate) fn finish(mut self) -> Result<Bytes, EncodeError> {
        let bytes = match &mut self.sink {
            Sink::Arrow(writer) => {
                writer.finish()?;
                std::mem::take(writer.get_mut())
            }
            Sink::Csv { header: true } => csv_bytes(&RecordBatch::new_empty(Arc::clone(&self.schema)), true)?,
            Sink::Csv { header: false } | Sink::Ndjson => Vec::new(),
            Sink::Json { begun: true } => b"],\"complete\":true}\n".to_vec(),
            Sink::Json { begun: false } => {
                let mut bytes = json_head(&self.schema)?;
                bytes.extend_from_slice(b"],\"complete\":true}\n");
                bytes
            }
        };
        self.count(bytes)
    }

    fn count(&mut self, bytes: Vec<u8>) -> Result<Bytes, EncodeError> {
        self.bytes += bytes.len() as u64;
        if self.bytes > self.bytes_max {
            Err(EncodeError::Bytes(self.bytes_max))
        } else {
            Ok(bytes.into())
        }
    }

    fn plain(&self, batch: &RecordBatch) -> Result<RecordBatch, ArrowError> {
        let columns: Result<Vec<ArrayRef>, ArrowError> = batch
            .columns()
            .iter()
            .zip(self.schema.fields())
            .map(|(column, field)| {
                if column.data_type() == field.data_type() {
                    Ok(Arc::clone(column))
                } else {
                    cast(column, field.data_type())
                }
            })
            .collect();
        let rows = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
        RecordBatch::try_new_with_options(Arc::clone(&self.schema), columns?, &rows)
    }
}

fn plain_field(field: &FieldRef, format: OutputFormat) -> FieldRef {
    Arc::new(Field::new(
        field.name(),
        plain_type(field.data_type(), format),
        field.is_nullable(),
    ))
}

fn plain_type(data_type: &DataType, format: OutputFormat) -> DataType {
    let inner = |field: &FieldRef| plain_field(field, format);
    match data_type {
        DataType::Utf8View | DataType::LargeUtf8 => DataType::Utf8,
        DataType::BinaryView | DataType::LargeBinary => DataType::Binary,
        DataType::Dictionary(_, values) => plain_type(values, format),
        DataType::List(item) => DataType::List(inner(item)),
        DataType::LargeList(item) => DataType::LargeList(inner(item)),
        DataType::FixedSizeList(item, size) => DataType::FixedSizeList(inner(item), *size),
        DataType::Struct(fields) => DataType::Struct(fields.iter().map(inner).collect::<Fields>()),
        // Text formats show instants to the microsecond, the contract's unit.
        DataType::Timestamp(_, zone) if format != OutputFormat::Arrow => {
            DataType::Timestamp(TimeUnit::Microsecond, zone.clone())
        }
        other => other.clone(),
    }
}

fn csv_bytes(batch: &RecordBatch, header: bool) -> Result<Vec<u8>, ArrowError> {
    let mut bytes = Vec::new();
    let mut writer = csv::WriterBuilder::new().with_header(header).build(&mut bytes);
    // CSV has no nested values: they are written as JSON text.
    writer.write(&flat(batch)?)?;
    drop(writer);
    Ok(bytes)
}

fn flat(batch: &RecordBatch) -> Result<RecordBatch, ArrowError> {
    if !batch
        .schema()
        .fields()
        .iter()
        .any(|field| field.data_type().is_nested() || is_binary(field.data_type()))
    {
        return Ok(batch.clone());
    }
    let mut fields = Vec::new();
    let mut columns: Vec<ArrayRef> = Vec::new();
    for (field, column) in batch.schema().fields().iter().zip(batch.columns()) {
        if field.data_type().is_nested() || is_binary(field.data_type()) {
            let texts = cells(field, column)?;
            fields.push(Field::new(field.name(), DataType::Utf8, true));
            columns.push(Arc::new(datafusion::arrow::array::StringArray::from_iter(texts)));
        } else {
            fields.push(field.as_ref().clone());
            columns.push(Arc::clone(column));
        }
    }
    RecordBatch::try_new(Arc::new(Schema::new(fields)), columns)
}

fn is_binary(data_type: &DataType) -> bool {
    matches!(data_type, DataType::Binary | DataType::FixedSizeBinary(_))
}

fn ndjson_bytes(batch: &RecordBatch) -> Result<Vec<u8>, ArrowError> {
    let mut bytes = Vec::new();
    let mut writer = WriterBuilder::new()
        .with_explicit_nulls(true)
        .build::<_, LineDelimited>(&mut bytes);
    writer.write(&safe_numbers(batch)?)?;
    writer.finish()?;
    drop(writer);
    Ok(bytes)
}

/// Decimals become strings: a JSON reader would round them.
fn safe_numbers(batch: &RecordBatch) -> Result<RecordBatch, ArrowError> {
    let mut fields = Vec::new();
    let mut columns = Vec::new();
    for (field, column) in batch.schema().fields().iter().zip(batch.columns()) {
        let exact = matches!(field.data_type(), DataType::Decimal128(..) | DataType::Decimal256(..))
            || (matches!(field.data_type(), DataType::Int64 | DataType::UInt64) && beyond_double(column));
        let data_type = if exact {
            DataType::Utf8
        } else {
            field.data_type().clone()
        };
        columns.push(if exact {
            cast(column, &DataType::Utf8)?
        } else {
            Arc::clone(column)
        });
        fields.push(Field::new(field.name(), data_type, field.is_nullable()));
    }
    let rows = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
    RecordBatch::try_new_with_options(Arc::new(Schema::new(fields)), columns, &rows)
}

/// Whether a batch has an integer that a double cannot hold. Its column is then written as strings.
fn beyond_double(column: &ArrayRef) -> bool {
    use datafusion::arrow::datatypes::{Int64Type, UInt64Type};
    const SAFE: u64 = (1 << 53) - 1;
    match column.data_type() {
        DataType::Int64 => column
            .as_primitive::<Int64Type>()
            .iter()
            .flatten()
            .any(|value| value.unsigned_abs() > SAFE),
        DataType::UInt64 => column
            .as_primitive::<UInt64Type>()
            .iter()
            .flatten()
            .any(|value| value > SAFE),
        _ => false,
    }
}

fn json_head(schema: &Schema) -> Result<Vec<u8>, ArrowError> {
    let columns: Vec<serde_json::Value> = schema
        .fields()
        .iter()
        .map(|field| {
            serde_json::json!({
                "name": field.name(), "type": type_name(field.data_type()), "nullable": field.is_nullable(),
            })
        })
        .collect();
    let columns = serde_json::to_string(&columns).map_err(|error| ArrowError::JsonError(error.to_string()))?;
    Ok(format!("{{\"columns\":{columns},\"rows\":[").into_bytes())
}

/// Rows as arrays: names may repeat, and are said once.
fn json_bytes(schema: &Schema, batch: &RecordBatch, first: bool) -> Result<Vec<u8>, ArrowError> {
    let mut columns = Vec::with_capacity(batch.num_columns());
    let safe = safe_numbers(batch)?;
    for (field, column) in safe.schema().fields().iter().zip(safe.columns()) {
        columns.push(cells(field, column)?);
    }
    let mut bytes = if first { json_head(schema)? } else { Vec::new() };
    let mut text = String::new();
    for row in 0..batch.num_rows() {
        let _ = write!(text, "{}\n[", if first && row == 0 { "" } else { "," });
        for (index, column) in columns.iter().enumerate() {
            let comma = if index > 0 { "," } else { "" };
            let cell = column.get(row).and_then(Option::as_deref).unwrap_or("null");
            let _ = write!(text, "{comma}{cell}");
        }
        text.push(']');
    }
    bytes.extend_from_slice(text.as_bytes());
    Ok(bytes)
}

/// A column's values as JSON texts; `None` is NULL. arrow-json writes a value a line, under an empty name.
fn cells(field: &Field, column: &ArrayRef) -> Result<Vec<Option<String>>, ArrowError> {
    const BEFORE: &str = "{\"\":";
    let schema = Arc::new(Schema::new(vec![Field::new("", field.data_type().clone(), true)]));
    let batch = RecordBatch::try_new(schema, vec![Arc::clone(column)])?;
    let mut bytes = Vec::new();
    let mut writer = WriterBuilder::new()
        .with_explicit_nulls(true)
        .build::<_, LineDelimited>(&mut bytes);
    writer.write(&batch)?;
    writer.finish()?;
    drop(writer);
    let text = String::from_utf8(bytes).map_err(|error| ArrowError::JsonError(error.to_string()))?;
    let cell = |line: &str| {
        let value = line
            .strip_prefix(BEFORE)
            .and_then(|rest| rest.strip_suffix('}'))
            .unwrap_or("null");
        (value != "null").then(|| value.to_string())
    };
    Ok(text.lines().map(cell).collect())
}
