//! The stores of a session, bounded to what its sources need: folders of this machine and prefixes of buckets behind one
//! URL. Nothing can be written.

use std::collections::HashMap;
use std::fmt;
use std::io;
use std::ops::Range;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use datafusion::common::{DataFusionError, Result as DataFusionResult};
use datafusion::execution::object_store::ObjectStoreRegistry;
use futures::stream::{self, BoxStream, StreamExt};
use object_store::path::Path;
use object_store::{
    CopyOptions, Error, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore,
    PutMultipartOptions, PutOptions, PutPayload, PutResult, Result,
};
use url::Url;

use crate::beneath::failed;
use crate::local_store::LocalStore;
use crate::remote_store::RemoteStore;

/// A store as one session has it: its own record of requests, and of the versions it has seen.
#[derive(Debug, Clone)]
pub(crate) enum SessionStore {
    Local(Arc<LocalStore>),
    Remote(Arc<RemoteStore>),
}

impl SessionStore {
    fn mount(&self) -> &str {
        match self {
            Self::Local(store) => store.mount(),
            Self::Remote(store) => store.mount(),
        }
    }
}

/// All stores of a session behind one URL: the first segment of a path is the mount.
#[derive(Debug)]
pub(crate) struct SessionStores {
    url: String,
    mounts: Arc<Mounts>,
}

impl SessionStores {
    pub(crate) fn new(url: &str, stores: Vec<SessionStore>) -> Self {
        let stores = stores
            .into_iter()
            .map(|store| (store.mount().to_string(), store))
            .collect();
        Self {
            url: url.to_string(),
            mounts: Arc::new(Mounts(stores)),
        }
    }
}

impl ObjectStoreRegistry for SessionStores {
    /// Frozen: what is offered is handed back.
    fn register_store(&self, _: &Url, store: Arc<dyn ObjectStore>) -> Option<Arc<dyn ObjectStore>> {
        Some(store)
    }

    fn get_store(&self, url: &Url) -> DataFusionResult<Arc<dyn ObjectStore>> {
        if url.as_str().starts_with(&self.url) {
            return Ok(Arc::clone(&self.mounts) as _);
        }
        Err(DataFusionError::Execution("this session has no such store".into()))
    }
}

#[derive(Debug)]
struct Mounts(HashMap<String, SessionStore>);

impl Mounts {
    fn at(&self, location: &Path) -> Result<(SessionStore, String)> {
        let whole = location.as_ref();
        let (mount, key) = whole.split_once('/').unwrap_or((whole, ""));
        let store = self
            .0
            .get(mount)
            .ok_or_else(|| failed(location, io::Error::from(io::ErrorKind::NotFound)))?;
        Ok((store.clone(), key.to_string()))
    }
}

impl fmt::Display for Mounts {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("session stores")
    }
}

#[async_trait]
impl ObjectStore for Mounts {
    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        let (store, key) = self.at(location)?;
        match store {
            SessionStore::Local(store) => store.get(key, location.clone(), options).await,
            SessionStore::Remote(store) => store.get(key, location.clone(), options).await,
        }
    }

    async fn get_ranges(&self, location: &Path, ranges: &[Range<u64>]) -> Result<Vec<Bytes>> {
        let (store, key) = self.at(location)?;
        match store {
            SessionStore::Local(store) => store.get_ranges(key, location.clone(), ranges.to_vec()).await,
            SessionStore::Remote(store) => store.get_ranges(key, location.clone(), ranges.to_vec()).await,
        }
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        let at = prefix.map_or_else(|| Err(refused()), |prefix| self.at(prefix));
        stream::once(async move {
            match at? {
                (SessionStore::Local(store), key) => store.list(key).await,
                (SessionStore::Remote(store), key) => store.list(key).await,
            }
        })
        .flat_map(|listed| match listed {
            Ok(found) => stream::iter(found.into_iter().map(Ok)).boxed(),
            Err(error) => stream::once(async { Err(error) }).boxed(),
        })
        .boxed()
    }

    async fn list_with_delimiter(&self, _: Option<&Path>) -> Result<ListResult> {
        Err(refused())
    }

    async fn put_opts(&self, _: &Path, _: PutPayload, _: PutOptions) -> Result<PutResult> {
        Err(refused())
    }

    async fn put_multipart_opts(&self, _: &Path, _: PutMultipartOptions) -> Result<Box<dyn MultipartUpload>> {
        Err(refused())
    }

    fn delete_stream(&self, _: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        stream::once(async { Err(refused()) }).boxed()
    }

    async fn copy_opts(&self, _: &Path, _: &Path, _: CopyOptions) -> Result<()> {
        Err(refused())
    }
}

fn refused() -> Error {
    Error::NotSupported {
        source: "a session only reads what its tables name".into(),
    }
}
