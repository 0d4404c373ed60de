//! How often a pool asks two deployments at once: a share of its calls, and never more.

/// Hedges in a row that a time without any leaves room for.
const BURST: f64 = 3.0;

/// What of its share a pool has left.
#[derive(Debug, Default)]
pub struct Hedging {
    hedges: f64,
}

impl Hedging {
    /// A call is made that may be hedged, in a pool that hedges so many of a hundred.
    pub fn call(&mut self, share_percent: u32) {
        self.hedges = (self.hedges + f64::from(share_percent) / 100.0).min(BURST);
    }

    /// Takes one hedge; `false` when the share is used up.
    pub fn take(&mut self) -> bool {
        // hundredths do not add up to wholes
        let left = self.hedges > 1.0 - 1e-9;
        if left {
            self.hedges = (self.hedges - 1.0).max(0.0);
        }
        left
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_more_than_the_share_is_hedged_however_many_calls_are_slow() {
        let mut hedging = Hedging::default();
        let mut hedged = |calls: u32, slow: bool| {
            (0..calls)
                .filter(|_| {
                    hedging.call(5);
                    slow && hedging.take()
                })
                .count()
        };
        assert_eq!(hedged(19, true), 0, "what was not earned yet is not spent");
        assert_eq!(hedged(1_981, true), 100);
        hedged(10_000, false);
        assert_eq!(hedged(20, true), 3, "a calm time leaves room for a few, not for a storm");
    }
}
