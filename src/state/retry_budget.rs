//! The retry budget of a pool: extra attempts may cost a fifth of what succeeds.
//!
//! A cap on attempts multiplies load by that cap when everything fails; a budget in proportion to success does not. It is
//! counted in tokens, because a retried long prompt costs a vendor what a hundred short ones do.

use crate::base::clock::Moment;
use std::time::Duration;

/// The share of successful tokens that extra attempts may spend.
const SHARE: f64 = 0.2;
/// Unspent share is kept for about so long.
const KEPT: Duration = Duration::from_secs(10);
/// So many extra attempts a second are always allowed, however small the pool.
const FLOOR_PER_SECOND: f64 = 3.0;
const FLOOR_BURST: f64 = 3.0;

/// What a pool may still spend on extra attempts.
#[derive(Debug)]
pub struct RetryBudget {
    tokens: f64,
    floor: f64,
    at: Moment,
}

impl Default for RetryBudget {
    fn default() -> Self {
        Self { tokens: 0.0, floor: FLOOR_BURST, at: Moment::START }
    }
}

impl RetryBudget {
    /// A call of so many tokens succeeded.
    pub fn deposit(&mut self, tokens: u64, now: Moment) {
        self.pass(now);
        self.tokens += SHARE * tokens as f64;
    }

    /// Takes what an extra attempt of so many tokens costs; `false` if there is not enough.
    pub fn withdraw(&mut self, tokens: u64, now: Moment) -> bool {
        self.pass(now);
        if self.floor >= 1.0 {
            self.floor -= 1.0;
            return true;
        }
        let enough = self.tokens >= tokens as f64;
        if enough {
            self.tokens -= tokens as f64;
        }
        enough
    }

    /// Takes what an extra attempt of so many tokens costs that is not needed, only wished for: `false` unless as much stays
    /// for one that is needed.
    pub fn withdraw_spare(&mut self, tokens: u64, now: Moment) -> bool {
        self.pass(now);
        let spare = self.floor >= 2.0 || self.tokens >= 2.0 * tokens as f64;
        spare && self.withdraw(tokens, now)
    }

    /// Lets time pass: the floor fills, what lay unspent fades.
    fn pass(&mut self, now: Moment) {
        let passed = now.since(self.at).as_secs_f64();
        self.at = self.at.max(now);
        self.floor = (self.floor + FLOOR_PER_SECOND * passed).min(FLOOR_BURST);
        self.tokens *= (-passed / KEPT.as_secs_f64()).exp();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: f64) -> Moment {
        Moment::after_start(Duration::from_secs_f64(seconds))
    }

    #[test]
    fn without_success_only_the_floor_remains() {
        let mut budget = RetryBudget::default();
        let granted = (0..2000).filter(|i| budget.withdraw(1000, at(f64::from(*i) * 0.005))).count();
        assert!((30..=33).contains(&granted), "{granted} extra attempts in 10 s");
    }

    #[test]
    fn what_is_only_wished_for_leaves_enough_for_what_is_needed() {
        let mut budget = RetryBudget::default();
        assert!(budget.withdraw_spare(1_000, at(0.0)) && budget.withdraw_spare(1_000, at(0.0)));
        assert!(!budget.withdraw_spare(1_000, at(0.0)), "the last one is for a retry");
        assert!(budget.withdraw(1_000, at(0.0)));
        (0..9).for_each(|_| budget.deposit(1_000, at(0.0)));
        assert!(!budget.withdraw_spare(1_000, at(0.0)));
        budget.deposit(1_000, at(0.0));
        assert!(budget.withdraw_spare(1_000, at(0.0)), "a fifth of ten pays for two");
    }

    #[test]
    fn extra_attempts_stay_near_a_fifth_of_what_succeeds() {
        let mut budget = RetryBudget::default();
        let mut granted = 0;
        for i in 0..20_000 {
            let now = at(f64::from(i) * 0.005);
            budget.deposit(1000, now);
            granted += u32::from(budget.withdraw(1000, now));
        }
        // 100 s at the floor of 3 a second, and a fifth of 20,000
        assert!((3_900..=4_400).contains(&granted), "{granted}");
    }
}
