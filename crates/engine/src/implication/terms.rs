//! What conditions speak of: columns, claims, and whatever else the proof does not look into. Two terms of one row have one
//! value if they are the same expression.

use std::collections::HashMap;

use datafusion::arrow::datatypes::{DataType, TimeUnit};
use datafusion::common::tree_node::TreeNode;
use datafusion::common::{DFSchema, Result};
use datafusion::logical_expr::expr::ScalarFunction;
use datafusion::logical_expr::{BinaryExpr, Cast, Expr, ExprSchemable, Operator, TryCast};

use super::domain::{Domain, is_text, text_of, values_of};

/// A term, by number.
pub(super) type Id = usize;

/// Functions of DataFusion that are NULL wherever an argument is.
const STRICT: [&str; 20] = [
    "abs",
    "btrim",
    "ceil",
    "character_length",
    "contains",
    "date_part",
    "date_trunc",
    "ends_with",
    "floor",
    "left",
    "lower",
    "ltrim",
    "md5",
    "octet_length",
    "reverse",
    "right",
    "rtrim",
    "starts_with",
    "strpos",
    "upper",
];

/// What is known of a term before any condition is.
#[derive(Debug)]
pub(super) struct Term {
    pub domain: Domain,
    /// Terms that are not NULL where this is not NULL.
    pub strict: Vec<Id>,
    /// Whether it is NULL only where one of those is.
    pub total: bool,
    /// Of whole numbers: which sum, difference or product of two others it is, as long as nothing overflows.
    pub sum: Option<(Side, Operator, Side)>,
    /// A term that is never less than this one.
    pub ceiling: Option<Id>,
    /// A term of another type that has the same value.
    pub same: Option<Id>,
}

/// An operand of a sum.
#[derive(Debug, Clone, Copy)]
pub(super) enum Side {
    Term(Id),
    Constant(i128),
}

/// All terms of a comparison.
pub(super) struct Terms<'a> {
    schema: &'a DFSchema,
    ids: HashMap<(Expr, bool), Id>,
    pub known: Vec<Term>,
}

impl<'a> Terms<'a> {
    pub(super) fn new(schema: &'a DFSchema) -> Self {
        Self {
            schema,
            ids: HashMap::new(),
            known: vec![],
        }
    }

    pub(super) fn type_of(&self, expression: &Expr) -> Option<DataType> {
        expression.get_type(self.schema).ok()
    }

    /// The term that an expression is. `apart`: it is not that of the same expression on the other side.
    pub(super) fn id(&mut self, expression: &Expr, apart: bool) -> Option<Id> {
        let key = (expression.clone(), apart);
        if let Some(id) = self.ids.get(&key) {
            return Some(*id);
        }
        let data_type = self.type_of(expression)?;
        let null = match expression {
            Expr::Placeholder(_) => false,
            Expr::Column(_) => expression.nullable(self.schema).unwrap_or(true),
            _ => true,
        };
        let (parts, total) = parts(expression, self.schema);
        let mut strict = vec![];
        for part in parts {
            strict.extend(self.id(part, apart));
        }
        let term = Term {
            domain: Domain {
                values: values_of(&data_type),
                null,
            },
            total: total && !strict.is_empty(),
            strict,
            sum: self.sum(expression, &data_type, apart),
            ceiling: self.ceiling(expression, apart),
            same: self.same(expression, apart),
        };
        let id = self.known.len();
        self.known.push(term);
        self.ids.insert(key, id);
        Some(id)
    }

    /// Columns and claims by their names, with their terms and types.
    pub(super) fn named(&self) -> Vec<(String, Id, DataType)> {
        let one = |((expression, _), id): (&(Expr, bool), &Id)| {
            let name = match expression {
                Expr::Column(column) => column.name.clone(),
                Expr::Placeholder(claim) => claim.id.clone(),
                _ => return None,
            };
            Some((name, *id, self.type_of(expression)?))
        };
        self.ids.iter().filter_map(one).collect()
    }

    fn sum(&mut self, expression: &Expr, data_type: &DataType, apart: bool) -> Option<(Side, Operator, Side)> {
        let Expr::BinaryExpr(BinaryExpr {
            left,
            op: op @ (Operator::Plus | Operator::Minus | Operator::Multiply),
            right,
        }) = expression
        else {
            return None;
        };
        data_type.is_integer().then_some(())?;
        let mut side = |part: &Expr| match part {
            Expr::Literal(constant, _) => match super::domain::value_of(constant, data_type)? {
                super::domain::Value::Number(number) => Some(Side::Constant(number)),
                super::domain::Value::Bytes(_) => None,
            },
            _ => self.id(part, apart).map(Side::Term),
        };
        Some((side(left)?, *op, side(right)?))
    }

    fn same(&mut self, expression: &Expr, apart: bool) -> Option<Id> {
        let Expr::Cast(Cast { expr, field }) = expression else {
            return None;
        };
        let from = self.type_of(expr)?;
        (keeps(&from, field.data_type()) && !matches!(expr.as_ref(), Expr::Literal(..))).then_some(())?;
        self.id(expr, apart)
    }

    /// An instant is not before the beginning of its day.
    fn ceiling(&mut self, expression: &Expr, apart: bool) -> Option<Id> {
        let Expr::ScalarFunction(ScalarFunction { func, args }) = expression else {
            return None;
        };
        let [Expr::Literal(..), instant] = args.as_slice() else {
            return None;
        };
        let same = self.type_of(instant)? == self.type_of(expression)?;
        (func.name() == "date_trunc" && same && zoneless(&self.type_of(instant)?)).then_some(())?;
        self.id(instant, apart)
    }
}

/// Instants whose days are all of one length.
pub(super) fn zoneless(data_type: &DataType) -> bool {
    match data_type {
        DataType::Timestamp(TimeUnit::Microsecond | TimeUnit::Nanosecond, None) => true,
        DataType::Timestamp(TimeUnit::Microsecond, Some(zone)) => zone.as_ref() == "UTC",
        _ => false,
    }
}

/// Parts without which an expression is NULL; whether it is NULL for no other reason.
fn parts<'e>(expression: &'e Expr, schema: &DFSchema) -> (Vec<&'e Expr>, bool) {
    let of = |part: &Expr| part.get_type(schema).ok();
    match expression {
        Expr::BinaryExpr(BinaryExpr { left, op, right }) if arithmetic(*op) => {
            let plain = of(expression).is_some_and(|found| found.is_integer());
            (varying([left.as_ref(), right.as_ref()]), plain)
        }
        Expr::Negative(inner) => (varying([inner.as_ref()]), false),
        Expr::Cast(Cast { expr, field }) => {
            let keeps = of(expr).is_some_and(|from| keeps(&from, field.data_type()));
            (varying([expr.as_ref()]), keeps)
        }
        Expr::ScalarFunction(ScalarFunction { func, args }) if STRICT.contains(&func.name()) => {
            (varying(args.iter()), false)
        }
        Expr::Like(like) => match like.pattern.as_ref() {
            Expr::Literal(pattern, _) if text_of(pattern).is_some() => (varying([like.expr.as_ref()]), false),
            _ => (vec![], false),
        },
        _ => (vec![], false),
    }
}

fn varying<'e>(parts: impl IntoIterator<Item = &'e Expr>) -> Vec<&'e Expr> {
    parts
        .into_iter()
        .filter(|part| !matches!(part, Expr::Literal(..)))
        .collect()
}

fn arithmetic(operator: Operator) -> bool {
    use Operator::{Divide, Minus, Modulo, Multiply, Plus};
    matches!(operator, Plus | Minus | Multiply | Divide | Modulo)
}

/// Casts that lose nothing.
pub(super) fn keeps(from: &DataType, to: &DataType) -> bool {
    use DataType::{Int8, Int16, Int32, Int64};
    from == to
        || matches!(
            (from, to),
            (Int8, Int16 | Int32 | Int64) | (Int16, Int32 | Int64) | (Int32, Int64)
        )
        || is_text(from) && is_text(to)
}

/// Whether it has a cast that gives several numbers or instants one value. DataFusion's simplifier takes it off a column
/// that is compared with a constant, `CAST(price AS BIGINT) = 1` to `price = 1`, and not everywhere.
pub(super) fn rounds(expression: &Expr, schema: &DFSchema) -> Result<bool> {
    use DataType::{Decimal128, Timestamp};
    expression.exists(|part| {
        let (Expr::Cast(Cast { expr, field }) | Expr::TryCast(TryCast { expr, field })) = part else {
            return Ok(false);
        };
        if matches!(expr.as_ref(), Expr::Literal(..)) {
            return Ok(false);
        }
        Ok(match (expr.get_type(schema)?, field.data_type()) {
            (Decimal128(..), to) if to.is_integer() => true,
            (Decimal128(_, from), Decimal128(_, to)) => *to < from,
            (Timestamp(from, _), Timestamp(to, _)) => *to < from,
            _ => false,
        })
    })
}
