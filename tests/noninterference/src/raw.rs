//! Plain DataFusion: P(D), computed a table at a time without a barrier, and the consumer's query over it. Settings,
//! functions and clock are the session's.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use chrono::DateTime;
use datafusion::arrow::array::{Array, AsArray, RecordBatch, RecordBatchOptions};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{Field, Int64Type, Schema, SchemaRef};
use datafusion::arrow::util::display::{ArrayFormatter, FormatOptions};
use datafusion::catalog::{CatalogProvider, MemoryCatalogProvider, MemorySchemaProvider};
use datafusion::common::config::ConfigOptions;
use datafusion::common::{DataFusionError, SchemaError, internal_err};
use datafusion::datasource::{MemTable, ViewTable};
use datafusion::execution::SessionState;
use datafusion::execution::context::ExecutionProps;
use datafusion::execution::session_state::SessionStateBuilder;
use datafusion::physical_plan::{collect, displayable};
use datafusion::prelude::{SessionConfig, SessionContext};
use futures::FutureExt;

use crate::governed::{CLOCK_MICROS, settings};
use crate::policies::{bound, masked};
use crate::tables::{Row, Table};
use crate::world::World;

/// What a statement came to.
pub struct RawAnswer {
    pub schema: SchemaRef,
    pub rows: Vec<RecordBatch>,
    pub plan: String,
}

/// How far it came, and which code of the engine's says so.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RawError {
    pub code: &'static str,
    pub text: String,
}

/// The rows that the policy shows, as the policy shows them; before the shown columns goes the row's number.
async fn shown(table: &Table, rows: &[Row], mapping: Option<&Table>) -> RecordBatch {
    let session = SessionContext::new_with_config(SessionConfig::new().with_target_partitions(1));
    let batch = table.declared(rows);
    let mut fields = vec![Field::new(
        "__row",
        datafusion::arrow::datatypes::DataType::Int64,
        false,
    )];
    fields.extend(batch.schema().fields().iter().map(|field| field.as_ref().clone()));
    let count = i64::try_from(rows.len()).expect("few rows");
    let numbers = datafusion::arrow::array::Int64Array::from_iter_values(0..count);
    let mut columns: Vec<datafusion::arrow::array::ArrayRef> = vec![Arc::new(numbers)];
    columns.extend(batch.columns().iter().cloned());
    register(
        &session,
        "raw",
        RecordBatch::try_new(Arc::new(Schema::new(fields)), columns).expect("numbered rows"),
    );
    if let Some(mapping) = mapping {
        register(&session, "raw_map", mapping.declared(&mapping.rows));
    }
    let mut wanted = vec!["__row".to_string()];
    wanted.extend(
        table
            .shown()
            .map(|column| format!("{} AS \"{}\"", masked(column), column.name)),
    );
    let mut sql = format!("SELECT {} FROM raw", wanted.join(", "));
    if !table.filters.is_empty() {
        let filters: Vec<String> = table
            .filters
            .iter()
            .map(|filter| format!("({})", bound(filter)))
            .collect();
        sql += &format!(" WHERE {}", filters.join(" AND "));
    }
    sql = format!("SELECT * FROM ({sql}) ORDER BY __row");
    let frame = session.sql(&sql).await.unwrap_or_else(|error| panic!("{sql}: {error}"));
    let schema = Arc::clone(frame.schema().inner());
    let batches = frame.collect().await.unwrap_or_else(|error| panic!("{sql}: {error}"));
    datafusion::arrow::compute::concat_batches(&schema, &batches).expect("one schema")
}

fn register(session: &SessionContext, name: &str, batch: RecordBatch) {
    let table = MemTable::try_new(batch.schema(), vec![vec![batch]]).expect("one schema");
    session.register_table(name, Arc::new(table)).expect("a new name");
}

/// What the policy shows of each row, as text; nothing of a hidden one.
pub async fn shown_by_row(table: &Table, rows: &[Row], mapping: Option<&Table>) -> Vec<Option<Vec<String>>> {
    let mut by_row = vec![None; rows.len()];
    let batch = shown(table, rows, mapping).await;
    let options = FormatOptions::default().with_null("\u{0}");
    let formatters: Vec<ArrayFormatter<'_>> = batch.columns()[1..]
        .iter()
        .map(|column| ArrayFormatter::try_new(column.as_ref(), &options).expect("a known type"))
        .collect();
    let numbers = batch.column(0).as_primitive::<Int64Type>();
    for (index, number) in numbers.values().iter().enumerate() {
        let texts = formatters
            .iter()
            .map(|column| column.value(index).to_string())
            .collect();
        by_row[usize::try_from(*number).expect("a row's number")] = Some(texts);
    }
    by_row
}

/// P(D) of one table: a batch of the shown columns, of their declared types.
pub async fn policed(table: &Table, mapping: Option<&Table>) -> RecordBatch {
    let batch = shown(table, &table.rows, mapping).await;
    let mut fields = Vec::new();
    let mut columns = Vec::new();
    for (column, values) in table.shown().zip(&batch.columns()[1..]) {
        let declared = column.kind.declared();
        fields.push(Field::new(&column.name, declared.clone(), column.name != "id"));
        columns.push(cast(values, &declared).expect("a value of its declared type"));
    }
    let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
    RecordBatch::try_new_with_options(Arc::new(Schema::new(fields)), columns, &options).expect("P(D)")
}

/// A session over P(D).
pub struct Raw {
    session: SessionContext,
    /// All of P(D), as text: what may leave.
    pub words: String,
}

impl Raw {
    pub async fn new(world: &World) -> Self {
        let mut options = ConfigOptions::new();
        for (key, value) in settings(world) {
            if !key.starts_with("datafusion.runtime.") && !value.is_empty() {
                options.set(&key, &value).expect("a setting of DataFusion's");
            }
        }
        let mut clock = ExecutionProps::new();
        clock.query_execution_start_time = DateTime::from_timestamp_micros(CLOCK_MICROS);
        let state = SessionStateBuilder::new_with_default_features()
            .with_config(SessionConfig::from(options))
            .with_execution_props(clock)
            .build();
        let session = SessionContext::new_with_state(state);
        let catalog = Arc::new(MemoryCatalogProvider::new());
        catalog
            .register_schema("public", Arc::new(MemorySchemaProvider::new()))
            .expect("a new schema");
        session.register_catalog("ambit", catalog);
        let mut words = String::new();
        for table in world.granted() {
            let batch = policed(table, world.mapping()).await;
            words += &datafusion::arrow::util::pretty::pretty_format_batches(std::slice::from_ref(&batch))
                .expect("known types")
                .to_string();
            for column in batch.columns() {
                words += &binary_words(column.as_ref());
            }
            // As an operator puts them out: a join counts a row twice whose batch is larger than it expects.
            let rows = session.copied_config().batch_size();
            let starts = (0..batch.num_rows()).step_by(rows);
            let parts = starts.map(|start| batch.slice(start, rows.min(batch.num_rows() - start)));
            let held = MemTable::try_new(batch.schema(), vec![parts.collect()]).expect("one schema");
            session
                .register_table(table.name.as_str(), Arc::new(held))
                .expect("a new name");
        }
        for (name, sql) in &world.views {
            if let Ok(plan) = session.state().create_logical_plan(sql).await {
                let view = ViewTable::new(plan, None);
                session
                    .register_table(name.as_str(), Arc::new(view))
                    .expect("a new name");
            }
        }
        Self { session, words }
    }

    pub async fn ask(&self, sql: &str) -> Result<RawAnswer, RawError> {
        answered(&self.session.state(), sql).await
    }

    /// The same question to DataFusion in other ways: without the rule that pushes filters through physical joins (of 55, it
    /// takes columns of one name on both sides for the same: `a.x / b.x IS NULL` over an outer join), and in more partitions (it
    /// takes rows for sorted that an outer join has mixed).
    pub async fn ask_otherwise(&self, sql: &str) -> Vec<RawAnswer> {
        let state = self.session.state();
        let rules = state.physical_optimizers().iter();
        let rules = rules.filter(|rule| !rule.name().starts_with("FilterPushdown")).cloned();
        let rules = rules.collect();
        let parted = state.config().clone().with_target_partitions(3);
        let builder = SessionStateBuilder::new_from_existing(state);
        let ways = [
            builder.clone().with_physical_optimizer_rules(rules).build(),
            // A new default catalog would take the place of the old one in the list that both share.
            builder
                .with_config(parted.with_create_default_catalog_and_schema(false))
                .build(),
        ];
        let mut answers = Vec::new();
        for way in &ways {
            answers.extend(answered(way, sql).await);
        }
        answers
    }
}

async fn answered(state: &SessionState, sql: &str) -> Result<RawAnswer, RawError> {
    let bound = state.create_logical_plan(sql).await.map_err(|error| planning(&error))?;
    let analyzed = state
        .analyzer()
        .execute_and_check(bound, state.config_options(), |_, _| {})
        .map_err(|error| planning(&error))?;
    let optimized = state
        .optimizer()
        .optimize(analyzed, state, |_, _| {})
        .map_err(|error| running(&error))?;
    let plan = state
        .query_planner()
        .create_physical_plan(&optimized, state)
        .await
        .map_err(|error| running(&error))?;
    let text = displayable(plan.as_ref()).indent(false).to_string();
    let schema = plan.schema();
    let context = Arc::new(datafusion::execution::TaskContext::from(state));
    // DataFusion may panic. The engine calls that an internal error.
    let rows = AssertUnwindSafe(collect(plan, context)).catch_unwind().await;
    let rows = rows
        .unwrap_or_else(|_| internal_err!("a panic"))
        .map_err(|error| running(&error))?;
    Ok(RawAnswer {
        schema,
        rows,
        plan: text,
    })
}

/// What is planted in binary values, which are shown as digits.
fn binary_words(column: &dyn Array) -> String {
    let Some(values) = column.as_binary_view_opt() else {
        return String::new();
    };
    values
        .iter()
        .flatten()
        .map(|value| String::from_utf8_lossy(value).into_owned() + " ")
        .collect()
}

/// The code of an error before anything ran.
fn planning(error: &DataFusionError) -> RawError {
    let code = match error.find_root() {
        DataFusionError::SchemaError(schema, _) => match schema.as_ref() {
            SchemaError::FieldNotFound { .. } => "ColumnUnknown",
            _ => "SqlInvalid",
        },
        DataFusionError::NotImplemented(_) => "StatementRefused",
        DataFusionError::SQL(..) => "SqlSyntax",
        DataFusionError::Plan(text) if text.contains("not found") && text.contains("table") => "TableUnknown",
        DataFusionError::Plan(text) if text.starts_with("Invalid function") => "FunctionUnknown",
        DataFusionError::Internal(_) => "Internal",
        DataFusionError::Plan(_) | DataFusionError::Execution(_) | DataFusionError::Configuration(_) => "SqlInvalid",
        _ => return running(error),
    };
    RawError {
        code,
        text: error.to_string(),
    }
}

/// The code of an error of a statement that runs.
fn running(error: &DataFusionError) -> RawError {
    let code = match error.find_root() {
        DataFusionError::ArrowError(..) | DataFusionError::Execution(_) | DataFusionError::External(_) => {
            "ComputeFailed"
        }
        DataFusionError::ResourcesExhausted(_) => "LimitMemory",
        DataFusionError::Plan(_) | DataFusionError::SchemaError(..) | DataFusionError::NotImplemented(_) => {
            "SqlInvalid"
        }
        _ => "Internal",
    };
    RawError {
        code,
        text: error.to_string(),
    }
}
