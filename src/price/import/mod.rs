//! Price lists of others as a price book: models.dev's `api.json` and LiteLLM's `model_prices_and_context_window.json`.
//!
//! What cannot be carried is told, with the reason: a price that is left out is unknown, and unknown is too expensive
//! wherever there is a ceiling or a budget; a price that is carried wrongly would be believed.

mod book;
mod decimal;
mod litellm;
mod models_dev;

pub use book::{Header, text};
pub use decimal::Decimal;

use serde_json::value::RawValue;
use std::collections::BTreeMap;

/// More US dollars for a million tokens than any vendor has ever asked.
const ABSURD: &str = "100000";
/// Fewer than any vendor has ever asked, if not nothing.
const LOWEST: &str = "0.0001";

/// What came of a list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Import {
    /// Prices by `vendor/model`.
    pub prices: BTreeMap<String, Listed>,
    /// What was left out, by reason: names of models, or of models with what is missing of their price.
    pub left_out: BTreeMap<&'static str, Vec<String>>,
}

/// The prices of one model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// What is charged unless a tier holds.
    pub base: Parts,
    /// Other prices under conditions.
    pub tiers: Vec<ListedTier>,
    /// Whether a batch costs half.
    pub half_in_batch: bool,
    /// Factors by region.
    pub uplift: BTreeMap<String, Decimal>,
}

/// Other prices under conditions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListedTier {
    /// Tokens of the prompt that are exceeded.
    pub above: Option<u64>,
    /// Spans of the day, UTC.
    pub hours: Vec<String>,
    /// Days of the week.
    pub days: Vec<&'static str>,
    /// What is charged then.
    pub parts: Parts,
}

/// US dollars per million tokens of each kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Parts {
    /// A fresh prompt token.
    pub input: Decimal,
    /// An answer token.
    pub output: Decimal,
    /// One read from the vendor's cache.
    pub cached: Option<Decimal>,
    /// One written to it.
    pub written: Option<Decimal>,
    /// One written to it for an hour.
    pub written_1h: Option<Decimal>,
    /// A token of reasoning.
    pub reasoning: Option<Decimal>,
}

/// Members of a JSON object, with numbers as they were written.
type Members<'a> = BTreeMap<String, &'a RawValue>;

/// Reads a list of either shape; of the vendors, by their names in the catalog, those that `known` has.
///
/// # Errors
/// It is no JSON, or neither list.
pub fn read(json: &str, known: &dyn Fn(&str) -> bool) -> Result<Import, String> {
    let members: Members<'_> = serde_json::from_str(json).map_err(|error| {
        format!("it is no JSON object: {error}; expected models.dev's api.json or LiteLLM's model_prices_and_context_window.json")
    })?;
    let has =
        |member: &str| members.values().any(|value| object(value).is_some_and(|members| members.contains_key(member)));
    let mut import = Import::default();
    if has("models") {
        models_dev::read(&members, known, &mut import);
    } else if has("litellm_provider") {
        litellm::read(&members, known, &mut import);
    } else {
        let found: Vec<&str> = members.keys().take(3).map(String::as_str).collect();
        return Err(format!(
            "it is no list of prices: expected vendors with `models` (models.dev's api.json) or models with `litellm_provider` (LiteLLM), found an object of {} ({})",
            members.len(),
            if found.is_empty() { "nothing".to_owned() } else { found.join(", ") },
        ));
    }
    if import.prices.is_empty() {
        return Err("there is no price in it that could be carried".to_owned());
    }
    Ok(import)
}

impl Import {
    /// Adds what another list has and this one has not.
    pub fn complete(&mut self, other: Self) {
        for (name, listed) in other.prices {
            self.prices.entry(name).or_insert(listed);
        }
        for (reason, names) in other.left_out {
            self.left_out.entry(reason).or_default().extend(names);
        }
    }

    fn leave_out(&mut self, reason: &'static str, what: impl Into<String>) {
        self.left_out.entry(reason).or_default().push(what.into());
    }

    /// Takes the prices of a model, unless something is wrong with them.
    fn take(&mut self, vendor: &str, model: &str, listed: Listed) {
        let name = format!("{vendor}/{model}");
        let plain = |byte: u8| byte.is_ascii_graphic() && !matches!(byte, b'"' | b'\\');
        if model.is_empty() || name.len() > 256 || !name.bytes().all(plain) {
            return self.leave_out("no model can have this name", name.escape_debug().to_string());
        }
        let all = std::iter::once(&listed.base).chain(listed.tiers.iter().map(|tier| &tier.parts));
        match all.filter_map(wrong).next() {
            Some(reason) => self.leave_out(reason, name),
            None => drop(self.prices.entry(name).or_insert(listed)),
        }
    }
}

/// What is wrong with prices that are numbers.
fn wrong(parts: &Parts) -> Option<&'static str> {
    let Parts { input, output, cached, written, written_1h, reasoning } = *parts;
    let bound = |text| Decimal::parse(text).unwrap_or(Decimal::ZERO);
    let all = [Some(input), Some(output), cached, written, written_1h, reasoning];
    if input.is_zero() && output.is_zero() {
        Some("it costs nothing, or nobody knows what")
    } else if input.is_zero() {
        Some("the prompt costs nothing although the answer does")
    } else if all.iter().flatten().any(|price| *price > bound(ABSURD)) {
        Some("an absurd price of more than 100000 US dollars per million tokens")
    } else if [input, output].iter().any(|price| !price.is_zero() && *price < bound(LOWEST)) {
        Some("a price that is too low for a million tokens")
    } else if cached.is_some_and(|cached| cached > input.doubled()) {
        Some("what is read from the cache costs far more than what is not")
    } else {
        None
    }
}

fn object(value: &RawValue) -> Option<Members<'_>> {
    serde_json::from_str(value.get()).ok()
}

fn string(value: &RawValue) -> Option<String> {
    serde_json::from_str(value.get()).ok()
}

#[cfg(test)]
mod tests;
