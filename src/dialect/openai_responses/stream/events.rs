//! The events that a client reads, as they are written.

use crate::dialect::openai_responses::response::{PartOut, ResponseOut};
use serde::Serialize;
use serde_json::value::RawValue;

/// The beginning of an answer, and its end.
#[derive(Serialize)]
pub(super) struct Frame<'a> {
    #[serde(rename = "type")]
    pub(super) kind: &'static str,
    pub(super) sequence_number: u64,
    pub(super) response: ResponseOut<'a, &'a RawValue>,
}

/// An item begins, or is done.
#[derive(Serialize)]
pub(super) struct ItemEvent<'a> {
    #[serde(rename = "type")]
    pub(super) kind: &'static str,
    pub(super) sequence_number: u64,
    pub(super) output_index: usize,
    pub(super) item: &'a RawValue,
}

/// What all pieces of one part have in common.
#[derive(Serialize)]
pub(super) struct PieceHead<'a> {
    #[serde(rename = "type")]
    pub(super) kind: &'static str,
    pub(super) item_id: &'a str,
    pub(super) output_index: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) content_index: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) summary_index: Option<usize>,
}

/// A piece of what is under way: most events of most streams.
#[derive(Serialize)]
pub(super) struct Piece<'a> {
    pub(super) sequence_number: u64,
    pub(super) delta: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) logprobs: Option<[(); 0]>,
}

/// An event about a part of an item: its beginning, a note, its end.
#[derive(Serialize)]
pub(super) struct PartEvent<'a> {
    #[serde(rename = "type")]
    pub(super) kind: &'static str,
    pub(super) sequence_number: u64,
    pub(super) item_id: &'a str,
    pub(super) output_index: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) content_index: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) summary_index: Option<usize>,
    #[serde(flatten)]
    pub(super) what: What<'a>,
}

/// What an event tells of a part.
#[derive(Serialize)]
#[serde(untagged)]
pub(super) enum What<'a> {
    Part { part: PartOut<'a> },
    WholePart { part: &'a RawValue },
    WholeText { text: &'a str, logprobs: [(); 0] },
    Text { text: &'a str },
    Refusal { refusal: &'a str },
    Arguments { name: &'a str, arguments: &'a str },
    Note { annotation_index: usize, annotation: &'a RawValue },
}
