//! Thoughts that a vendor writes into the answer's text, between `<think>` and `</think>` at its beginning: what servers
//! of open models do that know no member for them.

use crate::call::delta::Delta;

const OPEN: &str = "<think>";
const CLOSE: &str = "</think>";

/// Tells thoughts from text while an answer arrives in pieces. Holds back no more than a tag that may be under way.
#[derive(Debug, Default)]
pub(crate) struct Splitter {
    state: State,
    held: String,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    /// Nothing but white space, or a part of the opening tag, has come.
    #[default]
    Begins,
    /// Within the tags.
    Thinks,
    /// Behind the closing tag, before the text.
    Thought,
    /// What comes is text.
    Answers,
}

/// A piece of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Piece<'a> {
    Thoughts(&'a str),
    Text(&'a str),
}

impl<'a> From<Piece<'a>> for Delta<'a> {
    fn from(piece: Piece<'a>) -> Self {
        match piece {
            Piece::Thoughts(text) => Self::Thinking(text),
            Piece::Text(text) => Self::Text(text),
        }
    }
}

impl Splitter {
    /// Takes a piece of the answer's text, and hands on what it is known to be.
    pub(crate) fn push(&mut self, text: &str, sink: &mut dyn FnMut(Piece<'_>)) {
        if self.state == State::Answers {
            sink(Piece::Text(text));
            return;
        }
        self.held.push_str(text);
        if self.state == State::Begins {
            let begun = self.held.trim_start();
            if let Some(rest) = begun.strip_prefix(OPEN) {
                (self.state, self.held) = (State::Thinks, rest.to_owned());
            } else if !OPEN.starts_with(begun) {
                self.state = State::Answers;
                sink(Piece::Text(&std::mem::take(&mut self.held)));
            }
        }
        if self.state == State::Thinks {
            let (thoughts, rest, state) = match self.held.split_once(CLOSE) {
                Some((thoughts, rest)) => (thoughts, rest, State::Thought),
                None => {
                    let (thoughts, rest) = self.held.split_at(self.held.len() - begun_tag(&self.held));
                    (thoughts, rest, State::Thinks)
                }
            };
            if !thoughts.is_empty() {
                sink(Piece::Thoughts(thoughts));
            }
            (self.state, self.held) = (state, rest.to_owned());
        }
        if self.state == State::Thought && !self.held.trim_start().is_empty() {
            self.state = State::Answers;
            sink(Piece::Text(std::mem::take(&mut self.held).trim_start()));
        }
    }

    /// Hands on what was held back, when the answer has ended.
    pub(crate) fn end(&mut self, sink: &mut dyn FnMut(Piece<'_>)) {
        let held = std::mem::take(&mut self.held);
        match self.state {
            _ if held.is_empty() => {}
            State::Thinks => sink(Piece::Thoughts(&held)),
            State::Begins | State::Answers => sink(Piece::Text(&held)),
            State::Thought => {}
        }
        self.state = State::Answers;
    }
}

/// How many bytes at the end of `text` may be the beginning of the closing tag.
fn begun_tag(text: &str) -> usize {
    (1..CLOSE.len()).rev().find(|length| text.ends_with(CLOSE.get(..*length).unwrap_or_default())).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Thoughts and text of an answer that comes in pieces of so many characters.
    fn split(answer: &str, size: usize) -> (String, String) {
        let (mut thoughts, mut text) = (String::new(), String::new());
        let mut splitter = Splitter::default();
        let mut sink = |piece: Piece<'_>| match piece {
            Piece::Thoughts(more) => thoughts.push_str(more),
            Piece::Text(more) => text.push_str(more),
        };
        let characters: Vec<char> = answer.chars().collect();
        for piece in characters.chunks(size) {
            splitter.push(&piece.iter().collect::<String>(), &mut sink);
        }
        splitter.end(&mut sink);
        (thoughts, text)
    }

    #[test]
    fn thoughts_are_told_from_text_however_they_are_cut() {
        for (answer, thoughts, text) in [
            ("<think>a < b </ c</think>\n\nNo.", "a < b </ c", "No."),
            ("\n<think>hm</think>yes</think>", "hm", "yes</think>"),
            ("No tags <think>here</think>", "", "No tags <think>here</think>"),
            ("<thinking is hard", "", "<thinking is hard"),
            ("<think>cut off </th", "cut off </th", ""),
            ("<thi", "", "<thi"),
            ("  leading", "", "  leading"),
            ("<think></think>ü", "", "ü"),
            ("", "", ""),
        ] {
            for size in 1..12 {
                assert_eq!(split(answer, size), (thoughts.to_owned(), text.to_owned()), "{answer} by {size}");
            }
        }
    }
}
