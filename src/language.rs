//! Which language a text is written in.

pub mod detector;
pub mod prior;
mod rows;
pub mod spans;
mod table;
pub mod vocabulary;
pub mod whatlang;

pub use rows::Found;

use crate::script::Script;
use smallvec::SmallVec;
use std::ops::Range;

/// A language by its ISO 639-3 code. Only languages of the table exist as values.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Language(u16);

/// A code of three letters as a number, in the order of the codes.
#[inline]
fn number(code: &str) -> Option<u32> {
    let [a, b, c] = <[u8; 3]>::try_from(code.as_bytes()).ok()?;
    Some(u32::from_be_bytes([0, a, b, c]))
}

impl Language {
    /// Accepts ISO 639-3, a macrolanguage code (`zho`, `ara`) or a BCP 47 tag (`en`, `zh-Hant`, `pt-BR`).
    pub fn parse(code: &str) -> Option<Self> {
        let mut lower = [0_u8; 3];
        let primary = code.split(['-', '_']).next().filter(|primary| primary.len() <= lower.len())?;
        let lower = &mut lower[..primary.len()];
        lower.copy_from_slice(primary.as_bytes());
        lower.make_ascii_lowercase();
        let primary = std::str::from_utf8(lower).ok()?;
        let rows = table::LANGUAGES;
        let code = number(primary);
        (code.and_then(|_| rows.binary_search_by(|row| number(row.0).cmp(&code)).ok()))
            .or_else(|| rows.iter().position(|row| row.2 == primary))
            .or_else(|| match primary {
                "ara" => Self::parse("arb").map(|l| l.0 as usize),
                "zho" => Self::parse("cmn").map(|l| l.0 as usize),
                "aze" => Self::parse("azj").map(|l| l.0 as usize),
                _ => rows.iter().position(|row| row.1 == primary),
            })
            .map(|i| Self(i as u16))
    }

    /// ISO 639-3.
    pub fn as_str(self) -> &'static str {
        table::LANGUAGES[self.0 as usize].0
    }

    /// The code under which results are compared: a macrolanguage where one is documented.
    pub fn folded(self) -> &'static str {
        table::LANGUAGES[self.0 as usize].1
    }

    /// The BCP 47 language subtag (`en`, `fa`, `yue`).
    pub fn bcp47(self) -> &'static str {
        table::LANGUAGES[self.0 as usize].2
    }

    /// The English name.
    pub fn name(self) -> &'static str {
        table::LANGUAGES[self.0 as usize].3
    }

    pub fn all() -> impl Iterator<Item = Self> {
        (0..table::LANGUAGES.len() as u16).map(Self)
    }
}

impl std::fmt::Debug for Language {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

/// One possible answer; probabilities of a list sum to at most 1.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LanguageCandidate {
    pub language: Language,
    pub script: Script,
    pub probability: f64,
}

/// Candidates, best first, without the heap where they are as few as usual.
pub type Ranked = SmallVec<[LanguageCandidate; 5]>;

/// What a text is, as a whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LanguageVerdict {
    /// One language.
    Known(Language),
    /// Letters, but no language can be told: `und`.
    Undetermined,
    /// No linguistic content (empty, digits, punctuation): `zxx`.
    NoContent,
    /// Several languages, none of them the host of the others: `mul`.
    Multiple,
}

#[derive(Clone, Debug, PartialEq)]
pub struct LanguageResult {
    pub verdict: LanguageVerdict,
    /// Dominant script; `Zyyy` when there are no letters.
    pub script: Script,
    pub probability: f64,
    pub reliable: bool,
    /// Its words are likelier invented than the answer's language.
    pub invented: bool,
    /// Best first, the answer itself included.
    pub alternatives: Ranked,
}

/// A run of one language, as byte offsets into the text.
#[derive(Clone, Debug, PartialEq)]
pub struct LanguageSpan {
    pub range: Range<usize>,
    pub language: Option<Language>,
    pub script: Script,
    pub probability: f64,
}

/// Anything that ranks the languages of a short piece of text; the noise detectors ask through this.
pub trait RankLanguages {
    /// At most `limit` candidates, best first; empty when nothing can be said.
    fn rank(&self, text: &str, limit: usize) -> Ranked;
}
