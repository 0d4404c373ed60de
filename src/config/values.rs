//! The kinds of values that fields hold.

use crate::base::money::TokenPrice;
use crate::config::reader::{At, Read, Reader, resolve};
use serde_json::{Value as Json, json};
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;
use toml::Spanned;
use toml::de::DeValue;

type Value<'i> = Spanned<DeValue<'i>>;

impl Read for String {
    fn read(value: &Value<'_>, reader: &mut Reader<'_>) -> Option<Self> {
        let text = value.get_ref().as_str();
        if text.is_none() {
            reader.expected(value, "a string");
        }
        text.map(str::to_owned)
    }

    fn schema() -> Json {
        json!({ "type": "string" })
    }
}

impl Read for bool {
    fn read(value: &Value<'_>, reader: &mut Reader<'_>) -> Option<Self> {
        let truth = value.get_ref().as_bool();
        if truth.is_none() {
            reader.expected(value, "true or false");
        }
        truth
    }

    fn schema() -> Json {
        json!({ "type": "boolean" })
    }
}

impl Read for u64 {
    fn read(value: &Value<'_>, reader: &mut Reader<'_>) -> Option<Self> {
        let number = integer(value);
        if number.is_none() {
            reader.expected(value, "a whole number, zero or more");
        }
        number
    }

    fn schema() -> Json {
        json!({ "type": "integer", "minimum": 0 })
    }
}

impl Read for u32 {
    fn read(value: &Value<'_>, reader: &mut Reader<'_>) -> Option<Self> {
        let number = u64::read(value, reader)?;
        let small = Self::try_from(number);
        if small.is_err() {
            reader.error(value, format!("{number} is too large"), format!("at most {}", Self::MAX));
        }
        small.ok()
    }

    fn schema() -> Json {
        u64::schema()
    }
}

/// A number with or without a fraction.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Number(pub f64);

impl Read for Number {
    fn read(value: &Value<'_>, reader: &mut Reader<'_>) -> Option<Self> {
        let number = match value.get_ref() {
            DeValue::Float(float) => float.as_str().replace('_', "").parse().ok(),
            DeValue::Integer(number) if number.radix() == 10 => number.as_str().replace('_', "").parse().ok(),
            _ => None,
        };
        let Some(number) = number.filter(|number: &f64| number.is_finite()) else {
            reader.expected(value, "a number");
            return None;
        };
        Some(Self(number))
    }

    fn schema() -> Json {
        json!({ "type": "number" })
    }
}

impl Read for Duration {
    fn read(value: &Value<'_>, reader: &mut Reader<'_>) -> Option<Self> {
        let help = "a duration is a string with a unit: \"500ms\", \"2s\", \"5m\", \"1h\"";
        let Some(text) = value.get_ref().as_str() else {
            reader.error(value, "expected a duration", help);
            return None;
        };
        let duration = humantime::parse_duration(text);
        if duration.is_err() {
            reader.error(value, format!("\"{text}\" is not a duration"), help);
        }
        duration.ok()
    }

    fn schema() -> Json {
        json!({ "type": "string", "examples": ["500ms", "2s", "5m"] })
    }
}

/// A number of bytes: a whole number, or a string with a unit (`"32MiB"`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ByteSize(pub u64);

impl Read for ByteSize {
    fn read(value: &Value<'_>, reader: &mut Reader<'_>) -> Option<Self> {
        let size = match value.get_ref().as_str() {
            Some(text) => byte_size(text),
            None => integer(value),
        };
        if size.is_none() {
            reader.error(value, "expected a size", "a size is written as \"64KiB\", \"32MiB\" or a number of bytes");
        }
        size.map(Self)
    }

    fn schema() -> Json {
        json!({ "type": ["string", "integer"], "examples": ["64KiB", "32MiB"] })
    }
}

fn byte_size(text: &str) -> Option<u64> {
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let factor: u64 = match unit.trim() {
        "" | "B" => 1,
        "KiB" => 1 << 10,
        "MiB" => 1 << 20,
        "GiB" => 1 << 30,
        _ => return None,
    };
    number.parse::<u64>().ok()?.checked_mul(factor)
}

/// A price in US dollars per million tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UsdPerMillion(pub TokenPrice);

/// More than any vendor has ever asked for a million tokens: beyond it somebody took the unit for another.
const ABSURD_USD_PER_MILLION: f64 = 100_000.0;

impl Read for UsdPerMillion {
    fn read(value: &Value<'_>, reader: &mut Reader<'_>) -> Option<Self> {
        let Number(usd) = Number::read(value, reader)?;
        if usd < 0.0 {
            reader.error(value, format!("a price of {usd} is negative"), "prices are US dollars per million tokens");
            return None;
        }
        if usd > ABSURD_USD_PER_MILLION {
            let message = format!("a price of {usd} US dollars per million tokens is absurd");
            reader.error(value, message, "prices are US dollars per million tokens, not per thousand and not in cents");
            return None;
        }
        Some(Self(TokenPrice((usd * 1e6).round() as u64)))
    }

    fn schema() -> Json {
        json!({ "type": "number", "minimum": 0, "maximum": ABSURD_USD_PER_MILLION })
    }
}

/// The end of something, in seconds since 1970: a date counts to its end, in UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Until(pub i64);

impl Read for Until {
    fn read(value: &Value<'_>, reader: &mut Reader<'_>) -> Option<Self> {
        let text = match value.get_ref() {
            DeValue::String(text) => text.to_string(),
            DeValue::Datetime(datetime) => datetime.to_string(),
            _ => String::new(),
        };
        let until = end_of(&text);
        if until.is_none() {
            reader.error(value, "expected a date", "a date is written as \"2027-06-30\" or \"2027-06-30T12:00:00Z\"");
        }
        until.map(Self)
    }

    fn schema() -> Json {
        json!({ "type": "string", "examples": ["2027-06-30", "2027-06-30T12:00:00Z"] })
    }
}

/// The beginning of a day in UTC, in seconds since 1970.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Day(pub i64);

impl Read for Day {
    fn read(value: &Value<'_>, reader: &mut Reader<'_>) -> Option<Self> {
        let text = match value.get_ref() {
            DeValue::String(text) => text.to_string(),
            DeValue::Datetime(datetime) => datetime.to_string(),
            _ => String::new(),
        };
        let date = jiff::civil::Date::from_str(&text).ok().filter(|_| text.len() == 10);
        let midnight = date.and_then(|date| date.to_zoned(jiff::tz::TimeZone::UTC).ok());
        if midnight.is_none() {
            reader.error(value, "expected a day", "a day is written as \"2027-06-30\"");
        }
        midnight.map(|midnight| Self(midnight.timestamp().as_second()))
    }

    fn schema() -> Json {
        json!({ "type": "string", "examples": ["2027-06-30"] })
    }
}

fn end_of(text: &str) -> Option<i64> {
    if let Ok(moment) = jiff::Timestamp::from_str(text) {
        return Some(moment.as_second());
    }
    let date = jiff::civil::Date::from_str(text).ok().filter(|_| text.len() == 10)?;
    let midnight = date.tomorrow().ok()?.to_zoned(jiff::tz::TimeZone::UTC).ok()?;
    Some(midnight.timestamp().as_second())
}

/// A file of the user's, as one can open it: relative paths are relative to the file that names them.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FilePath(pub PathBuf);

/// Longer than any path that an operating system opens.
const MAX_PATH_BYTES: usize = 4096;

impl Read for FilePath {
    fn read(value: &Value<'_>, reader: &mut Reader<'_>) -> Option<Self> {
        let text = String::read(value, reader)?;
        if let Some((message, help)) = path_trick(&text) {
            reader.error(value, message, help);
            return None;
        }
        Some(Self(resolve(reader.file, Path::new(&text))))
    }

    fn schema() -> Json {
        json!({ "type": "string" })
    }
}

fn path_trick(text: &str) -> Option<(&'static str, &'static str)> {
    if text.is_empty() {
        return Some(("the path is empty", ""));
    }
    if text.len() > MAX_PATH_BYTES {
        return Some(("the path is longer than 4096 bytes", ""));
    }
    if text.chars().any(char::is_control) || text.to_ascii_lowercase().contains("%2e") {
        return Some(("the path holds characters that no file name needs", "write the plain path"));
    }
    if !text.starts_with('/') && text.split(['/', '\\']).any(|part| part == "..") {
        return Some(("the path climbs out of the config's folder", "write an absolute path if that is meant"));
    }
    None
}

/// Deployments that a pool prefers equally: one name, or a list of them.
#[derive(Clone, Debug)]
pub struct Tier(pub Vec<At<String>>);

impl Read for Tier {
    fn read(value: &Value<'_>, reader: &mut Reader<'_>) -> Option<Self> {
        if value.get_ref().is_array() {
            return Vec::read(value, reader).map(Self);
        }
        At::read(value, reader).map(|one| Self(vec![one]))
    }

    fn schema() -> Json {
        json!({ "type": ["string", "array"], "items": { "type": "string" } })
    }
}

fn integer(value: &Value<'_>) -> Option<u64> {
    let number = value.get_ref().as_integer()?;
    u64::from_str_radix(&number.as_str().replace('_', ""), number.radix()).ok()
}
