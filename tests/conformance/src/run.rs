//! All files, as many at once as there are cores.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use ambit_engine::{Engine, EngineConfig};
use ambit_protocol::EngineCatalog;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use crate::reasons::Reasons;
use crate::report::Report;
use crate::{Fault, file, texts, world};

/// What the files share.
pub(crate) struct Bench {
    pub engine: Arc<Engine>,
    pub catalog: Arc<EngineCatalog>,
    pub reasons: Reasons,
    pub root: PathBuf,
    pub texts: PathBuf,
}

/// Runs the files whose path holds `wanted`. Changes the process's folder.
pub fn run(wanted: &str) -> Result<Report, Fault> {
    let cores = std::thread::available_parallelism()?.get();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(cores)
        // Some statements nest deep.
        .thread_stack_size(16 << 20)
        .enable_all()
        .build()?;
    runtime.block_on(all(wanted, cores))
}

/// An engine that spills into the folder.
pub(crate) fn engine(folder: &Path) -> Result<Arc<Engine>, Fault> {
    Ok(Engine::new(EngineConfig {
        memory_bytes: 4 << 30,
        spill_folder: Some(folder.join("spill")),
        spill_bytes: 4 << 30,
        templates_max: 64,
        ..EngineConfig::default()
    })?)
}

async fn all(wanted: &str, at_once: usize) -> Result<Report, Fault> {
    let root = tempfile::tempdir()?;
    let texts = texts::folder(texts::SQLLOGICTEST)?;
    world::enter(root.path(), &texts)?;
    let engine = engine(root.path())?;
    let bench = Arc::new(Bench {
        engine,
        catalog: Arc::new(Engine::catalog()),
        reasons: Reasons::read()?,
        root: root.path().to_path_buf(),
        texts,
    });
    let places = Arc::new(Semaphore::new(at_once + 1));
    let mut running = JoinSet::new();
    for (number, path) in texts::files(&bench.texts)?.into_iter().enumerate() {
        if !shown(&bench.texts, &path).contains(wanted) {
            continue;
        }
        let (bench, places) = (Arc::clone(&bench), Arc::clone(&places));
        running.spawn(async move {
            let _place = places.acquire_owned().await?;
            let found = file::run(&bench, number, &path).await;
            found.map_err(|fault| Fault::from(format!("{}: {fault}", path.display())))
        });
    }
    let mut report = Report::default();
    while let Some(found) = running.join_next().await {
        report.add(found??);
    }
    report.unlike.sort();
    report.idle = bench.reasons.idle();
    // Files that are gone must not be where the process is.
    std::env::set_current_dir(env!("CARGO_MANIFEST_DIR"))?;
    Ok(report)
}

/// The path as the report shows it.
pub(crate) fn shown(texts: &Path, path: &Path) -> String {
    path.strip_prefix(texts.join("test_files"))
        .unwrap_or(path)
        .display()
        .to_string()
}
