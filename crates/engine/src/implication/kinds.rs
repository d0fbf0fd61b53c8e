//! Kinds of expressions, each in one place: what is not listed here is not looked into anywhere.

use datafusion::logical_expr::Expr;

/// Whether its value depends on those of its parts alone. Not so: subqueries, aggregates, windows, and what comes with a later
/// DataFusion.
pub(super) fn of_its_parts(expression: &Expr) -> bool {
    matches!(
        expression,
        Expr::Alias(_)
            | Expr::BinaryExpr(_)
            | Expr::Like(_)
            | Expr::SimilarTo(_)
            | Expr::Not(_)
            | Expr::IsNull(_)
            | Expr::IsNotNull(_)
            | Expr::IsTrue(_)
            | Expr::IsNotTrue(_)
            | Expr::IsFalse(_)
            | Expr::IsNotFalse(_)
            | Expr::IsUnknown(_)
            | Expr::IsNotUnknown(_)
            | Expr::Negative(_)
            | Expr::Between(_)
            | Expr::Case(_)
            | Expr::Cast(_)
            | Expr::TryCast(_)
            | Expr::ScalarFunction(_)
            | Expr::InList(_)
    )
}

/// Whether it is one value for a whole session.
pub(super) fn is_constant(expression: &Expr) -> bool {
    matches!(expression, Expr::Literal(..) | Expr::Placeholder(_))
}
