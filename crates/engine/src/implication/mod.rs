//! Comparing two versions of a policy without data: what a change lets be seen.
//!
//! **Row filters** ([`implies`]). `yes`: for all data and all claims, every row that passes `stronger` passes `weaker`. A row
//! passes where all filters are TRUE; where one is NULL, it does not. The proof is one of contradiction. Both sides are
//! bound and coerced as the engine does it, with each claim a constant that nobody knows, simplified by DataFusion, and
//! written as a formula over what values their terms have (`formula`). Then every way in which all of `stronger` could be
//! TRUE and one of `weaker` FALSE or NULL is followed until a term has no value left (`refute`): sets of values (`domain`)
//! for comparisons with constants, IN, LIKE with a prefix and null checks; order between two terms; and NULL that goes
//! through arithmetic and casts. What is not looked into (functions, patterns, subqueries) is a term of its own, equal to
//! itself.
//!
//! What can fail: a filter that fails fails the query, so nothing is visible where it does. A `weaker` that can fail where
//! `stronger` cannot may have hidden a table that now opens: the answer is `yes` only if all that can fail in `weaker` is in
//! `stronger` too, and met there on all the rows that met it before (`failing`), or no row passes that one at all. The
//! conditions are taken to be evaluated as they are written. A claim that `weaker` names and `stronger` does not is alike:
//! subjects without it were refused.
//!
//! **Masks** ([`coarsens`]). `yes`: for all data and all claims, two rows of which `before` shows the same are shown the
//! same by `after`; so nothing is shown that was not. Values are the same if their bytes are. A mask that fails shows no
//! value: only rows for which neither fails are compared.
//!
//! `no` has a counterexample that was evaluated, claims bound, by DataFusion itself (`trial`). All else is `cannot tell`:
//! what varies (`random()`), what depends on the order of rows, and what was not proved.
//!
//! Floats are ordered as the engine orders them, NaN last; nothing is concluded from a zero, which has two forms.
//! Whole numbers overflow as they do in the engine: they begin again.

mod coarser;
mod domain;
mod failing;
mod filters;
mod formula;
mod kinds;
mod lists;
mod masks;
mod nearby;
mod refute;
mod sides;
mod terms;
mod trial;
mod truths;

use ambit_protocol::{
    Answer, CoarsensRequest, ComparedList, ComparisonProblem, ComparisonReport, ImpliesRequest, Judgement,
};

use crate::check::Checker;
use crate::check::symbolic::request_of;
use crate::error::Fault;
use sides::Stop;

/// Does every row that passes `stronger` pass `weaker`?
pub(crate) fn implies(request: &ImpliesRequest) -> ComparisonReport {
    let checked = request_of(request.tables.clone(), &request.claims, &request.settings);
    let first = if request.stronger.is_empty() {
        ComparedList::Weaker
    } else {
        ComparedList::Stronger
    };
    let judged = Checker::new(&checked).and_then(|checker| {
        let schema = checker.schema_of_table(&request.table)?;
        Ok(filters::judged(request, &checker, &schema))
    });
    report(judged, first)
}

/// Is what `after` shows of a column a function of what `before` shows?
pub(crate) fn coarsens(request: &CoarsensRequest) -> ComparisonReport {
    let tables = [(request.table.clone(), request.columns.clone())];
    let checked = request_of(tables, &request.claims, &request.settings);
    let first = if request.before.is_empty() {
        ComparedList::After
    } else {
        ComparedList::Before
    };
    let judged = Checker::new(&checked).and_then(|checker| {
        let schema = checker.schema_of_table(&request.table)?;
        checker.declares(&request.table, &request.column)?;
        Ok(masks::judged(request, &checker, &schema))
    });
    report(judged, first)
}

fn report(judged: Result<Result<Judgement, Stop>, Fault>, first: ComparedList) -> ComparisonReport {
    let (judgement, problem) = match judged {
        Ok(Ok(judgement)) => (Some(judgement), None),
        Ok(Err(Stop::CannotTell(reason))) => {
            let judgement = Judgement {
                answer: Answer::CannotTell,
                reason,
                counterexample: None,
            };
            (Some(judgement), None)
        }
        Ok(Err(Stop::Problem(problem))) => (None, Some(*problem)),
        Err(fault) => {
            let problem = ComparisonProblem {
                list: first,
                index: 0,
                problem: crate::check::problem_of(fault),
            };
            (None, Some(problem))
        }
    };
    ComparisonReport { judgement, problem }
}
