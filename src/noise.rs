//! What does not belong to the article's own text, as spans with byte offsets.

use crate::language::LanguageCandidate;
use crate::script::Script;
use std::ops::Range;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum NoiseKind {
    /// A run in a script that does not belong.
    ForeignScript,
    /// Same script, other language.
    ForeignLanguage,
    /// Look-alike characters of another script inside a word (UTS 39 confusables).
    Homoglyph,
    /// Zero-width and other format characters.
    Invisible,
    /// Bidirectional controls.
    BidiControl,
    /// Text decoded with the wrong encoding.
    Mojibake,
    /// Comment forms, cookie banners, player help, navigation, share lines.
    Boilerplate,
    /// Tags, entities, style and script remnants.
    Markup,
    /// Random letters, keyboard mash, base64 or hex runs.
    Gibberish,
    /// The same characters or words over and over.
    Repetition,
}

/// Evidence that a piece of text is noise; not a verdict on its author.
#[derive(Clone, Debug, PartialEq)]
pub struct NoiseSpan {
    /// UTF-8 byte offsets, on character boundaries.
    pub range: Range<usize>,
    pub kind: NoiseKind,
    pub script: Script,
    /// Ranked languages of a foreign span, best first; the best one is the span's language.
    pub candidates: Vec<LanguageCandidate>,
    /// 0 to 1.
    pub confidence: f64,
}
