//! What of an expression can fail: division by zero, a cast that does not fit, a subquery that cannot be read. A policy that
//! fails fails the whole query.

use std::collections::HashSet;

use datafusion::arrow::datatypes::DataType;
use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::common::{DFSchema, Result};
use datafusion::logical_expr::expr::ScalarFunction;
use datafusion::logical_expr::{BinaryExpr, Cast, Expr, ExprSchemable, Operator};
use datafusion::scalar::ScalarValue;

use super::domain::text_of;
use super::kinds::{is_constant, of_its_parts};
use super::terms::keeps;
use crate::leakproof::functions::LEAKPROOF;
use crate::leakproof::{fits, says, written};

/// A pattern up to this length always compiles.
const PATTERN_BYTES: usize = 256;

/// Functions that do not fail, beside those that are leakproof.
const SAFE: [&str; 3] = ["coalesce", "now", "nullif"];

/// Parts of an expression that may fail on some row.
pub(super) fn failing(expression: &Expr, schema: &DFSchema) -> Result<HashSet<Expr>> {
    let mut found = HashSet::new();
    expression.apply(|part| {
        if may_fail(part, schema) {
            found.insert(part.clone());
        }
        Ok(TreeNodeRecursion::Continue)
    })?;
    Ok(found)
}

/// What stands between the ANDs of some filters, in their order.
pub(super) fn conditions(filters: &[Expr]) -> Vec<&Expr> {
    let mut all = vec![];
    let mut due: Vec<&Expr> = filters.iter().rev().collect();
    while let Some(filter) = due.pop() {
        match filter {
            Expr::BinaryExpr(BinaryExpr {
                left,
                op: Operator::And,
                right,
            }) => due.extend([right.as_ref(), left.as_ref()]),
            other => all.push(other),
        }
    }
    all
}

/// Parts that are met on every row on which the condition is: not those behind an AND, an OR or a CASE.
pub(super) fn met(condition: &Expr) -> Result<HashSet<&Expr>> {
    let mut found = HashSet::new();
    let mut due = vec![condition];
    while let Some(part) = due.pop() {
        found.insert(part);
        match part {
            Expr::BinaryExpr(BinaryExpr {
                left,
                op: Operator::And | Operator::Or,
                ..
            }) => {
                // With its claims known, the whole of it may be a constant.
                if !part.exists(|inner| Ok(matches!(inner, Expr::Placeholder(_))))? {
                    due.push(left);
                }
            }
            Expr::Case(case) => due.extend(
                case.expr
                    .as_deref()
                    .or_else(|| case.when_then_expr.first().map(|(when, _)| when.as_ref())),
            ),
            Expr::ScalarFunction(ScalarFunction { func, args }) if func.name() == "coalesce" => {
                due.extend(args.first())
            }
            other => {
                other.apply_children(|inner| {
                    due.push(inner);
                    Ok(TreeNodeRecursion::Continue)
                })?;
            }
        }
    }
    Ok(found)
}

/// Whether it may fail where its parts do not.
fn may_fail(part: &Expr, schema: &DFSchema) -> bool {
    match part {
        Expr::BinaryExpr(binary) => operation_may_fail(binary, schema),
        Expr::Like(like) => !matches!(like.pattern.as_ref(), Expr::Literal(pattern, _)
            if text_of(pattern).is_some_and(|pattern| pattern.len() <= PATTERN_BYTES)),
        Expr::Cast(Cast { expr, field }) => !expr
            .get_type(schema)
            .is_ok_and(|from| keeps(&from, field.data_type()) || floats(&from, field.data_type())),
        Expr::ScalarFunction(ScalarFunction { func, args }) => {
            !SAFE.contains(&func.name()) && !leakproof(func.name(), args, schema)
        }
        // The least number has no negative, and a pattern may not compile.
        Expr::Negative(_) | Expr::SimilarTo(_) => true,
        // Subqueries, and what is not known here.
        other => !(matches!(other, Expr::Column(_)) || is_constant(other) || of_its_parts(other)),
    }
}

/// Numbers that have a nearest float.
fn floats(from: &DataType, to: &DataType) -> bool {
    (from.is_integer() || from.is_floating()) && to.is_floating()
}

fn operation_may_fail(BinaryExpr { left, op, right }: &BinaryExpr, schema: &DFSchema) -> bool {
    use Operator::{
        And, Divide, Eq, Gt, GtEq, IsDistinctFrom, IsNotDistinctFrom, Lt, LtEq, Minus, Modulo, Multiply, NotEq, Or,
        Plus,
    };
    let found = left.get_type(schema);
    let whole = found.as_ref().is_ok_and(DataType::is_integer);
    let floating = found.as_ref().is_ok_and(DataType::is_floating);
    match op {
        And | Or | Eq | NotEq | Lt | LtEq | Gt | GtEq | IsDistinctFrom | IsNotDistinctFrom => false,
        // Whole numbers begin again at the other end.
        Plus | Minus | Multiply => !whole && !floating,
        Divide | Modulo => !(floating || whole && divides(right)),
        _ => true,
    }
}

/// A divisor that divides every whole number: not zero, and not the one that the least number has no quotient by.
fn divides(divisor: &Expr) -> bool {
    number(divisor).is_some_and(|number| number != 0 && number != -1)
}

/// A whole number that stands in the SQL.
pub(super) fn number(expression: &Expr) -> Option<i64> {
    match expression {
        Expr::Literal(ScalarValue::Int8(number), _) => number.map(Into::into),
        Expr::Literal(ScalarValue::Int16(number), _) => number.map(Into::into),
        Expr::Literal(ScalarValue::Int32(number), _) => number.map(Into::into),
        Expr::Literal(ScalarValue::Int64(number), _) => *number,
        _ => None,
    }
}

fn leakproof(name: &str, args: &[Expr], schema: &DFSchema) -> bool {
    LEAKPROOF
        .iter()
        .find(|known| known.name == name && known.arguments.len() == args.len())
        .is_some_and(|known| {
            known.arguments.iter().zip(args).all(|(kind, value)| match value {
                Expr::Literal(literal, _) if written(*kind) => says(*kind, literal),
                _ if written(*kind) => false,
                value => value.get_type(schema).is_ok_and(|found| fits(*kind, &found)),
            })
        })
}
