//! Restrictions: a vendor, a law or an operator says not from here, not this model, not you.
//!
//! A restriction is no failure that passes: it keeps what it covers from being asked, until somebody releases it.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::sync::Arc;

/// Why something is restricted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cause {
    /// Refused for where we or our users are, or by law.
    RegionDenied,
    /// The account is barred.
    AccountDenied,
    /// The model is closed to the account.
    ModelDenied,
    /// The model was withdrawn.
    ModelGone,
    /// Its answers name another place than the one that is declared.
    RegionContradicted,
    /// An operator's decision.
    Operator,
}

impl Cause {
    /// The `cause` label.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::RegionDenied => "region_denied",
            Self::AccountDenied => "account_denied",
            Self::ModelDenied => "model_denied",
            Self::ModelGone => "model_gone",
            Self::RegionContradicted => "region_contradicted",
            Self::Operator => "operator",
        }
    }

    /// Whether only a person ends it: whoever may not be served must not find out by trying.
    #[must_use]
    pub const fn needs_a_person(self) -> bool {
        match self {
            Self::RegionDenied
            | Self::AccountDenied
            | Self::ModelDenied
            | Self::RegionContradicted
            | Self::Operator => true,
            Self::ModelGone => false,
        }
    }
}

/// What a restriction covers: whatever fits every part that is named.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reach {
    /// A vendor, by its name in the config.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vendor: Option<Arc<str>>,
    /// An endpoint, by its name in the config.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub endpoint: Option<Arc<str>>,
    /// A credential, by its name in the config.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credential: Option<Arc<str>>,
    /// A region, as declared.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub region: Option<Arc<str>>,
    /// A model, by the vendor's name for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<Arc<str>>,
}

/// Where a call would go, in the words of a [`Reach`].
#[derive(Clone, Copy, Debug)]
pub struct Whereabouts<'a> {
    /// The vendor.
    pub vendor: &'a Arc<str>,
    /// The endpoint.
    pub endpoint: &'a Arc<str>,
    /// The credential, where one is sent.
    pub credential: Option<&'a Arc<str>>,
    /// The region, as declared.
    pub region: &'a Arc<str>,
    /// The vendor's name of the model.
    pub model: &'a Arc<str>,
}

impl Reach {
    /// Its parts with their names.
    pub fn parts(&self) -> impl Iterator<Item = (&'static str, &str)> {
        let parts = [
            ("vendor", &self.vendor),
            ("endpoint", &self.endpoint),
            ("credential", &self.credential),
            ("region", &self.region),
            ("model", &self.model),
        ];
        parts.into_iter().filter_map(|(name, part)| part.as_deref().map(|part| (name, part)))
    }

    /// Whether it names nothing, and so would cover everything.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.parts().next().is_none()
    }

    /// Whether a call that would go there is covered.
    #[must_use]
    pub fn covers(&self, place: Whereabouts<'_>) -> bool {
        let fits = |part: &Option<Arc<str>>, is: Option<&Arc<str>>| match part {
            None => true,
            Some(part) => is.is_some_and(|is| part == is),
        };
        fits(&self.vendor, Some(place.vendor))
            && fits(&self.endpoint, Some(place.endpoint))
            && fits(&self.credential, place.credential)
            && fits(&self.region, Some(place.region))
            && fits(&self.model, Some(place.model))
    }
}

impl fmt::Display for Reach {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, (name, part)) in self.parts().enumerate() {
            write!(f, "{}{name} {part}", if position == 0 { "" } else { ", " })?;
        }
        Ok(())
    }
}

/// Something that is not to be asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Restriction {
    /// What it is released by.
    pub id: Arc<str>,
    /// Why.
    pub cause: Cause,
    /// What it covers.
    pub reach: Reach,
    /// Our word for what the vendor said, or the operator's reason.
    pub reason: Arc<str>,
    /// `vendor`, or the operator by the beginning of the token's digest.
    pub by: Arc<str>,
    /// Since when, in seconds since 1970.
    pub since_s: i64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reach_covers_what_fits_every_part_that_is_named() {
        let [vendor, endpoint, credential, region, model] =
            ["openai", "openai-eu", "second", "eu", "gpt-5.5"].map(Arc::from);
        let place = Whereabouts {
            vendor: &vendor,
            endpoint: &endpoint,
            credential: Some(&credential),
            region: &region,
            model: &model,
        };
        let named = |name: &Arc<str>| Some(Arc::clone(name));
        let other = || Some(Arc::from("other"));
        let check = |reach: Reach, covers: bool| assert_eq!(reach.covers(place), covers, "{reach}");
        check(Reach::default(), true);
        check(Reach { vendor: named(&vendor), ..Reach::default() }, true);
        check(Reach { vendor: named(&vendor), model: named(&model), ..Reach::default() }, true);
        check(Reach { vendor: named(&vendor), model: other(), ..Reach::default() }, false);
        check(Reach { region: other(), ..Reach::default() }, false);
        check(Reach { credential: named(&credential), endpoint: other(), ..Reach::default() }, false);
        let without = Whereabouts { credential: None, ..place };
        assert!(!Reach { credential: named(&credential), ..Reach::default() }.covers(without));
        let reach = Reach { model: named(&model), vendor: named(&vendor), ..Reach::default() };
        assert_eq!(reach.to_string(), "vendor openai, model gpt-5.5");
    }
}
