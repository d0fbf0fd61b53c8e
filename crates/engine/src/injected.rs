//! Filters put into a plan that is already made, by DataFusion's own rule for filters that are known only at run time.

use std::fmt;
use std::sync::Arc;

use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::common::{Result, internal_datafusion_err, internal_err};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_optimizer::filter_pushdown::FilterPushdown;
use datafusion::physical_plan::filter_pushdown::{ChildFilterDescription, FilterDescription, FilterPushdownPhase};
use datafusion::physical_plan::{DisplayAs, DisplayFormatType, ExecutionPlan, PlanProperties};

/// `plan`, whose sources also skip what `filters` rule out. The filters are over the columns that `plan` puts out.
pub(crate) fn injected(
    plan: &Arc<dyn ExecutionPlan>,
    filters: &[Arc<dyn PhysicalExpr>],
    config: &ConfigOptions,
) -> Result<Arc<dyn ExecutionPlan>> {
    let root = Arc::new(InjectExec {
        filters: filters.to_vec(),
        plan: Arc::clone(plan),
    });
    let optimized = FilterPushdown::new_post_optimization().optimize(root, config)?;
    optimized
        .children()
        .first()
        .map(|plan| Arc::clone(plan))
        .ok_or_else(|| internal_datafusion_err!("the rule lost its plan"))
}

/// Where the filters come from, as far as the rule can see. It never runs.
#[derive(Debug)]
struct InjectExec {
    filters: Vec<Arc<dyn PhysicalExpr>>,
    plan: Arc<dyn ExecutionPlan>,
}

impl DisplayAs for InjectExec {
    fn fmt_as(&self, _: DisplayFormatType, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "InjectExec")
    }
}

impl ExecutionPlan for InjectExec {
    fn name(&self) -> &str {
        "InjectExec"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        self.plan.properties()
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        vec![&self.plan]
    }

    fn apply_expressions(
        &self,
        _: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        Ok(TreeNodeRecursion::Continue)
    }

    fn with_new_children(self: Arc<Self>, children: Vec<Arc<dyn ExecutionPlan>>) -> Result<Arc<dyn ExecutionPlan>> {
        match children.as_slice() {
            [plan] => Ok(Arc::new(Self {
                filters: self.filters.clone(),
                plan: Arc::clone(plan),
            })),
            _ => internal_err!("one plan at a time"),
        }
    }

    fn gather_filters_for_pushdown(
        &self,
        _: FilterPushdownPhase,
        _: Vec<Arc<dyn PhysicalExpr>>,
        _: &ConfigOptions,
    ) -> Result<FilterDescription> {
        let filters = ChildFilterDescription::from_child(&[], &self.plan)?.with_self_filters(self.filters.clone());
        Ok(FilterDescription::new().with_child(filters))
    }

    fn execute(&self, _: usize, _: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        internal_err!("a plan is made here, not run")
    }
}
