//! The engine with every mutant's change in it, all asleep but the one that is chosen.

// Linted where it stands unchanged.
#![allow(warnings, clippy::all)]

pub mod mutation;

include!(concat!(env!("OUT_DIR"), "/engine/src/lib.rs"));
