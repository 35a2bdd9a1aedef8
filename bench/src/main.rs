//! Language detectors side by side on the same texts, in one run: macro accuracy and CPU time per text.
//!
//! usage: `cargo run --release -- DATA_DIR [--limit N]`
//!
//! DATA_DIR has `language/short/{sentences,word-pairs,single-words}.jsonl.gz` with `text` and `lang`;
//! `--limit` takes about N texts of each, evenly. Codes are folded as glotsift folds them, for everyone.

use anyhow::{Context, Result, bail};
use glotsift::classify::{Options, classify};
use glotsift::language::detector::{Detector, Prior};
use glotsift::language::{Language, LanguageVerdict};
use glotsift::model::Model;
use glotsift::text::{Article, normalize};
use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, BufReader};
use std::path::Path;

const LISTS: [&str; 3] = ["single-words", "word-pairs", "sentences"];

struct Text {
    text: String,
    lang: String,
}

/// Answers a folded code, or nothing.
type Detect<'a> = Box<dyn Fn(&str) -> Option<String> + 'a>;

struct Peer<'a> {
    name: &'static str,
    detect: Detect<'a>,
    /// The folded codes it can answer.
    knows: BTreeSet<String>,
}

/// One code for what is one language to some detector.
fn folded(code: &str) -> String {
    match code {
        "nno" | "nob" | "nor" => "nor".to_string(),
        _ => Language::parse(code).map_or(code, |l| l.folded()).to_string(),
    }
}

fn read(path: &Path, limit: usize) -> Result<Vec<Text>> {
    let file = std::fs::File::open(path).with_context(|| format!("cannot open {}", path.display()))?;
    let mut texts = Vec::new();
    for line in BufReader::new(flate2::read::MultiGzDecoder::new(file)).lines() {
        let row: serde_json::Value = serde_json::from_str(&line?)?;
        let field = |name: &str| row[name].as_str().map(str::to_string).with_context(|| format!("no {name}"));
        texts.push(Text { text: field("text")?, lang: folded(&field("lang")?) });
    }
    // The rows go by language: every so many keeps all of them.
    let step = if limit == 0 { 1 } else { texts.len().div_ceil(limit).max(1) };
    Ok(texts.into_iter().step_by(step).collect())
}

fn cpu_seconds() -> f64 {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    time.tv_sec as f64 + time.tv_nsec as f64 * 1e-9
}

/// Mean over languages of the share of its texts that were told right.
fn macro_accuracy(texts: &[Text], answers: &[Option<String>], languages: &BTreeSet<String>) -> f64 {
    let mut by_language: BTreeMap<&str, (f64, f64)> = BTreeMap::new();
    for (text, answer) in texts.iter().zip(answers).filter(|(text, _)| languages.contains(&text.lang)) {
        let (right, all) = by_language.entry(&text.lang).or_default();
        *right += f64::from(u8::from(answer.as_ref() == Some(&text.lang)));
        *all += 1.0;
    }
    by_language.values().map(|(right, all)| right / all).sum::<f64>() / by_language.len().max(1) as f64
}

fn known(verdict: LanguageVerdict) -> Option<String> {
    match verdict {
        LanguageVerdict::Known(language) => Some(folded(language.as_str())),
        _ => None,
    }
}

fn peers<'a>(model: &'a Model, detector: &'a Detector) -> Vec<Peer<'a>> {
    let lingua =
        lingua::LanguageDetectorBuilder::from_all_languages().with_preloaded_language_models().build();
    let own: BTreeSet<String> = detector.labels().iter().map(|(l, _)| folded(l.as_str())).collect();
    vec![
        Peer {
            name: "glotsift",
            detect: Box::new(|text| {
                known(detector.detect(normalize(text, &[]).as_str(), &Prior::default()).verdict)
            }),
            knows: own.clone(),
        },
        Peer {
            name: "glotsift with noise and spans",
            detect: Box::new(|text| {
                let options = Options { language_only: true, ..Options::default() };
                known(classify(model, &Article { text, ..Article::default() }, &options).language.verdict)
            }),
            knows: own,
        },
        Peer {
            name: "whatlang",
            detect: Box::new(|text| Some(folded(whatlang::detect_lang(text)?.code()))),
            knows: whatlang::Lang::all().iter().map(|l| folded(l.code())).collect(),
        },
        Peer {
            name: "lingua, high accuracy",
            detect: Box::new(move |text| {
                Some(folded(&lingua.detect_language_of(text)?.iso_code_639_3().to_string()))
            }),
            knows: lingua::Language::all().iter().map(|l| folded(&l.iso_code_639_3().to_string())).collect(),
        },
        Peer {
            name: "whichlang",
            detect: Box::new(|text| Some(folded(whichlang::detect_language(text).three_letter_code()))),
            knows: whichlang::LANGUAGES.iter().map(|l| folded(l.three_letter_code())).collect(),
        },
    ]
}

fn main() -> Result<()> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let (data, limit) = match args.as_slice() {
        [data] => (data, 0),
        [data, flag, limit] if flag == "--limit" => (data, limit.parse().context("--limit is a number")?),
        _ => bail!("usage: glotsift-bench DATA_DIR [--limit N]"),
    };
    let model = Model::built_in();
    let peers = peers(&model, model.language().context("the built-in model detects languages")?);
    let knows = |name: &str| {
        peers.iter().filter(|p| p.name.starts_with(name)).flat_map(|p| p.knows.iter().cloned()).collect()
    };
    let (whatlang, lingua, whichlang): (BTreeSet<String>, BTreeSet<String>, BTreeSet<String>) =
        (knows("whatlang"), knows("lingua"), knows("whichlang"));
    println!("{}, texts of language/short, CPU time of one thread\n", model.version());
    println!("shared: languages that whatlang and lingua know; few: of these, those that whichlang knows\n");
    println!("| texts | detector | shared | few | µs per text | lingua's time over it |");
    println!("| --- | --- | ---: | ---: | ---: | ---: |");
    for list in LISTS {
        let texts = read(&Path::new(data).join(format!("language/short/{list}.jsonl.gz")), limit)?;
        let all: BTreeSet<String> = texts.iter().map(|t| t.lang.clone()).collect();
        let shared: BTreeSet<String> =
            all.iter().filter(|l| whatlang.contains(*l) && lingua.contains(*l)).cloned().collect();
        let few: BTreeSet<String> = shared.intersection(&whichlang).cloned().collect();
        // Each detector sees the same texts, those of the languages compared, in the same order.
        let texts: Vec<Text> = texts.into_iter().filter(|t| shared.contains(&t.lang)).collect();
        let mut rows = Vec::new();
        for peer in &peers {
            texts.iter().take(200).for_each(|t| drop((peer.detect)(&t.text)));
            let begun = cpu_seconds();
            let answers: Vec<Option<String>> = texts.iter().map(|t| (peer.detect)(&t.text)).collect();
            let each = (cpu_seconds() - begun) * 1e6 / texts.len().max(1) as f64;
            let accuracy = |languages| macro_accuracy(&texts, &answers, languages);
            rows.push((peer.name, accuracy(&shared), accuracy(&few), each));
        }
        let lingua = rows.iter().find(|r| r.0.starts_with("lingua")).map_or(f64::NAN, |r| r.3);
        for (name, shared, few, each) in rows {
            println!("| {list} | {name} | {shared:.3} | {few:.3} | {each:.1} | {:.1} |", lingua / each);
        }
        eprintln!("{list}: {} texts, {} languages shared, {} few", texts.len(), shared.len(), few.len());
    }
    Ok(())
}
