//! Sources held against what their contract declares.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::outcome::SourceAccess;
use crate::session::StoreCredential;
use crate::template::{Source, Store};

/// Sources to look at.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct InspectRequest {
    /// Fingerprint of the boundary that they belong to.
    pub boundary: String,
    /// Stores by name. Only those that a source below needs.
    pub stores: BTreeMap<String, Store>,
    /// What those of them that name a credential are asked with, by reference.
    pub credentials: BTreeMap<String, StoreCredential>,
    /// Sources by name.
    pub sources: BTreeMap<String, Source>,
}

/// What was found.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct InspectReport {
    /// By name of the source.
    pub sources: BTreeMap<String, SourceState>,
}

/// A source as its files are now.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SourceState {
    /// Files that were looked at. Of a folder with very many, the last by name.
    pub files: u64,
    /// Files that there are.
    pub files_total: u64,
    /// Where it is not as declared, sorted, each column once. For JSON as far as its first objects tell, for CSV without a
    /// header as far as the number of its columns does.
    pub drift: Vec<Drift>,
    /// What was read to tell.
    pub accesses: Vec<SourceAccess>,
}

/// A difference between a contract and the data.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Drift {
    /// What it is.
    pub kind: DriftKind,
    /// The column; none where it is the whole source.
    pub column: Option<String>,
    /// Declared type.
    pub declared: Option<String>,
    /// Type in the file, for JSON the kinds of its values; or why it cannot be read.
    pub found: Option<String>,
    /// Path in the store of the first file that differs so.
    pub object: String,
}

/// Kinds of drift. All but the first make queries of the table fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum DriftKind {
    /// A column that the contract does not declare. No session sees it.
    Appeared,
    /// A declared column is not there: in JSON, in none of the objects that were looked at.
    Vanished,
    /// A declared column is of a type that does not keep every value.
    Retyped,
    /// The header of a CSV file has one name more than once.
    Repeated,
    /// The header of a CSV file names no declared column.
    Header,
    /// It cannot be read as what it is declared.
    Unreadable,
    /// Its store did not give it: nobody knows how it is.
    Unreachable,
}
