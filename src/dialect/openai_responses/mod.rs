//! OpenAI Responses, `POST /v1/responses`, and the vendors that speak it: Azure, xAI, DeepSeek, Bedrock, OpenRouter.

pub(super) mod needs;
pub(super) mod request;
pub(super) mod response;
pub(super) mod seen;
pub(super) mod signals;
pub(super) mod stream;
pub(super) mod types;

mod item;
mod seal;

/// The name that canonical forms carry for what only this dialect knows.
const NAME: &str = super::Dialect::OpenaiResponses.name();
