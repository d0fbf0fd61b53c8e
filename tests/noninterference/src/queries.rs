//! Queries over a world, from the grammar of what the gate admits.

use std::collections::BTreeSet;

use crate::draw::Draw;
use crate::expressions::{PLAIN, Scope, Ty};
use crate::relations::qualified;
use crate::world::World;

/// A query and what is known of it.
#[derive(Debug, Clone)]
pub struct Query {
    pub sql: String,
    /// Whether the order of its rows is asked for.
    pub ordered: bool,
    /// Whether the rows that are answered depend on an order that nobody asked for.
    pub arbitrary: bool,
    /// Whether an expression of it can fail.
    pub fallible: bool,
    pub features: BTreeSet<&'static str>,
}

pub struct Maker<'a> {
    pub draw: &'a mut Draw,
    pub world: &'a World,
    pub ctes: Vec<(String, Vec<(String, Ty)>)>,
    pub fallible: bool,
    arbitrary: bool,
    features: BTreeSet<&'static str>,
    aliases: usize,
}

type Columns = Vec<(String, Ty)>;

/// Draws a query.
pub fn draw(draw: &mut Draw, world: &World) -> Query {
    let mut maker = Maker {
        draw,
        world,
        ctes: vec![],
        fallible: false,
        arbitrary: false,
        features: BTreeSet::new(),
        aliases: 0,
    };
    let (mut sql, mut ordered) = maker.statement();
    if maker.draw.chance(2) {
        (sql, ordered) = (maker.unknown_name(&sql), false);
    }
    Query {
        sql,
        ordered,
        arbitrary: maker.arbitrary,
        fallible: maker.fallible,
        features: maker.features,
    }
}

impl Maker<'_> {
    pub fn feature(&mut self, feature: &'static str) {
        self.features.insert(feature);
    }

    pub fn alias(&mut self) -> String {
        self.aliases += 1;
        format!("r{}", self.aliases)
    }

    fn statement(&mut self) -> (String, bool) {
        let mut with = String::new();
        if self.draw.chance(12) {
            self.feature("with");
            let (query, columns) = self.query(1);
            with = format!("WITH w AS ({query}) ");
            self.ctes.push(("w".into(), columns));
        } else if self.draw.chance(6) {
            with = self.recursive();
        }
        let (query, columns) = self.query(2);
        let (query, ordered) = self.order(query, &columns);
        (with + &query, ordered)
    }

    /// A walk along `n` that ends.
    fn recursive(&mut self) -> String {
        self.feature("recursive with");
        let (from, scope) = self.relation(0);
        let start = self.column(&scope, Ty::Int).unwrap_or_else(|| "1".into());
        let (next, inner) = self.relation(0);
        let key = self.column(&inner, Ty::Int).unwrap_or_else(|| "1".into());
        self.ctes
            .push(("walk".into(), vec![("k".into(), Ty::Int), ("depth".into(), Ty::Int)]));
        format!(
            "WITH RECURSIVE walk AS (SELECT DISTINCT CAST({start} AS BIGINT) AS k, 0 AS depth FROM {from} UNION ALL \
             SELECT CAST({key} AS BIGINT) + 1 AS k, walk.depth + 1 AS depth FROM walk JOIN {next} ON walk.k = {key} \
             WHERE walk.depth < 2) "
        )
    }

    /// A query and the columns that it puts out.
    pub fn query(&mut self, depth: usize) -> (String, Columns) {
        if depth > 0 && self.draw.chance(12) {
            return self.set_operation(depth - 1);
        }
        let (from, scope) = self.relation(depth);
        let condition = if self.draw.chance(55) {
            format!(" WHERE {}", self.predicate(&scope, 2))
        } else {
            String::new()
        };
        match self.draw.below(10) {
            0..=4 => self.plain(&from, &scope, &condition),
            5..=7 => self.grouped(&from, &scope, &condition),
            8 => self.windowed(&from, &scope, &condition),
            _ => self.starred(&from, &scope, &condition),
        }
    }

    fn set_operation(&mut self, depth: usize) -> (String, Columns) {
        self.feature("set operation");
        let (a, a_scope) = self.relation(depth);
        let (b, b_scope) = self.relation(depth);
        let types = [Ty::Int, Ty::Text];
        let mut sides = Vec::new();
        for (from, scope) in [(a, a_scope), (b, b_scope)] {
            let items: Vec<String> = types
                .iter()
                .enumerate()
                .map(|(index, ty)| {
                    let value = self.expression(&scope, *ty, 1);
                    let name = if *ty == Ty::Int { "BIGINT" } else { "VARCHAR" };
                    format!("CAST({value} AS {name}) AS c{index}")
                })
                .collect();
            let condition = self.predicate(&scope, 1);
            sides.push(format!("SELECT {} FROM {from} WHERE {condition}", items.join(", ")));
        }
        let operator = ["UNION ALL", "UNION", "INTERSECT", "EXCEPT"][self.draw.below(4)];
        let columns = vec![("c0".into(), Ty::Int), ("c1".into(), Ty::Text)];
        (sides.join(&format!(" {operator} ")), columns)
    }

    fn items(&mut self, scope: &Scope, depth: usize) -> (Vec<String>, Columns) {
        let (mut items, mut columns) = (Vec::new(), Columns::new());
        for index in 0..self.draw.between(1, 3) {
            let reach = self.any_column(scope);
            let (sql, ty) = if self.draw.chance(45) {
                let ty = *self.draw.pick(&PLAIN);
                (self.expression(scope, ty, depth), ty)
            } else {
                (reach.sql, reach.ty)
            };
            items.push(format!("{sql} AS c{index}"));
            columns.push((format!("c{index}"), ty));
        }
        (items, columns)
    }

    fn plain(&mut self, from: &str, scope: &Scope, condition: &str) -> (String, Columns) {
        let (mut items, mut columns) = self.items(scope, 2);
        if self.draw.chance(10) {
            self.feature("scalar subquery");
            let (inner, inner_scope) = self.relation(0);
            let value = self.expression(&inner_scope, Ty::Int, 1);
            let aggregate = ["count", "max", "min"][self.draw.below(3)];
            items.push(format!("(SELECT {aggregate}({value}) FROM {inner}) AS q"));
            columns.push(("q".into(), Ty::Int));
        }
        if self.draw.chance(10)
            && let Some(list) = self.column(scope, Ty::List)
        {
            self.feature("unnest");
            items.push(format!("unnest({list}) AS u"));
            columns.push(("u".into(), Ty::Int));
        }
        let distinct = if self.draw.chance(15) {
            self.feature("distinct");
            "DISTINCT "
        } else {
            ""
        };
        (
            format!("SELECT {distinct}{} FROM {from}{condition}", items.join(", ")),
            columns,
        )
    }

    fn starred(&mut self, from: &str, scope: &Scope, condition: &str) -> (String, Columns) {
        self.feature("star");
        // Names that two sides share could not be named from outside.
        let single = !from.contains(" JOIN ");
        if !single {
            let reach = self.any_column(scope);
            return (
                format!("SELECT {} AS c0 FROM {from}{condition}", reach.sql),
                vec![("c0".into(), reach.ty)],
            );
        }
        let name = |sql: &str| {
            sql.rsplit_once(".\"")
                .map_or(sql, |(_, name)| name)
                .trim_end_matches('"')
                .to_string()
        };
        let columns = scope.iter().map(|reach| (name(&reach.sql), reach.ty)).collect();
        (format!("SELECT * FROM {from}{condition}"), columns)
    }

    fn grouped(&mut self, from: &str, scope: &Scope, condition: &str) -> (String, Columns) {
        self.feature("aggregate");
        let (mut items, mut columns, mut keys) = (Vec::new(), Columns::new(), Vec::new());
        for index in 0..self.draw.below(3) {
            let ty = [Ty::Int, Ty::Text, Ty::Bool, Ty::Date][self.draw.below(4)];
            let key = self.column(scope, ty).unwrap_or_else(|| self.expression(scope, ty, 1));
            let key = if self.draw.chance(20) {
                self.expression(scope, ty, 2)
            } else {
                key
            };
            if !keys.contains(&key) && key.contains('.') {
                items.push(format!("{key} AS g{index}"));
                columns.push((format!("g{index}"), ty));
                keys.push(key);
            }
        }
        for index in 0..self.draw.between(1, 2) {
            let (sql, ty) = self.aggregate(scope);
            items.push(format!("{sql} AS a{index}"));
            columns.push((format!("a{index}"), ty));
        }
        let mut sql = format!("SELECT {} FROM {from}{condition}", items.join(", "));
        if !keys.is_empty() {
            let list = keys.join(", ");
            sql += &match self.draw.below(12) {
                9 => self.sets(format!(" GROUP BY ROLLUP ({list})")),
                10 => self.sets(format!(" GROUP BY CUBE ({list})")),
                11 => self.sets(format!(" GROUP BY GROUPING SETS (({list}), ())")),
                _ => format!(" GROUP BY {list}"),
            };
            if self.draw.chance(15) {
                self.feature("having");
                let (value, _) = self.aggregate(scope);
                sql += &format!(" HAVING {value} IS NOT NULL");
            }
        }
        (sql, columns)
    }

    fn sets(&mut self, sql: String) -> String {
        self.feature("grouping sets");
        sql
    }

    fn aggregate(&mut self, scope: &Scope) -> (String, Ty) {
        let ty = *self.draw.pick(&PLAIN);
        let value = self.expression(scope, ty, 1);
        let filter = if self.draw.chance(10) {
            self.feature("aggregate filter");
            format!(" FILTER (WHERE {})", self.predicate(scope, 1))
        } else {
            String::new()
        };
        let int = self.expression(scope, Ty::Int, 1);
        match self.draw.below(9) {
            0 => (format!("count(*){filter}"), Ty::Int),
            1 => (format!("count({value}){filter}"), Ty::Int),
            2 => (format!("count(DISTINCT {value}){filter}"), Ty::Int),
            // Which of NaN and an infinity is the greater depends on the order of rows.
            3 | 4 if ty == Ty::Float => (format!("count({value}){filter}"), Ty::Int),
            3 => (format!("max({value}){filter}"), ty),
            4 => (format!("min({value}){filter}"), ty),
            5 => (format!("sum(CAST({int} AS DOUBLE)){filter}"), Ty::Float),
            6 => (format!("avg(CAST({int} AS DOUBLE)){filter}"), Ty::Float),
            7 => (format!("bool_or({}){filter}", self.predicate(scope, 1)), Ty::Bool),
            _ => (format!("sum({int} % 1000){filter}"), Ty::Int),
        }
    }

    /// Windows whose answer depends on no order but the one they ask for.
    fn windowed(&mut self, from: &str, scope: &Scope, condition: &str) -> (String, Columns) {
        self.feature("window");
        let (mut items, mut columns) = self.items(scope, 1);
        let partition = match self.column(scope, Ty::Text) {
            Some(column) if self.draw.chance(50) => format!("PARTITION BY {column} "),
            _ => String::new(),
        };
        let key = self.expression(scope, Ty::Int, 2);
        let (value, ty) = self.aggregate(scope);
        let function = match self.draw.below(6) {
            0 => ("rank()".to_string(), Ty::Int),
            1 => ("dense_rank()".to_string(), Ty::Int),
            2 => ("percent_rank()".to_string(), Ty::Float),
            _ if value.contains("DISTINCT") || value.contains("FILTER") => ("count(*)".to_string(), Ty::Int),
            _ => (value, ty),
        };
        items.push(format!("{} OVER ({partition}ORDER BY {key}) AS o", function.0));
        columns.push(("o".into(), function.1));
        (format!("SELECT {} FROM {from}{condition}", items.join(", ")), columns)
    }

    /// ORDER BY and LIMIT around the whole.
    fn order(&mut self, query: String, columns: &Columns) -> (String, bool) {
        let sortable = columns
            .iter()
            .all(|(_, ty)| !matches!(ty, Ty::List | Ty::Struct | Ty::Other));
        let inner = qualified("q", columns);
        match self.draw.below(10) {
            7 | 8 if sortable => {
                self.feature("order by");
                let mut keys: Vec<String> = inner.iter().map(|reach| reach.sql.clone()).collect();
                if self.draw.chance(30) {
                    let key = self.expression(&inner, Ty::Int, 2);
                    if key.contains("q.") {
                        keys.insert(0, key);
                    }
                }
                let direction = ["", " DESC", " NULLS FIRST", " DESC NULLS LAST"][self.draw.below(4)];
                keys[0] += direction;
                let mut sql = format!("SELECT q.* FROM ({query}) AS q ORDER BY {}", keys.join(", "));
                if self.draw.chance(60) {
                    self.feature("top");
                    sql += &format!(" LIMIT {}", self.draw.below(5));
                    if self.draw.chance(20) {
                        sql += " OFFSET 1";
                    }
                }
                (sql, true)
            }
            9 => {
                self.feature("limit");
                self.arbitrary = true;
                (
                    format!("SELECT q.* FROM ({query}) AS q LIMIT {}", self.draw.below(6)),
                    false,
                )
            }
            _ => (query, false),
        }
    }

    /// The same query with a name that is denied, or was never there.
    fn unknown_name(&mut self, sql: &str) -> String {
        self.feature("unknown name");
        let names = ["tenant", "nosuch"];
        let name = *self.draw.pick(&names);
        match self.draw.below(3) {
            0 => format!("SELECT {name} FROM t0"),
            1 => format!("SELECT z.* FROM ({sql}) AS z WHERE z.{name} = 'a'"),
            _ => [
                "SELECT * FROM raw_t0",
                "SELECT * FROM raw_map",
                "SELECT * FROM other.public.t0",
            ][self.draw.below(3)]
            .into(),
        }
    }
}
