//! A predicate of SQL's three values as a formula of two: "it is TRUE", "it is FALSE or NULL", in terms of what values
//! its terms have.

use std::collections::BTreeSet;

use datafusion::arrow::datatypes::DataType;
use datafusion::logical_expr::expr::InList;
use datafusion::logical_expr::{Between, BinaryExpr, Case, Expr, Like, Operator};
use datafusion::scalar::ScalarValue;

use super::domain::{Domain, Value, Values, is_text, text_of, value_of};
use super::lists::ITEMS_MAX;
use super::terms::{Id, Terms};
use super::truths::{
    BOTH_NULL, EQUAL, FALSE, GREATER, LEFT_NULL, LESS, NULL, OUTCOMES, Outcomes, RIGHT_NULL, TRUE, Truths, comparison,
    mirrored, ordered, turned,
};

/// Parts of predicates that are looked into. Of `(a AND b) IS UNKNOWN` each part is looked at twice, and so on inside.
pub(super) const PARTS_MAX: u32 = 20_000;

/// What must hold of a row.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Formula {
    All(Vec<Formula>),
    Any(Vec<Formula>),
    /// The term is one of these.
    In(Id, Domain),
    /// The first term is so to the second, and has the lower number.
    Pair(Id, Id, Outcomes),
}

impl Formula {
    const fn always() -> Self {
        Self::All(vec![])
    }

    const fn never() -> Self {
        Self::Any(vec![])
    }

    fn when(holds: bool) -> Self {
        if holds { Self::always() } else { Self::never() }
    }
}

/// Makes formulas of one side of a comparison.
pub(super) struct Reader<'a, 's> {
    pub terms: &'a mut Terms<'s>,
    /// Whether what an expression reads is not the same on the other side.
    pub apart: &'a dyn Fn(&Expr) -> bool,
    /// Parts that may be looked into still.
    pub left: u32,
}

impl Reader<'_, '_> {
    /// What must hold so that the predicate has one of these truth values.
    pub(super) fn holds(&mut self, predicate: &Expr, wanted: Truths) -> Formula {
        if wanted == 0 {
            return Formula::never();
        }
        if wanted == TRUE | FALSE | NULL {
            return Formula::always();
        }
        if self.left == 0 {
            return self.opaque(predicate, wanted);
        }
        self.left -= 1;
        let has = |truth: Truths| wanted & truth != 0;
        // Of IS TRUE and its like: what the inner one must be.
        let told = |yes: Truths| (if has(TRUE) { yes } else { 0 }) | (if has(FALSE) { !yes & 7 } else { 0 });
        match predicate {
            Expr::Alias(alias) => self.holds(&alias.expr, wanted),
            Expr::Literal(constant, _) => match constant {
                ScalarValue::Boolean(Some(true)) => Formula::when(has(TRUE)),
                ScalarValue::Boolean(Some(false)) => Formula::when(has(FALSE)),
                constant if constant.is_null() => Formula::when(has(NULL)),
                _ => self.opaque(predicate, wanted),
            },
            Expr::Not(inner) => self.holds(inner, turned(wanted)),
            Expr::IsTrue(inner) => self.holds(inner, told(TRUE)),
            Expr::IsNotTrue(inner) => self.holds(inner, told(FALSE | NULL)),
            Expr::IsFalse(inner) => self.holds(inner, told(FALSE)),
            Expr::IsNotFalse(inner) => self.holds(inner, told(TRUE | NULL)),
            Expr::IsUnknown(inner) => self.holds(inner, told(NULL)),
            Expr::IsNotUnknown(inner) => self.holds(inner, told(TRUE | FALSE)),
            Expr::IsNull(inner) => self.null(inner, told(NULL)),
            Expr::IsNotNull(inner) => self.null(inner, told(TRUE | FALSE)),
            Expr::BinaryExpr(BinaryExpr { left, op, right }) => match op {
                Operator::And => self.both(left, right, wanted, false),
                Operator::Or => self.both(left, right, turned(wanted), true),
                _ => self.compared(left, *op, right, wanted, predicate),
            },
            Expr::Between(between) => self.between(between, wanted),
            Expr::InList(list) => self.listed(list, wanted, predicate),
            Expr::Like(like) => self.like(like, wanted, predicate),
            Expr::Case(case) => self.case(case, wanted, predicate),
            _ => self.opaque(predicate, wanted),
        }
    }

    /// Whether an expression of any type is NULL.
    fn null(&mut self, inner: &Expr, wanted: Truths) -> Formula {
        if self.terms.type_of(inner) == Some(DataType::Boolean) {
            return self.holds(inner, wanted);
        }
        if let Expr::Literal(constant, _) = inner {
            return Formula::when((wanted & NULL != 0) == constant.is_null());
        }
        self.term(inner, &Values::all(), wanted)
    }

    /// `left AND right`, or with both and the outcome turned, OR.
    fn both(&mut self, left: &Expr, right: &Expr, wanted: Truths, turn: bool) -> Formula {
        let mut each = |truths: Truths| {
            let truths = if turn { turned(truths) } else { truths };
            vec![self.holds(left, truths), self.holds(right, truths)]
        };
        match wanted {
            TRUE => Formula::All(each(TRUE)),
            FALSE => Formula::Any(each(FALSE)),
            NULL => {
                let mut all = each(TRUE | NULL);
                all.push(Formula::Any(each(NULL)));
                Formula::All(all)
            }
            wanted if wanted == TRUE | NULL => Formula::All(each(TRUE | NULL)),
            wanted if wanted == FALSE | NULL => Formula::Any(each(FALSE | NULL)),
            _ => {
                let mut any = each(FALSE);
                any.push(Formula::All(each(TRUE)));
                Formula::Any(any)
            }
        }
    }

    fn compared(&mut self, left: &Expr, op: Operator, right: &Expr, wanted: Truths, whole: &Expr) -> Formula {
        let (Some(truth), Some(found)) = (comparison(op), self.terms.type_of(left)) else {
            return self.opaque(whole, wanted);
        };
        let alike = self.terms.type_of(right) == Some(found.clone())
            || is_text(&found) && self.terms.type_of(right).is_some_and(|right| is_text(&right));
        let outcomes = OUTCOMES
            .into_iter()
            .filter(|outcome| truth(*outcome) & wanted != 0)
            .fold(0, |all, outcome| all | outcome);
        match (left, right) {
            (Expr::Literal(constant, _), other) | (other, Expr::Literal(constant, _))
                if !matches!((left, right), (Expr::Literal(..), Expr::Literal(..))) =>
            {
                let outcomes = if matches!(left, Expr::Literal(..)) {
                    mirrored(outcomes)
                } else {
                    outcomes
                };
                self.beside(other, constant, outcomes, wanted, whole)
            }
            _ if alike && ordered(&found) => self.pair(left, right, outcomes, wanted, whole),
            _ => self.opaque(whole, wanted),
        }
    }

    /// A term and a constant.
    fn beside(
        &mut self,
        term: &Expr,
        constant: &ScalarValue,
        outcomes: Outcomes,
        wanted: Truths,
        whole: &Expr,
    ) -> Formula {
        if constant.is_null() {
            let values = if outcomes & RIGHT_NULL != 0 {
                Values::all()
            } else {
                Values::none()
            };
            return self.within(term, values, outcomes & BOTH_NULL != 0);
        }
        let Some(value) = self.terms.type_of(term).and_then(|found| value_of(constant, &found)) else {
            return self.opaque(whole, wanted);
        };
        let mut values = Values::none();
        for (outcome, part) in [
            (LESS, Values::below(&value)),
            (EQUAL, Values::one(&value)),
            (GREATER, Values::up_to(&value).not()),
        ] {
            if outcomes & outcome != 0 {
                values = values.or(&part);
            }
        }
        self.within(term, values, outcomes & LEFT_NULL != 0)
    }

    fn pair(&mut self, left: &Expr, right: &Expr, outcomes: Outcomes, wanted: Truths, whole: &Expr) -> Formula {
        let (Some(first), Some(second)) = (self.id(left), self.id(right)) else {
            return self.opaque(whole, wanted);
        };
        if first == second {
            let values = if outcomes & EQUAL != 0 {
                Values::all()
            } else {
                Values::none()
            };
            return self.within(left, values, outcomes & BOTH_NULL != 0);
        }
        if first < second {
            Formula::Pair(first, second, outcomes)
        } else {
            Formula::Pair(second, first, mirrored(outcomes))
        }
    }

    fn between(&mut self, between: &Between, wanted: Truths) -> Formula {
        let compare = |op, bound: &Expr| {
            Expr::BinaryExpr(BinaryExpr {
                left: between.expr.clone(),
                op,
                right: Box::new(bound.clone()),
            })
        };
        let wanted = if between.negated { turned(wanted) } else { wanted };
        let low = compare(Operator::GtEq, &between.low);
        let high = compare(Operator::LtEq, &between.high);
        self.both(&low, &high, wanted, false)
    }

    fn listed(&mut self, list: &InList, wanted: Truths, whole: &Expr) -> Formula {
        let wanted_of_list = if list.negated { turned(wanted) } else { wanted };
        let found = self.terms.type_of(&list.expr);
        let mut values = BTreeSet::new();
        let mut unknown = false;
        let constants = list.list.iter().all(|item| match item {
            Expr::Literal(constant, _) if constant.is_null() => {
                unknown = true;
                true
            }
            Expr::Literal(constant, _) => found
                .as_ref()
                .and_then(|found| value_of(constant, found))
                .map(|value| values.insert(value))
                .is_some(),
            _ => false,
        });
        if constants && !matches!(list.expr.as_ref(), Expr::Literal(..)) {
            return self.among(&list.expr, &values, unknown, wanted_of_list);
        }
        // Lists are looked up by other means than `=`: a zero is not the negative one there.
        let floating = found.is_none_or(|found| found.is_floating());
        if list.list.len() > ITEMS_MAX || list.list.is_empty() || floating {
            return self.opaque(whole, wanted);
        }
        let equal = |item: &Expr| {
            Expr::BinaryExpr(BinaryExpr {
                left: list.expr.clone(),
                op: Operator::Eq,
                right: Box::new(item.clone()),
            })
        };
        let any = list.list.iter().map(equal).reduce(Expr::or);
        match any {
            Some(any) => self.holds(&any, wanted_of_list),
            None => self.opaque(whole, wanted),
        }
    }

    /// A term and a list of constants, with a NULL among them or not.
    fn among(&mut self, term: &Expr, values: &BTreeSet<Value>, unknown: bool, wanted: Truths) -> Formula {
        let inside = Values::listed(values);
        let outside = inside.clone().not();
        let mut wide = Values::none();
        if wanted & TRUE != 0 {
            wide = wide.or(&inside);
        }
        if wanted & (if unknown { NULL } else { FALSE }) != 0 {
            wide = wide.or(&outside);
        }
        self.within(term, wide, wanted & NULL != 0)
    }

    fn like(&mut self, like: &Like, wanted: Truths, whole: &Expr) -> Formula {
        let constant = match like.pattern.as_ref() {
            Expr::Literal(pattern, _) => text_of(pattern),
            _ => None,
        };
        let plain = like.escape_char.is_none() && !like.case_insensitive;
        let text = self.terms.type_of(&like.expr).is_some_and(|found| is_text(&found));
        let Some(pattern) = constant.filter(|pattern| plain && text && !pattern.contains('\\')) else {
            return self.opaque(whole, wanted);
        };
        let wanted_of_pattern = if like.negated { turned(wanted) } else { wanted };
        let end = pattern.find(['%', '_']).unwrap_or(pattern.len());
        let (prefix, rest) = pattern.split_at(end);
        let values = match rest {
            "" => Values::one(&Value::Bytes(prefix.as_bytes().to_vec())),
            rest if rest.bytes().all(|byte| byte == b'%') => Values::beginning(prefix.as_bytes()),
            _ => {
                let matched = self.opaque(&positive(like), wanted_of_pattern);
                if wanted_of_pattern != TRUE {
                    return matched;
                }
                let begins = self.term(&like.expr, &Values::beginning(prefix.as_bytes()), TRUE);
                return Formula::All(vec![matched, begins]);
            }
        };
        self.term(&like.expr, &values, wanted_of_pattern)
    }

    /// The first branch whose condition is TRUE.
    fn case(&mut self, case: &Case, wanted: Truths, whole: &Expr) -> Formula {
        // Values of a CASE may be looked up by other means than `=`, which tells a zero from the negative one.
        if let Some(base) = &case.expr
            && !self.terms.type_of(base).is_some_and(|found| ordered(&found))
        {
            return self.opaque(whole, wanted);
        }
        let mut any = vec![];
        let mut before = vec![];
        for (when, then) in &case.when_then_expr {
            let condition = match &case.expr {
                Some(base) => Expr::BinaryExpr(BinaryExpr {
                    left: base.clone(),
                    op: Operator::Eq,
                    right: when.clone(),
                }),
                None => when.as_ref().clone(),
            };
            let mut branch = before.clone();
            branch.push(self.holds(&condition, TRUE));
            branch.push(self.holds(then, wanted));
            any.push(Formula::All(branch));
            before.push(self.holds(&condition, FALSE | NULL));
        }
        before.push(match &case.else_expr {
            Some(otherwise) => self.holds(otherwise, wanted),
            None => Formula::when(wanted & NULL != 0),
        });
        any.push(Formula::All(before));
        Formula::Any(any)
    }

    /// A predicate that is not looked into: it has one truth value, whatever that is.
    fn opaque(&mut self, predicate: &Expr, wanted: Truths) -> Formula {
        self.term(predicate, &Values::one(&Value::Number(1)), wanted)
    }

    /// A predicate that is TRUE where the term is one of the values, NULL where it is NULL, else FALSE.
    fn term(&mut self, term: &Expr, yes: &Values, wanted: Truths) -> Formula {
        let mut values = Values::none();
        if wanted & TRUE != 0 {
            values = values.or(yes);
        }
        if wanted & FALSE != 0 {
            values = values.or(&yes.clone().not());
        }
        self.within(term, values, wanted & NULL != 0)
    }

    /// The term is one of these. One without a type is not looked at: nothing is claimed of it.
    fn within(&mut self, term: &Expr, values: Values, null: bool) -> Formula {
        match self.id(term) {
            Some(id) => Formula::In(id, Domain { values, null }),
            None => Formula::always(),
        }
    }

    fn id(&mut self, term: &Expr) -> Option<Id> {
        let apart = (self.apart)(term);
        self.terms.id(term, apart)
    }
}

fn positive(like: &Like) -> Expr {
    Expr::Like(Like {
        negated: false,
        ..like.clone()
    })
}
