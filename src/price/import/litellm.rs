//! LiteLLM's `model_prices_and_context_window.json` (MIT): models with US dollars per single token.

use super::{Decimal, Import, Listed, ListedTier, Members, Parts, object, string};
use crate::price::{Days, Span};
use std::collections::BTreeSet;

/// A vendor there, the same in the catalog, and what stands before its models' names.
const VENDORS: [(&str, &str, Prefix); 32] = [
    ("anthropic", "anthropic", Prefix::May("anthropic/")),
    ("azure", "azure", Prefix::Must("azure/")),
    ("azure_ai", "azure", Prefix::Must("azure_ai/")),
    ("bedrock", "amazon-bedrock", Prefix::May("bedrock/")),
    ("bedrock_converse", "amazon-bedrock", Prefix::May("bedrock/")),
    ("cerebras", "cerebras", Prefix::Must("cerebras/")),
    ("cohere", "cohere", Prefix::May("cohere/")),
    ("cohere_chat", "cohere", Prefix::May("cohere/")),
    ("dashscope", "alibaba", Prefix::Must("dashscope/")),
    ("deepseek", "deepseek", Prefix::May("deepseek/")),
    ("fireworks_ai", "fireworks-ai", Prefix::Must("fireworks_ai/")),
    ("fireworks_ai-embedding-models", "fireworks-ai", Prefix::Must("fireworks_ai/")),
    ("gemini", "google", Prefix::May("gemini/")),
    ("groq", "groq", Prefix::Must("groq/")),
    ("meta_llama", "llama", Prefix::Must("meta_llama/")),
    ("minimax", "minimax", Prefix::Must("minimax/")),
    ("mistral", "mistral", Prefix::Must("mistral/")),
    ("moonshot", "moonshotai", Prefix::Must("moonshot/")),
    ("nebius", "nebius", Prefix::Must("nebius/")),
    ("openai", "openai", Prefix::May("openai/")),
    ("text-completion-openai", "openai", Prefix::May("openai/")),
    ("openrouter", "openrouter", Prefix::Must("openrouter/")),
    ("ovhcloud", "ovhcloud", Prefix::Must("ovhcloud/")),
    ("perplexity", "perplexity", Prefix::Must("perplexity/")),
    ("scaleway", "scaleway", Prefix::Must("scaleway/")),
    ("together_ai", "togetherai", Prefix::Must("together_ai/")),
    ("vercel_ai_gateway", "vercel", Prefix::Must("vercel_ai_gateway/")),
    ("vertex_ai-anthropic_models", "google-vertex-anthropic", Prefix::May("vertex_ai/")),
    ("vertex_ai-embedding-models", "google-vertex", Prefix::May("vertex_ai/")),
    ("vertex_ai-language-models", "google-vertex", Prefix::May("vertex_ai/")),
    ("xai", "xai", Prefix::Must("xai/")),
    ("zai", "zai", Prefix::Must("zai/")),
];

/// What stands before a model's name.
#[derive(Clone, Copy)]
enum Prefix {
    /// It may be left out.
    May(&'static str),
    /// What has none is no model, but a class of models.
    Must(&'static str),
}

/// What models do that are paid by the token.
const MODES: [&str; 4] = ["chat", "responses", "completion", "embedding"];
/// The description of the list itself.
const SPECIMEN: &str = "sample_spec";
/// Factors by region, and the region that they are for.
const UPLIFTS: [(&str, &str); 3] = [
    ("regional_processing_uplift_multiplier_eu", "eu"),
    ("regional_processing_uplift_multiplier_us", "us"),
    ("regional_endpoint_uplift_multiplier", "any"),
];

/// Prices of tokens: input, output, cached, written, written for an hour, reasoning.
const TOKENS: [&str; 6] = [
    INPUT,
    "output_cost_per_token",
    "cache_read_input_token_cost",
    "cache_creation_input_token_cost",
    "cache_creation_input_token_cost_above_1hr",
    "output_cost_per_reasoning_token",
];
const INPUT: &str = "input_cost_per_token";
/// Ends of the names of prices for calls of another service tier.
const SERVICES: [&str; 5] = ["_priority", "_flex", "_balanced", "_ultrafast", "_decisions"];
const NOTHING: Parts = Parts {
    input: Decimal::ZERO,
    output: Decimal::ZERO,
    cached: None,
    written: None,
    written_1h: None,
    reasoning: None,
};

const NO_TOKENS: &str = "LiteLLM: no price by the token";
const TIMES: &str = "LiteLLM: hours that are not told in UTC are not carried, the price of the peak is";
const NO_NUMBER: &str = "LiteLLM: a price is no number, or negative";
const SERVICE_TIERS: &str = "LiteLLM: prices of service tiers (priority, flex and others) are not carried";
const OTHER_UNITS: &str = "LiteLLM: prices of images, audio, searches and other units are not carried";
const BATCHES: &str = "LiteLLM: a batch that does not cost half is not carried";
const BY_MEMBER: &str = "LiteLLM: factors for calls with `inference_geo` or `speed` are not carried";

pub(super) fn read(models: &Members<'_>, known: &dyn Fn(&str) -> bool, import: &mut Import) {
    for (key, value) in models.iter().filter(|(key, _)| *key != SPECIMEN) {
        let Some(members) = object(value) else {
            import.leave_out("LiteLLM: no model, but something else", key.as_str());
            continue;
        };
        let text = |member: &str| members.get(member).and_then(|value| string(value)).unwrap_or_default();
        let provider = text("litellm_provider");
        let row = VENDORS.iter().find(|(theirs, ours, _)| *theirs == provider && known(ours));
        let Some((_, vendor, prefix)) = row else {
            import.leave_out("LiteLLM: no vendor whose models Backstay knows", key.as_str());
            continue;
        };
        if !MODES.contains(&text("mode").as_str()) {
            import.leave_out("LiteLLM: no model that is paid by the token", key.as_str());
            continue;
        }
        match name(key, vendor, *prefix) {
            Ok(model) => one(vendor, model, key, &members, import),
            Err(reason) => import.leave_out(reason, key.as_str()),
        }
    }
}

/// The vendor's own name of the model.
fn name<'a>(key: &'a str, vendor: &str, prefix: Prefix) -> Result<&'a str, &'static str> {
    let name = match prefix {
        Prefix::May(prefix) => key.strip_prefix(prefix).unwrap_or(key),
        Prefix::Must(prefix) => key.strip_prefix(prefix).ok_or("LiteLLM: a class of models, not one")?,
    };
    if name.starts_with("ft:") {
        return Err("LiteLLM: tuned models, which every account names differently");
    }
    // azure/eu/gpt-4o, bedrock/us-east-1/...: what one region costs
    if matches!(vendor, "azure" | "amazon-bedrock") && name.contains('/') {
        return Err("LiteLLM: the price of one region or commitment; write it at the deployment");
    }
    Ok(name)
}

fn one(vendor: &str, model: &str, key: &str, members: &Members<'_>, import: &mut Import) {
    match listed(members) {
        Ok(listed) => {
            let whole_batch = !listed.half_in_batch && members.keys().any(|member| member.ends_with("_batches"));
            not_carried(members, whole_batch).for_each(|reason| import.leave_out(reason, key));
            import.take(vendor, model, listed);
        }
        Err(reason) => import.leave_out(reason, key),
    }
}

fn listed(members: &Members<'_>) -> Result<Listed, &'static str> {
    let ranges = members.get("tiered_pricing").filter(|_| !members.contains_key(INPUT));
    let (base, mut tiers) = match ranges {
        Some(ranges) => by_range(ranges.get())?,
        None => {
            let base = parts(members, "", None)?;
            (base, by_length(members, &base)?)
        }
    };
    tiers.extend(off_peak(members, &base).unwrap_or_default());
    let factor =
        |(member, region): (&str, &str)| Some((region.to_owned(), Decimal::parse(members.get(member)?.get())?));
    let uplift = UPLIFTS.into_iter().filter_map(factor).collect();
    Ok(Listed { base, tiers, half_in_batch: half_in_batch(members, &base), uplift })
}

/// Why parts of an entry that is carried are not.
fn not_carried(members: &Members<'_>, whole_batch: bool) -> impl Iterator<Item = &'static str> {
    let is_tier = |member: &str| SERVICES.iter().any(|service| member.ends_with(service));
    let is_unit = |member: &str| member.contains("cost") && !TOKENS.iter().any(|token| member.starts_with(token));
    let by_member = members.get("provider_specific_entry").and_then(|entry| object(entry));
    let by_member = by_member.is_some_and(|entry| entry.contains_key("us") || entry.contains_key("fast"));
    let times = members.contains_key("off_peak_pricing") && off_peak(members, &NOTHING).is_none();
    let any = |holds: &dyn Fn(&str) -> bool| members.keys().any(|member| holds(member));
    let found = [
        any(&is_tier).then_some(SERVICE_TIERS),
        any(&|member| is_unit(member) && !is_tier(member)).then_some(OTHER_UNITS),
        whole_batch.then_some(BATCHES),
        by_member.then_some(BY_MEMBER),
        times.then_some(TIMES),
    ];
    found.into_iter().flatten()
}

/// Prices under the members' names with a suffix; what is not there is as in `otherwise`.
fn parts(members: &Members<'_>, suffix: &str, otherwise: Option<&Parts>) -> Result<Parts, &'static str> {
    let [input, output, cached, written, written_1h, reasoning] =
        TOKENS.map(|token| price(members, &format!("{token}{suffix}")));
    let embeds = members.get("mode").and_then(|mode| string(mode)).is_some_and(|mode| mode == "embedding");
    let no_output = otherwise.map(|otherwise| otherwise.output).or(embeds.then_some(Decimal::ZERO));
    Ok(Parts {
        input: input?.or(otherwise.map(|otherwise| otherwise.input)).ok_or(NO_TOKENS)?,
        output: output?.or(no_output).ok_or(NO_TOKENS)?,
        cached: cached?,
        // nothing more than for a fresh token
        written: written?.filter(|price| !price.is_zero()),
        written_1h: written_1h?.filter(|price| !price.is_zero()),
        reasoning: reasoning?.filter(|price| !price.is_zero()),
    })
}

/// US dollars per million tokens.
fn price(members: &Members<'_>, name: &str) -> Result<Option<Decimal>, &'static str> {
    match members.get(name).map(|value| value.get()) {
        None | Some("null") => Ok(None),
        Some(text) => Decimal::parse(text).map(|price| Some(price.of_a_million())).ok_or(NO_NUMBER),
    }
}

/// Tiers that are written as members such as `input_cost_per_token_above_200k_tokens`.
fn by_length(members: &Members<'_>, base: &Parts) -> Result<Vec<ListedTier>, &'static str> {
    let thousands = |member: &String| {
        let (_, above) = member.split_once("_cost_per_token_above_")?;
        above.strip_suffix("k_tokens")?.parse::<u64>().ok()
    };
    let lengths: BTreeSet<u64> = members.keys().filter_map(thousands).collect();
    let tier = |thousands: u64| {
        let parts = parts(members, &format!("_above_{thousands}k_tokens"), Some(base))?;
        Ok(ListedTier { above: Some(thousands.saturating_mul(1_000)), hours: Vec::new(), days: Vec::new(), parts })
    };
    lengths.into_iter().map(tier).collect()
}

/// Tiers that are written as a list of ranges, of which the first begins at nothing.
fn by_range(ranges: &str) -> Result<(Parts, Vec<ListedTier>), &'static str> {
    const WRONG: &str = "LiteLLM: ranges that are not of prompt length";
    let ranges: Vec<Members<'_>> = serde_json::from_str(ranges).map_err(|_| WRONG)?;
    let mut base = None;
    let mut tiers = Vec::new();
    for members in &ranges {
        let bounds: Vec<f64> =
            members.get("range").and_then(|range| serde_json::from_str(range.get()).ok()).ok_or(WRONG)?;
        let above = bounds.first().filter(|from| **from >= 0.0).map(|from| *from as u64).ok_or(WRONG)?;
        let parts = parts(members, "", None)?;
        if above == 0 {
            base = Some(parts);
        } else {
            tiers.push(ListedTier { above: Some(above), hours: Vec::new(), days: Vec::new(), parts });
        }
    }
    Ok((base.ok_or(WRONG)?, tiers))
}

/// Tiers of the hours in which less is charged; `None` where they are not told in UTC.
fn off_peak(members: &Members<'_>, base: &Parts) -> Option<Vec<ListedTier>> {
    let off_peak = object(members.get("off_peak_pricing")?)?;
    let parts = parts(&off_peak, "", Some(base)).ok()?;
    if off_peak.get("weekday_timezone").is_some_and(|zone| string(zone).as_deref() != Some("UTC")) {
        return None;
    }
    let windows: Vec<Members<'_>> = serde_json::from_str(off_peak.get("windows")?.get()).ok()?;
    let tier = |window: &Members<'_>| {
        let hours = window.get("hours_utc")?.get();
        let hours: Vec<String> =
            serde_json::from_str(hours).or_else(|_| serde_json::from_str(hours).map(|one| vec![one])).ok()?;
        let days: Vec<usize> =
            window.get("weekdays").map_or(Some(Vec::new()), |days| serde_json::from_str(days.get()).ok())?;
        // Monday is 1
        let days = days.into_iter().map(|day| Days::NAMES.get(day.checked_sub(1)?).copied()).collect::<Option<_>>()?;
        hours.iter().all(|span| Span::parse(span).is_some()).then_some(ListedTier { above: None, hours, days, parts })
    };
    windows.iter().map(tier).collect()
}

/// Whether every price that is listed for batches is half of the other.
fn half_in_batch(members: &Members<'_>, base: &Parts) -> bool {
    let halves = |token: &str, whole: Option<Decimal>| match price(members, &format!("{token}_batches")) {
        Ok(None) => true,
        Ok(Some(half)) => Some(half.doubled()) == whole,
        Err(_) => false,
    };
    let wholes = [Some(base.input), Some(base.output), base.cached, base.written, base.written_1h, base.reasoning];
    members.contains_key("input_cost_per_token_batches")
        && TOKENS.iter().zip(wholes).all(|(token, whole)| halves(token, whole))
}
