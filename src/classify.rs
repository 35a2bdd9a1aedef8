//! The pipeline, composed in one place.

use crate::bayes::ranking;
use crate::features::Scratch;
use crate::language::detector::Prior;
use crate::language::{Language, LanguageResult, LanguageSpan, LanguageVerdict};
use crate::model::Model;
use crate::model::task::TextTask;
use crate::noise::NoiseSpan;
use crate::script::{Script, counts};
use crate::text::{Article, Field};
use std::borrow::Cow;
use std::ops::Range;

/// What the caller wants beyond the defaults.
#[derive(Clone, Debug)]
pub struct Options {
    /// Return the evidence of topic and spam.
    pub explain: bool,
    /// Return the text with its noise taken out.
    pub clean_text: bool,
    /// How many topics to return at most; 0 means all.
    pub max_topics: usize,
    /// Topics at or above this probability are marked; `None` takes the model's thresholds.
    pub topic_threshold: Option<f64>,
    /// Spam at or above this probability is SPAM; `None` takes the model's.
    pub spam_threshold: Option<f64>,
    /// Stop after language and noise.
    pub language_only: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            explain: false,
            clean_text: false,
            max_topics: 5,
            topic_threshold: None,
            spam_threshold: None,
            language_only: false,
        }
    }
}

#[derive(Clone, Debug, PartialEq)]
pub struct LabelScore {
    /// The model's label, for the shipped model an IPTC code such as `medtop:11000000`.
    pub label_id: String,
    pub name: String,
    pub probability: f64,
    /// Over its threshold.
    pub selected: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AbstainReason {
    TooShort,
    UnknownLanguage,
    LowMargin,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    Decided,
    Abstained(AbstainReason),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SpamVerdict {
    Ham,
    Spam,
    Unsure,
}

#[derive(Clone, Debug, PartialEq)]
pub struct SpamResult {
    pub verdict: SpamVerdict,
    /// Probability of spam.
    pub probability: f64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Task {
    Topic,
    Spam,
}

/// A piece of text and its exact share in a label's log-odds.
#[derive(Clone, Debug, PartialEq)]
pub struct Evidence {
    pub task: Task,
    pub label_id: String,
    pub field: Field,
    pub range: Range<usize>,
    /// Natural-log units, towards the label when positive.
    pub log_odds: f64,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Classification {
    pub language: LanguageResult,
    pub language_spans: Vec<LanguageSpan>,
    pub noise: Vec<NoiseSpan>,
    pub title_noise: Vec<NoiseSpan>,
    /// Share of the text's characters inside noise, 0 to 1.
    pub noise_ratio: f64,
    /// Best first; probabilities sum to at most 1.
    pub topics: Vec<LabelScore>,
    pub topic_decision: Decision,
    pub spam: SpamResult,
    pub spam_decision: Decision,
    pub evidence: Vec<Evidence>,
    pub clean_text: Option<String>,
    /// How much of the text topic and spam looked at.
    pub text_bytes_used: usize,
    pub text_bytes_total: usize,
}

/// Languages whose tables are mixed when the language is not certain.
const MIXED_TABLES: usize = 3;
/// Terms of evidence returned per task.
const EVIDENCE_TERMS: usize = 12;

/// Which task's view of an article.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TextUse {
    /// Noise taken out, so that a comment form never votes.
    Topic,
    /// Noise left in: a homoglyph is evidence.
    Spam,
}

/// An article after language and noise: what every task starts from, in training as in serving.
#[derive(Clone, Debug)]
pub struct Prepared<'a> {
    pub result: LanguageResult,
    text: Cow<'a, str>,
}

impl<'a> Prepared<'a> {
    pub fn new(model: &Model, article: &Article<'a>) -> Self {
        let text = match article.title {
            "" => Cow::Borrowed(article.text),
            title => Cow::Owned(format!("{title}\n{}", article.text)),
        };
        let prior =
            Prior { hint: article.language_hint, allowed: article.allowed_languages, strict: article.strict_languages };
        let result = match model.language() {
            Some(detector) => detector.detect(&text, &prior),
            None => LanguageResult {
                verdict: LanguageVerdict::Undetermined,
                script: Script::COMMON,
                probability: 0.0,
                reliable: false,
                alternatives: Vec::new(),
            },
        };
        Self { result, text }
    }

    /// The detected language, when there is one.
    pub fn language(&self) -> Option<Language> {
        match self.result.verdict {
            LanguageVerdict::Known(language) => Some(language),
            _ => None,
        }
    }

    pub fn text(&self, _usage: TextUse) -> Cow<'_, str> {
        Cow::Borrowed(&self.text)
    }
}

/// Classifies one article. Cannot fail: odd text gives an honest result.
pub fn classify(model: &Model, article: &Article<'_>, options: &Options) -> Classification {
    let prepared = Prepared::new(model, article);
    let text = prepared.text(TextUse::Topic);
    let language = prepared.result.clone();
    let letters = counts(&text).letters();
    let mut scratch = Scratch::default();
    let mut classification = Classification {
        language,
        language_spans: Vec::new(),
        noise: Vec::new(),
        title_noise: Vec::new(),
        noise_ratio: 0.0,
        topics: Vec::new(),
        topic_decision: Decision::Abstained(AbstainReason::TooShort),
        spam: SpamResult { verdict: SpamVerdict::Unsure, probability: 0.0 },
        spam_decision: Decision::Abstained(AbstainReason::TooShort),
        evidence: Vec::new(),
        clean_text: None,
        text_bytes_used: 0,
        text_bytes_total: article.text.len(),
    };
    if options.language_only {
        return classification;
    }
    if let Some(task) = model.topic() {
        let tables = tables(task, &classification.language);
        let used = scratch.vectorize(&text, &task.spec);
        classification.text_bytes_used = used.min(article.text.len());
        let p = task.probabilities(&tables, &scratch);
        let known = matches!(classification.language.verdict, LanguageVerdict::Known(_));
        classification.topic_decision = decide(task, &p, letters, known);
        let threshold = options.topic_threshold.unwrap_or(task.rule.threshold);
        let order = ranking(&p);
        let limit = if options.max_topics == 0 { order.len() } else { options.max_topics };
        classification.topics = order
            .into_iter()
            .take(limit)
            .map(|i| LabelScore {
                label_id: task.labels[i].id.clone(),
                name: task.labels[i].name.clone(),
                probability: p[i],
                selected: p[i] >= threshold,
            })
            .collect();
    }
    if let Some(task) = model.spam() {
        let tables = tables(task, &classification.language);
        scratch.vectorize(&text, &task.spec);
        let p = task.probabilities(&tables, &scratch);
        let spam = task.labels.iter().position(|l| l.id == "spam").and_then(|i| p.get(i)).copied().unwrap_or(0.0);
        let (low, high) = match options.spam_threshold {
            Some(threshold) => (threshold, threshold),
            None => (task.rule.threshold_low, task.rule.threshold),
        };
        let verdict = match spam {
            p if p >= high => SpamVerdict::Spam,
            p if p < low => SpamVerdict::Ham,
            _ => SpamVerdict::Unsure,
        };
        classification.spam = SpamResult { verdict, probability: spam };
    }
    classification
}

/// The tables to ask, with weights: one language's when it is certain, the likeliest ones' otherwise.
fn tables(task: &TextTask, language: &LanguageResult) -> Vec<(usize, f64)> {
    let mut tables: Vec<(usize, f64)> = Vec::new();
    for candidate in language.alternatives.iter().take(MIXED_TABLES) {
        if let Some(table) = task.table_for(Some(candidate.language.folded())) {
            match tables.iter_mut().find(|t| t.0 == table) {
                Some(known) => known.1 += candidate.probability,
                None => tables.push((table, candidate.probability)),
            }
        }
    }
    let top = tables.iter().map(|t| t.1).fold(0.0, f64::max);
    tables.retain(|t| t.1 >= 0.2 * top && t.1 > 0.0);
    if tables.is_empty() {
        tables.extend(task.table_for(None).map(|t| (t, 1.0)));
    }
    tables
}

fn decide(task: &TextTask, p: &[f64], letters: u32, known_language: bool) -> Decision {
    let top = p.iter().copied().fold(0.0, f64::max);
    if letters < task.rule.min_letters {
        Decision::Abstained(AbstainReason::TooShort)
    } else if !known_language {
        Decision::Abstained(AbstainReason::UnknownLanguage)
    } else if top < task.rule.threshold {
        Decision::Abstained(AbstainReason::LowMargin)
    } else {
        Decision::Decided
    }
}
