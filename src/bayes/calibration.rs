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

/// A temperature and an offset per label: `p = softmax(scores / temperature + offsets)`.
#[derive(Clone, Debug, PartialEq)]
pub struct Scaling {
    pub temperature: f64,
    pub offsets: Vec<f64>,
}

impl Scaling {
    pub fn probabilities(&self, scores: &[f32]) -> Vec<f64> {
        super::scaled_softmax(scores, self.temperature, |label| {
            self.offsets.get(label).copied().unwrap_or(0.0)
        })
    }
}

/// Steps of the descent; the loss is smooth and has few parameters.
const STEPS: usize = 250;

/// Vector scaling (Guo et al. 2017) by weighted log-likelihood, offsets held near zero by a Gaussian prior
/// worth `prior` documents. `weights` has one number per document.
pub fn fit_scaling(held_back: &[HeldBack], weights: &[f64], prior: f64) -> Option<Scaling> {
    let n_labels = held_back.first()?.scores.len();
    let mut scaling = Scaling { temperature: fit_temperature(held_back)?, offsets: vec![0.0; n_labels] };
    let total: f64 = weights.iter().sum();
    if total.is_nan() || total <= 0.0 {
        return Some(scaling);
    }
    // Adam over (ln temperature, offsets).
    let mut parameters: Vec<f64> =
        std::iter::once(scaling.temperature.ln()).chain(scaling.offsets.clone()).collect();
    let (mut first, mut second) = (vec![0.0; n_labels + 1], vec![0.0; n_labels + 1]);
    for step in 1..=STEPS {
        let mut gradient = vec![0.0; n_labels + 1];
        for (doc, weight) in held_back.iter().zip(weights) {
            let p = scaling.probabilities(&doc.scores);
            let top = doc.scores.iter().copied().fold(f32::NEG_INFINITY, f32::max);
            for (label, p) in p.iter().enumerate() {
                let score = doc.scores[label];
                if score == f32::NEG_INFINITY {
                    continue;
                }
                let error = weight * (p - f64::from(u8::from(label == usize::from(doc.label))));
                gradient[label + 1] += error;
                // d/d ln T of score / T is -score / T; scores are taken relative to the best.
                gradient[0] -= error * f64::from(score - top) / scaling.temperature;
            }
        }
        for (label, offset) in scaling.offsets.iter().enumerate() {
            gradient[label + 1] += prior * offset;
        }
        let rate = 0.05 * (1.0 - step as f64 / (STEPS + 1) as f64);
        for i in 0..=n_labels {
            let g = gradient[i] / total;
            first[i] = 0.9 * first[i] + 0.1 * g;
            second[i] = 0.99 * second[i] + 0.01 * g * g;
            let (m, v) = (
                first[i] / (1.0 - 0.9_f64.powi(step as i32)),
                second[i] / (1.0 - 0.99_f64.powi(step as i32)),
            );
            parameters[i] -= rate * m / (v.sqrt() + 1e-8);
        }
        scaling.temperature = parameters[0].exp().clamp(TEMPERATURES.0, TEMPERATURES.1);
        scaling.offsets.copy_from_slice(&parameters[1..]);
    }
    Some(scaling)
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

    #[test]
    fn offsets_undo_a_prior() {
        // Label 1 scores one too high: at equal scores it is right 1 time in 4, so its offset is
        // ln(1/4) - ln(3/4) below that of label 0 when the scores say nothing.
        let doc = |label| HeldBack { scores: vec![0.0, 0.0], label };
        let docs = [doc(0), doc(0), doc(0), doc(1)];
        let scaling = fit_scaling(&docs, &[1.0; 4], 0.0).expect("documents");
        assert!((scaling.offsets[1] - scaling.offsets[0] + 3_f64.ln()).abs() < 0.02, "{scaling:?}");
        // Weighted alike, the labels are alike.
        let scaling = fit_scaling(&docs, &[1.0, 1.0, 1.0, 3.0], 0.0).expect("documents");
        assert!((scaling.offsets[1] - scaling.offsets[0]).abs() < 0.02, "{scaling:?}");
    }
}
