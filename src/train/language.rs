//! The language task: which n-grams to keep, and how sure one word, two words or a sentence may be.

use super::counts::{Entry, TableCounts};
use crate::bayes::calibration::{HeldBack, fit_temperature};
use crate::bayes::weights::packed_size;
use crate::features::{FeatureSpec, Scratch};
use crate::language::detector::Detector;
use rayon::prelude::*;
use std::collections::HashMap;

/// The n-grams one character shorter, of every n-gram met.
#[derive(Debug, Default)]
pub struct Parents(HashMap<u64, [u64; 2]>);

impl Parents {
    pub fn add(&mut self, spec: &FeatureSpec, texts: &[&str]) {
        let found: Vec<HashMap<u64, [u64; 2]>> = texts
            .par_chunks(512)
            .map_init(Scratch::default, |scratch, texts| {
                let mut found = HashMap::new();
                for text in texts {
                    scratch.each_parent(text, spec, |hash, shorter| {
                        found.insert(hash | 1 << 63, shorter.map(|h| if h == 0 { 0 } else { h | 1 << 63 }));
                    });
                }
                found
            })
            .collect();
        found.into_iter().for_each(|part| self.0.extend(part));
    }
}

/// A count a label is credited with where it never met the shorter n-gram; only sampling makes that happen.
const NEVER_MET: f64 = 0.01;
/// What an n-gram is worth for being frequent, beside what it adds to the shorter ones.
const FREQUENT: f64 = 0.05;
/// Letters and the like have nothing shorter that could stand in for them.
const NOTHING_SHORTER: f64 = 10.0;

/// Keeps the n-grams worth most per packed byte, `bytes` in all. An n-gram is worth what it tells about
/// the language over and above the better of its two shorter n-grams: the information its counts gain,
/// each label's part times `worth` of the label (the relative-entropy pruning of Stolcke 1998, with
/// labels for words). Counts are scaled so that all labels have as many, and the smaller of the two gains
/// decides.
pub fn prune(
    counts: TableCounts,
    parents: &Parents,
    n_labels: usize,
    worth: &[f64],
    bytes: f64,
) -> TableCounts {
    let mut counts = counts;
    let labels: Vec<usize> = counts.cells.iter().map(|c| usize::from(c.label)).collect();
    let mut totals = vec![0_u64; n_labels];
    for entry in counts.entries() {
        totals[labels[entry.cell as usize]] += entry.sum;
    }
    let mean = totals.iter().sum::<u64>() as f64 / n_labels.max(1) as f64;
    let unit = f64::from(crate::features::WEIGHT_SCALE);
    let scale: Vec<f64> = totals.iter().map(|t| mean / (*t as f64).max(1.0) / unit).collect();
    let ranges: Vec<(usize, usize)> = counts
        .entries()
        .chunk_by(|a, b| a.hash == b.hash)
        .scan(0, |at, group| {
            let from = *at;
            *at += group.len();
            Some((from, *at))
        })
        .collect();
    let entries = counts.entries();
    let row = |hash: u64| {
        let at = ranges.binary_search_by_key(&hash, |r| entries[r.0].hash).ok()?;
        Some(&entries[ranges[at].0..ranges[at].1])
    };
    // Scaled counts by label, ascending; the cells of a label added up.
    let by_label = |row: &[Entry]| -> Vec<(usize, f64)> {
        let mut sums: Vec<(usize, u64)> = row.iter().map(|e| (labels[e.cell as usize], e.sum)).collect();
        sums.sort_unstable();
        sums.dedup_by(|b, a| {
            let same = a.0 == b.0;
            if same {
                a.1 += b.1;
            }
            same
        });
        sums.into_iter().map(|(label, sum)| (label, sum as f64 * scale[label])).collect()
    };
    let gain = |own: &[(usize, f64)], shorter: &[(usize, f64)]| -> f64 {
        let (all, all_shorter): (f64, f64) =
            (own.iter().map(|c| c.1).sum(), shorter.iter().map(|c| c.1).sum());
        let gained = own.iter().map(|&(label, n)| {
            let met =
                shorter.binary_search_by_key(&label, |c| c.0).map_or(NEVER_MET, |i| shorter[i].1).max(n);
            n * worth.get(label).copied().unwrap_or(1.0) * ((n / all) / (met / all_shorter.max(met))).ln()
        });
        gained.sum::<f64>().max(0.0)
    };
    let mut rated: Vec<(f64, f64, usize)> = ranges
        .par_iter()
        .enumerate()
        .map(|(index, &(from, to))| {
            let row_entries = &entries[from..to];
            let own = by_label(row_entries);
            let mass = own.iter().map(|&(l, n)| n * worth.get(l).copied().unwrap_or(1.0)).fold(0.0, f64::max);
            let shorter = parents.0.get(&row_entries[0].hash).copied().unwrap_or([0, 0]);
            let least = shorter
                .iter()
                .filter(|hash| **hash != 0)
                .filter_map(|hash| row(*hash))
                .map(|shorter| gain(&own, &by_label(shorter)))
                .fold(f64::INFINITY, f64::min);
            let usefulness = if least.is_finite() { least + FREQUENT * mass } else { NOTHING_SHORTER * mass };
            let cost = f64::from(packed_size(n_labels, &vec![1.0; own.len()]));
            (usefulness / cost, cost, index)
        })
        .collect();
    rated.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.2.cmp(&b.2)));
    let mut left = bytes;
    let mut kept: Vec<usize> = rated
        .into_iter()
        .take_while(|rated| {
            left -= rated.1;
            left >= 0.0
        })
        .map(|rated| rated.2)
        .collect();
    kept.sort_unstable();
    let kept: Vec<Entry> =
        kept.into_iter().flat_map(|i| entries[ranges[i].0..ranges[i].1].iter().copied()).collect();
    counts.keep(kept);
    counts
}

/// Word counts of the pieces held-back texts are cut into; 0 is the whole text.
const PIECES: [usize; 5] = [1, 2, 4, 9, 0];

/// One piece scored: how many n-grams it had, its scores and its label.
#[derive(Clone, Debug)]
pub struct Scored {
    piece: usize,
    units: f32,
    held_back: HeldBack,
}

/// Scores of pieces of held-back texts, `(text, label)`.
pub fn score_pieces(detector: &Detector, batch: &[(String, u16)]) -> Vec<Scored> {
    batch
        .par_iter()
        .map_init(Scratch::default, |scratch, (text, label)| {
            let words: Vec<&str> = text.split_whitespace().collect();
            PIECES
                .iter()
                .enumerate()
                .filter_map(|(piece, &length)| {
                    let part = match length {
                        0 => text.clone(),
                        n if words.len() > n => {
                            // A different place in every text, the same in every run.
                            let at =
                                xxhash_rust::xxh3::xxh3_64(text.as_bytes()) as usize % (words.len() - n + 1);
                            words[at..at + n].join(" ")
                        }
                        _ => return None,
                    };
                    let mut scores = Vec::new();
                    let units = detector.judge(&part, scratch, &mut scores).units;
                    (units > 0.0).then_some(Scored {
                        piece,
                        units,
                        held_back: HeldBack { scores, label: *label },
                    })
                })
                .collect::<Vec<_>>()
        })
        .flatten()
        .collect()
}

/// `(n-grams, temperature)` per length of piece, ascending.
pub fn temperatures(scored: &[Scored]) -> Vec<(f32, f32)> {
    let mut points: Vec<(f32, f32)> = Vec::new();
    for piece in 0..PIECES.len() {
        let docs: Vec<&Scored> = scored.iter().filter(|s| s.piece == piece).collect();
        let held_back: Vec<HeldBack> = docs.iter().map(|s| s.held_back.clone()).collect();
        if let Some(t) = fit_temperature(&held_back) {
            let mut units: Vec<f32> = docs.iter().map(|s| s.units).collect();
            units.sort_by(f32::total_cmp);
            points.push((units[units.len() / 2], t as f32));
        }
    }
    points.sort_by(|a, b| a.0.total_cmp(&b.0));
    points.dedup_by(|b, a| a.0 == b.0);
    points
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::features::Weighting;
    use crate::train::counts::{Counts, Example};

    const SPEC: FeatureSpec = FeatureSpec {
        ngram_max: 3,
        ngram_chars: 100,
        dense_chars: 100,
        word_chars: 0,
        word_weight: 1,
        weighting: Weighting::Counts { cap: 255 },
        shape: false,
        marks: false,
        offers: false,
    };

    #[test]
    fn pruning_keeps_what_tells_languages_apart() {
        let texts = [("quo quo quo via", 0), ("que que que via", 1)];
        let mut counts = Counts::new(SPEC);
        let example = |(text, label): (&str, u16)| Example {
            table: "*".to_string(),
            source: String::new(),
            label,
            held_back: false,
            text: text.to_string(),
        };
        counts.add(&texts.map(example));
        let mut parents = Parents::default();
        parents.add(&SPEC, &texts.map(|t| t.0));
        let table = counts.tables.remove("*").expect("the table");
        let mut kept = prune(table, &parents, 2, &[1.0, 1.0], 90.0);
        let held: Vec<u64> = kept.entries().iter().map(|e| e.hash).collect();
        let hash = |text: &str| {
            let mut last = 0;
            Scratch::default().emit(text, &SPEC, |hash, _, place| {
                if place.start == 0 && place.end == text.len() as u32 {
                    last = hash | 1 << 63;
                }
            });
            last
        };
        assert!(held.contains(&hash("o")) && held.contains(&hash("e")), "letters of one language");
        let mut all = Counts::new(SPEC);
        all.add(&texts.map(example));
        let all = all.tables.get_mut("*").map_or(0, |table| table.entries().len());
        assert!(held.len() < all, "{} of {all}", held.len());
    }

    #[test]
    fn no_bytes_keep_nothing() {
        let mut counts = Counts::new(SPEC);
        counts.add(&[Example {
            table: "*".to_string(),
            source: String::new(),
            label: 0,
            held_back: false,
            text: "a".to_string(),
        }]);
        let table = counts.tables.remove("*").expect("the table");
        assert!(prune(table, &Parents::default(), 1, &[1.0], 0.0).entries().is_empty());
    }
}
