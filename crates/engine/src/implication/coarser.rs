//! What can be made of what a mask shows, and of nothing else of the row.

use datafusion::arrow::datatypes::DataType;
use datafusion::common::DFSchema;
use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::logical_expr::expr::ScalarFunction;
use datafusion::logical_expr::{BinaryExpr, Cast, Expr, ExprSchemable, Operator};

use super::domain::text_of;
use super::failing::number;
use super::kinds::{is_constant, of_its_parts};
use super::terms::{keeps, zoneless};

/// Units of `date_trunc`, each a whole number of the one before. A week is no part of a month.
const UNITS: [&str; 8] = [
    "microsecond",
    "millisecond",
    "second",
    "minute",
    "hour",
    "day",
    "month",
    "year",
];

/// What an expression shows.
pub(super) struct Seen<'a> {
    /// Expressions whose values can be told from what is shown.
    shown: Vec<&'a Expr>,
    schema: &'a DFSchema,
}

impl<'a> Seen<'a> {
    /// Of a mask's expression: itself, and what it only writes differently.
    pub(super) fn of(expression: &'a Expr, schema: &'a DFSchema) -> Self {
        let mut shown = vec![expression];
        let mut outer = expression;
        while let Some(inner) = unwrapped(outer, schema) {
            shown.push(inner);
            outer = inner;
        }
        Self { shown, schema }
    }

    /// A part of the expression that cannot be told from what is shown; `None`: all of it can.
    pub(super) fn lacks(&self, expression: &Expr) -> Option<Expr> {
        if self.shown.contains(&expression) || self.coarser(expression) {
            return None;
        }
        if is_constant(expression) {
            return None;
        }
        // A column, and what is not known to depend on its parts alone.
        if !of_its_parts(expression) {
            return Some(expression.clone());
        }
        let mut lacking = None;
        let walked = expression.apply_children(|part| {
            lacking = self.lacks(part);
            Ok(if lacking.is_some() {
                TreeNodeRecursion::Stop
            } else {
                TreeNodeRecursion::Continue
            })
        });
        if walked.is_err() {
            Some(expression.clone())
        } else {
            lacking
        }
    }

    /// Whether it is a coarser form of something that is shown.
    fn coarser(&self, expression: &Expr) -> bool {
        self.shown.iter().any(|shown| {
            truncated(shown, expression, self.schema)
                || cut(shown, expression)
                || divided(shown, expression, self.schema)
        })
    }
}

/// What is inside of something that has another value for each of its values.
fn unwrapped<'e>(expression: &'e Expr, schema: &DFSchema) -> Option<&'e Expr> {
    match expression {
        Expr::Alias(alias) => Some(&alias.expr),
        Expr::Cast(Cast { expr, field }) => {
            let from = expr.get_type(schema).ok()?;
            keeps(&from, field.data_type()).then_some(expr)
        }
        Expr::BinaryExpr(BinaryExpr { left, op, right }) => {
            whole(expression, schema)?;
            match (op, left.as_ref(), right.as_ref()) {
                // Whole numbers begin again at the other end: each has a sum of its own.
                (Operator::Plus | Operator::Minus, inner, shift) if number(shift).is_some() => Some(inner),
                (Operator::Plus | Operator::Minus, shift, inner) if number(shift).is_some() => Some(inner),
                // What was divided by the same number comes back.
                (Operator::Multiply, quotient, factor) | (Operator::Multiply, factor, quotient)
                    if number(factor).is_some_and(|factor| quotient_of(quotient) == Some(factor)) =>
                {
                    Some(quotient)
                }
                _ => None,
            }
        }
        Expr::ScalarFunction(ScalarFunction { func, args }) => match (func.name(), args.as_slice()) {
            ("reverse", [inner]) => Some(inner),
            _ => None,
        },
        _ => None,
    }
}

fn whole(expression: &Expr, schema: &DFSchema) -> Option<()> {
    expression.get_type(schema).ok()?.is_integer().then_some(())
}

/// The positive number that an expression divides by.
fn quotient_of(expression: &Expr) -> Option<i64> {
    match expression {
        Expr::BinaryExpr(BinaryExpr {
            op: Operator::Divide,
            right,
            ..
        }) => number(right).filter(|divisor| *divisor > 0),
        _ => None,
    }
}

/// `date_trunc('month', t)` of `date_trunc('day', t)`.
fn truncated(shown: &Expr, coarser: &Expr, schema: &DFSchema) -> bool {
    let place = |unit: &str| UNITS.iter().position(|known| *known == unit);
    let (Some((fine, of)), Some((coarse, same))) = (truncation(shown), truncation(coarser)) else {
        return false;
    };
    let (Some(fine), Some(coarse)) = (place(&fine), place(&coarse)) else {
        return false;
    };
    of == same && fine <= coarse && of.get_type(schema).is_ok_and(|found| zoneless(&found))
}

fn truncation(expression: &Expr) -> Option<(String, &Expr)> {
    match call(expression)? {
        ("date_trunc", [Expr::Literal(unit, _), instant]) => Some((text_of(unit)?.to_lowercase(), instant)),
        _ => None,
    }
}

/// `left(s, 2)` of `left(s, 3)`, and the same from the right.
fn cut(shown: &Expr, shorter: &Expr) -> bool {
    match (end(shown), end(shorter)) {
        (Some((left, of, most)), Some((same_end, same, less))) => {
            left == same_end && of == same && 0 <= less && less <= most
        }
        _ => false,
    }
}

/// Which end of what, and how many letters of it.
fn end(expression: &Expr) -> Option<(bool, &Expr, i64)> {
    match call(expression)? {
        ("left", [text, count]) => Some((true, text, number(count)?)),
        ("right", [text, count]) => Some((false, text, number(count)?)),
        ("substr", [text, first, count]) if number(first) == Some(1) => Some((true, text, number(count)?)),
        _ => None,
    }
}

/// `n / 60` of `n / 15`.
fn divided(shown: &Expr, coarser: &Expr, schema: &DFSchema) -> bool {
    let (Some((of, fine)), Some((same, coarse))) = (quotient(shown), quotient(coarser)) else {
        return false;
    };
    of == same && coarse % fine == 0 && of.get_type(schema).is_ok_and(|found: DataType| found.is_integer())
}

fn quotient(expression: &Expr) -> Option<(&Expr, i64)> {
    match expression {
        Expr::BinaryExpr(BinaryExpr { left, .. }) => Some((left, quotient_of(expression)?)),
        _ => None,
    }
}

fn call(expression: &Expr) -> Option<(&str, &[Expr])> {
    match expression {
        Expr::ScalarFunction(ScalarFunction { func, args }) => Some((func.name(), args)),
        _ => None,
    }
}
