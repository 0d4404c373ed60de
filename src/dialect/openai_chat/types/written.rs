//! What is written in several places.

use crate::call::json::Json;
use crate::call::tool::ToolCall;
use serde::Serialize;
use std::borrow::Cow;

/// How to stream, as it is written.
#[derive(Debug, Serialize)]
pub(crate) struct StreamOptionsOut {
    pub(crate) include_usage: bool,
}

/// A tool call as it is written, whole or in pieces.
#[derive(Debug, Serialize)]
pub(crate) struct ToolCallOut<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) index: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) id: Option<Cow<'a, str>>,
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    pub(crate) kind: Option<&'static str>,
    pub(crate) function: FunctionCallOut<'a>,
}

/// Its function.
#[derive(Debug, Serialize)]
pub(crate) struct FunctionCallOut<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) name: Option<&'a str>,
    pub(crate) arguments: &'a str,
}

impl<'a> ToolCallOut<'a> {
    /// A whole call.
    pub(crate) fn whole(call: &'a ToolCall) -> Self {
        Self {
            index: None,
            id: Some(Cow::Borrowed(&call.id)),
            kind: Some("function"),
            function: FunctionCallOut { name: Some(&call.name), arguments: &call.arguments },
        }
    }
}

/// A tool call, or one of a kind that only this dialect knows.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub(crate) enum AnyToolCallOut<'a> {
    Function(ToolCallOut<'a>),
    Foreign(&'a Json),
}

/// A note on the text, as it is written.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub(crate) enum AnnotationOut<'a> {
    Own(&'a Json),
    Page {
        /// Its place among the answer's notes, in a stream: SDKs add lists up by it.
        #[serde(skip_serializing_if = "Option::is_none")]
        index: Option<usize>,
        #[serde(rename = "type")]
        kind: &'static str,
        url_citation: UrlCitationOut<'a>,
    },
}

/// A page that the text from one character to another rests on.
#[derive(Debug, Serialize)]
pub(crate) struct UrlCitationOut<'a> {
    pub(crate) start_index: usize,
    pub(crate) end_index: usize,
    pub(crate) url: &'a str,
    pub(crate) title: &'a str,
}
