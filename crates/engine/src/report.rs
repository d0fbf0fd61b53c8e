//! The whole plan's metrics, barriers' insides too, as the outcome carries them.

use std::collections::BTreeMap;
use std::sync::Arc;

use ambit_protocol::OperatorMetrics;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::metrics::MetricValue;

use crate::barrier::BarrierExec;

/// A plan prints its literals, and a short statement can fold a list of millions into one: no record could hold it.
const TEXT_BYTES_MAX: usize = 64 * 1024;
/// Of all texts of a session.
const TEXTS_BYTES_MAX: usize = 1024 * 1024;

/// What is left for the texts of a session.
pub(crate) struct Room(usize);

impl Room {
    pub(crate) fn new() -> Self {
        Self(TEXTS_BYTES_MAX)
    }

    /// The text, or its beginning and how long it was.
    pub(crate) fn fit(&mut self, mut text: String) -> String {
        let room = self.0.min(TEXT_BYTES_MAX);
        let length = text.len();
        if length > room {
            text.truncate(text.floor_char_boundary(room));
            text.push_str(&format!(" ... ({length} bytes in all)"));
        }
        self.0 = self.0.saturating_sub(text.len());
        text
    }
}

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
