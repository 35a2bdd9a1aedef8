//! From counts to packed tables: cell weights, the linfa fit, pruning.

use super::counts::{Cell, TableCounts};
use crate::bayes::Variant;
use crate::bayes::fit::{FeatureCounts, FitError, fit};
use crate::bayes::weights::{Feature, TableInput, packed_size};
use crate::features::WEIGHT_SCALE;
use crate::model::task::POOLED;
use rayon::prelude::*;
use smallvec::SmallVec;
use std::collections::BTreeMap;
use std::ops::Range;

/// How a task is fitted. Part of a bundle's card.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Recipe {
    pub variant: Variant,
    /// Lidstone smoothing, in units of document weight.
    pub alpha: f64,
    /// 0: a (source, label) cell counts by its documents; 1: every cell counts alike.
    pub balance: f64,
    /// Cells of fewer documents are weighted as if they had this many.
    pub smallest_cell: f64,
    /// Bytes a table may take, this many times `documents^(2/3)`, spent on the features most useful for
    /// their size; 0 for no bound.
    pub bytes: f64,
    /// A table in which some label has fewer documents leaves its documents to the pooled table.
    pub min_label_documents: u64,
}

#[cfg(test)]
impl Recipe {
    /// Smoothed by one, nothing balanced or pruned: for tests by hand.
    pub(super) const PLAIN: Self = Self {
        variant: Variant::Complement,
        alpha: 1.0,
        balance: 0.0,
        smallest_cell: 1.0,
        bytes: 0.0,
        min_label_documents: 1,
    };
}

/// The weighted sums of one table, a row per feature, and what fitting and leaving one out need beside them.
#[derive(Debug, Default)]
pub struct Rows {
    /// Ascending.
    pub hashes: Vec<u64>,
    /// Documents that have the feature.
    pub documents: Vec<u32>,
    /// Where each feature's labels and sums end.
    ends: Vec<usize>,
    labels: Vec<u16>,
    counts: Vec<f64>,
    /// Whether some document has the label.
    pub present: Vec<bool>,
    /// The weight of each cell of the table; 0 for one that was not taken.
    pub cell_weights: Vec<f64>,
    pub n_documents: u64,
    /// Features of the table's own documents: what is borrowed smooths nothing.
    vocabulary: usize,
    /// What each feature's weights are multiplied by, and the bias; none where all count as they are.
    factors: Option<(Vec<f32>, f64)>,
    /// Where hashes with given leading bits begin.
    index: Vec<u32>,
}

/// Leading bits of a hash, below its set top bit, that [`Rows::find`] looks up directly.
const INDEX_BITS: u32 = 16;

fn leading(hash: u64) -> usize {
    ((hash << 1) >> (64 - INDEX_BITS)) as usize
}

impl Rows {
    /// Sums the cells that `take` accepts.
    pub fn new(
        counts: &mut TableCounts,
        n_labels: usize,
        recipe: &Recipe,
        take: impl Fn(&Cell) -> bool,
    ) -> Self {
        counts.entries();
        Self::of(counts, n_labels, recipe, take)
    }

    /// [`Self::new`] of settled counts.
    pub fn of(counts: &TableCounts, n_labels: usize, recipe: &Recipe, take: impl Fn(&Cell) -> bool) -> Self {
        let weights = cell_weights(counts, recipe, &take);
        let labels: Vec<u16> = counts.cells.iter().map(|c| c.label).collect();
        let mut rows = Self { present: vec![false; n_labels], ..Self::default() };
        for ((label, weight), n) in labels.iter().zip(&weights).zip(&counts.documents) {
            rows.present[usize::from(*label)] |= *weight > 0.0;
            rows.n_documents += if *weight > 0.0 { *n } else { 0 };
        }
        // Cells are numbered as they were met; the parts of a label are added in order of size, so that
        // nobody sees who came first.
        let mut parts: Vec<(u16, f64)> = Vec::new();
        for group in counts.settled().chunk_by(|a, b| a.hash == b.hash) {
            let mut documents = 0_u32;
            parts.clear();
            for entry in group {
                let weight = weights[entry.cell as usize];
                if weight > 0.0 {
                    documents += entry.documents;
                    let sum = weight * entry.sum as f64 / f64::from(WEIGHT_SCALE);
                    parts.push((labels[entry.cell as usize], sum));
                }
            }
            if documents == 0 {
                continue;
            }
            parts.sort_by(|a, b| a.0.cmp(&b.0).then(a.1.total_cmp(&b.1)));
            for same in parts.chunk_by(|a, b| a.0 == b.0) {
                rows.labels.push(same[0].0);
                rows.counts.push(same.iter().map(|p| p.1).sum());
            }
            rows.hashes.push(group[0].hash);
            rows.documents.push(documents);
            rows.ends.push(rows.labels.len());
        }
        rows.cell_weights = weights;
        rows.vocabulary = rows.len();
        rows.number();
        rows
    }

    fn number(&mut self) {
        self.index = vec![0; (1 << INDEX_BITS) + 1];
        self.hashes.iter().for_each(|hash| self.index[leading(*hash) + 1] += 1);
        (0..1 << INDEX_BITS).for_each(|i| self.index[i + 1] += self.index[i]);
    }

    /// Counts what `lender` has of the labels known here, a document of its own `share` of one here, and all of
    /// it together no more than `share` of what is here; features that are not here only where `new`.
    pub fn borrow(&mut self, lender: &Self, share: f64, new: bool) {
        let share = share * (self.n_documents as f64 / lender.n_documents.max(1) as f64).min(1.0);
        let (mut labels, mut counts, mut ends) = (Vec::new(), Vec::new(), Vec::new());
        let (mut hashes, mut documents) = (Vec::new(), Vec::new());
        let (mut own, mut other) = (0, 0);
        let mut row: Vec<(u16, f64)> = Vec::new();
        while own < self.len() || new && other < lender.len() {
            let (mine, theirs) = (self.hashes.get(own), lender.hashes.get(other));
            let hash = mine.into_iter().chain(theirs).min().copied().unwrap_or(0);
            let (mine, theirs) = (mine == Some(&hash), theirs == Some(&hash));
            row.clear();
            if mine {
                let of = self.row(own);
                row.extend(of.labels.iter().copied().zip(of.counts.iter().copied()));
            }
            if theirs && (mine || new) {
                let of = lender.row(other);
                let lent = of.labels.iter().copied().zip(of.counts.iter().map(|n| share * n));
                row.extend(lent.filter(|(label, _)| self.present[usize::from(*label)]));
                row.sort_by_key(|part| part.0);
            }
            if !row.is_empty() {
                for same in row.chunk_by(|a, b| a.0 == b.0) {
                    labels.push(same[0].0);
                    counts.push(same.iter().map(|part| part.1).sum());
                }
                ends.push(labels.len());
                hashes.push(hash);
                documents.push(if mine { self.documents[own] } else { 0 });
            }
            own += usize::from(mine);
            other += usize::from(theirs);
        }
        (self.hashes, self.documents, self.labels) = (hashes, documents, labels);
        (self.counts, self.ends) = (counts, ends);
        self.number();
    }

    pub fn len(&self) -> usize {
        self.hashes.len()
    }

    pub fn is_empty(&self) -> bool {
        self.hashes.is_empty()
    }

    fn range(&self, feature: usize) -> Range<usize> {
        let from = feature.checked_sub(1).map_or(0, |before| self.ends[before]);
        from..self.ends[feature]
    }

    /// The labels a feature met and their weighted sums.
    pub fn row(&self, feature: usize) -> FeatureCounts<'_> {
        let range = self.range(feature);
        FeatureCounts { labels: &self.labels[range.clone()], counts: &self.counts[range] }
    }

    /// Multiplies what fitting finds: the weights of each feature, and the bias.
    pub fn scale_by(&mut self, features: Vec<f32>, bias: f64) {
        self.factors = Some((features, bias));
    }

    /// The row of a feature.
    pub fn find(&self, hash: u64) -> Option<usize> {
        let hash = hash | 1 << 63;
        let (from, to) = (self.index[leading(hash)] as usize, self.index[leading(hash) + 1] as usize);
        self.hashes[from..to].binary_search(&hash).ok().map(|at| from + at)
    }
}

/// What a pooled table of many languages may take of the bytes its documents would allow: it only helps where
/// a language's own table lacks labels.
const POOLED_SHARE: f64 = 0.3;

/// Of a complement's weights those under this part of the feature's largest say less than other features do for the
/// byte each takes. Where bytes are not counted they stay: rare labels have no others.
const FAINT: f64 = 0.15;

/// Fits one table; features in `left_out` (ascending) count, but are not kept.
pub fn fit_table(name: &str, rows: &Rows, recipe: &Recipe, left_out: &[u64]) -> Result<TableInput, FitError> {
    let n_labels = rows.present.len();
    let features = (0..rows.len()).map(|i| rows.row(i));
    let mut fitted = fit(recipe.variant, n_labels, recipe.alpha, rows.vocabulary, features)?;
    if let Some((factors, bias)) = &rows.factors {
        for (i, factor) in factors.iter().enumerate() {
            fitted.weights[rows.range(i)].iter_mut().for_each(|weight| *weight *= f64::from(*factor));
        }
        fitted.bias.iter_mut().for_each(|b| *b *= bias);
    }
    let part = if recipe.variant == Variant::Complement && recipe.bytes > 0.0 { FAINT } else { 0.0 };
    let kept = |i: usize| {
        let (labels, weights) = (rows.row(i).labels, &fitted.weights[rows.range(i)]);
        let least = part * weights.iter().copied().fold(0.0, f64::max);
        labels.iter().copied().zip(weights.iter().copied()).filter(move |weight| weight.1 >= least)
    };
    let weights = |i: usize| -> SmallVec<[f64; 20]> { kept(i).map(|weight| weight.1).collect() };
    // Importance and, where bytes are counted, how many a feature takes.
    let value = |i: usize| -> (f32, f32) {
        let weights = weights(i);
        let cost = if recipe.bytes > 0.0 { packed_size(n_labels, &weights) } else { 0.0 };
        (importance(recipe.variant, &weights, rows.row(i).counts, n_labels), cost)
    };
    let values: Vec<(f32, f32)> = (0..rows.len()).into_par_iter().map(value).collect();
    let mut keep: Vec<usize> =
        (0..rows.len()).filter(|&i| left_out.binary_search(&rows.hashes[i]).is_err()).collect();
    if recipe.bytes > 0.0 {
        let worth = |i: usize| values[i].0 / values[i].1;
        keep.sort_unstable_by(|&a, &b| {
            worth(b).total_cmp(&worth(a)).then(rows.hashes[a].cmp(&rows.hashes[b]))
        });
        let share = if left_out.is_empty() || name != POOLED { 1.0 } else { POOLED_SHARE };
        let mut left = (share * recipe.bytes * (rows.n_documents as f64).powf(2.0 / 3.0)) as f32;
        let fitting = keep.iter().take_while(|&&i| {
            left -= values[i].1;
            left >= 0.0
        });
        let fitting = fitting.count();
        keep.truncate(fitting);
    }
    let features = keep
        .into_iter()
        .map(|i| Feature {
            hash: rows.hashes[i],
            importance: values[i].0,
            weights: kept(i).map(|(label, weight)| (label, weight as f32)).collect(),
        })
        .collect();
    let bias = (fitted.bias.iter().zip(&rows.present))
        .map(|(b, present)| if *present { *b as f32 } else { f32::NEG_INFINITY })
        .collect();
    Ok(TableInput { name: name.to_string(), bias, temperature: 1.0, documents: rows.n_documents, features })
}

/// The weight of each cell: equal documents at balance 0, equal (source, label) pairs at 1, mean one over
/// documents. Cells are visited in their own order, so that sums do not depend on who came first.
fn cell_weights(counts: &TableCounts, recipe: &Recipe, take: impl Fn(&Cell) -> bool) -> Vec<f64> {
    let mut taken: Vec<usize> =
        (0..counts.cells.len()).filter(|&i| counts.documents[i] > 0 && take(&counts.cells[i])).collect();
    taken.sort_by(|&a, &b| counts.cells[a].cmp(&counts.cells[b]));
    let mut pairs: BTreeMap<(&str, u16), u64> = BTreeMap::new();
    for &i in &taken {
        *pairs.entry((counts.cells[i].source.as_str(), counts.cells[i].label)).or_default() +=
            counts.documents[i];
    }
    let mut weights = vec![0.0; counts.cells.len()];
    let (mut mass, mut documents) = (0.0, 0.0);
    for &i in &taken {
        let cell = &counts.cells[i];
        let n = pairs.get(&(cell.source.as_str(), cell.label)).copied().unwrap_or(1);
        weights[i] = (n as f64).max(recipe.smallest_cell).powf(-recipe.balance);
        mass += weights[i] * counts.documents[i] as f64;
        documents += counts.documents[i] as f64;
    }
    if mass > 0.0 {
        for weight in &mut weights {
            *weight *= documents / mass;
        }
    }
    weights
}

/// How much a feature moves labels apart, times how much of it there is.
fn importance(variant: Variant, weights: &[f64], counts: &[f64], n_labels: usize) -> f32 {
    let total: f64 = counts.iter().sum();
    let top = weights.iter().copied().fold(0.0, f64::max);
    let low =
        if weights.len() < n_labels { 0.0 } else { weights.iter().copied().fold(f64::INFINITY, f64::min) };
    match variant {
        Variant::Complement => ((top - low) * total) as f32,
        Variant::Multinomial => {
            weights.iter().zip(counts).map(|(w, n)| (w - low) * n).fold(0.0, f64::max) as f32
        }
    }
}
