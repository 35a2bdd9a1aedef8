//! Sets of fingerprints: most lines asked about are in none.

/// Bits of the filter for each fingerprint, at least: one line in eight passes that is not in the set.
const BITS_EACH: usize = 8;

/// Fingerprints, sorted and without doubles, behind a filter of bits that lets all of them pass.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Prints {
    sorted: Vec<u64>,
    /// A bit for every fingerprint, at its low bits; as many as a power of two.
    filter: Vec<u64>,
}

impl Prints {
    pub(super) fn contains(&self, print: u64) -> bool {
        let Some(mask) = (self.filter.len() * 64).checked_sub(1) else { return false };
        let bit = print as usize & mask;
        self.filter.get(bit / 64).is_some_and(|word| word >> (bit % 64) & 1 == 1)
            && self.sorted.binary_search(&print).is_ok()
    }

    pub(super) fn as_slice(&self) -> &[u64] {
        &self.sorted
    }
}

impl From<Vec<u64>> for Prints {
    fn from(mut sorted: Vec<u64>) -> Self {
        sorted.sort_unstable();
        sorted.dedup();
        let words = (sorted.len() * BITS_EACH).div_ceil(64).next_power_of_two();
        let mut filter = vec![0_u64; words];
        for print in &sorted {
            let bit = *print as usize & (words * 64 - 1);
            filter[bit / 64] |= 1 << (bit % 64);
        }
        Self { sorted, filter }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_put_in_and_nothing_else_is_in() {
        let numbers = |from: u64| (from..from + 300).map(|n| xxhash_rust::xxh3::xxh3_64(&n.to_le_bytes()));
        let prints = Prints::from(numbers(0).chain(numbers(0)).collect::<Vec<u64>>());
        assert_eq!(prints.as_slice().len(), 300);
        assert!(numbers(0).all(|print| prints.contains(print)));
        assert!(!numbers(300).any(|print| prints.contains(print)));
        assert!(!Prints::default().contains(0) && !Prints::from(Vec::new()).contains(0));
    }
}
