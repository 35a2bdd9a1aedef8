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
    pub fn probabilities(&self, scores: &[f32]) -> super::Probabilities {
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

/// What the top probability is worth: a monotone map over held-back documents, straight between its points
/// (isotonic regression, Zadrozny and Elkan 2002, on equal shares of the documents).
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Confidence {
    /// `(top probability said, share that was right)`, both ascending; none leaves everything as it is.
    points: Vec<(f32, f32)>,
}

/// Shares the documents are divided into before the map is made monotone.
const SHARES: usize = 40;
/// Fewer documents than this in a share say too little.
const SMALLEST_SHARE: usize = 25;
/// No map says less or more than this.
const CONFIDENCES: (f64, f64) = (0.02, 0.998);

impl Confidence {
    /// From documents' top probability, whether the top label was right and the document's weight, in any order.
    pub fn fit(mut seen: Vec<(f64, bool, f64)>) -> Self {
        let shares = SHARES.min(seen.len() / SMALLEST_SHARE);
        if shares < 2 {
            return Self::default();
        }
        seen.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.2.total_cmp(&b.2)));
        // Documents of which the same was said cannot be told apart: each was right as often as all of them.
        let seen: Vec<(f64, f64, f64)> = seen
            .chunk_by(|a, b| a.0 == b.0)
            .flat_map(|same| {
                let all: f64 = same.iter().map(|s| s.2).sum();
                let right = same.iter().map(|s| if s.1 { s.2 } else { 0.0 }).sum::<f64>() / all;
                same.iter().map(move |s| (s.0, right, s.2))
            })
            .collect();
        // Blocks of (weight, sum of what was said, right), merged while a later one is right less often.
        let mut blocks: Vec<(f64, f64, f64)> = Vec::new();
        for share in 0..shares {
            let part = &seen[share * seen.len() / shares..(share + 1) * seen.len() / shares];
            let all: f64 = part.iter().map(|s| s.2).sum();
            let said: f64 = part.iter().map(|s| s.0 * s.2).sum();
            let right: f64 = part.iter().map(|s| s.1 * s.2).sum();
            let mut block = (all, said, right);
            while let Some(last) = blocks.last().copied()
                && (last.2 / last.0 >= block.2 / block.0 || last.1 / last.0 >= block.1 / block.0)
            {
                blocks.pop();
                block = (block.0 + last.0, block.1 + last.1, block.2 + last.2);
            }
            blocks.push(block);
        }
        let points = blocks.iter().map(|(n, said, right)| ((said / n) as f32, (right / n) as f32)).collect();
        Self { points }
    }

    /// `None` unless the points are probabilities and ascend.
    pub fn from_points(points: Vec<(f32, f32)>) -> Option<Self> {
        let probabilities = points.iter().all(|(a, b)| (0.0..=1.0).contains(a) && (0.0..=1.0).contains(b));
        let ascending = points.is_sorted_by(|a, b| a.0 < b.0 && a.1 <= b.1);
        (probabilities && ascending).then_some(Self { points })
    }

    pub fn points(&self) -> &[(f32, f32)] {
        &self.points
    }

    /// What a top probability is worth.
    pub fn of(&self, said: f64) -> f64 {
        if self.points.is_empty() {
            return said;
        }
        let point = |i: usize| match i.checked_sub(1) {
            None => (0.0, 0.0),
            Some(i) => self.points.get(i).map_or((1.0, 1.0), |p| (f64::from(p.0), f64::from(p.1))),
        };
        let after = self.points.partition_point(|p| f64::from(p.0) < said);
        let (a, b) = (point(after), point(after + 1));
        let share = if b.0 > a.0 { ((said - a.0) / (b.0 - a.0)).clamp(0.0, 1.0) } else { 0.0 };
        (a.1 + (b.1 - a.1) * share).clamp(CONFIDENCES.0, CONFIDENCES.1)
    }

    /// Gives the best label the probability it is worth by raising all to one power, so that their order stays.
    pub fn apply(&self, p: &mut [f64]) {
        let top = p.iter().copied().fold(0.0, f64::max);
        let present = p.iter().filter(|p| **p > 0.0).count();
        if self.points.is_empty() || present < 2 || top <= 0.0 {
            return;
        }
        let wanted = self.of(top);
        let logs: super::Probabilities = p.iter().map(|p| (p / top).ln()).collect();
        let share = |power: f64| 1.0 / logs.iter().map(|l| (l * power).exp()).sum::<f64>();
        // The share of the best grows with the power, from equal shares on.
        let (mut low, mut high) = (0.0_f64, 1.0_f64);
        while share(high) < wanted && high < 64.0 {
            (low, high) = (high, 2.0 * high);
        }
        for _ in 0..24 {
            let middle = 0.5 * (low + high);
            if share(middle) < wanted { low = middle } else { high = middle }
        }
        let best = share(high);
        p.iter_mut().zip(&logs).for_each(|(p, l)| *p = (l * high).exp() * best);
    }
}

/// The map of each table, in the order of the tables; one without a map of its own uses the common one.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Confidences {
    pub common: Confidence,
    pub own: Vec<Option<Confidence>>,
}

impl Confidences {
    pub fn of(&self, table: usize) -> &Confidence {
        self.own.get(table).and_then(Option::as_ref).unwrap_or(&self.common)
    }
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

    /// Said 0.6 and right 0.8 of the time, said 0.9 and right always.
    fn confidence() -> Confidence {
        let seen = (0..1000).map(|i| if i % 2 == 0 { (0.6, i % 10 != 0, 1.0) } else { (0.9, true, 1.0) });
        Confidence::fit(seen.collect())
    }

    #[test]
    fn a_top_probability_becomes_what_it_was_worth() {
        let confidence = confidence();
        assert!((confidence.of(0.6) - 0.8).abs() < 1e-6, "{confidence:?}");
        assert!((confidence.of(0.75) - 0.9).abs() < 1e-6, "{confidence:?}");
        let mut p = vec![0.1, 0.6, 0.3];
        confidence.apply(&mut p);
        assert!((p[1] - 0.8).abs() < 1e-4 && p[2] > p[0], "{p:?}");
        assert!((p.iter().sum::<f64>() - 1.0).abs() < 1e-9);
        assert_eq!(Confidence::fit(vec![(0.5, true, 1.0); 20]), Confidence::default());
    }

    proptest::proptest! {
        #[test]
        fn a_map_keeps_order_and_sum(scores in proptest::collection::vec(-50_f32..50.0, 1..20), known in proptest::collection::vec((0.0_f64..1.0, proptest::bool::ANY, 0.1_f64..1.0), 0..400)) {
            let confidence = Confidence::fit(known);
            proptest::prop_assert!(confidence.points().is_sorted_by(|a, b| a.0 <= b.0 && a.1 <= b.1));
            let before = crate::bayes::softmax(&scores, 1.0);
            let mut after = before.clone();
            confidence.apply(&mut after);
            proptest::prop_assert!((after.iter().sum::<f64>() - 1.0).abs() < 1e-6);
            proptest::prop_assert!(after.iter().all(|p| (0.0..=1.0 + 1e-9).contains(p)));
            let (a, b) = (crate::bayes::ranking(&before), crate::bayes::ranking(&after));
            proptest::prop_assert!(before[a[0]] - before[b[0]] < 1e-9);
        }
    }
}
