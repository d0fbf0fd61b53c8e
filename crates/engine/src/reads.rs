//! What a checked plan reads, and the values and words that checking needs.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use ambit_protocol::TableRead;
use datafusion::arrow::datatypes::DataType;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::common::{Column, Result};
use datafusion::logical_expr::LogicalPlan;
use datafusion::optimizer::optimize_projections::OptimizeProjections;
use datafusion::optimizer::{Optimizer, OptimizerContext, OptimizerRule};

use crate::types;

/// Tables and the columns of theirs that are used anywhere in the plan: what a subject must be granted.
pub(crate) fn reads(plan: &LogicalPlan) -> Result<Vec<TableRead>> {
    let rules: Vec<Arc<dyn OptimizerRule + Send + Sync>> = vec![Arc::new(OptimizeProjections::new())];
    let config = OptimizerContext::new();
    let pruned = Optimizer::with_rules(rules).optimize(plan.clone(), &config, |_, _| {})?;
    let mut found: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    pruned.apply_with_subqueries(|node| {
        if let LogicalPlan::TableScan(scan) = node {
            let columns = found.entry(scan.table_name.table().to_string()).or_default();
            let shown = scan.projected_schema.fields().iter().map(|field| field.name().clone());
            columns.extend(shown);
            for filter in &scan.filters {
                columns.extend(
                    filter
                        .column_refs()
                        .into_iter()
                        .map(|column: &Column| column.name.clone()),
                );
            }
        }
        Ok(TreeNodeRecursion::Continue)
    })?;
    Ok(found
        .into_iter()
        .map(|(table, columns)| TableRead {
            table,
            columns: columns.into_iter().collect(),
        })
        .collect())
}

/// Some value of a scalar type.
pub(crate) fn sample(data_type: &str) -> Result<serde_json::Value, types::TypeError> {
    Ok(match types::parse_type(data_type)? {
        DataType::Boolean => true.into(),
        DataType::Date32 => "2000-01-01".into(),
        DataType::Time64(_) => "00:00:00".into(),
        DataType::Timestamp(_, None) => "2000-01-01T00:00:00".into(),
        DataType::Timestamp(_, Some(_)) => "2000-01-01T00:00:00Z".into(),
        DataType::Decimal128(..) => "0".into(),
        DataType::Utf8 | DataType::Utf8View | DataType::LargeUtf8 => "".into(),
        DataType::Binary | DataType::BinaryView | DataType::LargeBinary => "".into(),
        _ => 0.into(),
    })
}

/// A contract's type in SQL's words.
pub(crate) fn sql_type(name: &str) -> String {
    match name {
        "string" => "VARCHAR".to_string(),
        "binary" => "BYTEA".to_string(),
        "timestamptz" => "TIMESTAMP WITH TIME ZONE".to_string(),
        other => other.to_uppercase(),
    }
}
