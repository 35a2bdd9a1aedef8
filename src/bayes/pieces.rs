//! A text in pieces: words padded around a spam dilute it in the whole, not in the piece that holds it.

use super::odds::{Odds, each_term, logistic};
use super::weights::Weights;
use crate::features::{FeatureSpec, Offers, Scratch, WEIGHT_SCALE};
use smallvec::SmallVec;
use std::ops::Range;

/// Characters of the beginnings and ends looked at apart.
const ENDS: [usize; 4] = [50, 100, 200, 400];
/// Where beginnings end, and after the longest of them the pieces between, each as long as it.
const STARTS: [usize; 7] = [ENDS[0], ENDS[1], ENDS[2], ENDS[3], 800, 1200, 1600];

/// The Euclidean norm of a piece, that of a whole text by the shipped recipe.
const NORM: f64 = 30.0;

/// Characters of a first or last line that says something by itself.
const LINE: Range<usize> = 20..400;

/// As many as there can be.
pub type Pieces = SmallVec<[Range<usize>; 2 * ENDS.len() + 2 + STARTS.len() - ENDS.len()]>;

/// Beginnings, ends and middles of a text, those well shorter than it, its first and its last line; none of a
/// short text of one line.
pub fn pieces(text: &str) -> Pieces {
    let (starts, n) = offsets(text.char_indices().map(|c| c.0), STARTS);
    let (tails, _) = offsets(text.char_indices().rev().map(|c| c.0), ENDS.map(|length| length - 1));
    let mut found = Pieces::new();
    for (i, length) in ENDS.into_iter().enumerate() {
        if n * 2 > length * 3
            && let (Some(end), Some(start)) = (starts[i], tails[i])
        {
            found.push(0..end);
            found.push(start..text.len());
        }
    }
    let (first, last) = (text.find('\n').unwrap_or(0), text.rfind('\n').map_or(text.len(), |at| at + 1));
    for line in [0..first, last..text.len()] {
        if LINE.contains(&text[line.clone()].chars().take(LINE.end).count()) {
            found.push(line);
        }
    }
    for ends in starts[ENDS.len() - 1..].windows(2) {
        if let [Some(start), Some(end)] = *ends {
            found.push(start..end);
        }
    }
    found
}

/// Offsets of the characters numbered `wanted`, ascending, where there are so many, and how many were counted.
fn offsets<const N: usize>(
    chars: impl Iterator<Item = usize>,
    wanted: [usize; N],
) -> ([Option<usize>; N], usize) {
    let (mut found, mut next, mut n) = ([None; N], 0, 0);
    for offset in chars.take(wanted.last().map_or(0, |last| last + 1)) {
        if wanted.get(next) == Some(&n) {
            found[next] = Some(offset);
            next += 1;
        }
        n += 1;
    }
    (found, n)
}

/// By table asked.
pub type Scores = SmallVec<[f64; 4]>;

/// Scores of a text and its pieces, by table asked, before calibration.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Observed {
    /// By table, and the number of features.
    pub whole: (Scores, usize),
    /// By piece, then by table: a score, and the number of features.
    pub pieces: Vec<(f64, usize)>,
    /// Bytes of the text looked at.
    pub used: usize,
    pub offers: Offers,
}

/// Scores `text` with every table of `tables`; `scratch` is left with its features and where they are.
pub fn observe(
    weights: &Weights,
    spec: &FeatureSpec,
    tables: &[usize],
    pooled: Option<usize>,
    text: &str,
    scratch: &mut Scratch,
) -> Observed {
    let pieces = pieces(text);
    let tail = pieces.iter().filter(|piece| piece.end == text.len()).map(|piece| piece.start).min();
    let used = scratch.vectorize_located(text, spec, tail.unwrap_or(text.len()));
    // by number, then by table
    let mut terms = std::mem::take(&mut scratch.terms);
    terms.clear();
    terms.resize(scratch.numbered().len() * tables.len(), 0.0);
    for (index, &table) in tables.iter().enumerate() {
        each_term(weights, table, pooled, scratch.numbered(), |number, log_odds| {
            terms[number * tables.len() + index] = log_odds;
        });
    }
    let unit = 1.0 / f64::from(WEIGHT_SCALE);
    let score = |index: usize| -> f64 {
        let terms = scratch.by_number.iter().map(|&(number, weight)| {
            terms[number as usize * tables.len() + index] * f64::from(weight) * unit
        });
        terms.sum()
    };
    let whole = ((0..tables.len()).map(score).collect(), scratch.by_number.len());
    scratch.terms = terms;
    scratch.sum_located(tables.len());
    let located = &scratch.located;
    let mut observed = Observed { whole, used, offers: scratch.offers, ..Observed::default() };
    let mut scores = Scores::new();
    observed.pieces.reserve(pieces.len() * tables.len());
    for piece in &pieces {
        scores.clear();
        if let Some(features) = located.score(piece, &mut scores) {
            let features = features.round() as usize;
            observed.pieces.extend(scores.iter().map(|score| (NORM * score, features)));
        }
    }
    observed
}

impl Odds {
    /// Log-odds of spam of the whole text and of its most suspicious piece, by the curve of a table;
    /// `index` is the place of `table` among those asked.
    pub fn parts(&self, table: usize, index: usize, observed: &Observed) -> Option<(f64, Option<f64>)> {
        let curve = self.curves.get(table)?;
        let (scores, features) = &observed.whole;
        let whole = curve.log_odds(*scores.get(index)?, *features);
        let of_table = observed.pieces.iter().skip(index).step_by(scores.len().max(1));
        let worst =
            of_table.map(|(score, features)| curve.log_odds(*score, *features)).max_by(f64::total_cmp);
        Some((whole, worst))
    }

    /// Calibrated log-odds of spam.
    pub fn log_odds(&self, table: usize, index: usize, observed: &Observed) -> f64 {
        let share = self.shares.get(table).copied().map_or(0.0, f64::from);
        self.of_words(table, index, observed) + share * self.of_offers(observed.offers)
    }

    /// What the tables alone say.
    pub fn of_words(&self, table: usize, index: usize, observed: &Observed) -> f64 {
        match self.parts(table, index, observed) {
            Some((whole, None)) => whole,
            Some((whole, Some(piece))) => {
                let [of_whole, constant, of_piece] = self.pieces.map(f64::from);
                of_whole * whole + constant + of_piece * piece
            }
            None => 0.0,
        }
    }

    /// Probability of spam, tables mixed by their weight.
    pub fn probability(&self, tables: &[(usize, f64)], observed: &Observed) -> f64 {
        let total: f64 = tables.iter().map(|t| t.1).sum();
        tables
            .iter()
            .enumerate()
            .map(|(index, &(table, weight))| weight / total * logistic(self.log_odds(table, index, observed)))
            .sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bayes::odds::Curve;

    #[test]
    fn pieces_are_beginnings_ends_and_middles() {
        assert!(pieces("short").is_empty());
        let text = "ä".repeat(160);
        assert_eq!(pieces(&text)[..], [0..100, 220..320, 0..200, 120..320]);
        let text = format!("{}\n{}\nshort", "a".repeat(30), "b".repeat(30));
        assert!(matches!(pieces(&text)[..], [Range { start: 0, end: 30 }]));
        let text = "x".repeat(5000);
        let found = pieces(&text);
        assert_eq!(found.len(), 11);
        assert!(found.contains(&(4600..5000)) && found.contains(&(800..1200)));
    }

    #[test]
    fn the_worst_piece_counts() {
        let curve = Curve { slope: 100.0, ..Curve::PRIOR };
        let odds =
            Odds { curves: vec![curve], pieces: [0.5, -1.0, 0.25], offers: Vec::new(), shares: Vec::new() };
        let mut observed = Observed { whole: (smallvec::smallvec![2.0], 10), ..Observed::default() };
        assert!((odds.log_odds(0, 0, &observed) - 2.0).abs() < 1e-9);
        observed.pieces = vec![(-3.0, 10), (8.0, 10)];
        // 0.5 * 2 - 1 + 0.25 * 8
        assert!((odds.log_odds(0, 0, &observed) - 2.0).abs() < 1e-9);
        assert_eq!(odds.log_odds(7, 0, &observed), 0.0);
        assert!((odds.probability(&[(0, 0.4)], &observed) - logistic(2.0)).abs() < 1e-9);
    }

    proptest::proptest! {
        #[test]
        fn pieces_are_on_character_boundaries(text in "\\PC{0,900}") {
            for piece in pieces(&text) {
                let _ = &text[piece];
            }
        }
    }
}
