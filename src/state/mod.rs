//! Floor 4: what was observed. Never settings: those are in the snapshot, and every decision here is given both.

pub mod admission;
pub mod affinity;
pub mod breaker;
pub mod bucket;
pub mod budget;
pub mod clock;
pub mod guesses;
pub mod health;
pub mod hedging;
pub mod ids;
pub mod latency;
pub mod ledger;
pub mod limits;
pub mod purse;
pub mod quota;
pub mod restrictions;
pub mod retry_budget;
pub mod surge;
pub mod terms;
pub mod world;
