//! SQL's three truth values, and how two values may be to each other.

use datafusion::arrow::datatypes::DataType;
use datafusion::logical_expr::Operator;

use super::domain::is_text;

/// Truth values of SQL, as a set.
pub(super) type Truths = u8;
pub(super) const TRUE: Truths = 1;
pub(super) const FALSE: Truths = 2;
pub(super) const NULL: Truths = 4;

/// How two terms may be to each other, as a set.
pub(super) type Outcomes = u8;
pub(super) const LESS: Outcomes = 1;
pub(super) const EQUAL: Outcomes = 2;
pub(super) const GREATER: Outcomes = 4;
/// The first alone is NULL.
pub(super) const LEFT_NULL: Outcomes = 8;
pub(super) const RIGHT_NULL: Outcomes = 16;
pub(super) const BOTH_NULL: Outcomes = 32;
pub(super) const OUTCOMES: [Outcomes; 6] = [LESS, EQUAL, GREATER, LEFT_NULL, RIGHT_NULL, BOTH_NULL];

/// Of the negation.
pub(super) fn turned(truths: Truths) -> Truths {
    truths & NULL | (truths & TRUE) << 1 | (truths & FALSE) >> 1
}

/// With the terms changed over.
pub(super) fn mirrored(outcomes: Outcomes) -> Outcomes {
    let swap = |one: Outcomes, other: Outcomes| {
        (if outcomes & one != 0 { other } else { 0 }) | (if outcomes & other != 0 { one } else { 0 })
    };
    outcomes & (EQUAL | BOTH_NULL) | swap(LESS, GREATER) | swap(LEFT_NULL, RIGHT_NULL)
}

/// What a comparison says of each outcome.
pub(super) fn comparison(operator: Operator) -> Option<fn(Outcomes) -> Truths> {
    fn said(yes: Outcomes, outcome: Outcomes) -> Truths {
        match outcome {
            LEFT_NULL | RIGHT_NULL | BOTH_NULL => NULL,
            outcome if outcome & yes != 0 => TRUE,
            _ => FALSE,
        }
    }
    fn same(outcome: Outcomes) -> Truths {
        if outcome & (EQUAL | BOTH_NULL) != 0 {
            TRUE
        } else {
            FALSE
        }
    }
    Some(match operator {
        Operator::Eq => |outcome| said(EQUAL, outcome),
        Operator::NotEq => |outcome| said(LESS | GREATER, outcome),
        Operator::Lt => |outcome| said(LESS, outcome),
        Operator::LtEq => |outcome| said(LESS | EQUAL, outcome),
        Operator::Gt => |outcome| said(GREATER, outcome),
        Operator::GtEq => |outcome| said(GREATER | EQUAL, outcome),
        Operator::IsNotDistinctFrom => same,
        Operator::IsDistinctFrom => |outcome| turned(same(outcome)),
        _ => return None,
    })
}

/// Types of which every two values are equal or one is less. Floats have two zeros.
pub(super) fn ordered(data_type: &DataType) -> bool {
    data_type.is_integer()
        || is_text(data_type)
        || matches!(
            data_type,
            DataType::Boolean
                | DataType::Date32
                | DataType::Time64(_)
                | DataType::Timestamp(..)
                | DataType::Decimal128(..)
        )
}
