//! The second gate: what a logical plan may hold. It runs on the bound plan and again on the optimized one, because
//! expression planners and optimizer rules add functions that nobody registered.

use std::collections::BTreeSet;

use ambit_protocol::EngineErrorCode;
use datafusion::common::Result;
use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::logical_expr::expr::{AggregateFunction, HigherOrderFunction, ScalarFunction, WindowFunction};
use datafusion::logical_expr::{Expr, LogicalPlan, WindowFunctionDefinition};

use crate::error::{Fault, function_unknown};
use crate::governed::GovernedTable;
use crate::series::Series;

/// Functions that DataFusion's own rules put into plans: rewriting DISTINCT ON, decorrelating subqueries, taking fields.
/// None of them shows more than the expression it replaces.
const INTRODUCED: [&str; 12] = [
    "array_has",
    "array_has_any",
    "count",
    "date_part",
    "first_value",
    "get_field",
    "last_value",
    "max",
    "min",
    "named_struct",
    "starts_with",
    "sum",
];

/// What a plan was found to hold: evidence.
#[derive(Debug, Default, Clone)]
pub(crate) struct Contents {
    pub functions: BTreeSet<String>,
    pub nodes: u64,
}

/// What a plan is held against.
pub(crate) struct Allowed<'a> {
    /// Canonical names.
    pub functions: &'a BTreeSet<String>,
    pub nodes: u64,
    /// Whether scans must be of governed tables: true for whatever a consumer sends.
    pub governed: bool,
}

/// Which plan is being looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stage {
    Bound,
    Optimized,
}

/// Walks the whole plan, subqueries too, and refuses what is not allowed.
pub(crate) fn verify(plan: &LogicalPlan, allowed: &Allowed<'_>, stage: Stage) -> Result<Contents> {
    let mut contents = Contents::default();
    plan.apply_with_subqueries(|node| {
        contents.nodes += 1;
        if contents.nodes > allowed.nodes {
            return Err(Fault::new(
                EngineErrorCode::StatementTooComplex,
                format!(
                    "the plan has more than {} steps once views and WITH are expanded",
                    allowed.nodes
                ),
            )
            .into());
        }
        verify_node(node, allowed)?;
        if let Some(name) = series(node) {
            verify_function(name, allowed, stage)?;
            contents.functions.insert(name.to_string());
        }
        node.apply_expressions(|expression| {
            expression.apply(|part| {
                if let Some(name) = function_name(part)? {
                    verify_function(&name, allowed, stage)?;
                    contents.functions.insert(name);
                }
                Ok(TreeNodeRecursion::Continue)
            })
        })
    })?;
    Ok(contents)
}

fn verify_node(node: &LogicalPlan, allowed: &Allowed<'_>) -> Result<()> {
    match node {
        LogicalPlan::Projection(_)
        | LogicalPlan::Filter(_)
        | LogicalPlan::Window(_)
        | LogicalPlan::Aggregate(_)
        | LogicalPlan::Sort(_)
        | LogicalPlan::Join(_)
        | LogicalPlan::Repartition(_)
        | LogicalPlan::Union(_)
        | LogicalPlan::EmptyRelation(_)
        | LogicalPlan::Subquery(_)
        | LogicalPlan::SubqueryAlias(_)
        | LogicalPlan::Limit(_)
        | LogicalPlan::Values(_)
        | LogicalPlan::Distinct(_)
        | LogicalPlan::RecursiveQuery(_)
        | LogicalPlan::Unnest(_) => Ok(()),
        LogicalPlan::TableScan(scan) if !allowed.governed || GovernedTable::is_source(&scan.source) => Ok(()),
        other if series(other).is_some() => Ok(()),
        other => Err(Fault::new(
            EngineErrorCode::PlanRefused,
            "the plan holds a step that no session may run",
        )
        .detail(format!("{}", other.display()))
        .into()),
    }
}

/// The function that makes the rows of a scan.
fn series(node: &LogicalPlan) -> Option<&'static str> {
    match node {
        LogicalPlan::TableScan(scan) => Series::function(&scan.source),
        _ => None,
    }
}

fn function_name(expression: &Expr) -> Result<Option<String>> {
    Ok(Some(match expression {
        Expr::ScalarFunction(ScalarFunction { func, .. }) => func.name().to_string(),
        Expr::AggregateFunction(AggregateFunction { func, .. }) => func.name().to_string(),
        Expr::HigherOrderFunction(HigherOrderFunction { func, .. }) => func.name().to_string(),
        Expr::WindowFunction(window) => {
            let WindowFunction { fun, .. } = window.as_ref();
            match fun {
                WindowFunctionDefinition::AggregateUDF(func) => func.name().to_string(),
                WindowFunctionDefinition::WindowUDF(func) => func.name().to_string(),
            }
        }
        _ => return Ok(None),
    }))
}

fn verify_function(name: &str, allowed: &Allowed<'_>, stage: Stage) -> Result<()> {
    let introduced = stage == Stage::Optimized && INTRODUCED.contains(&name);
    if introduced || allowed.functions.contains(name) {
        return Ok(());
    }
    let known: Vec<&str> = allowed.functions.iter().map(String::as_str).collect();
    Err(function_unknown(name, &known).into())
}
