//! Which mutant is awake: one for a process.

use std::sync::LazyLock;

/// Holds the mutant's name.
pub const CHOSEN: &str = "AMBIT_MUTANT";

static CHOICE: LazyLock<Option<String>> = LazyLock::new(|| std::env::var(CHOSEN).ok());

/// Whether the control is broken that this mutant breaks.
pub fn broken(name: &str) -> bool {
    CHOICE.as_deref() == Some(name)
}
