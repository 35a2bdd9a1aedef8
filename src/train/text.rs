//! Training a task on words: topic, spam, a user's own labels.

use super::counts::{Cell, Counts, Example, TableCounts};
use super::fit::{Recipe, Rows, fit_table};
use super::folds::SourceFolds;
use super::relatives::{BORROWED, Relatives, SHARE};
use super::worths::Worths;
use crate::bayes::Probabilities;
use crate::bayes::calibration::{Confidence, Confidences, HeldBack, Scaling, fit_scaling, fit_temperature};
use crate::bayes::fit::FitError;
use crate::bayes::ranking;
use crate::bayes::weights::{Table, TableInput, Weights, WeightsError};
use crate::evaluate::{Evaluation, Outcome};
use crate::features::{FeatureSpec, Scratch};
use crate::model::task::{POOLED, back_off};
use rayon::prelude::*;
use std::collections::BTreeMap;

/// Tables calibrated on fewer held-back documents than this take the task's common temperature.
const MIN_HELD_BACK: usize = 25;
/// What a document counts once more, scored without its source. A training's own sources are less alike than
/// what users bring is to all of them: counted alike they made unseen sources .07 less sure than right.
const UNSEEN_WEIGHT: f64 = 0.1;
/// From this many scored documents on a table says itself what its probabilities are worth.
const OWN_CONFIDENCE: usize = 300;
/// Documents the offsets' prior is worth: a table of fifty held-back sentences says little of frequencies.
const OFFSET_PRIOR: f64 = 60.0;

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
    by_table: BTreeMap<String, Vec<Scored>>,
    /// The share of the pooled table in the answers of tables that lack labels.
    back_off: BTreeMap<String, f64>,
}

#[derive(Debug)]
struct Scored {
    own: HeldBack,
    /// Scores of the pooled table where it is asked too.
    pooled: Option<Vec<f32>>,
    /// Scores by weights that have not seen the document's source.
    unseen: Option<HeldBack>,
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

/// What looking at the documents again has found.
#[derive(Debug, Default)]
pub struct Findings {
    pub left_out: LeftOut,
    /// What kinds of features are worth, of the tables large enough to tell.
    pub worths: BTreeMap<String, Worths>,
    /// Which tables lend to which.
    pub relatives: Relatives,
}

impl Findings {
    /// Fits one table as found.
    pub(super) fn fit(&self, name: &str, rows: &mut Rows, recipe: &Recipe) -> Result<TableInput, FitError> {
        if let Some(worths) = self.worths.get(name) {
            worths.scale(rows);
        }
        let borrows = !self.relatives.of(name).is_empty();
        let recipe = Recipe { alpha: recipe.alpha * if borrows { BORROWED } else { 1.0 }, ..*recipe };
        fit_table(name, rows, &recipe, self.left_out.get(name).map_or(&[], Vec::as_slice))
    }

    /// The tables that lend, by name.
    fn lent(
        &self,
        counts: &mut Counts,
        n_labels: usize,
        recipe: &Recipe,
        take: impl Fn(&Cell) -> bool + Copy,
    ) -> BTreeMap<String, Rows> {
        let lenders = self.relatives.lenders();
        let tables = counts.tables.iter_mut().filter(|(name, _)| lenders.contains(name));
        tables.map(|(name, table)| (name.clone(), Rows::new(table, n_labels, recipe, take))).collect()
    }
}

/// Fits every table of `counts`; `held_back` says whether held-back cells take part.
pub fn fit_all(
    counts: &mut Counts,
    n_labels: usize,
    recipe: &Recipe,
    findings: &Findings,
    held_back: bool,
) -> Result<Weights, TrainError> {
    if counts.tables.is_empty() {
        return Err(TrainError::EmptyCorpus);
    }
    let take = |cell: &Cell| held_back || !cell.held_back;
    let lent = findings.lent(counts, n_labels, recipe, take);
    let fitted = |(name, table): (&String, &mut TableCounts)| -> Result<Option<TableInput>, TrainError> {
        let mut documents: BTreeMap<u16, u64> = BTreeMap::new();
        for (cell, n) in table.cells.iter().zip(&table.documents) {
            *documents.entry(cell.label).or_default() += n;
        }
        if name != POOLED && documents.values().any(|n| *n < recipe.min_label_documents) {
            return Ok(None);
        }
        let mut rows = Rows::new(table, n_labels, recipe, take);
        findings.relatives.of(name).iter().for_each(|lender| {
            rows.borrow(&lent[lender], SHARE, recipe.bytes == 0.0);
        });
        let input = findings.fit(name, &mut rows, recipe)?;
        // A table that saw one label only would answer it whatever the text.
        let labels = input.bias.iter().filter(|b| **b != f32::NEG_INFINITY).count();
        Ok((labels >= 2).then_some(input))
    };
    let inputs: Vec<Result<Option<TableInput>, TrainError>> =
        counts.tables.par_iter_mut().map(fitted).collect();
    let inputs = inputs.into_iter().filter_map(Result::transpose).collect::<Result<_, TrainError>>()?;
    Ok(Weights::pack(n_labels, inputs)?)
}

/// With more tables than this the pooled one keeps only what several of them share, and a table's nearest are
/// near enough to lend to it: of sixteen languages of Africa they were not.
pub const MANY_TABLES: usize = 20;

/// Features of the pooled table that one language alone has: they say nothing of any other.
pub fn of_one_language(counts: &mut Counts) -> Vec<u64> {
    if counts.tables.len() <= MANY_TABLES {
        return Vec::new();
    }
    let mut hashes: Vec<u64> = Vec::new();
    for (_, table) in counts.tables.iter_mut().filter(|(name, _)| *name != POOLED) {
        hashes.extend(table.entries().chunk_by(|a, b| a.hash == b.hash).map(|same| same[0].hash));
    }
    hashes.par_sort_unstable();
    hashes.chunk_by(|a, b| a == b).filter(|same| same.len() == 1).map(|same| same[0]).collect()
}

impl Calibrator {
    pub fn new(weighting: CalibrationWeights) -> Self {
        Self { weighting, by_table: BTreeMap::new(), back_off: BTreeMap::new() }
    }

    /// Scores held-back examples with weights fitted without them, and without their sources.
    pub fn add(&mut self, weights: &Weights, folds: &SourceFolds, spec: &FeatureSpec, batch: &[Example]) {
        let scored: Vec<Option<(Scored, Option<f64>)>> = batch
            .par_iter()
            .map_init(Scratch::default, |scratch, example| {
                let table = weights.table(&example.table)?;
                scratch.vectorize(&example.text, spec);
                let scores = |weights: &Weights, table| {
                    let mut scores = Vec::new();
                    weights.score(table, &scratch.vector, &mut scores);
                    scores
                };
                let own = HeldBack { scores: scores(weights, table), label: example.label };
                let back_off = back_off(weights, table);
                let pooled = back_off.map(|(pooled, _)| scores(weights, pooled));
                let without = folds.without_source_of(example);
                let unseen = without.map(|w| HeldBack { scores: scores(w, 0), label: example.label });
                Some((Scored { own, pooled, unseen }, back_off.map(|b| b.1)))
            })
            .collect();
        for (example, scored) in batch.iter().zip(scored) {
            if let Some((scored, share)) = scored {
                self.by_table.entry(example.table.clone()).or_default().push(scored);
                self.back_off.extend(share.map(|share| (example.table.clone(), share)));
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
                docs.iter().for_each(|doc| support[usize::from(doc.own.label)] += 1);
                let labels = support.iter().filter(|n| **n > 0).count().max(1) as f64;
                let weight = |label: u16| match self.weighting {
                    CalibrationWeights::Documents => 1.0,
                    CalibrationWeights::Labels => {
                        docs.len() as f64 / labels / f64::from(support[usize::from(label)].max(1))
                    }
                };
                let own = docs.iter().map(|doc| (weight(doc.own.label), doc.own.clone()));
                let unseen = docs.iter().filter_map(|doc| doc.unseen.as_ref());
                let unseen = unseen.map(|doc| (UNSEEN_WEIGHT * weight(doc.label), doc.clone()));
                let (weights, docs): (Vec<f64>, Vec<HeldBack>) = own.chain(unseen).unzip();
                Some((name.clone(), fit_scaling(&docs, &weights, OFFSET_PRIOR)?))
            })
            .collect();
        let mut temperatures: Vec<f64> =
            own.values().chain(previous.values()).map(|s| s.temperature).collect();
        temperatures.sort_by(f64::total_cmp);
        let temperature = match temperatures.get(temperatures.len() / 2) {
            Some(median) => *median,
            None => {
                let all: Vec<HeldBack> = self.by_table.values().flatten().map(|d| d.own.clone()).collect();
                fit_temperature(&all).unwrap_or(1.0)
            }
        };
        Scalings { own, previous, common: Scaling { temperature, offsets: vec![0.0; n_labels] } }
    }

    /// Probabilities of one held-back document, the pooled table's part included.
    fn scaled(&self, name: &str, doc: &Scored, scalings: &Scalings) -> Probabilities {
        let mut p = scalings.of(name).probabilities(&doc.own.scores);
        if let (Some(pooled), Some(&share)) = (&doc.pooled, self.back_off.get(name)) {
            let pooled = scalings.of(POOLED).probabilities(pooled);
            p.iter_mut().zip(pooled).for_each(|(p, pooled)| *p = *p * (1.0 - share) + pooled * share);
        }
        p
    }

    /// Calibrated held-back documents, those of the pooled table apart: probabilities and label.
    pub fn calibrated<'a>(&'a self, scalings: &'a Scalings) -> impl Iterator<Item = (Probabilities, u16)> {
        let of_table = move |(name, docs): (&'a String, &'a Vec<Scored>)| {
            docs.iter().map(move |doc| (self.scaled(name, doc, scalings), doc.own.label))
        };
        self.tables().flat_map(of_table)
    }

    /// Every document once: copies of the pooled table only where there is no other.
    fn tables(&self) -> impl Iterator<Item = (&String, &Vec<Scored>)> {
        let alone = self.by_table.len() == 1;
        self.by_table.iter().filter(move |(name, _)| alone || *name != POOLED)
    }

    /// What the top probability of the scaled held-back documents is worth, in the order of `tables`.
    pub fn confidences(&self, scalings: &Scalings, tables: &[Table]) -> Confidences {
        let seen = |name: &String, docs: &Vec<Scored>| -> Vec<(f64, bool, f64)> {
            let scaling = scalings.of(name);
            let own = docs.iter().map(|doc| (self.scaled(name, doc, scalings), doc.own.label, 1.0));
            let unseen = docs.iter().filter_map(|doc| doc.unseen.as_ref());
            let unseen = unseen.map(|doc| (scaling.probabilities(&doc.scores), doc.label, UNSEEN_WEIGHT));
            let top = |(p, label, weight): (Probabilities, u16, f64)| {
                let best = *ranking(&p).first()?;
                Some((p[best], best == usize::from(label), weight))
            };
            own.chain(unseen).filter_map(top).collect()
        };
        let by_table: BTreeMap<&str, Vec<(f64, bool, f64)>> =
            self.tables().map(|(name, docs)| (name.as_str(), seen(name, docs))).collect();
        let own = tables
            .iter()
            .map(|table| by_table.get(table.name.as_str()).filter(|seen| seen.len() >= OWN_CONFIDENCE))
            .map(|seen| seen.map(|seen| Confidence::fit(seen.clone())))
            .collect();
        Confidences { common: Confidence::fit(by_table.into_values().flatten().collect()), own }
    }

    /// What the held-back documents say, grouped by table; and, of those that could be scored without their
    /// source, what is to be expected of sources never seen.
    pub fn evaluate(
        &self,
        scalings: &Scalings,
        weights: &Weights,
        confidences: &Confidences,
        labels: &[String],
        threshold: f64,
    ) -> [Evaluation; 2] {
        let mut evaluations = [Evaluation::default(), Evaluation::default()];
        let label = |i: usize| labels.get(i).cloned().unwrap_or_default();
        for (name, docs) in self.tables() {
            let confidence = weights.table(name).map_or(&confidences.common, |table| confidences.of(table));
            let outcome = |mut p: Probabilities, gold: u16| {
                confidence.apply(&mut p);
                let ranked: Vec<(String, f64)> =
                    ranking(&p).iter().take(2).map(|&i| (label(i), p[i])).collect();
                let decided = ranked.first().filter(|top| top.1 >= threshold).map(|top| top.0.clone());
                Outcome { gold: label(usize::from(gold)), ranked, decided, group: Some(name.clone()) }
            };
            for doc in docs {
                evaluations[0].add(&outcome(self.scaled(name, doc, scalings), doc.own.label));
                if let Some(unseen) = &doc.unseen {
                    let p = scalings.of(name).probabilities(&unseen.scores);
                    evaluations[1].add(&outcome(p, unseen.label));
                }
            }
        }
        evaluations
    }
}
