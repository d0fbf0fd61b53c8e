//! The first gate: one query, of bounded size and shape, without the constructs that DataFusion ignores or that reach
//! outside the session.

use std::ops::ControlFlow;

use ambit_protocol::{EngineErrorCode, Position, SessionLimits};
use datafusion::sql::sqlparser::ast::{
    Expr, Function, FunctionArguments, ObjectName, Query, Select, SetExpr, Statement, TableFactor, Value,
    ValueWithSpan, Visit, Visitor,
};
use datafusion::sql::sqlparser::dialect::Dialect;
use datafusion::sql::sqlparser::parser::Parser;
use datafusion::sql::sqlparser::tokenizer::{Token, TokenWithSpan, Tokenizer};

use super::ignored::{ignored_in_factor, ignored_in_query, ignored_in_select};
use super::place::position;
use super::syntax::{lowered, syntax};
use crate::error::Fault;

/// Nested parentheses and subqueries; flat chains are bounded by `statementDepth`.
pub(super) const RECURSION_MAX: usize = 50;

/// A statement has at most this many tokens for each node that it may have: dropping a parsed chain recurses.
const TOKENS_PER_NODE_MAX: u64 = 4;

/// Names that DataFusion's optimizer takes for its own.
const RESERVED_PREFIXES: [&str; 4] = ["__datafusion_", "__common_expr", "__correlated", "__scalar"];

/// A query that passed the gate.
#[derive(Debug, Clone)]
pub(crate) struct Admitted {
    pub query: Box<Query>,
    /// Names of `$parameters`, in order of their positions `$1`, `$2`, ... in the query.
    pub parameters: Vec<String>,
}

/// Bounds of a statement.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bounds {
    pub bytes: u64,
    pub nodes: u64,
    pub depth: u64,
}

impl Bounds {
    pub(crate) fn of(limits: &SessionLimits) -> Self {
        Self {
            bytes: limits.statement_bytes,
            nodes: limits.statement_nodes,
            depth: limits.statement_depth,
        }
    }

    /// For SQL that an owner wrote and reviewed.
    pub(crate) const REVIEWED: Self = Self {
        bytes: 256 * 1024,
        nodes: 20_000,
        depth: 400,
    };
}

/// Parses and admits a consumer's statement, a view or a named query.
pub(crate) fn admit(sql: &str, bounds: Bounds, dialect: &'static dyn Dialect) -> Result<Admitted, Fault> {
    let (tokens, parameters) = tokenize(sql, bounds, dialect)?;
    let mut statements = parser(tokens, dialect).parse_statements().map_err(syntax)?;
    let statement = match (statements.pop(), statements.len()) {
        (Some(statement), 0) => statement,
        (None, _) => return Err(refused("the statement is empty")),
        _ => return Err(refused("one statement at a time").hint("send each statement in a request of its own")),
    };
    let Statement::Query(query) = statement else {
        return Err(
            refused(format!("`{}` is not a query", verb(&statement))).hint("sessions only read: SELECT, WITH, VALUES")
        );
    };
    inspect(query.as_ref(), bounds)?;
    Ok(Admitted { query, parameters })
}

/// Parses and admits a policy's expression. `$claims.x` is one parameter named `claims.x`.
pub(crate) fn admit_expression(
    sql: &str,
    bounds: Bounds,
    dialect: &'static dyn Dialect,
) -> Result<(Expr, Vec<String>), Fault> {
    let (tokens, parameters) = tokenize(sql, bounds, dialect)?;
    let mut parser = parser(tokens, dialect);
    let expression = parser.parse_expr().map_err(syntax)?;
    let rest = parser.peek_token();
    if rest.token != Token::EOF {
        return Err(Fault::new(
            EngineErrorCode::SqlSyntax,
            format!("expected the end of the expression, found `{}`", rest.token),
        )
        .at(Some(position(&rest))));
    }
    inspect(&expression, bounds)?;
    Ok((expression, parameters))
}

fn parser(tokens: Vec<TokenWithSpan>, dialect: &'static dyn Dialect) -> Parser<'static> {
    Parser::new(dialect)
        .with_recursion_limit(RECURSION_MAX)
        .with_tokens_with_locations(tokens)
}

/// Tokens with `$name` numbered to `$1`, `$2`, ...: only positional placeholders get their type while being bound.
fn tokenize(sql: &str, bounds: Bounds, dialect: &dyn Dialect) -> Result<(Vec<TokenWithSpan>, Vec<String>), Fault> {
    if sql.len() as u64 > bounds.bytes {
        return Err(complex(format!(
            "the statement has {} bytes, at most {} are allowed",
            sql.len(),
            bounds.bytes
        )));
    }
    let tokens = Tokenizer::new(dialect, sql).tokenize_with_location().map_err(|error| {
        let position = Position {
            line: error.location.line,
            column: error.location.column,
        };
        Fault::new(EngineErrorCode::SqlSyntax, lowered(&error.message)).at(Some(position))
    })?;
    let tokens: Vec<TokenWithSpan> = tokens
        .into_iter()
        .filter(|token| !matches!(token.token, Token::Whitespace(_)))
        .collect();
    if tokens.len() as u64 > bounds.nodes.saturating_mul(TOKENS_PER_NODE_MAX) {
        return Err(complex(format!("the statement has {} tokens", tokens.len())));
    }
    if let Some(token) = tokens.iter().find(|token| reserved(&token.token)) {
        return Err(refused(format!("names that begin like `{}` are reserved", token.token)).at(Some(position(token))));
    }
    number_parameters(tokens)
}

/// On tokens, because a forged optimizer alias may stand where no visitor looks.
fn reserved(token: &Token) -> bool {
    let name = match token {
        Token::Word(word) => &word.value,
        // Some aliases are written like strings.
        Token::SingleQuotedString(text) | Token::DoubleQuotedString(text) => text,
        _ => return false,
    };
    let name = name.to_ascii_lowercase();
    RESERVED_PREFIXES.iter().any(|prefix| name.starts_with(prefix))
}

fn number_parameters(tokens: Vec<TokenWithSpan>) -> Result<(Vec<TokenWithSpan>, Vec<String>), Fault> {
    let mut names: Vec<String> = Vec::new();
    let mut numbered: Vec<TokenWithSpan> = Vec::with_capacity(tokens.len());
    let mut rest = tokens.into_iter().peekable();
    while let Some(mut token) = rest.next() {
        if let Token::Placeholder(text) = &token.token {
            let Some(mut name) = text
                .strip_prefix('$')
                .filter(|name| named(name))
                .map(ToString::to_string)
            else {
                return Err(Fault::new(
                    EngineErrorCode::ParameterInvalid,
                    format!("`{text}` is not a named parameter"),
                )
                .hint("write $name")
                .at(Some(position(&token))));
            };
            if name == "claims" && rest.peek().is_some_and(|next| next.token == Token::Period) {
                rest.next();
                match rest.next().map(|next| next.token) {
                    Some(Token::Word(word)) => name = format!("claims.{}", word.value),
                    _ => {
                        return Err(
                            Fault::new(EngineErrorCode::SqlSyntax, "expected a claim's name after `$claims.`")
                                .at(Some(position(&token))),
                        );
                    }
                }
            }
            let number = names.iter().position(|known| *known == name).unwrap_or_else(|| {
                names.push(name);
                names.len() - 1
            });
            token.token = Token::Placeholder(format!("${}", number + 1));
        }
        numbered.push(token);
    }
    Ok((numbered, names))
}

fn named(name: &str) -> bool {
    name.starts_with(|first: char| first.is_alphabetic() || first == '_')
}

fn inspect<N: Visit>(node: &N, bounds: Bounds) -> Result<(), Fault> {
    let mut inspector = Inspector {
        bounds,
        nodes: 0,
        depth: 0,
    };
    match node.visit(&mut inspector) {
        ControlFlow::Break(fault) => Err(*fault),
        ControlFlow::Continue(()) => Ok(()),
    }
}

struct Inspector {
    bounds: Bounds,
    nodes: u64,
    depth: u64,
}

type Step = ControlFlow<Box<Fault>>;

fn stop(fault: Fault) -> Step {
    ControlFlow::Break(Box::new(fault))
}

impl Inspector {
    fn enter(&mut self) -> Step {
        self.nodes += 1;
        self.depth += 1;
        if self.nodes > self.bounds.nodes {
            return stop(complex(format!(
                "the statement has more than {} parts",
                self.bounds.nodes
            )));
        }
        if self.depth > self.bounds.depth {
            return stop(complex(format!(
                "the statement nests deeper than {}",
                self.bounds.depth
            )));
        }
        ControlFlow::Continue(())
    }

    fn leave(&mut self) -> Step {
        self.depth = self.depth.saturating_sub(1);
        ControlFlow::Continue(())
    }
}

impl Visitor for Inspector {
    type Break = Box<Fault>;

    fn pre_visit_query(&mut self, query: &Query) -> Step {
        self.enter()?;
        if let Some(reason) = ignored_in_query(query) {
            return stop(refused(reason));
        }
        // The visitor does not call `pre_visit_statement` for what hangs in a set expression.
        match query.body.as_ref() {
            SetExpr::Select(_) | SetExpr::Query(_) | SetExpr::SetOperation { .. } | SetExpr::Values(_) => {}
            _ => return stop(refused("only SELECT and VALUES are queries")),
        }
        ControlFlow::Continue(())
    }

    fn post_visit_query(&mut self, _: &Query) -> Step {
        self.leave()
    }

    fn pre_visit_select(&mut self, select: &Select) -> Step {
        match ignored_in_select(select) {
            Some(reason) => stop(refused(reason)),
            None => ControlFlow::Continue(()),
        }
    }

    fn pre_visit_statement(&mut self, statement: &Statement) -> Step {
        match statement {
            Statement::Query(_) => ControlFlow::Continue(()),
            other => stop(refused(format!("`{}` is not a query", verb(other)))),
        }
    }

    fn pre_visit_table_factor(&mut self, factor: &TableFactor) -> Step {
        self.enter()?;
        match ignored_in_factor(factor) {
            Some(reason) => stop(refused(reason)),
            None => ControlFlow::Continue(()),
        }
    }

    fn post_visit_table_factor(&mut self, _: &TableFactor) -> Step {
        self.leave()
    }

    fn pre_visit_relation(&mut self, relation: &ObjectName) -> Step {
        if relation.0.iter().all(|part| part.as_ident().is_some()) {
            return ControlFlow::Continue(());
        }
        stop(refused("a table's name must be a plain name"))
    }

    fn pre_visit_expr(&mut self, expression: &Expr) -> Step {
        self.enter()?;
        match expression {
            Expr::Value(ValueWithSpan {
                value: Value::Placeholder(name),
                ..
            }) if !name.starts_with('$') => stop(refused(format!("`{name}` is not a named parameter"))),
            Expr::Function(function) => plain(function),
            _ => ControlFlow::Continue(()),
        }
    }

    fn post_visit_expr(&mut self, _: &Expr) -> Step {
        self.leave()
    }
}

fn plain(function: &Function) -> Step {
    if let FunctionArguments::Subquery(_) = function.args {
        return stop(refused(format!(
            "a subquery as the argument of `{}` is not admitted",
            function.name
        )));
    }
    if !matches!(function.parameters, FunctionArguments::None) {
        return stop(refused(format!(
            "parameters before the arguments of `{}` are not admitted",
            function.name
        )));
    }
    ControlFlow::Continue(())
}

fn verb(statement: &Statement) -> String {
    let text = statement.to_string();
    text.split_whitespace().next().unwrap_or_default().to_ascii_uppercase()
}

fn refused(message: impl Into<String>) -> Fault {
    Fault::new(EngineErrorCode::StatementRefused, message)
}

pub(super) fn complex(message: impl Into<String>) -> Fault {
    Fault::new(EngineErrorCode::StatementTooComplex, message)
        .hint("split the statement, or join against a table instead of listing")
}
