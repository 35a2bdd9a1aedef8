//! Look-alike letters of another script inside a word, after the confusables of UTS 39.

use super::{NoiseKind, NoiseSpan};
use crate::class::Class;
use crate::language::Ranked;
use crate::script::{Script, ScriptRun, id, id_of};
use std::sync::LazyLock;

/// Letters that look like a Latin letter, by that letter.
const LOOK_ALIKES: &str = "\
a:аαａ b:Ьｂƅ c:сϲｃ d:ԁｄ e:еｅє g:ɡｇց h:һհｈ i:іιｉɩӏ j:јϳｊ k:κкｋ l:ӏｌ m:ｍм n:ոпηｎ o:оοօｏ p:рρｐ q:ԛգզｑ r:гｒ \
s:ѕｓ t:тτｔ u:υսцｕ v:νѵｖ w:ԝωѡｗ x:хχｘ y:уүγｙ z:ｚ \
A:АΑＡᎪ B:ВΒＢᏴ C:СϹＣᏟ D:ＤᎠ E:ЕΕＥᎬ F:ＦϜ G:ＧᏀԌ H:НΗＨᎻ I:ІΙＩӀ J:ЈＪᎫ K:КΚＫᏦ L:ＬᏞԼ M:МΜＭᎷ N:ΝＮ \
O:ОΟＯՕ P:РΡＰᏢ Q:ＱԚ R:ＲᎡ S:ЅＳՏᏚ T:ТΤＴᎢ U:ＵՍ V:ＶᏙѴ W:ＷᎳԜ X:ХΧＸ Y:УΥＹҮ Z:ΖＺᏃ";

/// Words longer than this many bytes are not looked at: no one reads them as a word.
const WORD_REACH: usize = 120;

/// Look-alike and the letter it passes for, sorted.
static TABLE: LazyLock<Vec<(char, char)>> = LazyLock::new(|| {
    let rows = LOOK_ALIKES.split(' ').filter_map(|row| row.chars().next().map(|latin| (latin, &row[2..])));
    let mut table: Vec<_> = rows.flat_map(|(latin, row)| row.chars().map(move |c| (c, latin))).collect();
    table.sort_unstable();
    table
});

/// Latin letter and a script that has a look-alike of it, sorted.
static SCRIPTS: LazyLock<Vec<(char, u8)>> = LazyLock::new(|| {
    let mut pairs: Vec<_> = TABLE.iter().map(|(c, latin)| (*latin, id_of(*c))).collect();
    pairs.sort_unstable();
    pairs
});

/// The Latin letter a character passes for, itself when it is Latin.
pub fn latin_look_alike(c: char) -> Option<char> {
    if c.is_ascii() {
        return c.is_ascii_alphabetic().then_some(c);
    }
    TABLE.binary_search_by_key(&c, |row| row.0).ok().and_then(|i| TABLE.get(i)).map(|row| row.1)
}

/// Whether a letter may pass for one of the script `other`.
fn passes_for(c: char, other: u8) -> bool {
    let Some(latin) = latin_look_alike(c) else { return false };
    other == id::LATN || SCRIPTS.binary_search(&(latin, other)).is_ok()
}

/// Spans of words whose letters come from two scripts, all those of the lesser one look-alikes.
pub(super) fn detect(text: &str, runs: &[ScriptRun], spans: &mut Vec<NoiseSpan>) {
    let mut done = 0;
    for pair in runs.windows(2) {
        let [left, right] = pair else { continue };
        if !right.joined || right.range.start < done || !mixable(left.group) || !mixable(right.group) {
            continue;
        }
        let start = word_start(text, right.range.start).max(done);
        let end = word_end(text, right.range.start);
        if end - start > WORD_REACH {
            done = end;
            continue;
        }
        if let Some(script) = disguised(&text[start..end]) {
            let range = start..possessive(text, end);
            done = range.end;
            let kind = NoiseKind::Homoglyph;
            spans.push(NoiseSpan { range, kind, script, candidates: Ranked::new(), confidence: 0.9 });
        } else {
            done = end;
        }
    }
}

fn mixable(group: u8) -> bool {
    matches!(group, id::LATN | id::CYRL | id::GREK)
        || matches!(Script::from_id(group).as_str(), "Armn" | "Cher")
}

/// The script of the look-alikes, when the word is a disguise.
fn disguised(word: &str) -> Option<Script> {
    let mut counts: [(u8, u32); 4] = [(0, 0); 4];
    for c in word.chars() {
        let script = id_of(c);
        if script <= id::UNKNOWN {
            continue;
        }
        let slot = counts.iter_mut().find(|(s, n)| *s == script || *n == 0)?;
        *slot = (script, slot.1 + 1);
    }
    // two letters are a variable, such as a difference in x
    if counts.iter().map(|(_, n)| n).sum::<u32>() < 3 {
        return None;
    }
    let main = counts.iter().max_by_key(|(script, n)| (*n, *script != id::LATN))?.0;
    let all_pass = |main: u8| {
        word.chars().filter(|c| id_of(*c) > id::UNKNOWN && id_of(*c) != main).all(|c| passes_for(c, main))
    };
    let main = if all_pass(main) {
        main
    } else {
        counts.iter().filter(|(s, n)| *n > 0 && *s != main).map(|(s, _)| *s).find(|s| all_pass(*s))?
    };
    counts.iter().find(|(script, n)| *n > 0 && *script != main).map(|(script, _)| Script::from_id(*script))
}

fn is_word(c: char) -> bool {
    let class = Class::of(c);
    class.is_alphabetic() || class.is_format() || id_of(c) == id::INHERITED
}

fn word_start(text: &str, at: usize) -> usize {
    text[..at]
        .char_indices()
        .rev()
        .take(WORD_REACH)
        .take_while(|(_, c)| is_word(*c))
        .last()
        .map_or(at, |(i, _)| i)
}

fn word_end(text: &str, at: usize) -> usize {
    let tail = text[at..].char_indices().take(WORD_REACH).take_while(|(_, c)| is_word(*c)).last();
    tail.map_or(at, |(i, c)| at + i + c.len_utf8())
}

/// Takes an English possessive along.
fn possessive(text: &str, end: usize) -> usize {
    let mut chars = text[end..].chars();
    match (chars.next(), chars.next()) {
        (Some(a @ ('\'' | '’')), Some(s)) if latin_look_alike(s) == Some('s') => {
            if chars.next().is_some_and(is_word) { end } else { end + a.len_utf8() + s.len_utf8() }
        }
        _ => end,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: &[&str]) {
        let mut spans = Vec::new();
        detect(text, &crate::script::survey(text).runs, &mut spans);
        assert_eq!(spans.iter().map(|s| &text[s.range.clone()]).collect::<Vec<_>>(), expected, "{text:?}");
    }

    #[test]
    fn disguised_words() {
        check("your pаypal account", &["pаypal"]);
        check("старый дoм", &["дoм"]);
        check("the Сity's walls", &["Сity's"]);
    }

    #[test]
    fn honest_mixtures() {
        check("iPhone-ом, USB-кабель, μ-opioid, Δx, σ², Uボート", &[]);
        check("дом house οἶκος", &[]);
    }
}
