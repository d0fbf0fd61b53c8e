//! The engine of one worker: what its sessions share, which is nothing that one could leave for another.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use ambit_protocol::{
    CheckReport, CheckRequest, CoarsensRequest, ComparisonReport, EngineCatalog, EngineError, ImpliesRequest,
    InspectReport, InspectRequest, OpenSession,
};
use cap_std::fs::Dir;
use datafusion::execution::cache::cache_manager::CacheManagerConfig;
use datafusion::execution::memory_pool::MemoryPool;

use crate::beneath::open_root;
use crate::endpoints::Endpoints;
use crate::memory::process_pool;
use crate::source::shared_caches;
use crate::spill::WorkerSpill;
use crate::tasks::{self, Tasks};
use crate::template::{Template, TemplateError};
use crate::{Session, check, facts, implication, inspect};

/// What an engine may use up.
#[derive(Debug, Clone, Default)]
pub struct EngineConfig {
    /// Memory that all sessions together may reserve, in bytes.
    pub memory_bytes: u64,
    /// Folder of spill files. `None` turns spilling off.
    pub spill_folder: Option<PathBuf>,
    /// Spill of all sessions together, in bytes.
    pub spill_bytes: u64,
    /// Templates that are kept; the oldest goes first.
    pub templates_max: usize,
    /// Servers of remote stores.
    pub endpoints: Arc<Endpoints>,
}

/// Why an engine did not start.
#[derive(Debug, thiserror::Error)]
pub enum EngineStartError {
    /// The spill folder cannot be used.
    #[error("the spill folder cannot be used: {0}")]
    Spill(std::io::Error),
}

/// Why a session did not open.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The template must be put first.
    #[error("the template is not held")]
    TemplateUnknown,
    /// The session's resources could not be had.
    #[error("{}", .0.message)]
    Failed(Box<EngineError>),
}

/// Counters of a worker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EngineUsage {
    /// Open sessions.
    pub sessions: u64,
    /// Sessions since the start.
    pub sessions_total: u64,
    /// Templates held.
    pub templates: u64,
    /// Memory reserved, in bytes.
    pub memory_reserved_bytes: u64,
    /// Spill on disk, in bytes.
    pub spill_bytes: u64,
    /// Tasks alive.
    pub tasks: u64,
}

/// One worker's engine.
pub struct Engine {
    pub(crate) memory: Arc<dyn MemoryPool>,
    pub(crate) spill: Arc<WorkerSpill>,
    /// File footers alone, keyed by mount: see [`crate::scope::mount_of`].
    pub(crate) caches: CacheManagerConfig,
    pub(crate) tasks: Arc<Tasks>,
    pub(crate) endpoints: Arc<Endpoints>,
    templates: Mutex<Templates>,
    roots: Mutex<HashMap<PathBuf, Arc<Dir>>>,
    open: AtomicU64,
    opened: AtomicU64,
}

#[derive(Default)]
struct Templates {
    held: HashMap<String, Arc<Template>>,
    /// By age of last use, oldest first.
    order: Vec<String>,
    max: usize,
}

impl Engine {
    /// Starts an engine.
    pub fn new(config: EngineConfig) -> Result<Arc<Self>, EngineStartError> {
        tasks::install();
        let spill = WorkerSpill::new(config.spill_folder, config.spill_bytes).map_err(EngineStartError::Spill)?;
        Ok(Arc::new(Self {
            memory: process_pool(usize::try_from(config.memory_bytes).unwrap_or(usize::MAX)),
            spill,
            caches: shared_caches(),
            tasks: Arc::new(Tasks::default()),
            endpoints: config.endpoints,
            templates: Mutex::new(Templates {
                max: config.templates_max.max(1),
                ..Templates::default()
            }),
            roots: Mutex::default(),
            open: AtomicU64::new(0),
            opened: AtomicU64::new(0),
        }))
    }

    /// What contracts are checked against. The same on every machine.
    pub fn catalog() -> EngineCatalog {
        facts::catalog()
    }

    /// Checks a contract's SQL against its declared schema. Opens nothing.
    pub async fn check(&self, request: CheckRequest) -> CheckReport {
        check::check(&request)
    }

    /// Holds sources against what their contract declares. Reads headers and footers, no row.
    pub async fn inspect(&self, request: InspectRequest) -> InspectReport {
        inspect::inspect(self, &request).await
    }

    /// Whether a row filter lets through no row that another does not. Opens nothing.
    pub async fn implies(&self, request: ImpliesRequest) -> ComparisonReport {
        implication::implies(&request)
    }

    /// Whether a mask shows no more than another. Opens nothing.
    pub async fn coarsens(&self, request: CoarsensRequest) -> ComparisonReport {
        implication::coarsens(&request)
    }

    /// Takes a template. Its digest is the SHA-256 of the bytes, `sha256:...`.
    pub fn put_template(&self, digest: &str, body: &[u8]) -> Result<(), TemplateError> {
        let template = Arc::new(Template::new(digest, body)?);
        self.templates
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .put(template);
        Ok(())
    }

    /// Assembles a session on a template that was put.
    pub fn open(self: &Arc<Self>, open: OpenSession) -> Result<Session, OpenError> {
        let template = self
            .templates
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take(&open.template)
            .ok_or(OpenError::TemplateUnknown)?;
        Session::assemble(Arc::clone(self), template, open).map_err(|fault| OpenError::Failed(Box::new(fault.0)))
    }

    /// Counters.
    pub fn usage(&self) -> EngineUsage {
        EngineUsage {
            sessions: self.open.load(Ordering::Acquire),
            sessions_total: self.opened.load(Ordering::Acquire),
            templates: self.templates.lock().unwrap_or_else(PoisonError::into_inner).held.len() as u64,
            memory_reserved_bytes: self.memory.reserved() as u64,
            spill_bytes: self.spill.used(),
            tasks: self.tasks.alive(),
        }
    }

    /// A store's root, opened once for the process: sessions walk beneath it and hold no right to anything else.
    pub(crate) fn root(&self, path: &Path) -> std::io::Result<Arc<Dir>> {
        let mut roots = self.roots.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(root) = roots.get(path) {
            return Ok(Arc::clone(root));
        }
        let root = open_root(path)?;
        roots.insert(path.to_path_buf(), Arc::clone(&root));
        Ok(root)
    }

    pub(crate) fn count(self: &Arc<Self>) -> Open {
        self.open.fetch_add(1, Ordering::AcqRel);
        self.opened.fetch_add(1, Ordering::AcqRel);
        Open(Arc::clone(self))
    }
}

/// Held by an open session.
pub(crate) struct Open(Arc<Engine>);

impl Drop for Open {
    fn drop(&mut self) {
        self.0.open.fetch_sub(1, Ordering::AcqRel);
    }
}

impl Templates {
    fn put(&mut self, template: Arc<Template>) {
        let digest = template.digest.clone();
        self.touch(&digest);
        self.held.insert(digest, template);
        while self.order.len() > self.max {
            let oldest = self.order.remove(0);
            self.held.remove(&oldest);
        }
    }

    fn take(&mut self, digest: &str) -> Option<Arc<Template>> {
        let template = self.held.get(digest).cloned()?;
        self.touch(digest);
        Some(template)
    }

    fn touch(&mut self, digest: &str) {
        self.order.retain(|known| known != digest);
        self.order.push(digest.to_string());
    }
}
