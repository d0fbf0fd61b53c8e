//! DataFusion without Ambit.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use datafusion::datasource::MemTable;
use datafusion::execution::SessionStateBuilder;
use datafusion::physical_plan::common::collect;
use datafusion::physical_plan::execute_stream;
use datafusion::prelude::{SessionConfig, SessionContext};
use datafusion::sql::parser::Statement;
use datafusion::sql::sqlparser::ast::{Query, SetExpr, Statement as SqlStatement};

use crate::answer::{Answer, Table};
use crate::governed::Fixed;

/// A query that takes longer waits for something that never comes.
const PATIENCE: Duration = Duration::from_secs(15);

/// What a statement is.
pub(crate) enum Kind {
    /// A query, and whether its rows have an order.
    Read {
        ordered: bool,
    },
    /// EXPLAIN, DESCRIBE, SHOW: about the engine, not the data.
    About,
    SetUp,
    /// DataFusion does not parse it.
    Broken,
}

/// As DataFusion's own test program sets it up.
pub(crate) fn context() -> SessionContext {
    SessionContext::new_with_config(SessionConfig::new().with_target_partitions(4))
}

/// What DataFusion's parser makes of it.
pub(crate) fn parse(context: &SessionContext, sql: &str) -> Option<Statement> {
    let state = context.state();
    let dialect = state.config_options().sql_parser.dialect;
    state.sql_to_statement(sql, &dialect).ok()
}

pub(crate) fn kind(statement: Option<&Statement>) -> Kind {
    match statement {
        None => Kind::Broken,
        Some(Statement::Explain(_)) => Kind::About,
        Some(Statement::Statement(statement)) => match statement.as_ref() {
            SqlStatement::Query(query) if !into(query) => Kind::Read {
                ordered: query.order_by.is_some(),
            },
            SqlStatement::Explain { .. }
            | SqlStatement::ExplainTable { .. }
            | SqlStatement::ShowTables { .. }
            | SqlStatement::ShowColumns { .. }
            | SqlStatement::ShowVariable { .. }
            | SqlStatement::ShowFunctions { .. }
            | SqlStatement::ShowCreate { .. } => Kind::About,
            _ => Kind::SetUp,
        },
        Some(_) => Kind::SetUp,
    }
}

fn into(query: &Query) -> bool {
    matches!(query.body.as_ref(), SetExpr::Select(select) if select.into.is_some())
        || matches!(
            query.body.as_ref(),
            SetExpr::Insert(_) | SetExpr::Update(_) | SetExpr::Delete(_)
        )
}

/// Runs a query, or whatever else it is, to its end.
pub(crate) async fn ask(context: &SessionContext, sql: &str) -> Answer {
    let (context, sql) = (context.clone(), sql.to_string());
    // A panic of DataFusion's is an answer too: there is none.
    let mut task = tokio::spawn(async move {
        let frame = context.sql(&sql).await?;
        let task = Arc::new(frame.task_ctx());
        let plan = frame.create_physical_plan().await?;
        let stream = execute_stream(plan, task)?;
        let schema = stream.schema();
        let batches = collect(stream).await?;
        Ok::<_, datafusion::error::DataFusionError>(Table::new(&schema, &batches)?)
    });
    match tokio::time::timeout(PATIENCE, &mut task).await {
        Ok(Ok(Ok(table))) => Answer::Rows(table),
        Ok(Ok(Err(error))) => Answer::Failed(error.to_string()),
        Ok(Err(panic)) => Answer::Failed(panic.to_string()),
        Err(late) => {
            task.abort();
            Answer::Failed(late.to_string())
        }
    }
}

/// The same tables and functions, with as many partitions as given.
pub(crate) fn varied(context: &SessionContext, partitions: usize) -> SessionContext {
    let state = context.state();
    // A new default catalog would take the place of the old one in the list that both share.
    let config = state
        .config()
        .clone()
        .with_target_partitions(partitions)
        .with_create_default_catalog_and_schema(false);
    SessionContext::new_with_state(
        SessionStateBuilder::new_from_existing(state)
            .with_config(config)
            .build(),
    )
}

/// DataFusion with other tables, and without the settings that no boundary may set.
pub(crate) async fn over(
    context: &SessionContext,
    tables: BTreeMap<String, Arc<MemTable>>,
    views: &BTreeMap<String, String>,
    fixed: &[Fixed],
) -> SessionContext {
    let mut config = context.copied_config();
    for setting in fixed {
        let _ = config.options_mut().set(&setting.key, &setting.default);
    }
    let over = SessionContext::new_with_config(config);
    for (name, table) in tables {
        let _ = over.register_table(datafusion::common::TableReference::bare(name), table);
    }
    // One may stand on another.
    for _ in 0..views.len() {
        for (name, sql) in views {
            let quoted = name.replace('"', "\"\"");
            ask(&over, &format!("CREATE VIEW \"{quoted}\" AS {sql}")).await;
        }
    }
    over
}
