//! Calibrating the language task: how sure may one word, two words or a sentence be?

use crate::bayes::calibration::{HeldBack, fit_temperature};
use crate::language::detector::Detector;
use crate::features::Scratch;
use rayon::prelude::*;

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
                            let at = xxhash_rust::xxh3::xxh3_64(text.as_bytes()) as usize % (words.len() - n + 1);
                            words[at..at + n].join(" ")
                        }
                        _ => return None,
                    };
                    let mut scores = Vec::new();
                    let (units, _) = detector.scores(&part, scratch, &mut scores);
                    (units > 0.0).then_some(Scored { piece, units, held_back: HeldBack { scores, label: *label } })
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
