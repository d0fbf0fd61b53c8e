//! What stands in FROM: tables, views, derived tables, VALUES, and joins of them; and subqueries in expressions.

use crate::expressions::{Reach, Scope, Ty};
use crate::queries::Maker;

impl Maker<'_> {
    /// A relation and its columns.
    pub fn relation(&mut self, depth: usize) -> (String, Scope) {
        if depth == 0 || self.draw.chance(50) {
            return self.single(depth);
        }
        let (left, left_scope) = self.relation(depth - 1);
        let (right, right_scope) = self.single(depth - 1);
        let mut both: Scope = left_scope.clone();
        both.extend(right_scope.clone());
        let kinds = [
            "JOIN",
            "LEFT JOIN",
            "RIGHT JOIN",
            "FULL JOIN",
            "CROSS JOIN",
            "LEFT SEMI JOIN",
            "LEFT ANTI JOIN",
            "RIGHT SEMI JOIN",
            "RIGHT ANTI JOIN",
        ];
        let kind = *self.draw.pick(&kinds);
        self.feature(match kind {
            "JOIN" => "inner join",
            "LEFT JOIN" => "left join",
            "RIGHT JOIN" => "right join",
            "FULL JOIN" => "full join",
            "CROSS JOIN" => "cross join",
            "LEFT SEMI JOIN" | "RIGHT SEMI JOIN" => "semi join",
            _ => "anti join",
        });
        if kind == "CROSS JOIN" {
            return (format!("{left} CROSS JOIN {right}"), both);
        }
        let condition = self.join_condition(&left_scope, &right_scope, &both);
        let sql = format!("{left} {kind} {right} ON {condition}");
        let scope = match kind {
            "LEFT SEMI JOIN" | "LEFT ANTI JOIN" => left_scope,
            "RIGHT SEMI JOIN" | "RIGHT ANTI JOIN" => right_scope,
            _ => both,
        };
        (sql, scope)
    }

    fn join_condition(&mut self, left: &Scope, right: &Scope, both: &Scope) -> String {
        let ty = [Ty::Int, Ty::Int, Ty::Text, Ty::Date][self.draw.below(4)];
        let equal = match (self.column(left, ty), self.column(right, ty)) {
            (Some(a), Some(b)) => format!("{a} = {b}"),
            _ => self.predicate(both, 1),
        };
        if self.draw.chance(25) {
            let more = self.predicate(both, 2);
            return format!("{equal} AND {more}");
        }
        if self.draw.chance(15) {
            let (a, b) = (self.expression(left, Ty::Int, 2), self.expression(right, Ty::Int, 1));
            return format!("{a} = {b}");
        }
        equal
    }

    fn single(&mut self, depth: usize) -> (String, Scope) {
        let choice = self.draw.below(20);
        if depth > 0 && choice >= 16 {
            self.feature("derived table");
            let (query, columns) = self.query(depth - 1);
            let alias = self.alias();
            return (format!("({query}) AS {alias}"), qualified(&alias, &columns));
        }
        if choice == 15 {
            self.feature("values");
            let alias = self.alias();
            let sql = format!("(VALUES (1, 'ann'), (4, '7'), (NULL, 'b')) AS {alias}(v, w)");
            return (sql, qualified(&alias, &[("v".into(), Ty::Int), ("w".into(), Ty::Text)]));
        }
        if choice == 14 {
            self.feature("series");
            let alias = self.alias();
            let sql = *self.draw.pick(&["range(0, 7)", "generate_series(9, 1, -2)"]);
            return (
                format!("{sql} AS {alias}(v)"),
                qualified(&alias, &[("v".into(), Ty::Int)]),
            );
        }
        if !self.ctes.is_empty() && choice >= 10 {
            let (name, columns) = self.ctes[self.draw.below(self.ctes.len())].clone();
            let alias = self.alias();
            return (format!("{name} AS {alias}"), qualified(&alias, &columns));
        }
        if choice == 9 && self.world.views.contains_key("v0") {
            self.feature("view");
            let columns = self.columns_of(0);
            let alias = self.alias();
            return (format!("v0 AS {alias}"), qualified(&alias, &columns));
        }
        let granted = self.world.granted().count();
        let index = self.draw.below(granted);
        let columns = self.columns_of(index);
        let alias = self.alias();
        let prefix = ["", "", "public.", "ambit.public."][self.draw.below(4)];
        (format!("{prefix}t{index} AS {alias}"), qualified(&alias, &columns))
    }

    pub fn columns_of(&self, index: usize) -> Vec<(String, Ty)> {
        let table = self.world.granted().nth(index);
        let columns = table.into_iter().flat_map(|table| table.shown());
        columns
            .map(|column| (column.name.clone(), column.kind.into()))
            .collect()
    }

    /// IN, EXISTS, ANY, or a scalar subquery, correlated at times.
    pub fn subquery_predicate(&mut self, outer: &Scope) -> String {
        let (from, inner) = self.relation(0);
        let mut both = inner.clone();
        if self.draw.chance(50) {
            self.feature("correlated");
            both.extend(outer.iter().cloned());
        }
        let ty = [Ty::Int, Ty::Text][self.draw.below(2)];
        match self.draw.below(4) {
            0 => {
                let (a, b) = (self.expression(outer, ty, 1), self.expression(&inner, ty, 1));
                let condition = self.predicate(&inner, 1);
                let not = ["", "NOT "][self.draw.below(2)];
                format!("({a} {not}IN (SELECT {b} FROM {from} WHERE {condition}))")
            }
            1 => {
                let condition = self.correlation(outer, &inner, &both);
                let not = ["", "NOT "][self.draw.below(2)];
                format!("({not}EXISTS (SELECT 1 FROM {from} WHERE {condition}))")
            }
            2 => {
                let a = self.expression(outer, Ty::Int, 1);
                let b = self.expression(&inner, Ty::Int, 1);
                format!("({a} > (SELECT max({b}) FROM {from}))")
            }
            _ => {
                let condition = self.correlation(outer, &inner, &both);
                format!("((SELECT count(*) FROM {from} WHERE {condition}) > 1)")
            }
        }
    }

    fn correlation(&mut self, outer: &Scope, inner: &Scope, both: &Scope) -> String {
        match (self.column(outer, Ty::Int), self.column(inner, Ty::Int)) {
            (Some(a), Some(b)) if both.len() > inner.len() => format!("{b} = {a}"),
            _ => self.predicate(inner, 1),
        }
    }
}

pub fn qualified(alias: &str, columns: &[(String, Ty)]) -> Scope {
    let reach = |(name, ty): &(String, Ty)| Reach {
        sql: format!("{alias}.\"{name}\""),
        ty: *ty,
    };
    columns.iter().map(reach).collect()
}
