//! Where sessions were served last, so that the prompt cache which their vendor keeps is hit again.
//!
//! A cold prompt costs several times a warm one. Only numbers are kept: neither a session's name nor a word of its prompt.

use crate::base::clock::Moment;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

/// A session that is silent for so long finds no warm cache at any vendor.
const KEPT: Duration = Duration::from_secs(3600);
/// Sessions in each of the two generations: some 6 MB when full.
const MOST: usize = 32_768;

/// Where sessions were served last: two generations, the older of which is forgotten when the younger is full.
#[derive(Debug, Default)]
pub struct Affinity {
    young: HashMap<u64, Stay>,
    old: HashMap<u64, Stay>,
}

#[derive(Clone, Debug)]
struct Stay {
    home: Arc<str>,
    since: Moment,
}

impl Affinity {
    /// What the session was served by, by the key of its health, if that was not too long ago.
    #[must_use]
    pub fn home(&self, session: u64, now: Moment) -> Option<Arc<str>> {
        let stay = self.young.get(&session).or_else(|| self.old.get(&session))?;
        (now.since(stay.since) < KEPT).then(|| Arc::clone(&stay.home))
    }

    /// The session was served there.
    pub fn served(&mut self, session: u64, home: &Arc<str>, now: Moment) {
        if self.young.len() >= MOST && !self.young.contains_key(&session) {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(session, Stay { home: Arc::clone(home), since: now });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Moment {
        Moment::after_start(Duration::from_secs(seconds))
    }

    #[test]
    fn a_session_is_remembered_for_an_hour_after_it_was_served_last() {
        let (mut affinity, home) = (Affinity::default(), Arc::from("a"));
        assert_eq!(affinity.home(1, at(0)), None);
        affinity.served(1, &home, at(0));
        assert_eq!(affinity.home(1, at(3_599)), Some(home.clone()));
        affinity.served(1, &home, at(3_599));
        assert_eq!(affinity.home(1, at(7_198)), Some(home));
        assert_eq!(affinity.home(1, at(7_199)), None);
    }

    #[test]
    fn however_many_sessions_there_are_few_are_kept_and_the_latest_among_them() {
        let (mut affinity, home) = (Affinity::default(), Arc::from("a"));
        for session in 0..10 * MOST as u64 {
            affinity.served(session, &home, at(0));
        }
        assert!(affinity.young.len() + affinity.old.len() <= 2 * MOST);
        assert!(affinity.home(9 * MOST as u64, at(0)).is_some());
    }
}
