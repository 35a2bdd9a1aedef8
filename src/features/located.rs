//! The features of a text by where they start, so that any stretch of it is scored by two sums.
//!
//! A feature met `n` times weighs `ln(1 + n)` in a text (`Weighting::LogNormalized`); each place it is met at has an
//! equal share of that. Over the whole the shares add up to the text's own vector; over a stretch they are what it
//! contributes, and what is common throughout a text says little of a stretch.

use super::numbers::{Numbered, Numbers};
use super::{FeatureSpec, Folded, Offers, Place, emit_shape, marks, offers};
use std::ops::Range;

/// Characters of a long text whose n-grams are located.
pub const REACH: u32 = 1600;

/// A feature at a place, so many times.
#[derive(Clone, Copy, Debug)]
struct Met {
    number: u32,
    place: u32,
    count: u32,
}

/// Sums are added up so many at a time: those of squares and of features, and of each table.
const LANES: usize = 4;
const COMMON: usize = 2;

/// A folded stretch of a text.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Stretch {
    bytes: Range<usize>,
    places: Range<usize>,
}

/// What is to be located.
pub(super) struct Part<'a> {
    pub(super) text: &'a str,
    pub(super) bytes: Range<usize>,
    /// The bytes folded.
    pub(super) folded: &'a Folded,
    pub(super) spec: &'a FeatureSpec,
    /// Its features are those of the text at hand, too; n-grams as far as the spec says.
    pub(super) counted: bool,
}

/// Features with their places; of a text and, where it is long, of its end.
#[derive(Debug, Default)]
pub struct Located {
    stretches: Vec<Stretch>,
    /// First place of the last one.
    first: u32,
    /// By place, the byte it starts at; ascending within a stretch.
    offsets: Vec<u32>,
    /// N-grams, `(number, place)`, by place within a stretch, and what else there is.
    ngrams: Vec<(u32, u32)>,
    others: Vec<Met>,
    /// How many of these are words of the text itself.
    n_words: usize,
    /// By number, what one place of a feature adds to the sums.
    worth: Vec<[f64; LANES]>,
    /// Sums of all places before one: by each so many of them, then by place.
    sums: Vec<[f64; LANES]>,
    n_tables: usize,
}

impl Located {
    pub(super) fn clear(&mut self) {
        self.stretches.clear();
        self.offsets.clear();
        self.ngrams.clear();
        self.others.clear();
        self.n_words = 0;
    }

    /// Adds a part's n-grams and words.
    pub(super) fn add_words(&mut self, part: &Part<'_>, numbers: &mut Numbers) {
        let Part { text, folded, spec, ref bytes, counted } = *part;
        let first = self.offsets.len();
        self.first = first as u32;
        self.offsets.extend(folded.offsets.iter().map(|offset| bytes.start as u32 + offset));
        self.stretches.push(Stretch { bytes: bytes.clone(), places: first..self.offsets.len() });
        // the end of a longer text is a part of its own
        let reach = if bytes.end < text.len() { REACH } else { spec.word_chars };
        let [ngram_chars, dense_chars] = [spec.ngram_chars, spec.dense_chars].map(|chars| chars.max(reach));
        let reach = FeatureSpec { ngram_chars, dense_chars, ..*spec };
        folded.each_ngram(&reach, |hash, start, _| {
            let number = numbers.number(hash | 1 << 63);
            numbers.add(number, u32::from(counted && spec.has_ngrams_at(start, folded.chars[start])));
            numbers.meet(number, 1);
            self.ngrams.push((number, (first + start) as u32));
        });
        if spec.word_chars > 0 {
            let times = u32::from(spec.word_weight);
            folded.each_word(spec, |hash, _, at| self.see(numbers, hash, Some(at.start), times, counted));
        }
        if counted {
            self.n_words = self.others.len();
        }
    }

    /// Counts the n-grams and words that `spec` takes of the text, which was folded to `folded` and of which a part
    /// with no shorter reach was added first.
    pub(super) fn count_words(&self, spec: &FeatureSpec, folded: &Folded, numbers: &mut Numbers) {
        let mut ngrams = self.ngrams.iter().peekable();
        for start in folded.ngram_starts(spec) {
            while let Some((number, place)) = ngrams.next_if(|of| of.1 as usize <= start) {
                numbers.add(*number, u32::from(*place as usize == start));
            }
        }
        self.others[..self.n_words].iter().for_each(|met| numbers.add(met.number, met.count));
    }

    /// Adds what the part added last has beside words; returns what it offers.
    pub(super) fn add_marks(&mut self, part: &Part<'_>, numbers: &mut Numbers) -> Offers {
        let Part { text, folded, spec, ref bytes, counted } = *part;
        let written = &text[bytes.clone()];
        if spec.shape && counted {
            emit_shape(written, &mut |hash, times, _| self.see(numbers, hash, None, times, true));
        }
        // what is said of the whole part has no place in it
        let place_of = |place: Place| {
            let part = place.start > 0 || (place.end as usize) < written.len();
            part.then(|| {
                folded.offsets.partition_point(|offset| *offset < place.start).min(folded.chars.len())
            })
        };
        let mut emit = |hash: u64, times: u32, place: Place| {
            let place = place_of(place);
            if counted || place.is_some() {
                self.see(numbers, hash, place, times, counted);
            }
        };
        let with_link = spec.marks && marks::emit(written, &mut emit);
        if spec.offers { offers::emit(folded, with_link, &mut emit) } else { Offers::default() }
    }

    /// A feature at a place of the stretch added last, if it has one.
    #[inline]
    fn see(&mut self, numbers: &mut Numbers, hash: u64, place: Option<usize>, times: u32, counted: bool) {
        let number = numbers.number(hash | 1 << 63);
        if counted {
            numbers.add(number, times);
        }
        let Some(place) = place else { return };
        numbers.meet(number, times);
        self.others.push(Met { number, place: self.first + place as u32, count: times });
    }

    /// Sums up to each place, for [`Self::score`]: `terms` holds, by number, what a feature is worth to each of
    /// `n_tables`.
    pub(super) fn sum(&mut self, features: &[Numbered], terms: &[f64], n_tables: usize) {
        self.n_tables = n_tables;
        let Self { offsets, ngrams, others, worth, sums, .. } = self;
        let n_places = offsets.len() + 1;
        let n_lanes = COMMON + n_tables;
        sums.clear();
        sums.resize(n_lanes.div_ceil(LANES) * n_places, [0.0; LANES]);
        for (sums, lanes) in sums.chunks_exact_mut(n_places).zip((0..n_lanes).step_by(LANES)) {
            worth.clear();
            worth.extend(features.iter().enumerate().map(|(number, feature)| {
                let (weight, met) = feature.met();
                let each = 1.0 / f64::from(met.max(1));
                let of_tables = terms.get(number * n_tables..(number + 1) * n_tables).unwrap_or_default();
                std::array::from_fn(|lane| match (lanes + lane).checked_sub(COMMON) {
                    None if lanes + lane == 0 => weight * weight * each,
                    None => each,
                    Some(table) => of_tables.get(table).map_or(0.0, |term| weight * each * term),
                })
            }));
            // n-grams of one place come one after the other: the last of them leaves their sum
            let (mut sum, mut of_place) = ([0.0; LANES], u32::MAX);
            for &(number, place) in &*ngrams {
                let worth = worth.get(number as usize).copied().unwrap_or_default();
                let before = sum.map(|sum| if place == of_place { sum } else { 0.0 });
                sum = std::array::from_fn(|lane| before[lane] + worth[lane]);
                of_place = place;
                sums[place as usize + 1] = sum;
            }
            for met in &*others {
                let worth = worth.get(met.number as usize).copied().unwrap_or_default();
                for (sum, worth) in sums[met.place as usize + 1].iter_mut().zip(worth) {
                    *sum += f64::from(met.count) * worth;
                }
            }
            let mut before = [0.0; LANES];
            for sum in sums {
                before = std::array::from_fn(|lane| before[lane] + sum[lane]);
                *sum = before;
            }
        }
    }

    /// What [`Self::sum`] found for a range of bytes: pushes by table the sum of shares over their Euclidean norm, and
    /// returns the number of features, each in its share. `None` where no stretch holds the range.
    pub fn score(&self, range: &Range<usize>, scores: &mut impl Extend<f64>) -> Option<f64> {
        let of_range =
            |stretch: &&Stretch| stretch.bytes.start <= range.start && range.end <= stretch.bytes.end;
        let places = self.stretches.iter().find(of_range)?.places.clone();
        let offsets = &self.offsets[places.clone()];
        let at = |byte: usize| places.start + offsets.partition_point(|offset| (*offset as usize) < byte);
        let (from, to) = (at(range.start), at(range.end));
        let n_places = self.offsets.len() + 1;
        let lane = |lane: usize| {
            let sums = self.sums.get(lane / LANES * n_places..).unwrap_or_default();
            sums[to][lane % LANES] - sums[from][lane % LANES]
        };
        let norm = lane(0).max(f64::MIN_POSITIVE).sqrt();
        scores.extend((0..self.n_tables).map(|table| lane(COMMON + table) / norm));
        Some(lane(1))
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Scratch, Weighting};
    use super::*;

    const SPEC: FeatureSpec = FeatureSpec {
        ngram_max: 4,
        ngram_chars: 40,
        dense_chars: 60,
        word_chars: 120,
        word_weight: 3,
        weighting: Weighting::LogNormalized { norm: 30 },
        shape: true,
        marks: true,
        offers: true,
    };
    const WORDS: FeatureSpec = FeatureSpec { shape: false, marks: false, offers: false, ..SPEC };

    /// What a feature is worth in these tests.
    fn term(hash: u64) -> f64 {
        (hash >> 40 & 0xFF) as f64 / 64.0 - 2.0
    }

    fn summed(text: &str, spec: &FeatureSpec, tail: usize) -> Scratch {
        let mut scratch = Scratch::default();
        scratch.vectorize_located(text, spec, tail);
        scratch.terms = scratch.numbered().iter().map(|of| term(of.hash)).collect();
        scratch.sum_located(1);
        scratch
    }

    fn score(scratch: &Scratch, range: Range<usize>) -> Option<(f64, f64)> {
        let mut scores = Vec::new();
        let features = scratch.located.score(&range, &mut scores)?;
        Some((scores[0], features))
    }

    #[test]
    fn the_whole_is_the_vector_of_the_text() {
        let text = "win a prize, win a lamp: the prize of all";
        let spec = FeatureSpec { ngram_chars: 1000, word_chars: 1000, ..WORDS };
        let scratch = summed(text, &spec, text.len());
        let (found, features) = score(&scratch, 0..text.len()).unwrap();
        let mut plain = Scratch::default();
        plain.vectorize(text, &spec);
        let expected: f64 =
            plain.vector.iter().map(|(hash, weight)| term(*hash) * f64::from(*weight) / 1024.0).sum();
        assert!((30.0 * found - expected).abs() < 0.02 * expected.abs().max(1.0), "{found} {expected}");
        assert!((features - plain.vector.len() as f64).abs() < 1e-6);
    }

    #[test]
    fn a_stretch_has_what_starts_in_it() {
        let text = "one two three four";
        let scratch = summed(text, &WORDS, text.len());
        let features = |range| score(&scratch, range).unwrap().1;
        let halves = features(0..8) + features(8..text.len());
        assert!((halves - features(0..text.len())).abs() < 1e-6);
        assert_eq!(features(3..3), 0.0);
        // unless it was read: the vector ends long before, and the end begins at 300
        let text = "word ".repeat(80);
        let scratch = summed(&text, &WORDS, 300);
        assert!(score(&scratch, 300..400).is_some() && score(&scratch, 0..100).is_some());
        assert_eq!(score(&scratch, 200..310), None);
    }

    proptest::proptest! {
        #[test]
        fn vectors_are_those_of_the_text_alone(text in "\\PC{0,200}", at in 0_usize..200) {
            let mut located = Scratch::default();
            let tail = crate::text::floor_boundary(&text, at);
            let used = located.vectorize_located(&text, &SPEC, tail);
            let mut plain = Scratch::default();
            plain.vectorize(&text, &WORDS);
            located.vectorize_part(&WORDS);
            proptest::prop_assert_eq!(&located.vector, &plain.vector);
            for part in [FeatureSpec { ngram_chars: 10, ..WORDS }, FeatureSpec { ngram_chars: 5, dense_chars: 20, ..WORDS }] {
                proptest::prop_assert!(part.is_part_of(&SPEC));
                located.vectorize_part(&part);
                let of_part = &located.vector;
                plain.vectorize(&text, &part);
                let sorted = |vector: &[(u64, u32)]| {
                    let mut vector = vector.to_vec();
                    vector.sort_unstable();
                    vector
                };
                proptest::prop_assert_eq!(sorted(of_part), sorted(&plain.vector));
            }
            located.vectorize_located(&text, &SPEC, tail);
            proptest::prop_assert_eq!(used, plain.vectorize(&text, &SPEC));
            let whole: Vec<(u64, u32)> = located
                .by_number
                .iter()
                .map(|&(number, weight)| (located.numbered()[number as usize].hash, weight))
                .collect();
            proptest::prop_assert_eq!(&whole, &plain.vector);
            let scratch = summed(&text, &SPEC, tail);
            for range in [0..tail, tail..text.len(), 0..text.len()] {
                if let Some((found, features)) = score(&scratch, range) {
                    proptest::prop_assert!(found.is_finite() && features >= -1e-9);
                }
            }
        }
    }
}
