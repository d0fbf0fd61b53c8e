//! What names mean at a place of a plan.

use std::collections::HashMap;
use std::rc::Rc;

use datafusion::common::{Column, DFSchema};

use super::inputs::Inputs;

/// The lineage of a step's output.
#[derive(Debug, Clone, Default)]
pub(super) struct Relation {
    /// By position.
    pub columns: Vec<Inputs>,
    /// What decides which rows there are, how often and in which order.
    pub rows: Inputs,
}

/// A step's output and what its columns are called.
pub(super) struct Part<'a> {
    schema: &'a DFSchema,
    pub relation: Relation,
    /// Positions by name: a look-up in a schema goes through all its fields.
    named: HashMap<&'a str, Vec<usize>>,
}

impl<'a> Part<'a> {
    pub(super) fn new(schema: &'a DFSchema, relation: Relation) -> Rc<Self> {
        let mut named: HashMap<&str, Vec<usize>> = HashMap::new();
        for (position, field) in schema.fields().iter().enumerate() {
            named.entry(field.name()).or_default().push(position);
        }
        Rc::new(Self {
            schema,
            relation,
            named,
        })
    }

    /// As DataFusion looks a column up when it makes an expression run: the first that fits.
    pub(super) fn find(&self, column: &Column) -> Option<&Inputs> {
        let fits = |position: &&usize| match (&column.relation, self.schema.qualified_field(**position).0) {
            (Some(wanted), Some(found)) => wanted.resolved_eq(found),
            (Some(_), None) => false,
            (None, _) => true,
        };
        let position = self.named.get(column.name.as_str())?.iter().find(fits)?;
        self.relation.columns.get(*position)
    }
}

/// What an expression can name, the left side of a join first.
pub(super) type Scope<'a> = [Rc<Part<'a>>];
