//! Models that have not seen a document's source: users bring text of sources nobody trained on.

use super::counts::{Cell, Counts, Example, TableCounts};
use super::fit::{Recipe, Rows};
use super::text::{Findings, TrainError};
use crate::bayes::weights::Weights;
use crate::model::task::POOLED;
use rayon::prelude::*;
use std::collections::BTreeMap;

/// Parts the sources of a table are dealt to at most.
const FOLDS: usize = 4;
/// A source of fewer documents is no source of its own.
const MIN_DOCUMENTS: u64 = 50;

/// For each part of the sources of a table, the weights of the others.
#[derive(Debug, Default)]
pub struct SourceFolds {
    weights: Vec<Weights>,
    of_source: BTreeMap<(String, String), usize>,
}

impl SourceFolds {
    /// Fits the tables that have several sources, without held-back cells.
    pub fn fit(
        counts: &mut Counts,
        n_labels: usize,
        recipe: &Recipe,
        findings: &Findings,
    ) -> Result<Self, TrainError> {
        let parts = counts.tables.iter_mut().filter(|(name, _)| *name != POOLED).flat_map(|(name, table)| {
            table.entries();
            let table = &*table;
            deal(table).into_iter().map(move |sources| (name, table, sources))
        });
        let parts: Vec<(&String, &TableCounts, Vec<String>)> = parts.collect();
        let fitted = parts.into_par_iter().map(|(name, table, sources)| {
            let others = |source: &String| sources.binary_search(source).is_err();
            let take = |cell: &Cell| !cell.held_back && others(&cell.source);
            let mut rows = Rows::of(table, n_labels, recipe, take);
            if rows.present.iter().filter(|present| **present).count() < 2 {
                return Ok(None);
            }
            let input = findings.fit(name, &mut rows, recipe)?;
            Ok(Some((name, sources, Weights::pack(n_labels, vec![input])?)))
        });
        let fitted: Vec<Result<Option<_>, TrainError>> = fitted.collect();
        let mut folds = Self::default();
        for fitted in fitted {
            let Some((name, sources, weights)) = fitted? else { continue };
            let number = folds.weights.len();
            folds.weights.push(weights);
            folds.of_source.extend(sources.into_iter().map(|source| ((name.clone(), source), number)));
        }
        Ok(folds)
    }

    /// The weights of the document's language without its source, where they know its label.
    pub fn without_source_of(&self, example: &Example) -> Option<&Weights> {
        // A tuple of Strings cannot be looked up by references.
        let number = self.of_source.get(&(example.table.clone(), example.source.clone()))?;
        let weights = &self.weights[*number];
        let table = weights.tables().first()?;
        (table.bias.get(usize::from(example.label)).is_some_and(|b| *b > f32::NEG_INFINITY))
            .then_some(weights)
    }
}

/// The sources of a table in parts of about equal size, each sorted; none where all text is of one source.
fn deal(table: &TableCounts) -> Vec<Vec<String>> {
    let mut documents: BTreeMap<&String, u64> = BTreeMap::new();
    for (cell, n) in table.cells.iter().zip(&table.documents) {
        *documents.entry(&cell.source).or_default() += n;
    }
    let mut sources: Vec<(&String, u64)> = documents.into_iter().filter(|s| s.1 >= MIN_DOCUMENTS).collect();
    if sources.len() < 2 {
        return Vec::new();
    }
    sources.sort_by(|a, b| b.1.cmp(&a.1).then(a.0.cmp(b.0)));
    let mut parts: Vec<(u64, Vec<String>)> = vec![(0, Vec::new()); FOLDS.min(sources.len())];
    for (source, n) in sources {
        if let Some(lightest) = parts.iter_mut().min_by_key(|part| part.0) {
            lightest.0 += n;
            lightest.1.push(source.clone());
        }
    }
    parts.iter_mut().for_each(|part| part.1.sort());
    parts.into_iter().map(|part| part.1).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::features::SMALL_SPEC as SPEC;

    fn example(source: &str, label: u16, text: String) -> Example {
        Example { table: "eng".into(), source: source.into(), label, held_back: false, text }
    }

    fn counts() -> Counts {
        let mut counts = Counts::new(SPEC);
        for i in 0..60 {
            counts.add(&[
                example("a", 0, format!("goal {i}")),
                example("a", 1, format!("bank {i}")),
                example("b", 0, format!("goal keeper {i}")),
                example("b", 1, format!("vault {i}")),
                example("c", 2, format!("storm {i}")),
            ]);
        }
        counts.add(&[example("d", 0, "a goal of few words".into())]);
        counts
    }

    #[test]
    fn a_fold_knows_nothing_of_its_sources() {
        let mut counts = counts();
        assert_eq!(deal(&counts.tables["eng"]), [["a"], ["b"], ["c"]]);
        let folds = SourceFolds::fit(&mut counts, 3, &Recipe::PLAIN, &Findings::default()).expect("fits");
        let score = |source: &str, label: u16, text: &str| {
            let weights = folds.without_source_of(&example(source, label, text.into()))?;
            let mut scratch = crate::features::Scratch::default();
            scratch.vectorize(text, &SPEC);
            let mut scores = Vec::new();
            weights.score(0, &scratch.vector, &mut scores);
            Some(scores)
        };
        // "vault" is a word of b alone, "bank" of a alone
        let (vault, bank) = (score("b", 1, "vault").expect("a"), score("a", 1, "vault").expect("b"));
        assert!(vault[1] - vault[0] < 0.5 && bank[1] - bank[0] > 1.0, "{vault:?} {bank:?}");
        assert_eq!(score("c", 2, "storm"), None, "nobody else has the label");
        assert_eq!(score("d", 0, "goal"), None, "too few documents to be a source");
    }
}
