//! The detector's frequent n-grams spelt out: a weight for every label, the labels of one script side by side.
//!
//! Adding a row is a few vector instructions where reading two hundred codes is not, and of a text in one script
//! only that script's part of the row is needed.

use super::Language;
use crate::bayes::weights::{Record, Weights};
use crate::script::{Script, group_of};
use std::ops::Range;

/// Records of at least as many labels have a row.
const ROW_LABELS: usize = 48;

#[derive(Clone, Debug, Default)]
pub(super) struct Rows {
    /// The column of a label.
    columns: Vec<u16>,
    /// The columns of a script's group, by the group's index.
    groups: Vec<Range<usize>>,
    /// `(start of the record plus one, row)` by hash, a power of two; 0 is free.
    index: Vec<(u32, u32)>,
    /// Zero where the record has no label: it changes no sum.
    weights: Vec<f32>,
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
        let mut starts = Vec::new();
        for table in weights.tables() {
            weights.each_record(table, |record| {
                if record.n_labels() < ROW_LABELS {
                    return;
                }
                let first = rows.weights.len();
                rows.weights.resize(first + labels.len(), 0.0);
                weights.each_weight(record, |label, weight| {
                    rows.weights[first + usize::from(rows.columns[label])] += weight;
                });
                starts.push(record.start());
            });
        }
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

    fn get(&self, start: usize) -> Option<&[f32]> {
        let mask = self.index.len().checked_sub(1)?;
        let mut at = slot(start) & mask;
        loop {
            match self.index[at] {
                (0, _) => return None,
                (held, row) if held == start as u32 + 1 => {
                    let first = row as usize * self.width();
                    return self.weights.get(first..first + self.width());
                }
                _ => at = (at + 1) & mask,
            }
        }
    }

    /// Adds `times` the weights of a record to the scores by column. Those outside `within` may be left out.
    #[inline]
    pub(super) fn add(
        &self,
        weights: &Weights,
        record: Record<'_>,
        times: f32,
        within: Range<usize>,
        scores: &mut [f32],
    ) {
        if record.n_labels() >= ROW_LABELS
            && let Some(row) = self.get(record.start())
            && let (Some(scores), Some(row)) = (scores.get_mut(within.clone()), row.get(within))
        {
            for (score, weight) in scores.iter_mut().zip(row) {
                *score += times * weight;
            }
            return;
        }
        weights.each_weight(record, |label, weight| {
            if let Some(score) = scores.get_mut(self.column(label)) {
                *score += times * weight;
            }
        });
    }
}
