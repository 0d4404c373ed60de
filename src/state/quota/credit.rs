//! Whether a credential's money or quota is spent: out until its reset or for a quarter of an hour, then tried by one call
//! at a time until one is answered.

use crate::base::clock::Moment;
use std::time::Duration;

/// How long a credential is left alone whose vendor does not say when there is more.
const OUT: Duration = Duration::from_secs(15 * 60);
/// While one call tries whether there is money again, the others are told to come back so much later.
const TRIED: Duration = Duration::from_secs(1);

/// Whether a credential still has credit at its vendor.
#[derive(Debug, Default)]
pub struct Credit {
    spent: Option<Spent>,
}

#[derive(Debug)]
struct Spent {
    until: Moment,
    trial_out: bool,
}

impl Credit {
    /// How long it is out.
    #[must_use]
    pub fn refuses(&self, now: Moment) -> Option<Duration> {
        let spent = self.spent.as_ref()?;
        let wait = spent.until.since(now);
        if wait.is_zero() { spent.trial_out.then_some(TRIED) } else { Some(wait) }
    }

    /// A call goes out; whether it is the trial, whose end must be told.
    pub fn send(&mut self) -> bool {
        match &mut self.spent {
            Some(spent) if !spent.trial_out => {
                spent.trial_out = true;
                true
            }
            _ => false,
        }
    }

    /// The trial ended without a word on money.
    pub fn trial_said_nothing(&mut self) {
        if let Some(spent) = &mut self.spent {
            spent.trial_out = false;
        }
    }

    /// The vendor says that it is spent, and perhaps until when; whether that is news.
    pub fn is_spent(&mut self, reset: Option<Duration>, now: Moment) -> bool {
        let known = self.spent.is_some();
        self.spent = Some(Spent { until: now + reset.unwrap_or(OUT), trial_out: false });
        !known
    }

    /// A call was answered well: there is money; whether that is news.
    pub fn is_filled(&mut self) -> bool {
        self.spent.take().is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn f_076_a_spent_credential_is_tried_again_by_one_call_at_a_time() {
        let at = |seconds| Moment::after_start(Duration::from_secs(seconds));
        let mut credit = Credit::default();
        assert!(!credit.send() && credit.refuses(at(0)).is_none(), "nothing is known");
        assert!(credit.is_spent(None, at(0)));
        assert!(!credit.is_spent(None, at(0)), "it is told once");
        assert_eq!(credit.refuses(at(1)), Some(Duration::from_secs(899)));
        assert_eq!(credit.refuses(at(900)), None);
        assert!(credit.send());
        assert_eq!(credit.refuses(at(901)), Some(TRIED), "the others wait for the trial");
        credit.trial_said_nothing();
        assert_eq!(credit.refuses(at(901)), None);
        assert!(credit.send() && !credit.is_spent(Some(Duration::from_secs(60)), at(902)));
        assert_eq!(credit.refuses(at(903)), Some(Duration::from_secs(59)), "the vendor says when");
        assert!(credit.is_filled() && !credit.is_filled());
        assert_eq!(credit.refuses(at(903)), None);
    }
}
