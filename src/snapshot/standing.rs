//! Where a deployment stands in law: what the decision log says of whoever was sent something.

use crate::base::event::Whom;
use crate::policy::vocabulary::{ANY, UNKNOWN};
use crate::snapshot::Snapshot;
use crate::snapshot::deployment::Deployment;
use crate::snapshot::key::Key;
use std::sync::Arc;

/// The zone of which a transfer is judged by chapter V of the GDPR.
const EEA: &str = "EEA";
/// The zone of the countries that an adequacy decision names.
const ADEQUATE: &str = "ADEQUATE";

/// Where a deployment stands in law.
#[derive(Clone, Debug)]
pub struct Standing {
    /// Where its vendor is seated.
    pub seat: Arc<str>,
    /// The zones that hold its region whole.
    pub zones: Vec<Arc<str>>,
    /// Whether standard contractual clauses were signed.
    pub clauses: bool,
}

impl Snapshot {
    /// Who would process a call of this key that is bound to `residency`, and on what basis it may go there.
    ///
    /// The deployment is one of this snapshot's.
    #[must_use]
    pub fn whom(&self, key: &Key, residency: &str, deployment: &Deployment) -> Whom {
        let home = if residency == ANY { &*key.jurisdiction } else { residency };
        let standing = self.standings.get(deployment.index);
        let in_eea = |zone: &str| self.policy.vocabulary().within(zone, EEA);
        Whom {
            vendor: Arc::clone(&deployment.endpoint.vendor.name),
            seat: standing.map_or_else(|| Arc::from(UNKNOWN), |standing| Arc::clone(&standing.seat)),
            region: Arc::clone(&deployment.region),
            observed: None,
            transfer: standing.map_or(UNKNOWN, |standing| standing.basis(home, in_eea)),
        }
    }

    /// Whether a place that an answer names takes the deployment out: it lies outside of the declared region, or, where that is
    /// enforced, not known to be within it. A deployment that declares no place has none to lose.
    #[must_use]
    pub fn contradicts(&self, deployment: &Deployment, observed: &str) -> bool {
        let (words, declared) = (self.policy.vocabulary(), &*deployment.region);
        let unconfirmed = || declared != UNKNOWN && !words.confirms(declared, observed);
        words.contradicts(declared, observed) || (self.enforces_observed_region && unconfirmed())
    }
}

impl Standing {
    /// The basis on which data of `home` may be processed here, as declared: the log says what was relied on, not that it
    /// suffices.
    fn basis(&self, home: &str, in_eea: impl Fn(&str) -> bool) -> &'static str {
        let holds = |zone: &str| self.zones.iter().any(|holding| **holding == *zone);
        if home == UNKNOWN {
            "not_bound"
        } else if holds(home) {
            "within_zone"
        } else if in_eea(home) && holds(EEA) {
            "within_eea"
        } else if in_eea(home) && holds(ADEQUATE) {
            "adequacy"
        } else if self.clauses {
            "clauses"
        } else {
            "none_declared"
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::vocabulary::Vocabulary;

    #[test]
    fn a_transfer_is_named_by_what_was_relied_on() {
        let words = Vocabulary::shipped();
        let check = |home: &str, region: &str, clauses: bool, basis: &str| {
            let standing = Standing { seat: "US".into(), zones: words.zones_of(region), clauses };
            assert_eq!(standing.basis(home, |zone| words.within(zone, EEA)), basis, "{home} {region} {clauses}");
        };
        check("EU", "eu-central-1", false, "within_zone");
        check("DE", "eu-west-1", false, "within_eea");
        check("DE", "uksouth", true, "adequacy");
        check("DE", "us-east-1", true, "clauses");
        check("DE", "us-east-1", false, "none_declared");
        check("US", "uksouth", false, "none_declared");
        check("unknown", "us-east-1", false, "not_bound");
        check("DE", "unknown", false, "none_declared");
    }
}
