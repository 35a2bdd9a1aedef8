//! What is classified.

use crate::class::{Class, is_alphanumeric, is_whitespace};
use crate::language::Language;
use std::ops::Range;
use std::sync::Arc;
use unicode_normalization::char::decompose_compatible;
use unicode_normalization::{IsNormalized, UnicodeNormalization, is_nfkc_quick};

/// One article as given. Offsets in results are UTF-8 byte offsets into `text`, or into `title` where
/// the result says so.
#[derive(Clone, Copy, Debug, Default)]
pub struct Article<'a> {
    pub title: &'a str,
    pub text: &'a str,
    /// What the caller believes the language to be: a prior, not an order.
    pub language_hint: Option<Language>,
    /// When not empty, the languages the answer should come from.
    pub allowed_languages: &'a [Language],
    /// Whether `allowed_languages` excludes every other language instead of only favouring its own.
    pub strict_languages: bool,
}

/// Which of the two texts of an [`Article`] an offset points into.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Field {
    Title,
    #[default]
    Text,
}

/// Characters normalised at once at most: a starter and its marks. More marks than that are no writing.
const CLUSTER: usize = 32;

/// A text ready for features: noise left out, NFKC, entities decoded, line ends `\n`, format characters
/// gone; and the way back to the original's offsets. Borrows when nothing changes; cheap to clone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CleanText<'a> {
    original: &'a str,
    changed: Option<Arc<Changed>>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Changed {
    text: String,
    /// Where the two texts start to differ in a new way, in order.
    segments: Vec<Segment>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Segment {
    clean: usize,
    original: usize,
    /// Copied byte for byte: offsets inside count on.
    verbatim: bool,
}

impl<'a> CleanText<'a> {
    /// The text as it is.
    pub fn borrowed(text: &'a str) -> Self {
        Self { original: text, changed: None }
    }

    pub fn as_str(&self) -> &str {
        self.changed.as_ref().map_or(self.original, |changed| &changed.text)
    }

    pub fn into_string(self) -> String {
        match self.changed {
            Some(changed) => Arc::unwrap_or_clone(changed).text,
            None => self.original.to_owned(),
        }
    }

    /// None when the texts are the same.
    fn segments(&self) -> &[Segment] {
        self.changed.as_ref().map_or(&[], |changed| &changed.segments)
    }

    /// The offset in the original of an offset in the clean text; that of the character's start where one
    /// character became several.
    pub fn original(&self, offset: usize) -> usize {
        let index = self.segments().partition_point(|s| s.clean <= offset);
        match index.checked_sub(1).and_then(|i| self.segments().get(i)) {
            None => offset,
            Some(s) if s.verbatim => s.original + (offset - s.clean),
            Some(s) => s.original,
        }
    }

    /// The range in the original that a range of the clean text came from.
    pub fn original_range(&self, range: Range<usize>) -> Range<usize> {
        let start = self.original(range.start);
        if range.is_empty() {
            return start..start;
        }
        // the end is where the last byte's segment ends when that was replaced
        let last = range.end - 1;
        let index = self.segments().partition_point(|s| s.clean <= last);
        let end = match index.checked_sub(1).and_then(|i| self.segments().get(i)) {
            None => range.end,
            Some(s) if s.verbatim => s.original + (range.end - s.clean),
            Some(_) => self.segments().get(index).map_or(start, |next| next.original),
        };
        start..end.max(start)
    }
}

/// Normalises a text, leaving out the ranges of `skip` (sorted, on character boundaries, not overlapping).
pub fn normalize<'a>(text: &'a str, skip: &[Range<usize>]) -> CleanText<'a> {
    let bytes = text.as_bytes();
    if skip.is_empty() && !bytes.iter().any(|b| *b >= 0x80 || matches!(b, b'\r' | b'&')) {
        return CleanText::borrowed(text);
    }
    let mut writer = Writer { text, out: String::new(), segments: Vec::new(), copied: 0, changed: false };
    let mut skip = skip.iter().peekable();
    let mut at = 0;
    // the last character that may combine with what follows
    let mut starter = 0;
    let mut folded = String::new();
    while at < bytes.len() {
        if let Some(range) = skip.next_if(|range| range.start <= at) {
            if range.end > at {
                writer.drop(at, range.end.min(bytes.len()), true);
                at = range.end.min(bytes.len());
                starter = at;
            }
            continue;
        }
        let limit = skip.peek().map_or(bytes.len(), |range| range.start.min(bytes.len()));
        let byte = bytes[at];
        if byte < 0x80 {
            let next = match byte {
                b'\r' => {
                    let end = at + 1 + usize::from(bytes.get(at + 1) == Some(&b'\n') && at + 1 < limit);
                    writer.replace(at, end, "\n");
                    end
                }
                b'&' => match entity(&text[at..limit]) {
                    Some((c, length)) => {
                        writer.replace(at, at + length, c.encode_utf8(&mut [0; 4]));
                        at + length
                    }
                    None => at + 1,
                },
                _ => {
                    starter = at;
                    at += 1;
                    continue;
                }
            };
            at = next;
            starter = at;
            continue;
        }
        let Some(c) = text[at..].chars().next() else { break };
        let end = at + c.len_utf8();
        let class = Class::of(c);
        if class.is_format() && !matches!(c, '\u{200C}' | '\u{200D}') {
            writer.drop(at, end, false);
            at = end;
            starter = at;
        } else if class.stays() {
            starter = at;
            at = end;
        } else {
            // from the starter on to the next character that stands alone
            let from = starter.max(writer.copied).min(at);
            let mut to = end;
            for next in text[end..limit].chars().take(CLUSTER) {
                if next.is_ascii() || !may_combine(next) {
                    break;
                }
                to += next.len_utf8();
            }
            let cluster = &text[from..to];
            if is_nfkc_quick(cluster.chars()) != IsNormalized::Yes {
                match counterpart(cluster) {
                    Some(same) if same == c => {}
                    Some(other) => writer.replace(from, to, other.encode_utf8(&mut [0; 4])),
                    None => {
                        folded.clear();
                        folded.extend(cluster.nfkc());
                        if folded != cluster {
                            writer.replace(from, to, &folded);
                        }
                    }
                }
            }
            at = to;
            starter = at;
        }
    }
    writer.finish()
}

/// Lower case of the common alphabets by arithmetic; `None` where the full tables must tell.
#[inline]
pub(crate) fn lower(c: char) -> Option<char> {
    let step = match c as u32 {
        0x41..=0x5A | 0xC0..=0xD6 | 0xD8..=0xDE | 0x391..=0x3A1 | 0x3A3..=0x3AB | 0x410..=0x42F => 32,
        0x400..=0x40F => 80,
        0..=0xBF
        | 0xDF..=0xFF
        | 0x3AC..=0x3CE
        | 0x430..=0x45F
        | 0x590..=0x109F
        | 0x1100..=0x139F
        | 0x2E80..=0xA63F
        | 0xAC00..=0xD7FF => 0,
        _ => return None,
    };
    char::from_u32(c as u32 + step)
}

/// The NFKC of a single character that is one character too: nothing is there to be composed.
fn counterpart(cluster: &str) -> Option<char> {
    let mut chars = cluster.chars();
    let (Some(c), None) = (chars.next(), chars.next()) else { return None };
    let (mut found, mut n) = (c, 0);
    decompose_compatible(c, |part| (found, n) = (part, n + 1));
    (n == 1).then_some(found)
}

/// Whether a character may change with the one before it.
#[inline]
fn may_combine(c: char) -> bool {
    let class = Class::of(c);
    !class.is_settled() && (class.is_mark() || is_jamo(c))
}

fn is_jamo(c: char) -> bool {
    matches!(c as u32, 0x1100..=0x11FF | 0xA960..=0xA97F | 0xD7B0..=0xD7FF)
}

/// The character a reference at the start of `rest` stands for, and its length.
fn entity(rest: &str) -> Option<(char, usize)> {
    const NAMED: [(&str, char); 20] = [
        ("amp", '&'),
        ("lt", '<'),
        ("gt", '>'),
        ("quot", '"'),
        ("apos", '\''),
        ("nbsp", ' '),
        ("ndash", '–'),
        ("mdash", '—'),
        ("lsquo", '‘'),
        ("rsquo", '’'),
        ("ldquo", '“'),
        ("rdquo", '”'),
        ("hellip", '…'),
        ("copy", '©'),
        ("laquo", '«'),
        ("raquo", '»'),
        ("euro", '€'),
        ("pound", '£'),
        ("middot", '·'),
        ("bull", '•'),
    ];
    let length = rest.bytes().take(12).position(|b| b == b';')?;
    let name = rest.get(1..length)?;
    let c = match name.strip_prefix('#') {
        Some(number) => {
            let point = match number.strip_prefix(['x', 'X']) {
                Some(hex) => u32::from_str_radix(hex, 16).ok()?,
                None => number.parse().ok()?,
            };
            char::from_u32(point).filter(|c| !c.is_control() || *c == '\n')?
        }
        None => NAMED.iter().find(|(n, _)| *n == name)?.1,
    };
    Some((c, length + 1))
}

/// Copies lazily: nothing is written before the first change.
struct Writer<'a> {
    text: &'a str,
    out: String,
    segments: Vec<Segment>,
    /// How far the original has been dealt with.
    copied: usize,
    changed: bool,
}

impl<'a> Writer<'a> {
    fn copy(&mut self, to: usize) {
        if to > self.copied {
            if self.segments.is_empty() {
                self.out.reserve(self.text.len());
                self.segments.reserve(16);
            }
            self.push_segment(self.copied, true);
            self.out.push_str(&self.text[self.copied..to]);
            self.copied = to;
        }
    }

    fn push_segment(&mut self, original: usize, verbatim: bool) {
        self.segments.push(Segment { clean: self.out.len(), original, verbatim });
    }

    fn replace(&mut self, from: usize, to: usize, with: &str) {
        self.copy(from);
        self.changed = true;
        self.push_segment(from, false);
        self.out.push_str(with);
        self.copied = to;
    }

    /// Leaves a piece out; `apart` keeps the words on its two sides from growing together.
    fn drop(&mut self, from: usize, to: usize, apart: bool) {
        self.copy(from);
        self.changed = true;
        let letter = is_alphanumeric;
        let inside = apart && self.text[from..to].contains(letter);
        if inside && self.out.ends_with(letter) && self.text[to..].starts_with(letter) {
            self.push_segment(from, false);
            self.out.push(' ');
        }
        self.copied = to;
    }

    fn finish(mut self) -> CleanText<'a> {
        if !self.changed {
            return CleanText::borrowed(self.text);
        }
        self.copy(self.text.len());
        self.push_segment(self.text.len(), true);
        let changed = Changed { text: self.out, segments: self.segments };
        CleanText { original: self.text, changed: Some(Arc::new(changed)) }
    }
}

/// The last character boundary at or before an offset, that of the end for one beyond it.
pub(crate) fn floor_boundary(text: &str, at: usize) -> usize {
    (0..=at.min(text.len())).rev().find(|i| text.is_char_boundary(*i)).unwrap_or(0)
}

/// Bytes of a short sentence: a text has hardly more sentences than so.
pub(crate) const SHORT_SENTENCE: usize = 60;

/// The sentences of a text, cut at line ends and after closing punctuation. Sorted, without blanks around;
/// an unpunctuated stretch is one sentence.
pub fn sentences(text: &str) -> impl Iterator<Item = Range<usize>> + '_ {
    let mut at = 0;
    std::iter::from_fn(move || {
        at += text[at..].len() - text[at..].trim_start().len();
        if at == text.len() {
            return None;
        }
        let start = at;
        let mut ended = false;
        let mut here = start;
        while let Some(&byte) = text.as_bytes().get(here) {
            // most of a text ends nothing
            if !ended && byte.is_ascii() && !matches!(byte, b'\n' | b'.' | b'!' | b'?') {
                here += 1;
                continue;
            }
            let Some(c) = text[here..].chars().next() else { break };
            if c == '\n' || (ended && is_whitespace(c)) {
                at = here;
                return Some(start..start + text[start..here].trim_end().len());
            }
            match c {
                '.' | '!' | '?' | '؟' | '۔' | '।' | '॥' | '։' | '።' | '៕' => ended = true,
                // these end a sentence without a blank after them
                '。' | '！' | '？' => {
                    let end = here + c.len_utf8();
                    let close =
                        text[end..].chars().next().filter(|c| matches!(c, '”' | '」' | '』' | '"' | '）'));
                    at = end + close.map_or(0, char::len_utf8);
                    return Some(start..at);
                }
                '"' | '\'' | '”' | '’' | '»' | ')' | ']' | '“' => {}
                _ => ended = false,
            }
            here += c.len_utf8();
        }
        at = text.len();
        Some(start..start + text[start..].trim_end().len())
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// One range to leave out.
    fn skipping(text: &str, range: Range<usize>) -> String {
        normalize(text, std::slice::from_ref(&range)).into_string()
    }

    #[test]
    fn quick_lower_case_is_lower_case() {
        for c in (0..0x110000).filter_map(char::from_u32) {
            assert!(lower(c).is_none_or(|l| c.to_lowercase().eq([l])), "{c:?}");
        }
    }

    #[test]
    fn settled_letters_are_normal() {
        for c in (0..0x110000).filter_map(char::from_u32).filter(|c| Class::of(*c).is_settled()) {
            assert_eq!(is_nfkc_quick(std::iter::once(c)), IsNormalized::Yes, "{c:?}");
        }
    }

    #[test]
    fn unchanged_text_is_borrowed() {
        for text in ["plain", "déjà vu – «tout»", "Зелёный мир", "日本語の文。", "한국어", "नमस्ते दुनिया", ""]
        {
            assert_eq!(normalize(text, &[]), CleanText::borrowed(text));
        }
    }

    #[track_caller]
    fn check(text: &str, expected: &str) {
        assert_eq!(normalize(text, &[]).as_str(), expected, "{text:?}");
    }

    #[test]
    fn canonical_forms() {
        check("cafe\u{301} ﬁn Ｗｉｄｅ", "café fin Wide");
        check("\u{1112}\u{1161}\u{11AB}", "한");
        check("ﻛﺘﺎﺏ", "كتاب");
        check("a\r\nb\rc", "a\nb\nc");
        check("Q&amp;A &#8212; &#x41; AT&T; &bogus;", "Q&A — A AT&T; &bogus;");
        check("so\u{AD}ft\u{200B}ly", "softly");
    }

    #[test]
    fn skipped_pieces_part_words() {
        assert_eq!(skipping("one XX two", 4..6), "one  two");
        assert_eq!(skipping("oneXXtwo", 3..5), "one two");
        assert_eq!(skipping("one\u{2060}two", 3..6), "onetwo");
    }

    #[test]
    fn offsets_lead_back() {
        let text = "Q&amp;A cafe\u{301}s";
        let clean = normalize(text, &[]);
        let at = clean.as_str().find("cafés").expect("it is there");
        assert_eq!(&text[clean.original_range(at..at + "cafés".len())], "cafe\u{301}s");
        assert_eq!(clean.original(1), 1);
        assert_eq!(clean.original(clean.as_str().len()), text.len());
    }

    #[test]
    fn sentences_are_cut_at_their_ends() {
        let text = "One. Two “three.” Four\n五。六！ 7.5 percent";
        let found: Vec<_> = sentences(text).map(|r| &text[r]).collect();
        assert_eq!(found, ["One.", "Two “three.”", "Four", "五。", "六！", "7.5 percent"]);
        // quotation marks and brackets keep an end open, anything else takes it back
        let text = "(He said \"stop!\") Naïve, 'no' a.b c.) d .\u{a0}e!x f";
        let found: Vec<_> = sentences(text).map(|r| &text[r]).collect();
        assert_eq!(found, ["(He said \"stop!\")", "Naïve, 'no' a.b c.)", "d .", "e!x f"]);
    }

    proptest! {
        #[test]
        fn normalisation_is_nfkc_and_offsets_are_boundaries(text in any::<String>()) {
            let clean = normalize(&text, &[]);
            let mut last = 0;
            for (i, _) in clean.as_str().char_indices() {
                let at = clean.original(i);
                prop_assert!(text.is_char_boundary(at) && at >= last);
                last = at;
            }
            prop_assert_eq!(clean.original(clean.as_str().len()), text.len());
        }

        #[test]
        fn skipping_never_fails(text in "[a-zé ﬁ\u{301}&;]{0,60}", a in 0usize..60, b in 0usize..60) {
            let (a, b) = (floor_boundary(&text, a.min(b)), floor_boundary(&text, a.max(b)));
            let _ = skipping(&text, a..b);
        }

        #[test]
        fn sentences_cover_the_words(text in any::<String>()) {
            let mut last = 0;
            for range in sentences(&text) {
                prop_assert!(text[last..range.start].trim().is_empty());
                prop_assert!(!text[range.clone()].trim().is_empty());
                last = range.end;
            }
            prop_assert!(text[last..].trim().is_empty());
        }
    }
}
