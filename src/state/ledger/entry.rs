//! What the ledger keeps of an attempt.

use crate::base::event::Counted;
use crate::base::money::Microusd;
use crate::base::tokens::Tokens;
use crate::snapshot::budget::Span;
use std::sync::Arc;

/// One attempt, or the sum of several that could not be written one by one.
#[derive(Clone, Debug)]
pub struct Entry {
    /// When it ended, in seconds since 1970.
    pub at: i64,
    /// The request id that the client got; empty for a sum.
    pub request: Arc<str>,
    /// Its number within the exchange, from 1.
    pub attempt: u32,
    /// Exchanges that ended with it: 1 for the last attempt, else 0.
    pub exchanges: u64,
    /// Attempts that it stands for.
    pub attempts: u64,
    /// The key's name.
    pub key: Arc<str>,
    /// The team's name, or empty.
    pub team: Arc<str>,
    /// The pool's name.
    pub pool: Arc<str>,
    /// The deployment's id.
    pub deployment: Arc<str>,
    /// What it consumed.
    pub tokens: Tokens,
    /// Who counted.
    pub counted: Counted,
    /// What it is charged with; `None` where the price is unknown.
    pub cost: Option<Microusd>,
    /// What was held back for it.
    pub reserved: Microusd,
    /// The outcome class of the attempt.
    pub class: &'static str,
    /// How the exchange ended, for its last attempt; else empty.
    pub outcome: &'static str,
    /// The budgets that pay for it.
    pub charges: Vec<Charge>,
}

/// What a budget pays.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Charge {
    /// Its account.
    pub account: Arc<str>,
    /// The period in which it was held back.
    pub span: Span,
    /// How much.
    pub cost: Microusd,
}

impl Entry {
    /// Takes another entry of the same key and deployment in: detail is lost, money is not.
    pub(super) fn fold(&mut self, other: Self) {
        self.request = Arc::from("");
        self.attempt = 0;
        (self.class, self.outcome) = ("sum", "");
        self.at = self.at.max(other.at);
        self.exchanges += other.exchanges;
        self.attempts += other.attempts;
        self.tokens = self.tokens + other.tokens;
        self.counted = Counted::Estimated;
        self.cost = match (self.cost, other.cost) {
            (Some(this), Some(that)) => Some(this + that),
            (this, that) => this.or(that),
        };
        self.reserved = self.reserved + other.reserved;
        for charge in other.charges {
            match self.charges.iter_mut().find(|own| own.account == charge.account && own.span == charge.span) {
                Some(own) => own.cost = own.cost + charge.cost,
                None => self.charges.push(charge),
            }
        }
    }
}
