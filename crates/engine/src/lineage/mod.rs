//! Column lineage: which visible columns each column of an answer comes from, and how.
//!
//! It is taken from the bound plan. That says what the statement says: later plans say what runs, where subqueries have
//! become joins, columns that equal others or constants are gone, casts that nobody wrote have come, and steps that cannot
//! give a row are left out, so that the lineage of a statement would change with the optimizer's version and settings.
//! The bound plan names governed tables, with views expanded; what the policy reads lies inside their scans, out of sight.
//!
//! It is total. Each step hands on, for each of its columns, the inputs of its values, and once the inputs of its rows:
//! which there are, how often, in which order. Every kind of step and expression has a rule, in doubt that every operand is
//! an input. A step that has none is refused.

mod expression;
mod inputs;
mod recursion;
mod scope;
mod walk;

use std::collections::BTreeSet;

use ambit_protocol::{ColumnLineage, EngineErrorCode, Lineage, LineageInput, ResultColumn};
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::logical_expr::LogicalPlan;

use crate::error::{Fault, binding};
use crate::governed::GovernedTable;
use inputs::{Inputs, Ledger, Lost, Origin};
use scope::Relation;
use walk::Walk;

/// Of a lineage as JSON, names of result columns apart, which the record holds anyhow. A record holds 8 MiB in all.
const BYTES_MAX: usize = 1024 * 1024;
/// Of an input as JSON, without its names.
const INPUT_BYTES: usize = 80;

/// The lineage of a bound plan, whose result has these columns.
pub(crate) fn lineage(bound: &LogicalPlan, columns: &[ResultColumn]) -> Result<Lineage, Fault> {
    let mut walk = Walk::new();
    let found = walk
        .relation(bound)
        .and_then(|relation| written(&walk.ledger, &relation, columns));
    match found {
        Ok(lineage) => Ok(lineage),
        Err(Lost::Widen) => widened(bound, columns),
        Err(Lost::Unknown(step)) => Err(Fault::new(
            EngineErrorCode::PlanRefused,
            "the plan holds a step whose columns cannot be traced",
        )
        .detail(step)),
    }
}

fn written(ledger: &Ledger, relation: &Relation, columns: &[ResultColumn]) -> Result<Lineage, Lost> {
    if relation.columns.len() != columns.len() {
        return Err(Lost::Widen);
    }
    let mut room = BYTES_MAX;
    let mut list = |inputs: &Inputs| {
        let mut list = Vec::new();
        for (id, hows) in inputs.iter() {
            // Recursive queries end before the statement does: nothing is pending here.
            let Origin::Column { table, column, masked } = ledger.origin(id)? else {
                return Err(Lost::Widen);
            };
            let bytes = INPUT_BYTES + table.len() + column.len();
            room = room.checked_sub(bytes).ok_or(Lost::Widen)?;
            list.push(LineageInput {
                table: table.to_string(),
                column: column.clone(),
                masked: *masked,
                how: hows.list(),
            });
        }
        list.sort_by(|a, b| (&a.table, &a.column).cmp(&(&b.table, &b.column)));
        Ok(list)
    };
    let named: Result<Vec<ColumnLineage>, Lost> = columns
        .iter()
        .zip(&relation.columns)
        .map(|(column, inputs)| {
            Ok(ColumnLineage {
                name: column.name.clone(),
                inputs: list(inputs)?,
            })
        })
        .collect();
    Ok(Lineage {
        columns: named?,
        dataset: list(&relation.rows)?,
        widened: false,
    })
}

/// All that the tables of a statement show may be behind all that it gives: true of every statement, and short.
fn widened(bound: &LogicalPlan, columns: &[ResultColumn]) -> Result<Lineage, Fault> {
    let mut shown = BTreeSet::new();
    bound
        .apply_with_subqueries(|step| {
            if let LogicalPlan::TableScan(scan) = step
                && let Some((table, compiled)) = GovernedTable::of(&scan.source)
            {
                let fields = compiled.schema.fields().iter();
                shown.extend(fields.map(|field| {
                    let masked = compiled.masks.contains_key(field.name());
                    (table.to_string(), field.name().clone(), masked)
                }));
            }
            Ok(TreeNodeRecursion::Continue)
        })
        .map_err(binding)?;
    let names = columns.iter().map(|column| ColumnLineage {
        name: column.name.clone(),
        inputs: vec![],
    });
    let dataset = shown.into_iter().map(|(table, column, masked)| LineageInput {
        table,
        column,
        masked,
        how: vec![],
    });
    Ok(Lineage {
        columns: names.collect(),
        dataset: dataset.collect(),
        widened: true,
    })
}
