//! models.dev's `api.json` (repository anomalyco/models.dev, MIT): vendors with models with US dollars per million tokens.

use super::{Decimal, Import, Listed, ListedTier, Members, Parts, object, string};
use std::collections::BTreeMap;

/// Prices of what is not counted in tokens of text, which a book has no place for.
const OTHER_UNITS: &str = "models.dev: prices of audio, of citations or of requests are not carried";

pub(super) fn read(vendors: &Members<'_>, known: &dyn Fn(&str) -> bool, import: &mut Import) {
    for (vendor, value) in vendors {
        if !known(vendor) {
            import.leave_out("models.dev: no vendor whose models Backstay knows", vendor.as_str());
            continue;
        }
        let models = object(value).and_then(|vendor| object(vendor.get("models")?)).unwrap_or_default();
        for (model, value) in &models {
            one(vendor, model, &object(value).unwrap_or_default(), import);
        }
    }
}

fn one(vendor: &str, model: &str, members: &Members<'_>, import: &mut Import) {
    let name = || format!("{vendor}/{model}");
    let Some(cost) = members.get("cost").and_then(|cost| object(cost)) else {
        return import.leave_out("models.dev: no price is listed", name());
    };
    let Some(base) = parts(&cost) else {
        return import.leave_out("models.dev: a price is no number, or negative", name());
    };
    let mut tiers = Vec::new();
    if let Some(long) = cost.get("context_over_200k").and_then(|long| object(long)) {
        tiers.push((Some(200_000), parts(&long)));
    }
    let listed: Vec<Members<'_>> =
        cost.get("tiers").and_then(|tiers| serde_json::from_str(tiers.get()).ok()).unwrap_or_default();
    tiers.extend(listed.iter().map(|tier| (above(tier), parts(tier))));
    let mut carried = Vec::new();
    for (above, parts) in tiers {
        let (Some(_), Some(parts)) = (above, parts) else {
            // the cheaper base alone would be believed for the calls of the tier
            return import.leave_out("models.dev: a tier that is not one of prompt length", name());
        };
        carried.push(ListedTier { above, hours: Vec::new(), days: Vec::new(), parts });
    }
    let units = ["input_audio", "output_audio", "citation", "request", "search"];
    let missing: Vec<&str> = units.into_iter().filter(|unit| cost.contains_key(*unit)).collect();
    if !missing.is_empty() {
        import.leave_out(OTHER_UNITS, format!("{} ({})", name(), missing.join(", ")));
    }
    let uplift = BTreeMap::new();
    import.take(vendor, model, Listed { base, tiers: carried, half_in_batch: false, uplift });
}

/// The prompt length of a tier.
fn above(tier: &Members<'_>) -> Option<u64> {
    let condition = object(tier.get("tier")?)?;
    let kind = condition.get("type").map_or(Some("context".to_owned()), |kind| string(kind));
    let size = serde_json::from_str(condition.get("size")?.get()).ok();
    size.filter(|size| *size > 0 && kind.as_deref() == Some("context"))
}

/// `None` where one of the prices is none.
fn parts(cost: &Members<'_>) -> Option<Parts> {
    let price = |names: [&str; 2]| match names.into_iter().find_map(|name| cost.get(name)) {
        None => Some(None),
        Some(value) => Decimal::parse(value.get()).map(Some),
    };
    Some(Parts {
        input: price(["input", ""])??,
        output: price(["output", ""])??,
        cached: price(["cache_read", "cached_input"])?,
        written: price(["cache_write", "cached_write"])?.filter(|price| !price.is_zero()),
        written_1h: None,
        reasoning: price(["reasoning", ""])?.filter(|price| !price.is_zero()),
    })
}
