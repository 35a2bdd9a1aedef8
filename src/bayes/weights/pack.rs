//! Writing tables into the packed form.

use super::{
    COUNT_FOLLOWS, Codebooks, MASK_MAX_LABELS, MAX_LABELS, NARROW_MAX, NIBBLE_LEVELS, Table, Weights,
    WeightsError, bucket_of, fingerprint_of, mask_bytes, spread,
};
use rayon::prelude::*;
use smallvec::SmallVec;

/// Records a bucket holds on average.
const RECORDS_PER_BUCKET: usize = 6;
/// Bytes that say how long a bucket's records are: one, two where they are many.
const LENGTH: f32 = 1.1;
const MAX_LEVELS: usize = 255;
/// Most wide codes whose number fits the head of the record.
const WIDE_UNCOUNTED: usize = 8;
/// Fewer levels than this are too coarse for narrow codes.
const NARROW_MIN_LEVELS: usize = 8;
/// A record with a smaller weight than this has wide codes.
const NARROW_LOWEST: f64 = 0.25;
const WIDE_LOWEST: f64 = 0.004;
const NIBBLE_LOWEST: f64 = 0.02;

/// One feature to pack.
#[derive(Clone, Debug)]
pub struct Feature {
    pub hash: u64,
    /// The more important of two features that cannot be told apart stays.
    pub importance: f32,
    pub weights: LabelWeights,
}

/// `(label, weight above the background)`; most features met few labels.
pub type LabelWeights = SmallVec<[(u16, f32); 4]>;

/// A table to pack.
#[derive(Clone, Debug)]
pub struct TableInput {
    pub name: String,
    pub bias: Vec<f32>,
    pub temperature: f32,
    pub documents: u64,
    pub features: Vec<Feature>,
}

/// How a record's weights are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Coding {
    Narrow,
    Wide,
    Masked,
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

impl Weights {
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
        let packer = Packer::new(n_labels, Codebooks { narrow, wide, nibble });
        let packed: Vec<PackedTable> = tables.into_par_iter().map(|table| packer.table(table)).collect();
        let (mut heads, mut starts, mut records) = (Vec::with_capacity(packed.len()), Vec::new(), Vec::new());
        for table in packed {
            let before = records.len();
            if before + table.records.len() > u32::MAX as usize {
                return Err(WeightsError::Shape(format!("{before} bytes of records and more exceed 4 GiB")));
            }
            heads.push(Table { first_bucket: starts.len() as u32, ..table.head });
            starts.extend(table.starts.into_iter().map(|start| before as u32 + start));
            records.extend_from_slice(&table.records);
        }
        starts.push(records.len() as u32);
        Self::from_parts(n_labels, packer.codebooks, heads, &starts, records.into())
    }
}

/// A table before it is put beside the others: buckets and records are counted from its own first.
struct PackedTable {
    head: Table,
    starts: Vec<u32>,
    records: Vec<u8>,
}

/// Writes tables with codebooks they share.
struct Packer {
    n_labels: usize,
    codebooks: Codebooks,
    /// Between the levels of each codebook.
    narrow: Vec<f32>,
    wide: Vec<f32>,
    nibble: Vec<f32>,
}

impl Packer {
    fn new(n_labels: usize, codebooks: Codebooks) -> Self {
        let bounds =
            |codebook: &[f32]| -> Vec<f32> { codebook.windows(2).map(|w| 0.5 * (w[0] + w[1])).collect() };
        let [narrow, wide, nibble] =
            [&codebooks.narrow, &codebooks.wide, &codebooks.nibble].map(|c| bounds(c));
        Self { n_labels, codebooks, narrow, wide, nibble }
    }

    fn table(&self, table: TableInput) -> PackedTable {
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
        features.sort_unstable_by(|a, b| {
            (a.0, a.1)
                .cmp(&(b.0, b.1))
                .then(b.2.importance.total_cmp(&a.2.importance))
                .then(a.2.hash.cmp(&b.2.hash))
        });
        features.dedup_by(|b, a| (a.0, a.1) == (b.0, b.1));
        let head = Table {
            name: table.name,
            first_bucket: 0,
            n_buckets,
            bias: table.bias,
            temperature: table.temperature,
            offsets: vec![0.0; self.n_labels],
            documents: table.documents,
        };
        let (mut starts, mut records) = (Vec::with_capacity(n_buckets as usize), Vec::new());
        let mut rest = features.into_iter().peekable();
        for bucket in 0..n_buckets {
            starts.push(records.len() as u32);
            while let Some((_, fingerprint, feature)) = rest.next_if(|f| f.0 == bucket) {
                self.record(fingerprint, feature.weights, &mut records);
            }
        }
        PackedTable { head, starts, records }
    }

    fn record(&self, fingerprint: u16, mut weights: LabelWeights, records: &mut Vec<u8>) {
        let Self { n_labels, codebooks, narrow, wide, nibble } = self;
        weights.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
        weights.truncate(255);
        let n = weights.len();
        let lowest = weights.last().map_or(0.0, |w| f64::from(w.1));
        let head = fingerprint << 4;
        match coding(*n_labels, n, lowest).0 {
            Coding::Narrow => {
                records.extend_from_slice(&(head | n as u16).to_le_bytes());
                for (label, weight) in weights {
                    let level = narrow.partition_point(|b| *b < weight);
                    records.push((usize::from(label) * codebooks.narrow.len() + level) as u8);
                }
            }
            Coding::Wide => {
                if n <= WIDE_UNCOUNTED {
                    records.extend_from_slice(&(head | (n as u16 + NARROW_MAX)).to_le_bytes());
                } else {
                    records.extend_from_slice(&(head | COUNT_FOLLOWS).to_le_bytes());
                    records.push(n as u8);
                }
                for (label, weight) in weights {
                    let level = wide.partition_point(|b| *b < weight);
                    let code = usize::from(label) * codebooks.wide.len() + level;
                    records.extend_from_slice(&(code as u16).to_le_bytes());
                }
            }
            Coding::Masked => {
                records.extend_from_slice(&head.to_le_bytes());
                weights.sort_by_key(|w| w.0);
                let mask = weights.iter().fold(0_u64, |mask, (label, _)| mask | 1 << label);
                records.extend_from_slice(&mask.to_le_bytes()[..mask_bytes(*n_labels)]);
                for pair in weights.chunks(2) {
                    let nibbles = pair.iter().rev().fold(0, |byte, (_, weight)| {
                        byte << 4 | nibble.partition_point(|b| b < weight) as u8
                    });
                    records.push(nibbles);
                }
            }
        }
    }
}

/// Bytes one feature takes in the packed form, its share of the bucket's length included.
pub fn packed_size(n_labels: usize, weights: &[f64]) -> f32 {
    let lowest = weights.iter().copied().fold(f64::INFINITY, f64::min);
    2.0 + LENGTH / RECORDS_PER_BUCKET as f32 + coding(n_labels, weights.len(), lowest).1 as f32
}

/// Levels in geometric steps: a frequent feature's small weights matter as much as a rare one's large
/// weight, so the error should be relative.
fn codebook(lowest: f64, top: f64, levels: usize) -> Vec<f32> {
    let step = (top / lowest).ln() / (levels.max(2) - 1) as f64;
    (0..levels).map(|level| (lowest * (step * level as f64).exp()) as f32).collect()
}
