//! Name resolution: the only place where a word in SQL becomes a table or a function. There is no catalog behind it
//! that anybody could register something in.

use std::sync::Arc;

use datafusion::arrow::datatypes::{DataType, Field, FieldRef, SchemaRef};
use datafusion::common::config::ConfigOptions;
use datafusion::common::{Result, TableReference, not_impl_err};
use datafusion::datasource::cte_worktable::CteWorkTable;
use datafusion::datasource::provider_as_source;
use datafusion::logical_expr::planner::ExprPlanner;
use datafusion::logical_expr::{AggregateUDF, Expr, HigherOrderUDF, LogicalPlan, ScalarUDF, TableSource, WindowUDF};
use datafusion::scalar::ScalarValue;
use datafusion::sql::planner::{ContextProvider, ParserOptions, PlannerContext, SqlToRel};
use datafusion::sql::sqlparser::ast::Statement;

use crate::error::table_unknown;
use crate::functions::{FunctionSet, planners};
use crate::gate::statement::Admitted;
use crate::series::series;

/// The catalog and schema that qualified names may give.
const CATALOG: &str = "ambit";
const SCHEMA: &str = "public";

/// Where table names are looked up. `None`: no such table, for whatever reason.
pub(crate) trait Tables {
    fn source(&self, name: &str) -> Result<Option<Arc<dyn TableSource>>>;
    /// Names to suggest.
    fn known(&self) -> Vec<&str>;
}

/// What a piece of SQL can name.
pub(crate) struct Names<'a, T: Tables> {
    pub tables: &'a T,
    pub functions: &'a FunctionSet,
    pub options: &'a ConfigOptions,
}

impl<T: Tables> Names<'_, T> {
    /// Binds a query. `parameters` are its values in the order of [`Admitted::parameters`].
    pub(crate) fn bind(&self, admitted: &Admitted, parameters: Vec<ScalarValue>) -> Result<LogicalPlan> {
        let mut context = PlannerContext::new().with_prepare_param_data_types(types_of(&parameters));
        let statement = Statement::Query(admitted.query.clone());
        let plan = self
            .planner()
            .sql_statement_to_plan_with_context(statement, &mut context)?;
        if parameters.is_empty() {
            Ok(plan)
        } else {
            plan.with_param_values(parameters)
        }
    }

    pub(crate) fn planner(&self) -> SqlToRel<'_, Self> {
        let sql = &self.options.sql_parser;
        SqlToRel::new_with_options(
            self,
            ParserOptions::new()
                .with_parse_float_as_decimal(sql.parse_float_as_decimal)
                .with_enable_ident_normalization(sql.enable_ident_normalization)
                .with_support_varchar_with_length(sql.support_varchar_with_length)
                .with_map_string_types_to_utf8view(sql.map_string_types_to_utf8view)
                .with_default_null_ordering(sql.default_null_ordering.as_str().into()),
        )
    }
}

/// Fields that give positional placeholders their types.
pub(crate) fn types_of(values: &[ScalarValue]) -> Vec<Option<FieldRef>> {
    values
        .iter()
        .map(|value| Some(Arc::new(Field::new("", value.data_type(), true))))
        .collect()
}

impl<T: Tables> ContextProvider for Names<'_, T> {
    fn get_table_source(&self, name: TableReference) -> Result<Arc<dyn TableSource>> {
        let here = name.catalog().is_none_or(|catalog| catalog == CATALOG)
            && name.schema().is_none_or(|schema| schema == SCHEMA);
        let source = if here { self.tables.source(name.table())? } else { None };
        source.ok_or_else(|| table_unknown(&name.to_string(), &self.tables.known()).into())
    }

    fn create_cte_work_table(&self, name: &str, schema: SchemaRef) -> Result<Arc<dyn TableSource>> {
        if !self.options.execution.enable_recursive_ctes {
            return not_impl_err!("recursive WITH");
        }
        Ok(provider_as_source(Arc::new(CteWorkTable::new(name, schema))))
    }

    fn get_table_function_source(&self, name: &str, arguments: Vec<Expr>) -> Result<Arc<dyn TableSource>> {
        series(name, arguments, self.functions, self.options)
    }

    fn get_expr_planners(&self) -> &[Arc<dyn ExprPlanner>] {
        planners()
    }

    fn get_function_meta(&self, name: &str) -> Option<Arc<ScalarUDF>> {
        self.functions.scalar.get(name).cloned()
    }

    fn get_higher_order_meta(&self, name: &str) -> Option<Arc<HigherOrderUDF>> {
        self.functions.higher_order.get(name).cloned()
    }

    fn get_aggregate_meta(&self, name: &str) -> Option<Arc<AggregateUDF>> {
        self.functions.aggregate.get(name).cloned()
    }

    fn get_window_meta(&self, name: &str) -> Option<Arc<WindowUDF>> {
        self.functions.window.get(name).cloned()
    }

    fn get_variable_type(&self, _: &[String]) -> Option<DataType> {
        None
    }

    fn options(&self) -> &ConfigOptions {
        self.options
    }

    fn udf_names(&self) -> Vec<String> {
        self.functions.scalar.keys().cloned().collect()
    }

    fn higher_order_function_names(&self) -> Vec<String> {
        self.functions.higher_order.keys().cloned().collect()
    }

    fn udaf_names(&self) -> Vec<String> {
        self.functions.aggregate.keys().cloned().collect()
    }

    fn udwf_names(&self) -> Vec<String> {
        self.functions.window.keys().cloned().collect()
    }
}
