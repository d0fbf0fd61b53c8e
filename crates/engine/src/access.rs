//! Every request to a store, as the outcome carries it.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::{Mutex, PoisonError};

use ambit_protocol::SourceAccess;

/// The requests of one session.
#[derive(Debug, Default)]
pub(crate) struct AccessLog(Mutex<BTreeMap<(String, String), SourceAccess>>);

/// One request.
pub(crate) struct Access<'a> {
    pub store: &'a str,
    pub credential: Option<&'a str>,
    pub object: &'a str,
    /// What was read.
    pub ranges: &'a [Range<u64>],
    pub size: Option<u64>,
    pub version: Option<&'a str>,
    pub failed: bool,
    /// More of a request that is recorded already.
    pub more: bool,
}

impl AccessLog {
    pub(crate) fn record(&self, access: &Access<'_>) {
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
