//! Counts the sketches by which `noise` knows a word of another language.
//!
//! usage: `cargo run --release --example foreign_words -- OUT HAN_OUT MANIFEST.json SENTENCES.jsonl.gz...`
//! OUT and HAN_OUT are src/noise/foreign/lexicon.bin and han.bin; SENTENCES are language/flores/train.jsonl.gz and
//! topic/train/*.jsonl.gz: rows of `text`, `lang`, `source`, perhaps `script`, of which only those of a source of class
//! open or unknown are read. HAN_OUT: a bit for each ideograph from U+4E00 on, set where Chinese has it and Japanese does not.

use anyhow::{Context, Result, bail};
use glotsift::noise::lexicon::{LANGUAGES, Word, sketch, words as split};
use serde_json::Value;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::io::{BufRead, BufReader};

/// Words of one language kept, most frequent first.
const WORDS: usize = 32_000;
/// Characters of one language read in one file.
const READ: usize = 6_000_000;

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().collect();
    let [_, out, han_out, manifest, files @ ..] = &arguments[..] else {
        bail!("expected OUT, HAN_OUT, MANIFEST and files")
    };
    let manifest: BTreeMap<String, Value> = serde_json::from_str(&std::fs::read_to_string(manifest)?)?;
    // sib-200 repeats what FLORES says; forum posts quote and misspell
    let admitted: HashSet<&str> = manifest
        .iter()
        .filter(|(name, card)| {
            (card["class"] == "open" || card["class"] == "unknown")
                && !matches!(name.as_str(), "20newsgroups" | "sib-200")
        })
        .map(|(name, _)| name.as_str())
        .collect();
    let mut counts: Vec<HashMap<String, u32>> = vec![HashMap::new(); LANGUAGES.len()];
    let mut han = vec![[0_u32; 2]; 0x5200];
    for path in files {
        let file = std::fs::File::open(path).with_context(|| format!("cannot open {path}"))?;
        let mut read: HashMap<usize, usize> = HashMap::new();
        for line in BufReader::new(flate2::read::GzDecoder::new(file)).lines() {
            let row: Value = serde_json::from_str(&line?)?;
            // sentences of FLORES name no source
            let admitted = row["source"].as_str().is_none_or(|source| admitted.contains(source));
            if !admitted || row["label"] == "spam" {
                continue;
            }
            let language = row["lang"].as_str().unwrap_or_default();
            let script = row["script"].as_str();
            if matches!(language, "zho" | "cmn" | "yue" | "jpn") {
                for c in row["text"].as_str().unwrap_or_default().chars() {
                    if let Some(n) = (c as usize).checked_sub(0x4E00).and_then(|i| han.get_mut(i)) {
                        n[usize::from(language == "jpn")] += 1;
                    }
                }
                continue;
            }
            let Some(index) = LANGUAGES
                .iter()
                .position(|code| code.get(..3) == Some(language) && script.is_none_or(|s| code.ends_with(s)))
            else {
                continue;
            };
            let text = row["text"].as_str().unwrap_or_default();
            let read = read.entry(index).or_default();
            *read += text.len();
            if *read > READ {
                continue;
            }
            for word in split(text) {
                *counts[index].entry(word.to_lowercase()).or_default() += 1;
            }
        }
    }
    let mut table = Vec::new();
    for (code, counts) in LANGUAGES.iter().zip(counts) {
        let total: f64 = counts.values().map(|n| f64::from(*n)).sum();
        let mut words: Vec<(String, f64)> =
            counts.into_iter().map(|(word, n)| (word, f64::from(n) * 1e8 / total)).collect();
        words.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
        eprintln!("{code} {} words", words.len());
        words.truncate(2 * WORDS);
        // each word counts by the log of its frequency; a trigram of one word or two is as good as never met
        let mut three: HashMap<u32, (f32, u32)> = HashMap::new();
        let mut two: HashMap<(u32, u32), f32> = HashMap::new();
        let mut pairs: HashMap<u32, (u32, u32)> = HashMap::new();
        for (text, n) in &words {
            let Some(word) = Word::new(text) else { continue };
            let weight = (1.0 + *n as f32 / 100.0).ln();
            let mut pair = (1, 1);
            for (trigram, c) in word.trigrams().iter().zip(text.chars().map(|c| c as u32).chain([2])) {
                let cell = three.entry(*trigram).or_default();
                *cell = (cell.0 + weight, cell.1 + 1);
                *two.entry(pair).or_default() += weight;
                pairs.insert(*trigram, pair);
                pair = (pair.1, c);
            }
        }
        let trigrams = three
            .iter()
            .filter(|(_, cell)| cell.1 > 2)
            .map(|(trigram, cell)| (*trigram, (cell.0 / (two[&pairs[trigram]] + 3.0)).ln()));
        table.extend(sketch(words.iter().take(WORDS).filter_map(|(w, _)| Word::new(w)), trigrams));
    }
    std::fs::write(out, table)?;
    let mut bits = vec![0_u8; han.len() / 8];
    for (i, [chinese, japanese]) in han.into_iter().enumerate() {
        bits[i / 8] |= u8::from(chinese > 2 && japanese == 0) << (i % 8);
    }
    std::fs::write(han_out, bits)?;
    Ok(())
}
