//! Values that vendors and clients write in more than one shape.

use crate::base::failure::{Failure, FailureKind, Phase};
use crate::dialect::object::{Text, read};
use serde::Deserialize;
use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

/// How many, in an answer; some servers write a fraction. What is no number says nothing: an answer is not lost for it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Count(pub(crate) Option<u64>);

impl std::ops::Deref for Count {
    type Target = Option<u64>;

    fn deref(&self) -> &Self::Target {
        &self.0
    }
}

impl<'de> Deserialize<'de> for Count {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(CountVisitor).map(Self)
    }
}

struct CountVisitor;

impl<'de> Visitor<'de> for CountVisitor {
    type Value = Option<u64>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a number")
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<Self::Value, E> {
        Ok(Some(number))
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<Self::Value, E> {
        Ok(number.try_into().ok())
    }

    fn visit_f64<E: Error>(self, number: f64) -> Result<Self::Value, E> {
        Ok((number >= 0.0).then_some(number as u64))
    }

    fn visit_unit<E: Error>(self) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_bool<E: Error>(self, _: bool) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_str<E: Error>(self, _: &str) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<Self::Value, A::Error> {
        IgnoredAny.visit_seq(seq).map(|_| None)
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
        IgnoredAny.visit_map(map).map(|_| None)
    }
}

/// A whole answer that does not say why it ended: nobody but its vendor knows whether it is complete, and a translation would
/// have to make the reason up. In the vendor's own dialect the client reads for itself that there is none.
pub(crate) fn unfinished() -> Failure {
    Failure::new(FailureKind::Truncated, Phase::Headers, "no_finish_reason")
}

/// The first of a list, and whether it has more: answers have one choice.
#[derive(Debug)]
pub(crate) struct First<T> {
    pub(crate) one: Option<T>,
    pub(crate) more: bool,
}

impl<T> Default for First<T> {
    fn default() -> Self {
        Self { one: None, more: false }
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for First<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut first = Self::default();
        deserializer.deserialize_any(FillFirst(&mut first)).map(|()| first)
    }
}

struct FillFirst<'f, T>(&'f mut First<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for FillFirst<'_, T> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array")
    }

    fn visit_unit<E: Error>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        self.0.one = seq.next_element()?;
        while seq.next_element::<IgnoredAny>()?.is_some() {
            self.0.more = true;
        }
        Ok(())
    }
}

/// A text, or JSON that stands where its text should: some servers write a call's arguments as an object.
#[derive(Debug, PartialEq)]
pub(crate) struct JsonText<'a>(pub(crate) Cow<'a, str>);

impl<'de: 'a, 'a> Deserialize<'de> for JsonText<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let told: &'de RawValue = Deserialize::deserialize(deserializer)?;
        let text = || read::<Text<'_>>(told).map(|Text(text)| text).map_err(D::Error::custom);
        Ok(Self(if told.get().starts_with('"') { text()? } else { told.get().into() }))
    }
}

/// What many members allow: nothing, a text, or a list.
#[derive(Debug, Default)]
pub(crate) enum TextOr<L> {
    /// Null or missing.
    #[default]
    Nothing,
    /// A text.
    Text(String),
    /// A list.
    List(Vec<L>),
}

impl<'de, L: Deserialize<'de>> Deserialize<'de> for TextOr<L> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(TextOrVisitor(PhantomData))
    }
}

struct TextOrVisitor<L>(PhantomData<L>);

impl<'de, L: Deserialize<'de>> Visitor<'de> for TextOrVisitor<L> {
    type Value = TextOr<L>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string or an array")
    }

    fn visit_unit<E: Error>(self) -> Result<Self::Value, E> {
        Ok(TextOr::Nothing)
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Self::Value, E> {
        Ok(TextOr::Text(text.to_owned()))
    }

    fn visit_string<E: Error>(self, text: String) -> Result<Self::Value, E> {
        Ok(TextOr::Text(text))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
        let mut list = Vec::with_capacity(seq.size_hint().unwrap_or(1));
        while let Some(element) = seq.next_element()? {
            list.push(element);
        }
        Ok(TextOr::List(list))
    }
}

/// A list, or the one thing that would be in it: Google's parsers take either. Only for objects, and not for raw ones.
#[derive(Debug)]
pub(crate) struct Many<T>(pub(crate) Vec<T>);

impl<T> Default for Many<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Many<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ManyVisitor(PhantomData))
    }
}

struct ManyVisitor<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for ManyVisitor<T> {
    type Value = Many<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array or an object")
    }

    fn visit_unit<E: Error>(self) -> Result<Self::Value, E> {
        Ok(Many::default())
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
        T::deserialize(MapAccessDeserializer::new(map)).map(|one| Many(vec![one]))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
        let mut list = Vec::with_capacity(seq.size_hint().unwrap_or(1));
        while let Some(element) = seq.next_element()? {
            list.push(element);
        }
        Ok(Many(list))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_count_is_read_however_it_is_written() {
        for (text, expected) in [
            ("12", Some(12)),
            ("12.0", Some(12)),
            ("1.2e1", Some(12)),
            ("null", None),
            ("-1", None),
            ("-0.5", None),
            ("\"a\"", None),
            ("[1]", None),
            ("{\"a\":1}", None),
            ("true", None),
        ] {
            assert_eq!(serde_json::from_str::<Count>(text).expect(text).0, expected, "{text}");
        }
    }
}
