//! Arrays of any type with bytes in them that no row shows: before and after a slice, under NULLs of every level, in
//! unused dictionary values, in views' buffers, in unselected union children.

use std::sync::Arc;

use datafusion::arrow::array::{
    Array, ArrayData, ArrayRef, BinaryArray, BooleanArray, DictionaryArray, FixedSizeBinaryArray, FixedSizeListArray,
    Int32Array, LargeListArray, ListArray, ListViewArray, MapArray, PrimitiveArray, RunArray, StringArray,
    StringViewArray, StructArray, UnionArray, make_array,
};
use datafusion::arrow::buffer::{BooleanBuffer, NullBuffer, OffsetBuffer, ScalarBuffer};
use datafusion::arrow::datatypes::{
    DataType, Decimal128Type, Field, Fields, Float64Type, Int32Type, Int64Type, TimestampMicrosecondType, UnionFields,
};

/// In every hidden value, and in no visible one.
pub const TRIPWIRE: &[u8] = b"^^^";
const HIDDEN_TEXT: &str = "^^^^^^^^";
const HIDDEN_BYTE: u8 = b'^';

/// A small generator that always says the same for a seed.
pub struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    pub fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from((self.0 >> 11) % bound as u64).unwrap()
    }

    pub fn chance(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }
}

/// What a slot of an array is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Slot {
    Shown,
    /// NULL, with a hidden value under it.
    Covered,
    /// Not part of any row of the result: hidden whether NULL or not.
    Outside,
}

impl Slot {
    fn shown(self) -> bool {
        self == Self::Shown
    }
}

#[derive(Debug, Clone)]
pub enum Kind {
    Boolean,
    Bigint,
    Double,
    Decimal,
    Timestamp,
    Text,
    Bytes,
    TextView,
    FixedBytes,
    Dictionary,
    DictionaryOfViews,
    RunEnds,
    List(Box<Kind>),
    LargeList(Box<Kind>),
    ListView(Box<Kind>),
    FixedList(Box<Kind>),
    Map(Box<Kind>),
    Struct(Vec<Kind>),
    SparseUnion(Vec<Kind>),
    DenseUnion(Vec<Kind>),
}

pub const LEAVES: [Kind; 12] = [
    Kind::Boolean,
    Kind::Bigint,
    Kind::Double,
    Kind::Decimal,
    Kind::Timestamp,
    Kind::Text,
    Kind::Bytes,
    Kind::TextView,
    Kind::FixedBytes,
    Kind::Dictionary,
    Kind::DictionaryOfViews,
    Kind::RunEnds,
];

pub fn kind(random: &mut Random, depth: usize) -> Kind {
    let leaf = |random: &mut Random| LEAVES[random.below(LEAVES.len())].clone();
    if depth == 0 {
        return leaf(random);
    }
    let inner = |random: &mut Random| Box::new(kind(random, depth - 1));
    match random.below(9) {
        0 => Kind::List(inner(random)),
        1 => Kind::LargeList(inner(random)),
        2 => Kind::ListView(inner(random)),
        3 => Kind::FixedList(inner(random)),
        4 => Kind::Map(inner(random)),
        5 => Kind::Struct(vec![kind(random, depth - 1), kind(random, depth - 1)]),
        6 => Kind::SparseUnion(vec![kind(random, depth - 1), kind(random, depth - 1)]),
        7 => Kind::DenseUnion(vec![kind(random, depth - 1), kind(random, depth - 1)]),
        _ => leaf(random),
    }
}

/// Rows of which the middle ones are the result's, some of them NULL over a hidden value.
pub fn rows(random: &mut Random, shown: usize) -> (Vec<Slot>, usize) {
    let before = random.below(12);
    let after = random.below(12);
    let mut slots = vec![Slot::Outside; before];
    let nulls = [0, 0, 30, 100][random.below(4)];
    slots.extend((0..shown).map(|_| {
        if random.chance(nulls) {
            Slot::Covered
        } else {
            Slot::Shown
        }
    }));
    slots.extend(vec![Slot::Outside; after]);
    (slots, before)
}

fn validity(random: &mut Random, slots: &[Slot]) -> Option<NullBuffer> {
    let valid: Vec<bool> = slots
        .iter()
        .map(|slot| match slot {
            Slot::Shown => true,
            Slot::Covered => false,
            Slot::Outside => random.chance(70),
        })
        .collect();
    valid.iter().any(|valid| !valid).then(|| NullBuffer::from(valid))
}

/// What is in a parent's slot: parts of a shown one may themselves be covered.
fn part(random: &mut Random, parent: Slot) -> Slot {
    match parent {
        Slot::Shown if random.chance(25) => Slot::Covered,
        Slot::Shown => Slot::Shown,
        Slot::Covered | Slot::Outside => Slot::Outside,
    }
}

fn text(random: &mut Random, slot: Slot) -> String {
    let length = random.below(30);
    if slot.shown() {
        "x".repeat(length)
    } else {
        HIDDEN_TEXT.repeat(1 + length / 8)
    }
}

fn number(random: &mut Random, slot: Slot) -> i64 {
    if slot.shown() {
        i64::try_from(random.below(1000)).unwrap()
    } else {
        i64::from_ne_bytes([HIDDEN_BYTE; 8])
    }
}

fn covered(array: impl Array, nulls: Option<NullBuffer>) -> ArrayRef {
    // Only the validity changes, as in `nullif`: the values stay where they are.
    let data: ArrayData = array.to_data().into_builder().nulls(nulls).build().unwrap();
    make_array(data)
}

/// An array with these slots.
pub fn array(random: &mut Random, kind: &Kind, slots: &[Slot]) -> ArrayRef {
    let nulls = validity(random, slots);
    match kind {
        Kind::Boolean => {
            let values: Vec<bool> = slots.iter().map(|_| random.chance(50)).collect();
            Arc::new(BooleanArray::new(BooleanBuffer::from(values), nulls))
        }
        Kind::Bigint => {
            let values: Vec<i64> = slots.iter().map(|slot| number(random, *slot)).collect();
            Arc::new(PrimitiveArray::<Int64Type>::new(values.into(), nulls))
        }
        Kind::Double => {
            let bits = slots.iter().map(|slot| number(random, *slot));
            let values: Vec<f64> = bits.map(|bits| f64::from_bits(bits.cast_unsigned())).collect();
            Arc::new(PrimitiveArray::<Float64Type>::new(values.into(), nulls))
        }
        Kind::Decimal => {
            let values: Vec<i128> = slots.iter().map(|slot| i128::from(number(random, *slot))).collect();
            Arc::new(PrimitiveArray::<Decimal128Type>::new(values.into(), nulls))
        }
        Kind::Timestamp => {
            let values: Vec<i64> = slots.iter().map(|slot| number(random, *slot)).collect();
            Arc::new(PrimitiveArray::<TimestampMicrosecondType>::new(values.into(), nulls).with_timezone("UTC"))
        }
        Kind::Text => covered(StringArray::from_iter_values(texts(random, slots)), nulls),
        Kind::Bytes => covered(BinaryArray::from_iter_values(texts(random, slots)), nulls),
        Kind::TextView => covered(StringViewArray::from_iter_values(texts(random, slots)), nulls),
        Kind::FixedBytes => {
            let values = slots
                .iter()
                .map(|slot| [if slot.shown() { b'x' } else { HIDDEN_BYTE }; 7]);
            covered(FixedSizeBinaryArray::try_from_iter(values).unwrap(), nulls)
        }
        Kind::Dictionary => {
            let values = StringArray::from(vec!["x", "^^^^^^", "^^^^ a longer hidden value", "xx"]);
            Arc::new(DictionaryArray::<Int32Type>::new(
                keys(random, slots, nulls),
                Arc::new(values),
            ))
        }
        Kind::DictionaryOfViews => {
            let values = StringViewArray::from(vec!["x", "^^^^^^", "^^^^ a longer hidden value", "xx"]);
            Arc::new(DictionaryArray::<Int32Type>::new(
                keys(random, slots, nulls),
                Arc::new(values),
            ))
        }
        Kind::RunEnds => runs(random, slots),
        _ => nested(random, kind, slots, nulls),
    }
}

fn texts(random: &mut Random, slots: &[Slot]) -> Vec<String> {
    slots.iter().map(|slot| text(random, *slot)).collect()
}

fn keys(random: &mut Random, slots: &[Slot], nulls: Option<NullBuffer>) -> Int32Array {
    let keys: Vec<i32> = slots
        .iter()
        .map(|slot| {
            if slot.shown() {
                [0, 3][random.below(2)]
            } else {
                [1, 2][random.below(2)]
            }
        })
        .collect();
    Int32Array::new(keys.into(), nulls)
}

/// A run a slot; a covered run's value is NULL over a hidden one.
fn runs(random: &mut Random, slots: &[Slot]) -> ArrayRef {
    let ends: Vec<i32> = (1..=i32::try_from(slots.len()).unwrap()).collect();
    let nulls = validity(random, slots);
    let values = covered(StringArray::from_iter_values(texts(random, slots)), nulls);
    Arc::new(RunArray::<Int32Type>::try_new(&ends.into(), &values).unwrap())
}

fn nested(random: &mut Random, kind: &Kind, slots: &[Slot], nulls: Option<NullBuffer>) -> ArrayRef {
    match kind {
        Kind::List(inner) => {
            let (offsets, items) = items(random, slots);
            let values = array(random, inner, &items);
            let field = Arc::new(Field::new_list_field(values.data_type().clone(), true));
            Arc::new(ListArray::new(field, OffsetBuffer::new(offsets.into()), values, nulls))
        }
        Kind::LargeList(inner) => {
            let (offsets, items) = items(random, slots);
            let offsets: Vec<i64> = offsets.into_iter().map(i64::from).collect();
            let values = array(random, inner, &items);
            let field = Arc::new(Field::new_list_field(values.data_type().clone(), true));
            Arc::new(LargeListArray::new(
                field,
                OffsetBuffer::new(offsets.into()),
                values,
                nulls,
            ))
        }
        Kind::ListView(inner) => {
            let (offsets, items) = items(random, slots);
            let sizes: ScalarBuffer<i32> = offsets.windows(2).map(|pair| pair[1] - pair[0]).collect();
            let starts: ScalarBuffer<i32> = offsets[..slots.len()].to_vec().into();
            let values = array(random, inner, &items);
            let field = Arc::new(Field::new_list_field(values.data_type().clone(), true));
            Arc::new(ListViewArray::new(field, starts, sizes, values, nulls))
        }
        Kind::FixedList(inner) => {
            let items: Vec<Slot> = slots
                .iter()
                .flat_map(|slot| [part(random, *slot), part(random, *slot)])
                .collect();
            let values = array(random, inner, &items);
            let field = Arc::new(Field::new_list_field(values.data_type().clone(), true));
            Arc::new(FixedSizeListArray::new(field, 2, values, nulls))
        }
        Kind::Map(inner) => {
            let (offsets, items) = items(random, slots);
            // A key cannot be NULL, so it is hidden only where its row is.
            let keys: Vec<Slot> = items
                .iter()
                .map(|slot| {
                    if *slot == Slot::Outside {
                        Slot::Outside
                    } else {
                        Slot::Shown
                    }
                })
                .collect();
            let keys: ArrayRef = Arc::new(StringArray::from_iter_values(texts(random, &keys)));
            let values = array(random, inner, &items);
            let fields = Fields::from(vec![
                Field::new("keys", DataType::Utf8, false),
                Field::new("values", values.data_type().clone(), true),
            ]);
            let entries = StructArray::new(fields.clone(), vec![keys, values], None);
            let field = Arc::new(Field::new("entries", DataType::Struct(fields), false));
            Arc::new(MapArray::new(
                field,
                OffsetBuffer::new(offsets.into()),
                entries,
                nulls,
                false,
            ))
        }
        Kind::Struct(inner) => {
            let columns: Vec<ArrayRef> = inner
                .iter()
                .map(|inner| {
                    let parts: Vec<Slot> = slots.iter().map(|slot| part(random, *slot)).collect();
                    array(random, inner, &parts)
                })
                .collect();
            let fields: Fields = columns
                .iter()
                .enumerate()
                .map(|(index, column)| Field::new(format!("f{index}"), column.data_type().clone(), true))
                .collect();
            Arc::new(StructArray::new(fields, columns, nulls))
        }
        Kind::SparseUnion(inner) => union(random, inner, slots, false),
        Kind::DenseUnion(inner) => union(random, inner, slots, true),
        _ => unreachable!("not nested"),
    }
}

/// Offsets of each parent's items, and the items. Covered parents have items too.
fn items(random: &mut Random, slots: &[Slot]) -> (Vec<i32>, Vec<Slot>) {
    let mut offsets = vec![0];
    let mut items = Vec::new();
    for slot in slots {
        let count = random.below(4);
        items.extend((0..count).map(|_| part(random, *slot)));
        offsets.push(i32::try_from(items.len()).unwrap());
    }
    // Items past the last row.
    items.extend([Slot::Outside, Slot::Outside]);
    (offsets, items)
}

/// A union has no validity: a covered row is one whose selected child is covered.
fn union(random: &mut Random, inner: &[Kind], slots: &[Slot], dense: bool) -> ArrayRef {
    let ids: Vec<i8> = slots
        .iter()
        .map(|_| i8::try_from(random.below(inner.len())).unwrap())
        .collect();
    let mut children: Vec<Vec<Slot>> = vec![Vec::new(); inner.len()];
    let mut offsets = Vec::new();
    for (slot, id) in slots.iter().zip(&ids) {
        for (child, items) in children.iter_mut().enumerate() {
            if child == usize::try_from(*id).unwrap() {
                offsets.push(i32::try_from(items.len()).unwrap());
                items.push(*slot);
            } else if !dense {
                items.push(Slot::Outside);
            }
        }
    }
    let columns: Vec<ArrayRef> = inner
        .iter()
        .zip(&children)
        .map(|(inner, slots)| array(random, inner, slots))
        .collect();
    let fields: UnionFields = columns
        .iter()
        .enumerate()
        .map(|(index, column)| {
            let field = Field::new(format!("u{index}"), column.data_type().clone(), true);
            (i8::try_from(index).unwrap(), Arc::new(field))
        })
        .collect();
    let offsets = dense.then(|| offsets.into());
    Arc::new(UnionArray::try_new(fields, ids.into(), offsets, columns).unwrap())
}
