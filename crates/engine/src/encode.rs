//! Batches as bytes of a result, counted against the session's limits. A value's form never depends on the rows that
//! it travels with. Rows are batched anew, always as many: how they came tells where rows lay that a policy hides.
//!
//! | | JSON, NDJSON | CSV |
//! |---|---|---|
//! | `bigint` | a number up to 2^53 - 1 either way, else a string: readers would round it | digits |
//! | `decimal` | a string | digits |
//! | NaN, infinities | `"NaN"`, `"Infinity"`, `"-Infinity"` | `NaN`, `inf`, `-inf` |
//! | `binary` | base64 | base64 |
//! | dates, times | ISO 8601 | ISO 8601 |
//! | lists, structs | arrays, objects | JSON text |
//! | NULL | `null` | nothing, like an empty string |

use std::sync::Arc;

use ambit_protocol::OutputFormat;
use bytes::Bytes;
use datafusion::arrow::array::{Array, ArrayRef, AsArray, RecordBatch, RecordBatchOptions, StringArray};
use datafusion::arrow::compute::{BatchCoalescer, cast};
use datafusion::arrow::csv;
use datafusion::arrow::csv::writer::Terminator;
use datafusion::arrow::datatypes::{DataType, Field, FieldRef, Fields, Int64Type, Schema, SchemaRef, TimeUnit};
use datafusion::arrow::error::ArrowError;
use datafusion::arrow::ipc::writer::{IpcWriteOptions, StreamWriter};
use datafusion::arrow::json::writer::{NullableEncoder, make_encoder};

use crate::compact::compact;
use crate::json_values::EXACT;
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

/// What a result may hold, and how many of its rows are written at once.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sizes {
    pub rows: u64,
    pub bytes: u64,
    pub batch_rows: usize,
}

/// A batch of a result; its end has no rows.
pub(crate) struct Written {
    pub bytes: Bytes,
    pub rows: u64,
}

/// Writes one result.
pub(crate) struct Encoder {
    sink: Sink,
    /// What is written: views and dictionaries unpacked, since not every reader knows them.
    schema: SchemaRef,
    /// Rows that wait for others.
    waiting: BatchCoalescer,
    sizes: Sizes,
    rows: u64,
    bytes: u64,
    /// Bytes that the rows that wait will take at least.
    waiting_bytes: u64,
}

enum Sink {
    Arrow(Box<StreamWriter<Vec<u8>>>),
    Csv { header: bool },
    Ndjson,
    Json { begun: bool },
}

impl Encoder {
    pub(crate) fn new(format: OutputFormat, schema: &Schema, sizes: Sizes) -> Result<Self, EncodeError> {
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
            waiting: BatchCoalescer::new(Arc::clone(&schema), sizes.batch_rows),
            schema,
            sizes,
            rows: 0,
            bytes: 0,
            waiting_bytes: 0,
        })
    }

    /// What need not wait for more rows, often nothing.
    pub(crate) fn encode(&mut self, batch: &RecordBatch) -> Result<Vec<Written>, EncodeError> {
        self.rows += batch.num_rows() as u64;
        if self.rows > self.sizes.rows {
            return Err(EncodeError::Rows(self.sizes.rows));
        }
        self.waiting_bytes = self.waiting_bytes.saturating_add(least_bytes(batch));
        if self.bytes.saturating_add(self.waiting_bytes) > self.sizes.bytes {
            return Err(EncodeError::Bytes(self.sizes.bytes));
        }
        self.waiting.push_batch(self.plain(batch)?)?;
        let written = self.completed()?;
        if !written.is_empty() {
            let wait = self.waiting.get_buffered_rows();
            self.waiting_bytes = least_bytes(&batch.slice(batch.num_rows() - wait, wait));
        }
        Ok(written)
    }

    /// The rows that still wait, and the end of a whole result. Never called for one that failed.
    pub(crate) fn finish(mut self) -> Result<Vec<Written>, EncodeError> {
        self.waiting.finish_buffered_batch()?;
        let mut written = self.completed()?;
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
        let bytes = self.count(bytes)?;
        written.push(Written { bytes, rows: 0 });
        Ok(written)
    }

    fn completed(&mut self) -> Result<Vec<Written>, EncodeError> {
        let mut written = Vec::new();
        while let Some(batch) = self.waiting.next_completed_batch() {
            let rows = batch.num_rows() as u64;
            let bytes = self.write(batch)?;
            written.push(Written { bytes, rows });
        }
        Ok(written)
    }

    fn write(&mut self, batch: RecordBatch) -> Result<Bytes, EncodeError> {
        let room = self.sizes.bytes - self.bytes;
        let bytes = match &mut self.sink {
            Sink::Arrow(writer) => {
                // Bits past the last row are of others.
                writer.write(&compact(batch, |_| true)?)?;
                std::mem::take(writer.get_mut())
            }
            Sink::Csv { header } => csv_bytes(&batch, std::mem::take(header))?,
            Sink::Ndjson => ndjson_bytes(&batch, room)?,
            Sink::Json { begun } => {
                let first = !std::mem::replace(begun, true);
                json_bytes(&batch, first, room)?
            }
        };
        self.count(bytes)
    }

    fn count(&mut self, bytes: Vec<u8>) -> Result<Bytes, EncodeError> {
        self.bytes += bytes.len() as u64;
        if self.bytes > self.sizes.bytes {
            Err(EncodeError::Bytes(self.sizes.bytes))
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

/// Bytes that strings take at least, in any format. In memory many rows may share one string.
fn least_bytes(batch: &RecordBatch) -> u64 {
    batch.columns().iter().map(least_column_bytes).sum()
}

fn least_column_bytes(column: &ArrayRef) -> u64 {
    let bytes = match column.data_type() {
        DataType::Utf8View => column.as_string_view().total_bytes_len(),
        DataType::BinaryView => column.as_binary_view().total_bytes_len(),
        // A dictionary of NULLs alone may have no value that a key could stand for.
        DataType::Dictionary(..) if column.null_count() < column.len() => {
            let dictionary = column.as_any_dictionary();
            let lengths = datafusion::arrow::compute::kernels::length::length(dictionary.values());
            let lengths = lengths.and_then(|lengths| cast(&lengths, &DataType::Int64));
            let Ok(lengths) = lengths else { return 0 };
            let lengths = lengths.as_primitive::<Int64Type>().clone();
            let keys = dictionary.normalized_keys().into_iter().enumerate();
            let shown = keys.filter(|(row, _)| column.is_valid(*row));
            let length = |key: usize| lengths.values().get(key).copied().unwrap_or_default();
            let bytes = shown.map(|(_, key)| usize::try_from(length(key)).unwrap_or_default());
            bytes.sum()
        }
        _ => 0,
    };
    bytes as u64
}

fn csv_bytes(batch: &RecordBatch, header: bool) -> Result<Vec<u8>, ArrowError> {
    let mut bytes = Vec::new();
    let mut writer = csv::WriterBuilder::new()
        .with_header(header)
        .with_line_terminator(Terminator::CRLF)
        .build(&mut bytes);
    writer.write(&flat(batch)?)?;
    drop(writer);
    Ok(bytes)
}

/// CSV has no binary and no nested values: they become text.
fn flat(batch: &RecordBatch) -> Result<RecordBatch, ArrowError> {
    let schema = batch.schema();
    let binary = |data_type: &DataType| matches!(data_type, DataType::Binary | DataType::FixedSizeBinary(_));
    let needs = |data_type: &DataType| data_type.is_nested() || binary(data_type);
    if !schema.fields().iter().any(|field| needs(field.data_type())) {
        return Ok(batch.clone());
    }
    let mut fields: Vec<FieldRef> = Vec::with_capacity(batch.num_columns());
    let mut columns: Vec<ArrayRef> = Vec::with_capacity(batch.num_columns());
    for (field, column) in schema.fields().iter().zip(batch.columns()) {
        if needs(field.data_type()) {
            let mut texts = texts(field, column)?;
            if binary(field.data_type()) {
                // Base64 needs no quotes of JSON.
                texts
                    .iter_mut()
                    .flatten()
                    .for_each(|text| *text = text.replace('"', ""));
            }
            fields.push(Arc::new(Field::new(field.name(), DataType::Utf8, true)));
            columns.push(Arc::new(StringArray::from_iter(texts)));
        } else {
            fields.push(FieldRef::clone(field));
            columns.push(ArrayRef::clone(column));
        }
    }
    RecordBatch::try_new(Arc::new(Schema::new(fields)), columns)
}

/// A column's values as JSON texts; `None` is NULL.
fn texts(field: &FieldRef, column: &ArrayRef) -> Result<Vec<Option<String>>, ArrowError> {
    let mut encoder = make_encoder(field, column, &EXACT)?;
    let mut cell = Vec::new();
    let mut text = |row: usize| -> Result<Option<String>, ArrowError> {
        if encoder.is_null(row) {
            return Ok(None);
        }
        cell.clear();
        encoder.encode(row, &mut cell);
        let text = std::str::from_utf8(&cell).map_err(|error| ArrowError::JsonError(error.to_string()))?;
        Ok(Some(text.to_string()))
    };
    (0..column.len()).map(&mut text).collect()
}

fn encoders(batch: &RecordBatch) -> Result<Vec<NullableEncoder<'_>>, ArrowError> {
    let columns = batch.schema_ref().fields().iter().zip(batch.columns());
    columns
        .map(|(field, column)| make_encoder(field, column, &EXACT))
        .collect()
}

fn write_cell(encoder: &mut NullableEncoder<'_>, row: usize, bytes: &mut Vec<u8>) {
    if encoder.is_null(row) {
        bytes.extend_from_slice(b"null");
    } else {
        encoder.encode(row, bytes);
    }
}

fn json_text(text: &str) -> Result<Vec<u8>, ArrowError> {
    serde_json::to_vec(text).map_err(|error| ArrowError::JsonError(error.to_string()))
}

/// Stops soon after `room` is used up: what is too long is refused anyway.
fn ndjson_bytes(batch: &RecordBatch, room: u64) -> Result<Vec<u8>, ArrowError> {
    let mut encoders = encoders(batch)?;
    let mut names = Vec::with_capacity(encoders.len());
    for (index, field) in batch.schema_ref().fields().iter().enumerate() {
        let mut name = if index == 0 { b"{".to_vec() } else { b",".to_vec() };
        name.append(&mut json_text(field.name())?);
        name.push(b':');
        names.push(name);
    }
    let mut bytes = Vec::new();
    for row in 0..batch.num_rows() {
        if names.is_empty() {
            bytes.push(b'{');
        }
        for (name, encoder) in names.iter().zip(&mut encoders) {
            bytes.extend_from_slice(name);
            write_cell(encoder, row, &mut bytes);
        }
        bytes.extend_from_slice(b"}\n");
        if bytes.len() as u64 > room {
            break;
        }
    }
    Ok(bytes)
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
fn json_bytes(batch: &RecordBatch, first: bool, room: u64) -> Result<Vec<u8>, ArrowError> {
    let mut encoders = encoders(batch)?;
    let mut bytes = if first {
        json_head(batch.schema_ref())?
    } else {
        Vec::new()
    };
    for row in 0..batch.num_rows() {
        bytes.extend_from_slice(if first && row == 0 { b"\n[" } else { b",\n[" });
        for (index, encoder) in encoders.iter_mut().enumerate() {
            if index > 0 {
                bytes.push(b',');
            }
            write_cell(encoder, row, &mut bytes);
        }
        bytes.push(b']');
        if bytes.len() as u64 > room {
            break;
        }
    }
    Ok(bytes)
}
