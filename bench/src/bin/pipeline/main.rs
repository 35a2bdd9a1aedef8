//! What classifying costs, as ratios to one full `whatlang::detect` of the same texts in one interleaved run,
//! and the table of bars with pass or short.
//!
//! usage: `cargo run --release --bin pipeline [-- --rounds N] [--quick] [--alone NAME]`
//!
//! CPU time of the thread, the least of N rounds (7). In a round everything is measured once over a whole set
//! of texts, so that no text finds the caches warm from itself. `--quick` leaves out 1 MB and hostile
//! texts, `--alone "3 KB of English"` all but classify of that set or hostile text, for a profiler.

mod alloc;
mod texts;

use glotsift::classify::{Classification, Options, Prepared, TextUse, classify};
use glotsift::features::Scratch;
use glotsift::language::detector::Prior;
use glotsift::language::{LanguageVerdict, spans};
use glotsift::model::Model;
use glotsift::noise::{self, Host};
use glotsift::text::{Article, normalize};
use std::hint::black_box;
use texts::Text;

/// Bars: pipeline over whatlang, cost per byte over that at 3 KB, hostile over English per byte, allocations.
const OVER_WHATLANG: f64 = 0.5;
const FLATNESS: f64 = 1.3;
const HOSTILE: f64 = 3.0;
const ALLOCATIONS: u64 = 40;

fn cpu_seconds() -> f64 {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    time.tv_sec as f64 + time.tv_nsec as f64 * 1e-9
}

fn article(text: &str) -> Article<'_> {
    Article { text, ..Article::default() }
}

/// A part of the work, on one text that was prepared before.
struct Stage<'a> {
    name: &'static str,
    run: Box<dyn Fn(usize) + 'a>,
}

fn host_of(got: &Classification) -> Host {
    let language = match got.language.verdict {
        LanguageVerdict::Known(language) => Some(language),
        _ => None,
    };
    Host { language, script: got.language.script }
}

/// Seconds of each stage over all texts: the least of the rounds.
fn measure(stages: &[Stage<'_>], n_texts: usize, rounds: usize) -> Vec<f64> {
    let mut least = vec![f64::INFINITY; stages.len()];
    for _ in 0..rounds {
        for (stage, least) in stages.iter().zip(&mut least) {
            let begun = cpu_seconds();
            (0..n_texts).for_each(|i| (stage.run)(i));
            *least = least.min(cpu_seconds() - begun);
        }
    }
    least
}

fn whatlang<'a>(texts: &'a [Text]) -> Stage<'a> {
    let run = move |i: usize| drop(black_box(whatlang::detect(&texts[i].text)));
    Stage { name: "whatlang::detect", run: Box::new(run) }
}

fn pipeline<'a>(model: &'a Model, texts: &'a [Text]) -> Stage<'a> {
    let run = move |i: usize| drop(black_box(classify(model, &article(&texts[i].text), &Options::default())));
    Stage { name: "classify", run: Box::new(run) }
}

/// The parts of [`classify`], each on what the parts before it left.
fn parts<'a>(model: &'a Model, texts: &'a [Text]) -> Vec<Stage<'a>> {
    let results: Vec<Classification> =
        texts.iter().map(|t| classify(model, &article(&t.text), &Options::default())).collect();
    let hosts: Vec<Host> = results.iter().map(host_of).collect();
    let first: Vec<_> = texts.iter().map(|t| noise::scan(&t.text, model.boilerplate())).collect();
    let clean: Vec<_> = texts.iter().zip(&first).map(|(t, f)| normalize(&t.text, &f.skip())).collect();
    let prepared: Vec<_> = texts.iter().map(|t| Prepared::new(model, &article(&t.text))).collect();
    let mut stages: Vec<Stage<'a>> = Vec::new();
    let mut add = |name, run: Box<dyn Fn(usize) + 'a>| stages.push(Stage { name, run });
    add("noise, first pass", {
        Box::new(move |i| drop(black_box(noise::scan(&texts[i].text, model.boilerplate()))))
    });
    let scanned = first.clone();
    add("clean text for the language", {
        Box::new(move |i| drop(black_box(normalize(&texts[i].text, &scanned[i].skip()))))
    });
    if let Some(detector) = model.language() {
        add("language", {
            Box::new(move |i| drop(black_box(detector.detect(clean[i].as_str(), &Prior::default()))))
        });
    }
    let again = hosts.clone();
    add("noise, second pass", {
        Box::new(move |i| {
            drop(black_box(noise::finish(&texts[i].text, first[i].clone(), &again[i], model)));
        })
    });
    add("language spans", {
        Box::new(move |i| drop(black_box(spans::spans(&texts[i].text, &hosts[i], 1.0, model))))
    });
    for (name, task, usage) in
        [("topic features", model.topic(), TextUse::Topic), ("spam features", model.spam(), TextUse::Spam)]
    {
        let Some(task) = task else { continue };
        let views: Vec<String> = prepared.iter().map(|p| p.text(usage).as_str().to_string()).collect();
        let scratch = std::cell::RefCell::new(Scratch::default());
        add(name, {
            Box::new(move |i| _ = black_box(scratch.borrow_mut().vectorize(&views[i], &task.spec)))
        });
    }
    let language_only = Options { language_only: true, ..Options::default() };
    add("all but topic and spam", {
        Box::new(move |i| drop(black_box(classify(model, &article(&texts[i].text), &language_only))))
    });
    stages
}

#[derive(Default)]
struct Bars {
    rows: Vec<(String, f64, f64)>,
}

impl Bars {
    fn add(&mut self, name: impl Into<String>, got: f64, bar: f64) {
        self.rows.push((name.into(), got, bar));
    }

    fn print(&self) {
        println!("\n| bar | got | at most | |\n| --- | ---: | ---: | --- |");
        for (name, got, bar) in &self.rows {
            println!("| {name} | {got:.2} | {bar} | {} |", if got <= bar { "pass" } else { "short" });
        }
    }
}

fn bytes(texts: &[Text]) -> f64 {
    texts.iter().map(|t| t.text.len()).sum::<usize>() as f64
}

fn stages_of(name: &str, model: &Model, texts: &[Text], rounds: usize) -> f64 {
    let mut stages = vec![whatlang(texts), pipeline(model, texts)];
    stages.extend(parts(model, texts));
    let seconds = measure(&stages, texts.len(), rounds);
    println!(
        "\n{name}: {} texts\n\n| stage | µs per text | over whatlang |\n| --- | ---: | ---: |",
        texts.len()
    );
    for (stage, took) in stages.iter().zip(&seconds) {
        println!("| {} | {:.1} | {:.3} |", stage.name, took * 1e6 / texts.len() as f64, took / seconds[0]);
    }
    seconds[1] / seconds[0]
}

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let quick = args.iter().any(|a| a == "--quick");
    let rounds = args.iter().skip_while(|a| *a != "--rounds").nth(1);
    let rounds = rounds.and_then(|n| n.parse().ok()).unwrap_or(7_usize);
    let model = Model::built_in();
    let mut bars = Bars::default();
    let sets = [
        ("3 KB in 30 languages", texts::languages(3_000)),
        ("3 KB of English", texts::english(3_000, 12)),
        ("3 KB of several languages each", texts::mixed(3_000, 12)),
        ("300 B in 30 languages", texts::languages(300)),
    ];
    if let Some(name) = args.iter().skip_while(|a| *a != "--alone").nth(1) {
        let hostile = texts::hostile(1_000_000).into_iter().map(|text| (text.name.clone(), vec![text]));
        let mut named = sets.into_iter().map(|(name, texts)| (name.to_owned(), texts)).chain(hostile);
        let Some((_, texts)) = named.find(|(found, _)| found == name) else {
            eprintln!(
                "--alone {name}: the name of a set or of a hostile text is wanted, as they are printed"
            );
            std::process::exit(2);
        };
        let seconds = measure(&[pipeline(&model, &texts)], texts.len(), rounds)[0];
        println!("{name}: {:.1} µs per text", seconds * 1e6 / texts.len() as f64);
        return;
    }

    for (name, texts) in sets {
        let ratio = stages_of(name, &model, &texts, rounds);
        // no bar is set for shorter ones
        if name.starts_with("3 KB") {
            bars.add(format!("classify over whatlang, {name}"), ratio, OVER_WHATLANG);
        }
    }

    println!("\nallocations of one classify()\n");
    for (name, texts) in
        [("30 languages", texts::languages(3_000)), ("several each", texts::mixed(3_000, 12))]
    {
        let counts = texts.iter().map(|t| {
            let n =
                alloc::during(|| drop(black_box(classify(&model, &article(&t.text), &Options::default()))));
            (n, t.name.as_str())
        });
        let mut counts: Vec<_> = counts.collect();
        counts.sort_unstable();
        let (most, of) = counts.last().copied().unwrap_or_default();
        println!("{name}: median {}, most {most} ({of})", counts[counts.len() / 2].0);
        bars.add(format!("allocations, 3 KB, {name}, most"), most as f64, ALLOCATIONS as f64);
    }

    let mut sizes = vec![3_000, 30_000];
    if !quick {
        sizes.extend([300_000, 1_000_000]);
    }
    for (set, make) in [
        ("30 languages", &texts::languages as &dyn Fn(usize) -> Vec<Text>),
        ("English", &|size| texts::english(size, 4)),
    ] {
        println!("\n{set}: nanoseconds per byte\n");
        let mut at_three = 0.0;
        for &size in &sizes {
            let texts = make(size);
            let rounds = if size > 30_000 { rounds.min(3) } else { rounds };
            let seconds = measure(&[whatlang(&texts), pipeline(&model, &texts)], texts.len(), rounds);
            let each = seconds[1] * 1e9 / bytes(&texts);
            println!("{size} B: {each:.2}, whatlang {:.2}", seconds[0] * 1e9 / bytes(&texts));
            if size == 3_000 {
                at_three = each;
            } else {
                bars.add(
                    format!("cost per byte of {size} B over that of 3 KB, {set}"),
                    each / at_three,
                    FLATNESS,
                );
            }
        }
    }

    if !quick {
        let size = 1_000_000;
        let english = texts::english(size, 2);
        let seconds = measure(&[pipeline(&model, &english)], english.len(), rounds.min(3))[0];
        let plain = seconds / bytes(&english);
        println!("\nhostile texts of 1 MB, nanoseconds per byte (English {:.2})\n", plain * 1e9);
        for text in texts::hostile(size) {
            let texts = [text];
            let each = measure(&[pipeline(&model, &texts)], 1, rounds.min(3))[0] / bytes(&texts);
            println!("{}: {:.2}", texts[0].name, each * 1e9);
            bars.add(format!("hostile: {}, over English per byte", texts[0].name), each / plain, HOSTILE);
        }
    }
    bars.print();
}
