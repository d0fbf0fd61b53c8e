//! Policy SQL with its claims left unknown: what two versions of a policy are compared by.

use std::sync::Arc;

use ambit_protocol::{CheckProblem, CheckRequest, Column};
use datafusion::arrow::datatypes::{DataType, Field};
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::common::{DFSchema, Result};
use datafusion::logical_expr::expr::Placeholder;
use datafusion::logical_expr::{Expr, LogicalPlan, Subquery, cast};
use datafusion::optimizer::simplify_expressions::{ExprSimplifier, SimplifyContext};

use super::declared::Declared;
use super::{Checker, one_row, unknown};
use crate::error::{Fault, binding, column_unknown};
use crate::gate::dialect::dialect;
use crate::policy::{expression_of, replace_value};
use crate::template::{PolicySql, policy_sql};
use crate::types;

/// A policy's expression over a table's raw columns, coerced. A claim is a placeholder that is named after it.
pub(crate) struct Symbolic {
    pub expression: Expr,
    /// `claims.NAME`, `tenant` and `purpose`, as the SQL names them.
    pub parameters: Vec<String>,
}

/// Why there is no [`Symbolic`].
pub(crate) enum NotSymbolic {
    /// The SQL does not plan.
    Problem(CheckProblem),
    /// It plans only once its claims are known, or fails whatever the row.
    Unplanned(String),
}

impl Checker<'_> {
    /// A row filter.
    pub(crate) fn symbolic_filter(&self, sql: &str, table: &str) -> Result<Symbolic, NotSymbolic> {
        self.symbolic(sql, table, None)
    }

    /// What masks make of a column, in their order: each sees what the one before shows.
    pub(crate) fn symbolic_mask(&self, sql: &str, table: &str, column: &str) -> Result<Symbolic, NotSymbolic> {
        self.symbolic(sql, table, Some(column))
    }

    /// Puts a mask over what stands for the column so far.
    pub(crate) fn over(&self, mask: Expr, value: &Expr, data_type: &DataType) -> Result<Expr> {
        Ok(cast(replace_value(mask, value)?, data_type.clone()))
    }

    /// All columns of a table.
    pub(crate) fn schema_of_table(&self, table: &str) -> Result<DFSchema, Fault> {
        let compiled = self.compiled(table)?;
        DFSchema::try_from_qualified_schema(table, &compiled.source_schema).map_err(binding)
    }

    /// Refuses a column that the table does not have.
    pub(crate) fn declares(&self, table: &str, column: &str) -> Result<(), Fault> {
        let compiled = self.compiled(table)?;
        let known: Vec<&str> = compiled
            .source_schema
            .fields()
            .iter()
            .map(|field| field.name().as_str())
            .collect();
        if known.contains(&column) {
            Ok(())
        } else {
            Err(column_unknown(column, &known))
        }
    }

    /// An expression as DataFusion simplifies it: constants folded, NOT inside, redundant parts gone. Nothing of it
    /// depends on when this is done.
    pub(crate) fn simplified(&self, expression: &Expr, schema: &DFSchema) -> Result<Expr> {
        let context = SimplifyContext::builder()
            .with_schema(Arc::new(schema.clone()))
            .with_config_options(Arc::new(self.options.clone()))
            .build();
        ExprSimplifier::new(context).simplify(expression.clone())
    }

    fn symbolic(&self, sql: &str, table: &str, masked: Option<&str>) -> Result<Symbolic, NotSymbolic> {
        let checked = self.result(self.policy(sql, table, masked), sql);
        if let Some(problem) = checked.problem {
            return Err(NotSymbolic::Problem(problem));
        }
        self.unbound(sql, table, masked)
            .map_err(|fault| NotSymbolic::Unplanned(fault.0.message))
    }

    fn unbound(&self, sql: &str, table: &str, masked: Option<&str>) -> Result<Symbolic, Fault> {
        let parsed = policy_sql(table, sql, dialect(&self.options))?;
        let schema = self.policy_schema(&self.compiled(table)?, masked)?;
        let tables = Declared::raw(self);
        let names = self.names(&tables, &self.everything);
        let bound = expression_of(&parsed, &schema, &names, &self.bindings()).map_err(binding)?;
        let named = self.named(bound, &parsed).map_err(binding)?;
        let plan = one_row(&schema, named).map_err(binding)?;
        let analyzed = self.analyze(plan).map_err(binding)?;
        Ok(Symbolic {
            expression: looked_for(analyzed)?,
            parameters: parsed.parameters,
        })
    }

    /// With `$1` named after the claim that it is, subqueries too: both sides call it the same.
    fn named(&self, expression: Expr, sql: &PolicySql) -> Result<Expr> {
        let renamed = |part: Expr| {
            Ok(match part {
                Expr::Placeholder(placeholder) => Transformed::yes(self.parameter(placeholder, sql)),
                other => Transformed::no(other),
            })
        };
        let within = |mut subquery: Subquery| -> Result<Subquery> {
            let plan = Arc::unwrap_or_clone(subquery.subquery);
            let plan = plan
                .transform_up_with_subqueries(|node| {
                    node.map_expressions(|part| part.transform(renamed))?
                        .map_data(LogicalPlan::recompute_schema)
                })?
                .data;
            subquery.subquery = Arc::new(plan);
            Ok(subquery)
        };
        expression
            .transform(|part| {
                Ok(match part {
                    Expr::ScalarSubquery(subquery) => Transformed::yes(Expr::ScalarSubquery(within(subquery)?)),
                    Expr::InSubquery(mut found) => {
                        found.subquery = within(found.subquery)?;
                        Transformed::yes(Expr::InSubquery(found))
                    }
                    Expr::Exists(mut found) => {
                        found.subquery = within(found.subquery)?;
                        Transformed::yes(Expr::Exists(found))
                    }
                    other => renamed(other)?,
                })
            })
            .map(|transformed| transformed.data)
    }

    fn parameter(&self, placeholder: Placeholder, sql: &PolicySql) -> Expr {
        let number = placeholder.id.strip_prefix('$').and_then(|id| id.parse::<usize>().ok());
        let name = number.and_then(|number| sql.parameters.get(number.checked_sub(1)?));
        let Some(name) = name else {
            return Expr::Placeholder(placeholder);
        };
        let declared = name
            .strip_prefix("claims.")
            .and_then(|claim| self.request.claims.get(claim))
            .and_then(|declared| types::parse_type(declared).ok());
        // A claim that is not there refuses the session: here it is never NULL.
        let field = Field::new("", declared.unwrap_or(DataType::Utf8View), false);
        Expr::Placeholder(Placeholder::new_with_field(format!("${name}"), Some(Arc::new(field))))
    }
}

/// The expression that [`one_row`] made a plan of.
fn looked_for(plan: LogicalPlan) -> Result<Expr, Fault> {
    let missing = || {
        unknown(datafusion::arrow::error::ArrowError::SchemaError(
            "no expression".into(),
        ))
    };
    let LogicalPlan::Projection(projection) = plan else {
        return Err(missing());
    };
    if let LogicalPlan::Filter(filter) = projection.input.as_ref() {
        return Ok(filter.predicate.clone());
    }
    let found = projection.expr.into_iter().next().ok_or_else(missing)?;
    Ok(found.unalias())
}

/// What a [`Checker`] needs to know to compare policies.
pub(crate) fn request_of(
    tables: impl IntoIterator<Item = (String, Vec<Column>)>,
    claims: &std::collections::BTreeMap<String, String>,
    settings: &std::collections::BTreeMap<String, String>,
) -> CheckRequest {
    CheckRequest {
        tables: tables.into_iter().collect(),
        views: Default::default(),
        functions: vec![],
        settings: settings.clone(),
        claims: claims.clone(),
        items: vec![],
        values: Default::default(),
    }
}
