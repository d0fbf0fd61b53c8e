//! How a session's answer is cut into frames.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A frame is one byte of kind, four bytes of payload length (big endian), and the payload.
pub const FRAME_HEADER_BYTES: usize = 5;

/// Kinds of frames, in the order they come: at most one `Planned`, any number of `Data`, exactly one `Outcome`.
/// An answer without an outcome is a crash.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[repr(u8)]
pub enum FrameKind {
    /// JSON, [`crate::Planned`].
    Planned = 1,
    /// Bytes of the result, in the format that was asked for.
    Data = 2,
    /// JSON, [`crate::Outcome`].
    Outcome = 3,
}

/// Body of every answer that is not 2xx: the request itself was wrong, no session was opened.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ProtocolError {
    /// `template_unknown`, `template_invalid`, `digest_mismatch`, `request_invalid`, `session_unknown`, `session_open`.
    pub code: String,
    /// For the operator.
    pub message: String,
}
