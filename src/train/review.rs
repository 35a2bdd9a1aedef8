//! A second look at the documents of a training before the last count.
//!
//! Every document is scored by a complement naive Bayes of all *other* documents, which exact counts
//! give for the price of a subtraction. What they find hard counts for more in the second count: the
//! discriminative frequency estimate (Su, Zhang, Ling and Matwin 2008), left-one-out and in one step. It
//! stays naive Bayes; only the documents' weights change.
//!
//! The same look finds n-grams that say nothing a shorter one in them does not say: both are in the same
//! documents. They need not be kept.

use super::counts::{Counts, EVEN, Example, TableCounts};
use super::fit::{Recipe, Rows};
use super::text::LeftOut;
use super::without::{Counted, Whole};
use super::worths::Kinds;
use crate::bayes::scaled_softmax;
use crate::features::{FeatureSpec, Scratch};
use rayon::prelude::*;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};

/// A document that the others would never have labelled so counts `1 + rate` times as much as one they are
/// certain of. What few documents say of each other is uncertain, so that small tables take the lower rate.
const RATES: (f64, f64) = (1.0, 3.0);
/// Documents of a table from which, and up to which, the rate rises.
const RATE_SIZES: (f64, f64) = (1_000.0, 10_000.0);

fn rate(documents: usize) -> f64 {
    let (from, to) = RATE_SIZES;
    let share = (documents.max(1) as f64 / from).ln() / (to / from).ln();
    RATES.0 + (RATES.1 - RATES.0) * share.clamp(0.0, 1.0)
}

/// Temperatures tried: from `FIRST`, each `STEP` times the one before.
const FIRST_TEMPERATURE: f64 = 1.0;
const TEMPERATURE_STEP: f64 = 1.15;
const TEMPERATURES: usize = 48;

/// One table's counts and what has been seen of its documents.
struct Table {
    whole: Whole,
    nested: Vec<AtomicBool>,
    kinds: Vec<AtomicU8>,
}

/// What the others say of a document.
struct Reviewed {
    table: usize,
    label: u16,
    scores: Vec<f32>,
}

/// Looks at documents one by one, then says what follows.
pub struct Reviewer {
    names: Vec<String>,
    tables: Vec<Table>,
    /// `None` for a document of no table.
    reviewed: Vec<Option<Reviewed>>,
    spec: FeatureSpec,
}

impl Reviewer {
    /// `counts` must hold every document that will be looked at.
    pub fn new(counts: &mut Counts, n_labels: usize, recipe: &Recipe) -> Self {
        let spec = counts.spec;
        let of_table = |(name, table): (&String, &mut TableCounts)| {
            // What follows from other tables' documents is not looked at again here.
            let rows = Rows::new(table, n_labels, recipe, |_| true);
            let nested = (0..rows.len()).map(|_| AtomicBool::new(false)).collect();
            let kinds = (0..rows.len()).map(|_| AtomicU8::new(0)).collect();
            (name.clone(), Table { whole: Whole::new(rows, n_labels, recipe.alpha), nested, kinds })
        };
        let tables: Vec<(String, Table)> = counts.tables.par_iter_mut().map(of_table).collect();
        let (names, tables) = tables.into_iter().unzip();
        Self { names, tables, reviewed: Vec::new(), spec }
    }

    /// Looks at documents that `counts` holds; their order is that of the emphases.
    pub fn look_at(&mut self, counts: &Counts, batch: &[Example]) {
        let seen: Vec<Option<Reviewed>> = batch
            .par_iter()
            .map_init(Scratch::default, |scratch, example| {
                let at = self.names.binary_search(&example.table).ok()?;
                let (table, cells) = (&self.tables[at], counts.tables.get(&example.table)?);
                let weight = table.whole.rows.cell_weights[cells.cell_number(&example.into())?];
                scratch.each_parent(&example.text, &self.spec, |longer, parents| {
                    parents.into_iter().for_each(|shorter| table.note_nested(longer, shorter));
                });
                scratch.each_kind(&example.text, &self.spec, |hash, kind| {
                    if let Some(feature) = table.whole.rows.find(hash) {
                        table.kinds[feature].store(kind, Ordering::Relaxed);
                    }
                });
                scratch.vectorize(&example.text, &self.spec);
                let (vector, label) = (&scratch.vector[..], example.label);
                let scores = table.scores_without(&Counted { vector, label, weight, emphasis: EVEN });
                Some(Reviewed { table: at, label: example.label, scores })
            })
            .collect();
        self.reviewed.extend(seen);
    }

    /// The emphasis of each document looked at, in their order, [`EVEN`] on average in each table; the
    /// features to leave out; the kind of each feature, by table.
    pub fn finish(self) -> (Vec<u32>, LeftOut, Kinds) {
        let mut of_table: Vec<Vec<(usize, &Reviewed)>> = vec![Vec::new(); self.tables.len()];
        for (i, reviewed) in self.reviewed.iter().enumerate() {
            if let Some(reviewed) = reviewed {
                of_table[reviewed.table].push((i, reviewed));
            }
        }
        let mut emphasis = vec![EVEN; self.reviewed.len()];
        for documents in &of_table {
            let scored: Vec<(&[f32], u16)> =
                documents.iter().map(|(_, doc)| (doc.scores.as_slice(), doc.label)).collect();
            let (temperature, rate) = (temperature(&scored), rate(documents.len()));
            let raw: Vec<u64> = documents
                .iter()
                .map(|(_, doc)| {
                    (f64::from(EVEN) * (1.0 + rate * (1.0 - p(&doc.scores, doc.label, temperature)))) as u64
                })
                .collect();
            let sum: u64 = raw.iter().sum();
            for ((i, _), raw) in documents.iter().zip(raw) {
                emphasis[*i] = (raw * u64::from(EVEN) * documents.len() as u64 / sum.max(1)) as u32;
            }
        }
        let (mut left_out, mut kinds) = (LeftOut::new(), Kinds::new());
        for (name, table) in self.names.into_iter().zip(self.tables) {
            let gone = |(hash, nested): (&u64, &AtomicBool)| nested.load(Ordering::Relaxed).then_some(*hash);
            let gone = table.whole.rows.hashes.iter().zip(&table.nested).filter_map(gone).collect();
            left_out.insert(name.clone(), gone);
            let of_table = table.kinds.into_iter().map(AtomicU8::into_inner);
            kinds.insert(name, table.whole.rows.hashes.into_iter().zip(of_table).collect());
        }
        (emphasis, left_out, kinds)
    }
}

/// Probability that scores give to a label.
fn p(scores: &[f32], label: u16, temperature: f64) -> f64 {
    scaled_softmax(scores, temperature, |_| 0.0)[usize::from(label)]
}

/// The temperature of least loss, of a fixed list; losses are added as integers, so that the order of the
/// documents cannot show.
pub(super) fn temperature(documents: &[(&[f32], u16)]) -> f64 {
    let tried = (0..TEMPERATURES).into_par_iter().map(|i| {
        let t = FIRST_TEMPERATURE * TEMPERATURE_STEP.powi(i as i32);
        let loss: u64 = documents.iter().map(|d| (-p(d.0, d.1, t).max(1e-9).ln() * 1e6) as u64).sum();
        (loss, i, t)
    });
    tried.min_by_key(|(loss, i, _)| (*loss, *i)).map_or(1.0, |best| best.2)
}

impl Table {
    fn note_nested(&self, longer: u64, shorter: u64) {
        if let (Some(longer), Some(shorter)) = (self.whole.rows.find(longer), self.whole.rows.find(shorter))
            && longer != shorter
            && self.whole.rows.documents[longer] == self.whole.rows.documents[shorter]
        {
            self.nested[longer].store(true, Ordering::Relaxed);
        }
    }

    /// Scores of a document by everything but itself.
    fn scores_without(&self, document: &Counted<'_>) -> Vec<f32> {
        let mut scores = vec![0.0_f64; self.whole.rows.present.len()];
        let rest = self.whole.terms(document, |_, label, term| scores[usize::from(label)] += term);
        scores.iter().zip(rest).map(|(score, rest)| (score + rest) as f32).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::features::SMALL_SPEC as SPEC;

    fn example(label: u16, text: &str) -> Example {
        Example { table: "eng".into(), source: "s".into(), label, held_back: false, text: text.into() }
    }

    fn examples() -> Vec<Example> {
        vec![
            example(0, "the goal in the second half of the match"),
            example(0, "a late goal won the match for the guests"),
            example(0, "the keeper of the guests let in a goal"),
            example(1, "the bank raised the rate of interest"),
            example(1, "a bank lowered the interest on loans"),
            example(1, "the match of the second half had a goal for the guests"),
        ]
    }

    fn count(examples: &[Example]) -> Counts {
        let mut counts = Counts::new(SPEC);
        counts.add(examples);
        counts
    }

    #[test]
    fn leaving_out_is_training_without() {
        let all = examples();
        for (i, left) in all.iter().enumerate() {
            let mut with = count(&all);
            let mut reviewer = Reviewer::new(&mut with, 2, &Recipe::PLAIN);
            reviewer.look_at(&with, std::slice::from_ref(left));
            let mut others = all.clone();
            others.remove(i);
            let mut without = count(&others);
            let table = without.tables.get_mut("eng").expect("the table");
            let rows = Rows::new(table, 2, &Recipe::PLAIN, |_| true);
            let mut expected = [0.0_f64; 2];
            let (mut total, mut known) = ([0.0_f64; 2], 0.0);
            for f in 0..rows.len() {
                let row = rows.row(f);
                row.labels.iter().zip(row.counts).for_each(|(l, n)| total[usize::from(*l)] += n);
            }
            let mut scratch = Scratch::default();
            scratch.vectorize(&left.text, &SPEC);
            for &(hash, w) in &scratch.vector {
                let Some(f) = rows.find(hash) else { continue };
                let value = f64::from(w) / 1024.0;
                known += value;
                let row = rows.row(f);
                let n: f64 = row.counts.iter().sum();
                for (l, c) in row.labels.iter().zip(row.counts) {
                    expected[usize::from(*l)] += value * ((n + 1.0).ln() - (n - c + 1.0).ln());
                }
            }
            // The vocabulary stays that of all documents: so does the smoothing of the denominators.
            let smoothing = reviewer.tables[0].whole.rows.len() as f64;
            let sum: f64 = total.iter().sum();
            for l in 0..2 {
                let expected =
                    expected[l] + known * ((sum - total[l] + smoothing).ln() - (sum + smoothing).ln());
                let got = f64::from(reviewer.reviewed[0].as_ref().expect("reviewed").scores[l]);
                assert!((got - expected).abs() < 1e-3, "document {i}, label {l}: {got} {expected}");
            }
        }
    }

    #[test]
    fn the_odd_one_out_counts_for_more_and_the_mean_stays() {
        let all = examples();
        let mut counts = count(&all);
        let mut reviewer = Reviewer::new(&mut counts, 2, &Recipe::PLAIN);
        reviewer.look_at(&counts, &all);
        let (emphasis, ..) = reviewer.finish();
        assert!(emphasis[..5].iter().all(|e| *e < emphasis[5]), "{emphasis:?}");
        let mean = f64::from(emphasis.iter().sum::<u32>()) / emphasis.len() as f64;
        assert!((mean - f64::from(EVEN)).abs() <= 1.0, "{emphasis:?}");
    }

    #[test]
    fn ngrams_of_the_same_documents_are_left_out() {
        let all = examples();
        let mut counts = count(&all);
        let mut reviewer = Reviewer::new(&mut counts, 2, &Recipe::PLAIN);
        reviewer.look_at(&counts, &all);
        let (_, left_out, _) = reviewer.finish();
        // Between other letters the n-gram alone has its place.
        let hash = |ngram: &str| {
            let mut found = None;
            Scratch::default().emit(&format!("z{ngram}z"), &SPEC, |hash, _, place| {
                if place.start == 1 && place.end as usize == 1 + ngram.len() {
                    found = Some(hash | 1 << 63);
                }
            });
            found.expect("an n-gram")
        };
        let gone = |text: &str| left_out["eng"].binary_search(&hash(text)).is_ok();
        // "hal" and "ha" are in the same documents, "h" is in more.
        assert!(gone("hal") && !gone("ha"));
    }
}
