//! A governed table with a row that nobody may learn of, and a session on it.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use ambit_engine::{Engine, EngineConfig, Frame};
use ambit_protocol::{
    Column, GovernedColumn, Mask, OpenSession, Outcome, OutputFormat, Planned, RowFilter, SessionLimits,
    SessionTemplate, Source, SourceFormat, Statement, Store, Table, TypedValue, View,
};
use sha2::{Digest, Sha256};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

/// Hidden rows carry this word; no byte of an answer may.
pub const TRIPWIRE: &str = "SECRET-bob";

pub const EMPLOYEES: &str = "id,tenant,name,salary,ssn\n\
    1,a,ann,100,111-11-1111\n\
    2,b,SECRET-bob,0,SECRET-bob\n\
    3,a,cid,300,333-33-3333\n\
    4,a,dan,400,444-44-4444\n";

pub struct Answer {
    pub planned: Option<Planned>,
    pub bytes: Vec<u8>,
    pub outcome: Outcome,
}

impl Answer {
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.bytes).into_owned()
    }

    pub fn code(&self) -> String {
        self.outcome
            .error
            .as_ref()
            .map(|error| format!("{:?}", error.code))
            .unwrap_or_default()
    }

    /// What the consumer is told, without the operator's detail.
    pub fn told(&self) -> String {
        self.outcome
            .error
            .as_ref()
            .map(|error| format!("{} {:?}", error.message, error.hint))
            .unwrap_or_default()
    }
}

pub struct Fixture {
    pub engine: Arc<Engine>,
    pub folder: tempfile::TempDir,
    pub template: SessionTemplate,
}

pub fn limits() -> SessionLimits {
    SessionLimits {
        deadline_ms: 20_000,
        memory_bytes: 256 << 20,
        spill_bytes: 256 << 20,
        rows: 1_000_000,
        bytes: 64 << 20,
        statement_bytes: 64 << 10,
        statement_nodes: 5_000,
        statement_depth: 400,
        plan_nodes: 2_000,
    }
}

fn column(name: &str, data_type: &str) -> Column {
    Column {
        name: name.into(),
        data_type: data_type.into(),
        nullable: true,
    }
}

fn shown(name: &str, masks: &[(&str, &str)]) -> GovernedColumn {
    let masks = masks
        .iter()
        .map(|(id, sql)| Mask {
            id: (*id).into(),
            sql: (*sql).into(),
        })
        .collect();
    GovernedColumn {
        name: name.into(),
        masks,
    }
}

impl Fixture {
    /// `emp` is narrowed to tenant a, `ssn` is masked, and `salary` is there.
    pub fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("emp.csv"), EMPLOYEES).unwrap();
        let engine = Engine::new(EngineConfig {
            memory_bytes: 512 << 20,
            spill_folder: Some(folder.path().join("spill")),
            spill_bytes: 512 << 20,
            templates_max: 10,
            ..EngineConfig::default()
        })
        .unwrap();
        let template = template(folder.path());
        Self {
            engine,
            folder,
            template,
        }
    }

    pub fn open(&self, sql: &str, limits: SessionLimits) -> OpenSession {
        OpenSession {
            session: "ses_test".into(),
            template: self.put(),
            tenant: "a".into(),
            purpose: "analytics".into(),
            claims: BTreeMap::from([(
                "tenant".into(),
                TypedValue {
                    data_type: "string".into(),
                    value: "a".into(),
                },
            )]),
            clock_micros: 1_700_000_000_000_000,
            credentials: BTreeMap::new(),
            limits,
            statement: Statement {
                sql: sql.into(),
                parameters: BTreeMap::new(),
            },
            format: OutputFormat::Ndjson,
            traceparent: None,
        }
    }

    fn put(&self) -> String {
        let body = serde_json::to_vec(&self.template).unwrap();
        let hash: String = Sha256::digest(&body).iter().map(|byte| format!("{byte:02x}")).collect();
        let digest = format!("sha256:{hash}");
        self.engine.put_template(&digest, &body).unwrap();
        digest
    }

    pub async fn ask(&self, sql: &str) -> Answer {
        self.run(self.open(sql, limits()), CancellationToken::new()).await
    }

    pub async fn run(&self, open: OpenSession, cancel: CancellationToken) -> Answer {
        let session = self.engine.open(open).unwrap();
        let (sender, mut frames) = mpsc::channel(4);
        tokio::spawn(session.run(sender, cancel));
        let (mut planned, mut bytes, mut outcome) = (None, Vec::new(), None);
        while let Some(frame) = frames.recv().await {
            match frame {
                Frame::Planned(plan) => planned = Some(*plan),
                Frame::Data(data) => bytes.extend_from_slice(&data),
                Frame::Outcome(end) => outcome = Some(*end),
            }
        }
        let outcome = outcome.expect("every session ends with an outcome");
        assert_eq!(
            outcome.residue,
            ambit_protocol::Residue::default(),
            "the session left something behind"
        );
        Answer {
            planned,
            bytes,
            outcome,
        }
    }
}

fn template(folder: &Path) -> SessionTemplate {
    let catalog = Engine::catalog();
    let settings = catalog
        .settings
        .into_iter()
        .map(|entry| (entry.key, entry.ambit.unwrap_or(entry.default)))
        .collect();
    let functions = catalog.functions.into_iter().map(|entry| entry.name).collect();
    let columns = ["tenant", "name", "ssn"].map(|name| column(name, "string"));
    let [tenant, name, ssn] = columns;
    SessionTemplate {
        boundary: "sha256:test".into(),
        stores: BTreeMap::from([(
            "lake".into(),
            Store::Local {
                root: folder.display().to_string(),
            },
        )]),
        sources: BTreeMap::from([(
            "emp".into(),
            Source {
                store: "lake".into(),
                path: "emp.csv".into(),
                format: SourceFormat::Csv {
                    header: true,
                    delimiter: ",".into(),
                },
                columns: vec![column("id", "bigint"), tenant, name, column("salary", "bigint"), ssn],
                partitions: vec![],
            },
        )]),
        tables: BTreeMap::from([(
            "emp".into(),
            Table {
                source: "emp".into(),
                columns: vec![
                    shown("id", &[]),
                    shown("name", &[]),
                    shown("salary", &[]),
                    shown("ssn", &[("stars", "'***'")]),
                ],
                filters: vec![RowFilter {
                    id: "own".into(),
                    sql: "tenant = $claims.tenant".into(),
                }],
                closed: false,
                statistics: true,
            },
        )]),
        views: BTreeMap::from([(
            "paid".into(),
            View {
                sql: "SELECT id, name FROM emp WHERE salary > 100".into(),
            },
        )]),
        functions,
        settings,
        claims: BTreeMap::from([("tenant".into(), "string".into())]),
    }
}
