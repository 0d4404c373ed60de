//! Pools.

use crate::config::reader::At;
use crate::config::section::{choice, section};
use crate::config::tables::vendor::{Price, Timeouts};
use crate::config::values::{Number, Tier};
use std::time::Duration;

choice! {
    /// The order within a tier.
    Order {
        /// As listed.
        Listed = "listed",
        /// Cheapest first.
        Price = "price",
        /// Fastest first content first.
        Latency = "latency",
    }
}

choice! {
    /// What an active probe may cost.
    Probe {
        /// No active probes.
        Off = "off",
        /// TLS handshake and the free model listing.
        Free = "free",
        /// A call of a few tokens, which the vendor bills.
        Paid = "paid",
    }
}

section! {
    /// The deployments behind one public model name.
    Pool {
        /// Further names that clients may ask for.
        aliases: Vec<At<String>>,
        /// "endpoint/model" in order of preference; a nested list is one tier.
        deployments: At<Vec<Tier>>,
        /// The order within a tier.
        order: Option<Order>,
        /// Upper bound of what a deployment may charge.
        max_price: Option<At<Price>>,
        /// When a deployment that grew too expensive is left and used again.
        surge: Option<At<Surge>>,
        /// How long to wait for the preferred deployment before moving.
        patience: Option<Duration>,
        /// Attempts of one exchange.
        attempts: Option<At<u32>>,
        /// Time of one exchange until content goes out.
        deadline: Option<Duration>,
        /// Whether broken streams are carried on where it is safe.
        continuation: Option<bool>,
        /// Whether a deployment that is slow for once gets company.
        hedge: Option<At<Hedge>>,
        /// How long to wait for what.
        timeouts: Option<Timeouts>,
        /// When a deployment is taken out and tried again.
        breaker: Option<At<Breaker>>,
        /// What an active probe may cost.
        probe: Option<Probe>,
        /// The pause between probes of a deployment that is out.
        probe_every: Option<Duration>,
    }
}

section! {
    /// Factors of `max_price` at which a deployment is left and used again.
    Surge {
        /// Above this factor it is left.
        leave: Option<Number>,
        /// Below this factor it is used again.
        r#return: Option<Number>,
        /// How long the price must hold.
        hold: Option<Duration>,
    }
}

section! {
    /// How often a second deployment is asked beside one that is slow for once.
    Hedge {
        /// The share of calls that may be, in per cent.
        share_percent: Option<u32>,
    }
}

section! {
    /// When a deployment is taken out and tried again.
    Breaker {
        /// Consecutive hard failures that take it out.
        consecutive: Option<u32>,
        /// Fewest samples for the ratio to count.
        samples: Option<u32>,
        /// It is taken out when fewer than this share succeeded, in per cent.
        success_percent: Option<u32>,
        /// First time out.
        open: Option<Duration>,
        /// Longest time out.
        cap: Option<Duration>,
        /// Successes in a row that take it in again.
        close_after: Option<u32>,
        /// How long its share of calls grows after that.
        slow_start: Option<Duration>,
    }
}
