//! What a language's words look like: a sketch of its letter trigrams and of its frequent words.
//!
//! Counted by `examples/foreign_words.rs`; only hashes and quantised log probabilities are kept. It answers at
//! the cost of a few look-ups, so the ranker is asked about a word in a thousand.

use crate::class::lower;
use crate::language::Language;
use crate::script::{Script, id, is_letter};

/// Languages with a sketch, in the order of the table.
pub const LANGUAGES: [&str; 42] = [
    "eng_Latn", "deu_Latn", "spa_Latn", "fra_Latn", "ces_Latn", "hun_Latn", "nld_Latn", "swe_Latn",
    "tur_Latn", "pol_Latn", "ron_Latn", "vie_Latn", "ita_Latn", "ind_Latn", "fin_Latn", "por_Latn",
    "hrv_Latn", "cat_Latn", "dan_Latn", "nob_Latn", "slk_Latn", "slv_Latn", "est_Latn", "lvs_Latn",
    "lit_Latn", "swh_Latn", "tgl_Latn", "rus_Cyrl", "ukr_Cyrl", "bel_Cyrl", "bul_Cyrl", "srp_Cyrl",
    "mkd_Cyrl", "kaz_Cyrl", "arb_Arab", "pes_Arab", "urd_Arab", "ckb_Arab", "pbt_Arab", "hin_Deva",
    "npi_Deva", "mar_Deva",
];
/// Families of the languages above: what three of them share is an international word.
const FAMILIES: &[u8; LANGUAGES.len()] = b"GGRRSUGGTSRVRAURSRGGSSUBBNASSSSSSTEIICIIII";
/// Half-bytes of trigrams, then bits of words, of one language.
const TRIGRAMS: usize = 1 << 14;
const WORDS: usize = 1 << 18;
pub const BYTES: usize = TRIGRAMS / 2 + WORDS / 8;
/// The hash functions of a word.
const SALTS: [u32; 4] = [21, 22, 23, 24];
/// Letters left of a word whose end is taken off to find the word it is a form of.
const FORM: usize = 4;
/// Letters of the longest word looked at.
const LONGEST: usize = 24;
/// Natural logs per level of a trigram's probability; level 0 is one never met.
const STEP: f32 = 0.5;

/// Ideographs of Chinese that Japanese does not have, a bit each.
static CHINESE: &[u8; 0x5200 / 8] = include_bytes!("han.bin");

/// The sketches of `lexicon.bin` with the languages side by side (`build/lexicon_table.rs`): half-bytes of a
/// trigram's slot, the first language in the low half of the first byte, and bits of a word's.
const TRIGRAM_BYTES: usize = 24;
const WORD_BYTES: usize = 8;
static TRIGRAMS_OF_ALL: &[u8; TRIGRAM_BYTES * TRIGRAMS] =
    include_bytes!(concat!(env!("OUT_DIR"), "/lexicon_trigrams.bin"));
static WORDS_OF_ALL: &[u8; WORD_BYTES * WORDS] =
    include_bytes!(concat!(env!("OUT_DIR"), "/lexicon_words.bin"));

/// One language's sketch, by its place in [`LANGUAGES`].
#[derive(Clone, Copy)]
pub struct Sketch(usize);

impl Sketch {
    pub fn at(index: usize) -> Self {
        Self(index)
    }

    fn level(self, trigram: u32) -> u32 {
        let level = |salt| u32::from(trigram_slot(trigram, salt)[self.0 / 2] >> (4 * (self.0 % 2)) & 15);
        level(11).min(level(12))
    }

    fn knows(self, hash: u32) -> bool {
        SALTS.into_iter().all(|salt| word_slot(hash, salt) >> self.0 & 1 == 1)
    }

    /// Whether the word is a frequent one.
    pub fn knows_word(self, word: &Word) -> bool {
        self.knows(word.hash)
    }

    /// Whether the word without its last letters, three at most, is a frequent one.
    pub fn knows_form(self, word: &Word) -> bool {
        word.shorter.iter().any(|hash| *hash != 0 && self.knows(*hash))
    }

    /// Mean log probability of the word's trigrams, and how many were never met.
    pub fn trigrams(self, word: &Word) -> (f32, u32) {
        let (mut sum, mut unseen) = (0, 0);
        for trigram in word.trigrams() {
            let level = self.level(*trigram);
            sum += level;
            unseen += u32::from(level == 0);
        }
        (mean_log(sum, word), unseen)
    }
}

/// The half-bytes of a trigram, two languages a byte.
fn trigram_slot(trigram: u32, salt: u32) -> [u8; TRIGRAM_BYTES] {
    let at = TRIGRAM_BYTES * ((mix(trigram, salt) >> 8) as usize % TRIGRAMS);
    TRIGRAMS_OF_ALL[at..].first_chunk().copied().unwrap_or([0; TRIGRAM_BYTES])
}

/// A bit for every language.
fn word_slot(hash: u32, salt: u32) -> u64 {
    let at = WORD_BYTES * ((mix(hash, salt) >> 8) as usize % WORDS);
    WORDS_OF_ALL[at..].first_chunk().map_or(0, |bits| u64::from_le_bytes(*bits))
}

/// Mean log probability of a word's trigrams from the sum of their levels.
fn mean_log(levels: u32, word: &Word) -> f32 {
    STEP * (levels as f32 / word.n.max(1) as f32 - 15.0)
}

/// The sum of the levels of a word's trigrams, by language.
fn levels_of_all(word: &Word) -> [u16; 2 * TRIGRAM_BYTES] {
    let (mut low, mut high) = ([0_u16; TRIGRAM_BYTES], [0_u16; TRIGRAM_BYTES]);
    for &trigram in word.trigrams() {
        let (a, b) = (trigram_slot(trigram, 11), trigram_slot(trigram, 12));
        for i in 0..TRIGRAM_BYTES {
            low[i] += u16::from((a[i] & 15).min(b[i] & 15));
            high[i] += u16::from((a[i] >> 4).min(b[i] >> 4));
        }
    }
    std::array::from_fn(|language| if language % 2 == 0 { low[language / 2] } else { high[language / 2] })
}

/// A bit for every language that has the word of this hash among its frequent ones.
fn knowing(hash: u32) -> u64 {
    SALTS.into_iter().fold(u64::MAX, |knowing, salt| knowing & word_slot(hash, salt))
}

/// Words of a sentence looked at, and how many are needed, to call it a language's by its words alone.
const CLEAR_WORDS: usize = 16;
const FEWEST_WORDS: u32 = 6;
/// By how many words that language must lead all others.
const CLEAR_LEAD: u32 = 3;

/// How many of a sentence's first words are frequent ones of the language that knows most of them, of the one that
/// knows most of the others, and how many there are.
#[derive(Clone, Copy, Debug)]
pub struct Clarity {
    pub language: usize,
    pub own: u32,
    pub next: u32,
    pub words: u32,
}

/// What the frequent words of a sentence say, at the cost of a few look-ups a word.
pub fn clarity(sentence: &str) -> Clarity {
    let mut known = [0_u32; u64::BITS as usize];
    let mut n = 0;
    for word in words(sentence).take(CLEAR_WORDS) {
        n += 1;
        let hash = word.chars().fold(0, |hash, c| mix(hash, lower(c) as u32));
        let mut knowing = knowing(hash);
        while knowing != 0 {
            known[knowing.trailing_zeros() as usize] += 1;
            knowing &= knowing - 1;
        }
    }
    let (mut language, mut own, mut next) = (0, 0, 0);
    for (at, &known) in known.iter().enumerate() {
        if known > own {
            (language, own, next) = (at, known, own);
        } else {
            next = next.max(known);
        }
    }
    Clarity { language, own, next, words: n }
}

/// Languages with relatives that have no sketch and that their words do not tell from them: Arabic's dialects, Dari,
/// Malay, Bosnian, Awadhi, Cebuano, Nynorsk, Galician, Kashmiri.
const SHARED: [&str; 9] = ["arb", "pes", "ind", "hrv", "hin", "tgl", "nob", "por", "urd"];

impl Clarity {
    /// The language and its script, where [`Self::is_clear`] of it means no other.
    pub fn alone(&self) -> Option<(Language, Script)> {
        let (code, script) = LANGUAGES.get(self.language)?.split_once('_')?;
        if !self.is_clear() || SHARED.contains(&code) {
            return None;
        }
        Some((Language::parse(code)?, Script::parse(script)?))
    }

    /// Whether the sentence is clearly of that language: two words in three are frequent ones of it, and no other
    /// language knows nearly as many.
    pub fn is_clear(&self) -> bool {
        self.words >= FEWEST_WORDS && 3 * self.own >= 2 * self.words && self.own >= self.next + CLEAR_LEAD
    }
}

/// Writes a sketch: words in order of frequency, trigrams with the log of their conditional probability.
pub fn sketch(words: impl Iterator<Item = Word>, trigrams: impl Iterator<Item = (u32, f32)>) -> Vec<u8> {
    let mut bytes = vec![0; BYTES];
    let mut learn = |hash: u32| {
        for salt in SALTS {
            let bit = (mix(hash, salt) >> 8) as usize % WORDS;
            bytes[TRIGRAMS / 2 + bit / 8] |= 1 << (bit % 8);
        }
    };
    for word in words {
        learn(word.hash);
    }
    for (trigram, log_p) in trigrams {
        let level = (15.0 + log_p / STEP).round().clamp(1.0, 15.0) as u8;
        for salt in [11, 12] {
            let slot = (mix(trigram, salt) >> 8) as usize % TRIGRAMS;
            let (byte, shift) = (&mut bytes[slot / 2], 4 * (slot % 2));
            let old = *byte >> shift & 15;
            *byte = *byte & !(15 << shift) | old.max(level) << shift;
        }
    }
    bytes
}

/// A word as the sketches see it: in lower case, with its beginning and its end.
#[derive(Clone, Copy)]
pub struct Word {
    hash: u32,
    /// Hashes without the last letter, the last two, the last three; 0 where too little is left.
    shorter: [u32; 3],
    trigrams: [u32; LONGEST + 1],
    n: usize,
}

impl Word {
    /// `None` for a word too long to be one.
    pub fn new(word: &str) -> Option<Self> {
        let mut this = Self { hash: 0, shorter: [0; 3], trigrams: [0; LONGEST + 1], n: 0 };
        let (mut a, mut b) = (1, 1);
        for c in word.chars() {
            let c = lower(c) as u32;
            if this.n >= FORM {
                this.shorter = [this.hash, this.shorter[0], this.shorter[1]];
            }
            this.hash = mix(this.hash, c);
            *this.trigrams.get_mut(this.n)? = mix(mix(a, b), c);
            this.n += 1;
            (a, b) = (b, c);
        }
        *this.trigrams.get_mut(this.n)? = mix(mix(a, b), 2);
        this.n += 1;
        Some(this)
    }

    pub fn trigrams(&self) -> &[u32] {
        &self.trigrams[..self.n]
    }

    pub fn letters(&self) -> usize {
        self.n - 1
    }
}

/// Whether an ideograph is written in Chinese and not in Japanese.
pub fn is_chinese_only(c: char) -> bool {
    let index = (c as usize).wrapping_sub(0x4E00);
    CHINESE.get(index / 8).is_some_and(|byte| byte >> (index % 8) & 1 == 1)
}

/// Languages of too few words to say what is not theirs, and Nepali, whose learned words are Hindi's.
const THIN: [&str; 7] = ["est", "bel", "kaz", "ckb", "pbt", "mar", "npi"];

/// Whether what a language does not know is hardly its own.
pub fn is_rich(index: usize) -> bool {
    LANGUAGES[index].get(..3).is_some_and(|code| !THIN.contains(&code))
}

/// Words of a text: what stands between signs, blanks and digits.
pub fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c| !is_letter(c)).filter(|word| !word.is_empty())
}

/// Where a language has its sketch.
pub fn index(language: &str, script: Script) -> Option<usize> {
    let [a, b, c] = <[u8; 3]>::try_from(language.as_bytes()).ok()?;
    let [d, e, f, g] = script.code();
    let wanted = [a, b, c, b'_', d, e, f, g];
    LANGUAGES.iter().position(|code| code.as_bytes() == wanted)
}

fn mix(hash: u32, value: u32) -> u32 {
    let mixed = (hash.rotate_left(5) ^ value).wrapping_mul(0x9E37_79B1);
    mixed ^ (mixed >> 15)
}

/// Whether the language knows the word or a form of it: what nearly all words of an article are asked first.
pub fn is_own(word: &str, host: usize) -> bool {
    let sketch = Sketch::at(host);
    let (mut hash, mut shorter, mut n) = (0, [0; 3], 0);
    for c in word.chars() {
        if n >= FORM {
            shorter = [hash, shorter[0], shorter[1]];
        }
        hash = mix(hash, lower(c) as u32);
        n += 1;
    }
    sketch.knows(hash) || shorter.iter().any(|hash| *hash != 0 && sketch.knows(*hash))
}

/// What tells a word of another language from one of the host's that is merely rare.
#[derive(Clone, Copy, Debug, Default)]
pub struct Traits {
    /// Mean log probability of its trigrams in the host.
    pub host: f32,
    /// How much likelier they are in the best other language: in all, and each.
    pub gain: f32,
    pub mean_gain: f32,
    /// The other language knows the word.
    pub known: bool,
    /// Families of other languages that know the word.
    pub families: u32,
    /// Just one other language knows it.
    pub single: bool,
    /// Trigrams the host never has.
    pub unseen: u32,
    pub letters: usize,
    pub other: usize,
}

/// `None` for a word the host knows, or that looks like its own.
pub fn traits(word: &Word, host: usize) -> Option<Traits> {
    let sketch = Sketch::at(host);
    if sketch.knows_word(word) || sketch.knows_form(word) {
        return None;
    }
    let (own, unseen) = sketch.trigrams(word);
    let mut best = Traits { host: own, unseen, letters: word.letters(), ..Traits::default() };
    let mut best_score = f32::NEG_INFINITY;
    let (mut families, mut knowers) = (0_u32, 0);
    let script_of = |code: &str| code.as_bytes().last_chunk::<4>().copied();
    let script = script_of(LANGUAGES[host]);
    let (levels, knowing) = (levels_of_all(word), knowing(word.hash));
    for (other, code) in LANGUAGES.iter().enumerate() {
        if other == host || script_of(code) != script {
            continue;
        }
        let known = knowing >> other & 1 == 1;
        if known {
            families |= 1 << (FAMILIES[other] - b'A');
            knowers += 1;
        }
        let mean = mean_log(u32::from(levels[other]), word);
        let score = mean * word.n as f32 + if known { 4.0 } else { 0.0 };
        if score > best_score {
            best_score = score;
            best.mean_gain = mean - own;
            best.gain = best.mean_gain * word.n as f32;
            best.known = known;
            best.other = other;
        }
    }
    best.families = families.count_ones();
    best.single = knowers == 1;
    Some(best)
}

/// Scripts in which words can be judged one by one.
pub fn is_judged(script: u8) -> bool {
    matches!(script, id::LATN | id::CYRL | id::ARAB) || Script::from_id(script).as_str() == "Deva"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_language_knows_its_frequent_words() {
        for (code, known, unknown) in [
            ("eng", "water", "szczęście"),
            ("deu", "wasser", "szczęście"),
            ("pol", "woda", "gözlük"),
            ("tur", "kitap", "szczęście"),
        ] {
            let sketch = Sketch::at(index(code, Script::LATIN).unwrap());
            let word = |text| Word::new(text).unwrap();
            assert!(sketch.knows_word(&word(known)), "{code} {known}");
            assert!(!sketch.knows_word(&word(unknown)), "{code} {unknown}");
            assert!(sketch.trigrams(&word(known)).0 > sketch.trigrams(&word(unknown)).0, "{code}");
        }
        for text in ["water", "szczęście", "лодка", "qqqq"] {
            let word = Word::new(text).unwrap();
            let (levels, knowing) = (levels_of_all(&word), knowing(word.hash));
            for (at, code) in LANGUAGES.iter().enumerate() {
                let sketch = Sketch::at(at);
                assert_eq!(knowing >> at & 1 == 1, sketch.knows_word(&word), "{code} {text}");
                assert_eq!(mean_log(u32::from(levels[at]), &word), sketch.trigrams(&word).0, "{code} {text}");
            }
        }
        let clear = clarity("All of the boats were lying in the harbour when the storm came up.");
        assert_eq!(clear.alone(), Some((Language::parse("eng").unwrap(), Script::LATIN)), "{clear:?}");
        assert!(!clarity("All of the boats").is_clear(), "too few words");
        assert!(!clarity("Han var ikke i huset da de kom hjem fra byen.").is_clear(), "Danish or Norwegian");
        let arabic = clarity("وقال الرئيس في المؤتمر إن الحكومة لم تكن على علم بذلك من قبل");
        assert!(arabic.is_clear() && arabic.alone().is_none(), "or a dialect: {arabic:?}");
        assert!(is_chinese_only('们') && !is_chinese_only('水'));
        assert!(Word::new(&"a".repeat(40)).is_none());
    }
}
