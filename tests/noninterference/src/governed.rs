//! The engine, with the world's policy in a template.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ambit_engine::{Engine, EngineConfig, Frame};
use ambit_protocol::{
    Column, GovernedColumn, Mask, OpenSession, Outcome, OutputFormat, Planned, Residue, RowFilter, SessionLimits,
    SessionTemplate, Source, SourceFormat, Statement, Store, TypedValue, View,
};
use sha2::{Digest, Sha256};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::compare::{cells, decoded};
use crate::disk::{file_name, write};
use crate::policies::{CLAIMS, PURPOSE, TENANT};
use crate::tables::{Format, Row, Table};
use crate::world::World;

/// Of the name under which a session's store is mounted.
const MOUNT_DIGITS: usize = 32;

/// The clock of every session.
pub const CLOCK_MICROS: i64 = 1_700_000_000_000_000;

/// Which data lies in the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Data {
    /// D.
    Own,
    /// D'.
    Twin,
    /// D without its hidden rows.
    Visible,
}

/// What a session sent.
pub struct Answer {
    pub planned: Option<Planned>,
    pub frames: Vec<Vec<u8>>,
    pub outcome: Outcome,
    pub format: OutputFormat,
}

impl Answer {
    pub fn bytes(&self) -> Vec<u8> {
        self.frames.concat()
    }

    pub fn code(&self) -> Option<String> {
        self.outcome.error.as_ref().map(|error| format!("{:?}", error.code))
    }

    /// All that a consumer is told beside the rows.
    pub fn told(&self) -> String {
        let error = self.outcome.error.as_ref();
        let error = error.map(|error| {
            format!(
                "{:?} {} {:?} {:?}",
                error.code, error.message, error.hint, error.position
            )
        });
        let planned = self.planned.as_ref();
        let planned = planned.map(|plan| {
            let pushed: Vec<_> = plan.tables.values().map(|used| &used.pushed_predicates).collect();
            format!(
                "{:?} {:?} {} {:?} {pushed:?}",
                plan.columns, plan.functions, plan.plan_digest, plan.views
            )
        });
        let Outcome {
            status,
            rows,
            batches,
            bytes,
            ..
        } = &self.outcome;
        format!("{status:?} rows={rows} batches={batches} bytes={bytes} {error:?} {planned:?}")
    }

    /// Whether a consumer sees the same, but for time.
    pub fn same(&self, other: &Self) -> bool {
        self.told() == other.told() && self.frames == other.frames
    }

    /// The rows, sorted.
    pub fn lines(&self) -> Vec<String> {
        let mut lines: Vec<String> = if self.format == OutputFormat::Arrow {
            let rows = cells(&decoded(&self.bytes()).1);
            rows.iter().map(|row| format!("{row:?}")).collect()
        } else {
            let bytes = self.bytes();
            // Rows of JSON end with brackets.
            String::from_utf8_lossy(&bytes)
                .replace("],[", "],\n[")
                .replace("[[", "[\n[")
                .replace("]]", "],\n]")
                .lines()
                .map(|line| line.trim_end_matches(',').to_string())
                .collect()
        };
        lines.sort();
        lines
    }

    /// The plan, without the names of the folders that data lies in.
    pub fn plan(&self) -> String {
        let text = self.planned.as_ref().map_or("", |plan| plan.physical_plan.as_str());
        let parts = text.split_inclusive(|letter: char| !letter.is_ascii_hexdigit());
        let nameless = parts.map(|part| {
            let digits = part.trim_end_matches(|letter: char| !letter.is_ascii_hexdigit());
            if digits.len() == MOUNT_DIGITS {
                &part[MOUNT_DIGITS..]
            } else {
                part
            }
        });
        nameless.collect()
    }
}

/// An engine that holds one world's data, governed.
pub struct Governed {
    engine: Arc<Engine>,
    templates: BTreeMap<&'static str, String>,
    _folder: tempfile::TempDir,
}

/// Settings of a session of this world.
pub fn settings(world: &World) -> BTreeMap<String, String> {
    let catalog = Engine::catalog().settings.into_iter();
    let mut settings: BTreeMap<String, String> = catalog
        .map(|entry| (entry.key, entry.ambit.unwrap_or(entry.default)))
        .collect();
    settings.extend(world.settings.clone());
    settings
}

/// Rows that a session may give.
pub const ROWS_MAX: u64 = 1_000_000;

fn limits() -> SessionLimits {
    SessionLimits {
        deadline_ms: 60_000,
        memory_bytes: 512 << 20,
        spill_bytes: 512 << 20,
        rows: ROWS_MAX,
        bytes: 64 << 20,
        statement_bytes: 64 << 10,
        statement_nodes: 5_000,
        statement_depth: 400,
        plan_nodes: 2_000,
    }
}

impl Governed {
    /// Writes the data and takes the templates. `visible` are the rows of each table that the policy shows.
    pub fn new(world: &World, visible: &[Vec<Row>]) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let engine = Engine::new(EngineConfig {
            memory_bytes: 1 << 30,
            spill_folder: Some(folder.path().join("spill")),
            spill_bytes: 1 << 30,
            templates_max: 10,
            ..EngineConfig::default()
        })
        .expect("an engine");
        let mut templates = BTreeMap::new();
        for data in [Data::Own, Data::Twin, Data::Visible] {
            let root = folder.path().join(format!("{data:?}"));
            std::fs::create_dir(&root).expect("a folder");
            for (table, visible) in world.tables.iter().zip(visible) {
                let rows = match data {
                    Data::Own => &table.rows,
                    Data::Twin => &table.twin,
                    Data::Visible => visible,
                };
                write(&root, table, rows);
            }
            templates.insert(name(data), put(&engine, &template(world, root)));
        }
        Self {
            engine,
            templates,
            _folder: folder,
        }
    }

    pub async fn ask(&self, data: Data, sql: &str, format: OutputFormat) -> Answer {
        let claims = CLAIMS.iter().map(|(name, data_type, value, _)| {
            let value = TypedValue {
                data_type: (*data_type).into(),
                value: (*value).into(),
            };
            ((*name).to_string(), value)
        });
        let open = OpenSession {
            session: "ses_oracle".into(),
            template: self.templates[name(data)].clone(),
            tenant: TENANT.into(),
            purpose: PURPOSE.into(),
            claims: claims.collect(),
            clock_micros: CLOCK_MICROS,
            credentials: BTreeMap::new(),
            limits: limits(),
            statement: Statement {
                sql: sql.into(),
                parameters: BTreeMap::new(),
            },
            format,
            traceparent: None,
        };
        let session = self.engine.open(open).unwrap_or_else(|error| panic!("{sql}: {error}"));
        let (sender, mut sent) = mpsc::channel(16);
        let run = tokio::spawn(session.run(sender, CancellationToken::new()));
        let (mut planned, mut frames, mut outcome) = (None, Vec::new(), None);
        while let Some(frame) = sent.recv().await {
            match frame {
                Frame::Planned(plan) => planned = Some(*plan),
                Frame::Data(data) => frames.push(data.to_vec()),
                Frame::Outcome(end) => outcome = Some(*end),
            }
        }
        run.await.expect("a session ends");
        let outcome: Outcome = outcome.expect("every session ends with an outcome");
        assert_eq!(outcome.residue, Residue::default(), "{sql} left something behind");
        Answer {
            planned,
            frames,
            outcome,
            format,
        }
    }
}

fn name(data: Data) -> &'static str {
    match data {
        Data::Own => "own",
        Data::Twin => "twin",
        Data::Visible => "visible",
    }
}

fn put(engine: &Engine, template: &SessionTemplate) -> String {
    let body = serde_json::to_vec(template).expect("a template is JSON");
    let hash: String = Sha256::digest(&body).iter().map(|byte| format!("{byte:02x}")).collect();
    let digest = format!("sha256:{hash}");
    engine.put_template(&digest, &body).expect("a template that holds");
    digest
}

fn template(world: &World, root: PathBuf) -> SessionTemplate {
    let sources = world
        .tables
        .iter()
        .map(|table| (format!("raw_{}", table.name), source(table)));
    let tables = world.granted().map(|table| (table.name.clone(), governed(table)));
    let views = world
        .views
        .iter()
        .map(|(name, sql)| (name.clone(), View { sql: sql.clone() }));
    let claims = CLAIMS
        .iter()
        .map(|(name, data_type, ..)| ((*name).into(), (*data_type).into()));
    SessionTemplate {
        boundary: "sha256:oracle".into(),
        stores: BTreeMap::from([("lake".into(), local(&root))]),
        sources: sources.collect(),
        tables: tables.collect(),
        views: views.collect(),
        functions: Engine::catalog()
            .functions
            .into_iter()
            .map(|entry| entry.name)
            .collect(),
        settings: settings(world),
        claims: claims.collect(),
    }
}

fn local(root: &Path) -> Store {
    Store::Local {
        root: root.display().to_string(),
    }
}

fn source(table: &Table) -> Source {
    let columns = table.columns.iter().map(|column| Column {
        name: column.name.clone(),
        data_type: column.kind.contract().into(),
        nullable: column.name != "id",
    });
    Source {
        store: "lake".into(),
        path: file_name(table),
        format: match table.format {
            Format::Parquet => SourceFormat::Parquet,
            Format::Arrow => SourceFormat::Arrow,
            Format::Csv => SourceFormat::Csv {
                header: true,
                delimiter: ",".into(),
            },
            Format::Json => SourceFormat::Json { array: false },
        },
        columns: columns.collect(),
        partitions: vec![],
    }
}

fn governed(table: &Table) -> ambit_protocol::Table {
    let columns = table.shown().map(|column| {
        let masks = column.masks.iter().enumerate().map(|(index, sql)| Mask {
            id: format!("m{index}"),
            sql: sql.clone(),
        });
        GovernedColumn {
            name: column.name.clone(),
            masks: masks.collect(),
        }
    });
    let filters = table.filters.iter().enumerate().map(|(index, sql)| RowFilter {
        id: format!("f{index}"),
        sql: sql.clone(),
    });
    ambit_protocol::Table {
        source: format!("raw_{}", table.name),
        columns: columns.collect(),
        filters: filters.collect(),
        closed: false,
        // One of a world's tables does without.
        statistics: table.name != "t1",
    }
}
