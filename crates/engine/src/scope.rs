//! What one session holds: made when it opens, gone when it closes.

use std::sync::Arc;

use ambit_protocol::{OpenSession, Store};
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
    pub uses: Uses,
}

impl Scope {
    pub(crate) fn new(template: Arc<Template>, open: OpenSession) -> Arc<Self> {
        Arc::new(Self {
            template,
            open,
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
            .template
            .mounts
            .get(&source.store)
            .ok_or_else(|| internal_datafusion_err!("no store `{}`", source.store))?;
        raw_table(source, mount, self.template.source_schema(name)?)
    }
}

/// Names a store as this boundary binds it. DataFusion's caches are keyed by path alone, so every path begins with it:
/// what one boundary or credential has read answers no other.
pub(crate) fn mount_of(boundary: &str, name: &str, store: &Store) -> String {
    let mut digest = Sha256::new();
    let Store::Local { root, credential } = store;
    for part in [boundary, name, root, credential.as_deref().unwrap_or_default()] {
        digest.update(part.len().to_be_bytes());
        digest.update(part.as_bytes());
    }
    hex(digest.finalize().get(..16).unwrap_or_default())
}
