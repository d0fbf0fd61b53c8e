//! The barrier: a leaf for everything outside it. Inside runs a plan of its own, made of the policy and of leakproof
//! predicates alone; nothing that a consumer wrote can be moved into it, and nothing of it can be seen.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use datafusion::arrow::array::{RecordBatch, RecordBatchOptions};
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::common::{Result, internal_err};
use datafusion::execution::{RecordBatchStream, SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::{EquivalenceProperties, PhysicalExpr};
use datafusion::physical_plan::execution_plan::reset_plan_states;
use datafusion::physical_plan::{
    DisplayAs, DisplayFormatType, ExecutionPlan, ExecutionPlanProperties, Partitioning, PlanProperties,
};
use futures::{Stream, StreamExt};

use crate::compact::compact;
use crate::error::inside_barrier;

/// A governed scan. Trait defaults do most of the work: no children, no metrics, no statistics, no ordering, and every
/// pushdown hook answers "unsupported".
#[derive(Debug)]
pub(crate) struct BarrierExec {
    table: Arc<str>,
    inner: Arc<dyn ExecutionPlan>,
    properties: Arc<PlanProperties>,
}

impl BarrierExec {
    /// `schema` is what the session was told: the inner plan's may differ in nullability.
    pub(crate) fn new(table: Arc<str>, schema: SchemaRef, inner: Arc<dyn ExecutionPlan>) -> Self {
        // Orderings and constants of the inner plan would tell of hidden rows, and of the policy.
        let properties = PlanProperties::new(
            EquivalenceProperties::new(schema),
            Partitioning::UnknownPartitioning(inner.output_partitioning().partition_count()),
            inner.pipeline_behavior(),
            inner.boundedness(),
        )
        .with_scheduling_type(inner.properties().scheduling_type);
        Self {
            table,
            inner,
            properties: Arc::new(properties),
        }
    }

    /// For the gate and the evidence: never for a rule.
    pub(crate) fn inner(&self) -> &Arc<dyn ExecutionPlan> {
        &self.inner
    }

    pub(crate) fn table(&self) -> &str {
        &self.table
    }
}

impl DisplayAs for BarrierExec {
    fn fmt_as(&self, _: DisplayFormatType, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "BarrierExec: table={}", self.table)
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

    fn apply_expressions(
        &self,
        _: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        Ok(TreeNodeRecursion::Continue)
    }

    fn with_new_children(self: Arc<Self>, children: Vec<Arc<dyn ExecutionPlan>>) -> Result<Arc<dyn ExecutionPlan>> {
        if children.is_empty() {
            Ok(self)
        } else {
            internal_err!("a barrier has no children")
        }
    }

    /// The default does nothing for a leaf, and a recursive query then reads an inner plan that is used up.
    fn reset_state(self: Arc<Self>) -> Result<Arc<dyn ExecutionPlan>> {
        let inner = reset_plan_states(Arc::clone(&self.inner))?;
        Ok(Arc::new(Self::new(Arc::clone(&self.table), self.schema(), inner)))
    }

    fn execute(&self, partition: usize, context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        let inner = self
            .inner
            .execute(partition, context)
            .map_err(|error| inside_barrier(&self.table, error))?;
        Ok(Box::pin(Crossing {
            table: Arc::clone(&self.table),
            schema: self.schema(),
            inner,
        }))
    }
}

/// What comes out: batches without a hidden byte, errors without a word of what is inside.
struct Crossing {
    table: Arc<str>,
    schema: SchemaRef,
    inner: SendableRecordBatchStream,
}

impl Crossing {
    fn cross(&self, batch: RecordBatch) -> Result<RecordBatch> {
        let batch = compact(batch)?;
        let rows = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
        Ok(RecordBatch::try_new_with_options(
            Arc::clone(&self.schema),
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
                    .map_err(|error| inside_barrier(&self.table, error).into())
            })
        })
    }
}

impl RecordBatchStream for Crossing {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }
}
