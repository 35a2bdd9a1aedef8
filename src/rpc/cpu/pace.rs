//! How long texts take: what one costs beside another, and how fast they have been classified lately.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// What a text costs beside its bytes, in bytes.
const OF_ANY_TEXT: u64 = 1 << 10;
/// Bytes of which a text's n-grams are looked up, about; those of which most sentences are looked at; by how much a byte
/// after the former, and one after the latter, costs less.
const LOOKED_AT: usize = 3 << 10;
const READ: usize = 32 << 10;
const AS_CHEAP: (u64, u64) = (6, 12);
/// Nanoseconds a byte takes, until some have been seen; an average over some sixteen texts then.
pub(super) const BYTE_NS: u64 = 600;
const SEEN: i64 = 16;
/// A text that took longer than expected counts as this many times as long at most: the machine may have stood still.
const OUTLIER: i64 = 4;

/// The work of a text, in bytes of a short one: what comes after its beginning is only skimmed.
pub(super) fn cost(bytes: usize) -> u64 {
    let [first, second] = [LOOKED_AT, READ].map(|end| bytes.min(end) as u64);
    OF_ANY_TEXT + first + (second - first) / AS_CHEAP.0 + (bytes as u64 - second) / AS_CHEAP.1
}

/// How fast texts are classified.
#[derive(Debug)]
pub(super) struct Pace(AtomicU64);

impl Pace {
    /// Before any text has been seen.
    pub(super) fn new() -> Self {
        Self(AtomicU64::new(BYTE_NS))
    }

    pub(super) fn of(&self, cost: u64) -> Duration {
        Duration::from_nanos(cost.saturating_mul(self.0.load(Ordering::Relaxed)))
    }

    /// A text of such cost took so long. Two at once may lose one of them.
    pub(super) fn learn(&self, cost: u64, took: Duration) {
        let seen = i64::try_from(took.as_nanos() / u128::from(cost.max(1))).unwrap_or(i64::MAX);
        let before = self.0.load(Ordering::Relaxed) as i64;
        let seen = seen.min(before.saturating_mul(OUTLIER));
        let now = before.saturating_add(seen.saturating_sub(before) / SEEN);
        self.0.store(now.max(1) as u64, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pace_is_the_one_seen() {
        let pace = Pace(AtomicU64::new(1_000));
        assert_eq!(pace.of(2_048), Duration::from_micros(2_048));
        for _ in 0..200 {
            pace.learn(1_000, Duration::from_micros(500));
        }
        assert!((500..=516).contains(&pace.0.load(Ordering::Relaxed)));
        pace.learn(1, Duration::MAX);
        assert!(pace.0.load(Ordering::Relaxed) < 700, "one text says little");
        pace.of(u64::MAX);
    }
}
