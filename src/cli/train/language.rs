//! Training the language task.

use super::corpus::Corpus;
use super::report::TrainReport;
use super::{Interrupt, TrainArgs, Trained};
use crate::bayes::Variant;
use crate::bayes::calibration::Scaling;
use crate::bayes::weights::Weights;
use crate::cli::Failure;
use crate::corpus::Document;
use crate::evaluate::{Evaluation, Outcome};
use crate::features::{FeatureSpec, Weighting};
use crate::language::Language;
use crate::language::detector::{Detector, POOLED, Prior, RELATIVES};
use crate::language::prior::{OFFICIAL, log_prior, relatives, worth};
use crate::language::vocabulary::{Shares, WordCounts};
use crate::model::format::{
    TensorBytes, pipeline_fingerprint, serialize, vocabulary_tensors, weight_tensors,
};
use crate::model::manifest::{FeatureCard, LabelCard, RecipeCard, ScoreCard, TaskCard};
use crate::script::{Script, counts, group_of};
use crate::text::normalize;
use crate::train::counts::{Counts, Example};
use crate::train::fit::Recipe;
use crate::train::is_held_back;
use crate::train::language::{Parents, prune, score_pieces, temperatures};
use crate::train::text::{Findings, TrainError, fit_all};
use anyhow::anyhow;
use rayon::prelude::*;
use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet, HashSet};
use unicode_normalization::char::is_combining_mark;

const SPEC: FeatureSpec = FeatureSpec {
    ngram_max: 5,
    ngram_chars: 400,
    dense_chars: 400,
    word_chars: 0,
    word_weight: 1,
    weighting: Weighting::Counts { cap: 255 },
    shape: false,
    marks: false,
    offers: false,
};

/// Bytes of the table per documents^(2/3).
const BYTES: f64 = 3200.0;
/// The part of them that tells close relatives apart.
const RELATIVES_SHARE: f64 = 0.07;
/// Texts are cut to about a sentence, so that a label of articles and one of sentences weigh alike.
const TEXT_CHARS: usize = 200;
/// A label's texts beyond this many characters are not looked at.
const LABEL_CHARS: usize = 400_000;

/// Added to a label's score where its texts are few: more of what it is met with is new to it.
const LITTLE_TEXT: f64 = 6.0;

/// `eng_Latn` for a row that says its script.
fn named_pair(document: &Document) -> Option<(Language, Script)> {
    Some((Language::parse(document.lang.as_deref()?)?, Script::parse(document.script.as_deref()?)?))
}

/// The labels of the data: the pairs that rows name; where no row names a script, languages with the one their
/// letters are in.
#[derive(Debug, Default)]
struct Labels {
    named: BTreeSet<(Language, Script)>,
    told: BTreeSet<(Language, Script)>,
}

impl Labels {
    fn see(&mut self, document: &Document) -> Option<String> {
        let code = document.lang.as_deref().unwrap_or("");
        match (Language::parse(code), &document.script) {
            (Some(language), None) => {
                self.told.insert((language, counts(&document.text).dominant()));
                None
            }
            (Some(_), Some(_)) if named_pair(document).is_some() => {
                self.named.extend(named_pair(document));
                None
            }
            _ => Some(format!(
                "unknown language {code:?}: expected an ISO 639-3 code of the table and an ISO 15924 script"
            )),
        }
    }

    fn pairs(&self) -> Vec<(Language, Script)> {
        let pairs = if self.named.is_empty() { &self.told } else { &self.named };
        let mut pairs: Vec<_> = pairs.iter().copied().collect();
        pairs.sort_by_key(|&pair| id(pair));
        pairs
    }
}

fn id((language, script): (Language, Script)) -> String {
    format!("{}_{script}", language.as_str())
}

/// A row as it would be counted.
struct Candidate {
    text: String,
    label: u16,
    /// Rows that name their script come first, then chance: neither order nor files show.
    rank: (bool, u64),
    source: String,
}

impl Candidate {
    /// A row without a script takes the one label of its language in the writing system of its letters; between
    /// two (Hans and Hant) it cannot choose.
    fn new(document: &Document, pairs: &[(Language, Script)]) -> Option<Self> {
        let language = Language::parse(document.lang.as_deref()?)?;
        let text = beginning(normalize(&document.text, &[]).into_string());
        let label = if document.script.is_some() {
            let pair = named_pair(document)?;
            pairs.iter().position(|p| *p == pair)?
        } else {
            let counted = counts(&text);
            let script = counted.dominant();
            let mut fitting =
                (0..pairs.len()).filter(|&i| pairs[i].0 == language && pairs[i].1.group() == script.group());
            let only = fitting.next()?;
            if fitting.next().is_some() || 5 * counted.of(script) < 4 * counted.letters() {
                return None;
            }
            only
        };
        let rank = (document.script.is_none(), xxhash_rust::xxh3::xxh3_64(text.as_bytes()));
        Some(Self { text, label: label as u16, rank, source: document.source.clone().unwrap_or_default() })
    }
}

/// What of the data is counted: each label's texts of lowest rank, equal ones once, until they are enough.
struct Selection(Vec<Chosen>);

#[derive(Default)]
struct Chosen {
    /// Characters and source by rank.
    texts: BTreeMap<(bool, u64), (usize, String)>,
    chars: usize,
}

impl Selection {
    fn new(n_labels: usize) -> Self {
        Self((0..n_labels).map(|_| Chosen::default()).collect())
    }

    fn offer(&mut self, candidate: Candidate) {
        let Candidate { text, label, rank, source } = candidate;
        let chosen = &mut self.0[usize::from(label)];
        if rank.0 && chosen.texts.contains_key(&(false, rank.1)) {
            return;
        }
        if !rank.0 {
            chosen.remove((true, rank.1));
        }
        let chars = text.chars().count();
        match chosen.texts.entry(rank) {
            Entry::Occupied(mut same) => {
                let first = &mut same.get_mut().1;
                *first = source.min(std::mem::take(first));
            }
            Entry::Vacant(place) => {
                place.insert((chars, source));
                chosen.chars += chars;
            }
        }
        while let Some(last) = chosen.texts.last_entry()
            && chosen.chars - last.get().0 >= LABEL_CHARS
        {
            chosen.chars -= last.remove().0;
        }
    }

    /// Leaves equal texts of several labels to the first of them.
    fn settle(&mut self) {
        let mut seen: HashSet<u64> = HashSet::new();
        for without_script in [false, true] {
            for chosen in &mut self.0 {
                let ranks: Vec<_> = chosen.texts.keys().filter(|r| r.0 == without_script).copied().collect();
                for rank in ranks.into_iter().filter(|rank| !seen.insert(rank.1)) {
                    chosen.remove(rank);
                }
            }
        }
    }

    fn has(&self, candidate: &Candidate) -> bool {
        let texts = &self.0[usize::from(candidate.label)].texts;
        texts.get(&candidate.rank).is_some_and(|(_, source)| *source == candidate.source)
    }
}

impl Chosen {
    fn remove(&mut self, rank: (bool, u64)) {
        self.chars -= self.texts.remove(&rank).map_or(0, |text| text.0);
    }
}

/// Whether a label has a close relative in the same writing system.
fn has_relatives(pairs: &[(Language, Script)], label: u16) -> bool {
    let (language, script) = pairs[usize::from(label)];
    let close = |other: &&(Language, Script)| {
        relatives(other.0) == relatives(language) && other.1.group() == script.group()
    };
    pairs.iter().filter(close).count() > 1
}

fn allow_for_little_text(weights: &mut Weights, offsets: &[f64]) {
    if let Some(table) = weights.table(POOLED) {
        weights.set_scaling(table, &Scaling { temperature: 1.0, offsets: offsets.to_vec() });
    }
}

/// The first words of a text.
fn beginning(text: String) -> String {
    match text.char_indices().nth(TEXT_CHARS) {
        None => text,
        Some((end, _)) => {
            let head = &text[..end];
            head.rsplit_once(char::is_whitespace).map_or(head, |(words, _)| words).to_string()
        }
    }
}

/// A list of words repeats its words from line to line, so that nothing of it can be held back.
fn is_word_list(text: &str) -> bool {
    text.chars().all(|c| c.is_alphabetic() || c.is_whitespace() || is_combining_mark(c))
        && text.split_whitespace().count() >= 12
}

pub fn train(args: &TrainArgs, data: &Corpus, interrupt: &Interrupt) -> Result<Trained, Failure> {
    let recipe = Recipe {
        variant: Variant::Multinomial,
        alpha: args.alpha.unwrap_or(0.03),
        balance: args.balance.unwrap_or(1.0),
        smallest_cell: 1.0,
        // Pruning comes before the fit.
        bytes: 0.0,
        min_label_documents: 1,
    };
    let mut found = Labels::default();
    let mut sources: BTreeMap<String, u64> = BTreeMap::new();
    let read = data.for_each("reading", interrupt, true, |document| found.see(document), |_| Ok(()))?;
    let work = |e: TrainError| Failure::Work(anyhow!(e));
    let pairs = found.pairs();
    let labels: Vec<String> = pairs.iter().map(|pair| id(*pair)).collect();
    match &labels[..] {
        [] => return Err(work(TrainError::EmptyCorpus)),
        [label] => {
            return Err(work(TrainError::SingleClass { label: label.clone(), documents: read.documents }));
        }
        _ => {}
    }
    let readable = |document: &Document| {
        Language::parse(document.lang.as_deref().unwrap_or("")).is_none().then(String::new)
    };
    let mut selection = Selection::new(pairs.len());
    let candidates = |batch: &[Document]| -> Vec<Candidate> {
        batch.par_iter().filter_map(|document| Candidate::new(document, &pairs)).collect()
    };
    data.for_each("choosing", interrupt, false, readable, |batch| {
        candidates(&batch).into_iter().for_each(|candidate| selection.offer(candidate));
        Ok(())
    })?;
    selection.settle();
    // Reads what was chosen, equal texts once.
    let for_each_chosen = |doing: &str, batch: &mut dyn FnMut(Vec<Candidate>)| -> Result<(), Failure> {
        let mut met: HashSet<u64> = HashSet::new();
        data.for_each(doing, interrupt, false, readable, |documents| {
            let mut chosen = candidates(&documents);
            chosen.retain(|candidate| selection.has(candidate) && met.insert(candidate.rank.1));
            batch(chosen);
            Ok(())
        })?;
        Ok(())
    };
    let mut seen: BTreeMap<String, u64> = labels.iter().map(|label| (label.clone(), 0)).collect();
    let mut counted = Counts::new(SPEC);
    let group = |label: u16| group_of(pairs[usize::from(label)].1.id());
    let mut parents = Parents::default();
    let (mut words, mut words_held_back) = (WordCounts::new(pairs.len()), WordCounts::new(pairs.len()));
    for_each_chosen("counting", &mut |taken| {
        for candidate in &taken {
            *sources.entry(candidate.source.clone()).or_default() += 1;
            *seen.entry(labels[usize::from(candidate.label)].clone()).or_default() += 1;
        }
        parents.add(&SPEC, &taken.iter().map(|taken| taken.text.as_str()).collect::<Vec<_>>());
        let mut examples = Vec::with_capacity(taken.len());
        for Candidate { text, label, source, .. } in taken {
            let listed = is_word_list(&text);
            let held_back = is_held_back(&text) && !listed;
            let known = if held_back { &mut words_held_back } else { &mut words };
            known.add(usize::from(label), group(label), &text);
            let example = |table: &str, text: String| Example {
                table: table.to_string(),
                // Balance is by language: the data's sources are one here.
                source: String::new(),
                label,
                held_back,
                text,
            };
            // Relatives are told apart on texts of one kind: rows without a source of their own.
            if source == args.source_name && !listed && has_relatives(&pairs, label) {
                examples.push(example(RELATIVES, text.clone()));
            }
            examples.push(example(POOLED, text));
        }
        counted.add(&examples);
    })?;
    let documents: u64 = seen.values().sum();
    let bytes = args.bytes.unwrap_or(BYTES);
    if bytes > 0.0 {
        let budget = bytes * (documents as f64).powf(2.0 / 3.0);
        let worth: Vec<f64> = pairs.iter().map(|(language, _)| worth(*language)).collect();
        let alike = vec![1.0; pairs.len()];
        for (name, worth, share) in
            [(POOLED, &worth, 1.0 - RELATIVES_SHARE), (RELATIVES, &alike, RELATIVES_SHARE)]
        {
            if let Some(table) = counted.tables.remove(name) {
                let table = prune(table, &parents, labels.len(), worth, share * budget);
                counted.tables.insert(name.to_string(), table);
            }
        }
    }
    drop(parents);
    interrupt.check()?;
    let offsets: Vec<f64> = selection
        .0
        .iter()
        .map(|chosen| LITTLE_TEXT * (1.0 - (chosen.chars as f64 / LABEL_CHARS as f64).min(1.0)))
        .collect();
    let mut first =
        fit_all(&mut counted, labels.len(), &recipe, &Findings::default(), false).map_err(work)?;
    allow_for_little_text(&mut first, &offsets);
    let uncalibrated = Detector::new(pairs.clone(), first, SPEC, Vec::new());
    let mut held_back: Vec<(String, u16)> = Vec::new();
    for_each_chosen("reading", &mut |taken| {
        let held = |c: &Candidate| is_held_back(&c.text) && !is_word_list(&c.text);
        held_back.extend(taken.into_iter().filter(held).map(|c| (c.text, c.label)));
    })?;
    // A fixed share of a large corpus is more than one temperature per length needs.
    held_back.sort_by_key(|(text, _)| xxhash_rust::xxh3::xxh3_64(text.as_bytes()));
    // What a vocabulary knows is learned on all of them, as each language has its own.
    let vocabulary = words.vocabulary(vec![0.0; pairs.len()]);
    let mut shares = Shares::new(pairs.len());
    held_back
        .iter()
        .for_each(|(text, label)| shares.add(&vocabulary, usize::from(*label), group(*label), text));
    words.extend(words_held_back);
    let vocabulary = words.vocabulary(shares.known());
    held_back.truncate(20_000);
    // How sure to be is learned where the prior expects text to come from.
    let common = |(_, label): &&(String, u16)| log_prior(pairs[usize::from(*label)].0) >= OFFICIAL;
    let expected: Vec<(String, u16)> = held_back.iter().filter(common).cloned().collect();
    let expected = if expected.is_empty() { &held_back } else { &expected };
    let points = temperatures(&score_pieces(&uncalibrated, expected));
    let detector = Detector::new(pairs.clone(), uncalibrated.weights().clone(), SPEC, points.clone())
        .with_vocabulary(vocabulary.clone());
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
    let mut weights =
        fit_all(&mut counted, labels.len(), &recipe, &Findings::default(), true).map_err(work)?;
    allow_for_little_text(&mut weights, &offsets);
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
            bytes,
            documents,
        }),
        sources: data.source_cards(&sources),
        held_back: Some(ScoreCard::from(&scores)),
        ..TaskCard::default()
    };
    let mut tensors = weight_tensors(&weights);
    let calibration: Vec<f32> = points.iter().flat_map(|p| [p.0, p.1]).collect();
    tensors.push(("calibration".to_string(), TensorBytes::f32s(vec![points.len(), 2], &calibration)));
    tensors.extend(vocabulary_tensors(&vocabulary));
    let file = serialize(tensors).map_err(|e| Failure::Work(anyhow!(e)))?;
    Ok(Trained { card, file, report: TrainReport { read, labels: seen, scores: Some(scores), unseen: None } })
}
