//! A price book as text: one line for each model.

use super::{Import, Listed, Parts};
use std::fmt::Write;

/// Where a book is from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    /// The lists, as `api.json`.
    pub source: String,
    /// The day of the prices, as `2026-07-02`.
    pub as_of: String,
}

/// The book of these prices: the same text for the same lists, whoever makes it.
#[must_use]
pub fn text(import: &Import, header: &Header) -> String {
    let quoted = |text: &str| text.replace(['\\', '"', '\n', '\r'], "_");
    let mut book = format!(
        "# Made by `backstay prices import` from {source}, prices of {day}.\n# The next import replaces it: prices of your own stand safer at a [deployment].\n\nas_of = {day}\nsource = \"{source}\"\n\n[price]\n",
        source = quoted(&header.source),
        day = header.as_of,
    );
    for (name, listed) in &import.prices {
        let _ = writeln!(book, "\"{name}\" = {{ {} }}", line(listed));
    }
    book
}

fn line(listed: &Listed) -> String {
    let mut members = parts(&listed.base);
    if listed.half_in_batch {
        members.push("batch = 0.5".to_owned());
    }
    if !listed.uplift.is_empty() {
        let factors: Vec<_> = listed.uplift.iter().map(|(region, factor)| format!("{region} = {factor}")).collect();
        members.push(format!("uplift = {{ {} }}", factors.join(", ")));
    }
    let tiers = listed.tiers.iter().map(|tier| {
        let above = tier.above.map(|above| format!("above = {above}"));
        let list = |name: &str, words: Vec<&str>| {
            (!words.is_empty()).then(|| format!("{name} = [\"{}\"]", words.join("\", \"")))
        };
        let hours = list("hours", tier.hours.iter().map(String::as_str).collect());
        let conditions = above.into_iter().chain(hours).chain(list("days", tier.days.clone()));
        format!("{{ {} }}", conditions.chain(parts(&tier.parts)).collect::<Vec<_>>().join(", "))
    });
    let tiers: Vec<_> = tiers.collect();
    if !tiers.is_empty() {
        members.push(format!("tiers = [{}]", tiers.join(", ")));
    }
    members.join(", ")
}

fn parts(parts: &Parts) -> Vec<String> {
    let named = [
        ("input", Some(parts.input)),
        ("output", Some(parts.output)),
        ("cached", parts.cached),
        ("written", parts.written),
        ("written_1h", parts.written_1h),
        ("reasoning", parts.reasoning.filter(|reasoning| *reasoning != parts.output)),
    ];
    named.into_iter().filter_map(|(name, price)| Some(format!("{name} = {}", price?))).collect()
}
