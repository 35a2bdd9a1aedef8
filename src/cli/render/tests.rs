use super::lines::{Places, marked_rows};
use super::*;
use crate::classify::{Evidence, Options, SpamResult, classify};
use crate::language::{Language, LanguageCandidate, Ranked};
use crate::model::Model;
use crate::noise::{NoiseKind, NoiseSpan};
use crate::script::Script;
use crate::text::Article;
use proptest::prelude::*;
use smallvec::smallvec;

const PLAIN: Page = Page { width: 60, colour: false };

fn candidate(code: &str, script: Script, probability: f64) -> LanguageCandidate {
    LanguageCandidate { language: Language::parse(code).unwrap(), script, probability }
}

fn noise(text: &str, part: &str, kind: NoiseKind) -> NoiseSpan {
    let start = text.find(part).unwrap();
    let range = start..start + part.len();
    NoiseSpan { range, kind, script: Script::COMMON, candidates: Ranked::new(), confidence: 0.9 }
}

fn empty(text: &str) -> Classification {
    let article = Article { text, ..Article::default() };
    let mut result = classify(&Model::default(), &article, &Options::default());
    result.noise.clear();
    result.title_noise.clear();
    result.topics.clear();
    result.evidence.clear();
    result.language_spans.clear();
    result.language.alternatives.clear();
    result.language.verdict = LanguageVerdict::NoContent;
    result.language.script = Script::COMMON;
    result.topic_decision = Decision::Abstained(AbstainReason::TooShort);
    result.spam_decision = Decision::Abstained(AbstainReason::TooShort);
    result.spam = SpamResult { verdict: SpamVerdict::Unsure, probability: 0.5 };
    result.noise_ratio = 0.0;
    (result.text_bytes_used, result.text_bytes_total) = (text.len(), text.len());
    result
}

#[test]
fn a_page_tells_everything() {
    let text = "The match was short.\nCategory: کارما\nPlease pass\u{200b}word the ball 中文 home.\n";
    let mut result = empty(text);
    result.language.verdict = LanguageVerdict::Known(Language::parse("eng").unwrap());
    result.language.script = Script::LATIN;
    (result.language.probability, result.language.reliable) = (0.9987, true);
    result.language.alternatives =
        smallvec![candidate("eng", Script::LATIN, 0.9987), candidate("deu", Script::LATIN, 0.0011)];
    let topic = |id: &str, probability, selected| LabelScore {
        label_id: id.into(),
        name: topic::name(id).unwrap_or_default().into(),
        probability,
        selected,
    };
    result.topics = vec![topic("medtop:15000000", 0.861, true), topic("medtop:07000000", 0.0402, false)];
    result.topic_decision = Decision::Decided;
    result.spam_decision = Decision::Decided;
    result.spam = SpamResult { verdict: SpamVerdict::Ham, probability: 0.0002 };
    let mut word = noise(text, "کارما", NoiseKind::ForeignScript);
    word.script = Script::ARABIC;
    word.candidates = smallvec![candidate("pes", Script::ARABIC, 0.6), candidate("urd", Script::ARABIC, 0.4)];
    result.noise = vec![word, noise(text, "\u{200b}", NoiseKind::Invisible)];
    result.noise_ratio = 0.08;
    result.text_bytes_used = 40;
    result.evidence = vec![Evidence {
        task: Task::Topic,
        label_id: "medtop:15000000".into(),
        field: Field::Text,
        range: 4..9,
        log_odds: 3.214,
    }];
    let view = View { name: "a\u{1b}[2J.txt", title: "", text, result: &result };
    insta::assert_snapshot!(render(&view, PLAIN), @"
    a<U+001B>[2J.txt  83 bytes, topic and spam from 40 of them
      language  English (eng, Latn)  99.9%  reliable
                or German (deu) 0.1%
      topics    █████████████████░░░  86.1%  sport
                █░░░░░░░░░░░░░░░░░░░   4.0%  health
      spam      not spam  <0.1% likely to be spam
      noise     2 spans, 8.0% of the text

      foreign script
        2:11       bytes 31-41         90.0%  Arab  Persian (pes) 60.0%, Urdu (urd) 40.0%

      invisible characters
        3:12       bytes 53-56         90.0%

       2 │ Category: [[کارما]]
       3 │ Please pass[[<U+200B>]]word the ball 中文 home.

      why topic sport
          +3.21  1:5         match
    ");
}

#[test]
fn nothing_found_is_said_in_words() {
    let result = empty("");
    let view = View { name: "standard input", title: "", text: "", result: &result };
    insta::assert_snapshot!(render(&view, PLAIN), @"
    standard input  0 bytes
      language  no language in it (zxx, Zyyy)
      topics    none decided: the text is too short
      spam      unsure  50.0% likely to be spam, not decided: the text is too short
      noise     none
    ");
}

fn rows(line: &str, parts: &[&str], width: usize) -> Vec<String> {
    let mark = |part: &&str| line.find(*part).map(|start| start..start + part.len()).unwrap();
    let marks: Vec<_> = parts.iter().map(mark).collect();
    marked_rows(line, 0..line.len(), &marks, width, PLAIN)
}

#[test]
fn long_lines_show_a_window_around_each_mark() {
    assert_eq!(rows("short and good", &["and"], 30), ["short [[and]] good"]);
    let line = "one two three four five six seven HERE eight nine ten eleven twelve thirteen THERE end";
    assert_eq!(
        rows(line, &["HERE", "THERE"], 30),
        ["…six seven [[HERE]] eight nin…", "… thirteen [[THERE]] end"]
    );
    assert_eq!(rows(line, &["HERE", "eight"], 30), ["…six seven [[HERE]] [[eight]]…"]);
    let long = "x".repeat(90);
    assert_eq!(rows(&long, &[&long], 30), [format!("[[{}]]…", "x".repeat(25))]);
}

#[test]
fn windows_count_columns_not_characters() {
    let line = "东风".repeat(30) + "NOISE" + &"西雨".repeat(30);
    for row in rows(&line, &["NOISE"], 40) {
        assert!(unicode_width::UnicodeWidthStr::width(row.as_str()) <= 40, "{row}");
        assert!(row.contains("[[NOISE]]"), "{row}");
    }
}

#[test]
fn nothing_reaches_the_terminal_that_could_disturb_it() {
    assert_eq!(visible("a\u{1b}[31m\tb\u{202e}c\r\u{9b}"), "a<U+001B>[31m b<U+202E>c<U+000D><U+009B>");
    assert_eq!(visible("می\u{200c}خواهم"), "می\u{200c}خواهم");
    assert_eq!(rows("a\u{200c}b", &["\u{200c}"], 30), ["a[[<U+200C>]]b"]);
}

#[test]
fn colour_is_closed_where_it_is_opened() {
    let row =
        &marked_rows("abc", 0..3, std::slice::from_ref(&(1..2)), 30, Page { width: 30, colour: true })[0];
    assert_eq!(row, "a\u{1b}[30m\u{1b}[43mb\u{1b}[0mc");
}

#[test]
fn shares_never_round_to_a_certainty() {
    let shown = [0.0, 0.0001, 0.5, 0.99951, 1.0].map(percent);
    assert_eq!(shown, ["0.0%", "<0.1%", "50.0%", ">99.9%", "100.0%"]);
    assert_eq!([999, 1000, 1234567].map(grouped), ["999", "1,000", "1,234,567"]);
}

#[test]
fn places_count_from_one_in_characters() {
    let text = "äb\r\nсд\n";
    let places = Places::new(text);
    let of = |offset| places.of(offset).to_string();
    assert_eq!([of(0), of(2), of(5), of(7), of(10)], ["1:1", "1:2", "2:1", "2:2", "3:1"]);
    assert_eq!(&text[places.range(0)], "äb");
    assert_eq!(places.range(2), 10..10);
}

#[test]
fn a_line_full_of_noise_costs_no_more_than_what_is_shown() {
    let text = format!("{}\u{200b}", "a".repeat(40)).repeat(50_000);
    let mut result = empty(&text);
    result.noise = text
        .match_indices('\u{200b}')
        .map(|(start, found)| NoiseSpan {
            range: start..start + found.len(),
            ..noise(&text, "\u{200b}", NoiseKind::Invisible)
        })
        .collect();
    let shown = render(&View { name: "x", title: "", text: &text, result: &result }, PLAIN);
    assert!(shown.contains("    and 49988 more\n"), "{shown}");
    assert!(shown.contains("│ … and 49992 more in this line\n"), "{shown}");
}

proptest! {
    #[test]
    fn any_text_with_any_spans_is_shown(
        text in "(?s).{0,80}",
        cuts in prop::collection::vec((0usize..300, 0usize..300), 0..6),
        width in 0usize..80,
        colour in any::<bool>(),
    ) {
        let boundary = |at: usize| (0..=at.min(text.len())).rev().find(|&i| text.is_char_boundary(i)).unwrap_or(0);
        let mut result = empty(&text);
        for (a, b) in cuts {
            let (a, b) = (boundary(a), boundary(b));
            let range = a.min(b)..a.max(b);
            let kind = NoiseKind::Markup;
            result.noise.push(NoiseSpan { range, kind, script: Script::COMMON, candidates: Ranked::new(), confidence: 1.0 });
        }
        let shown = render(&View { name: "x", title: "", text: &text, result: &result }, Page { width, colour });
        let unsafe_char = |c: char| c.is_control() && c != '\n' && !(colour && c == '\u{1b}');
        prop_assert!(!shown.contains(unsafe_char), "{shown:?}");
    }
}
