//! Languages that lend each other counts: five hundred sentences of Galician say more with those of
//! Portuguese and Spanish beside them.
//!
//! A table of few documents counts what its nearest tables have as well, for a part of what it has itself: the
//! nearest by the n-grams and words both have, whatever the labels. Words of the other language that its own
//! documents never had are known then too, unless bytes are counted: a table's own words are worth more for
//! theirs.

use super::counts::Counts;
use crate::model::task::POOLED;
use rayon::prelude::*;
use std::collections::{BTreeMap, BTreeSet};

/// A table of this many documents or more has enough of its own.
const BORROWS_BELOW: u64 = 1_000;
/// A table of more documents does not lend: most of them are news, and who borrows has sentences of all kinds.
const LENDS_UP_TO: u64 = 2_000;
/// Tables that lend to one at most.
const LENDERS: usize = 3;
/// What a lender's documents count beside the table's own.
pub const SHARE: f64 = 0.3;
/// What smoothing is left in a table that borrows: relatives smooth already.
pub const BORROWED: f64 = 0.6;
/// Tables less alike do not lend: Georgian shares hardly more than numbers with any other language.
const ALIKE: f32 = 0.02;
/// Of the features one in so many is compared.
const SAMPLE: u64 = 8;

/// Who lends to whom, by table.
#[derive(Debug, Default)]
pub struct Relatives(BTreeMap<String, Vec<String>>);

/// What two tables are compared by.
struct Sketch<'a> {
    name: &'a String,
    documents: u64,
    /// A part of the features and what they weigh, ascending.
    features: Vec<(u64, f32)>,
}

impl Relatives {
    /// The relatives of every table that borrows.
    pub fn find(counts: &mut Counts) -> Self {
        let mut small: Vec<Sketch<'_>> = Vec::new();
        for (name, table) in counts.tables.iter_mut().filter(|(name, _)| *name != POOLED) {
            let documents = table.documents.iter().sum();
            if documents <= LENDS_UP_TO {
                let of_feature = table.entries().chunk_by(|a, b| a.hash == b.hash);
                let sums = of_feature
                    .filter(|same| same[0].hash.is_multiple_of(SAMPLE))
                    .map(|same| (same[0].hash, same.iter().map(|e| e.sum as f32).sum::<f32>()));
                small.push(Sketch { name, documents, features: sums.collect() });
            }
        }
        let mut tables_with: BTreeMap<u64, u32> = BTreeMap::new();
        small.iter().flat_map(|t| &t.features).for_each(|f| *tables_with.entry(f.0).or_default() += 1);
        // Square roots, so that a few frequent n-grams are not all there is; what every table has says nothing.
        let all = small.len() as f32;
        for Sketch { features, .. } in &mut small {
            for (hash, sum) in features.iter_mut() {
                *sum = sum.sqrt() * (all / tables_with[hash] as f32).ln();
            }
            let length = features.iter().map(|f| f.1 * f.1).sum::<f32>().sqrt().max(f32::MIN_POSITIVE);
            features.iter_mut().for_each(|f| f.1 /= length);
            features.retain(|f| tables_with[&f.0] > 1);
        }
        let borrowers = small.par_iter().filter(|table| table.documents < BORROWS_BELOW);
        let lenders = |Sketch { name, features, .. }: &Sketch<'_>| {
            let others = small.iter().filter(|other| other.name != *name);
            let mut alike: Vec<(f32, &String)> = others
                .map(|other| (product(features, &other.features), other.name))
                .filter(|o| o.0 >= ALIKE)
                .collect();
            alike.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(b.1)));
            alike.truncate(LENDERS);
            ((*name).clone(), alike.into_iter().map(|lender| lender.1.clone()).collect())
        };
        Self(borrowers.map(lenders).collect())
    }

    /// The tables that lend to one, the nearest first.
    pub fn of(&self, table: &str) -> &[String] {
        self.0.get(table).map_or(&[], Vec::as_slice)
    }

    /// All tables that lend to some other.
    pub fn lenders(&self) -> BTreeSet<&String> {
        self.0.values().flatten().collect()
    }
}

/// The sum of the products of what two lists share, both ascending.
fn product(a: &[(u64, f32)], b: &[(u64, f32)]) -> f32 {
    let (mut i, mut j, mut sum) = (0, 0, 0.0);
    while let (Some(x), Some(y)) = (a.get(i), b.get(j)) {
        if x.0 == y.0 {
            sum += x.1 * y.1;
        }
        i += usize::from(x.0 <= y.0);
        j += usize::from(y.0 <= x.0);
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::features::SMALL_SPEC as SPEC;
    use crate::train::counts::Example;
    use crate::train::fit::{Recipe, Rows};

    fn counts() -> Counts {
        let mut counts = Counts::new(SPEC);
        let mut add = |table: &str, label: u16, text: &str| {
            let (table, source) = (table.to_string(), "s".to_string());
            counts.add(&[Example { table, source, label, held_back: false, text: text.to_string() }]);
        };
        add("glg", 0, "o partido de fútbol rematou sen goles");
        add("glg", 1, "o banco subiu os xuros dos créditos");
        add("por", 0, "o jogo de futebol terminou sem golos");
        add("por", 1, "o banco aumentou os juros dos créditos");
        add("por", 2, "a tempestade de ontem");
        add("kat", 0, "ფეხბურთის მატჩი უგოლოდ დასრულდა");
        add("kat", 1, "ბანკმა საპროცენტო განაკვეთი გაზარდა");
        counts
    }

    #[test]
    fn those_who_share_words_lend_and_others_do_not() {
        let relatives = Relatives::find(&mut counts());
        assert_eq!(relatives.of("glg"), ["por"]);
        assert_eq!(relatives.of("por"), ["glg"]);
        assert!(relatives.of("kat").is_empty() && relatives.of("fra").is_empty());
        assert_eq!(relatives.lenders().len(), 2);
    }

    #[test]
    fn what_is_borrowed_counts_in_part_and_brings_no_label() {
        let mut counts = counts();
        let mut rows = |table: &str| {
            Rows::new(counts.tables.get_mut(table).expect("a table"), 3, &Recipe::PLAIN, |_| true)
        };
        let (own, lender) = (rows("glg"), rows("por"));
        for new in [true, false] {
            let mut all = rows("glg");
            all.borrow(&lender, 0.25, new);
            assert_eq!((all.n_documents, &all.present), (2, &vec![true, true, false]));
            // Two documents of the table against three of the lender: a quarter of two thirds.
            let share = 0.25 * 2.0 / 3.0;
            let sum = |rows: &Rows, hash: u64, label: u16| -> f64 {
                let Some(row) = rows.find(hash).map(|at| rows.row(at)) else { return 0.0 };
                row.labels.iter().zip(row.counts).filter(|(l, _)| **l == label).map(|(_, n)| *n).sum()
            };
            let left_out = |hash: u64| !new && own.find(hash).is_none();
            for &hash in own.hashes.iter().chain(&lender.hashes) {
                for label in 0..3 {
                    let lent =
                        if label == 2 || left_out(hash) { 0.0 } else { share * sum(&lender, hash, label) };
                    let expected = sum(&own, hash, label) + lent;
                    assert!((sum(&all, hash, label) - expected).abs() < 1e-9, "{hash} {label}");
                }
            }
            assert_eq!(all.len() > own.len(), new);
        }
    }
}
