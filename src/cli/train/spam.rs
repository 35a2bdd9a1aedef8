//! Training spam on messages somebody judged and ordinary articles, which are ham.

use super::bundle::Base;
use super::corpus::{BACKGROUND, Corpus};
use super::report::TrainReport;
use super::text::{given_language, source_of, usable};
use super::{Interrupt, TrainArgs, Trained};
use crate::bayes::odds::logistic;
use crate::bayes::pieces::observe;
use crate::bayes::weights::Weights;
use crate::classify::{Prepared, TextUse};
use crate::cli::Failure;
use crate::corpus::Document;
use crate::evaluate::{Evaluation, Outcome};
use crate::features::{FeatureSpec, Offers, Scratch, Weighting};
use crate::language::Language;
use crate::model::format::{odds_tensors, pipeline_fingerprint, serialize, weight_tensors};
use crate::model::manifest::{DecisionCard, FeatureCard, LabelCard, RecipeCard, ScoreCard, TaskCard};
use crate::model::task::POOLED;
use crate::text::Article;
use crate::train::near_duplicate_key;
use crate::train::offers::{self, Counted};
use crate::train::spam::{Budget, Documents, FOLDS, HeldOut, Place, Recipe, Sums, calibrate};
use anyhow::anyhow;
use rayon::prelude::*;
use std::collections::BTreeMap;

const SPEC: FeatureSpec = FeatureSpec {
    ngram_max: 5,
    ngram_chars: 600,
    dense_chars: 600,
    word_chars: 2000,
    word_weight: 3,
    weighting: Weighting::LogNormalized { norm: 30 },
    shape: true,
    marks: true,
    offers: true,
};

/// A ham called spam costs most. UNSURE is worth having only where both verdicts would be a gamble: the
/// band costs a few in a thousand.
const BUDGET: Budget = Budget { spam: 0.006, not_ham: 0.0065, background: 0.0018 };
/// Articles taken of one source and language: they are there to be recognised, not to outnumber.
const ARTICLES: u64 = 1500;
/// Every so many of the articles taken are scored for calibration.
const SCORED: u64 = 3;
/// All of them where they are fewer than this.
const FEWEST: u64 = 150;
/// Words of an article put after a spam, and how many articles are kept for that per table and fold.
const PADDING: usize = 200;
const PADDING_CHARS: usize = 1200;
const KEPT_ARTICLES: usize = 20;

fn recipe(args: &TrainArgs) -> Recipe {
    Recipe {
        alpha: args.alpha.unwrap_or(0.3),
        prior: 1_000_000.0,
        balance: args.balance.unwrap_or(0.5),
        smallest_cell: 20.0,
        rounds: 3,
        first: 0.05,
        alone: 0.1,
        temperature: 100.0,
        bytes: args.bytes.unwrap_or(2060.0),
    }
}

fn label_of(document: &Document) -> Option<bool> {
    match document.label.as_deref()?.trim() {
        "spam" => Some(true),
        "ham" => Some(false),
        _ => None,
    }
}

fn is_background(document: &Document) -> bool {
    document.class.as_deref() == Some(BACKGROUND)
}

fn hash(document: &Document) -> u64 {
    xxhash_rust::xxh3::xxh3_64(document.text.as_bytes())
}

/// Features with their weights.
type Vector = Vec<(u64, u32)>;

/// A document as it will be met when served.
struct Served {
    table: String,
    source: String,
    spam: bool,
    background: bool,
    fold: u8,
    hash: u64,
    text: String,
}

fn served(base: &Base, language: Option<Language>, document: &Document) -> Option<Served> {
    let article = Article { title: &document.title, text: &document.text, ..Article::default() };
    let prepared = Prepared::new(&base.model, &article);
    let given = document.lang.as_deref().and_then(Language::parse).or(language);
    let language = prepared.language.alternatives.first().map(|a| a.language).or(given);
    let background = is_background(document);
    Some(Served {
        table: language.map_or(POOLED, |l| l.folded()).to_string(),
        // Ordinary articles count as one source: their publishers are no kinds of ham.
        source: if background { BACKGROUND } else { source_of(document) }.to_string(),
        spam: label_of(document)?,
        background,
        fold: (near_duplicate_key(&document.text) % u64::from(FOLDS)) as u8,
        hash: hash(document),
        text: prepared.text(TextUse::Spam).as_str().to_string(),
    })
}

pub fn train(
    args: &TrainArgs,
    base: &Base,
    data: &Corpus,
    interrupt: &Interrupt,
) -> Result<Trained, Failure> {
    let language = given_language(args, base)?;
    let recipe = recipe(args);
    let mut labels: BTreeMap<String, u64> = BTreeMap::new();
    let mut sources: BTreeMap<String, u64> = BTreeMap::new();
    let mut articles: BTreeMap<(String, String), u64> = BTreeMap::new();
    let cell =
        |document: &Document| (document.lang.clone().unwrap_or_default(), source_of(document).to_string());
    let mut check = |document: &Document| {
        let Some(spam) = label_of(document) else {
            let label = document.label.as_deref().unwrap_or("").trim();
            return Some(format!("unknown label {label:?}: expected one of ham, spam"));
        };
        *labels.entry(if spam { "spam" } else { "ham" }.to_string()).or_default() += 1;
        *sources.entry(source_of(document).to_string()).or_default() += 1;
        if is_background(document) {
            *articles.entry(cell(document)).or_default() += 1;
        }
        None
    };
    let read = data.for_each("reading", interrupt, true, &mut check, |_| Ok(()))?;
    usable(&read, &labels)?;
    // Which articles are taken is decided by their texts: any order gives the same.
    let share = |document: &Document, part: u64| {
        let n = articles.get(&cell(document)).copied().unwrap_or(1).max(1);
        let wanted = (ARTICLES.min(n) / part).max(FEWEST);
        is_background(document) && hash(document) % n >= wanted
    };
    let left_out =
        |document: &Document| (label_of(document).is_none() || share(document, 1)).then(String::new);
    let mut documents = Documents::default();
    let mut offered = Counted::default();
    let mut padding: BTreeMap<(String, u8), BTreeMap<u64, String>> = BTreeMap::new();
    data.for_each("counting", interrupt, false, left_out, |batch| {
        let served: Vec<(Served, Vector, Offers)> = batch
            .par_iter()
            .map_init(Scratch::default, |scratch, document| {
                let served = served(base, language, document)?;
                scratch.vectorize(&served.text, &SPEC);
                Some((served, scratch.vector.clone(), scratch.offers))
            })
            .flatten()
            .collect();
        for (served, vector, offers) in served {
            *offered.entry((offers, served.spam, served.table.clone())).or_default() += 1;
            let place =
                Place { table: &served.table, source: &served.source, spam: served.spam, fold: served.fold };
            documents.add(&place, &vector);
            if served.background && served.text.len() >= PADDING_CHARS / 2 {
                let kept = padding.entry((served.table, served.fold)).or_default();
                kept.insert(served.hash, served.text);
                if kept.len() > KEPT_ARTICLES {
                    kept.pop_last();
                }
            }
        }
        Ok(())
    })?;
    documents.seal();
    let work = |e: crate::train::spam::SpamTrainError| Failure::Work(anyhow!(e));
    let fit = |left_out: Option<u8>| -> Result<Weights, Failure> {
        interrupt.check()?;
        Sums::count(&documents, &recipe, left_out).pack(&documents).map_err(work)
    };
    let without: Vec<Weights> = (0..FOLDS).map(|fold| fit(Some(fold))).collect::<Result<_, _>>()?;
    let weights = fit(None)?;
    drop(documents);
    let mut seen: Vec<HeldOut> = Vec::new();
    let not_scored =
        |document: &Document| (label_of(document).is_none() || share(document, SCORED)).then(String::new);
    data.for_each("calibrating", interrupt, false, not_scored, |batch| {
        let scored: Vec<Vec<HeldOut>> = batch
            .par_iter()
            .map_init(Scratch::default, |scratch, document| {
                let Some(served) = served(base, language, document) else { return Vec::new() };
                let weights = &without[usize::from(served.fold)];
                let pooled = weights.table(POOLED);
                let table = weights.table(&served.table).or(pooled).unwrap_or(0);
                let mut held = |text: &str, padded: bool| HeldOut {
                    table: served.table.clone(),
                    spam: served.spam,
                    publisher: served.background.then(|| source_of(document).to_string()),
                    padded,
                    observed: observe(weights, &SPEC, &[table], pooled, text, scratch),
                };
                let mut all = vec![held(&served.text, false)];
                let articles = padding.get(&(served.table.clone(), served.fold));
                if served.spam
                    && let Some(articles) = articles
                    && let Some(article) =
                        articles.values().nth((served.hash % articles.len() as u64) as usize)
                {
                    all.push(held(&padded(&served.text, article), true));
                }
                all
            })
            .collect();
        seen.extend(scored.into_iter().flatten());
        Ok(())
    })?;
    let (odds, low, high) = calibrate(&seen, &weights, offers::fit(&offered), &BUDGET);
    let mut evaluation = Evaluation::default();
    for held in seen.iter().filter(|held| !held.padded && held.publisher.is_none()) {
        let table = weights.table(&held.table).or(weights.table(POOLED)).unwrap_or(0);
        let z = odds.log_odds(table, 0, &held.observed);
        let mut ranked = vec![("ham".to_string(), logistic(-z)), ("spam".to_string(), logistic(z))];
        if z > 0.0 {
            ranked.reverse();
        }
        let decided = if z >= high {
            Some("spam")
        } else if z < low {
            Some("ham")
        } else {
            None
        };
        evaluation.add(&Outcome {
            gold: if held.spam { "spam" } else { "ham" }.to_string(),
            ranked,
            decided: decided.map(str::to_string),
            group: Some(held.table.clone()),
        });
    }
    let scores = evaluation.report();
    let card = TaskCard {
        pipeline: pipeline_fingerprint(Some(&SPEC)),
        labels: ["ham", "spam"].map(|l| LabelCard { id: l.to_string(), name: l.to_string() }).to_vec(),
        tables: weights.tables().iter().map(|t| t.name.clone()).collect(),
        features: Some(FeatureCard::from(&SPEC)),
        recipe: Some(RecipeCard {
            variant: "multinomial".to_string(),
            alpha: recipe.alpha,
            balance: recipe.balance,
            smallest_cell: recipe.smallest_cell,
            bytes: recipe.bytes,
            documents: labels.values().sum(),
        }),
        sources: data.source_cards(&sources),
        decision: Some(DecisionCard {
            threshold: logistic(high),
            threshold_low: Some(logistic(low)),
            min_letters: 1,
            min_words: 0,
        }),
        held_back: Some(ScoreCard::from(&scores)),
        ..TaskCard::default()
    };
    let mut tensors = weight_tensors(&weights);
    tensors.extend(odds_tensors(&odds));
    let file = serialize(tensors).map_err(|e| Failure::Work(anyhow!(e)))?;
    Ok(Trained { card, file, report: TrainReport { read, labels, scores: Some(scores), unseen: None } })
}

/// The spam with words of an article after it; where words are not spaced, with its beginning.
fn padded(spam: &str, article: &str) -> String {
    let words: Vec<&str> = article.split_whitespace().take(PADDING).collect();
    let words: String = words.join(" ").chars().take(PADDING_CHARS).collect();
    format!("{spam}\n{words}")
}
