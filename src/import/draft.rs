//! A config as it will be written: tables in order, each with what must be said of it above it.

use std::fmt::Write;
use toml::Value;

/// A table of the config.
pub(super) struct Table {
    kind: &'static str,
    name: String,
    /// What is said of it, a comment each.
    pub(super) notes: Vec<String>,
    fields: Vec<(&'static str, Value)>,
}

impl Table {
    /// `[kind.name]`, without a field.
    pub(super) fn new(kind: &'static str, name: &str) -> Self {
        Self { kind, name: name.to_owned(), notes: Vec::new(), fields: Vec::new() }
    }

    /// Adds a field, unless there is nothing to say.
    pub(super) fn set(&mut self, field: &'static str, value: impl Into<Option<Value>>) {
        if let Some(value) = value.into() {
            self.fields.push((field, value));
        }
    }

    /// Whether there is a field or a note.
    pub(super) fn says_something(&self) -> bool {
        !self.fields.is_empty() || !self.notes.is_empty()
    }

    /// Its kind and name, as `pool.smart`.
    pub(super) fn full_name(&self) -> String {
        format!("{}.{}", self.kind, self.name)
    }

    /// The table as text.
    pub(super) fn write(&self, out: &mut String) {
        for note in &self.notes {
            comment(out, note);
        }
        let _ = writeln!(out, "[{}.{}]", self.kind, key(&self.name));
        let width = self.fields.iter().map(|(field, _)| field.len()).max().unwrap_or_default();
        for (field, value) in &self.fields {
            let _ = writeln!(out, "{field:width$} = {value}");
        }
    }
}

/// A text of TOML.
pub(super) fn text(text: impl Into<String>) -> Value {
    Value::String(text.into())
}

/// A table in one line.
pub(super) fn inline(fields: impl IntoIterator<Item = (&'static str, Value)>) -> Value {
    Value::Table(fields.into_iter().map(|(field, value)| (field.to_owned(), value)).collect())
}

/// Where a line of comment ends, as far as words allow.
const WIDTH: usize = 118;

/// A comment of one or more lines.
pub(super) fn comment(out: &mut String, said: &str) {
    let mut line = String::from("#");
    for word in said.split_whitespace() {
        if line.len() > 1 && line.len() + word.len() >= WIDTH {
            let _ = writeln!(out, "{line}");
            "#  ".clone_into(&mut line);
        }
        line.push(' ');
        // nothing that could end the comment
        line.extend(word.chars().filter(|letter| !letter.is_control()));
    }
    let _ = writeln!(out, "{line}");
}

/// A key of TOML, quoted where it must be.
fn key(name: &str) -> String {
    let bare = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte));
    if bare { name.to_owned() } else { text(name).to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_are_written_as_one_reads_them() {
        let mut table = Table::new("pool", "gpt-5.5");
        table.set("deployments", Value::Array(vec![text("a/b"), Value::Array(vec![text("c/\"d")])]));
        table.set("order", text("price"));
        table.set("patience", None);
        table.set("price", inline([("input", Value::Float(2.5)), ("output", Value::Float(10.0))]));
        table.notes.push(format!("one\n[pool.x] {}", "word ".repeat(30)));
        let mut written = String::new();
        table.write(&mut written);
        let read: toml::Table = written.parse().unwrap_or_else(|error| panic!("{written}: {error}"));
        assert_eq!(read["pool"]["gpt-5.5"]["deployments"][1][0].as_str(), Some("c/\"d"));
        assert_eq!(read["pool"]["gpt-5.5"]["price"]["input"].as_float(), Some(2.5));
        assert!(written.lines().filter(|line| line.starts_with('#')).count() == 2, "{written}");
        assert!(written.contains("deployments = "), "{written}");
    }
}
