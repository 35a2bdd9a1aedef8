//! Training topic, spam and boilerplate.

use super::bundle::Base;
use super::corpus::{BACKGROUND, Corpus, Read};
use super::report::TrainReport;
use super::spool::Spool;
use super::{Interrupt, TrainArgs, TrainTask, Trained, kept};
use crate::bayes::Variant;
use crate::bayes::calibration::{Confidences, Scaling};
use crate::classify::{Prepared, TextUse};
use crate::cli::Failure;
use crate::corpus::Document;
use crate::features::{FeatureSpec, Weighting};
use crate::language::Language;
use crate::model::format::{
    TensorBytes, confidence_tensors, pipeline_fingerprint, serialize, weight_tensors,
};
use crate::model::manifest::{DecisionCard, FeatureCard, LabelCard, RecipeCard, ScoreCard, TaskCard};
use crate::model::task::{POOLED, TextTask};
use crate::text::Article;
use crate::topic;
use crate::train::counts::{Counts, Example};
use crate::train::fit::Recipe;
use crate::train::folds::SourceFolds;
use crate::train::is_held_back;
use crate::train::ledger::Ledger;
use crate::train::relatives::Relatives;
use crate::train::review::Reviewer;
use crate::train::text::{
    CalibrationWeights, Calibrator, Findings, MANY_TABLES, Scalings, TrainError, fit_all, of_one_language,
};
use crate::train::worths::Appraiser;
use anyhow::{Context, anyhow};
use rayon::prelude::*;
use std::collections::BTreeMap;

/// Character 1–5-grams of the beginning, words and bigrams of more: what measured best for topics.
const SPEC: FeatureSpec = FeatureSpec {
    ngram_max: 5,
    ngram_chars: 250,
    dense_chars: 600,
    word_chars: 2000,
    word_weight: 3,
    weighting: Weighting::LogNormalized { norm: 30 },
    shape: false,
    marks: false,
    offers: false,
};

fn recipe(args: &TrainArgs) -> Recipe {
    let (alpha, balance, bytes) = match args.task {
        TrainTask::Spam => (0.3, 0.5, 1200.0),
        _ => (1.0, 0.5, 1640.0),
    };
    Recipe {
        variant: Variant::Complement,
        alpha: args.alpha.unwrap_or(alpha),
        balance: args.balance.unwrap_or(balance),
        smallest_cell: 20.0,
        bytes: args.bytes.unwrap_or(bytes),
        min_label_documents: if args.task == TrainTask::Spam { 20 } else { 1 },
    }
}

/// The labels of a task, in the model's order, and what the data calls them.
struct Labels {
    ids: Vec<LabelCard>,
    index: BTreeMap<String, u16>,
}

impl Labels {
    /// `None` for a label that is not among those declared.
    fn find(&self, label: &str) -> Option<u16> {
        self.index.get(label).copied()
    }

    /// What is wrong with a document's label.
    fn fault(&self, document: &Document) -> Option<String> {
        let label = label_of(document);
        let expected = || self.ids.iter().take(20).map(|l| l.name.as_str()).collect::<Vec<_>>().join(", ");
        self.find(label).is_none().then(|| format!("unknown label {label:?}: expected one of {}", expected()))
    }

    fn new(names: impl IntoIterator<Item = (String, String)>) -> Self {
        let ids: Vec<LabelCard> = names.into_iter().map(|(id, name)| LabelCard { id, name }).collect();
        let mut index = BTreeMap::new();
        for (i, label) in ids.iter().enumerate() {
            index.insert(label.name.clone(), i as u16);
            index.insert(label.id.clone(), i as u16);
        }
        Self { ids, index }
    }

    fn iptc() -> Self {
        Self::new(topic::TOP_LEVEL.iter().map(|(id, name)| (id.to_string(), name.to_string())))
    }

    /// What `--labels` declares; `None` when the data decides.
    fn declared(args: &TrainArgs) -> Option<Self> {
        match (args.task, args.labels.as_deref()) {
            (TrainTask::Spam, _) => Some(Self::new(["ham", "spam"].map(|l| (l.to_string(), l.to_string())))),
            (_, Some("iptc")) => Some(Self::iptc()),
            (_, Some(list)) => {
                let mut names: Vec<String> = list.split(',').map(|l| l.trim().to_string()).collect();
                names.sort();
                names.dedup();
                Some(Self::new(names.into_iter().map(|l| (l.clone(), l))))
            }
            (_, None) => None,
        }
    }

    /// IPTC's seventeen when every label is one of them, else the data's own labels in order.
    fn of_data(seen: &BTreeMap<String, u64>) -> Self {
        if !seen.is_empty() && seen.keys().all(|l| topic::parse(l).is_some()) {
            return Self::iptc();
        }
        Self::new(seen.keys().map(|l| (l.clone(), l.clone())))
    }
}

/// The language of rows that have none; the base must be able to tell that of the others.
pub(super) fn given_language(args: &TrainArgs, base: &Base) -> Result<Option<Language>, Failure> {
    if base.model.language().is_none() {
        let problem = "the base has no language task: train it first, or name another --base";
        return Err(Failure::Usage(anyhow!(problem)));
    }
    let parse = |code: &String| {
        Language::parse(code).ok_or_else(|| {
            Failure::Usage(anyhow!("--language {code:?}: expected a code such as eng, en or zh-Hans"))
        })
    };
    args.language.as_ref().map(parse).transpose()
}

pub fn train(
    args: &TrainArgs,
    base: &Base,
    data: &Corpus,
    interrupt: &Interrupt,
) -> Result<Trained, Failure> {
    let language = given_language(args, base)?;
    // of spam, n-grams tell further on, too
    let spec = match args.task {
        TrainTask::Spam => FeatureSpec { ngram_chars: SPEC.dense_chars, shape: true, ..SPEC },
        _ => SPEC,
    };
    let recipe = recipe(args);
    let mut kept = kept::read(args, spec)?;
    let declared = Labels::declared(args);
    let mut seen: BTreeMap<String, u64> = BTreeMap::new();
    let mut sources: BTreeMap<String, u64> = BTreeMap::new();
    let mut labels_of = |document: &Document| {
        let unknown = declared.as_ref().and_then(|declared| declared.fault(document));
        if unknown.is_some() {
            return unknown;
        }
        *seen.entry(label_of(document).to_string()).or_default() += 1;
        *sources.entry(source_of(document).to_string()).or_default() += 1;
        None
    };
    let read = data.for_each("reading", interrupt, true, &mut labels_of, |_| Ok(()))?;
    for ledger in &kept {
        let (labels, from) = ledger.documents();
        labels.into_iter().for_each(|(label, n)| *seen.entry(label).or_default() += n);
        from.into_iter().for_each(|(source, n)| *sources.entry(source).or_default() += n);
    }
    usable(&read, &seen)?;
    let labels = declared.unwrap_or_else(|| Labels::of_data(&seen));
    let names: Vec<String> = labels.ids.iter().map(|l| l.name.clone()).collect();
    let usage = if args.task == TrainTask::Spam { TextUse::Spam } else { TextUse::Topic };
    let as_served = args.task == TrainTask::Spam;
    let example = |document: &Document| -> Vec<Example> {
        let Some(label) = labels.find(label_of(document)) else { return Vec::new() };
        let given = document.lang.as_deref().and_then(Language::parse).or(language);
        let hint = if as_served { None } else { given };
        let article = Article {
            title: &document.title,
            text: &document.text,
            language_hint: hint,
            ..Article::default()
        };
        let prepared = Prepared::new(&base.model, &article);
        let served = prepared.known_language().map(|l| l.folded());
        let table = given.map(|l| l.folded()).or(served).unwrap_or(POOLED);
        let background = document.class.as_deref() == Some(BACKGROUND);
        let example = Example {
            table: table.to_string(),
            // Ordinary articles count as one source: their publishers are no kinds of ham.
            source: if background { BACKGROUND } else { source_of(document) }.to_string(),
            label,
            held_back: is_held_back(&document.text),
            text: prepared.text(usage).as_str().to_string(),
        };
        // Messages are short and odd: what is taken for another language when served belongs there too.
        match served.filter(|served| as_served && !background && *served != table) {
            Some(served) => vec![Example { table: served.to_string(), ..example.clone() }, example],
            None => vec![example],
        }
    };
    let known = |document: &Document| labels.find(label_of(document)).is_none().then(String::new);
    let count = |data: &Corpus, doing: &str, mut spool: Option<&mut Spool>| -> Result<Counts, Failure> {
        let mut counts = Counts::new(spec);
        data.for_each(doing, interrupt, false, known, |batch| {
            let examples: Vec<Example> = batch.par_iter().flat_map_iter(example).collect();
            counts.add_pooling(&examples, &[]);
            spool.as_mut().map_or(Ok(()), |spool| spool.push(&examples))
        })?;
        Ok(counts)
    };
    // Kept counts must be those of the documents alone, or they could not be added and taken out.
    let reviewed = args.task == TrainTask::Topic && args.add_to.is_empty() && args.save_counts.is_none();
    let mut spool = reviewed.then(Spool::new).transpose()?;
    let counts = count(data, "counting", spool.as_mut())?;
    let mut ledger = Ledger { task: args.task.name().to_string(), labels: names.clone(), counts };
    for other in &mut kept {
        other.renumber(&names).map_err(|e| Failure::Work(anyhow!(e)))?;
        let counts = std::mem::replace(&mut other.counts, Counts::new(spec));
        ledger.add(counts).map_err(|e| Failure::Work(anyhow!("--add-to: {e}")))?;
    }
    if !args.forget.is_empty() {
        let forgotten = data.to_forget(args)?;
        forgotten.for_each("reading", interrupt, true, |row| labels.fault(row), |_| Ok(()))?;
        let gone = count(&forgotten, "forgetting", None)?;
        ledger.forget(gone).map_err(|e| Failure::Work(anyhow!("--forget: {e}")))?;
    }
    interrupt.check()?;
    if let Some(path) = &args.save_counts {
        kept::write(path, &mut ledger)?;
    }
    if !args.add_to.is_empty() {
        (seen, sources) = ledger.documents();
        seen.retain(|_, n| *n > 0);
    }
    let mut counts = ledger.counts;
    let n_labels = labels.ids.len();
    let work = |e: TrainError| Failure::Work(anyhow!(e));
    let mut findings = Findings::default();
    if let Some(mut spool) = spool {
        let mut reviewer = Reviewer::new(&mut counts, n_labels, &recipe);
        spool.for_each(interrupt, |batch| reviewer.look_at(&counts, batch))?;
        let (emphasis, nested, kinds) = reviewer.finish();
        if recipe.bytes > 0.0 {
            findings.left_out = nested;
        }
        let mut again = Counts::new(spec);
        let mut rest = emphasis.as_slice();
        spool.for_each(interrupt, |batch| {
            let (these, others) = rest.split_at(batch.len().min(rest.len()));
            again.add_pooling(batch, these);
            rest = others;
        })?;
        counts = again;
        findings.left_out.insert(POOLED.to_string(), of_one_language(&mut counts));
        if counts.tables.len() > MANY_TABLES {
            findings.relatives = Relatives::find(&mut counts);
        }
        let mut appraiser = Appraiser::new(&mut counts, n_labels, &recipe, &findings.left_out, kinds);
        let mut rest = emphasis.as_slice();
        spool.for_each(interrupt, |batch| {
            let (these, others) = rest.split_at(batch.len().min(rest.len()));
            appraiser.look_at(&counts, batch, these);
            rest = others;
        })?;
        findings.worths = appraiser.finish();
    }
    if let Some(path) = &args.save_fit {
        let mut ledger = Ledger { task: args.task.name().to_string(), labels: names.clone(), counts };
        kept::write(path, &mut ledger)?;
        counts = ledger.counts;
    }
    let first = fit_all(&mut counts, n_labels, &recipe, &findings, false).map_err(work)?;
    let folds = SourceFolds::fit(&mut counts, n_labels, &recipe, &findings).map_err(work)?;
    let mut calibrator = Calibrator::new(match args.task {
        TrainTask::Spam => CalibrationWeights::Labels,
        _ => CalibrationWeights::Documents,
    });
    // Ordinary articles are far from any spam: they would say nothing of where ham ends.
    let held_back = |document: &Document| {
        (!is_held_back(&document.text) || document.class.as_deref() == Some(BACKGROUND)).then(String::new)
    };
    data.for_each("calibrating", interrupt, false, held_back, |batch| {
        let examples: Vec<Example> = batch.par_iter().filter_map(|d| example(d).into_iter().next()).collect();
        // A table that could not be fitted leaves its documents to the pooled one, as in serving.
        let examples: Vec<Example> =
            examples
                .into_iter()
                .map(|e| {
                    if first.table(&e.table).is_some() {
                        e
                    } else {
                        Example { table: POOLED.to_string(), ..e }
                    }
                })
                .collect();
        calibrator.add(&first, &folds, &spec, &examples);
        calibrator.add(&first, &folds, &spec, &copies(&examples));
        Ok(())
    })?;
    drop(first);
    interrupt.check()?;
    let mut weights = fit_all(&mut counts, n_labels, &recipe, &findings, true).map_err(work)?;
    let scalings = calibrator.scalings(n_labels, previous_scalings(base, &labels.ids));
    for table in 0..weights.tables().len() {
        let scaling = scalings.of(&weights.tables()[table].name).clone();
        weights.set_scaling(table, &scaling);
    }
    let decision = match args.task {
        TrainTask::Spam => spam_decision(&calibrator, &scalings),
        _ => DecisionCard {
            threshold: 0.35,
            threshold_low: None,
            min_letters: 20,
            min_words: args
                .min_words
                .unwrap_or(previous(base, &labels.ids).map_or(0, |task| task.rule.min_words)),
        },
    };
    // The verdict on spam has thresholds of its own.
    let confidences = match args.task {
        TrainTask::Topic => calibrator.confidences(&scalings, weights.tables()),
        _ => Confidences::default(),
    };
    let [scores, unseen] = calibrator
        .evaluate(&scalings, &weights, &confidences, &names, decision.threshold)
        .map(|evaluation| evaluation.report());
    let card = TaskCard {
        pipeline: pipeline_fingerprint(Some(&spec)),
        labels: labels.ids,
        tables: weights.tables().iter().map(|t| t.name.clone()).collect(),
        features: Some(FeatureCard::from(&spec)),
        recipe: Some(RecipeCard {
            variant: "complement".to_string(),
            alpha: recipe.alpha,
            balance: recipe.balance,
            smallest_cell: recipe.smallest_cell,
            bytes: recipe.bytes,
            documents: seen.values().sum(),
        }),
        sources: data.source_cards(&sources),
        decision: Some(decision),
        held_back: Some(ScoreCard::from(&scores)),
        unseen_sources: (unseen.n > 0).then(|| ScoreCard::from(&unseen)),
        ..TaskCard::default()
    };
    let mut tensors = weight_tensors(&weights);
    tensors.extend(confidence_tensors(&confidences));
    let file = serialize(tensors).map_err(|e| Failure::Work(anyhow!(e)))?;
    Ok(Trained {
        card,
        file,
        report: TrainReport { read, labels: seen, scores: Some(scores), unseen: Some(unseen) },
    })
}

/// The examples of languages once more for the pooled table.
fn copies(examples: &[Example]) -> Vec<Example> {
    let of_languages = examples.iter().filter(|e| e.table != POOLED);
    of_languages.map(|e| Example { table: POOLED.to_string(), ..e.clone() }).collect()
}

/// Calibration of the tables of the model that is retrained, when it has the same labels.
fn previous_scalings(base: &Base, labels: &[LabelCard]) -> BTreeMap<String, Scaling> {
    let tables = previous(base, labels).map_or(&[][..], |task| task.weights.tables());
    tables.iter().map(|table| (table.name.clone(), table.scaling())).collect()
}

/// The task of the base that the new one takes the place of, where its labels are the same.
fn previous<'a>(base: &'a Base, labels: &[LabelCard]) -> Option<&'a TextTask> {
    let previous = base.previous.as_ref()?;
    let same = previous.labels.iter().map(|label| &*label.id).eq(labels.iter().map(|label| &*label.id));
    same.then_some(previous)
}

pub(super) fn source_of(document: &Document) -> &str {
    document.source.as_deref().unwrap_or_default()
}

fn label_of(document: &Document) -> &str {
    document.label.as_deref().unwrap_or_default().trim()
}

pub(super) fn usable(read: &Read, labels: &BTreeMap<String, u64>) -> Result<(), Failure> {
    let error = match labels.first_key_value() {
        None => TrainError::EmptyCorpus,
        Some((label, &documents)) if labels.len() == 1 => {
            TrainError::SingleClass { label: label.clone(), documents }
        }
        _ => return Ok(()),
    };
    let skipped: u64 = read.skipped.values().sum();
    Err(Failure::Work(anyhow!(error).context(format!("{} rows used, {skipped} skipped", read.documents))))
}

/// Ham called spam costs most: of held-back ham at most 11 in 1,000 may be called SPAM, and at most 15 not
/// called HAM.
fn spam_decision(calibrator: &Calibrator, scalings: &Scalings) -> DecisionCard {
    let mut ham: Vec<f64> = calibrator.calibrated(scalings).filter(|d| d.1 == 0).map(|(p, _)| p[1]).collect();
    ham.sort_by(f64::total_cmp);
    let quantile =
        |q: f64| ham.get(((ham.len() as f64 * q) as usize).min(ham.len().saturating_sub(1))).copied();
    let threshold = quantile(0.989).unwrap_or(0.5).clamp(0.5, 0.99);
    let threshold_low = quantile(0.985).unwrap_or(0.5).clamp(0.4, threshold);
    DecisionCard { threshold, threshold_low: Some(threshold_low), min_letters: 1, min_words: 0 }
}

/// Fingerprints of template lines: sorted, unique, no text.
pub fn boilerplate(data: &Corpus, interrupt: &Interrupt) -> Result<Trained, Failure> {
    let mut fingerprints: Vec<u64> = Vec::new();
    let mut sources: BTreeMap<String, u64> = BTreeMap::new();
    let read = data.for_each(
        "reading",
        interrupt,
        true,
        |_| None,
        |batch| {
            for document in &batch {
                *sources.entry(source_of(document).to_string()).or_default() += 1;
                fingerprints.extend(crate::noise::fingerprint(&document.text));
            }
            Ok(())
        },
    )?;
    fingerprints.sort_unstable();
    fingerprints.dedup();
    if fingerprints.is_empty() {
        return Err(Failure::Work(anyhow!(TrainError::EmptyCorpus)));
    }
    let card = TaskCard {
        pipeline: pipeline_fingerprint(None),
        sources: data.source_cards(&sources),
        ..TaskCard::default()
    };
    let tensors = vec![("fingerprints".to_string(), TensorBytes::u64s(&fingerprints))];
    let file = serialize(tensors).context("cannot write the fingerprints").map_err(Failure::Work)?;
    let lines = BTreeMap::from([("distinct lines".to_string(), fingerprints.len() as u64)]);
    Ok(Trained { card, file, report: TrainReport { read, labels: lines, scores: None, unseen: None } })
}
