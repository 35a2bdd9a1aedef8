//! A few features of one table, with counts that fit as the whole table's do: small enough for a test.

use super::counts::{Counts, Entry, TableCounts};
use super::ledger::Ledger;
use std::collections::{BTreeMap, BTreeSet};

/// The counts of some `n` features of a table, frequent ones and rare ones. All others are added up into
/// one, and stand beside it empty: sums and number of features, all that a fit knows of them, stay.
pub fn slice(ledger: &mut Ledger, table: &str, n: usize) -> Option<Ledger> {
    let whole = ledger.counts.tables.get_mut(table)?;
    let entries = whole.entries().to_vec();
    let features: Vec<&[Entry]> = entries.chunk_by(|a, b| a.hash == b.hash).collect();
    let mut order: Vec<(u64, u64)> =
        features.iter().map(|group| (group.iter().map(|e| e.sum).sum(), group[0].hash)).collect();
    order.sort_unstable_by_key(|&(sum, hash)| (std::cmp::Reverse(sum), hash));
    // Most features are rare: every rank alike would leave the frequent ones out.
    let chosen: BTreeSet<u64> = (0..n)
        .filter_map(|i| order.get(i * i * order.len() / (n * n).max(1)))
        .map(|(_, hash)| *hash)
        .collect();
    let mut rest: BTreeMap<u32, Entry> = BTreeMap::new();
    for entry in entries.iter().filter(|e| !chosen.contains(&e.hash)) {
        let sum = rest.entry(entry.cell).or_insert(Entry { sum: 0, documents: 1, ..*entry });
        sum.sum += entry.sum;
    }
    let mut unused = (0..).filter(|hash| !chosen.contains(hash));
    let mut kept: Vec<Entry> = entries.iter().filter(|e| chosen.contains(&e.hash)).copied().collect();
    let outside = features.len() - chosen.len();
    if let Some(hash) = unused.next().filter(|_| outside > 0) {
        kept.extend(rest.into_values().map(|entry| Entry { hash, ..entry }));
    }
    kept.extend(unused.take(outside.saturating_sub(1)).map(|hash| Entry {
        hash,
        cell: 0,
        documents: 1,
        sum: 0,
    }));
    kept.sort_unstable_by_key(|e| (e.hash, e.cell));
    let cells = whole.cells.iter().cloned().zip(whole.documents.iter().copied()).collect();
    let tables = BTreeMap::from([(table.to_string(), TableCounts::from_parts(cells, kept)?)]);
    let counts = Counts { spec: ledger.counts.spec, tables };
    Some(Ledger { task: ledger.task.clone(), labels: ledger.labels.clone(), counts })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bayes::Variant;
    use crate::features::SMALL_SPEC;
    use crate::train::counts::Example;
    use crate::train::fit::{Recipe, Rows, fit_table};

    #[test]
    fn a_slice_fits_as_the_whole() {
        let mut counts = Counts::new(SMALL_SPEC);
        let examples: Vec<Example> = (0..60_u32)
            .map(|i| Example {
                table: "eng".into(),
                source: format!("source {}", i % 3),
                label: (i % 4) as u16,
                held_back: i % 5 == 0,
                text: format!("text number {i} of the kind {} with words {}", i % 7, i * i),
            })
            .collect();
        counts.add(&examples);
        let labels = ["a", "b", "c", "d"].map(String::from).to_vec();
        let mut whole = Ledger { task: "topic".into(), labels, counts };
        let mut part = slice(&mut whole, "eng", 40).expect("the table is there");
        assert!(slice(&mut whole, "deu", 40).is_none());
        let bytes = part.to_bytes();
        let mut part = Ledger::from_bytes(&bytes, "topic", SMALL_SPEC).expect("our own bytes");
        for (variant, balance) in [(Variant::Complement, 1.0), (Variant::Multinomial, 0.0)] {
            let recipe = Recipe {
                variant,
                alpha: 0.3,
                balance,
                smallest_cell: 5.0,
                bytes: 0.0,
                min_label_documents: 1,
            };
            let fit = |ledger: &mut Ledger| {
                let table = ledger.counts.tables.get_mut("eng").expect("the table");
                fit_table("eng", &Rows::new(table, 4, &recipe, |_| true), &recipe, &[]).expect("fits")
            };
            let (all, some) = (fit(&mut whole), fit(&mut part));
            assert_eq!((all.documents, all.features.len()), (some.documents, some.features.len()));
            assert!(all.bias.iter().zip(&some.bias).all(|(a, b)| (a - b).abs() < 1e-6));
            let expected: BTreeMap<u64, _> = all.features.iter().map(|f| (f.hash, &f.weights)).collect();
            let mut same = 0;
            for feature in &some.features {
                let Some(weights) = expected.get(&feature.hash) else { continue };
                same += 1;
                assert_eq!(weights.len(), feature.weights.len());
                for (a, b) in weights.iter().zip(&feature.weights) {
                    assert!(a.0 == b.0 && (a.1 - b.1).abs() < 1e-5, "{a:?} {b:?}");
                }
            }
            assert!(same > 25, "{same} features in common");
        }
    }
}
