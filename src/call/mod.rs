//! Floor 1: the canonical forms that dialects translate to and from.
//!
//! A [`Call`] is what a client asks, a [`Reply`](reply::Reply) what a vendor answers, a [`Delta`](delta::Delta) a piece
//! of an answer that streams. What only one dialect knows stays in its own words ([`turn::Foreign`]) with the need it
//! stands for: that dialect writes it back as it came, and every other refuses the call. So nothing is lost unsaid.

pub mod delta;
pub mod echo;
pub mod embedding;
pub mod json;
pub mod needs;
pub mod reply;
pub mod seal;
pub mod tool;
pub mod turn;
pub mod usage;

use json::Json;
use needs::{Need, Needs};
use tool::{Tool, ToolChoice};
use turn::{Content, Foreign, Part, Role, Source, Turn};

/// What a client asks of a model.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Call {
    /// The name of the dialect that it was written in.
    pub dialect: &'static str,
    /// The model that the client asked for.
    pub model: String,
    /// Whether the answer shall be streamed.
    pub stream: bool,
    /// Whether the client asked to be told the usage of a stream.
    pub include_usage: bool,
    /// The conversation, system texts included, in the client's order.
    pub turns: Vec<Turn>,
    /// The last turn is the beginning of the answer, which the model is to carry on.
    pub prefill: bool,
    /// The tools that the model may call.
    pub tools: Vec<Tool>,
    /// Whether it may or must call one.
    pub tool_choice: ToolChoice,
    /// Whether it may call several at once, where the client says so.
    pub parallel_tools: Option<bool>,
    /// The most tokens that the answer may have.
    pub max_tokens: Option<u64>,
    /// Sampling temperature, on the scale that all vendors share from 0 to 1.
    pub temperature: Option<f64>,
    /// Nucleus sampling, from 0 to 1.
    pub top_p: Option<f64>,
    /// The finer dials of sampling, which some vendors lack.
    pub sampling: Sampling,
    /// Texts that end the answer.
    pub stop: Vec<String>,
    /// The form of the answer.
    pub format: Format,
    /// How much the model shall think.
    pub reasoning: Option<Reasoning>,
    /// The client's name for its own end user.
    pub user: Option<String>,
    /// A cache breakpoint for the whole call, as the client wrote it.
    pub cache: Option<Json>,
    /// Further members that only the client's dialect knows.
    pub extras: Vec<Extra>,
    /// Further ones that ask nothing of the answer: vendors of the client's dialect get them, others need not know of them.
    pub hints: Vec<Extra>,
}

/// The finer dials of sampling; each is a need where it is set.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Sampling {
    /// Only so many of the likeliest tokens are drawn from.
    pub top_k: Option<u64>,
    /// Where chance begins.
    pub seed: Option<i64>,
    /// How far to shun tokens that came before, from -2 to 2; never zero.
    pub presence_penalty: Option<f64>,
    /// How far to shun tokens the more often they came, from -2 to 2; never zero.
    pub frequency_penalty: Option<f64>,
}

/// A member that only one dialect knows.
#[derive(Clone, Debug, PartialEq)]
pub struct Extra {
    /// The top-level member that it lies in; empty for one that is top-level itself.
    pub within: &'static str,
    /// The member's name.
    pub member: String,
    /// Its value.
    pub value: Foreign,
}

/// The form that the answer shall have.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Format {
    /// Text, as the model likes.
    #[default]
    Text,
    /// Some JSON object.
    JsonObject,
    /// JSON that follows a schema.
    JsonSchema {
        /// The client's name for the schema, where its dialect has one.
        name: Option<String>,
        /// What it is for.
        description: Option<String>,
        /// The JSON Schema.
        schema: Json,
        /// Whether the schema must be kept to the letter.
        strict: Option<bool>,
    },
}

/// How much a model shall think before it answers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reasoning {
    /// Whether it shall think at all.
    pub mode: ReasoningMode,
    /// In words that vendors share: `minimal`, `low`, `medium`, `high`, `xhigh`, `max`.
    pub effort: Option<String>,
    /// Whether the thoughts shall be shown, in the word of the client's dialect.
    pub display: Option<String>,
}

/// Whether a model shall think.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ReasoningMode {
    /// As the model does by default.
    #[default]
    Unsaid,
    /// Not at all.
    Off,
    /// As much as the model finds right.
    Adaptive,
    /// Within a budget of tokens.
    Budget(u64),
}

impl Call {
    /// What the call demands of whoever serves it.
    #[must_use]
    pub fn needs(&self) -> Needs {
        let mut needs = Needs::NONE;
        if !self.tools.is_empty() {
            needs.add(Need::Tools);
        }
        match self.format {
            Format::Text => {}
            Format::JsonObject => needs.add(Need::JsonObject),
            Format::JsonSchema { .. } => needs.add(Need::JsonSchema),
        }
        if self.reasoning.as_ref().is_some_and(|reasoning| reasoning.mode != ReasoningMode::Off) {
            needs.add(Need::Reasoning);
        }
        if [self.temperature, self.top_p].into_iter().flatten().any(|number| number != 1.0) {
            needs.add(Need::Temperature);
        }
        if self.prefill {
            needs.add(Need::Prefill);
        }
        needs = needs.union(self.sampling.needs());
        if self.cache.is_some() {
            needs.add(Need::CacheControl);
        }
        for tool in &self.tools {
            match tool {
                Tool::Function(function) if function.cache.is_some() => needs.add(Need::CacheControl),
                Tool::Function(_) => {}
                Tool::Foreign(foreign) => needs.add(foreign.need),
            }
        }
        if let ToolChoice::Foreign(foreign) = &self.tool_choice {
            needs.add(foreign.need);
        }
        for extra in self.extras.iter().chain(self.turns.iter().flat_map(|turn| &turn.extras)) {
            needs.add(extra.value.need);
        }
        self.turns.iter().for_each(|turn| add_needs(&turn.parts, &mut needs));
        needs
    }

    /// The same call without the model's thoughts in its history, for a vendor that does not take those back.
    #[must_use]
    pub fn without_thoughts(&self) -> Self {
        let mut call = self.clone();
        call.turns.retain_mut(|turn| {
            let parts = turn.parts.len();
            turn.parts.retain(|part| !part.content.is_thought());
            parts == 0 || !turn.parts.is_empty()
        });
        call
    }

    /// Whether the conversation ends with words of the model.
    #[must_use]
    pub fn ends_with_assistant(&self) -> bool {
        self.turns.last().is_some_and(|turn| turn.role == Role::Assistant)
    }
}

impl Sampling {
    fn needs(&self) -> Needs {
        let penalties = self.presence_penalty.is_some() || self.frequency_penalty.is_some();
        [(self.top_k.is_some(), Need::TopK), (self.seed.is_some(), Need::Seed), (penalties, Need::Penalties)]
            .into_iter()
            .filter(|(needed, _)| *needed)
            .fold(Needs::NONE, |needs, (_, need)| needs.with(need))
    }
}

fn add_needs(parts: &[Part], needs: &mut Needs) {
    for part in parts {
        if part.cache.is_some() {
            needs.add(Need::CacheControl);
        }
        match &part.content {
            // a vendor that cannot read thoughts takes the conversation without them: see `seal`
            Content::Text { .. } | Content::Refusal(_) | Content::Thinking { .. } | Content::RedactedThinking(_) => {}
            Content::Image { .. } => needs.add(Need::Images),
            Content::Document { source: Source::Base64 { .. } | Source::Url(_) | Source::Text(_), .. } => {
                needs.add(Need::Documents);
            }
            Content::ToolCall(_) => needs.add(Need::Tools),
            Content::ToolResult { parts, .. } => {
                needs.add(Need::Tools);
                add_needs(parts, needs);
            }
            Content::Foreign(foreign) => needs.add(foreign.need),
        }
    }
}
