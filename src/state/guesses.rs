//! Keys that are guessed: an address that shows too many wrong ones is told to wait with the next wrong one. A right key is
//! never asked about this, so that nobody is locked out by what others guess behind the same address.

use crate::base::clock::Moment;
use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// Wrong keys of one address within [`WITHIN`] that are answered as such.
const MOST: u32 = 20;
const WITHIN: Duration = Duration::from_secs(60);
/// Addresses that are remembered; beyond them all are forgotten.
const ADDRESSES: usize = 10_000;
/// The part of an IPv6 address that one customer has to himself: all of its lower half (RFC 6177 section 2).
const NETWORK: u128 = u128::MAX << 64;

/// Who showed wrong keys lately.
#[derive(Debug, Default)]
pub struct Guesses(Mutex<HashMap<IpAddr, Guessed>>);

/// What one address showed.
#[derive(Clone, Copy, Debug)]
struct Guessed {
    since: Moment,
    wrong: u32,
}

impl Guesses {
    /// Takes note of a wrong key. Returns how long its sender is to wait, where there were too many.
    #[must_use]
    pub fn wrong(&self, from: IpAddr, now: Moment) -> Option<Duration> {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let from = network(from);
        if known.len() >= ADDRESSES && !known.contains_key(&from) {
            known.retain(|_, guessed| now.since(guessed.since) < WITHIN);
            if known.len() >= ADDRESSES {
                known.clear();
            }
        }
        let guessed = known.entry(from).or_insert(Guessed { since: now, wrong: 0 });
        if now.since(guessed.since) >= WITHIN {
            *guessed = Guessed { since: now, wrong: 0 };
        }
        guessed.wrong = guessed.wrong.saturating_add(1);
        (guessed.wrong > MOST).then(|| (guessed.since + WITHIN).since(now))
    }
}

fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() & NETWORK)),
        v4 @ IpAddr::V4(_) => v4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn at(second: u64) -> Moment {
        Moment::after_start(Duration::from_secs(second))
    }

    fn wrong(guesses: &Guesses, from: &str, second: u64) -> Option<u64> {
        guesses.wrong(from.parse().unwrap(), at(second)).map(|wait| wait.as_secs())
    }

    #[test]
    fn f_126_whoever_guesses_waits_until_its_minute_is_over() {
        let guesses = Guesses::default();
        for _ in 0..20 {
            assert_eq!(wrong(&guesses, "192.0.2.1", 100), None);
        }
        assert_eq!(wrong(&guesses, "192.0.2.1", 110), Some(50));
        assert_eq!(wrong(&guesses, "::ffff:192.0.2.1", 159), Some(1), "the same address");
        assert_eq!(wrong(&guesses, "192.0.2.2", 110), None, "another one");
        assert_eq!(wrong(&guesses, "192.0.2.1", 160), None, "another minute");
    }

    #[test]
    fn f_126_a_network_of_ipv6_is_one_source() {
        let guesses = Guesses::default();
        let waits: Vec<_> = (0..=20).map(|host| wrong(&guesses, &format!("2001:db8::{host}"), 0)).collect();
        assert_eq!((waits[19], waits[20]), (None, Some(60)));
        assert_eq!(wrong(&guesses, "2001:db8:0:1::1", 0), None);
    }

    #[test]
    fn no_more_addresses_are_remembered_than_fit() {
        let guesses = Guesses::default();
        for address in 0..=ADDRESSES as u32 {
            assert_eq!(guesses.wrong(IpAddr::V4(address.into()), at(0)), None);
        }
        assert!(guesses.0.lock().unwrap().len() <= ADDRESSES);
    }
}
