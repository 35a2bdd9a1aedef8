//! From text to hashed features: one code path for training and serving.
//!
//! A text is folded (lower case, digits alike, everything that is no letter a boundary) and cut into
//! character n-grams within word boundaries and, where the script has spaces, words and word bigrams
//! (scikit-learn's `char_wb` and `word` analyzers, hashed). Nothing is allocated per feature.

mod located;
mod marks;
mod numbers;
mod offers;
mod spec;

pub use located::Located;
pub use numbers::Numbered;
pub use offers::Offers;
pub use spec::{FeatureSpec, Weighting};

use crate::class::{Class, lower};
use crate::language::Found;
use crate::language::detector::Likely;
use crate::pool::Pool;
use crate::text::normalize;
use located::Part;
use numbers::Numbers;
use std::cell::RefCell;
use std::ops::Range;

/// Changes whenever the same text would give other features: a model trained with another pipeline
/// is refused.
pub const PIPELINE_VERSION: u32 = 1;

/// One unit of document weight; weights are integers so that sums are exact in any order.
pub const WEIGHT_SCALE: u32 = 1024;

/// Kinds of features: n-grams of 1 to 8 characters, words, bigrams.
pub const KINDS: usize = 10;
const KIND_WORD: u8 = 8;

const BOUNDARY: u32 = ' ' as u32;
const NGRAM_SEED: u64 = 0x9E37_79B9_7F4A_7C15;
const WORD_SEED: u64 = 0xC2B2_AE3D_27D4_EB4F;
const BIGRAM_SEED: u64 = 0x1656_67B1_9E37_79F9;
const SHAPE_SEED: u64 = 0x27D4_EB2F_1656_67C5;

/// Folded multiplication: the high and low halves of a 128-bit product, xored.
#[inline]
fn mix(a: u64, b: u64) -> u64 {
    let product = u128::from(a ^ 0xA076_1D64_78BD_642F) * u128::from(b ^ 0xE703_7ED1_A0B4_28DB);
    (product as u64) ^ ((product >> 64) as u64)
}

/// What has a feature's hash.
pub trait Hashed: Copy {
    fn hash(&self) -> u64;
}

impl<T: Copy> Hashed for (u64, T) {
    #[inline]
    fn hash(&self) -> u64 {
        self.0
    }
}

/// Buffers to reuse from document to document.
#[derive(Debug, Default)]
pub struct Scratch {
    folded: Folded,
    numbers: Numbers,
    /// Features as they come, with repeats.
    list: Vec<(u64, u32)>,
    /// The vector of the text at hand by number: (number, weight).
    pub by_number: Vec<(u32, u32)>,
    /// What a caller looked up of a feature, by number.
    pub terms: Vec<f64>,
    /// The features by where they start.
    pub located: Located,
    /// What the text at hand offers, where its spec asks.
    pub offers: Offers,
    /// Where the end of a long text is folded.
    tail: Folded,
    /// Scores while they are added up, and by label.
    pub scores: Vec<f32>,
    pub labels: Vec<f32>,
    /// Scores of close relatives by label, and what a detector ranks.
    pub relatives: Vec<f32>,
    pub likely: Vec<Likely>,
    /// N-grams a detector found before, by table.
    pub found: [Found; 2],
    /// The document vector: (feature hash, weight in units of 1 / [`WEIGHT_SCALE`]).
    pub vector: Vec<(u64, u32)>,
}

/// A text folded.
#[derive(Debug, Default)]
struct Folded {
    /// Folded characters with boundaries collapsed to one space, a space at each end.
    chars: Vec<u32>,
    /// Byte offset in the text of each folded character.
    offsets: Vec<u32>,
    /// What was emitted of the text last.
    offers: Offers,
}

/// Buffers are kept for as many features at most, which few articles have.
const KEPT_FEATURES: usize = 1 << 16;

thread_local! {
    /// What the thread has at hand.
    static OWN: RefCell<Vec<Scratch>> = const { RefCell::new(Vec::new()) };
}

/// What no thread has.
static SHARED: Pool<Vec<Scratch>> = Pool::new();

/// While `work` goes on, the thread has the buffers that were used last, by whichever thread: for a text as a whole.
pub fn with_shared_scratch<T>(work: impl FnOnce() -> T) -> T {
    let swap = |with: Vec<Scratch>| {
        OWN.try_with(|own| own.try_borrow_mut().map(|mut own| std::mem::replace(&mut *own, with)))
    };
    let Ok(Ok(own)) = swap(SHARED.take()) else { return work() };
    let result = work();
    if let Ok(Ok(shared)) = swap(own) {
        SHARED.give_back(shared);
    }
    result
}

/// Lends the thread's buffers; others to whoever asks meanwhile.
pub fn with_scratch<T>(work: impl FnOnce(&mut Scratch) -> T) -> T {
    let pooled = OWN.try_with(|own| own.try_borrow_mut().ok()?.pop());
    let mut scratch = pooled.ok().flatten().unwrap_or_default();
    let result = work(&mut scratch);
    if scratch.numbers.capacity() <= KEPT_FEATURES && scratch.list.capacity() <= KEPT_FEATURES {
        // at the end of the thread there is nothing to keep them in
        let _ = OWN.try_with(|own| own.try_borrow_mut().map(|mut own| own.push(scratch)));
    }
    result
}

/// Where a feature stands in the text, as byte offsets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    pub start: u32,
    pub end: u32,
}

/// Scripts written without spaces: a run of them is no word.
fn is_unspaced(c: u32) -> bool {
    matches!(c,
        0x0E00..=0x0EFF | 0x1000..=0x109F | 0x1780..=0x17FF | 0x0F00..=0x0FFF
        | 0x3040..=0x30FF | 0x3400..=0x4DBF | 0x4E00..=0x9FFF | 0xF900..=0xFAFF | 0x2_0000..=0x3_FFFF)
}

/// A syllable or more.
fn is_dense(c: u32) -> bool {
    is_unspaced(c) || matches!(c, 0xAC00..=0xD7A3)
}

impl Folded {
    /// Folds at most `limit` characters of `text`; returns how many bytes were looked at.
    fn fold(&mut self, text: &str, limit: usize) -> usize {
        self.chars.clear();
        self.offsets.clear();
        self.chars.push(BOUNDARY);
        self.offsets.push(0);
        let mut looked_at = text.len();
        for (at, c) in text.char_indices() {
            if self.chars.len() > limit {
                looked_at = at;
                break;
            }
            let folded = if c.is_ascii() {
                if c.is_ascii_digit() {
                    u32::from(b'0')
                } else if c.is_ascii_alphabetic() {
                    u32::from((c as u8).to_ascii_lowercase())
                } else {
                    BOUNDARY
                }
            } else if c == '\u{200c}' || c == '\u{200d}' || c == '\u{ad}' {
                continue;
            } else {
                match Class::of(c) {
                    class if class.is_numeric() => u32::from(b'0'),
                    class if class.is_word() => u32::from(lower(c)),
                    _ => BOUNDARY,
                }
            };
            if folded == BOUNDARY && self.chars.last() == Some(&BOUNDARY) {
                continue;
            }
            self.chars.push(folded);
            self.offsets.push(at as u32);
        }
        if self.chars.last() != Some(&BOUNDARY) {
            self.chars.push(BOUNDARY);
            self.offsets.push(looked_at as u32);
        }
        self.offsets.push(looked_at as u32);
        looked_at
    }

    /// Calls `emit(hash, count, place)` for every feature of `text`, repeats included; returns how many
    /// bytes were looked at.
    fn emit(&mut self, text: &str, spec: &FeatureSpec, mut emit: impl FnMut(u64, u32, Place)) -> usize {
        let looked_at = self.fold(text, spec.chars());
        self.emit_ngrams(spec, &mut emit);
        if spec.word_chars > 0 {
            self.emit_words(spec, &mut emit);
        }
        if spec.shape {
            emit_shape(&text[..looked_at], &mut emit);
        }
        let with_link = spec.marks && marks::emit(&text[..looked_at], &mut emit);
        if spec.offers {
            self.offers = offers::emit(self, with_link, &mut emit);
        }
        looked_at
    }

    #[inline]
    fn emit_ngrams(&self, spec: &FeatureSpec, emit: &mut impl FnMut(u64, u32, Place)) {
        self.each_ngram(spec, |hash, start, n| {
            emit(hash, 1, Place { start: self.offsets[start], end: self.offsets[start + n] });
        });
    }

    /// Where n-grams start.
    #[inline]
    fn ngram_starts(&self, spec: &FeatureSpec) -> impl Iterator<Item = usize> + use<'_> {
        let end = |chars: u32| self.chars.len().min(chars as usize + 1);
        let (end, end_dense) = (end(spec.ngram_chars), end(spec.dense_chars));
        (0..end).chain((end..end_dense).filter(|start| is_dense(self.chars[*start])))
    }

    /// Calls `each(hash, start, n)` for every character n-gram, where it starts among the folded characters.
    #[inline]
    fn each_ngram(&self, spec: &FeatureSpec, mut each: impl FnMut(u64, usize, usize)) {
        let longest = usize::from(spec.ngram_max);
        for start in self.ngram_starts(spec) {
            let mut hash = NGRAM_SEED;
            for (n, &c) in self.chars[start..].iter().take(longest).enumerate() {
                hash = mix(hash, u64::from(c));
                if c == BOUNDARY && n == 0 {
                    continue;
                }
                each(hash, start, n + 1);
                if c == BOUNDARY {
                    break;
                }
            }
        }
    }

    /// Calls `each(hash, kind)` for every n-gram, word and bigram of `text`.
    fn each_kind(&mut self, text: &str, spec: &FeatureSpec, mut each: impl FnMut(u64, u8)) {
        self.fold(text, spec.chars());
        self.each_ngram(spec, |hash, _, n| each(hash, (n - 1) as u8));
        if spec.word_chars > 0 {
            self.each_word(spec, |hash, words, _| each(hash, KIND_WORD + words - 1));
        }
    }

    /// Calls `each(hash, shorter)` for every character n-gram of two or more: `shorter` holds the n-gram
    /// without its last and without its first character, 0 where that is a boundary alone.
    fn each_parent(&mut self, text: &str, spec: &FeatureSpec, mut each: impl FnMut(u64, [u64; 2])) {
        self.fold(text, spec.chars());
        let longest = usize::from(spec.ngram_max);
        for start in self.ngram_starts(spec) {
            let (mut hash, mut without_first) = (NGRAM_SEED, NGRAM_SEED);
            for (n, &c) in self.chars[start..].iter().take(longest).enumerate() {
                let prefix = if n == 1 && self.chars[start] == BOUNDARY { 0 } else { hash };
                hash = mix(hash, u64::from(c));
                if n == 0 {
                    continue;
                }
                without_first = mix(without_first, u64::from(c));
                let suffix = if n == 1 && c == BOUNDARY { 0 } else { without_first };
                each(hash, [prefix, suffix]);
                if c == BOUNDARY {
                    break;
                }
            }
        }
    }

    #[inline]
    fn emit_words(&self, spec: &FeatureSpec, emit: &mut impl FnMut(u64, u32, Place)) {
        let count = u32::from(spec.word_weight);
        self.each_word(spec, |hash, _, places| {
            emit(hash, count, Place { start: self.offsets[places.start], end: self.offsets[places.end] });
        });
    }

    /// Calls `each(hash, words, places)` for every word, where `words` is 1, and every bigram, where it is 2;
    /// places among the folded characters.
    #[inline]
    fn each_word(&self, spec: &FeatureSpec, mut each: impl FnMut(u64, u8, Range<usize>)) {
        let end = self.chars.len().min(spec.word_chars as usize + 1);
        let mut hash = WORD_SEED;
        let (mut length, mut start, mut spaced) = (0_usize, 0, true);
        let mut previous: Option<(u64, usize)> = None;
        for at in 1..end {
            let c = self.chars[at];
            if c != BOUNDARY {
                if length == 0 {
                    start = at;
                }
                hash = mix(hash, u64::from(c));
                spaced &= !is_unspaced(c);
                length += 1;
                continue;
            }
            if length >= 2 && spaced {
                each(hash, 1, start..at);
                if let Some((before, from)) = previous {
                    each(mix(before ^ BIGRAM_SEED, hash), 2, from..at);
                }
                previous = Some((hash, start));
            }
            (hash, length, spaced) = (WORD_SEED, 0, true);
        }
    }
}

impl Scratch {
    /// Calls `emit(hash, count, place)` for every feature of `text`, repeats included; returns how many
    /// bytes were looked at.
    pub fn emit(&mut self, text: &str, spec: &FeatureSpec, emit: impl FnMut(u64, u32, Place)) -> usize {
        self.folded.emit(text, spec, emit)
    }

    /// The features of `text` as a vector's keys, `(hash, count)`, in order and repeats included.
    pub fn list(&mut self, text: &str, spec: &FeatureSpec) -> &[(u64, u32)] {
        let list = &mut self.list;
        list.clear();
        self.folded.emit(text, spec, |hash, count, _| list.push((hash | 1 << 63, count)));
        &self.list
    }

    /// Calls `each(hash, shorter)` for every character n-gram of two or more: `shorter` holds the n-gram
    /// without its last and without its first character, 0 where that is a boundary alone.
    pub fn each_parent(&mut self, text: &str, spec: &FeatureSpec, each: impl FnMut(u64, [u64; 2])) {
        self.folded.each_parent(text, spec, each);
    }

    /// Calls `each(hash, kind)` for every feature of `text` with a kind below [`KINDS`] of its own, repeats
    /// included: n-grams of n characters are n - 1, then come words and bigrams.
    pub fn each_kind(&mut self, text: &str, spec: &FeatureSpec, each: impl FnMut(u64, u8)) {
        self.folded.each_kind(text, spec, each);
    }

    /// Fills [`Scratch::vector`] with the document vector of `text`; returns how many bytes were looked at.
    pub fn vectorize(&mut self, text: &str, spec: &FeatureSpec) -> usize {
        let numbers = &mut self.numbers;
        numbers.forget();
        let looked_at = self.folded.emit(text, spec, |hash, count, _| numbers.count(hash | 1 << 63, count));
        numbers.weigh(spec.weighting, &mut self.by_number);
        self.offers = self.folded.offers;
        self.name_features();
        looked_at
    }

    /// Features of the text at hand by number.
    pub fn numbered(&self) -> &[Numbered] {
        self.numbers.features()
    }

    /// Sums up to each place of what [`Self::vectorize_located`] found, for [`Located::score`]: [`Scratch::terms`]
    /// holds, by number, what a feature is worth to each of `n_tables`.
    pub fn sum_located(&mut self, n_tables: usize) {
        self.located.sum(self.numbers.features(), &self.terms, n_tables);
    }

    /// Fills [`Scratch::by_number`] with the document vector of `text` and [`Scratch::located`] with where its features
    /// start; returns how many bytes the vector rests on. N-grams are located further than the vector has them, in a
    /// long text for [`located::REACH`] characters, and what starts from `tail` on once more where the vector does not
    /// reach the end of the text.
    pub fn vectorize_located(&mut self, text: &str, spec: &FeatureSpec, tail: usize) -> usize {
        self.numbers.forget();
        self.located.clear();
        let looked_at = self.folded.fold(text, spec.chars());
        let whole = Part { text, bytes: 0..looked_at, folded: &self.folded, spec, counted: true };
        self.located.add_words(&whole, &mut self.numbers);
        self.offers = self.located.add_marks(&whole, &mut self.numbers);
        self.numbers.weigh(spec.weighting, &mut self.by_number);
        if let Some(rest) = text.get(tail..).filter(|_| looked_at < text.len()) {
            self.tail.fold(rest, usize::MAX);
            let end = Part { text, bytes: tail..text.len(), folded: &self.tail, spec, counted: false };
            self.located.add_words(&end, &mut self.numbers);
            self.located.add_marks(&end, &mut self.numbers);
        }
        looked_at
    }

    /// Fills [`Scratch::vector`] with the n-grams and words, and nothing else, that `spec` takes of the text that was
    /// located last, for a spec that it is a part of ([`FeatureSpec::is_part_of`]).
    pub fn vectorize_part(&mut self, spec: &FeatureSpec) {
        self.numbers.forget_counts();
        self.located.count_words(spec, &self.folded, &mut self.numbers);
        self.numbers.weigh(spec.weighting, &mut self.by_number);
        self.name_features();
    }

    /// Fills [`Scratch::vector`] from [`Scratch::by_number`].
    fn name_features(&mut self) {
        self.vector.clear();
        self.vector.extend(self.by_number.iter().map(|of| self.numbers.named(of)));
    }
}

/// A text with something of everything the pipeline treats in its own way.
const PROBE: &str = "The Quick brown fox, 42 jumps! ÜBER straße \u{fb01}n Привет мир مرحبا می\u{200c}خواهم नमस्ते 世界 こんにちは 안녕 \
                     &amp; ＡＢＣ e\u{301} http://example.org";

/// A hash of what the pipeline makes of a probe text under `spec`.
pub fn fingerprint(spec: Option<&FeatureSpec>) -> u64 {
    let mut bytes = PIPELINE_VERSION.to_le_bytes().to_vec();
    bytes.extend_from_slice(&crate::noise::fingerprint(PROBE).unwrap_or(0).to_le_bytes());
    if let Some(spec) = spec {
        bytes.extend_from_slice(spec.describe().as_bytes());
        let mut scratch = Scratch::default();
        scratch.vectorize(normalize(PROBE, &[]).as_str(), spec);
        for (hash, weight) in &scratch.vector {
            bytes.extend_from_slice(&hash.to_le_bytes());
            bytes.extend_from_slice(&weight.to_le_bytes());
        }
    }
    xxhash_rust::xxh3::xxh3_64(&bytes)
}

/// What the folded characters do not show: links, capitals, digits, exclamation, each in coarse steps.
fn emit_shape(text: &str, emit: &mut impl FnMut(u64, u32, Place)) {
    let (mut upper, mut letters, mut digits, mut marks, mut money, mut emoji, mut all) =
        (0_u32, 0_u32, 0_u32, 0_u32, 0_u32, 0_u32, 0_u32);
    let (mut links, mut addresses) = (0_u32, 0_u32);
    let bytes = text.as_bytes();
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        if byte.is_ascii_alphabetic() {
            links += u32::from(matches!(byte, b'h' | b'w') && is_link_start(&bytes[at..]));
            upper += u32::from(byte.is_ascii_uppercase());
            (letters, all, at) = (letters + 1, all + 1, at + 1);
            continue;
        }
        let Some(c) = text[at..].chars().next() else { break };
        at += c.len_utf8();
        all += 1;
        let class = Class::of(c);
        if class.is_alphabetic() {
            letters += 1;
            upper += u32::from(class.is_uppercase());
        } else if class.is_numeric() {
            digits += 1;
        } else {
            match c {
                '@' => addresses += 1,
                '!' | '?' | '！' | '？' => marks += 1,
                '$' | '€' | '£' | '%' | '¥' | '₽' | '₹' | '₺' => money += 1,
                '\u{1F300}'..='\u{1FAFF}' | '\u{2600}'..='\u{27BF}' => emoji += 1,
                _ => {}
            }
        }
    }
    let step = |count: u32| 32 - count.leading_zeros();
    let share = |part: u32, whole: u32| (part * 10).checked_div(whole).unwrap_or(0);
    let whole = Place { start: 0, end: text.len() as u32 };
    let values = [
        step(links),
        step(addresses),
        step(marks),
        step(money),
        step(emoji),
        share(upper, letters),
        share(digits, all),
        step(all / 16),
    ];
    for (index, value) in values.into_iter().enumerate() {
        emit(mix(SHAPE_SEED + index as u64, u64::from(value)), 8, whole);
    }
}

fn is_link_start(bytes: &[u8]) -> bool {
    bytes.starts_with(b"http") || bytes.starts_with(b"www.")
}

/// What tests of training take from a text.
#[cfg(test)]
pub(crate) const SMALL_SPEC: FeatureSpec = FeatureSpec {
    ngram_max: 3,
    ngram_chars: 100,
    dense_chars: 100,
    word_chars: 100,
    word_weight: 1,
    weighting: Weighting::LogNormalized { norm: 30 },
    shape: false,
    marks: false,
    offers: false,
};

#[cfg(test)]
mod tests {
    use super::*;

    const SPEC: FeatureSpec = FeatureSpec {
        ngram_max: 3,
        ngram_chars: 100,
        dense_chars: 100,
        word_chars: 100,
        word_weight: 1,
        weighting: Weighting::Counts { cap: 255 },
        shape: false,
        marks: false,
        offers: false,
    };

    fn pieces(text: &str) -> Vec<&str> {
        let mut found = Vec::new();
        Scratch::default().emit(text, &SPEC, |_, _, place| {
            found.push(&text[place.start as usize..place.end as usize]);
        });
        found
    }

    #[test]
    fn n_grams_of_dense_characters_begin_further_into_a_text() {
        let at = |text: &str, dense_chars| {
            let spec = FeatureSpec { ngram_max: 1, ngram_chars: 3, dense_chars, word_chars: 0, ..SPEC };
            let mut found = String::new();
            Scratch::default().emit(text, &spec, |_, _, place| {
                found.push_str(&text[place.start as usize..place.end as usize]);
            });
            found
        };
        // folded characters beside the boundaries at both ends; Hangul is dense, kana and ideographs have no spaces
        let text = "abcd e 世界 f 안녕 g";
        assert_eq!(at(text, 3), "abc");
        assert_eq!(at(text, 8), "abc世");
        assert_eq!(at(text, 14), "abc世界안녕");
        assert_eq!(at("世界がabc", 5), "世界が");
        // an n-gram that begins within reach may end beyond it, as far as the text is looked at
        let long = FeatureSpec { ngram_chars: 1, dense_chars: 5, word_chars: 0, ..SPEC };
        let mut found = Vec::new();
        Scratch::default().emit("ab 世界x", &long, |_, _, place| found.push(place.start..place.end));
        assert_eq!(found.len(), 2 + 3 + 3 + 2, "{found:?}");
    }

    #[test]
    fn buffers_follow_the_texts_whatever_the_thread() {
        // Only texts as large as this one leave so many features, and other tests have none.
        let text: String =
            (0..3_000_u32).map(|i| format!("w{} ", char::from_u32(0x4e00 + i).unwrap())).collect();
        let spec = FeatureSpec { ngram_chars: 10_000, word_chars: 10_000, ..SPEC };
        let capacity = |text: &str| {
            with_shared_scratch(|| {
                with_scratch(|scratch| {
                    scratch.vectorize(text, &spec);
                    scratch.numbers.capacity()
                })
            })
        };
        let filled = std::thread::scope(|scope| scope.spawn(|| capacity(&text)).join().unwrap());
        assert!((9_000..KEPT_FEATURES).contains(&filled), "{filled}");
        // Others may have them now; as soon as nobody has, they are lent again.
        let again = (0..1_000).any(|_| {
            std::thread::yield_now();
            std::thread::scope(|scope| scope.spawn(|| capacity("short") == filled).join().unwrap())
        });
        assert!(again, "buffers of an ended thread are lost");
        // Within a text they are the thread's: asking twice gives the same.
        with_shared_scratch(|| {
            let at = |scratch: &mut Scratch| {
                scratch.vectorize("short", &spec);
                scratch.numbers.features().as_ptr()
            };
            assert_eq!(with_scratch(at), with_scratch(at));
        });
    }

    #[test]
    fn every_feature_has_a_kind() {
        let text = "Ab cde, 42 日本語 ghi jk";
        let mut scratch = Scratch::default();
        let mut listed: Vec<u64> = scratch.list(text, &SPEC).iter().map(|(hash, _)| *hash).collect();
        let mut kinds = Vec::new();
        scratch.each_kind(text, &SPEC, |hash, kind| kinds.push((hash | 1 << 63, kind)));
        assert!(kinds.iter().all(|(_, kind)| usize::from(*kind) < KINDS));
        let count = |kind| kinds.iter().filter(|(_, k)| *k == kind).count();
        // 13 letters and digits, 日本語 among them; words of two and more but for 日本語; bigrams past it
        assert_eq!([count(0), count(KIND_WORD), count(KIND_WORD + 1)], [15, 5, 4], "{kinds:?}");
        let mut named: Vec<u64> = kinds.into_iter().map(|(hash, _)| hash).collect();
        listed.sort_unstable();
        named.sort_unstable();
        assert_eq!(named, listed);
    }

    #[test]
    fn ngrams_stay_within_words() {
        // " ab ": a-boundary, the letters and their n-grams up to three; then the words and the bigram.
        let found = pieces("ab c");
        assert!(found.contains(&"ab"));
        assert!(!found.contains(&"b c"));
        assert_eq!(found.iter().filter(|p| **p == "ab c").count(), 0, "one letter is no word");
        assert!(pieces("ab cd").contains(&"ab cd"), "the bigram");
    }

    #[test]
    fn log_weights_have_the_norm() {
        let spec = FeatureSpec { weighting: Weighting::LogNormalized { norm: 30 }, ..SPEC };
        let mut scratch = Scratch::default();
        scratch.vectorize("the quick brown fox jumps over the lazy dog", &spec);
        let norm = scratch.vector.iter().map(|(_, w)| (f64::from(*w) / 1024.0).powi(2)).sum::<f64>().sqrt();
        assert!((norm - 30.0).abs() < 0.1, "{norm}");
    }

    #[test]
    fn case_digits_and_joiners_fold() {
        let vector = |text: &str| {
            let mut scratch = Scratch::default();
            scratch.vectorize(text, &SPEC);
            let mut vector = scratch.vector.clone();
            vector.sort_unstable();
            vector
        };
        assert_eq!(vector("Straße 12"), vector("STRAßE  99"));
        assert_eq!(vector("می\u{200c}خواهم"), vector("میخواهم"));
        assert_ne!(vector("ab"), vector("ba"));
    }

    proptest::proptest! {
        #[test]
        fn places_are_character_boundaries(text in "\\PC*") {
            Scratch::default().emit(&text, &SPEC, |_, _, place| {
                let _ = &text[place.start as usize..place.end as usize];
            });
        }
    }
}
