//! Training is sufficient statistics: count, sum, fit, pack. Pure: the command line reads the documents
//! and writes the bundle.

pub mod counts;
pub mod fit;
pub mod folds;
pub mod language;
pub mod ledger;
pub mod offers;
pub mod relatives;
pub mod review;
pub mod slice;
pub mod spam;
pub mod text;
mod without;
pub mod worths;

/// One document in ten is held back from the first fit. Near-duplicates fall on one side: only the
/// letters of the beginning decide.
pub fn is_held_back(text: &str) -> bool {
    near_duplicate_key(text).is_multiple_of(10)
}

/// The same for texts whose beginnings have the same letters.
pub fn near_duplicate_key(text: &str) -> u64 {
    let key: String =
        text.chars().filter(|c| c.is_alphabetic()).take(60).flat_map(char::to_lowercase).collect();
    xxhash_rust::xxh3::xxh3_64(key.as_bytes())
}
