//! The engine through its public API: real DataFusion, real files. One binary, because each links DataFusion.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

mod cases;
mod crossing;
mod fixture;
mod folders;
mod implication;
mod inspect;
mod io;
mod leakproof;
mod leaks;
mod limits;
mod lineage;

mod settings;
mod stores;

// The modules that `io` tests are private; compiled into this binary, they name each other from its root.
use io::{
    access, beneath, compact, csv_header, csv_layout, declared, endpoints, error, json_values, local_store, partitions,
    ranges, remote_store, scan, source, types,
};
