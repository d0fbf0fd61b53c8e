//! The last gate: every leaf of the physical plan is a barrier or a constant, and every leaf inside a barrier is a
//! scan of the session's own stores. It catches what no rule before it thought of.

use std::sync::Arc;

use ambit_protocol::EngineErrorCode;
use datafusion::common::Result;
use datafusion::datasource::memory::MemorySourceConfig;
use datafusion::datasource::source::DataSourceExec;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::empty::EmptyExec;
use datafusion::physical_plan::memory::LazyMemoryExec;
use datafusion::physical_plan::placeholder_row::PlaceholderRowExec;
use datafusion::physical_plan::work_table::WorkTableExec;

use crate::barrier::BarrierExec;
use crate::error::Fault;
use crate::scan::file_scan;

/// Refuses a plan with any other leaf.
pub(crate) fn verify(plan: &Arc<dyn ExecutionPlan>) -> Result<()> {
    let children = plan.children();
    if let Some(barrier) = plan.downcast_ref::<BarrierExec>() {
        return verify_inside(barrier.inner());
    }
    if children.is_empty() && !constant(plan) {
        return Err(refused(plan));
    }
    children.into_iter().try_for_each(verify)
}

fn verify_inside(plan: &Arc<dyn ExecutionPlan>) -> Result<()> {
    let children = plan.children();
    if children.is_empty() && !constant(plan) && file_scan(plan.as_ref()).is_none() {
        return Err(refused(plan));
    }
    children.into_iter().try_for_each(verify_inside)
}

fn constant(plan: &Arc<dyn ExecutionPlan>) -> bool {
    plan.is::<PlaceholderRowExec>()
        || plan.is::<EmptyExec>()
        || plan.is::<WorkTableExec>()
        || plan.is::<LazyMemoryExec>()
        || plan
            .downcast_ref::<DataSourceExec>()
            .is_some_and(|source| source.data_source().downcast_ref::<MemorySourceConfig>().is_some())
}

fn refused(plan: &Arc<dyn ExecutionPlan>) -> datafusion::common::DataFusionError {
    Fault::new(
        EngineErrorCode::PlanRefused,
        "the plan reads something that is not governed",
    )
    .detail(plan.name())
    .into()
}
