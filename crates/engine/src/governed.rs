//! Governed tables and views: all that a consumer's SQL can reach.

use std::borrow::Cow;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use ambit_protocol::{SourceFormat, TableUse};
use async_trait::async_trait;
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::common::{DFSchema, Result, internal_datafusion_err};
use datafusion::datasource::cte_worktable::CteWorkTable;
use datafusion::datasource::{ViewTable, provider_as_source, source_as_provider};
use datafusion::execution::SessionState;
use datafusion::logical_expr::expr_rewriter::unnormalize_col;
use datafusion::logical_expr::{
    Expr, LogicalPlan, LogicalPlanBuilder, TableProviderFilterPushDown, TableSource, TableType,
};
use datafusion::physical_plan::{ExecutionPlan, displayable};
use datafusion::physical_planner::{DefaultPhysicalPlanner, PhysicalPlanner};

use crate::barrier::{BarrierExec, Disclosed};
use crate::error::inside_barrier;
use crate::gate::dialect::dialect;
use crate::gate::statement::{Bounds, admit};
use crate::leakproof::leakproof;
use crate::names::{Names, Tables};
use crate::policy::{filtered, shown};
use crate::scope::Scope;
use crate::template::CompiledTable;

/// A table as the grant shows it. It never gives away a plan, a definition, a constraint or a statistic: only its
/// visible schema, and scans behind a barrier.
#[derive(Debug)]
pub(crate) struct GovernedTable {
    name: Arc<str>,
    compiled: Arc<CompiledTable>,
    scope: Arc<Scope>,
}

impl GovernedTable {
    /// Whether a scan's source is a governed table, or the work table of a recursive WITH over such.
    pub(crate) fn is_source(source: &Arc<dyn TableSource>) -> bool {
        source_as_provider(source).is_ok_and(|provider| provider.is::<Self>() || provider.is::<CteWorkTable>())
    }

    /// The governed table that a scan reads, if it is one: its name, and what is compiled of it.
    pub(crate) fn of(source: &Arc<dyn TableSource>) -> Option<(Arc<str>, Arc<CompiledTable>)> {
        let provider = source_as_provider(source).ok()?;
        let table = provider.downcast_ref::<Self>()?;
        Some((Arc::clone(&table.name), Arc::clone(&table.compiled)))
    }

    async fn plan_inside(
        &self,
        state: &SessionState,
        columns: &SchemaRef,
        filters: &[Expr],
        limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let bare = if filters.is_empty() && limit.is_none() {
            self.bare_plan(columns)?
        } else {
            None
        };
        let (plan, ready) = match bare {
            Some(plan) => (plan, true),
            None => (self.inner_plan(columns, filters, limit)?, false),
        };
        let state = self.inner_state(state, &plan)?;
        let optimized = if ready { plan } else { state.optimize(&plan)? };
        // The session's own planner may one day distribute plans; what is inside a barrier stays inside.
        DefaultPhysicalPlanner::default()
            .create_physical_plan(&optimized, state.as_ref())
            .await
    }

    /// DataFusion splits a JSON file into ranges by its lines, and fails where the file is one array.
    fn inner_state<'a>(&self, state: &'a SessionState, plan: &LogicalPlan) -> Result<Cow<'a, SessionState>> {
        let sources = &self.scope.template.spec.sources;
        let mut whole = false;
        // A policy's subquery may read any source.
        plan.apply_with_subqueries(|node| {
            if let LogicalPlan::TableScan(scan) = node {
                let source = sources.get(scan.table_name.table());
                whole |= source.is_none_or(|source| matches!(source.format, SourceFormat::Json { array: true }));
            }
            Ok(TreeNodeRecursion::Continue)
        })?;
        if !whole {
            return Ok(Cow::Borrowed(state));
        }
        let mut state = state.clone();
        state.config_mut().options_mut().optimizer.repartition_file_scans = false;
        Ok(Cow::Owned(state))
    }

    /// The scan of these columns, where no policy touches them: no rule would find anything in it to make better.
    fn bare_plan(&self, columns: &SchemaRef) -> Result<Option<LogicalPlan>> {
        let CompiledTable {
            filters, masks, source, ..
        } = self.compiled.as_ref();
        if !filters.is_empty() || columns.fields().iter().any(|field| masks.contains_key(field.name())) {
            return Ok(None);
        }
        let raw = self.scope.raw(source)?;
        // Columns of folders come last there, wherever they are declared.
        let held = raw.schema();
        let indices: Result<Vec<usize>, _> = columns
            .fields()
            .iter()
            .map(|field| held.index_of(field.name()))
            .collect();
        LogicalPlanBuilder::scan(source.as_str(), provider_as_source(raw), Some(indices?))?
            .build()
            .map(Some)
    }

    fn inner_plan(&self, columns: &SchemaRef, filters: &[Expr], limit: Option<usize>) -> Result<LogicalPlan> {
        let template = &self.scope.template;
        let raw = RawTables { scope: &self.scope };
        let names = Names {
            tables: &raw,
            functions: template.policy_functions(),
            options: &template.options,
        };
        let bindings = self.scope.bindings();
        let source = self.scope.raw(&self.compiled.source)?;
        let mut plan = filtered(&self.compiled, provider_as_source(source), &names, &bindings)?;
        for filter in filters {
            plan = plan.filter(filter.clone())?;
        }
        let shown: Result<Vec<Expr>> = columns
            .fields()
            .iter()
            .map(|field| shown(&self.compiled, field, &names, &bindings))
            .collect();
        plan = plan.project(shown?)?;
        // DataFusion gives a limit only when no filter waits above; it counts rows that passed the policy.
        plan.limit(0, limit)?.build()
    }

    fn disclosed(&self, columns: SchemaRef) -> Disclosed {
        let masks = &self.compiled.masks;
        let fields = columns.fields().iter();
        Disclosed {
            table: Arc::clone(&self.name),
            unmasked: fields.map(|field| !masks.contains_key(field.name())).collect(),
            columns,
            every_row: self.compiled.filters.is_empty(),
            statistics: self.compiled.statistics,
        }
    }

    fn record(&self, columns: &SchemaRef, filters: &[Expr], inner: &Arc<dyn ExecutionPlan>) {
        let used = TableUse {
            source: self.compiled.source.clone(),
            columns: columns.fields().iter().map(|field| field.name().clone()).collect(),
            filters: self.compiled.filters.iter().map(|filter| filter.id.clone()).collect(),
            masks: columns
                .fields()
                .iter()
                .filter_map(|field| {
                    let masks = self.compiled.masks.get(field.name())?;
                    Some((field.name().clone(), masks.iter().map(|mask| mask.id.clone()).collect()))
                })
                .collect(),
            pushed_predicates: filters.iter().map(ToString::to_string).collect(),
            inner_plans: vec![displayable(inner.as_ref()).indent(false).to_string()],
        };
        self.scope.uses.record(&self.name, used);
    }
}

#[async_trait]
impl TableProvider for GovernedTable {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.compiled.schema)
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    fn supports_filters_pushdown(&self, filters: &[&Expr]) -> Result<Vec<TableProviderFilterPushDown>> {
        let unmasked = self
            .compiled
            .schema
            .fields()
            .iter()
            .map(|field| field.name().as_str())
            .filter(|name| !self.compiled.masks.contains_key(*name))
            .collect();
        let schema = DFSchema::try_from(Arc::clone(&self.compiled.schema))?;
        let answer = |filter: &&Expr| {
            // The consumer's alias for the table is no matter here, and the schema has none.
            if leakproof(&unnormalize_col((*filter).clone()), &unmasked, &schema) {
                // All of it runs inside: what it asks twice it pays for twice.
                TableProviderFilterPushDown::Exact
            } else {
                TableProviderFilterPushDown::Unsupported
            }
        };
        Ok(filters.iter().map(answer).collect())
    }

    async fn scan(
        &self,
        state: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let state = state
            .as_any()
            .downcast_ref::<SessionState>()
            .ok_or_else(|| internal_datafusion_err!("not a session of this engine"))?;
        let columns = match projection {
            Some(indices) => Arc::new(self.compiled.schema.project(indices)?),
            None => self.schema(),
        };
        let inner = self
            .plan_inside(state, &columns, filters, limit)
            .await
            .map_err(|error| inside_barrier(&self.name, error))?;
        self.record(&columns, filters, &inner);
        Ok(Arc::new(BarrierExec::new(Arc::new(self.disclosed(columns)), inner)))
    }
}

/// What the consumer's SQL and views see: governed tables, and views over them with the session's own rights.
pub(crate) struct SessionTables {
    scope: Arc<Scope>,
    /// Views being expanded: a cycle is refused when a contract is loaded, and must not end the worker here.
    expanding: RefCell<Vec<String>>,
}

impl SessionTables {
    pub(crate) fn new(scope: Arc<Scope>) -> Self {
        Self {
            scope,
            expanding: RefCell::new(Vec::new()),
        }
    }

    fn view(&self, name: &str, sql: &str) -> Result<Arc<dyn TableSource>> {
        if self.expanding.borrow().iter().any(|open| open == name) {
            return Err(internal_datafusion_err!("view `{name}` names itself"));
        }
        self.expanding.borrow_mut().push(name.to_string());
        let template = &self.scope.template;
        let names = Names {
            tables: self,
            functions: &template.functions,
            options: &template.options,
        };
        let plan = admit(sql, Bounds::REVIEWED, dialect(&template.options))
            .map_err(Into::into)
            .and_then(|query| names.bind(&query, vec![]));
        self.expanding.borrow_mut().pop();
        self.scope.uses.record_view(name);
        Ok(provider_as_source(Arc::new(ViewTable::new(plan?, None))))
    }
}

impl Tables for SessionTables {
    fn source(&self, name: &str) -> Result<Option<Arc<dyn TableSource>>> {
        if let Some(view) = self.scope.template.spec.views.get(name) {
            return self.view(name, &view.sql).map(Some);
        }
        let Some(compiled) = self.scope.template.table(name)? else {
            return Ok(None);
        };
        let table = GovernedTable {
            name: name.into(),
            compiled,
            scope: Arc::clone(&self.scope),
        };
        Ok(Some(provider_as_source(Arc::new(table))))
    }

    fn known(&self) -> Vec<&str> {
        let spec = &self.scope.template.spec;
        spec.tables
            .keys()
            .chain(spec.views.keys())
            .map(String::as_str)
            .collect()
    }
}

/// What policy SQL sees: sources, raw. No consumer's word is ever looked up here.
struct RawTables<'a> {
    scope: &'a Scope,
}

impl Tables for RawTables<'_> {
    fn source(&self, name: &str) -> Result<Option<Arc<dyn TableSource>>> {
        if !self.scope.template.spec.sources.contains_key(name) {
            return Ok(None);
        }
        self.scope.raw(name).map(|table| Some(provider_as_source(table)))
    }

    fn known(&self) -> Vec<&str> {
        vec![]
    }
}

/// What a session's statement was found to use: evidence.
#[derive(Debug, Default)]
pub(crate) struct Uses(Mutex<(BTreeMap<String, TableUse>, Vec<String>)>);

impl Uses {
    fn record(&self, table: &str, used: TableUse) {
        let mut uses = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(known) = uses.0.get_mut(table) else {
            uses.0.insert(table.to_string(), used);
            return;
        };
        known.columns.extend(used.columns);
        known.masks.extend(used.masks);
        known.pushed_predicates.extend(used.pushed_predicates);
        known.inner_plans.extend(used.inner_plans);
    }

    fn record_view(&self, view: &str) {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .1
            .push(view.to_string());
    }

    /// Tables and views so far, sorted, each name once.
    pub(crate) fn report(&self) -> (BTreeMap<String, TableUse>, Vec<String>) {
        let (mut tables, mut views) = self.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
        for used in tables.values_mut() {
            used.columns.sort();
            used.columns.dedup();
            used.pushed_predicates.sort();
            used.pushed_predicates.dedup();
        }
        views.sort();
        views.dedup();
        (tables, views)
    }
}
