//! A text cut into runs of one language.
//!
//! Sentences are the unit. Their script comes for free; the ranker is asked about a sample of them, and about
//! the rest only where the samples disagree, so monolingual text costs a few calls.

use super::{Language, LanguageCandidate, LanguageSpan, RankLanguages, Ranked};
use crate::noise::{Host, lexicon};
use crate::script::{self, Script, id};
use crate::text::SHORT_SENTENCE;
use smallvec::SmallVec;
use std::ops::Range;

/// Bytes of a text that the ranker is asked about at most.
const ASKED_BYTES: usize = 32 * RANKED_BYTES;
/// The ranker sees this many bytes of a unit at most, and so many at first: where they are the host's, clearly, or
/// another's, surely, they are enough.
const RANKED_BYTES: usize = 240;
const FIRST_BYTES: usize = 96;
const CLEAR: f64 = 0.9;
const SURE: f64 = 0.97;
/// Odds that a sentence is of the language of the one beside it: texts change theirs seldom, and relatives are told
/// apart badly by one.
const STAYS: f64 = 5.0;
/// How sure a sentence of another language is that is clear by its words.
const SEEN: f64 = 0.98;
/// A unit with fewer letters takes its neighbours' language.
const LETTERS: u32 = 16;
/// Units at most; a text of more has them merged.
const UNITS: usize = 4096;

struct Unit {
    range: Range<usize>,
    script: Script,
    /// Index of the script's group.
    group: u8,
    letters: u32,
    answer: Option<LanguageCandidate>,
    /// What the ranker said of its script, the answer first.
    ranked: Ranked,
}

/// What is known of the whole text.
struct Known {
    language: Option<Language>,
    script: Script,
    certainty: f64,
    /// Of its language's words.
    sketch: Option<usize>,
}

/// The runs of one language, in order. They do not overlap, start and end at words, and leave out only blanks
/// and text without letters at the ends. `certainty` is the probability of the host's language: a text of one sentence
/// has been ranked as a whole and is not ranked again.
pub fn spans(text: &str, host: &Host, certainty: f64, ranker: &dyn RankLanguages) -> Vec<LanguageSpan> {
    let own = script::group_of(host.script.id());
    let mut units = units(text, own);
    if let ([unit], Some(language)) = (&mut units[..], host.language)
        && unit.group == own
    {
        unit.answer = Some(LanguageCandidate { language, script: unit.script, probability: certainty });
        return merge(text, units, host);
    }
    let sketch = host.language.and_then(|language| lexicon::index(language.as_str(), host.script));
    let known = Known { language: host.language, script: host.script, certainty, sketch };
    let mut left = ASKED_BYTES;
    // a sample first: evenly spread
    let n = units.iter().filter(|u| u.letters >= LETTERS && u.group == own).count();
    let step = n.div_ceil(8).max(1);
    let mut disagree = false;
    let mut index = 0;
    for unit in units.iter_mut().filter(|u| u.letters >= LETTERS) {
        if unit.group == own {
            index += 1;
            if (index - 1) % step != 0 {
                continue;
            }
        }
        ask(text, unit, &known, ranker, &mut left);
        disagree |= unit.answer.is_some_and(|a| Some(a.language) != host.language);
    }
    if disagree || host.language.is_none() {
        units
            .iter_mut()
            .filter(|u| u.letters >= LETTERS && u.answer.is_none())
            .for_each(|unit| ask(text, unit, &known, ranker, &mut left));
    }
    smooth(&mut units, host);
    merge(text, units, host)
}

/// Sentences, cut further where the script changes for good.
fn units(text: &str, host: u8) -> Vec<Unit> {
    let mut units: Vec<Unit> = Vec::with_capacity(UNITS.min(text.len() / SHORT_SENTENCE + 8));
    let mut survey = script::Survey::default();
    let mut cut: SmallVec<[Unit; 4]> = SmallVec::new();
    for range in crate::text::sentences(text) {
        script::each_run_into(&text[range.clone()], &mut survey, |run| {
            let found = range.start + run.range.start..range.start + run.range.end;
            match cut.last_mut() {
                Some(last) if last.group == run.group => {
                    if run.kana > 0 {
                        last.script = run.script();
                    }
                    last.range.end = found.end;
                    last.letters += run.letters;
                }
                Some(last) if is_guest(&run, &text[found.clone()]) => {
                    last.range.end = found.end;
                    last.letters += run.letters;
                }
                // a guest at the start belongs to what follows
                Some(last) if last.letters < LETTERS && last.range.len() < 40 => {
                    last.range.end = found.end;
                    last.letters += run.letters;
                    (last.script, last.group) = (run.script(), run.group);
                }
                _ => {
                    let (script, group, letters) = (run.script(), run.group, run.letters);
                    let ranked = Ranked::new();
                    cut.push(Unit { range: found, script, group, letters, answer: None, ranked });
                }
            }
        });
        // the sentence's own ends belong to its outer pieces
        if let Some(last) = cut.last_mut() {
            last.range.end = range.end;
        }
        if let Some(first) = cut.first_mut() {
            first.range.start = range.start;
        }
        for unit in cut.drain(..) {
            let full = units.len() >= UNITS;
            match units.last_mut() {
                Some(last) if full || joins(&unit, last, host) => {
                    last.range.end = unit.range.end;
                    last.letters += unit.letters;
                }
                _ => units.push(unit),
            }
        }
    }
    units
}

/// A unit too short to be judged joins the one before it when their scripts agree.
fn joins(unit: &Unit, last: &Unit, host: u8) -> bool {
    unit.group == last.group && unit.letters < LETTERS && last.group == host
}

/// A few words of another script inside a sentence: names and terms, not a change of language.
fn is_guest(run: &script::ScriptRun, s: &str) -> bool {
    let dense = matches!(run.group, id::HANI | id::HANG) || Script::from_id(run.group).as_str() == "Thai";
    run.letters < if dense { 6 } else { LETTERS } || !dense && s.split_whitespace().nth(2).is_none()
}

fn ask(text: &str, unit: &mut Unit, host: &Known, ranker: &dyn RankLanguages, left: &mut usize) {
    let s = &text[unit.range.clone()];
    let group = unit.script.group();
    let clarity = lexicon::clarity(s);
    let clear = if clarity.is_clear() && host.sketch == Some(clarity.language) {
        host.language.map(|language| (language, host.script, host.certainty))
    } else {
        clarity.alone().map(|(language, script)| (language, script, SEEN))
    };
    if let Some((language, script, probability)) = clear
        && script.group() == group
    {
        unit.answer = Some(LanguageCandidate { language, script: unit.script, probability });
        return;
    }
    for bytes in [FIRST_BYTES, RANKED_BYTES] {
        let s = &s[..crate::text::floor_boundary(s, bytes)];
        if *left == 0 || bytes == FIRST_BYTES && unit.range.len() < 2 * FIRST_BYTES {
            continue;
        }
        *left = left.saturating_sub(s.len());
        unit.ranked = ranker.rank(s, 3);
        unit.ranked.retain(|c| c.script.group() == group);
        unit.answer = unit.ranked.first().copied();
        let enough = |a: LanguageCandidate| if Some(a.language) == host.language { CLEAR } else { SURE };
        if unit.answer.is_some_and(|a| a.probability >= enough(a)) {
            break;
        }
    }
}

/// What a unit may be, told by its neighbours too.
fn with_neighbours(
    ranked: &[LanguageCandidate],
    around: [Option<LanguageCandidate>; 2],
) -> Option<LanguageCandidate> {
    let worth = |c: &LanguageCandidate| {
        let agree = around.iter().flatten().filter(|beside| beside.language == c.language).count();
        c.probability * STAYS.powi(agree as i32)
    };
    let all: f64 = ranked.iter().map(worth).sum();
    let best = ranked.iter().max_by(|a, b| worth(a).total_cmp(&worth(b)))?;
    Some(LanguageCandidate { probability: worth(best) / all.max(f64::MIN_POSITIVE), ..*best })
}

/// Units without an answer, or with a doubtful one between two that agree, follow their neighbours.
fn smooth(units: &mut [Unit], host: &Host) {
    let mut previous: Option<LanguageCandidate> = None;
    let of_host = host.language.map(|language| (language, script::group_of(host.script.id())));
    for index in 0..units.len() {
        let next = units[index + 1..].iter().take(8).find_map(|u| u.answer);
        let unit = &mut units[index];
        let fits = |c: &LanguageCandidate| c.script.group() == unit.script.group();
        if let Some(best) = with_neighbours(&unit.ranked, [previous.filter(fits), next.filter(fits)])
            && unit.answer.is_some_and(|answer| answer.language != best.language)
        {
            unit.answer = Some(best);
        }
        let own = of_host.filter(|(_, group)| *group == unit.group).map(|(language, _)| language);
        match unit.answer {
            Some(answer) if answer.probability < 0.6 && Some(answer.language) != own => {
                let around = |c: &Option<LanguageCandidate>| c.map(|c| c.language);
                if own.is_some()
                    && (around(&previous) == own || previous.is_none())
                    && (around(&next) == own || next.is_none())
                {
                    unit.answer = None;
                }
            }
            _ => {}
        }
        if unit.answer.is_none() {
            unit.answer = own
                .map(|language| LanguageCandidate { language, script: unit.script, probability: 0.6 })
                .filter(|own| previous.is_none_or(|p| p.language == own.language || !fits(&p)))
                .or_else(|| previous.filter(fits))
                .or_else(|| next.filter(fits));
        }
        previous = unit.answer.or(previous);
    }
}

fn merge(text: &str, units: Vec<Unit>, host: &Host) -> Vec<LanguageSpan> {
    let mut spans: Vec<LanguageSpan> = Vec::with_capacity(units.len().min(16));
    // letters so far, to weigh the probability of a run
    let mut weight = 0.0f64;
    for unit in units {
        let language: Option<Language> = unit.answer.map(|a| a.language);
        let probability = unit.answer.map_or(0.0, |a| a.probability);
        let letters = f64::from(unit.letters.max(1));
        match spans.last_mut() {
            Some(last) if last.language == language && last.script.group() == unit.script.group() => {
                last.range.end = unit.range.end;
                last.probability = (last.probability * weight + probability * letters) / (weight + letters);
                weight += letters;
            }
            _ => {
                weight = letters;
                spans.push(LanguageSpan { range: unit.range, language, script: unit.script, probability });
            }
        }
    }
    for span in &mut spans {
        if span.script.group() == host.script.group() {
            span.script = host.script;
        }
        let s = &text[span.range.clone()];
        span.range.end = span.range.start + s.trim_end().len();
    }
    spans
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Tells a few languages by one word each.
    struct ByWord;

    impl RankLanguages for ByWord {
        fn rank(&self, text: &str, _: usize) -> Ranked {
            let words = [(" the ", "eng"), (" der ", "deu"), (" на ", "rus"), ("は", "jpn")];
            let found = words.iter().find(|(word, _)| text.contains(word));
            let candidate = |code| {
                let script = script::counts(text).dominant();
                Language::parse(code).map(|language| LanguageCandidate { language, script, probability: 0.9 })
            };
            found.and_then(|(_, code)| candidate(code)).into_iter().collect()
        }
    }

    #[track_caller]
    fn check(text: &str, expected: &[(&str, &str)]) {
        let host = Host { language: Language::parse("eng"), script: Script::LATIN };
        let found: Vec<_> = spans(text, &host, 0.9, &ByWord)
            .into_iter()
            .map(|s| (&text[s.range], s.language.map_or("und", |l| l.as_str())))
            .collect();
        assert_eq!(found, expected, "{text:?}");
    }

    /// Russian, but for short sentences, which it takes for Ukrainian, more or less surely.
    struct Doubts(f64);

    impl RankLanguages for Doubts {
        fn rank(&self, text: &str, _: usize) -> Ranked {
            let said = match text.len() < 70 {
                true => [("ukr", self.0), ("rus", 1.0 - self.0)],
                false => [("rus", 0.99), ("ukr", 0.01)],
            };
            let candidate = |(code, probability): (&str, f64)| {
                Language::parse(code).map(|language| LanguageCandidate {
                    language,
                    script: Script::CYRILLIC,
                    probability,
                })
            };
            said.into_iter().filter_map(candidate).collect()
        }
    }

    #[test]
    fn a_doubtful_sentence_is_of_its_neighbours_language() {
        let long = "Лодки стояли на реке всю ночь, и никто их не охранял до утра.";
        let text = format!("The bridge was closed. {long} Мост закрыт на ремонт. {long}");
        let host = Host { language: Language::parse("eng"), script: Script::LATIN };
        let said = |sure| -> Vec<&str> {
            let found = spans(&text, &host, 0.9, &Doubts(sure));
            found.into_iter().filter_map(|s| s.language).map(Language::as_str).skip(1).collect()
        };
        // 0.9 of one against 0.1 of the other and two neighbours
        assert_eq!(said(0.9), ["rus"]);
        assert_eq!(said(0.99), ["rus", "ukr", "rus"]);
    }

    #[test]
    fn one_language_is_one_span() {
        let text =
            "All the boats lay still. Past the mole the sea was rough. Yes. Then the wind fell (京都).";
        check(text, &[(text, "eng")]);
        check("", &[]);
        check("12, 13!", &[]);
    }

    #[test]
    fn halves_in_two_scripts() {
        check(
            "Under the bridge it was cold. Лодки стояли на реке всю ночь.",
            &[("Under the bridge it was cold.", "eng"), ("Лодки стояли на реке всю ночь.", "rus")],
        );
    }

    #[test]
    fn halves_in_one_script() {
        check(
            "Under the bridge it was cold.\nAn diesem Tag war der Fluss hoch.\n",
            &[("Under the bridge it was cold.", "eng"), ("An diesem Tag war der Fluss hoch.", "deu")],
        );
    }

    proptest! {
        #[test]
        fn spans_are_sorted_and_on_boundaries(text in any::<String>()) {
            let host = Host { language: None, script: Script::LATIN };
            let mut last = 0;
            for span in spans(&text, &host, 0.9, &ByWord) {
                prop_assert!(span.range.start >= last && span.range.end >= span.range.start);
                prop_assert!(text.get(span.range.clone()).is_some());
                last = span.range.end;
            }
        }
    }
}
