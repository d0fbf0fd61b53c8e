//! What DataFusion makes of an expression on rows.

use std::sync::Arc;

use ambit_protocol::{Column, TypedValue};
use arrow::array::{AsArray, RecordBatch};
use arrow::datatypes::{DataType, Field, Schema, TimeUnit};
use datafusion::common::DFSchema;
use datafusion::optimizer::simplify_expressions::{ExprSimplifier, SimplifyContext};
use datafusion::physical_expr::PhysicalExpr;
use datafusion::prelude::SessionContext;
use datafusion::scalar::ScalarValue;

/// Values of claims, as SQL.
pub type Claims = [(&'static str, &'static str)];

pub struct Truth {
    context: SessionContext,
    schema: DFSchema,
    batch: RecordBatch,
}

fn arrow_type(name: &str) -> DataType {
    match name {
        "boolean" => DataType::Boolean,
        "int" => DataType::Int32,
        "bigint" => DataType::Int64,
        "double" => DataType::Float64,
        "decimal(9, 2)" => DataType::Decimal128(9, 2),
        "string" => DataType::Utf8View,
        "date" => DataType::Date32,
        "timestamp" => DataType::Timestamp(TimeUnit::Microsecond, None),
        other => panic!("no rows of type {other}"),
    }
}

/// A value of the protocol, exactly.
pub fn scalar(value: &TypedValue) -> ScalarValue {
    let data_type = arrow_type(&value.data_type);
    match &value.value {
        serde_json::Value::Null => ScalarValue::try_new_null(&data_type).unwrap(),
        serde_json::Value::String(text) => ScalarValue::try_from_string(text.clone(), &data_type).unwrap(),
        other => ScalarValue::try_from_string(other.to_string(), &data_type).unwrap(),
    }
}

impl Truth {
    /// Rows of values for each column.
    pub fn new(columns: &[Column], values: Vec<Vec<ScalarValue>>) -> Self {
        let field = |column: &Column| Field::new(&column.name, arrow_type(&column.data_type), column.nullable);
        let schema = Arc::new(Schema::new(columns.iter().map(field).collect::<Vec<_>>()));
        let arrays = values
            .into_iter()
            .map(|column| ScalarValue::iter_to_array(column).unwrap());
        let batch = RecordBatch::try_new(Arc::clone(&schema), arrays.collect()).unwrap();
        Self {
            context: SessionContext::new(),
            schema: DFSchema::try_from_qualified_schema("t", &schema).unwrap(),
            batch,
        }
    }

    /// The expression's value for each row; `None` where it fails.
    pub fn values(&self, sql: &str, claims: &Claims) -> Vec<Option<ScalarValue>> {
        self.evaluated(&self.physical(&bound(sql, claims), sql.contains("coalesce")))
    }

    /// Whether the predicate is true of each row, `None` where it fails: as it is written, and as the engine runs it, simplified
    /// with its claims known. A subject without a claim that it names is refused: that fails for every row.
    pub fn passes(&self, sql: &str, claims: &Claims) -> [Vec<Option<bool>>; 2] {
        let bound = bound(sql, claims);
        if bound.contains("$claims.") {
            return [None, None].map(|none| vec![none; self.batch.num_rows()]);
        }
        let written = sql.contains("coalesce");
        [written, true].map(|simplified| {
            let physical = self.physical(&bound, simplified);
            let rows = self.batch.num_rows();
            match physical.evaluate(&self.batch).and_then(|value| value.into_array(rows)) {
                // NULL may have no type: then it is true of no row.
                Ok(array) => array.as_boolean_opt().map_or_else(
                    || vec![Some(false); rows],
                    |truths| truths.iter().map(|truth| Some(truth == Some(true))).collect(),
                ),
                Err(_) => (0..rows)
                    .map(|row| one(&physical, &self.batch.slice(row, 1)).map(|value| is_true(Some(&value))))
                    .collect(),
            }
        })
    }

    fn evaluated(&self, physical: &Arc<dyn PhysicalExpr>) -> Vec<Option<ScalarValue>> {
        let rows = self.batch.num_rows();
        let whole = physical.evaluate(&self.batch).and_then(|value| value.into_array(rows));
        match whole {
            Ok(array) => (0..rows)
                .map(|row| Some(ScalarValue::try_from_array(&array, row).unwrap()))
                .collect(),
            Err(_) => (0..rows).map(|row| one(physical, &self.batch.slice(row, 1))).collect(),
        }
    }

    /// `simplified`: as the engine does it before it runs. Needed for what runs as CASE alone.
    fn physical(&self, sql: &str, simplified: bool) -> Arc<dyn PhysicalExpr> {
        let parsed = self.context.parse_sql_expr(sql, &self.schema);
        let mut expression = parsed.unwrap_or_else(|error| panic!("{sql}: {error}"));
        if simplified {
            let schema = Arc::new(self.schema.clone());
            let simplifier = ExprSimplifier::new(SimplifyContext::builder().with_schema(schema).build());
            let coerced = simplifier.coerce(expression, &self.schema).unwrap();
            // What cannot be folded fails for every row that it is evaluated on.
            expression = simplifier.simplify(coerced.clone()).unwrap_or(coerced);
        }
        self.context
            .create_physical_expr(expression, &self.schema)
            .unwrap_or_else(|error| panic!("{sql}: {error}"))
    }
}

fn bound(sql: &str, claims: &Claims) -> String {
    let bind = |sql: String, (name, value): &(&str, &str)| sql.replace(&format!("${name}"), value);
    claims.iter().fold(sql.to_string(), bind)
}

fn one(physical: &Arc<dyn PhysicalExpr>, row: &RecordBatch) -> Option<ScalarValue> {
    let array = physical.evaluate(row).ok()?.into_array(1).ok()?;
    ScalarValue::try_from_array(&array, 0).ok()
}

pub fn is_true(value: Option<&ScalarValue>) -> bool {
    matches!(value, Some(ScalarValue::Boolean(Some(true))))
}
