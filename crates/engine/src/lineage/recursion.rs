//! Recursive queries. The recursive term is walked once, with names for what the query gave before; what these come to is
//! then found as a fixpoint over the query's own columns, each input of each column being handled once for each way.

use std::collections::HashMap;

use ambit_protocol::LineageHow;
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::logical_expr::{RecursiveQuery, TableScan};

use super::inputs::{Hows, Id, Inputs, Ledger, Lost, Origin};
use super::scope::Relation;
use super::walk::Walk;

impl<'a> Walk<'a> {
    pub(super) fn recursive_query(&mut self, step: &'a RecursiveQuery) -> Result<Relation, Lost> {
        let begun = self.relation(&step.static_term)?;
        let query = self.queries;
        self.queries += 1;
        self.recursive.push((&step.name, query));
        let again = self.relation(&step.recursive_term);
        self.recursive.pop();
        let width = step.schema.fields().len();
        let all = self.merged(&[begun, again?], width)?;
        solved(&mut self.ledger, query, all, step.is_distinct)
    }

    /// A scan of what the query gave before. It names columns of the innermost query of that name.
    pub(super) fn pending(&mut self, name: &str, schema: &SchemaRef, step: &TableScan) -> Result<Relation, Lost> {
        let found = self.recursive.iter().rev().find(|(known, _)| *known == name);
        let (_, query) = *found.ok_or(Lost::Widen)?;
        let every: Vec<usize> = (0..schema.fields().len()).collect();
        let mut number = |column: usize, how: LineageHow| {
            let id = self.ledger.number(Origin::Pending { query, column })?;
            Ok(Inputs::one(id, how))
        };
        let shown = step.projection.as_ref().unwrap_or(&every).iter();
        let columns: Result<Vec<Inputs>, Lost> = shown.map(|column| number(*column, LineageHow::Identity)).collect();
        Ok(Relation {
            columns: columns?,
            // Whatever is made of them, rows are behind it indirectly: as a filter, should nothing else be known of them.
            rows: number(every.len(), LineageHow::Filter)?,
        })
    }
}

/// Ways from one place of the query to another.
type Edges = Vec<(usize, Hows)>;

fn solved(ledger: &mut Ledger, query: usize, all: Relation, distinct: bool) -> Result<Relation, Lost> {
    let width = all.columns.len();
    // The last place is that of the rows.
    let places: Vec<Inputs> = all.columns.into_iter().chain([all.rows]).collect();
    let mut found: Vec<HashMap<Id, Hows>> = vec![HashMap::new(); places.len()];
    let mut onward: Vec<Edges> = vec![Vec::new(); places.len()];
    let mut waiting: Vec<(usize, Id, Hows)> = Vec::new();
    for (place, inputs) in places.iter().enumerate() {
        for (id, hows) in inputs.iter() {
            match ledger.origin(id)? {
                Origin::Pending { query: of, column } if *of == query => {
                    onward.get_mut(*column).ok_or(Lost::Widen)?.push((place, hows));
                }
                _ => waiting.push((place, id, hows)),
            }
        }
    }
    if distinct {
        for edges in onward.iter_mut().take(width) {
            edges.push((width, Hows::of(LineageHow::GroupBy)));
        }
    }
    while let Some((place, id, hows)) = waiting.pop() {
        let known = found.get_mut(place).ok_or(Lost::Widen)?.entry(id).or_default();
        let fresh = hows.without(*known);
        if fresh.is_empty() {
            continue;
        }
        *known = known.or(fresh);
        let edges = onward.get(place).ok_or(Lost::Widen)?;
        ledger.step(1 + edges.len())?;
        waiting.extend(edges.iter().map(|(to, ways)| (*to, id, fresh.through_all(*ways))));
    }
    let mut places = found
        .into_iter()
        .map(|members| Inputs::gathered(members.into_iter().collect()));
    Ok(Relation {
        columns: places.by_ref().take(width).collect(),
        rows: places.next().unwrap_or_default(),
    })
}
