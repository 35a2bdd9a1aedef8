//! Finding features in a table.

use super::{Bucket, COUNT_FOLLOWS, NARROW_MAX, Record, Table, Weights, bucket_of, fingerprint_of, spread};
use crate::features::Hashed;
use crate::prefetch::prefetch;

/// Features looked up at once: the memory of one arrives while that of the others is asked for.
pub(super) const AHEAD: usize = 64;

/// Where to look for a feature; nowhere when `end` is 0.
#[derive(Clone, Copy, Default)]
struct Where {
    at: u32,
    end: u32,
    fingerprint: u16,
    /// Of the feature among those looked up at once.
    index: u16,
}

/// Indices of what a table does not know among `MOST` features.
pub struct Unknown<const MOST: usize> {
    indices: [u16; MOST],
    n: usize,
}

impl<const MOST: usize> Unknown<MOST> {
    #[inline]
    fn add(&mut self, index: usize, unknown: bool) {
        if let Some(next) = self.indices.get_mut(self.n) {
            *next = index as u16;
            self.n += usize::from(unknown);
        }
    }

    pub fn indices(&self) -> impl ExactSizeIterator<Item = usize> {
        self.indices[..self.n].iter().map(|index| usize::from(*index))
    }
}

impl Weights {
    #[inline]
    fn bucket(&self, table: &Table, hash: u64) -> usize {
        (table.first_bucket + bucket_of(spread(hash), table.n_buckets)) as usize
    }

    #[inline]
    fn place(&self, table: &Table, hash: u64) -> Where {
        if table.n_buckets == 0 {
            return Where::default();
        }
        let bucket = self.bucket(table, hash);
        let fingerprint = fingerprint_of(spread(hash));
        match self.buckets.get(bucket..bucket + 2) {
            Some(&[own, next]) => {
                // nowhere without a branch that nobody could foresee
                let there = u32::from(own.bits & Bucket::bit(fingerprint) != 0);
                Where { at: own.start * there, end: next.start * there, fingerprint, index: 0 }
            }
            _ => Where::default(),
        }
    }

    #[inline]
    fn find(&self, place: Where) -> Option<Record<'_>> {
        let (mut at, end) = (place.at as usize, place.end as usize);
        let records = self.records.get(..end)?;
        while let Some(&[low, high]) = records.get(at..at + 2) {
            let head = u16::from_le_bytes([low, high]);
            if head >> 4 == place.fingerprint {
                let (_, codes, _) = self.record(at, end)?;
                return Some(Record { start: at, codes });
            }
            at += match usize::from(head & 0xF) {
                0 => self.record(at, end)?.2 - at,
                n if n <= usize::from(NARROW_MAX) => 2 + n,
                n if n < usize::from(COUNT_FOLLOWS) => 2 + 2 * (n - usize::from(NARROW_MAX)),
                _ => 3 + 2 * usize::from(*records.get(at + 2)?),
            };
        }
        None
    }

    /// What a table knows of a feature.
    #[inline]
    pub fn get(&self, table: &Table, hash: u64) -> Option<Record<'_>> {
        self.find(self.place(table, hash))
    }

    /// Calls `each(label, weight)` for the labels a feature met; says whether the table knows it.
    pub fn look_up(&self, table: &Table, hash: u64, each: impl FnMut(usize, f32)) -> bool {
        let record = self.get(table, hash);
        if let Some(record) = record {
            self.each_weight(record, each);
        }
        record.is_some()
    }

    /// Calls `each` with the index and the record of each feature that the table knows, in order: [`Self::get`] for
    /// `MOST` at most, which waits for memory once for all that are looked up at once. Returns the others, in no order.
    #[inline]
    pub fn look_up_all<F: Hashed, const MOST: usize>(
        &self,
        table: &Table,
        features: &[F],
        mut each: impl FnMut(usize, Record<'_>),
    ) -> Unknown<MOST> {
        debug_assert!(features.len() <= MOST, "{} of at most {MOST} features", features.len());
        let mut unknown = Unknown { indices: [0; MOST], n: 0 };
        for (chunk, features) in features.chunks(AHEAD).enumerate() {
            // of what may begin in one cache line and end in the next, both
            for feature in features {
                let bucket = self.bucket(table, feature.hash());
                prefetch(&self.buckets, bucket);
                prefetch(&self.buckets, bucket + 1);
            }
            // Whether a feature may be there nobody can foresee, so that nothing depends on it.
            let (mut places, mut n) = ([Where::default(); AHEAD], 0);
            for (index, feature) in (chunk * AHEAD..).zip(features) {
                let place = self.place(table, feature.hash());
                let there = place.end > 0;
                places[n] = Where { index: index as u16, ..place };
                n += usize::from(there);
                unknown.add(index, !there);
            }
            let places = &places[..n];
            for place in places {
                prefetch(&self.records, place.at as usize);
                prefetch(&self.records, place.end as usize - 1);
            }
            for &place in places {
                let index = usize::from(place.index);
                match self.find(place) {
                    Some(record) => each(index, record),
                    None => unknown.add(index, true),
                }
            }
        }
        unknown
    }
}
