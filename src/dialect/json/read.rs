//! The scanner as a format of serde's, for what is read all the time: calls, answers, and every piece of a stream.
//!
//! It takes half of the work of `serde_json`, which reads all that this does and, beside that, can say what is wrong with a text.

use super::string::{Failed, unescape};
use super::syntax::{DEPTH_MAX, Scanner};
use serde::de::value::BorrowedStrDeserializer;
use serde::de::{
    self, Deserialize, DeserializeSeed, Deserializer, IntoDeserializer as _, MapAccess, SeqAccess, Visitor,
};
use serde::forward_to_deserialize_any;
use std::fmt;
use std::marker::PhantomData;

/// Reads a text as a `T`; `None` where it is no JSON, or none of a `T`.
pub fn read<'a, T: Deserialize<'a>>(text: &'a str) -> Option<T> {
    read_into(text, PhantomData)
}

/// Reads a text in the way of `seed`, which may know where what it reads is to go.
pub fn read_into<'a, S: DeserializeSeed<'a>>(text: &'a str, seed: S) -> Option<S::Value> {
    let mut reader =
        Reader { text, scanner: Scanner::resume(text.as_bytes()), unescaped: String::new(), depth: 0, wrong: false };
    reader.scanner.space();
    let value = seed.deserialize(&mut reader).ok()?;
    (reader.scanner.end().is_ok() && !reader.wrong).then_some(value)
}

/// Something cannot be read. It does not say what, so that results stay small.
#[derive(Debug)]
struct Unread;

impl fmt::Display for Unread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("cannot be read")
    }
}

impl std::error::Error for Unread {}

impl de::Error for Unread {
    #[cold]
    fn custom<T: fmt::Display>(_: T) -> Self {
        Self
    }
}

impl From<Failed> for Unread {
    fn from(_: Failed) -> Self {
        Self
    }
}

/// A cursor that stands at a value.
struct Reader<'a> {
    text: &'a str,
    scanner: Scanner<'a>,
    /// What the last string means that was written with escapes.
    unescaped: String,
    depth: usize,
    /// An array or object was read that went on.
    wrong: bool,
}

impl<'de> Deserializer<'de> for &mut Reader<'de> {
    type Error = Unread;

    #[inline]
    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unread> {
        match self.scanner.peek() {
            Some(b'"') => match self.plain() {
                Some(text) => visitor.visit_borrowed_str(text),
                None => visitor.visit_str(self.escaped()?),
            },
            Some(b'{') => {
                self.enter()?;
                let value = visitor.visit_map(Items { reader: self, close: b'}', first: true });
                self.leave(b'}');
                value
            }
            Some(b'[') => {
                self.enter()?;
                let value = visitor.visit_seq(Items { reader: self, close: b']', first: true });
                self.leave(b']');
                value
            }
            Some(b't') => self.skip().and_then(|_| visitor.visit_bool(true)),
            Some(b'f') => self.skip().and_then(|_| visitor.visit_bool(false)),
            Some(b'n') => self.skip().and_then(|_| visitor.visit_unit()),
            _ => match self.number()? {
                Number::Whole(number) => visitor.visit_u64(number),
                Number::Negative(number) => visitor.visit_i64(number),
                Number::Other(number) => visitor.visit_f64(number),
            },
        }
    }

    #[inline]
    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unread> {
        if self.scanner.peek() == Some(b'n') { self.deserialize_any(visitor) } else { visitor.visit_some(self) }
    }

    #[inline]
    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unread> {
        self.skip()?;
        visitor.visit_unit()
    }

    /// Raw values are made by nobody but `serde_json`.
    fn deserialize_newtype_struct<V: Visitor<'de>>(self, name: &'static str, visitor: V) -> Result<V::Value, Unread> {
        let text = self.skip()?;
        serde_json::Deserializer::from_str(text).deserialize_newtype_struct(name, visitor).map_err(|_| Unread)
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit unit_struct seq tuple
        tuple_struct map struct enum identifier
    }
}

/// A number in the widths that serde tells apart.
enum Number {
    Whole(u64),
    Negative(i64),
    Other(f64),
}

impl<'a> Reader<'a> {
    /// Takes a value of any kind, and gives it as it is written.
    fn skip(&mut self) -> Result<&'a str, Unread> {
        let taken = self.scanner.value(self.depth, &mut ()).map_err(|_| Unread)?;
        self.text.get(taken).ok_or(Unread)
    }

    /// Takes a string that is written as it reads; `None` if it is not.
    fn plain(&mut self) -> Option<&'a str> {
        let taken = self.scanner.plain_string()?;
        self.text.get(taken)
    }

    /// Takes any string.
    fn escaped(&mut self) -> Result<&str, Unread> {
        self.unescaped.clear();
        let end = unescape(self.text, self.scanner.at() + 1, &mut self.unescaped).ok_or(Unread)?;
        self.scanner.skip_to(end);
        self.scanner.take(b'"').then_some(&*self.unescaped).ok_or(Unread)
    }

    fn number(&mut self) -> Result<Number, Unread> {
        let start = self.scanner.at();
        self.scanner.number()?;
        let text = self.text.get(start..self.scanner.at()).ok_or(Unread)?;
        if let Ok(number) = text.parse() {
            return Ok(Number::Whole(number));
        }
        match text.parse() {
            // no whole number is less than nothing
            Ok(number) if number != 0 => Ok(Number::Negative(number)),
            _ => text.parse().ok().filter(|number: &f64| number.is_finite()).map(Number::Other).ok_or(Unread),
        }
    }

    fn enter(&mut self) -> Result<(), Unread> {
        if self.depth == DEPTH_MAX {
            return Err(Unread);
        }
        self.depth += 1;
        self.scanner.skip_to(self.scanner.at() + 1);
        Ok(())
    }

    /// Takes the end of an array or object. A value that is read before it is noticed not to end there is not given out: to pass
    /// it on untouched saves moving it.
    fn leave(&mut self, close: u8) {
        self.depth -= 1;
        self.scanner.space();
        self.wrong |= !self.scanner.take(close);
    }
}

/// The members of an object, or the elements of an array, up to the end.
struct Items<'r, 'a> {
    reader: &'r mut Reader<'a>,
    close: u8,
    first: bool,
}

impl Items<'_, '_> {
    /// Goes on to the next; `false` before the end.
    #[inline]
    fn advance(&mut self) -> Result<bool, Unread> {
        let scanner = &mut self.reader.scanner;
        scanner.space();
        if scanner.peek() == Some(self.close) {
            return Ok(false);
        }
        if !std::mem::take(&mut self.first) {
            scanner.take(b',').then_some(()).ok_or(Unread)?;
            scanner.space();
        }
        Ok(true)
    }
}

impl<'de> MapAccess<'de> for Items<'_, 'de> {
    type Error = Unread;

    #[inline]
    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Unread> {
        if !self.advance()? {
            return Ok(None);
        }
        let Reader { scanner, .. } = &self.reader;
        scanner.peek().filter(|byte| *byte == b'"').ok_or(Unread)?;
        let name = match self.reader.plain() {
            Some(name) => seed.deserialize(BorrowedStrDeserializer::new(name)),
            None => seed.deserialize(self.reader.escaped()?.into_deserializer()),
        };
        self.reader.scanner.colon()?;
        name.map(Some)
    }

    #[inline]
    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Unread> {
        seed.deserialize(&mut *self.reader)
    }
}

impl<'de> SeqAccess<'de> for Items<'_, 'de> {
    type Error = Unread;

    #[inline]
    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, Unread> {
        if self.advance()? { seed.deserialize(&mut *self.reader).map(Some) } else { Ok(None) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::value::RawValue;
    use serde_json::{Value, json};

    #[test]
    fn texts_are_read_as_serde_json_reads_them() {
        for text in [
            r#" {"a": [1, "two", {"three": null}, [ ], {}], "n\u0061me": "\u00e9\n\ud83e\udd80", "a": true , "": false} "#,
            "[0, 7, -7, -0, 1.5, -2e3, 18446744073709551615, 18446744073709551616, -9223372036854775808]",
            "[1e400]",
            "\"long enough that words of eight are looked at, é and 🦀 among them, up to \\\" and beyond\"",
            "\"cut",
            "\"line\nbreak\"",
            "\"\\ud83e\"",
            "{\"a\":1,}",
            "{\"a\" 1}",
            "{,}",
            "{1:2}",
            "[1,]",
            "[,1]",
            "[1 2]",
            "[1]]",
            "[[1]",
            "[1}",
            "nul",
            "nulls",
            "01",
            "1.",
            "",
        ] {
            assert_eq!(read::<Value>(text), serde_json::from_str(text).ok(), "{text}");
        }
    }

    #[test]
    fn raw_values_stay_as_they_are_written() {
        let texts = |text| read::<Vec<&RawValue>>(text).map(|raws| raws.into_iter().map(RawValue::get).collect());
        assert_eq!(texts(r#"[{"a" : 1}, "\u0061", null]"#), Some(vec![r#"{"a" : 1}"#, r#""\u0061""#, "null"]));
        assert_eq!(texts("[{]"), None);
    }

    #[test]
    fn a_reader_that_counts_is_given_no_more_and_no_less() {
        assert_eq!(read("[1, [2, 3]]"), Some((1, [2, 3])));
        for text in ["[1, [2, 3, 4]]", "[1, [2]]", "[1, [2, 3], 4]"] {
            assert_eq!(read::<(u8, [u8; 2])>(text), None, "{text}");
        }
    }

    #[test]
    fn nesting_is_bounded() {
        let nested = |depth: usize| ["[".repeat(depth), "]".repeat(depth)].concat();
        assert!(read::<Value>(&nested(DEPTH_MAX)).is_some());
        assert!(read::<Value>(&nested(DEPTH_MAX + 1)).is_none());
        assert!(read::<de::IgnoredAny>(&nested(100_000)).is_none());
    }

    proptest! {
        #[test]
        fn whatever_is_written_is_read(text in "\\PC{0,80}", number in any::<i64>(), flag: bool) {
            let value = json!({"text": text, "list": [number, flag, null, {"escaped\n": text}], &text: number});
            prop_assert_eq!(read::<Value>(&value.to_string()), Some(value.clone()));
            let pretty = serde_json::to_string_pretty(&value).unwrap();
            prop_assert_eq!(read::<Value>(&pretty), Some(value));
        }

        #[test]
        fn nothing_is_read_that_is_no_json(text in r#"[\[\]{},: "\\0-9a-u\n.-]{0,12}"#) {
            if let Some(value) = read::<Value>(&text) {
                prop_assert_eq!(serde_json::from_str::<Value>(&text).ok(), Some(value));
            }
        }
    }
}
