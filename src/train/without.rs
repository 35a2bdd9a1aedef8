//! A table as it would be without one of its documents: exact counts allow it by subtraction.

use super::counts::EVEN;
use super::fit::Rows;
use crate::features::WEIGHT_SCALE;

/// Counts of a table and their sums.
pub(super) struct Whole {
    pub rows: Rows,
    /// Sum of each label's weighted counts, and of all.
    totals: Vec<f64>,
    all: f64,
    alpha: f64,
    /// By feature: that it counts but is not kept. Empty where all are.
    left_out: Vec<bool>,
}

/// A document that was counted.
pub(super) struct Counted<'a> {
    pub vector: &'a [(u64, u32)],
    pub label: u16,
    /// The weight of its cell.
    pub weight: f64,
    pub emphasis: u32,
}

impl Whole {
    pub fn new(rows: Rows, n_labels: usize, alpha: f64) -> Self {
        let mut totals = vec![0.0; n_labels];
        for feature in 0..rows.len() {
            let row = rows.row(feature);
            row.labels.iter().zip(row.counts).for_each(|(l, n)| totals[usize::from(*l)] += n);
        }
        Self { all: totals.iter().sum(), rows, totals, alpha, left_out: Vec::new() }
    }

    /// The same where scoring does not know some features, their hashes ascending.
    pub fn leaving_out(self, hashes: &[u64]) -> Self {
        let left_out = self.rows.hashes.iter().map(|hash| hashes.binary_search(hash).is_ok()).collect();
        Self { left_out, ..self }
    }

    /// Calls `each(feature, label, term)` for every term of the document's scores by the complement weights of
    /// everything but itself. What each label's score has beside them is returned; minus infinity for a label that
    /// no other document has.
    pub fn terms(&self, document: &Counted<'_>, mut each: impl FnMut(usize, u16, f64)) -> Vec<f64> {
        let unit = 1.0 / f64::from(WEIGHT_SCALE);
        let (mut known, mut mass) = (0.0, 0.0);
        for &(hash, w) in document.vector {
            let Some(feature) = self.rows.find(hash) else { continue };
            let value = f64::from(w) * unit;
            let counted = u64::from(w) * u64::from(document.emphasis) / u64::from(EVEN);
            let own = document.weight * counted as f64 * unit;
            mass += own;
            if self.left_out.get(feature).is_some_and(|gone| *gone) {
                continue;
            }
            let row = self.rows.row(feature);
            let others = row.counts.iter().sum::<f64>() - own;
            if others <= 1e-6 {
                continue;
            }
            known += value;
            let background = (others + self.alpha).ln();
            for (&l, &count) in row.labels.iter().zip(row.counts) {
                let count = if l == document.label { count - own } else { count };
                if count > 1e-6 {
                    let complement = (others - count).max(0.0) + self.alpha;
                    each(feature, l, value * (background - complement.ln()));
                }
            }
        }
        let smoothing = self.alpha * self.rows.len() as f64;
        let all = self.all - mass;
        (self.totals.iter().enumerate())
            .map(|(l, total)| {
                let total = if l == usize::from(document.label) { total - mass } else { *total };
                if total <= 1e-6 {
                    return f64::NEG_INFINITY;
                }
                known * ((all - total + smoothing).ln() - (all + smoothing).ln())
            })
            .collect()
    }
}
