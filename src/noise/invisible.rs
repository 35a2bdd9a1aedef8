//! Zero-width and other format characters, and bidirectional controls.

use super::{NoiseKind, NoiseSpan};
use crate::language::Ranked;
use crate::script::{Script, id, id_of};
use std::ops::Range;

/// How far a bidirectional control reaches when nothing closes it, in bytes.
const OPEN_REACH: usize = 200;

/// Spans of the format characters `found` in `text` (offsets, in order) that have no business there.
pub(super) fn detect(text: &str, found: &[(usize, char)], spans: &mut Vec<NoiseSpan>) {
    let mut end_of_last = usize::MAX;
    let mut last: Option<usize> = None;
    // the embedding that is open: its start, its closer and how deep we are in it
    let mut open: Option<(usize, char, u32)> = None;
    let mut covered = 0;
    for (index, &(at, c)) in found.iter().enumerate() {
        let end = at + c.len_utf8();
        if let Some((start, closer, depth)) = open {
            if c == closer && depth == 0 {
                spans.push(span(NoiseKind::BidiControl, start..end, 0.9));
                open = None;
                covered = end;
            } else if c == closer {
                open = Some((start, closer, depth - 1));
            } else if closes(c) == Some(closer) {
                open = Some((start, closer, depth.saturating_add(1)));
            }
            continue;
        }
        if let Some(closer) = closes(c) {
            match closed_in_reach(found, index, closer) {
                true => open = Some((at, closer, 0)),
                false => spans.push(span(NoiseKind::BidiControl, at..end, 0.7)),
            }
            continue;
        }
        if matches!(c, '\u{202C}' | '\u{2069}') {
            spans.push(span(NoiseKind::BidiControl, at..end, 0.6));
            continue;
        }
        let continues = last.is_some() && end_of_last == at;
        if at < covered || (!continues && is_legitimate(text, at, c)) {
            continue;
        }
        match last.filter(|_| continues).and_then(|i| spans.get_mut(i)) {
            Some(span) => span.range.end = end,
            None => {
                spans.push(span(NoiseKind::Invisible, at..end, if c == '\u{AD}' { 0.5 } else { 0.9 }));
                last = Some(spans.len() - 1);
            }
        }
        end_of_last = end;
    }
}

fn span(kind: NoiseKind, range: Range<usize>, confidence: f64) -> NoiseSpan {
    NoiseSpan { range, kind, script: Script::COMMON, candidates: Ranked::new(), confidence }
}

/// The control that ends what this one opens.
fn closes(c: char) -> Option<char> {
    match c {
        '\u{202A}' | '\u{202B}' | '\u{202D}' | '\u{202E}' => Some('\u{202C}'),
        '\u{2066}'..='\u{2068}' => Some('\u{2069}'),
        _ => None,
    }
}

/// Looks a bounded way ahead, so that a megabyte of openers stays linear.
fn closed_in_reach(found: &[(usize, char)], index: usize, closer: char) -> bool {
    let start = found[index].0;
    found[index + 1..]
        .iter()
        .take(32)
        .take_while(|(at, _)| at - start <= OPEN_REACH)
        .any(|(_, c)| *c == closer)
}

/// Whether the writing itself asks for the character here.
fn is_legitimate(text: &str, at: usize, c: char) -> bool {
    let before = text[..at].chars().next_back();
    let after = text[at + c.len_utf8()..].chars().next();
    let near = |f: fn(char) -> bool| before.is_some_and(f) || after.is_some_and(f);
    // beside a blank they neither part nor join anything: left over by an editor, not hidden in a word
    let edge = |c: Option<char>| c.is_none_or(char::is_whitespace);
    let twin = |c: char| matches!(c, '\u{200B}'..='\u{200D}');
    // no writing asks for three in a row
    let row = text[..at].chars().rev().take(2).take_while(|c| twin(*c)).count()
        + text[at..].chars().take(3).take_while(|c| twin(*c)).count();
    if row >= 3 {
        return false;
    }
    if twin(c) && (edge(before) || edge(after)) {
        return true;
    }
    match c {
        // joiners: cursive scripts, scripts of India around a virama or a sign, and emoji sequences
        '\u{200C}' => {
            near(joins_cursively) || near(is_indic) || near(writes_without_spaces) || before.is_some_and(twin)
        }
        '\u{200D}' => {
            (before.is_some_and(joins_cursively) && after.is_none_or(|c| !joins_cursively(c)))
                || near(is_virama)
                || before.is_some_and(|c| is_indic(c) || twin(c))
                    && after.is_none_or(|c| !is_indic(c) || !c.is_alphabetic() || is_sign(c))
                || (before.is_some_and(is_emoji) && after.is_some_and(is_emoji))
        }
        // a break opportunity where words are not spaced; after a virama it stands for a non-joiner
        '\u{200B}' => near(writes_without_spaces) || near(is_virama) || before.is_some_and(twin),
        // marks of direction are how right-to-left text is typed; fillers and variation belong to their scripts
        '\u{200E}' | '\u{200F}' | '\u{61C}' => true,
        '\u{34F}' => near(|c| id_of(c) > id::UNKNOWN),
        '\u{180E}' | '\u{17B4}' | '\u{17B5}' => true,
        '\u{115F}' | '\u{1160}' | '\u{3164}' | '\u{FFA0}' => near(|c| id_of(c) == id::HANG),
        // a flag of a region is spelled in tags after a black flag
        '\u{E0020}'..='\u{E007F}' => {
            before.is_some_and(|c| is_emoji(c) || matches!(c, '\u{E0020}'..='\u{E007F}'))
        }
        '\u{E0100}'..='\u{E01EF}' => before.is_some_and(|c| id_of(c) == id::HANI),
        '\u{FFF9}'..='\u{FFFB}' => true,
        _ => false,
    }
}

fn joins_cursively(c: char) -> bool {
    matches!(Script::of(c).as_str(), "Arab" | "Syrc" | "Nkoo" | "Mong" | "Adlm" | "Rohg" | "Mand" | "Phag")
}

fn is_indic(c: char) -> bool {
    matches!(c as u32, 0x900..=0xDFF | 0x1B00..=0x1B7F | 0xA980..=0xA9DF)
}

/// A vowel sign or other mark of the Indian scripts.
fn is_sign(c: char) -> bool {
    is_indic(c) && matches!(c as u32 & 0x7F, 0x00..=0x03 | 0x3A..=0x3C | 0x3E..=0x4F | 0x62..=0x63)
}

fn is_virama(c: char) -> bool {
    matches!(
        c as u32,
        0x94D
            | 0x9CD
            | 0xA4D
            | 0xACD
            | 0xB4D
            | 0xBCD
            | 0xC4D
            | 0xCCD
            | 0xD4D
            | 0xDCA
            | 0x1039
            | 0x103A
            | 0x17D2
            | 0x1B44
            | 0xA9C0
            | 0x11133
            | 0x110B9
    )
}

fn is_emoji(c: char) -> bool {
    matches!(c as u32, 0x1F000..=0x1FAFF | 0x2190..=0x2BFF | 0xFE0F | 0x20E3 | 0xA9 | 0xAE)
}

fn writes_without_spaces(c: char) -> bool {
    matches!(Script::of(c).as_str(), "Khmr" | "Mymr" | "Laoo" | "Tibt" | "Java" | "Bali" | "Lana" | "Talu")
        || matches!(c, '\u{E00}'..='\u{E7F}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: &[(&str, NoiseKind)]) {
        let mut spans = Vec::new();
        detect(text, &crate::script::survey(text).format, &mut spans);
        let found: Vec<_> = spans.iter().map(|s| (&text[s.range.clone()], s.kind)).collect();
        assert_eq!(found, expected, "{text:?}");
    }

    #[test]
    fn hidden_characters_inside_words() {
        check(
            "sha\u{200B}dow and li\u{2060}\u{2063}ght",
            &[("\u{200B}", NoiseKind::Invisible), ("\u{2060}\u{2063}", NoiseKind::Invisible)],
        );
        check(
            "Lat\u{200D}in, so\u{AD}ft, \u{FEFF}mark",
            &[
                ("\u{200D}", NoiseKind::Invisible),
                ("\u{AD}", NoiseKind::Invisible),
                ("\u{FEFF}", NoiseKind::Invisible),
            ],
        );
    }

    #[test]
    fn joiners_where_they_belong() {
        check("می\u{200C}رود", &[]);
        check("क्\u{200D}ष", &[]);
        check("👩\u{200D}🚀 and 🏳\u{FE0F}\u{200D}🌈", &[]);
        check("ខ្ញុំ\u{200B}ទៅ", &[]);
    }

    #[test]
    fn rows_of_joiners_hide_something() {
        let row = "\u{200D}".repeat(1000);
        check(&row, &[(&row, NoiseKind::Invisible)]);
        check("می\u{200C}\u{200C}\u{200C}رود", &[("\u{200C}\u{200C}\u{200C}", NoiseKind::Invisible)]);
        check("می\u{200C}\u{200C}رود", &[]);
    }

    #[test]
    fn an_embedding_is_one_span() {
        check("a \u{202E}drow\u{202C} b", &[("\u{202E}drow\u{202C}", NoiseKind::BidiControl)]);
        check(
            "a \u{2067}x \u{2067}y\u{2069} z\u{2069} b",
            &[("\u{2067}x \u{2067}y\u{2069} z\u{2069}", NoiseKind::BidiControl)],
        );
        check("a \u{202E}never closed", &[("\u{202E}", NoiseKind::BidiControl)]);
    }
}
