//! Reads a TOML document into the sections of the config, and says everything that is wrong with it at once.
//!
//! A derived deserializer stops at the first mistake; this reader reports each one where it stands and goes on.
//! What it knows of a section (names, words, bounds) also makes the JSON Schema, so the two cannot drift apart.

use crate::base::diagnostic::{Diagnostic, Lines, Place, nearest};
use serde_json::{Value as Json, json};
use std::path::{Path, PathBuf};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// A value of the document with its byte range.
pub(super) type Value<'i> = Spanned<DeValue<'i>>;

/// A value and where it was written.
#[derive(Clone, Debug)]
pub struct At<T> {
    /// What was written.
    pub value: T,
    /// Where.
    pub place: Place,
}

impl<T> std::ops::Deref for At<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.value
    }
}

/// What one table of the config holds, under the name that the user gave it.
#[derive(Clone, Debug)]
pub struct Named<T> {
    /// The name, and where it is declared.
    pub name: At<String>,
    /// The content; `None` when it was too broken to read, which has been reported.
    pub body: Option<T>,
    /// Whether something in it could not be read: then nothing can be said about what it leaves out.
    pub spoilt: bool,
}

/// All tables of one kind, in order of appearance.
pub type Tables<T> = Vec<Named<T>>;

/// Something that can be read from the document.
pub(super) trait Read: Sized {
    /// Reads the value; `None` once what is wrong has been reported.
    fn read(value: &Spanned<DeValue<'_>>, reader: &mut Reader<'_>) -> Option<Self>;

    /// What stands for a field that is not there; `None` for one that must be there.
    fn absent() -> Option<Self> {
        None
    }

    /// The JSON Schema of it.
    fn schema() -> Json;
}

/// A table with a fixed set of fields.
pub(super) trait Section: Read {
    /// The names of its fields.
    const FIELDS: &'static [&'static str];
}

/// One document that is being read.
pub(super) struct Reader<'a> {
    /// The file, as the user named it.
    pub(super) file: &'a Path,
    text: &'a str,
    lines: Lines,
    /// What was found so far.
    pub(super) diagnostics: Vec<Diagnostic>,
}

impl<'a> Reader<'a> {
    /// A reader for `text`, the content of `file`.
    #[must_use]
    pub(super) fn new(file: &'a Path, text: &'a str) -> Self {
        Self { file, text, lines: Lines::of(text), diagnostics: Vec::new() }
    }

    /// Reads the whole document; `None` where its syntax is broken.
    pub(super) fn document<T: Section>(&mut self) -> Option<T> {
        let (table, errors) = DeTable::parse_recoverable(self.text);
        for error in &errors {
            let place = error.span().map_or_else(|| Place::file(self.file), |span| self.place(span.start));
            self.report_syntax(place, error.message());
        }
        if !errors.is_empty() {
            return None;
        }
        let span = table.span();
        T::read(&Spanned::new(span, DeValue::Table(table.into_inner())), self)
    }

    /// The place of byte `offset`.
    #[must_use]
    pub(super) fn place(&self, offset: usize) -> Place {
        self.lines.place(self.file, self.text, offset)
    }

    /// Reports an error at a value.
    pub(super) fn error(&mut self, value: &Spanned<DeValue<'_>>, message: impl Into<String>, help: impl Into<String>) {
        let place = self.place(value.span().start);
        self.diagnostics.push(Diagnostic::error(place, message).help(help));
    }

    /// Reports a value of the wrong type, without showing it: it could be a secret in the wrong place.
    pub(super) fn expected(&mut self, value: &Spanned<DeValue<'_>>, what: &str) {
        let found = value.get_ref().type_str();
        self.error(value, format!("expected {what}, found {}", article(found)), "");
    }

    /// The table behind a value, after reporting all of its fields that are not among `known`.
    pub(super) fn table<'t, 'i>(&mut self, value: &'t Value<'i>, known: &[&str]) -> Option<&'t DeTable<'i>> {
        let Some(table) = value.get_ref().as_table() else {
            self.expected(value, "a table");
            return None;
        };
        let known: Vec<&str> = known.iter().map(|name| field_name(name)).collect();
        for key in table.keys().filter(|key| !known.contains(&key.get_ref().as_ref())) {
            let name = key.get_ref().as_ref();
            let help = match nearest(name, known.iter().copied()) {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("known here: {}", known.join(", ")),
            };
            let place = self.place(key.span().start);
            self.diagnostics.push(Diagnostic::error(place, format!("unknown field `{name}`")).help(help));
        }
        Some(table)
    }

    /// One field of a table.
    pub(super) fn field<T: Read>(&mut self, value: &Value<'_>, table: &DeTable<'_>, name: &str) -> Option<T> {
        let name = field_name(name);
        match table.get(name) {
            Some(field) => T::read(field, self),
            None => T::absent().or_else(|| {
                self.error(value, format!("missing field `{name}`"), "");
                None
            }),
        }
    }

    fn report_syntax(&mut self, place: Place, message: &str) {
        let line = self.text.lines().nth(place.line.saturating_sub(1)).unwrap_or_default().trim_start();
        let help = if line.starts_with('[') {
            "a name with a dot, slash or blank is quoted: [pool.\"gpt-5.5\"]"
        } else if message.contains("duplicate") {
            "each name is written once; remove one of the two"
        } else {
            ""
        };
        self.diagnostics.push(Diagnostic::error(place, format!("not valid TOML: {message}")).help(help));
    }
}

/// The name in the document of a field whose name in Rust is a keyword.
pub(super) fn field_name(name: &str) -> &str {
    name.strip_prefix("r#").unwrap_or(name)
}

fn article(type_name: &str) -> String {
    let vowel = type_name.starts_with(['a', 'e', 'i', 'o', 'u']);
    format!("{} {type_name}", if vowel { "an" } else { "a" })
}

impl Reader<'_> {
    /// A string out of a few.
    pub(super) fn word<'w>(&mut self, value: &Spanned<DeValue<'_>>, words: &[&'w str]) -> Option<&'w str> {
        let Some(text) = value.get_ref().as_str() else {
            self.expected(value, &format!("one of {}", words.join(", ")));
            return None;
        };
        let found = words.iter().find(|word| **word == text).copied();
        if found.is_none() {
            let help = match nearest(text, words.iter().copied()) {
                Some(near) => format!("did you mean \"{near}\"?"),
                None => format!("one of {}", words.join(", ")),
            };
            self.error(value, format!("\"{text}\" is not known here"), help);
        }
        found
    }
}

impl<T: Read> Read for At<T> {
    fn read(value: &Spanned<DeValue<'_>>, reader: &mut Reader<'_>) -> Option<Self> {
        let place = reader.place(value.span().start);
        T::read(value, reader).map(|value| Self { value, place })
    }

    fn schema() -> Json {
        T::schema()
    }
}

/// A field that may be left out, and that counts as left out when it cannot be read.
impl<T: Read> Read for Option<T> {
    fn read(value: &Spanned<DeValue<'_>>, reader: &mut Reader<'_>) -> Option<Self> {
        Some(T::read(value, reader))
    }

    fn absent() -> Option<Self> {
        Some(None)
    }

    fn schema() -> Json {
        T::schema()
    }
}

/// A list; its unreadable members are reported and left out.
impl<T: Read> Read for Vec<T> {
    fn read(value: &Spanned<DeValue<'_>>, reader: &mut Reader<'_>) -> Option<Self> {
        let Some(array) = value.get_ref().as_array() else {
            reader.expected(value, "a list");
            return None;
        };
        Some(array.iter().filter_map(|item| T::read(item, reader)).collect())
    }

    fn absent() -> Option<Self> {
        Some(Self::new())
    }

    fn schema() -> Json {
        json!({ "type": "array", "items": T::schema() })
    }
}

/// A table that there is once; one that cannot be read does not spoil the document.
#[derive(Clone, Debug)]
pub struct Single<T>(pub Option<At<T>>);

impl<T> std::ops::Deref for Single<T> {
    type Target = Option<At<T>>;

    fn deref(&self) -> &Option<At<T>> {
        &self.0
    }
}

impl<T: Section> Read for Single<T> {
    fn read(value: &Spanned<DeValue<'_>>, reader: &mut Reader<'_>) -> Option<Self> {
        Some(Self(At::read(value, reader)))
    }

    fn absent() -> Option<Self> {
        Some(Self(None))
    }

    fn schema() -> Json {
        T::schema()
    }
}

impl<T: Section> Read for TablesOf<T> {
    fn read(value: &Spanned<DeValue<'_>>, reader: &mut Reader<'_>) -> Option<Self> {
        let Some(table) = value.get_ref().as_table() else {
            reader.expected(value, "a table of tables");
            return None;
        };
        let mut tables: Vec<_> =
            table.iter().map(|(name, body)| (name.span().start, name.get_ref().as_ref(), body)).collect();
        tables.sort_by_key(|(offset, ..)| *offset);
        Some(Self(tables.into_iter().map(|(offset, name, body)| named(reader, offset, name, body)).collect()))
    }

    fn absent() -> Option<Self> {
        Some(Self(Vec::new()))
    }

    fn schema() -> Json {
        json!({ "type": "object", "additionalProperties": T::schema() })
    }
}

/// All tables of one kind, as a field of the document.
#[derive(Clone, Debug)]
pub struct TablesOf<T>(pub Tables<T>);

impl<T> std::ops::Deref for TablesOf<T> {
    type Target = Tables<T>;

    fn deref(&self) -> &Tables<T> {
        &self.0
    }
}

fn named<T: Section>(reader: &mut Reader<'_>, offset: usize, name: &str, body: &Value<'_>) -> Named<T> {
    let place = reader.place(offset);
    if let Some(dotted) = dotted_name(name, body, T::FIELDS) {
        let message = format!("the table's name \"{dotted}\" holds a dot, which TOML reads as a table inside a table");
        let help = format!("write the name in quotes: \"{dotted}\", as in [pool.\"gpt-5.5\"]");
        reader.diagnostics.push(Diagnostic::error(place.clone(), message).help(help));
        return Named { name: At { value: dotted, place }, body: None, spoilt: true };
    }
    let found = reader.diagnostics.len();
    let body = T::read(body, reader);
    Named { name: At { value: name.to_owned(), place }, body, spoilt: reader.diagnostics.len() > found }
}

/// The name that was meant when a table holds nothing but one table of an unknown name, as `[pool.gpt-5.5]` makes it.
fn dotted_name(name: &str, body: &Value<'_>, fields: &[&str]) -> Option<String> {
    let table = body.get_ref().as_table()?;
    let (inner, value) = table.iter().next().filter(|_| table.len() == 1)?;
    let inner = inner.get_ref().as_ref();
    if !value.get_ref().is_table() || fields.contains(&inner) || nearest(inner, fields.iter().copied()).is_some() {
        return None;
    }
    let joined = format!("{name}.{inner}");
    Some(dotted_name(&joined, value, fields).unwrap_or(joined))
}

/// A path of a file, relative to the file that names it.
#[must_use]
pub(super) fn resolve(file: &Path, written: &Path) -> PathBuf {
    file.parent().unwrap_or(Path::new("")).join(written)
}
