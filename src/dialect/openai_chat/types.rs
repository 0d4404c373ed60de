//! The wire's shapes. Members after openai/openai-openapi of 2026-08-21.

pub(crate) mod answer;
pub(crate) mod request;
pub(crate) mod usage;
pub(crate) mod written;
