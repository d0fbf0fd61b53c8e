//! The oracle of non-interference: for every query Q, data D and policy P, governed(Q, D, P) equals raw(Q, P(D)).
//!
//! A [`world::World`] is data and policy, drawn from a seed. Each query on it is a triple and runs governed over D,
//! governed over a twin D' that differs in what is hidden alone, and in plain DataFusion over P(D), which is computed
//! without the engine's barrier. What then differs is a finding.

pub mod cases;
pub mod compare;
pub mod disk;
pub mod draw;
pub mod expressions;
pub mod governed;
pub mod kinds;
pub mod lineage;
pub mod oracle;
pub mod policies;
pub mod probes;
pub mod queries;
pub mod raw;
pub mod relations;
pub mod shrink;
pub mod tables;
pub mod tally;
pub mod triple;
pub mod twins;
pub mod world;
