//! The error firewall: what the engine says is for the operator, what the consumer gets comes from this catalogue.

use std::fmt;

use ambit_protocol::{EngineError, EngineErrorCode, Position};
use datafusion::arrow::error::ArrowError;
use datafusion::common::{DataFusionError, SchemaError};

/// An [`EngineError`] that can travel through DataFusion as an external error and come out as it went in.
#[derive(Debug, Clone)]
pub(crate) struct Fault(pub EngineError, pub Option<Box<Subject>>);

/// The word that a fault is about, as the statement has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Subject {
    pub word: String,
    /// Words that could have stood there.
    pub known: Vec<String>,
}

impl Fault {
    pub(crate) fn new(code: EngineErrorCode, message: impl Into<String>) -> Self {
        let error = EngineError {
            code,
            message: message.into(),
            hint: None,
            position: None,
            detail: None,
        };
        Self(error, None)
    }

    /// Says which word it is about; it is looked for in the statement.
    pub(crate) fn about(mut self, word: &str, known: &[&str]) -> Self {
        let known = known.iter().map(ToString::to_string).collect();
        let word = word.to_string();
        self.1 = Some(Box::new(Subject { word, known }));
        self
    }

    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.0.hint = Some(hint.into());
        self
    }

    pub(crate) fn at(mut self, position: Option<Position>) -> Self {
        self.0.position = position;
        self
    }

    pub(crate) fn detail(mut self, detail: impl fmt::Display) -> Self {
        self.0.detail = Some(detail.to_string());
        self
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0.message)
    }
}

impl std::error::Error for Fault {}

impl From<Fault> for DataFusionError {
    fn from(fault: Fault) -> Self {
        Self::External(Box::new(fault))
    }
}

/// The fault that an error carries, however deep.
fn carried(error: &DataFusionError) -> Option<Fault> {
    match error {
        DataFusionError::External(inner) => inner
            .downcast_ref::<Fault>()
            .cloned()
            .or_else(|| inner.downcast_ref::<DataFusionError>().and_then(carried)),
        DataFusionError::ArrowError(inner, _) => match inner.as_ref() {
            ArrowError::ExternalError(inner) => inner
                .downcast_ref::<Fault>()
                .cloned()
                .or_else(|| inner.downcast_ref::<DataFusionError>().and_then(carried)),
            _ => None,
        },
        DataFusionError::Context(_, inner) | DataFusionError::Diagnostic(_, inner) => carried(inner),
        DataFusionError::Shared(inner) => carried(inner),
        DataFusionError::Collection(inner) => inner.iter().find_map(carried),
        _ => None,
    }
}

/// An error of binding or analysis. No source has been opened yet, so its text holds the consumer's own words and names
/// that the session shows, and nothing else: it may be passed on.
pub(crate) fn binding(error: DataFusionError) -> Fault {
    if let Some(fault) = carried(&error) {
        return fault;
    }
    let detail = error.to_string();
    match error.find_root() {
        DataFusionError::SchemaError(schema, _) => names(schema),
        DataFusionError::NotImplemented(text) => Fault::new(
            EngineErrorCode::StatementRefused,
            format!("not supported: {}", sentence(text)),
        ),
        DataFusionError::Plan(text) => planning(text),
        DataFusionError::Internal(_) => {
            Fault::new(EngineErrorCode::Internal, "the engine could not plan the statement").detail(detail)
        }
        DataFusionError::SQL(inner, _) => Fault::new(EngineErrorCode::SqlSyntax, sentence(&inner.to_string())),
        DataFusionError::Execution(text) | DataFusionError::Configuration(text) => {
            Fault::new(EngineErrorCode::SqlInvalid, sentence(text))
        }
        _ => running(error),
    }
}

fn names(error: &SchemaError) -> Fault {
    match error {
        SchemaError::FieldNotFound { field, valid_fields } => {
            let known: Vec<&str> = valid_fields.iter().map(|column| column.name.as_str()).collect();
            column_unknown(&field.name, &known)
        }
        other => Fault::new(EngineErrorCode::SqlInvalid, sentence(&other.to_string())),
    }
}

/// No such column: one that is denied and one that was never there get this same answer.
pub(crate) fn column_unknown(name: &str, known: &[&str]) -> Fault {
    let fault = Fault::new(
        EngineErrorCode::ColumnUnknown,
        format!("no column `{name}` in this session"),
    )
    .about(name, known);
    match nearest(name, known) {
        Some(word) => fault.hint(format!("did you mean `{word}`")),
        None if known.is_empty() => fault,
        None => fault.hint(format!("columns here: {}", listed(known))),
    }
}

/// No such table or view: one that is denied and one that was never there get this same answer.
pub(crate) fn table_unknown(name: &str, known: &[&str]) -> Fault {
    let fault = Fault::new(
        EngineErrorCode::TableUnknown,
        format!("no table or view `{name}` in this session"),
    )
    .about(name.rsplit('.').next().unwrap_or(name), known);
    match nearest(name, known) {
        Some(word) => fault.hint(format!("did you mean `{word}`")),
        None => fault.hint("ask the product what this session may see"),
    }
}

/// The data of a table is not what its contract declares. Which columns differ is in the evidence, for the owner.
pub(crate) fn table_closed(name: &str) -> Fault {
    Fault::new(
        EngineErrorCode::TableClosed,
        format!("table `{name}` is closed: its data is not what its contract declares"),
    )
    .hint("its owner has been told; other tables can be queried")
}

/// No such function: one that is not allowed and one that was never there get this same answer.
pub(crate) fn function_unknown(name: &str, known: &[&str]) -> Fault {
    let fault = Fault::new(
        EngineErrorCode::FunctionUnknown,
        format!("no function `{name}` in this session"),
    )
    .about(name, known);
    match nearest(name, known) {
        Some(word) => fault.hint(format!("did you mean `{word}`")),
        None => fault.hint("the product lists the functions that it allows"),
    }
}

fn planning(text: &str) -> Fault {
    let lower = text.to_ascii_lowercase();
    if let Some(rest) = lower.strip_prefix("invalid function '") {
        let name = rest.split('\'').next().unwrap_or_default();
        return function_unknown(name, &[]);
    }
    if lower.starts_with("projections require unique expression names") {
        let names: Vec<&str> = text.split('"').skip(1).step_by(2).collect();
        let same = names.first().copied().unwrap_or_default();
        return Fault::new(
            EngineErrorCode::SqlInvalid,
            format!("two columns of a result are named `{same}`"),
        )
        .hint("give one of them another name: `... AS name`");
    }
    arguments(text).unwrap_or_else(|| Fault::new(EngineErrorCode::SqlInvalid, sentence(text)))
}

/// A function that is called with other arguments than it takes. DataFusion tells of every form that it tried.
fn arguments(text: &str) -> Option<Fault> {
    let (_, told) = text.split_once("No function matches the given name and argument types '")?;
    let (call, forms) = told.split_once('\'')?;
    let name = call.split('(').next().unwrap_or_default();
    let forms: Vec<&str> = forms
        .split_once("Candidate functions:")?
        .1
        .lines()
        .map(str::trim)
        .collect();
    let forms: Vec<&str> = forms.into_iter().filter(|form| !form.is_empty()).collect();
    let fault = Fault::new(
        EngineErrorCode::SqlInvalid,
        format!("`{name}` does not take these: `{call}`"),
    );
    Some(fault.hint(format!("it takes: {}", listed(&forms))).about(name, &[]))
}

/// An error of a statement that runs, or of planning that could have opened a source: its text may hold any value, so
/// the consumer gets the kind alone.
pub(crate) fn running(error: DataFusionError) -> Fault {
    if let Some(fault) = carried(&error) {
        return fault;
    }
    let detail = error.to_string();
    let fault = match error.find_root() {
        DataFusionError::ArrowError(inner, _) => compute(inner),
        // A pattern that is none comes as an error of another crate.
        DataFusionError::Execution(_) | DataFusionError::External(_) => compute_failed("a value could not be computed"),
        DataFusionError::ResourcesExhausted(_) => {
            Fault::new(EngineErrorCode::LimitMemory, "the session's memory limit was reached")
                .hint("read less, or ask the owner for more memory")
        }
        DataFusionError::Plan(_) | DataFusionError::SchemaError(..) | DataFusionError::NotImplemented(_) => {
            Fault::new(EngineErrorCode::SqlInvalid, "the statement cannot be planned")
        }
        _ => Fault::new(EngineErrorCode::Internal, "the engine failed; the session was closed"),
    };
    fault.detail(detail)
}

fn compute(error: &ArrowError) -> Fault {
    match error {
        ArrowError::DivideByZero => compute_failed("division by zero"),
        ArrowError::ArithmeticOverflow(_) => compute_failed("arithmetic overflow"),
        ArrowError::CastError(_) | ArrowError::ParseError(_) => {
            compute_failed("a value cannot be cast to the type asked for")
        }
        ArrowError::OffsetOverflowError(_) | ArrowError::MemoryError(_) => {
            Fault::new(EngineErrorCode::LimitMemory, "a value grew too large")
        }
        _ => compute_failed("a value could not be computed"),
    }
}

fn compute_failed(message: &str) -> Fault {
    Fault::new(EngineErrorCode::ComputeFailed, message)
}

/// A panic: its text may hold any value.
pub(crate) fn panicked(payload: &(dyn std::any::Any + Send)) -> Fault {
    let text = payload
        .downcast_ref::<&str>()
        .map(ToString::to_string)
        .or_else(|| payload.downcast_ref::<String>().cloned())
        .unwrap_or_default();
    Fault::new(EngineErrorCode::Internal, "the engine failed; the session was closed").detail(format!("panic: {text}"))
}

/// An error inside a barrier: policy, mask, decoding. Even its kind could tell of hidden rows.
pub(crate) fn inside_barrier(table: &str, error: DataFusionError) -> Fault {
    if let Some(fault) = carried(&error)
        && matches!(
            fault.0.code,
            EngineErrorCode::ClaimMissing | EngineErrorCode::SourceFailed
        )
    {
        return fault;
    }
    let detail = error.to_string();
    if matches!(error.find_root(), DataFusionError::ResourcesExhausted(_)) {
        return running(error);
    }
    Fault::new(
        EngineErrorCode::SourceFailed,
        format!("table `{table}` could not be read"),
    )
    .hint("the product's owner finds the reason in the evidence of this session")
    .detail(detail)
}

/// DataFusion's words as one of ours: no prefix, no final stop, one line.
fn sentence(text: &str) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let line = [
        "Error during planning: ",
        "This feature is not implemented: ",
        "sql parser error: ",
        "Schema error: ",
    ]
    .iter()
    .fold(line.as_str(), |line, prefix| line.strip_prefix(prefix).unwrap_or(line));
    let line = line.trim_end_matches('.');
    let mut letters = line.chars();
    match letters.next() {
        // `SELECT ...` and `UNION ...` keep their capitals.
        Some(first) if !line.starts_with(|_: char| line.chars().nth(1).is_some_and(char::is_uppercase)) => {
            first.to_lowercase().chain(letters).collect()
        }
        _ => line.to_string(),
    }
}

fn listed(words: &[&str]) -> String {
    let shown: Vec<String> = words.iter().take(20).map(|word| format!("`{word}`")).collect();
    let more = if words.len() > shown.len() { ", ..." } else { "" };
    format!("{}{more}", shown.join(", "))
}

/// The known word that is closest, if it is close enough to be a slip.
pub(crate) fn nearest<'a>(word: &str, known: &[&'a str]) -> Option<&'a str> {
    let reach = (word.chars().count() / 3).clamp(1, 3);
    known
        .iter()
        .map(|candidate| (distance(&word.to_lowercase(), &candidate.to_lowercase()), *candidate))
        .filter(|(distance, _)| *distance <= reach)
        .min()
        .map(|(_, candidate)| candidate)
}

/// Edits between two words: letters that are put in, left out, changed, or changed places with their neighbour.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut older: Vec<usize> = vec![];
    let mut row: Vec<usize> = (0..=b.len()).collect();
    let mut before = None;
    for (i, x) in a.chars().enumerate() {
        let mut next = vec![i + 1];
        for (j, y) in b.iter().enumerate() {
            let at = |row: &[usize], column: usize| row.get(column).copied().unwrap_or(usize::MAX / 2);
            let mut least = (at(&row, j) + usize::from(x != *y))
                .min(at(&next, j) + 1)
                .min(at(&row, j + 1) + 1);
            let crossed = j > 0 && before == Some(*y) && b.get(j - 1) == Some(&x);
            if crossed {
                least = least.min(at(&older, j - 1) + 1);
            }
            next.push(least);
        }
        before = Some(x);
        older = std::mem::replace(&mut row, next);
    }
    row.last().copied().unwrap_or_default()
}
