//! A local store: it walks beneath its root one name at a time and follows no symbolic link; whatever is not a regular
//! file does not exist for it.

use std::collections::HashMap;
use std::io;
use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use cap_fs_ext::DirExt;
use cap_std::fs::Dir;
use datafusion::common::runtime::SpawnedTask;
use futures::stream::{self, BoxStream, StreamExt};
use object_store::path::Path;
use object_store::{Attributes, Error, GetOptions, GetResult, GetResultPayload, ObjectMeta, Result};

use crate::access::{AccessLog, Recorder};
use crate::beneath::{STORE, changed, describe, failed, open_folder, plain, read_all, walk};

// Read at once from a file.
const CHUNK_BYTES: u64 = 1024 * 1024;
/// Objects of one listing.
pub(crate) const LISTED_MAX: usize = 100_000;

/// A folder as one session has it: its own record of requests, and of the versions it has seen.
#[derive(Debug)]
pub(crate) struct LocalStore {
    root: Arc<Dir>,
    mount: String,
    recorder: Recorder,
    seen: Mutex<HashMap<String, String>>,
}

impl LocalStore {
    pub(crate) fn new(root: Arc<Dir>, mount: &str, log: Arc<AccessLog>, name: &str) -> Self {
        Self {
            root,
            mount: mount.to_string(),
            recorder: Recorder {
                log,
                store: name.to_string(),
                credential: None,
            },
            seen: Mutex::default(),
        }
    }

    pub(crate) fn mount(&self) -> &str {
        &self.mount
    }

    pub(crate) async fn get(self: Arc<Self>, key: String, location: Path, options: GetOptions) -> Result<GetResult> {
        let store = self;
        blocking(move || {
            let opened = store.open(&key, &location).and_then(|(file, meta)| {
                options.check_preconditions(&meta)?;
                let range = match &options.range {
                    Some(range) => range
                        .as_range(meta.size)
                        .map_err(|_| failed(&location, io::Error::from(io::ErrorKind::InvalidInput)))?,
                    None => 0..meta.size,
                };
                Ok((file, meta, range))
            });
            let meta = opened.as_ref().ok().map(|(_, meta, _)| meta);
            store.recorder.request(&key, &[], meta, opened.is_err());
            let (file, meta, range) = opened?;
            let chunks = if options.head {
                stream::empty().boxed()
            } else {
                chunks(store, key, file, meta.clone(), range.clone())
            };
            Ok(GetResult {
                payload: GetResultPayload::Stream(chunks),
                meta,
                range,
                attributes: Attributes::new(),
            })
        })
        .await
    }

    pub(crate) async fn get_ranges(
        self: Arc<Self>,
        key: String,
        location: Path,
        ranges: Vec<Range<u64>>,
    ) -> Result<Vec<Bytes>> {
        blocking(move || self.read(&key, &location, &ranges)).await
    }

    pub(crate) async fn list(self: Arc<Self>, folder: String) -> Result<Vec<ObjectMeta>> {
        blocking(move || self.list_folder(&folder)).await
    }

    /// Opens a regular file beneath the root. One session sees one version of it.
    fn open(&self, key: &str, location: &Path) -> Result<(std::fs::File, ObjectMeta)> {
        let file = walk(&self.root, key).map_err(|error| failed(location, error))?;
        let meta = describe(&file, location).map_err(|error| failed(location, error))?;
        let version = meta.e_tag.clone().unwrap_or_default();
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let first = seen.entry(key.to_string()).or_insert_with(|| version.clone());
        if *first == version {
            Ok((file, meta))
        } else {
            Err(changed(location))
        }
    }

    fn read(&self, key: &str, location: &Path, ranges: &[Range<u64>]) -> Result<Vec<Bytes>> {
        let opened = self.open(key, location);
        let read = opened.as_ref().ok().map(|(file, meta)| read_all(file, meta, ranges));
        let whole = matches!(read, Some(Ok(_)));
        let meta = opened.as_ref().ok().map(|(_, meta)| meta);
        self.recorder
            .request(key, if whole { ranges } else { &[] }, meta, !whole);
        opened?;
        read.unwrap_or_else(|| Err(failed(location, io::Error::from(io::ErrorKind::Other))))
    }

    /// A part of a request that was recorded when it opened the file.
    fn read_on(&self, key: &str, file: &std::fs::File, meta: &ObjectMeta, range: Range<u64>) -> Result<Bytes> {
        let ranges = [range];
        let read = read_all(file, meta, &ranges);
        let done: &[Range<u64>] = if read.is_ok() { &ranges } else { &[] };
        self.recorder.more(key, done, meta, read.is_err());
        Ok(read?.pop().unwrap_or_default())
    }

    fn list_folder(&self, folder: &str) -> Result<Vec<ObjectMeta>> {
        let top = folder.trim_matches('/');
        let listed = self.walk_folder(top);
        self.recorder.request(&format!("{top}/"), &[], None, listed.is_err());
        let (mut found, skipped) = listed?;
        // A link, a device or an odd name in a listed folder is an attempt or a mistake: the evidence says so.
        for _ in 0..skipped {
            self.recorder.request(&format!("{top}/"), &[], None, true);
        }
        found.sort_by(|a, b| a.location.cmp(&b.location));
        Ok(found)
    }

    /// The objects beneath a folder, and how many entries are none.
    fn walk_folder(&self, top: &str) -> Result<(Vec<ObjectMeta>, usize)> {
        let broken = |error: io::Error| failed(&Path::from(format!("{}/{top}", self.mount)), error);
        let mut found = Vec::new();
        let mut skipped = 0;
        let mut open = vec![(open_folder(&self.root, top).map_err(broken)?, top.to_string())];
        while let Some((folder, path)) = open.pop() {
            for entry in folder.entries().map_err(broken)? {
                let entry = entry.map_err(broken)?;
                let name = entry.file_name().into_string().ok();
                let kind = entry.file_type().ok();
                let (Some(name), Some(kind)) = (name.filter(|name| plain(name).is_ok()), kind) else {
                    skipped += 1;
                    continue;
                };
                let key = if path.is_empty() {
                    name.clone()
                } else {
                    format!("{path}/{name}")
                };
                if kind.is_dir() {
                    open.push((folder.open_dir_nofollow(&name).map_err(broken)?, key));
                } else if kind.is_file() {
                    let location = Path::parse(format!("{}/{key}", self.mount))?;
                    found.push(self.open(&key, &location)?.1);
                } else {
                    skipped += 1;
                }
            }
            // Half of a table would be a wrong answer.
            if found.len() > LISTED_MAX {
                return Err(broken(io::Error::from(io::ErrorKind::QuotaExceeded)));
            }
        }
        Ok((found, skipped))
    }
}

/// Runs file work where it may block, counted as the session's.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    SpawnedTask::spawn_blocking(work)
        .await
        .map_err(|error| Error::Generic {
            store: STORE,
            source: Box::new(error),
        })?
}

fn chunks(
    store: Arc<LocalStore>,
    key: String,
    file: std::fs::File,
    meta: ObjectMeta,
    range: Range<u64>,
) -> BoxStream<'static, Result<Bytes>> {
    let open = Arc::new((store, key, file, meta));
    stream::try_unfold(range.start, move |at| {
        let open = Arc::clone(&open);
        async move {
            if at >= range.end {
                return Ok(None);
            }
            let next = at.saturating_add(CHUNK_BYTES).min(range.end);
            let read = move || {
                let (store, key, file, meta) = open.as_ref();
                store.read_on(key, file, meta, at..next)
            };
            Ok(Some((blocking(read).await?, next)))
        }
    })
    .boxed()
}
