//! Training a task on words: topic, spam, a user's own labels.

use super::counts::{Counts, Example};
use super::fit::{Recipe, fit_table};
use crate::bayes::calibration::{HeldBack, fit_temperature};
use crate::bayes::fit::FitError;
use crate::bayes::weights::{Weights, WeightsError};
use crate::bayes::{ranking, softmax};
use crate::evaluate::{Evaluation, Outcome};
use crate::features::{FeatureSpec, Scratch};
use rayon::prelude::*;
use std::collections::BTreeMap;

/// Tables calibrated on fewer held-back documents than this take the task's common temperature.
const MIN_HELD_BACK: usize = 25;

#[derive(Debug, thiserror::Error)]
pub enum TrainError {
    #[error("no documents to train on")]
    EmptyCorpus,
    #[error("all {documents} documents have the label {label:?}: at least two labels are needed")]
    SingleClass { label: String, documents: u64 },
    #[error(transparent)]
    Fit(#[from] FitError),
    #[error(transparent)]
    Weights(#[from] WeightsError),
}

/// Scores of held-back documents by table.
#[derive(Debug, Default)]
pub struct Calibrator {
    by_table: BTreeMap<String, Vec<(HeldBack, String)>>,
}

/// Fits every table of `counts`; `held_back` says whether held-back cells take part.
pub fn fit_all(counts: &mut Counts, n_labels: usize, recipe: &Recipe, held_back: bool) -> Result<Weights, TrainError> {
    if counts.tables.is_empty() {
        return Err(TrainError::EmptyCorpus);
    }
    let mut inputs = Vec::with_capacity(counts.tables.len());
    for (name, table) in &mut counts.tables {
        let input = fit_table(name, table, n_labels, recipe, |cell| held_back || !cell.held_back)?;
        // A table that saw one label only would answer it whatever the text.
        let labels = input.bias.iter().filter(|b| **b != f32::NEG_INFINITY).count();
        if labels >= 2 {
            inputs.push(input);
        }
    }
    Ok(Weights::pack(n_labels, inputs)?)
}

impl Calibrator {
    /// Scores held-back examples with weights fitted without them.
    pub fn add(&mut self, weights: &Weights, spec: &FeatureSpec, batch: &[Example]) {
        let scored: Vec<Option<HeldBack>> = batch
            .par_iter()
            .map_init(Scratch::default, |scratch, example| {
                let table = weights.table(&example.table)?;
                scratch.vectorize(&example.text, spec);
                let mut scores = Vec::new();
                weights.score(table, &scratch.vector, &mut scores);
                Some(HeldBack { scores, label: example.label })
            })
            .collect();
        for (example, scored) in batch.iter().zip(scored) {
            if let Some(scored) = scored {
                self.by_table.entry(example.table.clone()).or_default().push((scored, example.source.clone()));
            }
        }
    }

    /// The temperature of each table, and one for tables with too few held-back documents.
    pub fn temperatures(&self) -> (BTreeMap<String, f64>, f64) {
        let own: BTreeMap<String, f64> = self
            .by_table
            .par_iter()
            .filter(|(_, docs)| docs.len() >= MIN_HELD_BACK)
            .filter_map(|(name, docs)| {
                let docs: Vec<HeldBack> = docs.iter().map(|d| d.0.clone()).collect();
                Some((name.clone(), fit_temperature(&docs)?))
            })
            .collect();
        let mut sorted: Vec<f64> = own.values().copied().collect();
        sorted.sort_by(f64::total_cmp);
        let all: Vec<HeldBack> = self.by_table.values().flatten().map(|d| d.0.clone()).collect();
        let common = match sorted.get(sorted.len() / 2) {
            Some(median) => *median,
            None => fit_temperature(&all).unwrap_or(1.0),
        };
        (own, common)
    }

    /// `(probability of each label, label)` of every held-back document, in order of tables.
    pub fn calibrated(&self) -> Vec<(Vec<f64>, u16)> {
        let (own, common) = self.temperatures();
        self.by_table
            .iter()
            .flat_map(|(name, docs)| {
                let t = own.get(name).copied().unwrap_or(common);
                docs.iter().map(move |(doc, _)| (softmax(&doc.scores, t), doc.label))
            })
            .collect()
    }

    /// What the held-back documents say, grouped by table.
    pub fn evaluate(&self, labels: &[String], threshold: f64) -> Evaluation {
        let (own, common) = self.temperatures();
        let mut evaluation = Evaluation::default();
        for (name, docs) in &self.by_table {
            let t = own.get(name).copied().unwrap_or(common);
            for (doc, _) in docs {
                let p = softmax(&doc.scores, t);
                let order = ranking(&p);
                let label = |i: usize| labels.get(i).cloned().unwrap_or_default();
                let ranked: Vec<(String, f64)> = order.iter().take(2).map(|&i| (label(i), p[i])).collect();
                let decided = ranked.first().filter(|top| top.1 >= threshold).map(|top| top.0.clone());
                let gold = label(usize::from(doc.label));
                evaluation.add(&Outcome { gold, ranked, decided, group: Some(name.clone()) });
            }
        }
        evaluation
    }
}
