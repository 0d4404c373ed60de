//! The members of a mapping, each of which is taken by whoever carries it: what nobody took is told.

use super::Surroundings;
use super::findings::Findings;
use crate::import::yaml::{Mark, Member, Node, shown};

/// How LiteLLM writes that a value stands in a variable.
const VARIABLE: &str = "os.environ/";

/// What is left of a mapping.
pub(super) struct Members<'a> {
    /// Where the mapping stands.
    pub(super) at: Mark,
    left: Vec<&'a Member>,
}

/// A text, or the variable that holds it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Word {
    Written(String),
    Variable(String),
}

impl Word {
    pub(super) fn of(node: &Node) -> Option<Self> {
        let text = node.text()?;
        Some(match text.strip_prefix(VARIABLE) {
            Some(name) => Self::Variable(name.trim().to_owned()),
            None => Self::Written(text.to_owned()),
        })
    }
}

impl<'a> Members<'a> {
    /// All of a mapping's; none of what is no mapping.
    pub(super) fn of(node: &'a Node) -> Self {
        Self { at: node.mark, left: node.members().iter().collect() }
    }

    /// None.
    pub(super) const fn empty(at: Mark) -> Self {
        Self { at, left: Vec::new() }
    }

    /// Those of another mapping beside these, which win.
    pub(super) fn or(&mut self, other: &'a Node) {
        let new: Vec<_> =
            other.members().iter().filter(|member| self.left.iter().all(|own| own.name != member.name)).collect();
        self.left.extend(new);
    }

    /// Takes a member; `None` where it is not there or empty.
    pub(super) fn take(&mut self, name: &str) -> Option<&'a Node> {
        let found = self.left.iter().position(|member| member.name == name)?;
        let member = self.left.remove(found);
        (!member.value.is_null()).then_some(&member.value)
    }

    /// Takes a text.
    pub(super) fn word(&mut self, name: &str) -> Option<(Word, Mark)> {
        let node = self.take(name)?;
        Word::of(node).map(|word| (word, node.mark))
    }

    /// Takes a text that is no secret: one in a variable is what the variable holds now, which is told.
    pub(super) fn text(&mut self, name: &str, around: &Surroundings<'_>, findings: &mut Findings<'_>) -> Option<Told> {
        let node = self.take(name)?;
        match Word::of(node) {
            Some(Word::Written(text)) => Some(Told::Text(text, node.mark)),
            Some(Word::Variable(variable)) => Some(around.told(name, &variable, node.mark, findings)),
            None => {
                let message = format!("`{name}` is {}, where a text belongs", node.kind());
                findings.say(node.mark, message, "it is not carried: write it as a text");
                None
            }
        }
    }

    /// What nobody took.
    pub(super) fn rest(self) -> impl Iterator<Item = &'a Member> {
        self.left.into_iter().filter(|member| !member.value.is_null())
    }
}

/// A text, or why there is none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Told {
    Text(String, Mark),
    /// It stands in this variable, which is not set here.
    Unset(String, Mark),
}

impl Told {
    /// The text; for what may be left out.
    pub(super) fn known(self) -> Option<String> {
        match self {
            Self::Text(text, _) => Some(text),
            Self::Unset(..) => None,
        }
    }
}

impl Surroundings<'_> {
    /// What a variable holds that a member which is no secret stands in.
    fn told(&self, member: &str, variable: &str, at: Mark, findings: &mut Findings<'_>) -> Told {
        let name = shown(variable);
        match self.variable(variable) {
            Some(text) => {
                let message = format!("`{member}` stands in the variable {name}: what it holds now is written");
                findings.say(
                    at,
                    message,
                    "Backstay reads secrets alone from variables; change the config when it changes",
                );
                Told::Text(text, at)
            }
            None => {
                let message = format!("`{member}` stands in the variable {name}, which is not set here");
                findings.say(at, message, format!("set {name} and import again, or write the value into the config"));
                Told::Unset(variable.to_owned(), at)
            }
        }
    }
}
