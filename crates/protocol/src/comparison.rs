//! Comparing two versions of a policy, without data: does a row filter let through no more than another, does a mask show
//! no more than another?

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::check::CheckProblem;
use crate::session::TypedValue;
use crate::template::Column;

/// Does every row that passes `stronger` pass `weaker`, whatever the data and the claims?
///
/// Both lists are over one table, under one set of settings: where the type or the nullability of a column that they
/// read, or a setting, is not the same on both sides, this is not the question to ask.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ImpliesRequest {
    /// The filtered table.
    pub table: String,
    /// Declared columns by table: of the filtered one, and of those that subqueries read.
    pub tables: BTreeMap<String, Vec<Column>>,
    /// Tables whose rows are the same on both sides. A subquery is equal to another only if all that it reads is here.
    pub unchanged: Vec<String>,
    /// Declared claims and their types. Their values are unknown, and the same on both sides.
    pub claims: BTreeMap<String, String>,
    /// Every setting.
    pub settings: BTreeMap<String, String>,
    /// Row filters, as a contract has them. All hold together; none lets every row pass.
    pub stronger: Vec<String>,
    /// Row filters that may let more rows pass.
    pub weaker: Vec<String>,
}

/// Is what `after` shows of a column a function of what `before` shows, whatever the data and the claims?
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CoarsensRequest {
    /// Table of the masked column.
    pub table: String,
    /// The masked column.
    pub column: String,
    /// The table's declared columns.
    pub columns: Vec<Column>,
    /// Declared claims and their types. Their values are unknown, and the same on both sides.
    pub claims: BTreeMap<String, String>,
    /// Every setting.
    pub settings: BTreeMap<String, String>,
    /// Masks in the order in which they apply. None: the column is shown as it is.
    pub before: Vec<String>,
    /// Masks that may show more.
    pub after: Vec<String>,
}

/// Whether it holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Answer {
    /// For all data and all claims.
    #[serde(rename = "yes")]
    Yes,
    /// Not for those of the counterexample.
    #[serde(rename = "no")]
    No,
    /// Neither was shown: count it as no.
    #[serde(rename = "cannot tell")]
    CannotTell,
}

/// An answer and why.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Judgement {
    /// Whether it holds.
    pub answer: Answer,
    /// Why, in words. Quotes the contract's SQL and nothing else.
    pub reason: String,
    /// For `no`.
    pub counterexample: Option<Counterexample>,
}

/// What shows that the answer is no. Its values are made of what stands in the contract's SQL: no data was read.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Counterexample {
    /// A row, its columns by name: those that the policies read. It passes `stronger` and not `weaker`.
    pub row: BTreeMap<String, TypedValue>,
    /// Of masks: another row. `before` shows the same of both, `after` does not.
    pub other: Option<BTreeMap<String, TypedValue>>,
    /// The subject's claims, `tenant` and `purpose`: those that the policies name. NULL: the subject does not have it.
    pub claims: BTreeMap<String, TypedValue>,
}

/// The answer, or what is wrong with the question: exactly one of both.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ComparisonReport {
    /// The answer.
    pub judgement: Option<Judgement>,
    /// SQL that does not parse or is not of its type.
    pub problem: Option<ComparisonProblem>,
}

/// Which SQL does not plan, and why.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ComparisonProblem {
    /// The list that it is in.
    pub list: ComparedList,
    /// Its place there, from 0.
    pub index: u64,
    /// Why it does not plan.
    pub problem: CheckProblem,
}

/// The lists of a comparison.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum ComparedList {
    /// [`ImpliesRequest::stronger`].
    Stronger,
    /// [`ImpliesRequest::weaker`].
    Weaker,
    /// [`CoarsensRequest::before`].
    Before,
    /// [`CoarsensRequest::after`].
    After,
}
