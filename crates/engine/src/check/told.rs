//! What a fault is called when it is told to whoever writes a contract, who may know every name.

use std::collections::BTreeMap;

use ambit_protocol::{CheckProblem, EngineErrorCode, TypedValue};

use crate::error::{Fault, nearest};
use crate::functions::FunctionSet;
use crate::settings;

pub(super) fn told(fault: Fault) -> CheckProblem {
    CheckProblem {
        line: fault.0.position.map(|place| place.line),
        column: fault.0.position.map(|place| place.column),
        parameter: match (&fault.1, fault.0.code) {
            (Some(subject), EngineErrorCode::ParameterInvalid) if fault.0.position.is_none() => {
                Some(subject.word.clone())
            }
            _ => None,
        },
        message: fault.0.message,
        hint: fault.0.hint,
    }
}

/// A consumer's session has no other names than those it may see; a contract is told what they are.
pub(super) fn explained(fault: Fault, functions: &FunctionSet) -> CheckProblem {
    let Some(subject) = fault.1.clone() else {
        return told(fault);
    };
    let word = subject.word.as_str();
    let known: Vec<&str> = subject.known.iter().map(String::as_str).collect();
    let mut problem = told(fault.clone());
    match fault.0.code {
        EngineErrorCode::ColumnUnknown => problem.message = format!("unknown column `{word}`"),
        EngineErrorCode::TableUnknown => {
            problem.message = format!("unknown table or view `{word}`");
            problem.hint = Some(suggested(word, &known, "declare it under `tables` or `views`"));
        }
        EngineErrorCode::ClaimMissing => {
            problem.message = format!("unknown claim `{word}`");
            problem.hint = Some(suggested(word, &known, "declare it under `claims`"));
        }
        EngineErrorCode::FunctionUnknown if functions.has(word) => {
            problem.message = format!("function `{word}` is not allowed");
            problem.hint = Some("list it, or its group, under `functions.allow`".to_string());
        }
        EngineErrorCode::FunctionUnknown => {
            problem.message = format!("unknown function `{word}`");
            problem.hint = Some(suggested(word, &functions.names(), "the engine has no such function"));
        }
        _ => {}
    }
    problem
}

fn suggested(word: &str, known: &[&str], otherwise: &str) -> String {
    nearest(word, known).map_or_else(|| otherwise.to_string(), |name| format!("did you mean `{name}`"))
}

pub(super) fn parameter_unused(name: &str) -> Fault {
    parameter(format!("parameter `{name}` is not in the statement"))
        .hint("name it there as `$name`, or do not declare it")
        .about(name, &[])
}

pub(super) fn parameter_undeclared(name: &str, declared: &BTreeMap<String, String>) -> Fault {
    let known: Vec<&str> = declared.keys().map(String::as_str).collect();
    parameter(format!("unknown parameter `{name}`"))
        .hint(suggested(name, &known, "declare it under the query's `parameters`"))
        .about(name, &known)
}

fn parameter(message: String) -> Fault {
    Fault::new(EngineErrorCode::ParameterInvalid, message)
}

pub(super) fn setting_refused(key: &str, value: &str) -> CheckProblem {
    let default = settings::entries()
        .into_iter()
        .find(|entry| entry.key == key)
        .map(|entry| entry.ambit.unwrap_or(entry.default))
        .unwrap_or_default();
    let message = format!("`{value}` is no value of the setting `{key}`");
    told(Fault::new(EngineErrorCode::SqlInvalid, message).hint(format!("without it the value is `{default}`")))
}

pub(super) fn value_refused(value: &TypedValue) -> CheckProblem {
    let given = value
        .value
        .as_str()
        .map_or_else(|| value.value.to_string(), ToString::to_string);
    let message = format!("`{given}` is not of type `{}`", value.data_type);
    told(Fault::new(EngineErrorCode::ParameterInvalid, message))
}
