//! Measures what no labelled corpus shows: texts in no language, and where one language ends in a text
//! of two. Seeded: the same numbers every time.
//!
//! usage: `cargo run --release --example language_check -- MODEL_DIR SENTENCES.jsonl.gz [SHOW]`
//! SENTENCES has `text` and `lang`, such as language/flores/dev.jsonl.gz; SHOW prints errors, and how well
//! every text fits when it is `fit`.

use anyhow::{Context, Result};
use glotsift::classify::{Options, classify};
use glotsift::features::Scratch;
use glotsift::language::{Language, LanguageVerdict};
use glotsift::model::Model;
use glotsift::text::Article;
use serde_json::Value;
use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::path::Path;

const CASES: usize = 300;
const DOCUMENTS: usize = 600;

/// Xorshift: numbers without order, the same in every run.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) as usize % sides
    }

    fn string(&mut self, of: &[char], length: usize) -> String {
        (0..length).map(|_| of[self.roll(of.len())]).collect()
    }

    /// Words anybody could say: two to four syllables each.
    fn invented(&mut self, words: usize) -> String {
        let syllable = |dice: &mut Self| {
            let starts =
                ["b", "d", "f", "g", "k", "l", "m", "n", "p", "r", "s", "t", "v", "z", "br", "st", "tr"];
            let ends = ["a", "e", "i", "o", "u", "an", "el", "in", "or", "us"];
            starts[dice.roll(starts.len())].to_string() + ends[dice.roll(ends.len())]
        };
        let word = |dice: &mut Self| (0..2 + dice.roll(3)).map(|_| syllable(dice)).collect::<String>();
        (0..words).map(|_| word(self)).collect::<Vec<_>>().join(" ")
    }

    fn words(&mut self, of: &[char], words: usize) -> String {
        let words: Vec<String> = (0..words)
            .map(|_| {
                let length = 3 + self.roll(8);
                self.string(of, length)
            })
            .collect();
        words.join(" ")
    }
}

fn chars(range: std::ops::RangeInclusive<char>) -> Vec<char> {
    range.collect()
}

fn case(kind: &str, dice: &mut Dice) -> String {
    let lower = chars('a'..='z');
    let all: Vec<char> = ('a'..='z').chain('A'..='Z').chain('0'..='9').collect();
    let base64: Vec<char> = all.iter().copied().chain("+/".chars()).collect();
    let (words, length) = (4 + dice.roll(12), 40 + dice.roll(160));
    match kind {
        "letters" => dice.words(&lower, words),
        "cyrillic letters" => dice.words(&chars('а'..='я'), words),
        "base64" => dice.string(&base64, length) + "==",
        "hex" => {
            let digits: Vec<char> = "0123456789abcdef".chars().collect();
            let blocks: Vec<String> = (0..1 + words / 4).map(|_| dice.string(&digits, 32)).collect();
            blocks.join(" ")
        }
        "code" => {
            let name = |dice: &mut Dice| {
                let length = 1 + dice.roll(5);
                dice.string(&lower, length)
            };
            (0..2 + words / 3)
                .map(|_| {
                    let (a, b, c) = (name(dice), name(dice), name(dice));
                    let n = dice.roll(1000);
                    match dice.roll(6) {
                        0 => format!("for ({a} = 0; {a} < {n}; {a}++) {{ {b}[{a}] = {c}[{a}] + {n}; }}"),
                        1 => format!("let {a} = {b}.{c}({n}, &{a})?;"),
                        2 => format!("if ({a} != NULL && {b} >= {n}) {{ return {c}({a}); }}"),
                        3 => format!("def {a}({b}, {c}={n}):\n    return {b}[{c}:] + [{n}]"),
                        4 => format!("{{\"{a}\": {n}, \"{b}\": [{n}, null], \"{c}\": true}}"),
                        _ => format!("{a} = {b} * ({c} - {n}) / {n};"),
                    }
                })
                .collect::<Vec<_>>()
                .join("\n")
        }
        "digits" => dice.words(&chars('0'..='9'), words),
        "deseret" => dice.words(&chars('𐐀'..='𐑏'), words),
        "private use" => dice.words(&chars('\u{e000}'..='\u{e03f}'), words),
        "runes" => dice.words(&chars('ᚠ'..='ᛪ'), words),
        _ => dice.invented(words),
    }
}

const KINDS: [&str; 10] = [
    "letters",
    "cyrillic letters",
    "base64",
    "hex",
    "code",
    "digits",
    "deseret",
    "private use",
    "runes",
    "syllables",
];

fn answer(model: &Model, text: &str) -> String {
    let article = Article { text, ..Article::default() };
    let options = Options { language_only: true, ..Options::default() };
    match classify(model, &article, &options).language.verdict {
        LanguageVerdict::Known(language) => language.as_str().to_string(),
        LanguageVerdict::Undetermined => "und".to_string(),
        LanguageVerdict::NoContent => "zxx".to_string(),
        LanguageVerdict::Multiple => "mul".to_string(),
    }
}

/// Known n-grams and the best label's mean log-likelihood.
fn fit(model: &Model, text: &str) -> String {
    let Some(detector) = model.language() else { return String::new() };
    let (mut scores, mut scratch) = (Vec::new(), Scratch::default());
    let (units, familiar) = detector.scores(text, &mut scratch, &mut scores);
    let best = scores.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    format!("familiar {familiar:.2}, {:.2} per n-gram of {units}", best / units.max(1.0))
}

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [folder, sentences, show @ ..] = &arguments[..] else {
        anyhow::bail!("usage: language_check MODEL_DIR SENTENCES.jsonl.gz [SHOW]")
    };
    let model = glotsift::storage::load_bundle(Path::new(folder))?;
    let file = std::fs::File::open(sentences).with_context(|| format!("cannot open {sentences}"))?;
    let mut rows: Vec<(String, String)> = Vec::new();
    for line in BufReader::new(flate2::read::GzDecoder::new(file)).lines() {
        let row: Value = serde_json::from_str(&line?)?;
        let field = |key: &str| row[key].as_str().unwrap_or_default().to_string();
        rows.push((field("text"), field("lang")));
    }
    let mut dice = Dice(0x5EED);
    let (mut right, mut all) = (0, 0);
    for kind in KINDS {
        let mut hits = 0;
        for _ in 0..CASES {
            let text = case(kind, &mut dice);
            let got = answer(&model, &text);
            if show.first().is_some_and(|s| s == "fit") {
                println!("{kind}: {}", fit(&model, &text));
            }
            let hit = matches!(got.as_str(), "und" | "zxx");
            hits += usize::from(hit);
            if !hit && !show.is_empty() {
                println!("{kind}: {got} ({}) {text:?}", fit(&model, &text));
            }
        }
        println!("{kind}: und or zxx {hits} of {CASES}");
        right += hits;
        all += CASES;
    }
    println!("no language: {right} of {all}");
    if show.first().is_some_and(|s| s == "fit") {
        for (text, lang) in &rows {
            println!("sentence {lang}: {}", fit(&model, text));
        }
    }
    let mut lost: BTreeMap<&str, usize> = BTreeMap::new();
    for (text, lang) in &rows {
        if matches!(answer(&model, text).as_str(), "und" | "zxx") {
            *lost.entry(lang).or_default() += 1;
            if !show.is_empty() {
                println!("lost {lang}: {} {text:?}", fit(&model, text));
            }
        }
    }
    println!("sentences lost: {} of {} {lost:?}", lost.values().sum::<usize>(), rows.len());
    boundaries(&model, &rows, &mut dice, !show.is_empty());
    Ok(())
}

/// Two sentences, of two languages written in one script or in two, on two lines or on one.
fn boundaries(model: &Model, rows: &[(String, String)], dice: &mut Dice, show: bool) {
    const LANGUAGES: [&str; 16] = [
        "eng", "deu", "fra", "spa", "rus", "pol", "tur", "vie", "fin", "hun", "ind", "ell", "heb", "ukr",
        "swe", "ces",
    ];
    let usable: Vec<&(String, String)> = rows.iter().filter(|r| LANGUAGES.contains(&r.1.as_str())).collect();
    if usable.is_empty() {
        return;
    }
    for (name, between) in [("lines", "\n"), ("one line", " ")] {
        let (mut close, mut n) = (0, 0);
        while n < DOCUMENTS {
            let (first, second) = (usable[dice.roll(usable.len())], usable[dice.roll(usable.len())]);
            if first.1 == second.1 {
                continue;
            }
            n += 1;
            let text = format!("{}{between}{}", first.0.trim(), second.0.trim());
            let at = first.0.trim().len();
            let article = Article { text: &text, ..Article::default() };
            let options = Options { language_only: true, ..Options::default() };
            let spans = classify(model, &article, &options).language_spans;
            let is = |index: usize, code: &str| {
                let language: Option<Language> =
                    spans.get(index).and_then(|span: &glotsift::language::LanguageSpan| span.language);
                language.is_some_and(|l| l.as_str() == code)
            };
            let near = spans.get(1).is_some_and(|span| {
                let (low, high) = (span.range.start.min(at), span.range.start.max(at));
                text[low..high].split_whitespace().count() <= 1
            });
            let hit = spans.len() == 2 && is(0, &first.1) && is(1, &second.1) && near;
            close += usize::from(hit);
            if !hit && show {
                let said: Vec<_> = spans.iter().map(|s| (s.language, s.range.clone())).collect();
                println!("{name} {} {} at {at}: {said:?} {text:?}", first.1, second.1);
            }
        }
        println!("two languages, {name}: boundary within a word in {close} of {n}");
    }
}
