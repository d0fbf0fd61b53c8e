//! Batches without a hidden byte. Arrow buffers carry more than their rows: a dictionary's unused values, the strings
//! that other rows' views point to, what lies before and after a slice, what a NULL covers at any level. An array that
//! may hold such a thing is copied from its own slots; one that cannot is passed on as it is.

use std::sync::Arc;

use datafusion::arrow::array::{
    Array, ArrayRef, ArrowPrimitiveType, AsArray, BooleanArray, ByteView, DictionaryArray, GenericByteArray,
    GenericByteViewArray, GenericByteViewBuilder, MAX_INLINE_VIEW_LEN, MutableArrayData, PrimitiveArray, RecordBatch,
    RecordBatchOptions, RunArray, make_array,
};
use datafusion::arrow::buffer::{BooleanBuffer, NullBuffer, OffsetBuffer};
use datafusion::arrow::compute::filter;
use datafusion::arrow::datatypes::{
    ArrowDictionaryKeyType, ArrowNativeType, ArrowNativeTypeOp, BinaryType, BinaryViewType, ByteArrayType,
    ByteViewType, DataType, Int16Type, Int32Type, Int64Type, LargeBinaryType, LargeUtf8Type, RunEndIndexType,
    StringViewType, UnionMode, Utf8Type,
};
use datafusion::arrow::error::ArrowError;
use datafusion::arrow::{downcast_dictionary_array, downcast_primitive_array};

/// Strings that many rows share are copied for each row up to this, in bytes; beyond it they stay shared.
const SHARED_BYTES: usize = 4 * 1024 * 1024;

/// The same rows and columns, in buffers that hold nothing else where the column, by its position, could hide something.
pub(crate) fn compact(batch: RecordBatch, hides: impl Fn(usize) -> bool) -> Result<RecordBatch, ArrowError> {
    let compacted = |(column, array): (usize, &ArrayRef)| {
        // A NULL covers what nobody was meant to see, wherever it stands.
        if hides(column) || array.null_count() > 0 || array.data_type().is_nested() {
            compact_array(array)
        } else {
            Ok(ArrayRef::clone(array))
        }
    };
    let columns: Result<Vec<ArrayRef>, ArrowError> = batch.columns().iter().enumerate().map(compacted).collect();
    let rows = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
    RecordBatch::try_new_with_options(batch.schema(), columns?, &rows)
}

/// First the array's own slots, so that what is beneath holds only what these slots have, then what is beneath.
fn compact_array(array: &ArrayRef) -> Result<ArrayRef, ArrowError> {
    let array = if snug(array) {
        ArrayRef::clone(array)
    } else {
        rebuilt(array)?
    };
    match array.data_type() {
        DataType::Utf8View => gathered::<StringViewType>(&array),
        DataType::BinaryView => gathered::<BinaryViewType>(&array),
        DataType::Dictionary(..) => {
            let packed: &dyn Array = &array;
            downcast_dictionary_array!(packed => dictionary(packed), _ => Ok(array))
        }
        // Arrow calls run ends nested only when their values are.
        data_type if data_type.is_nested() || matches!(data_type, DataType::RunEndEncoded(..)) => beneath(array),
        _ => Ok(array),
    }
}

/// Whether the array's own buffers hold its slots and nothing else. Children, dictionary values and what views point
/// to are looked at later.
fn snug(array: &ArrayRef) -> bool {
    if !array.nulls().is_none_or(|nulls| exact(nulls.inner())) {
        return false;
    }
    match array.data_type() {
        DataType::Boolean => snug_bits(array.as_boolean()),
        DataType::Utf8 => snug_bytes(array.as_bytes::<Utf8Type>()),
        DataType::LargeUtf8 => snug_bytes(array.as_bytes::<LargeUtf8Type>()),
        DataType::Binary => snug_bytes(array.as_bytes::<BinaryType>()),
        DataType::LargeBinary => snug_bytes(array.as_bytes::<LargeBinaryType>()),
        DataType::Utf8View => blank(array.nulls(), array.as_byte_view::<StringViewType>().views(), |view| {
            *view == 0
        }),
        DataType::BinaryView => blank(array.nulls(), array.as_byte_view::<BinaryViewType>().views(), |view| {
            *view == 0
        }),
        DataType::Dictionary(..) => {
            let keys = array.as_any_dictionary().keys();
            downcast_primitive_array!(keys => snug_values(keys), _ => false)
        }
        DataType::List(_) => snug_offsets(
            array.nulls(),
            array.as_list::<i32>().offsets(),
            array.as_list::<i32>().values().len(),
        ),
        DataType::LargeList(_) => snug_offsets(
            array.nulls(),
            array.as_list::<i64>().offsets(),
            array.as_list::<i64>().values().len(),
        ),
        DataType::Map(..) => snug_offsets(array.nulls(), array.as_map().offsets(), array.as_map().entries().len()),
        // What lies beneath a NULL here is in the children.
        DataType::Struct(_) | DataType::FixedSizeList(..) => array.null_count() == 0,
        DataType::RunEndEncoded(..) => snug_runs(array),
        DataType::Null => true,
        _ => downcast_primitive_array!(array => snug_values(array), _ => false),
    }
}

/// Whether bits start at the first and all after the last are zero.
fn exact(bits: &BooleanBuffer) -> bool {
    let rest = bits.len() % 8;
    let mut tail = bits.values().iter().skip(bits.len() / 8);
    bits.offset() == 0 && (rest == 0 || tail.next().is_none_or(|last| last >> rest == 0)) && tail.all(|byte| *byte == 0)
}

/// Whether every NULL slot holds nothing.
fn blank<V>(nulls: Option<&NullBuffer>, values: &[V], nothing: impl Fn(&V) -> bool) -> bool {
    let Some(nulls) = nulls.filter(|nulls| nulls.null_count() > 0) else {
        return true;
    };
    let covered = !nulls.inner();
    covered
        .set_indices()
        .all(|index| values.get(index).is_none_or(&nothing))
}

fn snug_values<T: ArrowPrimitiveType>(array: &PrimitiveArray<T>) -> bool {
    blank(array.nulls(), array.values(), |value| value.is_eq(T::Native::ZERO))
}

fn snug_bits(array: &BooleanArray) -> bool {
    exact(array.values())
        && array
            .nulls()
            .is_none_or(|nulls| (array.values() & &!nulls.inner()).count_set_bits() == 0)
}

fn snug_bytes<T: ByteArrayType>(array: &GenericByteArray<T>) -> bool {
    snug_offsets(array.nulls(), array.offsets(), array.values().len())
}

fn snug_offsets<O: ArrowNativeType>(nulls: Option<&NullBuffer>, offsets: &OffsetBuffer<O>, end: usize) -> bool {
    let at = |offset: Option<&O>| offset.map_or(0, |offset| offset.as_usize());
    if at(offsets.first()) != 0 || at(offsets.last()) != end {
        return false;
    }
    let Some(nulls) = nulls.filter(|nulls| nulls.null_count() > 0) else {
        return true;
    };
    let covered = !nulls.inner();
    covered
        .set_indices()
        .all(|index| offsets.get(index) == offsets.get(index + 1))
}

fn snug_runs(array: &ArrayRef) -> bool {
    fn whole<R: RunEndIndexType>(array: &RunArray<R>) -> bool {
        let ends = array.run_ends();
        let last = ends.values().last().map_or(0, |end| end.as_usize());
        ends.offset() == 0 && last == ends.len() && ends.values().len() == array.values().len()
    }
    array.as_run_opt::<Int16Type>().is_some_and(whole)
        || array.as_run_opt::<Int32Type>().is_some_and(whole)
        || array.as_run_opt::<Int64Type>().is_some_and(whole)
}

/// Copied slot by slot, with nothing in NULL ones.
fn rebuilt(array: &ArrayRef) -> Result<ArrayRef, ArrowError> {
    if let Some(bits) = array.as_boolean_opt() {
        return Ok(Arc::new(copied_bits(bits)));
    }
    let array: &dyn Array = array;
    downcast_primitive_array!(
        array => Ok(Arc::new(copied_values(array))),
        _ => copied(array, array.nulls().map(NullBuffer::inner))
    )
}

fn copied_values<T: ArrowPrimitiveType>(array: &PrimitiveArray<T>) -> PrimitiveArray<T> {
    let Some(nulls) = array.nulls().filter(|nulls| nulls.null_count() > 0) else {
        return PrimitiveArray::new(array.values().clone(), None).with_data_type(array.data_type().clone());
    };
    let values: Vec<T::Native> = array
        .values()
        .iter()
        .zip(nulls.iter())
        .map(|(value, valid)| if valid { *value } else { T::Native::ZERO })
        .collect();
    PrimitiveArray::new(values.into(), Some(copied_nulls(nulls))).with_data_type(array.data_type().clone())
}

fn copied_bits(array: &BooleanArray) -> BooleanArray {
    let values = BooleanBuffer::collect_bool(array.len(), |index| array.is_valid(index) && array.value(index));
    BooleanArray::new(
        values,
        array.nulls().filter(|nulls| nulls.null_count() > 0).map(copied_nulls),
    )
}

fn copied_nulls(nulls: &NullBuffer) -> NullBuffer {
    NullBuffer::new(BooleanBuffer::collect_bool(nulls.len(), |index| nulls.is_valid(index)))
}

/// The slots that `kept` says, NULL in place of the others.
fn copied(array: &dyn Array, kept: Option<&BooleanBuffer>) -> Result<ArrayRef, ArrowError> {
    let data = array.to_data();
    let mut copy = MutableArrayData::new(vec![&data], true, array.len());
    let Some(kept) = kept else {
        copy.try_extend(0, 0, array.len())?;
        return Ok(make_array(copy.freeze()));
    };
    let mut done = 0;
    for (start, end) in kept.set_slices() {
        copy.try_extend_nulls(start - done)?;
        copy.try_extend(0, start, end)?;
        done = end;
    }
    copy.try_extend_nulls(array.len() - done)?;
    Ok(make_array(copy.freeze()))
}

/// The array with its children compacted; itself, if they were so already.
fn beneath(array: ArrayRef) -> Result<ArrayRef, ArrowError> {
    let data = array.to_data();
    let mut children = Vec::with_capacity(data.child_data().len());
    for (index, child) in data.child_data().iter().enumerate() {
        let child = make_array(child.clone());
        children.push(compact_array(&chosen(&array, index, child)?)?.to_data());
    }
    if children
        .iter()
        .zip(data.child_data())
        .all(|(after, before)| after.ptr_eq(before))
    {
        return Ok(array);
    }
    Ok(make_array(data.into_builder().child_data(children).build()?))
}

/// A child of a sparse union has a slot for every row, of which only those of its own type are shown.
fn chosen(parent: &ArrayRef, index: usize, child: ArrayRef) -> Result<ArrayRef, ArrowError> {
    let DataType::Union(fields, UnionMode::Sparse) = parent.data_type() else {
        return Ok(child);
    };
    let id = fields.iter().nth(index).map(|(id, _)| id);
    let kept = parent.as_union().type_ids().iter().map(|of| Some(*of) == id).collect();
    copied(&child, Some(&kept))
}

/// Only the values that rows have. Keys of NULL slots are zero by now, and so tell nothing.
fn dictionary<K: ArrowDictionaryKeyType>(array: &DictionaryArray<K>) -> Result<ArrayRef, ArrowError> {
    let used = array.occupancy();
    if used.count_set_bits() == used.len() {
        let values = compact_array(array.values())?;
        let same = values.to_data().ptr_eq(&array.values().to_data());
        let kept = if same { array.clone() } else { array.with_values(values) };
        return Ok(Arc::new(kept));
    }
    let mut moved = vec![K::Native::ZERO; used.len()];
    for (new, old) in used.set_indices().enumerate() {
        if let (Some(slot), Some(new)) = (moved.get_mut(old), K::Native::from_usize(new)) {
            *slot = new;
        }
    }
    let keys = array.keys();
    let keys = keys.unary::<_, K>(|key| moved.get(key.as_usize()).copied().unwrap_or(K::Native::ZERO));
    let values = filter(array.values(), &BooleanArray::new(used, None))?;
    // The key under a NULL may have moved.
    let keys = copied_values(&keys);
    Ok(Arc::new(DictionaryArray::try_new(keys, compact_array(&values)?)?))
}

/// What the views point to, and only that. Views of NULL slots are zero by now: `gc` alone would copy what they point to.
fn gathered<T: ByteViewType>(array: &ArrayRef) -> Result<ArrayRef, ArrowError> {
    let views = array.as_byte_view::<T>();
    let held: usize = views.data_buffers().iter().map(|buffer| buffer.len()).sum();
    // Short strings lie in the views themselves.
    if held == 0 {
        return Ok(Arc::new(views.gc()));
    }
    let used = views.total_buffer_bytes_used();
    if used == held && in_order(views) {
        return Ok(ArrayRef::clone(array));
    }
    if used > held.max(SHARED_BYTES) {
        shared(array, views)
    } else {
        Ok(Arc::new(views.gc()))
    }
}

fn long(view: u128) -> Option<ByteView> {
    let view = ByteView::from(view);
    (view.length > MAX_INLINE_VIEW_LEN).then_some(view)
}

/// Whether views that are as long together as their buffers point into these one after the other: then to every byte.
fn in_order<T: ByteViewType>(array: &GenericByteViewArray<T>) -> bool {
    let buffers = array.data_buffers();
    let (mut at, mut offset) = (0_usize, 0_usize);
    for view in array.views().iter().filter_map(|view| long(*view)) {
        if buffers.get(at).is_some_and(|buffer| buffer.len() == offset) {
            (at, offset) = (at + 1, 0);
        }
        if (view.buffer_index as usize, view.offset as usize) != (at, offset) {
            return false;
        }
        offset += view.length as usize;
    }
    true
}

/// Bytes to which several views point are kept once: copied for each, a batch could outgrow the machine.
fn shared<T: ByteViewType>(array: &ArrayRef, views: &GenericByteViewArray<T>) -> Result<ArrayRef, ArrowError> {
    let mut shown: Vec<(u32, u32, u32)> = views
        .views()
        .iter()
        .filter_map(|view| long(*view))
        .map(|view| (view.buffer_index, view.offset, view.offset.saturating_add(view.length)))
        .collect();
    shown.sort_unstable();
    shown.dedup_by(|next, last| {
        let joins = next.0 == last.0 && next.1 <= last.2;
        if joins {
            last.2 = last.2.max(next.2);
        }
        joins
    });
    let kept: usize = shown.iter().map(|(_, start, end)| (end - start) as usize).sum();
    if kept == views.data_buffers().iter().map(|buffer| buffer.len()).sum::<usize>() {
        return Ok(ArrayRef::clone(array));
    }
    let broken = || ArrowError::ComputeError("a view points outside its buffers".into());
    let mut builder = GenericByteViewBuilder::<T>::with_capacity(views.len());
    for range in &shown {
        let buffer = views.data_buffers().get(range.0 as usize).ok_or_else(broken)?;
        let bytes = buffer.get(range.1 as usize..range.2 as usize).ok_or_else(broken)?;
        builder.append_block(bytes.to_vec().into());
    }
    for (index, view) in views.views().iter().enumerate() {
        match long(*view) {
            _ if views.is_null(index) => builder.append_null(),
            None => builder.append_value(views.value(index)),
            Some(view) => {
                let after = shown.partition_point(|range| (range.0, range.1) <= (view.buffer_index, view.offset));
                let block = after.checked_sub(1).ok_or_else(broken)?;
                let start = shown.get(block).ok_or_else(broken)?.1;
                let block = u32::try_from(block).map_err(|_| broken())?;
                builder.try_append_view(block, view.offset - start, view.length)?;
            }
        }
    }
    Ok(Arc::new(builder.finish()))
}
