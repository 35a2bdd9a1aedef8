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

/// Cells fitted at a time: 8 MiB, a few copies of which fit a core's cache hierarchy.
const BLOCK_CELLS: usize = 1 << 20;

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
    let mut shape: FittedShape = postcard::from_bytes(&bytes).map_err(|e| FitError::Linfa(e.to_string()))?;
    (0..n)
        .map(|row| {
            let class = shape.class_info.remove(&row);
            class
                .map(|c| c.feature_log_prob)
                .ok_or_else(|| FitError::Linfa(format!("row {row} is missing from the fit")))
        })
        .collect()
}

/// Fits one table: `features` with their counts by label, `n_labels` labels, Lidstone `alpha`. `vocabulary` of
/// the features make the denominators larger by an alpha each: all of them in the textbook, fewer where some come
/// from elsewhere.
pub fn fit<'a>(
    variant: Variant,
    n_labels: usize,
    alpha: f64,
    vocabulary: usize,
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
    // A block smooths by each of its columns, so that it must not have more of them than the vocabulary.
    let most = if vocabulary < n_features { vocabulary / 2 } else { usize::MAX };
    let block_columns = (BLOCK_CELLS / n_rows).max(64).min(most.max(1));
    let mut fitted = Fitted { bias: Vec::new(), weights: Vec::with_capacity(n_features) };
    let mut rest = features;
    let mut done = 0;
    while done < n_features || fitted.bias.is_empty() {
        let block: Vec<FeatureCounts<'a>> = rest.by_ref().take(block_columns).collect();
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
        // The two columns together stand for the vocabulary - block features outside, smoothing included.
        let smoothing = alpha * (vocabulary as f64 - block.len() as f64 - 2.0);
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

#[cfg(test)]
mod tests {
    use super::*;
    use linfa::traits::Predict;
    use ndarray::array;

    fn features<'a>(
        rows: &'a [(Vec<u16>, Vec<f64>)],
    ) -> impl ExactSizeIterator<Item = FeatureCounts<'a>> + Clone {
        rows.iter().map(|(labels, counts)| FeatureCounts { labels, counts })
    }

    /// The score of a count vector: what serving adds up, in full precision.
    fn scores(fitted: &Fitted, rows: &[(Vec<u16>, Vec<f64>)], document: &[f64]) -> Vec<f64> {
        let mut scores: Vec<f64> = fitted.bias.iter().map(|b| b * document.iter().sum::<f64>()).collect();
        let mut at = 0;
        for ((labels, _), n) in rows.iter().zip(document) {
            for label in labels {
                scores[usize::from(*label)] += n * fitted.weights[at];
                at += 1;
            }
        }
        scores
    }

    /// Manning, Raghavan and Schütze, Introduction to Information Retrieval, example 13.1: documents of
    /// class China hold Chinese 5 times, Beijing, Shanghai and Macao once; the other class holds Tokyo,
    /// Japan and Chinese once. With add-one smoothing P(Chinese|c) = 6/14, P(Tokyo|c) = 1/14, and
    /// P(Chinese|not c) = P(Tokyo|not c) = 2/9.
    fn china() -> Vec<(Vec<u16>, Vec<f64>)> {
        vec![
            (vec![0, 1], vec![5.0, 1.0]), // Chinese
            (vec![0], vec![1.0]),         // Beijing
            (vec![0], vec![1.0]),         // Shanghai
            (vec![0], vec![1.0]),         // Macao
            (vec![1], vec![1.0]),         // Tokyo
            (vec![1], vec![1.0]),         // Japan
        ]
    }

    #[test]
    fn multinomial_by_hand() {
        let rows = china();
        let fitted = fit(Variant::Multinomial, 2, 1.0, rows.len(), features(&rows)).expect("a fit");
        // Chinese three times, Tokyo, Japan.
        let got = scores(&fitted, &rows, &[3.0, 0.0, 0.0, 0.0, 1.0, 1.0]);
        let expected = [
            3.0 * (6.0_f64 / 14.0).ln() + 2.0 * (1.0_f64 / 14.0).ln(),
            3.0 * (2.0_f64 / 9.0).ln() + 2.0 * (2.0_f64 / 9.0).ln(),
        ];
        for (got, expected) in got.iter().zip(expected) {
            assert!((got - expected).abs() < 1e-9, "{got} {expected}");
        }
        // With the priors 3/4 and 1/4 the book's answer: 0.0003 and 0.0001, the class is China.
        assert!(((0.75 * got[0].exp()) - 0.0003).abs() < 5e-5);
        assert!(((0.25 * got[1].exp()) - 0.0001).abs() < 5e-5);
    }

    #[test]
    fn complement_by_hand() {
        let rows = china();
        let fitted = fit(Variant::Complement, 2, 1.0, rows.len(), features(&rows)).expect("a fit");
        // The complement of China has 3 tokens, that of the other class 8; six features, alpha one.
        // Weight of Chinese: -ln((1 + 1)/9) for China, -ln((5 + 1)/14) for the other.
        let got = scores(&fitted, &rows, &[1.0, 0.0, 0.0, 0.0, 0.0, 0.0]);
        let expected = -(2.0_f64 / 9.0).ln() + (6.0_f64 / 14.0).ln();
        assert!((got[0] - got[1] - expected).abs() < 1e-9, "{got:?}");
    }

    #[test]
    fn scores_equal_linfas_own_likelihood() {
        // Against linfa's public predict_proba on small dense data: differences of ln p are differences
        // of the joint log likelihood, one document of each class, so that the priors are equal.
        let x = array![[2.0, 1.0, 0.0, 3.0], [0.0, 4.0, 1.0, 1.0], [1.0, 0.0, 5.0, 0.0]];
        let y = array![0_usize, 1, 2];
        let model =
            MultinomialNb::params().alpha(0.5).fit(&DatasetBase::new(x.clone(), y)).expect("linfa fits");
        let rows: Vec<(Vec<u16>, Vec<f64>)> = (0..4)
            .map(|f| {
                (0..3_u16)
                    .filter(|&c| x[(usize::from(c), f)] > 0.0)
                    .map(|c| (c, x[(usize::from(c), f)]))
                    .unzip()
            })
            .collect();
        let fitted = fit(Variant::Multinomial, 3, 0.5, rows.len(), features(&rows)).expect("a fit");
        for document in
            [array![[1.0, 1.0, 1.0, 1.0]], array![[0.0, 2.0, 0.0, 1.0]], array![[3.0, 0.0, 1.0, 0.0]]]
        {
            let ours = scores(&fitted, &rows, document.row(0).as_slice().expect("contiguous"));
            let bytes = postcard::to_stdvec(&model).expect("serialises");
            let shape: FittedShape = postcard::from_bytes(&bytes).expect("the shape");
            for (class, ours) in ours.iter().enumerate() {
                let likelihood = document.row(0).dot(&shape.class_info[&class].feature_log_prob);
                assert!((ours - likelihood).abs() < 1e-9, "class {class}: {ours} {likelihood}");
            }
            let best = crate::bayes::ranking(&ours)[0];
            assert_eq!(model.predict(&document)[0], best);
        }
    }

    #[test]
    fn blocks_do_not_show() {
        // More features than one block of columns, against the closed form.
        let n = 70_000_u32;
        let rows: Vec<(Vec<u16>, Vec<f64>)> =
            (0..n).map(|i| (vec![(i % 20) as u16], vec![f64::from(i % 7 + 1)])).collect();
        let fitted = fit(Variant::Complement, 20, 0.3, rows.len(), features(&rows)).expect("a fit");
        assert_eq!(fitted.weights.len(), n as usize);
        for i in [0_usize, 1, 50_000, 52_430, 69_999] {
            let count = rows[i].1[0];
            let expected = ((count + 0.3) / 0.3_f64).ln();
            assert!((fitted.weights[i] - expected).abs() < 1e-9);
        }
        let total = |label: u16| rows.iter().filter(|r| r.0[0] == label).map(|r| r.1[0]).sum::<f64>();
        let all: f64 = rows.iter().map(|r| r.1[0]).sum();
        let expected = (all - total(3) + 0.3 * f64::from(n)).ln() - (all + 0.3 * f64::from(n)).ln();
        assert!((fitted.bias[3] - expected).abs() < 1e-9);
    }

    #[test]
    fn borrowed_features_make_no_denominator_larger() {
        let rows = china();
        for vocabulary in [2, 4, 5] {
            let fitted = fit(Variant::Complement, 2, 1.0, vocabulary, features(&rows)).expect("a fit");
            // Of 11 tokens the first label has 8: six features, of which the vocabulary's smooth.
            let v = vocabulary as f64;
            for (bias, own) in fitted.bias.iter().zip([8.0, 3.0]) {
                let expected = (11.0 - own + v).ln() - (11.0 + v).ln();
                assert!((bias - expected).abs() < 1e-9, "{vocabulary}: {bias} {expected}");
            }
            assert!((fitted.weights[0] - (7.0_f64 / 2.0).ln()).abs() < 1e-9, "{:?}", fitted.weights);
        }
    }

    #[test]
    fn bad_numbers_are_refused() {
        let rows = china();
        assert!(matches!(
            fit(Variant::Multinomial, 2, f64::NAN, rows.len(), features(&rows)),
            Err(FitError::Alpha(_))
        ));
        assert!(matches!(
            fit(Variant::Multinomial, 2, 0.0, rows.len(), features(&rows)),
            Err(FitError::Alpha(_))
        ));
        let rows = vec![(vec![0], vec![-1.0])];
        assert!(matches!(
            fit(Variant::Multinomial, 2, 1.0, rows.len(), features(&rows)),
            Err(FitError::Counts)
        ));
    }
}
