//! Which of a consumer's predicates may run inside a barrier, next to hidden rows: those that can neither fail nor
//! reveal. Everything else waits above it.

pub(crate) mod functions;
pub(crate) mod withheld;

use std::collections::BTreeSet;
use std::sync::Arc;

use ambit_protocol::LeakproofArgument;

use datafusion::arrow::datatypes::{DataType, SchemaRef};
use datafusion::common::{DFSchema, ScalarValue};
use datafusion::logical_expr::expr::{InList, ScalarFunction};
use datafusion::logical_expr::{Between, BinaryExpr, Cast, Expr, ExprSchemable, Like, Operator};
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_expr::expressions::{Column, DynamicFilterPhysicalExpr};

use self::functions::LEAKPROOF;

/// A pattern up to this length always compiles.
const PATTERN_BYTES: usize = 256;
/// Counts up to this are far from where positions overflow.
const COUNT_MAX: i64 = 1_000_000;

/// Whether `predicate` is leakproof over these unmasked columns. A masked column never is: that is what makes a
/// predicate on it see the mask.
pub(crate) fn leakproof(predicate: &Expr, unmasked: &BTreeSet<&str>, schema: &DFSchema) -> bool {
    match predicate {
        Expr::BinaryExpr(BinaryExpr {
            left,
            op: Operator::And | Operator::Or,
            right,
        }) => leakproof(left, unmasked, schema) && leakproof(right, unmasked, schema),
        Expr::BinaryExpr(BinaryExpr { left, op, right }) => {
            comparison(*op) && compared(left, unmasked, schema) && compared(right, unmasked, schema)
        }
        Expr::Not(inner) => leakproof(inner, unmasked, schema),
        Expr::IsNull(inner) | Expr::IsNotNull(inner) => operand(inner, unmasked, schema),
        Expr::IsTrue(inner)
        | Expr::IsFalse(inner)
        | Expr::IsUnknown(inner)
        | Expr::IsNotTrue(inner)
        | Expr::IsNotFalse(inner)
        | Expr::IsNotUnknown(inner) => leakproof(inner, unmasked, schema),
        Expr::Between(Between { expr, low, high, .. }) => [expr, low, high]
            .into_iter()
            .all(|part| compared(part, unmasked, schema)),
        Expr::InList(InList { expr, list, .. }) => {
            compared(expr, unmasked, schema) && list.iter().all(|item| matches!(item, Expr::Literal(..)))
        }
        Expr::Like(Like {
            expr,
            pattern,
            escape_char: None,
            ..
        }) => {
            let pattern = matches!(pattern.as_ref(), Expr::Literal(pattern, _) if compiles(pattern));
            operand(expr, unmasked, schema) && pattern
        }
        // A boolean column by itself, or a function that answers yes or no.
        Expr::Column(_) | Expr::Literal(..) | Expr::ScalarFunction(_) => operand(predicate, unmasked, schema),
        _ => false,
    }
}

/// Whether a filter that is known only at run time is leakproof: it compares unmasked columns with what the visible rows
/// of other tables, or of this one, turned out to be. It carries the consumer's own expression (`ORDER BY 1/x LIMIT 1`):
/// then it is not.
pub(crate) fn leakproof_dynamic(filter: &Arc<dyn PhysicalExpr>, columns: &SchemaRef, unmasked: &[bool]) -> bool {
    let shown = |part: &&Arc<dyn PhysicalExpr>| {
        part.downcast_ref::<Column>().is_some_and(|column| {
            let index = column.index();
            let field = columns.fields().get(index);
            unmasked.get(index) == Some(&true)
                && field.is_some_and(|field| plain(field.data_type()) && !field.data_type().is_floating())
        })
    };
    filter
        .downcast_ref::<DynamicFilterPhysicalExpr>()
        .is_some_and(|filter| filter.children().iter().all(shown))
}

fn comparison(operator: Operator) -> bool {
    matches!(
        operator,
        Operator::Eq
            | Operator::NotEq
            | Operator::Lt
            | Operator::LtEq
            | Operator::Gt
            | Operator::GtEq
            | Operator::IsDistinctFrom
            | Operator::IsNotDistinctFrom
    )
}

/// An operand that may be held against a file's ranges. They leave NaN out: a visible NaN would come or go with the
/// hidden rows that lie around it.
fn compared(expression: &Expr, unmasked: &BTreeSet<&str>, schema: &DFSchema) -> bool {
    let bare = matches!(expression, Expr::Column(_) | Expr::Cast(_));
    let floating = || expression.get_type(schema).is_ok_and(|found| found.is_floating());
    operand(expression, unmasked, schema) && !(bare && floating())
}

fn operand(expression: &Expr, unmasked: &BTreeSet<&str>, schema: &DFSchema) -> bool {
    match expression {
        Expr::Column(column) => {
            unmasked.contains(column.name.as_str())
                && schema
                    .field_with_unqualified_name(&column.name)
                    .is_ok_and(|field| plain(field.data_type()))
        }
        Expr::Literal(..) => true,
        Expr::Cast(Cast { expr, field }) => {
            operand(expr, unmasked, schema) && expr.get_type(schema).is_ok_and(|from| widens(&from, field.data_type()))
        }
        Expr::ScalarFunction(ScalarFunction { func, args }) => LEAKPROOF
            .iter()
            .find(|known| known.name == func.name())
            .is_some_and(|known| {
                known.arguments.len() == args.len()
                    && known
                        .arguments
                        .iter()
                        .zip(args)
                        .all(|(kind, value)| argument(*kind, value, unmasked, schema))
            }),
        _ => false,
    }
}

fn argument(kind: LeakproofArgument, value: &Expr, unmasked: &BTreeSet<&str>, schema: &DFSchema) -> bool {
    if let Expr::Literal(literal, _) = value
        && written(kind)
    {
        return says(kind, literal);
    }
    operand(value, unmasked, schema) && value.get_type(schema).is_ok_and(|found| fits(kind, &found))
}

/// Whether the argument must stand in the statement.
pub(crate) fn written(kind: LeakproofArgument) -> bool {
    matches!(kind, LeakproofArgument::TextLiteral | LeakproofArgument::Count)
}

/// Whether what stands there is one with which the function cannot fail.
pub(crate) fn says(kind: LeakproofArgument, literal: &ScalarValue) -> bool {
    match kind {
        LeakproofArgument::TextLiteral => text(literal).is_some(),
        LeakproofArgument::Count => {
            matches!(literal, ScalarValue::Int64(Some(count)) if (0..=COUNT_MAX).contains(count))
        }
        LeakproofArgument::Text | LeakproofArgument::Binary | LeakproofArgument::Float => false,
    }
}

/// Whether the function cannot fail on values of this type.
pub(crate) fn fits(kind: LeakproofArgument, found: &DataType) -> bool {
    match kind {
        LeakproofArgument::Text => matches!(found, DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View),
        LeakproofArgument::Binary => {
            matches!(found, DataType::Binary | DataType::LargeBinary | DataType::BinaryView)
        }
        LeakproofArgument::Float => matches!(found, DataType::Float32 | DataType::Float64),
        LeakproofArgument::TextLiteral | LeakproofArgument::Count => false,
    }
}

/// Whether a pattern always compiles.
fn compiles(pattern: &ScalarValue) -> bool {
    text(pattern).is_some_and(|pattern| pattern.len() <= PATTERN_BYTES)
}

fn text(literal: &ScalarValue) -> Option<&str> {
    literal.try_as_str().flatten()
}

/// Types whose comparison kernels have no error path.
fn plain(data_type: &DataType) -> bool {
    data_type.is_primitive()
        || matches!(
            data_type,
            DataType::Boolean
                | DataType::Utf8
                | DataType::LargeUtf8
                | DataType::Utf8View
                | DataType::Binary
                | DataType::LargeBinary
                | DataType::BinaryView
        )
}

/// Casts that keep every value.
fn widens(from: &DataType, to: &DataType) -> bool {
    use DataType::{
        Float32, Float64, Int8, Int16, Int32, Int64, LargeUtf8, UInt8, UInt16, UInt32, UInt64, Utf8, Utf8View,
    };
    from == to
        || matches!(
            (from, to),
            (Int8, Int16 | Int32 | Int64 | Float32 | Float64)
                | (Int16, Int32 | Int64 | Float32 | Float64)
                | (Int32, Int64 | Float64)
                | (UInt8, UInt16 | UInt32 | UInt64 | Int16 | Int32 | Int64)
                | (UInt16, UInt32 | UInt64 | Int32 | Int64)
                | (UInt32, UInt64 | Int64)
                | (Float32, Float64)
                | (Utf8 | LargeUtf8 | Utf8View, Utf8View)
                | (Utf8, LargeUtf8)
        )
}
