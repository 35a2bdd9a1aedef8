//! Single words and short labels of another language in the host's own script.
//!
//! The sketches of the lexicon pick the words that the host does not know and another language does; only of
//! those is the ranker asked, and both together decide.

use super::Ranker;
use super::letters;
use super::lexicon::{self, LANGUAGES, Sketch, Traits, Word, traits};
use crate::class::{Class, is_whitespace};
use crate::language::{Language, LanguageCandidate, Ranked};
use crate::noise::{Host, Known, NoiseKind, NoiseSpan};
use crate::script::{Script, id, id_of};
use smallvec::SmallVec;
use std::ops::Range;

/// Text looked at for stray words.
const REACH: usize = 16 * 1024;
/// Words of an article the ranker is asked about at most.
const ASKED: usize = 10;
/// A word of fewer letters proves nothing.
const LETTERS: usize = 4;
/// Log-odds a word needs before the ranker is asked.
const SUSPECT: f32 = -0.5;
/// And with the ranker's word: one of the host's own words in some twenty thousand has them.
const STRAY: f32 = 5.0;
/// The ranker must have some other language in mind.
const RANKED: f64 = 0.9;
/// What a letter adds that no word of the host has, and what the ranker must have in mind then.
const OUTSIDE: f32 = 3.0;
const LETTERED: f64 = 0.5;
/// In the place of a label a foreign word is to be expected.
const LABEL: f32 = 0.0;
/// What a word the host knows says against a label.
const OWN: f32 = -3.0;
/// Odds that a frequent word of a language is worth in a ranking.
const KNOWN_ODDS: f64 = 6.0;
/// International words are at home everywhere.
const INTERNATIONAL: u32 = 3;
/// Ideographs without use in Japanese that a run needs: names have one or two.
const CHINESE_ONLY: usize = 3;

/// Log-odds of being foreign, by the sketches alone. Weights of this and [`verdict`]: a logistic regression on
/// words of held-back sentences of 29 languages, planted into each other's.
fn suspicion(t: &Traits) -> f32 {
    let yes = |b: bool| f32::from(u8::from(b));
    0.54 * t.gain + 2.04 * yes(t.known) + 1.01 * t.families as f32 + 0.23 * yes(t.single)
        - 1.79 * t.unseen as f32
        - 0.08 * t.letters as f32
        - 3.07
}

/// The same with the ranker's opinion.
fn verdict(t: &Traits, ranked: &[LanguageCandidate], host: Language) -> f32 {
    let yes = |b: bool| f32::from(u8::from(b));
    let share = |code: &str| {
        let of_it = ranked.iter().filter(|c| c.language.as_str() == code || c.language.folded() == code);
        (of_it.map(|c| c.probability).sum::<f64>() as f32 + 1e-4).ln()
    };
    0.08 * t.gain + 2.09 * yes(t.known) + 0.73 * t.families as f32
        - 0.22 * yes(t.single)
        - 0.59 * t.unseen as f32
        + 0.04 * t.letters as f32
        - 1.08 * share(host.folded())
        + 0.39 * share(&LANGUAGES[t.other][..3])
        - 6.18
}

/// The sketch of the host, when it has one.
fn sketch_of(host: &Host) -> Option<(Language, usize)> {
    let language = host.language?;
    if !lexicon::is_judged(host.script.id()) {
        return None;
    }
    Some((language, lexicon::index(super::written(language), host.script)?))
}

/// A word that the sketches take for another language's.
struct Suspect {
    score: f32,
    range: Range<usize>,
    traits: Traits,
    /// It has a letter that no word of the host has.
    outside: bool,
}

/// Spans of stray words in prose.
pub(in crate::noise) fn words(
    text: &str,
    host: &Host,
    skip: &[Known],
    ranker: &mut Ranker<'_>,
    spans: &mut Vec<NoiseSpan>,
) {
    let Some((language, sketch)) = sketch_of(host).filter(|(_, sketch)| lexicon::is_rich(*sketch)) else {
        return;
    };
    let own = host.script.id();
    let text = &text[..crate::text::floor_boundary(text, REACH)];
    let mut suspects: SmallVec<[Suspect; 16]> = SmallVec::new();
    let mut n = 0_usize;
    let mut skip = skip.iter().peekable();
    let mut end = 0;
    for piece in text.split(is_whitespace) {
        let start = end;
        end = start + piece.len();
        end += text[end..].chars().next().map_or(0, char::len_utf8);
        n += usize::from(!piece.is_empty());
        let word = piece.trim_end_matches(['.', ',', ';', ':', '!', '?', '،', '؟', '۔', '।']);
        // one form of letters only: an upper-case letter makes a name, a sign inside a compound or an address
        let plain = word.len() >= LETTERS
            && word.chars().all(|c| {
                if c.is_ascii() {
                    own == id::LATN && c.is_ascii_lowercase()
                } else {
                    id_of(c) == own && !Class::of(c).is_uppercase()
                }
            });
        if !plain {
            continue;
        }
        if lexicon::is_own(word, sketch) {
            continue;
        }
        let range = start..start + word.len();
        while skip.next_if(|s| s.range.end <= range.start).is_some() {}
        if skip.peek().is_some_and(|s| s.range.start < range.end) {
            continue;
        }
        let Some(traits) =
            Word::new(word).filter(|w| w.letters() >= LETTERS).and_then(|w| traits(&w, sketch))
        else {
            continue;
        };
        let outside = own == id::LATN && letters::is_outside(word, &LANGUAGES[sketch][..3]);
        let score = suspicion(&traits) + if outside { OUTSIDE } else { 0.0 };
        if score >= SUSPECT && traits.families < INTERNATIONAL {
            if suspects.is_empty() {
                suspects.reserve(32);
            }
            suspects.push(Suspect { score, range, traits, outside });
        }
    }
    suspects.sort_unstable_by(|a, b| b.score.total_cmp(&a.score).then(a.range.start.cmp(&b.range.start)));
    suspects.truncate(ASKED);
    let mut found: SmallVec<[NoiseSpan; 2]> = SmallVec::new();
    for Suspect { range, traits, outside, .. } in suspects {
        let word = &text[range.clone()];
        // what the article says twice is its subject
        if text.match_indices(word).nth(1).is_some() {
            continue;
        }
        let ranked = ranker.rank(word);
        let (letters, needed) = if outside { (OUTSIDE, LETTERED) } else { (0.0, RANKED) };
        let score = verdict(&traits, &ranked, language) + letters;
        let top = ranked.iter().filter(|c| c.language.folded() != language.folded()).map(|c| c.probability);
        if top.fold(0.0, f64::max) >= needed && score >= STRAY {
            found.push(span(range, host.script, &traits, ranked, 0.55));
        }
    }
    // an article with many has a reason: another variety, a quotation, a word list
    if found.len() <= 2 + n / 100 {
        spans.extend(found);
    }
}

/// Chinese inside Japanese: ideographs without kana around a few that Japanese does not have.
pub(in crate::noise) fn chinese_in_japanese(
    text: &str,
    host: &Host,
    skip: &[Known],
    ranker: &mut Ranker<'_>,
    spans: &mut Vec<NoiseSpan>,
) {
    if host.script != Script::JAPANESE {
        return;
    }
    let text = &text[..crate::text::floor_boundary(text, 4 * REACH)];
    let mut skip = skip.iter().peekable();
    let mut at = 0;
    while let Some(step) = text[at..].find(|c| id_of(c) == id::HANI) {
        let start = at + step;
        let length = text[start..].find(|c| id_of(c) != id::HANI).unwrap_or(text.len() - start);
        at = start + length;
        let run = &text[start..at];
        while skip.next_if(|s| s.range.end <= start).is_some() {}
        let free = skip.peek().is_none_or(|s| s.range.start >= at);
        // a name stands between brackets or before one
        let quoted = text[..start].ends_with(['「', '『', '（', '(', '《', '“', '・'])
            || text[at..].starts_with(['」', '』', '）', ')', '》', '”', '・', '（', '(']);
        if !free || quoted || run.chars().filter(|c| lexicon::is_chinese_only(*c)).count() < CHINESE_ONLY {
            continue;
        }
        spans.push(NoiseSpan {
            range: start..at,
            kind: NoiseKind::ForeignLanguage,
            script: Script::HAN,
            candidates: super::candidates(run, Script::HAN, ranker),
            confidence: 0.6,
        });
    }
}

/// Whether the words of a label are another language's; `None` where the sketches cannot tell.
pub(super) fn label(label: &str, host: &Host, ranker: &mut Ranker<'_>) -> Option<(f32, Ranked)> {
    let (language, sketch) = sketch_of(host)?;
    let mut sum = 0.0;
    let mut best: Option<(f32, Traits)> = None;
    for text in lexicon::words(label).take(6) {
        let Some(word) = Word::new(text).filter(|w| w.letters() >= 3) else { continue };
        match traits(&word, sketch) {
            None => sum += OWN,
            Some(t) => {
                let ranked = ranker.rank(text);
                // who says nothing has not said that it is not the host's
                if ranked.is_empty() {
                    return None;
                }
                let score = verdict(&t, &ranked, language).clamp(-4.0, 4.0);
                sum += score;
                if best.is_none_or(|b| b.0 < score) {
                    best = Some((score, t));
                }
            }
        }
    }
    let (_, traits) = best?;
    let ranked = favoured(&traits, ranker.rank(label), host.script);
    Some((sum - LABEL, ranked))
}

fn span(range: Range<usize>, script: Script, traits: &Traits, ranked: Ranked, confidence: f64) -> NoiseSpan {
    let candidates = favoured(traits, ranked, script);
    NoiseSpan { range, kind: NoiseKind::ForeignLanguage, script, candidates, confidence }
}

/// A ranking of a word or three with the languages moved up that have the words among their frequent ones.
pub(super) fn by_words(text: &str, script: Script, ranked: &mut [LanguageCandidate]) {
    let words: SmallVec<[Word; 4]> = lexicon::words(text).take(4).filter_map(Word::new).collect();
    if words.len() > 3 || !lexicon::is_judged(script.id()) {
        return;
    }
    for candidate in ranked.iter_mut() {
        let Some(index) = lexicon::index(candidate.language.as_str(), script) else { continue };
        for word in &words {
            candidate.probability *= if Sketch::at(index).knows_word(word) { KNOWN_ODDS } else { 1.0 };
        }
    }
    let sum: f64 = ranked.iter().map(|c| c.probability).sum();
    if sum > 1.0 {
        ranked.iter_mut().for_each(|c| c.probability /= sum);
    }
    ranked.sort_by(|a, b| b.probability.total_cmp(&a.probability).then(a.language.cmp(&b.language)));
}

/// The ranking with the language whose sketch knows the word moved up.
fn favoured(traits: &Traits, mut ranked: Ranked, script: Script) -> Ranked {
    ranked.retain(|c| c.script.group() == script.group());
    let odds = if traits.known { KNOWN_ODDS } else { 1.0 };
    let Some(other) = Language::parse(&LANGUAGES[traits.other][..3]) else { return ranked };
    match ranked.iter_mut().find(|c| c.language.folded() == other.folded()) {
        Some(known) => known.probability *= odds,
        None if traits.known => ranked.push(LanguageCandidate { language: other, script, probability: 0.2 }),
        None => {}
    }
    let sum: f64 = ranked.iter().map(|c| c.probability).sum();
    if sum > 1.0 {
        ranked.iter_mut().for_each(|c| c.probability /= sum);
    }
    ranked.sort_by(|a, b| b.probability.total_cmp(&a.probability).then(a.language.cmp(&b.language)));
    ranked
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::language::RankLanguages;

    /// Always sure of one language.
    struct Sure(&'static str);

    impl RankLanguages for Sure {
        fn rank(&self, text: &str, _: usize) -> Ranked {
            let script = crate::script::counts(text).dominant();
            let sure = |language| LanguageCandidate { language, script, probability: 0.98 };
            Language::parse(self.0).map(sure).into_iter().collect()
        }
    }

    fn strays<'a>(text: &'a str, host: &str, script: Script, says: &'static str) -> Vec<&'a str> {
        let host = Host { language: Language::parse(host), script };
        let mut ranker = Ranker { ranker: &Sure(says), calls: 20 };
        let mut spans = Vec::new();
        words(text, &host, &[], &mut ranker, &mut spans);
        chinese_in_japanese(text, &host, &[], &mut ranker, &mut spans);
        spans.into_iter().map(|s| &text[s.range]).collect()
    }

    #[test]
    fn a_word_of_another_language() {
        let latin = Script::LATIN;
        assert_eq!(strays("The ferry waited gözlük for the tide.", "eng", latin, "tur"), ["gözlük"]);
        assert_eq!(
            strays("Le pont reste fermé szczęście jusqu'à lundi.", "fra", latin, "pol"),
            ["szczęście"]
        );
        assert_eq!(strays("El barco esperaba acoperă la marea.", "spa", latin, "ron"), ["acoperă"]);
        // an article in Najdi Arabic is written in Arabic's letters
        assert_eq!(strays("انتظرت السفينة سالوں قبل المد.", "ars", Script::ARABIC, "urd"), ["سالوں"]);
        assert_eq!(
            strays("橋は昨日から閉まっている、他们还没说过。", "jpn", Script::JAPANESE, "cmn"),
            ["他们还没说过"]
        );
        let named = strays("橋を設計した陈伟明氏は今日着いた。", "jpn", Script::JAPANESE, "cmn");
        assert_eq!(named, Vec::<&str>::new());
    }

    #[test]
    fn own_words_and_names_are_left() {
        let latin = Script::LATIN;
        for text in [
            "The ferry waited for the tide and the fishermen mended their nets.",
            "She visited Gözlük and Szczęście-on-Sea.",
            "The gözlük is old; a gözlük breaks.",
        ] {
            assert_eq!(strays(text, "eng", latin, "tur"), Vec::<&str>::new(), "{text:?}");
        }
        // a ranker that hears the host keeps the word
        assert_eq!(strays("The ferry waited gözlük for the tide.", "eng", latin, "eng"), Vec::<&str>::new());
    }
}
