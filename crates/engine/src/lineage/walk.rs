//! What each step of a bound plan hands on.

use std::rc::Rc;
use std::sync::Arc;

use ambit_protocol::LineageHow;
use datafusion::common::{Column, JoinType};
use datafusion::datasource::cte_worktable::CteWorkTable;
use datafusion::datasource::source_as_provider;
use datafusion::logical_expr::utils::grouping_set_to_exprlist;
use datafusion::logical_expr::{
    Aggregate, Distinct, DistinctOn, Expr, Join, LogicalPlan, TableScan, Union, Unnest, Values, Window,
};

use super::inputs::{Inputs, Ledger, Lost, Origin};
use super::scope::{Part, Relation};
use crate::governed::GovernedTable;
use crate::series::Series;

/// One walk over one plan.
pub(super) struct Walk<'a> {
    pub ledger: Ledger,
    /// What enclosing queries let a subquery name, the innermost last.
    outer: Vec<Vec<Rc<Part<'a>>>>,
    /// What stands to the left in the FROM that is walked: LATERAL names it.
    lefts: Vec<Rc<Part<'a>>>,
    /// Names and numbers of recursive queries whose recursive term is walked, the innermost last.
    pub recursive: Vec<(&'a str, usize)>,
    /// Recursive queries so far.
    pub queries: usize,
}

impl<'a> Walk<'a> {
    pub(super) fn new() -> Self {
        Self {
            ledger: Ledger::new(),
            outer: Vec::new(),
            lefts: Vec::new(),
            recursive: Vec::new(),
            queries: 0,
        }
    }

    #[recursive::recursive]
    pub(super) fn relation(&mut self, plan: &'a LogicalPlan) -> Result<Relation, Lost> {
        match plan {
            LogicalPlan::Projection(step) => {
                let input = self.part(&step.input)?;
                self.projected(&step.expr, &input)
            }
            LogicalPlan::Filter(step) => {
                let joins = matches!(
                    step.input.as_ref(),
                    LogicalPlan::Join(_) | LogicalPlan::TableScan(_) | LogicalPlan::SubqueryAlias(_)
                );
                let input = self.part(&step.input)?;
                let asked = self.condition(&step.predicate, joins, &[Rc::clone(&input)])?;
                self.decided(&input.relation, asked)
            }
            LogicalPlan::Sort(step) => {
                let input = self.part(&step.input)?;
                let keys = step.expr.iter().map(|sort| &sort.expr);
                let keys = self.expressions(keys, LineageHow::Sort, &[Rc::clone(&input)])?;
                self.decided(&input.relation, keys)
            }
            LogicalPlan::Limit(step) => {
                let input = self.relation(&step.input)?;
                let counts = step.skip.iter().chain(&step.fetch).map(AsRef::as_ref);
                let counts = self.expressions(counts, LineageHow::Filter, &[])?;
                self.decided(&input, counts)
            }
            LogicalPlan::Window(step) => self.window(step),
            LogicalPlan::Aggregate(step) => self.aggregate(step),
            LogicalPlan::Distinct(Distinct::All(input)) => {
                let input = self.relation(input)?;
                let all = self.ledger.through(&input.columns, LineageHow::GroupBy)?;
                self.decided(&input, all)
            }
            LogicalPlan::Distinct(Distinct::On(step)) => self.distinct_on(step),
            LogicalPlan::Join(step) => self.join(step),
            LogicalPlan::Union(step) => self.union(step),
            LogicalPlan::Unnest(step) => self.unnest(step),
            LogicalPlan::RecursiveQuery(step) => self.recursive_query(step),
            LogicalPlan::TableScan(step) => self.scan(step),
            LogicalPlan::Values(step) => self.values(step),
            LogicalPlan::EmptyRelation(step) => Ok(Relation {
                columns: vec![Inputs::default(); step.schema.fields().len()],
                rows: Inputs::default(),
            }),
            // In FROM: what LATERAL makes.
            LogicalPlan::Subquery(step) => {
                let lefts = self.lefts.iter().rev().cloned().collect();
                self.within(lefts, |walk| walk.relation(&step.subquery))
            }
            LogicalPlan::SubqueryAlias(step) => self.relation(&step.input),
            LogicalPlan::Repartition(step) => self.relation(&step.input),
            other => Err(Lost::Unknown(other.display().to_string())),
        }
    }

    fn part(&mut self, plan: &'a LogicalPlan) -> Result<Rc<Part<'a>>, Lost> {
        Ok(Part::new(plan.schema(), self.relation(plan)?))
    }

    /// Walks a subquery, which may name what `scope` holds.
    pub(super) fn within<T>(
        &mut self,
        scope: Vec<Rc<Part<'a>>>,
        walk: impl FnOnce(&mut Self) -> Result<T, Lost>,
    ) -> Result<T, Lost> {
        self.outer.push(scope);
        let lefts = std::mem::take(&mut self.lefts);
        let found = walk(self);
        self.lefts = lefts;
        self.outer.pop();
        found
    }

    /// The innermost query that has the column is meant, as DataFusion's planner looks it up.
    pub(super) fn outer_column(&self, column: &Column) -> Result<Inputs, Lost> {
        let mut parts = self.outer.iter().rev().flatten();
        parts.find_map(|part| part.find(column)).cloned().ok_or(Lost::Widen)
    }

    /// The same columns, of rows that more decides on.
    fn decided(&mut self, input: &Relation, more: Inputs) -> Result<Relation, Lost> {
        Ok(Relation {
            columns: input.columns.clone(),
            rows: self.ledger.union(&[input.rows.clone(), more])?,
        })
    }

    fn projected(&mut self, expressions: &'a [Expr], input: &Rc<Part<'a>>) -> Result<Relation, Lost> {
        let scope = [Rc::clone(input)];
        let columns: Result<Vec<Inputs>, Lost> = expressions
            .iter()
            .map(|expression| self.expression(expression, &scope))
            .collect();
        Ok(Relation {
            columns: columns?,
            rows: input.relation.rows.clone(),
        })
    }

    fn window(&mut self, step: &'a Window) -> Result<Relation, Lost> {
        let input = self.part(&step.input)?;
        let windows = self.projected(&step.window_expr, &input)?;
        Ok(Relation {
            columns: [input.relation.columns.clone(), windows.columns].concat(),
            rows: windows.rows,
        })
    }

    fn aggregate(&mut self, step: &'a Aggregate) -> Result<Relation, Lost> {
        let input = self.part(&step.input)?;
        let scope = [Rc::clone(&input)];
        let keys = grouping_set_to_exprlist(&step.group_expr).map_err(|_| Lost::Widen)?;
        let keys: Result<Vec<Inputs>, Lost> = keys.into_iter().map(|key| self.expression(key, &scope)).collect();
        let keys = keys?;
        let grouped = self.ledger.through(&keys, LineageHow::GroupBy)?;
        let rows = self.ledger.union(&[input.relation.rows.clone(), grouped])?;
        let mut columns = keys;
        // The number of the grouping set.
        if matches!(step.group_expr.first(), Some(Expr::GroupingSet(_))) {
            columns.push(Inputs::default());
        }
        columns.extend(self.projected(&step.aggr_expr, &input)?.columns);
        Ok(Relation { columns, rows })
    }

    fn distinct_on(&mut self, step: &'a DistinctOn) -> Result<Relation, Lost> {
        let input = self.part(&step.input)?;
        let scope = [Rc::clone(&input)];
        let shown = self.projected(&step.select_expr, &input)?;
        let keys = self.expressions(&step.on_expr, LineageHow::GroupBy, &scope)?;
        let order = step.sort_expr.iter().flatten().map(|sort| &sort.expr);
        let order = self.expressions(order, LineageHow::Sort, &scope)?;
        let rows = self.ledger.union(&[shown.rows, keys, order])?;
        Ok(Relation {
            columns: shown.columns,
            rows,
        })
    }

    fn join(&mut self, step: &'a Join) -> Result<Relation, Lost> {
        let left = self.part(&step.left)?;
        self.lefts.push(Rc::clone(&left));
        let right = self.part(&step.right);
        self.lefts.pop();
        let right = right?;
        let (of_left, of_right) = ([Rc::clone(&left)], [Rc::clone(&right)]);
        let both = [Rc::clone(&left), Rc::clone(&right)];
        let met = [
            self.expressions(step.on.iter().map(|(key, _)| key), LineageHow::Join, &of_left)?,
            self.expressions(step.on.iter().map(|(_, key)| key), LineageHow::Join, &of_right)?,
            self.expressions(step.filter.as_ref(), LineageHow::Join, &both)?,
        ];
        let met = self.ledger.union(&met)?;
        let (left, right) = (&left.relation, &right.relation);
        let columns = match step.join_type {
            JoinType::Inner | JoinType::Left | JoinType::Right | JoinType::Full => {
                [left.columns.clone(), right.columns.clone()].concat()
            }
            JoinType::LeftSemi | JoinType::LeftAnti => left.columns.clone(),
            JoinType::RightSemi | JoinType::RightAnti => right.columns.clone(),
            // All rows of one side stay; the mark alone says whether the other has one for it.
            JoinType::LeftMark | JoinType::RightMark => {
                let (kept, asked) = if step.join_type == JoinType::LeftMark {
                    (left, right)
                } else {
                    (right, left)
                };
                let mark = self.ledger.union(&[asked.rows.clone(), met])?;
                return Ok(Relation {
                    columns: [kept.columns.clone(), vec![mark]].concat(),
                    rows: kept.rows.clone(),
                });
            }
        };
        let rows = self.ledger.union(&[left.rows.clone(), right.rows.clone(), met])?;
        Ok(Relation { columns, rows })
    }

    fn union(&mut self, step: &'a Union) -> Result<Relation, Lost> {
        let inputs: Result<Vec<Relation>, Lost> = step.inputs.iter().map(|input| self.relation(input)).collect();
        let inputs = inputs?;
        self.merged(&inputs, step.schema.fields().len())
    }

    /// Relations one after the other, their columns by position.
    pub(super) fn merged(&mut self, inputs: &[Relation], width: usize) -> Result<Relation, Lost> {
        let rows: Vec<Inputs> = inputs.iter().map(|input| input.rows.clone()).collect();
        let mut columns = Vec::with_capacity(width);
        for position in 0..width {
            let sets: Option<Vec<Inputs>> = inputs.iter().map(|one| one.columns.get(position).cloned()).collect();
            columns.push(self.ledger.union(&sets.ok_or(Lost::Widen)?)?);
        }
        Ok(Relation {
            columns,
            rows: self.ledger.union(&rows)?,
        })
    }

    /// Each row meets the elements of its lists: how many those are decides on the rows.
    fn unnest(&mut self, step: &'a Unnest) -> Result<Relation, Lost> {
        let input = self.relation(&step.input)?;
        let list = |position: &usize| step.list_type_columns.iter().any(|(at, _)| at == position);
        let mut columns = Vec::new();
        let mut lists = Vec::new();
        for position in &step.dependency_indices {
            let of = input.columns.get(*position).cloned().ok_or(Lost::Widen)?;
            if list(position) {
                lists.push(of.clone());
            }
            let taken_apart = list(position) || step.struct_type_columns.contains(position);
            columns.push(if taken_apart {
                self.ledger.through(&[of], LineageHow::Transformation)?
            } else {
                of
            });
        }
        let lists = self.ledger.through(&lists, LineageHow::Join)?;
        let rows = self.ledger.union(&[input.rows, lists])?;
        Ok(Relation { columns, rows })
    }

    fn values(&mut self, step: &'a Values) -> Result<Relation, Lost> {
        let width = step.schema.fields().len();
        let rows: Result<Vec<Relation>, Lost> = step
            .values
            .iter()
            .map(|row| {
                let columns: Result<Vec<Inputs>, Lost> = row.iter().map(|value| self.expression(value, &[])).collect();
                Ok(Relation {
                    columns: columns?,
                    rows: Inputs::default(),
                })
            })
            .collect();
        self.merged(&rows?, width)
    }

    fn scan(&mut self, step: &'a TableScan) -> Result<Relation, Lost> {
        let fields = step.projected_schema.fields();
        if let Some((table, compiled)) = GovernedTable::of(&step.source) {
            let mut number = |column: &str, how: LineageHow| {
                let origin = Origin::Column {
                    table: Arc::clone(&table),
                    column: column.to_string(),
                    masked: compiled.masks.contains_key(column),
                };
                Ok(Inputs::one(self.ledger.number(origin)?, how))
            };
            let columns: Result<Vec<Inputs>, Lost> = fields
                .iter()
                .map(|field| number(field.name(), LineageHow::Identity))
                .collect();
            // No binding puts a filter into a scan; optimizers do.
            let filters = step.filters.iter().flat_map(Expr::column_refs);
            let filters: Result<Vec<Inputs>, Lost> =
                filters.map(|column| number(&column.name, LineageHow::Filter)).collect();
            return Ok(Relation {
                columns: columns?,
                rows: self.ledger.union(&filters?)?,
            });
        }
        // Rows made of constants.
        if Series::function(&step.source).is_some() {
            return Ok(Relation {
                columns: vec![Inputs::default(); fields.len()],
                rows: Inputs::default(),
            });
        }
        let provider = source_as_provider(&step.source).ok();
        let table = provider
            .as_ref()
            .and_then(|provider| provider.downcast_ref::<CteWorkTable>());
        match table {
            Some(table) => self.pending(table.name(), &table.schema(), step),
            None => Err(Lost::Unknown(format!("a scan of `{}`", step.table_name))),
        }
    }
}
