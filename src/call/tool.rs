//! Tools: what is offered, what must be called, what was called.

use super::json::Json;
use super::turn::Foreign;

/// One tool that is offered to the model.
#[derive(Clone, Debug, PartialEq)]
pub enum Tool {
    /// A function that the client runs.
    Function(Function),
    /// A tool that only one dialect knows: run by the vendor, or of a shape of its own.
    Foreign(Foreign),
}

/// A function that the client runs.
#[derive(Clone, Debug, PartialEq)]
pub struct Function {
    /// Its name.
    pub name: String,
    /// What it does, for the model.
    pub description: Option<String>,
    /// JSON Schema of its arguments; none for a function without any.
    pub parameters: Option<Json>,
    /// Whether the arguments must keep to the schema.
    pub strict: Option<bool>,
    /// A cache breakpoint after it, as the client wrote it.
    pub cache: Option<Json>,
}

/// Whether the model may or must call a tool.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum ToolChoice {
    /// As the vendor does by default: it may, where tools are offered.
    #[default]
    Unsaid,
    /// It may.
    Auto,
    /// It may not.
    None,
    /// It must call one.
    Required,
    /// It must call this one.
    Named(String),
    /// A choice that only one dialect knows.
    Foreign(Foreign),
}

/// One call of a function by the model.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ToolCall {
    /// The vendor's id, which the result repeats: any text.
    pub id: String,
    /// The function.
    pub name: String,
    /// The arguments as the model wrote them: JSON, unless the model erred.
    pub arguments: String,
}
