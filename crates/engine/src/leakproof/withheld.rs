//! Dynamic filters that a barrier must not have after all. They skip whole row groups, so whether a visible row comes out
//! depends on the hidden rows around it. That is no matter where the join that made the filter drops the row anyway; but
//! an expression on the way to that join would fail on it, or not.

use std::collections::HashMap;
use std::sync::Arc;

use ambit_protocol::LeakproofArgument;
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::common::Result;
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::logical_expr::Operator;
use datafusion::physical_expr::expressions::{
    BinaryExpr, CaseExpr, CastExpr, Column, DynamicFilterPhysicalExpr, InListExpr, IsNotNullExpr, IsNullExpr, LikeExpr,
    Literal, NotExpr,
};
use datafusion::physical_expr::{PhysicalExpr, ScalarFunctionExpr};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::execution_plan::replace_children_if_necessary;

use super::functions::LEAKPROOF;
use super::{comparison, widens};
use crate::barrier::BarrierExec;

/// Dynamic filters that are made above, and whether an expression that can fail lies between.
type Above = HashMap<u64, bool>;

/// `plan`, whose barriers over hidden rows keep those filters alone that change no failure.
pub(crate) fn withheld(plan: Arc<dyn ExecutionPlan>, config: &ConfigOptions) -> Result<Arc<dyn ExecutionPlan>> {
    below(plan, &Above::new(), config)
}

fn below(plan: Arc<dyn ExecutionPlan>, above: &Above, config: &ConfigOptions) -> Result<Arc<dyn ExecutionPlan>> {
    if let Some(barrier) = plan.downcast_ref::<BarrierExec>() {
        let harmless = |filter: &Arc<dyn PhysicalExpr>| {
            let id = filter.expression_id();
            id.and_then(|id| above.get(&id)) == Some(&false)
        };
        return Ok(match barrier.with_dynamic_only(&harmless, config)? {
            Some(barrier) => Arc::new(barrier),
            None => plan,
        });
    }
    let fails = fails(plan.as_ref())?;
    let mut here: Above = above.iter().map(|(id, failed)| (*id, *failed || fails)).collect();
    let made = plan.dynamic_expressions_produced();
    here.extend(
        made.iter()
            .filter_map(|filter| filter.expression_id())
            .map(|id| (id, fails)),
    );
    let children = plan.children().into_iter();
    let after: Result<Vec<_>> = children.map(|child| below(Arc::clone(child), &here, config)).collect();
    replace_children_if_necessary(Arc::clone(&plan), after?)
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
        return like.pattern().is::<Literal>() && all();
    }
    if let Some(function) = expression.downcast_ref::<ScalarFunctionExpr>() {
        return listed(function) && all();
    }
    (expression.is::<NotExpr>()
        || expression.is::<IsNullExpr>()
        || expression.is::<IsNotNullExpr>()
        || expression.is::<InListExpr>()
        || expression.is::<CaseExpr>())
        && all()
}

fn listed(function: &ScalarFunctionExpr) -> bool {
    let known = LEAKPROOF.iter().find(|known| known.name == function.fun().name());
    known.is_some_and(|known| {
        known.arguments.len() == function.args().len()
            && known.arguments.iter().zip(function.args()).all(|(kind, value)| {
                let written = matches!(kind, LeakproofArgument::TextLiteral | LeakproofArgument::Count);
                !written || value.is::<Literal>()
            })
    })
}
