//! What does not belong to the article's own text, as spans with byte offsets.
//!
//! Two passes, so that the language can be identified in between on what is left: [`scan`] needs no idea of
//! the language, [`finish`] knows the host and judges foreign scripts and languages.

mod boilerplate;
mod foreign;
mod gibberish;
mod homoglyph;
mod invisible;
mod markup;
mod mojibake;
mod told;

pub use boilerplate::line::{
    SLOTS as LINE_SLOTS, UNIT as LINE_UNIT, features as line_features, log_odds as line_log_odds,
};
pub use boilerplate::{BoilerplateSet, fingerprint};
pub use foreign::lexicon;
pub use homoglyph::latin_look_alike;
pub(crate) use told::told;

use crate::language::{Language, RankLanguages, Ranked};
use crate::script::{Script, ScriptCounts, ScriptRun};
use smallvec::SmallVec;
use std::ops::Range;

/// How often one article may ask the ranker.
const RANKER_CALLS: usize = 48;

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
    pub candidates: Ranked,
    /// 0 to 1.
    pub confidence: f64,
}

/// Ranges of a text, few as a rule.
pub type Ranges = SmallVec<[Range<usize>; 8]>;

/// What the article itself is written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Host {
    pub language: Option<Language>,
    pub script: Script,
}

/// What the detectors draw on.
#[derive(Clone, Copy)]
pub struct Resources<'a> {
    pub boilerplate: &'a BoilerplateSet,
    pub ranker: &'a dyn RankLanguages,
}

/// What can be said before the language is known.
#[derive(Clone, Debug, Default)]
pub struct FirstPass {
    runs: Vec<ScriptRun>,
    counts: ScriptCounts,
    chars: usize,
    spans: Vec<NoiseSpan>,
}

impl FirstPass {
    /// The script with the most weight, noise included; `Zyyy` without letters.
    pub fn script(&self) -> Script {
        self.counts.dominant()
    }

    pub fn counts(&self) -> &ScriptCounts {
        &self.counts
    }

    pub fn runs(&self) -> &[ScriptRun] {
        &self.runs
    }

    /// Characters of the text.
    pub fn chars(&self) -> usize {
        self.chars
    }

    /// Noise found so far: sorted, not overlapping.
    pub fn spans(&self) -> &[NoiseSpan] {
        &self.spans
    }

    /// What to leave out when identifying the language: sorted, not overlapping. Look-alike words stay.
    pub fn skip(&self) -> Ranges {
        let kept = |kind| matches!(kind, NoiseKind::Homoglyph | NoiseKind::BidiControl);
        self.spans.iter().filter(|s| !kept(s.kind)).map(|s| s.range.clone()).collect()
    }
}

/// Both passes with a host that is known already.
pub fn detect(text: &str, host: &Host, resources: &Resources<'_>) -> Vec<NoiseSpan> {
    finish(text, scan(text, resources.boilerplate), host, resources.ranker)
}

/// The first pass: everything that needs no knowledge of the language.
pub fn scan(text: &str, set: &BoilerplateSet) -> FirstPass {
    let survey = crate::script::survey(text);
    let mut spans = Vec::new();
    boilerplate::detect(text, set, &mut spans);
    if !survey.format.is_empty() {
        invisible::detect(text, &survey.format, &mut spans);
    }
    if !survey.suspects.is_empty() {
        mojibake::detect(text, &survey.suspects, &mut spans);
    }
    homoglyph::detect(text, &survey.runs, &mut spans);
    if survey.markup {
        markup::detect(text, &mut spans);
    }
    gibberish::detect(text, &mut spans);
    FirstPass { runs: survey.runs, counts: survey.counts, chars: survey.chars, spans: resolve(spans) }
}

/// The second pass, for the host's language and script.
///
/// The spans are sorted by start and do not overlap, with one exception: a BOILERPLATE line may contain
/// foreign spans (`Category: … No comments` around a foreign label). The line comes first.
pub fn finish(text: &str, first: FirstPass, host: &Host, ranker: &dyn RankLanguages) -> Vec<NoiseSpan> {
    if text.is_empty() {
        return first.spans;
    }
    let mut ranker = foreign::Ranker { ranker, calls: RANKER_CALLS };
    let mut found = Vec::new();
    foreign::scripts(text, &first.runs, host, &mut ranker, &mut found);
    // a sentence in a foreign script is not also a foreign sentence of the host's
    let skip = Known::of(&first.spans, &found);
    foreign::sentences(text, host, &skip, &mut ranker, &mut found);
    foreign::words(text, host, &mut ranker, &mut found);
    let skip = Known::of(&first.spans, &found);
    foreign::strays(text, host, &skip, &mut ranker, &mut found);
    foreign::chinese_in_japanese(text, host, &skip, &mut ranker, &mut found);
    foreign::labels(text, &first.spans, host, &mut ranker, &mut found);
    let mut spans = first.spans;
    spans.append(&mut found);
    resolve(spans)
}

/// Noise found before: what a detector need not look at again.
#[derive(Clone, Debug)]
struct Known {
    range: Range<usize>,
    kind: NoiseKind,
}

impl Known {
    /// In order.
    fn of(first: &[NoiseSpan], found: &[NoiseSpan]) -> SmallVec<[Self; 16]> {
        let spans = first.iter().chain(found);
        let mut known: SmallVec<_> = spans.map(|s| Self { range: s.range.clone(), kind: s.kind }).collect();
        known.sort_by_key(|known: &Self| known.range.start);
        known
    }
}

/// Share of the text's characters inside noise, 0 to 1.
pub fn ratio(text: &str, spans: &[NoiseSpan]) -> f64 {
    let (mut inside, mut reached) = (0usize, 0usize);
    for span in spans {
        let start = span.range.start.max(reached);
        if let Some(s) = text.get(start..span.range.end) {
            inside += s.chars().count();
            reached = span.range.end;
        }
    }
    if inside == 0 { 0.0 } else { inside as f64 / text.chars().count() as f64 }
}

/// Which of two overlapping spans stays: the one that explains more.
fn rank(kind: NoiseKind) -> u8 {
    match kind {
        NoiseKind::Mojibake => 9,
        NoiseKind::Boilerplate => 8,
        NoiseKind::BidiControl => 7,
        NoiseKind::Homoglyph => 6,
        NoiseKind::Markup => 5,
        NoiseKind::ForeignScript => 4,
        NoiseKind::ForeignLanguage => 3,
        NoiseKind::Gibberish | NoiseKind::Repetition => 2,
        NoiseKind::Invisible => 1,
    }
}

/// Sorts spans and removes overlaps, but for foreign spans inside boilerplate.
fn resolve(mut spans: Vec<NoiseSpan>) -> Vec<NoiseSpan> {
    spans.retain(|s| !s.range.is_empty());
    if spans.len() < 2 {
        return spans;
    }
    spans.sort_by(|a, b| {
        (a.range.start, b.range.end, rank(b.kind)).cmp(&(b.range.start, a.range.end, rank(a.kind)))
    });
    // those that stay are moved to the front
    let mut kept = 0;
    // the boilerplate line that is open, and where its last nested span ends
    let mut line = 0..0;
    let mut nested_end = 0;
    for next in 0..spans.len() {
        let NoiseSpan { range, kind, .. } = &spans[next];
        let (range, kind) = (range.clone(), *kind);
        let foreign = matches!(kind, NoiseKind::ForeignScript | NoiseKind::ForeignLanguage);
        if foreign && range.start >= line.start && range.end <= line.end && range != line {
            if range.start >= nested_end {
                nested_end = range.end;
                spans.swap(kept, next);
                kept += 1;
            }
            continue;
        }
        let free = loop {
            match kept.checked_sub(1).and_then(|last| spans.get(last)) {
                Some(last) if last.range.end.max(line.end) > range.start => {
                    if line.end > range.start || rank(last.kind) >= rank(kind) {
                        break false;
                    }
                    // a hidden character in a foreign sentence yields to nothing but stays cheaper than the sentence
                    kept -= 1;
                }
                _ => break true,
            }
        };
        if free {
            if kind == NoiseKind::Boilerplate {
                nested_end = range.start;
                line = range;
            }
            spans.swap(kept, next);
            kept += 1;
        }
    }
    spans.truncate(kept);
    spans
}

#[cfg(test)]
mod tests;
