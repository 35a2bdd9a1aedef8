//! Training spam: multinomial naive Bayes of two labels, a table per language smoothed by the pooled
//! one, its counts found discriminatively.
//!
//! Every document counts a little; then, for some rounds, it counts again as much as the model of the
//! round before, with the document itself taken out, missed its label (discriminative frequency
//! estimate, Su et al. 2008, in batches). Counts stay integers: taking a document out is exact, and the
//! order of documents cannot show.

mod calibrate;

pub use calibrate::{Budget, HeldOut, calibrate};

use crate::bayes::Variant;
use crate::bayes::fit::{FeatureCounts, FitError, fit};
use crate::bayes::odds::{HAM, SPAM};
use crate::bayes::weights::{Feature, TableInput, Weights, WeightsError, packed_size};
use crate::features::WEIGHT_SCALE;
use crate::model::task::POOLED;
use rayon::prelude::*;
use std::collections::{BTreeMap, HashMap};
use std::hash::{BuildHasherDefault, Hasher};

/// Parts of cross-fitting: the scores that calibrate come from models that never saw the document or
/// its near-duplicates.
pub const FOLDS: u8 = 3;
/// One unit of document weight.
const UNIT: f64 = 4096.0;
/// Documents of each label a table needs for a curve of its own.
const MIN_OWN: usize = 20;

#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Recipe {
    /// Lidstone smoothing of the pooled table.
    pub alpha: f64,
    /// Units of document weight the pooled table is worth as the prior of a language's own.
    pub prior: f64,
    /// 0: a (source, label) cell counts by its documents; 1: every cell counts alike.
    pub balance: f64,
    pub smallest_cell: f64,
    /// Rounds of counting what was missed; 0 for plain counts.
    pub rounds: usize,
    /// What a document counts before the rounds.
    pub first: f64,
    /// Times this in a table with fewer than `MIN_OWN` spams, whose words would tell its language instead.
    pub alone: f64,
    /// Divides the scores that say how much a document was missed.
    pub temperature: f64,
    /// Bytes for all tables, this many times `documents^(2/3)`; 0 for no bound.
    pub bytes: f64,
}

#[derive(Debug, thiserror::Error)]
pub enum SpamTrainError {
    #[error(transparent)]
    Fit(#[from] FitError),
    #[error(transparent)]
    Weights(#[from] WeightsError),
}

/// What is known of a document beside its features.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Head {
    table: u16,
    source: u16,
    label: u8,
    fold: u8,
}

/// Where a document belongs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place<'a> {
    pub table: &'a str,
    pub source: &'a str,
    pub spam: bool,
    pub fold: u8,
}

/// Hashes are already spread; this only folds them.
#[derive(Default)]
struct Folded(u64);

impl Hasher for Folded {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.write_u64(u64::from(*byte));
        }
    }

    fn write_u64(&mut self, n: u64) {
        let product = (self.0 ^ n).wrapping_mul(0x9FB2_1C65_1E98_DF25);
        self.0 = product ^ (product >> 32);
    }
}

type Numbers = HashMap<u64, u32, BuildHasherDefault<Folded>>;

/// All vectors, features numbered: a document is counted many times.
#[derive(Default)]
pub struct Documents {
    tables: Vec<String>,
    table_numbers: BTreeMap<String, u16>,
    source_numbers: BTreeMap<String, u16>,
    heads: Vec<Head>,
    starts: Vec<usize>,
    shared: Vec<u32>,
    own: Vec<u32>,
    weights: Vec<u16>,
    /// Hash of each shared feature; table and shared feature of each own one.
    hashes: Vec<u64>,
    owners: Vec<(u16, u32)>,
    numbers: Numbers,
    own_numbers: Numbers,
}

impl Documents {
    pub fn len(&self) -> usize {
        self.heads.len()
    }

    /// How many spams each table has.
    fn spam_of_tables(&self) -> Vec<usize> {
        let mut spam = vec![0; self.tables.len()];
        for head in self.heads.iter().filter(|head| head.label == SPAM as u8) {
            spam[usize::from(head.table)] += 1;
        }
        spam
    }

    pub fn is_empty(&self) -> bool {
        self.heads.is_empty()
    }

    pub fn add(&mut self, place: &Place<'_>, vector: &[(u64, u32)]) {
        let number = |numbers: &mut BTreeMap<String, u16>, name: &str| {
            let next = numbers.len() as u16;
            *numbers.entry(name.to_string()).or_insert(next)
        };
        let table = number(&mut self.table_numbers, place.table);
        if usize::from(table) == self.tables.len() {
            self.tables.push(place.table.to_string());
        }
        let source = number(&mut self.source_numbers, place.source);
        self.heads.push(Head { table, source, label: u8::from(place.spam), fold: place.fold });
        if self.starts.is_empty() {
            self.starts.push(0);
        }
        for &(hash, weight) in vector {
            let next = self.hashes.len() as u32;
            let shared = *self.numbers.entry(hash).or_insert(next);
            if shared == next {
                self.hashes.push(hash);
            }
            let next = self.owners.len() as u32;
            let own = *self.own_numbers.entry(u64::from(table) << 32 | u64::from(shared)).or_insert(next);
            if own == next {
                self.owners.push((table, shared));
            }
            self.shared.push(shared);
            self.own.push(own);
            self.weights.push(weight.min(u32::from(u16::MAX)) as u16);
        }
        self.starts.push(self.shared.len());
    }

    /// The numbering is done: lets go of the maps.
    pub fn seal(&mut self) {
        (self.numbers, self.own_numbers) = (Numbers::default(), Numbers::default());
    }

    /// A document's features: shared number, own number, weight.
    fn features(&self, document: usize) -> impl Iterator<Item = (usize, usize, u64)> + '_ {
        let range = self.starts[document]..self.starts[document + 1];
        self.shared[range.clone()]
            .iter()
            .zip(&self.own[range.clone()])
            .zip(&self.weights[range])
            .map(|((s, o), w)| (*s as usize, *o as usize, u64::from(*w)))
    }

    /// Weights of documents before any round: (source, label) cells made more alike, mean one.
    fn base_weights(&self, taken: &[usize], recipe: &Recipe) -> Vec<f64> {
        let mut cells: BTreeMap<(u16, u8), f64> = BTreeMap::new();
        for &i in taken {
            *cells.entry((self.heads[i].source, self.heads[i].label)).or_default() += 1.0;
        }
        let weight = |i: usize| {
            let n = cells.get(&(self.heads[i].source, self.heads[i].label)).copied().unwrap_or(1.0);
            n.max(recipe.smallest_cell).powf(-recipe.balance)
        };
        let mass: f64 = cells.values().map(|n| n * n.max(recipe.smallest_cell).powf(-recipe.balance)).sum();
        taken.iter().map(|&i| weight(i) * taken.len() as f64 / mass).collect()
    }
}

/// Sums of document weight by feature and label, in units of 1 / (`WEIGHT_SCALE` × `UNIT`).
pub struct Sums {
    shared: Vec<[u64; 2]>,
    own: Vec<[u64; 2]>,
    total: [u64; 2],
    own_total: Vec<[u64; 2]>,
    met: usize,
    recipe: Recipe,
}

fn real(sum: u64) -> f64 {
    sum as f64 / (f64::from(WEIGHT_SCALE) * UNIT)
}

impl Sums {
    /// Counts the documents of all folds but `left_out`.
    pub fn count(documents: &Documents, recipe: &Recipe, left_out: Option<u8>) -> Self {
        let taken: Vec<usize> =
            (0..documents.len()).filter(|&i| Some(documents.heads[i].fold) != left_out).collect();
        let base = documents.base_weights(&taken, recipe);
        let spam = documents.spam_of_tables();
        let first = |i: usize| match recipe.rounds {
            0 => 1.0,
            _ if spam[usize::from(documents.heads[i].table)] < MIN_OWN => recipe.first * recipe.alone,
            _ => recipe.first,
        };
        let mut counted: Vec<u64> =
            taken.iter().zip(&base).map(|(&i, w)| (w * first(i) * UNIT).round() as u64).collect();
        let mut sums = Self {
            shared: vec![[0; 2]; documents.hashes.len()],
            own: vec![[0; 2]; documents.owners.len()],
            total: [0; 2],
            own_total: vec![[0; 2]; documents.tables.len()],
            met: 0,
            recipe: *recipe,
        };
        for (&i, &weight) in taken.iter().zip(&counted) {
            sums.add(documents, i, weight);
        }
        for _ in 0..recipe.rounds {
            let missed: Vec<f64> = taken
                .par_iter()
                .zip(&counted)
                .map(|(&i, &weight)| {
                    let score = sums.score_without(documents, i, weight) / recipe.temperature;
                    let towards = if documents.heads[i].label == 1 { score } else { -score };
                    1.0 / (1.0 + towards.exp())
                })
                .collect();
            for (at, &i) in taken.iter().enumerate() {
                let more = (base[at] * missed[at] * UNIT).round() as u64;
                if more > 0 {
                    sums.add(documents, i, more);
                    counted[at] += more;
                }
            }
        }
        sums
    }

    fn add(&mut self, documents: &Documents, document: usize, weight: u64) {
        let head = documents.heads[document];
        let label = usize::from(head.label);
        let mut sum = 0;
        for (shared, own, w) in documents.features(document) {
            let cell = &mut self.shared[shared];
            self.met += usize::from(*cell == [0; 2]);
            cell[label] += w * weight;
            self.own[own][label] += w * weight;
            sum += w * weight;
        }
        self.total[label] += sum;
        self.own_total[usize::from(head.table)][label] += sum;
    }

    /// Log-odds of spam of a document by all the others; it was counted `weight`.
    fn score_without(&self, documents: &Documents, document: usize, weight: u64) -> f64 {
        let head = documents.heads[document];
        let label = usize::from(head.label);
        let gone: u64 = documents.features(document).map(|f| f.2 * weight).sum();
        let (mut total, mut own_total) = (self.total, self.own_total[usize::from(head.table)]);
        total[label] -= gone;
        own_total[label] -= gone;
        let (alpha, prior) = (self.recipe.alpha, self.recipe.prior);
        let smoothing = alpha * self.met as f64;
        let pooled = total.map(|n| 1.0 / (real(n) + smoothing));
        let own = own_total.map(|n| real(n) + prior);
        let mut score = 0.0;
        for (shared, at, w) in documents.features(document) {
            let (mut all, mut here) = (self.shared[shared], self.own[at]);
            all[label] -= w * weight;
            here[label] -= w * weight;
            if all == [0; 2] {
                continue;
            }
            let p = |l: usize| real(here[l]) + prior * (real(all[l]) + alpha) * pooled[l];
            score += (p(SPAM) * own[HAM] / (p(HAM) * own[SPAM])).ln() * w as f64;
        }
        score / f64::from(WEIGHT_SCALE)
    }

    /// The tables packed, features kept by what they add to the table behind them, per byte.
    pub fn pack(&self, documents: &Documents) -> Result<Weights, SpamTrainError> {
        let recipe = &self.recipe;
        let met: Vec<u32> =
            (0..self.shared.len() as u32).filter(|&f| self.shared[f as usize] != [0; 2]).collect();
        let counts: Vec<[f64; 2]> = met.iter().map(|&f| self.shared[f as usize].map(real)).collect();
        let pooled = log_odds(&counts, recipe.alpha)?;
        let total = self.total.map(real);
        let smoothing = recipe.alpha * met.len() as f64;
        let mut pooled_of = vec![f32::NAN; self.shared.len()];
        for (&f, &w) in met.iter().zip(&pooled) {
            pooled_of[f as usize] = w as f32;
        }
        let q = |f: u32| {
            let n = self.shared[f as usize].map(real);
            [HAM, SPAM].map(|l| (n[l] + recipe.alpha) / (total[l] + smoothing))
        };
        let mut by_table: Vec<Vec<u32>> = vec![Vec::new(); documents.tables.len()];
        for (own, (table, _)) in documents.owners.iter().enumerate() {
            if self.own[own] != [0; 2] {
                by_table[usize::from(*table)].push(own as u32);
            }
        }
        // (worth, table or all, feature, log-odds); table numbers as in `documents`, the pooled one last.
        let mut kept: Vec<(f32, u16, u32, f32)> = Vec::new();
        let pooled_number = documents.tables.len() as u16;
        let mut offer = |gain: f64, table: u16, feature: u32, w: f64| {
            let worth = gain / f64::from(packed_size(2, &[w.abs()]));
            if worth > 0.0 {
                kept.push((worth as f32, table, feature, w as f32));
            }
        };
        for ((&f, &w), n) in met.iter().zip(&pooled).zip(&counts) {
            offer(w.abs() * (n[HAM] + n[SPAM]), pooled_number, f, w);
        }
        let mut constants = vec![0.0_f64; documents.tables.len()];
        for (table, owned) in by_table.iter().enumerate() {
            let own = self.own_total[table].map(real);
            constants[table] = ((own[HAM] + recipe.prior) / (own[SPAM] + recipe.prior)).ln();
            if documents.tables[table] == POOLED {
                continue;
            }
            let mut rest = [recipe.prior; 2];
            let mut counts: Vec<[f64; 2]> = Vec::with_capacity(owned.len() + 1);
            for &at in owned {
                let (shares, n) = (q(documents.owners[at as usize].1), self.own[at as usize].map(real));
                counts.push([HAM, SPAM].map(|l| n[l] + recipe.prior * shares[l]));
                for label in [HAM, SPAM] {
                    rest[label] = (rest[label] - recipe.prior * shares[label]).max(0.0);
                }
            }
            counts.push(rest);
            // The prior smooths; what linfa adds on top must only not be zero.
            for (&at, w) in owned.iter().zip(log_odds(&counts, 1e-9)?) {
                let shared = documents.owners[at as usize].1;
                let behind = f64::from(pooled_of[shared as usize]) + constants[table];
                let n = self.own[at as usize].map(real);
                offer((w - behind).abs() * (n[HAM] + n[SPAM]), table as u16, shared, w);
            }
        }
        let order = |a: &(f32, u16, u32, f32), b: &(f32, u16, u32, f32)| {
            b.0.total_cmp(&a.0)
                .then_with(|| documents.hashes[a.2 as usize].cmp(&documents.hashes[b.2 as usize]))
                .then_with(|| documents.name(a.1).cmp(documents.name(b.1)))
        };
        kept.par_sort_unstable_by(order);
        if recipe.bytes > 0.0 {
            let mut left = recipe.bytes * (documents.len() as f64).powf(2.0 / 3.0);
            let fitting = kept.iter().take_while(|feature| {
                left -= f64::from(packed_size(2, &[f64::from(feature.3.abs())]));
                left >= 0.0
            });
            let fitting = fitting.count();
            kept.truncate(fitting);
        }
        let mut inputs: Vec<TableInput> = Vec::with_capacity(documents.tables.len() + 1);
        let mut sizes = vec![0_u64; documents.tables.len()];
        documents.heads.iter().for_each(|head| sizes[usize::from(head.table)] += 1);
        for number in 0..=pooled_number {
            let table = usize::from(number);
            if number < pooled_number && documents.tables[table] == POOLED {
                continue;
            }
            inputs.push(TableInput {
                name: documents.name(number).to_string(),
                bias: vec![0.0, constants.get(table).map_or(0.0, |c| *c as f32)],
                temperature: 1.0,
                documents: sizes.get(table).copied().unwrap_or(documents.len() as u64),
                features: Vec::new(),
            });
        }
        let place: BTreeMap<String, usize> =
            inputs.iter().enumerate().map(|(i, input)| (input.name.clone(), i)).collect();
        for (worth, table, feature, w) in kept {
            let label = if w > 0.0 { SPAM } else { HAM } as u16;
            inputs[place[documents.name(table)]].features.push(Feature {
                hash: documents.hashes[feature as usize],
                importance: worth,
                weights: smallvec::smallvec![(label, w.abs())],
            });
        }
        Ok(Weights::pack(2, inputs)?)
    }
}

impl Documents {
    fn name(&self, table: u16) -> &str {
        self.tables.get(usize::from(table)).map_or(POOLED, String::as_str)
    }
}

/// linfa's `ln p(f|spam) - ln p(f|ham)` of every row.
fn log_odds(counts: &[[f64; 2]], alpha: f64) -> Result<Vec<f64>, FitError> {
    const LABELS: [u16; 2] = [HAM as u16, SPAM as u16];
    let rows = counts.iter().map(|counts| FeatureCounts { labels: &LABELS, counts });
    let fitted = fit(Variant::Multinomial, 2, alpha, rows.len(), rows)?;
    let bias = fitted.bias[SPAM] - fitted.bias[HAM];
    Ok(fitted.weights.chunks_exact(2).map(|w| w[SPAM] - w[HAM] + bias).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bayes::pieces::Observed;

    const RECIPE: Recipe = Recipe {
        alpha: 1.0,
        prior: 2.0,
        balance: 0.0,
        smallest_cell: 1.0,
        rounds: 0,
        first: 1.0,
        alone: 1.0,
        temperature: 1.0,
        bytes: 0.0,
    };
    const UNITS: u32 = WEIGHT_SCALE;

    fn feature(n: u64) -> u64 {
        1 << 63 | (n + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15)
    }

    fn add(documents: &mut Documents, table: &str, spam: bool, fold: u8, features: &[(u64, u32)]) {
        let vector: Vec<(u64, u32)> = features.iter().map(|(n, w)| (feature(*n), w * UNITS)).collect();
        documents.add(&Place { table, source: "s", spam, fold }, &vector);
    }

    /// Two languages; feature 1 is spam in one and ham in the other.
    fn two_languages() -> Documents {
        let mut documents = Documents::default();
        add(&mut documents, "a", true, 0, &[(1, 3), (2, 1)]);
        add(&mut documents, "a", false, 1, &[(2, 2)]);
        add(&mut documents, "b", false, 2, &[(1, 1), (3, 1)]);
        documents
    }

    #[test]
    fn smoothed_by_the_pooled_table_by_hand() {
        let documents = two_languages();
        let sums = Sums::count(&documents, &RECIPE, None);
        let weights = sums.pack(&documents).expect("two labels");
        // Pooled: spam 3 1 0 of 4, ham 1 2 1 of 4; alpha 1, three features, so denominators of 7.
        // Table a: feature 1 spam (3 + 2 * 4/7) / (4 + 2), ham (0 + 2 * 2/7) / (2 + 2).
        let expected = ((3.0 + 2.0 * 4.0 / 7.0) / 6.0_f64).ln() - ((2.0 * 2.0 / 7.0) / 4.0_f64).ln();
        let of = |table: &str, n: u64| {
            let tables = weights.tables();
            let own = weights.table(table).expect("a table");
            let pooled = weights.table(POOLED).map(|t| &tables[t]);
            crate::bayes::odds::term(&weights, &tables[own], pooled, feature(n)).expect("a known feature")
        };
        assert!((of("a", 1) - expected).abs() < 0.05, "{} {expected}", of("a", 1));
        // Feature 3 is not in a: pooled ln (1/7) / (2/7), and ln (2 + 2) / (4 + 2) on top.
        let expected = 0.5_f64.ln() + (4.0 / 6.0_f64).ln();
        assert!((of("a", 3) - expected).abs() < 0.05, "{} {expected}", of("a", 3));
        assert!((of(POOLED, 1) - 2_f64.ln()).abs() < 0.05);
    }

    #[test]
    fn leaving_a_document_out_is_never_having_counted_it() {
        let documents = two_languages();
        let whole = Sums::count(&documents, &RECIPE, None);
        let without = Sums::count(&documents, &RECIPE, Some(0));
        // Smoothing counts the features ever met; here all of them are met without document 0 too.
        let left = whole.score_without(&documents, 0, UNIT as u64);
        assert!((left - without.score_without(&documents, 0, 0)).abs() < 1e-9, "{left}");
    }

    #[test]
    fn rounds_count_what_was_missed() {
        let mut documents = Documents::default();
        for _ in 0..8 {
            add(&mut documents, "a", true, 0, &[(1, 2), (2, 1)]);
            add(&mut documents, "a", false, 0, &[(3, 2), (2, 1)]);
        }
        // Spam that looks like ham: it is missed, so it counts more than it did.
        add(&mut documents, "a", true, 0, &[(3, 2), (4, 1)]);
        let plain = Sums::count(&documents, &RECIPE, None);
        let rounds = Sums::count(&documents, &Recipe { rounds: 3, ..RECIPE }, None);
        let share = |sums: &Sums| sums.shared[3][SPAM] as f64 / sums.total[SPAM] as f64;
        assert!(share(&rounds) > 1.5 * share(&plain), "{} {}", share(&rounds), share(&plain));
    }

    #[test]
    fn order_does_not_show() {
        let packed = |order: &[usize]| {
            let mut documents = Documents::default();
            for &i in order {
                let (table, spam) = (["a", "b", "c"][i % 3], i.is_multiple_of(2));
                add(&mut documents, table, spam, (i % 3) as u8, &[(i as u64 % 5, 1), (i as u64 % 7, 2)]);
            }
            let weights = Sums::count(&documents, &Recipe { rounds: 2, ..RECIPE }, None).pack(&documents);
            let weights = weights.expect("two labels");
            (weights.starts().collect::<Vec<u32>>(), weights.records().clone())
        };
        let forwards: Vec<usize> = (0..40).collect();
        let backwards: Vec<usize> = (0..40).rev().collect();
        assert_eq!(packed(&forwards), packed(&backwards));
    }

    #[test]
    fn the_threshold_lies_where_ham_ends() {
        let documents = two_languages();
        let weights = Sums::count(&documents, &RECIPE, None).pack(&documents).expect("two labels");
        let held = |spam: bool, score: f64| HeldOut {
            table: "a".into(),
            spam,
            publisher: None,
            padded: false,
            observed: Observed { whole: ([score].into_iter().collect(), 400), ..Observed::default() },
        };
        let mut seen: Vec<HeldOut> = (0..1000).map(|i| held(false, -200.0 + f64::from(i) / 4.0)).collect();
        // so many spams lie above that a higher threshold would not pay
        seen.extend((0..1000).map(|i| held(true, 40.0 + f64::from(i) / 20.0)));
        let budget = Budget { spam: 0.005, not_ham: 0.01, background: 0.01 };
        let (odds, low, high) = calibrate(&seen, &weights, Vec::new(), &budget);
        let table = weights.table("a").expect("a");
        let ham = |bound: f64| {
            let above = |held: &&HeldOut| !held.spam && odds.log_odds(table, 0, &held.observed) >= bound;
            seen.iter().filter(above).count()
        };
        assert_eq!((ham(low), ham(high)), (10, 5));
        assert!(low <= high);
    }
}
