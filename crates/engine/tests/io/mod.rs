//! Tests of what touches bytes and limits: types, stores, sources, encodings, compaction, memory, spill.
//!
//! These modules are private to the engine. They are compiled into this binary a second time, so that each can be
//! tested by itself, at its own interface; `tests/engine.rs` brings `access`, `error` and `types` to the root.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::clone_on_ref_ptr,
    missing_docs,
    reason = "a test that meets a surprise has failed"
)]

#[path = "../../src/access.rs"]
#[allow(dead_code, reason = "the engine uses the rest")]
pub(crate) mod access;
#[path = "../../src/beneath.rs"]
#[allow(dead_code, reason = "the engine uses the rest")]
pub(crate) mod beneath;
#[path = "../../src/compact.rs"]
#[allow(dead_code, reason = "the engine uses the rest")]
pub(crate) mod compact;
#[path = "../../src/csv_header.rs"]
#[allow(dead_code, reason = "the engine uses the rest")]
pub(crate) mod csv_header;
#[path = "../../src/csv_layout.rs"]
#[allow(dead_code, reason = "the engine uses the rest")]
pub(crate) mod csv_layout;
#[path = "../../src/declared.rs"]
#[allow(dead_code, reason = "the engine uses the rest")]
pub(crate) mod declared;
#[path = "../../src/encode.rs"]
#[allow(dead_code, reason = "the engine uses the rest")]
mod encode;
#[path = "../../src/endpoints.rs"]
#[allow(dead_code, reason = "the engine uses the rest")]
pub(crate) mod endpoints;
#[path = "../../src/error.rs"]
#[allow(dead_code, reason = "the engine uses the rest")]
pub(crate) mod error;
#[path = "../../src/json_values.rs"]
#[allow(dead_code, reason = "the engine uses the rest")]
pub(crate) mod json_values;
#[path = "../../src/local_store.rs"]
#[allow(dead_code, reason = "the engine uses the rest")]
pub(crate) mod local_store;
#[path = "../../src/memory.rs"]
#[allow(dead_code, reason = "the engine uses the rest")]
mod memory;
#[path = "../../src/partitions.rs"]
pub(crate) mod partitions;
#[path = "../../src/ranges.rs"]
pub(crate) mod ranges;
#[path = "../../src/remote_store.rs"]
#[allow(dead_code, reason = "the engine uses the rest")]
pub(crate) mod remote_store;
#[path = "../../src/scan.rs"]
pub(crate) mod scan;
#[path = "../../src/source.rs"]
#[allow(dead_code, reason = "the engine uses the rest")]
pub(crate) mod source;
#[path = "../../src/spill.rs"]
#[allow(dead_code, reason = "the engine uses the rest")]
mod spill;
#[path = "../../src/store.rs"]
#[allow(dead_code, reason = "the engine uses the rest")]
mod store;
#[path = "../../src/types.rs"]
#[allow(dead_code, reason = "the engine uses the rest")]
pub(crate) mod types;

mod arrays;
mod encodings;
mod lake;
mod memory_limits;
mod rebatching;
mod result_limits;
mod source_texts;
mod sources;
mod spill_files;
mod store_versions;
mod stores;
mod tripwires;
mod type_names;
