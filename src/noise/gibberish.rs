//! Random letters, encoded data, and the same thing over and over.

use super::{NoiseKind, NoiseSpan};
use crate::class::is_alphabetic;
use crate::language::Ranked;
use crate::script::Script;
use std::ops::Range;

/// A character or word this many times in a row is repetition.
const CHAR_TIMES: usize = 12;
const WORD_TIMES: usize = 5;
/// Encoded data is at least this long; shorter strings may be codes or names.
const DATA_LENGTH: usize = 32;

/// Spans of gibberish and repetition, word by word.
pub(super) fn detect(text: &str, spans: &mut Vec<NoiseSpan>) {
    let bytes = text.as_bytes();
    let mut last: Range<usize> = 0..0;
    let (mut first_start, mut times) = (0, 0usize);
    let mut at = 0;
    while at < bytes.len() {
        if bytes[at].is_ascii_whitespace() {
            at += 1;
            continue;
        }
        let length = bytes[at..].iter().position(u8::is_ascii_whitespace).unwrap_or(bytes.len() - at);
        let word = at..at + length;
        if bytes[word.clone()] == bytes[last.clone()] && length <= 64 {
            times += 1;
        } else {
            repeated(text, first_start..last.end, times, spans);
            (first_start, times) = (word.start, 1);
        }
        if times <= 1 && length >= 7 && bytes[at].is_ascii() {
            single(text, word.clone(), spans);
        }
        last = word;
        at += length;
    }
    repeated(text, first_start..last.end, times, spans);
}

fn repeated(text: &str, range: Range<usize>, times: usize, spans: &mut Vec<NoiseSpan>) {
    // rows of bullets, dashes or numbers are layout
    if times >= WORD_TIMES && text[range.clone()].chars().any(is_alphabetic) {
        push(NoiseKind::Repetition, range, 0.8, spans);
    }
}

fn push(kind: NoiseKind, range: Range<usize>, confidence: f64, spans: &mut Vec<NoiseSpan>) {
    spans.push(NoiseSpan { range, kind, script: Script::COMMON, candidates: Ranked::new(), confidence });
}

/// Judges one word by its bytes; only ASCII words can be told from writing without knowing the language.
fn single(text: &str, range: Range<usize>, spans: &mut Vec<NoiseSpan>) {
    let bytes = &text.as_bytes()[range.clone()];
    let (mut run, mut previous) = (0usize, 0u8);
    let (mut upper, mut lower, mut digits, mut other) = (0usize, 0usize, 0usize, 0usize);
    // switches between classes: writing has few, encoded data many
    let (mut switches, mut class) = (0usize, 0u8);
    let (mut consonants, mut worst) = (0usize, 0usize);
    for &b in bytes {
        run = if b == previous { run + 1 } else { 1 };
        previous = b;
        if run == CHAR_TIMES && b.is_ascii_alphabetic() {
            let start = bytes.iter().position(|x| *x == b).unwrap_or(0);
            let same = bytes[start..].iter().take_while(|x| **x == b).count();
            if same >= CHAR_TIMES {
                push(NoiseKind::Repetition, range.start + start..range.start + start + same, 0.8, spans);
            }
            return;
        }
        let now = match b {
            b'A'..=b'Z' => 1,
            b'a'..=b'z' => 2,
            b'0'..=b'9' => 3,
            _ => 4,
        };
        match now {
            1 => upper += 1,
            2 => lower += 1,
            3 => digits += 1,
            _ => other += 1,
        }
        switches += usize::from(now != class && class != 0);
        class = now;
        let vowel =
            matches!(b | 0x20, b'a' | b'e' | b'i' | b'o' | b'u' | b'y' | b'w') || b >= 0x80 || now > 2;
        consonants = if vowel { 0 } else { consonants + 1 };
        worst = worst.max(consonants);
    }
    let n = bytes.len();
    if !bytes.is_ascii() {
        return;
    }
    let encoded =
        bytes.iter().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'/' | b'=' | b'_' | b'-'));
    let address = bytes.contains(&b'.') || bytes.windows(3).any(|w| w == b"://") || bytes.contains(&b'@');
    if address {
        return;
    }
    let mixed = digits > 0 && lower + upper > 0 && switches * 5 >= n;
    if n >= DATA_LENGTH && encoded && other * 8 <= n && mixed {
        push(NoiseKind::Gibberish, range, 0.9, spans);
    } else if lower == n && worst >= 7 {
        push(NoiseKind::Gibberish, range, 0.7, spans);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: &[(&str, NoiseKind)]) {
        let mut spans = Vec::new();
        detect(text, &mut spans);
        let found: Vec<_> = spans.iter().map(|s| (&text[s.range.clone()], s.kind)).collect();
        assert_eq!(found, expected, "{text:?}");
    }

    #[test]
    fn gibberish() {
        check("then sdfghjklqwrt came", &[("sdfghjklqwrt", NoiseKind::Gibberish)]);
        let hash = "d41d8cd98f00b204e9800998ecf8427e";
        check(&format!("sum {hash} ok"), &[(hash, NoiseKind::Gibberish)]);
    }

    #[test]
    fn repetition() {
        check("buy buy buy buy buy now", &[("buy buy buy buy buy", NoiseKind::Repetition)]);
        check("goooooooooooooooal", &[("ooooooooooooooo", NoiseKind::Repetition)]);
    }

    #[test]
    fn ordinary_words() {
        check("Rechtsschutzversicherung, Angstschweiß, archaeologists, borschts; prst skrz", &[]);
        check("------------- * * * * * * * https://example.org/a1b2c3d4e5f6a7b8c9d0e1f2a3b4c5d6", &[]);
    }
}
