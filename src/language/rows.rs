//! The detector's frequent n-grams spelt out: a weight for every label, the labels of one script side by side.
//!
//! Adding a row is a few vector instructions where reading two hundred codes is not, and of a text in one script
//! only that script's part of the row is needed. A weight is a byte: the memory of a row costs more than adding it.

use super::Language;
use crate::bayes::weights::{Record, Table, Weights};
use crate::prefetch::prefetch;
use crate::script::{Script, group_of};
use std::ops::Range;

/// Records of at least as many labels have a row.
const ROW_LABELS: usize = 16;
/// N-grams looked up at once.
const AHEAD: usize = 32;
/// The largest weight of a row: two fit a byte, so that rows are added in pairs.
const TOP: u8 = u8::MAX / 2;
/// Rows added up before the sums would not fit 16 bits.
const ROWS_ADDED: usize = 512;
/// N-grams remembered, a power of two.
const FOUND: usize = 1 << 13;

#[derive(Clone, Debug, Default)]
pub(super) struct Rows {
    /// The column of a label.
    columns: Vec<u16>,
    /// The columns of a script's group, by the group's index.
    groups: Vec<Range<usize>>,
    /// `(start of the record plus one, row)` by hash, a power of two; 0 is free.
    index: Vec<(u32, u32)>,
    /// In units of `step`, zero where the record has no label: it changes no sum.
    weights: Vec<u8>,
    step: f32,
}

fn slot(start: usize) -> usize {
    (start as u32).wrapping_mul(0x9E37_79B1).rotate_left(16) as usize
}

impl Rows {
    pub(super) fn new(labels: &[(Language, Script)], weights: &Weights) -> Self {
        let group = |label: usize| usize::from(group_of(labels[label].1.id()));
        let mut order: Vec<usize> = (0..labels.len()).collect();
        order.sort_by_key(|&label| (group(label), label));
        let mut rows = Self { columns: vec![0; labels.len()], ..Self::default() };
        rows.groups.resize(usize::from(u8::MAX) + 1, 0..0);
        for (column, label) in order.into_iter().enumerate() {
            rows.columns[label] = column as u16;
            let own = &mut rows.groups[group(label)];
            *own = if own.start == own.end { column } else { own.start }..column + 1;
        }
        let mut frequent = Vec::new();
        let mut most = f32::MIN_POSITIVE;
        for table in weights.tables() {
            weights.each_record(table, |record| {
                if record.n_labels() >= ROW_LABELS {
                    weights.each_weight(record, |_, weight| most = most.max(weight));
                    frequent.push(record);
                }
            });
        }
        rows.step = most / f32::from(TOP);
        rows.weights.resize(frequent.len() * labels.len(), 0);
        for (row, record) in rows.weights.chunks_exact_mut(labels.len().max(1)).zip(&frequent) {
            weights.each_weight(*record, |label, weight| {
                row[usize::from(rows.columns[label])] = ((weight / rows.step).round() as u8).min(TOP);
            });
        }
        let starts: Vec<usize> = frequent.iter().map(Record::start).collect();
        rows.index.resize((2 * starts.len()).next_power_of_two(), (0, 0));
        let mask = rows.index.len() - 1;
        for (row, start) in starts.into_iter().enumerate() {
            let mut at = slot(start) & mask;
            while rows.index[at].0 != 0 {
                at = (at + 1) & mask;
            }
            rows.index[at] = (start as u32 + 1, row as u32);
        }
        rows
    }

    /// How many columns there are.
    pub(super) fn width(&self) -> usize {
        self.columns.len()
    }

    pub(super) fn column(&self, label: usize) -> usize {
        self.columns.get(label).copied().map_or(0, usize::from)
    }

    /// The columns of a script's group.
    pub(super) fn of_group(&self, group: u8) -> Range<usize> {
        self.groups.get(usize::from(group)).cloned().unwrap_or_default()
    }

    /// Asks for the memory where [`Self::row`] begins to look.
    #[inline]
    fn prefetch_row(&self, start: usize) {
        prefetch(&self.index, slot(start) & self.index.len().saturating_sub(1));
    }

    /// The row of the record that begins at `start`, when it has one.
    fn row(&self, start: usize) -> Option<u32> {
        let mask = self.index.len().checked_sub(1)?;
        let mut at = slot(start) & mask;
        loop {
            match self.index[at] {
                (0, _) => return None,
                (held, row) if held == start as u32 + 1 => return Some(row),
                _ => at = (at + 1) & mask,
            }
        }
    }

    fn get(&self, row: u32, within: &Range<usize>) -> &[u8] {
        let first = row as usize * self.width();
        self.weights.get(first + within.start..first + within.end).unwrap_or_default()
    }

    /// Adds a table's weights of n-grams `(hash, count)` to the scores by column, in order; says how many it
    /// knows. Scores outside `within` may miss some.
    pub(super) fn add_all(
        &self,
        weights: &Weights,
        table: &Table,
        ngrams: &[(u64, u32)],
        within: &Range<usize>,
        found: &mut Found,
        scores: &mut [f32],
    ) -> u32 {
        found.begin(weights.id(), table.first_bucket);
        let mut sums = Sums { sums: std::mem::take(&mut found.sums), rows: 0 };
        sums.sums.clear();
        sums.sums.resize(within.len(), 0);
        let mut known = 0;
        // a row without its partner yet
        let mut waiting: Option<&[u8]> = None;
        for ngrams in ngrams.chunks(AHEAD) {
            let mut places = [Place::NOWHERE; AHEAD];
            let mut missing = [(0, 0); AHEAD];
            let mut n_missing = 0;
            for (i, (place, (hash, _))) in places.iter_mut().zip(ngrams).enumerate() {
                match found.get(*hash) {
                    Some(known) => *place = known,
                    None => {
                        missing[n_missing] = (*hash, i as u32);
                        n_missing += 1;
                    }
                }
            }
            let missing = &missing[..n_missing];
            // of what is found in the table; the others are nowhere already
            let (mut of_rows, mut n_of_rows) = ([0; AHEAD], 0);
            weights.look_up_all::<_, AHEAD>(table, missing, |index, record| {
                let i = missing[index].1;
                places[i as usize].start = record.start() as u32;
                if record.n_labels() >= ROW_LABELS {
                    self.prefetch_row(record.start());
                    of_rows[n_of_rows] = i;
                    n_of_rows += 1;
                }
            });
            for i in &of_rows[..n_of_rows] {
                let place = &mut places[*i as usize];
                place.row = self.row(place.start as usize).unwrap_or(u32::MAX);
            }
            missing.iter().for_each(|&(hash, i)| found.keep(hash, places[i as usize]));
            // the beginnings are on their way before the first is added
            for place in &places {
                match place.row {
                    u32::MAX => weights.prefetch(place.start as usize),
                    row => prefetch(self.get(row, within), 0),
                }
            }
            for (place, &(_, count)) in places.iter().zip(ngrams) {
                if place.start == u32::MAX {
                    continue;
                }
                known += count;
                if place.row != u32::MAX {
                    let row = self.get(place.row, within);
                    for _ in 0..count {
                        match waiting.take() {
                            Some(other) => sums.add(row, other),
                            None => waiting = Some(row),
                        }
                        if sums.rows == ROWS_ADDED {
                            sums.hand_over(self.step, scores.get_mut(within.clone()).unwrap_or_default());
                        }
                    }
                } else if let Some(record) = weights.record_at(place.start as usize) {
                    let times = count as f32;
                    weights.each_weight(record, |label, weight| {
                        if let Some(score) = scores.get_mut(self.column(label)) {
                            *score += times * weight;
                        }
                    });
                }
            }
        }
        let scores = scores.get_mut(within.clone()).unwrap_or_default();
        for (score, weight) in scores.iter_mut().zip(waiting.unwrap_or_default()) {
            *score += self.step * f32::from(*weight);
        }
        sums.hand_over(self.step, scores);
        found.sums = sums.sums;
        known
    }
}

/// Sums of rows by column, in 16 bits for as long as they fit.
struct Sums {
    sums: Vec<u16>,
    /// Rows in the sums.
    rows: usize,
}

impl Sums {
    #[inline]
    fn add(&mut self, row: &[u8], other: &[u8]) {
        for ((sum, a), b) in self.sums.iter_mut().zip(row).zip(other) {
            *sum = sum.wrapping_add(u16::from(a.wrapping_add(*b)));
        }
        self.rows += 2;
    }

    fn hand_over(&mut self, step: f32, scores: &mut [f32]) {
        for (score, sum) in scores.iter_mut().zip(&mut self.sums) {
            *score += step * f32::from(*sum);
            *sum = 0;
        }
        self.rows = 0;
    }
}

/// Where the weights of an n-gram are.
#[derive(Clone, Copy, Debug)]
struct Place {
    /// Start of its record; the highest number when the table does not know it.
    start: u32,
    /// The highest number without one.
    row: u32,
}

impl Place {
    const NOWHERE: Self = Self { start: u32::MAX, row: u32::MAX };
}

/// N-grams found before, by hash: most n-grams of a text are those of the texts before it.
#[derive(Debug, Default)]
pub struct Found {
    /// The weights and the table's first bucket.
    of: (u64, u32),
    /// One place per hash: a later n-gram takes that of an earlier one.
    places: Vec<(u64, Place)>,
    /// A buffer to reuse.
    sums: Vec<u16>,
}

impl Found {
    fn begin(&mut self, weights: u64, table: u32) {
        if self.of != (weights, table) {
            self.of = (weights, table);
            self.places.clear();
            // no hash of an n-gram is 0
            self.places.resize(FOUND, (0, Place::NOWHERE));
        }
    }

    #[inline]
    fn get(&self, hash: u64) -> Option<Place> {
        self.places.get(hash as usize % FOUND).filter(|held| held.0 == hash).map(|held| held.1)
    }

    #[inline]
    fn keep(&mut self, hash: u64, place: Place) {
        if let Some(held) = self.places.get_mut(hash as usize % FOUND) {
            *held = (hash, place);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bayes::weights::{Feature, TableInput};

    #[test]
    fn sums_of_rows_are_those_of_the_records() {
        let languages: Vec<Language> = Language::all().take(40).collect();
        let scripts = [Script::LATIN, Script::CYRILLIC];
        let labels: Vec<(Language, Script)> =
            languages.iter().enumerate().map(|(i, language)| (*language, scripts[i % 2])).collect();
        let hash = |n: u64| xxhash_rust::xxh3::xxh3_64(&n.to_le_bytes()) | 1 << 63;
        // of some labels each: with a row and without
        let feature = |n: u64| Feature {
            hash: hash(n),
            importance: 1.0,
            weights: (0..(4 + n % 36) as u16).map(|label| (label, 1.0 + (n % 11) as f32)).collect(),
        };
        let input = TableInput {
            name: "*".into(),
            bias: vec![0.0; labels.len()],
            temperature: 1.0,
            documents: 1,
            features: (0..700).map(feature).collect(),
        };
        let weights = Weights::pack(labels.len(), vec![input]).expect("packs");
        let rows = Rows::new(&labels, &weights);
        let ngrams: Vec<(u64, u32)> = (0..900).map(|n| (hash(n), 1 + n as u32 % 3)).collect();
        let mut scores = vec![0.0; rows.width()];
        let all = 0..rows.width();
        let known =
            rows.add_all(&weights, &weights.tables()[0], &ngrams, &all, &mut Found::default(), &mut scores);
        let mut expected = vec![0.0_f32; labels.len()];
        let mut n_known = 0;
        for (hash, count) in &ngrams {
            if weights.look_up(&weights.tables()[0], *hash, |label, w| expected[label] += *count as f32 * w) {
                n_known += count;
            }
        }
        assert_eq!(known, n_known);
        for (label, expected) in expected.into_iter().enumerate() {
            let got = scores[rows.column(label)];
            assert!((got - expected).abs() < 0.02 * expected.max(1.0), "{label}: {got} {expected}");
        }
    }
}
