//! Anthropic Messages, `POST /v1/messages`.

pub(crate) mod request;
pub(crate) mod response;
pub(crate) mod stream;
pub(crate) mod types;

/// The name that canonical forms carry for what only this dialect knows.
const NAME: &str = super::Dialect::Anthropic.name();
