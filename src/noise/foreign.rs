//! Runs in a script or language that does not belong to the article's own.

mod letters;
pub mod lexicon;
mod sentence;
mod stray;

use super::{Host, NoiseKind, NoiseSpan};
use crate::language::{Language, RankLanguages, Ranked};
use crate::script::{Script, ScriptRun, id, id_of};
use std::cell::LazyCell;
use std::ops::Range;

pub(super) use sentence::{detect as sentences, words};
pub(super) use stray::{chinese_in_japanese, words as strays};

/// How many languages a span names at most.
const CANDIDATES: usize = 5;
/// The ranker sees this many bytes of a span at most.
const RANKED_BYTES: usize = 200;
/// A word or two must be this clearly another language's.
const LABEL_PROBABILITY: f64 = 0.85;
/// A label longer than this is text.
const LABEL_BYTES: usize = 120;

/// The ranker with a budget: hostile text must not buy more than a fixed number of calls.
pub(super) struct Ranker<'a> {
    pub(super) ranker: &'a dyn RankLanguages,
    pub(super) calls: usize,
}

impl Ranker<'_> {
    pub(super) fn rank(&mut self, text: &str) -> Ranked {
        if self.calls == 0 {
            return Ranked::new();
        }
        self.calls -= 1;
        let mut end = text.len().min(RANKED_BYTES);
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        self.ranker.rank(&text[..end], CANDIDATES)
    }
}

/// Spans of runs foreign to the host's script.
pub(super) fn scripts(
    text: &str,
    runs: &[ScriptRun],
    host: &Host,
    ranker: &mut Ranker<'_>,
    spans: &mut Vec<NoiseSpan>,
) {
    let own = host.script.id();
    if own <= id::UNKNOWN {
        return;
    }
    let brackets = LazyCell::new(|| Brackets::of(text));
    let mut index = 0;
    while index < runs.len() {
        let run = &runs[index];
        if run.group == own {
            if own == id::HANI && run.kana > 0 && host.script != Script::JAPANESE {
                kana_in_chinese(text, run, ranker, spans);
            }
            index += 1;
            continue;
        }
        let (range, letters, next) = joined(text, runs, index, own);
        index = next;
        let mut foreign = Foreign { text, range, group: run.group, letters, own, brackets: &brackets };
        let Some(confidence) = foreign.judge(host, ranker) else { continue };
        foreign.take_end();
        let script = foreign.script();
        let candidates = candidates(&text[foreign.range.clone()], script, ranker);
        spans.push(NoiseSpan {
            range: foreign.range,
            kind: NoiseKind::ForeignScript,
            script,
            candidates,
            confidence,
        });
    }
}

/// Joins pieces of one foreign sentence around a few words of another script in its middle.
fn joined(text: &str, runs: &[ScriptRun], first: usize, own: u8) -> (Range<usize>, u32, usize) {
    let run = &runs[first];
    let mut range = run.range.clone();
    let mut letters = run.letters;
    let mut next = first + 1;
    while let (Some(gap), Some(far)) = (runs.get(next), runs.get(next + 1)) {
        let between = &text[range.end..far.range.start];
        let enough = if gap.group == own { 15 } else { 5 };
        let joins = far.group == run.group
            && gap.letters <= 24
            && letters >= enough
            && far.letters >= enough
            && run.group != id::LATN
            && !between.contains(['\n', '“', '”', '"', '»', '«']);
        if !joins {
            break;
        }
        range.end = far.range.end;
        letters = letters.saturating_add(far.letters);
        next += 2;
    }
    (range, letters, next)
}

/// Labels of category lines in the host's own script but another language.
pub(super) fn labels(
    text: &str,
    lines: &[NoiseSpan],
    host: &Host,
    ranker: &mut Ranker<'_>,
    spans: &mut Vec<NoiseSpan>,
) {
    let Some(own) = host.language else { return };
    for line in lines.iter().filter(|s| s.kind == NoiseKind::Boilerplate) {
        // without the ranker's word no label is foreign
        if ranker.calls == 0 {
            return;
        }
        let s = &text[line.range.clone()];
        let Some(label) = super::boilerplate::frame(s, &Default::default()) else { continue };
        let range = line.range.start + label.start..line.range.start + label.end;
        let counts = crate::script::counts(&text[range.clone()]);
        if counts.letters() < 4 || counts.dominant().group() != host.script.group() {
            continue;
        }
        let (ranked, verdict) = match stray::label(&text[range.clone()], host, ranker) {
            Some((log_odds, ranked)) => (ranked, (log_odds > 0.0).then_some(0.8)),
            None => {
                let ranked = ranker.rank(&text[range.clone()]);
                let verdict = sentence::verdict(&ranked, own, LABEL_PROBABILITY);
                (ranked, verdict)
            }
        };
        if let Some(confidence) = verdict {
            let kind = NoiseKind::ForeignLanguage;
            spans.push(NoiseSpan {
                range,
                kind,
                script: host.script,
                candidates: ranked,
                confidence: confidence - 0.2,
            });
        }
    }
}

/// One foreign run and where it stands.
struct Foreign<'a, F> {
    text: &'a str,
    range: Range<usize>,
    group: u8,
    letters: u32,
    own: u8,
    brackets: &'a LazyCell<Brackets, F>,
}

impl<F: FnOnce() -> Brackets> Foreign<'_, F> {
    fn str(&self) -> &str {
        &self.text[self.range.clone()]
    }

    /// `Jpan` for Han with kana: a joined range may have gained some.
    fn script(&self) -> Script {
        let kana =
            self.group == id::HANI && self.str().chars().any(|c| matches!(id_of(c), id::HIRA | id::KANA));
        if kana { Script::JAPANESE } else { Script::from_id(self.group) }
    }

    fn words(&self) -> usize {
        self.str().split_whitespace().take(50).count()
    }

    /// How sure it is that the run does not belong; `None` where mixing is natural.
    fn judge(&self, host: &Host, ranker: &mut Ranker<'_>) -> Option<f64> {
        let frame = Frame::of(self.text, &self.range);
        if frame == Frame::Label {
            return Some(0.95);
        }
        // One letter of any script is a symbol, two of Latin an abbreviation; an ideograph is a word. Most runs of a text that mixes scripts at every letter end here.
        let natural = match self.group {
            id::LATN => self.letters < 3 && frame != Frame::Line,
            id::HANI => false,
            _ => self.letters == 1,
        };
        if natural {
            return None;
        }
        let words = self.words();
        if words <= 6 && self.letters <= 40 && self.bracketed() {
            return None;
        }
        match (self.own, self.group) {
            (_, id::LATN) => self.judge_latin(host, &frame, words, ranker),
            // Hanja, mostly names and glosses of one or two syllables
            (id::HANG, id::HANI) => {
                let kana = self.str().chars().any(|c| matches!(id_of(c), id::HIRA | id::KANA));
                (kana || self.letters >= 5 || frame == Frame::Line).then_some(0.7)
            }
            // letters of formulas and of names of particles and vitamins
            (_, id::GREK) if self.letters <= 2 => None,
            _ if digraphic(host.language, self.own, self.group)
                && (words > 1 || letters::is_serbian(self.str())) =>
            {
                None
            }
            _ => Some(if self.letters >= 3 { 0.9 } else { 0.6 }),
        }
    }

    /// Latin is the guest of every script: names, acronyms, units and English words are natural.
    fn judge_latin(&self, host: &Host, frame: &Frame, words: usize, ranker: &mut Ranker<'_>) -> Option<f64> {
        let s = self.str();
        let lower = s.split_whitespace().filter(|w| w.starts_with(char::is_lowercase)).count();
        if s.contains("://") || s.contains("www.") || s.contains('@') {
            return None;
        }
        if digraphic(host.language, self.own, self.group) && letters::is_serbian(s) && words > 1 {
            return None;
        }
        let plain =
            |s: &str| s.chars().all(|c| c.is_alphabetic() || c.is_whitespace() || c == '\'' || c == '-');
        if *frame == Frame::Line && plain(s) {
            return s.contains(char::is_lowercase).then_some(0.7);
        }
        if words >= 6 && lower * 2 >= words {
            return Some(0.85);
        }
        // joined to a digit or a sign it is a unit, a variable or a code
        let touches = |c: Option<char>| {
            c.is_some_and(|c| c.is_ascii_digit() || matches!(c, '-' | '/' | '_' | '&' | '+' | '='))
        };
        let before = self.text[..self.range.start].chars().next_back();
        let after = self.text[self.range.end..].chars().next();
        if touches(before) || touches(after) || !plain(s) || words > 2 || self.letters < 3 {
            return None;
        }
        if !s.chars().all(|c| !c.is_uppercase()) {
            return None;
        }
        if self.quoted() || (words > 1 && s.is_ascii()) || letters::is_loan(s) {
            return None;
        }
        let ranked = ranker.rank(s);
        let english = Language::parse("eng");
        let share = |l: Option<Language>| {
            ranked.iter().filter(|c| Some(c.language) == l).map(|c| c.probability).sum::<f64>()
        };
        let accented = s.chars().any(|c| !c.is_ascii() && c.is_alphabetic());
        if accented {
            return Some(0.75);
        }
        let top = ranked.first()?;
        (Some(top.language) != english && share(english) < 0.1 && self.letters >= 4).then_some(0.55)
    }

    /// Between brackets with nothing else: a gloss or the original of a name.
    fn bracketed(&self) -> bool {
        let before = self.text[..self.range.start].trim_end_matches([' ', '\u{A0}']).chars().next_back();
        let after = self.text[self.range.end..].trim_start_matches([' ', '.', '\u{A0}']).chars().next();
        let open = before.is_some_and(|c| matches!(c, '(' | '（' | '/' | ':' | ',' | '、' | ';'));
        let closed = after.is_some_and(|c| matches!(c, ')' | '）' | ',' | ';' | '、' | '/'));
        let really =
            before.is_some_and(|c| matches!(c, '(' | '（')) || after.is_some_and(|c| matches!(c, ')' | '）'));
        (open && closed && really) || self.in_brackets()
    }

    /// A word between quotation marks is spoken about.
    fn quoted(&self) -> bool {
        let quote = |c: char| {
            matches!(
                c,
                '"' | '\''
                    | '“'
                    | '”'
                    | '„'
                    | '‘'
                    | '’'
                    | '«'
                    | '»'
                    | '「'
                    | '」'
                    | '『'
                    | '』'
                    | '《'
                    | '》'
            )
        };
        self.text[..self.range.start].ends_with(quote) && self.text[self.range.end..].starts_with(quote)
    }

    /// Somewhere inside a short parenthesis.
    fn in_brackets(&self) -> bool {
        self.brackets.enclose(self.text, &self.range)
    }

    /// A whole sentence takes its full stop along.
    fn take_end(&mut self) {
        if self.letters < 20 {
            return;
        }
        if let Some(c) = self.text[self.range.end..].chars().next()
            && matches!(c, '.' | '!' | '?' | '。' | '！' | '？' | '।' | '۔' | '؟' | '։' | '።' | '៕')
        {
            self.range.end += c.len_utf8();
        }
    }
}

/// The round brackets of a text, so that no run has to look for those around it.
struct Brackets {
    /// Offsets, ascending, and whether it opens.
    places: Vec<(usize, bool)>,
}

impl Brackets {
    /// Characters up to a bracket, itself included.
    const REACH: usize = 60;

    fn of(text: &str) -> Self {
        let opens = |c| matches!(c, '(' | '（');
        let found = text.char_indices().filter(|(_, c)| opens(*c) || matches!(c, ')' | '）'));
        Self { places: found.map(|(at, c)| (at, opens(c))).collect() }
    }

    /// Whether the nearest bracket before a range opens and the nearest one after it closes, both near and on its
    /// line.
    fn enclose(&self, text: &str, range: &Range<usize>) -> bool {
        let before = self.places.partition_point(|(at, _)| *at < range.start).checked_sub(1);
        let after = self.places.partition_point(|(at, _)| *at < range.end);
        let (Some((from, true)), Some((to, false))) =
            (before.and_then(|i| self.places.get(i).copied()), self.places.get(after).copied())
        else {
            return false;
        };
        // bytes first: most brackets are far
        let near = |between: &str, most: usize| {
            between.len() <= 4 * most && !between.contains('\n') && between.chars().count() <= most
        };
        near(&text[from..range.start], Self::REACH) && near(&text[range.end..to], Self::REACH - 1)
    }
}

/// The kind of line a run stands in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Frame {
    /// After `Category:` or the like.
    Label,
    /// Alone on its line, but for brackets, bars and bullets around it.
    Line,
    Prose,
}

impl Frame {
    pub(super) fn of(text: &str, range: &Range<usize>) -> Self {
        let reach = |at: usize, back: bool| -> Option<usize> {
            let bytes = text.as_bytes();
            if back {
                let from = at.saturating_sub(LABEL_BYTES);
                match memchr::memrchr(b'\n', &bytes[from..at]) {
                    Some(i) => Some(from + i + 1),
                    None => (from == 0).then_some(0),
                }
            } else {
                let to = (at + LABEL_BYTES).min(bytes.len());
                match memchr::memchr(b'\n', &bytes[at..to]) {
                    Some(i) => Some(at + i),
                    None => (to == bytes.len()).then_some(to),
                }
            }
        };
        if range.len() > LABEL_BYTES {
            return Self::Prose;
        }
        let (Some(start), Some(end)) = (reach(range.start, true), reach(range.end, false)) else {
            return Self::Prose;
        };
        if end - start > 2 * LABEL_BYTES {
            return Self::Prose;
        }
        let (before, after) = (text[start..range.start].trim(), text[range.end..end].trim());
        let ornament = |s: &str| {
            s.chars().all(|c| {
                matches!(
                    c,
                    '[' | ']' | '|' | '»' | '«' | '#' | '—' | '–' | '-' | '*' | '•' | '>' | '<' | ' ' | '·'
                )
            })
        };
        if ornament(before) && ornament(after) {
            return if before.is_empty() { Self::Prose } else { Self::Line };
        }
        if super::boilerplate::frame(text[start..end].trim_end(), &Default::default()).is_some() {
            return Self::Label;
        }
        Self::Prose
    }
}

/// Serbian, Bosnian and Montenegrin are written in both scripts.
fn digraphic(language: Option<Language>, own: u8, group: u8) -> bool {
    matches!((own, group), (id::CYRL, id::LATN) | (id::LATN, id::CYRL))
        && language.is_some_and(|l| matches!(l.as_str(), "srp" | "bos" | "hbs" | "cnr"))
}

/// The language whose words and letters a variety of it is written in.
fn written(language: Language) -> &'static str {
    if language.folded() == "ara" { "arb" } else { language.as_str() }
}

/// Japanese inside Chinese: stretches around kana, up to the next punctuation.
fn kana_in_chinese(text: &str, run: &ScriptRun, ranker: &mut Ranker<'_>, spans: &mut Vec<NoiseSpan>) {
    let mut start = run.range.start;
    let piece = |start: usize, end: usize, ranker: &mut Ranker<'_>, spans: &mut Vec<NoiseSpan>| {
        let s = &text[start..end];
        let is_kana = |c: char| matches!(id_of(c), id::HIRA | id::KANA);
        let kana = s.chars().filter(|c| is_kana(*c)).count();
        // a single kana is a brand's ornament
        if kana < 2 {
            return;
        }
        let han = s.chars().count() - kana;
        let (start, end) = if han > kana * 3 {
            // mostly Chinese around it: only from the first kana to the last
            let first = s.find(is_kana).unwrap_or(0);
            let last =
                s.char_indices().rev().find(|(_, c)| is_kana(*c)).map_or(s.len(), |(i, c)| i + c.len_utf8());
            (start + first, start + last)
        } else {
            (start, end)
        };
        spans.push(NoiseSpan {
            range: start..end,
            kind: NoiseKind::ForeignLanguage,
            script: Script::JAPANESE,
            candidates: candidates(&text[start..end], Script::JAPANESE, ranker),
            confidence: 0.85,
        });
    };
    for (i, c) in text[run.range.clone()].char_indices() {
        if id_of(c) == id::COMMON && !matches!(c, 'ー' | '・' | '々') {
            piece(start, run.range.start + i, ranker, spans);
            start = run.range.start + i + c.len_utf8();
        }
    }
    piece(start, run.range.end, ranker, spans);
}

/// Ranked languages of a foreign span: the ranker's word on its script, and the letters' own testimony.
pub(super) fn candidates(text: &str, script: Script, ranker: &mut Ranker<'_>) -> Ranked {
    let ranked: Ranked =
        ranker.rank(text).into_iter().filter(|c| c.script.group() == script.group()).collect();
    let mut ranked = letters::testify(text, script, ranked, CANDIDATES);
    stray::by_words(text, script, &mut ranked);
    ranked
}
