//! The price book: what vendors' models cost, beside the config.

use crate::base::model_name::undated;
use crate::config::reader::{At, Named, Read, Reader, Section, TablesOf, Value};
use crate::config::section::section;
use crate::config::values::{Day, Number, UsdPerMillion};
use serde_json::{Value as Json, json};
use std::path::Path;
use std::sync::LazyLock;

/// The book that comes with the program; `data/README.md` says where it is from.
const SHIPPED: &str = include_str!("../../../data/prices.toml");
const SHIPPED_NAME: &str = "(shipped prices.toml)";

section! {
    /// Prices by "endpoint/model" or "vendor/model".
    PriceBook {
        /// Day on which the prices were collected.
        as_of: Option<At<Day>>,
        /// Where they are from.
        source: Option<String>,
        /// Prices.
        price: TablesOf<DatedPrices>,
    }
}

/// The prices of one model: one table, or several of which each holds from its date on.
#[derive(Clone, Debug)]
pub struct DatedPrices(pub Vec<At<DatedPrice>>);

/// Declares a section with what each kind of token costs.
macro_rules! of_tokens {
    ($(#[doc = $doc:literal])* $name:ident { $($more:tt)* }) => {
        section! {
            $(#[doc = $doc])*
            $name {
                /// A fresh prompt token.
                input: At<UsdPerMillion>,
                /// An answer token.
                output: At<UsdPerMillion>,
                /// A prompt token read from cache; as `input` unless given.
                cached: Option<At<UsdPerMillion>>,
                /// A prompt token written to cache; as `input` unless given.
                written: Option<UsdPerMillion>,
                /// A prompt token written to cache for an hour; as `written` unless given.
                written_1h: Option<UsdPerMillion>,
                /// A token of reasoning; as `output` unless given.
                reasoning: Option<UsdPerMillion>,
                $($more)*
            }
        }
    };
}

of_tokens! {
    /// US dollars per million tokens, from a date on.
    DatedPrice {
        /// Factor for calls in a batch.
        batch: Option<At<Number>>,
        /// Factors where the endpoint's host is one of a region, by region or zone; `any` stands for every region.
        uplift: Option<Uplift>,
        /// Other prices for whole calls, under conditions.
        tiers: Vec<At<PriceTier>>,
        /// Day from which the price holds.
        effective: Option<At<Day>>,
    }
}

of_tokens! {
    /// Other prices for whole calls, in US dollars per million tokens.
    PriceTier {
        /// Where the prompt has more tokens than this, cached ones included.
        above: Option<At<u64>>,
        /// In these hours, UTC, as in "06:00-10:00".
        hours: Vec<At<String>>,
        /// On these days of the week.
        days: Vec<At<String>>,
    }
}

/// Factors by region or zone.
#[derive(Clone, Debug)]
pub struct Uplift(pub Vec<(String, At<Number>)>);

impl PriceBook {
    /// The book that comes with the program.
    #[must_use]
    pub fn shipped() -> Option<&'static Self> {
        static BOOK: LazyLock<Option<PriceBook>> =
            LazyLock::new(|| Reader::new(Path::new(SHIPPED_NAME), SHIPPED).document());
        BOOK.as_ref()
    }

    /// The day on which the prices were collected, where the book says so.
    #[must_use]
    pub fn day(&self) -> Option<jiff::civil::Date> {
        let second = jiff::Timestamp::from_second(self.as_of.as_ref()?.value.0).ok()?;
        Some(second.to_zoned(jiff::tz::TimeZone::UTC).date())
    }

    /// The prices under this very name.
    #[must_use]
    pub fn named(&self, name: &str) -> Option<&DatedPrices> {
        self.price.iter().find(|named| named.name.value == name)?.body.as_ref()
    }

    /// The prices of a model of a vendor: by its id to the letter, else by its name without date and tag.
    #[must_use]
    pub fn of_model(&self, vendor: &str, model: &str) -> Option<&DatedPrices> {
        if let Some(exact) = self.named(&format!("{vendor}/{model}")) {
            return Some(exact);
        }
        let plain = undated(model);
        let of_vendor = |named: &Named<_>| named.name.strip_prefix(vendor)?.strip_prefix('/').map(undated);
        // of several dated ones the last is the newest
        self.price.iter().rev().find(|named| of_vendor(named).as_ref() == Some(&plain))?.body.as_ref()
    }
}

impl Section for DatedPrices {
    const FIELDS: &'static [&'static str] = DatedPrice::FIELDS;
}

impl Read for DatedPrices {
    fn read(value: &Value<'_>, reader: &mut Reader<'_>) -> Option<Self> {
        if value.get_ref().is_array() {
            return Vec::read(value, reader).map(Self);
        }
        At::read(value, reader).map(|one| Self(vec![one]))
    }

    fn schema() -> Json {
        json!({ "anyOf": [DatedPrice::schema(), { "type": "array", "items": DatedPrice::schema() }] })
    }
}

impl Read for Uplift {
    fn read(value: &Value<'_>, reader: &mut Reader<'_>) -> Option<Self> {
        let Some(table) = value.get_ref().as_table() else {
            reader.expected(value, "a table of factors by region, as in { eu = 1.1 }");
            return None;
        };
        let factors = table
            .iter()
            .filter_map(|(name, factor)| At::read(factor, reader).map(|factor| (name.get_ref().to_string(), factor)));
        Some(Self(factors.collect()))
    }

    fn schema() -> Json {
        json!({ "type": "object", "additionalProperties": Number::schema() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shipped_book_is_whole_and_dated() {
        let mut reader = Reader::new(Path::new(SHIPPED_NAME), SHIPPED);
        let book: PriceBook = reader.document().expect("it ships");
        assert_eq!(reader.diagnostics, []);
        assert!(book.as_of.is_some() && book.source.is_some());
        assert!(book.price.len() > 500, "{} prices", book.price.len());
    }

    #[test]
    fn dates_and_tags_do_not_hide_a_price_and_regions_do() {
        let text = "[price.\"a/m-1\"]\ninput = 1\noutput = 1\n[price.\"a/m-1-20260101\"]\ninput = 2\noutput = 2\n\
            [price.\"a/eu.m-2\"]\ninput = 3\noutput = 3\n[price.\"b/m-1\"]\ninput = 4\noutput = 4\n";
        let book: PriceBook = Reader::new(Path::new("prices.toml"), text).document().expect("a book");
        let check = |vendor: &str, model: &str, expected: Option<u64>| {
            let found = book.of_model(vendor, model);
            let input = found.and_then(|found| found.0.first()).map(|price| price.input.value.0.0 / 1_000_000);
            assert_eq!(input, expected, "{vendor}/{model}");
        };
        check("a", "m-1", Some(1));
        check("a", "m-1-20260101", Some(2));
        check("a", "m-1-20270101", Some(2));
        check("a", "m-1-latest", Some(2));
        check("a", "eu.m-2", Some(3));
        check("a", "m-2", None);
        check("b", "m-1@20270101", Some(4));
        check("c", "m-1", None);
    }
}
