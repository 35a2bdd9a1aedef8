//! A task decided on the words of a text: topic, spam, or a user's own labels.

use crate::bayes::Probabilities;
use crate::bayes::calibration::Confidences;
use crate::bayes::odds::{self, Odds, SPAM};
use crate::bayes::pieces::{Observed, observe};
use crate::bayes::weights::Weights;
use crate::features::{FeatureSpec, Place, Scratch};
use smallvec::{SmallVec, smallvec};
use std::sync::Arc;

/// Name of the table trained on all languages together.
pub const POOLED: &str = "*";

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Label {
    /// `medtop:11000000`, or the user's own label.
    pub id: Arc<str>,
    pub name: Arc<str>,
}

/// When a task decides.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct DecisionRule {
    /// A label under this probability is not decided.
    pub threshold: f64,
    /// Spam: below this the verdict is HAM, between the two UNSURE.
    pub threshold_low: f64,
    /// Fewer letters than this are too few to decide on.
    pub min_letters: u32,
    /// So are fewer words than this, as [`has_words`](crate::script::has_words) counts them.
    pub min_words: u32,
}

#[derive(Clone, Debug)]
pub struct TextTask {
    pub labels: Vec<Label>,
    pub weights: Weights,
    /// What the top probability is worth.
    pub confidences: Confidences,
    pub spec: FeatureSpec,
    pub rule: DecisionRule,
    /// Of two labels whose tables stand on the pooled one; scores and calibration are then other.
    pub odds: Option<Odds>,
}

/// A term of a label's log-odds and the text it came from, as byte offsets into the classified text.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Term {
    pub place: Place,
    pub log_odds: f64,
}

/// How much of an answer the pooled table gives for a table that lacks labels, times the share it lacks.
const BACK_OFF: f64 = 0.45;

/// The pooled table and its share of the answer, for a table that has not met every label.
pub fn back_off(weights: &Weights, table: usize) -> Option<(usize, f64)> {
    let pooled = weights.table(POOLED).filter(|pooled| *pooled != table)?;
    let bias = &weights.tables().get(table)?.bias;
    let absent = bias.iter().filter(|b| **b == f32::NEG_INFINITY).count();
    (absent > 0).then(|| (pooled, BACK_OFF * absent as f64 / bias.len() as f64))
}

impl TextTask {
    /// The table for a language (folded code), else the pooled one.
    pub fn table_for(&self, folded: Option<&str>) -> Option<usize> {
        folded.and_then(|code| self.weights.table(code)).or_else(|| self.weights.table(POOLED))
    }

    /// Scores a text with the tables given; for a task with [`TextTask::odds`].
    pub fn observe(&self, tables: &[(usize, f64)], text: &str, scratch: &mut Scratch) -> Observed {
        let numbers: SmallVec<[usize; 4]> = tables.iter().map(|t| t.0).collect();
        observe(&self.weights, &self.spec, &numbers, self.weights.table(POOLED), text, scratch)
    }

    /// Probability of each label of the document vector in `scratch`, tables mixed by their weight.
    pub fn probabilities(&self, tables: &[(usize, f64)], scratch: &Scratch) -> Probabilities {
        let mut mixed: Probabilities = smallvec![0.0; self.labels.len()];
        let total: f64 = tables.iter().map(|t| t.1).sum();
        let mut scores = Vec::new();
        for &(table, weight) in tables {
            self.weights.score(table, &scratch.vector, &mut scores);
            for (mixed, p) in mixed.iter_mut().zip(self.weights.probabilities(table, &scores)) {
                *mixed += p * weight / total;
            }
        }
        if let Some(most) = tables.iter().max_by(|a, b| a.1.total_cmp(&b.1)) {
            self.confidences.of(most.0).apply(&mut mixed);
        }
        mixed
    }

    /// The exact terms of `ln p(label) - mean of ln p(other labels)` in one table, largest first, at most
    /// `limit`. A feature's terms are shared evenly among its places.
    pub fn evidence(
        &self,
        table: usize,
        label: usize,
        text: &str,
        scratch: &mut Scratch,
        limit: usize,
    ) -> Vec<Term> {
        scratch.vectorize(text, &self.spec);
        let Some(head) = self.weights.tables().get(table) else { return Vec::new() };
        let present: Vec<bool> = head.bias.iter().map(|b| *b != f32::NEG_INFINITY).collect();
        let others = present.iter().enumerate().filter(|(l, p)| **p && *l != label).count().max(1) as f64;
        let mean_bias = head
            .bias
            .iter()
            .enumerate()
            .filter(|(l, _)| present[*l] && *l != label)
            .map(|(_, b)| f64::from(*b))
            .sum::<f64>()
            / others;
        let own_bias = head.bias.get(label).map_or(0.0, |b| f64::from(*b));
        let unit = f64::from(crate::features::WEIGHT_SCALE);
        let mut shares: std::collections::HashMap<u64, (f64, u32)> = std::collections::HashMap::new();
        let backed = self.odds.as_ref().and_then(|odds| odds.curves.get(table)).map(|curve| {
            let towards = if label == SPAM { 1.0 } else { -1.0 };
            (curve.rate(scratch.vector.len()) * towards, self.weights.table(POOLED))
        });
        if let Some((rate, pooled)) = backed {
            odds::each_term(&self.weights, table, pooled, &scratch.vector, |index, term| {
                let (hash, weight) = scratch.vector[index];
                shares.insert(hash, (term * f64::from(weight) / unit * rate, 0));
            });
        }
        let vector = if backed.is_some() { &[][..] } else { &scratch.vector };
        for &(hash, weight) in vector {
            let (mut own, mut rest) = (0.0, 0.0);
            let known = self.weights.look_up(head, hash, |l, w| {
                if l == label {
                    own += f64::from(w);
                } else if present[l] {
                    rest += f64::from(w);
                }
            });
            if known {
                let log_odds = (own + own_bias) - (rest / others + mean_bias);
                let share = log_odds * f64::from(weight) / unit / f64::from(head.temperature);
                shares.insert(hash, (share, 0));
            }
        }
        let spec = self.spec;
        scratch.emit(text, &spec, |hash, _, _| {
            if let Some(share) = shares.get_mut(&(hash | 1 << 63)) {
                share.1 += 1;
            }
        });
        // Terms of the same place add up.
        let mut places: std::collections::BTreeMap<(u32, u32), f64> = std::collections::BTreeMap::new();
        scratch.emit(text, &spec, |hash, _, place| {
            if let Some((share, n)) = shares.get(&(hash | 1 << 63)) {
                *places.entry((place.start, place.end)).or_default() += share / f64::from(*n);
            }
        });
        let mut terms: Vec<Term> = places
            .into_iter()
            .map(|((start, end), log_odds)| Term { place: Place { start, end }, log_odds })
            .collect();
        terms.sort_by(|a, b| {
            b.log_odds.abs().total_cmp(&a.log_odds.abs()).then(a.place.start.cmp(&b.place.start))
        });
        terms.truncate(limit);
        terms
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bayes::weights::{Feature, TableInput};

    #[test]
    fn a_table_that_lacks_labels_asks_the_pooled_one() {
        let table = |name: &str, absent: usize| {
            let mut bias = vec![-0.1; 4];
            bias[..absent].fill(f32::NEG_INFINITY);
            let features = vec![Feature { hash: 1 << 63 | 7, importance: 1.0, weights: smallvec![(3, 1.0)] }];
            TableInput { name: name.into(), bias, temperature: 1.0, documents: 9, features }
        };
        let weights =
            Weights::pack(4, vec![table(POOLED, 0), table("deu", 2), table("eng", 0)]).expect("packs");
        let of = |name: &str| back_off(&weights, weights.table(name).expect("a table"));
        let pooled = weights.table(POOLED).expect("a table");
        assert_eq!(of("deu"), Some((pooled, BACK_OFF * 0.5)));
        assert_eq!((of("eng"), of(POOLED)), (None, None));
        let alone = Weights::pack(4, vec![table("deu", 2)]).expect("packs");
        assert_eq!(back_off(&alone, 0), None, "nobody to ask");
    }
}
