//! The gates: what a statement may be (before it is bound), what its plan may hold (bound and optimized), and what may
//! stand at the leaves of the physical plan. Each refuses by name, and none trusts the one before.

pub(crate) mod dialect;
mod ignored;
pub(crate) mod physical;
pub(crate) mod place;
pub(crate) mod plan;
pub(crate) mod statement;
mod syntax;
