//! Text no author would write: nothing panics, and everything said about it is true of the text given.

use crate::fuzzing::sound::problem;
use crate::support::model;
use glotsift::classify::{Classification, Decision, Options, classify};
use glotsift::language::LanguageVerdict;
use glotsift::text::Article;
use proptest::prelude::*;

fn classified(title: &str, text: &str) -> Classification {
    let options = Options { explain: true, clean_text: true, ..Options::default() };
    classify(&model(), &Article { title, text, ..Article::default() }, &options)
}

#[track_caller]
fn survives(text: &str) -> Classification {
    let got = classified("", text);
    let beginning: String = text.chars().take(20).collect();
    assert_eq!(problem("", text, &got), None, "{beginning:?}");
    got
}

#[test]
fn nothing_to_read_is_no_content_and_nothing_is_decided() {
    for text in ["", " ", "\n\n\t \r\n", "\u{a0}\u{2003}\u{3000}", "\0", "12 345,67", "…!?", "\u{feff}"] {
        let got = survives(text);
        assert_eq!(got.language.verdict, LanguageVerdict::NoContent, "{text:?}");
        assert!(matches!(got.topic_decision, Decision::Abstained(_)), "{text:?}");
        assert!(matches!(got.spam_decision, Decision::Abstained(_)), "{text:?}");
    }
}

#[test]
fn single_characters() {
    let odd = ["a", "я", "字", "ا", "\u{301}", "\u{200d}", "\u{202e}", "\u{e000}", "\u{10ffff}", "\u{fffd}"];
    for text in odd.into_iter().chain(["\u{d7a3}", "🏴", "\u{e0041}", "\u{1f1e6}", "ß", "İ", "ﷺ", "&", "<"])
    {
        survives(text);
        let got = classified(text, text);
        assert_eq!(problem(text, text, &got), None, "{text:?}");
    }
}

#[test]
fn combining_marks_and_joiners_without_end() {
    survives(&"\u{301}".repeat(10_000));
    survives(&"\u{200d}".repeat(1_000_000 / 3));
    // one grapheme cluster of a megabyte
    survives(&format!("e{}", "\u{301}".repeat(500_000)));
    survives(&format!("क{}", "\u{94d}\u{200d}क".repeat(100_000)));
    survives(&"👩\u{200d}".repeat(100_000));
}

#[test]
fn controls() {
    survives(&"\0".repeat(100_000));
    survives(&"The council\0 met\u{1b}[2J on\u{7} Monday.\r".repeat(500));
    survives(&"\u{202e}abc\u{2066}".repeat(20_000));
    survives(&(1..0x3000).filter_map(char::from_u32).collect::<String>());
}

#[test]
fn a_million_words() {
    survives(&"word ".repeat(1_000_000));
    survives(&(0..200_000).map(|i| format!("w{i} ")).collect::<String>());
}

#[test]
fn a_million_short_lines() {
    survives(&"a\n".repeat(1_000_000));
    survives(&"\r\n".repeat(500_000));
}

#[test]
fn one_word_of_a_megabyte() {
    survives(&"a".repeat(1_000_000));
    survives(&"ខ្ញុំ".repeat(50_000));
    survives(&"<a href=\"".repeat(50_000));
    survives(&"&amp;".repeat(100_000));
    survives(&"Ã©".repeat(100_000));
}

#[test]
fn a_script_for_every_character() {
    survives(&"aяα字אبकกあ한".repeat(20_000));
    survives(&"cat кот γάτα 猫 חתול قطة बिल्ली แมว ".repeat(5_000));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_string(title in any::<String>(), text in any::<String>()) {
        prop_assert_eq!(problem(&title, &text, &classified(&title, &text)), None);
    }

    /// Strings closer to articles: pieces that the detectors look for, in any order.
    #[test]
    fn any_order_of_pieces(pieces in prop::collection::vec(prop::sample::select(PIECES), 0..40)) {
        let text = pieces.concat();
        prop_assert_eq!(problem("", &text, &classified("", &text)), None);
    }
}

const PIECES: &[&str] = &[
    "The committee will meet again in the spring. ",
    "Комитет соберётся снова весной. ",
    "委员会将再次开会。",
    "ستجتمع اللجنة مرة أخرى. ",
    "\n",
    "\r\n",
    "\u{200b}",
    "\u{202e}",
    "\u{2069}",
    "<p>",
    "</div",
    "&eacute;",
    "&#x0;",
    "Ã©tÃ© ",
    "pаypаl ",
    "Leave a comment",
    "\u{301}",
    "\u{feff}",
    "ﬁ",
    "Ｆｕｌｌ ",
    "\0",
    "asdfghjkl ",
    "ha ha ha ha ha ",
    "https://example.org/?q=%20 ",
    "{\"json\": [",
    "😀\u{200d}",
    "ﻣﺤﻤﺪ ",
    "İstanbul ",
    "e\u{301}",
    "\u{fffd}",
];
