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

use super::calibration::Scaling;
use super::scaled_softmax;
use bytes::Bytes;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Records a bucket holds on average.
const RECORDS_PER_BUCKET: usize = 6;
/// Features looked up at once: the memory of one arrives while that of the others is asked for.
const AHEAD: usize = 64;
const MAX_LEVELS: usize = 255;
/// Largest `n` of a record of narrow codes.
const NARROW_MAX: u16 = 6;
const COUNT_FOLLOWS: u16 = 15;
/// Most wide codes whose number fits the head of the record.
const WIDE_UNCOUNTED: usize = 8;
/// Fewer levels than this are too coarse for narrow codes.
const NARROW_MIN_LEVELS: usize = 8;
/// A record with a smaller weight than this has wide codes.
const NARROW_LOWEST: f64 = 0.25;
const WIDE_LOWEST: f64 = 0.004;
/// Levels of a nibble; their relative error of a fifth averages out over the labels and features of a text.
const NIBBLE_LEVELS: usize = 16;
const NIBBLE_LOWEST: f64 = 0.02;
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

/// Where to look for a feature; nowhere when `end` is 0.
#[derive(Clone, Copy, Default)]
struct Where {
    at: u32,
    end: u32,
    fingerprint: u16,
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

/// How a record's weights are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Coding {
    Narrow,
    Wide,
    Masked,
}

fn mask_bytes(n_labels: usize) -> usize {
    n_labels.div_ceil(8)
}

/// The bytes of a mask, eight at most, as a number.
#[inline]
fn mask(bytes: &[u8]) -> u64 {
    bytes.iter().rev().fold(0, |mask, byte| mask << 8 | u64::from(*byte))
}

/// The shortest coding that keeps `n` weights, the smallest of them `lowest`, and its bytes.
fn coding(n_labels: usize, n: usize, lowest: f64) -> (Coding, usize) {
    let narrow = (1 << 8) / n_labels.max(1) >= NARROW_MIN_LEVELS
        && n <= usize::from(NARROW_MAX)
        && lowest >= NARROW_LOWEST;
    let masked = mask_bytes(n_labels) + n.div_ceil(2);
    let wide = 2 * n + usize::from(n > WIDE_UNCOUNTED);
    if narrow {
        (Coding::Narrow, n)
    } else if n_labels <= MASK_MAX_LABELS && masked < wide {
        (Coding::Masked, masked)
    } else {
        (Coding::Wide, wide)
    }
}

/// All tables of one task. Cheap to clone: the bytes are shared.
#[derive(Clone, Debug)]
pub struct Weights {
    n_labels: usize,
    codebooks: Codebooks,
    tables: Vec<Table>,
    starts: Bytes,
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

/// One feature to pack.
#[derive(Clone, Debug)]
pub struct Feature {
    pub hash: u64,
    /// The more important of two features that cannot be told apart stays.
    pub importance: f32,
    /// `(label, weight above the background)`.
    pub weights: Vec<(u16, f32)>,
}

/// A table to pack.
#[derive(Clone, Debug)]
pub struct TableInput {
    pub name: String,
    pub bias: Vec<f32>,
    pub temperature: f32,
    pub documents: u64,
    pub features: Vec<Feature>,
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
    pub fn probabilities(&self, table: usize, scores: &[f32]) -> Vec<f64> {
        match self.tables.get(table) {
            Some(t) => scaled_softmax(scores, f64::from(t.temperature), |label| f64::from(t.offsets[label])),
            None => vec![0.0; scores.len()],
        }
    }

    pub fn codebooks(&self) -> &Codebooks {
        &self.codebooks
    }

    /// Bucket starts (u32 little-endian, one more than buckets) and the record stream.
    pub fn parts(&self) -> (&Bytes, &Bytes) {
        (&self.starts, &self.records)
    }

    /// Puts the parts of a file together, checking every offset, code and number.
    pub fn from_parts(
        n_labels: usize,
        codebooks: Codebooks,
        tables: Vec<Table>,
        starts: Bytes,
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
        if starts.len() < 4 || !starts.len().is_multiple_of(4) {
            return shape(format!("{} bytes of bucket starts", starts.len()));
        }
        let n_buckets = starts.len() / 4 - 1;
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
            Self { n_labels, codebooks, tables, starts, records, buckets, id, wide_reciprocal, narrow_codes };
        let mut buckets = Vec::with_capacity(n_buckets + 1);
        let mut from = 0_usize;
        if weights.start(0) != 0 || weights.start(n_buckets) != weights.records.len() {
            return shape("bucket starts do not span the records".into());
        }
        for bucket in 0..n_buckets {
            let to = weights.start(bucket + 1);
            if to < from || to > weights.records.len() {
                return shape(format!("bucket {bucket} runs backwards or past the end"));
            }
            let mut at = from;
            let mut bits = 0;
            while at < to {
                let Some((fingerprint, codes, next)) = weights.record(at, to) else {
                    return shape(format!("bucket {bucket} holds a broken record"));
                };
                let mut known = true;
                weights.each_code(codes, |label, level| known &= label < n_labels && level.is_some());
                if !known {
                    return shape(format!("bucket {bucket} names a label or level past the last"));
                }
                bits |= Bucket::bit(fingerprint);
                at = next;
            }
            buckets.push(Bucket { start: from as u32, bits });
            from = to;
        }
        buckets.push(Bucket { start: from as u32, bits: 0 });
        weights.buckets = buckets.into();
        Ok(weights)
    }

    #[inline]
    fn start(&self, bucket: usize) -> usize {
        self.starts
            .get(bucket * 4..bucket * 4 + 4)
            .and_then(|b| b.try_into().ok())
            .map_or(0, |b| u32::from_le_bytes(b) as usize)
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
                Where { at: own.start * there, end: next.start * there, fingerprint }
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

    /// Calls `each` with what the table knows of each feature, in order: [`Self::get`] for many, which
    /// waits for memory once for all that are looked up at once.
    #[inline]
    pub fn look_up_all(
        &self,
        table: &Table,
        features: &[(u64, u32)],
        mut each: impl FnMut((u64, u32), Option<Record<'_>>),
    ) {
        for features in features.chunks(AHEAD) {
            let mut places = [Where::default(); AHEAD];
            let places = &mut places[..features.len()];
            // nothing but loads that wait for nothing: as many are under way as the processor can have
            let touched = features.iter().filter_map(|(hash, _)| self.buckets.get(self.bucket(table, *hash)));
            std::hint::black_box(touched.fold(0, |all, bucket| all ^ bucket.bits));
            for (place, (hash, _)) in places.iter_mut().zip(features) {
                *place = self.place(table, *hash);
            }
            // a byte of each bucket brings its cache line; the first one's, where there is nothing to bring
            let touched = places.iter().filter_map(|place| self.records.get(place.at as usize));
            std::hint::black_box(touched.fold(0, |all, byte| all ^ byte));
            for (feature, place) in features.iter().zip(places) {
                each(*feature, self.find(*place));
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
    pub fn touch(&self, start: usize) -> u8 {
        self.records.get(start).copied().unwrap_or(0)
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
    /// Returns the share of the document's weight in features the table knows, 0 to 1.
    pub fn score(&self, table: usize, vector: &[(u64, u32)], scores: &mut Vec<f32>) -> f64 {
        scores.clear();
        scores.resize(self.n_labels, 0.0);
        let Some(table) = self.tables.get(table) else { return 0.0 };
        let (mut known, mut all) = (0.0_f32, 0.0_f32);
        let unit = 1.0 / crate::features::WEIGHT_SCALE as f32;
        self.look_up_all(table, vector, |(_, weight), record| {
            let weight = weight as f32 * unit;
            all += weight;
            if let Some(record) = record {
                self.each_weight(record, |label, w| scores[label] += weight * w);
                known += weight;
            }
        });
        for (score, bias) in scores.iter_mut().zip(&table.bias) {
            *score = if *bias == f32::NEG_INFINITY { *bias } else { *score + bias * known };
        }
        if all > 0.0 { f64::from(known / all) } else { 0.0 }
    }

    /// Packs tables; the same input gives the same bytes.
    pub fn pack(n_labels: usize, mut tables: Vec<TableInput>) -> Result<Self, WeightsError> {
        tables.sort_by(|a, b| a.name.cmp(&b.name));
        if n_labels == 0 || n_labels > MAX_LABELS {
            return Err(WeightsError::Shape(format!("{n_labels} labels: 1 to {MAX_LABELS} fit a table")));
        }
        let top = tables
            .iter()
            .flat_map(|t| &t.features)
            .flat_map(|f| f.weights.iter().map(|w| f64::from(w.1)))
            .fold(1.0_f64, f64::max);
        let narrow = match (1 << 8) / n_labels {
            levels @ NARROW_MIN_LEVELS.. => codebook(NARROW_LOWEST, top, levels.min(MAX_LEVELS)),
            _ => Vec::new(),
        };
        let wide = codebook(WIDE_LOWEST, top, ((1 << 16) / n_labels).min(MAX_LEVELS));
        let nibble = match n_labels {
            ..=MASK_MAX_LABELS => codebook(NIBBLE_LOWEST, top, NIBBLE_LEVELS),
            _ => Vec::new(),
        };
        let bounds =
            |codebook: &[f32]| -> Vec<f32> { codebook.windows(2).map(|w| 0.5 * (w[0] + w[1])).collect() };
        let (narrow_bounds, wide_bounds, nibble_bounds) = (bounds(&narrow), bounds(&wide), bounds(&nibble));
        let (mut starts, mut records) = (Vec::new(), Vec::new());
        let mut heads = Vec::with_capacity(tables.len());
        for table in tables {
            let n_buckets = table.features.len().div_ceil(RECORDS_PER_BUCKET) as u32;
            let mut features: Vec<(u32, u16, Feature)> = table
                .features
                .into_iter()
                .filter(|f| !f.weights.is_empty())
                .map(|f| {
                    let spread = spread(f.hash);
                    (bucket_of(spread, n_buckets.max(1)), fingerprint_of(spread), f)
                })
                .collect();
            features.sort_by(|a, b| {
                (a.0, a.1)
                    .cmp(&(b.0, b.1))
                    .then(b.2.importance.total_cmp(&a.2.importance))
                    .then(a.2.hash.cmp(&b.2.hash))
            });
            features.dedup_by(|b, a| (a.0, a.1) == (b.0, b.1));
            heads.push(Table {
                name: table.name,
                first_bucket: (starts.len() / 4) as u32,
                n_buckets,
                bias: table.bias,
                temperature: table.temperature,
                offsets: vec![0.0; n_labels],
                documents: table.documents,
            });
            let mut rest = features.into_iter().peekable();
            for bucket in 0..n_buckets {
                starts.extend_from_slice(&(records.len() as u32).to_le_bytes());
                while let Some((_, fingerprint, mut feature)) = rest.next_if(|f| f.0 == bucket) {
                    feature.weights.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
                    feature.weights.truncate(255);
                    let n = feature.weights.len();
                    let lowest = feature.weights.last().map_or(0.0, |w| f64::from(w.1));
                    let head = fingerprint << 4;
                    match coding(n_labels, n, lowest).0 {
                        Coding::Narrow => {
                            records.extend_from_slice(&(head | n as u16).to_le_bytes());
                            for (label, weight) in feature.weights {
                                let level = narrow_bounds.partition_point(|b| *b < weight);
                                records.push((usize::from(label) * narrow.len() + level) as u8);
                            }
                        }
                        Coding::Wide => {
                            if n <= WIDE_UNCOUNTED {
                                records.extend_from_slice(&(head | (n as u16 + NARROW_MAX)).to_le_bytes());
                            } else {
                                records.extend_from_slice(&(head | COUNT_FOLLOWS).to_le_bytes());
                                records.push(n as u8);
                            }
                            for (label, weight) in feature.weights {
                                let level = wide_bounds.partition_point(|b| *b < weight);
                                let code = usize::from(label) * wide.len() + level;
                                records.extend_from_slice(&(code as u16).to_le_bytes());
                            }
                        }
                        Coding::Masked => {
                            records.extend_from_slice(&head.to_le_bytes());
                            feature.weights.sort_by_key(|w| w.0);
                            let mut mask = vec![0_u8; mask_bytes(n_labels)];
                            feature
                                .weights
                                .iter()
                                .for_each(|(l, _)| mask[usize::from(l / 8)] |= 1 << (l % 8));
                            records.extend_from_slice(&mask);
                            for pair in feature.weights.chunks(2) {
                                let nibbles = pair.iter().rev().fold(0, |byte, (_, weight)| {
                                    byte << 4 | nibble_bounds.partition_point(|b| b < weight) as u8
                                });
                                records.push(nibbles);
                            }
                        }
                    }
                }
            }
        }
        if records.len() > u32::MAX as usize {
            return Err(WeightsError::Shape(format!("{} bytes of records exceed 4 GiB", records.len())));
        }
        starts.extend_from_slice(&(records.len() as u32).to_le_bytes());
        Self::from_parts(n_labels, Codebooks { narrow, wide, nibble }, heads, starts.into(), records.into())
    }
}

/// Bytes one feature takes in the packed form, its share of the bucket starts included.
pub fn packed_size(n_labels: usize, weights: &[f64]) -> f32 {
    let lowest = weights.iter().copied().fold(f64::INFINITY, f64::min);
    2.0 + 4.0 / RECORDS_PER_BUCKET as f32 + coding(n_labels, weights.len(), lowest).1 as f32
}

/// Levels in geometric steps: a frequent feature's small weights matter as much as a rare one's large
/// weight, so the error should be relative.
fn codebook(lowest: f64, top: f64, levels: usize) -> Vec<f32> {
    let step = (top / lowest).ln() / (levels.max(2) - 1) as f64;
    (0..levels).map(|level| (lowest * (step * level as f64).exp()) as f32).collect()
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
        assert_eq!(a.parts(), b.parts());
    }

    #[test]
    fn broken_parts_are_refused() {
        let weights = Weights::pack(17, vec![table("eng", 300, 17)]).expect("packs");
        let (starts, records) = weights.parts();
        let narrow = weights.codebooks().narrow.as_slice();
        let rebuild = |starts: &[u8], records: &[u8], narrow: &[f32]| {
            Weights::from_parts(
                17,
                Codebooks { narrow: narrow.to_vec(), ..weights.codebooks().clone() },
                weights.tables().to_vec(),
                Bytes::copy_from_slice(starts),
                Bytes::copy_from_slice(records),
            )
        };
        assert!(rebuild(starts, records, narrow).is_ok());
        assert!(rebuild(&starts[4..], records, narrow).is_err());
        assert!(rebuild(starts, &records[1..], narrow).is_err());
        assert_eq!(rebuild(starts, records, &[f32::NAN]).err(), Some(WeightsError::NonFinite));
        let mut flipped = starts.to_vec();
        flipped[5] ^= 0x80;
        assert!(rebuild(&flipped, records, narrow).is_err());
    }

    #[test]
    fn an_absent_label_never_wins() {
        let mut input = table("eng", 50, 3);
        input.bias[1] = f32::NEG_INFINITY;
        let weights = Weights::pack(3, vec![input]).expect("packs");
        let mut scores = Vec::new();
        let known = weights.score(
            0,
            &[(xxhash_rust::xxh3::xxh3_64(&7_u64.to_le_bytes()), 1024), (1, 1024)],
            &mut scores,
        );
        assert_eq!(scores[1], f32::NEG_INFINITY);
        assert!((known - 0.5).abs() < 1e-6, "one of two features is known");
    }
}
