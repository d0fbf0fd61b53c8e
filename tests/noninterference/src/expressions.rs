//! Expressions of a consumer, typed enough that most plan. Many can fail: on values that visible rows do not have, if
//! policy holds.

use crate::kinds::Kind;
use crate::queries::Maker;

/// What an expression is, as far as the grammar must know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ty {
    Int,
    Float,
    Decimal,
    Text,
    Bool,
    Date,
    Stamp,
    List,
    Struct,
    Other,
}

impl From<Kind> for Ty {
    fn from(kind: Kind) -> Self {
        match kind {
            Kind::Bigint | Kind::Int | Kind::Smallint => Self::Int,
            Kind::Double | Kind::Real => Self::Float,
            Kind::Decimal => Self::Decimal,
            Kind::Text | Kind::Code => Self::Text,
            Kind::Boolean => Self::Bool,
            Kind::Date => Self::Date,
            Kind::Timestamp => Self::Stamp,
            Kind::List => Self::List,
            Kind::Struct => Self::Struct,
            Kind::Timestamptz | Kind::Time | Kind::Binary => Self::Other,
        }
    }
}

/// A column in reach: its SQL, and its type.
#[derive(Debug, Clone)]
pub struct Reach {
    pub sql: String,
    pub ty: Ty,
}

pub type Scope = Vec<Reach>;

/// Types that literals can be made of.
pub const PLAIN: [Ty; 6] = [Ty::Int, Ty::Text, Ty::Bool, Ty::Float, Ty::Date, Ty::Decimal];

impl Maker<'_> {
    /// A column of this type, if there is one in reach.
    pub fn column(&mut self, scope: &Scope, ty: Ty) -> Option<String> {
        let fitting: Vec<&Reach> = scope.iter().filter(|reach| reach.ty == ty).collect();
        if fitting.is_empty() {
            return None;
        }
        Some(fitting[self.draw.below(fitting.len())].sql.clone())
    }

    pub fn any_column(&mut self, scope: &Scope) -> Reach {
        if scope.is_empty() {
            return Reach {
                sql: "1".into(),
                ty: Ty::Int,
            };
        }
        scope[self.draw.below(scope.len())].clone()
    }

    pub fn literal(&mut self, ty: Ty) -> String {
        let digit = self.draw.below(10);
        match ty {
            Ty::Int => digit.to_string(),
            Ty::Float => format!("CAST({digit}.5 AS DOUBLE)"),
            Ty::Decimal => format!("CAST({digit}.25 AS DECIMAL(12, 2))"),
            Ty::Text => [
                "'a'", "'ann'", "'7'", "''", "'bob'", "'hush'", "'%n'", "'***'", "'é'", "'a1'",
            ][digit]
                .into(),
            Ty::Bool => ["true", "false"][digit % 2].into(),
            Ty::Date => format!("DATE '2020-0{}-11'", digit.max(1)),
            Ty::Stamp => format!("TIMESTAMP '2020-0{}-11 01:02:03.5'", digit.max(1)),
            Ty::List => "[1, 2]".into(),
            Ty::Struct => "struct(1 AS a, 'b' AS b)".into(),
            Ty::Other => "NULL".into(),
        }
    }

    /// An expression of type `ty`; `depth` bounds how it nests.
    pub fn expression(&mut self, scope: &Scope, ty: Ty, depth: usize) -> String {
        if depth == 0 || self.draw.chance(35) {
            let column = if self.draw.chance(20) {
                None
            } else {
                self.column(scope, ty)
            };
            return column.unwrap_or_else(|| self.literal(ty));
        }
        if self.draw.chance(6) {
            let condition = self.predicate(scope, depth - 1);
            let (yes, no) = (
                self.expression(scope, ty, depth - 1),
                self.expression(scope, ty, depth - 1),
            );
            self.feature("case");
            return format!("CASE WHEN {condition} THEN {yes} ELSE {no} END");
        }
        if self.draw.chance(4) {
            let (one, other) = (
                self.expression(scope, ty, depth - 1),
                self.expression(scope, ty, depth - 1),
            );
            return format!("{}({one}, {other})", ["coalesce", "nullif"][self.draw.below(2)]);
        }
        match ty {
            Ty::Int => self.int(scope, depth - 1),
            Ty::Float => self.float(scope, depth - 1),
            Ty::Text => self.text(scope, depth - 1),
            Ty::Bool => self.predicate(scope, depth - 1),
            Ty::Decimal => self.decimal(scope, depth - 1),
            Ty::Date | Ty::Stamp => self.time(scope, ty, depth - 1),
            _ => self.column(scope, ty).unwrap_or_else(|| self.literal(ty)),
        }
    }

    fn int(&mut self, scope: &Scope, depth: usize) -> String {
        let (a, b) = (
            self.expression(scope, Ty::Int, depth),
            self.expression(scope, Ty::Int, depth),
        );
        match self.draw.below(14) {
            0 => format!("({a} + {b})"),
            1 => format!("({a} - {b})"),
            2 => format!("({a} * {b})"),
            3 => self.failing("division", format!("(10 / ({a}))")),
            4 => self.failing("division", format!("({a} / {b})")),
            5 => self.failing("division", format!("({a} % {b})")),
            6 | 7 => {
                let text = self.expression(scope, Ty::Text, depth);
                self.failing("cast", format!("CAST({text} AS BIGINT)"))
            }
            8 => format!("character_length({})", self.expression(scope, Ty::Text, depth)),
            9 => self.failing("overflow", format!("CAST({a} AS TINYINT)")),
            10 => self.failing("overflow", format!("abs({a})")),
            11 => match self.column(scope, Ty::List) {
                Some(list) => {
                    if self.draw.chance(40) {
                        self.feature("lambda");
                        return self.failing("division", format!("array_transform({list}, e -> {a} / e)[1]"));
                    }
                    self.feature("array index");
                    self.failing("array index", format!("{list}[{a}]"))
                }
                None => self.failing("overflow", format!("(-({a}))")),
            },
            12 => match self.column(scope, Ty::Struct) {
                Some(value) => format!("{value}['a']"),
                None => self.failing("overflow", format!("factorial({a})")),
            },
            _ => match self.column(scope, Ty::Date) {
                Some(date) => format!("CAST(date_part('year', {date}) AS BIGINT)"),
                None => format!("({a} & {b})"),
            },
        }
    }

    fn float(&mut self, scope: &Scope, depth: usize) -> String {
        let a = self.expression(scope, Ty::Float, depth);
        match self.draw.below(6) {
            0 => format!("({a} + {})", self.expression(scope, Ty::Float, depth)),
            1 => format!("({a} / {})", self.expression(scope, Ty::Float, depth)),
            2 => format!("abs({a})"),
            3 => format!("round({a})"),
            4 => {
                let text = self.expression(scope, Ty::Text, depth);
                self.failing("cast", format!("CAST({text} AS DOUBLE)"))
            }
            _ => self.failing("root", format!("sqrt({a})")),
        }
    }

    fn decimal(&mut self, scope: &Scope, depth: usize) -> String {
        let a = self.expression(scope, Ty::Decimal, depth);
        match self.draw.below(3) {
            0 => {
                let b = self.expression(scope, Ty::Decimal, depth);
                self.failing("division", format!("CAST({a} / {b} AS DECIMAL(12, 2))"))
            }
            1 => self.failing("overflow", format!("CAST({a} AS DECIMAL(4, 2))")),
            _ => format!("abs({a})"),
        }
    }

    fn text(&mut self, scope: &Scope, depth: usize) -> String {
        let a = self.expression(scope, Ty::Text, depth);
        match self.draw.below(9) {
            0 => format!("upper({a})"),
            1 => format!("({a} || {})", self.expression(scope, Ty::Text, depth)),
            2 => format!("substr({a}, 1, 3)"),
            3 => {
                let reach = self.any_column(scope);
                if matches!(reach.ty, Ty::List | Ty::Struct | Ty::Other | Ty::Float) {
                    return format!("lower({a})");
                }
                format!("CAST({} AS VARCHAR)", reach.sql)
            }
            4 => {
                let pattern = self.expression(scope, Ty::Text, 0);
                self.failing("regex", format!("regexp_replace({a}, {pattern}, 'r')"))
            }
            5 => match self.column(scope, Ty::Struct) {
                Some(value) => format!("{value}['b']"),
                None => format!("reverse({a})"),
            },
            6 => format!("md5({a})"),
            7 => {
                let count = self.expression(scope, Ty::Int, 0);
                self.failing("repeat", format!("left({a}, CAST({count} AS BIGINT))"))
            }
            _ => format!("trim({a})"),
        }
    }

    fn time(&mut self, scope: &Scope, ty: Ty, depth: usize) -> String {
        let text = self.expression(scope, Ty::Text, depth);
        match (ty, self.draw.below(3)) {
            (Ty::Date, 0) => self.failing("cast", format!("CAST({text} AS DATE)")),
            (Ty::Date, _) => self.column(scope, Ty::Date).unwrap_or_else(|| self.literal(Ty::Date)),
            (_, 0) => self.failing("cast", format!("to_timestamp({text})")),
            (_, 1) => {
                let date = self.expression(scope, Ty::Date, 0);
                self.failing("overflow", format!("CAST({date} AS TIMESTAMP)"))
            }
            _ => {
                let stamp = self.expression(scope, Ty::Stamp, 0);
                format!("date_trunc('month', {stamp})")
            }
        }
    }

    /// A boolean.
    pub fn predicate(&mut self, scope: &Scope, depth: usize) -> String {
        if depth == 0 || self.draw.chance(30) {
            return self.comparison(scope, 1);
        }
        let d = depth - 1;
        match self.draw.below(8) {
            0 => format!("({} AND {})", self.predicate(scope, d), self.predicate(scope, d)),
            1 => format!("({} OR {})", self.predicate(scope, d), self.predicate(scope, d)),
            2 => format!("(NOT {})", self.predicate(scope, d)),
            3 => {
                self.feature("subquery in predicate");
                self.subquery_predicate(scope)
            }
            4 => {
                let text = self.expression(scope, Ty::Text, d);
                let pattern = self.expression(scope, Ty::Text, 0);
                self.failing("regex", format!("regexp_like({text}, {pattern})"))
            }
            _ => self.comparison(scope, d),
        }
    }

    fn comparison(&mut self, scope: &Scope, depth: usize) -> String {
        let reach = self.any_column(scope);
        let ty = if self.draw.chance(40) {
            *self.draw.pick(&PLAIN)
        } else {
            reach.ty
        };
        // A boolean is a predicate again: it has an end.
        let depth = depth - usize::from(ty == Ty::Bool && depth > 0);
        let (a, plain) = if matches!(ty, Ty::List | Ty::Struct | Ty::Other) || self.draw.chance(40) {
            (reach.sql, false)
        } else {
            (self.expression(scope, ty, depth), true)
        };
        let ty = if plain { ty } else { reach.ty };
        if matches!(ty, Ty::List | Ty::Struct | Ty::Other) {
            return format!("({a} IS {}NULL)", ["", "NOT "][self.draw.below(2)]);
        }
        let b = self.expression(scope, ty, depth.min(1));
        // A literal counts nanoseconds, which years far away have too many of.
        self.fallible |= ty == Ty::Stamp;
        let operators = [
            "=",
            "<>",
            "<",
            "<=",
            ">",
            ">=",
            "IS DISTINCT FROM",
            "IS NOT DISTINCT FROM",
        ];
        match self.draw.below(8) {
            0 => format!("({a} IS {}NULL)", ["", "NOT "][self.draw.below(2)]),
            1 => format!("({a} IN ({b}, {}))", self.literal(ty)),
            2 => format!("({a} BETWEEN {} AND {b})", self.literal(ty)),
            3 if ty == Ty::Text => {
                let pattern = ["'a%'", "'%hush%'", "'_n%'", "'%x'", "'7'"][self.draw.below(5)];
                format!(
                    "({a} {}LIKE {pattern})",
                    ["", "NOT ", "I"][self.draw.below(3)].replace("I", "")
                )
            }
            _ => format!("({a} {} {b})", self.draw.pick(&operators)),
        }
    }

    /// Notes that an expression can fail.
    fn failing(&mut self, feature: &'static str, sql: String) -> String {
        self.fallible = true;
        self.feature(feature);
        sql
    }
}
