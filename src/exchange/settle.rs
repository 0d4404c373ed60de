//! The end of an exchange: one event that holds every attempt, on every path out, the client's departure included.

use crate::base::event::{AttemptRecord, Considered, Event, ExchangeRecord, GonePhase, Grounds, Outcome, Whom};
use crate::base::failure::{Failure, FailureKind};
use crate::base::money::Microusd;
use crate::base::rejection::{Refusal, Rejection};
use crate::call::usage::Usage;
use crate::exchange::charge::{self, Bill, End, Heard, Work};
use crate::exchange::funds::{self, Outlay};
use crate::exchange::under_way::{Leg, UnderWay};
use crate::policy::Ask;
use crate::snapshot::deployment::Deployment;
use crate::snapshot::key::Key;
use crate::state::clock::Clock;
use crate::state::ledger::{Charge, Entry};
use crate::state::purse::{Hold, Purse};
use crate::state::terms::{Levels, Terms};
use crate::state::world::State;
use std::borrow::Cow;
use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;
use tokio::time::Instant;

/// Characters of a client's own words that a record keeps.
const WORDS: usize = 128;

/// What an exchange has come to so far. Dropped before it is closed, it says that the client went away.
pub(crate) struct Settlement {
    state: Arc<State>,
    record: Option<Box<ExchangeRecord>>,
    began: Instant,
    /// In a box, since what holds a settlement is handed on from step to step.
    attempt: Option<Box<UnderWay>>,
    /// The attempt that is made beside it.
    hedge: OnceLock<Box<UnderWay>>,
    payer: Option<(Arc<Key>, Arc<Terms>)>,
    /// What the call may cost; `None` where nobody knows.
    outlay: Option<Outlay>,
    /// What goes into the ledger when the exchange has ended.
    entries: Vec<Entry>,
    /// The status of a head that went out while the attempts were going on.
    head: Option<Arc<AtomicU16>>,
    streaming: bool,
    /// Seconds since 1970: what held then is what the call costs.
    priced_at: i64,
}

impl Settlement {
    pub(crate) fn open(state: &Arc<State>, began: Instant, dialect: &'static str, policy: Arc<str>) -> Self {
        let request_id = request_id([state.random.bits(), state.random.bits()]);
        let record = ExchangeRecord {
            request_id,
            key: "".into(),
            dialect,
            pool: "".into(),
            model: String::new(),
            served_by: None,
            outcome: Outcome::Served,
            status: 0,
            streamed: false,
            attempts: Vec::new(),
            tokens: None,
            cost: None,
            bytes_in: 0,
            bytes_out: 0,
            took: Duration::ZERO,
            denied_by: Vec::new(),
            policy,
            grounds: Grounds::default(),
        };
        Self {
            state: Arc::clone(state),
            record: Some(Box::new(record)),
            began,
            attempt: None,
            hedge: OnceLock::new(),
            payer: None,
            outlay: None,
            entries: Vec::new(),
            head: None,
            streaming: false,
            priced_at: 0,
        }
    }

    /// Where the status is to be told once the head of a streamed answer goes out.
    pub(crate) fn head(&mut self) -> Arc<AtomicU16> {
        Arc::clone(self.head.get_or_insert_default())
    }

    /// The prices of this moment, in seconds since 1970, are the call's.
    pub(crate) fn priced_at(&mut self, at: i64) {
        self.priced_at = at;
    }

    /// Changes the record, as long as it is open.
    pub(crate) fn note(&mut self, change: impl FnOnce(&mut ExchangeRecord)) {
        if let Some(record) = &mut self.record {
            change(record);
        }
    }

    /// Who pays, and on what terms.
    pub(crate) fn payer(&mut self, key: &Arc<Key>, terms: Option<&Arc<Terms>>) {
        self.note(|record| record.key = Arc::clone(&key.name));
        self.payer = terms.map(|terms| (Arc::clone(key), Arc::clone(terms)));
    }

    /// What the call may cost, where that is known.
    pub(crate) const fn outlay(&mut self, outlay: Option<Outlay>) {
        self.outlay = outlay;
    }

    /// Holds back what an attempt at this deployment needs of every budget that pays for it.
    ///
    /// # Errors
    /// A budget does not reach.
    pub(crate) async fn hold(&self, deployment: &Deployment) -> Result<Vec<Hold>, Refusal> {
        let mut held = Vec::new();
        let (Some((_, terms)), Some(outlay)) = (&self.payer, &self.outlay) else { return Ok(held) };
        let mean = terms.answers().mean();
        for purse in terms.purses() {
            let need = outlay
                .need(deployment, purse.reserve(), mean, self.priced_at)
                .map_err(|cause| unpriced(cause, purse))?;
            held.push(purse.hold(need).await.map_err(funds::refusal)?);
        }
        Ok(held)
    }

    /// Whether work at an unknown price may be done for the payer.
    ///
    /// # Errors
    /// There is a budget.
    pub(crate) fn affords_the_unpriced(&self) -> Result<(), Refusal> {
        let purses = self.payer.as_ref().map_or(&[][..], |(_, terms)| terms.purses());
        purses.first().map_or(Ok(()), |purse| Err(unpriced("unpriced", purse)))
    }

    /// How the payer's limits stand, and whether the client is one of Anthropic's; `None` where there is no payer.
    pub(crate) fn allowance(&self) -> Option<(Levels, bool)> {
        let (_, terms) = self.payer.as_ref()?;
        let anthropic = self.record.as_ref().is_some_and(|record| record.dialect.starts_with("anthropic"));
        Some((terms.levels(self.state.clock.now()), anthropic))
    }

    pub(crate) fn model(&mut self, model: &str) {
        let clean: String = model.chars().filter(|c| !c.is_control()).take(WORDS).collect();
        self.note(|record| record.model = clean);
    }

    fn denied(&mut self, refusal: &Refusal) {
        if let Refusal::Policy(rules) = refusal {
            self.note(|record| {
                for rule in rules.iter() {
                    if !record.denied_by.contains(rule) {
                        record.denied_by.push(Arc::clone(rule));
                    }
                }
            });
        }
    }

    /// What was asked of policy, and what was said of each deployment before anybody was asked.
    pub(crate) fn considered(&mut self, ask: &Ask, considered: Vec<Considered>) {
        considered.iter().filter_map(|one| one.refusal.as_ref()).for_each(|refusal| self.denied(refusal));
        self.note(|record| {
            record.grounds.data.clone_from(&ask.data);
            record.grounds.residency = Arc::clone(&ask.residency);
            record.grounds.considered = considered;
        });
    }

    /// A candidate was passed over when its turn came.
    pub(crate) fn passed_over(&mut self, deployment: &Deployment, refusal: &Refusal) {
        self.denied(refusal);
        self.note(|record| record.grounds.considered.push(Considered::of(&deployment.id, Some(refusal))));
    }

    pub(crate) fn request_id(&self) -> &str {
        self.record.as_ref().map_or("", |record| &record.request_id)
    }

    pub(crate) fn attempts(&self) -> usize {
        self.record.as_ref().map_or(0, |record| record.attempts.len())
            + usize::from(self.attempt.is_some())
            + usize::from(self.hedges())
    }

    pub(crate) fn elapsed(&self) -> Duration {
        self.began.elapsed()
    }

    /// An attempt begins, for which so much is held back: from here to its end every count is its own.
    pub(crate) fn begin_attempt(&mut self, deployment: &Arc<Deployment>, whom: Whom, held: Vec<Hold>) {
        self.attempt = Some(Box::new(UnderWay::begin(deployment, whom, Leg::First, held)));
    }

    /// Another attempt begins beside the one that is under way.
    pub(crate) fn begin_hedge(&self, deployment: &Arc<Deployment>, whom: Whom, held: Vec<Hold>) {
        let _ = self.hedge.set(Box::new(UnderWay::begin(deployment, whom, Leg::Hedge, held)));
    }

    /// Whether two attempts are under way.
    pub(crate) fn hedges(&self) -> bool {
        self.hedge.get().is_some()
    }

    fn leg(&self, leg: Leg) -> Option<&UnderWay> {
        match leg {
            Leg::First => self.attempt.as_deref(),
            Leg::Hedge => self.hedge.get().map(Box::as_ref),
        }
    }

    /// Response headers came: whatever happens now, the vendor had the request.
    pub(crate) fn answered(&self, leg: Leg, status: u16) {
        if let Some(attempt) = self.leg(leg) {
            attempt.answered(status);
        }
    }

    /// The vendor says where it processes the call.
    pub(crate) fn observed(&self, leg: Leg, region: &str) {
        if let Some(attempt) = self.leg(leg) {
            attempt.observed(region);
        }
    }

    /// One of two attempts failed, and the other goes on.
    pub(crate) fn one_failed(&self, leg: Leg, failure: &Failure) {
        if let Some(attempt) = self.leg(leg) {
            attempt.failed(failure);
        }
    }

    /// The first of two attempts goes on alone; the other has failed, or is cancelled.
    pub(crate) fn hedge_ended(&mut self) {
        if let Some(hedge) = self.hedge.take() {
            self.end(hedge, Some(FailureKind::HedgeLost), Cow::Borrowed(""), true);
        }
    }

    /// The second of two attempts goes on alone; the first has failed, or is cancelled.
    pub(crate) fn hedge_won(&mut self) {
        self.end_attempt(Some(FailureKind::HedgeLost), Cow::Borrowed(""), true);
        self.attempt = self.hedge.take();
    }

    pub(crate) fn attempt_failed(&mut self, failure: &Failure) {
        self.end_attempt(Some(failure.kind), failure.reason.clone(), failure.maybe_billed());
    }

    /// Content came: this deployment serves. Returns the time it took.
    pub(crate) fn serves(&mut self, deployment: &Arc<Deployment>, streaming: bool) -> Duration {
        self.streaming = streaming;
        let id = Arc::clone(&deployment.id);
        self.note(|record| record.served_by = Some(id));
        let Some(attempt) = &mut self.attempt else { return Duration::ZERO };
        let took = attempt.began.elapsed();
        attempt.first_content = Some(took);
        took
    }

    /// What the attempt under way has consumed so far, by the vendor's count and by what was seen of the answer. The last
    /// word before its end counts.
    pub(crate) const fn consumed(&mut self, usage: Option<Usage>, heard: Heard) {
        if let Some(attempt) = &mut self.attempt {
            if usage.is_some() {
                attempt.usage = usage;
            }
            attempt.heard = heard;
        }
    }

    /// What the exchange costs if the attempt under way ends well now, where that is known.
    pub(crate) fn cost(&self) -> Option<Microusd> {
        let attempt = self.attempt.as_ref()?;
        let earlier = self.record.as_ref().and_then(|record| record.cost).unwrap_or_default();
        Some(self.bill(attempt, End::Whole).cost? + earlier)
    }

    /// The whole answer went out.
    pub(crate) fn served(mut self) {
        self.end_attempt(None, Cow::Borrowed(""), true);
        self.close(Outcome::Served);
    }

    /// A stream broke after content had gone out.
    pub(crate) fn broke(mut self, failure: &Failure) {
        self.attempt_failed(failure);
        self.close(Outcome::Broken(failure.kind));
    }

    /// The client got our error, or the vendor's words.
    pub(crate) fn rejected(mut self, rejection: &Rejection) {
        let outcome = match &rejection.said {
            Some(_) => Outcome::VendorRefused,
            None => Outcome::Rejected(rejection.code.as_str()),
        };
        self.close(outcome);
    }

    fn leave(&mut self, phase: GonePhase) {
        let gone = Some(FailureKind::ClientGone);
        if let Some(hedge) = self.hedge.take() {
            self.end(hedge, gone, Cow::Borrowed(""), true);
        }
        self.end_attempt(gone, Cow::Borrowed(""), true);
        self.close(Outcome::ClientGone(phase));
    }

    fn end_attempt(&mut self, failure: Option<FailureKind>, reason: Cow<'static, str>, maybe_billed: bool) {
        if let Some(attempt) = self.attempt.take() {
            self.end(attempt, failure, reason, maybe_billed);
        }
    }

    fn end(
        &mut self,
        mut attempt: Box<UnderWay>,
        failure: Option<FailureKind>,
        reason: Cow<'static, str>,
        maybe_billed: bool,
    ) {
        let ending = attempt.end(failure, reason, maybe_billed);
        let bill = self.bill(&attempt, attempt.billed(&ending));
        self.pay(&mut attempt, ending.failure, &bill);
        let Bill { tokens, counted, cost } = bill;
        let record = AttemptRecord {
            deployment: Arc::clone(&attempt.deployment.id),
            failure: ending.failure,
            reason: ending.reason,
            status: attempt.status(),
            took: ending.took,
            first_content: attempt.first_content,
            hedge: attempt.leg == Leg::Hedge,
            maybe_billed: ending.maybe_billed || attempt.sent(),
            events_skipped: attempt.heard.skipped(),
            tokens,
            counted,
            cost,
            whom: attempt.whom,
        };
        self.note(|whole| whole.add(record));
    }

    fn bill(&self, attempt: &UnderWay, end: End) -> Bill {
        let Some(outlay) = self.outlay else { return Bill::default() };
        let end = if outlay.free { End::Free } else { end };
        let work = Work { end, usage: attempt.usage, heard: attempt.heard, size: outlay.size, at: self.priced_at };
        charge::bill(&attempt.deployment, &work, attempt.reserved())
    }

    /// Settles with limits and budgets, and notes what goes into the ledger.
    fn pay(&mut self, attempt: &mut UnderWay, failure: Option<FailureKind>, bill: &Bill) {
        let Some((key, terms)) = &self.payer else { return };
        let tokens = bill.tokens.unwrap_or_default();
        if bill.tokens.is_some() {
            let all = [tokens.input, tokens.cached, tokens.cache_written, tokens.output];
            terms.used(all.into_iter().fold(0, u64::saturating_add), self.state.clock.now());
        }
        if failure.is_none() {
            terms.answers().note(tokens.output);
        }
        let reserved = attempt.reserved();
        let held = std::mem::take(&mut attempt.held).into_iter();
        let charges: Vec<Charge> = held
            .map(|hold| {
                let cost = bill.cost.unwrap_or(hold.amount());
                hold.settle(cost)
            })
            .collect();
        self.entries.push(Entry {
            at: Clock::unix_seconds(),
            request: Arc::default(),
            attempt: self.entries.len() as u32 + 1,
            exchanges: 0,
            attempts: 1,
            key: Arc::clone(&key.name),
            team: key.team.as_ref().map(|team| Arc::clone(&team.name)).unwrap_or_default(),
            pool: self.record.as_ref().map(|record| Arc::clone(&record.pool)).unwrap_or_default(),
            deployment: Arc::clone(&attempt.deployment.id),
            tokens,
            counted: bill.counted,
            cost: bill.cost,
            reserved,
            class: failure.map_or("ok", FailureKind::class),
            outcome: "",
            charges,
        });
    }

    /// What was spent goes into the ledger, under the id that the client has.
    fn record_entries(&mut self, request_id: &str, outcome: &'static str) {
        let mut entries = std::mem::take(&mut self.entries);
        let Some(last) = entries.last_mut() else { return };
        (last.exchanges, last.outcome) = (1, outcome);
        let request: Arc<str> = Arc::from(request_id);
        entries.iter_mut().for_each(|entry| entry.request = Arc::clone(&request));
        self.state.ledger.record(entries);
    }

    fn close(&mut self, outcome: Outcome) {
        let Some(mut record) = self.record.take() else { return };
        record.outcome = outcome;
        if record.status == 0 {
            record.status = self.head.as_ref().map_or(0, |head| head.load(Ordering::Relaxed));
        }
        record.took = self.began.elapsed();
        self.record_entries(&record.request_id, outcome.label());
        self.state.sink.emit(Event::Exchange(record));
    }
}

/// What cannot be held back, because nobody knows how much it would be.
fn unpriced(cause: &'static str, purse: &Purse) -> Refusal {
    Refusal::Budget { cause, account: Arc::clone(&purse.account), retry_after: Duration::ZERO }
}

impl Drop for Settlement {
    fn drop(&mut self) {
        if self.record.is_some() {
            self.leave(if self.streaming { GonePhase::Stream } else { GonePhase::Wait });
        }
    }
}

/// `req_` and 32 hexadecimal digits.
fn request_id(words: [u64; 2]) -> String {
    let mut id = String::with_capacity(36);
    id.push_str("req_");
    for word in words {
        id.extend((0..16).rev().filter_map(|place| char::from_digit((word >> (4 * place) & 0xf) as u32, 16)));
    }
    id
}
