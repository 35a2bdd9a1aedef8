//! Scores the noise detectors on documents with gold spans, with whatlang in the ranker's place.
//!
//! usage: `cargo run --example noise_score -- GOLD.jsonl.gz BOILERPLATE.jsonl.gz [SHOW]`
//! SHOW prints errors (`fp`, `alarm` or a gold kind), all `spans`, or predictions as JSON lines (`dump`), `time`.

use anyhow::{Context, Result};
use glotsift::evaluate::noise::{GoldSpan, GuessedSpan, NoiseScore};
use glotsift::language::{Language, LanguageCandidate, RankLanguages, Ranked};
use glotsift::noise::{BoilerplateSet, Host, NoiseKind, Resources, detect, fingerprint, finish, scan};
use glotsift::script::Script;
use serde_json::Value;
use std::io::{BufRead, BufReader, Write};

struct Whatlang;

impl RankLanguages for Whatlang {
    fn rank(&self, text: &str, _: usize) -> Ranked {
        let Some(info) = whatlang::detect(text) else { return Ranked::new() };
        let Some(language) = Language::parse(info.lang().code()) else { return Ranked::new() };
        let script = glotsift::script::counts(text).dominant();
        let probability = if info.is_reliable() { 0.95 } else { info.confidence().min(0.59) };
        [LanguageCandidate { language, script, probability }].into_iter().collect()
    }
}

fn lines(path: &str) -> Result<impl Iterator<Item = Result<Value>>> {
    let file = std::fs::File::open(path).with_context(|| format!("cannot open {path}"))?;
    let reader = BufReader::new(flate2::read::GzDecoder::new(file));
    Ok(reader.lines().map(|line| Ok(serde_json::from_str(&line?)?)))
}

fn boundary(text: &str, at: usize) -> usize {
    (0..=at).rev().find(|i| text.is_char_boundary(*i)).unwrap_or(0)
}

/// Microseconds per 3 KB of each step, with a ranker that costs nothing.
fn time(texts: &[(String, Host)], set: &BoilerplateSet) -> String {
    struct Silent;
    impl RankLanguages for Silent {
        fn rank(&self, _: &str, _: usize) -> Ranked {
            Ranked::new()
        }
    }
    let bytes: usize = texts.iter().map(|t| t.0.len()).sum();
    let mut report = String::new();
    let mut measure = |name: &str, step: &dyn Fn(&str, &Host) -> usize| {
        let start = std::time::Instant::now();
        let sum: usize = texts.iter().map(|(text, host)| step(text, host)).sum();
        let each = start.elapsed().as_secs_f64() * 1e6 * 3000.0 / bytes as f64;
        report.push_str(&format!("{name} {each:.1} µs per 3 KB ({sum})\n"));
    };
    measure("script runs", &|text, _| glotsift::script::runs(text).len());
    measure("scan", &|text, _| scan(text, set).spans().len());
    measure("scan and finish", &|text, host| finish(text, scan(text, set), host, &Silent).len());
    measure("normalize", &|text, _| glotsift::text::normalize(text, &[]).as_str().len());
    measure("language spans", &|text, host| glotsift::language::spans::spans(text, host, 1.0, &Silent).len());
    report
}

fn kind_name(kind: NoiseKind) -> &'static str {
    if kind == NoiseKind::Boilerplate { "BOILERPLATE" } else { "OTHER" }
}

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().collect();
    let [_, gold, boilerplate, show @ ..] = &arguments[..] else {
        anyhow::bail!("expected GOLD and BOILERPLATE")
    };
    let show = show.first().map_or("", String::as_str);
    let mut prints = Vec::new();
    for line in lines(boilerplate)? {
        prints.extend(line?["text"].as_str().and_then(fingerprint));
    }
    let set = BoilerplateSet::from_fingerprints(prints);
    let mut score = NoiseScore::default();
    let mut texts = Vec::new();
    let mut out = std::io::stdout().lock();
    let mut spent = std::time::Duration::ZERO;
    let mut bytes = 0;
    for line in lines(gold)? {
        let line = line?;
        let text = line["text"].as_str().unwrap_or_default();
        let code = line["host_code"].as_str().unwrap_or_default();
        let (language, script) = code.split_once('_').unwrap_or((code, "Latn"));
        let script = match script {
            "Hans" | "Hant" => Some(Script::HAN),
            "Hang" => Some(Script::KOREAN),
            other => Script::parse(other),
        };
        let host = Host { language: Language::parse(language), script: script.unwrap_or(Script::COMMON) };
        if show == "time" {
            texts.push((text.to_string(), host));
            continue;
        }
        let start = std::time::Instant::now();
        let spans = detect(text, &host, &Resources { boilerplate: &set, ranker: &Whatlang });
        spent += start.elapsed();
        bytes += text.len();
        if show == "dump" {
            let spans: Vec<Value> = spans
                .iter()
                .map(|s| serde_json::json!({"start": s.range.start, "end": s.range.end, "kind": kind_name(s.kind)}))
                .collect();
            writeln!(out, "{}", serde_json::json!({ "spans": spans }))?;
            continue;
        }
        if show == "spans" {
            for s in &spans {
                let codes: Vec<_> = s.candidates.iter().map(|c| (c.language, c.probability)).collect();
                writeln!(out, "{:?} {:?} {codes:?} {:.100}", s.range, s.kind, &text[s.range.clone()])?;
            }
        }
        let mut marked = Vec::new();
        for span in line["spans"].as_array().into_iter().flatten() {
            let offset = |key: &str| span[key].as_u64().unwrap_or(0) as usize;
            let mut kind = span["kind"].as_str().unwrap_or_default().to_string();
            for flag in ["same_script", "quoted"] {
                if span[flag].as_bool() == Some(true) {
                    kind = format!("{kind}:{flag}");
                }
            }
            marked.push(GoldSpan { range: offset("start")..offset("end"), kind });
        }
        let class = line["class"].as_str().unwrap_or("clean");
        let overlaps =
            |a: &std::ops::Range<usize>, b: &std::ops::Range<usize>| a.start < b.end && b.start < a.end;
        let around = |r: &std::ops::Range<usize>| {
            let from = boundary(text, r.start.saturating_sub(40));
            let to = boundary(text, (r.end + 40).min(text.len())).max(r.end);
            format!("{:?} [[{:?}]] {:?}", &text[from..r.start], &text[r.clone()], &text[r.end..to])
        };
        for span in &spans {
            let missed = !marked.iter().any(|m| overlaps(&m.range, &span.range));
            if missed && (show == "fp" && !marked.is_empty() || show == "alarm" && marked.is_empty()) {
                writeln!(out, "{class} {code} {:?} {}", span.kind, around(&span.range))?;
            }
        }
        for mark in &marked {
            let found = spans.iter().filter(|s| s.kind != NoiseKind::Boilerplate || s.range == mark.range);
            let iou = |s: &std::ops::Range<usize>| {
                let i = s.end.min(mark.range.end).saturating_sub(s.start.max(mark.range.start));
                2 * i >= s.end.max(mark.range.end) - s.start.min(mark.range.start)
            };
            if show == mark.kind && !found.clone().any(|s| iou(&s.range)) {
                let near: Vec<_> = found
                    .filter(|s| overlaps(&s.range, &mark.range))
                    .map(|s| (s.kind, &text[s.range.clone()]))
                    .collect();
                writeln!(out, "{code} {} GOT {near:?}", around(&mark.range))?;
            }
        }
        let guessed: Vec<_> = spans
            .iter()
            .map(|s| GuessedSpan { range: s.range.clone(), boilerplate: s.kind == NoiseKind::Boilerplate })
            .collect();
        score.add(text, class, &marked, &guessed);
    }
    if show == "time" {
        write!(out, "{}", time(&texts, &set))?;
    }
    if matches!(show, "dump" | "time") {
        return Ok(());
    }
    writeln!(
        out,
        "precision {:.4} recall {:.4} f1 {:.4} overlap {:.4}",
        score.precision(),
        score.recall(),
        score.f1(),
        score.f1_overlap()
    )?;
    writeln!(
        out,
        "false alarm {:?}; {:.1} µs per 3 KB",
        score.false_alarm(),
        spent.as_secs_f64() * 1e6 * 3000.0 / bytes as f64
    )?;
    for (kind, s) in &score.per_kind {
        writeln!(
            out,
            "{kind:40} {:5} iou {:.3} overlap {:.3}",
            s.n,
            s.iou as f64 / s.n as f64,
            s.overlap as f64 / s.n as f64
        )?;
    }
    Ok(())
}
