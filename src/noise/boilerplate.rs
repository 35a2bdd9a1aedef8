//! Lines that belong to the page, not to the article: comment forms, cookie banners, player help, navigation.
//!
//! Three kinds of evidence, always for a whole line: its fingerprint is that of a known template line; it is
//! a frame (`Category: … No comments`) around a label; or its own statistics give it away.

pub mod line;
mod phrases;
mod prints;

use super::{NoiseKind, NoiseSpan};
use crate::class::{Class, is_alphabetic};
use crate::language::Ranked;
use crate::script::Script;
use prints::Prints;
use smallvec::SmallVec;
use std::borrow::Cow;
use std::ops::Range;
use unicode_normalization::UnicodeNormalization;
use xxhash_rust::xxh3::xxh3_64;

/// Lines longer than this many bytes are article text.
const LINE_REACH: usize = 400;
/// Nearly all template lines are shorter than this many bytes (995 in 1,000 of those collected).
const TEMPLATE_REACH: usize = 240;

/// Log-odds from which a line is boilerplate wherever it stands: one sentence in a thousand has them.
const LINE_SURE: f32 = 0.0;
/// The same for a whole sentence: articles are made of them.
const LINE_SURE_SENTENCE: f32 = 2.0;
/// The same for a line of one word or two: so are headings.
const LINE_SURE_SHORT: f32 = 3.0;
/// And from which it is beside other boilerplate or at an edge.
const LINE_WEAK: f32 = -1.0;

/// Fingerprints of normalised template lines; the lines themselves are never kept.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BoilerplateSet {
    prints: Prints,
}

impl BoilerplateSet {
    pub fn from_fingerprints(fingerprints: Vec<u64>) -> Self {
        Self { prints: fingerprints.into() }
    }

    pub fn contains(&self, fingerprint: u64) -> bool {
        self.prints.contains(fingerprint)
    }

    /// Sorted, without doubles.
    pub fn as_slice(&self) -> &[u64] {
        self.prints.as_slice()
    }
}

/// The fingerprint of a template line or of a line of text: of its words alone, in lower case, with numbers
/// and placeholders (`%s`, `{{name}}`) left out. `None` for a line without letters or too long.
pub fn fingerprint(line: &str) -> Option<u64> {
    if line.len() > TEMPLATE_REACH {
        return None;
    }
    let mut writer = WordWriter { words: SmallVec::new(), gap: false };
    if line.is_ascii() {
        write_ascii(line.as_bytes(), &mut writer);
    } else {
        let plain = match line.contains(['%', '{', '$']) {
            true => Cow::Owned(without_placeholders(line)),
            false => Cow::Borrowed(line),
        };
        let mut push = |c: char| match crate::text::lower(c) {
            Some(c) => writer.push(c),
            None => c.to_lowercase().for_each(|c| writer.push(c)),
        };
        if plain.chars().all(|c| c.is_ascii() || Class::of(c).is_settled()) {
            plain.chars().for_each(&mut push);
        } else {
            plain.nfkc().for_each(&mut push);
        }
    }
    (!writer.words.is_empty()).then(|| xxh3_64(&writer.words))
}

/// Collects words with one blank between them.
struct WordWriter {
    words: SmallVec<[u8; TEMPLATE_REACH]>,
    gap: bool,
}

impl WordWriter {
    fn push(&mut self, c: char) {
        // a number counts as a placeholder: it stands where templates have one
        if crate::script::id_of(c) > crate::script::id::COMMON || (!c.is_ascii() && is_alphabetic(c)) {
            let mut buffer = [0; 4];
            c.encode_utf8(&mut buffer).bytes().for_each(|b| self.write(b));
        } else {
            self.gap = !self.words.is_empty();
        }
    }

    #[inline]
    fn write(&mut self, byte: u8) {
        if std::mem::take(&mut self.gap) {
            self.words.push(b' ');
        }
        self.words.push(byte);
    }
}

/// The common case without decoding: words are copied to a buffer and hashed at once.
fn write_ascii(line: &[u8], writer: &mut WordWriter) {
    let mut at = 0;
    while let Some(byte) = line.get(at).copied() {
        if byte.is_ascii_alphabetic() {
            writer.write(byte.to_ascii_lowercase());
            at += 1;
        } else {
            writer.gap = !writer.words.is_empty();
            at += if matches!(byte, b'%' | b'{' | b'$') { placeholder(&line[at..]).max(1) } else { 1 };
        }
    }
}

/// The length of a placeholder at the start: `%s`, `%1$s`, `%title`, `{{name}}`, `{name}`, `${name}`.
fn placeholder(line: &[u8]) -> usize {
    match line {
        [b'%', rest @ ..] => {
            let digits = rest.iter().take_while(|b| b.is_ascii_digit() || **b == b'$').count();
            let name = &rest[digits..];
            let word = name.iter().take_while(|b| b.is_ascii_lowercase()).count();
            match word {
                // "20%off" would be eaten too: only short conversions and known names are placeholders
                0 if digits > 0 => 1 + digits,
                0 => 0,
                _ if name.starts_with(b"title") => 1 + digits + 5,
                _ if matches!(name[0], b's' | b'd') => 1 + digits + 1,
                _ => 0,
            }
        }
        [b'{', ..] => line
            .iter()
            .take(60)
            .position(|b| *b == b'}')
            .map_or(0, |end| end + line[end..].iter().take_while(|b| **b == b'}').count()),
        [b'$', b'{', ..] => 1 + placeholder(&line[1..]),
        _ => 0,
    }
}

fn without_placeholders(line: &str) -> String {
    let mut plain = String::with_capacity(line.len());
    let mut at = 0;
    while let Some(c) = line[at..].chars().next() {
        let skipped = placeholder(&line.as_bytes()[at..]);
        match line.get(at + skipped..).filter(|_| skipped > 0) {
            Some(_) => {
                plain.push(' ');
                at += skipped;
            }
            None => {
                plain.push(c);
                at += c.len_utf8();
            }
        }
    }
    plain
}

/// How sure one line is to be boilerplate.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Verdict {
    Article,
    /// A known template of one word or two: so are headings. Counts beside other boilerplate or at an edge.
    Weak,
    /// The confidence.
    Sure(f64),
}

/// Spans of boilerplate lines.
pub(super) fn detect(text: &str, set: &BoilerplateSet, spans: &mut Vec<NoiseSpan>) {
    // weak lines wait for what comes after them
    let mut waiting: SmallVec<[Range<usize>; 8]> = SmallVec::new();
    let mut near = false;
    let mut articles = 0usize;
    let mut lower = String::new();
    let mut start = 0;
    for piece in text.split_inclusive('\n') {
        let offset = start;
        start += piece.len();
        let line = piece.trim();
        if line.is_empty() {
            continue;
        }
        let from = offset + (piece.len() - piece.trim_start().len());
        let range = from..from + line.len();
        match judge(line, set, &mut lower) {
            Verdict::Sure(confidence) => {
                for weak in waiting.drain(..) {
                    spans.push(span(weak, 0.6));
                }
                spans.push(span(range, confidence));
                near = true;
            }
            Verdict::Weak if near => spans.push(span(range, 0.6)),
            Verdict::Weak if waiting.len() < 64 => waiting.push(range),
            Verdict::Weak => {}
            Verdict::Article => {
                // two short template lines in a row are a menu; one alone is a heading
                if waiting.len() > 1 && articles > 0 {
                    waiting.drain(..).for_each(|weak| spans.push(span(weak, 0.5)));
                }
                waiting.clear();
                near = false;
                articles += 1;
            }
        }
    }
    // after the last line of the article nothing but the page is left
    if articles > 0 {
        waiting.drain(..).for_each(|weak| spans.push(span(weak, 0.5)));
    }
    spans.sort_by_key(|span| span.range.start);
}

fn span(range: Range<usize>, confidence: f64) -> NoiseSpan {
    let kind = NoiseKind::Boilerplate;
    NoiseSpan { range, kind, script: Script::COMMON, candidates: Ranked::new(), confidence }
}

fn judge(line: &str, set: &BoilerplateSet, lower: &mut String) -> Verdict {
    if line.len() > LINE_REACH {
        return Verdict::Article;
    }
    if is_tag_list(line) {
        return Verdict::Sure(0.95);
    }
    if let Some(print) = fingerprint(line) {
        if phrases::is_sure(print) {
            return Verdict::Sure(0.9);
        }
        if set.contains(print) {
            let words = line.split_whitespace().filter(|w| w.chars().any(is_alphabetic)).count();
            let dense =
                line.chars().filter(|c| crate::script::group_of(crate::script::id_of(*c)) == 8).count();
            return if words > 1 || dense > 3 || line.chars().count() > 14 {
                Verdict::Sure(0.85)
            } else {
                Verdict::Weak
            };
        }
    }
    if frame(line, set).is_some() {
        return Verdict::Sure(0.8);
    }
    match phrases::statistics(line, lower) {
        Some(confidence) => Verdict::Sure(confidence),
        None => by_odds(line),
    }
}

/// What the line's words say together.
fn by_odds(line: &str) -> Verdict {
    let odds = line::log_odds(line);
    if odds < LINE_WEAK {
        return Verdict::Article;
    }
    let sure = if is_short(line) {
        LINE_SURE_SHORT
    } else if line.ends_with(['.', '!', '。', '।', '۔', '።', '။']) {
        LINE_SURE_SENTENCE
    } else {
        LINE_SURE
    };
    if odds >= sure { Verdict::Sure(0.75) } else { Verdict::Weak }
}

/// One word or two; a few characters where words are not spaced.
fn is_short(line: &str) -> bool {
    let words = line.split_whitespace().filter(|w| w.chars().any(is_alphabetic)).count();
    let dense = line.chars().filter(|c| crate::script::group_of(crate::script::id_of(*c)) == 8).count();
    words < 3 && dense < 4 && line.chars().count() < 22
}

/// The label inside a `Category: label No comments` line, as a range of the line.
pub(super) fn frame(line: &str, set: &BoilerplateSet) -> Option<Range<usize>> {
    if line.len() > 200 {
        return None;
    }
    let colon = line.char_indices().take(40).find(|(_, c)| matches!(c, ':' | '：' | '፡'));
    let (label_end, rest) = match colon {
        Some((at, c)) => (at, at + c.len_utf8()),
        None => {
            let words = phrases::bare_label(line)?;
            (words, words)
        }
    };
    if !phrases::is_label(line[..label_end].trim(), set) {
        return None;
    }
    let rest = rest + (line[rest..].len() - line[rest..].trim_start().len());
    let mut end = line.len();
    // the tail: what follows the last bar, or the last words when they are a known phrase
    if let Some(bar) = line[rest..].rfind('|') {
        end = rest + bar;
    } else {
        let gaps =
            line[rest..].char_indices().rev().filter(|(_, c)| c.is_whitespace()).map(|(i, _)| rest + i);
        for gap in gaps.take(5) {
            if phrases::is_tail(line[gap..].trim(), set) {
                end = gap;
            }
        }
    }
    let label = line[rest..end].trim_end();
    let sentence = label.split_whitespace().count() > 8 || label.ends_with(['.', '!', '?', '。', '।']);
    (!sentence).then(|| rest..rest + label.len())
}

/// The help under a comment form lists allowed tags; it is often cut off in the middle.
fn is_tag_list(line: &str) -> bool {
    const ALLOWED: [&str; 16] = [
        "a",
        "abbr",
        "acronym",
        "b",
        "blockquote",
        "cite",
        "code",
        "del",
        "em",
        "i",
        "img",
        "q",
        "s",
        "strike",
        "strong",
        "pre",
    ];
    let mut known = 0;
    let mut pieces = line.split('<').skip(1).peekable();
    while let Some(piece) = pieces.next() {
        let name = piece.split(|c: char| !c.is_ascii_alphanumeric()).next().unwrap_or("");
        let bare = piece[name.len()..].trim_end();
        let empty = bare == ">" || bare.contains("=\"\"");
        // the last tag may be cut off inside its name
        let cut =
            pieces.peek().is_none() && bare.is_empty() && ALLOWED.iter().any(|known| known.starts_with(name));
        if piece.starts_with('/') || !(ALLOWED.contains(&name) || cut) || (!empty && bare.contains('>')) {
            return false;
        }
        known += 1;
    }
    known >= 4
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set() -> BoilerplateSet {
        let lines = [
            "Leave a Reply",
            "Format",
            "Comments are closed.",
            "%s comments on this page",
            "Page {{n}} of {{total}}",
        ];
        BoilerplateSet::from_fingerprints(lines.iter().filter_map(|l| fingerprint(l)).collect())
    }

    #[track_caller]
    fn check(text: &str, expected: &[&str]) {
        let mut spans = Vec::new();
        detect(text, &set(), &mut spans);
        assert_eq!(spans.iter().map(|s| &text[s.range.clone()]).collect::<Vec<_>>(), expected, "{text:?}");
    }

    #[test]
    fn template_lines() {
        check("The river rose.\n\nleave  a reply:\n", &["leave  a reply:"]);
        check("The river rose.\n\n12 comments on this page\n\nIt fell.", &["12 comments on this page"]);
        check("The river rose.\n\nPage 3 of 7\n\nIt fell.", &["Page 3 of 7"]);
        check("We leave a reply to chance.", &[]);
    }

    #[test]
    fn one_word_needs_company() {
        check("The river rose.\n\nFormat\n\nIt fell.", &[]);
        check("The river rose.\n\nFormat\n\nComments are closed.", &["Format", "Comments are closed."]);
    }

    #[test]
    fn frames_and_statistics() {
        check("Category: Rivers No comments", &["Category: Rivers No comments"]);
        check(
            "Press space to pause, M to mute, arrow keys to seek or change volume",
            &["Press space to pause, M to mute, arrow keys to seek or change volume"],
        );
        check(
            "Allowed tags: <a href=\"\" title=\"\"> <b> <em> <strike> <str",
            &["Allowed tags: <a href=\"\" title=\"\"> <b> <em> <strike> <str"],
        );
        check("He said: leave the volume alone.", &[]);
    }

    #[test]
    fn ascii_and_general_normalisation_agree() {
        for line in ["Leave a Reply", "  12 Comments! ", "%1$s of 20"] {
            let wide: String = line.chars().map(|c| if c == 'e' { 'ｅ' } else { c }).collect();
            assert_eq!(fingerprint(line), fingerprint(&wide), "{line:?}");
        }
        assert_eq!(fingerprint("  -- 12 --"), None);
    }
}
