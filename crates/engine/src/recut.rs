//! Batches cut anew, always as large. Where a batch ends would tell how many rows lay between: by the order that joins
//! give rows, by what a failing expression met first, by what was answered before it failed.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::compute::BatchCoalescer;
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::common::{Result, Statistics, internal_err};
use datafusion::execution::{RecordBatchStream, SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_plan::statistics::StatisticsArgs;
use datafusion::physical_plan::{DisplayAs, DisplayFormatType, ExecutionPlan, PlanProperties};
use futures::stream::Fuse;
use futures::{Stream, StreamExt, ready};

/// A stream's rows in batches of `rows`; the last one may have fewer.
pub(crate) struct Recut {
    waiting: BatchCoalescer,
    /// The end is asked for again when the last rows have left.
    input: Fuse<SendableRecordBatchStream>,
}

impl Recut {
    pub(crate) fn new(input: SendableRecordBatchStream, rows: usize) -> Self {
        // A whole batch passes as it is, when none waits.
        let waiting =
            BatchCoalescer::new(input.schema(), rows).with_biggest_coalesce_batch_size(Some(rows.saturating_sub(1)));
        Self {
            waiting,
            input: input.fuse(),
        }
    }
}

impl Stream for Recut {
    type Item = Result<RecordBatch>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        loop {
            if let Some(batch) = self.waiting.next_completed_batch() {
                return Poll::Ready(Some(Ok(batch)));
            }
            match ready!(self.input.poll_next_unpin(context)) {
                Some(Ok(batch)) => self.waiting.push_batch(batch)?,
                Some(Err(error)) => return Poll::Ready(Some(Err(error))),
                None if self.waiting.is_empty() => return Poll::Ready(None),
                None => self.waiting.finish_buffered_batch()?,
            }
        }
    }
}

impl RecordBatchStream for Recut {
    fn schema(&self) -> SchemaRef {
        self.waiting.schema()
    }
}

/// A step whose batches are cut anew.
#[derive(Debug)]
pub(crate) struct RecutExec(pub Arc<dyn ExecutionPlan>);

impl DisplayAs for RecutExec {
    fn fmt_as(&self, _: DisplayFormatType, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "RecutExec")
    }
}

impl ExecutionPlan for RecutExec {
    fn name(&self) -> &str {
        "RecutExec"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        self.0.properties()
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        vec![&self.0]
    }

    fn maintains_input_order(&self) -> Vec<bool> {
        vec![true]
    }

    fn apply_expressions(
        &self,
        _: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        Ok(TreeNodeRecursion::Continue)
    }

    fn with_new_children(self: Arc<Self>, children: Vec<Arc<dyn ExecutionPlan>>) -> Result<Arc<dyn ExecutionPlan>> {
        match children.as_slice() {
            [input] => Ok(Arc::new(Self(Arc::clone(input)))),
            _ => internal_err!("one input"),
        }
    }

    fn statistics_from_inputs(&self, inputs: &[Arc<Statistics>], _: &StatisticsArgs) -> Result<Arc<Statistics>> {
        match inputs {
            [input] => Ok(Arc::clone(input)),
            _ => internal_err!("one input"),
        }
    }

    fn execute(&self, partition: usize, context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        let rows = context.session_config().batch_size();
        Ok(Box::pin(Recut::new(self.0.execute(partition, context)?, rows)))
    }
}
