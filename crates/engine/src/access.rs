//! Every request to a store, as the outcome carries it.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};

use ambit_protocol::SourceAccess;
use object_store::ObjectMeta;

/// The requests of one session.
#[derive(Debug, Default)]
pub(crate) struct AccessLog(Mutex<BTreeMap<(String, String), SourceAccess>>);

/// A store that tells its session's record what it is asked.
#[derive(Debug)]
pub(crate) struct Recorder {
    pub log: Arc<AccessLog>,
    pub store: String,
    pub credential: Option<String>,
}

impl Recorder {
    pub(crate) fn request(&self, object: &str, ranges: &[Range<u64>], meta: Option<&ObjectMeta>, failed: bool) {
        self.log.record(&self.access(object, ranges, meta, failed));
    }

    /// More of a request that is recorded already.
    pub(crate) fn more(&self, object: &str, ranges: &[Range<u64>], meta: &ObjectMeta, failed: bool) {
        self.log.record(&Access {
            more: true,
            ..self.access(object, ranges, Some(meta), failed)
        });
    }

    fn access<'a>(
        &'a self,
        object: &'a str,
        ranges: &'a [Range<u64>],
        meta: Option<&'a ObjectMeta>,
        failed: bool,
    ) -> Access<'a> {
        Access {
            store: &self.store,
            credential: self.credential.as_deref(),
            object,
            ranges,
            size: meta.map(|meta| meta.size),
            version: meta.and_then(|meta| meta.e_tag.as_deref()),
            failed,
            more: false,
        }
    }
}

/// One request.
struct Access<'a> {
    store: &'a str,
    credential: Option<&'a str>,
    object: &'a str,
    /// What was read.
    ranges: &'a [Range<u64>],
    size: Option<u64>,
    version: Option<&'a str>,
    failed: bool,
    /// More of a request that is recorded already.
    more: bool,
}

impl AccessLog {
    fn record(&self, access: &Access<'_>) {
        let mut objects = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (access.store.to_string(), access.object.to_string());
        let entry = objects.entry(key).or_insert_with(|| SourceAccess {
            store: access.store.to_string(),
            credential: access.credential.map(ToString::to_string),
            object: access.object.to_string(),
            requests: 0,
            bytes: 0,
            ranges: vec![],
            size: None,
            version: None,
            failures: 0,
        });
        entry.requests += u64::from(!access.more);
        entry.failures += u64::from(access.failed);
        for range in access.ranges.iter().filter(|range| range.start < range.end) {
            entry.bytes += range.end - range.start;
            match entry.ranges.last_mut() {
                // A file that is read from its start to its end is one range all the while.
                Some(last) if last.1 == range.start => last.1 = range.end,
                _ => entry.ranges.push((range.start, range.end)),
            }
        }
        if access.size.is_some() {
            entry.size = access.size;
        }
        if let Some(version) = access.version {
            entry.version = Some(version.to_string());
        }
    }

    /// An entry an object, its ranges merged and sorted.
    pub(crate) fn accesses(&self) -> Vec<SourceAccess> {
        let objects = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        objects
            .values()
            .cloned()
            .map(|access| SourceAccess {
                ranges: merged(access.ranges),
                ..access
            })
            .collect()
    }
}

fn merged(mut ranges: Vec<(u64, u64)>) -> Vec<(u64, u64)> {
    ranges.sort_unstable();
    let mut merged: Vec<(u64, u64)> = Vec::with_capacity(ranges.len());
    for (start, end) in ranges {
        match merged.last_mut() {
            Some(last) if start <= last.1 => last.1 = last.1.max(end),
            _ => merged.push((start, end)),
        }
    }
    merged
}
