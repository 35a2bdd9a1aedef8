//! The pipeline, composed in one place.

use crate::language::{LanguageResult, LanguageSpan, LanguageVerdict};
use crate::model::Model;
use crate::noise::NoiseSpan;
use crate::script::Script;
use crate::text::{Article, Field};
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

/// Classifies one article. Cannot fail: odd text gives an honest result.
pub fn classify(_model: &Model, article: &Article<'_>, _options: &Options) -> Classification {
    Classification {
        language: LanguageResult {
            verdict: LanguageVerdict::NoContent,
            script: Script::COMMON,
            probability: 1.0,
            reliable: false,
            alternatives: Vec::new(),
        },
        language_spans: Vec::new(),
        noise: Vec::new(),
        title_noise: Vec::new(),
        noise_ratio: 0.0,
        topics: Vec::new(),
        topic_decision: Decision::Abstained(AbstainReason::TooShort),
        spam: SpamResult { verdict: SpamVerdict::Ham, probability: 0.0 },
        spam_decision: Decision::Abstained(AbstainReason::TooShort),
        evidence: Vec::new(),
        clean_text: None,
        text_bytes_used: 0,
        text_bytes_total: article.text.len(),
    }
}
