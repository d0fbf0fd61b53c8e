//! A template, compiled: what many sessions share. Only what cannot be changed is here; whatever a session could leave
//! something in is made anew for each.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::Path;
use std::sync::{Arc, OnceLock};

use ambit_protocol::{EngineErrorCode, SessionTemplate, Store, Table};
use datafusion::arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion::common::config::ConfigOptions;
use datafusion::common::{Result, internal_datafusion_err};
use datafusion::execution::session_state::SessionStateBuilder;
use datafusion::prelude::SessionConfig;
use datafusion::sql::sqlparser::ast::Expr as SqlExpr;
use datafusion::sql::sqlparser::dialect::Dialect;
use sha2::{Digest, Sha256};

use crate::beneath::plain;
use crate::error::{Fault, table_closed};
use crate::functions::FunctionSet;
use crate::gate::dialect::dialect;
use crate::gate::statement::{Bounds, admit_expression};
use crate::probing::rules;
use crate::scope::{Mounts, fixed_mounts};
use crate::settings;
use crate::types;

/// Why a template was not taken.
#[derive(Debug, thiserror::Error)]
pub enum TemplateError {
    /// The digest is not that of the bytes.
    #[error("the template's digest is not that of its bytes")]
    DigestMismatch,
    /// It is not a template, or one that this engine cannot build.
    #[error("{0}")]
    Invalid(String),
}

/// Policy SQL, parsed. Parameters are claims, `tenant` and `purpose`, by position.
#[derive(Debug, Clone)]
pub(crate) struct PolicySql {
    pub id: String,
    pub expression: SqlExpr,
    pub parameters: Vec<String>,
}

/// A governed table, compiled on first use.
#[derive(Debug)]
pub(crate) struct CompiledTable {
    pub source: String,
    /// All declared columns.
    pub source_schema: SchemaRef,
    /// The visible ones; a masked column may be NULL.
    pub schema: SchemaRef,
    /// Masks by visible column, in order.
    pub masks: BTreeMap<String, Vec<PolicySql>>,
    pub filters: Vec<PolicySql>,
    /// Whether statistics may choose the outer plan.
    pub statistics: bool,
}

#[derive(Debug)]
pub(crate) struct Template {
    pub spec: SessionTemplate,
    pub digest: String,
    pub options: Arc<ConfigOptions>,
    /// What the consumer and the views may call.
    pub functions: FunctionSet,
    pub function_names: BTreeSet<String>,
    /// Everything: policies are written and reviewed by the owner.
    policy_functions: OnceLock<FunctionSet>,
    /// The stores' mounts, where they are the same for every session.
    pub mounts: Option<Arc<Mounts>>,
    builder: SessionStateBuilder,
    tables: HashMap<String, OnceLock<Result<Arc<CompiledTable>, Fault>>>,
}

impl Template {
    pub(crate) fn new(digest: &str, body: &[u8]) -> Result<Self, TemplateError> {
        if digest != digest_of(body) {
            return Err(TemplateError::DigestMismatch);
        }
        let spec: SessionTemplate =
            serde_json::from_slice(body).map_err(|error| TemplateError::Invalid(error.to_string()))?;
        check(&spec)?;
        let options = settings::options(&spec.settings).map_err(|error| TemplateError::Invalid(error.to_string()))?;
        let functions = FunctionSet::new(Some(&spec.functions), &options);
        let builder = functions.register(
            SessionStateBuilder::new()
                .with_config(SessionConfig::from(options.clone()))
                .with_physical_optimizer_rules(rules())
                .with_catalog_list(Arc::new(datafusion::catalog::EmptyCatalogProviderList)),
        );
        Ok(Self {
            function_names: spec.functions.iter().cloned().collect(),
            tables: spec.tables.keys().map(|name| (name.clone(), OnceLock::new())).collect(),
            policy_functions: OnceLock::new(),
            options: Arc::new(options),
            mounts: fixed_mounts(&spec),
            digest: digest.to_string(),
            functions,
            builder,
            spec,
        })
    }

    /// A builder of this template's sessions: it needs an id, a runtime and a clock.
    pub(crate) fn builder(&self) -> SessionStateBuilder {
        self.builder.clone()
    }

    pub(crate) fn policy_functions(&self) -> &FunctionSet {
        self.policy_functions
            .get_or_init(|| FunctionSet::new(None, &self.options))
    }

    /// The table, compiled; `None` if the grant does not name it.
    pub(crate) fn table(&self, name: &str) -> Result<Option<Arc<CompiledTable>>> {
        let (Some(slot), Some(table)) = (self.tables.get(name), self.spec.tables.get(name)) else {
            return Ok(None);
        };
        if table.closed {
            return Err(table_closed(name).into());
        }
        slot.get_or_init(|| self.compile(name, table).map(Arc::new))
            .clone()
            .map(Some)
            .map_err(Into::into)
    }

    pub(crate) fn source_schema(&self, source: &str) -> Result<SchemaRef> {
        let source = self
            .spec
            .sources
            .get(source)
            .ok_or_else(|| internal_datafusion_err!("the template has no source `{source}`"))?;
        types::schema_of(&source.columns).map_err(|error| internal_datafusion_err!("{error}"))
    }

    fn compile(&self, name: &str, table: &Table) -> Result<CompiledTable, Fault> {
        let broken = |reason: String| {
            Fault::new(
                EngineErrorCode::Internal,
                format!("table `{name}` is not set up rightly"),
            )
            .detail(reason)
        };
        let source_schema = self
            .source_schema(&table.source)
            .map_err(|error| broken(error.to_string()))?;
        let mut fields = Vec::with_capacity(table.columns.len());
        let mut masks = BTreeMap::new();
        for column in &table.columns {
            let field = source_schema
                .field_with_name(&column.name)
                .map_err(|_| broken(format!("source `{}` has no column `{}`", table.source, column.name)))?;
            fields.push(visible(field, !column.masks.is_empty()));
            if !column.masks.is_empty() {
                let parsed: Result<Vec<_>, Fault> = column
                    .masks
                    .iter()
                    .map(|mask| policy_sql(&mask.id, &mask.sql, dialect(&self.options)))
                    .collect();
                masks.insert(column.name.clone(), parsed.map_err(|fault| broken(fault.to_string()))?);
            }
        }
        let filters: Result<Vec<_>, Fault> = table
            .filters
            .iter()
            .map(|filter| policy_sql(&filter.id, &filter.sql, dialect(&self.options)))
            .collect();
        Ok(CompiledTable {
            source: table.source.clone(),
            source_schema,
            schema: Arc::new(Schema::new(fields)),
            masks,
            filters: filters.map_err(|fault| broken(fault.to_string()))?,
            statistics: table.statistics,
        })
    }
}

fn visible(field: &Field, masked: bool) -> Field {
    Field::new(
        field.name(),
        DataType::clone(field.data_type()),
        masked || field.is_nullable(),
    )
}

pub(crate) fn policy_sql(id: &str, sql: &str, dialect: &'static dyn Dialect) -> Result<PolicySql, Fault> {
    let (expression, parameters) = admit_expression(sql, Bounds::REVIEWED, dialect)?;
    Ok(PolicySql {
        id: id.to_string(),
        expression,
        parameters,
    })
}

/// What must hold of every template, whoever sent it.
fn check(spec: &SessionTemplate) -> Result<(), TemplateError> {
    let invalid = |reason: String| Err(TemplateError::Invalid(reason));
    for (name, source) in &spec.sources {
        if !spec.stores.contains_key(&source.store) {
            return invalid(format!("source `{name}` names no store of the template"));
        }
    }
    for (name, table) in &spec.tables {
        if !spec.sources.contains_key(&table.source) {
            return invalid(format!("table `{name}` names no source of the template"));
        }
        if spec.views.contains_key(name) {
            return invalid(format!("`{name}` is both a table and a view"));
        }
    }
    for (name, store) in &spec.stores {
        match store {
            Store::Local { root } if !Path::new(root).is_absolute() => {
                return invalid(format!("the root of store `{name}` is not absolute"));
            }
            Store::S3 { prefix, .. } if !is_prefix(prefix) => {
                return invalid(format!("the prefix of store `{name}` is not one of plain names"));
            }
            Store::Local { .. } | Store::S3 { .. } => {}
        }
    }
    Ok(())
}

/// Empty, or plain names each followed by `/`.
fn is_prefix(prefix: &str) -> bool {
    let names = prefix.strip_suffix('/').map(|names| names.split('/'));
    prefix.is_empty() || names.is_some_and(|mut names| names.all(|name| plain(name).is_ok()))
}

pub(crate) fn digest_of(bytes: &[u8]) -> String {
    format!("sha256:{}", hex(&Sha256::digest(bytes)))
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    let halves = bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]);
    halves.filter_map(|half| char::from_digit(half.into(), 16)).collect()
}
