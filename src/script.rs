//! Scripts (ISO 15924) of characters and runs of text.
//!
//! A lookup is two array reads: `build/script_table.rs` writes the table from the `unicode-script` crate.

use crate::class::Class;
use std::ops::Range;

mod table {
    //! Written at build time.
    include!(concat!(env!("OUT_DIR"), "/script_table.rs"));

    /// The table's value of a code point.
    #[inline]
    pub(super) fn value(point: u32) -> usize {
        let page = STAGE1.get((point >> 7) as usize).copied().unwrap_or(0) as usize;
        STAGE2.get(page << 7 | (point & 0x7f) as usize).copied().unwrap_or(2) as usize
    }

    pub(super) const COUNT: usize = CODES.len();

    pub(super) fn code(id: u8) -> [u8; 4] {
        CODES.get(id as usize).copied().unwrap_or(*b"Zzzz")
    }

    pub(super) fn find(code: &[u8; 4]) -> Option<u8> {
        CODES.iter().position(|c| c == code).map(|i| i as u8)
    }

    /// The own script and the extensions of a value that has some.
    pub(super) fn extensions(value: usize) -> Option<&'static (u8, &'static [u8])> {
        EXTENSIONS.get(value.checked_sub(COUNT)?)
    }
}

/// A script by its ISO 15924 code, e.g. `Latn`; `Zyyy` is common, `Zinh` inherited, `Zzzz` unknown.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Script([u8; 4]);

impl Script {
    pub const LATIN: Self = Self(*b"Latn");
    pub const CYRILLIC: Self = Self(*b"Cyrl");
    pub const GREEK: Self = Self(*b"Grek");
    pub const ARABIC: Self = Self(*b"Arab");
    pub const HAN: Self = Self(*b"Hani");
    pub const JAPANESE: Self = Self(*b"Jpan");
    pub const KOREAN: Self = Self(*b"Kore");
    pub const COMMON: Self = Self(*b"Zyyy");
    pub const INHERITED: Self = Self(*b"Zinh");
    pub const UNKNOWN: Self = Self(*b"Zzzz");

    /// Accepts four ASCII letters in title case (`Latn`).
    pub fn parse(code: &str) -> Option<Self> {
        let bytes: [u8; 4] = code.as_bytes().try_into().ok()?;
        (bytes[0].is_ascii_uppercase() && bytes[1..].iter().all(u8::is_ascii_lowercase))
            .then_some(Self(bytes))
    }

    /// The four letters of the code.
    pub(crate) fn code(self) -> [u8; 4] {
        self.0
    }

    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or("Zzzz")
    }
}

impl std::fmt::Debug for Script {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

impl std::fmt::Display for Script {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Script {
    /// The script of a character (`Script`, not `Script_Extensions`).
    pub fn of(c: char) -> Self {
        Self(table::code(id_of(c)))
    }

    /// The scripts a character is used with, its own when there is no other.
    pub fn extensions(c: char) -> impl Iterator<Item = Self> {
        let value = table::value(c as u32);
        let (own, set) = match table::extensions(value) {
            Some((_, set)) => (None, *set),
            None => (Some(value as u8), &[][..]),
        };
        own.into_iter().chain(set.iter().copied()).map(|id| Self(table::code(id)))
    }

    /// Scripts written together are one: Han, kana and Bopomofo are `Hani`; `Jpan` is `Hani`, `Kore` is `Hang`.
    pub fn group(self) -> Self {
        Self(table::code(group_of(self.id())))
    }

    pub(crate) fn id(self) -> u8 {
        match &self.0 {
            b"Jpan" | b"Hans" | b"Hant" => id::HANI,
            b"Kore" => id::HANG,
            code => table::find(code).unwrap_or(id::UNKNOWN),
        }
    }

    pub(crate) fn from_id(id: u8) -> Self {
        Self(table::code(id))
    }
}

/// Indices of the scripts the detectors name, fixed by `build/script_table.rs`.
pub(crate) mod id {
    pub(crate) const COMMON: u8 = 0;
    pub(crate) const INHERITED: u8 = 1;
    pub(crate) const UNKNOWN: u8 = 2;
    pub(crate) const LATN: u8 = 3;
    pub(crate) const CYRL: u8 = 4;
    pub(crate) const GREK: u8 = 5;
    pub(crate) const ARAB: u8 = 6;
    pub(crate) const HANI: u8 = 8;
    pub(crate) const HIRA: u8 = 9;
    pub(crate) const KANA: u8 = 10;
    pub(crate) const BOPO: u8 = 11;
    pub(crate) const HANG: u8 = 12;
}

/// The index of a character's script.
#[inline]
pub(crate) fn id_of(c: char) -> u8 {
    let value = table::value(c as u32);
    if value < table::COUNT { value as u8 } else { table::extensions(value).map_or(id::UNKNOWN, |e| e.0) }
}

/// Whether a character is a letter of some script: what words are made of.
#[inline]
pub(crate) fn is_letter(c: char) -> bool {
    if c.is_ascii() { c.is_ascii_alphabetic() } else { !matches!(id_of(c), id::COMMON | id::UNKNOWN) }
}

/// Scripts that are written together count as one script of a run.
#[inline]
pub(crate) fn group_of(script: u8) -> u8 {
    if matches!(script, id::HIRA | id::KANA | id::BOPO) { id::HANI } else { script }
}

/// A stretch of one script within one line, from its first letter to its last letter or mark.
///
/// Common characters between two letters of one script belong to the run; those between two runs
/// belong to neither.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScriptRun {
    pub range: Range<usize>,
    /// Index of the script's group: Han, kana and Bopomofo are one.
    pub(crate) group: u8,
    /// Characters with a script of their own.
    pub letters: u32,
    /// Kana among them.
    pub kana: u32,
    /// No separator stands between this run and the one before it.
    pub(crate) joined: bool,
}

impl ScriptRun {
    /// `Jpan` for Han with kana, else the script.
    pub fn script(&self) -> Script {
        if self.group == id::HANI && self.kana > 0 { Script::JAPANESE } else { Script::from_id(self.group) }
    }
}

/// How many characters each script has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScriptCounts {
    counts: [u32; table::COUNT],
}

impl Default for ScriptCounts {
    fn default() -> Self {
        Self { counts: [0; table::COUNT] }
    }
}

impl ScriptCounts {
    #[inline]
    pub(crate) fn add(&mut self, script: u8, n: u32) {
        if let Some(count) = self.counts.get_mut(script as usize) {
            *count = count.saturating_add(n);
        }
    }

    pub(crate) fn of_id(&self, script: u8) -> u32 {
        self.counts.get(script as usize).copied().unwrap_or(0)
    }

    /// Characters of one script, `Script_Extensions` aside.
    pub fn of(&self, script: Script) -> u32 {
        self.of_id(script.id())
    }

    /// Characters with a script of their own.
    pub fn letters(&self) -> u32 {
        self.counts[3..].iter().fold(0, |sum, n| sum.saturating_add(*n))
    }

    fn kana(&self) -> u32 {
        self.of_id(id::HIRA).saturating_add(self.of_id(id::KANA))
    }

    /// The script with the most weight; `Zyyy` without letters. Han with a fair share of kana is `Jpan`,
    /// Hangul `Kore`. An ideograph weighs more than a letter, as it says more.
    pub fn dominant(&self) -> Script {
        let mut best = (0u64, id::COMMON);
        for script in 3..table::COUNT as u8 {
            let mut weight = u64::from(self.of_id(script));
            match script {
                id::HIRA | id::KANA | id::BOPO => continue,
                id::HANI => weight = (weight + u64::from(self.kana())) * 3,
                id::HANG => weight *= 2,
                _ => {}
            }
            if weight > best.0 {
                best = (weight, script);
            }
        }
        match best.1 {
            id::HANI if self.kana() * 8 > self.of_id(id::HANI) => Script::JAPANESE,
            id::HANG => Script::KOREAN,
            other => Script::from_id(other),
        }
    }
}

/// What the one pass over the characters finds.
#[derive(Clone, Debug, Default)]
pub(crate) struct Survey {
    pub(crate) runs: Vec<ScriptRun>,
    pub(crate) counts: ScriptCounts,
    /// Format characters by offset.
    pub(crate) format: Vec<(usize, char)>,
    /// Offsets of characters that may begin a wrongly decoded sequence.
    pub(crate) suspects: Vec<usize>,
    /// `<` or `&` was seen.
    pub(crate) markup: bool,
    /// Characters in all.
    pub(crate) chars: usize,
}

/// Whether two neighbours may be bytes of UTF-8 read in a one-byte encoding.
#[inline]
fn is_suspect(before: char, c: char) -> bool {
    match before {
        '\u{C2}'..='\u{F4}' => {
            matches!(c, '\u{80}'..='\u{BF}' | '\u{152}'..='\u{17E}' | '\u{192}' | '\u{2C6}'
            | '\u{2DC}' | '\u{2013}'..='\u{203A}' | '\u{20AC}' | '\u{2122}')
        }
        'Р' | 'С' | 'в' => !matches!(c, 'а'..='я' | 'А'..='Я') && (c as u32) < 0x2200,
        _ => false,
    }
}

/// Adds letters to the open run, or closes it and opens another.
#[inline]
fn extend(
    closed: &mut impl FnMut(ScriptRun),
    open: &mut Option<ScriptRun>,
    range: Range<usize>,
    group: u8,
    letters: u32,
    kana: u32,
    joined: bool,
) {
    match open {
        Some(run) if run.group == group => {
            run.range.end = range.end;
            run.letters += letters;
            run.kana += kana;
        }
        _ => {
            let run = ScriptRun { range, group, letters, kana, joined };
            open.replace(run).into_iter().for_each(closed);
        }
    }
}

/// Bytes of a run: a text of several scripts has hardly more runs than so.
const BYTES_OF_RUN: usize = 32;

/// The runs, counts and suspicious places of a text, in one pass.
pub(crate) fn survey(text: &str) -> Survey {
    let mut runs = Vec::with_capacity((text.len() / BYTES_OF_RUN).min(1024));
    let mut survey = Survey::default();
    pass::<true>(text, &mut survey, |run| runs.push(run));
    survey.runs = runs;
    survey
}

/// Adds to a survey; the runs are handed on as they end, `PLACES` of odd characters noted or not.
fn pass<const PLACES: bool>(text: &str, out: &mut Survey, mut closed: impl FnMut(ScriptRun)) {
    let mut open: Option<ScriptRun> = None;
    // end of the last letter or mark: a letter right there is joined to it
    let mut touching = usize::MAX;
    let (mut before, mut before_end) = ('\0', 0);
    let (mut latin, mut chars) = (0u32, 0usize);
    let bytes = text.as_bytes();
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        let start = at;
        if byte < 0x80 {
            before = byte as char;
            if !byte.is_ascii_alphabetic() {
                if byte == b'\n' {
                    open.take().into_iter().for_each(&mut closed);
                }
                out.markup |= matches!(byte, b'<' | b'&');
                at += 1;
                chars += 1;
                before_end = at;
                continue;
            }
            // a word of plain letters at once
            while bytes.get(at).is_some_and(u8::is_ascii_alphabetic) {
                at += 1;
            }
            let n = (at - start) as u32;
            chars += at - start;
            latin += n;
            extend(&mut closed, &mut open, start..at, id::LATN, n, 0, touching == start);
            (touching, before_end) = (at, at);
            continue;
        }
        let Some(c) = text[at..].chars().next() else { break };
        at += c.len_utf8();
        chars += 1;
        let (end, at) = (at, start);
        let value = table::value(c as u32);
        let script = if value < table::COUNT { value as u8 } else { id_of(c) };
        if c == '\u{FFFD}' && PLACES {
            out.suspects.push(at);
        } else if PLACES && before_end == at && is_suspect(before, c) {
            out.suspects.push(at - before.len_utf8());
        }
        if Class::of(c).is_format() {
            if PLACES {
                out.format.push((at, c));
            }
            if touching == at {
                touching = end;
            }
            continue;
        }
        (before, before_end) = (c, end);
        if script <= id::UNKNOWN {
            if script == id::INHERITED && touching == at {
                touching = end;
                if let Some(run) = open.as_mut().filter(|run| run.range.end == at) {
                    run.range.end = end;
                }
            } else if let Some((_, set)) = table::extensions(value)
                && let Some(run) = open.as_mut().filter(|run| run.range.end == at)
                && set.iter().any(|s| group_of(*s) == run.group)
            {
                // a mark or sign of the run's own script, such as a length mark or a danda
                run.range.end = end;
            }
            continue;
        }
        out.counts.add(script, 1);
        let kana = u32::from(script == id::HIRA || script == id::KANA);
        extend(&mut closed, &mut open, at..end, group_of(script), 1, kana, touching == at);
        touching = end;
    }
    open.into_iter().for_each(closed);
    out.counts.add(id::LATN, latin);
    out.chars += chars;
}

/// The script runs of a text, in order.
pub fn runs(text: &str) -> Vec<ScriptRun> {
    survey(text).runs
}

/// Calls back with the script runs of a text, in order; what else there is to say goes to `survey`, which costs more
/// to make than a short text to read.
pub(crate) fn each_run_into(text: &str, survey: &mut Survey, run: impl FnMut(ScriptRun)) {
    pass::<false>(text, survey, run);
}

/// How many characters of each script a text has.
pub fn counts(text: &str) -> ScriptCounts {
    let mut survey = Survey::default();
    pass::<false>(text, &mut survey, |_| ());
    survey.counts
}

/// Whether a text has `least` words: runs of characters without white space that have a letter. Where words
/// are not set apart, two ideographs or kana make one, or four letters of the scripts of Indochina and Tibet,
/// about what words have there.
pub fn has_words(text: &str, least: u32) -> bool {
    // Nearly always none are asked for: not even the first is looked for then.
    if least == 0 {
        return true;
    }
    let enough = u64::from(least) * 4;
    let mut quarters = 0;
    for run in text.split_whitespace() {
        let mut word = false;
        // that many are enough if each is a quarter
        for c in run.chars().take(enough as usize).filter(|c| is_letter(*c)) {
            match Script::of(c).as_str() {
                "Hani" | "Hira" | "Kana" | "Bopo" => quarters += 2,
                "Thai" | "Laoo" | "Khmr" | "Mymr" | "Tibt" => quarters += 1,
                _ => word = true,
            }
        }
        quarters += if word { 4 } else { 0 };
        if quarters >= enough {
            return true;
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use unicode_script::UnicodeScript;

    #[test]
    fn the_table_is_the_crate() {
        for c in (0..0x110000u32).filter_map(char::from_u32) {
            assert_eq!(Script::of(c).as_str(), c.script().short_name(), "{c:?}");
        }
        let scripts: Vec<_> = Script::extensions('।').collect();
        assert!(scripts.contains(&Script(*b"Deva")) && scripts.contains(&Script(*b"Beng")));
        assert_eq!(Script::extensions('a').collect::<Vec<_>>(), [Script::LATIN]);
    }

    #[test]
    fn words_are_counted_where_they_are_set_apart_and_where_not() {
        for (text, words) in [
            ("", 0),
            ("12 : 3 ... -- !", 0),
            ("Tea, 3 cups; it's  well-kept\n", 4),
            ("чай e\u{301}te\u{301}", 2),
            ("今日は雨です", 3),
            ("今天 下雨 iPhone", 3),
            ("วันนี้ฝนตกที่นี่", 4),
            ("비가 와요", 2),
        ] {
            assert!(has_words(text, words), "{text:?} has {words}");
            assert!(!has_words(text, words + 1), "{text:?} has {words} alone");
        }
        assert!(has_words(&"雨".repeat(1000), 500));
        assert!(!has_words(&"a".repeat(1_000_000), 2));
        assert!(has_words("", 0) && has_words("a", 0) && !has_words("a", u32::MAX));
    }

    #[test]
    fn named_indices_are_the_table_s() {
        for (index, code) in [
            (id::LATN, "Latn"),
            (id::CYRL, "Cyrl"),
            (id::GREK, "Grek"),
            (id::ARAB, "Arab"),
            (id::HANI, "Hani"),
            (id::HIRA, "Hira"),
            (id::KANA, "Kana"),
            (id::BOPO, "Bopo"),
            (id::HANG, "Hang"),
        ] {
            assert_eq!(Script::from_id(index).as_str(), code);
        }
    }

    #[test]
    fn runs_keep_common_characters_inside() {
        let text = "Tea, 3 cups; чай\nかな漢字ー。";
        let runs = runs(text);
        let parts: Vec<_> = runs.iter().map(|r| (&text[r.range.clone()], r.script().to_string())).collect();
        assert_eq!(
            parts,
            [("Tea, 3 cups", "Latn".into()), ("чай", "Cyrl".into()), ("かな漢字ー。", "Jpan".into())]
        );
    }

    #[test]
    fn dominant_scripts() {
        assert_eq!(counts("... 12 !").dominant(), Script::COMMON);
        assert_eq!(counts("今日は雨です").dominant(), Script::JAPANESE);
        assert_eq!(counts("今天下雨").dominant(), Script::HAN);
        assert_eq!(counts("비가 와요").dominant(), Script::KOREAN);
        assert_eq!(counts("rain дождь").dominant(), Script::CYRILLIC);
    }

    proptest! {
        #[test]
        fn runs_are_sorted_and_on_boundaries(text in any::<String>()) {
            let mut last = 0;
            for run in runs(&text) {
                prop_assert!(run.range.start >= last && run.range.end > run.range.start);
                prop_assert!(text.get(run.range.clone()).is_some());
                last = run.range.end;
            }
        }
    }
}
