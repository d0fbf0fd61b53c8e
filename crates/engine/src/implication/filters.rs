//! Does every row that passes one list of filters pass another?

use std::collections::{BTreeMap, HashSet};

use ambit_protocol::{Answer, ComparedList, Counterexample, ImpliesRequest, Judgement, TypedValue};
use datafusion::arrow::datatypes::DataType;
use datafusion::common::tree_node::TreeNode;
use datafusion::common::{DFSchema, DataFusionError, Result, plan_err};
use datafusion::logical_expr::Expr;
use datafusion::scalar::ScalarValue;

use super::domain::value_of;
use super::failing::{conditions, failing, met};
use super::formula::{Formula, PARTS_MAX, Reader};
use super::lists::{merge_with_claims, spelled_out};
use super::nearby::said;
use super::refute::{Known, Open, open};
use super::sides::{Side, Stop, reads_others, subqueries};
use super::terms::{Id, Terms, rounds};
use super::trial::{Trial, claim_name};
use super::truths::{FALSE, NULL, TRUE};
use crate::check::Checker;
use crate::check::symbolic::NotSymbolic;

fn yes(reason: impl Into<String>) -> Judgement {
    Judgement {
        answer: Answer::Yes,
        reason: reason.into(),
        counterexample: None,
    }
}

/// The answer.
pub(super) fn judged(request: &ImpliesRequest, checker: &Checker<'_>, schema: &DFSchema) -> Result<Judgement, Stop> {
    let read = |list, sqls: &[String]| {
        Side::read(list, sqls, |sql| {
            let mut found = checker.symbolic_filter(sql, &request.table)?;
            found.expression = plain(checker, found.expression, schema).map_err(|error| {
                NotSymbolic::Unplanned(match error {
                    DataFusionError::Plan(reason) => reason,
                    other => other.strip_backtrace(),
                })
            })?;
            Ok(found)
        })
    };
    let stronger = read(ComparedList::Stronger, &request.stronger)?;
    let weaker = read(ComparedList::Weaker, &request.weaker)?;
    let proof = Proof::new(request, schema, &stronger, &weaker)?;
    if proof.contradicts(&proof.stronger.iter().collect::<Vec<_>>()).is_none() {
        return Ok(yes("no row passes: its conditions exclude each other"));
    }
    let mut reasons = vec![];
    for (index, refused) in proof.refused.iter().enumerate() {
        match proof.because(request, index, refused) {
            Ok(reason) => reasons.push(reason),
            Err(way) => return undecided(request, schema, (&stronger, &weaker), (&proof, index, way)),
        }
    }
    if let Some(claim) = weaker
        .parameters
        .difference(&stronger.parameters)
        .find(|name| name.starts_with("claims."))
    {
        return without_claim(request, schema, &stronger, claim);
    }
    if let Some(stop) = fails_alone(request, schema, &stronger, &weaker)? {
        return Err(stop);
    }
    reasons.dedup();
    Ok(yes(if reasons.is_empty() {
        "every row passes".to_string()
    } else {
        reasons.join("; ")
    }))
}

/// The filter simplified.
fn plain(checker: &Checker<'_>, filter: Expr, schema: &DFSchema) -> Result<Expr> {
    if rounds(&filter, schema)? {
        return plan_err!("a cast that rounds is taken off where it is compared with a constant");
    }
    if merge_with_claims(&filter)? {
        return plan_err!("two lists are put together once the claims are known");
    }
    match spelled_out(filter, schema)? {
        Some(filter) => checker.simplified(&filter, schema),
        None => plan_err!("a list is not compared that has items which are no constants, and is long or of floats"),
    }
}

/// Both sides as formulas.
struct Proof<'a> {
    terms: Terms<'a>,
    /// Each filter is TRUE.
    stronger: Vec<Formula>,
    /// Each filter is not TRUE.
    refused: Vec<Formula>,
    /// Of columns and claims, what term they are.
    named: Vec<(String, Id, DataType)>,
}

impl<'a> Proof<'a> {
    fn new(request: &ImpliesRequest, schema: &'a DFSchema, stronger: &Side, weaker: &Side) -> Result<Self, Stop> {
        let mut terms = Terms::new(schema);
        let same = |_: &Expr| false;
        let apart = |part: &Expr| reads_others(part, &request.unchanged).unwrap_or(true);
        let mut reader = Reader {
            terms: &mut terms,
            apart: &same,
            left: PARTS_MAX,
        };
        let passed = stronger
            .expressions
            .iter()
            .map(|filter| reader.holds(filter, TRUE))
            .collect();
        reader.apart = &apart;
        let refused = weaker
            .expressions
            .iter()
            .map(|filter| reader.holds(filter, FALSE | NULL))
            .collect();
        let named = terms.named();
        Ok(Self {
            terms,
            stronger: passed,
            refused,
            named,
        })
    }

    fn contradicts(&self, formulas: &[&Formula]) -> Option<Open> {
        let all = formulas.iter().map(|formula| (*formula).clone()).collect();
        open(&Formula::All(all), &self.terms.known)
    }

    /// Why a weaker filter holds: the same one, one that it follows from, or all together.
    fn because(&self, request: &ImpliesRequest, index: usize, refused: &Formula) -> Result<String, Option<Known>> {
        let filter = request.weaker.get(index).map(String::as_str).unwrap_or_default();
        if self.contradicts(&[refused]).is_none() {
            return Ok(format!("`{filter}` holds for every row"));
        }
        for (passed, sql) in self.stronger.iter().zip(&request.stronger) {
            if self.contradicts(&[passed, refused]).is_none() {
                let same = sql == filter;
                return Ok(if same {
                    format!("`{filter}` is on both sides")
                } else {
                    format!("`{filter}` follows from `{sql}`")
                });
            }
        }
        let all: Vec<&Formula> = self.stronger.iter().chain([refused]).collect();
        match self.contradicts(&all) {
            None => Ok(format!("`{filter}` follows from the other filters together")),
            Some(Open::Way(known)) => Err(Some(*known)),
            Some(Open::TooMany) => Err(None),
        }
    }
}

/// Looks for a row that passes one side and not the other.
fn undecided(
    request: &ImpliesRequest,
    schema: &DFSchema,
    (stronger, weaker): (&Side, &Side),
    (proof, index, way): (&Proof<'_>, usize, Option<Known>),
) -> Result<Judgement, Stop> {
    let filter = request.weaker.get(index).map(String::as_str).unwrap_or_default();
    let unknown = || {
        Stop::CannotTell(format!(
            "it is not known whether `{filter}` holds where the other filters do"
        ))
    };
    let asked: Vec<&Expr> = weaker.expressions.get(index).into_iter().collect();
    let all: Vec<&Expr> = stronger.expressions.iter().chain(asked.iter().copied()).collect();
    for expression in &all {
        if !subqueries(expression)?.is_empty() {
            return Err(unknown());
        }
    }
    let mut trial = Trial::new(schema, &all)?;
    let whole = trial.clone();
    if let Some(known) = way {
        for (name, id, data_type) in &proof.named {
            let Some(domain) = known.domains.get(*id) else { continue };
            trial.keep(name, |value| match value_of(value, data_type) {
                Some(place) => domain.values.holds(&place),
                None => !value.is_null() || domain.null,
            });
        }
    }
    for trial in [trial, whole] {
        if let Some(row) = witness(&trial, &stronger.expressions, &asked)? {
            let counterexample = shown(&trial, &row);
            let reason = format!("a row {} passes, and not `{filter}`", described(&counterexample));
            return Ok(Judgement {
                answer: Answer::No,
                reason,
                counterexample: Some(counterexample),
            });
        }
    }
    Err(unknown())
}

/// A row for which all of the first are TRUE, and one of the second, if there are any, is not.
fn witness(trial: &Trial, passed: &[Expr], refused: &[&Expr]) -> Result<Option<Vec<ScalarValue>>> {
    for rows in trial.parts() {
        let rows = rows?;
        let mut left: Vec<bool> = vec![true; rows.count()];
        for filter in passed {
            for (kept, truth) in left.iter_mut().zip(trial.truths(filter, &rows)?) {
                *kept &= truth == Some(true);
            }
        }
        if !left.contains(&true) {
            continue;
        }
        for filter in refused {
            for (kept, truth) in left.iter_mut().zip(trial.truths(filter, &rows)?) {
                *kept &= truth == Some(false);
            }
        }
        for (place, _) in left.iter().enumerate().filter(|(_, kept)| **kept) {
            let row = rows.row(place)?;
            if again(trial, passed, refused, &row)? {
                return Ok(Some(row));
            }
        }
    }
    Ok(None)
}

/// The same with claims as the engine has them.
fn again(trial: &Trial, passed: &[Expr], refused: &[&Expr], row: &[ScalarValue]) -> Result<bool> {
    let mut again = true;
    for filter in passed {
        again &= is_true(trial.value(filter, row)?.as_ref());
    }
    for filter in refused {
        let value = trial.value(filter, row)?;
        again &= value.is_some() && !is_true(value.as_ref());
    }
    Ok(again)
}

fn is_true(value: Option<&ScalarValue>) -> bool {
    matches!(value, Some(ScalarValue::Boolean(Some(true))))
}

/// A subject without a claim that one side names is refused there, whatever the rows.
fn without_claim(
    request: &ImpliesRequest,
    schema: &DFSchema,
    stronger: &Side,
    parameter: &str,
) -> Result<Judgement, Stop> {
    let claim = claim_name(parameter);
    let unknown = || {
        Stop::CannotTell(format!(
            "a subject without claim `{claim}` is refused by one side alone"
        ))
    };
    for expression in &stronger.expressions {
        if !subqueries(expression)?.is_empty() {
            return Err(unknown());
        }
    }
    let trial = Trial::new(schema, &stronger.expressions.iter().collect::<Vec<_>>())?;
    let Some(row) = witness(&trial, &stronger.expressions, &[])? else {
        return Err(unknown());
    };
    let mut counterexample = shown(&trial, &row);
    counterexample.claims.insert(
        claim.to_string(),
        TypedValue {
            data_type: request.claims.get(claim).cloned().unwrap_or_default(),
            value: serde_json::Value::Null,
        },
    );
    Ok(Judgement {
        answer: Answer::No,
        reason: format!("a subject without claim `{claim}` was refused, and is not any more"),
        counterexample: Some(counterexample),
    })
}

/// What fails on one side alone, or on fewer rows: where it does nothing was visible, and now something is.
fn fails_alone(
    request: &ImpliesRequest,
    schema: &DFSchema,
    stronger: &Side,
    weaker: &Side,
) -> Result<Option<Stop>, Stop> {
    let mut shared = HashSet::new();
    for filter in &stronger.expressions {
        shared.extend(failing(filter, schema)?);
    }
    let (passed, asked) = (conditions(&stronger.expressions), conditions(&weaker.expressions));
    for (filter, sql) in weaker.expressions.iter().zip(&request.weaker) {
        for part in failing(filter, schema)? {
            let why = if !shared.contains(&part) || reads_others(&part, &request.unchanged)? {
                "is on one side alone"
            } else if !subqueries(&part)?.is_empty() || fails_as_before(&part, &passed, &asked, &request.unchanged)? {
                continue;
            } else {
                "may be met on fewer of them than before"
            };
            let reason = format!("`{sql}` may fail on some rows, and then nothing is visible: `{part}` {why}");
            return Ok(Some(Stop::CannotTell(reason)));
        }
    }
    Ok(None)
}

/// Whether `passed` meets the part on every row on which `asked` does, each with its conditions in their order: what comes
/// before it there comes before it here.
fn fails_as_before(part: &Expr, passed: &[&Expr], asked: &[&Expr], unchanged: &[String]) -> Result<bool> {
    for (place, condition) in asked.iter().enumerate() {
        if !condition.exists(|inner| Ok(inner == part))? {
            continue;
        }
        let there = asked.get(..place).unwrap_or_default();
        let mut found = false;
        for (here, other) in passed.iter().enumerate() {
            let before = passed.get(..here).unwrap_or_default();
            let alike = *other == *condition || met(other)?.contains(&part);
            let mut wide = alike;
            for earlier in before {
                wide &= there.contains(earlier) && !reads_others(earlier, unchanged)?;
            }
            found |= wide;
        }
        if !found {
            return Ok(false);
        }
    }
    Ok(true)
}

fn shown(trial: &Trial, row: &[ScalarValue]) -> Counterexample {
    Counterexample {
        row: trial.shown(row),
        other: None,
        claims: trial.claims(row),
    }
}

/// `with delay = 16, for a subject with state = 'CA',`
pub(super) fn described(counterexample: &Counterexample) -> String {
    let listed = |values: &BTreeMap<String, TypedValue>| {
        let one = |(name, value): (&String, &TypedValue)| format!("`{name}` = {}", said(value));
        values.iter().map(one).collect::<Vec<_>>().join(", ")
    };
    let row = listed(&counterexample.row);
    let claims = listed(&counterexample.claims);
    match (row.is_empty(), claims.is_empty()) {
        (true, true) => "of any kind".into(),
        (false, true) => format!("with {row}"),
        (true, false) => format!("of any kind, for a subject with {claims},"),
        (false, false) => format!("with {row}, for a subject with {claims},"),
    }
}
