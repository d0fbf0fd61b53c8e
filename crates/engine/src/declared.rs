//! Files held against the schema that their contract declares.

use std::sync::{Arc, LazyLock};

use ambit_protocol::EngineErrorCode;
use datafusion::arrow::datatypes::{DataType, Schema, SchemaRef, TimeUnit};
use datafusion::common::Result;
use datafusion::physical_expr_adapter::{
    DefaultPhysicalExprAdapterFactory, PhysicalExprAdapter, PhysicalExprAdapterFactory,
};

use crate::error::Fault;

/// Holds every file against the declared schema: DataFusion would fill a missing column with NULL, and cast what it can.
#[derive(Debug)]
pub(crate) struct AsDeclared;

static DEFAULT_ADAPTER: LazyLock<DefaultPhysicalExprAdapterFactory> =
    LazyLock::new(|| DefaultPhysicalExprAdapterFactory);

impl PhysicalExprAdapterFactory for AsDeclared {
    fn create(&self, declared: SchemaRef, found: SchemaRef) -> Result<Arc<dyn PhysicalExprAdapter>> {
        hold(&declared, &found)?;
        DEFAULT_ADAPTER.create(declared, found)
    }
}

pub(crate) fn hold(declared: &Schema, found: &Schema) -> Result<()> {
    for field in declared.fields() {
        let Ok(column) = found.field_with_name(field.name()) else {
            return Err(unlike(format!("a file has no column `{}`", field.name())));
        };
        if !keeps_values(column.data_type(), field.data_type()) {
            return Err(unlike(format!(
                "column `{}` is `{}` in a file and `{}` in the contract",
                field.name(),
                column.data_type(),
                field.data_type()
            )));
        }
    }
    Ok(())
}

pub(crate) fn unlike(detail: String) -> datafusion::common::DataFusionError {
    Fault::new(
        EngineErrorCode::SourceFailed,
        "a source is not as its contract declares it",
    )
    .hint("the product's owner finds the reason in the evidence of this session")
    .detail(detail)
    .into()
}

/// Casts that keep every value, and nanoseconds to the contract's microseconds.
pub(crate) fn keeps_values(found: &DataType, declared: &DataType) -> bool {
    use DataType::{
        Binary, BinaryView, Date32, Decimal128, Dictionary, FixedSizeBinary, Float32, Float64, Int8, Int16, Int32,
        Int64, LargeBinary, LargeList, LargeUtf8, List, Struct, Time32, Time64, Timestamp, UInt8, UInt16, UInt32, Utf8,
        Utf8View,
    };
    if found == declared {
        return true;
    }
    match (found, declared) {
        (Dictionary(_, values), _) => keeps_values(values, declared),
        (Utf8 | LargeUtf8 | Utf8View, Utf8View)
        | (Binary | LargeBinary | BinaryView | FixedSizeBinary(_), BinaryView)
        | (Int8, Int16 | Int32 | Int64)
        | (Int16, Int32 | Int64)
        | (Int32, Int64)
        | (UInt8, Int16 | Int32 | Int64)
        | (UInt16, Int32 | Int64)
        | (UInt32, Int64)
        | (Int8 | Int16 | Float32, Float32 | Float64)
        | (Int32, Float64)
        | (Date32, Timestamp(TimeUnit::Microsecond, None))
        | (Time32(_) | Time64(_), Time64(TimeUnit::Microsecond)) => true,
        (Timestamp(_, None), Timestamp(_, None)) | (Timestamp(_, Some(_)), Timestamp(_, Some(_))) => true,
        (Decimal128(from, scale), Decimal128(to, kept)) => scale == kept && from <= to,
        (List(from) | LargeList(from), List(to)) => keeps_values(from.data_type(), to.data_type()),
        (Struct(from), Struct(to)) => to.iter().all(|field| {
            from.iter()
                .any(|other| other.name() == field.name() && keeps_values(other.data_type(), field.data_type()))
        }),
        _ => false,
    }
}
