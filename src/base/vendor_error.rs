//! What a vendor said when it refused.

use bytes::Bytes;

/// What a vendor said when it refused, kept for the client where its own request is at fault.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct VendorError {
    /// HTTP status, or what the in-stream error stands for.
    pub status: u16,
    /// The vendor's `type`, or empty.
    pub kind: String,
    /// The vendor's `code`, or empty.
    pub code: String,
    /// The vendor's message.
    pub message: String,
    /// The parameter at fault, or empty.
    pub param: String,
    /// The body as it came, for a client of the same dialect.
    pub body: Bytes,
}
