//! The first flights of three million, and questions of the kinds that ClickBench asks of its one wide table.

use std::collections::BTreeMap;
use std::path::Path;

use datafusion::arrow::array::RecordBatch;
use datafusion::prelude::ParquetReadOptions;
use datafusion::prelude::SessionContext;

use super::Suite;
use crate::Fault;
use crate::declared::Declared;
use crate::governed::Policy;

const FILE: &str = "../../node_modules/vega-datasets/data/flights-3m.parquet";

/// Of them, so that the suite stays short.
const ROWS: usize = 300_000;

const POLICIES: &[(&str, Policy)] = &[(
    "flights",
    Policy {
        rows: Some("origin NOT LIKE 'S%' AND (distance < 2000 OR delay < 60)"),
        masks: &[
            ("date", "date_trunc('day', date)"),
            ("delay", "CASE WHEN delay > 120 THEN 120 ELSE delay END"),
        ],
    },
)];

const QUESTIONS: &str = include_str!("flights.sql");

pub(super) async fn suite() -> Result<Suite, Fault> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(FILE);
    let context = SessionContext::new();
    let path = path.display().to_string();
    let frame = context.read_parquet(path, ParquetReadOptions::default()).await?;
    let batches: Vec<RecordBatch> = frame.limit(0, Some(ROWS))?.collect().await?;
    let schema = batches.first().ok_or("a table without rows")?.schema();
    let questions = QUESTIONS.split(';').map(str::trim).filter(|sql| !sql.is_empty());
    Ok(Suite {
        name: "flights",
        tables: BTreeMap::from([("flights".into(), Declared::new(&schema, &batches)?)]),
        queries: questions
            .enumerate()
            .map(|(index, sql)| (format!("question {}", index + 1), sql.to_string()))
            .collect(),
        policies: POLICIES,
    })
}
