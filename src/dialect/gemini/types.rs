//! The wire's shapes, as read and as written. Members after <https://ai.google.dev/api/generate-content> (2026); Google's
//! parsers take each name in camel case and in snake case, and one object where a list may stand.

use crate::call::usage::Usage;
use crate::dialect::object::{Known, Object, Text, object};
use crate::dialect::shapes::{Count, First, Many};
use serde::Serialize;
use serde_json::value::RawValue;

object! {
    /// What a client asks.
    Request<'a> {
        // of no consequence beside the path's
        model = "model": serde::de::IgnoredAny,
        contents = "contents": Many<Object<'a, Content<'a>>>,
        system = "systemInstruction" | "system_instruction": Option<Object<'a, Content<'a>>>,
        tools = "tools": Many<Object<'a, Tool<'a>>>,
        tool_config = "toolConfig" | "tool_config": Option<Object<'a, ToolConfig<'a>>>,
        config = "generationConfig" | "generation_config": Option<Object<'a, Config<'a>>>,
    }
}

object! {
    /// One turn of the conversation, or an answer.
    Content<'a> { role = "role": Option<Text<'a>>, parts = "parts": Many<Object<'a, Part<'a>>>, }
}

object! {
    /// One part of a turn.
    Part<'a> {
        text = "text": Option<Text<'a>>,
        thought = "thought": Option<bool>,
        signature = "thoughtSignature" | "thought_signature": Option<Text<'a>>,
        inline_data = "inlineData" | "inline_data": Option<&'a RawValue>,
        file_data = "fileData" | "file_data": Option<&'a RawValue>,
        function_call = "functionCall" | "function_call": Option<&'a RawValue>,
        function_response = "functionResponse" | "function_response": Option<&'a RawValue>,
    }
}

object! {
    /// Bytes in the call itself.
    InlineData<'a> {
        mime_type = "mimeType" | "mime_type": Option<Text<'a>>,
        data = "data": Option<Text<'a>>,
        display_name = "displayName" | "display_name": Option<String>,
    }
}

object! {
    /// A file behind a URI.
    FileData<'a> {
        mime_type = "mimeType" | "mime_type": Option<Text<'a>>,
        uri = "fileUri" | "file_uri": Option<Text<'a>>,
    }
}

object! {
    /// A call of a function.
    FunctionCall<'a> { id = "id": Option<String>, name = "name": Option<String>, args = "args": Option<&'a RawValue>, }
}

object! {
    /// What such a call gave.
    FunctionResponse<'a> {
        id = "id": Option<String>,
        name = "name": Option<Text<'a>>,
        response = "response": Option<&'a RawValue>,
        parts = "parts": Many<Object<'a, Part<'a>>>,
    }
}

object! {
    /// The whole of a result, where it is text.
    Output<'a> { output = "output": Option<Text<'a>>, error = "error": Option<Text<'a>>, }
}

object! {
    /// Tools of one kind.
    Tool<'a> { functions = "functionDeclarations" | "function_declarations": Option<Vec<&'a RawValue>>, }
}

object! {
    /// A function that is offered.
    Function<'a> {
        name = "name": Option<String>,
        description = "description": Option<String>,
        parameters = "parameters": Option<&'a RawValue>,
        json_schema = "parametersJsonSchema" | "parameters_json_schema": Option<&'a RawValue>,
        returns = "response" | "responseJsonSchema" | "response_json_schema": Option<&'a RawValue>,
    }
}

object! {
    /// How tools are called.
    ToolConfig<'a> { calling = "functionCallingConfig" | "function_calling_config": Option<&'a RawValue>, }
}

object! {
    /// Whether the model may or must call a function.
    Calling<'a> {
        mode = "mode": Option<Text<'a>>,
        allowed = "allowedFunctionNames" | "allowed_function_names": Option<Vec<String>>,
    }
}

object! {
    /// How the answer shall be.
    Config<'a> {
        max_tokens = "maxOutputTokens" | "max_output_tokens": Option<u64>,
        temperature = "temperature": Option<f64>,
        top_p = "topP" | "top_p": Option<f64>,
        top_k = "topK" | "top_k": Option<f64>,
        seed = "seed": Option<i64>,
        presence_penalty = "presencePenalty" | "presence_penalty": Option<f64>,
        frequency_penalty = "frequencyPenalty" | "frequency_penalty": Option<f64>,
        stop = "stopSequences" | "stop_sequences": Option<Vec<String>>,
        mime_type = "responseMimeType" | "response_mime_type": Option<Text<'a>>,
        schema = "responseSchema" | "response_schema": Option<&'a RawValue>,
        json_schema = "responseJsonSchema" | "response_json_schema": Option<&'a RawValue>,
        thinking = "thinkingConfig" | "thinking_config": Option<Object<'a, Thinking>>,
    }
}

object! {
    /// Whether the model thinks.
    Thinking {
        budget = "thinkingBudget" | "thinking_budget": Option<i64>,
        level = "thinkingLevel" | "thinking_level": Option<String>,
        include = "includeThoughts" | "include_thoughts": Option<bool>,
    }
}

object! {
    /// A whole answer, or a piece of one that streams: they have the same shape.
    Answer<'a> {
        id = "responseId": Option<Text<'a>>,
        model = "modelVersion": Option<Text<'a>>,
        created = "createTime": Option<Text<'a>>,
        candidates = "candidates": First<Known<Candidate<'a>>>,
        feedback = "promptFeedback": Option<Known<Feedback<'a>>>,
        usage = "usageMetadata": Option<Known<WireUsage>>,
        error = "error": Option<&'a RawValue>,
    }
}

object! {
    /// One choice.
    Candidate<'a> {
        index = "index": Option<u64>,
        content = "content": Option<Known<Content<'a>>>,
        finish = "finishReason": Option<&'a RawValue>,
        grounding = "groundingMetadata": Option<Known<Grounding<'a>>>,
        citations = "citationMetadata": Option<Known<Citations<'a>>>,
    }
}

object! {
    /// What the vendor thinks of the prompt.
    Feedback<'a> { block_reason = "blockReason": Option<Text<'a>>, }
}

object! {
    /// What the vendor's searches found.
    Grounding<'a> { chunks = "groundingChunks": Option<Vec<&'a RawValue>>, }
}

object! {
    /// One thing found.
    GroundingChunk {
        web = "web": Option<Known<Page>>,
        retrieved = "retrievedContext": Option<Known<Page>>,
        maps = "maps": Option<Known<Page>>,
    }
}

impl GroundingChunk {
    /// Where it was found.
    pub(crate) fn place(self) -> Option<Known<Page>> {
        self.web.or(self.retrieved).or(self.maps)
    }
}

object! {
    /// A page.
    Page { uri = "uri": Option<String>, title = "title": Option<String>, }
}

object! {
    /// Works that the answer recites; the Gemini API and Vertex AI name the list unlike.
    Citations<'a> { sources = "citationSources" | "citations": Option<Vec<&'a RawValue>>, }
}

object! {
    /// Token counts as this dialect tells them: the candidates' exclude thoughts, the prompt's include what a cache held,
    /// and what hosted tools read comes beside both (recordings `da7311dbd96227d8`, `099cf96d9f029899`).
    WireUsage {
        prompt = "promptTokenCount": Count,
        cached = "cachedContentTokenCount": Count,
        tools = "toolUsePromptTokenCount": Count,
        candidates = "candidatesTokenCount": Count,
        thoughts = "thoughtsTokenCount": Count,
    }
}

impl From<&WireUsage> for Usage {
    fn from(wire: &WireUsage) -> Self {
        let (prompt, thoughts) = (wire.prompt.unwrap_or(0), wire.thoughts.unwrap_or(0));
        let cached = wire.cached.unwrap_or(0).min(prompt);
        Self {
            fresh: (prompt - cached).saturating_add(wire.tools.unwrap_or(0)),
            cached,
            output: wire.candidates.unwrap_or(0).saturating_add(thoughts),
            reasoning: thoughts,
            ..Self::default()
        }
    }
}

/// Token counts as they are written.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct UsageOut {
    prompt_token_count: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    cached_content_token_count: Option<u64>,
    candidates_token_count: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    thoughts_token_count: Option<u64>,
    total_token_count: u64,
}

impl From<Usage> for UsageOut {
    fn from(usage: Usage) -> Self {
        let above_zero = |count: u64| (count > 0).then_some(count);
        Self {
            prompt_token_count: usage.input(),
            cached_content_token_count: above_zero(usage.cached),
            candidates_token_count: usage.output.saturating_sub(usage.reasoning),
            thoughts_token_count: above_zero(usage.reasoning),
            total_token_count: usage.input().saturating_add(usage.output),
        }
    }
}

/// A part as it is written.
#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct PartOut<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) text: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) thought: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) inline_data: Option<InlineDataOut<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) file_data: Option<FileDataOut<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) function_call: Option<FunctionCallOut<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) function_response: Option<FunctionResponseOut<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) thought_signature: Option<std::borrow::Cow<'a, str>>,
}

/// Bytes, as they are written.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct InlineDataOut<'a> {
    pub(crate) mime_type: &'a str,
    pub(crate) data: std::borrow::Cow<'a, str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) display_name: Option<&'a str>,
}

/// A file, as it is written.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct FileDataOut<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) mime_type: Option<&'static str>,
    pub(crate) file_uri: &'a str,
}

/// A call, as it is written.
#[derive(Debug, Serialize)]
pub(crate) struct FunctionCallOut<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) id: Option<&'a str>,
    pub(crate) name: &'a str,
    pub(crate) args: crate::call::json::Json,
}

/// A result, as it is written.
#[derive(Debug, Serialize)]
pub(crate) struct FunctionResponseOut<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) id: Option<&'a str>,
    pub(crate) name: &'a str,
    pub(crate) response: crate::call::json::Json,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) parts: Vec<AnyPartOut<'a>>,
}

/// A part, or one that only this dialect knows.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub(crate) enum AnyPartOut<'a> {
    /// One that others know too.
    Own(Box<PartOut<'a>>),
    /// As it came.
    Foreign(&'a crate::call::json::Json),
}
