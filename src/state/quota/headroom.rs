//! What a vendor still grants one credential for one model: a pure function of what its answers said, what was sent since,
//! and the time.

use crate::base::clock::Moment;
use crate::dialect::signals::quota::{Quota, Window};
use std::time::Duration;

/// A reading is believed for no longer, so that a deployment is not passed over for ever once its headers stop coming, and
/// is asked again once a minute where a window of a day is spent.
const BELIEVED: Duration = Duration::from_secs(60);
/// This share of a window of requests is left to those whom we do not see: other processes with the same credential.
const SPARED_PERCENT: u64 = 2;
/// How long a call of a size that was refused as larger than the whole window is not sent again: windows change when
/// somebody buys more.
const TOO_LARGE: Duration = Duration::from_secs(600);
/// The first cooldown after a 429 that names no wait; it doubles with each further one.
const COOLDOWN: Duration = Duration::from_secs(1);
/// The longest cooldown.
const LONGEST_COOLDOWN: Duration = Duration::from_secs(60);

/// What a call is estimated to take of a quota, beside one request.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Demand {
    input_tokens: u64,
    output_tokens: u64,
}

impl Demand {
    /// Tokens of the prompt, and of the answer: vendors count the cap that the call sets, before they know what it comes to.
    #[must_use]
    pub fn new(input_tokens: u64, output_tokens: u64) -> Self {
        // a client may name any number; what is bounded can be added up
        let bounded = |tokens: u64| tokens.min(u64::from(u32::MAX));
        Self { input_tokens: bounded(input_tokens), output_tokens: bounded(output_tokens) }
    }

    pub(super) const fn total(self) -> u64 {
        self.input_tokens.saturating_add(self.output_tokens)
    }
}

/// Why a call is not carried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shortage {
    /// Until the windows that are short count as whole again.
    pub retry_after: Duration,
    /// Whether the vendor itself said that nothing is left, and until when; otherwise it follows from our estimates.
    pub told: bool,
}

/// What is left of one window, for people.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Left {
    /// What is left, less what is under way.
    pub remaining: u64,
    /// What the whole window holds, where the vendor says.
    pub limit: Option<u64>,
    /// Until the window is whole again, or the reading no longer believed.
    pub resets_in: Duration,
}

/// What is known of one credential's quota for one model.
#[derive(Debug, Default)]
pub struct Headroom {
    requests: Option<Known>,
    tokens: Option<Known>,
    input_tokens: Option<Known>,
    output_tokens: Option<Known>,
    /// What was sent and has no answer yet: the vendor's figures do not hold it for sure.
    under_way: Sent,
    /// The smallest size that was refused as larger than the window, and until when that counts.
    too_large: Option<(u64, Moment)>,
    /// After a 429: when to ask again.
    rests_until: Option<Moment>,
    /// 429s since the last good answer, those within one rest counted once.
    strikes: u32,
}

#[derive(Clone, Copy, Debug)]
struct Known {
    /// What was left when it was read.
    remaining: u64,
    limit: Option<u64>,
    read: Moment,
    until: Moment,
    /// What flows in since it was read, where a window fills up bit by bit.
    refill_per_s: f64,
    /// What answers without figures have taken since, by our estimate.
    debited: u64,
    /// The vendor said that nothing is left, and when there will be: no estimate of ours has a share in it.
    spent: bool,
}

#[derive(Clone, Copy, Debug, Default)]
struct Sent {
    requests: u64,
    input_tokens: u64,
    output_tokens: u64,
}

impl Headroom {
    /// Whether a call of this size would be carried; nothing known carries everything.
    ///
    /// # Errors
    /// For how long it would not be, and who says so.
    pub fn carries(&self, demand: Demand, now: Moment) -> Result<(), Shortage> {
        let sent = self.under_way;
        let asks = [
            (self.requests, sent.requests, spared(self.requests)),
            (self.tokens, sent.input_tokens + sent.output_tokens, demand.total()),
            (self.input_tokens, sent.input_tokens, demand.input_tokens),
            (self.output_tokens, sent.output_tokens, demand.output_tokens),
        ];
        let short = asks.into_iter().filter_map(|(known, sent, asked)| known?.lacks(sent, asked, now));
        let too_large = self.too_large.filter(|(size, until)| demand.total() >= *size && now < *until);
        let too_large = too_large.map(|(_, until)| Shortage { retry_after: until.since(now), told: false });
        let worst = short.chain(too_large).reduce(|one, other| Shortage {
            retry_after: one.retry_after.max(other.retry_after),
            told: one.told || other.told,
        });
        worst.map_or(Ok(()), Err)
    }

    /// The size of a call up to which any is carried for sure; nothing where it rests, or where requests are short.
    #[must_use]
    pub fn carries_up_to(&self, now: Moment) -> u64 {
        if self.rests(now).is_some() {
            return 0;
        }
        let sent = self.under_way;
        let short =
            |known: Option<Known>, sent, asked| known.is_some_and(|known| known.lacks(sent, asked, now).is_some());
        if short(self.requests, sent.requests, spared(self.requests)) {
            return 0;
        }
        let windows = [
            (self.tokens, sent.input_tokens + sent.output_tokens),
            (self.input_tokens, sent.input_tokens),
            (self.output_tokens, sent.output_tokens),
        ];
        let left = |(known, sent): (Option<Known>, u64)| {
            let known = known.filter(|known| known.is_believed(now))?;
            Some(known.left(now).saturating_sub(sent))
        };
        let too_large = self.too_large.filter(|(_, until)| now < *until).map(|(size, _)| size.saturating_sub(1));
        windows.into_iter().filter_map(left).chain(too_large).min().unwrap_or(u64::MAX)
    }

    /// How long it rests after a 429.
    #[must_use]
    pub fn rests(&self, now: Moment) -> Option<Duration> {
        self.rests_until.map(|until| until.since(now)).filter(|wait| !wait.is_zero())
    }

    /// A call goes out.
    pub fn send(&mut self, demand: Demand) {
        self.under_way.requests += 1;
        self.under_way.input_tokens += demand.input_tokens;
        self.under_way.output_tokens += demand.output_tokens;
    }

    /// A call that went out is answered: from here on the vendor's figures hold it. Where the answer tells none, it is taken
    /// off what was told before.
    pub fn settle(&mut self, demand: Demand, told: &Quota, now: Moment) {
        self.recall(demand);
        if told.is_empty() {
            self.debit(demand);
        }
        let pairs = [
            (&mut self.requests, told.requests),
            (&mut self.tokens, told.tokens),
            (&mut self.input_tokens, told.input_tokens),
            (&mut self.output_tokens, told.output_tokens),
        ];
        for (known, window) in pairs {
            if let Some(window) = window {
                *known = Some(Known::from(window, now));
            }
        }
    }

    /// A call that went out never reached the vendor.
    pub fn recall(&mut self, demand: Demand) {
        let sent = &mut self.under_way;
        sent.requests = sent.requests.saturating_sub(1);
        sent.input_tokens = sent.input_tokens.saturating_sub(demand.input_tokens);
        sent.output_tokens = sent.output_tokens.saturating_sub(demand.output_tokens);
    }

    /// The vendor throttled: it is left alone for as long as it asks, or for a cooldown that grows. `chance` lies between 0
    /// and 1 and spreads the return of many.
    pub fn throttled(&mut self, hint: Option<Duration>, chance: f64, now: Moment) {
        let rests = self.rests(now).is_some();
        let grown = COOLDOWN.saturating_mul(1 << self.strikes.min(6)).min(LONGEST_COOLDOWN);
        if !rests {
            self.strikes = self.strikes.saturating_add(1);
        } else if hint.is_none() {
            // what was sent before the first 429 says nothing new
            return;
        }
        let until = now + hint.unwrap_or_else(|| grown.mul_f64(0.5 + 0.5 * chance));
        self.rests_until = Some(self.rests_until.map_or(until, |known| known.max(until)));
    }

    /// It is left alone until then, for a reason that no cooldown covers.
    pub fn rest(&mut self, wait: Duration, now: Moment) {
        self.rests_until = Some(now + wait);
    }

    /// A call of this size is larger than all that the vendor grants in one window.
    pub fn refused_as_too_large(&mut self, demand: Demand, now: Moment) {
        // of what is not known to have a size nothing follows for others
        if demand.input_tokens == 0 {
            return;
        }
        let smallest = self.too_large.filter(|(_, until)| now < *until).map_or(u64::MAX, |(size, _)| size);
        self.too_large = Some((smallest.min(demand.total()), now + TOO_LARGE));
    }

    /// A call went well: what it throttled is over.
    pub fn went_well(&mut self) {
        self.strikes = 0;
    }

    /// The share that is left of the scarcest window whose size is known, in per cent.
    #[must_use]
    pub fn percent(&self, now: Moment) -> Option<u32> {
        let sent = self.under_way;
        let windows = [
            (self.requests, sent.requests),
            (self.tokens, sent.input_tokens + sent.output_tokens),
            (self.input_tokens, sent.input_tokens),
            (self.output_tokens, sent.output_tokens),
        ];
        let share = |(known, sent): (Option<Known>, u64)| {
            let known = known.filter(|known| known.is_believed(now))?;
            let left = known.left(now).saturating_sub(sent).saturating_mul(100);
            u32::try_from(left / known.limit?.max(1)).ok()
        };
        windows.into_iter().filter_map(share).min()
    }

    /// What is left of requests and of tokens, where it is known; of several windows of tokens the scarcest.
    #[must_use]
    pub fn left(&self, now: Moment) -> (Option<Left>, Option<Left>) {
        let sent = self.under_way;
        let left = |known: Option<Known>, sent: u64| {
            let known = known.filter(|known| known.is_believed(now))?;
            let remaining = known.left(now).saturating_sub(sent);
            Some(Left { remaining, limit: known.limit, resets_in: known.until.since(now) })
        };
        let tokens = [
            left(self.tokens, sent.input_tokens + sent.output_tokens),
            left(self.input_tokens, sent.input_tokens),
            left(self.output_tokens, sent.output_tokens),
        ];
        let share = |left: &Left| left.limit.map(|limit| left.remaining.saturating_mul(100) / limit.max(1));
        (left(self.requests, sent.requests), tokens.into_iter().flatten().min_by_key(share))
    }

    fn debit(&mut self, demand: Demand) {
        let spends = [
            (&mut self.requests, 1),
            (&mut self.tokens, demand.total()),
            (&mut self.input_tokens, demand.input_tokens),
            (&mut self.output_tokens, demand.output_tokens),
        ];
        for (known, spent) in spends {
            if let Some(known) = known {
                known.debited = known.debited.saturating_add(spent);
            }
        }
    }
}

impl Known {
    fn from(window: Window, now: Moment) -> Self {
        let Window { limit, remaining, reset, refills } = window;
        let gone = limit.filter(|_| refills).map_or(0, |limit| limit.saturating_sub(remaining));
        let seconds = reset.unwrap_or(BELIEVED).as_secs_f64().max(1e-3);
        let until = now + reset.unwrap_or(BELIEVED).min(BELIEVED);
        let spent = remaining == 0 && reset.is_some();
        Self { remaining, limit, read: now, until, refill_per_s: gone as f64 / seconds, debited: 0, spent }
    }

    /// What is left now: what was told, and what has flowed in since, less what was taken.
    fn left(&self, now: Moment) -> u64 {
        let refilled = (self.refill_per_s * now.since(self.read).as_secs_f64()) as u64;
        let whole = self.limit.unwrap_or(u64::MAX);
        self.remaining.saturating_add(refilled).min(whole).saturating_sub(self.debited)
    }

    fn is_believed(&self, now: Moment) -> bool {
        now < self.until
    }

    /// Whether less than what is asked is left beside what was sent. Nobody asks for more than the whole window: estimates
    /// are rough, and a window that is whole is worth a try.
    fn lacks(&self, sent: u64, asked: u64, now: Moment) -> Option<Shortage> {
        let asked = asked.min(self.limit.unwrap_or(u64::MAX)).max(1);
        let lacking = asked.saturating_sub(self.left(now).saturating_sub(sent));
        if lacking == 0 || !self.is_believed(now) {
            return None;
        }
        let whole = self.until.since(now);
        let retry_after = match lacking as f64 / self.refill_per_s {
            seconds if seconds < whole.as_secs_f64() => Duration::from_secs_f64(seconds),
            _ => whole,
        };
        Some(Shortage { retry_after, told: self.spent })
    }
}

/// How many requests must be left for one to be sent.
fn spared(requests: Option<Known>) -> u64 {
    requests.and_then(|known| known.limit).map_or(1, |limit| (limit.saturating_mul(SPARED_PERCENT) / 100).max(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: f64) -> Moment {
        Moment::after_start(Duration::from_secs_f64(seconds))
    }

    fn window(limit: u64, remaining: u64, reset_s: u64) -> Option<Window> {
        let reset = Some(Duration::from_secs(reset_s));
        Some(Window { limit: Some(limit), remaining, reset, refills: false })
    }

    fn tokens(limit: u64, remaining: u64, reset_s: u64) -> Quota {
        Quota { tokens: window(limit, remaining, reset_s), ..Quota::default() }
    }

    fn requests(limit: u64, remaining: u64, reset_s: u64) -> Quota {
        Quota { requests: window(limit, remaining, reset_s), ..Quota::default() }
    }

    fn demand(tokens: u64) -> Demand {
        Demand::new(tokens, 0)
    }

    fn told(quota: &Quota) -> Headroom {
        let mut headroom = Headroom::default();
        headroom.send(demand(0));
        headroom.settle(demand(0), quota, at(0.0));
        headroom
    }

    /// What was told, the size of a call, when it is asked, and whether it is carried, short by our estimate, or refused by
    /// the vendor's own word.
    fn check(quota: &Quota, size: u64, seconds: f64, expected: Result<(), bool>) {
        let carried = told(quota).carries(demand(size), at(seconds)).map_err(|shortage| shortage.told);
        assert_eq!(carried, expected, "{quota:?} {size} at {seconds}");
    }

    #[test]
    fn f_078_a_call_is_passed_over_that_the_rest_of_a_window_would_not_carry() {
        check(&Quota::default(), u64::MAX, 0.0, Ok(()));
        check(&tokens(30_000, 5_000, 10), 5_000, 1.0, Ok(()));
        check(&tokens(30_000, 5_000, 10), 5_001, 1.0, Err(false));
        check(&tokens(30_000, 0, 10), 1, 1.0, Err(true));
        check(&requests(1_000, 20, 10), 1, 1.0, Ok(()));
        check(&requests(1_000, 19, 10), 1, 1.0, Err(false));
        check(&requests(3, 1, 10), 1, 1.0, Ok(()));
        check(&requests(3, 0, 10), 1, 1.0, Err(true));
        // more than the whole window is asked of a whole window alone
        check(&tokens(30_000, 30_000, 10), 90_000, 1.0, Ok(()));
        check(&tokens(30_000, 29_999, 10), 90_000, 1.0, Err(false));
    }

    #[test]
    fn f_078_a_reading_is_believed_until_its_reset_and_for_a_minute_at_most() {
        check(&tokens(30_000, 0, 10), 1, 9.9, Err(true));
        check(&tokens(30_000, 0, 10), 1, 10.0, Ok(()));
        check(&requests(1_000, 0, 86_400), 1, 59.0, Err(true));
        check(&requests(1_000, 0, 86_400), 1, 60.0, Ok(()));
        let unsaid = Quota {
            tokens: Some(Window { limit: Some(9), remaining: 0, reset: None, refills: false }),
            ..Quota::default()
        };
        check(&unsaid, 1, 59.0, Err(false));
        check(&unsaid, 1, 60.0, Ok(()));
    }

    #[test]
    fn f_078_a_bucket_that_fills_up_carries_again_before_its_next_reading() {
        let refilling = |quota: Quota| Quota {
            tokens: quota.tokens.map(|window| Window { refills: true, ..window }),
            requests: quota.requests.map(|window| Window { refills: true, ..window }),
            ..quota
        };
        // 600 tokens a second flow in
        let bucket = refilling(tokens(30_000, 0, 50));
        check(&bucket, 6_000, 9.9, Err(true));
        check(&bucket, 6_000, 10.1, Ok(()));
        let wait = told(&bucket).carries(demand(6_000), at(4.0)).map_err(|shortage| shortage.retry_after);
        assert_eq!(wait, Err(Duration::from_secs(6)));
        let left = told(&bucket).left(at(5.0)).1.map(|left| left.remaining);
        assert_eq!((left, told(&bucket).percent(at(25.0))), (Some(3_000), Some(50)));
        // one request every 7.2 minutes
        let slow = refilling(requests(200, 0, 86_400));
        check(&slow, 1, 59.0, Err(true));
        let full = told(&refilling(tokens(30_000, 29_000, 1))).left(at(0.9)).1.map(|left| left.remaining);
        assert_eq!(full, Some(29_900));
        let mut drawn = told(&bucket);
        drawn.settle(demand(0), &Quota::default(), at(1.0));
        drawn.send(demand(6_000));
        drawn.settle(demand(6_000), &Quota::default(), at(10.0));
        assert!(drawn.carries(demand(6_000), at(19.9)).is_err(), "what flowed in is taken once");
        assert_eq!(drawn.carries(demand(6_000), at(20.1)), Ok(()));
    }

    #[test]
    fn f_078_what_answers_without_figures_took_is_an_estimate_however_much_it_is() {
        let mut headroom = told(&tokens(200_000, 199_973, 60));
        for _ in 0..64 {
            headroom.send(demand(10_000));
            headroom.settle(demand(10_000), &Quota::default(), at(1.0));
        }
        let shortage = headroom.carries(demand(1), at(2.0)).map_err(|shortage| shortage.told);
        assert_eq!(shortage, Err(false), "a vendor that said that much is left is asked once nobody else can be");
    }

    #[test]
    fn f_078_what_is_under_way_counts_until_its_answer_tells_better() {
        let mut headroom = told(&tokens(30_000, 10_000, 60));
        for _ in 0..3 {
            assert_eq!(headroom.carries(demand(3_000), at(1.0)), Ok(()));
            headroom.send(demand(3_000));
        }
        assert!(headroom.carries(demand(3_000), at(1.0)).is_err(), "9,000 of 10,000 are under way");
        headroom.settle(demand(3_000), &tokens(30_000, 9_500, 60), at(1.5));
        assert_eq!(headroom.carries(demand(3_000), at(1.6)), Ok(()), "the vendor counted less than we feared");
        headroom.recall(demand(3_000));
        assert_eq!(headroom.carries(demand(6_000), at(1.6)), Ok(()), "what never arrived costs nothing");
        headroom.settle(demand(3_000), &Quota::default(), at(1.7));
        assert_eq!(
            headroom.left(at(1.8)).1.map(|left| left.remaining),
            Some(6_500),
            "an answer without figures is debited"
        );
    }

    #[test]
    fn f_074_the_cooldown_of_a_vendor_that_names_no_wait_doubles_up_to_a_minute() {
        let mut headroom = Headroom::default();
        let (mut now, mut waits) = (0.0, Vec::new());
        for _ in 0..8 {
            headroom.throttled(None, 1.0, at(now));
            headroom.throttled(None, 1.0, at(now + 0.1));
            let wait = headroom.rests(at(now)).unwrap_or_default().as_secs_f64();
            waits.push(wait);
            now += wait;
            assert_eq!(headroom.rests(at(now)), None);
        }
        assert_eq!(waits, [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 60.0, 60.0]);
        headroom.went_well();
        headroom.throttled(None, 0.0, at(now));
        assert_eq!(headroom.rests(at(now)), Some(Duration::from_millis(500)), "chance takes half at most");
        headroom.throttled(Some(Duration::from_secs(20)), 0.0, at(now));
        assert_eq!(headroom.rests(at(now)), Some(Duration::from_secs(20)), "a later word that asks for more counts");
    }

    #[test]
    fn what_is_larger_than_the_window_is_not_sent_at_this_size_again() {
        let mut headroom = Headroom::default();
        headroom.refused_as_too_large(demand(50_000), at(0.0));
        assert!(headroom.carries(demand(50_000), at(1.0)).is_err_and(|shortage| !shortage.told));
        assert_eq!(headroom.carries(demand(49_999), at(1.0)), Ok(()));
        assert_eq!(headroom.carries(demand(50_000), at(600.0)), Ok(()));
        headroom.refused_as_too_large(Demand::new(0, 1_000), at(700.0));
        assert_eq!(headroom.carries(demand(50_000), at(701.0)), Ok(()), "an image has a size that we do not know");
    }

    #[test]
    fn the_scarcest_window_is_shown() {
        let quota = Quota {
            requests: window(100, 50, 30),
            input_tokens: window(1_000, 900, 30),
            output_tokens: window(100, 20, 30),
            ..Quota::default()
        };
        let headroom = told(&quota);
        assert_eq!((headroom.percent(at(1.0)), headroom.percent(at(31.0))), (Some(20), None));
        let (requests, tokens) = headroom.left(at(1.0));
        assert_eq!((requests.map(|left| left.remaining), tokens.map(|left| left.remaining)), (Some(50), Some(20)));
    }
}
