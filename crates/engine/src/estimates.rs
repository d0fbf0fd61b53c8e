//! Statistics that cross a barrier outwards. They choose the outer plan: the order of joins, the side that is built.
//! Nobody is shown them, nor a plan whose shape they chose.

use std::sync::Arc;

use datafusion::arrow::datatypes::Field;
use datafusion::common::stats::Precision;
use datafusion::common::{ColumnStatistics, Result, ScalarValue, Statistics};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::statistics::{StatisticsArgs, StatisticsContext};

use crate::barrier::Disclosed;

/// What the outer plan may know of a scan. Exact, so that it can be an answer, is only what the policy hides nothing of:
/// the rows of a table without a filter, and the ranges of its unmasked columns.
pub(crate) fn estimates(inner: &Arc<dyn ExecutionPlan>, disclosed: &Disclosed) -> Result<Statistics> {
    let found = StatisticsContext::new().compute(inner.as_ref(), &StatisticsArgs::new())?;
    let mut statistics = Arc::unwrap_or_clone(found);
    let columns = statistics.column_statistics.iter_mut();
    let shown = disclosed.columns.fields().iter().zip(&disclosed.unmasked);
    for (column, (field, unmasked)) in columns.zip(shown) {
        let known = std::mem::take(column);
        // A mask's range is that of hidden values.
        if *unmasked {
            *column = ranges(known, field);
        }
    }
    if disclosed.every_row {
        return Ok(statistics);
    }
    let rows = statistics.num_rows;
    for column in &mut statistics.column_statistics {
        *column = counts(std::mem::take(column), &rows);
    }
    Ok(statistics.to_inexact())
}

/// Of rows that a filter hides some of, no value: the outer plan would compute the consumer's expressions on it, and an
/// error would tell what it is. How many values there are orders joins as well.
fn counts(known: ColumnStatistics, rows: &Precision<usize>) -> ColumnStatistics {
    let spread = known
        .min_value
        .get_value()
        .zip(known.max_value.get_value())
        .and_then(|(low, high)| low.distance(high))
        .and_then(|distance| distance.checked_add(1));
    let present = rows.get_value().map(|rows| match known.null_count.get_value() {
        Some(nulls) => rows.saturating_sub(*nulls),
        None => *rows,
    });
    let distinct = match (known.distinct_count, spread, present) {
        (Precision::Absent, Some(spread), Some(present)) => Precision::Inexact(spread.min(present)),
        (counted, ..) => counted,
    };
    ColumnStatistics {
        null_count: known.null_count,
        distinct_count: distinct,
        byte_size: known.byte_size,
        ..ColumnStatistics::new_unknown()
    }
}

/// Exact where an aggregate over the rows would say the same.
fn ranges(known: ColumnStatistics, field: &Field) -> ColumnStatistics {
    // A file's range leaves NaN out, and is of the file's own type.
    let fits = |value: &Precision<ScalarValue>| {
        value
            .get_value()
            .is_none_or(|value| value.data_type() == *field.data_type())
    };
    if field.data_type().is_floating() || !fits(&known.min_value) || !fits(&known.max_value) {
        return known.to_inexact();
    }
    ColumnStatistics {
        sum_value: known.sum_value.to_inexact(),
        distinct_count: known.distinct_count.to_inexact(),
        byte_size: known.byte_size.to_inexact(),
        ..known
    }
}
