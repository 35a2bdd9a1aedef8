//! What to take from a text.

use super::{is_dense, offers};

/// What to take from a text. Part of a model: it was trained on exactly this.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FeatureSpec {
    /// Longest character n-gram, 1 to 8.
    pub ngram_max: u8,
    /// How many folded characters give n-grams.
    pub ngram_chars: u32,
    /// The same where a character says more than a letter: in scripts without spaces, where there are no words
    /// either, and in Hangul; no fewer.
    pub dense_chars: u32,
    /// How many folded characters give words and bigrams; 0 for no words.
    pub word_chars: u32,
    /// How many times a word counts as much as an n-gram, 1 to 15.
    pub word_weight: u8,
    pub weighting: Weighting,
    /// Also emit the shape of the text: links, capitals, digits, marks.
    pub shape: bool,
    /// Also emit links, numbers as written and single marks.
    pub marks: bool,
    /// Also emit what the text offers and asks for, in whatever language (`features/offers.rs`); links are
    /// told by the marks.
    pub offers: bool,
}

impl FeatureSpec {
    /// How many folded characters are looked at.
    pub(super) fn chars(&self) -> usize {
        self.ngram_chars.max(self.dense_chars).max(self.word_chars) as usize
    }

    /// Whether the n-grams that begin with the folded character `c` at `start` are taken.
    pub(super) fn has_ngrams_at(&self, start: usize, c: u32) -> bool {
        start <= self.ngram_chars as usize || start <= self.dense_chars as usize && is_dense(c)
    }

    /// Whether it takes nothing but n-grams and words.
    pub fn is_words_alone(&self) -> bool {
        !(self.shape || self.marks || self.offers)
    }

    /// Whether it takes the n-grams and words that `other` takes of a text, weighed alike, or those n-grams of them that
    /// begin within a shorter reach: what else they take aside.
    pub fn is_part_of(&self, other: &Self) -> bool {
        let Self { ngram_chars, dense_chars, shape, marks, offers, .. } = *other;
        self.ngram_chars <= ngram_chars
            && self.dense_chars <= dense_chars
            && self.chars() == other.chars()
            && Self { ngram_chars, dense_chars, shape, marks, offers, ..*self } == *other
    }

    /// For the fingerprint; a spec without marks or offers is named as it was before there were any.
    pub(super) fn describe(&self) -> String {
        let Self {
            ngram_max,
            ngram_chars,
            dense_chars,
            word_chars,
            word_weight,
            weighting,
            shape,
            marks,
            offers,
        } = self;
        let dense =
            if dense_chars > ngram_chars { format!(", dense_chars: {dense_chars}") } else { String::new() };
        let marks = if *marks { ", marks: true" } else { "" };
        let offers = if *offers {
            format!(", offers: {:016x}, located", offers::fingerprint())
        } else {
            String::new()
        };
        format!(
            "FeatureSpec {{ ngram_max: {ngram_max}, ngram_chars: {ngram_chars}, word_chars: {word_chars}, \
             word_weight: {word_weight}, weighting: {weighting:?}, shape: {shape}{dense}{marks}{offers} }}"
        )
    }
}

/// How a feature's count in a document becomes its weight.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Weighting {
    /// The count, at most `cap`.
    Counts { cap: u8 },
    /// `ln(1 + count)`, the document scaled to Euclidean norm `norm`.
    LogNormalized { norm: u16 },
}
