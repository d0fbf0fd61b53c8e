//! What a contract's SQL can name: empty tables of the declared schema, and views over them.

use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::sync::Arc;

use ambit_protocol::EngineErrorCode;
use datafusion::catalog::TableProvider;
use datafusion::common::{DataFusionError, Result};
use datafusion::datasource::empty::EmptyTable;
use datafusion::datasource::{ViewTable, provider_as_source};
use datafusion::logical_expr::TableSource;

use super::Checker;
use crate::error::{Fault, binding};
use crate::gate::dialect::dialect;
use crate::gate::statement::{Bounds, admit};
use crate::names::Tables;

const BROKEN_VIEW: &str = "a view does not plan";

/// Whether it is a view that is read, not the SQL itself, that does not plan.
pub(super) fn is_broken_view(fault: &Fault) -> bool {
    fault.0.message == BROKEN_VIEW
}

/// Empty tables of the declared schema, and views over them.
pub(super) struct Declared<'a> {
    checker: &'a Checker<'a>,
    /// Whether views are visible: policies see tables alone.
    with_views: bool,
    expanding: RefCell<Vec<String>>,
    direct: RefCell<BTreeSet<String>>,
    /// The view whose SQL this is.
    checked: Option<String>,
    /// That view was met again.
    circle: Cell<bool>,
}

impl<'a> Declared<'a> {
    pub(super) fn new(checker: &'a Checker<'a>, view: Option<&str>) -> Self {
        let checked = view.map(ToString::to_string);
        Self {
            checker,
            with_views: true,
            expanding: RefCell::new(checked.clone().into_iter().collect()),
            direct: RefCell::default(),
            checked,
            circle: Cell::default(),
        }
    }

    pub(super) fn raw(checker: &'a Checker<'a>) -> Self {
        Self {
            checker,
            with_views: false,
            expanding: RefCell::default(),
            direct: RefCell::default(),
            checked: None,
            circle: Cell::default(),
        }
    }

    pub(super) fn views(&self) -> Vec<String> {
        self.direct.borrow().iter().cloned().collect()
    }

    /// A view of which others are told nothing: it has a problem of its own. But a circle is each of its views' own.
    fn broken(&self, error: DataFusionError) -> DataFusionError {
        let fault = binding(error);
        if self.circle.get() {
            fault.into()
        } else {
            Fault::new(EngineErrorCode::Internal, BROKEN_VIEW).into()
        }
    }

    fn view(&self, name: &str, sql: &str) -> Result<Arc<dyn TableSource>> {
        if self.expanding.borrow().iter().any(|open| open == name) {
            self.circle.set(self.checked.as_deref() == Some(name));
            return Err(
                Fault::new(EngineErrorCode::SqlInvalid, format!("view `{name}` names itself"))
                    .hint("views may build on views, but not in a circle")
                    .into(),
            );
        }
        let depth = self.expanding.borrow().len();
        self.expanding.borrow_mut().push(name.to_string());
        let outer = self.direct.borrow().clone();
        let names = self.checker.names(self, &self.checker.allowed);
        let plan = admit(sql, Bounds::REVIEWED, dialect(&self.checker.options))
            .map_err(Into::into)
            .and_then(|query| names.bind(&query, vec![]))
            .map_err(|error| self.broken(error));
        // What a view names is its own: only direct names are the caller's.
        self.expanding.borrow_mut().truncate(depth);
        *self.direct.borrow_mut() = outer;
        self.direct.borrow_mut().insert(name.to_string());
        Ok(provider_as_source(Arc::new(ViewTable::new(plan?, None))))
    }
}

impl Tables for Declared<'_> {
    fn source(&self, name: &str) -> Result<Option<Arc<dyn TableSource>>> {
        if let Some(view) = self.checker.request.views.get(name).filter(|_| self.with_views) {
            return self.view(name, &view.sql).map(Some);
        }
        let Some(schema) = self.checker.schemas.get(name) else {
            return Ok(None);
        };
        let table: Arc<dyn TableProvider> = Arc::new(EmptyTable::new(Arc::clone(schema)));
        Ok(Some(provider_as_source(table)))
    }

    fn known(&self) -> Vec<&str> {
        self.checker.known()
    }
}
