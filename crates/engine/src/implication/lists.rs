//! Lists of values beside DataFusion's simplifier. It puts two lists over one expression together by how their items are
//! written: `s IN ($claims.a, 'p', 'q', 'r') AND s IN ('c', 'd', 'e', 'f')` is FALSE to it, though the claim may be `c`. So what is
//! compared has no such list.

use std::collections::HashMap;

use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::common::{DFSchema, Result};
use datafusion::logical_expr::expr::InList;
use datafusion::logical_expr::{BinaryExpr, Expr, ExprSchemable, Operator};

/// Items of a list that are looked at one by one.
pub(super) const ITEMS_MAX: usize = 64;

/// Lists with items that are no constants as equalities. `None`: one cannot be written so.
pub(super) fn spelled_out(expression: Expr, schema: &DFSchema) -> Result<Option<Expr>> {
    let mut whole = true;
    let spelled = expression.transform(|part| {
        let Expr::InList(list) = part else {
            return Ok(Transformed::no(part));
        };
        if list.list.iter().all(|item| matches!(item, Expr::Literal(..))) {
            return Ok(Transformed::no(Expr::InList(list)));
        }
        // Lists are looked up by other means than `=`: a zero is not the negative one there.
        let floating = list.expr.get_type(schema).map_or(true, |found| found.is_floating());
        whole &= !floating && list.list.len() <= ITEMS_MAX;
        Ok(match equalities(&list) {
            Some(any) if whole => Transformed::yes(any),
            _ => Transformed::no(Expr::InList(list)),
        })
    })?;
    Ok(Some(spelled.data).filter(|_| whole))
}

fn equalities(list: &InList) -> Option<Expr> {
    let (operator, join): (_, fn(Expr, Expr) -> Expr) = if list.negated {
        (Operator::NotEq, Expr::and)
    } else {
        (Operator::Eq, Expr::or)
    };
    let one = |item: &Expr| {
        Expr::BinaryExpr(BinaryExpr {
            left: list.expr.clone(),
            op: operator,
            right: Box::new(item.clone()),
        })
    };
    list.list.iter().map(one).reduce(join)
}

/// Whether the engine, once it knows the claims, puts lists over one expression together where it matters that NULL is in
/// none of them: it takes `s IN ('a') AND s IN ('b')` for FALSE, and `NOT` of that for TRUE, also where `s` is NULL.
pub(super) fn merge_with_claims(expression: &Expr) -> Result<bool> {
    let mut found: HashMap<Expr, Lists> = HashMap::new();
    expression.apply(|part| {
        if positive(part) {
            return Ok(TreeNodeRecursion::Continue);
        }
        part.apply(|inner| {
            inner_lists(inner, &mut found);
            Ok(TreeNodeRecursion::Continue)
        })?;
        Ok(TreeNodeRecursion::Jump)
    })?;
    Ok(found
        .values()
        .any(|lists| lists.claims && (lists.lists >= 2 || lists.lists == 1 && lists.equal >= 2 || lists.equal >= 4)))
}

/// How often one expression is held against values.
#[derive(Default)]
struct Lists {
    lists: usize,
    equal: usize,
    claims: bool,
}

/// Where NULL and FALSE are alike.
fn positive(part: &Expr) -> bool {
    match part {
        Expr::BinaryExpr(BinaryExpr { op, left, right }) => {
            let plain = |side: &Expr| matches!(side, Expr::Column(_) | Expr::Literal(..) | Expr::Placeholder(_));
            matches!(op, Operator::And | Operator::Or) || *op == Operator::Eq && plain(left) && plain(right)
        }
        Expr::InList(list) => !list.negated,
        Expr::Alias(_) | Expr::Column(_) | Expr::Literal(..) | Expr::Placeholder(_) => true,
        _ => false,
    }
}

fn inner_lists(part: &Expr, found: &mut HashMap<Expr, Lists>) {
    let claim = |item: &Expr| {
        item.exists(|part| Ok(matches!(part, Expr::Placeholder(_))))
            .unwrap_or(true)
    };
    match part {
        Expr::InList(list) => {
            let lists = found.entry(list.expr.as_ref().clone()).or_default();
            lists.lists += 1;
            lists.claims |= list.list.iter().any(claim);
        }
        Expr::BinaryExpr(BinaryExpr {
            left,
            op: Operator::Eq | Operator::NotEq,
            right,
        }) => {
            for (side, other) in [(left, right), (right, left)] {
                if matches!(other.as_ref(), Expr::Literal(..)) || claim(other) {
                    let lists = found.entry(side.as_ref().clone()).or_default();
                    lists.equal += 1;
                    lists.claims |= claim(other);
                }
            }
        }
        _ => {}
    }
}
