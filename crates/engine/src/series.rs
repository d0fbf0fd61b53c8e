//! Functions in FROM. The only ones are those that make rows of their arguments alone; a session calls those that its grant
//! allows by name. What could open a file or a table by a function does not exist.

use std::sync::Arc;

use async_trait::async_trait;
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::catalog::{EmptyCatalogProviderList, Session, TableFunctionArgs, TableProvider};
use datafusion::common::config::ConfigOptions;
use datafusion::common::{DFSchema, Result};
use datafusion::datasource::{provider_as_source, source_as_provider};
use datafusion::execution::SessionState;
use datafusion::execution::runtime_env::RuntimeEnvBuilder;
use datafusion::execution::session_state::SessionStateBuilder;
use datafusion::functions_table::all_default_table_functions;
use datafusion::logical_expr::simplify::SimplifyContext;
use datafusion::logical_expr::{Expr, TableSource, TableType};
use datafusion::optimizer::simplify_expressions::ExprSimplifier;
use datafusion::physical_plan::ExecutionPlan;

use crate::error::function_unknown;
use crate::functions::FunctionSet;
use crate::store::SessionStores;

/// What the functions are called.
pub(crate) const SERIES: [&str; 2] = ["generate_series", "range"];

/// Rows that a function made.
#[derive(Debug)]
pub(crate) struct Series {
    function: &'static str,
    rows: Arc<dyn TableProvider>,
}

impl Series {
    /// The function whose rows a scan reads, if it is one.
    pub(crate) fn function(source: &Arc<dyn TableSource>) -> Option<&'static str> {
        let provider = source_as_provider(source).ok()?;
        provider.downcast_ref::<Self>().map(|series| series.function)
    }
}

/// The rows that `name` makes of `arguments`, which are constants.
pub(crate) fn series(
    name: &str,
    arguments: Vec<Expr>,
    allowed: &FunctionSet,
    options: &ConfigOptions,
) -> Result<Arc<dyn TableSource>> {
    let known = SERIES.iter().find(|known| **known == name && allowed.has(name));
    let functions = all_default_table_functions();
    let (Some(known), Some(function)) = (known, functions.iter().find(|function| function.name() == name)) else {
        return Err(function_unknown(name, &allowed.names()).into());
    };
    let context = SimplifyContext::builder().with_config_options(Arc::new(options.clone()));
    let simplifier = ExprSimplifier::new(context.build());
    let constant = |argument| {
        let typed = simplifier.coerce(argument, &DFSchema::empty())?;
        simplifier.simplify(typed)
    };
    let constants: Result<Vec<Expr>> = arguments.into_iter().map(constant).collect();
    let rows = function.create_table_provider_with_args(TableFunctionArgs::new(&constants?, &nowhere()?))?;
    Ok(provider_as_source(Arc::new(Series { function: known, rows })))
}

/// Where the functions are told that they are called. It holds nothing, and they ask it for nothing.
fn nowhere() -> Result<SessionState> {
    let runtime = RuntimeEnvBuilder::new().with_object_store_registry(Arc::new(SessionStores::new("", vec![])));
    Ok(SessionStateBuilder::new()
        .with_catalog_list(Arc::new(EmptyCatalogProviderList))
        .with_runtime_env(runtime.build_arc()?)
        .build())
}

#[async_trait]
impl TableProvider for Series {
    fn schema(&self) -> SchemaRef {
        self.rows.schema()
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    async fn scan(
        &self,
        state: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        self.rows.scan(state, projection, filters, limit).await
    }
}
