//! What was said of each row, for whoever wants to know which ones are wrong.

use super::task::Scored;
use crate::classify::Classification;
use crate::corpus::{Document, Place};
use crate::language::LanguageVerdict;
use anyhow::Context;
use serde::Serialize;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

/// A row and its best label; never its text.
#[derive(Serialize)]
pub(super) struct Prediction {
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    lang: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    script: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    source: Option<String>,
    gold: String,
    predicted: Option<String>,
    /// That of `predicted`.
    probability: f64,
    /// The label decided on; null where the model abstained.
    decided: Option<String>,
    /// ISO 639-3 code of the detected language, before any folding.
    detected: &'static str,
    detected_script: String,
}

impl Prediction {
    pub(super) fn new(document: Document, scored: &Scored, said: &Classification) -> Self {
        let outcome = scored.outcome();
        let best = outcome.ranked.first();
        let top = said.language.alternatives.first();
        let (detected, script) = match said.language.verdict {
            LanguageVerdict::Known(language) => (language.as_str(), top.map(|top| top.script)),
            LanguageVerdict::Undetermined => ("und", None),
            LanguageVerdict::NoContent => ("zxx", None),
            LanguageVerdict::Multiple => ("mul", None),
        };
        Self {
            id: document.id,
            lang: document.lang,
            script: document.script,
            source: document.source,
            gold: outcome.gold.clone(),
            predicted: best.map(|best| best.0.clone()),
            probability: best.map_or(0.0, |best| best.1),
            decided: outcome.decided.clone(),
            detected,
            detected_script: script.unwrap_or(said.language.script).to_string(),
        }
    }
}

/// The file they go to.
pub(super) struct Predictions {
    path: PathBuf,
    file: BufWriter<File>,
}

#[derive(Serialize)]
struct Line<'a> {
    file: std::borrow::Cow<'a, str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    line: Option<u64>,
    #[serde(flatten)]
    prediction: Prediction,
}

impl Predictions {
    pub(super) fn create(path: &Path) -> anyhow::Result<Self> {
        let file =
            File::create(path).with_context(|| format!("cannot write --predictions {}", path.display()))?;
        Ok(Self { path: path.to_owned(), file: BufWriter::new(file) })
    }

    pub(super) fn write(&mut self, prediction: Prediction, place: &Place) -> anyhow::Result<()> {
        let line = Line { file: place.path.to_string_lossy(), line: place.line, prediction };
        let json = serde_json::to_string(&line)?;
        writeln!(self.file, "{json}").with_context(|| self.fault())
    }

    pub(super) fn finish(mut self) -> anyhow::Result<()> {
        self.file.flush().with_context(|| self.fault())
    }

    fn fault(&self) -> String {
        format!("cannot write --predictions {}", self.path.display())
    }
}
