//! The same statements in four ways, by turns: raw, over hand-written views, governed without policies, governed with
//! them. The views say what the policies say.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use ambit_engine::{Engine, EngineConfig, Frame};
use ambit_protocol::{OpenSession, Outcome, OutputFormat, SessionLimits, Statement, TypedValue};
use datafusion::prelude::SessionContext;
use rustix::time::{ClockId, clock_gettime};
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::{Failure, context, micros};

/// What is compared.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Comparison {
    /// Parquet files by table.
    tables: BTreeMap<String, String>,
    /// A view for each table, over `raw.TABLE`.
    views: BTreeMap<String, String>,
    settings: BTreeMap<String, String>,
    /// What a session without policies is cut from, and one with them.
    open: Digested,
    narrow: Digested,
    claims: BTreeMap<String, TypedValue>,
    statements: BTreeMap<String, String>,
    rounds: usize,
    pub(crate) threads: usize,
}

#[derive(Deserialize)]
struct Digested {
    digest: String,
    /// Its JSON: the digest is that of these bytes.
    template: String,
}

/// Microseconds of one statement, a value a round.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Compared {
    name: String,
    raw: Vec<f64>,
    view: Vec<f64>,
    open: Vec<f64>,
    narrow: Vec<f64>,
    /// Planning alone.
    raw_plan: Vec<f64>,
    view_plan: Vec<f64>,
    open_plan: Vec<f64>,
    narrow_plan: Vec<f64>,
    /// Time of all processors, which a busy machine changes less than it does time by the clock.
    raw_cpu: Vec<f64>,
    view_cpu: Vec<f64>,
    open_cpu: Vec<f64>,
    narrow_cpu: Vec<f64>,
    rows: u64,
    narrow_rows: u64,
}

type Outcomes<T> = Result<T, Failure>;

struct Run {
    total: f64,
    plan: f64,
    cpu: f64,
    rows: u64,
}

pub(crate) async fn compare(comparison: &Comparison) -> Outcomes<Vec<Compared>> {
    let raw = context(&comparison.settings, "public", &comparison.tables).await?;
    let views = comparison.over_views().await?;
    let engine = comparison.engine()?;
    let mut all = vec![];
    for (name, sql) in &comparison.statements {
        let mut compared = Compared::new(name);
        for round in 0..=comparison.rounds {
            let ran = [
                plain(&raw, sql).await?,
                plain(&views, sql).await?,
                comparison.governed(&engine, &comparison.open, sql).await?,
                comparison.governed(&engine, &comparison.narrow, sql).await?,
            ];
            // The first warms the caches.
            if round > 0 {
                compared.add(&ran)?;
            }
        }
        all.push(compared);
    }
    Ok(all)
}

impl Compared {
    fn new(name: &str) -> Self {
        Self {
            name: name.to_string(),
            raw: vec![],
            view: vec![],
            open: vec![],
            narrow: vec![],
            raw_plan: vec![],
            view_plan: vec![],
            open_plan: vec![],
            narrow_plan: vec![],
            raw_cpu: vec![],
            view_cpu: vec![],
            open_cpu: vec![],
            narrow_cpu: vec![],
            rows: 0,
            narrow_rows: 0,
        }
    }

    fn add(&mut self, [raw, view, open, narrow]: &[Run; 4]) -> Outcomes<()> {
        if raw.rows != open.rows || view.rows != narrow.rows {
            let rows = [raw.rows, open.rows, view.rows, narrow.rows];
            return Err(format!("{}: rows differ: {rows:?}", self.name).into());
        }
        (self.rows, self.narrow_rows) = (open.rows, narrow.rows);
        self.raw.push(raw.total);
        self.view.push(view.total);
        self.open.push(open.total);
        self.narrow.push(narrow.total);
        self.raw_plan.push(raw.plan);
        self.view_plan.push(view.plan);
        self.open_plan.push(open.plan);
        self.narrow_plan.push(narrow.plan);
        self.raw_cpu.push(raw.cpu);
        self.view_cpu.push(view.cpu);
        self.open_cpu.push(open.cpu);
        self.narrow_cpu.push(narrow.cpu);
        Ok(())
    }
}

/// Microseconds that this process has had of all processors.
fn cpu() -> f64 {
    let used = clock_gettime(ClockId::ProcessCPUTime);
    used.tv_sec as f64 * 1e6 + used.tv_nsec as f64 / 1e3
}

async fn plain(context: &SessionContext, sql: &str) -> Outcomes<Run> {
    let (started, used) = (Instant::now(), cpu());
    let plan = context.sql(sql).await?.create_physical_plan().await?;
    let planned = micros(started);
    let batches = datafusion::physical_plan::collect(plan, context.task_ctx()).await?;
    Ok(Run {
        total: micros(started),
        plan: planned,
        cpu: cpu() - used,
        rows: batches.iter().map(|batch| batch.num_rows() as u64).sum(),
    })
}

impl Comparison {
    async fn over_views(&self) -> Outcomes<SessionContext> {
        let context = context(&self.settings, "raw", &self.tables).await?;
        for (name, sql) in &self.views {
            context
                .sql(&format!("CREATE VIEW {name} AS {sql}"))
                .await?
                .collect()
                .await?;
        }
        Ok(context)
    }

    fn engine(&self) -> Outcomes<Arc<Engine>> {
        let engine = Engine::new(EngineConfig {
            memory_bytes: 8 << 30,
            spill_folder: None,
            spill_bytes: 0,
            templates_max: 10,
            ..EngineConfig::default()
        })?;
        for Digested { digest, template } in [&self.open, &self.narrow] {
            engine.put_template(digest, template.as_bytes())?;
        }
        Ok(engine)
    }

    /// A session of its own, from opening it until nothing is left, its rows written as an Arrow stream.
    async fn governed(&self, engine: &Arc<Engine>, of: &Digested, sql: &str) -> Outcomes<Run> {
        let open = self.session(of, sql);
        let (started, used) = (Instant::now(), cpu());
        let session = engine.open(open)?;
        let (sender, mut frames) = mpsc::channel(4);
        tokio::spawn(session.run(sender, CancellationToken::new()));
        let mut ended: Option<Box<Outcome>> = None;
        while let Some(frame) = frames.recv().await {
            if let Frame::Outcome(outcome) = frame {
                ended = Some(outcome);
            }
        }
        let (total, cpu) = (micros(started), cpu() - used);
        let outcome = ended.ok_or("a session without an outcome")?;
        if let Some(error) = outcome.error {
            return Err(format!("{error:?}").into());
        }
        Ok(Run {
            total,
            cpu,
            plan: outcome.timings.plan_micros as f64,
            rows: outcome.rows,
        })
    }

    fn session(&self, of: &Digested, sql: &str) -> OpenSession {
        OpenSession {
            session: "ses_bench".into(),
            template: of.digest.clone(),
            tenant: "bench".into(),
            purpose: "bench".into(),
            claims: self.claims.clone(),
            clock_micros: 0,
            credentials: BTreeMap::new(),
            limits: SessionLimits {
                deadline_ms: 600_000,
                memory_bytes: 8 << 30,
                spill_bytes: 0,
                rows: u64::MAX,
                bytes: u64::MAX,
                statement_bytes: 1 << 20,
                statement_nodes: 10_000,
                statement_depth: 400,
                plan_nodes: 10_000,
            },
            statement: Statement {
                sql: sql.into(),
                parameters: BTreeMap::new(),
            },
            format: OutputFormat::Arrow,
            traceparent: None,
        }
    }
}
