//! Policy SQL becomes expressions over a source's raw columns, with claims bound as typed literals: never as text.

use std::collections::BTreeMap;
use std::sync::Arc;

use ambit_protocol::{EngineErrorCode, TypedValue};
use datafusion::arrow::datatypes::{DataType, Field, FieldRef, Schema};
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::common::{Column, DFSchema, Result, internal_datafusion_err};
use datafusion::logical_expr::{Expr, LogicalPlan, LogicalPlanBuilder, TableSource, cast};
use datafusion::scalar::ScalarValue;
use datafusion::sql::planner::PlannerContext;

use crate::error::Fault;
use crate::names::{Names, Tables, types_of};
use crate::template::{CompiledTable, PolicySql};
use crate::types;

/// What stands for the masked column in a mask's SQL.
const MASKED: &str = "value";

/// Values that policy SQL may name.
pub(crate) struct Bindings<'a> {
    pub tenant: &'a str,
    pub purpose: &'a str,
    pub claims: &'a BTreeMap<String, TypedValue>,
    /// Declared claims and their types: decides the literal's type, whatever the subject's claim says.
    pub declared: &'a BTreeMap<String, String>,
}

impl Bindings<'_> {
    fn value(&self, parameter: &str, policy: &str) -> Result<ScalarValue, Fault> {
        match parameter {
            "tenant" => return Ok(ScalarValue::Utf8View(Some(self.tenant.to_string()))),
            "purpose" => return Ok(ScalarValue::Utf8View(Some(self.purpose.to_string()))),
            _ => {}
        }
        let missing = |reason: &str| {
            let claim = parameter.strip_prefix("claims.").unwrap_or(parameter);
            Fault::new(
                EngineErrorCode::ClaimMissing,
                format!("policy `{policy}` needs claim `{claim}`, {reason}"),
            )
            .hint("ask who issues your credential for this claim")
            .about(claim, &self.declared.keys().map(String::as_str).collect::<Vec<_>>())
        };
        let name = parameter
            .strip_prefix("claims.")
            .ok_or_else(|| missing("which no contract declares"))?;
        let declared = self
            .declared
            .get(name)
            .ok_or_else(|| missing("which no contract declares"))?;
        let claim = self
            .claims
            .get(name)
            .ok_or_else(|| missing("which the subject does not have"))?;
        let typed = TypedValue {
            data_type: declared.clone(),
            value: claim.value.clone(),
        };
        let scalar = types::scalar_of(&typed).map_err(|_| missing("which is not of its declared type"))?;
        // "A missing claim is a refusal, not NULL": an explicit null is no claim either.
        if scalar.is_null() {
            Err(missing("which the subject does not have"))
        } else {
            Ok(scalar)
        }
    }

    fn values(&self, sql: &PolicySql) -> Result<Vec<ScalarValue>, Fault> {
        sql.parameters
            .iter()
            .map(|parameter| self.value(parameter, &sql.id))
            .collect()
    }
}

/// The scan under the policy: rows that pass every filter, with all declared columns, raw.
pub(crate) fn filtered<T: Tables>(
    table: &CompiledTable,
    raw: Arc<dyn TableSource>,
    names: &Names<'_, T>,
    bindings: &Bindings<'_>,
) -> Result<LogicalPlanBuilder> {
    let mut plan = LogicalPlanBuilder::scan(table.source.as_str(), raw, None)?;
    for filter in &table.filters {
        let predicate = expression(filter, plan.schema(), names, bindings)?;
        plan = plan.filter(predicate)?;
    }
    Ok(plan)
}

/// The expression that a visible column is: itself, or its masks applied in order.
pub(crate) fn shown<T: Tables>(
    table: &CompiledTable,
    field: &Field,
    names: &Names<'_, T>,
    bindings: &Bindings<'_>,
) -> Result<Expr> {
    let raw = Expr::Column(Column::new(Some(table.source.as_str()), field.name()));
    let Some(masks) = table.masks.get(field.name()) else {
        return Ok(raw.alias(field.name()));
    };
    let mut value = raw;
    for mask in masks {
        let schema = mask_schema(table, field)?;
        let masked = expression(mask, &schema, names, bindings)?;
        value = cast(replace_value(masked, &value)?, field.data_type().clone());
    }
    Ok(value.alias(field.name()))
}

/// The source's columns, and `value`: it hides a column of that name.
pub(crate) fn mask_schema(table: &CompiledTable, field: &Field) -> Result<DFSchema> {
    let others: Vec<FieldRef> = table
        .source_schema
        .fields()
        .iter()
        .filter(|other| other.name() != MASKED)
        .cloned()
        .collect();
    let mut schema = DFSchema::try_from_qualified_schema(table.source.as_str(), &Schema::new(others))?;
    let value = Field::new(MASKED, field.data_type().clone(), true);
    schema.merge(&DFSchema::try_from(Schema::new(vec![value]))?);
    Ok(schema)
}

pub(crate) fn replace_value(masked: Expr, value: &Expr) -> Result<Expr> {
    masked
        .transform(|part| {
            Ok(match &part {
                Expr::Column(column) if column.name == MASKED && column.relation.is_none() => {
                    Transformed::yes(value.clone())
                }
                _ => Transformed::no(part),
            })
        })
        .map(|transformed| transformed.data)
}

/// Binds policy SQL over `schema`.
pub(crate) fn expression<T: Tables>(
    sql: &PolicySql,
    schema: &DFSchema,
    names: &Names<'_, T>,
    bindings: &Bindings<'_>,
) -> Result<Expr> {
    let values = bindings.values(sql)?;
    bind_placeholders(unbound(sql, schema, names, &values)?, &values)
}

/// The same with its placeholders left: their types are those of the bindings.
pub(crate) fn expression_of<T: Tables>(
    sql: &PolicySql,
    schema: &DFSchema,
    names: &Names<'_, T>,
    bindings: &Bindings<'_>,
) -> Result<Expr> {
    unbound(sql, schema, names, &bindings.values(sql)?)
}

fn unbound<T: Tables>(
    sql: &PolicySql,
    schema: &DFSchema,
    names: &Names<'_, T>,
    values: &[ScalarValue],
) -> Result<Expr> {
    let mut context = PlannerContext::new().with_prepare_param_data_types(types_of(values));
    names
        .planner()
        .sql_to_expr(sql.expression.clone(), schema, &mut context)
}

fn bind_placeholders(expression: Expr, values: &[ScalarValue]) -> Result<Expr> {
    expression
        .transform(|part| {
            Ok(match part {
                Expr::Placeholder(placeholder) => Transformed::yes(literal(&placeholder.id, values)?),
                Expr::ScalarSubquery(mut subquery) => {
                    subquery.subquery = bind_plan(&subquery.subquery, values)?;
                    Transformed::yes(Expr::ScalarSubquery(subquery))
                }
                Expr::InSubquery(mut within) => {
                    within.subquery.subquery = bind_plan(&within.subquery.subquery, values)?;
                    Transformed::yes(Expr::InSubquery(within))
                }
                Expr::Exists(mut exists) => {
                    exists.subquery.subquery = bind_plan(&exists.subquery.subquery, values)?;
                    Transformed::yes(Expr::Exists(exists))
                }
                other => Transformed::no(other),
            })
        })
        .map(|transformed| transformed.data)
}

fn bind_plan(plan: &Arc<LogicalPlan>, values: &[ScalarValue]) -> Result<Arc<LogicalPlan>> {
    Ok(Arc::new(plan.as_ref().clone().with_param_values(values.to_vec())?))
}

fn literal(id: &str, values: &[ScalarValue]) -> Result<Expr> {
    id.strip_prefix('$')
        .and_then(|number| number.parse::<usize>().ok())
        .and_then(|number| values.get(number.checked_sub(1)?))
        .map(|value| Expr::Literal(value.clone(), None))
        .ok_or_else(|| internal_datafusion_err!("no value for placeholder"))
}

/// A predicate's type must be boolean; a mask's must be its column's.
pub(crate) fn same_type(found: &DataType, declared: &DataType) -> bool {
    use DataType::{LargeUtf8, Utf8, Utf8View};
    found == declared
        || matches!(
            (found, declared),
            (Utf8 | LargeUtf8 | Utf8View, Utf8 | LargeUtf8 | Utf8View)
        )
}
