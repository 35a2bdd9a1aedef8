//! Sentences in another language of the same script.
//!
//! A sentence is suspected when it shares hardly a word with the rest of the article, which needs no model;
//! only then is the ranker asked.

use super::letters::Alphabet;
use super::{Frame, Ranker, candidates};
use crate::language::{Language, LanguageCandidate, Ranked};
use crate::noise::{Host, Known, NoiseKind, NoiseSpan};
use crate::pool::Pool;
use crate::script::{Script, group_of, id, id_of};
use std::ops::Range;

/// Text looked at: the rest of a longer article is judged by its scripts only.
const REACH: usize = 64 * 1024;
/// Slots of the table of words; a collision only makes a sentence less suspect.
const SLOTS: usize = 1 << 14;
/// A word met in two sentences.
const SHARED: u16 = 0xFFFE;
/// How probable another language must be for a sentence.
const SENTENCE_PROBABILITY: f64 = 0.6;
/// A sentence with fewer letters is not judged.
const LETTERS: u32 = 24;

struct Sentence {
    range: Range<usize>,
    /// Its words among the slots met.
    met: Range<usize>,
    letters: u32,
    words: u32,
}

/// Spans of foreign sentences, labels and words in the host's own script.
pub(in crate::noise) fn detect(
    text: &str,
    host: &Host,
    skip: &[Known],
    ranker: &mut Ranker<'_>,
    spans: &mut Vec<NoiseSpan>,
) {
    let Some(language) = host.language else { return };
    let own = host.script.id();
    let text = &text[..crate::text::floor_boundary(text, REACH)];
    let mut buffers = BUFFERS.take();
    let Buffers { seen, sentences, met } = &mut buffers;
    seen.clear();
    seen.resize(SLOTS, u16::MAX);
    sentences.clear();
    met.clear();
    for range in crate::text::sentences(text) {
        let first = met.len();
        let index = (sentences.len() % 0xFFF0) as u16;
        let (mut letters, mut words) = (0, 0);
        tokens(&text[range.clone()], |hash, n, _| {
            letters += n;
            words += 1;
            met.push((hash as usize % SLOTS) as u16);
            let slot = &mut seen[hash as usize % SLOTS];
            *slot = if *slot == u16::MAX || *slot == index { index } else { SHARED };
        });
        sentences.push(Sentence { range, met: first..met.len(), letters, words });
    }
    let many = sentences.len() >= 4;
    let alphabet = Alphabet::of(super::written(language), own);
    let mut next_skip = 0;
    for sentence in &*sentences {
        let s = &text[sentence.range.clone()];
        while skip.get(next_skip).is_some_and(|k| k.range.end <= sentence.range.start) {
            next_skip += 1;
        }
        let overlapped = skip.get(next_skip).is_some_and(|k| {
            k.range.start < sentence.range.end
                && k.kind != NoiseKind::Invisible
                && 2 * k.range.len() > s.len()
        });
        if overlapped || sentence.letters < LETTERS || sentence.words < 4 {
            continue;
        }
        let shared =
            met[sentence.met.clone()].iter().filter(|slot| seen[**slot as usize] == SHARED).count() as u32;
        let mut outside = 0;
        if let Some(alphabet) = &alphabet {
            tokens(s, |_, _, word| outside += u32::from(alphabet.lacks(word)));
        }
        let kana = || s.chars().any(|c| matches!(id_of(c), id::HIRA | id::KANA));
        let han_only = host.script == Script::JAPANESE
            && own_letters(s, own) >= 12
            && own_share(s, sentence, own)
            && !kana();
        let estranged = many && shared * 4 <= sentence.words;
        let lettered = outside * 3 >= sentence.words && outside >= 3;
        if han_only {
            push(s, sentence.range.clone(), Script::HAN, Ranked::new(), 0.8, ranker, spans);
            continue;
        }
        if !(estranged || lettered) || !own_share(s, sentence, own) {
            continue;
        }
        let ranked: Ranked =
            ranker.rank(s).into_iter().filter(|c| c.script.group() == host.script.group()).collect();
        if let Some(confidence) =
            verdict(&ranked, language, SENTENCE_PROBABILITY).or(lettered_verdict(&ranked, language, lettered))
        {
            push(s, sentence.range.clone(), host.script, ranked, confidence, ranker, spans);
        }
    }
    BUFFERS.give_back(buffers);
}

/// What [`detect`] fills for a text, kept for the next one: at most as much as `REACH` has.
#[derive(Default)]
struct Buffers {
    /// By hash of a word, the sentence it is in.
    seen: Vec<u16>,
    sentences: Vec<Sentence>,
    /// The words of all sentences.
    met: Vec<u16>,
}

static BUFFERS: Pool<Buffers> = Pool::new();

/// Whether a sentence is mainly in the host's script.
fn own_share(s: &str, sentence: &Sentence, own: u8) -> bool {
    10 * own_letters(s, own) >= 7 * sentence.letters
}

/// Letters of the host's script.
fn own_letters(s: &str, own: u8) -> u32 {
    s.chars()
        .map(|c| u32::from(if c.is_ascii_alphabetic() { own == id::LATN } else { group_of(id_of(c)) == own }))
        .sum()
}

fn push(
    s: &str,
    range: Range<usize>,
    script: Script,
    ranked: Ranked,
    confidence: f64,
    ranker: &mut Ranker<'_>,
    spans: &mut Vec<NoiseSpan>,
) {
    let quote = |c: char| matches!(c, '“' | '”' | '"' | '«' | '»' | '„' | '‘' | '’' | '\'' | ' ');
    let start = range.start + (s.len() - s.trim_start_matches(quote).len());
    let end = range.start + s.trim_end_matches(quote).len();
    let candidates = if ranked.is_empty() { candidates(s, script, ranker) } else { ranked };
    let kind = NoiseKind::ForeignLanguage;
    spans.push(NoiseSpan { range: start..end.max(start), kind, script, candidates, confidence });
}

/// The ranker must name another language, clearly, and have no room left for the host's.
pub(super) fn verdict(ranked: &[LanguageCandidate], host: Language, needed: f64) -> Option<f64> {
    let top = ranked.first()?;
    let own: f64 = ranked.iter().filter(|c| akin(c.language, host)).map(|c| c.probability).sum();
    let clear = !akin(top.language, host) && top.probability >= needed && own <= 0.1;
    clear.then_some(0.5 + top.probability * 0.4)
}

/// Where the letters speak already, the ranker need only not contradict.
fn lettered_verdict(ranked: &[LanguageCandidate], host: Language, lettered: bool) -> Option<f64> {
    (lettered && ranked.first().is_some_and(|top| !akin(top.language, host))).then_some(0.6)
}

/// Languages no ranker tells apart on one sentence.
fn akin(a: Language, b: Language) -> bool {
    const GROUPS: [&[&str]; 6] = [
        &["hrv", "srp", "bos", "slv"],
        &["ind", "zsm", "jav", "sun", "bjn", "min"],
        &["nob", "nno", "dan"],
        &["cmn", "yue"],
        &["hin", "mai", "bho", "awa", "mag", "hne"],
        &["pes", "prs"],
    ];
    a.folded() == b.folded() || GROUPS.iter().any(|g| g.contains(&a.as_str()) && g.contains(&b.as_str()))
}

/// Labels and single words whose letters the host's alphabet lacks.
pub(in crate::noise) fn words(text: &str, host: &Host, ranker: &mut Ranker<'_>, spans: &mut Vec<NoiseSpan>) {
    let (Some(language), own) = (host.language, host.script.id()) else { return };
    let Some(alphabet) = Alphabet::of(super::written(language), own) else { return };
    let text = &text[..crate::text::floor_boundary(text, REACH)];
    if !alphabet.any_outside(text) {
        return;
    }
    let mut found: Vec<Range<usize>> = Vec::new();
    let (mut n, mut misfits) = (0usize, 0usize);
    let mut at = 0;
    for word in text.split(|c: char| matches!(id_of(c), id::COMMON | id::UNKNOWN)) {
        let range = at..at + word.len();
        at = range.end + text[range.end..].chars().next().map_or(0, char::len_utf8);
        if word.is_empty() {
            continue;
        }
        n += 1;
        if word.len() < 6 || !alphabet.lacks(word) {
            continue;
        }
        misfits += 1;
        match found.last_mut() {
            Some(last) if range.start - last.end <= 2 && !text[last.end..range.start].contains('\n') => {
                last.end = range.end;
            }
            _ => found.push(range),
        }
    }
    // a text that spells this way throughout simply does not keep the rule
    if misfits * 30 > n.max(60) || found.len() > 8 {
        return;
    }
    for range in found {
        let label = Frame::of(text, &range) != Frame::Prose;
        spans.push(NoiseSpan {
            candidates: candidates(&text[range.clone()], host.script, ranker),
            range,
            kind: NoiseKind::ForeignLanguage,
            script: host.script,
            confidence: if label { 0.7 } else { 0.55 },
        });
    }
}

/// Calls back with a hash, the letters and the text of each word; of each pair of characters where words are not spaced.
fn tokens(s: &str, mut emit: impl FnMut(u32, u32, &str)) {
    let (mut hash, mut n, mut start) = (0u32, 0u32, 0);
    let mut previous = 0u32;
    for (i, c) in s.char_indices() {
        let script = if c.is_ascii() { id::LATN } else { group_of(id_of(c)) };
        let letter = if c.is_ascii() { c.is_ascii_alphabetic() } else { script != id::COMMON };
        let dense = letter
            && (script == id::HANI || matches!(c as u32, 0xE00..=0xEFF | 0x1000..=0x109F | 0x1780..=0x17FF));
        if dense {
            if previous != 0 {
                emit(mix(previous, c as u32), 1, "");
            }
            previous = c as u32;
            continue;
        }
        previous = 0;
        if letter {
            if n == 0 {
                start = i;
            }
            let lower = crate::text::lower(c).unwrap_or(c);
            hash = mix(hash, lower as u32);
            n += 1;
        } else if n > 0 {
            emit(hash, n, &s[start..i]);
            (hash, n) = (0, 0);
        }
    }
    if n > 0 {
        emit(hash, n, &s[start..]);
    }
}

fn mix(hash: u32, value: u32) -> u32 {
    let mixed = (hash ^ value).wrapping_mul(0x9E37_79B1);
    mixed ^ (mixed >> 15)
}
