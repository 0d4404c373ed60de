//! Anthropic Messages, `POST /v1/messages`.

pub(super) mod needs;
pub(super) mod request;
pub(super) mod response;
pub(super) mod seen;
pub(super) mod signals;
pub(super) mod stream;
pub(super) mod types;

/// The name that canonical forms carry for what only this dialect knows.
const NAME: &str = super::Dialect::Anthropic.name();
