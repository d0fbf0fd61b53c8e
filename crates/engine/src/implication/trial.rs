//! Rows to try: made of the constants that stand in the SQL, what is next to them, NULL and the ends of each type.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use ambit_protocol::TypedValue;
use datafusion::arrow::array::{Array, RecordBatch};
use datafusion::arrow::datatypes::{DataType, Field, Schema};
use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::common::{Column, DFSchema, Result};
use datafusion::logical_expr::Expr;
use datafusion::logical_expr::execution_props::ExecutionProps;
use datafusion::logical_expr::physical_planning_context::PhysicalPlanningContext;
use datafusion::physical_expr::create_physical_expr;
use datafusion::scalar::ScalarValue;

use super::nearby::{common, nearby, typed};

/// Rows that are tried.
const ROWS_MAX: usize = 4_096;
/// Values of one column.
const VALUES_MAX: usize = 24;

/// Rows over what some expressions read: columns of the table, and claims as if they were columns.
pub(super) struct Trial {
    schema: DFSchema,
    fields: Vec<Field>,
    /// How many of the fields are columns.
    columns: usize,
    pools: Vec<Vec<ScalarValue>>,
}

impl Trial {
    pub(super) fn new(table: &DFSchema, expressions: &[&Expr]) -> Result<Self> {
        let mut read = BTreeSet::new();
        let mut claims = BTreeMap::new();
        let mut constants = vec![];
        for expression in expressions {
            expression.apply(|part| {
                match part {
                    Expr::Column(column) => _ = read.insert(column.name.clone()),
                    Expr::Placeholder(found) => _ = claims.insert(found.id.clone(), found.field.clone()),
                    Expr::Literal(constant, _) => constants.push(constant.clone()),
                    _ => {}
                }
                Ok(TreeNodeRecursion::Continue)
            })?;
        }
        let shown: Vec<_> = table.iter().filter(|(_, field)| read.contains(field.name())).collect();
        let columns = shown.len();
        let mut qualified: Vec<_> = shown
            .into_iter()
            .map(|(table, field)| (table.cloned(), Arc::clone(field)))
            .collect();
        for (id, field) in claims {
            let data_type = field.map_or(DataType::Null, |field| field.data_type().clone());
            qualified.push((None, Arc::new(Field::new(id, data_type, false))));
        }
        let fields: Vec<Field> = qualified.iter().map(|(_, field)| field.as_ref().clone()).collect();
        let schema = DFSchema::new_with_metadata(qualified, Default::default())?;
        let pools = fields.iter().map(|field| pool(field, &constants)).collect();
        Ok(Self {
            schema,
            fields,
            columns,
            pools,
        })
    }

    /// Keeps of a column or a claim what a proof left possible, if anything.
    pub(super) fn keep(&mut self, name: &str, possible: impl Fn(&ScalarValue) -> bool) {
        for (field, pool) in self.fields.iter().zip(&mut self.pools) {
            if field.name() == name && pool.iter().any(&possible) {
                pool.retain(&possible);
            }
        }
    }

    /// All rows of the values if they are few, else some of them. The same ones every time.
    pub(super) fn rows(&self) -> Vec<Vec<ScalarValue>> {
        let all = self
            .pools
            .iter()
            .try_fold(1_usize, |rows, pool| rows.checked_mul(pool.len()))
            .filter(|rows| *rows <= ROWS_MAX);
        let mut state = 0x9e37_79b9_7f4a_7c15_u64;
        let mut drawn = |choices: usize| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            usize::try_from(state >> 33).unwrap_or_default() % choices.max(1)
        };
        (0..all.unwrap_or(ROWS_MAX))
            .map(|row| {
                let mut rest = row;
                let values = self.pools.iter().map(|pool| {
                    let place = if all.is_some() {
                        rest % pool.len().max(1)
                    } else {
                        drawn(pool.len())
                    };
                    rest /= pool.len().max(1);
                    pool.get(place).cloned().unwrap_or(ScalarValue::Null)
                });
                values.collect()
            })
            .collect()
    }

    /// The expression's value for each row; `None` where it fails.
    pub(super) fn values(&self, expression: &Expr, rows: &[Vec<ScalarValue>]) -> Result<Vec<Option<ScalarValue>>> {
        let bound = expression
            .clone()
            .transform(|part| {
                Ok(match part {
                    Expr::Placeholder(claim) => Transformed::yes(Expr::Column(Column::new_unqualified(claim.id))),
                    other => Transformed::no(other),
                })
            })?
            .data;
        self.evaluated(&bound, rows)
    }

    /// The same for one row, with claims as the engine has them: constants.
    pub(super) fn value(&self, expression: &Expr, row: &[ScalarValue]) -> Result<Option<ScalarValue>> {
        let claim = |id: &str| self.fields.iter().zip(row).find(|(field, _)| field.name() == id);
        let bound = expression
            .clone()
            .transform(|part| {
                Ok(match &part {
                    Expr::Placeholder(found) => match claim(&found.id) {
                        Some((_, value)) => Transformed::yes(Expr::Literal(value.clone(), None)),
                        None => Transformed::no(part),
                    },
                    _ => Transformed::no(part),
                })
            })?
            .data;
        Ok(self.evaluated(&bound, &[row.to_vec()])?.into_iter().next().flatten())
    }

    fn evaluated(&self, bound: &Expr, rows: &[Vec<ScalarValue>]) -> Result<Vec<Option<ScalarValue>>> {
        let physical = create_physical_expr(
            bound,
            &self.schema,
            &ExecutionProps::new(),
            &PhysicalPlanningContext::default(),
        )?;
        let batch = self.batch(rows)?;
        let all = physical.evaluate(&batch).and_then(|value| value.into_array(rows.len()));
        if let Ok(array) = all {
            return (0..rows.len())
                .map(|row| ScalarValue::try_from_array(&array, row).map(Some))
                .collect();
        }
        let one = |row: usize| -> Option<ScalarValue> {
            let value = physical.evaluate(&batch.slice(row, 1)).ok()?.into_array(1).ok()?;
            ScalarValue::try_from_array(&value, 0).ok()
        };
        Ok((0..rows.len()).map(one).collect())
    }

    fn batch(&self, rows: &[Vec<ScalarValue>]) -> Result<RecordBatch> {
        let column = |place: usize| -> Result<Arc<dyn Array>> {
            ScalarValue::iter_to_array(rows.iter().filter_map(|row| row.get(place).cloned()))
        };
        let columns: Result<Vec<_>> = (0..self.fields.len()).map(column).collect();
        let options = datafusion::arrow::array::RecordBatchOptions::new().with_row_count(Some(rows.len()));
        let schema = Arc::new(Schema::new(self.fields.clone()));
        Ok(RecordBatch::try_new_with_options(schema, columns?, &options)?)
    }

    /// Whether two rows are of one subject.
    pub(super) fn same_claims(&self, one: &[ScalarValue], other: &[ScalarValue]) -> bool {
        one.get(self.columns..) == other.get(self.columns..)
    }

    /// A row's columns.
    pub(super) fn shown(&self, row: &[ScalarValue]) -> BTreeMap<String, TypedValue> {
        self.told(row).take(self.columns).collect()
    }

    /// A row's claims.
    pub(super) fn claims(&self, row: &[ScalarValue]) -> BTreeMap<String, TypedValue> {
        self.told(row)
            .skip(self.columns)
            .map(|(id, value)| (claim_name(&id).to_string(), value))
            .collect()
    }

    fn told<'a>(&'a self, row: &'a [ScalarValue]) -> impl Iterator<Item = (String, TypedValue)> + 'a {
        let named = |(field, value): (&Field, &ScalarValue)| (field.name().clone(), typed(value));
        self.fields.iter().zip(row).map(named)
    }
}

/// What a subject calls a placeholder.
pub(super) fn claim_name(id: &str) -> &str {
    let name = id.strip_prefix('$').unwrap_or(id);
    name.strip_prefix("claims.").unwrap_or(name)
}

fn pool(field: &Field, constants: &[ScalarValue]) -> Vec<ScalarValue> {
    let mut pool: Vec<ScalarValue> = vec![];
    let near = constants
        .iter()
        .filter_map(|constant| constant.cast_to(field.data_type()).ok())
        .filter(|constant| !constant.is_null())
        .flat_map(|constant| nearby(&constant));
    for value in near.chain(common(field.data_type())) {
        if !pool.contains(&value) && pool.len() < VALUES_MAX {
            pool.push(value);
        }
    }
    let null = ScalarValue::try_new_null(field.data_type()).ok();
    pool.extend(null.filter(|_| field.is_nullable()));
    pool
}
