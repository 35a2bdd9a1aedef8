//! A sketch of each label's frequent words: whether a text is made of words at all.
//!
//! N-grams take syllables of any kind for some language, the rarer the surer. But half the words of a text, and most of a
//! sentence's, are among a language's thousand most frequent, which invented ones hardly ever are.

use crate::class::lower;
use crate::script::{group_of, id_of, is_letter};
use bytes::Bytes;
use std::collections::HashMap;

/// Words of a label that are kept.
const MOST: usize = 1000;
/// A word sets four bits of one block, so that asking for it is one cache line.
const BLOCK: usize = 64;
const WORDS_IN_BLOCK: usize = 50;
/// Words looked at, and the fewest that tell anything.
const LOOKED_AT: usize = 32;
const FEWEST: usize = 5;
/// Letters and digits mixed, as in hashes and keys, are no word from so many bytes on, and as many as these make.
const MIXED: usize = 16;
const WORD: usize = 6;
/// Share of known words under which a label's writing has no words between blanks, or too many forms of them.
const TELLING: f32 = 0.25;
/// Known words are beta-binomial: texts of a language differ in their share as if each had shown so many words before.
const CONCENTRATION: f64 = 15.0;
/// The share among invented words: short ones are some word of a language by chance.
const INVENTED: f64 = 0.08;

/// What the labels of a detector have for words. Empty, as for models of earlier releases, it says nothing.
#[derive(Clone, Debug, Default)]
pub struct Vocabulary {
    blocks: Bytes,
    /// Mean share of a text's words that are known, by label.
    known: Vec<f32>,
}

impl Vocabulary {
    /// `blocks` of 64 bytes and a share of 0 to 1 for each label.
    ///
    /// # Errors
    ///
    /// What is wrong with them.
    pub fn new(blocks: Bytes, known: Vec<f32>) -> Result<Self, String> {
        if blocks.is_empty() || !blocks.len().is_multiple_of(BLOCK) {
            return Err(format!("{} bytes of words: expected blocks of {BLOCK}", blocks.len()));
        }
        match known.iter().find(|share| !(0.0..=1.0).contains(*share)) {
            Some(share) => Err(format!("a share of known words of {share}: expected 0 to 1")),
            None => Ok(Self { blocks, known }),
        }
    }

    pub fn blocks(&self) -> &[u8] {
        &self.blocks
    }

    pub fn known(&self) -> &[f32] {
        &self.known
    }

    /// How much likelier, in natural-log units, a text's words are invented than the label's; minus infinity where
    /// they do not say. `group` is that of the label's script: words of others are not asked.
    pub fn invented(&self, label: usize, group: u8, text: &str) -> f64 {
        let of_language = self.known.get(label).copied().unwrap_or(0.0);
        if of_language < TELLING {
            return f64::NEG_INFINITY;
        }
        let (known, all) = self.count(label, group, text);
        if all < FEWEST {
            return f64::NEG_INFINITY;
        }
        log_odds(known, all, f64::from(of_language))
    }

    /// The known among the first words of a text, and how many were looked at.
    fn count(&self, label: usize, group: u8, text: &str) -> (usize, usize) {
        words(text, group).take(LOOKED_AT).fold((0, 0), |(known, all), word| {
            if word.len() >= MIXED && word.bytes().any(|b| b.is_ascii_digit()) {
                (known, all + word.len() / WORD)
            } else {
                (known + usize::from(self.has(hash(label, word))), all + 1)
            }
        })
    }

    fn has(&self, hash: u64) -> bool {
        let at = block(hash, self.blocks.len());
        let block = self.blocks.get(at..at + BLOCK);
        block.is_some_and(|block| bits(hash).into_iter().all(|bit| block[bit / 8] >> (bit % 8) & 1 == 1))
    }
}

/// Beta-binomial log-odds of `known` words in `all`, invented ones over a language's: with the same concentration the
/// binomial coefficients and the denominators are the same.
fn log_odds(known: usize, all: usize, of_language: f64) -> f64 {
    let rising = |invented: f64, own: f64, n: usize| -> f64 {
        let term = |share: f64, i: usize| share * CONCENTRATION + i as f64;
        (0..n).map(|i| term(invented, i) / term(own, i)).product()
    };
    let own = of_language.min(0.99);
    (rising(INVENTED, own, known) * rising(1.0 - INVENTED, 1.0 - own, all - known)).ln()
}

/// What stands between signs and blanks and begins with a letter of the scripts of `group`, digits aside, which some
/// write for letters.
fn words(text: &str, group: u8) -> impl Iterator<Item = &str> {
    let first = |word: &str| word.chars().find(|c| is_letter(*c));
    text.split(|c: char| !is_letter(c) && !c.is_ascii_digit())
        .filter(move |word| first(word).is_some_and(|c| group_of(id_of(c)) == group))
}

fn hash(label: usize, word: &str) -> u64 {
    let mix = |hash: u64, value: u64| {
        let mixed = (hash.rotate_left(23) ^ value).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        mixed ^ mixed >> 32
    };
    word.chars().fold(mix(0, label as u64 + 1), |hash, c| mix(hash, u64::from(lower(c) as u32)))
}

/// Where the block of a word begins.
fn block(hash: u64, bytes: usize) -> usize {
    (((hash >> 36) * (bytes / BLOCK) as u64) >> 28) as usize * BLOCK
}

/// Its bits in the block.
fn bits(hash: u64) -> [usize; 4] {
    [0, 9, 18, 27].map(|shift| (hash >> shift) as usize % (8 * BLOCK))
}

/// Words counted in training.
#[derive(Debug)]
pub struct WordCounts(Vec<HashMap<u64, u32>>);

impl WordCounts {
    pub fn new(n_labels: usize) -> Self {
        Self(vec![HashMap::new(); n_labels])
    }

    pub fn add(&mut self, label: usize, group: u8, text: &str) {
        let Some(counts) = self.0.get_mut(label) else { return };
        for word in words(text, group) {
            *counts.entry(hash(label, word)).or_default() += 1;
        }
    }

    pub fn extend(&mut self, others: Self) {
        for (counts, others) in self.0.iter_mut().zip(others.0) {
            others.into_iter().for_each(|(hash, count)| *counts.entry(hash).or_default() += count);
        }
    }

    /// The most frequent words of each label, which are known in a text as often as `known` says.
    pub fn vocabulary(&self, known: Vec<f32>) -> Vocabulary {
        let frequent: Vec<u64> = self.0.iter().flat_map(most_frequent).collect();
        let mut blocks = vec![0_u8; BLOCK * frequent.len().div_ceil(WORDS_IN_BLOCK).max(1)];
        for hash in frequent {
            let at = block(hash, blocks.len());
            for bit in bits(hash) {
                blocks[at + bit / 8] |= 1 << (bit % 8);
            }
        }
        Vocabulary { blocks: blocks.into(), known }
    }
}

fn most_frequent(counts: &HashMap<u64, u32>) -> Vec<u64> {
    let mut words: Vec<(u32, u64)> = counts.iter().map(|(hash, count)| (*count, *hash)).collect();
    words.sort_unstable_by(|a, b| b.0.cmp(&a.0).then(a.1.cmp(&b.1)));
    words.into_iter().take(MOST).map(|word| word.1).collect()
}

/// Shares of known words in texts that were not counted: what a vocabulary expects.
#[derive(Debug)]
pub struct Shares(Vec<(usize, usize)>);

impl Shares {
    pub fn new(n_labels: usize) -> Self {
        Self(vec![(0, 0); n_labels])
    }

    pub fn add(&mut self, vocabulary: &Vocabulary, label: usize, group: u8, text: &str) {
        let Some(sums) = self.0.get_mut(label) else { return };
        let (known, all) = vocabulary.count(label, group, text);
        (sums.0, sums.1) = (sums.0 + known, sums.1 + all);
    }

    /// By label; 0, which tells nothing, where hardly any words were seen.
    pub fn known(&self) -> Vec<f32> {
        let share = |&(known, all): &(usize, usize)| match all {
            100.. => known as f32 / all as f32,
            _ => 0.0,
        };
        self.0.iter().map(share).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::script::Script;

    fn latin() -> u8 {
        group_of(Script::LATIN.id())
    }

    #[test]
    fn log_odds_are_those_of_two_beta_binomials() {
        // one word, known: .08 against .5
        assert!((log_odds(1, 1, 0.5) - (0.08_f64 / 0.5).ln()).abs() < 1e-12);
        // two words, one known: (1.2 · 13.8) against (7.5 · 7.5)
        assert!((log_odds(1, 2, 0.5) - (1.2_f64 * 13.8 / (7.5 * 7.5)).ln()).abs() < 1e-12);
        // two words, none known: (13.8 · 14.8) against (7.5 · 8.5)
        assert!((log_odds(0, 2, 0.5) - (13.8_f64 * 14.8 / (7.5 * 8.5)).ln()).abs() < 1e-12);
    }

    fn english() -> Vocabulary {
        let mut counts = WordCounts::new(2);
        counts.add(
            0,
            latin(),
            "the boat was in the harbour when the storm came and all of the men were there",
        );
        counts.vocabulary(vec![0.7, 0.7])
    }

    #[test]
    fn words_are_known_whatever_their_case_and_to_their_label_alone() {
        let words = english();
        assert_eq!(words.count(0, latin(), "The BOAT, in the harbour; torimalo."), (5, 6));
        assert_eq!(words.count(1, latin(), "The boat in the harbour"), (0, 5));
    }

    #[test]
    fn invented_words_are_told_from_those_of_a_language_where_there_are_enough() {
        let words = english();
        assert!(words.invented(0, latin(), "the men were in the boat when the storm came") < -5.0);
        assert!(
            words.invented(0, latin(), "latoro medasi nivolan torimalo sabedu rilokan davese molatu") > 5.0
        );
        assert_eq!(words.invented(0, latin(), "latoro medasi nivolan"), f64::NEG_INFINITY, "too few");
        assert_eq!(
            words.invented(7, latin(), "latoro medasi nivolan torimalo sabedu"),
            f64::NEG_INFINITY,
            "no such label"
        );
        assert_eq!(
            Vocabulary::default().invented(0, latin(), "latoro medasi nivolan torimalo sabedu"),
            f64::NEG_INFINITY
        );
    }

    #[test]
    fn letters_and_digits_mixed_are_words_while_they_are_short() {
        assert_eq!(
            words("Ta7taden 2al be7ar, 42 (x) лодка", latin()).collect::<Vec<_>>(),
            ["Ta7taden", "2al", "be7ar", "x"]
        );
        let words = english();
        assert_eq!(words.count(0, latin(), "a2602332aac198d36ba4f413229bddd8"), (0, 5));
        assert_eq!(words.count(0, latin(), "internationalisation"), (0, 1));
    }

    #[test]
    fn a_label_whose_words_are_hardly_known_says_nothing() {
        let mut counts = WordCounts::new(1);
        counts.add(0, latin(), "ab cd");
        let words = counts.vocabulary(vec![0.1]);
        assert_eq!(words.invented(0, latin(), "latoro medasi nivolan torimalo sabedu"), f64::NEG_INFINITY);
    }

    #[test]
    fn hashes_are_those_of_the_models_there_are() {
        // another value would make every vocabulary a stranger to its words, without a word from the fingerprint
        assert_eq!(hash(3, "Harbour"), 1346925617905952292);
        assert_eq!(hash(3, "гавань"), 9114982360469931612);
    }

    #[test]
    fn a_damaged_vocabulary_is_refused() {
        let whole = || Bytes::from(vec![0; BLOCK]);
        assert!(Vocabulary::new(whole(), vec![0.5, 1.0]).is_ok());
        let of = |blocks, known| Vocabulary::new(blocks, known).expect_err("damaged");
        assert!(of(Bytes::from(vec![0; 63]), vec![]).starts_with("63 bytes of words"));
        assert!(of(Bytes::new(), vec![]).starts_with("0 bytes"));
        assert!(of(whole(), vec![f32::NAN]).contains("NaN: expected 0 to 1"));
        assert!(of(whole(), vec![1.5]).contains("1.5: expected 0 to 1"));
    }

    #[test]
    fn what_a_language_knows_is_the_mean_over_all_words_seen() {
        let words = english();
        let mut shares = Shares::new(2);
        for _ in 0..20 {
            shares.add(&words, 0, latin(), "the boat was there, latoro");
        }
        shares.add(&words, 1, latin(), "latoro");
        assert_eq!(shares.known(), [0.8, 0.0]);
    }
}
