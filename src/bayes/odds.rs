//! Two labels: a table holds one signed log-odds per feature, and what a language's own table does not
//! know, the table of all languages answers.
//!
//! The own table is a multinomial naive Bayes whose prior is the pooled one (a Dirichlet prior of
//! [`crate::train::spam::Recipe::prior`] units of document weight, MacKay and Peto 1995):
//! `p(f|c) = (n_cf + μ q(f|c)) / (N_c + μ)`. A feature the language never met has the pooled log-odds and
//! `ln (N_ham + μ) / (N_spam + μ)` on top, so that two look-ups say what a full table would.
//! Weights are stored under the label they speak for; the second bias is that constant.

use super::weights::{Record, Table, Weights};
use crate::features::{Hashed, Offers, WEIGHT_SCALE};

/// Labels of a two-label task, in this order.
pub const HAM: usize = 0;
pub const SPAM: usize = 1;

/// From a score and the number of a text's features to calibrated log-odds, a plane per table:
/// short texts have less to say, and a model learns that only from short texts.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Curve {
    /// Of score / 100, 1, their product with `ln(features) - 6`, and that alone.
    pub slope: f32,
    pub offset: f32,
    pub slope_by_length: f32,
    pub offset_by_length: f32,
}

impl Curve {
    /// What a task without enough held-back documents starts from.
    pub const PRIOR: Self = Self { slope: 0.5, offset: 0.0, slope_by_length: 0.0, offset_by_length: 0.0 };

    /// The regressors of a score and a number of features.
    pub fn terms(score: f64, features: usize) -> [f64; 4] {
        let (score, length) = (score / 100.0, (features.max(1) as f64).ln() - 6.0);
        [score, 1.0, score * length, length]
    }

    pub fn log_odds(&self, score: f64, features: usize) -> f64 {
        Self::terms(score, features).iter().zip(self.parameters()).map(|(x, w)| x * f64::from(w)).sum()
    }

    /// Calibrated log-odds per unit of score in a text of so many features.
    pub fn rate(&self, features: usize) -> f64 {
        self.log_odds(1.0, features) - self.log_odds(0.0, features)
    }

    pub fn parameters(&self) -> [f32; 4] {
        [self.slope, self.offset, self.slope_by_length, self.offset_by_length]
    }
}

impl From<[f32; 4]> for Curve {
    fn from([slope, offset, slope_by_length, offset_by_length]: [f32; 4]) -> Self {
        Self { slope, offset, slope_by_length, offset_by_length }
    }
}

/// Calibration of a two-label task.
#[derive(Clone, Debug, PartialEq)]
pub struct Odds {
    /// By table.
    pub curves: Vec<Curve>,
    /// How the log-odds of the whole text, 1 and those of its most suspicious piece add up.
    pub pieces: [f32; 3],
    /// What a text's offers are worth, by [`Offers::each`]; none where they were not weighed.
    pub offers: Vec<f32>,
    /// By table, how much of that its words leave to be said.
    pub shares: Vec<f32>,
}

impl Odds {
    /// What a text's offers are worth alone, in log-odds of spam: never less than nothing, as ordinary texts have none.
    pub fn of_offers(&self, offers: Offers) -> f64 {
        let mut sum = 0.0;
        offers.each(|place| sum += self.offers.get(place).copied().map_or(0.0, f64::from));
        if offers.is_any() { sum.max(0.0) } else { 0.0 }
    }
}

/// Log-odds of spam that a record speaks for.
fn signed(weights: &Weights, record: Record<'_>) -> f64 {
    let mut sum = 0.0_f64;
    weights.each_weight(record, |label, weight| {
        sum += if label == SPAM { f64::from(weight) } else { -f64::from(weight) };
    });
    sum
}

/// What a feature of the pooled table is worth more in a language's.
fn constant(own: &Table) -> f64 {
    own.bias.get(SPAM).filter(|b| b.is_finite()).map_or(0.0, |b| f64::from(*b))
}

/// Log-odds of one feature in `own`, else in `pooled`; `None` when neither knows it.
pub fn term(weights: &Weights, own: &Table, pooled: Option<&Table>, hash: u64) -> Option<f64> {
    let found = |table: &Table| weights.get(table, hash).map(|record| signed(weights, record));
    found(own).or_else(|| pooled.and_then(found).map(|w| w + constant(own)))
}

/// [`term`] of many features: calls `each(index, log_odds)` for those known.
pub fn each_term(
    weights: &Weights,
    own: usize,
    pooled: Option<usize>,
    features: &[impl Hashed],
    mut each: impl FnMut(usize, f64),
) {
    let tables = weights.tables();
    let Some(own) = tables.get(own) else { return };
    let pooled = pooled.and_then(|table| tables.get(table)).filter(|table| table.name != own.name);
    let constant = constant(own);
    let mut left = [(0, 0); BATCH];
    for (batch, features) in features.chunks(BATCH).enumerate() {
        let first = batch * BATCH;
        let unknown = weights.look_up_all::<_, BATCH>(own, features, |index, record| {
            each(first + index, signed(weights, record));
        });
        let Some(pooled) = pooled else { continue };
        let left = &mut left[..unknown.indices().len()];
        for (left, index) in left.iter_mut().zip(unknown.indices()) {
            *left = (features[index].hash(), first + index);
        }
        weights.look_up_all::<_, BATCH>(pooled, left, |index, record| {
            each(left[index].1, signed(weights, record) + constant);
        });
    }
}

/// Features whose pooled look-ups wait for each other.
const BATCH: usize = 256;

/// Adds up a document vector: log-odds of spam, before calibration.
pub fn score(weights: &Weights, own: usize, pooled: Option<usize>, vector: &[(u64, u32)]) -> f64 {
    let mut terms = vec![0.0; vector.len()];
    each_term(weights, own, pooled, vector, |index, log_odds| terms[index] = log_odds);
    let unit = 1.0 / f64::from(WEIGHT_SCALE);
    vector.iter().zip(terms).map(|(&(_, weight), term)| term * f64::from(weight) * unit).sum()
}

pub fn logistic(log_odds: f64) -> f64 {
    1.0 / (1.0 + (-log_odds).exp())
}

/// One held-back observation of a logistic regression.
#[derive(Clone, Copy, Debug)]
pub struct Observation<const N: usize> {
    pub terms: [f64; N],
    /// Log-odds that are there already.
    pub given: f64,
    pub spam: bool,
    pub weight: f64,
}

/// Logistic regression by Newton's method, held near `prior` by a Gaussian worth `strength`.
pub fn fit_logistic<const N: usize>(
    observations: &[Observation<N>],
    prior: [f64; N],
    strength: f64,
) -> [f64; N] {
    let mut parameters = prior;
    for _ in 0..40 {
        let mut gradient = [0.0; N];
        let mut hessian = [[0.0; N]; N];
        for seen in observations {
            let z: f64 = seen.terms.iter().zip(&parameters).map(|(x, w)| x * w).sum();
            let p = logistic(seen.given + z);
            let error = seen.weight * (p - f64::from(u8::from(seen.spam)));
            let curvature = seen.weight * p * (1.0 - p);
            for i in 0..N {
                gradient[i] += error * seen.terms[i];
                for (cell, term) in hessian[i].iter_mut().zip(&seen.terms) {
                    *cell += curvature * seen.terms[i] * term;
                }
            }
        }
        for i in 0..N {
            gradient[i] += strength * (parameters[i] - prior[i]);
            hessian[i][i] += strength + 1e-6;
        }
        let step = solved(hessian, gradient);
        let largest = step.iter().fold(0.0_f64, |most, s| most.max(s.abs()));
        // Newton's steps are trusted as far as one unit.
        let trust = (1.0 / largest.max(1e-12)).min(1.0);
        for (parameter, step) in parameters.iter_mut().zip(step) {
            *parameter -= trust * step;
        }
        if largest < 1e-6 {
            break;
        }
    }
    parameters
}

/// `x` with `matrix x = vector`, by Gauss and Jordan; the matrix is positive definite.
fn solved<const N: usize>(mut matrix: [[f64; N]; N], mut vector: [f64; N]) -> [f64; N] {
    for i in 0..N {
        let pivot = matrix[i][i];
        for cell in &mut matrix[i] {
            *cell /= pivot;
        }
        vector[i] /= pivot;
        let (row, value) = (matrix[i], vector[i]);
        for j in (0..N).filter(|j| *j != i) {
            let factor = matrix[j][i];
            for (cell, own) in matrix[j].iter_mut().zip(row) {
                *cell -= factor * own;
            }
            vector[j] -= factor * value;
        }
    }
    vector
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bayes::weights::{Feature, TableInput};

    const UNIT: u32 = WEIGHT_SCALE;

    fn table(name: &str, constant: f32, features: &[(u64, u16, f32)]) -> TableInput {
        let feature = |&(hash, label, weight)| Feature {
            hash,
            importance: 1.0,
            weights: smallvec::smallvec![(label, weight)],
        };
        TableInput {
            name: name.into(),
            bias: vec![0.0, constant],
            temperature: 1.0,
            documents: 1,
            features: features.iter().map(feature).collect(),
        }
    }

    #[test]
    fn what_the_own_table_lacks_the_pooled_one_answers() {
        let [a, b, c] = [1_u64, 2, 3].map(|n| n.wrapping_mul(0x9E37_79B9_7F4A_7C15));
        let weights = Weights::pack(
            2,
            vec![table("*", 0.0, &[(a, 1, 2.0), (b, 1, 1.0)]), table("spa", 0.5, &[(a, 0, 3.0)])],
        )
        .expect("tables");
        let (pooled, own) = (weights.table("*").expect("*"), weights.table("spa").expect("spa"));
        // a speaks for ham in the own table, -3; b is known to all, 1 + 0.5; c nobody knows.
        let got = score(&weights, own, Some(pooled), &[(a, UNIT), (b, 2 * UNIT), (c, UNIT)]);
        assert!((got - (-3.0 + 2.0 * 1.5)).abs() < 0.1, "{got}");
        let got = score(&weights, pooled, Some(pooled), &[(a, UNIT), (b, UNIT)]);
        assert!((got - 3.0).abs() < 0.1, "{got}");
        assert_eq!(score(&weights, 9, None, &[(a, UNIT)]), 0.0);
    }

    #[test]
    fn logistic_regression_by_hand() {
        // A constant alone: 3 of 4 are spam, so the log-odds are ln 3.
        let seen = |spam| Observation { terms: [1.0], given: 0.0, spam, weight: 1.0 };
        let [offset] = fit_logistic(&[seen(true), seen(true), seen(true), seen(false)], [0.0], 0.0);
        assert!((offset - 3_f64.ln()).abs() < 1e-4, "{offset}");
        // What is given already needs no offset: 3 of 4 at log-odds of ln 3.
        let given = |spam| Observation { given: 3_f64.ln(), ..seen(spam) };
        let [offset] = fit_logistic(&[given(true), given(true), given(true), given(false)], [0.0], 0.0);
        assert!(offset.abs() < 1e-4, "{offset}");
        // Without documents the prior stands.
        assert_eq!(fit_logistic::<2>(&[], [0.5, -1.0], 1.0), [0.5, -1.0]);
        // Separable data stay finite under a prior.
        let far = [
            Observation { terms: [1.0, 1.0], given: 0.0, spam: true, weight: 1.0 },
            Observation { terms: [-1.0, 1.0], given: 0.0, spam: false, weight: 1.0 },
        ];
        assert!(fit_logistic(&far, [0.5, 0.0], 0.1).iter().all(|w| w.is_finite()));
    }

    #[test]
    fn curves_by_hand() {
        let curve = Curve { slope: 2.0, offset: 1.0, slope_by_length: 0.5, offset_by_length: -1.0 };
        // 55 features: ln 55 - 6 = -1.99267; score 50: 0.5 * 2 + 1 + 0.5 * -1.99267 * 0.5 + 1.99267.
        let expected = 1.0 + 1.0 - 0.25 * 1.992_667 + 1.992_667;
        assert!((curve.log_odds(50.0, 55) - expected).abs() < 1e-4);
        assert!((curve.rate(55) * 100.0 - (2.0 - 0.5 * 1.992_667)).abs() < 1e-4);
    }
}
