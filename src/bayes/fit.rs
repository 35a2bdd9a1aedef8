//! Fitting with linfa-bayes: the only file that names linfa and ndarray.
//!
//! linfa's multinomial fit takes dense rows. The sparse counts of a table are therefore fitted in
//! blocks of columns, one aggregated row per label. Two extra columns make a block exact: one holds
//! all counts outside the block, so that every denominator is that of the whole table; one is always
//! zero and gives the label's weight for a feature it never met.

use super::Variant;
use linfa::DatasetBase;
use linfa::traits::Fit;
use linfa_bayes::MultinomialNb;
use ndarray::{Array1, Array2};
use serde::Deserialize;
use std::collections::HashMap;

/// Columns fitted at a time: 64 labels of them are 8 MiB.
const BLOCK: usize = 16 * 1024;

/// Counts of one feature by label, labels ascending, counts above zero.
#[derive(Clone, Copy, Debug)]
pub struct FeatureCounts<'a> {
    pub labels: &'a [u16],
    pub counts: &'a [f64],
}

/// What a fit gives: the weights over the background, in the order of the features.
#[derive(Clone, Debug, Default)]
pub struct Fitted {
    /// Per label: what one unit of document weight costs or gains, whatever the feature.
    pub bias: Vec<f64>,
    /// Per feature and label that met, in the order given: `ln` weight above the background, ≥ 0.
    pub weights: Vec<f64>,
}

#[derive(Debug, thiserror::Error)]
pub enum FitError {
    #[error("alpha {0} is not a positive finite number")]
    Alpha(f64),
    #[error("a count is negative or not finite")]
    Counts,
    #[error("linfa-bayes refused the fit: {0}")]
    Linfa(String),
}

/// linfa-bayes keeps `feature_log_prob` private but serialises it; this is the shape it serialises.
#[derive(Deserialize)]
struct FittedShape {
    class_info: HashMap<usize, ClassShape>,
}

#[derive(Deserialize)]
struct ClassShape {
    _class_count: usize,
    _prior: f64,
    _feature_count: Array1<f64>,
    feature_log_prob: Array1<f64>,
}

/// linfa's `feature_log_prob`, one row per row of `counts`: `ln((n + α) / Σ(n + α))`.
fn feature_log_prob(counts: Array2<f64>, alpha: f64) -> Result<Vec<Array1<f64>>, FitError> {
    let n = counts.nrows();
    let dataset = DatasetBase::new(counts, Array1::from_iter(0..n));
    let fitted: MultinomialNb<f64, usize> =
        MultinomialNb::params().alpha(alpha).fit(&dataset).map_err(|e| FitError::Linfa(e.to_string()))?;
    let bytes = postcard::to_stdvec(&fitted).map_err(|e| FitError::Linfa(e.to_string()))?;
    let mut shape: FittedShape =
        postcard::from_bytes(&bytes).map_err(|e| FitError::Linfa(e.to_string()))?;
    (0..n)
        .map(|row| {
            let class = shape.class_info.remove(&row);
            class
                .map(|c| c.feature_log_prob)
                .ok_or_else(|| FitError::Linfa(format!("row {row} is missing from the fit")))
        })
        .collect()
}

/// Fits one table: `features` with their counts by label, `n_labels` labels, Lidstone `alpha`.
pub fn fit<'a>(
    variant: Variant,
    n_labels: usize,
    alpha: f64,
    features: impl ExactSizeIterator<Item = FeatureCounts<'a>> + Clone,
) -> Result<Fitted, FitError> {
    if !(alpha.is_finite() && alpha > 0.0) {
        return Err(FitError::Alpha(alpha));
    }
    let n_features = features.len();
    let mut total = vec![0.0_f64; n_labels];
    for feature in features.clone() {
        for (&label, &count) in feature.labels.iter().zip(feature.counts) {
            if !(count.is_finite() && count >= 0.0) {
                return Err(FitError::Counts);
            }
            total[usize::from(label)] += count;
        }
    }
    let all: f64 = total.iter().sum();
    // Complement rows hold what every other label has; one more row holds everything.
    let (n_rows, row_total): (usize, Vec<f64>) = match variant {
        Variant::Multinomial => (n_labels, total.clone()),
        Variant::Complement => {
            (n_labels + 1, total.iter().map(|t| all - t).chain(std::iter::once(all)).collect())
        }
    };
    let mut fitted = Fitted { bias: Vec::new(), weights: Vec::with_capacity(n_features) };
    let mut rest = features;
    let mut done = 0;
    while done < n_features || fitted.bias.is_empty() {
        let block: Vec<FeatureCounts<'a>> = rest.by_ref().take(BLOCK).collect();
        let (zero, outside) = (block.len(), block.len() + 1);
        let mut counts = Array2::<f64>::zeros((n_rows, block.len() + 2));
        for (column, feature) in block.iter().enumerate() {
            if variant == Variant::Complement {
                let sum: f64 = feature.counts.iter().sum();
                counts.column_mut(column).fill(sum);
            }
            for (&label, &count) in feature.labels.iter().zip(feature.counts) {
                let cell = &mut counts[(usize::from(label), column)];
                match variant {
                    Variant::Multinomial => *cell += count,
                    Variant::Complement => *cell = (*cell - count).max(0.0),
                }
            }
        }
        // The two columns together stand for the n_features - block features outside, smoothing included.
        let smoothing = alpha * (n_features as f64 - block.len() as f64 - 2.0);
        for (row, total) in row_total.iter().enumerate() {
            let inside: f64 = counts.row(row).sum();
            counts[(row, outside)] = total - inside + smoothing;
        }
        let log_prob = feature_log_prob(counts, alpha)?;
        if fitted.bias.is_empty() {
            fitted.bias = match variant {
                Variant::Multinomial => log_prob.iter().map(|row| row[zero]).collect(),
                Variant::Complement => {
                    (0..n_labels).map(|c| log_prob[n_labels][zero] - log_prob[c][zero]).collect()
                }
            };
        }
        for (column, feature) in block.iter().enumerate() {
            for &label in feature.labels {
                let row = &log_prob[usize::from(label)];
                let weight = match variant {
                    Variant::Multinomial => row[column] - row[zero],
                    Variant::Complement => {
                        let everything = &log_prob[n_labels];
                        (everything[column] - everything[zero]) - (row[column] - row[zero])
                    }
                };
                fitted.weights.push(weight.max(0.0));
            }
        }
        done += block.len();
    }
    Ok(fitted)
}
