//! Learns the weights by which `noise` tells template lines from an article's, and scores them.
//!
//! usage: `boilerplate_lines train OUT PHRASES.tsv BOILERPLATE.jsonl.gz MANIFEST.json SENTENCES.jsonl.gz...`
//!        `boilerplate_lines score LINES.tsv SENTENCES.jsonl.gz...`
//! PHRASES: language, phrases between bars. LINES: language, kind, line; even rows are for tuning, odd ones held out.
//! SENTENCES: `text`, `lang`, `source`; the lines of a text are taken one by one.

use anyhow::{Context, Result, bail};
use glotsift::noise::{BoilerplateSet, LINE_SLOTS, LINE_UNIT, NoiseKind, fingerprint, line_features, scan};
use serde_json::Value;
use std::collections::{BTreeMap, HashSet};
use std::io::{BufRead, BufReader};

/// Lines of one file at most: a language must not drown the others.
const PER_FILE: usize = 4000;
const EPOCHS: usize = 12;
const RATE: f32 = 0.15;
const L2: f32 = 2e-6;
/// Share of the features left out at random, as a share of the random numbers.
const DROPPED: u64 = u64::MAX / 10 * 3;
/// A wrong alarm costs more than a missed line.
const ARTICLE_WEIGHT: f32 = 1.0;

/// splitmix64: the same order on every machine.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    fn below(&mut self, n: usize) -> usize {
        (self.next() % n.max(1) as u64) as usize
    }

    fn of<'a, T>(&mut self, items: &'a [T]) -> &'a T {
        &items[self.below(items.len())]
    }
}

fn lines(path: &str) -> Result<impl Iterator<Item = Result<Value>>> {
    let file = std::fs::File::open(path).with_context(|| format!("cannot open {path}"))?;
    let reader = BufReader::new(flate2::read::GzDecoder::new(file));
    Ok(reader.lines().map(|line| Ok(serde_json::from_str(&line?)?)))
}

/// Short lines of the texts of a file.
fn sentences(path: &str, limit: usize, refused: &HashSet<String>) -> Result<Vec<String>> {
    let mut found = Vec::new();
    for row in lines(path)? {
        let row = row?;
        // what is called news there is mail with its signatures; SIB-200 repeats FLORES
        let source = row["source"].as_str().unwrap_or_default();
        if refused.contains(source) || matches!(source, "20newsgroups" | "sib-200") {
            continue;
        }
        let text = row["text"].as_str().unwrap_or_default();
        found.extend(
            text.lines().map(str::trim).filter(|l| (4..=400).contains(&l.len())).take(6).map(String::from),
        );
    }
    let mut random = Random(found.len() as u64);
    let flores = path.contains("flores");
    while !flores && found.len() > limit {
        let at = random.below(found.len());
        found.swap_remove(at);
    }
    Ok(found)
}

/// Template lines made of phrases: alone, in rows between bars, after a copyright sign, around a label.
fn templates(phrases: &[Vec<String>], words: &[String], random: &mut Random) -> Vec<String> {
    let mut made = Vec::new();
    for own in phrases {
        for phrase in own {
            made.extend([phrase.clone(), phrase.clone()]);
            for _ in 0..6 {
                let sign = *random.of(&[" | ", " · ", " > ", " » ", " / ", " • ", ". ", " – ", ", ", " "]);
                let mut line = phrase.clone();
                for _ in 0..1 + random.below(3) {
                    line = format!("{line}{sign}{}", random.of(own));
                }
                made.push(line);
            }
            let (name, other, n) = (random.of(words).clone(), random.of(words).clone(), random.below(40));
            made.push(match random.below(5) {
                0 => format!("© {} {name} {other}. {phrase}", 1995 + n),
                1 => format!("{phrase}: {name} | {n} {}", random.of(own)),
                2 => format!("{phrase}: {name} {other}"),
                3 => format!("© {name} {other}, {} {phrase}", 1990 + n),
                _ => format!("{phrase} ({n})"),
            });
        }
    }
    made
}

/// Headings, lists and captions: short lines that are an article's own.
fn headings(sentences: &[String], random: &mut Random) -> Vec<String> {
    let mut made = Vec::new();
    for _ in 0..sentences.len() / 2 {
        let sentence = random.of(sentences);
        let words: Vec<&str> = sentence.split_whitespace().collect();
        let piece = if words.len() < 3 {
            let chars: Vec<char> = sentence.chars().collect();
            let from = random.below(chars.len());
            chars[from..].iter().take(2 + random.below(10)).collect()
        } else {
            let from = random.below(words.len() - 1);
            let sign =
                *random.of(&[" ", " ", " ", " ", " ", " ", " ", ", ", ", ", ": ", ": ", " – ", " – ", " | "]);
            words[from..].iter().take(1 + random.below(6)).copied().collect::<Vec<_>>().join(sign)
        };
        let mut letters = piece.chars();
        made.push(letters.next().into_iter().flat_map(char::to_uppercase).chain(letters).collect());
    }
    made
}

fn train(out: &str, phrases: &str, boilerplate: &str, manifest: &str, files: &[String]) -> Result<()> {
    let manifest: BTreeMap<String, Value> = serde_json::from_str(&std::fs::read_to_string(manifest)?)?;
    let refused: HashSet<String> = manifest
        .into_iter()
        .filter(|(_, card)| card["class"] == "restricted")
        .map(|(name, _)| name)
        .collect();
    let mut random = Random(1);
    let mut articles = Vec::new();
    for file in files {
        articles.extend(sentences(file, PER_FILE, &refused)?);
    }
    let words: Vec<String> = (0..20_000)
        .filter_map(|_| random.of(&articles).split_whitespace().nth(1).map(String::from))
        .collect();
    let phrases: Vec<Vec<String>> = std::fs::read_to_string(phrases)?
        .lines()
        .filter_map(|l| Some(l.split_once('\t')?.1.split('|').map(String::from).collect()))
        .collect();
    let mut boiler = templates(&phrases, &words, &mut random);
    let made = boiler.len();
    let mut seen = HashSet::new();
    for row in lines(boilerplate)? {
        let row = row?;
        let text = row["text"].as_str().unwrap_or_default();
        if fingerprint(text).is_some_and(|print| seen.insert((print, row["lang"].to_string()))) {
            boiler.push(text.to_string());
        }
    }
    articles.extend(headings(&articles, &mut random));
    eprintln!(
        "{} template lines, {made} of them made of phrases; {} article lines",
        boiler.len(),
        articles.len()
    );
    let mut rows: Vec<(Vec<u32>, bool)> = Vec::new();
    for (lines, label) in [(&boiler, true), (&articles, false)] {
        for line in lines {
            let mut slots = Vec::new();
            line_features(line, |slot| slots.push(slot as u32));
            rows.push((slots, label));
        }
    }
    let (mut weights, mut squares) = (vec![0f32; LINE_SLOTS], vec![1e-6f32; LINE_SLOTS]);
    let mut kept: Vec<u32> = Vec::new();
    for epoch in 0..EPOCHS {
        for i in (1..rows.len()).rev() {
            rows.swap(i, random.below(i + 1));
        }
        let mut loss = 0.0;
        for (slots, label) in &rows {
            // what is left out at random must be made up for by the rest, so that no word decides alone
            kept.clear();
            kept.extend(slots.iter().filter(|_| random.next() >= DROPPED));
            let slots = &kept;
            let score: f32 = slots.iter().map(|s| weights[*s as usize]).sum();
            let p = 1.0 / (1.0 + (-score).exp());
            let (error, weight) = if *label { (p - 1.0, 1.0) } else { (p, ARTICLE_WEIGHT) };
            loss -= f64::from(if *label { p } else { 1.0 - p }.max(1e-9).ln());
            for slot in slots {
                let w = &mut weights[*slot as usize];
                let gradient = weight * error + L2 * *w;
                let square = &mut squares[*slot as usize];
                *square += gradient * gradient;
                *w -= RATE * gradient / square.sqrt();
            }
        }
        eprintln!("epoch {epoch} loss {:.4}", loss / rows.len() as f64);
    }
    let table: Vec<u8> =
        weights.iter().map(|w| (w / LINE_UNIT).round().clamp(-127.0, 127.0) as i8 as u8).collect();
    std::fs::write(out, table)?;
    Ok(())
}

/// Whether a line on its own between two sentences is called boilerplate.
fn is_hit(line: &str, around: &str) -> bool {
    let text = format!("{around}\n\n{line}\n\n{around}");
    let range = around.len() + 2..around.len() + 2 + line.len();
    let first = scan(&text, &BoilerplateSet::default());
    first.spans().iter().any(|s| {
        matches!(s.kind, NoiseKind::Boilerplate | NoiseKind::Markup)
            && s.range.start < range.end
            && range.start < s.range.end
    })
}

fn score(path: &str, files: &[String]) -> Result<()> {
    let around = "Am Morgen war der Fluss über die Ufer getreten, und niemand wusste, wie lange das Wasser noch steigen würde.";
    let show = std::env::var("SHOW").is_ok();
    let mut tally: BTreeMap<(usize, String), (usize, usize)> = BTreeMap::new();
    for (i, row) in std::fs::read_to_string(path)?.lines().enumerate() {
        let mut cells = row.splitn(3, '\t');
        let (Some(language), Some(kind), Some(line)) = (cells.next(), cells.next(), cells.next()) else {
            bail!("row {i} has no three columns")
        };
        let hit = is_hit(line, around);
        for group in ["all".to_string(), format!("kind {kind}"), format!("language {language}")] {
            let cell = tally.entry((i % 2, group)).or_default();
            cell.0 += 1;
            cell.1 += usize::from(hit);
        }
        if show && !hit && i % 2 == 0 {
            println!("missed {:.1} {row}", glotsift::noise::line_log_odds(line));
        }
    }
    for ((half, group), (n, hits)) in tally {
        let half = if half == 0 { "tuning" } else { "held out" };
        println!("{half} {group}: {hits} of {n} ({:.2})", hits as f64 / n as f64);
    }
    let mut totals: BTreeMap<&str, [usize; 4]> = BTreeMap::new();
    for file in files {
        for line in sentences(file, 1500, &HashSet::new())? {
            // dense scripts say in five characters what others say in a word or two
            let sentence =
                line.chars().count() >= if line.len() > 2 * line.chars().count() { 20 } else { 36 };
            let group = if file.contains("flores") { "FLORES" } else { "news" };
            let hit = is_hit(&line, around);
            let cell = totals.entry(group).or_default();
            cell[usize::from(!sentence)] += 1;
            cell[2 + usize::from(!sentence)] += usize::from(hit);
            if show && hit {
                println!("hit {:.1} {line}", glotsift::noise::line_log_odds(&line));
            }
        }
    }
    for (group, [n, short, hits, short_hits]) in totals {
        println!(
            "{group}: {hits} of {n} sentences hit ({:.5}), {short_hits} of {short} shorter lines",
            hits as f64 / n.max(1) as f64
        );
    }
    Ok(())
}

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match &arguments[..] {
        ["train", out, phrases, boilerplate, manifest, files @ ..] => train(
            out,
            phrases,
            boilerplate,
            manifest,
            &files.iter().map(|f| f.to_string()).collect::<Vec<_>>(),
        ),
        ["score", lines, files @ ..] => {
            score(lines, &files.iter().map(|f| f.to_string()).collect::<Vec<_>>())
        }
        _ => bail!("expected `train` or `score` and their files"),
    }
}
