//! The packed weights of a fitted model, and scoring with them.
//!
//! A *table* (one per language group, say) is a run of buckets; a feature hash picks its bucket and a
//! 12-bit fingerprint within it. A bucket's records follow each other in a byte stream:
//!
//! ```text
//! u16 little-endian: fingerprint << 4 | n
//!     n = 0:        a mask of the labels follows, lowest label first, then a nibble per label in it
//!     n in 1..=6:   n narrow codes follow
//!     n in 7..=14:  n - 6 wide codes follow
//!     n = 15:       a byte with the number of wide codes, then they follow
//! narrow code: u8                label * narrow levels + level
//! wide code:   u16 little-endian label * wide levels + level
//! nibble:      level, the first one in the low half of its byte
//! ```
//!
//! `level` points into a codebook of weights shared by all tables, one for each kind of code. Rare features,
//! most of all features, have few and large weights: 17 labels and 15 levels fit one byte, so such a
//! feature costs about four bytes in all. A frequent feature met most labels: a mask and half a byte for each
//! is the shortest. Few small weights get wide codes.

mod look_up;
mod pack;

pub use look_up::Unknown;
pub use pack::{Feature, LabelWeights, TableInput, packed_size};

use super::calibration::Scaling;
use super::scaled_softmax;
use crate::prefetch::prefetch;
use bytes::Bytes;
use look_up::AHEAD;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Largest `n` of a record of narrow codes.
const NARROW_MAX: u16 = 6;
const COUNT_FOLLOWS: u16 = 15;
/// Levels of a nibble; their relative error of a fifth averages out over the labels and features of a text.
const NIBBLE_LEVELS: usize = 16;
/// With more labels a mask is no shorter than wide codes, and small weights matter more.
const MASK_MAX_LABELS: usize = 64;

/// One language group's part of a [`Weights`].
#[derive(Clone, Debug, PartialEq)]
pub struct Table {
    pub name: String,
    pub first_bucket: u32,
    pub n_buckets: u32,
    /// Per label; minus infinity where the table never saw the label.
    pub bias: Vec<f32>,
    /// Softmax temperature found on held-back documents.
    pub temperature: f32,
    /// Per label, added after the temperature: what held-back documents said of the label's frequency.
    pub offsets: Vec<f32>,
    /// Training documents behind the table.
    pub documents: u64,
}

impl Table {
    pub fn scaling(&self) -> Scaling {
        Scaling {
            temperature: f64::from(self.temperature),
            offsets: self.offsets.iter().map(|o| f64::from(*o)).collect(),
        }
    }
}

/// With larger ones the scores of a text could pass all numbers.
const LARGEST: f32 = 1e6;

/// More labels would leave fewer than 16 levels.
pub const MAX_LABELS: usize = 4096;

#[derive(Clone, Copy)]
enum Codes<'a> {
    Narrow(&'a [u8]),
    Wide(&'a [u8]),
    /// The mask, the first label its lowest bit, and the nibbles.
    Masked(u64, &'a [u8]),
}

/// What a table knows of a feature.
#[derive(Clone, Copy)]
pub struct Record<'a> {
    start: usize,
    codes: Codes<'a>,
}

impl Record<'_> {
    /// Where it begins among the records: no other begins there.
    pub fn start(&self) -> usize {
        self.start
    }

    /// How many labels it names.
    pub fn n_labels(&self) -> usize {
        match self.codes {
            Codes::Narrow(codes) => codes.len(),
            Codes::Wide(codes) => codes.len() / 2,
            Codes::Masked(mask, _) => mask.count_ones() as usize,
        }
    }
}

/// Where a bucket begins, and a bit of 32 for the fingerprint of every record in it: most features of a text
/// are in no table, and most of these are seen not to be without reading the records.
#[derive(Clone, Copy, Debug, Default)]
struct Bucket {
    start: u32,
    bits: u32,
}

impl Bucket {
    fn bit(fingerprint: u16) -> u32 {
        1 << (fingerprint & 31)
    }
}

/// Codebooks: the weights of the levels of each kind of code.
#[derive(Clone, Debug, PartialEq)]
pub struct Codebooks {
    /// None where the labels are too many for a byte.
    pub narrow: Vec<f32>,
    pub wide: Vec<f32>,
    /// None where the labels are too many for a mask.
    pub nibble: Vec<f32>,
}

fn mask_bytes(n_labels: usize) -> usize {
    n_labels.div_ceil(8)
}

/// The bytes of a mask, eight at most, as a number.
#[inline]
fn mask(bytes: &[u8]) -> u64 {
    bytes.iter().rev().fold(0, |mask, byte| mask << 8 | u64::from(*byte))
}

/// All tables of one task. Cheap to clone: the bytes are shared.
#[derive(Clone, Debug)]
pub struct Weights {
    n_labels: usize,
    codebooks: Codebooks,
    tables: Vec<Table>,
    records: Bytes,
    /// One more than there are buckets.
    buckets: Arc<[Bucket]>,
    /// No other weights of the process have it, but for copies of these.
    id: u64,
    /// `2^32 / wide levels`, rounded up: a product and a shift divide a code of 16 bits by the levels exactly.
    wide_reciprocal: u64,
    /// Label and weight of every narrow code; none for codes past the last level.
    narrow_codes: Arc<[(u16, Option<f32>)]>,
}

#[derive(Debug, PartialEq, thiserror::Error)]
pub enum WeightsError {
    #[error("{0}")]
    Shape(String),
    #[error("a weight or bias is not finite")]
    NonFinite,
    #[error("a weight, bias or offset is beyond ±{LARGEST}")]
    TooLarge,
}

#[inline]
fn spread(hash: u64) -> u64 {
    hash.wrapping_mul(0x9FB2_1C65_1E98_DF25)
}

#[inline]
fn bucket_of(spread: u64, n_buckets: u32) -> u32 {
    (((spread >> 32) * u64::from(n_buckets)) >> 32) as u32
}

#[inline]
fn fingerprint_of(spread: u64) -> u16 {
    (spread >> 8) as u16 & 0x0FFF
}

impl Weights {
    pub fn n_labels(&self) -> usize {
        self.n_labels
    }

    pub fn tables(&self) -> &[Table] {
        &self.tables
    }

    pub fn table(&self, name: &str) -> Option<usize> {
        self.tables.binary_search_by(|t| t.name.as_str().cmp(name)).ok()
    }

    /// Whether a table's documents had a label.
    pub fn has_met(&self, table: usize, label: usize) -> bool {
        let bias = self.tables.get(table).and_then(|table| table.bias.get(label));
        bias.is_some_and(|bias| *bias != f32::NEG_INFINITY)
    }

    pub fn set_scaling(&mut self, table: usize, scaling: &Scaling) {
        if let Some(table) = self.tables.get_mut(table) {
            table.temperature = scaling.temperature as f32;
            table.offsets = scaling.offsets.iter().map(|o| *o as f32).collect();
        }
    }

    /// Calibrated probabilities of a table's scores.
    pub fn probabilities(&self, table: usize, scores: &[f32]) -> super::Probabilities {
        match self.tables.get(table) {
            Some(t) => scaled_softmax(scores, f64::from(t.temperature), |label| f64::from(t.offsets[label])),
            None => smallvec::smallvec![0.0; scores.len()],
        }
    }

    pub fn codebooks(&self) -> &Codebooks {
        &self.codebooks
    }

    /// Where each bucket begins among the records, and where the last one ends.
    pub fn starts(&self) -> impl Iterator<Item = u32> {
        self.buckets.iter().map(|bucket| bucket.start)
    }

    /// The record stream.
    pub fn records(&self) -> &Bytes {
        &self.records
    }

    /// Puts the parts of a file together, checking every offset, code and number. `starts` are as
    /// [`Self::starts`] gives them.
    pub fn from_parts(
        n_labels: usize,
        codebooks: Codebooks,
        tables: Vec<Table>,
        starts: &[u32],
        records: Bytes,
    ) -> Result<Self, WeightsError> {
        let shape = |what: String| Err(WeightsError::Shape(what));
        let Codebooks { narrow, wide, nibble } = &codebooks;
        if n_labels == 0 || n_labels > MAX_LABELS || wide.is_empty() {
            return shape(format!(
                "{n_labels} labels, {} levels: at most {MAX_LABELS} labels fit",
                wide.len()
            ));
        }
        if n_labels * narrow.len() > 1 << 8 || n_labels * wide.len() > 1 << 16 {
            return shape(format!(
                "{n_labels} labels of {} and {} levels do not fit a code",
                narrow.len(),
                wide.len()
            ));
        }
        if nibble.len() > NIBBLE_LEVELS {
            return shape(format!("{} levels do not fit a nibble", nibble.len()));
        }
        if narrow.iter().chain(wide).chain(nibble).any(|w| !w.is_finite())
            || tables.iter().any(|t| {
                t.bias.iter().any(|b| b.is_nan() || *b == f32::INFINITY)
                    || t.offsets.iter().any(|o| !o.is_finite())
                    || !(t.temperature.is_finite() && t.temperature > 0.0)
            })
        {
            return Err(WeightsError::NonFinite);
        }
        let of_tables = tables.iter().flat_map(|t| t.bias.iter().chain(&t.offsets));
        let numbers = narrow.iter().chain(wide).chain(nibble).chain(of_tables);
        if numbers.filter(|n| n.is_finite()).any(|n| n.abs() > LARGEST) {
            return Err(WeightsError::TooLarge);
        }
        if !tables.is_sorted_by(|a, b| a.name < b.name) {
            return shape("tables are not in order of their names".into());
        }
        let (Some(&first), Some(&last)) = (starts.first(), starts.last()) else {
            return shape("no bucket starts".into());
        };
        let n_buckets = starts.len() - 1;
        let mut next = 0_u64;
        for table in &tables {
            if table.bias.len() != n_labels || table.offsets.len() != n_labels {
                return shape(format!(
                    "table {} has {} biases for {n_labels} labels",
                    table.name,
                    table.bias.len()
                ));
            }
            if u64::from(table.first_bucket) != next {
                return shape(format!("table {} does not follow the one before it", table.name));
            }
            next += u64::from(table.n_buckets);
        }
        if next != n_buckets as u64 {
            return shape(format!("tables use {next} of {n_buckets} buckets"));
        }
        let wide_reciprocal = (1 << 32) / wide.len() as u64 + 1;
        static IDS: AtomicU64 = AtomicU64::new(1);
        let (buckets, id) = (Arc::default(), IDS.fetch_add(1, Ordering::Relaxed));
        let levels = codebooks.narrow.len().max(1);
        let narrow_codes = (0..1 << 8)
            .map(|code: usize| ((code / levels) as u16, codebooks.narrow.get(code % levels).copied()))
            .collect();
        let mut weights =
            Self { n_labels, codebooks, tables, records, buckets, id, wide_reciprocal, narrow_codes };
        let mut buckets = Vec::with_capacity(n_buckets + 1);
        let mut from = 0_usize;
        if first != 0 || last as usize != weights.records.len() {
            return shape("bucket starts do not span the records".into());
        }
        for (bucket, to) in starts[1..].iter().enumerate() {
            let to = *to as usize;
            if to < from || to > weights.records.len() {
                return shape(format!("bucket {bucket} runs backwards or past the end"));
            }
            let bits = match weights.checked(from, to) {
                Ok(bits) => bits,
                Err(problem) => return shape(format!("bucket {bucket} {problem}")),
            };
            buckets.push(Bucket { start: from as u32, bits });
            from = to;
        }
        buckets.push(Bucket { start: from as u32, bits: 0 });
        weights.buckets = buckets.into();
        Ok(weights)
    }

    fn start(&self, bucket: usize) -> usize {
        self.buckets.get(bucket).map_or(0, |bucket| bucket.start as usize)
    }

    /// The record at `at`: its fingerprint, its codes and where the next one begins.
    #[inline]
    fn record(&self, at: usize, end: usize) -> Option<(u16, Codes<'_>, usize)> {
        let bytes = self.records.get(at..end)?;
        let head = u16::from_le_bytes([*bytes.first()?, *bytes.get(1)?]);
        let (codes, next) = match head & 0xF {
            0 if self.n_labels > MASK_MAX_LABELS => return None,
            0 => {
                let from = 2 + mask_bytes(self.n_labels);
                let mask = mask(bytes.get(2..from)?);
                let next = from + (mask.count_ones() as usize).div_ceil(2);
                (Codes::Masked(mask, bytes.get(from..next)?), next)
            }
            n @ ..=NARROW_MAX => {
                let next = 2 + usize::from(n);
                (Codes::Narrow(bytes.get(2..next)?), next)
            }
            n => {
                let (from, n) = match n {
                    COUNT_FOLLOWS => (3, usize::from(*bytes.get(2)?)),
                    n => (2, usize::from(n - NARROW_MAX)),
                };
                (Codes::Wide(bytes.get(from..from + 2 * n)?), from + 2 * n)
            }
        };
        Some((head >> 4, codes, at + next))
    }

    /// The bits of a bucket whose records are whole, or what is wrong with them.
    fn checked(&self, from: usize, to: usize) -> Result<u32, &'static str> {
        const BROKEN: &str = "holds a broken record";
        const UNKNOWN: &str = "names a label or level past the last";
        let narrow_codes = self.n_labels * self.codebooks.narrow.len();
        let (mut at, mut bits) = (from, 0);
        while at < to {
            // Nearly all records are of this kind, and a start waits for all of them.
            if let Some([low, high, rest @ ..]) = self.records.get(at..to)
                && (1..=NARROW_MAX).contains(&u16::from(low & 0xF))
            {
                let n = usize::from(low & 0xF);
                let codes = rest.get(..n).ok_or(BROKEN)?;
                if codes.iter().any(|code| usize::from(*code) >= narrow_codes) {
                    return Err(UNKNOWN);
                }
                bits |= Bucket::bit(u16::from_le_bytes([*low, *high]) >> 4);
                at += 2 + n;
                continue;
            }
            let (fingerprint, codes, next) = self.record(at, to).ok_or(BROKEN)?;
            if !self.are_known(codes) {
                return Err(UNKNOWN);
            }
            bits |= Bucket::bit(fingerprint);
            at = next;
        }
        Ok(bits)
    }

    /// Whether every code names a label and a level there is.
    fn are_known(&self, codes: Codes<'_>) -> bool {
        let Codebooks { narrow, wide, nibble } = &self.codebooks;
        let known = |code: usize, levels: usize| code < self.n_labels * levels;
        match codes {
            Codes::Narrow(codes) => codes.iter().all(|code| known(usize::from(*code), narrow.len())),
            Codes::Wide(codes) => codes
                .chunks_exact(2)
                .all(|pair| known(usize::from(u16::from_le_bytes([pair[0], pair[1]])), wide.len())),
            Codes::Masked(mask, _) => {
                let mut known = mask >> 1 >> (self.n_labels - 1) == 0;
                if nibble.len() < NIBBLE_LEVELS {
                    self.each_code(codes, |_, level| known &= level.is_some());
                }
                known
            }
        }
    }

    #[inline]
    fn each_code(&self, codes: Codes<'_>, mut each: impl FnMut(usize, Option<&f32>)) {
        let Codebooks { wide, nibble, .. } = &self.codebooks;
        match codes {
            Codes::Narrow(bytes) => {
                for &code in bytes {
                    if let Some((label, weight)) = self.narrow_codes.get(usize::from(code)) {
                        each(usize::from(*label), weight.as_ref());
                    }
                }
            }
            Codes::Wide(bytes) => {
                for pair in bytes.chunks_exact(2) {
                    let code = usize::from(u16::from_le_bytes([pair[0], pair[1]]));
                    let label = ((code as u64 * self.wide_reciprocal) >> 32) as usize;
                    each(label, wide.get(code - label * wide.len()));
                }
            }
            Codes::Masked(mut mask, nibbles) => {
                let mut nth = 0;
                while mask != 0 {
                    let label = mask.trailing_zeros() as usize;
                    mask &= mask - 1;
                    let level = nibbles.get(nth / 2).map(|b| usize::from(b >> (nth % 2 * 4) & 0xF));
                    each(label, level.and_then(|level| nibble.get(level)));
                    nth += 1;
                }
            }
        }
    }

    /// Calls `each(label, weight)` for the labels of a record.
    #[inline]
    pub fn each_weight(&self, record: Record<'_>, mut each: impl FnMut(usize, f32)) {
        self.each_code(record.codes, |label, weight| each(label, weight.copied().unwrap_or(0.0)));
    }

    /// Tells these weights from others whose records begin at the same places.
    pub fn id(&self) -> u64 {
        self.id
    }

    /// The record that begins at `start`.
    #[inline]
    pub fn record_at(&self, start: usize) -> Option<Record<'_>> {
        let (_, codes, _) = self.record(start, self.records.len())?;
        Some(Record { start, codes })
    }

    /// Asks for the memory of a record before it is needed.
    #[inline]
    pub fn prefetch(&self, start: usize) {
        prefetch(&self.records, start);
    }

    /// Calls `each` with every record of a table.
    pub fn each_record<'a>(&'a self, table: &Table, mut each: impl FnMut(Record<'a>)) {
        let first = table.first_bucket as usize;
        let (mut at, end) = (self.start(first), self.start(first + table.n_buckets as usize));
        while let Some((_, codes, next)) = self.record(at, end) {
            each(Record { start: at, codes });
            at = next;
        }
    }

    /// Adds up a document vector: `scores` by label, minus infinity where the table never saw the label.
    pub fn score(&self, table: usize, vector: &[(u64, u32)], scores: &mut Vec<f32>) {
        scores.clear();
        scores.resize(self.n_labels, 0.0);
        let Some(table) = self.tables.get(table) else { return };
        let mut known = 0.0_f32;
        let unit = 1.0 / crate::features::WEIGHT_SCALE as f32;
        for vector in vector.chunks(AHEAD) {
            self.look_up_all::<_, AHEAD>(table, vector, |index, record| {
                let weight = vector[index].1 as f32 * unit;
                self.each_weight(record, |label, w| scores[label] += weight * w);
                known += weight;
            });
        }
        for (score, bias) in scores.iter_mut().zip(&table.bias) {
            *score = if *bias == f32::NEG_INFINITY { *bias } else { *score + bias * known };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(name: &str, n: u64, n_labels: u16) -> TableInput {
        let features = (0..n)
            .map(|i| Feature {
                hash: xxhash_rust::xxh3::xxh3_64(&i.to_le_bytes()),
                importance: i as f32,
                weights: (0..=(i % u64::from(n_labels)) as u16)
                    .map(|l| (l, 0.5 + (i % 13) as f32 * 0.5))
                    .collect(),
            })
            .collect();
        TableInput {
            name: name.into(),
            bias: vec![-0.1; usize::from(n_labels)],
            temperature: 1.5,
            documents: 9,
            features,
        }
    }

    #[test]
    fn packed_weights_come_back() {
        for n_labels in [2_u16, 17, 205, 600] {
            let input = table("eng", 5_000, n_labels);
            let weights =
                Weights::pack(usize::from(n_labels), vec![input.clone(), table("deu", 10, n_labels)])
                    .expect("packs");
            let at = weights.table("eng").expect("the table");
            let head = weights.tables()[at].clone();
            let mut lost = 0;
            for feature in &input.features {
                let mut found = Vec::new();
                weights.look_up(&head, feature.hash, |label, w| found.push((label as u16, w)));
                // Two features in a thousand share bucket and fingerprint; the more important one stays.
                let close = found.len() == feature.weights.len().min(255)
                    && found.iter().all(|(l, w)| {
                        feature.weights.iter().any(|f| f.0 == *l && (f.1 - w).abs() <= 0.25 * f.1)
                    });
                lost += u32::from(!close);
            }
            assert!(lost < 40, "{lost} of 5000 with {n_labels} labels");
        }
    }

    #[test]
    fn packing_is_deterministic_in_any_order() {
        let (a, mut b) = (table("eng", 300, 17), table("eng", 300, 17));
        b.features.reverse();
        let (a, b) = (Weights::pack(17, vec![a]).expect("packs"), Weights::pack(17, vec![b]).expect("packs"));
        assert_eq!(a.records(), b.records());
        assert!(a.starts().eq(b.starts()));
    }

    #[test]
    fn broken_parts_are_refused() {
        let weights = Weights::pack(17, vec![table("eng", 300, 17)]).expect("packs");
        let (starts, records) = (&weights.starts().collect::<Vec<u32>>()[..], &weights.records()[..]);
        let narrow = weights.codebooks().narrow.as_slice();
        let rebuild = |starts: &[u32], records: &[u8], narrow: &[f32]| {
            Weights::from_parts(
                17,
                Codebooks { narrow: narrow.to_vec(), ..weights.codebooks().clone() },
                weights.tables().to_vec(),
                starts,
                Bytes::copy_from_slice(records),
            )
        };
        assert!(rebuild(starts, records, narrow).is_ok());
        assert!(rebuild(&starts[1..], records, narrow).is_err());
        assert!(rebuild(&[], records, narrow).is_err());
        assert!(rebuild(starts, &records[1..], narrow).is_err());
        assert_eq!(rebuild(starts, records, &[f32::NAN]).err(), Some(WeightsError::NonFinite));
        let mut flipped = starts.to_vec();
        flipped[1] ^= 0x8000;
        assert!(rebuild(&flipped, records, narrow).is_err());
    }

    #[test]
    fn an_absent_label_never_wins() {
        let mut input = table("eng", 50, 3);
        input.bias[1] = f32::NEG_INFINITY;
        let weights = Weights::pack(3, vec![input]).expect("packs");
        let known = (xxhash_rust::xxh3::xxh3_64(&7_u64.to_le_bytes()), 1024);
        let (mut alone, mut scores) = (Vec::new(), Vec::new());
        weights.score(0, &[known], &mut alone);
        weights.score(0, &[known, (1, 1024)], &mut scores);
        assert_eq!(scores[1], f32::NEG_INFINITY);
        assert!(scores[0].is_finite());
        assert_eq!(scores, alone, "what a table does not know says nothing");
    }
}
