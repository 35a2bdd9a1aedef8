//! Texts of two languages, and texts on which whatlang's opinion decides.

use crate::support::model;
use glotsift::classify::{Options, classify};
use glotsift::language::{Language, LanguageResult, LanguageVerdict, whatlang};
use glotsift::model::Model;
use glotsift::text::Article;

const ENGLISH: &str = "The harbour was closed on Thursday after a storm tore two cranes from their rails. \
    Engineers expect the repairs to take until the end of the month, and the ferries will leave from the \
    northern pier until then. Nobody was hurt, the port authority said, but the bill will be a large one.\n";
const RUSSIAN: &str = "Порт закрыли в четверг после того, как буря сорвала с рельсов два крана. Инженеры \
    считают, что ремонт продлится до конца месяца, а паромы пока будут отходить от северного причала. \
    Никто не пострадал, сообщили в управлении порта, но расходы окажутся большими.\n";

fn language(code: &str) -> Language {
    Language::parse(code).unwrap()
}

fn read(model: &Model, text: &str) -> LanguageResult {
    classify(model, &Article { text, ..Article::default() }, &Options::default()).language
}

#[test]
fn halves_in_two_languages_are_both_named() {
    for text in [format!("{ENGLISH}\n{RUSSIAN}"), format!("{RUSSIAN}\n{ENGLISH}")] {
        let got = classify(&model(), &Article { text: &text, ..Article::default() }, &Options::default());
        assert_eq!(got.language.verdict, LanguageVerdict::Multiple);
        for (code, half) in [("eng", ENGLISH.trim()), ("rus", RUSSIAN.trim())] {
            let start = text.find(half).unwrap();
            let covered: usize = got
                .language_spans
                .iter()
                .filter(|span| span.language == Some(language(code)))
                .map(|span| {
                    span.range.end.min(start + half.len()).saturating_sub(span.range.start.max(start))
                })
                .sum();
            assert!(covered * 10 > half.len() * 9, "{code}: {covered} of {}: {got:?}", half.len());
        }
    }
}

#[test]
fn one_language_with_a_foreign_line_is_not_two() {
    let text = format!("{ENGLISH}{ENGLISH}{ENGLISH}Порт закрыли в четверг.\n");
    assert_eq!(read(&model(), &text).verdict, LanguageVerdict::Known(language("eng")));
}

/// No training text is Latin, so that no label of the model can be `lat`: where the answer is Latin, it can
/// only have come from whatlang.
#[test]
fn latin_is_whatlangs_word() {
    let model = model();
    let latin = language("lat");
    assert!(model.languages().iter().all(|(language, _)| *language != latin));
    let sentences = [
        "Magister pueris dixit libros suos domi relictos esse neque quemquam eos attulisse, quod sane mirum \
         est, cum heri omnes promisissent se nihil eorum quae ad ludum pertinent oblituros esse.",
        "Naves quae heri ex portu exierunt propter tempestatem adhuc redire non potuerunt, itaque uxores \
         nautarum in litore stantes deos orabant ut viros suos incolumes domum reducerent.",
        "Senatus populusque censuerunt ut pontem novum trans flumen quam celerrime facerent, ne hostes, qui \
         iam in conspectu erant, exercitum nostrum a frumento atque ab urbe intercluderent.",
        "Agricola qui agros suos diligenter colit fructus magnos ex labore suo capiet, is autem qui dies \
         totos dormit neque quicquam serit hieme esuriet et auxilium a vicinis frustra petet.",
        "Nemo nostrum scit quid cras futurum sit neque quomodo hostes venturi sint, sed omnibus persuasum \
         est eos qui fortiter pugnaverint a civibus suis magno cum honore exceptum iri.",
        "Cum hiems appropinquaret milites in castra redierunt ut ibi frumentum servarent atque arma \
         reficerent, dux autem cum paucis equitibus ad urbem profectus est ut cum consulibus ageret.",
        "Mater filiam suam rogavit cur tam tristis esset et quid in via accidisset, illa autem nihil \
         respondit sed lacrimans vestem scissam ostendit quam canis vicini momorderat.",
        "Quamquam medici omnia temptaverunt quibus aegrotus sanari posset, morbus tamen ingravescebat, donec \
         servus quidam herbam attulit cuius usum ab avo suo didicerat.",
    ];
    let wrong: Vec<_> = sentences
        .iter()
        .map(|text| (text, read(&model, text), whatlang::opinion(text)))
        .filter(|(_, got, _)| got.verdict != LanguageVerdict::Known(latin))
        .collect();
    let said: Vec<_> = wrong
        .iter()
        .map(|(text, got, opinion)| (&text[..20], got.verdict, got.probability, opinion))
        .collect();
    assert!(sentences.len() - wrong.len() >= 6, "{said:#?}");
    for (text, ..) in wrong {
        // what is not called Latin must at least not be a confident mistake
        assert!(!read(&model, text).reliable, "{text}");
    }
}

/// Texts of a few words: here too only whatlang can have said Latin.
#[test]
fn whatlang_decides_short_texts() {
    let model = model();
    let texts = [
        "Reges antiqui multas gentes vicerunt.",
        "Nautae tempestatem magnam timuerunt.",
        "Quis librum meum abstulit?",
        "Hostes oppidum nostrum incenderunt.",
        "Senex filium suum quaerit.",
        "Frumentum ex agris portaverunt.",
        "Ubi sunt amici nostri?",
        "Omnia quae dixit falsa erant.",
    ];
    let right = texts
        .iter()
        .filter(|text| read(&model, text).verdict == LanguageVerdict::Known(language("lat")))
        .count();
    assert!(right >= 4, "{right} of {}", texts.len());
}

/// Letters that are no words are no language; neither is a program.
#[test]
fn no_language_is_undetermined() {
    let model = model();
    for text in [
        "xqzv kjwpt bnrgh wqxz plkjt vbnmq zxcwr tgbhq",
        "for (q = 0; q < 12; q++) { buf[q] = src[q] & 0xff; }\nif (p != NULL) { free(p); }",
        "QmRa5BUNUlr192K5xL9hCKhQBLJIx8lWkEJG/zJHlJVVaUCf51lcIjQsaT8D4jo2M0tbydyCD/hsMX==",
    ] {
        assert_eq!(read(&model, text).verdict, LanguageVerdict::Undetermined, "{text}");
    }
}
