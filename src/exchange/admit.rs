//! Who calls, and on what terms: the key, its limits, and what headers narrow.

use crate::base::clock::Moment;
use crate::base::money::TokenPrice;
use crate::base::rejection::{Rejection, RejectionCode};
use crate::call::needs::Needs;
use crate::exchange::server_ids::Held;
use crate::policy::Ask;
use crate::price::Ceiling;
use crate::snapshot::Snapshot;
use crate::snapshot::key::Key;
use crate::snapshot::narrowing::Unfit;
use crate::snapshot::pool::Pool;
use crate::state::clock::Clock;
use crate::state::limits::Place;
use crate::state::world::World;
use http::header::AUTHORIZATION;
use http::{HeaderMap, HeaderName};
use std::sync::Arc;

/// Headers that carry a key, in the dialects' own ways.
const KEY_HEADERS: [HeaderName; 3] = [
    HeaderName::from_static("x-api-key"),
    HeaderName::from_static("x-goog-api-key"),
    HeaderName::from_static("api-key"),
];
const RESIDENCY: HeaderName = HeaderName::from_static("x-backstay-residency");
const DATA: HeaderName = HeaderName::from_static("x-backstay-data");
const UNSCREENED: HeaderName = HeaderName::from_static("x-backstay-unscreened");
const MAX_PRICE: HeaderName = HeaderName::from_static("x-backstay-max-price");
const NO_FALLBACK: HeaderName = HeaderName::from_static("x-no-fallback");
/// Data classes that one call may name.
const MOST_CLASSES: usize = 16;
/// Bytes that a name in a header may have.
const LONGEST_NAME: usize = 64;

/// How large a call is, estimated.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Size {
    pub(crate) input_tokens: u64,
    pub(crate) output_tokens: u64,
}

/// A call that may proceed, and on what terms.
pub(crate) struct Admitted {
    pub(crate) key: Arc<Key>,
    pub(crate) pool: Arc<Pool>,
    pub(crate) ask: Ask,
    pub(crate) ceiling: Ceiling,
    /// Seconds since 1970 when it was admitted: the prices of that moment are its prices to the end.
    pub(crate) at: i64,
    pub(crate) fallback: bool,
    /// Where everything is kept that the call names.
    pub(crate) held: Held,
    /// Held to the exchange's end, by their drop.
    _places: Vec<Place>,
}

/// The key that the client showed, by header or by certificate.
///
/// # Errors
/// No key, several different ones, an unknown or an expired one: all of them 401, without saying which.
pub(crate) fn key(
    snapshot: &Snapshot,
    headers: &HeaderMap,
    certificate_names: &[String],
) -> Result<Arc<Key>, Rejection> {
    let mut shown = headers
        .get_all(AUTHORIZATION)
        .iter()
        .filter_map(|value| bearer(value.as_bytes()))
        .chain(KEY_HEADERS.into_iter().flat_map(|name| headers.get_all(name)).map(|value| value.as_bytes()));
    let key = match shown.next() {
        Some(first) if shown.all(|other| other == first) => snapshot.keys.by_secret(first),
        Some(_) => None,
        None => snapshot.keys.by_certificate(certificate_names.iter().map(String::as_str)),
    };
    key.filter(|key| key.expires.is_none_or(|end| Clock::unix_seconds() < end)).cloned().ok_or_else(|| {
        Rejection::new(
            RejectionCode::InvalidApiKey,
            "No valid Backstay key. Send the key that your platform team issued as `Authorization: Bearer KEY` (or x-api-key), \
             never in the URL; a vendor's own key does not work here.",
        )
    })
}

fn bearer(value: &[u8]) -> Option<&[u8]> {
    let (scheme, token) = value.split_at_checked(7)?;
    scheme.eq_ignore_ascii_case(b"bearer ").then(|| token.trim_ascii())
}

/// Finds the pool and fixes the terms of the call.
///
/// # Errors
/// The limit that is used up, a model that the key may not ask for, or a header that is not understood.
pub(crate) fn admit(
    world: &World,
    key: Arc<Key>,
    model: &str,
    size: Size,
    needs: Needs,
    headers: &HeaderMap,
    now: Moment,
) -> Result<Admitted, Rejection> {
    let pool = pool(&world.snapshot, &key, model)?;
    let (ask, ceiling) = terms(world, &key, size, needs, headers)?;
    let places = places(world, &key, now)?;
    let (at, fallback, held) = (Clock::unix_seconds(), !headers.contains_key(NO_FALLBACK), Held::default());
    Ok(Admitted { key, pool, ask, ceiling, at, fallback, held, _places: places })
}

/// What policy is asked, and the highest price that the client pays.
///
/// # Errors
/// A header that is not understood.
pub(crate) fn terms(
    world: &World,
    key: &Key,
    size: Size,
    needs: Needs,
    headers: &HeaderMap,
) -> Result<(Ask, Ceiling), Rejection> {
    let ask = ask(key, size, needs, headers, &|zone| world.snapshot.residency(key, zone))?;
    Ok((ask, ceiling(headers)?))
}

/// One exchange's places within the limits of the key and its team.
///
/// # Errors
/// The limit that is used up.
pub(crate) fn places(world: &World, key: &Key, now: Moment) -> Result<Vec<Place>, Rejection> {
    world.terms(key).map_or_else(|| Ok(Vec::new()), |terms| terms.take(now)).map_err(|reached| {
        Rejection::new(
            RejectionCode::RateLimited,
            format!(
                "The limit `{}` of the key or of its team is used up. Wait as long as Retry-After says, or ask for a higher limit.",
                reached.limit
            ),
        )
        .limit(reached.limit)
        .retry_after(reached.retry_after)
    })
}

/// The pool that the key may ask for under this name.
fn pool(snapshot: &Snapshot, key: &Key, model: &str) -> Result<Arc<Pool>, Rejection> {
    if let Some(pool) = snapshot.pools.get(model)
        && key.may_ask(pool)
    {
        return Ok(Arc::clone(pool));
    }
    let pools = snapshot.pools_of(key);
    if let ("", [only]) = (model, pools.as_slice()) {
        return Ok(Arc::clone(only));
    }
    // unknown and forbidden look the same, so that nobody can probe for names
    let names: Vec<_> = pools.iter().map(|pool| format!("`{}`", pool.name)).collect();
    let choice = if names.is_empty() {
        "This key may ask for no model.".to_owned()
    } else {
        format!("This key may ask for {}.", names.join(", "))
    };
    let shown: String = model.chars().filter(|c| !c.is_control()).take(LONGEST_NAME).collect();
    if shown.is_empty() {
        let message = format!("`model` is missing: name the model to ask. {choice}");
        return Err(Rejection::new(RejectionCode::InvalidRequest, message).param("model"));
    }
    Err(Rejection::new(RejectionCode::ModelNotFound, format!("No model `{shown}` here. {choice}")).param("model"))
}

/// The narrower of the key's zone and the one that is asked for.
type Narrow<'a> = &'a dyn Fn(&str) -> Result<Arc<str>, Unfit>;

fn ask(key: &Key, size: Size, needs: Needs, headers: &HeaderMap, narrow: Narrow<'_>) -> Result<Ask, Rejection> {
    let mut data = key.data.clone();
    for class in list(headers, &DATA)? {
        if !data.iter().any(|known| **known == *class) {
            data.push(class.into());
        }
    }
    if data.len() > MOST_CLASSES {
        return Err(bad_header(&DATA, "names more than 16 data classes"));
    }
    data.sort();
    Ok(Ask {
        data,
        residency: residency(key, headers, narrow)?,
        screened: key.screened && !headers.contains_key(UNSCREENED),
        needs,
        attempt: 0,
        depth: 0,
        input_tokens: size.input_tokens,
        output_tokens: size.output_tokens,
        hour: u32::try_from(Clock::unix_seconds().rem_euclid(86_400) / 3_600).unwrap_or(0),
    })
}

/// The key's residency, or the header's where that lies within it: a header never widens, and never contradicts.
fn residency(key: &Key, headers: &HeaderMap, narrow: Narrow<'_>) -> Result<Arc<str>, Rejection> {
    let mut zones = list(headers, &RESIDENCY)?;
    zones.dedup();
    match zones.as_slice() {
        [] => Ok(Arc::clone(&key.residency)),
        [zone] => narrow(zone).map_err(|unfit| match unfit {
            Unfit::Unknown => bad_header(&RESIDENCY, "names a zone that nobody knows; `EU`, `DE` and `any` are some"),
            Unfit::Contradicts => bad_header(
                &RESIDENCY,
                "contradicts the residency of this key; a header can only narrow what the key allows",
            ),
        }),
        _ => Err(bad_header(&RESIDENCY, "names several zones; send one")),
    }
}

/// The comma-separated names of all headers called `name`.
fn list<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Result<Vec<&'a str>, Rejection> {
    let mut names = Vec::new();
    for value in headers.get_all(name) {
        let text = value.to_str().map_err(|_| bad_header(name, "is not plain ASCII"))?;
        names.extend(text.split(',').map(str::trim).filter(|name| !name.is_empty()));
    }
    let plain = |name: &&str| {
        name.len() <= LONGEST_NAME && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b))
    };
    if names.iter().all(plain) {
        Ok(names)
    } else {
        Err(bad_header(name, "holds a name that is not letters, digits, `-` and `_`"))
    }
}

/// `input=5,output=25`, in USD per million tokens.
fn ceiling(headers: &HeaderMap) -> Result<Ceiling, Rejection> {
    let mut ceiling = Ceiling::default();
    for value in headers.get_all(MAX_PRICE) {
        let text = value.to_str().map_err(|_| bad_header(&MAX_PRICE, "is not plain ASCII"))?;
        for part in text.split(',').map(str::trim).filter(|part| !part.is_empty()) {
            let wrong = || bad_header(&MAX_PRICE, "is not of the form `input=5,output=25` (USD per million tokens)");
            let (name, number) = part.split_once('=').ok_or_else(wrong)?;
            let usd: f64 = number.trim().parse().map_err(|_| wrong())?;
            if !(0.0..=1e6).contains(&usd) {
                return Err(wrong());
            }
            let slot = match name.trim() {
                "input" => &mut ceiling.input,
                "output" => &mut ceiling.output,
                _ => return Err(wrong()),
            };
            let microusd = TokenPrice((usd * 1e6).floor() as u64);
            *slot = Some(slot.map_or(microusd, |other| other.min(microusd)));
        }
    }
    Ok(ceiling)
}

fn bad_header(name: &HeaderName, what: &str) -> Rejection {
    Rejection::new(RejectionCode::InvalidRequest, format!("The header `{name}` {what}."))
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    fn a_key(residency: &str) -> Key {
        Key {
            index: 0,
            name: "app".into(),
            models: Vec::new(),
            jurisdiction: "unknown".into(),
            residency: residency.into(),
            data: vec!["personal".into()],
            screened: true,
            team: None,
            limit: crate::snapshot::key::Limit::default(),
            budget: None,
            expires: None,
            deadline: None,
            vendor_paths: Vec::new(),
            server_ids: Vec::new(),
        }
    }

    /// `key's residency`, headers, and the terms as text or the word that the rejection must hold.
    fn check(key_residency: &str, headers: &[(&'static str, &'static str)], expected: &str) {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(*name, HeaderValue::from_static(value));
        }
        let narrow = |zone: &str| match (zone, key_residency) {
            ("any", own) => Ok(own.into()),
            (zone, own) if own == "any" || own == zone => Ok(zone.into()),
            _ => Err(Unfit::Contradicts),
        };
        let seen = match ask(&a_key(key_residency), Size::default(), Needs::NONE, &map, &narrow) {
            Ok(ask) => format!(
                "{} {} {}",
                ask.residency,
                ask.data.join("+"),
                if ask.screened { "screened" } else { "unscreened" }
            ),
            Err(rejection) => rejection.message,
        };
        assert!(seen.contains(expected), "{headers:?} gave {seen:?}, not {expected:?}");
    }

    #[test]
    fn f_088_headers_narrow_and_never_widen() {
        check("any", &[], "any personal screened");
        check("any", &[("x-backstay-residency", "EU")], "EU personal screened");
        check("EU", &[("x-backstay-residency", "EU")], "EU personal screened");
        check("EU", &[("x-backstay-residency", "any")], "EU personal screened");
        check("EU", &[("x-backstay-residency", "US")], "contradicts");
        check("any", &[("x-backstay-residency", "EU"), ("x-backstay-residency", "US")], "several zones");
        check("any", &[("x-backstay-data", "health"), ("x-backstay-data", "personal")], "any health+personal screened");
        check("any", &[("x-backstay-unscreened", "1")], "unscreened");
        check("any", &[("x-backstay-data", "a b")], "holds a name");
    }

    #[test]
    fn the_ceiling_takes_the_lowest_of_what_is_said() {
        let mut headers = HeaderMap::new();
        headers.append(MAX_PRICE, HeaderValue::from_static("input=5,output=25"));
        headers.append(MAX_PRICE, HeaderValue::from_static("input=2.5"));
        assert_eq!(
            ceiling(&headers).ok(),
            Some(Ceiling { input: Some(TokenPrice(2_500_000)), output: Some(TokenPrice(25_000_000)) })
        );
        headers.append(MAX_PRICE, HeaderValue::from_static("input=-1"));
        assert!(ceiling(&headers).is_err());
    }
}
