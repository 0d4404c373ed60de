//! What a call asks for, as far as a simulated vendor cares.

use crate::dialect::Dialect;
use serde_json::{Map, Value, json};

/// A call, read.
#[derive(Clone, Debug, Default)]
pub(super) struct Asked {
    pub model: String,
    pub streamed: bool,
    pub include_usage: bool,
    pub prompt_tokens: usize,
    /// The tool to call, with arguments that fit its schema.
    pub tool: Option<(String, Value)>,
    /// An answer that fits the schema asked for.
    pub structured: Option<Value>,
    /// What ends the answer where it would say it.
    pub stops: Vec<String>,
    /// How the conversation ends, where it asks for the rest of an answer.
    pub rest: Option<Rest>,
}

/// The rest of an answer that is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Rest {
    /// What follows this beginning.
    Of(String),
    /// What begins with these words.
    From(String),
}

impl Asked {
    /// Reads a call's body; what is missing or malformed counts as not asked for.
    pub(super) fn read(dialect: Dialect, body: &[u8]) -> Self {
        let call: Value = serde_json::from_slice(body).unwrap_or_default();
        Self {
            model: call["model"].as_str().unwrap_or("unnamed").to_owned(),
            streamed: call["stream"].as_bool().unwrap_or(false),
            include_usage: call["stream_options"]["include_usage"].as_bool().unwrap_or(false),
            prompt_tokens: body.len().div_ceil(4),
            tool: if wants_tool(&call) { tool(dialect, &call) } else { None },
            structured: schema_of_answer(&call).map(|schema| example(&schema)),
            stops: stops(&call),
            rest: rest(&call),
        }
    }
}

impl Asked {
    /// The same call at `path`, which tells some dialects and clouds which model is asked and whether to stream.
    pub(super) fn at(mut self, path: &str, query: &str) -> Self {
        let segment = path.rsplit_once("/model/").map(|(_, rest)| rest.split('/').next().unwrap_or_default());
        let segment = segment.or_else(|| path.rsplit_once("/models/").and_then(|(_, rest)| rest.split(':').next()));
        if let Some(model) = segment {
            self.model = model.replace("%3A", ":").replace("%2F", "/");
        }
        self.streamed |= path.ends_with("/converse-stream") || path.ends_with(":streamRawPredict");
        self.streamed |= path.ends_with(":streamGenerateContent") && query.contains("alt=sse");
        self
    }
}

/// The beginning of an answer in the model's own turn at the end, or words between two lines of dashes that it is told to
/// begin with.
fn rest(call: &Value) -> Option<Rest> {
    let last = ["messages", "input", "contents"].into_iter().find_map(|turns| call[turns].as_array()?.last())?;
    let parts = ["content", "parts"].into_iter().find_map(|parts| last.get(parts))?;
    let said = match parts.as_array() {
        Some(parts) => parts.iter().filter_map(|part| part["text"].as_str()).collect::<String>(),
        None => parts.as_str()?.to_owned(),
    };
    if ["assistant", "model"].into_iter().any(|role| last["role"] == role) {
        return Some(Rest::Of(said));
    }
    let (_, marked) = said.split_once("\n-----\n")?;
    let (words, _) = marked.rsplit_once("\n-----")?;
    Some(Rest::From(words.to_owned()))
}

/// Tools are called once: not when their result has come, and not when the caller forbids it.
fn wants_tool(call: &Value) -> bool {
    let choice = &call["tool_choice"];
    let mode = call.pointer("/toolConfig/functionCallingConfig/mode");
    let forbidden = choice == "none" || choice["type"] == "none" || mode.is_some_and(|mode| mode == "NONE");
    let last = ["messages", "input", "contents"].into_iter().find_map(|turns| call[turns].as_array()?.last());
    let answered = last.is_some_and(|last| {
        let parts = ["content", "parts"].into_iter().filter_map(|parts| last[parts].as_array());
        last["role"] == "tool" || last["type"] == "function_call_output" || parts.flatten().any(is_result)
    });
    !forbidden && !answered
}

fn is_result(block: &Value) -> bool {
    block["type"] == "tool_result" || block.get("toolResult").is_some() || block.get("functionResponse").is_some()
}

fn tool(dialect: Dialect, call: &Value) -> Option<(String, Value)> {
    let offered = if dialect == Dialect::Bedrock { &call["toolConfig"]["tools"] } else { &call["tools"] };
    let offered = offered.as_array()?;
    let tool = match dialect {
        Dialect::OpenaiResponses => offered.iter().find(|tool| tool["type"] == "function")?,
        _ => offered.first()?,
    };
    let (named, schema) = match dialect {
        Dialect::OpenaiChat | Dialect::OpenaiCompletions | Dialect::OpenaiEmbeddings => {
            (&tool["function"], &tool["function"]["parameters"])
        }
        Dialect::OpenaiResponses => (tool, &tool["parameters"]),
        Dialect::Anthropic | Dialect::AnthropicCount => (tool, &tool["input_schema"]),
        Dialect::Bedrock => (&tool["toolSpec"], &tool["toolSpec"]["inputSchema"]["json"]),
        Dialect::Gemini | Dialect::GeminiCount | Dialect::GeminiEmbed => {
            let function = tool.pointer("/functionDeclarations/0")?;
            let schemas = ["parametersJsonSchema", "parameters_json_schema", "parameters"];
            (function, schemas.into_iter().find_map(|name| function.get(name)).unwrap_or(&Value::Null))
        }
    };
    Some((named["name"].as_str()?.to_owned(), example(schema)))
}

/// `stop`, a string or several, or what other dialects call it.
fn stops(call: &Value) -> Vec<String> {
    let places = ["/stop", "/stop_sequences", "/inferenceConfig/stopSequences", "/generationConfig/stopSequences"];
    let given = places.into_iter().find_map(|place| call.pointer(place)).unwrap_or(&Value::Null);
    let several = given.as_array().map_or_else(|| std::slice::from_ref(given), Vec::as_slice);
    several.iter().filter_map(Value::as_str).filter(|stop| !stop.is_empty()).map(str::to_owned).collect()
}

fn schema_of_answer(call: &Value) -> Option<Value> {
    const PLACES: [&str; 7] = [
        "/response_format/json_schema/schema",
        "/text/format/schema",
        "/output_config/format/schema",
        "/output_format/schema",
        "/outputConfig/textFormat/structure/jsonSchema/schema",
        "/generationConfig/responseJsonSchema",
        "/generationConfig/responseSchema",
    ];
    let schema = PLACES.into_iter().find_map(|place| call.pointer(place))?;
    match schema {
        // Bedrock takes the schema as a text of JSON
        Value::String(text) => serde_json::from_str(text).ok(),
        schema => Some(schema.clone()),
    }
}

/// A value that fits a JSON Schema, as far as types, required members, enums and constants go.
fn example(schema: &Value) -> Value {
    example_within(schema, schema, 16)
}

fn example_within(root: &Value, schema: &Value, depth: usize) -> Value {
    let Some(depth) = depth.checked_sub(1) else { return Value::Null };
    let inner = |schema| example_within(root, schema, depth);
    if let Some(target) = schema["$ref"].as_str().and_then(|path| root.pointer(path.trim_start_matches('#'))) {
        return inner(target);
    }
    let first = |member: &str| schema[member].as_array().and_then(|values| values.first());
    if let Some(value) = schema.get("const").or_else(|| first("enum")) {
        return value.clone();
    }
    if let Some(choice) = first("anyOf").or_else(|| first("oneOf")).or_else(|| first("allOf")) {
        return inner(choice);
    }
    let kind = schema["type"].as_str().or_else(|| first("type").and_then(Value::as_str)).map(str::to_ascii_lowercase);
    match (kind.as_deref(), schema["properties"].as_object()) {
        (Some("string"), _) => json!("Lisbon"),
        (Some("integer"), _) => schema.get("minimum").filter(|least| least.is_i64()).cloned().unwrap_or(json!(3)),
        (Some("number"), _) => schema.get("minimum").cloned().unwrap_or(json!(1.5)),
        (Some("boolean"), _) => json!(true),
        (Some("array"), _) => json!([inner(&schema["items"])]),
        (Some("null"), _) => Value::Null,
        (_, Some(members)) => {
            members.iter().map(|(name, schema)| (name.clone(), inner(schema))).collect::<Map<_, _>>().into()
        }
        _ => json!({}),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_tool_is_called_with_arguments_that_fit_and_only_once() {
        let schema = json!({"type": "object", "properties": {"city": {"type": "string"}, "days": {"type": "integer"},
            "unit": {"enum": ["c", "f"]}, "at": {"$ref": "#/$defs/at"}}, "$defs": {"at": {"type": ["boolean", "null"]}}});
        let mut call = json!({"model": "m", "messages": [{"role": "user", "content": "?"}],
            "tools": [{"name": "weather", "input_schema": schema}]});
        let asked = |call: &Value| Asked::read(Dialect::Anthropic, call.to_string().as_bytes());
        let (name, arguments) = asked(&call).tool.unwrap();
        assert_eq!(name, "weather");
        assert_eq!(arguments, json!({"city": "Lisbon", "days": 3, "unit": "c", "at": true}));
        call["messages"] = json!([{"role": "user", "content": [{"type": "tool_result"}]}]);
        assert!(asked(&call).tool.is_none());
    }

    #[test]
    fn stop_sequences_are_read_in_either_dialect() {
        for (member, value) in
            [("stop", json!("dragon")), ("stop", json!(["dragon"])), ("stop_sequences", json!(["dragon", ""]))]
        {
            let asked = Asked::read(Dialect::OpenaiChat, json!({ member: value }).to_string().as_bytes());
            assert_eq!(asked.stops, ["dragon"]);
        }
    }

    #[test]
    fn nonsense_asks_for_nothing() {
        let asked = Asked::read(Dialect::OpenaiChat, b"not json");
        assert!(!asked.streamed && asked.tool.is_none() && asked.model == "unnamed");
    }
}
