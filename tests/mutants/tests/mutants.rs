//! The engine's own tests and the oracle, against an engine with one control broken: each such mutant must be noticed.
//! With none broken all of them pass, which is what makes a failure mean something.

#![allow(clippy::all, unexpected_cfgs, unfulfilled_lint_expectations)]

extern crate ambit_engine_mutated as ambit_engine;

mod killed;
mod oracle;

// Modules of the engine that its tests compile a second time ask here which mutant is awake.
use ambit_engine_mutated::mutation;

include!(concat!(env!("OUT_DIR"), "/engine/tests/engine.rs"));
