//! Any text, with all options, on the shipped model.

use super::sound::{kind, problem};
use super::{choice, outcome};
use glotsift::classify::{Options, classify};
use glotsift::language::Language;
use glotsift::language::spans::spans as language_spans;
use glotsift::model::Model;
use glotsift::noise::{self, Host, Resources};
use glotsift::script::Script;
use glotsift::text::{Article, normalize};

/// The first bytes choose options and cut off a title.
pub(super) fn run(input: &[u8]) -> u64 {
    let (flags, rest) = choice(input);
    let (cut, rest) = choice(rest);
    let (extra, rest) = choice(rest);
    let whole = String::from_utf8_lossy(rest);
    let title = whole.char_indices().map(|(at, _)| at).find(|at| *at >= usize::from(cut) / 4);
    let (title, text) = whole.split_at(if flags & 1 == 0 { 0 } else { title.unwrap_or(0) });
    let languages: Vec<Language> = Language::all().collect();
    let pick = |n: u8| languages[usize::from(n) % languages.len()];
    let allowed = [pick(extra), pick(extra.wrapping_mul(7)), pick(cut)];
    let article = Article {
        title,
        text,
        language_hint: (flags & 2 != 0).then(|| pick(extra)),
        allowed_languages: if flags & 4 != 0 { &allowed } else { &[] },
        strict_languages: flags & 8 != 0,
    };
    let options = Options {
        explain: flags & 16 != 0,
        clean_text: flags & 32 != 0,
        max_topics: usize::from(extra % 20),
        topic_threshold: (flags & 64 != 0).then(|| f64::from(extra) / 255.0),
        spam_threshold: (flags & 64 != 0).then(|| f64::from(cut) / 255.0),
        language_only: flags & 128 != 0 && cut % 4 == 0,
    };
    let got = classify(&Model::built_in(), &article, &options);
    if let Some(problem) = problem(title, text, &got) {
        panic!("{problem}");
    }
    assert!(got.topics.len() <= if options.max_topics == 0 { usize::MAX } else { options.max_topics });
    kind(&got)
}

/// Noise and language spans of a text said to be in any language and script, fitting or not.
pub(super) fn spans(input: &[u8]) -> u64 {
    let (language, rest) = choice(input);
    let (script, rest) = choice(rest);
    let (certainty, rest) = choice(rest);
    let text = &*String::from_utf8_lossy(rest);
    let (model, languages) = (Model::built_in(), Language::all().collect::<Vec<_>>());
    const SCRIPTS: [Script; 8] = [
        Script::LATIN,
        Script::CYRILLIC,
        Script::GREEK,
        Script::ARABIC,
        Script::HAN,
        Script::JAPANESE,
        Script::COMMON,
        Script::UNKNOWN,
    ];
    let host = Host {
        language: languages.get(usize::from(language)).copied(),
        script: SCRIPTS[usize::from(script) % SCRIPTS.len()],
    };
    let resources = Resources { boilerplate: model.boilerplate(), ranker: &*model };
    let found = noise::detect(text, &host, &resources);
    let mut end = 0;
    for span in &found {
        assert!(text.get(span.range.clone()).is_some_and(|s| !s.is_empty()), "noise outside: {span:?}");
        assert!(span.range.start >= end || !matches!(span.kind, noise::NoiseKind::Boilerplate), "{found:?}");
        assert!((0.0..=1.0).contains(&span.confidence), "{span:?}");
        assert!(span.candidates.iter().all(|c| (0.0..=1.0).contains(&c.probability)), "{span:?}");
        end = end.max(span.range.end);
    }
    assert!((0.0..=1.0).contains(&noise::ratio(text, &found)));
    let runs = language_spans(text, &host, f64::from(certainty) / 255.0, &*model);
    let mut end = 0;
    for run in &runs {
        assert!(text.get(run.range.clone()).is_some_and(|s| !s.is_empty()), "a run outside: {run:?}");
        assert!(run.range.start >= end && (0.0..=1.0).contains(&run.probability), "{runs:?}");
        end = run.range.end;
    }
    // What is left without the noise, and the way back.
    let skip = noise::scan(text, model.boilerplate()).skip();
    let clean = normalize(text, &skip);
    for (at, c) in clean.as_str().char_indices().take(500) {
        let back = clean.original_range(at..at + c.len_utf8());
        assert!(text.get(back.clone()).is_some(), "{c:?} at {at} comes from {back:?}");
    }
    let mut kinds: Vec<_> = found.iter().map(|span| span.kind).collect();
    kinds.dedup();
    outcome((kinds, runs.len().min(6), clean.as_str().len().checked_ilog2()))
}

const TEXTS: [&str; 10] = [
    "The ferry will not run on Sunday, the harbour office said. Комитет соберётся снова весной. Leave a comment",
    "Die Fähre fährt am Sonntag nicht, weil ein Sturm erwartet wird.\r\n\r\nKommentare (12) | Teilen | Drucken\r\n",
    "Паром между островами не будет ходить: с запада ожидается штoрм. Win a free bonus at https://www.example.com/x?y=1",
    "因为预计有风暴，星期日两岛之间的渡轮停航。フェリーは運休します。연락선은 운항하지 않습니다.",
    "لن تعمل العبارة يوم الأحد بسبب عاصفة متوقعة من الغرب. \u{202e}abc\u{202c} قال المكتب",
    "रविवार को नाव नहीं चलेगी, बंदरगाह कार्यालय ने कहा। เรือข้ามฟากจะไม่วิ่งในวันอาทิตย์ Το πλοίο δεν θα εκτελέσει",
    "<p>Le bac ne circulera pas&nbsp;dimanche &eacute;tant donn&#233; la temp&ecirc;te.</p><script>var a=1;</script>",
    "LÃ©gÃ¨rement dÃ©calÃ© â€œentre guillemetsâ€\u{9d} pаypаl bank\u{200b}ing \u{feff}te\u{ad}st ｆｕｌｌ ﬁne",
    "asdfghjkl qwertzuiop ha ha ha ha ha ha ha QmFzZTY0IGVuY29kZWQgdGV4dCBmb3IgYSB0ZXN0 0x5f3759df",
    "[[Category: کوهنوردی]]\nName * Email * Website\nSave my name in this browser\n👩\u{200d}👩\u{200d}👧 e\u{301}\u{301} İstanbul",
];

pub(super) fn seeds() -> Vec<Vec<u8>> {
    let one = |(i, text): (usize, &&str)| {
        [&[(i * 37) as u8, (i * 61) as u8, (i * 11) as u8], text.as_bytes()].concat()
    };
    TEXTS.iter().enumerate().map(one).chain([vec![0, 0, 0]]).collect()
}

pub(super) const WORDS: &[&str] = &[
    "\u{200b}",
    "\u{202e}",
    "\u{2066}",
    "\u{feff}",
    "\u{301}",
    "\u{200d}",
    "\u{fffd}",
    "\u{e0041}",
    "\0",
    "\r\n",
    "\n",
    " | ",
    "&amp;",
    "&#x10ffff;",
    "&#0;",
    "<a href=\"",
    "</",
    "<!--",
    "-->",
    "Ã©",
    "â€™",
    "Â\u{feff}¡",
    "а",
    "Leave a comment",
    "https://",
    "www.example.com/?q=%20",
    "{\"a\": [",
    "data:image/png;base64,",
    "ﷺ",
    "ſ",
    "İ",
    "ß",
    "1234567890",
    "free bonus ",
    "字",
    "。",
    "ー",
    "क्\u{200d}",
    "ำ",
];
