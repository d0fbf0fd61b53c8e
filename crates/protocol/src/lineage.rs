//! Which visible columns an answer comes from. The words are those of OpenLineage's column lineage facet, so that each
//! value here is one value there.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Where a statement's columns come from, as the statement says it: taken from its bound plan, before any optimizer. It
/// names what the consumer was granted and used. What only the policy reads is not in it: filters and masks are named by
/// their ids, see [`TableUse`](crate::TableUse).
///
/// A column of a table that is neither among the inputs of a column of the result nor in `dataset` has no part in that
/// column's values: with other values in it, the column of the result would be the same.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Lineage {
    /// Columns of the result, in order: as many as `Planned.columns`.
    pub columns: Vec<ColumnLineage>,
    /// What decides which rows there are, how often and in which order: it is behind every column. Indirect, always.
    pub dataset: Vec<LineageInput>,
    /// The lineage is longer than a record holds, or took too long to follow. Then every column of the result may come
    /// from every column in `dataset`, which are all that the statement's tables show; their `how` is empty.
    pub widened: bool,
}

/// Where one column of a result comes from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ColumnLineage {
    /// Name as the statement gives it. Not unique.
    pub name: String,
    /// Sorted by table and column, each once. Empty: a constant, or a count of rows.
    pub inputs: Vec<LineageInput>,
}

/// A visible column of a governed table, and its part.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct LineageInput {
    /// Governed table.
    pub table: String,
    /// Visible column of it.
    pub column: String,
    /// Whether the policy masks the column: what goes on is the mask's value.
    pub masked: bool,
    /// All ways from it to here, sorted.
    pub how: Vec<LineageHow>,
}

/// A way from a column to a result. `identity`, `transformation` and `aggregation` are of OpenLineage's type DIRECT, the
/// others of its type INDIRECT; the name is the subtype.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum LineageHow {
    /// Direct: the value itself.
    Identity,
    /// Direct: the value goes into an expression.
    Transformation,
    /// Direct: values of several rows go into one.
    Aggregation,
    /// Indirect: it says which rows meet. ON, USING, INTERSECT, EXCEPT, UNNEST, and what WHERE equates between two relations.
    Join,
    /// Indirect: it says which rows are one. GROUP BY, DISTINCT, and set operations without ALL.
    GroupBy,
    /// Indirect: it says which rows are there. WHERE, HAVING, QUALIFY, FILTER, and conditions of subqueries.
    Filter,
    /// Indirect: it says in which order. ORDER BY of a query or of an aggregate.
    Sort,
    /// Indirect: PARTITION BY and ORDER BY of a window.
    Window,
    /// Indirect: a condition of CASE.
    Conditional,
}
