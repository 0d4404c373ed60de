//! What a client asks, as read.

use crate::dialect::object::{Known, Object, Text, object};
use crate::dialect::shapes::{JsonText, TextOr};
use serde_json::value::RawValue;

object! {
    /// What a client asks.
    Request<'a> {
        model = "model": Option<String>,
        messages = "messages": Option<Vec<Object<'a, Message<'a>>>>,
        tools = "tools": Option<Vec<&'a RawValue>>,
        tool_choice = "tool_choice": Option<&'a RawValue>,
        parallel_tool_calls = "parallel_tool_calls": Option<bool>,
        max_tokens = "max_tokens": Option<u64>,
        max_completion_tokens = "max_completion_tokens": Option<u64>,
        temperature = "temperature": Option<f64>,
        top_p = "top_p": Option<f64>,
        top_k = "top_k": Option<u64>,
        seed = "seed": Option<i64>,
        presence_penalty = "presence_penalty": Option<f64>,
        frequency_penalty = "frequency_penalty": Option<f64>,
        stop = "stop": TextOr<String>,
        response_format = "response_format": Option<Object<'a, ResponseFormat<'a>>>,
        reasoning_effort = "reasoning_effort": Option<String>,
        user = "user": Option<String>,
        safety_identifier = "safety_identifier": Option<String>,
        stream = "stream": Option<bool>,
        stream_options = "stream_options": Option<Known<StreamOptions>>,
    }
}

object! {
    /// How to stream. `include_obfuscation` pads against traffic analysis and asks nothing of the answer.
    StreamOptions { include_usage = "include_usage": Option<bool>, }
}

object! {
    /// One message of the conversation.
    Message<'a> {
        role = "role": Option<Text<'a>>,
        content = "content": TextOr<&'a RawValue>,
        name = "name": Option<String>,
        refusal = "refusal": Option<String>,
        tool_calls = "tool_calls": Option<Vec<&'a RawValue>>,
        tool_call_id = "tool_call_id": Option<String>,
    }
}

object! {
    /// One part of a message's content.
    Part<'a> {
        kind = "type": Option<Text<'a>>,
        text = "text": Option<String>,
        refusal = "refusal": Option<String>,
        image_url = "image_url": Option<&'a RawValue>,
        file = "file": Option<Object<'a, File<'a>>>,
    }
}

object! {
    /// An image by URL or data URL.
    ImageUrl<'a> { url = "url": Option<Text<'a>>, detail = "detail": Option<String>, }
}

object! {
    /// A file in the call; `file_id` would be one kept at the vendor.
    File<'a> { file_data = "file_data": Option<Text<'a>>, filename = "filename": Option<String>, }
}

object! {
    /// A call of a function, whole.
    ToolCall<'a> {
        kind = "type": Option<Text<'a>>,
        id = "id": Option<String>,
        function = "function": Option<Known<FunctionCall<'a>>>,
    }
}

object! {
    /// Its name and arguments, whole.
    FunctionCall<'a> { name = "name": Option<String>, arguments = "arguments": Option<JsonText<'a>>, }
}

object! {
    /// A tool that is offered.
    Tool<'a> { kind = "type": Option<Text<'a>>, function = "function": Option<Object<'a, Function<'a>>>, }
}

object! {
    /// A function that is offered.
    Function<'a> {
        name = "name": Option<String>,
        description = "description": Option<String>,
        parameters = "parameters": Option<&'a RawValue>,
        strict = "strict": Option<bool>,
    }
}

object! {
    /// The form of the answer.
    ResponseFormat<'a> {
        kind = "type": Option<Text<'a>>,
        json_schema = "json_schema": Option<Object<'a, JsonSchema<'a>>>,
    }
}

object! {
    /// The schema that an answer follows.
    JsonSchema<'a> {
        name = "name": Option<String>,
        description = "description": Option<String>,
        schema = "schema": Option<&'a RawValue>,
        strict = "strict": Option<bool>,
    }
}
