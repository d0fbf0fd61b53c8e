//! Dynamic filters over hidden rows, once the plan is whole. They skip whole row groups, so whether a visible row comes out
//! depends on the hidden rows around it. The join that made the filter drops the row anyway; but
//!
//! - an expression on the way to that join would fail on it, or not: there the barrier goes without the filter;
//! - an expression above the join would meet other rows first: there the join's batches are cut anew.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use datafusion::arrow::datatypes::SchemaRef;
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::common::{Result, ScalarValue};
use datafusion::logical_expr::Operator;
use datafusion::physical_expr::expressions::{
    BinaryExpr, CaseExpr, CastExpr, Column, DynamicFilterPhysicalExpr, InListExpr, IsNotNullExpr, IsNullExpr, LikeExpr,
    Literal, NotExpr,
};
use datafusion::physical_expr::{PhysicalExpr, ScalarFunctionExpr};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::execution_plan::replace_children_if_necessary;

use super::functions::LEAKPROOF;
use super::{comparison, compiles, fits, says, widens, written};
use crate::barrier::BarrierExec;
use crate::recut::RecutExec;

/// What lies above a step.
#[derive(Clone, Default)]
struct Above {
    /// Dynamic filters that are made there, and whether an expression that can fail lies between.
    made: HashMap<u64, bool>,
    /// Whether an expression can fail anywhere above.
    fails: bool,
}

/// `plan`, whose barriers over hidden rows keep those filters alone that change no failure.
pub(crate) fn withheld(plan: Arc<dyn ExecutionPlan>, config: &ConfigOptions) -> Result<Arc<dyn ExecutionPlan>> {
    Ok(below(plan, &Above::default(), config)?.0)
}

/// The step, and the filters that barriers over hidden rows kept below it.
fn below(
    plan: Arc<dyn ExecutionPlan>,
    above: &Above,
    config: &ConfigOptions,
) -> Result<(Arc<dyn ExecutionPlan>, HashSet<u64>)> {
    if let Some(barrier) = plan.downcast_ref::<BarrierExec>() {
        return bared(&plan, barrier, above, config);
    }
    let fails = fails(plan.as_ref())?;
    let made: Vec<u64> = plan
        .dynamic_expressions_produced()
        .iter()
        .filter_map(|filter| filter.expression_id())
        .collect();
    let mut here = Above {
        made: above.made.iter().map(|(id, failed)| (*id, *failed || fails)).collect(),
        fails: above.fails || fails,
    };
    here.made.extend(made.iter().map(|id| (*id, fails)));
    let (mut children, mut kept) = (Vec::new(), HashSet::new());
    for child in plan.children() {
        let (child, below) = below(Arc::clone(child), &here, config)?;
        children.push(child);
        kept.extend(below);
    }
    let plan = replace_children_if_necessary(Arc::clone(&plan), children)?;
    if above.fails && made.iter().any(|id| kept.contains(id)) {
        return Ok((Arc::new(RecutExec(plan)), kept));
    }
    Ok((plan, kept))
}

fn bared(
    plan: &Arc<dyn ExecutionPlan>,
    barrier: &BarrierExec,
    above: &Above,
    config: &ConfigOptions,
) -> Result<(Arc<dyn ExecutionPlan>, HashSet<u64>)> {
    let mut kept = HashSet::new();
    for filter in barrier.dynamic_over_hidden() {
        let id = filter.expression_id();
        kept.extend(id.filter(|id| above.made.get(id) == Some(&false)));
    }
    let keep = |filter: &Arc<dyn PhysicalExpr>| filter.expression_id().is_some_and(|id| kept.contains(&id));
    let plan = match barrier.with_dynamic_only(&keep, config)? {
        Some(barrier) => Arc::new(barrier),
        None => Arc::clone(plan),
    };
    Ok((plan, kept))
}

/// Whether an expression of this very step can fail on some row.
fn fails(plan: &dyn ExecutionPlan) -> Result<bool> {
    let schema = match plan.children().as_slice() {
        [child] => Some(child.schema()),
        _ => None,
    };
    let mut found = false;
    plan.apply_expressions(&mut |expression| {
        if infallible(expression, schema.as_ref()) {
            return Ok(TreeNodeRecursion::Continue);
        }
        found = true;
        Ok(TreeNodeRecursion::Stop)
    })?;
    Ok(found)
}

/// Whether the expression has an answer for every row. `schema` tells what a cast begins with.
fn infallible(expression: &Arc<dyn PhysicalExpr>, schema: Option<&SchemaRef>) -> bool {
    let all = || expression.children().into_iter().all(|part| infallible(part, schema));
    if expression.is::<Column>() || expression.is::<Literal>() || expression.is::<DynamicFilterPhysicalExpr>() {
        return true;
    }
    if let Some(binary) = expression.downcast_ref::<BinaryExpr>() {
        return (matches!(binary.op(), Operator::And | Operator::Or) || comparison(*binary.op())) && all();
    }
    if let Some(cast) = expression.downcast_ref::<CastExpr>() {
        let from = schema.and_then(|schema| cast.expr().data_type(schema).ok());
        return from.is_some_and(|from| widens(&from, cast.cast_type())) && all();
    }
    if let Some(like) = expression.downcast_ref::<LikeExpr>() {
        return literal(like.pattern()).is_some_and(compiles) && all();
    }
    if let Some(function) = expression.downcast_ref::<ScalarFunctionExpr>() {
        return listed(function, schema) && all();
    }
    (expression.is::<NotExpr>()
        || expression.is::<IsNullExpr>()
        || expression.is::<IsNotNullExpr>()
        || expression.is::<InListExpr>()
        || expression.is::<CaseExpr>())
        && all()
}

fn listed(function: &ScalarFunctionExpr, schema: Option<&SchemaRef>) -> bool {
    let known = LEAKPROOF.iter().find(|known| known.name == function.fun().name());
    known.is_some_and(|known| {
        known.arguments.len() == function.args().len()
            && known.arguments.iter().zip(function.args()).all(|(kind, value)| {
                if written(*kind) {
                    return literal(value).is_some_and(|literal| says(*kind, literal));
                }
                let found = schema.and_then(|schema| value.data_type(schema).ok());
                found.is_some_and(|found| fits(*kind, &found))
            })
    })
}

fn literal(expression: &Arc<dyn PhysicalExpr>) -> Option<&ScalarValue> {
    expression.downcast_ref::<Literal>().map(Literal::value)
}
