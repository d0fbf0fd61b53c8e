//! Batches without a hidden byte. Arrow buffers carry more than their rows: a dictionary's unused values, the strings
//! that other rows' views point to, what lies before and after a slice, what a NULL covers. Rebuilding an array from
//! its own slots leaves all of that behind.

use datafusion::arrow::array::{
    Array, ArrayRef, BinaryViewArray, MutableArrayData, RecordBatch, RecordBatchOptions, StringViewArray, make_array,
};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::DataType;
use datafusion::arrow::error::ArrowError;

/// The same rows and columns, in buffers that hold nothing else.
pub(crate) fn compact(batch: RecordBatch) -> Result<RecordBatch, ArrowError> {
    let columns: Result<Vec<ArrayRef>, ArrowError> = batch.columns().iter().map(compact_array).collect();
    let rows = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
    RecordBatch::try_new_with_options(batch.schema(), columns?, &rows)
}

fn compact_array(array: &ArrayRef) -> Result<ArrayRef, ArrowError> {
    if tight(array) {
        return Ok(ArrayRef::clone(array));
    }
    match array.data_type() {
        // `gc` copies what the valid views point to, and only that.
        DataType::Utf8View => {
            let views = array.as_any().downcast_ref::<StringViewArray>();
            views.map_or_else(|| Ok(ArrayRef::clone(array)), |views| rebuilt_view(&views.gc()))
        }
        DataType::BinaryView => {
            let views = array.as_any().downcast_ref::<BinaryViewArray>();
            views.map_or_else(|| Ok(ArrayRef::clone(array)), |views| rebuilt_view(&views.gc()))
        }
        // Unpacked and packed again: only values that rows have are left.
        DataType::Dictionary(_, values) => {
            let plain = compact_array(&cast(array, values)?)?;
            cast(&plain, array.data_type())
        }
        data_type if holds_views(data_type) => compact_nested(array),
        _ => rebuilt(array),
    }
}

/// Primitive arrays without NULLs that use their whole buffer: the common case, and nothing to do.
fn tight(array: &ArrayRef) -> bool {
    if array.null_count() > 0 || !array.data_type().is_primitive() {
        return false;
    }
    let data = array.to_data();
    let width = array.data_type().primitive_width().unwrap_or_default();
    data.offset() == 0
        && data
            .buffers()
            .first()
            .is_some_and(|buffer| buffer.len() == width * array.len() && alone(buffer))
}

/// Whether the buffer is all of its allocation that can be reached from it.
fn alone(buffer: &datafusion::arrow::buffer::Buffer) -> bool {
    buffer.ptr_offset() == 0
}

/// Copies slot by slot; under a NULL it writes zeros.
fn rebuilt(array: &ArrayRef) -> Result<ArrayRef, ArrowError> {
    let data = array.to_data();
    let mut copy = MutableArrayData::new(vec![&data], true, array.len());
    let mut start = 0;
    while start < array.len() {
        let null = array.is_null(start);
        let mut end = start + 1;
        while end < array.len() && array.is_null(end) == null {
            end += 1;
        }
        if null {
            copy.try_extend_nulls(end - start)?
        } else {
            copy.try_extend(0, start, end)?
        }
        start = end;
    }
    Ok(make_array(copy.freeze()))
}

/// Views of up to 12 bytes hold their string in themselves: under a NULL they are zeroed too.
fn rebuilt_view<T: Array + Clone + 'static>(views: &T) -> Result<ArrayRef, ArrowError> {
    let array: ArrayRef = std::sync::Arc::new(views.clone());
    if array.null_count() == 0 {
        Ok(array)
    } else {
        rebuilt(&array)
    }
}

fn holds_views(data_type: &DataType) -> bool {
    match data_type {
        DataType::Utf8View | DataType::BinaryView | DataType::Dictionary(..) => true,
        DataType::List(field)
        | DataType::LargeList(field)
        | DataType::ListView(field)
        | DataType::LargeListView(field)
        | DataType::FixedSizeList(field, _)
        | DataType::Map(field, _)
        | DataType::RunEndEncoded(_, field) => holds_views(field.data_type()),
        DataType::Struct(fields) => fields.iter().any(|field| holds_views(field.data_type())),
        DataType::Union(fields, _) => fields.iter().any(|(_, field)| holds_views(field.data_type())),
        _ => false,
    }
}

/// First the slots, so that children hold only what their parents' rows have, then the children.
fn compact_nested(array: &ArrayRef) -> Result<ArrayRef, ArrowError> {
    let data = rebuilt(array)?.to_data();
    let children: Result<Vec<_>, ArrowError> = data
        .child_data()
        .iter()
        .map(|child| compact_array(&make_array(child.clone())).map(|child| child.to_data()))
        .collect();
    Ok(make_array(data.into_builder().child_data(children?).build()?))
}
