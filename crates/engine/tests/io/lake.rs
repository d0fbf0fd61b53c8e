//! A folder of files, and the tables that a contract may declare over them.

use std::fs::{self, File};
use std::path::PathBuf;
use std::sync::Arc;

use ambit_protocol::{Column, EngineErrorCode, Source, SourceFormat};
use datafusion::arrow::array::{ArrayRef, RecordBatch};
use datafusion::arrow::ipc::writer::FileWriter;
use datafusion::arrow::util::pretty::pretty_format_batches;
use datafusion::common::{DataFusionError, Result};
use datafusion::execution::runtime_env::RuntimeEnvBuilder;
use datafusion::execution::session_state::SessionStateBuilder;
use datafusion::parquet::arrow::ArrowWriter;
use datafusion::prelude::{DataFrame, SessionConfig, SessionContext};
use tempfile::TempDir;

use super::access::AccessLog;
use super::beneath::open_root;
use super::error::running;
use super::local_store::LocalStore;
use super::source::{STORES_URL, raw_table, shared_caches};
use super::store::{SessionStore, SessionStores};
use super::types::schema_of;

pub(crate) struct Lake {
    pub(crate) folder: TempDir,
    caches: datafusion::execution::cache::cache_manager::CacheManagerConfig,
}

pub(crate) fn csv() -> SourceFormat {
    SourceFormat::Csv {
        header: true,
        delimiter: ",".into(),
    }
}

pub(crate) fn columns(columns: &[(&str, &str)]) -> Vec<Column> {
    columns
        .iter()
        .map(|(name, data_type)| Column {
            name: (*name).into(),
            data_type: data_type.trim_end_matches('!').into(),
            nullable: !data_type.ends_with('!'),
        })
        .collect()
}

pub(crate) fn batch(columns: Vec<(&str, ArrayRef)>) -> RecordBatch {
    RecordBatch::try_from_iter_with_nullable(columns.into_iter().map(|(name, column)| (name, column, true))).unwrap()
}

impl Lake {
    pub(crate) fn new() -> Self {
        Self {
            folder: tempfile::tempdir().unwrap(),
            caches: shared_caches(),
        }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        let path = self.folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        path
    }

    pub(crate) fn text(&self, name: &str, content: &str) -> &Self {
        fs::write(self.path(name), content).unwrap();
        self
    }

    pub(crate) fn parquet(&self, name: &str, batch: &RecordBatch) -> &Self {
        let mut writer = ArrowWriter::try_new(File::create(self.path(name)).unwrap(), batch.schema(), None).unwrap();
        writer.write(batch).unwrap();
        writer.close().unwrap();
        self
    }

    pub(crate) fn arrow(&self, name: &str, batch: &RecordBatch) -> &Self {
        let mut writer = FileWriter::try_new(File::create(self.path(name)).unwrap(), &batch.schema()).unwrap();
        writer.write(batch).unwrap();
        writer.finish().unwrap();
        self
    }

    pub(crate) fn table(
        &self,
        format: SourceFormat,
        path: &str,
        declared: &[(&str, &str)],
    ) -> Result<(DataFrame, Arc<AccessLog>)> {
        let log = Arc::new(AccessLog::default());
        let root = open_root(self.folder.path()).unwrap();
        let store = SessionStore::Local(Arc::new(LocalStore::new(root, "m1", log.clone(), "lake")));
        let stores = SessionStores::new(STORES_URL, vec![store]);
        let runtime = RuntimeEnvBuilder::new()
            .with_object_store_registry(Arc::new(stores))
            .with_cache_manager(self.caches.clone())
            .build_arc()
            .unwrap();
        let mut config = SessionConfig::new()
            .with_target_partitions(4)
            .with_collect_statistics(false);
        config.options_mut().execution.parquet.pushdown_filters = true;
        let state = SessionStateBuilder::new_with_default_features()
            .with_config(config)
            .with_runtime_env(runtime)
            .build();
        let source = Source {
            store: "lake".into(),
            path: path.into(),
            format,
            columns: columns(declared),
            partitions: vec![],
        };
        let schema = schema_of(&source.columns).unwrap();
        let table = raw_table(&source, "m1", schema)?;
        Ok((SessionContext::new_with_state(state).read_table(table)?, log))
    }

    pub(crate) async fn rows(&self, format: SourceFormat, path: &str, declared: &[(&str, &str)]) -> Result<String> {
        let (frame, _) = self.table(format, path, declared)?;
        let schema = frame.schema().clone();
        let batches = frame.collect().await?;
        for batch in &batches {
            assert_eq!(batch.schema().fields(), schema.as_arrow().fields(), "as declared");
        }
        let text = pretty_format_batches(&batches)?.to_string();
        let cells = text.lines().filter(|line| line.starts_with('|')).skip(1);
        let cells = cells.map(|line| {
            line.trim_matches('|')
                .split('|')
                .map(str::trim)
                .collect::<Vec<_>>()
                .join(",")
        });
        let mut cells: Vec<String> = cells.collect();
        cells.sort();
        Ok(cells.join("\n"))
    }

    pub(crate) async fn fails(&self, format: SourceFormat, path: &str, declared: &[(&str, &str)]) -> DataFusionError {
        match self.rows(format, path, declared).await {
            Ok(rows) => panic!("{path} as {declared:?} gave\n{rows}"),
            Err(error) => error,
        }
    }

    /// Fails because the source is not as declared, and says which column to the operator alone.
    pub(crate) async fn unlike(&self, format: SourceFormat, path: &str, declared: &[(&str, &str)]) {
        let error = self.fails(format, path, declared).await;
        let text = error.to_string();
        assert_eq!(running(error).0.code, EngineErrorCode::SourceFailed, "{text}");
    }
}
