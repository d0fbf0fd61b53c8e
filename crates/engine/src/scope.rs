//! What one session holds: made when it opens, gone when it closes.

use std::collections::BTreeMap;
use std::sync::Arc;

use ambit_protocol::{OpenSession, SessionTemplate, Store, StoreCredential};
use datafusion::catalog::TableProvider;
use datafusion::common::{Result, internal_datafusion_err};
use sha2::{Digest, Sha256};

use crate::governed::Uses;
use crate::policy::Bindings;
use crate::source::raw_table;
use crate::template::{Template, hex};

/// A session's own things, by which its tables reach its template, its claims and its stores.
#[derive(Debug)]
pub(crate) struct Scope {
    pub template: Arc<Template>,
    pub open: OpenSession,
    /// Names of the stores' mounts, by store.
    pub mounts: Arc<Mounts>,
    pub uses: Uses,
}

/// Names of mounts, by store.
pub(crate) type Mounts = BTreeMap<String, String>;

impl Scope {
    pub(crate) fn new(template: Arc<Template>, open: OpenSession, mounts: Arc<Mounts>) -> Arc<Self> {
        Arc::new(Self {
            template,
            open,
            mounts,
            uses: Uses::default(),
        })
    }

    pub(crate) fn bindings(&self) -> Bindings<'_> {
        Bindings {
            tenant: &self.open.tenant,
            purpose: &self.open.purpose,
            claims: &self.open.claims,
            declared: &self.template.spec.claims,
        }
    }

    /// A source, ungoverned: for the inside of a barrier alone.
    pub(crate) fn raw(&self, name: &str) -> Result<Arc<dyn TableProvider>> {
        let spec = &self.template.spec;
        let source = spec
            .sources
            .get(name)
            .ok_or_else(|| internal_datafusion_err!("no source `{name}`"))?;
        let mount = self
            .mounts
            .get(&source.store)
            .ok_or_else(|| internal_datafusion_err!("no store `{}`", source.store))?;
        raw_table(source, mount, self.template.source_schema(name)?)
    }
}

/// Names the stores of a session. Those of a template without remote stores are alike for all of its sessions.
pub(crate) fn mounts_of(template: &Template, open: &OpenSession) -> Arc<Mounts> {
    template.mounts.clone().unwrap_or_else(|| {
        let SessionTemplate { boundary, stores, .. } = &template.spec;
        Arc::new(name_all(boundary, stores, &open.credentials))
    })
}

/// The mounts of stores that need no credential; `None` if one may.
pub(crate) fn fixed_mounts(spec: &SessionTemplate) -> Option<Arc<Mounts>> {
    let local = spec.stores.values().all(|store| matches!(store, Store::Local { .. }));
    local.then(|| Arc::new(name_all(&spec.boundary, &spec.stores, &BTreeMap::new())))
}

fn name_all(
    boundary: &str,
    stores: &BTreeMap<String, Store>,
    credentials: &BTreeMap<String, StoreCredential>,
) -> Mounts {
    stores
        .iter()
        .map(|(name, store)| (name.clone(), mount_of(boundary, name, store, credentials)))
        .collect()
}

/// Names a store as this boundary binds it. DataFusion's caches are keyed by path alone, so every path begins with it:
/// what one boundary, or one key, has read answers no other.
pub(crate) fn mount_of(
    boundary: &str,
    name: &str,
    store: &Store,
    credentials: &BTreeMap<String, StoreCredential>,
) -> String {
    let place = match store {
        Store::Local { root } => vec!["local", root],
        Store::S3 {
            bucket,
            prefix,
            endpoint,
            virtual_hosted,
            region,
            credential,
        } => {
            let reference = credential.as_deref().unwrap_or_default();
            let key = credentials.get(reference).map_or("", |credential| &credential.key_id);
            let style = if *virtual_hosted { "host" } else { "path" };
            vec!["s3", bucket, prefix, endpoint, style, region, reference, key]
        }
    };
    let mut digest = Sha256::new();
    for part in [boundary, name].into_iter().chain(place) {
        digest.update(part.len().to_be_bytes());
        digest.update(part.as_bytes());
    }
    hex(digest.finalize().get(..16).unwrap_or_default())
}
