//! Log-odds of a line to be page furniture: a linear model over its words, their pairs, its signs and its length.
//!
//! The weights are learnt from template lines against sentences, news lines and headings
//! (`examples/boilerplate_lines.rs`), so a template nobody has seen is known by the company of its words. Only
//! hashed weights are kept, no text.

use crate::class::Class;
use crate::script::{group_of, id, id_of};

/// Slots of the table of weights.
pub const SLOTS: usize = 1 << 17;
/// Weights are stored in this unit.
pub const UNIT: f32 = 1.0 / 24.0;

static WEIGHTS: &[u8; SLOTS] = include_bytes!("lines.bin");

/// Natural-log odds; above 0 the line is likelier a template's than an article's.
pub fn log_odds(line: &str) -> f32 {
    let mut sum = 0_i32;
    features(line, |slot| sum += i32::from(WEIGHTS[slot] as i8));
    sum as f32 * UNIT
}

/// What a feature is made of.
#[derive(Clone, Copy)]
#[repr(u32)]
enum Kind {
    Word = 1,
    Stem,
    Pair,
    Dense,
    DenseThree,
    End,
    Length,
    Signs,
    Bias,
}

/// Calls back with the slot of every feature of a line; a slot may come more than once.
pub fn features(line: &str, mut emit: impl FnMut(usize)) {
    let mut token = Token::default();
    let mut previous = 0;
    let (mut half_words, mut bars) = (0_u32, 0_u32);
    let mut dense = [0_u32; 2];
    let mut close = |token: &mut Token, half_words: &mut u32, emit: &mut dyn FnMut(usize)| {
        if token.n == 0 {
            return;
        }
        emit(slot(Kind::Word, token.hash));
        if token.n >= 6 {
            emit(slot(Kind::Stem, token.stem));
        }
        emit(slot(Kind::Pair, mix(previous, token.hash)));
        previous = token.hash;
        *half_words += 2;
        *token = Token::default();
    };
    let mut skip_to = 0;
    for (at, c) in line.char_indices() {
        if at < skip_to {
            continue;
        }
        if c.is_ascii_alphabetic() {
            dense = [0; 2];
            token.push(c.to_ascii_lowercase());
            continue;
        }
        if matches!(c, '%' | '{' | '$') {
            let placeholder = super::placeholder(&line.as_bytes()[at..]);
            if placeholder > 0 && line.is_char_boundary(at + placeholder) {
                close(&mut token, &mut half_words, &mut emit);
                token.push('0');
                close(&mut token, &mut half_words, &mut emit);
                dense = [0; 2];
                skip_to = at + placeholder;
                continue;
            }
        }
        let class = Class::of(c);
        let script = group_of(id_of(c));
        let letter = !c.is_ascii() && (script > id::COMMON || class.is_alphabetic());
        if letter && is_dense(script, c) {
            close(&mut token, &mut half_words, &mut emit);
            if dense[1] != 0 {
                emit(slot(Kind::Dense, mix(dense[1], c as u32)));
                if dense[0] != 0 {
                    emit(slot(Kind::DenseThree, mix(mix(dense[0], dense[1]), c as u32)));
                }
            }
            dense = [dense[1], c as u32];
            half_words += 1;
            continue;
        }
        dense = [0; 2];
        if letter {
            token.push(crate::text::lower(c).unwrap_or(c));
            continue;
        }
        if class.is_numeric() {
            // all numbers are one
            if token.hash != Token::of('0').hash {
                close(&mut token, &mut half_words, &mut emit);
                token.push('0');
            }
            continue;
        }
        close(&mut token, &mut half_words, &mut emit);
        if !class.is_whitespace() && id_of(c) == id::COMMON {
            bars += u32::from(matches!(c, '|' | '·' | '•' | '>' | '»' | '›' | '/'));
            token.push(c);
            close(&mut token, &mut half_words, &mut emit);
            half_words -= 2;
        }
    }
    close(&mut token, &mut half_words, &mut emit);
    emit(slot(Kind::End, previous));
    let words = half_words / 2;
    emit(slot(Kind::Length, if words < 6 { words } else { 5 + words.min(40) / 6 }));
    emit(slot(Kind::Signs, bars.min(4)));
    emit(slot(Kind::Bias, 0));
}

#[derive(Clone, Copy, Default)]
struct Token {
    hash: u32,
    stem: u32,
    n: u32,
}

impl Token {
    fn of(c: char) -> Self {
        let mut token = Self::default();
        token.push(c);
        token
    }

    #[inline]
    fn push(&mut self, c: char) {
        self.hash = mix(self.hash, c as u32);
        self.n += 1;
        if self.n == 5 {
            self.stem = self.hash;
        }
    }
}

/// Scripts whose words are not spaced: pairs of characters stand for words.
fn is_dense(script: u8, c: char) -> bool {
    script == id::HANI
        || matches!(c as u32, 0xE00..=0xEFF | 0xF00..=0xFFF | 0x1000..=0x109F | 0x1780..=0x17FF)
}

#[inline]
fn mix(hash: u32, value: u32) -> u32 {
    let mixed = (hash.rotate_left(5) ^ value).wrapping_mul(0x9E37_79B1);
    mixed ^ (mixed >> 15)
}

#[inline]
fn slot(kind: Kind, value: u32) -> usize {
    (mix(value, kind as u32) >> 8) as usize % SLOTS
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Rows of our own: language, kind, line; even rows were for tuning.
    const UNSEEN: &str = include_str!("../../../tests/fixtures/boilerplate_unseen.tsv");

    #[test]
    fn most_lines_nobody_has_listed_are_known() {
        for half in 0..2 {
            let lines: Vec<&str> =
                UNSEEN.lines().skip(half).step_by(2).filter_map(|row| row.rsplit('\t').next()).collect();
            let known = lines.iter().filter(|line| log_odds(line) >= 0.0).count();
            assert!(known * 10 >= lines.len() * 7, "half {half}: {known} of {}", lines.len());
        }
    }

    #[test]
    fn sentences_and_headings_are_not() {
        for line in [
            "By dawn the river had taken the lower bridge and two of the mills.",
            "The comment drew a reply from the mayor, who called it careless.",
            "Die Brücke bleibt bis auf Weiteres gesperrt, sagte die Sprecherin.",
            "Le pont restera fermé jusqu'à lundi, a indiqué la mairie.",
            "Мост закрыли до понедельника, сообщили в городе.",
            "桥梁将关闭到星期一，市政府表示。",
            "A long night on the river",
        ] {
            assert!(log_odds(line) < 0.0, "{line:?} {}", log_odds(line));
        }
    }
}
