//! What decides in an OpenAI chat answer and in the chunks of its stream.

use crate::base::failure::FailureKind;
use crate::call::usage::Usage;
use crate::dialect::json::syntax::Visitor;
use crate::dialect::json::value::Value;
use crate::dialect::seen::{Glance, Mark, Noted, Told};

/// Finish reasons that explain an answer with nothing in it.
pub(in crate::dialect) const EXCUSES: &[&str] =
    &["length", "model_length", "content_filter", "sensitive", "tool_calls", "function_call"];

/// Glances at members: of the chunk (1), of a choice (3), of its delta (4).
pub(in crate::dialect) struct Look<'a>(pub(in crate::dialect) &'a mut Glance);

impl Visitor for Look<'_> {
    #[inline]
    fn member(&mut self, depth: usize, name: &[u8], rest: &[u8]) {
        let given = !rest.starts_with(b"null");
        let filled = given && !matches!(rest.first_chunk(), Some(b"\"\"" | b"[]" | b"{}"));
        match (depth, name) {
            (1, b"error" | b"usage") | (3, b"finish_reason") => self.0.matters |= given,
            (3, b"index") => self.0.matters |= !rest.starts_with(b"0"),
            (4, b"content" | b"refusal" | b"reasoning_content" | b"reasoning" | b"reasoning_details" | b"audio") => {
                self.0.content |= filled;
            }
            (4, b"tool_calls" | b"function_call") if filled => {
                self.0.content = true;
                self.0.tool_call = true;
            }
            _ => {}
        }
    }
}

/// Reads a chunk.
pub(in crate::dialect) fn chunk(noted: &mut Noted, chunk: Value<'_>) -> Mark {
    let [listed, model, usage, groq] = chunk.pick(["choices", "model", "usage", "x_groq"]);
    note_head(noted, model, usage.or_else(|| groq?.get("usage")));
    let mut choices = 0;
    for choice in listed.into_iter().flat_map(Value::elements) {
        choices += 1;
        let [index, delta, message, finish] = choice.pick(["index", "delta", "message", "finish_reason"]);
        let index = index.and_then(Value::count).unwrap_or_default().min(63);
        noted.opened |= 1 << index;
        note_message(noted, delta.or(message));
        if note_finish(noted, finish) {
            noted.finished |= 1 << index;
        }
    }
    match (noted.bears, choices) {
        (true, _) => Mark::Content,
        (false, 0) if usage.is_some() => Mark::Usage,
        (false, _) => Mark::Quiet,
    }
}

/// Reads a whole answer.
pub(in crate::dialect) fn reply(noted: &mut Noted, answer: Value<'_>) -> Told {
    let [error, choices, model, usage, groq] = answer.pick(["error", "choices", "model", "usage", "x_groq"]);
    if error.is_some() {
        return Told::Error;
    }
    let Some(choices) = choices.filter(|choices| choices.is_array()) else { return Told::Nothing };
    note_head(noted, model, usage.or_else(|| groq?.get("usage")));
    for choice in choices.elements() {
        let [message, finish] = choice.pick(["message", "finish_reason"]);
        note_message(noted, message);
        note_finish(noted, finish);
    }
    Told::Answer
}

fn note_head(noted: &mut Noted, model: Option<Value<'_>>, told: Option<Value<'_>>) {
    if noted.model.is_none() {
        noted.model = model.and_then(Value::text).filter(|model| !model.is_empty()).map(Into::into);
    }
    noted.usage = told.and_then(usage).or(noted.usage);
}

fn note_finish(noted: &mut Noted, reason: Option<Value<'_>>) -> bool {
    let finish = reason.and_then(Value::text).filter(|finish| !finish.is_empty());
    let finished = finish.is_some();
    noted.broke = finish.as_deref().and_then(broke).or(noted.broke);
    noted.finish = finish.map(Into::into).or_else(|| noted.finish.take());
    finished
}

/// What finish reasons mean that no client knows: the answer is no answer, however much of it came.
fn broke(finish: &str) -> Option<FailureKind> {
    match finish {
        // Mistral <https://docs.mistral.ai/api>, OpenRouter <https://openrouter.ai/docs/api-reference/overview>, and z.ai
        // <https://docs.z.ai/api-reference/llm/chat-completion>
        "error" | "network_error" => Some(FailureKind::ServerError),
        // DeepSeek: <https://api-docs.deepseek.com/api/create-chat-completion>
        "insufficient_system_resource" => Some(FailureKind::Overloaded),
        _ => None,
    }
}

fn note_message(noted: &mut Noted, message: Option<Value<'_>>) {
    for (name, value) in message.into_iter().flat_map(Value::members) {
        match &*name {
            "content" | "refusal" => match value.beginning() {
                Some(text) => noted.text(&text),
                // Mistral's parts; each says something
                None if value.elements().next().is_some() => noted.text("parts"),
                None => {}
            },
            "reasoning_content" | "reasoning" => noted.reasoning(&value.beginning().unwrap_or_default()),
            "tool_calls" if value.elements().next().is_some() => noted.tool_call(),
            "function_call" if value.is_object() => noted.tool_call(),
            "audio" if value.is_object() => noted.text("audio"),
            _ => {}
        }
    }
}

/// Usage: the prompt's count includes what was read from and written to the cache, the answer's includes reasoning.
///
/// xAI alone counts reasoning beside the answer, which its total shows (recording 609ee901abf98e02).
pub(in crate::dialect) fn usage(usage: Value<'_>) -> Option<Usage> {
    let count = |value: Option<Value<'_>>| value?.count();
    let [prompt, answer, total, details, answer_details, hits] = usage.pick([
        "prompt_tokens",
        "completion_tokens",
        "total_tokens",
        "prompt_tokens_details",
        "completion_tokens_details",
        "prompt_cache_hit_tokens",
    ]);
    let prompt = count(prompt)?;
    let answer = count(answer).unwrap_or_default();
    let [cached, written] = details.map_or([None; 2], |details| details.pick(["cached_tokens", "cache_write_tokens"]));
    let cached = count(cached).or_else(|| count(hits)).unwrap_or_default();
    let written = count(written).unwrap_or_default();
    let reasoning = answer_details.and_then(|details| details.get("reasoning_tokens")?.count()).unwrap_or_default();
    let apart = count(total) == prompt.checked_add(answer)?.checked_add(reasoning);
    let output = if apart { answer.saturating_add(reasoning) } else { answer };
    let cached = cached.min(prompt);
    let written = written.min(prompt - cached);
    let (fresh, reasoning) = (prompt - cached - written, reasoning.min(output));
    Some(Usage { fresh, cached, written, output, reasoning, ..Usage::default() })
}
