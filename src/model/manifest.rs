//! `manifest.json` of a bundle: what is in it, where it came from, how good it is. The model card.

use crate::features::{FeatureSpec, Weighting};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Of the files of a bundle; a bundle of another schema is refused.
pub const SCHEMA: u32 = 1;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Manifest {
    pub schema: u32,
    pub name: String,
    /// By task: `topic`, `spam`, `language`, `boilerplate`.
    pub tasks: BTreeMap<String, TaskCard>,
}

/// One task's part of a bundle.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct TaskCard {
    pub file: String,
    pub bytes: u64,
    /// Hash of the file, in hexadecimal.
    pub blake3: String,
    /// The bundle this part was trained for; a bundle built on another keeps its parts' origin.
    pub origin: String,
    /// Fingerprint of the pipeline the part was trained with.
    pub pipeline: String,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub labels: Vec<LabelCard>,
    /// Names of the tables, in the order of the file: folded language codes, `*` for all languages.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tables: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub features: Option<FeatureCard>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recipe: Option<RecipeCard>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sources: Vec<SourceCard>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decision: Option<DecisionCard>,
    /// What training measured on the documents it held back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub held_back: Option<ScoreCard>,
    /// The same by models that had not seen the documents' sources, where a language has several.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unseen_sources: Option<ScoreCard>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LabelCard {
    pub id: String,
    pub name: String,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FeatureCard {
    pub ngram_max: u8,
    pub ngram_chars: u32,
    /// The same where characters are dense, if that is more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dense_chars: Option<u32>,
    pub word_chars: u32,
    pub word_weight: u8,
    /// Euclidean norm of a document of log counts; absent for plain counts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub norm: Option<u16>,
    /// Cap of plain counts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub count_cap: Option<u8>,
    pub shape: bool,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub marks: bool,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub offers: bool,
}

impl FeatureCard {
    pub fn spec(&self) -> Option<FeatureSpec> {
        let weighting = match (self.norm, self.count_cap) {
            (Some(norm), None) if norm > 0 => Weighting::LogNormalized { norm },
            (None, Some(cap)) if cap > 0 => Weighting::Counts { cap },
            _ => return None,
        };
        (1..=8).contains(&self.ngram_max).then_some(FeatureSpec {
            ngram_max: self.ngram_max,
            ngram_chars: self.ngram_chars,
            dense_chars: self.dense_chars.unwrap_or(self.ngram_chars),
            word_chars: self.word_chars,
            word_weight: self.word_weight,
            weighting,
            shape: self.shape,
            marks: self.marks,
            offers: self.offers,
        })
    }
}

impl From<&FeatureSpec> for FeatureCard {
    fn from(spec: &FeatureSpec) -> Self {
        let (norm, count_cap) = match spec.weighting {
            Weighting::LogNormalized { norm } => (Some(norm), None),
            Weighting::Counts { cap } => (None, Some(cap)),
        };
        Self {
            ngram_max: spec.ngram_max,
            ngram_chars: spec.ngram_chars,
            dense_chars: (spec.dense_chars > spec.ngram_chars).then_some(spec.dense_chars),
            word_chars: spec.word_chars,
            word_weight: spec.word_weight,
            norm,
            count_cap,
            shape: spec.shape,
            marks: spec.marks,
            offers: spec.offers,
        }
    }
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RecipeCard {
    /// `complement` or `multinomial`.
    pub variant: String,
    pub alpha: f64,
    pub balance: f64,
    pub smallest_cell: f64,
    pub bytes: f64,
    pub documents: u64,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SourceCard {
    pub name: String,
    pub documents: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub licence: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub class: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub repository: Option<String>,
}

/// When a task answers and when it abstains.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct DecisionCard {
    /// A label under this probability is not decided.
    pub threshold: f64,
    /// Spam only: between `threshold_low` and `threshold` the verdict is UNSURE.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub threshold_low: Option<f64>,
    /// Fewer letters than this are too few to decide on.
    pub min_letters: u32,
    /// So are fewer words than this; 0 in bundles that do not say.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub min_words: u32,
}

fn is_zero(n: &u32) -> bool {
    *n == 0
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ScoreCard {
    pub documents: u64,
    pub accuracy: f64,
    pub macro_f1: f64,
    pub ece: f64,
    pub per_label: BTreeMap<String, f64>,
    pub per_language: BTreeMap<String, f64>,
}
