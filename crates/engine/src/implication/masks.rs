//! Is what one list of masks shows of a column a function of what another shows?

use std::collections::{BTreeMap, HashMap};

use ambit_protocol::{Answer, CoarsensRequest, ComparedList, Counterexample, Judgement, TypedValue};
use datafusion::common::{Column, DFSchema, ExprSchema, Result, plan_err};
use datafusion::logical_expr::Expr;
use datafusion::scalar::ScalarValue;

use super::coarser::Seen;
use super::filters::described;
use super::lists::spelled_out;
use super::sides::{Side, Stop, subqueries};
use super::trial::{Rows, Trial, claim_name};
use crate::check::Checker;

fn judgement(answer: Answer, reason: impl Into<String>, counterexample: Option<Counterexample>) -> Judgement {
    Judgement {
        answer,
        reason: reason.into(),
        counterexample,
    }
}

/// The answer.
pub(super) fn judged(request: &CoarsensRequest, checker: &Checker<'_>, schema: &DFSchema) -> Result<Judgement, Stop> {
    let read = |list, masks: &[String]| {
        Side::read(list, masks, |sql| {
            checker.symbolic_mask(sql, &request.table, &request.column)
        })
    };
    let before = read(ComparedList::Before, &request.before)?;
    let after = read(ComparedList::After, &request.after)?;
    let (old, new) = (
        over(request, checker, schema, &before)?,
        over(request, checker, schema, &after)?,
    );
    if let Some(claim) = before
        .parameters
        .difference(&after.parameters)
        .find(|name| name.starts_with("claims."))
    {
        return Ok(without_claim(request, claim));
    }
    let plain = |mask: Expr| match spelled_out(mask, schema)? {
        Some(mask) => checker.simplified(&mask, schema),
        None => plan_err!("a list has items that are no constants, and is long or of floats"),
    };
    let (plain_old, plain_new) = (plain(old)?, plain(new)?);
    for expression in [&plain_old, &plain_new] {
        if !subqueries(expression)?.is_empty() {
            return Err(Stop::CannotTell("a mask reads other rows".into()));
        }
    }
    let yes = |reason: &str| Ok(judgement(Answer::Yes, reason, None));
    if plain_old == plain_new {
        return yes("both show the same");
    }
    if plain_new.column_refs().is_empty() {
        return yes("the new mask shows nothing of the row");
    }
    let whole = matches!(&plain_old, Expr::Column(_));
    match Seen::of(&plain_old, schema).lacks(&plain_new) {
        None if whole => yes("the column was shown as it is, and the new mask reads nothing else"),
        None => yes("the new mask is made of what the old one shows"),
        Some(lacking) => apart(request, schema, (&plain_old, &plain_new), &lacking),
    }
}

/// What masks show: each applies to what the one before shows.
fn over(request: &CoarsensRequest, checker: &Checker<'_>, schema: &DFSchema, side: &Side) -> Result<Expr> {
    let raw = Column::new(Some(request.table.as_str()), request.column.as_str());
    let data_type = schema.field_from_column(&raw)?.data_type().clone();
    let mut value = Expr::Column(raw);
    for mask in &side.expressions {
        value = checker.over(mask.clone(), &value, &data_type)?;
    }
    Ok(value)
}

/// Looks for two rows of which the old masks show the same and the new ones do not.
fn apart(
    request: &CoarsensRequest,
    schema: &DFSchema,
    (old, new): (&Expr, &Expr),
    lacking: &Expr,
) -> Result<Judgement, Stop> {
    let trial = Trial::new(schema, &[old, new])?;
    for rows in [trial.first()?, trial.all()?] {
        let Some([twin, row]) = twins(&trial, (old, new), &rows)? else {
            continue;
        };
        let found = Counterexample {
            row: trial.shown(&twin),
            other: Some(trial.shown(&row)),
            claims: trial.claims(&row),
        };
        let reason = format!(
            "a row {} and one {} looked the same in `{}`, and would not",
            described(&only(&found.row)),
            described(&only(&trial.shown(&row))),
            request.column,
        );
        return Ok(judgement(Answer::No, reason, Some(found)));
    }
    let read = match lacking {
        Expr::Column(column) => column.name.clone(),
        other => other.to_string(),
    };
    Err(Stop::CannotTell(format!(
        "it is not known whether what the old mask shows is enough: the new one reads `{read}`"
    )))
}

/// Two rows of one subject of which the first shows the same and the second does not.
fn twins(trial: &Trial, (old, new): (&Expr, &Expr), rows: &Rows) -> Result<Option<[Vec<ScalarValue>; 2]>> {
    let (before, after) = (trial.values(old, rows)?, trial.values(new, rows)?);
    let mut first: HashMap<(Vec<u32>, &ScalarValue), usize> = HashMap::new();
    for (place, both) in before.iter().zip(&after).enumerate() {
        let (Some(showed), Some(shows)) = both else { continue };
        let other = *first.entry((rows.subject(place), showed)).or_insert(place);
        if after.get(other).is_some_and(|found| found.as_ref() == Some(shows)) {
            continue;
        }
        let (twin, row) = (rows.row(other)?, rows.row(place)?);
        if told_apart(trial, (old, new), &twin, &row)? {
            return Ok(Some([twin, row]));
        }
    }
    Ok(None)
}

/// The same with claims as the engine has them.
fn told_apart(trial: &Trial, (old, new): (&Expr, &Expr), one: &[ScalarValue], other: &[ScalarValue]) -> Result<bool> {
    let (a, b) = (trial.value(old, one)?, trial.value(old, other)?);
    let (c, d) = (trial.value(new, one)?, trial.value(new, other)?);
    Ok(a.is_some() && a == b && c.is_some() && d.is_some() && c != d)
}

fn only(row: &BTreeMap<String, TypedValue>) -> Counterexample {
    Counterexample {
        row: row.clone(),
        other: None,
        claims: BTreeMap::new(),
    }
}

/// A subject without a claim that the old masks name was refused.
fn without_claim(request: &CoarsensRequest, parameter: &str) -> Judgement {
    let claim = claim_name(parameter);
    let missing = TypedValue {
        data_type: request.claims.get(claim).cloned().unwrap_or_default(),
        value: serde_json::Value::Null,
    };
    let counterexample = Counterexample {
        row: BTreeMap::new(),
        other: None,
        claims: BTreeMap::from([(claim.to_string(), missing)]),
    };
    let reason = format!("a subject without claim `{claim}` was refused, and is not any more");
    judgement(Answer::No, reason, Some(counterexample))
}
