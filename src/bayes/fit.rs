//! Fitting with linfa-bayes: the only file that names linfa and ndarray.
//!
//! linfa's multinomial fit takes dense rows, and most features met few labels. Denominators are therefore
//! fitted on the sums of the labels, and weights in blocks whose columns are pairs of a feature and a label
//! it met, beside one that is always zero: how much a weight is over that of a feature nobody met does not
//! depend on the denominator.

use super::Variant;
use linfa::DatasetBase;
use linfa::traits::Fit;
use linfa_bayes::MultinomialNb;
use ndarray::{Array1, Array2};
use rayon::prelude::*;
use serde::Deserialize;
use std::collections::HashMap;

/// Labels that features met, fitted at a time by one core, a feature's together; and such blocks at once.
const BLOCK_PAIRS: usize = 1 << 15;
const BLOCKS_AHEAD: usize = 32;

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
    let mut total = vec![0.0_f64; n_labels];
    for feature in features.clone() {
        for (&label, &count) in feature.labels.iter().zip(feature.counts) {
            if !(count.is_finite() && count >= 0.0) {
                return Err(FitError::Counts);
            }
            total[usize::from(label)] += count;
        }
    }
    let bias = biases(variant, alpha, vocabulary, &total)?;
    let mut fitted = Fitted { bias, weights: Vec::with_capacity(features.len()) };
    let mut rest = features.peekable();
    let mut block = || {
        let (mut block, mut pairs) = (Vec::new(), 0);
        while let Some(feature) = rest.next_if(|_| pairs < BLOCK_PAIRS) {
            pairs += feature.labels.len();
            block.push(feature);
        }
        (!block.is_empty()).then_some(block)
    };
    loop {
        let blocks: Vec<Vec<FeatureCounts<'_>>> = std::iter::from_fn(&mut block).take(BLOCKS_AHEAD).collect();
        if blocks.is_empty() {
            return Ok(fitted);
        }
        let weights: Vec<Result<Vec<f64>, FitError>> =
            blocks.par_iter().map(|block| block_weights(variant, alpha, block)).collect();
        for weights in weights {
            fitted.weights.append(&mut weights?);
        }
    }
}

/// What a label's weight for a feature it never met is over that of everything, whatever the feature.
fn biases(variant: Variant, alpha: f64, vocabulary: usize, total: &[f64]) -> Result<Vec<f64>, FitError> {
    let all: f64 = total.iter().sum();
    // Complement rows hold what every other label has; one more row holds everything.
    let rows: Vec<f64> = match variant {
        Variant::Multinomial => total.to_vec(),
        Variant::Complement => total.iter().map(|t| all - t).chain([all]).collect(),
    };
    // Two columns stand for the vocabulary: a feature nobody met and all the others, smoothing included.
    let others = alpha * (vocabulary as f64 - 2.0);
    let counts = Array2::from_shape_fn(
        (rows.len(), 2),
        |(row, column)| {
            if column == 0 { 0.0 } else { rows[row] + others }
        },
    );
    let log_prob = feature_log_prob(counts, alpha)?;
    let unmet = |row: usize| log_prob[row][0];
    Ok(match variant {
        Variant::Multinomial => (0..total.len()).map(unmet).collect(),
        Variant::Complement => (0..total.len()).map(|c| unmet(total.len()) - unmet(c)).collect(),
    })
}

/// The weights of some features. Over that of a feature nobody met a weight is the same whatever its row's
/// denominator, so that the labels a feature met can stand side by side, and only they.
fn block_weights(variant: Variant, alpha: f64, features: &[FeatureCounts<'_>]) -> Result<Vec<f64>, FitError> {
    let n: usize = features.iter().map(|feature| feature.labels.len()).sum();
    let n_rows = match variant {
        Variant::Multinomial => 1,
        Variant::Complement => 2,
    };
    // The last column is the feature nobody met.
    let mut counts = Array2::<f64>::zeros((n_rows, n + 1));
    let mut column = 0;
    for feature in features {
        let sum: f64 = feature.counts.iter().sum();
        for &count in feature.counts {
            match variant {
                Variant::Multinomial => counts[(0, column)] = count,
                Variant::Complement => {
                    counts[(0, column)] = sum;
                    counts[(1, column)] = (sum - count).max(0.0);
                }
            }
            column += 1;
        }
    }
    let log_prob = feature_log_prob(counts, alpha)?;
    let over_unmet = |row: usize, column: usize| log_prob[row][column] - log_prob[row][n];
    let weight = |column: usize| match variant {
        Variant::Multinomial => over_unmet(0, column),
        Variant::Complement => over_unmet(0, column) - over_unmet(1, column),
    };
    Ok((0..n).map(|column| weight(column).max(0.0)).collect())
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
        // More features than blocks at once, against the closed form.
        let n = 1_100_000_u32;
        let rows: Vec<(Vec<u16>, Vec<f64>)> =
            (0..n).map(|i| (vec![(i % 20) as u16], vec![f64::from(i % 7 + 1)])).collect();
        let fitted = fit(Variant::Complement, 20, 0.3, rows.len(), features(&rows)).expect("a fit");
        assert_eq!(fitted.weights.len(), n as usize);
        for i in [0_usize, 1, 32_767, 32_768, 1_048_576, 1_099_999] {
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
