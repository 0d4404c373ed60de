//! Errors are OpenAI's, in both of its dialects.

pub(in crate::dialect) use crate::dialect::openai_chat::signals::RULES;
