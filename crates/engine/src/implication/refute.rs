//! Shows that no row satisfies a formula: every way to satisfy it is followed until its terms have no value left. What is
//! not shown within the limit is not claimed.

use std::collections::BTreeMap;

use datafusion::logical_expr::Operator;

use super::domain::{Domain, Values};
use super::formula::Formula;
use super::terms::{Id, Side, Term};
use super::truths::{BOTH_NULL, EQUAL, GREATER, LEFT_NULL, LESS, Outcomes, RIGHT_NULL, mirrored};

/// Ways that are followed before giving up.
const BRANCHES_MAX: u32 = 5_000;
/// Rounds in which terms narrow each other.
const ROUNDS_MAX: usize = 12;
/// Terms whose order is followed from one to the next.
const CHAINED_MAX: usize = 24;

/// What is known of a row's terms.
#[derive(Debug, Clone)]
pub(super) struct Known {
    pub domains: Vec<Domain>,
    pairs: BTreeMap<(Id, Id), Outcomes>,
}

/// Why there is no contradiction: a way that was left open, or too many.
#[derive(Debug)]
pub(super) enum Open {
    Way(Box<Known>),
    TooMany,
}

/// `None`: no row satisfies the formula.
pub(super) fn open(formula: &Formula, terms: &[Term]) -> Option<Open> {
    let known = Known {
        domains: terms.iter().map(|term| term.domain.clone()).collect(),
        pairs: BTreeMap::new(),
    };
    let mut left = BRANCHES_MAX;
    Search { terms, left: &mut left }.follow(vec![formula], vec![], known)
}

struct Search<'a> {
    terms: &'a [Term],
    left: &'a mut u32,
}

impl Search<'_> {
    fn follow<'f>(
        &mut self,
        mut due: Vec<&'f Formula>,
        mut choices: Vec<&'f [Formula]>,
        mut known: Known,
    ) -> Option<Open> {
        let Some(left) = self.left.checked_sub(1) else {
            return Some(Open::TooMany);
        };
        *self.left = left;
        loop {
            while let Some(formula) = due.pop() {
                match formula {
                    Formula::All(all) => due.extend(all),
                    Formula::Any(any) => choices.push(any),
                    Formula::In(id, domain) => known.narrow(*id, domain),
                    Formula::Pair(first, second, outcomes) => known.relate(*first, *second, *outcomes),
                }
            }
            if !known.settle(self.terms) {
                return None;
            }
            // What is decided already, and what has one way left, is no choice.
            let mut open = vec![];
            for choice in choices {
                let mut possible = choice.iter().filter(|way| known.admits(way));
                match (possible.next(), possible.next()) {
                    (None, _) => return None,
                    (Some(only), None) => due.push(only),
                    _ if choice.iter().any(|way| known.entails(way)) => {}
                    _ => open.push(choice),
                }
            }
            choices = open;
            if due.is_empty() {
                break;
            }
        }
        let least = (0..choices.len()).min_by_key(|place| choices.get(*place).map_or(0, |choice| choice.len()));
        let Some(place) = least else {
            return Some(Open::Way(Box::new(known)));
        };
        let choice = choices.swap_remove(place);
        choice
            .iter()
            .filter(|way| known.admits(way))
            .find_map(|way| self.follow(vec![way], choices.clone(), known.clone()))
    }
}

impl Known {
    fn domain(&self, id: Id) -> Domain {
        self.domains.get(id).cloned().unwrap_or(Domain {
            values: Values::all(),
            null: true,
        })
    }

    fn narrow(&mut self, id: Id, by: &Domain) {
        if let Some(domain) = self.domains.get_mut(id) {
            *domain = domain.and(by);
        }
    }

    fn filled(&mut self, id: Id) {
        if let Some(domain) = self.domains.get_mut(id) {
            domain.null = false;
        }
    }

    fn relate(&mut self, first: Id, second: Id, outcomes: Outcomes) {
        let known = self.pairs.entry((first, second)).or_insert(0b11_1111);
        *known &= outcomes;
    }

    /// Whether a formula may hold still. Looks at it alone.
    fn admits(&self, formula: &Formula) -> bool {
        match formula {
            Formula::All(all) => all.iter().all(|part| self.admits(part)),
            Formula::Any(any) => any.iter().any(|part| self.admits(part)),
            Formula::In(id, domain) => !self.domain(*id).and(domain).is_empty(),
            Formula::Pair(first, second, outcomes) => self.possible(*first, *second) & outcomes != 0,
        }
    }

    /// Whether a formula holds whatever else.
    fn entails(&self, formula: &Formula) -> bool {
        match formula {
            Formula::All(all) => all.iter().all(|part| self.entails(part)),
            Formula::Any(any) => any.iter().any(|part| self.entails(part)),
            Formula::In(id, domain) => self.domain(*id).and(domain) == self.domain(*id),
            Formula::Pair(first, second, outcomes) => self.possible(*first, *second) & !outcomes == 0,
        }
    }

    /// Outcomes of a pair that are known and that its terms' values allow.
    fn possible(&self, first: Id, second: Id) -> Outcomes {
        let (left, right) = (self.domain(first), self.domain(second));
        let mut outcomes = self.pairs.get(&(first, second)).copied().unwrap_or(0b11_1111);
        let filled = !left.values.is_empty() && !right.values.is_empty();
        let mut keep = |outcome: Outcomes, possible: bool| {
            if !possible {
                outcomes &= !outcome;
            }
        };
        keep(LESS, filled && !right.values.is_up_to(&left.values));
        keep(GREATER, filled && !left.values.is_up_to(&right.values));
        keep(EQUAL, !left.values.and(&right.values).is_empty());
        keep(LEFT_NULL, left.null && !right.values.is_empty());
        keep(RIGHT_NULL, right.null && !left.values.is_empty());
        keep(BOTH_NULL, left.null && right.null);
        outcomes
    }

    /// Lets what is known narrow what else is, until nothing changes. False: a term has no value left.
    fn settle(&mut self, terms: &[Term]) -> bool {
        for _ in 0..ROUNDS_MAX {
            let before = (self.domains.clone(), self.pairs.clone());
            for (id, term) in terms.iter().enumerate() {
                self.inherit(id, term);
            }
            let places: Vec<(Id, Id)> = self.pairs.keys().copied().collect();
            for (first, second) in places {
                self.meet(first, second);
            }
            if terms.len() <= CHAINED_MAX {
                self.chain();
            }
            if self.domains.iter().any(Domain::is_empty) || self.pairs.values().any(|outcomes| *outcomes == 0) {
                return false;
            }
            if before == (self.domains.clone(), self.pairs.clone()) {
                break;
            }
        }
        true
    }

    /// What a term and its parts say of each other.
    fn inherit(&mut self, id: Id, term: &Term) {
        if !self.domain(id).null {
            for part in &term.strict {
                self.filled(*part);
            }
        }
        if term.total && term.strict.iter().all(|part| !self.domain(*part).null) {
            self.filled(id);
        }
        if let Some(same) = term.same {
            let both = self.domain(same).and(&self.domain(id));
            self.narrow(id, &both);
            self.narrow(same, &both);
        }
        if let Some(ceiling) = term.ceiling {
            let (low, high) = if id < ceiling { (id, ceiling) } else { (ceiling, id) };
            let outcomes = LESS | EQUAL | LEFT_NULL | RIGHT_NULL | BOTH_NULL;
            self.relate(low, high, if id < ceiling { outcomes } else { mirrored(outcomes) });
        }
        if let Some((left, operator, right)) = term.sum
            && let Some((low, high)) = self.reach(left, operator, right)
        {
            let values = Values::between(low, high);
            // Past the ends of its type a sum begins again at the other end.
            if values.and(&term.domain.values) == values {
                self.narrow(id, &Domain { values, null: true });
            }
        }
    }

    /// Between which numbers a sum, a difference or a product is.
    fn reach(&self, left: Side, operator: Operator, right: Side) -> Option<(i128, i128)> {
        let span = |side: Side| match side {
            Side::Constant(number) => Some((number, number)),
            Side::Term(id) => self.domain(id).values.span(),
        };
        let ((a, b), (c, d)) = (span(left)?, span(right)?);
        let ends = match operator {
            Operator::Plus => [a + c, b + d, a + c, b + d],
            Operator::Minus => [a - d, b - c, a - d, b - c],
            Operator::Multiply => [
                a.checked_mul(c)?,
                a.checked_mul(d)?,
                b.checked_mul(c)?,
                b.checked_mul(d)?,
            ],
            _ => return None,
        };
        Some((ends.into_iter().min()?, ends.into_iter().max()?))
    }

    /// A pair and its terms narrow each other.
    fn meet(&mut self, first: Id, second: Id) {
        let outcomes = self.possible(first, second);
        self.pairs.insert((first, second), outcomes);
        let (left, right) = (self.domain(first), self.domain(second));
        let mut of_left = Domain {
            values: Values::none(),
            null: outcomes & (LEFT_NULL | BOTH_NULL) != 0,
        };
        let mut of_right = Domain {
            values: Values::none(),
            null: outcomes & (RIGHT_NULL | BOTH_NULL) != 0,
        };
        let mut may = |outcome: Outcomes, lefts: Values, rights: Values| {
            if outcomes & outcome != 0 {
                of_left.values = of_left.values.or(&lefts);
                of_right.values = of_right.values.or(&rights);
            }
        };
        may(LESS, right.values.below_greatest(), left.values.above_least());
        may(EQUAL, right.values.clone(), left.values.clone());
        may(GREATER, right.values.above_least(), left.values.below_greatest());
        may(LEFT_NULL, Values::none(), Values::all());
        may(RIGHT_NULL, Values::all(), Values::none());
        self.narrow(first, &of_left);
        self.narrow(second, &of_right);
    }

    /// From `a < b` and `b < c` to `a < c`.
    fn chain(&mut self) {
        let filled = LESS | EQUAL | GREATER;
        let places: Vec<(Id, Id)> = self.pairs.keys().copied().collect();
        let mut steps: Vec<(Id, Id, Outcomes)> = vec![];
        for (first, second) in places {
            let outcomes = self.possible(first, second);
            if outcomes & !filled == 0 {
                steps.push((first, second, outcomes));
                steps.push((second, first, mirrored(outcomes)));
            }
        }
        for (from, by, one) in &steps {
            for (_, to, other) in steps.iter().filter(|(first, to, _)| first == by && to != from) {
                let outcomes = composed(*one, *other);
                if from < to {
                    self.relate(*from, *to, outcomes);
                }
            }
        }
    }
}

/// How the first may be to the third.
fn composed(one: Outcomes, other: Outcomes) -> Outcomes {
    let mut outcomes = 0;
    for first in [LESS, EQUAL, GREATER].into_iter().filter(|part| one & part != 0) {
        for second in [LESS, EQUAL, GREATER].into_iter().filter(|part| other & part != 0) {
            outcomes |= match (first, second) {
                (EQUAL, outcome) | (outcome, EQUAL) => outcome,
                (first, second) if first == second => first,
                _ => LESS | EQUAL | GREATER,
            };
        }
    }
    outcomes
}
