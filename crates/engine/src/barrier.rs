//! The barrier: a leaf for everything outside it. Inside runs a plan of its own, made of the policy and of leakproof
//! predicates alone; nothing else that a consumer wrote can be moved into it, and nothing of it can be seen.
//!
//! Two things cross it, so that it costs nothing. Outwards go statistics: they choose the outer plan and are never shown
//! (`estimates.rs`). Inwards go dynamic filters: what a join, a top-k or an aggregate learns while it runs, as comparisons
//! on unmasked columns.

use std::fmt;
use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll};

use datafusion::arrow::array::{RecordBatch, RecordBatchOptions};
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::common::{Result, Statistics, internal_err};
use datafusion::execution::{RecordBatchStream, SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::{EquivalenceProperties, PhysicalExpr};
use datafusion::physical_plan::execution_plan::reset_plan_states;
use datafusion::physical_plan::filter_pushdown::{ChildPushdownResult, FilterPushdownPhase, FilterPushdownPropagation};
use datafusion::physical_plan::statistics::StatisticsArgs;
use datafusion::physical_plan::{
    DisplayAs, DisplayFormatType, ExecutionPlan, ExecutionPlanProperties, Partitioning, PlanProperties,
};
use futures::{Stream, StreamExt};

use crate::compact::compact;
use crate::error::inside_barrier;
use crate::estimates::estimates;
use crate::injected::injected;
use crate::leakproof::leakproof_dynamic;
use crate::recut::Recut;

/// What the policy lets out of one scan.
#[derive(Debug)]
pub(crate) struct Disclosed {
    pub table: Arc<str>,
    /// What the session was told: the inner plan's columns may differ in nullability.
    pub columns: SchemaRef,
    /// By position in `columns`: whether the raw value is shown.
    pub unmasked: Vec<bool>,
    /// No row filter applies.
    pub every_row: bool,
    /// Whether statistics may choose the outer plan.
    pub statistics: bool,
}

/// A governed scan. Trait defaults do most of the work: no children, no metrics, no ordering, and every pushdown hook but
/// one answers "unsupported".
#[derive(Debug)]
pub(crate) struct BarrierExec {
    disclosed: Arc<Disclosed>,
    /// As it was planned.
    planned: Arc<dyn ExecutionPlan>,
    /// As it runs: with dynamic filters.
    inner: Arc<dyn ExecutionPlan>,
    dynamic: Vec<Arc<dyn PhysicalExpr>>,
    properties: Arc<PlanProperties>,
    statistics: OnceLock<Arc<Statistics>>,
}

impl BarrierExec {
    pub(crate) fn new(disclosed: Arc<Disclosed>, planned: Arc<dyn ExecutionPlan>) -> Self {
        // Orderings and constants of the inner plan would tell of hidden rows, and of the policy.
        let properties = PlanProperties::new(
            EquivalenceProperties::new(Arc::clone(&disclosed.columns)),
            Partitioning::UnknownPartitioning(planned.output_partitioning().partition_count()),
            planned.pipeline_behavior(),
            planned.boundedness(),
        )
        .with_scheduling_type(planned.properties().scheduling_type);
        Self {
            disclosed,
            inner: Arc::clone(&planned),
            planned,
            dynamic: vec![],
            properties: Arc::new(properties),
            statistics: OnceLock::new(),
        }
    }

    /// For the gate and the evidence: never for a rule.
    pub(crate) fn inner(&self) -> &Arc<dyn ExecutionPlan> {
        &self.inner
    }

    pub(crate) fn table(&self) -> &str {
        &self.disclosed.table
    }

    /// Its dynamic filters; none, where it hides no row.
    pub(crate) fn dynamic_over_hidden(&self) -> &[Arc<dyn PhysicalExpr>] {
        if self.disclosed.every_row { &[] } else { &self.dynamic }
    }

    /// The same scan with these of its dynamic filters alone; `None` where it has no other, or hides no row.
    pub(crate) fn with_dynamic_only(
        &self,
        keep: &dyn Fn(&Arc<dyn PhysicalExpr>) -> bool,
        config: &ConfigOptions,
    ) -> Result<Option<Self>> {
        let kept: Vec<_> = self.dynamic.iter().filter(|filter| keep(filter)).cloned().collect();
        if self.disclosed.every_row || kept.len() == self.dynamic.len() {
            return Ok(None);
        }
        let bare = Self {
            disclosed: Arc::clone(&self.disclosed),
            planned: Arc::clone(&self.planned),
            inner: Arc::clone(&self.planned),
            dynamic: vec![],
            properties: Arc::clone(&self.properties),
            statistics: self.statistics.clone(),
        };
        if kept.is_empty() {
            return Ok(Some(bare));
        }
        bare.with_dynamic(kept, config).map(Some)
    }

    /// The same scan, which also skips what these filters rule out.
    fn with_dynamic(&self, filters: Vec<Arc<dyn PhysicalExpr>>, config: &ConfigOptions) -> Result<Self> {
        Ok(Self {
            disclosed: Arc::clone(&self.disclosed),
            planned: Arc::clone(&self.planned),
            inner: injected(&self.inner, &filters, config)?,
            dynamic: self.dynamic.iter().cloned().chain(filters).collect(),
            properties: Arc::clone(&self.properties),
            statistics: self.statistics.clone(),
        })
    }
}

impl DisplayAs for BarrierExec {
    fn fmt_as(&self, _: DisplayFormatType, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "BarrierExec: table={}", self.table())
    }
}

impl ExecutionPlan for BarrierExec {
    fn name(&self) -> &str {
        "BarrierExec"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        vec![]
    }

    /// The dynamic filters and nothing of the policy: a join that does not find its filter here never computes it.
    fn apply_expressions(
        &self,
        visit: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        for filter in &self.dynamic {
            if visit(filter)? == TreeNodeRecursion::Stop {
                return Ok(TreeNodeRecursion::Stop);
            }
        }
        Ok(TreeNodeRecursion::Continue)
    }

    fn with_new_children(self: Arc<Self>, children: Vec<Arc<dyn ExecutionPlan>>) -> Result<Arc<dyn ExecutionPlan>> {
        if children.is_empty() {
            Ok(self)
        } else {
            internal_err!("a barrier has no children")
        }
    }

    fn statistics_from_inputs(&self, _: &[Arc<Statistics>], args: &StatisticsArgs) -> Result<Arc<Statistics>> {
        if !self.disclosed.statistics || args.partition().is_some() {
            return Ok(Arc::new(Statistics::new_unknown(&self.disclosed.columns)));
        }
        if let Some(known) = self.statistics.get() {
            return Ok(Arc::clone(known));
        }
        let found = estimates(&self.planned, &self.disclosed).map_err(|error| inside_barrier(self.table(), error))?;
        Ok(Arc::clone(self.statistics.get_or_init(|| Arc::new(found))))
    }

    /// Dynamic filters only save work: no operator relies on them, so none is ever promised.
    fn handle_child_pushdown_result(
        &self,
        phase: FilterPushdownPhase,
        result: ChildPushdownResult,
        config: &ConfigOptions,
    ) -> Result<FilterPushdownPropagation<Arc<dyn ExecutionPlan>>> {
        let taken: Vec<_> = result
            .parent_filters
            .iter()
            .map(|asked| &asked.filter)
            .filter(|filter| {
                phase == FilterPushdownPhase::Post
                    && leakproof_dynamic(filter, &self.disclosed.columns, &self.disclosed.unmasked)
            })
            .cloned()
            .collect();
        let promised = FilterPushdownPropagation::all_unsupported(result);
        if taken.is_empty() {
            return Ok(promised);
        }
        let filtered = self
            .with_dynamic(taken, config)
            .map_err(|error| inside_barrier(self.table(), error))?;
        Ok(promised.with_updated_node(Arc::new(filtered) as _))
    }

    /// The default does nothing for a leaf, and a recursive query then reads an inner plan that is used up. What one
    /// iteration learnt is forgotten: it would hide rows from the next.
    fn reset_state(self: Arc<Self>) -> Result<Arc<dyn ExecutionPlan>> {
        let planned = reset_plan_states(Arc::clone(&self.planned))?;
        Ok(Arc::new(Self::new(Arc::clone(&self.disclosed), planned)))
    }

    fn execute(&self, partition: usize, context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        let rows = context.session_config().batch_size();
        let inner = self
            .inner
            .execute(partition, context)
            .map_err(|error| inside_barrier(self.table(), error))?;
        // Where rows may be hidden, batches must not tell how many.
        let inner = if self.disclosed.every_row {
            inner
        } else {
            Box::pin(Recut::new(inner, rows))
        };
        Ok(Box::pin(Crossing {
            disclosed: Arc::clone(&self.disclosed),
            inner,
        }))
    }
}

/// What comes out: batches without a hidden byte, errors without a word of what is inside.
struct Crossing {
    disclosed: Arc<Disclosed>,
    inner: SendableRecordBatchStream,
}

impl Crossing {
    fn cross(&self, batch: RecordBatch) -> Result<RecordBatch> {
        // Where no row is hidden, a column that is shown as it is hides nothing.
        let every_row = self.disclosed.every_row;
        let hides = |column: usize| !every_row || !self.disclosed.unmasked.get(column).is_some_and(|shown| *shown);
        let batch = compact(batch, hides)?;
        let rows = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
        Ok(RecordBatch::try_new_with_options(
            self.schema(),
            batch.columns().to_vec(),
            &rows,
        )?)
    }
}

impl Stream for Crossing {
    type Item = Result<RecordBatch>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.inner.poll_next_unpin(context).map(|next| {
            next.map(|batch| {
                batch
                    .and_then(|batch| self.cross(batch))
                    .map_err(|error| inside_barrier(&self.disclosed.table, error).into())
            })
        })
    }
}

impl RecordBatchStream for Crossing {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.disclosed.columns)
    }
}
