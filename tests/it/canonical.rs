//! The same article in another encoding of the same characters gets the same answer, and noise offsets are
//! those of the text as it was given.

use crate::support::{fixture, model};
use glotsift::classify::{Classification, Options, classify};
use glotsift::language::LanguageVerdict;
use glotsift::text::Article;
use unicode_normalization::UnicodeNormalization;

fn article(name: &str) -> String {
    std::fs::read_to_string(fixture("articles").join(name)).unwrap()
}

fn classified(text: &str) -> Classification {
    classify(&model(), &Article { text, ..Article::default() }, &Options::default())
}

fn answer(got: &Classification) -> (LanguageVerdict, String) {
    (got.language.verdict, got.topics.first().map(|topic| topic.label_id.to_string()).unwrap_or_default())
}

#[track_caller]
fn same(name: &str, how: &str, change: impl Fn(&str) -> String) {
    let text = article(name);
    let changed = change(&text);
    assert_ne!(text, changed, "{name} {how}: the change changes nothing");
    let got = classified(&changed);
    for span in &got.noise {
        assert!(
            changed.get(span.range.clone()).is_some_and(|part| !part.is_empty()),
            "{name} {how}: {span:?}"
        );
    }
    assert_eq!(answer(&got), answer(&classified(&text)), "{name} {how}");
}

const ENGLISH: &str = "english_sport.txt";
const FRENCH: &str = "french_culture.txt";
const ARABIC: &str = "arabic_environment.txt";

#[test]
fn decomposed_characters() {
    same(FRENCH, "NFD", |text| text.nfd().collect());
    same(ARABIC, "NFD", |text| text.nfd().collect());
}

#[test]
fn full_width_letters() {
    same(ENGLISH, "full width", |text| {
        let wide = |c: char| char::from_u32(c as u32 + 0xfee0).unwrap();
        text.chars().map(|c| if c.is_ascii_alphanumeric() { wide(c) } else { c }).collect()
    });
}

#[test]
fn capitals() {
    same(ENGLISH, "capitals", str::to_uppercase);
    same(FRENCH, "capitals", str::to_uppercase);
}

#[test]
fn line_ends_and_byte_order_marks() {
    for name in [ENGLISH, FRENCH, ARABIC] {
        same(name, "CRLF", |text| text.replace('\n', "\r\n"));
        same(name, "BOM", |text| format!("\u{feff}{text}"));
    }
}

#[test]
fn entities() {
    let named =
        [('é', "&eacute;"), ('è', "&egrave;"), ('à', "&agrave;"), ('ê', "&ecirc;"), ('ç', "&ccedil;")];
    same(FRENCH, "named entities", |text| {
        named.iter().fold(text.to_owned(), |text, (c, entity)| text.replace(*c, entity))
    });
    same(FRENCH, "numeric entities", |text| {
        let said = |c: char| if c.is_ascii() { c.to_string() } else { format!("&#{};", c as u32) };
        text.chars().map(said).collect()
    });
}

/// Letters shaped one by one, as old PDF files have them: the isolated forms fold back to the letters.
#[test]
fn arabic_presentation_forms() {
    const SHAPED: [(char, char); 12] = [
        ('ا', '\u{fe8d}'),
        ('ب', '\u{fe8f}'),
        ('ت', '\u{fe95}'),
        ('د', '\u{fea9}'),
        ('ر', '\u{fead}'),
        ('س', '\u{feb1}'),
        ('ع', '\u{fec9}'),
        ('ل', '\u{fedd}'),
        ('م', '\u{fee1}'),
        ('ن', '\u{fee5}'),
        ('و', '\u{feed}'),
        ('ي', '\u{fef1}'),
    ];
    // one sentence, the longest, is enough to see it and leaves the rest to compare with
    same(ARABIC, "presentation forms", |text| {
        let sentence = text.split(['.', '\n']).max_by_key(|sentence| sentence.len()).unwrap();
        let shaped: String = sentence
            .chars()
            .map(|c| SHAPED.iter().find(|(plain, _)| *plain == c).map_or(c, |(_, shaped)| *shaped))
            .collect();
        text.replace(sentence, &shaped)
    });
}
