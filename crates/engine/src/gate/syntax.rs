//! The parser's words as ours.

use ambit_protocol::{EngineErrorCode, Position};
use datafusion::sql::sqlparser::parser::ParserError;

use super::statement::{RECURSION_MAX, complex};
use crate::error::Fault;

pub(super) fn syntax(error: ParserError) -> Fault {
    match error {
        ParserError::RecursionLimitExceeded => complex(format!("the statement nests deeper than {RECURSION_MAX}")),
        ParserError::ParserError(text) | ParserError::TokenizerError(text) => {
            let (message, place) = located(&text);
            Fault::new(EngineErrorCode::SqlSyntax, expected(&message)).at(place)
        }
    }
}

/// Splits the parser's ` at Line: 1, Column: 8` off.
fn located(text: &str) -> (String, Option<Position>) {
    let Some((message, place)) = text.rsplit_once(" at Line: ") else {
        return (text.to_string(), None);
    };
    let place = place.split_once(", Column: ").and_then(|(line, column)| {
        Some(Position {
            line: line.trim().parse().ok()?,
            column: column.trim().parse().ok()?,
        })
    });
    (message.to_string(), place)
}

/// `Expected: end of statement, found: FORM`
fn expected(message: &str) -> String {
    match message
        .strip_prefix("Expected: ")
        .and_then(|rest| rest.split_once(", found: "))
    {
        Some((wanted, "EOF")) => format!("expected {wanted}, found the end"),
        Some((wanted, found)) => format!("expected {wanted}, found `{found}`"),
        None => lowered(message),
    }
}

pub(super) fn lowered(text: &str) -> String {
    let mut letters = text.trim_end_matches('.').chars();
    letters
        .next()
        .map(|first| first.to_lowercase().chain(letters).collect())
        .unwrap_or_default()
}
