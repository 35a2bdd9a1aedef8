//! Training a task on words: topic, spam, a user's own labels.

use super::counts::{Counts, Example};
use super::fit::{Recipe, Rows, fit_table};
use crate::bayes::calibration::{Confidence, HeldBack, Scaling, fit_scaling, fit_temperature};
use crate::bayes::fit::FitError;
use crate::bayes::ranking;
use crate::bayes::weights::{Weights, WeightsError};
use crate::evaluate::{Evaluation, Outcome};
use crate::features::{FeatureSpec, Scratch};
use crate::model::task::POOLED;
use rayon::prelude::*;
use std::collections::BTreeMap;

/// Tables calibrated on fewer held-back documents than this take the task's common temperature.
const MIN_HELD_BACK: usize = 25;
/// Documents the offsets' prior is worth: a table of fifty held-back sentences says little of frequencies.
const OFFSET_PRIOR: f64 = 20.0;

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

/// How held-back documents count in calibration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CalibrationWeights {
    /// Each document alike: probabilities for text as frequent as in training.
    Documents,
    /// Each label of a table alike: a table with little spam must not think spam unlikely.
    Labels,
}

/// Scores of held-back documents by table.
#[derive(Debug)]
pub struct Calibrator {
    weighting: CalibrationWeights,
    by_table: BTreeMap<String, Vec<(HeldBack, String)>>,
}

/// The scaling of each table, and one for tables with too few held-back documents.
#[derive(Clone, Debug)]
pub struct Scalings {
    own: BTreeMap<String, Scaling>,
    /// Of the model that is retrained, where this training held back too little.
    previous: BTreeMap<String, Scaling>,
    common: Scaling,
}

impl Scalings {
    pub fn of(&self, table: &str) -> &Scaling {
        self.own.get(table).or_else(|| self.previous.get(table)).unwrap_or(&self.common)
    }
}

/// Features by table that count but are not kept, each list ascending.
pub type LeftOut = BTreeMap<String, Vec<u64>>;

/// Fits every table of `counts`; `held_back` says whether held-back cells take part.
pub fn fit_all(
    counts: &mut Counts,
    n_labels: usize,
    recipe: &Recipe,
    left_out: &LeftOut,
    held_back: bool,
) -> Result<Weights, TrainError> {
    if counts.tables.is_empty() {
        return Err(TrainError::EmptyCorpus);
    }
    let mut inputs = Vec::with_capacity(counts.tables.len());
    for (name, table) in &mut counts.tables {
        let mut documents: BTreeMap<u16, u64> = BTreeMap::new();
        for (cell, n) in table.cells.iter().zip(&table.documents) {
            *documents.entry(cell.label).or_default() += n;
        }
        if name != POOLED && documents.values().any(|n| *n < recipe.min_label_documents) {
            continue;
        }
        let rows = Rows::new(table, n_labels, recipe, |cell| held_back || !cell.held_back);
        let input = fit_table(name, &rows, recipe, left_out.get(name).map_or(&[], Vec::as_slice))?;
        // A table that saw one label only would answer it whatever the text.
        let labels = input.bias.iter().filter(|b| **b != f32::NEG_INFINITY).count();
        if labels >= 2 {
            inputs.push(input);
        }
    }
    Ok(Weights::pack(n_labels, inputs)?)
}

impl Calibrator {
    pub fn new(weighting: CalibrationWeights) -> Self {
        Self { weighting, by_table: BTreeMap::new() }
    }

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
                self.by_table
                    .entry(example.table.clone())
                    .or_default()
                    .push((scored, example.source.clone()));
            }
        }
    }

    /// Fits the scalings of the tables that have enough documents, and the median temperature for the rest.
    pub fn scalings(&self, n_labels: usize, previous: BTreeMap<String, Scaling>) -> Scalings {
        let own: BTreeMap<String, Scaling> = self
            .by_table
            .par_iter()
            .filter(|(_, docs)| docs.len() >= MIN_HELD_BACK)
            .filter_map(|(name, docs)| {
                let mut support = vec![0_u32; n_labels];
                docs.iter().for_each(|(doc, _)| support[usize::from(doc.label)] += 1);
                let labels = support.iter().filter(|n| **n > 0).count().max(1) as f64;
                let weight = |label: u16| match self.weighting {
                    CalibrationWeights::Documents => 1.0,
                    CalibrationWeights::Labels => {
                        docs.len() as f64 / labels / f64::from(support[usize::from(label)].max(1))
                    }
                };
                let weights: Vec<f64> = docs.iter().map(|(doc, _)| weight(doc.label)).collect();
                let docs: Vec<HeldBack> = docs.iter().map(|d| d.0.clone()).collect();
                Some((name.clone(), fit_scaling(&docs, &weights, OFFSET_PRIOR)?))
            })
            .collect();
        let mut temperatures: Vec<f64> =
            own.values().chain(previous.values()).map(|s| s.temperature).collect();
        temperatures.sort_by(f64::total_cmp);
        let temperature = match temperatures.get(temperatures.len() / 2) {
            Some(median) => *median,
            None => {
                let all: Vec<HeldBack> = self.by_table.values().flatten().map(|d| d.0.clone()).collect();
                fit_temperature(&all).unwrap_or(1.0)
            }
        };
        Scalings { own, previous, common: Scaling { temperature, offsets: vec![0.0; n_labels] } }
    }

    /// Calibrated held-back documents: probabilities, label and source.
    pub fn calibrated<'a>(
        &'a self,
        scalings: &'a Scalings,
    ) -> impl Iterator<Item = (Vec<f64>, u16, &'a str)> {
        self.by_table.iter().flat_map(move |(name, docs)| {
            docs.iter().map(move |(doc, source)| {
                (scalings.of(name).probabilities(&doc.scores), doc.label, source.as_str())
            })
        })
    }

    /// What the top probability of the scaled held-back documents is worth.
    pub fn confidence(&self, scalings: &Scalings) -> Confidence {
        let top = |(p, label, _): (Vec<f64>, u16, &str)| {
            let best = *ranking(&p).first()?;
            Some((p[best], best == usize::from(label)))
        };
        Confidence::fit(self.calibrated(scalings).filter_map(top).collect())
    }

    /// What the held-back documents say, grouped by table.
    pub fn evaluate(
        &self,
        scalings: &Scalings,
        confidence: &Confidence,
        labels: &[String],
        threshold: f64,
    ) -> Evaluation {
        let mut evaluation = Evaluation::default();
        for (name, docs) in &self.by_table {
            for (doc, _) in docs {
                let mut p = scalings.of(name).probabilities(&doc.scores);
                confidence.apply(&mut p);
                let label = |i: usize| labels.get(i).cloned().unwrap_or_default();
                let ranked: Vec<(String, f64)> =
                    ranking(&p).iter().take(2).map(|&i| (label(i), p[i])).collect();
                let decided = ranked.first().filter(|top| top.1 >= threshold).map(|top| top.0.clone());
                let gold = label(usize::from(doc.label));
                evaluation.add(&Outcome { gold, ranked, decided, group: Some(name.clone()) });
            }
        }
        evaluation
    }
}
