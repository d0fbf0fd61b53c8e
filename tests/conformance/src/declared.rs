//! Tables as a contract can declare them.

use std::sync::Arc;

use ambit_protocol::Column;
use datafusion::arrow::array::{ArrayRef, RecordBatch, RecordBatchOptions};
use datafusion::arrow::compute::{CastOptions, cast_with_options, concat_batches};
use datafusion::arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};

use crate::Fault;

/// A table's rows in the types of a contract.
#[derive(Clone)]
pub(crate) struct Declared {
    pub columns: Vec<Column>,
    pub rows: RecordBatch,
    /// Columns of types that no contract has. They are not there.
    pub left_out: Vec<String>,
}

impl Declared {
    pub(crate) fn new(schema: &SchemaRef, batches: &[RecordBatch]) -> Result<Self, Fault> {
        let rows = concat_batches(schema, batches)?;
        let (mut columns, mut fields, mut arrays, mut left_out) = (vec![], vec![], Vec::<ArrayRef>::new(), vec![]);
        let exactly = CastOptions {
            safe: false,
            ..CastOptions::default()
        };
        for (field, array) in schema.fields().iter().zip(rows.columns()) {
            let Some((name, kind)) = contract_type(field.data_type()) else {
                left_out.push(format!("column type {}", field.data_type()));
                continue;
            };
            arrays.push(cast_with_options(array, &kind, &exactly)?);
            fields.push(Field::new(field.name(), kind, field.is_nullable()));
            columns.push(Column {
                name: field.name().clone(),
                data_type: name,
                nullable: field.is_nullable(),
            });
        }
        let options = RecordBatchOptions::new().with_row_count(Some(rows.num_rows()));
        let rows = RecordBatch::try_new_with_options(Arc::new(Schema::new(fields)), arrays, &options)?;
        Ok(Self {
            columns,
            rows,
            left_out,
        })
    }
}

/// The contract's type that holds every value of this one (of timestamps, down to the microsecond), and its Arrow type.
fn contract_type(kind: &DataType) -> Option<(String, DataType)> {
    let (name, arrow) = match kind {
        DataType::Boolean => ("boolean", DataType::Boolean),
        DataType::Int8 => ("tinyint", DataType::Int8),
        DataType::Int16 | DataType::UInt8 => ("smallint", DataType::Int16),
        DataType::Int32 | DataType::UInt16 => ("int", DataType::Int32),
        DataType::Int64 | DataType::UInt32 => ("bigint", DataType::Int64),
        DataType::UInt64 => ("decimal(20, 0)", DataType::Decimal128(20, 0)),
        DataType::Float16 | DataType::Float32 => ("real", DataType::Float32),
        DataType::Float64 => ("double", DataType::Float64),
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => ("string", DataType::Utf8View),
        DataType::Binary | DataType::LargeBinary | DataType::BinaryView | DataType::FixedSizeBinary(_) => {
            ("binary", DataType::BinaryView)
        }
        DataType::Date32 => ("date", DataType::Date32),
        DataType::Time32(_) | DataType::Time64(_) => ("time", DataType::Time64(TimeUnit::Microsecond)),
        DataType::Date64 | DataType::Timestamp(_, None) => {
            ("timestamp", DataType::Timestamp(TimeUnit::Microsecond, None))
        }
        DataType::Timestamp(_, Some(_)) => (
            "timestamptz",
            DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
        ),
        DataType::Decimal32(precision, scale)
        | DataType::Decimal64(precision, scale)
        | DataType::Decimal128(precision, scale)
            if *scale >= 0 =>
        {
            return Some((
                format!("decimal({precision}, {scale})"),
                DataType::Decimal128(*precision, *scale),
            ));
        }
        DataType::Dictionary(_, values) => return contract_type(values),
        DataType::List(item) | DataType::LargeList(item) | DataType::FixedSizeList(item, _) => {
            let (name, arrow) = contract_type(item.data_type())?;
            return Some((format!("list<{name}>"), DataType::new_list(arrow, true)));
        }
        DataType::Struct(fields) => {
            let mut names = vec![];
            let mut inner = vec![];
            for field in fields {
                let plain = |c: char| c.is_alphanumeric() || c == '_';
                if field.name().is_empty() || !field.name().chars().all(plain) {
                    return None;
                }
                let (name, arrow) = contract_type(field.data_type())?;
                names.push(format!("{}: {name}", field.name()));
                inner.push(Field::new(field.name(), arrow, true));
            }
            return Some((format!("struct<{}>", names.join(", ")), DataType::Struct(inner.into())));
        }
        _ => return None,
    };
    Some((name.into(), arrow))
}
