//! Rows to try: made of the constants that stand in the SQL, what is next to them, NULL and the ends of each type.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use ambit_protocol::TypedValue;
use datafusion::arrow::array::{ArrayRef, AsArray, RecordBatch, RecordBatchOptions, UInt32Array};
use datafusion::arrow::compute::take;
use datafusion::arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::common::{Column, DFSchema, Result};
use datafusion::logical_expr::Expr;
use datafusion::logical_expr::execution_props::ExecutionProps;
use datafusion::logical_expr::physical_planning_context::PhysicalPlanningContext;
use datafusion::physical_expr::{PhysicalExpr, create_physical_expr};
use datafusion::scalar::ScalarValue;

use super::nearby::{common, nearby, typed};

/// Rows that are tried.
const ROWS_MAX: usize = 4_096;
/// Rows that are tried before the others: most counterexamples are found here.
const ROWS_FIRST: usize = 128;
/// Values of one column.
const VALUES_MAX: usize = 24;

/// The table that claims are columns of: a column may be named like a claim. No name in SQL is empty.
const CLAIMS: &str = "";

/// Rows over what some expressions read: columns of the table, and claims as if they were columns.
#[derive(Clone)]
pub(super) struct Trial {
    schema: DFSchema,
    plain: SchemaRef,
    fields: Vec<Field>,
    /// How many of the fields are columns.
    columns: usize,
    pools: Vec<Vec<ScalarValue>>,
}

/// Rows of a trial.
pub(super) struct Rows {
    batch: RecordBatch,
    /// Of each claim, which of its values a row has.
    claims: Vec<UInt32Array>,
}

impl Rows {
    pub(super) fn count(&self) -> usize {
        self.batch.num_rows()
    }

    pub(super) fn row(&self, place: usize) -> Result<Vec<ScalarValue>> {
        let columns = self.batch.columns().iter();
        columns
            .map(|column| ScalarValue::try_from_array(column, place))
            .collect()
    }

    /// Whose row it is: alike for rows of one subject.
    pub(super) fn subject(&self, place: usize) -> Vec<u32> {
        self.claims.iter().map(|places| places.value(place)).collect()
    }
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
            qualified.push((Some(CLAIMS.into()), Arc::new(Field::new(id, data_type, false))));
        }
        let fields: Vec<Field> = qualified.iter().map(|(_, field)| field.as_ref().clone()).collect();
        let schema = DFSchema::new_with_metadata(qualified, Default::default())?;
        let pools = fields.iter().map(|field| pool(field, &constants)).collect();
        Ok(Self {
            schema,
            plain: Arc::new(Schema::new(fields.clone())),
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
    pub(super) fn all(&self) -> Result<Rows> {
        self.rows(0, ROWS_MAX)
    }

    /// The first of them.
    pub(super) fn first(&self) -> Result<Rows> {
        self.rows(0, ROWS_FIRST)
    }

    /// All of them in two parts, each made when it is looked at.
    pub(super) fn parts(&self) -> impl Iterator<Item = Result<Rows>> + '_ {
        [(0, ROWS_FIRST), (ROWS_FIRST, ROWS_MAX)]
            .into_iter()
            .map(|(from, to)| self.rows(from, to))
    }

    fn rows(&self, from: usize, to: usize) -> Result<Rows> {
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
        let to = to.min(all.unwrap_or(ROWS_MAX));
        let from = from.min(to);
        let mut places = vec![Vec::with_capacity(to - from); self.pools.len()];
        for row in 0..to {
            let mut rest = row;
            for (pool, places) in self.pools.iter().zip(&mut places) {
                let choices = pool.len().max(1);
                let place = if all.is_some() { rest % choices } else { drawn(choices) };
                rest /= choices;
                if row >= from {
                    places.push(u32::try_from(place).unwrap_or_default());
                }
            }
        }
        let column = |(pool, places): (&Vec<ScalarValue>, Vec<u32>)| -> Result<(ArrayRef, UInt32Array)> {
            let places = UInt32Array::from(places);
            let values = ScalarValue::iter_to_array(pool.iter().cloned())?;
            Ok((take(&values, &places, None)?, places))
        };
        let (values, places): (Vec<_>, Vec<_>) = self
            .pools
            .iter()
            .zip(places)
            .map(column)
            .collect::<Result<Vec<_>>>()?
            .into_iter()
            .unzip();
        let claims = places.get(self.columns..).unwrap_or_default().to_vec();
        Ok(Rows {
            batch: self.batch(values, to - from)?,
            claims,
        })
    }

    /// The expression's value for each row; `None` where it fails.
    pub(super) fn values(&self, expression: &Expr, rows: &Rows) -> Result<Vec<Option<ScalarValue>>> {
        self.evaluated(&self.claimless(expression)?, &rows.batch)
    }

    /// Whether a predicate is TRUE, row by row; `None` where it fails.
    pub(super) fn truths(&self, predicate: &Expr, rows: &Rows) -> Result<Vec<Option<bool>>> {
        let physical = self.physical(&self.claimless(predicate)?)?;
        let count = rows.batch.num_rows();
        let all = physical.evaluate(&rows.batch).and_then(|value| value.into_array(count));
        if let Ok(array) = &all
            && let Some(truths) = array.as_boolean_opt()
        {
            return Ok(truths.iter().map(|truth| Some(truth == Some(true))).collect());
        }
        Ok(one_by_one(&physical, &rows.batch)
            .into_iter()
            .map(|value| value.map(|value| value == ScalarValue::Boolean(Some(true))))
            .collect())
    }

    /// With claims as columns.
    fn claimless(&self, expression: &Expr) -> Result<Expr> {
        let column = |part: Expr| {
            Ok(match part {
                Expr::Placeholder(claim) => Transformed::yes(Expr::Column(Column::new(Some(CLAIMS), claim.id))),
                other => Transformed::no(other),
            })
        };
        Ok(expression.clone().transform(column)?.data)
    }

    /// The same for one row, with claims as the engine has them: constants.
    pub(super) fn value(&self, expression: &Expr, row: &[ScalarValue]) -> Result<Option<ScalarValue>> {
        let all = || self.fields.iter().zip(row).skip(self.columns);
        let claim = |id: &str| all().find(|(field, _)| field.name() == id);
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
        let values: Result<Vec<_>> = row.iter().map(|value| value.to_array_of_size(1)).collect();
        let batch = self.batch(values?, 1)?;
        Ok(self.evaluated(&bound, &batch)?.into_iter().next().flatten())
    }

    fn physical(&self, bound: &Expr) -> Result<Arc<dyn PhysicalExpr>> {
        create_physical_expr(
            bound,
            &self.schema,
            &ExecutionProps::new(),
            &PhysicalPlanningContext::default(),
        )
    }

    fn evaluated(&self, bound: &Expr, batch: &RecordBatch) -> Result<Vec<Option<ScalarValue>>> {
        let physical = self.physical(bound)?;
        let count = batch.num_rows();
        match physical.evaluate(batch).and_then(|value| value.into_array(count)) {
            Ok(array) => (0..count)
                .map(|row| ScalarValue::try_from_array(&array, row).map(Some))
                .collect(),
            Err(_) => Ok(one_by_one(&physical, batch)),
        }
    }

    fn batch(&self, columns: Vec<ArrayRef>, count: usize) -> Result<RecordBatch> {
        let options = RecordBatchOptions::new().with_row_count(Some(count));
        let schema = Arc::clone(&self.plain);
        Ok(RecordBatch::try_new_with_options(schema, columns, &options)?)
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

fn one_by_one(physical: &Arc<dyn PhysicalExpr>, batch: &RecordBatch) -> Vec<Option<ScalarValue>> {
    let one = |row: usize| {
        let value = physical.evaluate(&batch.slice(row, 1)).ok()?.into_array(1).ok()?;
        ScalarValue::try_from_array(&value, 0).ok()
    };
    (0..batch.num_rows()).map(one).collect()
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
