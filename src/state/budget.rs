//! A budget as this process sees it: a lease from the ledger, what of it is held back by open calls, what is settled.
//!
//! Everything here is a function of what was seen, what happens, the time and the settings. The ledger leases in steps, so
//! that a call need not wait for the disk; what is leased and not settled counts there as spent until it is given back.

use crate::base::clock::Moment;
use crate::snapshot::budget::{Budget, Span};
use std::time::Duration;

/// A lease is this part of the budget, or what one call needs if that is more.
const STEPS: u64 = 100;
/// How often the ledger is asked again whether anything has come back.
const ASK_AGAIN: Duration = Duration::from_secs(5);
/// How soon to try again when open calls hold what is left.
const HELD_BY_OTHERS: Duration = Duration::from_secs(1);

/// What is known of a budget; amounts in micro-dollars.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    span: Option<Span>,
    /// Leased and not settled. It is below zero when calls cost more than was leased.
    leased: i64,
    /// Held back by open calls.
    open: u64,
    /// By how much the open calls may cost more than they hold; `None` for a call that nobody can bound.
    exposure: u64,
    unbounded: u32,
    /// What the ledger has left to lease, by its last word.
    left: Option<u64>,
    /// When the ledger was asked, if it has not answered.
    asked: Option<Moment>,
    answered: Moment,
}

/// What a call holds back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Need {
    /// What it is held to cost.
    pub amount: u64,
    /// The most that it can cost, where that is known.
    pub most: Option<u64>,
}

/// What is asked of the ledger.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ask {
    /// For which period.
    pub span: Span,
    /// How much.
    pub amount: u64,
    /// The budget.
    pub most: u64,
}

/// Whether a call may go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It holds back what it needs, from the budget of this period.
    Held(Span),
    /// The ledger must answer first.
    Wait,
    /// There is not enough.
    Spent {
        /// Until there may be: the end of the period, or soon where open calls hold what is left.
        wait: Duration,
        /// Whether it is spent indeed, and not only held back by open calls.
        for_good: bool,
    },
}

impl Tally {
    /// Holds back what a call needs. What comes back beside the verdict is to be asked of the ledger.
    pub fn reserve(&mut self, need: Need, budget: &Budget, second: i64, now: Moment) -> (Verdict, Option<Ask>) {
        let span = self.turn(budget, second);
        let step = (budget.most.0 / STEPS).max(1);
        let available = self.available();
        if available >= signed(need.amount) {
            self.open += need.amount;
            self.expose(need, true);
            let low = self.available() < signed(step) / 2 && self.left.is_none_or(|left| left > 0);
            return (Verdict::Held(span), if low { self.ask(span, step, budget, now) } else { None });
        }
        let missing = need.amount.saturating_add_signed(available.saturating_neg());
        match self.left {
            Some(0) => {
                let stale = now.since(self.answered) >= ASK_AGAIN;
                let ask = if stale { self.ask(span, missing.max(step), budget, now) } else { None };
                (self.spent(need, span, second), ask)
            }
            _ => (Verdict::Wait, self.ask(span, missing.max(step), budget, now)),
        }
    }

    /// A call has ended that held back `need` in the period `span`: it cost so much, and no longer holds anything.
    pub fn settle(&mut self, span: Span, need: Need, cost: u64) {
        if self.span == Some(span) {
            self.open = self.open.saturating_sub(need.amount);
            self.leased = self.leased.saturating_sub(signed(cost));
            self.expose(need, false);
        }
    }

    /// The ledger has leased so much, and has so much left.
    pub fn granted(&mut self, span: Span, amount: u64, left: u64, now: Moment) {
        if self.span == Some(span) {
            self.leased = self.leased.saturating_add(signed(amount));
            self.left = Some(left);
            self.asked = None;
            self.answered = now;
        }
    }

    /// The settings changed: what the ledger said of the old ones counts no more.
    pub const fn forget_left(&mut self) {
        self.left = None;
    }

    /// What is gone of the budget, reserved or settled, as far as it is known.
    #[must_use]
    pub fn gone(&self, budget: &Budget, second: i64) -> Option<u64> {
        self.span.filter(|span| span.has(second))?;
        let there = self.left?.saturating_add_signed(self.available());
        Some(budget.most.0.saturating_sub(there))
    }

    /// What open calls hold back, and by how much they may cost more; `None` where one of them cannot be bounded.
    #[must_use]
    pub fn open(&self) -> (u64, Option<u64>) {
        (self.open, (self.unbounded == 0).then_some(self.exposure))
    }

    /// Asks how much is left without leasing anything.
    pub fn look(&mut self, budget: &Budget, second: i64, now: Moment) -> Option<Ask> {
        let span = self.turn(budget, second);
        if self.left.is_some() { None } else { self.ask(span, 0, budget, now) }
    }

    /// The period of now; everything begins anew with it.
    fn turn(&mut self, budget: &Budget, second: i64) -> Span {
        match self.span {
            Some(span) if span.has(second) && span == budget.period.around(span.from) => span,
            _ => {
                let span = budget.period.around(second);
                *self = Self { span: Some(span), ..Self::default() };
                span
            }
        }
    }

    fn available(&self) -> i64 {
        self.leased.saturating_sub(signed(self.open))
    }

    fn spent(&self, need: Need, span: Span, second: i64) -> Verdict {
        let for_good = self.leased < signed(need.amount);
        let to_the_end = Duration::from_secs((span.until - second).max(1).unsigned_abs());
        Verdict::Spent { wait: if for_good { to_the_end } else { HELD_BY_OTHERS }, for_good }
    }

    /// Asks once at a time.
    fn ask(&mut self, span: Span, amount: u64, budget: &Budget, now: Moment) -> Option<Ask> {
        if self.asked.is_some() {
            return None;
        }
        self.asked = Some(now);
        Some(Ask { span, amount, most: budget.most.0 })
    }

    fn expose(&mut self, need: Need, begins: bool) {
        match (need.most, begins) {
            (Some(most), true) => self.exposure += most.saturating_sub(need.amount),
            (Some(most), false) => self.exposure = self.exposure.saturating_sub(most.saturating_sub(need.amount)),
            (None, true) => self.unbounded += 1,
            (None, false) => self.unbounded = self.unbounded.saturating_sub(1),
        }
    }
}

fn signed(amount: u64) -> i64 {
    i64::try_from(amount).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::money::Microusd;
    use crate::snapshot::budget::{Period, Reserve};
    use proptest::prelude::*;

    const NOW: i64 = 1_795_000_000;

    fn budget(most: u64) -> Budget {
        Budget { most: Microusd(most), period: Period::Day, reserve: Reserve::Expected }
    }

    fn need(amount: u64) -> Need {
        Need { amount, most: Some(2 * amount) }
    }

    fn at(seconds: u64) -> Moment {
        Moment::START + Duration::from_secs(seconds)
    }

    /// A ledger of one account that always answers.
    struct Lender {
        spent: u64,
        leased: i64,
    }

    impl Lender {
        fn answer(&mut self, tally: &mut Tally, ask: Ask, now: Moment) {
            let gone = self.spent + self.leased.max(0).unsigned_abs();
            let left = ask.most.saturating_sub(gone);
            let amount = ask.amount.min(left.saturating_add(self.leased.min(0).unsigned_abs()));
            self.leased += signed(amount);
            let gone = self.spent + self.leased.max(0).unsigned_abs();
            tally.granted(ask.span, amount, ask.most.saturating_sub(gone), now);
        }

        fn settle(&mut self, cost: u64) {
            self.spent += cost;
            self.leased -= signed(cost);
        }
    }

    #[test]
    fn the_first_call_waits_for_a_lease_and_the_next_ones_do_not() {
        let (budget, mut tally, mut lender) = (budget(100_000), Tally::default(), Lender { spent: 0, leased: 0 });
        let (verdict, ask) = tally.reserve(need(200), &budget, NOW, at(0));
        assert_eq!(verdict, Verdict::Wait);
        let ask = ask.unwrap();
        assert_eq!(ask.amount, 1_000, "a hundredth of the budget");
        assert_eq!(tally.reserve(need(200), &budget, NOW, at(0)), (Verdict::Wait, None), "it is asked once");
        lender.answer(&mut tally, ask, at(0));
        assert!(matches!(tally.reserve(need(200), &budget, NOW, at(0)), (Verdict::Held(_), None)));
        assert!(matches!(tally.reserve(need(200), &budget, NOW, at(0)), (Verdict::Held(_), None)));
        let (verdict, ask) = tally.reserve(need(200), &budget, NOW, at(0));
        assert!(matches!(verdict, Verdict::Held(_)) && ask.is_some(), "the next lease is asked for ahead of need");
        assert_eq!(tally.open(), (600, Some(600)));
    }

    #[test]
    fn what_is_spent_waits_for_the_end_of_the_period_and_what_is_held_does_not() {
        let (budget, mut tally) = (budget(1_000), Tally::default());
        let mut lender = Lender { spent: 0, leased: 0 };
        let ask = tally.reserve(need(900), &budget, NOW, at(0)).1.unwrap();
        lender.answer(&mut tally, ask, at(0));
        let (Verdict::Held(span), Some(ask)) = tally.reserve(need(900), &budget, NOW, at(0)) else { panic!("it fits") };
        lender.answer(&mut tally, ask, at(0));
        let ask = tally.reserve(need(900), &budget, NOW, at(0)).1;
        lender.answer(&mut tally, ask.unwrap(), at(0));
        let second = Duration::from_secs(1);
        assert_eq!(
            tally.reserve(need(900), &budget, NOW, at(0)).0,
            Verdict::Spent { wait: second, for_good: false },
            "the open call may cost less"
        );
        tally.settle(span, need(900), 950);
        lender.settle(950);
        let (verdict, _) = tally.reserve(need(900), &budget, NOW, at(0));
        let to_midnight = Duration::from_secs(86_400 - NOW.rem_euclid(86_400).unsigned_abs());
        assert_eq!(verdict, Verdict::Spent { wait: to_midnight, for_good: true });
        assert!(matches!(tally.reserve(need(50), &budget, NOW, at(0)).0, Verdict::Held(_)), "a small call still fits");
        assert_eq!(tally.gone(&budget, NOW), Some(1_000));
        let (verdict, ask) = tally.reserve(need(900), &budget, NOW + 86_400, at(0));
        assert!(verdict == Verdict::Wait && ask.is_some(), "a new day");
    }

    #[test]
    fn a_call_of_yesterday_takes_nothing_from_today() {
        let (budget, mut tally) = (budget(1_000), Tally::default());
        let ask = tally.reserve(need(100), &budget, NOW, at(0)).1.unwrap();
        tally.granted(ask.span, 1_000, 0, at(0));
        let Verdict::Held(yesterday) = tally.reserve(need(100), &budget, NOW, at(0)).0 else { panic!("it fits") };
        let ask = tally.reserve(need(100), &budget, NOW + 86_400, at(0)).1.unwrap();
        tally.granted(yesterday, 500, 0, at(0));
        tally.granted(ask.span, 100, 900, at(0));
        tally.settle(yesterday, need(100), 100);
        assert!(matches!(tally.reserve(need(100), &budget, NOW + 86_400, at(0)).0, Verdict::Held(_)));
        assert_eq!(tally.gone(&budget, NOW + 86_400), Some(100));
    }

    proptest! {
        /// Whatever happens in whatever order: calls that cost no more than they hold back never overshoot a budget.
        #[test]
        fn calls_that_cost_what_they_hold_back_never_overshoot(
            most in 1_u64..10_000,
            calls in prop::collection::vec((1_u64..2_000, 0_u64..=100, any::<bool>(), any::<bool>()), 1..200),
        ) {
            let (budget, mut tally, mut lender) = (budget(most), Tally::default(), Lender { spent: 0, leased: 0 });
            let mut open: Vec<(Span, Need, u64)> = Vec::new();
            let mut waiting: Option<Ask> = None;
            for (step, (amount, percent, answer, settle)) in calls.into_iter().enumerate() {
                let now = at(step as u64);
                let (verdict, ask) = tally.reserve(need(amount), &budget, NOW, now);
                prop_assert!(waiting.is_none() || ask.is_none(), "two questions at a time");
                waiting = waiting.or(ask);
                if let Verdict::Held(span) = verdict {
                    open.push((span, need(amount), amount * percent / 100));
                }
                if answer && let Some(ask) = waiting.take() {
                    lender.answer(&mut tally, ask, now);
                }
                if settle && let Some((span, held, cost)) = open.pop() {
                    tally.settle(span, held, cost);
                    lender.settle(cost);
                }
                let held: u64 = open.iter().map(|(_, need, _)| need.amount).sum();
                prop_assert!(lender.spent + held <= most, "{} spent and {held} held of {most}", lender.spent);
                prop_assert!(held <= lender.leased.max(0).unsigned_abs(), "a crash would lose what is not leased");
            }
        }
    }
}
