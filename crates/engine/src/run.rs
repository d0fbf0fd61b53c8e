//! Running a statement in a session: admit, bind, verify, optimize, verify, plan, verify, stream.

use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use ambit_protocol::{EngineErrorCode, Planned, ResultColumn};
use datafusion::arrow::datatypes::{Fields, Schema};
use datafusion::common::{DFSchema, DataFusionError, Result};
use datafusion::execution::{SessionState, TaskContext};
use datafusion::logical_expr::LogicalPlan;
use datafusion::physical_plan::{ExecutionPlan, displayable, execute_stream};
use datafusion::scalar::ScalarValue;
use futures::StreamExt;
use sha2::{Digest, Sha256};
use tokio::sync::mpsc;

use crate::Frame;
use crate::encode::{EncodeError, Encoder, Sizes, Written};
use crate::error::{Fault, binding, running};
use crate::gate::dialect::dialect;
use crate::gate::physical;
use crate::gate::place::placed;
use crate::gate::plan::{Allowed, Contents, Stage, verify};
use crate::gate::statement::{Admitted, Bounds, admit};
use crate::governed::SessionTables;
use crate::leakproof::withheld::withheld;
use crate::lineage::lineage;
use crate::names::Names;
use crate::report::Room;
use crate::scope::Scope;
use crate::template::{digest_of, hex};
use crate::types;

/// What has been delivered so far: read after the run, however it ended.
#[derive(Debug, Default)]
pub(crate) struct Delivered {
    pub rows: u64,
    pub batches: u64,
    pub bytes: u64,
    pub digest: Sha256,
    pub planned: Option<Duration>,
    pub first_row: Option<Duration>,
    pub last_row: Option<Duration>,
}

/// One statement on its way.
pub(crate) struct Run {
    pub scope: Arc<Scope>,
    pub state: SessionState,
    pub frames: mpsc::Sender<Frame>,
    pub arrived: Instant,
    pub delivered: Arc<Mutex<Delivered>>,
    /// Kept for its metrics.
    pub plan: Arc<OnceLock<Arc<dyn ExecutionPlan>>>,
}

impl Run {
    /// The statement's whole life but its end.
    pub(crate) async fn statement(&self) -> Result<(), Fault> {
        let (bound, contents) = self.bind().map_err(|fault| {
            placed(
                fault,
                &self.scope.open.statement.sql,
                dialect(&self.scope.template.options),
            )
        })?;
        let analyzed = self.analyze(&bound)?;
        let schema = Arc::clone(analyzed.schema());
        let optimized = self.optimize(analyzed, contents.nodes)?;
        let plan = self.plan(&optimized).await?;
        let schema = answered(&schema, &plan.schema());
        let planned = self.planned(&bound, contents, &schema, &plan)?;
        self.mark(|delivered, at| delivered.planned = Some(at));
        self.send(Frame::Planned(Box::new(planned))).await?;
        self.stream(&schema, plan).await
    }

    /// Errors may speak: no source has been opened.
    fn bind(&self) -> Result<(LogicalPlan, Contents), Fault> {
        let open = &self.scope.open;
        let template = &self.scope.template;
        let admitted = admit(
            &open.statement.sql,
            Bounds::of(&open.limits),
            dialect(&template.options),
        )?;
        let parameters = parameters(&admitted, &self.scope)?;
        let tables = SessionTables::new(Arc::clone(&self.scope));
        let names = Names {
            tables: &tables,
            functions: &template.functions,
            options: &template.options,
        };
        let bound = names.bind(&admitted, parameters).map_err(binding)?;
        let contents = verify(&bound, &self.allowed(open.limits.plan_nodes), Stage::Bound).map_err(binding)?;
        Ok((bound, contents))
    }

    fn analyze(&self, bound: &LogicalPlan) -> Result<LogicalPlan, Fault> {
        let options = self.state.config_options();
        let analyzer = self.state.analyzer();
        analyzer
            .execute_and_check(bound.clone(), options, |_, _| {})
            .map_err(binding)
    }

    fn optimize(&self, analyzed: LogicalPlan, nodes: u64) -> Result<LogicalPlan, Fault> {
        let optimized = self
            .state
            .optimizer()
            .optimize(analyzed, &self.state, |_, _| {})
            .map_err(running)?;
        // Rules may split and add steps, a few for each that was bound.
        let room = self.scope.open.limits.plan_nodes.max(nodes).saturating_mul(8);
        verify(&optimized, &self.allowed(room), Stage::Optimized).map_err(running)?;
        Ok(optimized)
    }

    async fn plan(&self, optimized: &LogicalPlan) -> Result<Arc<dyn ExecutionPlan>, Fault> {
        let plan = self
            .state
            .query_planner()
            .create_physical_plan(optimized, &self.state)
            .await
            .map_err(running)?;
        let plan = withheld(plan, self.state.config_options()).map_err(running)?;
        physical::verify(&plan).map_err(running)?;
        let _ = self.plan.set(Arc::clone(&plan));
        Ok(plan)
    }

    fn planned(
        &self,
        bound: &LogicalPlan,
        contents: Contents,
        schema: &Schema,
        plan: &Arc<dyn ExecutionPlan>,
    ) -> Result<Planned, Fault> {
        let (mut tables, views) = self.scope.uses.report();
        let mut room = Room::new();
        let physical_plan = room.fit(displayable(plan.as_ref()).indent(false).to_string());
        for used in tables.values_mut() {
            for text in used.inner_plans.iter_mut().chain(&mut used.pushed_predicates) {
                *text = room.fit(std::mem::take(text));
            }
        }
        let columns = columns(schema);
        let lineage = lineage(bound, &columns)?;
        Ok(Planned {
            columns,
            lineage,
            tables,
            views,
            functions: contents.functions.into_iter().collect(),
            plan_digest: digest_of(bound.display_indent_schema().to_string().as_bytes()),
            physical_plan,
        })
    }

    async fn stream(&self, schema: &Schema, plan: Arc<dyn ExecutionPlan>) -> Result<(), Fault> {
        let limits = &self.scope.open.limits;
        let sizes = Sizes {
            rows: limits.rows,
            bytes: limits.bytes,
            batch_rows: self.state.config_options().execution.batch_size.into(),
        };
        let mut encoder = Encoder::new(self.scope.open.format, schema, sizes).map_err(encoding)?;
        let mut batches = execute_stream(plan, Arc::new(TaskContext::from(&self.state))).map_err(running)?;
        while let Some(batch) = batches.next().await {
            let batch = batch.map_err(running)?;
            if batch.num_rows() == 0 {
                continue;
            }
            self.mark(|delivered, at| {
                delivered.first_row.get_or_insert(at);
            });
            self.deliver(encoder.encode(&batch).map_err(encoding)?).await?;
        }
        self.mark(|delivered, at| delivered.last_row = Some(at));
        self.deliver(encoder.finish().map_err(encoding)?).await
    }

    async fn deliver(&self, written: Vec<Written>) -> Result<(), Fault> {
        for Written { bytes, rows } in written {
            {
                let mut delivered = self.delivered.lock().unwrap_or_else(PoisonError::into_inner);
                delivered.rows += rows;
                delivered.batches += u64::from(rows > 0);
                delivered.bytes += bytes.len() as u64;
                delivered.digest.update(&bytes);
            }
            if !bytes.is_empty() {
                self.send(Frame::Data(bytes)).await?;
            }
        }
        Ok(())
    }

    async fn send(&self, frame: Frame) -> Result<(), Fault> {
        self.frames
            .send(frame)
            .await
            .map_err(|_| Fault::new(EngineErrorCode::Cancelled, "the consumer went away"))
    }

    fn mark(&self, set: impl FnOnce(&mut Delivered, Duration)) {
        set(
            &mut self.delivered.lock().unwrap_or_else(PoisonError::into_inner),
            self.arrived.elapsed(),
        );
    }

    fn allowed(&self, nodes: u64) -> Allowed<'_> {
        Allowed {
            functions: &self.scope.template.function_names,
            nodes,
            governed: true,
        }
    }
}

impl Delivered {
    /// SHA-256 of what was delivered.
    pub(crate) fn result_digest(&self) -> String {
        format!("sha256:{}", hex(&self.digest.clone().finalize()))
    }
}

/// Values by position; all that were given must be named, all that are named must be given.
fn parameters(admitted: &Admitted, scope: &Scope) -> Result<Vec<ScalarValue>, Fault> {
    let given = &scope.open.statement.parameters;
    let invalid = |message: String| Fault::new(EngineErrorCode::ParameterInvalid, message);
    if let Some(unused) = given.keys().find(|name| !admitted.parameters.contains(name)) {
        return Err(invalid(format!("parameter `{unused}` is not in the statement")));
    }
    let value = |name: &String| {
        let value = given.get(name).ok_or_else(|| {
            invalid(format!("parameter `{name}` is missing"))
                .hint("give it a value and send the statement again")
                .about(name, &[])
        })?;
        types::scalar_of(value).map_err(|error| invalid(format!("parameter `{name}`: {error}")))
    };
    admitted.parameters.iter().map(value).collect()
}

/// What a column is called and holds, as planned; whether it may be NULL, as analyzed: a plan that was answered from
/// statistics knows better, and tells that it did.
fn answered(analyzed: &DFSchema, planned: &Schema) -> Schema {
    let fields = analyzed.fields().iter().zip(planned.fields());
    let fields: Fields = fields
        .map(|(analyzed, planned)| {
            let nullable = analyzed.is_nullable() || planned.is_nullable();
            planned.as_ref().clone().with_nullable(nullable)
        })
        .collect();
    Schema::new(fields)
}

fn columns(schema: &Schema) -> Vec<ResultColumn> {
    schema
        .fields()
        .iter()
        .map(|field| ResultColumn {
            name: field.name().clone(),
            data_type: types::type_name(field.data_type()),
            nullable: field.is_nullable(),
        })
        .collect()
}

fn encoding(error: EncodeError) -> Fault {
    match error {
        EncodeError::Rows(limit) => Fault::new(
            EngineErrorCode::LimitRows,
            format!("the result has more than {limit} rows"),
        )
        .hint("aggregate, filter or LIMIT"),
        EncodeError::Bytes(limit) => Fault::new(
            EngineErrorCode::LimitBytes,
            format!("the result has more than {limit} bytes"),
        )
        .hint("select fewer columns or rows"),
        EncodeError::Failed(error) => running(DataFusionError::from(error)),
    }
}
