//! The columns of JSON, as its first objects have them: it says nothing of them but in its rows.
//!
//! Whether a value is one of the declared type is up to the reader that sessions use: it reads the objects here too. What a
//! value is, is told by its kind alone.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::Arc;

use ambit_protocol::{Drift, DriftKind};
use datafusion::arrow::datatypes::{Field, Schema, SchemaRef};
use datafusion::arrow::json::ReaderBuilder;
use datafusion::common::Result;
use serde_json::value::RawValue;
use serde_json::{Deserializer, Error};

use super::columns::drift;
use super::told;
use crate::declared::unlike;

/// Of a source this much is read, each of its files as far as any other.
const SOURCE_BYTES: u64 = 16 * 1024 * 1024;
/// Of one file not more than this.
const FILE_BYTES_MAX: u64 = 1024 * 1024;
/// Keys that are not declared and told, of a source. Where keys are values, each object has others.
const APPEARED_MAX: usize = 100;

/// The first objects of a source's files.
pub(super) struct Sample<'a> {
    declared: &'a Schema,
    bytes: u64,
    objects: usize,
    /// Declared columns that an object had.
    seen: HashSet<String>,
    appeared: HashSet<String>,
}

/// What one file has under a key.
#[derive(Default)]
struct Key {
    kinds: BTreeSet<&'static str>,
    fraction: bool,
}

impl<'a> Sample<'a> {
    pub(super) fn new(declared: &'a Schema, files: usize) -> Self {
        Self {
            declared,
            bytes: (SOURCE_BYTES / files.max(1) as u64).min(FILE_BYTES_MAX),
            objects: 0,
            seen: HashSet::new(),
            appeared: HashSet::new(),
        }
    }

    /// How much of each file is read.
    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// How the objects of one file differ. A column that may be NULL is not missed in one file.
    pub(super) fn file(&mut self, objects: &[&str], place: &str) -> Result<Vec<Drift>> {
        let keys = keys(objects)?;
        self.objects += objects.len();
        let mut all = Vec::new();
        let declared = self.declared.fields().iter();
        let (found, missing): (Vec<_>, Vec<_>) = declared.partition(|field| keys.contains_key(field.name()));
        self.seen.extend(found.iter().map(|field| field.name().clone()));
        for field in missing {
            if !field.is_nullable() && !objects.is_empty() {
                all.push(vanished(field, place));
            }
        }
        let text = objects.join("\n");
        let columns = Schema::new(found.iter().copied().cloned().collect::<Vec<_>>());
        let all_fit = found.is_empty() || fit(&text, Arc::new(columns));
        let mut retyped = false;
        for field in &found {
            let Some(key) = keys.get(field.name()) else { continue };
            let Some(kind) = unfit(&text, field, key, all_fit) else {
                continue;
            };
            retyped = true;
            all.push(Drift {
                declared: Some(told(&field.data_type().to_string())),
                found: Some(kind),
                ..drift(DriftKind::Retyped, field.name(), place)
            });
        }
        if !all_fit && !retyped {
            return Err(unlike("its reader does not take it".into()));
        }
        // Without a declared column it is not known what the keys are.
        if !found.is_empty() {
            for name in keys.keys().filter(|name| self.declared.field_with_name(name).is_err()) {
                if self.appeared.len() < APPEARED_MAX && self.appeared.insert(name.clone()) {
                    all.push(drift(DriftKind::Appeared, name, place));
                }
            }
        }
        Ok(all)
    }

    /// Columns that may be NULL and are in no object of any file. An object without one has NULL there, so a policy on it
    /// would go on over NULLs where the column has another name now.
    pub(super) fn vanished(&self, source: &str) -> Vec<Drift> {
        let columns = self.declared.fields().iter();
        columns
            .filter(|field| self.objects > 0 && field.is_nullable() && !self.seen.contains(field.name()))
            .map(|field| vanished(field, source))
            .collect()
    }
}

fn vanished(field: &Field, object: &str) -> Drift {
    Drift {
        declared: Some(told(&field.data_type().to_string())),
        ..drift(DriftKind::Vanished, field.name(), object)
    }
}

/// The objects at the beginning of a file; `whole`: all of it is here.
pub(super) fn objects(head: &[u8], whole: bool, array: bool) -> Result<Vec<&str>> {
    let mut found = Vec::new();
    let mut rest = head;
    if array {
        rest = begun(rest.trim_ascii_start(), b'[', whole)?;
    }
    loop {
        rest = rest.trim_ascii_start();
        let ended = array && found.is_empty() && rest.first() == Some(&b']');
        if rest.is_empty() || ended {
            break;
        }
        let mut values = Deserializer::from_slice(rest).into_iter::<&RawValue>();
        match values.next() {
            Some(Ok(value)) => found.push(value.get()),
            Some(Err(error)) if error.is_eof() && !whole => return Ok(found),
            Some(Err(_)) => return Err(unlike("it is not JSON".into())),
            None => break,
        }
        rest = rest.get(values.byte_offset()..).unwrap_or_default();
        if array {
            rest = rest.trim_ascii_start();
            if rest.first() == Some(&b']') {
                break;
            }
            rest = begun(rest, b',', whole)?;
        }
    }
    if array && whole && rest.trim_ascii() != b"]" {
        return Err(unlike("it is not one array of objects".into()));
    }
    Ok(found)
}

/// What follows this sign.
fn begun(rest: &[u8], sign: u8, whole: bool) -> Result<&[u8]> {
    match rest.split_first() {
        Some((first, rest)) if *first == sign => Ok(rest),
        None if !whole => Ok(rest),
        _ => Err(unlike("it is not one array of objects".into())),
    }
}

fn keys(objects: &[&str]) -> Result<BTreeMap<String, Key>> {
    let mut keys: BTreeMap<String, Key> = BTreeMap::new();
    for object in objects {
        let members: Result<BTreeMap<String, &RawValue>, Error> = serde_json::from_str(object);
        // What serde_json says of it quotes the value.
        for (name, value) in members.map_err(|_| unlike("it holds something that is not an object".into()))? {
            let key = keys.entry(name).or_default();
            key.kinds.insert(kind(value.get()));
            key.fraction |= value.get().parse().is_ok_and(|number: f64| number.fract() != 0.0);
        }
    }
    Ok(keys)
}

fn kind(value: &str) -> &'static str {
    match value.as_bytes().first() {
        Some(b'{') => "object",
        Some(b'[') => "list",
        Some(b'"') => "string",
        Some(b't' | b'f') => "boolean",
        Some(b'n') => "null",
        _ => "number",
    }
}

/// What the values of a column are, if one is none of its type. `all_fit`: the reader takes those of all columns.
fn unfit(text: &str, field: &Field, key: &Key, all_fit: bool) -> Option<String> {
    // The reader would cut it off.
    if key.fraction && field.data_type().is_integer() {
        return Some("fraction".into());
    }
    let alone = |field: Field| fit(text, Arc::new(Schema::new(vec![field])));
    if all_fit || alone(field.clone()) {
        return None;
    }
    if alone(field.clone().with_nullable(true)) {
        return Some("null".into());
    }
    let kinds = key.kinds.iter().copied().filter(|kind| *kind != "null");
    Some(kinds.collect::<Vec<_>>().join(" or "))
}

/// Whether the reader takes these columns.
fn fit(text: &str, columns: SchemaRef) -> bool {
    let reader = ReaderBuilder::new(columns).build(text.as_bytes());
    reader.is_ok_and(|mut rows| rows.all(|batch| batch.is_ok()))
}
