//! Randomness for spreading things out: jitter and request ids. Not for secrets.

use std::sync::atomic::{AtomicU64, Ordering};

/// A generator that many threads share without a lock (SplitMix64: Steele, Lea, Flood 2014).
#[derive(Debug)]
pub struct Random(AtomicU64);

impl Random {
    /// The increment of SplitMix64, the golden ratio in 64 bits.
    const STEP: u64 = 0x9E37_79B9_7F4A_7C15;

    /// A generator that repeats itself for the same seed.
    #[must_use]
    pub const fn seeded(seed: u64) -> Self {
        Self(AtomicU64::new(seed))
    }

    /// The next 64 bits.
    pub fn bits(&self) -> u64 {
        let mut z = self.0.fetch_add(Self::STEP, Ordering::Relaxed).wrapping_add(Self::STEP);
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// The next number in 0 to 1, 1 excluded.
    pub fn unit(&self) -> f64 {
        (self.bits() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// A factor between `1 - spread` and `1 + spread`.
    pub fn around_one(&self, spread: f64) -> f64 {
        1.0 + spread * (2.0 * self.unit() - 1.0)
    }
}
