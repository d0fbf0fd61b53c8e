//! A policy that asks another table is a join inside the barrier. The governed table's rows stream past what the other
//! table holds, whatever their numbers are: held in memory themselves, visible ones would come out in an order that hidden
//! ones decide.

use std::sync::Arc;

use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode};
use datafusion::common::{JoinType, Result};
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_optimizer::optimizer::PhysicalOptimizer;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::joins::HashJoinExec;

use crate::once::Once;
use crate::scan::file_scan;

/// The rule after which sides of joins are chosen.
const CHOOSES: &str = "join_selection";

/// DataFusion's rules, this one, and what no rule may move.
pub(crate) fn rules() -> Vec<Arc<dyn PhysicalOptimizerRule + Send + Sync>> {
    let mut rules = PhysicalOptimizer::new().rules;
    let chosen = rules.iter().position(|rule| rule.name() == CHOOSES);
    rules.insert(chosen.map_or(0, |index| index + 1), Arc::new(Probing));
    rules.push(Arc::new(Once));
    rules
}

#[derive(Debug)]
struct Probing;

impl PhysicalOptimizerRule for Probing {
    fn optimize(&self, plan: Arc<dyn ExecutionPlan>, _: &ConfigOptions) -> Result<Arc<dyn ExecutionPlan>> {
        plan.transform_up(|step| match step.downcast_ref::<HashJoinExec>() {
            Some(join) if gathers(*join.join_type()) && scans(join.left()) => {
                Ok(Transformed::yes(join.swap_inputs(*join.partition_mode())?))
            }
            _ => Ok(Transformed::no(step)),
        })
        .data()
    }

    fn name(&self) -> &str {
        "probing"
    }

    fn schema_check(&self) -> bool {
        true
    }
}

/// Joins that keep rows of the side which they hold in memory.
fn gathers(join: JoinType) -> bool {
    matches!(join, JoinType::LeftSemi | JoinType::LeftAnti | JoinType::LeftMark)
}

/// Only inside a barrier: outside, leaves are barriers.
fn scans(plan: &Arc<dyn ExecutionPlan>) -> bool {
    file_scan(plan.as_ref()).is_some() || plan.children().into_iter().any(scans)
}
