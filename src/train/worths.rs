//! What kinds of features are worth.
//!
//! Naive Bayes adds up its features as if they were independent. They are not: an n-gram of five characters says
//! again what those of four have said, and most of what a feature of two documents says is chance. So every kind
//! of feature, an n-gram of a length, a word, a bigram, in a range of document frequencies, has a factor by which
//! its weights are multiplied. The factors are those under which the documents, each scored by all the others,
//! are most likely to have the labels they have (weights of attributes by conditional likelihood: Zaidi, Cerquides,
//! Carman and Webb 2013). They are few and the weights stay those of the fit.

use super::counts::{Counts, EVEN, Example};
use super::fit::{Recipe, Rows};
use super::review::temperature;
use super::text::LeftOut;
use super::without::{Counted, Whole};
use crate::features::{FeatureSpec, KINDS, Scratch};
use crate::model::task::POOLED;
use rayon::prelude::*;
use std::collections::BTreeMap;

/// Ranges of document frequency: 1, 4, 16, 64, 256 documents and more begin one.
const RANGES: usize = 6;
const GROUPS: usize = KINDS * RANGES;
/// Documents of a table that can tell; in tables of some 500 sentences the factors of fifty languages together
/// changed nothing.
const MIN_DOCUMENTS: usize = 1_500;
/// Documents of a table that are looked at, about.
const SAMPLE: u64 = 12_000;
/// Strength of the Gaussian priors: factors are held near one, the labels' offsets near nothing.
const PRIOR: f64 = 3.0;
const STEPS: usize = 15;
/// Labels less likely than this do not show in the curvature.
const UNLIKELY: f64 = 1e-3;
/// Documents added up together.
const BATCH: usize = 256;

/// The kinds of a table's features, ascending by hash.
pub type Kinds = BTreeMap<String, Vec<(u64, u8)>>;

/// What the kinds of one table's features are worth.
#[derive(Clone, Debug, PartialEq)]
pub struct Worths {
    kinds: Vec<(u64, u8)>,
    /// Factors by kind and range of document frequency.
    of_group: Vec<f32>,
    of_bias: f64,
}

fn group(kind: u8, documents: u32) -> usize {
    usize::from(kind) * RANGES + (documents.max(1).ilog2() as usize / 2).min(RANGES - 1)
}

impl Worths {
    /// Scales what is fitted on rows of the table, or of some of its documents.
    pub(super) fn scale(&self, rows: &mut Rows) {
        let mut kinds = self.kinds.iter().peekable();
        let factors = (rows.hashes.iter().zip(&rows.documents)).map(|(hash, documents)| {
            while kinds.next_if(|kind| kind.0 < *hash).is_some() {}
            let kind = kinds.peek().filter(|kind| kind.0 == *hash);
            kind.map_or(1.0, |kind| self.of_group[group(kind.1, *documents)])
        });
        rows.scale_by(factors.collect(), self.of_bias);
    }
}

/// A document scored by the others.
#[derive(Debug)]
struct Seen {
    /// Orders documents however they came.
    key: (u64, u16, u64, u32),
    label: u16,
    weight: f64,
    /// By label: the terms of each group added up, then the bias; minus infinity for a label nobody else has.
    parts: Vec<f32>,
}

struct Table {
    whole: Whole,
    /// Group of each feature.
    groups: Vec<u8>,
    kinds: Vec<(u64, u8)>,
    documents: u64,
    seen: Vec<Seen>,
}

/// Looks at documents one by one, then says what kinds of features are worth.
pub struct Appraiser {
    tables: BTreeMap<String, Table>,
    n_labels: usize,
    spec: FeatureSpec,
}

impl Appraiser {
    /// `counts` must hold every document that will be looked at; what is left out of the tables is not asked.
    pub fn new(
        counts: &mut Counts,
        n_labels: usize,
        recipe: &Recipe,
        left_out: &LeftOut,
        mut kinds: Kinds,
    ) -> Self {
        let (mut tables, spec) = (BTreeMap::new(), counts.spec);
        for (name, table) in counts.tables.iter_mut().filter(|(name, _)| *name != POOLED) {
            let documents = table.documents.iter().sum();
            let Some(kinds) = kinds.remove(name).filter(|_| documents >= MIN_DOCUMENTS as u64) else {
                continue;
            };
            let rows = Rows::new(table, n_labels, recipe, |_| true);
            let kind = |hash: &u64| kinds.binary_search_by_key(hash, |k| k.0).map_or(0, |at| kinds[at].1);
            let groups = (rows.hashes.iter().zip(&rows.documents))
                .map(|(hash, documents)| group(kind(hash), *documents) as u8)
                .collect();
            let whole = Whole::new(rows, n_labels, recipe.alpha)
                .leaving_out(left_out.get(name).map_or(&[], Vec::as_slice));
            tables.insert(name.clone(), Table { whole, groups, kinds, documents, seen: Vec::new() });
        }
        Self { tables, n_labels, spec }
    }

    /// Looks at documents that `counts` holds, counted with these emphases.
    pub fn look_at(&mut self, counts: &Counts, batch: &[Example], emphasis: &[u32]) {
        let seen: Vec<Option<Seen>> = batch
            .par_iter()
            .enumerate()
            .map_init(Scratch::default, |scratch, (i, example)| {
                let table = self.tables.get(&example.table)?;
                let key = xxhash_rust::xxh3::xxh3_64(example.text.as_bytes());
                if key > (u64::MAX / table.documents.max(1)).saturating_mul(SAMPLE) {
                    return None;
                }
                let cell = counts.tables.get(&example.table)?.cell_number(&example.into())?;
                let weight = table.whole.rows.cell_weights[cell];
                let emphasis = emphasis.get(i).copied().unwrap_or(EVEN);
                scratch.vectorize(&example.text, &self.spec);
                let document = Counted { vector: &scratch.vector, label: example.label, weight, emphasis };
                let mut parts = vec![0.0_f32; self.n_labels * (GROUPS + 1)];
                let bias = table.whole.terms(&document, |feature, label, term| {
                    let at = usize::from(label) * (GROUPS + 1) + usize::from(table.groups[feature]);
                    parts[at] += term as f32;
                });
                for (part, bias) in parts.chunks_exact_mut(GROUPS + 1).zip(&bias) {
                    part[GROUPS] = *bias as f32;
                }
                let key = (key, example.label, weight.to_bits(), emphasis);
                // a label nobody else has cannot be found
                (bias[usize::from(example.label)] > f64::NEG_INFINITY).then_some(Seen {
                    key,
                    label: example.label,
                    weight,
                    parts,
                })
            })
            .collect();
        for (example, seen) in batch.iter().zip(seen) {
            if let (Some(seen), Some(table)) = (seen, self.tables.get_mut(&example.table)) {
                table.seen.push(seen);
            }
        }
    }

    pub fn finish(self) -> BTreeMap<String, Worths> {
        let n_labels = self.n_labels;
        let worths = self.tables.into_iter().map(|(name, mut table)| {
            table.seen.sort_by_key(|seen| seen.key);
            let fitted = Regression::new(&table.seen, n_labels).fit();
            let of_group = fitted[..GROUPS].iter().map(|factor| factor.max(0.0) as f32).collect();
            (name, Worths { kinds: table.kinds, of_group, of_bias: fitted[GROUPS].max(0.0) })
        });
        worths.collect()
    }
}

/// Logistic regression of the labels on the parts of their scores: one factor per part whatever the label, and an
/// offset per label.
struct Regression<'a> {
    seen: &'a [Seen],
    n_labels: usize,
    temperature: f64,
    /// Brings the weights of documents to one on average.
    unit: f64,
}

/// Loss, gradient and curvature, those two where asked for.
struct Slope {
    loss: f64,
    gradient: Vec<f64>,
    curvature: Vec<f64>,
}

impl Slope {
    fn add(mut self, other: &Self) -> Self {
        self.loss += other.loss;
        self.gradient.iter_mut().zip(&other.gradient).for_each(|(a, b)| *a += b);
        self.curvature.iter_mut().zip(&other.curvature).for_each(|(a, b)| *a += b);
        self
    }
}

impl<'a> Regression<'a> {
    fn new(seen: &'a [Seen], n_labels: usize) -> Self {
        let scores = |seen: &Seen| -> Vec<f32> {
            seen.parts.chunks_exact(GROUPS + 1).map(|parts| parts.iter().sum()).collect()
        };
        let scores: Vec<(Vec<f32>, u16)> = seen.iter().map(|s| (scores(s), s.label)).collect();
        let scored: Vec<(&[f32], u16)> = scores.iter().map(|(s, label)| (s.as_slice(), *label)).collect();
        let weight: f64 = seen.iter().map(|s| s.weight).sum();
        Self { seen, n_labels, temperature: temperature(&scored), unit: seen.len() as f64 / weight.max(1e-9) }
    }

    fn len(&self) -> usize {
        GROUPS + 1 + self.n_labels
    }

    /// Factors by group, that of the bias, offsets by label.
    fn fit(&self) -> Vec<f64> {
        let mut at = vec![1.0; GROUPS + 1];
        at.resize(self.len(), 0.0);
        let mut slope = self.slope(&at, true);
        for _ in 0..STEPS {
            let Some(step) = solved(slope.curvature, slope.gradient) else { break };
            let tried = [1.0, 0.5, 0.25, 0.125].into_iter().find_map(|length| {
                let next: Vec<f64> = at.iter().zip(&step).map(|(x, s)| x - length * s).collect();
                (self.slope(&next, false).loss < slope.loss).then_some(next)
            });
            let Some(next) = tried else { break };
            let largest = step.iter().fold(0.0_f64, |most, s| most.max(s.abs()));
            at = next;
            if largest < 1e-3 {
                break;
            }
            slope = self.slope(&at, true);
        }
        at
    }

    fn slope(&self, at: &[f64], whole: bool) -> Slope {
        let n = if whole { self.len() } else { 0 };
        let nothing = || Slope { loss: 0.0, gradient: vec![0.0; n], curvature: vec![0.0; n * n] };
        // Batches are added up in their order, whoever was first.
        let batches: Vec<Slope> = (self.seen.par_chunks(BATCH))
            .map(|batch| {
                let mut slope = nothing();
                batch.iter().for_each(|seen| self.add(seen, at, &mut slope));
                slope
            })
            .collect();
        let mut slope = batches.iter().fold(nothing(), Slope::add);
        for (i, x) in at.iter().enumerate() {
            let off = x - if i <= GROUPS { 1.0 } else { 0.0 };
            slope.loss += PRIOR * off * off;
            if whole {
                slope.gradient[i] += 2.0 * PRIOR * off;
                slope.curvature[i * n + i] += 2.0 * PRIOR;
            }
        }
        slope
    }

    fn add(&self, seen: &Seen, at: &[f64], slope: &mut Slope) {
        let parts = |label: usize| &seen.parts[label * (GROUPS + 1)..(label + 1) * (GROUPS + 1)];
        let mut p: Vec<f64> = (0..self.n_labels)
            .map(|label| {
                let parts = parts(label);
                if parts[GROUPS] == f32::NEG_INFINITY {
                    return f64::NEG_INFINITY;
                }
                let score: f64 = parts.iter().zip(at).map(|(x, w)| f64::from(*x) * w).sum();
                score / self.temperature + at[GROUPS + 1 + label]
            })
            .collect();
        let top = p.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        p.iter_mut().for_each(|p| *p = (*p - top).exp());
        let sum: f64 = p.iter().sum();
        p.iter_mut().for_each(|p| *p /= sum);
        let weight = seen.weight * self.unit;
        let label = usize::from(seen.label);
        slope.loss -= weight * p[label].max(1e-12).ln();
        let n = slope.gradient.len();
        if n == 0 {
            return;
        }
        let mut mean = vec![0.0; n];
        for (l, &p) in p.iter().enumerate().filter(|(_, p)| **p > 0.0) {
            let error = weight * (p - if l == label { 1.0 } else { 0.0 });
            let terms: Vec<(usize, f64)> = (parts(l).iter().enumerate())
                .filter(|(_, x)| **x != 0.0)
                .map(|(i, x)| (i, f64::from(*x) / self.temperature))
                .chain([(GROUPS + 1 + l, 1.0)])
                .collect();
            for &(i, x) in &terms {
                slope.gradient[i] += error * x;
                mean[i] += p * x;
            }
            if p > UNLIKELY {
                for &(i, x) in &terms {
                    let row = &mut slope.curvature[i * n..(i + 1) * n];
                    terms.iter().for_each(|&(j, y)| row[j] += weight * p * x * y);
                }
            }
        }
        for (i, x) in mean.iter().enumerate().filter(|(_, x)| **x != 0.0) {
            let row = &mut slope.curvature[i * n..(i + 1) * n];
            row.iter_mut().zip(&mean).for_each(|(cell, y)| *cell -= weight * x * y);
        }
    }
}

/// `x` with `matrix x = vector` by Cholesky's decomposition, rows of `matrix` after one another; `None` when it is
/// not positive definite.
pub(super) fn solved(mut matrix: Vec<f64>, mut vector: Vec<f64>) -> Option<Vec<f64>> {
    let n = vector.len();
    for i in 0..n {
        for j in 0..=i {
            let dot: f64 = (0..j).map(|k| matrix[i * n + k] * matrix[j * n + k]).sum();
            let left = matrix[i * n + j] - dot;
            matrix[i * n + j] = match i == j {
                true if left > 1e-12 => left.sqrt(),
                true => return None,
                false => left / matrix[j * n + j],
            };
        }
    }
    for i in 0..n {
        let dot: f64 = (0..i).map(|k| matrix[i * n + k] * vector[k]).sum();
        vector[i] = (vector[i] - dot) / matrix[i * n + i];
    }
    for i in (0..n).rev() {
        let dot: f64 = (i + 1..n).map(|k| matrix[k * n + i] * vector[k]).sum();
        vector[i] = (vector[i] - dot) / matrix[i * n + i];
    }
    Some(vector)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn solved_by_hand() {
        let x = solved(vec![4.0, 2.0, 2.0, 3.0], vec![10.0, 8.0]).expect("positive definite");
        assert!((x[0] - 1.75).abs() < 1e-12 && (x[1] - 1.5).abs() < 1e-12, "{x:?}");
        assert_eq!(solved(vec![1.0, 2.0, 2.0, 1.0], vec![1.0, 1.0]), None);
    }

    /// Documents of two labels: one kind of feature tells them, another is noise.
    fn seen() -> Vec<Seen> {
        let document = |i: u64| {
            let label = (i % 2) as u16;
            let mut parts = vec![0.0; 2 * (GROUPS + 1)];
            // one in eight is misled by the telling kind; the other kind says either at random
            let said = if i.is_multiple_of(8) { 1 - label } else { label };
            parts[usize::from(said) * (GROUPS + 1)] = 2.0;
            parts[(i / 3 % 2) as usize * (GROUPS + 1) + 7] = 2.0;
            Seen { key: (i, label, 0, EVEN), label, weight: 1.0, parts }
        };
        (0..400).map(document).collect()
    }

    #[test]
    fn kinds_that_tell_are_worth_more() {
        let seen = seen();
        let regression = Regression::new(&seen, 2);
        let fitted = regression.fit();
        assert!(fitted[0] > 1.5 && fitted[7] < 0.7, "{} {}", fitted[0], fitted[7]);
        assert_eq!(fitted[3], 1.0, "nothing is known of what no document has");
        // The gradient vanishes where it ends, and is that of differences anywhere.
        let slope = regression.slope(&fitted, true);
        assert!(slope.gradient.iter().all(|g| g.abs() < 0.1), "{:?}", slope.gradient);
        let mut at = vec![0.7; regression.len()];
        let gradient = regression.slope(&at, true).gradient;
        for i in [0, 7, GROUPS, GROUPS + 1] {
            let middle = at[i];
            let mut loss = [0.0; 2];
            for (loss, step) in loss.iter_mut().zip([1e-5, -1e-5]) {
                at[i] = middle + step;
                *loss = regression.slope(&at, false).loss;
            }
            at[i] = middle;
            let difference = (loss[0] - loss[1]) / 2e-5;
            assert!((difference - gradient[i]).abs() < 1e-3, "{i}: {difference} {}", gradient[i]);
        }
    }

    #[test]
    fn groups_are_kinds_and_ranges() {
        assert_eq!(group(0, 0), 0);
        assert_eq!(group(0, 3), 0);
        assert_eq!(group(0, 4), 1);
        assert_eq!(group(4, 1_000_000), 5 * RANGES - 1);
        assert!(group(9, u32::MAX) < GROUPS);
    }
}
