//! A YAML document as a tree that knows its lines.
//!
//! Bounded, as a file is a stranger's: in bytes by whoever reads it, here in depth and in values, those counted that an alias
//! stands for. What YAML leaves open (names written twice, tags of one's own) is refused rather than guessed.

use crate::base::diagnostic::{Diagnostic, Place};
use saphyr_parser::{Event, Parser, ScalarStyle, Span, Tag};
use std::collections::BTreeMap;
use std::path::Path;

/// Deepest nesting: configurations have seven levels.
const MOST_DEPTH: usize = 64;
/// Most values, aliases resolved: a thousand deployments have about ten thousand.
const MOST_VALUES: usize = 200_000;
/// The name under which a mapping takes over another's members (<https://yaml.org/type/merge.html>).
const MERGE: &str = "<<";

/// Where something stands: line and column from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Mark {
    pub(super) line: usize,
    pub(super) column: usize,
}

/// A value. There is no `Debug`, as it may hold secrets.
#[derive(Clone)]
pub(super) struct Node {
    pub(super) mark: Mark,
    pub(super) value: Value,
}

/// What a value is.
#[derive(Clone)]
pub(super) enum Value {
    /// A text; `plain` is one without quotes, which may mean a number, a truth or nothing.
    Scalar {
        text: String,
        plain: bool,
    },
    List(Vec<Node>),
    Map(Vec<Member>),
}

/// A member of a mapping.
#[derive(Clone)]
pub(super) struct Member {
    pub(super) name: String,
    pub(super) mark: Mark,
    pub(super) value: Node,
}

impl Node {
    /// The member of this name, unless it is empty.
    pub(super) fn get(&self, name: &str) -> Option<&Self> {
        let found = self.members().iter().find(|member| member.name == name)?;
        (!found.value.is_null()).then_some(&found.value)
    }

    pub(super) fn members(&self) -> &[Member] {
        if let Value::Map(members) = &self.value { members } else { &[] }
    }

    pub(super) fn items(&self) -> &[Self] {
        if let Value::List(items) = &self.value { items } else { &[] }
    }

    /// A text or number, as it is written.
    pub(super) fn text(&self) -> Option<&str> {
        match &self.value {
            Value::Scalar { text, .. } if !self.is_null() => Some(text),
            Value::Scalar { .. } | Value::List(_) | Value::Map(_) => None,
        }
    }

    /// A truth, in the words that YAML 1.1 has for it.
    pub(super) fn truth(&self) -> Option<bool> {
        match self.text()?.to_ascii_lowercase().as_str() {
            "true" | "yes" | "on" => Some(true),
            "false" | "no" | "off" => Some(false),
            _ => None,
        }
    }

    /// Whether nothing is written here.
    pub(super) fn is_null(&self) -> bool {
        matches!(&self.value, Value::Scalar { text, plain: true } if matches!(text.as_str(), "" | "~" | "null" | "Null" | "NULL"))
    }

    /// What it is, for people.
    pub(super) fn kind(&self) -> &'static str {
        match &self.value {
            Value::Scalar { .. } if self.is_null() => "nothing",
            Value::Scalar { .. } => "a single value",
            Value::List(_) => "a list",
            Value::Map(_) => "a mapping",
        }
    }
}

/// Reads `text`, the content of `file`; `None` for a file that says nothing.
///
/// # Errors
/// What is no YAML, is written twice, or is too large; the values themselves are never quoted, as they may be secrets.
pub(super) fn read(file: &Path, text: &str) -> Result<Option<Node>, Vec<Diagnostic>> {
    let mut builder =
        Builder { file, open: Vec::new(), anchors: BTreeMap::new(), values: 0, root: None, found: Vec::new() };
    for event in Parser::new_from_str(text.trim_start_matches('\u{feff}')) {
        let taken = match event {
            Ok((event, span)) => builder.take(event, mark(span)),
            Err(error) => {
                let at = Mark { line: error.marker().line(), column: error.marker().col() + 1 };
                let help = "indent with blanks, close what is opened, and quote values that hold `: ` or ` #` or begin with `@`, `*`, `&`, `!` or `%`";
                Err(builder.error(at, format!("not valid YAML: {}", error.info()), help))
            }
        };
        if let Err(fatal) = taken {
            builder.found.push(fatal);
            return Err(builder.found);
        }
    }
    let root = builder.root.filter(|root| !root.is_null());
    if builder.found.is_empty() { Ok(root) } else { Err(builder.found) }
}

fn mark(span: Span) -> Mark {
    Mark { line: span.start.line(), column: span.start.col() + 1 }
}

/// A list or mapping whose end has not been read.
enum Open {
    List { mark: Mark, anchor: usize, items: Vec<Node> },
    Map(OpenMap),
}

struct OpenMap {
    mark: Mark,
    anchor: usize,
    members: Vec<Member>,
    /// Line of each name.
    names: BTreeMap<String, usize>,
    /// What it takes over from others, unless it says so itself.
    merged: Vec<Member>,
    /// The name whose value comes next, and whether it is a plain word.
    name: Option<(String, Mark, bool)>,
}

struct Builder<'a> {
    file: &'a Path,
    open: Vec<Open>,
    /// Values by anchor, with how many values each is.
    anchors: BTreeMap<usize, (Node, usize)>,
    values: usize,
    root: Option<Node>,
    found: Vec<Diagnostic>,
}

type Taken = Result<(), Diagnostic>;

impl Builder<'_> {
    fn error(&self, at: Mark, message: impl Into<String>, help: &str) -> Diagnostic {
        let place = Place { file: self.file.to_owned(), line: at.line, column: at.column };
        Diagnostic::error(place, message).help(help)
    }

    fn take(&mut self, event: Event<'_>, at: Mark) -> Taken {
        match event {
            Event::Nothing | Event::StreamStart | Event::StreamEnd | Event::DocumentEnd => Ok(()),
            Event::DocumentStart(_) if self.root.is_none() => Ok(()),
            Event::DocumentStart(_) => {
                let help = "leave one of them, or import each from a file of its own";
                Err(self.error(at, "the file holds a second document", help))
            }
            Event::Scalar(text, style, anchor, tag) => {
                let plain = style == ScalarStyle::Plain && !self.is_text(tag.as_deref(), at)?;
                self.value(Node { mark: at, value: Value::Scalar { text: text.into_owned(), plain } }, anchor, 1)
            }
            Event::SequenceStart(anchor, tag) => {
                self.is_text(tag.as_deref(), at)?;
                self.opens(Open::List { mark: at, anchor, items: Vec::new() }, at)
            }
            Event::MappingStart(anchor, tag) => {
                self.is_text(tag.as_deref(), at)?;
                let (members, names, merged) = (Vec::new(), BTreeMap::new(), Vec::new());
                self.opens(Open::Map(OpenMap { mark: at, anchor, members, names, merged, name: None }), at)
            }
            Event::SequenceEnd | Event::MappingEnd => self.close(),
            Event::Alias(anchor) => {
                let Some((node, size)) = self.anchors.get(&anchor).cloned() else {
                    return Err(self.error(at, "an anchor is used within its own value", "write the value out"));
                };
                self.value(Node { mark: at, ..node }, 0, size)
            }
        }
    }

    /// Whether a tag says that this is a text whatever it looks like.
    fn is_text(&self, tag: Option<&Tag>, at: Mark) -> Result<bool, Diagnostic> {
        match tag {
            None => Ok(false),
            Some(tag) if tag.is_yaml_core_schema() => Ok(tag.suffix == "str"),
            Some(tag) if tag.handle.is_empty() && tag.suffix == "!" => Ok(true),
            Some(_) => {
                Err(self.error(at, "a tag that YAML itself does not know", "remove it: LiteLLM takes none either"))
            }
        }
    }

    fn opens(&mut self, open: Open, at: Mark) -> Taken {
        if self.open.len() >= MOST_DEPTH {
            return Err(self.error(
                at,
                format!("nested deeper than {MOST_DEPTH} levels"),
                "no configuration is so deep",
            ));
        }
        self.open.push(open);
        Ok(())
    }

    fn close(&mut self) -> Taken {
        match self.open.pop() {
            Some(Open::List { mark, anchor, items }) => self.whole(Node { mark, value: Value::List(items) }, anchor),
            Some(Open::Map(mut map)) => {
                for member in map.merged {
                    if !map.names.contains_key(&member.name) {
                        map.names.insert(member.name.clone(), member.mark.line);
                        map.members.push(member);
                    }
                }
                self.whole(Node { mark: map.mark, value: Value::Map(map.members) }, map.anchor)
            }
            None => Ok(()),
        }
    }

    /// A list or mapping that has ended: its parts have been counted.
    fn whole(&mut self, node: Node, anchor: usize) -> Taken {
        let size = if anchor > 0 { count(&node) } else { 0 };
        self.place(node, anchor, size, 1)
    }

    fn value(&mut self, node: Node, anchor: usize, size: usize) -> Taken {
        self.place(node, anchor, size, size)
    }

    /// Puts a value where it belongs. `size` is how many values it is, `new` how many of them have not been counted.
    fn place(&mut self, node: Node, anchor: usize, size: usize, new: usize) -> Taken {
        self.values = self.values.saturating_add(new);
        if self.values > MOST_VALUES {
            let help = "aliases count as what they stand for; write less, or in several files";
            return Err(self.error(node.mark, format!("more than {MOST_VALUES} values"), help));
        }
        if anchor > 0 {
            self.anchors.insert(anchor, (node.clone(), size));
        }
        match self.open.pop() {
            None => self.root = Some(node),
            Some(Open::List { mark, anchor, mut items }) => {
                items.push(node);
                self.open.push(Open::List { mark, anchor, items });
            }
            Some(Open::Map(mut map)) => {
                let added = match map.name.take() {
                    None => self.name(&mut map, node),
                    Some((name, at, true)) if name == MERGE => self.merge(&mut map, node, at),
                    Some((name, mark, _)) => {
                        map.members.push(Member { name, mark, value: node });
                        Ok(())
                    }
                };
                self.open.push(Open::Map(map));
                added?;
            }
        }
        Ok(())
    }

    fn name(&mut self, map: &mut OpenMap, node: Node) -> Taken {
        let Value::Scalar { text, plain } = node.value else {
            return Err(self.error(node.mark, "a name is a word, not a list or mapping", "write `name: value`"));
        };
        let merges = plain && text == MERGE;
        if let Some(first) = map.names.insert(text.clone(), node.mark.line).filter(|_| !merges) {
            let message = format!("`{}` is written twice here, first on line {first}", shown(&text));
            let found = self.error(node.mark, message, "remove one of the two: LiteLLM takes the last without a word");
            self.found.push(found);
        }
        map.name = Some((text, node.mark, plain));
        Ok(())
    }

    fn merge(&self, map: &mut OpenMap, node: Node, at: Mark) -> Taken {
        let all = match node.value {
            Value::Map(members) => vec![members],
            Value::List(items) => {
                let maps = items
                    .into_iter()
                    .map(|item| if let Value::Map(members) = item.value { Some(members) } else { None });
                maps.collect::<Option<Vec<_>>>().unwrap_or_default()
            }
            Value::Scalar { .. } => Vec::new(),
        };
        if all.is_empty() {
            return Err(self.error(
                at,
                "`<<` takes over a mapping, and this is none",
                "write `<<: *anchor_of_a_mapping`",
            ));
        }
        map.merged.extend(all.into_iter().flatten());
        Ok(())
    }
}

/// How many values a value is, itself included.
fn count(node: &Node) -> usize {
    let parts: usize = match &node.value {
        Value::Scalar { .. } => 0,
        Value::List(items) => items.iter().map(count).sum(),
        Value::Map(members) => members.iter().map(|member| count(&member.value) + 1).sum(),
    };
    parts + 1
}

/// A name of a stranger's as one can print it.
pub(super) fn shown(text: &str) -> String {
    let mut shown: String = text.chars().take(80).flat_map(char::escape_debug).collect();
    if text.chars().nth(80).is_some() {
        shown.push_str("...");
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read_text(text: &str) -> Result<Option<Node>, Vec<Diagnostic>> {
        read(Path::new("c.yaml"), text)
    }

    /// A tree in one line.
    fn line(node: &Node) -> String {
        match &node.value {
            Value::Scalar { text, .. } => text.clone(),
            Value::List(items) => format!("[{}]", items.iter().map(line).collect::<Vec<_>>().join(" ")),
            Value::Map(members) => {
                let members = members.iter().map(|member| format!("{}={}", member.name, line(&member.value)));
                format!("{{{}}}", members.collect::<Vec<_>>().join(" "))
            }
        }
    }

    #[test]
    fn documents_become_trees() {
        let check = |text: &str, expected: &str| {
            let root = read_text(text).unwrap_or_else(|found| panic!("{text}: {found:?}"));
            assert_eq!(root.as_ref().map_or_else(String::new, line), expected, "{text}");
        };
        check("", "");
        check("# nothing\n", "");
        check("---\n...\n", "");
        check("\u{feff}a: 1\r\nb: [x, 'y']\r\n", "{a=1 b=[x y]}");
        check("a: &x {k: 1, l: 2}\nb: *x\n", "{a={k=1 l=2} b={k=1 l=2}}");
        check("a: &x {k: 1, l: 2}\nb: {<<: *x, l: 3}\n", "{a={k=1 l=2} b={l=3 k=1}}");
        check("a: &x {k: 1}\nb: &y {l: 2}\nc:\n  <<: [*x, *y]\n", "{a={k=1} b={l=2} c={k=1 l=2}}");
        check("fallbacks: [{\"a\": [\"b\"]}]", "{fallbacks=[{a=[b]}]}");
        check("a: !!str 5", "{a=5}");
    }

    #[test]
    fn what_is_wrong_is_told_with_its_line() {
        let check = |text: &str, line: usize, part: &str| {
            let found = read_text(text).err().unwrap_or_else(|| panic!("{text} was read"));
            let first = found.first().unwrap();
            assert!(first.place.line == line && first.message.contains(part), "{text:?}: {first}");
            assert!(!first.help.is_empty(), "{first}");
        };
        check("a: 1\nb: [1, 2\n", 3, "not valid YAML");
        check("a:\n\t- b\n", 2, "not valid YAML");
        check("a: *nobody\n", 1, "not valid YAML");
        check("a: 1\nb: 2\na: 3\n", 3, "`a` is written twice here, first on line 1");
        check("a: 1\n---\nb: 2\n", 2, "second document");
        check("a: !python/object:os.system x\n", 1, "tag");
        check("a: &x [*x]\n", 1, "within its own value");
        check("? [a]\n: 1\n", 1, "a name is a word");
        check("a:\n  <<: 5\n", 2, "`<<`");
    }

    #[test]
    fn a_bomb_of_aliases_is_refused() {
        let mut bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
        for level in 1..12 {
            let below = format!("*a{}, ", level - 1).repeat(10);
            bomb.push_str(&format!("a{level}: &a{level} [{below}]\n"));
        }
        let found = read_text(&bomb).err().unwrap();
        assert!(found[0].message.contains("more than"), "{}", found[0]);
        let deep = "[".repeat(300);
        assert!(read_text(&deep).is_err());
        let deep: String = (0..300).map(|level| format!("{}a:\n", " ".repeat(level))).collect();
        assert!(read_text(&deep).err().unwrap()[0].message.contains("nested deeper"));
    }

    proptest! {
        #[test]
        fn whatever_comes_is_read_or_refused(text in "[-a:?#&*!|>'\"%@`{}\\[\\],<~.\n \t0]{0,80}") {
            let _ = read_text(&text);
        }
    }
}
