//! The whole plan's metrics, barriers' insides too, as the outcome carries them.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use ambit_protocol::OperatorMetrics;
use chrono::{DateTime, TimeDelta, Utc};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::metrics::{MetricValue, MetricsSet, Timestamp};

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

/// When a plan ran, by the clock that its operators read.
pub(crate) struct Ran {
    from: DateTime<Utc>,
    took: TimeDelta,
}

impl Ran {
    /// It ends now.
    pub(crate) fn until_now(took: Duration) -> Self {
        let took = TimeDelta::from_std(took).unwrap_or(TimeDelta::MAX);
        Self {
            from: Utc::now().checked_sub_signed(took).unwrap_or(DateTime::UNIX_EPOCH),
            took,
        }
    }

    /// Microseconds from its beginning. The clock may have been set meanwhile: nothing lies outside of the run.
    fn offset(&self, timestamp: &Timestamp) -> Option<u64> {
        let since = timestamp.value()?.signed_duration_since(self.from);
        let within = since.clamp(TimeDelta::zero(), self.took);
        within.num_microseconds().and_then(|micros| u64::try_from(micros).ok())
    }
}

/// Operators depth first.
pub(crate) fn operators(plan: &Arc<dyn ExecutionPlan>, ran: &Ran) -> Vec<OperatorMetrics> {
    let mut found = Vec::new();
    walk(plan, ran, 0, None, &mut found);
    found
}

fn walk(plan: &Arc<dyn ExecutionPlan>, ran: &Ran, depth: u32, inside: Option<&str>, found: &mut Vec<OperatorMetrics>) {
    let metrics = plan
        .metrics()
        .map(|metrics| metrics.aggregate_by_name())
        .unwrap_or_default();
    let (start_micros, end_micros) = times(&metrics, ran);
    found.push(OperatorMetrics {
        operator: plan.name().to_string(),
        depth,
        inside: inside.map(ToString::to_string),
        metrics: sums(&metrics),
        start_micros,
        end_micros,
    });
    if let Some(barrier) = plan.downcast_ref::<BarrierExec>() {
        walk(barrier.inner(), ran, depth + 1, Some(barrier.table()), found);
    }
    for child in plan.children() {
        walk(child, ran, depth + 1, inside, found);
    }
}

/// When the first partition began and the last was done.
fn times(metrics: &MetricsSet, ran: &Ran) -> (Option<u64>, Option<u64>) {
    let (mut start, mut end) = (None, None);
    for metric in metrics.iter() {
        match metric.value() {
            MetricValue::StartTimestamp(timestamp) => start = ran.offset(timestamp),
            MetricValue::EndTimestamp(timestamp) => end = ran.offset(timestamp),
            _ => {}
        }
    }
    (start, end)
}

fn sums(metrics: &MetricsSet) -> BTreeMap<String, u64> {
    metrics
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
