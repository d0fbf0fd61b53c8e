//! What would not give its rows again is not asked twice. DataFusion's nested-loop join that gets too little memory runs its
//! left side once more, to spill it: a join below has given its unmatched rows by then, a series has counted to its end, a
//! top-k knows its last row. The second run would leave rows out, and nobody would be told.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode, TreeNodeRecursion};
use datafusion::common::{DataFusionError, JoinType, Result, Statistics, internal_err};
use datafusion::datasource::source::DataSourceExec;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_plan::coalesce_partitions::CoalescePartitionsExec;
use datafusion::physical_plan::coop::CooperativeExec;
use datafusion::physical_plan::empty::EmptyExec;
use datafusion::physical_plan::execution_plan::replace_children_if_necessary;
use datafusion::physical_plan::filter::FilterExec;
use datafusion::physical_plan::joins::NestedLoopJoinExec;
use datafusion::physical_plan::limit::{GlobalLimitExec, LocalLimitExec};
use datafusion::physical_plan::placeholder_row::PlaceholderRowExec;
use datafusion::physical_plan::projection::ProjectionExec;
use datafusion::physical_plan::statistics::StatisticsArgs;
use datafusion::physical_plan::{DisplayAs, DisplayFormatType, ExecutionPlan, ExecutionPlanProperties, PlanProperties};

use crate::barrier::BarrierExec;
use crate::recut::RecutExec;

/// Puts a `OnceExec` where a second run would be wrong. The last rule: no other moves it.
#[derive(Debug)]
pub(crate) struct Once;

impl PhysicalOptimizerRule for Once {
    fn optimize(&self, plan: Arc<dyn ExecutionPlan>, _: &ConfigOptions) -> Result<Arc<dyn ExecutionPlan>> {
        plan.transform_up(|step| match step.downcast_ref::<NestedLoopJoinExec>() {
            Some(join) if !repeats(join.left()) || unmatched_of_each_part(join) => {
                let left = Arc::new(OnceExec::new(Arc::clone(join.left())));
                let children = vec![left as Arc<dyn ExecutionPlan>, Arc::clone(join.right())];
                replace_children_if_necessary(Arc::clone(&step), children).map(Transformed::yes)
            }
            _ => Ok(Transformed::no(step)),
        })
        .data()
    }

    fn name(&self) -> &str {
        "once"
    }

    fn schema_check(&self) -> bool {
        true
    }
}

/// Steps known to give the same rows however often they run.
fn repeats(plan: &Arc<dyn ExecutionPlan>) -> bool {
    if let Some(barrier) = plan.downcast_ref::<BarrierExec>() {
        return repeats(barrier.inner());
    }
    let known = plan.is::<DataSourceExec>()
        || plan.is::<EmptyExec>()
        || plan.is::<PlaceholderRowExec>()
        || plan.is::<CooperativeExec>()
        || plan.is::<FilterExec>()
        || plan.is::<ProjectionExec>()
        || plan.is::<CoalescePartitionsExec>()
        || plan.is::<GlobalLimitExec>()
        || plan.is::<LocalLimitExec>()
        || plan.is::<RecutExec>();
    known && plan.children().into_iter().all(repeats)
}

/// After it spilled, each part of the right side would tell by itself which rows of the left it did not match.
fn unmatched_of_each_part(join: &NestedLoopJoinExec) -> bool {
    let of_left = matches!(
        join.join_type(),
        JoinType::Left | JoinType::LeftSemi | JoinType::LeftAnti | JoinType::LeftMark | JoinType::Full
    );
    of_left && join.right().output_partitioning().partition_count() > 1
}

/// Runs once. Whoever asks again is short of memory, and is told so.
#[derive(Debug)]
struct OnceExec {
    input: Arc<dyn ExecutionPlan>,
    ran: AtomicBool,
}

impl OnceExec {
    fn new(input: Arc<dyn ExecutionPlan>) -> Self {
        Self {
            input,
            ran: AtomicBool::new(false),
        }
    }
}

impl DisplayAs for OnceExec {
    fn fmt_as(&self, _: DisplayFormatType, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "OnceExec")
    }
}

impl ExecutionPlan for OnceExec {
    fn name(&self) -> &str {
        "OnceExec"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        self.input.properties()
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        vec![&self.input]
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
            [input] => Ok(Arc::new(Self::new(Arc::clone(input)))),
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
        if self.ran.swap(true, Ordering::AcqRel) {
            return Err(DataFusionError::ResourcesExhausted(
                "a join's left side does not fit, and cannot be run again to spill it".into(),
            ));
        }
        self.input.execute(partition, context)
    }
}
