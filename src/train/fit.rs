//! From counts to packed tables: cell weights, the linfa fit, pruning.

use super::counts::{Cell, TableCounts};
use crate::bayes::Variant;
use crate::bayes::fit::{FeatureCounts, FitError, fit};
use crate::bayes::weights::{Feature, TableInput, packed_size};
use crate::features::WEIGHT_SCALE;
use std::collections::BTreeMap;

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

/// Fits one table on the cells that `take` accepts.
pub fn fit_table(
    name: &str,
    counts: &mut TableCounts,
    n_labels: usize,
    recipe: &Recipe,
    take: impl Fn(&Cell) -> bool,
) -> Result<TableInput, FitError> {
    counts.entries();
    let weights = cell_weights(counts, recipe, &take);
    let labels: Vec<u16> = counts.cells.iter().map(|c| c.label).collect();
    let documents: u64 =
        counts.documents.iter().zip(&weights).filter(|(_, w)| **w > 0.0).map(|(d, _)| *d).sum();
    let mut present = vec![false; n_labels];
    for (label, weight) in labels.iter().zip(&weights) {
        present[usize::from(*label)] |= *weight > 0.0;
    }
    // One row per feature: labels ascending, weighted sums, documents.
    let (mut hashes, mut document_counts, mut ends) = (Vec::new(), Vec::new(), Vec::new());
    let (mut row_labels, mut row_counts): (Vec<u16>, Vec<f64>) = (Vec::new(), Vec::new());
    let mut sums = vec![0.0_f64; n_labels];
    for group in counts.entries().chunk_by(|a, b| a.hash == b.hash) {
        let mut documents = 0_u32;
        sums.fill(0.0);
        // Cells are numbered as they were met; summing by label in cell order of name keeps it exact:
        // the products are added in a fixed order.
        let mut parts: Vec<(u16, f64)> = Vec::new();
        for entry in group {
            let weight = weights[entry.cell as usize];
            if weight > 0.0 {
                documents += entry.documents;
                parts
                    .push((labels[entry.cell as usize], weight * entry.sum as f64 / f64::from(WEIGHT_SCALE)));
            }
        }
        if documents == 0 {
            continue;
        }
        parts.sort_by(|a, b| a.0.cmp(&b.0).then(a.1.total_cmp(&b.1)));
        for same in parts.chunk_by(|a, b| a.0 == b.0) {
            row_labels.push(same[0].0);
            row_counts.push(same.iter().map(|p| p.1).sum());
        }
        hashes.push(group[0].hash);
        document_counts.push(documents);
        ends.push(row_labels.len());
    }
    let rows = (0..hashes.len()).map(|i| {
        let range = if i == 0 { 0 } else { ends[i - 1] }..ends[i];
        FeatureCounts { labels: &row_labels[range.clone()], counts: &row_counts[range] }
    });
    let fitted = fit(recipe.variant, n_labels, recipe.alpha, rows)?;
    let importance: Vec<f32> = (0..hashes.len())
        .map(|i| {
            let range = if i == 0 { 0 } else { ends[i - 1] }..ends[i];
            importance(recipe.variant, &fitted.weights[range.clone()], &row_counts[range], n_labels)
        })
        .collect();
    let mut keep: Vec<usize> = (0..hashes.len()).collect();
    if recipe.bytes > 0.0 {
        let cost = |i: usize| {
            let range = if i == 0 { 0 } else { ends[i - 1] }..ends[i];
            packed_size(n_labels, &fitted.weights[range])
        };
        let worth: Vec<f32> = keep.iter().map(|&i| importance[i] / cost(i)).collect();
        keep.sort_by(|&a, &b| worth[b].total_cmp(&worth[a]).then(hashes[a].cmp(&hashes[b])));
        let mut left = (recipe.bytes * (documents as f64).powf(2.0 / 3.0)) as f32;
        let fitting = keep.iter().take_while(|&&i| {
            left -= cost(i);
            left >= 0.0
        });
        let fitting = fitting.count();
        keep.truncate(fitting);
    }
    let features = keep
        .into_iter()
        .map(|i| {
            let range = if i == 0 { 0 } else { ends[i - 1] }..ends[i];
            Feature {
                hash: hashes[i],
                importance: importance[i],
                weights: row_labels[range.clone()]
                    .iter()
                    .zip(&fitted.weights[range])
                    .map(|(l, w)| (*l, *w as f32))
                    .collect(),
            }
        })
        .collect();
    let bias = fitted
        .bias
        .iter()
        .zip(&present)
        .map(|(b, present)| if *present { *b as f32 } else { f32::NEG_INFINITY })
        .collect();
    Ok(TableInput { name: name.to_string(), bias, temperature: 1.0, documents, features })
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
