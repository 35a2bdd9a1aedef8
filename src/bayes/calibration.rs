//! From scores to probabilities that mean what they say.

/// One held-back document: its scores by label and its true label.
#[derive(Clone, Debug)]
pub struct HeldBack {
    pub scores: Vec<f32>,
    pub label: u16,
}

/// Range within which a temperature is looked for.
pub const TEMPERATURES: (f64, f64) = (0.02, 200.0);

/// The temperature that gives held-back documents the least mean negative log-likelihood
/// (Guo et al. 2017, one parameter), by golden-section search over its logarithm.
pub fn fit_temperature(held_back: &[HeldBack]) -> Option<f64> {
    if held_back.is_empty() {
        return None;
    }
    let loss = |log_t: f64| -> f64 {
        let t = log_t.exp();
        held_back
            .iter()
            .map(|doc| {
                let p = super::softmax(&doc.scores, t).get(usize::from(doc.label)).copied().unwrap_or(0.0);
                -p.max(1e-6).ln()
            })
            .sum()
    };
    let ratio = (5_f64.sqrt() - 1.0) / 2.0;
    let (mut low, mut high) = (TEMPERATURES.0.ln(), TEMPERATURES.1.ln());
    let (mut a, mut b) = (high - ratio * (high - low), low + ratio * (high - low));
    let (mut loss_a, mut loss_b) = (loss(a), loss(b));
    for _ in 0..30 {
        if loss_a < loss_b {
            (high, b, loss_b) = (b, a, loss_a);
            a = high - ratio * (high - low);
            loss_a = loss(a);
        } else {
            (low, a, loss_a) = (a, b, loss_b);
            b = low + ratio * (high - low);
            loss_b = loss(b);
        }
    }
    Some((0.5 * (low + high)).exp())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn temperature_undoes_overconfidence() {
        // Scores say 10:0, yet only 3 of 4 documents are right: ln(3) = 10 / T, so T = 10 / ln 3 = 9.10.
        let doc = |label| HeldBack { scores: vec![10.0, 0.0], label };
        let t = fit_temperature(&[doc(0), doc(0), doc(0), doc(1)]).expect("four documents");
        assert!((t - 10.0 / 3_f64.ln()).abs() < 0.01, "{t}");
        assert_eq!(fit_temperature(&[]), None);
    }
}
