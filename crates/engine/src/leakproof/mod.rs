//! Which of a consumer's predicates may run inside a barrier, next to hidden rows: those that can neither fail nor
//! reveal. Everything else waits above it.

use std::collections::BTreeSet;

use datafusion::arrow::datatypes::DataType;
use datafusion::common::DFSchema;
use datafusion::logical_expr::{Between, BinaryExpr, Cast, Expr, ExprSchemable, Operator, expr::InList};

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
            comparison(*op) && operand(left, unmasked, schema) && operand(right, unmasked, schema)
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
            .all(|part| operand(part, unmasked, schema)),
        Expr::InList(InList { expr, list, .. }) => {
            operand(expr, unmasked, schema) && list.iter().all(|item| matches!(item, Expr::Literal(..)))
        }
        // A boolean column by itself.
        Expr::Column(_) | Expr::Literal(..) => operand(predicate, unmasked, schema),
        _ => false,
    }
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
        _ => false,
    }
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
