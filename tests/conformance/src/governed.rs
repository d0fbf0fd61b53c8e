//! The same question through Ambit's engine: a grant of everything, to a subject without claims.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use ambit_engine::{Engine, Frame};
use ambit_protocol::{
    EngineCatalog, GovernedColumn, Mask, OpenSession, Outcome, OutputFormat, RowFilter, SessionLimits, SessionTemplate,
    Source, SourceFormat, Statement, Store, Table, View,
};
use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::ipc::reader::StreamReader;
use datafusion::arrow::ipc::writer::FileWriter;
use datafusion::datasource::MemTable;
use datafusion::prelude::SessionContext;
use sha2::{Digest, Sha256};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::Fault;
use crate::answer::{Answer, Table as Rows};
use crate::declared::Declared;

const STORE: &str = "lake";

const LIMITS: SessionLimits = SessionLimits {
    deadline_ms: 20_000,
    memory_bytes: 1 << 30,
    spill_bytes: 1 << 30,
    rows: 10_000_000,
    bytes: 1 << 30,
    statement_bytes: 64 << 10,
    statement_nodes: 5_000,
    statement_depth: 400,
    plan_nodes: 2_000,
};

/// What a file's queries may see.
pub(crate) struct Product {
    engine: Arc<Engine>,
    catalog: Arc<EngineCatalog>,
    folder: PathBuf,
    pub views: BTreeMap<String, String>,
    tables: BTreeMap<String, Held>,
    written: u64,
}

/// A setting that a test file sets and no boundary may.
pub(crate) struct Fixed {
    pub key: String,
    pub value: String,
    pub default: String,
}

struct Held {
    path: String,
    format: SourceFormat,
    table: Declared,
    policy: Policy,
}

/// What narrows a table. Its SQL names the columns of the source.
#[derive(Clone, Copy, Default)]
pub(crate) struct Policy {
    pub rows: Option<&'static str>,
    /// By column.
    pub masks: &'static [(&'static str, &'static str)],
}

impl Product {
    pub(crate) fn new(engine: Arc<Engine>, catalog: Arc<EngineCatalog>, folder: PathBuf) -> Self {
        Self {
            engine,
            catalog,
            folder,
            views: BTreeMap::new(),
            tables: BTreeMap::new(),
            written: 0,
        }
    }

    pub(crate) fn has(&self, name: &str) -> bool {
        self.tables.contains_key(name) || self.views.contains_key(name)
    }

    /// A write may have changed anything.
    pub(crate) fn forget(&mut self) {
        self.tables.clear();
        self.views.clear();
    }

    pub(crate) fn put(&mut self, name: &str, table: Declared) -> Result<(), Fault> {
        self.written += 1;
        let path = format!("{}.arrow", self.written);
        let mut writer = FileWriter::try_new(File::create(self.folder.join(&path))?, &table.rows.schema())?;
        writer.write(&table.rows)?;
        writer.finish()?;
        let held = Held {
            path,
            format: SourceFormat::Arrow,
            table,
            policy: Policy::default(),
        };
        self.tables.insert(name.into(), held);
        Ok(())
    }

    /// A table that lies in a Parquet file of the product's folder.
    pub(crate) fn hold(&mut self, name: &str, table: Declared, policy: Policy) {
        let held = Held {
            path: format!("{name}.parquet"),
            format: SourceFormat::Parquet,
            table,
            policy,
        };
        self.tables.insert(name.into(), held);
    }

    /// Columns of a table that no contract can declare.
    pub(crate) fn left_out(&self, name: &str) -> Vec<String> {
        self.tables
            .get(name)
            .map(|held| held.table.left_out.clone())
            .unwrap_or_default()
    }

    /// The tables as they are declared, for DataFusion without Ambit.
    pub(crate) fn declared(&self) -> Result<BTreeMap<String, Arc<MemTable>>, Fault> {
        let tables = self.tables.iter().map(|(name, held)| {
            let rows = held.table.rows.clone();
            Ok((
                name.clone(),
                Arc::new(MemTable::try_new(rows.schema(), vec![vec![rows]])?),
            ))
        });
        tables.collect()
    }

    /// The context's settings as far as a boundary may set them, the rest as Ambit has them.
    fn settings(&self, context: &SessionContext) -> BTreeMap<String, String> {
        let set = settings_of(context);
        let settings = self.catalog.settings.iter().map(|entry| {
            let own = entry.ambit.as_ref().unwrap_or(&entry.default);
            let value = set.get(&entry.key).filter(|_| entry.settable).unwrap_or(own);
            (entry.key.clone(), value.clone())
        });
        settings.collect()
    }

    /// Settings of the context that no boundary may set.
    pub(crate) fn fixed(&self, context: &SessionContext) -> Vec<Fixed> {
        let set = settings_of(context);
        let fixed = self.catalog.settings.iter().filter(|entry| !entry.settable);
        let fixed = fixed.filter_map(|entry| {
            let value = set.get(&entry.key).filter(|value| **value != entry.default)?;
            Some(Fixed {
                key: entry.key.clone(),
                value: value.clone(),
                default: entry.default.clone(),
            })
        });
        fixed.collect()
    }

    fn template(&self, settings: BTreeMap<String, String>) -> SessionTemplate {
        let source = |held: &Held| Source {
            store: STORE.into(),
            path: held.path.clone(),
            format: held.format.clone(),
            columns: held.table.columns.clone(),
            partitions: vec![],
        };
        let table = |name: &String, held: &Held| Table {
            source: name.clone(),
            columns: held
                .table
                .columns
                .iter()
                .map(|column| GovernedColumn {
                    name: column.name.clone(),
                    masks: held.policy.mask(&column.name),
                })
                .collect(),
            filters: held.policy.filters(),
            closed: false,
            statistics: true,
        };
        SessionTemplate {
            boundary: "sha256:conformance".into(),
            stores: BTreeMap::from([(
                STORE.into(),
                Store::Local {
                    root: self.folder.display().to_string(),
                },
            )]),
            sources: self
                .tables
                .iter()
                .map(|(name, held)| (name.clone(), source(held)))
                .collect(),
            tables: self
                .tables
                .iter()
                .map(|(name, held)| (name.clone(), table(name, held)))
                .collect(),
            views: self
                .views
                .iter()
                .map(|(name, sql)| (name.clone(), View { sql: sql.clone() }))
                .collect(),
            functions: self.catalog.functions.iter().map(|entry| entry.name.clone()).collect(),
            settings,
            claims: BTreeMap::new(),
        }
    }

    pub(crate) async fn ask(&self, context: &SessionContext, sql: &str) -> Result<Answer, Fault> {
        let body = serde_json::to_vec(&self.template(self.settings(context)))?;
        let hash: String = Sha256::digest(&body).iter().map(|byte| format!("{byte:02x}")).collect();
        let digest = format!("sha256:{hash}");
        if let Err(error) = self.engine.put_template(&digest, &body) {
            return Ok(Answer::Failed(format!("Template: {error}")));
        }
        let session = self.engine.open(open(digest, sql))?;
        let (sender, mut frames) = mpsc::channel(4);
        tokio::spawn(session.run(sender, CancellationToken::new()));
        let (mut bytes, mut outcome) = (Vec::new(), None);
        while let Some(frame) = frames.recv().await {
            match frame {
                // Nothing that is asked here is too wide to be traced.
                Frame::Planned(planned) if planned.lineage.widened => {
                    return Err(format!("the lineage is not followed to its end: {sql}").into());
                }
                Frame::Planned(_) => {}
                Frame::Data(data) => bytes.extend_from_slice(&data),
                Frame::Outcome(end) => outcome = Some(*end),
            }
        }
        let outcome = outcome.ok_or("a session ended without an outcome")?;
        answer(&outcome, &bytes)
    }
}

impl Policy {
    fn filters(&self) -> Vec<RowFilter> {
        let filter = |sql: &str| RowFilter {
            id: "rows".into(),
            sql: sql.into(),
        };
        self.rows.into_iter().map(filter).collect()
    }

    fn mask(&self, column: &str) -> Vec<Mask> {
        let masks = self.masks.iter().filter(|(of, _)| *of == column);
        let mask = |(_, sql): &(&str, &str)| Mask {
            id: "mask".into(),
            sql: (*sql).into(),
        };
        masks.map(mask).collect()
    }
}

fn settings_of(context: &SessionContext) -> BTreeMap<String, String> {
    let entries = context.copied_config().options().entries().into_iter();
    entries
        .map(|entry| (entry.key, entry.value.unwrap_or_default()))
        .collect()
}

fn answer(outcome: &Outcome, bytes: &[u8]) -> Result<Answer, Fault> {
    if let Some(error) = &outcome.error {
        let detail = error.detail.as_deref().unwrap_or_default();
        return Ok(Answer::Failed(format!(
            "{:?}: {} [{detail}]",
            error.code, error.message
        )));
    }
    let reader = StreamReader::try_new(bytes, None)?;
    let schema = reader.schema();
    let batches = reader.collect::<Result<Vec<RecordBatch>, _>>()?;
    Ok(Answer::Rows(Rows::new(&schema, &batches)?))
}

fn open(template: String, sql: &str) -> OpenSession {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    OpenSession {
        session: "ses_conformance".into(),
        template,
        tenant: "all".into(),
        purpose: "conformance".into(),
        claims: BTreeMap::new(),
        clock_micros: i64::try_from(now.as_micros()).unwrap_or_default(),
        credentials: BTreeMap::new(),
        limits: LIMITS,
        statement: Statement {
            sql: sql.into(),
            parameters: BTreeMap::new(),
        },
        format: OutputFormat::Arrow,
        traceparent: None,
    }
}
