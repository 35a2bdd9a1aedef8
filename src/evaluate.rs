//! Scores of predictions against gold labels: confusion, precision, recall, F1, calibration, coverage.
//!
//! Counts are integers, confidences fixed-point integers, so that a score does not depend on the order
//! of the documents and parts counted apart add up exactly. Definitions follow scikit-learn
//! (`precision_recall_fscore_support`) and, for the calibration error, Guo et al. 2017.

pub mod language;
pub mod noise;
pub mod spam;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

/// Equal-width bins of the expected calibration error.
const BINS: usize = 15;

/// Scale of the stored confidences: exact in a `u128` sum for any number of documents.
const FIXED: f64 = (1u64 << 40) as f64;

/// One document's gold label and what was predicted for it.
#[derive(Clone, Debug, PartialEq)]
pub struct Outcome {
    pub gold: String,
    /// Labels with probabilities, best first; empty when nothing was predicted.
    pub ranked: Vec<(String, f64)>,
    /// The label decided on; `None` when the model abstained.
    pub decided: Option<String>,
    pub group: Option<String>,
}

impl Outcome {
    fn top(&self) -> Option<&(String, f64)> {
        self.ranked.first()
    }
}

/// How often each gold label met each predicted one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Confusion {
    n: u64,
    correct: u64,
    /// `gold -> predicted -> documents`; a missing prediction is the empty label.
    cells: BTreeMap<String, BTreeMap<String, u64>>,
    predicted: BTreeMap<String, u64>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct LabelReport {
    pub precision: f64,
    pub recall: f64,
    pub f1: f64,
    /// Documents with this gold label.
    pub support: u64,
}

#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct GroupReport {
    pub n: u64,
    pub accuracy: f64,
    pub macro_f1: f64,
}

impl Confusion {
    pub fn add(&mut self, gold: &str, predicted: &str) {
        self.n += 1;
        self.correct += u64::from(gold == predicted);
        *entry(entry(&mut self.cells, gold), predicted) += 1;
        *entry(&mut self.predicted, predicted) += 1;
    }

    pub fn n(&self) -> u64 {
        self.n
    }

    pub fn accuracy(&self) -> f64 {
        ratio(self.correct, self.n)
    }

    /// `gold -> predicted -> documents`.
    pub fn cells(&self) -> &BTreeMap<String, BTreeMap<String, u64>> {
        &self.cells
    }

    /// The labels of the gold. One that is only ever predicted costs the recall of the others, no more.
    pub fn per_label(&self) -> BTreeMap<String, LabelReport> {
        let report = |(label, row): (&String, &BTreeMap<String, u64>)| {
            let hits = row.get(label).copied().unwrap_or(0);
            let support = row.values().sum();
            let predicted = self.predicted.get(label).copied().unwrap_or(0);
            (label.clone(), label_report(hits, predicted, support))
        };
        self.cells.iter().map(report).collect()
    }

    /// Mean F1 over the labels of the gold.
    pub fn macro_f1(&self) -> f64 {
        let labels = self.per_label();
        let sum: f64 = labels.values().map(|label| label.f1).sum();
        if labels.is_empty() { 0.0 } else { sum / labels.len() as f64 }
    }

    fn group(&self) -> GroupReport {
        GroupReport { n: self.n, accuracy: self.accuracy(), macro_f1: self.macro_f1() }
    }
}

/// Running totals of one label's task; see [`Report`] for what comes out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Evaluation {
    confusion: Confusion,
    groups: BTreeMap<String, Confusion>,
    calibration: Calibration,
    top2: u64,
    covered: u64,
    covered_correct: u64,
}

/// The scores every task shares.
#[derive(Clone, Debug, PartialEq)]
pub struct Report {
    pub n: u64,
    /// Of the top label, decided on or not.
    pub accuracy: f64,
    pub macro_f1: f64,
    /// Expected calibration error of the top label's probability.
    pub ece: f64,
    /// Share of documents whose gold label is among the two best.
    pub top2_accuracy: f64,
    /// Share of documents with a decision.
    pub coverage: f64,
    /// Accuracy of the decisions; `None` without any.
    pub accuracy_covered: Option<f64>,
    pub per_label: BTreeMap<String, LabelReport>,
    pub groups: BTreeMap<String, GroupReport>,
}

impl Evaluation {
    pub fn add(&mut self, outcome: &Outcome) {
        let gold = outcome.gold.as_str();
        let (top, confidence) = outcome.top().map_or(("", 0.0), |(label, p)| (label.as_str(), *p));
        self.confusion.add(gold, top);
        if let Some(group) = &outcome.group {
            entry(&mut self.groups, group).add(gold, top);
        }
        self.calibration.add(confidence, top == gold);
        self.top2 += u64::from(outcome.ranked.iter().take(2).any(|(label, _)| label == gold));
        if let Some(decided) = &outcome.decided {
            self.covered += 1;
            self.covered_correct += u64::from(decided == gold);
        }
    }

    pub fn n(&self) -> u64 {
        self.confusion.n
    }

    pub fn confusion(&self) -> &Confusion {
        &self.confusion
    }

    pub fn report(&self) -> Report {
        let n = self.confusion.n;
        Report {
            n,
            accuracy: self.confusion.accuracy(),
            macro_f1: self.confusion.macro_f1(),
            ece: self.calibration.ece(),
            top2_accuracy: ratio(self.top2, n),
            coverage: ratio(self.covered, n),
            accuracy_covered: (self.covered > 0).then(|| ratio(self.covered_correct, self.covered)),
            per_label: self.confusion.per_label(),
            groups: self.groups.iter().map(|(name, group)| (name.clone(), group.group())).collect(),
        }
    }
}

/// Confidence against accuracy, by bins of confidence `(lower, upper]`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Calibration {
    bins: [Bin; BINS],
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Bin {
    n: u64,
    correct: u64,
    confidence: u128,
}

impl Calibration {
    fn add(&mut self, confidence: f64, correct: bool) {
        let confidence = if confidence.is_nan() { 0.0 } else { confidence.clamp(0.0, 1.0) };
        let upper = (confidence * BINS as f64).ceil() as usize;
        let bin = &mut self.bins[upper.clamp(1, BINS) - 1];
        bin.n += 1;
        bin.correct += u64::from(correct);
        bin.confidence += (confidence * FIXED).round() as u128;
    }

    fn ece(&self) -> f64 {
        let n: u64 = self.bins.iter().map(|bin| bin.n).sum();
        let gap = |bin: &Bin| (bin.confidence as f64 / FIXED - bin.correct as f64).abs();
        let sum: f64 = self.bins.iter().map(gap).sum();
        if n == 0 { 0.0 } else { sum / n as f64 }
    }
}

fn label_report(hits: u64, predicted: u64, support: u64) -> LabelReport {
    let (precision, recall) = (ratio(hits, predicted), ratio(hits, support));
    // 2PR / (P + R), written so that it needs no case for P + R = 0
    let f1 = ratio(2 * hits, predicted + support);
    LabelReport { precision, recall, f1, support }
}

/// 0 where there is nothing to divide by, as scikit-learn has it.
fn ratio(part: u64, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 / whole as f64 }
}

fn entry<'a, V: Default>(map: &'a mut BTreeMap<String, V>, key: &str) -> &'a mut V {
    map.entry(key.to_owned()).or_default()
}
