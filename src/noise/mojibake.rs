//! Text decoded with the wrong encoding: UTF-8 read as Windows-1252 (or Latin-1) or Windows-1251.
//!
//! A suspect is proved by decoding it back: the characters are turned into the bytes they stand for in the
//! one-byte encoding, and those must be UTF-8 of a plausible character.

use super::{NoiseKind, NoiseSpan};
use crate::class::is_alphanumeric;
use crate::language::Ranked;
use crate::script::Script;

/// A sequence that decodes back.
struct Sequence {
    start: usize,
    end: usize,
    proof: Proof,
}

/// What a sequence is worth.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Proof {
    /// A letter before closing punctuation reads the same.
    None,
    /// Needs a second one.
    Weak,
    Strong,
}

/// Spans of wrongly decoded words; `suspects` are offsets where a sequence may start, in order.
pub(super) fn detect(text: &str, suspects: &[usize], spans: &mut Vec<NoiseSpan>) {
    let mut sequences = Vec::new();
    let mut done = 0;
    for &at in suspects {
        if at < done {
            continue;
        }
        if let Some(sequence) = sequence(text, at) {
            done = sequence.end;
            sequences.push(sequence);
        }
    }
    let mut at = 0;
    while at < sequences.len() {
        let first = &sequences[at];
        let start = word_start(text, first.start);
        let mut end = word_end(text, first.end);
        let mut strong = first.proof == Proof::Strong;
        let mut n = usize::from(first.proof > Proof::None);
        let mut next = at + 1;
        while let Some(sequence) = sequences.get(next)
            && bridges(&text[end.min(sequence.start)..sequence.start])
        {
            strong |= sequence.proof == Proof::Strong;
            n += usize::from(sequence.proof > Proof::None);
            end = word_end(text, sequence.end.max(end));
            next += 1;
        }
        if strong || n > 1 {
            spans.push(NoiseSpan {
                range: start..end,
                kind: NoiseKind::Mojibake,
                script: Script::LATIN,
                candidates: Ranked::new(),
                confidence: if n > 1 { 0.95 } else { 0.8 },
            });
        }
        at = next;
    }
}

/// Whether what stands between two sequences may itself have been decoded wrongly: spaces, signs and
/// a few plain words.
fn bridges(gap: &str) -> bool {
    gap.len() <= 24 && !gap.contains('\n') && gap.chars().all(|c| c.is_ascii() || byte_1252(c).is_some()) && {
        gap.split(' ').filter(|word| word.chars().any(is_alphanumeric)).count() <= 1
    }
}

/// The rest of the word to the left: characters a one-byte encoding has.
fn word_start(text: &str, at: usize) -> usize {
    let mut start = at;
    for (i, c) in text[..at].char_indices().rev().take(64) {
        if c == ' ' || c.is_ascii_control() || byte_1252(c).is_none() || matches!(c, '“' | '”' | '[') {
            break;
        }
        start = i;
    }
    start
}

fn word_end(text: &str, at: usize) -> usize {
    let tail = &text[at..];
    let length = tail
        .char_indices()
        .take(64)
        .find(|&(_, c)| c == ' ' || c.is_ascii_control() || byte_1252(c).is_none())
        .map_or(tail.char_indices().nth(64).map_or(tail.len(), |(i, _)| i), |(i, _)| i);
    at + length
}

/// The sequence that starts at `at`, when the characters there decode back.
fn sequence(text: &str, at: usize) -> Option<Sequence> {
    let rest = &text[at..];
    if rest.starts_with('\u{FFFD}') {
        let n = rest.chars().take_while(|c| *c == '\u{FFFD}').count();
        return Some(Sequence { start: at, end: at + 3 * n, proof: Proof::Strong });
    }
    let (length, mut proof) = decode(rest, byte_1252, true).or_else(|| decode_run_1251(rest))?;
    let end = at + length;
    // inside a word no sign stands after a capital letter
    let letter = |c: char| c.is_ascii_alphabetic();
    if text[end..].starts_with(letter) || (proof == Proof::Weak && text[..at].ends_with(letter)) {
        proof = Proof::Strong;
    }
    Some(Sequence { start: at, end, proof })
}

/// Decodes one character; the length in bytes of what it was read as, and whether it proves itself.
fn decode(rest: &str, byte: fn(char) -> Option<u8>, western: bool) -> Option<(usize, Proof)> {
    let mut bytes = [0u8; 4];
    let mut chars = rest.chars();
    let lead_char = chars.next()?;
    let lead = byte(lead_char)?;
    let length = match lead {
        0xC2..=0xDF => 2,
        0xE0..=0xEF => 3,
        0xF0..=0xF4 => 4,
        _ => return None,
    };
    bytes[0] = lead;
    let mut consumed = lead_char.len_utf8();
    let mut closers = 0;
    // what a one-byte encoding leaves unused never occurs in text
    let mut control = false;
    for slot in &mut bytes[1..length] {
        let c = chars.next()?;
        *slot = byte(c).filter(|b| (0x80..=0xBF).contains(b))?;
        control |= ('\u{80}'..='\u{9F}').contains(&c);
        closers +=
            usize::from(matches!(c, '…' | '”' | '’' | '»' | '›' | '–' | '—' | '“' | '«' | '‘' | '\u{A0}'));
        consumed += c.len_utf8();
    }
    let decoded = std::str::from_utf8(&bytes[..length]).ok()?.chars().next()?;
    if !is_plausible(decoded) {
        return None;
    }
    // capital letter before a closing quote is ordinary text; an accented small letter, a dash or quote is not
    let strong = match length {
        2 if western && matches!(lead, 0xC3) => closers == 0 || !matches!(decoded, 'Ã' | 'Â'),
        2 if western && matches!(lead, 0xC2) => true,
        2 => false,
        _ => lead == 0xE2 && matches!(bytes[1], 0x80 | 0x82 | 0x84) || closers < length - 1,
    };
    let proof = match strong || control {
        true => Proof::Strong,
        false if closers == length - 1 => Proof::None,
        false => Proof::Weak,
    };
    Some((consumed, proof))
}

/// In Windows-1251 one pair proves nothing (Ukrainian has them by nature): three in a row do.
fn decode_run_1251(rest: &str) -> Option<(usize, Proof)> {
    let mut at = 0;
    let mut n = 0;
    while n < 3 {
        at += decode(&rest[at..], byte_1251, false)?.0;
        n += 1;
    }
    while n < 64
        && let Some((length, _)) = decode(&rest[at..], byte_1251, false)
    {
        at += length;
        n += 1;
    }
    Some((at, Proof::Strong))
}

/// Characters that text really has: letters of living scripts, punctuation and symbols.
fn is_plausible(c: char) -> bool {
    matches!(c as u32, 0xA0..=0x17F | 0x192 | 0x218..=0x21B | 0x2B0..=0x36F | 0x370..=0x58F | 0x591..=0x6FF
        | 0x900..=0x109F | 0x10A0..=0x139F | 0x1780..=0x17FF | 0x1E00..=0x20CF | 0x2100..=0x27BF | 0x3000..=0x9FFF
        | 0xAC00..=0xD7A3 | 0xF900..=0xFAFF | 0xFB00..=0xFEFF | 0xFF00..=0xFFEF | 0x1F000..=0x1FAFF)
}

/// The byte of a character in Windows-1252, whose unused bytes stand for themselves.
fn byte_1252(c: char) -> Option<u8> {
    let byte = match c {
        '\0'..='\u{FF}' => return Some(c as u32 as u8),
        '€' => 0x80,
        '‚' => 0x82,
        'ƒ' => 0x83,
        '„' => 0x84,
        '…' => 0x85,
        '†' => 0x86,
        '‡' => 0x87,
        'ˆ' => 0x88,
        '‰' => 0x89,
        'Š' => 0x8A,
        '‹' => 0x8B,
        'Œ' => 0x8C,
        'Ž' => 0x8E,
        '‘' => 0x91,
        '’' => 0x92,
        '“' => 0x93,
        '”' => 0x94,
        '•' => 0x95,
        '–' => 0x96,
        '—' => 0x97,
        '˜' => 0x98,
        '™' => 0x99,
        'š' => 0x9A,
        '›' => 0x9B,
        'œ' => 0x9C,
        'ž' => 0x9E,
        'Ÿ' => 0x9F,
        _ => return None,
    };
    Some(byte)
}

/// The byte of a character in Windows-1251.
fn byte_1251(c: char) -> Option<u8> {
    let byte = match c {
        'А'..='я' => (c as u32 - 0x410 + 0xC0) as u8,
        'Ђ' => 0x80,
        'Ѓ' => 0x81,
        '‚' => 0x82,
        'ѓ' => 0x83,
        '„' => 0x84,
        '…' => 0x85,
        '†' => 0x86,
        '‡' => 0x87,
        '€' => 0x88,
        '‰' => 0x89,
        'Љ' => 0x8A,
        '‹' => 0x8B,
        'Њ' => 0x8C,
        'Ќ' => 0x8D,
        'Ћ' => 0x8E,
        'Џ' => 0x8F,
        'ђ' => 0x90,
        '‘' => 0x91,
        '’' => 0x92,
        '“' => 0x93,
        '”' => 0x94,
        '•' => 0x95,
        '–' => 0x96,
        '—' => 0x97,
        '\u{98}' => 0x98,
        '™' => 0x99,
        'љ' => 0x9A,
        '›' => 0x9B,
        'њ' => 0x9C,
        'ќ' => 0x9D,
        'ћ' => 0x9E,
        'џ' => 0x9F,
        '\u{A0}' => 0xA0,
        'Ў' => 0xA1,
        'ў' => 0xA2,
        'Ј' => 0xA3,
        '¤' => 0xA4,
        'Ґ' => 0xA5,
        '¦' => 0xA6,
        '§' => 0xA7,
        'Ё' => 0xA8,
        '©' => 0xA9,
        'Є' => 0xAA,
        '«' => 0xAB,
        '¬' => 0xAC,
        '\u{AD}' => 0xAD,
        '®' => 0xAE,
        'Ї' => 0xAF,
        '°' => 0xB0,
        '±' => 0xB1,
        'І' => 0xB2,
        'і' => 0xB3,
        'ґ' => 0xB4,
        'µ' => 0xB5,
        '¶' => 0xB6,
        '·' => 0xB7,
        'ё' => 0xB8,
        '№' => 0xB9,
        'є' => 0xBA,
        '»' => 0xBB,
        'ј' => 0xBC,
        'Ѕ' => 0xBD,
        'ѕ' => 0xBE,
        'ї' => 0xBF,
        _ => return None,
    };
    Some(byte)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: &[&str]) {
        let mut spans = Vec::new();
        detect(text, &crate::script::survey(text).suspects, &mut spans);
        assert_eq!(spans.iter().map(|s| &text[s.range.clone()]).collect::<Vec<_>>(), expected, "{text:?}");
    }

    /// Reads UTF-8 in a one-byte encoding, as the fault does.
    fn misread(text: &str, byte: fn(char) -> Option<u8>) -> String {
        let table: Vec<char> = (0u32..0x2200).filter_map(char::from_u32).collect();
        text.bytes()
            .map(|b| {
                if b < 0x80 {
                    b as char
                } else {
                    *table.iter().find(|c| byte(**c) == Some(b)).expect("every byte has a character")
                }
            })
            .collect()
    }

    #[test]
    fn western_misreadings_are_found() {
        let word = misread("señal", byte_1252);
        check(&format!("la {word} llega"), &[&word]);
        let words = misread("привет всем", byte_1252);
        check(&format!("он сказал {words} и ушёл"), &[&words]);
        let quote = misread("end.–", byte_1252);
        check(&format!("the {quote}"), &[&quote]);
    }

    #[test]
    fn cyrillic_misreadings_are_found() {
        let word = misread("приветствие", byte_1251);
        check(&word, &[&word]);
    }

    #[test]
    fn a_hidden_character_parts_a_sequence() {
        for hidden in ['\u{FEFF}', '\u{200B}', '\u{E0041}'] {
            check(&format!("Â{hidden}¡"), &[]);
            check(&format!("é Ã{hidden}{hidden}© Â{hidden}¡ d"), &[]);
        }
    }

    #[test]
    fn accents_beside_quotes_are_left_alone() {
        check("«CAFÉ» et „Ä“, touché…”, NÃO, 25 °C, Âge", &[]);
        check("Ĝ É·l 3Ä±5", &[]);
        check("Рівне і Світязь, Рёбра, Ѓорѓи", &[]);
    }
}
