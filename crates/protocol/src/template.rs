//! The part of a session that many sessions share: what the grant names, without the subject's claims.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Everything that a session may hold, as the grant names it. Immutable, content-addressed, sent once to each worker;
/// a session is this plus claims, limits, a clock and a statement ([`crate::OpenSession`]).
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SessionTemplate {
    /// Fingerprint of the boundary that this was cut from.
    pub boundary: String,
    /// Stores by name. Only those that a source below needs.
    pub stores: BTreeMap<String, Store>,
    /// Raw tables by name, which policy expressions see and consumers never do.
    pub sources: BTreeMap<String, Source>,
    /// Governed tables by name: what the consumer's SQL can reach.
    pub tables: BTreeMap<String, Table>,
    /// Views by name, planned over the governed tables and other views of this template.
    pub views: BTreeMap<String, View>,
    /// Canonical names of the functions that the consumer and the views may call.
    pub functions: Vec<String>,
    /// Every `datafusion.*` setting with its value. A key that the engine does not know is refused.
    pub settings: BTreeMap<String, String>,
    /// Declared claims and their types (the contract's type names), so that `$claims.x` has a type in policy SQL.
    pub claims: BTreeMap<String, String>,
}

/// Where a source's bytes are, resolved by the control plane.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", tag = "kind", deny_unknown_fields)]
pub enum Store {
    /// A folder of the worker's file system. Nothing outside it opens, and no symbolic link inside it is followed.
    #[serde(rename_all = "camelCase")]
    Local {
        /// Absolute path of the folder.
        root: String,
    },
    /// A bucket of an object store that speaks S3, or what lies beneath a prefix in it. Nothing else of the bucket is asked for.
    #[serde(rename_all = "camelCase")]
    S3 {
        /// Name of the bucket.
        bucket: String,
        /// What each key begins with: empty, or ends with `/`.
        prefix: String,
        /// Where it is: scheme, host and port. One of the worker's endpoints.
        endpoint: String,
        /// Whether the endpoint's host names the bucket. Else the path of a request does.
        virtual_hosted: bool,
        /// Region that requests are signed for.
        region: String,
        /// Reference of a credential of the session. None: requests are not signed.
        credential: Option<String>,
    },
}

/// A table as it lies in a store.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Source {
    /// Name of a store of the template.
    pub store: String,
    /// Path of a file in the store, or of a folder when it ends with `/`. Relative, `/`-separated, no `.` or `..`.
    pub path: String,
    /// How the bytes are read.
    pub format: SourceFormat,
    /// All declared columns, in declared order.
    pub columns: Vec<Column>,
    /// Those of the columns whose values the names of folders carry, outermost first: `tenant=acme/part.parquet`. Empty: files
    /// have all columns.
    pub partitions: Vec<String>,
}

/// A declared column.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Column {
    /// Name as the source has it. Case-sensitive.
    pub name: String,
    /// A type of the contract: `boolean`, `tinyint`, `smallint`, `int`, `bigint`, `real`, `double`, `decimal(P, S)`,
    /// `string`, `binary`, `date`, `time`, `timestamp`, `timestamptz`, `list<T>`, `struct<name: T, ...>`.
    #[serde(rename = "type")]
    pub data_type: String,
    /// Whether the source may hold NULL.
    pub nullable: bool,
}

/// File formats of a source.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", tag = "type", deny_unknown_fields)]
pub enum SourceFormat {
    /// Apache Parquet.
    Parquet,
    /// Comma-separated values.
    #[serde(rename_all = "camelCase")]
    Csv {
        /// Whether the first line names the columns.
        header: bool,
        /// One ASCII character.
        delimiter: String,
    },
    /// JSON.
    #[serde(rename_all = "camelCase")]
    Json {
        /// True: one array of objects. False: an object a line.
        array: bool,
    },
    /// Arrow IPC file.
    Arrow,
}

/// A table as this grant shows it.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Table {
    /// Name of a source of the template.
    pub source: String,
    /// The columns that exist for this session, in declared order. One that is not here was never there.
    pub columns: Vec<GovernedColumn>,
    /// All apply (AND); NULL does not pass.
    pub filters: Vec<RowFilter>,
    /// Its data is not what the contract declares: whoever names it is told that it is closed.
    pub closed: bool,
    /// Whether what files say of the rows may choose plans: never shown, but the time of a query can tell of it.
    pub statistics: bool,
}

/// A visible column and how it is masked.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct GovernedColumn {
    /// Name of a column of the source.
    pub name: String,
    /// None: the column is shown as it is. Several: applied in this order, `value` being the result of the one before.
    pub masks: Vec<Mask>,
}

/// A mask: SQL that stands for a column's value and keeps its type.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Mask {
    /// Name of the mask in the contract.
    pub id: String,
    /// A SQL expression over `value` (the masked column) and the source's other columns, raw.
    pub sql: String,
}

/// A row filter: SQL that must be true for a row to exist.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RowFilter {
    /// Name of the row filter in the contract.
    pub id: String,
    /// A SQL predicate over the source's columns; subqueries name sources, raw.
    pub sql: String,
}

/// A view over governed tables: it sees what the session sees, never more.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct View {
    /// A SQL query.
    pub sql: String,
}
