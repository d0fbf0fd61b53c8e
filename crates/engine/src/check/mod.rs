//! Checking a contract's SQL against its declared schema: what does not plan here is refused when a contract is loaded,
//! not when somebody asks.

mod declared;
pub(crate) mod symbolic;
mod told;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use ambit_protocol::{
    CheckColumn, CheckItem, CheckProblem, CheckReport, CheckRequest, CheckResult, CheckScope, Column, EngineErrorCode,
    TypedValue,
};
use datafusion::arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion::catalog::EmptyCatalogProviderList;
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::TreeNode;
use datafusion::common::{DFSchema, Result};
use datafusion::execution::SessionState;
use datafusion::execution::session_state::SessionStateBuilder;
use datafusion::logical_expr::{Expr, ExprSchemable, LogicalPlan, LogicalPlanBuilder};
use datafusion::prelude::SessionConfig;
use datafusion::scalar::ScalarValue;

use crate::error::{Fault, binding};
use crate::functions::FunctionSet;
use crate::gate::dialect::dialect;
use crate::gate::place::placed;
use crate::gate::plan::{Allowed, Contents, Stage, verify};
use crate::gate::statement::{Admitted, Bounds, admit};
use crate::names::Names;
use crate::policy::{Bindings, expression, mask_schema, same_type};
use crate::reads::{reads, sample, sql_type};
use crate::template::{CompiledTable, policy_sql};
use crate::{settings, types};
use declared::Declared;
use told::{explained, parameter_undeclared, parameter_unused, setting_refused, told, value_refused};

/// Steps that a reviewed query may have.
const PLAN_NODES_MAX: u64 = 10_000;

/// A result for every view, item and value of the request, and for every setting that cannot be set.
pub(crate) fn check(request: &CheckRequest) -> CheckReport {
    let mut results = BTreeMap::new();
    for (id, value) in &request.values {
        results.insert(id.clone(), value_result(value));
    }
    match Checker::new(request) {
        Err(fault) => {
            let problem = told(fault);
            for id in ids(request) {
                results.insert(id, failed(&problem));
            }
        }
        Ok(checker) => {
            for key in &checker.settings_refused {
                let value = request.settings.get(key).map(String::as_str).unwrap_or_default();
                results.insert(format!("setting:{key}"), failed(&setting_refused(key, value)));
            }
            for (name, view) in &request.views {
                let found = checker.query(&view.sql, &BTreeMap::new(), Some(name));
                results.insert(format!("view:{name}"), checker.result(found, &view.sql));
            }
            for item in &request.items {
                results.insert(item.id.clone(), checker.result(checker.item(item), &item.sql));
            }
        }
    }
    CheckReport { results }
}

fn ids(request: &CheckRequest) -> Vec<String> {
    let views = request.views.keys().map(|name| format!("view:{name}"));
    views.chain(request.items.iter().map(|item| item.id.clone())).collect()
}

fn value_result(value: &TypedValue) -> CheckResult {
    match types::scalar_of(value) {
        Ok(_) => CheckResult::default(),
        Err(_) => failed(&value_refused(value)),
    }
}

/// What is wrong with a request as a whole.
pub(crate) fn problem_of(fault: Fault) -> CheckProblem {
    explained(fault, &FunctionSet::default())
}

fn failed(problem: &CheckProblem) -> CheckResult {
    CheckResult {
        problem: Some(problem.clone()),
        ..CheckResult::default()
    }
}

/// What a contract's SQL is checked with.
pub(crate) struct Checker<'a> {
    request: &'a CheckRequest,
    options: ConfigOptions,
    allowed: FunctionSet,
    everything: FunctionSet,
    schemas: BTreeMap<&'a str, SchemaRef>,
    state: SessionState,
    settings_refused: Vec<String>,
    /// A value of the right type for every claim: what a policy's placeholders are checked with.
    claims: BTreeMap<String, TypedValue>,
}

impl<'a> Checker<'a> {
    pub(crate) fn new(request: &'a CheckRequest) -> Result<Self, Fault> {
        let invalid = |error: &dyn std::fmt::Display| Fault::new(EngineErrorCode::SqlInvalid, error.to_string());
        let (options, refused) = settings::accepted(&request.settings).map_err(|error| invalid(&error))?;
        let mut schemas = BTreeMap::new();
        for (name, columns) in &request.tables {
            schemas.insert(name.as_str(), schema_of(columns));
        }
        let state = SessionStateBuilder::new()
            .with_config(SessionConfig::from(options.clone()))
            .with_catalog_list(Arc::new(EmptyCatalogProviderList))
            .build();
        let mut claims = BTreeMap::new();
        for (name, data_type) in &request.claims {
            // A type that is none has a problem of its own.
            let Ok(value) = sample(data_type) else { continue };
            claims.insert(
                name.clone(),
                TypedValue {
                    data_type: data_type.clone(),
                    value,
                },
            );
        }
        Ok(Self {
            allowed: FunctionSet::new(Some(&request.functions), &options),
            everything: FunctionSet::new(None, &options),
            request,
            options,
            schemas,
            state,
            settings_refused: refused.into_keys().collect(),
            claims,
        })
    }

    /// What is told of a fault, in the words of whoever writes a contract.
    fn result(&self, found: Result<CheckResult, Fault>, sql: &str) -> CheckResult {
        match found {
            Ok(result) => result,
            Err(fault) if declared::is_broken_view(&fault) => CheckResult::default(),
            Err(fault) => failed(&explained(placed(fault, sql, dialect(&self.options)), &self.everything)),
        }
    }

    fn item(&self, item: &CheckItem) -> Result<CheckResult, Fault> {
        match &item.scope {
            CheckScope::Query { parameters } => self.query(&item.sql, parameters, None),
            CheckScope::RowFilter { table } => self.policy(&item.sql, table, None),
            CheckScope::Mask { table, column } => self.policy(&item.sql, table, Some(column)),
        }
    }

    fn query(
        &self,
        sql: &str,
        parameters: &BTreeMap<String, String>,
        view: Option<&str>,
    ) -> Result<CheckResult, Fault> {
        let admitted = admit(sql, Bounds::REVIEWED, dialect(&self.options))?;
        let values = parameter_values(&admitted, parameters)?;
        let tables = Declared::new(self, view);
        let bound = self
            .names(&tables, &self.allowed)
            .bind(&admitted, values)
            .map_err(binding)?;
        let contents = self.contents(&bound, &self.request.functions)?;
        let analyzed = self.analyze(bound).map_err(binding)?;
        Ok(CheckResult {
            problem: None,
            columns: columns(analyzed.schema()),
            reads: reads(&analyzed).map_err(binding)?,
            views: tables.views(),
            functions: contents.functions.into_iter().collect(),
            claims: vec![],
        })
    }

    fn policy(&self, sql: &str, table: &str, masked: Option<&str>) -> Result<CheckResult, Fault> {
        let parsed = policy_sql(table, sql, dialect(&self.options))?;
        let compiled = self.compiled(table)?;
        let tables = Declared::raw(self);
        let names = self.names(&tables, &self.everything);
        let claims = parsed.parameters.clone();
        let schema = self.policy_schema(&compiled, masked)?;
        let bound = expression(&parsed, &schema, &names, &self.bindings()).map_err(binding)?;
        let plan = one_row(&schema, bound).map_err(binding)?;
        let contents = self.contents(&plan, &self.everything.canonical_names())?;
        let analyzed = self.analyze(plan).map_err(binding)?;
        self.fits(&analyzed, &compiled, masked)?;
        Ok(CheckResult {
            problem: None,
            columns: vec![],
            reads: reads(&analyzed).map_err(binding)?,
            views: vec![],
            functions: contents.functions.into_iter().collect(),
            claims: claims_of(&claims),
        })
    }

    /// What a policy's SQL can name: the table's columns, and `value` in a mask.
    fn policy_schema(&self, compiled: &CompiledTable, masked: Option<&str>) -> Result<DFSchema, Fault> {
        match masked {
            Some(column) => {
                let field = compiled.source_schema.field_with_name(column).map_err(unknown)?;
                mask_schema(compiled, field)
            }
            None => DFSchema::try_from_qualified_schema(compiled.source.as_str(), &compiled.source_schema),
        }
        .map_err(binding)
    }

    fn bindings(&self) -> Bindings<'_> {
        Bindings {
            tenant: "tenant",
            purpose: "purpose",
            claims: &self.claims,
            declared: &self.request.claims,
        }
    }

    /// A row filter is a predicate; a mask keeps its column's type, so that a result's schema is the same for everyone.
    fn fits(&self, plan: &LogicalPlan, compiled: &CompiledTable, masked: Option<&str>) -> Result<(), Fault> {
        let found = plan.schema().field(0).data_type().clone();
        let declared = match masked {
            Some(column) => compiled
                .source_schema
                .field_with_name(column)
                .map_err(unknown)?
                .data_type()
                .clone(),
            None => DataType::Boolean,
        };
        if same_type(&found, &declared) {
            return Ok(());
        }
        let what = if masked.is_some() {
            "a mask keeps its column's type"
        } else {
            "a row filter is a predicate"
        };
        let (found, declared) = (types::type_name(&found), types::type_name(&declared));
        let code = EngineErrorCode::SqlInvalid;
        Err(
            Fault::new(code, format!("{what}: expected `{declared}`, found `{found}`"))
                .hint(format!("write `CAST(... AS {})`", sql_type(&declared))),
        )
    }

    fn compiled(&self, table: &str) -> Result<CompiledTable, Fault> {
        let schema = self
            .schemas
            .get(table)
            .ok_or_else(|| crate::error::table_unknown(table, &self.known()))?;
        Ok(CompiledTable {
            source: table.to_string(),
            source_schema: Arc::clone(schema),
            schema: Arc::clone(schema),
            masks: BTreeMap::new(),
            filters: vec![],
            statistics: false,
        })
    }

    fn contents(&self, plan: &LogicalPlan, functions: &[String]) -> Result<Contents, Fault> {
        let functions: BTreeSet<String> = functions.iter().cloned().collect();
        let allowed = Allowed {
            functions: &functions,
            nodes: PLAN_NODES_MAX,
            governed: false,
        };
        verify(plan, &allowed, Stage::Bound).map_err(binding)
    }

    fn analyze(&self, plan: LogicalPlan) -> Result<LogicalPlan> {
        self.state.analyzer().execute_and_check(plan, &self.options, |_, _| {})
    }

    fn names<'b>(&'b self, tables: &'b Declared<'b>, functions: &'b FunctionSet) -> Names<'b, Declared<'b>> {
        Names {
            tables,
            functions,
            options: &self.options,
        }
    }

    fn known(&self) -> Vec<&str> {
        self.schemas
            .keys()
            .copied()
            .chain(self.request.views.keys().map(String::as_str))
            .collect()
    }
}

/// A column whose type is none has a problem of its own: here it is NULL, which fits everywhere.
fn schema_of(columns: &[Column]) -> SchemaRef {
    let field = |column: &Column| {
        types::schema_of(std::slice::from_ref(column))
            .ok()
            .and_then(|schema| schema.fields().first().cloned())
            .unwrap_or_else(|| Arc::new(Field::new(&column.name, DataType::Null, true)))
    };
    Arc::new(Schema::new(columns.iter().map(field).collect::<Vec<_>>()))
}

fn unknown(error: datafusion::arrow::error::ArrowError) -> Fault {
    binding(error.into())
}

/// `SELECT expression` over one relation of `schema`, so that the analyzer coerces it.
fn one_row(schema: &DFSchema, expression: Expr) -> Result<LogicalPlan> {
    let relation = LogicalPlan::EmptyRelation(datafusion::logical_expr::EmptyRelation {
        produce_one_row: true,
        schema: Arc::new(schema.clone()),
    });
    // A subquery is admitted in a filter alone, which is where policies with subqueries run.
    let has_subquery = expression.exists(|part| Ok(matches!(part, Expr::InSubquery(_) | Expr::Exists(_))))?;
    if has_subquery && expression.get_type(schema)? == DataType::Boolean {
        let filtered = LogicalPlanBuilder::from(relation).filter(expression)?;
        return filtered.project(vec![datafusion::prelude::lit(true)])?.build();
    }
    LogicalPlanBuilder::from(relation).project(vec![expression])?.build()
}

fn columns(schema: &DFSchema) -> Vec<CheckColumn> {
    let schema: &Schema = schema.as_arrow();
    let column = |field: &Arc<Field>| CheckColumn {
        name: field.name().clone(),
        data_type: types::type_name(field.data_type()),
        nullable: field.is_nullable(),
    };
    schema.fields().iter().map(column).collect()
}

fn parameter_values(admitted: &Admitted, declared: &BTreeMap<String, String>) -> Result<Vec<ScalarValue>, Fault> {
    if let Some(unused) = declared.keys().find(|name| !admitted.parameters.contains(name)) {
        return Err(parameter_unused(unused));
    }
    let value = |name: &String| {
        let data_type = declared.get(name).ok_or_else(|| parameter_undeclared(name, declared))?;
        types::null_of(data_type).map_err(|error| {
            Fault::new(
                EngineErrorCode::ParameterInvalid,
                format!("parameter `{name}`: {error}"),
            )
        })
    };
    admitted.parameters.iter().map(value).collect()
}

fn claims_of(parameters: &[String]) -> Vec<String> {
    let claims: BTreeSet<&str> = parameters
        .iter()
        .filter_map(|name| name.strip_prefix("claims."))
        .collect();
    claims.into_iter().map(ToString::to_string).collect()
}
