use super::*;
use proptest::prelude::*;

/// Says nothing: the detectors must do with scripts and letters.
struct Silent;

impl RankLanguages for Silent {
    fn rank(&self, _: &str, _: usize) -> Ranked {
        Ranked::new()
    }
}

fn host(language: &str, script: Script) -> Host {
    Host { language: Language::parse(language), script }
}

fn find(text: &str, host: Host) -> Vec<(&str, NoiseKind)> {
    let set = BoilerplateSet::default();
    let spans = detect(text, &host, &Resources { boilerplate: &set, ranker: &Silent });
    spans.into_iter().map(|s| (&text[s.range], s.kind)).collect()
}

/// What every kind must keep to, whatever the text.
fn check_rules(text: &str, host: Host) {
    let set = BoilerplateSet::default();
    let spans = detect(text, &host, &Resources { boilerplate: &set, ranker: &Silent });
    let mut end = 0;
    let mut line = 0..0;
    for span in &spans {
        assert!(text.get(span.range.clone()).is_some_and(|s| !s.is_empty()), "{span:?}");
        assert!((0.0..=1.0).contains(&span.confidence));
        if span.range.end <= line.end {
            assert!(span.range.start >= line.start, "{span:?} sticks out of {line:?}");
        } else {
            assert!(span.range.start >= end, "{span:?} overlaps");
            end = span.range.end;
        }
        if span.kind == NoiseKind::Boilerplate {
            line = span.range.clone();
        }
    }
    assert!(ratio(text, &spans) <= 1.0);
}

#[test]
fn a_foreign_label_in_its_frame() {
    let text = "The river rose in the night.\n\nCategory: کتاب No comments\n\nBy dawn the bridge had gone.";
    let set = BoilerplateSet::default();
    let spans = detect(text, &host("eng", Script::LATIN), &Resources { boilerplate: &set, ranker: &Silent });
    assert_eq!(
        spans.iter().map(|s| s.kind).collect::<Vec<_>>(),
        [NoiseKind::Boilerplate, NoiseKind::ForeignScript]
    );
    assert_eq!(&text[spans[1].range.clone()], "کتاب");
    let codes: Vec<_> = spans[1].candidates.iter().map(|c| c.language.as_str()).collect();
    assert!(codes.contains(&"pes") && !codes.contains(&"arb"), "{codes:?}");
}

#[test]
fn natural_mixtures() {
    for (text, language, script) in [
        ("新しいiPhoneとDNAの話です。価格は3 kmです。", "jpn", Script::JAPANESE),
        ("오늘 정부(政府)와 中國 이야기", "kor", Script::KOREAN),
        ("The angle λ and the ratio π of β-carotene", "eng", Script::LATIN),
        ("Река Volga (Волга) и COVID-19, USB-кабель", "rus", Script::CYRILLIC),
        ("Пас трчи преко поља. Tigar je velika životinja.", "srp", Script::CYRILLIC),
        ("The city of Kyoto (京都) is old.", "eng", Script::LATIN),
        ("优の良品在街角。", "cmn", Script::HAN),
    ] {
        assert_eq!(find(text, host(language, script)), [], "{text:?}");
    }
}

#[test]
fn foreign_runs() {
    assert_eq!(
        find("The gate дорога was shut.", host("eng", Script::LATIN)),
        [("дорога", NoiseKind::ForeignScript)]
    );
    assert_eq!(
        find("这是一条河，を渡ること他走了。", host("cmn", Script::HAN)),
        [("を渡ること他走了", NoiseKind::ForeignLanguage)]
    );
    assert_eq!(
        find("Он увидел їжака у дома.", host("rus", Script::CYRILLIC)),
        [("їжака", NoiseKind::ForeignLanguage)]
    );
}

#[test]
fn hostile_texts_stay_linear() {
    let n = 200_000;
    for unit in [
        "\u{200D}",
        "\u{301}",
        "aя",
        "a\n",
        "<",
        "<a ",
        "&",
        "\u{202E}",
        "Ã",
        "é ",
        "ط",
        "Category: ط\n",
        "[",
        "ab ",
        "漢a",
    ] {
        let text = unit.repeat(n / unit.len());
        let start = std::time::Instant::now();
        check_rules(&text, host("eng", Script::LATIN));
        assert!(start.elapsed().as_secs() < 10, "{unit:?} took {:?}", start.elapsed());
    }
}

proptest! {
    #[test]
    fn any_string_survives(text in any::<String>()) {
        check_rules(&text, host("eng", Script::LATIN));
        check_rules(&text, host("cmn", Script::HAN));
    }

    #[test]
    fn noisy_strings_survive(parts in proptest::collection::vec(prop_oneof![
        Just("Category: "), Just("كتاب "), Just("дoм "), Just("\u{202E}"), Just("\u{202C}"), Just("\n"), Just("Ã©"),
        Just("<b>"), Just("&amp;"), Just("を"), Just("漢字"), Just("Leave a reply"), Just(". "), Just("“"), Just("The "),
        Just("λ"), Just("\u{200B}"), Just("buy "), Just("(")], 0..40)) {
        let text = parts.concat();
        check_rules(&text, host("eng", Script::LATIN));
        check_rules(&text, host("rus", Script::CYRILLIC));
        check_rules(&text, host("jpn", Script::JAPANESE));
    }
}

#[test]
fn without_the_rankers_word_a_label_is_not_foreign() {
    let text = "The river rose.\n\nCategory: Wirtschaft No comments\n";
    let found = find(text, host("eng", Script::LATIN));
    assert_eq!(found, [("Category: Wirtschaft No comments", NoiseKind::Boilerplate)]);
}
