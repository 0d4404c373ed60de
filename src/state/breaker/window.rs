//! What went well and what did not in the last half minute, in ten buckets.

use crate::base::clock::Moment;
use std::time::Duration;

/// Length of one bucket of the sliding window; ten of them make the window.
const BUCKET: Duration = Duration::from_secs(3);
const BUCKETS: usize = 10;

/// How many attempts of the window ended how.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Counts {
    pub(super) good: u32,
    pub(super) bad: u32,
}

impl Counts {
    pub(super) const fn all(self) -> u32 {
        self.good + self.bad
    }
}

#[derive(Clone, Copy, Debug, Default)]
struct Bucket {
    number: u64,
    counts: Counts,
}

/// The sliding window.
#[derive(Debug, Default)]
pub(super) struct Window {
    buckets: [Bucket; BUCKETS],
    /// What is counted as bad in all buckets, old ones included.
    bad: u32,
}

impl Window {
    pub(super) fn good(&mut self, now: Moment) {
        self.bucket(now).good += 1;
    }

    /// One of the successes of this window was none.
    pub(super) fn take_back(&mut self, now: Moment) {
        let newest = bucket_number(now);
        let recent = self.buckets.iter_mut().filter(|bucket| bucket.number + BUCKETS as u64 > newest);
        if let Some(bucket) = recent.filter(|bucket| bucket.counts.good > 0).max_by_key(|bucket| bucket.number) {
            bucket.counts.good -= 1;
        }
    }

    pub(super) fn bad(&mut self, now: Moment) {
        self.bucket(now).bad += 1;
        self.bad += 1;
    }

    /// Whether anything may have gone wrong of late.
    pub(super) const fn has_bad(&self) -> bool {
        self.bad > 0
    }

    pub(super) fn counts(&self, now: Moment) -> Counts {
        let newest = bucket_number(now);
        let recent = self.buckets.iter().filter(|bucket| bucket.number + BUCKETS as u64 > newest);
        recent.fold(Counts::default(), |sum, bucket| Counts {
            good: sum.good + bucket.counts.good,
            bad: sum.bad + bucket.counts.bad,
        })
    }

    fn bucket(&mut self, now: Moment) -> &mut Counts {
        let number = bucket_number(now);
        let bucket = &mut self.buckets[(number % BUCKETS as u64) as usize];
        if bucket.number != number {
            self.bad -= bucket.counts.bad;
            *bucket = Bucket { number, counts: Counts::default() };
        }
        &mut bucket.counts
    }
}

const fn bucket_number(now: Moment) -> u64 {
    now.since(Moment::START).as_secs() / BUCKET.as_secs()
}
