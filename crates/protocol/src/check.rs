//! Checking a contract's SQL against its declared schema, without opening a source.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::session::TypedValue;
use crate::template::{Column, View};

/// A contract's SQL, whole. Nothing is opened: tables are empty ones of the declared schema.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CheckRequest {
    /// Declared columns by table.
    pub tables: BTreeMap<String, Vec<Column>>,
    /// Views by name.
    pub views: BTreeMap<String, View>,
    /// Functions that consumers may call. Views and named queries are held to these, policies are not.
    pub functions: Vec<String>,
    /// Every setting.
    pub settings: BTreeMap<String, String>,
    /// Declared claims and their types.
    pub claims: BTreeMap<String, String>,
    /// What is checked beside the views.
    pub items: Vec<CheckItem>,
    /// Values that must be of their types, by an id.
    pub values: BTreeMap<String, TypedValue>,
}

/// One piece of SQL.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CheckItem {
    /// Chosen by the caller, returned with the result.
    pub id: String,
    /// What the SQL is.
    pub scope: CheckScope,
    /// The SQL.
    pub sql: String,
}

/// What a piece of SQL is, and so which names it sees.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", tag = "kind", deny_unknown_fields)]
pub enum CheckScope {
    /// A predicate over the table's columns; subqueries see tables.
    #[serde(rename_all = "camelCase")]
    RowFilter {
        /// Table that is filtered.
        table: String,
    },
    /// An expression over `value` and the table's columns, of the column's type.
    #[serde(rename_all = "camelCase")]
    Mask {
        /// Table of the masked column.
        table: String,
        /// Masked column.
        column: String,
    },
    /// A query over tables and views, with `$name` parameters.
    #[serde(rename_all = "camelCase")]
    Query {
        /// Parameters and their types.
        parameters: BTreeMap<String, String>,
    },
}

/// The results: a view's under `view:NAME`, an item's and a value's under its id, and under `setting:KEY` that of a setting
/// whose value is none. SQL over a view that does not plan has a result without a problem: the view's is enough.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CheckReport {
    /// A result for every view, item and value.
    pub results: BTreeMap<String, CheckResult>,
}

/// One result.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CheckResult {
    /// Why it does not plan. `None`: it does.
    pub problem: Option<CheckProblem>,
    /// Columns of the result, for views and queries.
    pub columns: Vec<CheckColumn>,
    /// Tables and columns that it reads, views expanded.
    pub reads: Vec<TableRead>,
    /// Views that it reads, directly.
    pub views: Vec<String>,
    /// Functions that it calls, sorted.
    pub functions: Vec<String>,
    /// Claims that it names, sorted.
    pub claims: Vec<String>,
}

/// A column of a checked query.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CheckColumn {
    /// Name.
    pub name: String,
    /// Contract type, or the Arrow type's name where the contract has none.
    #[serde(rename = "type")]
    pub data_type: String,
    /// Whether NULL can occur.
    pub nullable: bool,
}

/// A table that checked SQL reads.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TableRead {
    /// Table.
    pub table: String,
    /// Columns, sorted.
    pub columns: Vec<String>,
}

/// Why a piece of SQL does not plan.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CheckProblem {
    /// One sentence, lower case, no final stop.
    pub message: String,
    /// What to do: the nearest valid word, or what was expected.
    pub hint: Option<String>,
    /// Line in the SQL, from 1, where known.
    pub line: Option<u64>,
    /// Column in the SQL, from 1, in characters, where known.
    pub column: Option<u64>,
    /// The declared parameter that it is about, if that is not in the SQL.
    pub parameter: Option<String>,
}
