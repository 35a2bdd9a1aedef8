//! Training the language task.

use super::corpus::Corpus;
use super::report::TrainReport;
use super::{Interrupt, TrainArgs, Trained};
use crate::bayes::Variant;
use crate::cli::Failure;
use crate::corpus::Document;
use crate::evaluate::{Evaluation, Outcome};
use crate::features::{FeatureSpec, Weighting};
use crate::language::Language;
use crate::language::detector::{Detector, Prior};
use crate::model::format::{TensorBytes, pipeline_fingerprint, serialize, weight_tensors};
use crate::model::manifest::{FeatureCard, LabelCard, RecipeCard, ScoreCard, TaskCard};
use crate::model::task::POOLED;
use crate::script::{Script, counts};
use crate::text::normalize;
use crate::train::counts::{Counts, Example};
use crate::train::fit::Recipe;
use crate::train::is_held_back;
use crate::train::language::{score_pieces, temperatures};
use crate::train::text::{LeftOut, TrainError, fit_all};
use anyhow::anyhow;
use rayon::prelude::*;
use std::collections::BTreeMap;

const SPEC: FeatureSpec = FeatureSpec {
    ngram_max: 4,
    ngram_chars: 400,
    word_chars: 0,
    word_weight: 1,
    weighting: Weighting::Counts { cap: 255 },
    shape: false,
    marks: false,
};

/// `eng_Latn` for a row: its language's own code, its script or the one its letters are in.
fn pair(document: &Document) -> Option<String> {
    let language = Language::parse(document.lang.as_deref()?)?;
    let script = match document.script.as_deref() {
        Some(code) => Script::parse(code)?,
        None => counts(&document.text).dominant(),
    };
    Some(format!("{}_{script}", language.as_str()))
}

pub fn train(args: &TrainArgs, data: &Corpus, interrupt: &Interrupt) -> Result<Trained, Failure> {
    let recipe = Recipe {
        variant: Variant::Multinomial,
        alpha: args.alpha.unwrap_or(0.1),
        balance: args.balance.unwrap_or(1.0),
        smallest_cell: 1.0,
        bytes: args.bytes.unwrap_or(2000.0),
        min_label_documents: 1,
    };
    let mut seen: BTreeMap<String, u64> = BTreeMap::new();
    let mut sources: BTreeMap<String, u64> = BTreeMap::new();
    let check = |document: &Document| match pair(document) {
        Some(pair) => {
            *seen.entry(pair).or_default() += 1;
            *sources.entry(document.source.clone().unwrap_or_default()).or_default() += 1;
            None
        }
        None => Some(format!(
            "unknown language {:?}: expected an ISO 639-3 code of the table and an ISO 15924 script",
            document.lang.as_deref().unwrap_or("")
        )),
    };
    let read = data.for_each("reading", interrupt, true, check, |_| Ok(()))?;
    let work = |e: TrainError| Failure::Work(anyhow!(e));
    match seen.first_key_value() {
        None => return Err(work(TrainError::EmptyCorpus)),
        Some((label, &documents)) if seen.len() == 1 => {
            return Err(work(TrainError::SingleClass { label: label.clone(), documents }));
        }
        _ => {}
    }
    let labels: Vec<String> = seen.keys().cloned().collect();
    let pairs: Vec<(Language, Script)> = labels.iter().filter_map(|l| crate::model::parse_pair(l)).collect();
    let index =
        |document: &Document| pair(document).and_then(|p| labels.binary_search(&p).ok()).map(|i| i as u16);
    let known = |document: &Document| index(document).is_none().then(String::new);
    let mut counted = Counts::new(SPEC);
    data.for_each("counting", interrupt, false, known, |batch| {
        let examples: Vec<Example> = batch
            .into_par_iter()
            .filter_map(|document| {
                Some(Example {
                    table: POOLED.to_string(),
                    // Balance is by language: the data's sources are one here.
                    source: String::new(),
                    label: index(&document)?,
                    held_back: is_held_back(&document.text),
                    text: normalize(&document.text, &[]).into_string(),
                })
            })
            .collect();
        counted.add(&examples);
        Ok(())
    })?;
    interrupt.check()?;
    let first = fit_all(&mut counted, labels.len(), &recipe, &LeftOut::default(), false).map_err(work)?;
    let uncalibrated = Detector::new(pairs.clone(), first, SPEC, Vec::new());
    let mut held_back: Vec<(String, u16)> = Vec::new();
    let is_held = |document: &Document| (!is_held_back(&document.text)).then(String::new);
    data.for_each("reading", interrupt, false, is_held, |batch| {
        held_back.extend(
            batch.into_iter().filter_map(|d| Some((normalize(&d.text, &[]).into_string(), index(&d)?))),
        );
        Ok(())
    })?;
    // A fixed share of a large corpus is more than one temperature per length needs.
    held_back.sort_by_key(|(text, _)| xxhash_rust::xxh3::xxh3_64(text.as_bytes()));
    held_back.truncate(20_000);
    let points = temperatures(&score_pieces(&uncalibrated, &held_back));
    let detector = Detector::new(pairs.clone(), uncalibrated.weights().clone(), SPEC, points.clone());
    let outcomes: Vec<Outcome> = held_back
        .par_iter()
        .map(|(text, label)| {
            let gold = pairs[usize::from(*label)].0.folded().to_string();
            let seen = detector.detect(text, &Prior::default());
            let ranked: Vec<(String, f64)> = seen
                .alternatives
                .iter()
                .take(2)
                .map(|c| (c.language.folded().to_string(), seen.probability.max(c.probability)))
                .collect();
            let decided = seen.reliable.then(|| ranked.first().map(|r| r.0.clone())).flatten();
            Outcome { group: Some(gold.clone()), gold, ranked, decided }
        })
        .collect();
    let mut evaluation = Evaluation::default();
    outcomes.iter().for_each(|o| evaluation.add(o));
    let scores = evaluation.report();
    interrupt.check()?;
    let weights = fit_all(&mut counted, labels.len(), &recipe, &LeftOut::default(), true).map_err(work)?;
    let card = TaskCard {
        pipeline: pipeline_fingerprint(Some(&SPEC)),
        labels: labels
            .iter()
            .zip(&pairs)
            .map(|(id, (l, _))| LabelCard { id: id.clone(), name: l.name().to_string() })
            .collect(),
        tables: weights.tables().iter().map(|t| t.name.clone()).collect(),
        features: Some(FeatureCard::from(&SPEC)),
        recipe: Some(RecipeCard {
            variant: "multinomial".to_string(),
            alpha: recipe.alpha,
            balance: recipe.balance,
            smallest_cell: recipe.smallest_cell,
            bytes: recipe.bytes,
            documents: read.documents,
        }),
        sources: data.source_cards(&sources),
        held_back: Some(ScoreCard::from(&scores)),
        ..TaskCard::default()
    };
    let mut tensors = weight_tensors(&weights);
    let calibration: Vec<f32> = points.iter().flat_map(|p| [p.0, p.1]).collect();
    tensors.push(("calibration".to_string(), TensorBytes::f32s(vec![points.len(), 2], &calibration)));
    let file = serialize(tensors).map_err(|e| Failure::Work(anyhow!(e)))?;
    Ok(Trained { card, file, report: TrainReport { read, labels: seen, scores: Some(scores) } })
}
