//! Reads values where they lie, in a text that [`super::syntax`] has checked. In an unchecked text it finds less, and never panics.

use super::outline::Outline;
use super::string;
use super::syntax::Scanner;
use std::borrow::Cow;

/// A value as written.
#[derive(Clone, Copy, Debug)]
pub struct Value<'a> {
    text: &'a [u8],
    outlined: Option<Outlined<'a>>,
}

/// Where a value stands in a text whose outline is known.
#[derive(Clone, Copy, Debug)]
struct Outlined<'a> {
    outline: &'a Outline,
    at: usize,
}

impl<'a> Value<'a> {
    /// The value that a checked text holds.
    #[must_use]
    pub const fn new(checked: &'a [u8]) -> Self {
        Self { text: checked.trim_ascii(), outlined: None }
    }

    /// The same with the outline that the check has made: what is not asked for is stepped over.
    #[must_use]
    pub const fn outlined(checked: &'a [u8], outline: &'a Outline) -> Self {
        let at = checked.len() - checked.trim_ascii_start().len();
        Self { text: checked.trim_ascii(), outlined: Some(Outlined { outline, at }) }
    }

    /// The value as written.
    #[must_use]
    pub const fn raw(self) -> &'a [u8] {
        self.text
    }

    /// Whether it is `null`.
    #[must_use]
    pub fn is_null(self) -> bool {
        self.text == b"null"
    }

    /// Whether it is an object.
    #[must_use]
    pub fn is_object(self) -> bool {
        self.text.first() == Some(&b'{')
    }

    /// Whether it is an array.
    #[must_use]
    pub fn is_array(self) -> bool {
        self.text.first() == Some(&b'[')
    }

    /// It as a truth value.
    #[must_use]
    pub fn bool(self) -> Option<bool> {
        match self.text {
            b"true" => Some(true),
            b"false" => Some(false),
            _ => None,
        }
    }

    /// It as a number.
    #[must_use]
    pub fn number(self) -> Option<f64> {
        matches!(self.text.first(), Some(b'-' | b'0'..=b'9'))
            .then(|| std::str::from_utf8(self.text).ok()?.parse().ok())?
    }

    /// It as a count: a number that is not negative, without its fraction.
    #[must_use]
    pub fn count(self) -> Option<u64> {
        let text = std::str::from_utf8(self.text).ok()?;
        text.parse().ok().or_else(|| self.number().filter(|number| *number >= 0.0).map(|number| number as u64))
    }

    /// It as a string, escapes resolved.
    #[must_use]
    pub fn text(self) -> Option<Cow<'a, str>> {
        let inner = self.text.strip_prefix(b"\"")?.strip_suffix(b"\"")?;
        unescape(inner)
    }

    /// As much of a string as shows whether there is anything in it but white space.
    #[must_use]
    pub fn beginning(self) -> Option<Cow<'a, str>> {
        let inner = self.text.strip_prefix(b"\"")?.strip_suffix(b"\"")?;
        match inner.get(..1) {
            Some(first) if first.is_ascii() && !matches!(first, b" " | b"\\") => unescape(first),
            _ => unescape(inner),
        }
    }

    /// Its members, if it is an object.
    #[must_use]
    pub fn members(self) -> Members<'a> {
        Members(Walk::new(self, b'{'))
    }

    /// Its elements, if it is an array.
    #[must_use]
    pub fn elements(self) -> Elements<'a> {
        Elements(Walk::new(self, b'['))
    }

    /// The first member of this name that is not `null`.
    #[must_use]
    pub fn get(self, name: &str) -> Option<Self> {
        let [found] = self.pick([name]);
        found
    }

    /// For each of these names the first member that is not `null`, in one walk through the object.
    #[must_use]
    pub fn pick<const N: usize>(self, names: [&str; N]) -> [Option<Self>; N] {
        let mut picked = [None; N];
        let mut missing = N;
        let mut walk = Walk::new(self, b'{');
        while let Some((found, value)) = walk.member() {
            let slot = found.among(names).and_then(|place| picked.get_mut(place)).filter(|slot| slot.is_none());
            if let Some(slot) = slot
                && !value.is_null()
            {
                *slot = Some(value);
                missing -= 1;
                if missing == 0 {
                    break;
                }
            }
        }
        picked
    }
}

/// What a string means that is written so between its quotes.
#[must_use]
pub fn unescape(inner: &[u8]) -> Option<Cow<'_, str>> {
    if memchr::memchr(b'\\', inner).is_none() {
        return std::str::from_utf8(inner).ok().map(Cow::Borrowed);
    }
    let (inner, mut resolved) = (std::str::from_utf8(inner).ok()?, String::with_capacity(inner.len()));
    let end = string::unescape(inner, 0, &mut resolved)?;
    (end == inner.len()).then_some(Cow::Owned(resolved))
}

/// The members of an object.
#[derive(Debug)]
pub struct Members<'a>(Walk<'a>);

impl<'a> Iterator for Members<'a> {
    type Item = (Cow<'a, str>, Value<'a>);

    fn next(&mut self) -> Option<Self::Item> {
        let (name, value) = self.0.member()?;
        Some((unescape(name.0)?, value))
    }
}

/// The elements of an array.
#[derive(Debug)]
pub struct Elements<'a>(Walk<'a>);

impl<'a> Iterator for Elements<'a> {
    type Item = Value<'a>;

    fn next(&mut self) -> Option<Self::Item> {
        self.0.step()?;
        self.0.value()
    }
}

/// A member's name as written between its quotes.
#[derive(Clone, Copy)]
struct Name<'a>(&'a [u8]);

impl Name<'_> {
    /// Its place among these names. Hardly any encoder escapes names, so that the written one is looked for first.
    fn among<const N: usize>(self, names: [&str; N]) -> Option<usize> {
        let place = |meant: &[u8]| names.iter().position(|name| name.as_bytes() == meant);
        place(self.0).or_else(|| place(self.0.contains(&b'\\').then(|| unescape(self.0))??.as_bytes()))
    }
}

/// A walk through an array or object; `None` after its end.
#[derive(Debug)]
struct Walk<'a> {
    value: Value<'a>,
    scanner: Option<Scanner<'a>>,
}

impl<'a> Walk<'a> {
    fn new(value: Value<'a>, open: u8) -> Self {
        let mut scanner = Scanner::resume(value.text);
        Self { value, scanner: scanner.take(open).then_some(scanner) }
    }

    /// The cursor at the next member or element.
    fn step(&mut self) -> Option<&mut Scanner<'a>> {
        let scanner = self.scanner.as_mut()?;
        scanner.space();
        scanner.take(b',');
        scanner.space();
        if matches!(scanner.peek(), None | Some(b'}' | b']')) {
            self.scanner = None;
        }
        self.scanner.as_mut()
    }

    fn member(&mut self) -> Option<(Name<'a>, Value<'a>)> {
        let name = self.step()?.name().ok()?;
        Some((Name(name), self.value()?))
    }

    fn value(&mut self) -> Option<Value<'a>> {
        let scanner = self.scanner.as_mut()?;
        let begin = scanner.at();
        let outlined = self.value.outlined.map(|outer| Outlined { at: outer.at + begin, ..outer });
        let nested = outlined.filter(|_| matches!(scanner.peek(), Some(b'{' | b'[')));
        match nested.and_then(|Outlined { outline, at }| Some(outline.end_of(at)? - at + begin)) {
            Some(end) => scanner.skip_to(end),
            None => {
                scanner.value(0, &mut ()).ok()?;
            }
        }
        let text = self.value.text.get(begin..scanner.at())?;
        Some(Value { text, outlined })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dialect::json::syntax::check;

    #[test]
    fn values_are_read_where_they_lie() {
        let text = br#" {"a": [1, "two", {"three": null}, []], "n\u0061me":"\u00e9\n", "big": 1e3, "no": -1, "a": 2} "#;
        let mut outline = Outline::default();
        check(text, &mut outline).unwrap();
        for value in [Value::new(text), Value::outlined(text, &outline)] {
            read_where_they_lie(value);
        }
    }

    fn read_where_they_lie(value: Value<'_>) {
        let names: Vec<_> = value.members().map(|(name, _)| name.into_owned()).collect();
        assert_eq!(names, ["a", "name", "big", "no", "a"]);
        let raws: Vec<_> = value.get("a").map(|list| list.elements().map(Value::raw).collect()).unwrap_or_default();
        assert_eq!(raws, [b"1".as_slice(), b"\"two\"", br#"{"three": null}"#, b"[]"]);
        assert_eq!(value.get("name").and_then(Value::text).as_deref(), Some("é\n"));
        assert_eq!(value.get("name").and_then(Value::beginning).as_deref(), Some("é\n"));
        assert_eq!(value.get("big").and_then(Value::count), Some(1000));
        assert_eq!(value.get("no").and_then(Value::count), None);
        assert_eq!(value.get("no").and_then(Value::number), Some(-1.0));
        assert!(value.get("absent").is_none());
        let [no, absent, first] = value.pick(["no", "absent", "a"]).map(|value| value.map(Value::raw));
        assert_eq!((no, absent, first.map(<[u8]>::len)), (Some(b"-1".as_slice()), None, Some(31)));
    }

    #[test]
    fn the_beginning_of_a_string_shows_whether_it_is_blank() {
        for (text, expected) in [
            (r#""Hello""#, Some("H")),
            (r#""\u0020""#, Some(" ")),
            (r#"" a""#, Some(" a")),
            (r#""\n""#, Some("\n")),
            (r#""é""#, Some("é")),
            (r#""""#, Some("")),
            ("7", None),
        ] {
            assert_eq!(Value::new(text.as_bytes()).beginning().as_deref(), expected, "{text}");
        }
    }

    #[test]
    fn unchecked_texts_yield_less_and_never_panic() {
        for text in ["", "{", "{\"a\"", "{\"a\":", "[1,,2", "{1:2}", "nonsense", "\""] {
            let value = Value::new(text.as_bytes());
            assert!(value.members().count() <= 1, "{text}");
            assert!(value.elements().count() <= 2, "{text}");
            assert!(value.text().is_none(), "{text}");
        }
    }
}
