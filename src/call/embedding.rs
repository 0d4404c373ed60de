//! Texts to be put into vectors, and the vectors.

use super::Extra;
use super::needs::{Need, Needs};

/// What a client wants embedded.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct EmbeddingCall {
    /// The name of the dialect that it was written in.
    pub dialect: &'static str,
    /// The model that the client asked for.
    pub model: String,
    /// What to embed, one vector each.
    pub inputs: Vec<Input>,
    /// How many numbers a vector shall have, where the client says so.
    pub dimensions: Option<u64>,
    /// How the client wants vectors written.
    pub encoding: Encoding,
    /// What the vectors are for, in Google's words without their case: `retrieval_query`, `retrieval_document`,
    /// `semantic_similarity`, `classification`, `clustering` ...
    pub task: Option<String>,
    /// The title of the document that the inputs come from.
    pub title: Option<String>,
    /// The client's name for its own end user.
    pub user: Option<String>,
    /// The one input came alone and not in a list: so does its vector.
    pub alone: bool,
    /// Further members that only the client's dialect knows.
    pub extras: Vec<Extra>,
}

/// One thing to embed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Input {
    /// A text.
    Text(String),
    /// Tokens of the model's own vocabulary.
    Tokens(Vec<u32>),
}

/// How vectors are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Encoding {
    /// Numbers in JSON.
    #[default]
    Float,
    /// The bytes of 32-bit floats, least significant first, in Base64.
    Base64,
}

/// The vectors.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct EmbeddingReply {
    /// The model that truly answered; empty where the vendor does not say.
    pub model: String,
    /// One vector for each input, in the order of the inputs.
    pub vectors: Vec<Vec<f32>>,
    /// Tokens of the inputs, where the vendor says so.
    pub input_tokens: Option<u64>,
}

impl EmbeddingCall {
    /// What the call demands of whoever serves it.
    #[must_use]
    pub fn needs(&self) -> Needs {
        let mut needs = Needs::NONE;
        self.extras.iter().for_each(|extra| needs.add(extra.value.need));
        if self.inputs.iter().any(|input| matches!(input, Input::Tokens(_))) {
            needs.add(Need::TokenInputs);
        }
        needs
    }
}
