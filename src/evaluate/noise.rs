//! Precision and recall of noise spans.
//!
//! Micro over documents, kinds ignored in the totals. A gold span is found, and a prediction right, if some
//! span of the other side overlaps it (`f1_overlap`) or has an intersection over union of at least one half
//! (`f1`). A BOILERPLATE prediction that strictly contains a gold span and stays within that span's line is
//! neither right nor wrong.

use std::collections::BTreeMap;
use std::ops::Range;

/// A span somebody marked.
#[derive(Clone, Debug, PartialEq)]
pub struct GoldSpan {
    pub range: Range<usize>,
    /// The name it is reported under, e.g. `foreign_word:same_script`.
    pub kind: String,
}

/// A span the detectors found.
#[derive(Clone, Debug, PartialEq)]
pub struct GuessedSpan {
    pub range: Range<usize>,
    pub boilerplate: bool,
}

/// How many gold spans of a kind were found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct KindScore {
    pub n: usize,
    pub overlap: usize,
    pub iou: usize,
}

/// Counts over documents; add them one by one.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct NoiseScore {
    gold: KindScore,
    guessed: KindScore,
    pub per_kind: BTreeMap<String, KindScore>,
    /// Per class: documents without gold spans, and those of them that got any span.
    alarms: BTreeMap<String, (usize, usize)>,
}

impl NoiseScore {
    pub fn add(&mut self, text: &str, class: &str, gold: &[GoldSpan], guessed: &[GuessedSpan]) {
        if gold.is_empty() {
            let alarm = self.alarms.entry(class.to_string()).or_default();
            alarm.0 += 1;
            alarm.1 += usize::from(!guessed.is_empty());
        }
        let counted: Vec<&GuessedSpan> =
            guessed.iter().filter(|s| !(s.boilerplate && is_neutral(text, &s.range, gold))).collect();
        for span in gold {
            let overlap = counted.iter().any(|s| intersection(&span.range, &s.range) > 0);
            let iou = counted.iter().any(|s| is_match(&span.range, &s.range));
            for score in [&mut self.gold, self.per_kind.entry(span.kind.clone()).or_default()] {
                score.n += 1;
                score.overlap += usize::from(overlap);
                score.iou += usize::from(iou);
            }
        }
        for span in counted {
            self.guessed.n += 1;
            self.guessed.overlap += usize::from(gold.iter().any(|t| intersection(&t.range, &span.range) > 0));
            self.guessed.iou += usize::from(gold.iter().any(|t| is_match(&t.range, &span.range)));
        }
    }

    pub fn precision(&self) -> f64 {
        rate(self.guessed.iou, self.guessed.n)
    }

    pub fn recall(&self) -> f64 {
        rate(self.gold.iou, self.gold.n)
    }

    pub fn f1(&self) -> f64 {
        harmonic(self.precision(), self.recall())
    }

    pub fn f1_overlap(&self) -> f64 {
        harmonic(rate(self.guessed.overlap, self.guessed.n), rate(self.gold.overlap, self.gold.n))
    }

    /// Share of the documents without gold spans that got any span, by class.
    pub fn false_alarm(&self) -> BTreeMap<String, f64> {
        self.alarms.iter().map(|(class, (n, alarms))| (class.clone(), rate(*alarms, *n))).collect()
    }

    /// The same over all classes: `None` when every document had gold spans.
    pub fn false_alarm_clean(&self) -> Option<f64> {
        let (n, alarms) = self.alarms.values().fold((0, 0), |sum, a| (sum.0 + a.0, sum.1 + a.1));
        (n > 0).then(|| rate(alarms, n))
    }
}

fn is_neutral(text: &str, guess: &Range<usize>, gold: &[GoldSpan]) -> bool {
    gold.iter().map(|span| &span.range).any(|t| {
        let around = || {
            let bytes = text.as_bytes();
            [bytes.get(guess.start..t.start), bytes.get(t.end..guess.end)]
        };
        guess.start <= t.start
            && t.end <= guess.end
            && guess.len() > t.len()
            && !around().into_iter().flatten().any(|s| s.contains(&b'\n'))
    })
}

fn intersection(a: &Range<usize>, b: &Range<usize>) -> usize {
    a.end.min(b.end).saturating_sub(a.start.max(b.start))
}

fn is_match(a: &Range<usize>, b: &Range<usize>) -> bool {
    let union = a.end.max(b.end) - a.start.min(b.start);
    union > 0 && 2 * intersection(a, b) >= union
}

fn rate(a: usize, b: usize) -> f64 {
    if b == 0 { 0.0 } else { a as f64 / b as f64 }
}

fn harmonic(precision: f64, recall: f64) -> f64 {
    if precision + recall > 0.0 { 2.0 * precision * recall / (precision + recall) } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gold(range: Range<usize>, kind: &str) -> GoldSpan {
        GoldSpan { range, kind: kind.to_string() }
    }

    fn guess(range: Range<usize>, boilerplate: bool) -> GuessedSpan {
        GuessedSpan { range, boilerplate }
    }

    #[test]
    fn a_sum_by_hand() {
        let mut score = NoiseScore::default();
        // one match, one overlap only, one miss on either side
        let spans = [gold(0..4, "a"), gold(10..20, "b"), gold(30..34, "b")];
        score.add(&"x".repeat(60), "noisy", &spans, &[guess(0..5, false), guess(18..30, false), guess(50..52, false)]);
        assert_eq!(score.precision(), 1.0 / 3.0);
        assert_eq!(score.recall(), 1.0 / 3.0);
        assert_eq!(score.f1_overlap(), 2.0 / 3.0);
        assert_eq!(score.per_kind["b"], KindScore { n: 2, overlap: 1, iou: 0 });
        score.add("x", "clean", &[], &[]);
        score.add("x", "clean", &[], &[guess(0..1, false)]);
        assert_eq!(score.false_alarm()["clean"], 0.5);
        assert_eq!(score.false_alarm_clean(), Some(0.5));
    }

    #[test]
    fn boilerplate_around_a_gold_span_is_neutral() {
        let text = "Tags: word\nmore";
        let mut score = NoiseScore::default();
        score.add(text, "noisy", &[gold(6..10, "a")], &[guess(0..10, true)]);
        assert_eq!((score.guessed.n, score.gold.iou), (0, 0));
        // over the line's end, the same extent or another kind it counts
        for counted in [guess(0..15, true), guess(6..10, true), guess(0..10, false)] {
            let mut score = NoiseScore::default();
            score.add(text, "noisy", &[gold(6..10, "a")], &[counted]);
            assert_eq!(score.guessed.n, 1);
        }
    }

    #[test]
    fn half_is_enough() {
        assert!(is_match(&(0..4), &(0..2)) && !is_match(&(0..5), &(0..2)));
    }
}
