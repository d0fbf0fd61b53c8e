//! A remote store: what lies beneath a prefix of a bucket. It is asked with the session's credential and no other, and
//! one session sees one version of an object.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io;
use std::ops::Range;
use std::slice;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use ambit_protocol::StoreCredential;
use bytes::Bytes;
use chrono::TimeDelta;
use futures::stream::{BoxStream, StreamExt, TryStreamExt};
use object_store::aws::{AmazonS3, AmazonS3Builder, AwsCredential};
use object_store::path::Path;
use object_store::{
    BackoffConfig, Error, GetOptions, GetRange, GetResult, GetResultPayload, OBJECT_STORE_COALESCE_DEFAULT, ObjectMeta,
    ObjectStore, Result, RetryConfig, StaticCredentialProvider, coalesce_ranges,
};

use crate::access::{AccessLog, Recorder};
use crate::beneath::{changed, failed};
use crate::endpoints::Door;
use crate::local_store::LISTED_MAX;

/// What errors of a remote store are of.
const STORE: &str = "remote store";
/// A request that failed for the server's reasons is made again: so often, and so long after the first.
const RETRIES_MAX: usize = 4;
const RETRY_MAX: Duration = Duration::from_secs(20);

/// A bucket, and what of it there is.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bucket<'a> {
    pub name: &'a str,
    /// Empty, or ends with `/`.
    pub prefix: &'a str,
    pub endpoint: &'a str,
    pub virtual_hosted: bool,
    pub region: &'a str,
}

/// A bucket as one session has it: its own record of requests, and of the versions it has seen.
#[derive(Debug)]
pub(crate) struct RemoteStore {
    bucket: AmazonS3,
    prefix: String,
    mount: String,
    recorder: Recorder,
    /// Entity tags by key.
    seen: Mutex<HashMap<String, String>>,
}

impl RemoteStore {
    /// Opens nothing yet. `credential` comes with its reference. Never asks the machine for a credential: without one, requests are not signed.
    pub(crate) fn new(
        bucket: Bucket<'_>,
        credential: Option<(&str, &StoreCredential)>,
        door: Door,
        mount: &str,
        log: Arc<AccessLog>,
        name: &str,
    ) -> Result<Self> {
        let retry = RetryConfig {
            backoff: BackoffConfig::default(),
            max_retries: RETRIES_MAX,
            retry_timeout: RETRY_MAX,
        };
        let signed = credential.map_or_else(
            || AwsCredential {
                key_id: String::new(),
                secret_key: String::new(),
                token: None,
            },
            |(_, given)| AwsCredential {
                key_id: given.key_id.clone(),
                secret_key: given.secret_key.clone(),
                token: given.session_token.clone(),
            },
        );
        let opened = AmazonS3Builder::new()
            .with_bucket_name(bucket.name)
            .with_region(bucket.region)
            .with_endpoint(bucket.endpoint)
            .with_virtual_hosted_style_request(bucket.virtual_hosted)
            .with_credentials(Arc::new(StaticCredentialProvider::new(signed)))
            .with_skip_signature(credential.is_none())
            .with_retry(retry)
            .with_http_connector(door)
            .build()?;
        Ok(Self {
            bucket: opened,
            prefix: bucket.prefix.to_string(),
            mount: mount.to_string(),
            recorder: Recorder {
                log,
                store: name.to_string(),
                credential: credential.map(|(reference, _)| reference.to_string()),
            },
            seen: Mutex::default(),
        })
    }

    pub(crate) fn mount(&self) -> &str {
        &self.mount
    }

    /// The request is recorded when it is answered, its bytes as they come.
    pub(crate) async fn get(self: Arc<Self>, key: String, location: Path, options: GetOptions) -> Result<GetResult> {
        let head = options.head;
        let asked = self.ask(&key, &location, options).await;
        self.recorder
            .request(&key, &[], asked.as_ref().ok().map(|found| &found.meta), asked.is_err());
        let found = asked?;
        let GetResult {
            meta,
            range,
            attributes,
            ..
        } = &found;
        let (meta, range, attributes) = (meta.clone(), range.clone(), attributes.clone());
        let bytes = if head {
            futures::stream::empty().boxed()
        } else {
            self.counted(key, meta.clone(), range.start, found.into_stream())
        };
        Ok(GetResult {
            payload: GetResultPayload::Stream(bytes),
            meta,
            range,
            attributes,
        })
    }

    /// Ranges that lie close together are one request.
    pub(crate) async fn get_ranges(
        self: Arc<Self>,
        key: String,
        location: Path,
        ranges: Vec<Range<u64>>,
    ) -> Result<Vec<Bytes>> {
        let fetch = |range: Range<u64>| {
            let (store, key, location) = (Arc::clone(&self), key.clone(), location.clone());
            async move {
                let options = GetOptions {
                    range: Some(GetRange::Bounded(range.clone())),
                    ..GetOptions::default()
                };
                let found = store.ask(&key, &location, options).await;
                let meta = found.as_ref().ok().map(|found| found.meta.clone());
                let read = match found {
                    Ok(found) if found.range == range => found.bytes().await.map_err(|error| told(&location, &error)),
                    Ok(_) => Err(failed(&location, io::Error::from(io::ErrorKind::UnexpectedEof))),
                    Err(error) => Err(error),
                };
                let done: &[Range<u64>] = if read.is_ok() {
                    std::slice::from_ref(&range)
                } else {
                    &[]
                };
                store.recorder.request(&key, done, meta.as_ref(), read.is_err());
                read
            }
        };
        coalesce_ranges(&ranges, fetch, OBJECT_STORE_COALESCE_DEFAULT).await
    }

    pub(crate) async fn list(self: Arc<Self>, folder: String) -> Result<Vec<ObjectMeta>> {
        let top = folder.trim_matches('/');
        let listed = self.listed(top).await;
        self.recorder.request(&format!("{top}/"), &[], None, listed.is_err());
        let mut found = listed?;
        found.sort_by(|a, b| a.location.cmp(&b.location));
        Ok(found)
    }

    async fn listed(&self, top: &str) -> Result<Vec<ObjectMeta>> {
        let at = Path::parse(format!("{}/{top}", self.mount))?;
        let broken = |error: &Error| told(&at, error);
        let prefix = Path::parse(format!("{}{top}", self.prefix)).map_err(|error| broken(&error.into()))?;
        let mut listing = self.bucket.list(Some(&prefix));
        let mut found = Vec::new();
        while let Some(meta) = listing.try_next().await.map_err(|error| broken(&error))? {
            let whole = meta.location.as_ref();
            // A server that answers with what was not asked for.
            let Some(key) = whole.strip_prefix(&self.prefix).filter(|key| beneath(key, top)) else {
                return Err(failed(&at, io::Error::from(io::ErrorKind::InvalidData)));
            };
            let location = Path::parse(format!("{}/{key}", self.mount))?;
            found.push(self.same(key, &location, meta.clone())?);
            // Half of a table would be a wrong answer.
            if found.len() > LISTED_MAX {
                return Err(failed(&at, io::Error::from(io::ErrorKind::QuotaExceeded)));
            }
        }
        Ok(found)
    }

    /// One request, for the version that this session has seen.
    async fn ask(&self, key: &str, location: &Path, mut options: GetOptions) -> Result<GetResult> {
        let whole = Path::parse(format!("{}{key}", self.prefix))?;
        if options.if_match.is_none() {
            options.if_match = self.seen().get(key).cloned();
        }
        let found = self.bucket.get_opts(&whole, options).await;
        let mut found = found.map_err(|error| told(location, &error))?;
        found.meta = self.same(key, location, found.meta.clone())?;
        Ok(found)
    }

    /// The object under the session's name for it, if it is the version that was seen before.
    fn same(&self, key: &str, location: &Path, meta: ObjectMeta) -> Result<ObjectMeta> {
        // Without a tag nothing could tell two versions apart.
        let tag = meta.e_tag.clone().ok_or_else(|| untagged(location))?;
        let mut seen = self.seen();
        let first = seen.entry(key.to_string()).or_insert_with(|| tag.clone());
        if *first != tag {
            return Err(changed(location));
        }
        Ok(ObjectMeta {
            location: location.clone(),
            last_modified: meta.last_modified + distinct(&tag),
            ..meta
        })
    }

    fn seen(&self) -> std::sync::MutexGuard<'_, HashMap<String, String>> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Bytes of an object, recorded as they come.
    fn counted(
        self: Arc<Self>,
        key: String,
        meta: ObjectMeta,
        start: u64,
        bytes: BoxStream<'static, Result<Bytes>>,
    ) -> BoxStream<'static, Result<Bytes>> {
        let mut at = start;
        bytes
            .map(move |chunk| {
                let next = at + chunk.as_ref().map_or(0, |bytes| bytes.len() as u64);
                let range = at..next;
                let done: &[Range<u64>] = if chunk.is_ok() { slice::from_ref(&range) } else { &[] };
                self.recorder.more(&key, done, &meta, chunk.is_err());
                at = next;
                chunk.map_err(|error| told(&meta.location, &error))
            })
            .boxed()
    }
}

fn beneath(key: &str, folder: &str) -> bool {
    folder.is_empty() || key.strip_prefix(folder).is_some_and(|rest| rest.starts_with('/'))
}

/// A store tells times by the second, and DataFusion's footer cache looks at size and time alone: the tag goes into what is
/// finer than a second.
fn distinct(tag: &str) -> TimeDelta {
    let mut hasher = DefaultHasher::new();
    tag.hash(&mut hasher);
    TimeDelta::nanoseconds(i64::try_from(hasher.finish() % 1_000_000_000).unwrap_or_default())
}

fn untagged(location: &Path) -> Error {
    Error::Generic {
        store: STORE,
        source: format!("`{location}` has no entity tag: its versions cannot be told apart").into(),
    }
}

/// Whether a server did not answer, or not with the object: that tells nothing of the object.
pub(crate) fn is_unreachable(error: &(dyn std::error::Error + 'static)) -> bool {
    let found = error.downcast_ref::<Error>();
    let generic = found.is_some_and(|error| matches!(error, Error::Generic { store: STORE, .. }));
    generic || error.source().is_some_and(is_unreachable)
}

/// Under the session's name for the object. What the server said is for the operator.
fn told(location: &Path, error: &Error) -> Error {
    match error {
        Error::NotFound { .. } => failed(location, io::Error::from(io::ErrorKind::NotFound)),
        Error::Precondition { .. } => changed(location),
        other => Error::Generic {
            store: STORE,
            source: format!("`{location}` cannot be read: {other}").into(),
        },
    }
}
