//! The whole plan's metrics, barriers' insides too, as the outcome carries them.

use std::collections::BTreeMap;
use std::sync::Arc;

use ambit_protocol::OperatorMetrics;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::metrics::MetricValue;

use crate::barrier::BarrierExec;

/// Operators depth first.
pub(crate) fn operators(plan: &Arc<dyn ExecutionPlan>) -> Vec<OperatorMetrics> {
    let mut found = Vec::new();
    walk(plan, 0, None, &mut found);
    found
}

fn walk(plan: &Arc<dyn ExecutionPlan>, depth: u32, inside: Option<&str>, found: &mut Vec<OperatorMetrics>) {
    found.push(OperatorMetrics {
        operator: plan.name().to_string(),
        depth,
        inside: inside.map(ToString::to_string),
        metrics: sums(plan),
    });
    if let Some(barrier) = plan.downcast_ref::<BarrierExec>() {
        walk(barrier.inner(), depth + 1, Some(barrier.table()), found);
    }
    for child in plan.children() {
        walk(child, depth + 1, inside, found);
    }
}

fn sums(plan: &Arc<dyn ExecutionPlan>) -> BTreeMap<String, u64> {
    let Some(metrics) = plan.metrics() else {
        return BTreeMap::new();
    };
    metrics
        .aggregate_by_name()
        .iter()
        .filter_map(|metric| {
            let value = match metric.value() {
                // Wall-clock instants are no sums.
                MetricValue::StartTimestamp(_) | MetricValue::EndTimestamp(_) => return None,
                MetricValue::PruningMetrics { pruning_metrics, .. } => pruning_metrics.pruned(),
                other => other.as_usize(),
            };
            Some((metric.value().name().to_string(), value as u64))
        })
        .collect()
}
