//! The SQL of both sides as expressions, and what of it cannot be compared.

use std::collections::BTreeSet;

use ambit_protocol::{ComparedList, ComparisonProblem};
use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::common::{DataFusionError, Result};
use datafusion::logical_expr::expr::AggregateFunction;
use datafusion::logical_expr::{Distinct, Expr, LogicalPlan, Subquery};

use crate::check::symbolic::{NotSymbolic, Symbolic};

/// Aggregates whose result depends on the order of rows.
const BY_ORDER: [&str; 5] = ["array_agg", "first_value", "last_value", "nth_value", "string_agg"];

/// Why there is no answer but "cannot tell", or none at all.
pub(super) enum Stop {
    Problem(Box<ComparisonProblem>),
    CannotTell(String),
}

impl From<DataFusionError> for Stop {
    /// What DataFusion does not take was taken when the contract was checked: it is not known what it means here.
    fn from(error: DataFusionError) -> Self {
        Self::CannotTell(format!(
            "the engine could not look into it: {}",
            error.strip_backtrace()
        ))
    }
}

/// One side.
pub(super) struct Side {
    /// As bound and coerced; of row filters, simplified.
    pub expressions: Vec<Expr>,
    /// Names of claims, and `tenant` and `purpose`.
    pub parameters: BTreeSet<String>,
}

impl Side {
    /// Reads one list. `expression` says what the SQL is.
    pub(super) fn read(
        list: ComparedList,
        sqls: &[String],
        expression: impl Fn(&str) -> Result<Symbolic, NotSymbolic>,
    ) -> Result<Self, Stop> {
        let mut side = Self {
            expressions: vec![],
            parameters: BTreeSet::new(),
        };
        for (index, sql) in sqls.iter().enumerate() {
            let found = expression(sql).map_err(|reason| match reason {
                NotSymbolic::Problem(problem) => Stop::Problem(Box::new(ComparisonProblem {
                    list,
                    index: index as u64,
                    problem,
                })),
                NotSymbolic::Unplanned(reason) => {
                    Stop::CannotTell(format!("what `{sql}` means is not known before it runs: {reason}"))
                }
            })?;
            if varies(&found.expression)? {
                return Err(Stop::CannotTell(format!("`{sql}` is not the same each time")));
            }
            side.expressions.push(found.expression);
            side.parameters.extend(found.parameters);
        }
        Ok(side)
    }
}

/// Whether the value is another one each time, of the same row and the same session.
pub(super) fn varies(expression: &Expr) -> Result<bool> {
    let mut found = expression.is_volatile() || expression.exists(|part| Ok(by_order(part)))?;
    for subquery in subqueries(expression)? {
        subquery.subquery.apply_with_subqueries(|node| {
            found |= matches!(
                node,
                LogicalPlan::Limit(_) | LogicalPlan::Window(_) | LogicalPlan::Distinct(Distinct::On(_))
            );
            node.apply_expressions(|part| {
                found |= part.is_volatile() || part.exists(|part| Ok(by_order(part)))?;
                Ok(TreeNodeRecursion::Continue)
            })
        })?;
    }
    Ok(found)
}

fn by_order(part: &Expr) -> bool {
    match part {
        Expr::AggregateFunction(AggregateFunction { func, .. }) => BY_ORDER.contains(&func.name()),
        Expr::WindowFunction(_) => true,
        _ => false,
    }
}

/// Whether a subquery of the expression reads another table than these.
pub(super) fn reads_others(expression: &Expr, unchanged: &[String]) -> Result<bool> {
    let mut found = false;
    for subquery in subqueries(expression)? {
        subquery.subquery.apply_with_subqueries(|node| {
            if let LogicalPlan::TableScan(scan) = node {
                found |= !unchanged.iter().any(|name| name == scan.table_name.table());
            }
            Ok(TreeNodeRecursion::Continue)
        })?;
    }
    Ok(found)
}

/// Subqueries of an expression, outermost ones.
pub(super) fn subqueries(expression: &Expr) -> Result<Vec<&Subquery>> {
    let mut found = vec![];
    expression.apply(|part| {
        match part {
            Expr::ScalarSubquery(subquery) => found.push(subquery),
            Expr::InSubquery(within) => found.push(&within.subquery),
            Expr::Exists(exists) => found.push(&exists.subquery),
            Expr::SetComparison(compared) => found.push(&compared.subquery),
            _ => {}
        }
        Ok(TreeNodeRecursion::Continue)
    })?;
    Ok(found)
}
