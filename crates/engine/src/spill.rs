//! Spill files: unlinked as they are created, so that nothing remains however the worker ends, counted against the
//! session's quota and the worker's.

use std::fs::{DirBuilder, File};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, FileExt};
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use datafusion::common::runtime::SpawnedTask;
use datafusion::common::{DataFusionError, Result};
use datafusion::execution::disk_manager::{DiskManagerBuilder, DiskManagerMode};
use datafusion::execution::{SpillFile, SpillWriter, TempFileFactory};
use futures::Stream;

/// Read at once from a spill file, in bytes.
const CHUNK_BYTES: usize = 256 * 1024;

/// The spill of all sessions of a worker.
#[derive(Debug)]
pub(crate) struct WorkerSpill {
    folder: Option<PathBuf>,
    quota: u64,
    used: AtomicU64,
}

/// The spill of one session.
#[derive(Debug)]
pub(crate) struct SessionSpill {
    worker: Arc<WorkerSpill>,
    quota: u64,
    used: AtomicU64,
    written: AtomicU64,
    exceeded: AtomicBool,
}

impl WorkerSpill {
    pub(crate) fn new(folder: Option<PathBuf>, quota: u64) -> io::Result<Arc<Self>> {
        if let Some(folder) = &folder {
            DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
        }
        Ok(Arc::new(Self {
            folder,
            quota,
            used: AtomicU64::new(0),
        }))
    }

    /// On disk now, in bytes.
    pub(crate) fn used(&self) -> u64 {
        self.used.load(Ordering::Acquire)
    }
}

impl SessionSpill {
    pub(crate) fn new(worker: &Arc<WorkerSpill>, quota: u64) -> Arc<Self> {
        Arc::new(Self {
            worker: Arc::clone(worker),
            quota: if worker.folder.is_some() { quota } else { 0 },
            used: AtomicU64::new(0),
            written: AtomicU64::new(0),
            exceeded: AtomicBool::new(false),
        })
    }

    /// A disk manager that spills here, or not at all when the quota is 0.
    pub(crate) fn disk_manager(self: &Arc<Self>) -> DiskManagerBuilder {
        let mode = if self.quota == 0 {
            DiskManagerMode::Disabled
        } else {
            DiskManagerMode::Custom(Arc::new(Factory(Arc::clone(self))))
        };
        DiskManagerBuilder::default().with_mode(mode)
    }

    /// On disk now, in bytes.
    pub(crate) fn used(&self) -> u64 {
        self.used.load(Ordering::Acquire)
    }

    /// Written since the session opened, in bytes.
    pub(crate) fn written(&self) -> u64 {
        self.written.load(Ordering::Acquire)
    }

    /// Whether a write was refused for a quota.
    pub(crate) fn exceeded(&self) -> bool {
        self.exceeded.load(Ordering::Acquire)
    }

    fn take(&self, bytes: u64) -> io::Result<()> {
        let session = self.used.fetch_add(bytes, Ordering::AcqRel) + bytes;
        let worker = self.worker.used.fetch_add(bytes, Ordering::AcqRel) + bytes;
        if session > self.quota || worker > self.worker.quota {
            self.give(bytes);
            self.exceeded.store(true, Ordering::Release);
            return Err(io::Error::new(
                io::ErrorKind::QuotaExceeded,
                "the spill quota is used up",
            ));
        }
        self.written.fetch_add(bytes, Ordering::AcqRel);
        Ok(())
    }

    fn give(&self, bytes: u64) {
        self.used.fetch_sub(bytes, Ordering::AcqRel);
        self.worker.used.fetch_sub(bytes, Ordering::AcqRel);
    }
}

struct Factory(Arc<SessionSpill>);

impl TempFileFactory for Factory {
    fn create_temp_file(&self, _: &str) -> Result<Arc<dyn SpillFile>> {
        Ok(Arc::new(Spilled(Arc::new(Content {
            spill: Arc::clone(&self.0),
            file: OnceLock::new(),
            size: AtomicU64::new(0),
        }))))
    }
}

/// What lies on disk; given back to the quotas when the last holder lets go.
struct Content {
    spill: Arc<SessionSpill>,
    file: OnceLock<File>,
    size: AtomicU64,
}

impl Drop for Content {
    fn drop(&mut self) {
        self.spill.give(self.size.load(Ordering::Acquire));
    }
}

struct Spilled(Arc<Content>);

impl SpillFile for Spilled {
    fn size(&self) -> Option<u64> {
        Some(self.0.size.load(Ordering::Acquire))
    }

    fn open_writer(&self) -> Result<Box<dyn SpillWriter>> {
        let folder = self
            .0
            .spill
            .worker
            .folder
            .as_ref()
            .ok_or_else(|| DataFusionError::ResourcesExhausted("spilling is off".into()))?;
        let file = tempfile::tempfile_in(folder).map_err(DataFusionError::IoError)?;
        if self.0.file.set(file).is_err() {
            return Err(DataFusionError::Internal("a spill file is written once".into()));
        }
        Ok(Box::new(Writer(Arc::clone(&self.0))))
    }

    fn read_stream(&self) -> Result<Pin<Box<dyn Stream<Item = Result<Bytes>> + Send>>> {
        let content = Arc::clone(&self.0);
        let chunks = futures::stream::try_unfold((content, 0_u64), |(content, at)| async move {
            let reader = Arc::clone(&content);
            let chunk = SpawnedTask::spawn_blocking(move || reader.read(at))
                .await
                .map_err(|error| DataFusionError::External(Box::new(error)))?
                .map_err(DataFusionError::IoError)?;
            let next = at + chunk.len() as u64;
            Ok(if chunk.is_empty() {
                None
            } else {
                Some((chunk, (content, next)))
            })
        });
        Ok(Box::pin(chunks))
    }
}

impl Content {
    fn read(&self, at: u64) -> io::Result<Bytes> {
        let Some(file) = self.file.get() else {
            return Ok(Bytes::new());
        };
        let mut chunk = vec![0; CHUNK_BYTES];
        let read = file.read_at(&mut chunk, at)?;
        chunk.truncate(read);
        Ok(chunk.into())
    }
}

struct Writer(Arc<Content>);

impl Write for Writer {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.spill.take(bytes.len() as u64)?;
        let mut file = self.0.file.get().ok_or_else(|| io::Error::other("no spill file"))?;
        // The quota is taken for all of it, so all of it is written.
        let written = file.write_all(bytes);
        self.0.size.fetch_add(bytes.len() as u64, Ordering::AcqRel);
        written.map(|()| bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl SpillWriter for Writer {
    fn finish(&mut self) -> Result<()> {
        Ok(())
    }
}
