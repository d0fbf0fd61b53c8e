//! What leaves a barrier holds no byte of a row that is not in it.

use std::sync::Arc;

use datafusion::arrow::array::{
    Array, ArrayData, ArrayRef, AsArray, BooleanArray, DictionaryArray, Int64Array, RecordBatch, RecordBatchOptions,
    StringArray, StringViewArray, StructArray, make_array,
};
use datafusion::arrow::buffer::NullBuffer;
use datafusion::arrow::compute::{filter_record_batch, nullif};
use datafusion::arrow::datatypes::{DataType, Field, Fields, Int8Type, Int32Type, Schema};
use datafusion::arrow::ipc::writer::StreamWriter;

use super::arrays::{self, Kind, LEAVES, Random, TRIPWIRE};
use super::compact::compact;

fn batch(column: ArrayRef) -> RecordBatch {
    let field = Field::new("c", column.data_type().clone(), true);
    RecordBatch::try_new(Arc::new(Schema::new(vec![field])), vec![column]).unwrap()
}

fn compacted(column: ArrayRef) -> ArrayRef {
    compact(batch(column), |_| true).unwrap().column(0).clone()
}

fn trips(bytes: &[u8]) -> bool {
    bytes.windows(TRIPWIRE.len()).any(|window| window == TRIPWIRE)
}

/// The name of a buffer that holds a tripwire.
fn tripped(data: &ArrayData) -> Option<String> {
    let found = data.buffers().iter().position(|buffer| trips(buffer));
    found
        .map(|index| format!("buffer {index} of {}", data.data_type()))
        .or_else(|| data.child_data().iter().find_map(tripped))
}

fn ipc(batch: &RecordBatch) -> Vec<u8> {
    let mut writer = StreamWriter::try_new(Vec::new(), &batch.schema()).unwrap();
    writer.write(batch).unwrap();
    writer.into_inner().unwrap()
}

/// Same rows, and no tripwire, neither in memory nor on the wire.
fn holds(column: &ArrayRef, context: &str) {
    let before = batch(column.clone());
    let after = compact(before.clone(), |_| true).unwrap_or_else(|error| panic!("{context}: {error}"));
    after
        .column(0)
        .to_data()
        .validate_full()
        .unwrap_or_else(|error| panic!("{context}: {error}"));
    assert_eq!(before.schema(), after.schema(), "{context}");
    // Rows are compared as text: unions and run ends have no equality of their own.
    let text = |batch: &RecordBatch| {
        datafusion::arrow::util::pretty::pretty_format_batches(std::slice::from_ref(batch)).map(|text| text.to_string())
    };
    assert_eq!(text(&before).unwrap(), text(&after).unwrap(), "{context}");
    assert_eq!(tripped(&after.column(0).to_data()), None, "{context}");
    assert!(!trips(&ipc(&after)), "{context}: on the wire");
}

#[test]
fn generated_arrays_of_every_type_are_tight() {
    for seed in 0..3_000 {
        let random = &mut Random::new(seed);
        let kind = arrays::kind(random, seed as usize % 4);
        let shown = random.below(20);
        let (slots, from) = arrays::rows(random, shown);
        let column = arrays::array(random, &kind, &slots).slice(from, shown);
        holds(&column, &format!("seed {seed}, {kind:?}"));
    }
}

#[test]
fn the_generator_plants_tripwires_in_every_type() {
    let nested = [
        Kind::List(Box::new(Kind::Text)),
        Kind::Struct(vec![Kind::TextView]),
        Kind::SparseUnion(vec![Kind::Text, Kind::Text]),
    ];
    let scannable = LEAVES.into_iter().filter(|kind| !matches!(kind, Kind::Boolean));
    for kind in scannable.chain(nested) {
        let planted = (0..20).any(|seed| {
            let random = &mut Random::new(seed);
            let (slots, _) = arrays::rows(random, 10);
            tripped(&arrays::array(random, &kind, &slots).to_data()).is_some()
        });
        assert!(planted, "{kind:?}");
    }
}

#[test]
fn a_filter_leaves_no_dictionary_value_behind() {
    let names: Vec<String> = (0..50)
        .map(|row| {
            if row < 5 {
                format!("shown {row}")
            } else {
                format!("^^^^ {row}")
            }
        })
        .collect();
    let column: DictionaryArray<Int32Type> = names.iter().map(String::as_str).collect();
    let keep = BooleanArray::from((0..50).map(|row| row < 5).collect::<Vec<_>>());
    let filtered = filter_record_batch(&batch(Arc::new(column)), &keep).unwrap();
    assert!(
        tripped(&filtered.column(0).to_data()).is_some(),
        "the filter keeps every value"
    );
    holds(filtered.column(0), "filtered dictionary");
}

#[test]
fn a_mask_to_null_leaves_no_long_string_behind() {
    let column = StringViewArray::from(vec![
        "^^^^ a string too long for a view",
        "shown, and just as long as that",
    ]);
    let masked = nullif(&column, &BooleanArray::from(vec![true, false])).unwrap();
    assert!(tripped(&masked.to_data()).is_some(), "nullif keeps the bytes");
    holds(&masked, "masked view");
}

#[test]
fn a_mask_to_null_leaves_no_value_in_a_struct_behind() {
    let numbers = Int64Array::from(vec![i64::from_ne_bytes(*b"^^^^^^^^"), 7]);
    let masked = nullif(&numbers, &BooleanArray::from(vec![true, false])).unwrap();
    let fields = Fields::from(vec![Field::new("n", DataType::Int64, true)]);
    holds(
        &(Arc::new(StructArray::new(fields, vec![masked], None)) as ArrayRef),
        "number in a struct",
    );
}

#[test]
fn a_covered_dictionary_key_does_not_tell_which_shown_value_it_hides() {
    let keys = Int64Array::from(vec![0, 1, 1]);
    let masked = nullif(&keys, &BooleanArray::from(vec![false, false, true])).unwrap();
    let keys = masked.as_primitive().clone();
    let values: ArrayRef = Arc::new(StringArray::from(vec!["alice", "bob"]));
    let column: ArrayRef = Arc::new(DictionaryArray::<datafusion::arrow::datatypes::Int64Type>::new(
        keys, values,
    ));
    let after = compacted(column);
    let keys = after
        .as_dictionary::<datafusion::arrow::datatypes::Int64Type>()
        .keys()
        .clone();
    assert!(keys.is_null(2));
    assert_eq!(keys.values()[2], 0, "the row hides bob");
}

#[test]
fn bits_of_hidden_booleans_are_gone() {
    let values: Vec<bool> = (0..40).map(|row| !(10..13).contains(&row)).collect();
    let covered = NullBuffer::from((0..40).map(|row| row != 14).collect::<Vec<_>>());
    let column = BooleanArray::new(values.into(), Some(covered)).slice(10, 5);
    let after = compacted(Arc::new(column));
    // Rows 10 to 14: false, false, false, true, NULL.
    let data = after.to_data();
    assert_eq!(data.offset(), 0);
    assert_eq!(data.buffers()[0].as_slice(), [0b0_1000]);
    assert_eq!(data.nulls().unwrap().validity(), [0b0_1111]);
}

#[test]
fn bits_of_hidden_rows_are_gone_where_nothing_is_null() {
    let values: Vec<bool> = (0..40).map(|row| row % 3 > 0).collect();
    for (start, rows, bits) in [(0, 3, 0b110), (8, 3, 0b101), (9, 2, 0b10)] {
        let column = BooleanArray::from(values.clone()).slice(start, rows);
        let data = compacted(Arc::new(column)).to_data();
        assert_eq!(
            (data.offset(), data.buffers()[0].as_slice()),
            (0, &[bits][..]),
            "from {start}"
        );
    }
}

#[test]
fn validity_of_hidden_rows_is_gone_where_null_holds_nothing() {
    let column = Int64Array::from_iter((0..64).map(|row| (row % 2 == 0).then_some(1))).slice(0, 3);
    let after = compacted(Arc::new(column)).to_data();
    assert_eq!(after.nulls().unwrap().validity(), [0b101]);
}

#[test]
fn validity_of_hidden_rows_is_gone() {
    let valid: Vec<bool> = (0..64).map(|row| row % 2 == 0).collect();
    let column = Int64Array::new(vec![1; 64].into(), Some(NullBuffer::from(valid))).slice(0, 3);
    let after = compacted(Arc::new(column)).to_data();
    assert_eq!(after.nulls().unwrap().validity(), [0b101]);
}

#[test]
fn a_small_dictionary_keeps_its_key_type() {
    let names: Vec<String> = (0..128).map(|value| format!("v{value}")).collect();
    let column: DictionaryArray<Int8Type> = names.iter().map(String::as_str).collect();
    let after = compacted(Arc::new(column.clone()));
    assert_eq!(after.data_type(), column.data_type());
    assert_eq!(after.as_dictionary::<Int8Type>().keys().len(), 128);
}

#[test]
fn a_dictionary_of_structs_is_compacted() {
    let fields = Fields::from(vec![Field::new("s", DataType::Utf8, true)]);
    let texts: ArrayRef = Arc::new(StringArray::from(vec!["shown", "^^^^ hidden"]));
    let values: ArrayRef = Arc::new(StructArray::new(fields, vec![texts], None));
    let keys = datafusion::arrow::array::Int32Array::from(vec![0, 0, 0]);
    let after = compacted(Arc::new(DictionaryArray::new(keys, values)));
    assert_eq!(tripped(&after.to_data()), None);
}

/// Many rows may share the bytes of one long string: copied for each row, a batch of a few kilobytes would take
/// gigabytes that no pool counts.
#[test]
fn shared_strings_stay_shared() {
    let long = "x".repeat(1 << 20);
    let mut builder = datafusion::arrow::array::StringViewBuilder::new();
    let block = builder.append_block(long.as_bytes().into());
    for _ in 0..2_000 {
        builder.try_append_view(block, 0, 1 << 20).unwrap();
    }
    let after = compacted(Arc::new(builder.finish()));
    assert!(
        after.get_buffer_memory_size() < 16 << 20,
        "{} bytes",
        after.get_buffer_memory_size()
    );
    assert_eq!(after.as_string_view().value(1_999), long);
}

#[test]
fn nothing_is_copied_when_nothing_is_hidden() {
    let numbers: ArrayRef = Arc::new(Int64Array::from_iter_values(0..1000));
    let texts: ArrayRef = Arc::new(StringArray::from_iter_values((0..1000).map(|row| format!("row {row}"))));
    let views: ArrayRef = compacted(Arc::new(StringViewArray::from_iter_values(
        (0..1000).map(|row| format!("a string longer than twelve bytes {row}")),
    )));
    for column in [numbers, texts, views] {
        let after = compacted(column.clone());
        for (before, after) in column.to_data().buffers().iter().zip(after.to_data().buffers()) {
            assert_eq!(before.as_ptr(), after.as_ptr(), "{}", column.data_type());
        }
    }
}

#[test]
fn batches_without_columns_or_rows_keep_their_count() {
    let rows = RecordBatchOptions::new().with_row_count(Some(7));
    let none = RecordBatch::try_new_with_options(Arc::new(Schema::empty()), vec![], &rows).unwrap();
    assert_eq!(compact(none, |_| true).unwrap().num_rows(), 7);
    let random = &mut Random::new(1);
    for kind in LEAVES {
        let (slots, _) = arrays::rows(random, 4);
        let empty = arrays::array(random, &kind, &slots).slice(2, 0);
        assert_eq!(compacted(empty).len(), 0, "{kind:?}");
    }
    let nothing: ArrayRef = make_array(ArrayData::new_null(&DataType::Null, 3));
    assert_eq!(compacted(nothing).len(), 3);
}
