//! A budget in use: [`Tally`] with a lock around it, and the ledger to lease from.

use crate::base::clock::Moment;
use crate::base::event::{Event, Sink};
use crate::base::money::Microusd;
use crate::snapshot::budget::{Budget, Reserve, Span};
use crate::state::budget::{Ask, Need, Tally, Verdict};
use crate::state::clock::Clock;
use crate::state::ledger::{Borrower, Charge, Lease, Ledger};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::Notify;

/// How long a call waits for the first lease of a period.
const LEASE_WITHIN: Duration = Duration::from_secs(2);

/// The budget of a key or a team.
pub struct Purse {
    /// `key/NAME` or `team/NAME`: its account in the ledger.
    pub account: Arc<str>,
    inner: Mutex<Inner>,
    answered: Notify,
    ledger: Arc<Ledger>,
    clock: Clock,
    sink: Arc<dyn Sink>,
}

struct Inner {
    budget: Budget,
    tally: Tally,
    /// The period in which people were told that it is spent.
    told: Option<Span>,
}

impl Inner {
    /// Whether people are to be told that it is spent, or no longer: once for each period, however many calls run into it.
    fn news(&mut self, verdict: Verdict, second: i64) -> Option<bool> {
        match (verdict, self.told) {
            (Verdict::Spent { for_good: true, .. }, None) => {
                self.told = Some(self.budget.period.around(second));
                Some(true)
            }
            (Verdict::Held(span), Some(told)) if told != span => {
                self.told = None;
                Some(false)
            }
            (Verdict::Spent { .. } | Verdict::Held(_) | Verdict::Wait, _) => None,
        }
    }
}

/// Why a call may not go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Short {
    /// Whose budget it is.
    pub account: Arc<str>,
    /// When to come back.
    pub wait: Duration,
    /// Whether the ledger cannot say, instead of the budget being spent.
    pub unknown: bool,
    /// Whether it is spent, and not only held back by open calls.
    pub for_good: bool,
}

/// How a budget stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    /// Its account.
    pub account: Arc<str>,
    /// The budget itself.
    pub budget: Budget,
    /// The period of now.
    pub span: Span,
    /// What is gone of it, by settled calls, by open ones and by leases of processes that ended without settling; `None`
    /// as long as the ledger has not said.
    pub gone: Option<Microusd>,
    /// What open calls hold back.
    pub reserved: Microusd,
    /// By how much open calls may cost more than they hold; `None` where one of them has no bound.
    pub exposure: Option<Microusd>,
}

/// What a call holds back. It must be settled; dropped, it counts as if nothing had been spent.
pub struct Hold {
    purse: Arc<Purse>,
    span: Span,
    need: Need,
    open: bool,
}

impl Hold {
    /// What is held back.
    #[must_use]
    pub const fn amount(&self) -> Microusd {
        Microusd(self.need.amount)
    }

    /// The call cost so much: what the ledger is to write.
    #[must_use]
    pub fn settle(mut self, cost: Microusd) -> Charge {
        self.close(cost.0);
        Charge { account: Arc::clone(&self.purse.account), span: self.span, cost }
    }

    fn close(&mut self, cost: u64) {
        if std::mem::take(&mut self.open) {
            self.purse.lock().tally.settle(self.span, self.need, cost);
        }
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        self.close(0);
    }
}

impl Purse {
    /// Holds back what a call needs. This waits only where no lease is there yet, and not for long.
    ///
    /// # Errors
    /// The budget is spent, or the ledger cannot lease.
    pub async fn hold(self: &Arc<Self>, need: Need) -> Result<Hold, Short> {
        if let Some(decided) = self.attempt(need) {
            return decided;
        }
        let answered = async {
            loop {
                let answer = self.answered.notified();
                tokio::pin!(answer);
                // what is answered between the question and the waiting is not missed
                answer.as_mut().enable();
                if let Some(decided) = self.attempt(need) {
                    return decided;
                }
                answer.await;
            }
        };
        tokio::time::timeout(LEASE_WITHIN, answered).await.unwrap_or_else(|_| Err(self.unknown()))
    }

    /// How much of it calls hold back.
    pub fn reserve(&self) -> Reserve {
        self.lock().budget.reserve
    }

    /// How it stands.
    pub fn standing(&self) -> Standing {
        let inner = self.lock();
        let second = self.clock.steady_unix_seconds();
        let (reserved, exposure) = inner.tally.open();
        Standing {
            account: Arc::clone(&self.account),
            budget: inner.budget,
            span: inner.budget.period.around(second),
            gone: inner.tally.gone(&inner.budget, second).map(Microusd),
            reserved: Microusd(reserved),
            exposure: exposure.map(Microusd),
        }
    }

    /// Holds at once, or says why not; `None` while the ledger is asked.
    fn attempt(self: &Arc<Self>, need: Need) -> Option<Result<Hold, Short>> {
        let (second, now) = (self.clock.steady_unix_seconds(), self.clock.now());
        let mut inner = self.lock();
        let budget = inner.budget;
        let (verdict, ask) = inner.tally.reserve(need, &budget, second, now);
        let news = inner.news(verdict, second);
        drop(inner);
        if let Some(spent) = news {
            self.sink.emit(Event::Budget { account: Arc::clone(&self.account), spent });
        }
        if let Some(ask) = ask {
            self.ask(ask);
        }
        match verdict {
            Verdict::Held(span) => Some(Ok(Hold { purse: Arc::clone(self), span, need, open: true })),
            Verdict::Wait if self.ledger.can_lease() => None,
            Verdict::Wait => Some(Err(self.unknown())),
            Verdict::Spent { wait, for_good } => {
                Some(Err(Short { account: Arc::clone(&self.account), wait, unknown: false, for_good }))
            }
        }
    }

    fn ask(self: &Arc<Self>, ask: Ask) {
        let Ask { span, amount, most } = ask;
        let borrower = Arc::<Self>::clone(self);
        self.ledger.lease(Lease { account: Arc::clone(&self.account), span, amount, most, borrower });
    }

    fn unknown(&self) -> Short {
        Short { account: Arc::clone(&self.account), wait: LEASE_WITHIN, unknown: true, for_good: false }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Borrower for Purse {
    fn granted(&self, span: Span, amount: u64, left: u64) {
        let now: Moment = self.clock.now();
        self.lock().tally.granted(span, amount, left, now);
        self.answered.notify_waiters();
    }
}

/// All budgets that were ever in use.
pub struct Purses {
    by_account: Mutex<HashMap<Arc<str>, Arc<Purse>>>,
    ledger: Arc<Ledger>,
    clock: Clock,
    sink: Arc<dyn Sink>,
}

impl Purses {
    /// Budgets that lease from `ledger`.
    pub fn new(ledger: Arc<Ledger>, clock: Clock, sink: Arc<dyn Sink>) -> Self {
        Self { by_account: Mutex::default(), ledger, clock, sink }
    }

    /// The purse of an account, with the budget as it is now.
    pub fn of(&self, account: &Arc<str>, budget: Budget) -> Arc<Purse> {
        let mut by_account = self.by_account.lock().unwrap_or_else(PoisonError::into_inner);
        let purse = by_account.entry(Arc::clone(account)).or_insert_with(|| {
            Arc::new(Purse {
                account: Arc::clone(account),
                inner: Mutex::new(Inner { budget, tally: Tally::default(), told: None }),
                answered: Notify::new(),
                ledger: Arc::clone(&self.ledger),
                clock: self.clock,
                sink: Arc::clone(&self.sink),
            })
        });
        let mut inner = purse.lock();
        if inner.budget != budget {
            inner.budget = budget;
            inner.tally.forget_left();
            // of another budget it is news when a call fits again
            inner.told = inner.told.map(|_| Span { from: 0, until: 0 });
        }
        let look = inner.tally.look(&budget, self.clock.steady_unix_seconds(), self.clock.now());
        drop(inner);
        if let Some(look) = look {
            purse.ask(look);
        }
        Arc::clone(purse)
    }
}
