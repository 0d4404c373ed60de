//! The wire's shapes, as read. Members after AWS's API reference of `Converse` and `ConverseStream` and the recordings.

use crate::call::usage::Usage;
use crate::dialect::object::{Known, Object, Text, object};
use crate::dialect::shapes::Count;
use serde_json::value::RawValue;

object! {
    /// What is asked. The model is in the path, and so is whether to stream.
    Request<'a> {
        model = "modelId": Option<String>,
        messages = "messages": Option<Vec<Object<'a, Message<'a>>>>,
        system = "system": Option<Vec<&'a RawValue>>,
        inference = "inferenceConfig": Option<Object<'a, Inference>>,
        tools = "toolConfig": Option<Object<'a, ToolConfig<'a>>>,
        additional = "additionalModelRequestFields": Option<Object<'a, Additional<'a>>>,
        output = "outputConfig": Option<Object<'a, OutputConfig<'a>>>,
        metadata = "requestMetadata": Option<Object<'a, Metadata>>,
    }
}

object! {
    /// One message of the conversation.
    Message<'a> { role = "role": Option<Text<'a>>, content = "content": Option<Vec<&'a RawValue>>, }
}

object! {
    /// Sampling.
    Inference {
        max_tokens = "maxTokens": Option<u64>,
        temperature = "temperature": Option<f64>,
        top_p = "topP": Option<f64>,
        stop = "stopSequences": Option<Vec<String>>,
    }
}

object! {
    /// One block of a message's content: exactly one member tells its kind.
    Block<'a> {
        text = "text": Option<String>,
        image = "image": Option<Object<'a, Media<'a>>>,
        document = "document": Option<Object<'a, Media<'a>>>,
        tool_use = "toolUse": Option<Object<'a, ToolUse<'a>>>,
        tool_result = "toolResult": Option<Object<'a, ToolResult<'a>>>,
        reasoning = "reasoningContent": Option<Object<'a, ReasoningBlock<'a>>>,
        citations = "citationsContent": Option<Object<'a, Cited<'a>>>,
        cache_point = "cachePoint": Option<&'a RawValue>,
    }
}

object! {
    /// An image or a document.
    Media<'a> {
        format = "format": Option<String>,
        name = "name": Option<String>,
        source = "source": Option<Object<'a, MediaSource>>,
    }
}

object! {
    /// Where an image or a document is.
    MediaSource { bytes = "bytes": Option<String>, text = "text": Option<String>, }
}

object! {
    /// A tool call; one with a `type` is the vendor's own.
    ToolUse<'a> {
        id = "toolUseId": Option<String>,
        name = "name": Option<String>,
        input = "input": Option<&'a RawValue>,
    }
}

object! {
    /// What a tool call gave.
    ToolResult<'a> {
        id = "toolUseId": Option<String>,
        content = "content": Option<Vec<&'a RawValue>>,
        status = "status": Option<Text<'a>>,
    }
}

object! {
    /// Thoughts.
    ReasoningBlock<'a> {
        text = "reasoningText": Option<Object<'a, ReasoningText>>,
        redacted = "redactedContent": Option<String>,
    }
}

object! {
    /// Thoughts that can be read.
    ReasoningText { text = "text": Option<String>, signature = "signature": Option<String>, }
}

object! {
    /// Text with what it rests on.
    Cited<'a> {
        content = "content": Option<Vec<Object<'a, PlainText>>>,
        citations = "citations": Option<Vec<&'a RawValue>>,
    }
}

object! {
    /// A text.
    PlainText { text = "text": Option<String>, }
}

object! {
    /// What a text rests on.
    WireCitation { title = "title": Option<String>, location = "location": Option<Known<Location>>, }
}

object! {
    /// Where that is.
    Location { web = "web": Option<Known<Web>>, }
}

object! {
    /// A page.
    Web { url = "url": Option<String>, }
}

object! {
    /// The tools that are offered.
    ToolConfig<'a> {
        tools = "tools": Option<Vec<&'a RawValue>>,
        choice = "toolChoice": Option<&'a RawValue>,
    }
}

object! {
    /// A tool that is offered, or a cache breakpoint behind one.
    Tool<'a> {
        spec = "toolSpec": Option<Object<'a, ToolSpec<'a>>>,
        cache_point = "cachePoint": Option<&'a RawValue>,
    }
}

object! {
    /// A function.
    ToolSpec<'a> {
        name = "name": Option<String>,
        description = "description": Option<String>,
        schema = "inputSchema": Option<Known<InputSchema<'a>>>,
        strict = "strict": Option<bool>,
    }
}

object! {
    /// A function's arguments.
    InputSchema<'a> { json = "json": Option<&'a RawValue>, }
}

object! {
    /// Whether the model may or must call a tool: exactly one member.
    ToolChoice<'a> {
        auto = "auto": Option<&'a RawValue>,
        any = "any": Option<&'a RawValue>,
        tool = "tool": Option<Known<Named>>,
    }
}

object! {
    /// A tool by its name.
    Named { name = "name": Option<String>, }
}

object! {
    /// What the model's own maker takes beyond what all models share, of which Claude's thinking is known here.
    Additional<'a> { thinking = "thinking": Option<Object<'a, Thinking<'a>>>, effort = "output_config": Option<Object<'a, Effort>>, }
}

object! {
    /// Whether Claude thinks.
    Thinking<'a> { kind = "type": Option<Text<'a>>, budget_tokens = "budget_tokens": Option<u64>, display = "display": Option<String>, }
}

object! {
    /// How hard.
    Effort { effort = "effort": Option<String>, }
}

object! {
    /// How the answer shall be.
    OutputConfig<'a> { format = "textFormat": Option<Known<TextFormat<'a>>>, }
}

object! {
    /// The form of the answer.
    TextFormat<'a> { kind = "type": Option<Text<'a>>, structure = "structure": Option<Known<Structure>>, }
}

object! {
    /// The form's own description.
    Structure { schema = "jsonSchema": Option<Known<JsonSchema>>, }
}

object! {
    /// A JSON Schema, as a text of JSON.
    JsonSchema {
        schema = "schema": Option<String>,
        name = "name": Option<String>,
        description = "description": Option<String>,
    }
}

object! {
    /// What the vendor is told about the call.
    Metadata { user_id = "user_id": Option<String>, }
}

object! {
    /// A whole answer.
    Answer<'a> {
        output = "output": Option<Known<Output<'a>>>,
        stop_reason = "stopReason": Option<Text<'a>>,
        additional = "additionalModelResponseFields": Option<&'a RawValue>,
        usage = "usage": Option<Known<WireUsage>>,
    }
}

object! {
    /// What came out.
    Output<'a> { message = "message": Option<Known<AnswerMessage<'a>>>, }
}

object! {
    /// The message of an answer.
    AnswerMessage<'a> { content = "content": Option<Vec<&'a RawValue>>, }
}

object! {
    /// What the model's own maker tells beside the answer.
    AdditionalAnswer { stop_sequence = "stop_sequence": Option<String>, }
}

object! {
    /// `contentBlockStart`.
    BlockStart<'a> { start = "start": Option<Known<Start<'a>>>, }
}

object! {
    /// What begins: nothing is told where it is text or thoughts.
    Start<'a> { tool_use = "toolUse": Option<Object<'a, ToolUseStart<'a>>>, }
}

object! {
    /// The head of a tool call.
    ToolUseStart<'a> { id = "toolUseId": Option<Text<'a>>, name = "name": Option<Text<'a>>, }
}

object! {
    /// `contentBlockDelta`.
    BlockDelta<'a> { index = "contentBlockIndex": Option<u64>, delta = "delta": Option<Known<BlockPiece<'a>>>, }
}

object! {
    /// What is added to a block.
    BlockPiece<'a> {
        text = "text": Option<Text<'a>>,
        tool_use = "toolUse": Option<Known<ToolUsePiece<'a>>>,
        reasoning = "reasoningContent": Option<Known<ReasoningPiece<'a>>>,
        citation = "citation": Option<&'a RawValue>,
    }
}

object! {
    /// A piece of a tool call's arguments.
    ToolUsePiece<'a> { input = "input": Option<Text<'a>>, }
}

object! {
    /// A piece of thoughts.
    ReasoningPiece<'a> {
        text = "text": Option<Text<'a>>,
        signature = "signature": Option<Text<'a>>,
        redacted = "redactedContent": Option<Text<'a>>,
    }
}

object! {
    /// `messageStop`.
    MessageStop<'a> {
        stop_reason = "stopReason": Option<Text<'a>>,
        additional = "additionalModelResponseFields": Option<&'a RawValue>,
    }
}

object! {
    /// `metadata`.
    Metering { usage = "usage": Option<Known<WireUsage>>, }
}

object! {
    /// Token counts as this dialect tells them: what a cache held is counted beside `inputTokens` (recording
    /// `1f0d54f475df8d6e`), and reasoning is not told apart.
    WireUsage {
        input = "inputTokens": Count,
        cache_read = "cacheReadInputTokens": Count,
        cache_write = "cacheWriteInputTokens": Count,
        output = "outputTokens": Count,
    }
}

impl From<&WireUsage> for Usage {
    fn from(wire: &WireUsage) -> Self {
        Self {
            fresh: wire.input.unwrap_or(0),
            cached: wire.cache_read.unwrap_or(0),
            written: wire.cache_write.unwrap_or(0),
            output: wire.output.unwrap_or(0),
            ..Self::default()
        }
    }
}
