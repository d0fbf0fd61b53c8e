//! What an expression's value comes from.

use std::collections::BTreeSet;

use ambit_protocol::LineageHow;
use datafusion::common::Column;
use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::logical_expr::expr::{AggregateFunction, Case, InSubquery, SetComparison, WindowFunction};
use datafusion::logical_expr::{BinaryExpr, Expr, Operator, Subquery, WindowFunctionDefinition};

use super::inputs::{Inputs, Lost};
use super::scope::Scope;
use super::walk::Walk;

impl<'a> Walk<'a> {
    #[recursive::recursive]
    pub(super) fn expression(&mut self, expression: &'a Expr, scope: &Scope<'a>) -> Result<Inputs, Lost> {
        match expression {
            Expr::Alias(alias) => self.expression(&alias.expr, scope),
            Expr::Column(column) => named(column, scope),
            Expr::OuterReferenceColumn(_, column) => self.outer_column(column),
            Expr::Case(case) => self.case(case, scope),
            Expr::AggregateFunction(function) => self.aggregate_function(function, scope),
            Expr::WindowFunction(function) => self.window_function(function, scope),
            Expr::ScalarSubquery(subquery) => {
                let answer = self.subquery(subquery, scope)?;
                self.ledger.union(&[first(&answer.columns), answer.rows])
            }
            // What it selects is not looked at.
            Expr::Exists(exists) => Ok(self.subquery(&exists.subquery, scope)?.rows),
            Expr::InSubquery(InSubquery { expr, subquery, .. })
            | Expr::SetComparison(SetComparison { expr, subquery, .. }) => {
                let own = self.expression(expr, scope)?;
                let answer = self.subquery(subquery, scope)?;
                let sets = [own, first(&answer.columns), answer.rows];
                self.ledger.through(&sets, LineageHow::Transformation)
            }
            // Of a count that is of rows: the planner of counts puts a constant in its place where it is there.
            #[expect(deprecated, reason = "plans hold it until it is removed")]
            Expr::Wildcard { .. } => {
                let columns: Vec<Inputs> = scope.iter().flat_map(|part| part.relation.columns.clone()).collect();
                self.ledger.through(&columns, LineageHow::Transformation)
            }
            // The rest computes its value from its operands, whatever it is: functions, operators, casts, lambdas, whose
            // variables hold what comes in by another operand.
            other => {
                let mut operands = Vec::new();
                let _ = other.apply_children(|operand| {
                    operands.push(operand);
                    Ok(TreeNodeRecursion::Continue)
                });
                self.expressions(operands, LineageHow::Transformation, scope)
            }
        }
    }

    /// All of them, gone on.
    pub(super) fn expressions(
        &mut self,
        expressions: impl IntoIterator<Item = &'a Expr>,
        how: LineageHow,
        scope: &Scope<'a>,
    ) -> Result<Inputs, Lost> {
        let sets: Result<Vec<Inputs>, Lost> = expressions
            .into_iter()
            .map(|expression| self.expression(expression, scope))
            .collect();
        self.ledger.through(&sets?, how)
    }

    fn case(&mut self, case: &'a Case, scope: &Scope<'a>) -> Result<Inputs, Lost> {
        let Case {
            expr,
            when_then_expr,
            else_expr,
        } = case;
        let asked = expr.iter().chain(when_then_expr.iter().map(|(when, _)| when));
        let asked = self.expressions(asked.map(AsRef::as_ref), LineageHow::Conditional, scope)?;
        let given = when_then_expr.iter().map(|(_, then)| then).chain(else_expr);
        let given = self.expressions(given.map(AsRef::as_ref), LineageHow::Transformation, scope)?;
        self.ledger.union(&[asked, given])
    }

    fn aggregate_function(&mut self, function: &'a AggregateFunction, scope: &Scope<'a>) -> Result<Inputs, Lost> {
        let params = &function.params;
        // Says which columns the row is grouped by, whatever their values are.
        if function.func.name() == "grouping" {
            return Ok(Inputs::default());
        }
        // A count of rows, which are behind every column as they are.
        #[expect(deprecated, reason = "plans hold it until it is removed")]
        let args = params.args.iter().filter(|arg| !matches!(arg, Expr::Wildcard { .. }));
        let sets = [
            self.expressions(args, LineageHow::Aggregation, scope)?,
            self.expressions(params.filter.as_deref(), LineageHow::Filter, scope)?,
            self.expressions(params.order_by.iter().map(|sort| &sort.expr), LineageHow::Sort, scope)?,
        ];
        self.ledger.union(&sets)
    }

    fn window_function(&mut self, function: &'a WindowFunction, scope: &Scope<'a>) -> Result<Inputs, Lost> {
        let params = &function.params;
        let how = match function.fun {
            WindowFunctionDefinition::AggregateUDF(_) => LineageHow::Aggregation,
            // A value of another row, or a place in the order.
            WindowFunctionDefinition::WindowUDF(_) => LineageHow::Transformation,
        };
        #[expect(deprecated, reason = "plans hold it until it is removed")]
        let args = params.args.iter().filter(|arg| !matches!(arg, Expr::Wildcard { .. }));
        let order = params.order_by.iter().map(|sort| &sort.expr);
        let sets = [
            self.expressions(args, how, scope)?,
            self.expressions(params.partition_by.iter().chain(order), LineageHow::Window, scope)?,
            self.expressions(params.filter.as_deref(), LineageHow::Filter, scope)?,
        ];
        self.ledger.union(&sets)
    }

    /// A condition that rows must meet. What it equates between two relations joins them, wherever it is written.
    pub(super) fn condition(&mut self, condition: &'a Expr, joins: bool, scope: &Scope<'a>) -> Result<Inputs, Lost> {
        let mut parts = vec![condition];
        let mut sets = Vec::new();
        while let Some(part) = parts.pop() {
            match part {
                Expr::BinaryExpr(BinaryExpr {
                    left,
                    op: Operator::And,
                    right,
                }) => parts.extend([left.as_ref(), right.as_ref()]),
                _ => {
                    let how = if joins && equates_relations(part) {
                        LineageHow::Join
                    } else {
                        LineageHow::Filter
                    };
                    sets.push(self.expressions([part], how, scope)?);
                }
            }
        }
        self.ledger.union(&sets)
    }

    fn subquery(&mut self, subquery: &'a Subquery, scope: &Scope<'a>) -> Result<super::scope::Relation, Lost> {
        self.within(scope.to_vec(), |walk| walk.relation(&subquery.subquery))
    }
}

/// The value of a subquery.
fn first(columns: &[Inputs]) -> Inputs {
    columns.first().cloned().unwrap_or_default()
}

fn named(column: &Column, scope: &Scope<'_>) -> Result<Inputs, Lost> {
    let found = scope.iter().find_map(|part| part.find(column));
    found.cloned().ok_or(Lost::Widen)
}

fn equates_relations(condition: &Expr) -> bool {
    let Expr::BinaryExpr(BinaryExpr { left, op, right }) = condition else {
        return false;
    };
    if !matches!(op, Operator::Eq | Operator::IsNotDistinctFrom) {
        return false;
    }
    match (relations(left), relations(right)) {
        (Some(left), Some(right)) => !left.is_empty() && !right.is_empty() && left.is_disjoint(&right),
        _ => false,
    }
}

/// Relations that an expression names columns of, those of enclosing queries apart. `None`: not all are known.
fn relations(expression: &Expr) -> Option<BTreeSet<(bool, String)>> {
    let mut found = BTreeSet::new();
    let mut known = true;
    let _ = expression.apply(|part| {
        match part {
            Expr::Column(Column { relation: Some(of), .. }) => {
                found.insert((false, of.to_string()));
            }
            Expr::OuterReferenceColumn(_, Column { relation: Some(of), .. }) => {
                found.insert((true, of.to_string()));
            }
            Expr::Column(_)
            | Expr::OuterReferenceColumn(..)
            | Expr::ScalarSubquery(_)
            | Expr::Exists(_)
            | Expr::InSubquery(_)
            | Expr::SetComparison(_) => known = false,
            _ => {}
        }
        Ok(TreeNodeRecursion::Continue)
    });
    known.then_some(found)
}
