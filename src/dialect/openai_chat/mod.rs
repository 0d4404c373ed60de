//! OpenAI Chat Completions, and the many vendors that speak it.

pub(super) mod needs;
pub(super) mod seen;
pub(super) mod signals;
