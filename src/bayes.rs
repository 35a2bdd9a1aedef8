//! Naive Bayes over hashed features: fitting ([`fit`]), the packed weights ([`weights`]), calibrated
//! probabilities ([`calibration`]).
//!
//! linfa-bayes fits; scoring is ours, because a text has thousands of features and needs log-sum-exp,
//! a fixed tie rule and one cache line or two per feature. Both variants are kept as *weights over the
//! background*: for a feature `f` and a label `c`, the multinomial weight is
//! `ln(n_cf + α) - ln α` and the complement weight `ln(N_f + α) - ln(N_f - n_cf + α)` (Rennie et al.
//! 2003, less its label-independent part). Both are zero where label and feature never met, so a sparse
//! table loses nothing; what is the same for every feature is the label's `bias`, paid per unit of
//! document weight.

use smallvec::{SmallVec, smallvec};

pub mod calibration;
pub mod fit;
pub mod odds;
pub mod pieces;
pub mod weights;

/// Which naive Bayes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Variant {
    /// Multinomial: how often a feature comes with the label.
    Multinomial,
    /// Complement: how rarely a feature comes with every other label.
    Complement,
}

/// `ln Σ exp(x)`, safe for any finite values; minus infinity for none.
pub fn log_sum_exp(values: &[f32]) -> f64 {
    let top = values.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    if top == f32::NEG_INFINITY {
        return f64::NEG_INFINITY;
    }
    let sum: f64 = values.iter().map(|v| f64::from(v - top).exp()).sum();
    f64::from(top) + sum.ln()
}

/// By label; of a few dozen, without the heap.
pub type Probabilities = SmallVec<[f64; 24]>;

/// `exp(scores / temperature)` normalised; minus infinity gives 0, all minus infinity gives all 0.
pub fn softmax(scores: &[f32], temperature: f64) -> Probabilities {
    scaled_softmax(scores, temperature, |_| 0.0)
}

/// `exp(scores / temperature + offset(label))` normalised; minus infinity gives 0.
pub fn scaled_softmax(scores: &[f32], temperature: f64, offset: impl Fn(usize) -> f64) -> Probabilities {
    let mut out: Probabilities =
        scores.iter().enumerate().map(|(label, s)| f64::from(*s) / temperature + offset(label)).collect();
    let top = out.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    if top == f64::NEG_INFINITY {
        return smallvec![0.0; scores.len()];
    }
    let mut sum = 0.0;
    for p in &mut out {
        *p = (*p - top).exp();
        sum += *p;
    }
    for p in &mut out {
        *p /= sum;
    }
    out
}

/// Label indices, best first; ties go to the lower index, so that no run differs from another.
pub fn ranking(probabilities: &[f64]) -> SmallVec<[usize; 24]> {
    let mut order: SmallVec<[usize; 24]> = (0..probabilities.len()).collect();
    order.sort_unstable_by(|&a, &b| probabilities[b].total_cmp(&probabilities[a]).then(a.cmp(&b)));
    order
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn log_sum_exp_by_hand() {
        // ln(e^0 + e^0) = ln 2; shifting by -4000 only shifts the result.
        assert!((log_sum_exp(&[0.0, 0.0]) - 2_f64.ln()).abs() < 1e-12);
        assert!((log_sum_exp(&[-4000.0, -4000.0]) + 4000.0 - 2_f64.ln()).abs() < 1e-9);
        assert_eq!(log_sum_exp(&[]), f64::NEG_INFINITY);
    }

    #[test]
    fn softmax_of_absent_labels_is_zero() {
        let p = softmax(&[1.0, f32::NEG_INFINITY, 1.0], 1.0);
        assert_eq!(p[..], [0.5, 0.0, 0.5]);
        assert_eq!(softmax(&[f32::NEG_INFINITY], 1.0)[..], [0.0]);
        assert_eq!(ranking(&p)[..], [0, 2, 1]);
    }

    proptest::proptest! {
        #[test]
        fn probabilities_are_probabilities(scores in proptest::collection::vec(-1e6_f32..1e6, 1..50), t in 0.01_f64..100.0) {
            let p = softmax(&scores, t);
            let sum: f64 = p.iter().sum();
            proptest::prop_assert!((sum - 1.0).abs() < 1e-6);
            proptest::prop_assert!(p.iter().all(|p| (0.0..=1.0).contains(p)));
        }
    }
}
