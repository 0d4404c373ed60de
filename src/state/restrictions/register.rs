//! What is restricted, as a pure register: what was seen and when go in, what began or ended comes out.

use crate::base::clock::Moment;
use crate::base::hash::Digest;
use crate::base::restriction::{Cause, Reach, Restriction, Whereabouts};
use std::sync::Arc;
use std::time::Duration;

/// Restrictions and suspicions at once, each: a vendor that invents refusals does not fill the memory.
const MOST: usize = 1_000;
/// Two refusals of a model this far apart are no slip of the vendor's.
pub const APART: Duration = Duration::from_secs(30);

/// What a vendor said that may be a restriction.
#[derive(Clone, Debug)]
pub(super) struct Evidence {
    /// What it would be.
    pub(super) cause: Cause,
    /// What it would cover: no more than the vendor said.
    pub(super) reach: Reach,
    /// Our word for it.
    pub(super) reason: Arc<str>,
}

/// The models that a vendor lists for a credential.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Listing<'a> {
    /// Their ids.
    pub models: Vec<&'a str>,
    /// Whether these are all.
    pub whole: bool,
}

/// What became of a restriction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// It is in force from now on.
    Began(Arc<Restriction>),
    /// It is no more; `by` says who ended it.
    Ended {
        /// What was.
        restriction: Arc<Restriction>,
        /// `probe`, or the operator by the beginning of the token's digest.
        by: Arc<str>,
    },
}

/// A model that was refused once.
#[derive(Clone, Debug)]
struct Suspicion {
    reach: Reach,
    reason: Arc<str>,
    since: Moment,
}

/// What is restricted, and what may be.
#[derive(Clone, Debug, Default)]
pub(super) struct Register {
    active: Vec<Arc<Restriction>>,
    suspicions: Vec<Suspicion>,
}

impl Register {
    /// The register with what was restricted before.
    #[must_use]
    pub(super) fn of(active: Vec<Restriction>) -> Self {
        Self { active: active.into_iter().map(Arc::new).collect(), suspicions: Vec::new() }
    }

    /// What is restricted.
    #[must_use]
    pub(super) fn active(&self) -> &[Arc<Restriction>] {
        &self.active
    }

    /// Whether some model was refused and nobody knows yet whether it is gone.
    #[must_use]
    pub(super) fn has_suspicions(&self) -> bool {
        !self.suspicions.is_empty()
    }

    /// Whether it is to be found out if a model there is gone.
    #[must_use]
    pub(super) fn suspects(&self, place: Whereabouts<'_>) -> bool {
        self.suspicions.iter().any(|suspicion| suspicion.reach.covers(place))
    }

    /// A vendor refused. A model counts as gone only after two refusals that lie [`APART`], or one and a listing without it.
    pub(super) fn refused(&mut self, evidence: Evidence, now: Moment, now_s: i64) -> Option<Change> {
        let Evidence { cause, reach, reason } = evidence;
        if cause == Cause::ModelGone {
            let Some(at) = self.suspicions.iter().position(|suspicion| suspicion.reach == reach) else {
                if self.suspicions.len() < MOST {
                    self.suspicions.push(Suspicion { reach, reason, since: now });
                }
                return None;
            };
            let first = self.suspicions.get(at)?.since;
            if now.since(first) < APART {
                return None;
            }
            self.suspicions.swap_remove(at);
        }
        self.suspend(Evidence { cause, reach, reason }, now_s)
    }

    /// What is sure at once.
    pub(super) fn suspend(&mut self, evidence: Evidence, now_s: i64) -> Option<Change> {
        let Evidence { cause, reach, reason } = evidence;
        self.begin(cause, reach, reason, Arc::from("vendor"), now_s)
    }

    /// A deployment answered: whatever was suspected of it is not so.
    pub(super) fn answered(&mut self, place: Whereabouts<'_>) {
        self.suspicions.retain(|suspicion| !suspicion.reach.covers(place));
    }

    /// A vendor listed its models for the credential of `place`, whose model does not matter.
    pub(super) fn listed(&mut self, place: Whereabouts<'_>, listing: &Listing<'_>, now_s: i64) -> Vec<Change> {
        let model_there = |reach: &Reach| {
            let model = reach.model.clone()?;
            reach.covers(Whereabouts { model: &model, ..place }).then_some(model)
        };
        let mut changes = Vec::new();
        for restriction in self.active.clone() {
            let found = model_there(&restriction.reach).is_some_and(|model| listing.models.contains(&&*model));
            if !restriction.cause.needs_a_person() && found {
                changes.extend(self.release(&restriction.id, Arc::from("probe")));
            }
        }
        if listing.whole && !listing.models.is_empty() {
            let lacks = |suspicion: &Suspicion| {
                model_there(&suspicion.reach).is_some_and(|model| !listing.models.contains(&&*model))
            };
            let (gone, rest) = std::mem::take(&mut self.suspicions).into_iter().partition(lacks);
            self.suspicions = rest;
            let gone: Vec<Suspicion> = gone;
            for Suspicion { reach, reason, .. } in gone {
                changes.extend(self.begin(Cause::ModelGone, reach, reason, Arc::from("vendor"), now_s));
            }
        }
        changes
    }

    /// An operator restricts. `None` where the same is restricted already, or too much is.
    pub(super) fn restrict(&mut self, reach: Reach, reason: Arc<str>, by: Arc<str>, now_s: i64) -> Option<Change> {
        self.begin(Cause::Operator, reach, reason, by, now_s)
    }

    /// Somebody releases what has this id.
    pub(super) fn release(&mut self, id: &str, by: Arc<str>) -> Option<Change> {
        let at = self.active.iter().position(|restriction| *restriction.id == *id)?;
        let restriction = self.active.remove(at);
        self.suspicions.retain(|suspicion| suspicion.reach != restriction.reach);
        Some(Change::Ended { restriction, by })
    }

    fn begin(&mut self, cause: Cause, reach: Reach, reason: Arc<str>, by: Arc<str>, now_s: i64) -> Option<Change> {
        let id: Arc<str> = id(cause, &reach).into();
        if self.active.len() >= MOST || self.active.iter().any(|known| known.id == id) {
            return None;
        }
        let restriction = Arc::new(Restriction { id, cause, reach, reason, by, since_s: now_s });
        self.active.push(Arc::clone(&restriction));
        Some(Change::Began(restriction))
    }
}

/// Eight digits that say cause and reach: the same restriction is told of once, however many calls run into it.
fn id(cause: Cause, reach: &Reach) -> String {
    let mut id = Digest::of_parts([cause.label().as_bytes(), reach.to_string().as_bytes()]).short();
    id.truncate(8);
    id
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: Moment = Moment::START;

    struct Place([Arc<str>; 5]);

    impl Place {
        fn of(model: &str) -> Self {
            Self(["openai", "openai", "default", "us", model].map(Arc::from))
        }

        fn whereabouts(&self) -> Whereabouts<'_> {
            let [vendor, endpoint, credential, region, model] = &self.0;
            Whereabouts { vendor, endpoint, credential: Some(credential), region, model }
        }
    }

    fn model(name: &str) -> Reach {
        Reach { endpoint: Some("openai".into()), model: Some(name.into()), ..Reach::default() }
    }

    fn gone(name: &str) -> Evidence {
        Evidence { cause: Cause::ModelGone, reach: model(name), reason: "model".into() }
    }

    #[test]
    fn f_082_a_legal_refusal_is_in_force_at_once_and_told_of_once() {
        let mut register = Register::default();
        let reach = Reach { vendor: Some("openai".into()), ..Reach::default() };
        for cause in [Cause::RegionDenied, Cause::AccountDenied, Cause::ModelDenied] {
            let evidence = Evidence { cause, reach: reach.clone(), reason: "region".into() };
            assert!(matches!(register.refused(evidence.clone(), START, 7), Some(Change::Began(_))), "{cause:?}");
            assert_eq!(register.refused(evidence, START + APART, 8), None, "{cause:?}");
        }
        let listing = Listing { models: vec!["m"], whole: true };
        assert!(register.listed(Place::of("m").whereabouts(), &listing, 9).is_empty(), "no probe ends them");
        let id = Arc::clone(&register.active()[0].id);
        assert!(matches!(register.release(&id, "op".into()), Some(Change::Ended { .. })));
        assert_eq!((register.active().len(), register.release(&id, "op".into())), (2, None));
    }

    #[test]
    fn a_model_is_gone_after_two_refusals_that_lie_apart() {
        let mut register = Register::default();
        let place = Place::of("m");
        assert_eq!(register.refused(gone("m"), START, 0), None);
        assert_eq!(register.refused(gone("m"), START + APART / 2, 0), None, "too soon");
        assert!(register.suspects(place.whereabouts()));
        assert_eq!(register.refused(gone("other"), START + APART, 0), None, "another model");
        assert!(register.refused(gone("m"), START + APART, 0).is_some());
        assert!(!register.suspects(place.whereabouts()) && register.has_suspicions());
    }

    #[test]
    fn an_answer_in_between_clears_the_suspicion() {
        let mut register = Register::default();
        register.refused(gone("m"), START, 0);
        register.answered(Place::of("m").whereabouts());
        assert_eq!(register.refused(gone("m"), START + APART, 0), None);
    }

    #[test]
    fn a_listing_confirms_a_withdrawal_and_ends_it() {
        let place = Place::of("any");
        let listed = |register: &mut Register, models: &[&str], whole| {
            register.listed(place.whereabouts(), &Listing { models: models.to_vec(), whole }, 0)
        };
        let mut register = Register::default();
        register.refused(gone("m"), START, 0);
        assert!(listed(&mut register, &["a", "b"], false).is_empty(), "a part of the listing proves nothing");
        assert!(listed(&mut register, &[], true).is_empty(), "nor does an empty one");
        assert!(listed(&mut register, &["a", "m"], true).is_empty(), "nor one that has it");
        assert!(matches!(listed(&mut register, &["a"], true)[..], [Change::Began(_)]));
        assert!(listed(&mut register, &["a"], true).is_empty());
        assert!(matches!(&listed(&mut register, &["m"], false)[..], [Change::Ended { by, .. }] if **by == *"probe"));
        assert!(register.active().is_empty());
    }

    #[test]
    fn an_operators_restriction_is_ended_by_a_person_alone() {
        let mut register = Register::default();
        assert!(register.restrict(model("m"), "audit".into(), "op".into(), 1).is_some());
        assert!(register.restrict(model("m"), "again".into(), "op".into(), 2).is_none(), "it is restricted already");
        let listing = Listing { models: vec!["m"], whole: true };
        assert!(register.listed(Place::of("m").whereabouts(), &listing, 3).is_empty());
        let copy = Register::of(register.active().iter().map(|one| (**one).clone()).collect());
        assert_eq!(copy.active(), register.active(), "what is kept is what was");
    }
}
