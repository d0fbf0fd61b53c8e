//! One session's runtime: its own memory pool, spill, stores and caches' keys. One function builds it.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use ambit_protocol::{EngineErrorCode, OpenSession, Store, StoreCredential};
use datafusion::execution::runtime_env::{RuntimeEnv, RuntimeEnvBuilder};
use tokio_util::sync::CancellationToken;

use crate::access::AccessLog;
use crate::engine::Engine;
use crate::error::Fault;
use crate::local_store::LocalStore;
use crate::memory::SessionPool;
use crate::remote_store::{Bucket, RemoteStore};
use crate::scope::Mounts;
use crate::source::STORES_URL;
use crate::spill::SessionSpill;
use crate::store::{SessionStore, SessionStores};
use crate::template::Template;

/// What a session may use up, and the counters that tell.
pub(crate) struct Resources {
    pub runtime: Arc<RuntimeEnv>,
    pub pool: Arc<SessionPool>,
    pub spill: Arc<SessionSpill>,
    pub access: Arc<AccessLog>,
    /// Fires when operators that cannot be refused memory have taken more than the session may have.
    pub over_memory: CancellationToken,
}

/// Builds the runtime of a session. Nothing in it comes from the process: no default store, no temporary folder, no
/// environment.
pub(crate) fn resources(
    engine: &Engine,
    template: &Template,
    open: &OpenSession,
    mounts: &Mounts,
) -> Result<Resources, Fault> {
    let unusable = |error: &dyn std::fmt::Display| {
        Fault::new(EngineErrorCode::Internal, "the session could not be assembled").detail(error)
    };
    let over_memory = CancellationToken::new();
    let limit = usize::try_from(open.limits.memory_bytes).unwrap_or(usize::MAX);
    let pool = SessionPool::new(limit, Arc::clone(&engine.memory), over_memory.clone());
    let spill = SessionSpill::new(&engine.spill, open.limits.spill_bytes);
    let access = Arc::new(AccessLog::default());
    let spec = &template.spec;
    let stores = spec
        .stores
        .iter()
        .filter_map(|(name, store)| Some((name, store, mounts.get(name)?.as_str())));
    let stores = mount(engine, stores, &open.credentials, &access)?;
    let runtime = RuntimeEnvBuilder::new()
        .with_memory_pool(Arc::clone(&pool) as _)
        .with_disk_manager_builder(spill.disk_manager())
        .with_cache_manager(engine.caches.clone())
        .with_object_store_registry(Arc::new(stores))
        .build_arc()
        .map_err(|error| unusable(&error))?;
    Ok(Resources {
        runtime,
        pool,
        spill,
        access,
        over_memory,
    })
}

/// Stores as a boundary binds them, each with its mount and with the record of who asks.
pub(crate) fn mount<'a>(
    engine: &Engine,
    stores: impl Iterator<Item = (&'a String, &'a Store, &'a str)>,
    credentials: &BTreeMap<String, StoreCredential>,
    access: &Arc<AccessLog>,
) -> Result<SessionStores, Fault> {
    let mut mounted = Vec::new();
    for (name, store, mount) in stores {
        let closed = |error: &dyn std::fmt::Display| {
            let message = format!("store `{name}` cannot be opened");
            Fault::new(EngineErrorCode::SourceFailed, message).detail(error)
        };
        let access = Arc::clone(access);
        mounted.push(match store {
            Store::Local { root } => {
                let root = engine.root(Path::new(root)).map_err(|error| closed(&error))?;
                SessionStore::Local(Arc::new(LocalStore::new(root, mount, access, name)))
            }
            Store::S3 {
                bucket,
                prefix,
                endpoint,
                virtual_hosted,
                region,
                credential,
            } => {
                let bucket = Bucket {
                    name: bucket,
                    prefix,
                    endpoint,
                    virtual_hosted: *virtual_hosted,
                    region,
                };
                let door = engine.endpoints.door(endpoint);
                let door = door.ok_or_else(|| closed(&"the worker may not talk to its server"))?;
                let credential = match credential {
                    None => None,
                    Some(reference) => {
                        let given = credentials.get(reference);
                        Some((
                            reference.as_str(),
                            given.ok_or_else(|| closed(&"it has no credential"))?,
                        ))
                    }
                };
                let store = RemoteStore::new(bucket, credential, door, mount, access, name);
                SessionStore::Remote(Arc::new(store.map_err(|error| closed(&error))?))
            }
        });
    }
    Ok(SessionStores::new(STORES_URL, mounted))
}
