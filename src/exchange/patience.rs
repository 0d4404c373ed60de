//! What follows a failed attempt: the same deployment once more, the next one, or the end.
//!
//! Moving costs a cold prompt cache and may cost another model's style, so a pool has patience: a deployment that failed
//! quickly in a way that often passes (a 500, a reset) is asked once more, and a short wait that a vendor asks for is kept.
//! Where the next candidate is the same model at the same vendor moving costs little, and nobody waits. The last attempt is
//! never spent on patience while another candidate has had none, and no other one is where the vendor did not name the wait.

use crate::base::failure::{FailureKind, NextStep};
use std::time::Duration;

/// A wait up to this is kept where nobody else is left, whatever the pool's patience.
const ALONE: Duration = Duration::from_secs(2);
/// The longest pause before a retry without a hint.
const BACK_OFF: Duration = Duration::from_millis(500);
/// A wait takes no more than this part of the time that is left.
const SHARE: u32 = 4;

/// Who comes next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NextOne {
    /// Nobody is left.
    Nobody,
    /// The same model at the same vendor, with another credential or at another place.
    Twin,
    /// Another model or vendor.
    Other,
}

/// A failed attempt, and what the exchange has left.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Situation {
    pub(crate) kind: FailureKind,
    /// How long the vendor asks us to wait.
    pub(crate) hint: Option<Duration>,
    /// How long the account rests anyway.
    pub(crate) cooldown: Option<Duration>,
    /// How long the attempt took.
    pub(crate) took: Duration,
    /// Whether the deployment was asked twice already.
    pub(crate) again: bool,
    /// Whether its breaker is still closed.
    pub(crate) closed: bool,
    pub(crate) next: NextOne,
    /// Whether all others failed when they were asked last, and this one had not.
    pub(crate) doubted: bool,
    /// Candidates that had no attempt yet.
    pub(crate) others: u32,
    /// Attempts that may still be made.
    pub(crate) attempts: u32,
    /// The pool's.
    pub(crate) patience: Duration,
    /// Until the exchange must have content.
    pub(crate) left: Duration,
    /// A number between 0 and 1, to spread retries.
    pub(crate) chance: f64,
}

/// What is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// The same deployment after a pause.
    Again { pause: Duration, free: bool },
    /// The next candidate.
    Next,
    /// Nothing more.
    Stop,
}

/// Decides what follows.
pub(crate) fn decide(at: &Situation) -> Step {
    match at.kind.next_step() {
        NextStep::Answer | NextStep::Stop => Step::Stop,
        NextStep::Move => Step::Next,
        NextStep::Resend | NextStep::RetryOrMove | NextStep::MoveOrResend if at.again => Step::Next,
        NextStep::Resend => Step::Again { pause: Duration::ZERO, free: true },
        NextStep::MoveOrResend | NextStep::RetryOrMove if at.next == NextOne::Nobody => retry(at, alone(at)),
        NextStep::MoveOrResend | NextStep::RetryOrMove if is_best(at) => retry(at, alone(at)),
        NextStep::MoveOrResend => Step::Next,
        NextStep::RetryOrMove => retry(at, patient(at)),
    }
}

fn retry(at: &Situation, pause: Option<Duration>) -> Step {
    match pause.filter(|pause| *pause <= at.left / SHARE && at.attempts > 0) {
        Some(pause) => Step::Again { pause, free: false },
        None => Step::Next,
    }
}

/// Whether it is likelier to answer now than whoever comes next, for whom an attempt is left all the same.
fn is_best(at: &Situation) -> bool {
    at.doubted && at.closed && at.attempts > 1 && at.took <= at.patience && at.kind != FailureKind::RateLimited
}

/// The pause before asking again where nobody else is left; none where it would be too long.
fn alone(at: &Situation) -> Option<Duration> {
    let throttled = (at.kind == FailureKind::RateLimited).then_some(at.cooldown).flatten();
    match at.hint.or(throttled) {
        Some(wait) => (wait <= at.patience.max(ALONE)).then_some(wait),
        None => Some(BACK_OFF.mul_f64(at.chance)),
    }
}

/// The pause before asking again although another candidate waits; none where moving is better.
fn patient(at: &Situation) -> Option<Duration> {
    // a vendor that names the wait means to answer then; without that word nobody's attempt is spent on hope
    let spare = if at.hint.is_some() { at.attempts > 1 } else { at.attempts > at.others };
    let worth_it = at.next == NextOne::Other && at.closed && spare && !at.patience.is_zero();
    let pause = match at.hint {
        Some(wait) => wait,
        None if at.kind == FailureKind::RateLimited => return None,
        None if at.took > at.patience => return None,
        None => BACK_OFF.min(at.patience).mul_f64(at.chance),
    };
    (worth_it && pause <= at.patience).then_some(pause)
}

#[cfg(test)]
mod tests {
    use super::*;
    use FailureKind::{BadRequest, Deadline, Empty, HeadersTimeout, Overloaded, RateLimited, ResetBeforeHeaders};
    use FailureKind::{ServerError, StaleConn};

    const fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    const AT: Situation = Situation {
        kind: ServerError,
        hint: None,
        cooldown: None,
        took: ms(20),
        again: false,
        closed: true,
        next: NextOne::Other,
        doubted: false,
        others: 1,
        attempts: 2,
        patience: ms(2_000),
        left: ms(60_000),
        chance: 0.5,
    };

    fn check(at: Situation, pause_ms: Option<u64>) {
        let expected = pause_ms.map_or(Step::Next, |pause| Step::Again { pause: ms(pause), free: false });
        assert_eq!(decide(&at), expected, "{at:?}");
    }

    #[test]
    fn a_quick_failure_that_often_passes_is_tried_once_more_before_moving() {
        check(AT, Some(250));
        check(Situation { kind: ResetBeforeHeaders, ..AT }, Some(250));
        check(Situation { again: true, ..AT }, None);
        check(Situation { took: ms(2_001), ..AT }, None);
        check(Situation { closed: false, ..AT }, None);
        check(Situation { next: NextOne::Twin, ..AT }, None);
        check(Situation { attempts: 1, ..AT }, None);
        check(Situation { patience: ms(0), ..AT }, None);
        check(Situation { patience: ms(100), ..AT }, Some(50));
        check(Situation { others: 2, ..AT }, None);
        check(Situation { others: 2, attempts: 3, ..AT }, Some(250));
        check(Situation { hint: Some(ms(1_500)), others: 2, ..AT }, Some(1_500));
        check(Situation { hint: Some(ms(2_500)), ..AT }, None);
    }

    #[test]
    fn f_073_a_short_wait_is_kept_and_a_longer_one_is_not() {
        let throttled = Situation { kind: RateLimited, ..AT };
        let hinted = |hint| Situation { hint: Some(ms(hint)), ..throttled };
        check(hinted(2_000), Some(2_000));
        check(hinted(2_001), None);
        check(Situation { left: ms(7_999), ..hinted(2_000) }, None);
        check(Situation { next: NextOne::Twin, ..hinted(250) }, None);
        check(Situation { patience: ms(5_000), ..hinted(4_000) }, Some(4_000));
        check(throttled, None);
        check(Situation { cooldown: Some(ms(500)), ..throttled }, None);
    }

    #[test]
    fn f_074_alone_a_vendor_is_asked_twice() {
        let alone = Situation { next: NextOne::Nobody, others: 0, ..AT };
        check(alone, Some(250));
        check(Situation { kind: Overloaded, ..alone }, Some(250));
        check(Situation { kind: Empty, ..alone }, Some(250));
        check(Situation { kind: RateLimited, cooldown: Some(ms(700)), ..alone }, Some(700));
        check(Situation { kind: RateLimited, cooldown: Some(ms(4_000)), ..alone }, None);
        check(Situation { kind: RateLimited, hint: Some(ms(2_000)), patience: ms(0), ..alone }, Some(2_000));
        check(Situation { kind: RateLimited, hint: Some(ms(20_000)), ..alone }, None);
        check(Situation { again: true, ..alone }, None);
        check(Situation { attempts: 0, ..alone }, None);
    }

    #[test]
    fn who_fails_for_once_is_asked_again_before_those_who_failed_last_time() {
        let doubted = Situation { doubted: true, others: 2, ..AT };
        check(doubted, Some(250));
        check(Situation { kind: Empty, ..doubted }, Some(250));
        check(Situation { kind: Overloaded, ..doubted }, Some(250));
        check(Situation { attempts: 1, ..doubted }, None);
        check(Situation { closed: false, ..doubted }, None);
        check(Situation { kind: RateLimited, ..doubted }, None);
        check(Situation { took: ms(2_001), ..doubted }, None);
        check(Situation { kind: HeadersTimeout, ..doubted }, None);
    }

    #[test]
    fn f_077_what_a_retry_would_make_worse_is_left_at_once() {
        check(Situation { kind: Overloaded, ..AT }, None);
        check(Situation { kind: Empty, ..AT }, None);
        check(Situation { kind: HeadersTimeout, next: NextOne::Nobody, ..AT }, None);
        assert_eq!(decide(&Situation { kind: BadRequest, ..AT }), Step::Stop);
        assert_eq!(decide(&Situation { kind: Deadline, ..AT }), Step::Stop);
        let stale = Situation { kind: StaleConn, attempts: 0, ..AT };
        assert_eq!(decide(&stale), Step::Again { pause: ms(0), free: true });
        check(Situation { again: true, ..stale }, None);
    }
}
