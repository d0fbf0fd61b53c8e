//! Where in a statement the word stands that a fault is about.

use ambit_protocol::Position;
use datafusion::sql::sqlparser::dialect::Dialect;
use datafusion::sql::sqlparser::tokenizer::{Token, TokenWithSpan, Tokenizer};

use crate::error::Fault;

/// The fault with its place in `sql`, the first where the word stands. A word that a view says is not there.
pub(crate) fn placed(fault: Fault, sql: &str, dialect: &dyn Dialect) -> Fault {
    let place = match (&fault.1, fault.0.position) {
        (Some(subject), None) => place_of(&subject.word, sql, dialect),
        _ => return fault,
    };
    fault.at(place)
}

fn place_of(word: &str, sql: &str, dialect: &dyn Dialect) -> Option<Position> {
    let tokens = Tokenizer::new(dialect, sql).tokenize_with_location().ok()?;
    let found = tokens.iter().find(|token| says(&token.token, word))?;
    Some(position(found))
}

fn says(token: &Token, word: &str) -> bool {
    match token {
        Token::Word(found) if found.quote_style.is_some() => found.value == word,
        Token::Word(found) => found.value.to_lowercase() == word,
        Token::Placeholder(found) => found.strip_prefix('$') == Some(word),
        _ => false,
    }
}

pub(super) fn position(token: &TokenWithSpan) -> Position {
    Position {
        line: token.span.start.line,
        column: token.span.start.column,
    }
}
