//! A loaded bundle: valid by construction.

pub mod built_in;
pub mod format;
pub mod manifest;
pub mod task;

use crate::language::detector::Detector;
use crate::language::{Language, RankLanguages};
use crate::noise::BoilerplateSet;
use crate::script::Script;
use bytes::Bytes;
use format::{ModelFormatError, TaskFile, check, pipeline_fingerprint};
use manifest::{Manifest, TaskCard};
use std::collections::BTreeMap;
use task::{DecisionRule, Label, TextTask};

/// Names of the tasks, as in the manifest and on the command line.
pub const TASKS: [&str; 4] = ["topic", "spam", "language", "boilerplate"];

/// The files of a bundle as they were read: a manifest and one file per task.
#[derive(Clone, Debug)]
pub struct Bundle {
    pub manifest: Manifest,
    pub files: BTreeMap<String, Bytes>,
}

/// Everything classifying needs. Loaded once, shared, never changed.
#[derive(Debug, Default)]
pub struct Model {
    version: String,
    manifest: Option<Manifest>,
    topic: Option<TextTask>,
    spam: Option<TextTask>,
    language: Option<Detector>,
    boilerplate: BoilerplateSet,
}

impl Model {
    /// Checks every file of a bundle and puts the model together; every task must be there.
    pub fn from_bundle(bundle: &Bundle) -> Result<Self, ModelFormatError> {
        match TASKS.iter().find(|task| !bundle.manifest.tasks.contains_key(**task)) {
            Some(task) => Err(ModelFormatError::MissingTask(task)),
            None => Self::from_parts(bundle),
        }
    }

    /// As [`Model::from_bundle`], with whatever tasks are there: what training builds on.
    pub fn from_parts(bundle: &Bundle) -> Result<Self, ModelFormatError> {
        let manifest = &bundle.manifest;
        let has = |task: &str| manifest.tasks.contains_key(task);
        // Most of the time of a start goes into reading every record once.
        let (topic, (spam, language)) = beside(
            || has("topic").then(|| text_task(bundle, "topic")).transpose(),
            || {
                beside(
                    || has("spam").then(|| text_task(bundle, "spam")).transpose(),
                    || has("language").then(|| detector(bundle)).transpose(),
                )
            },
        );
        let mut model = Self {
            version: manifest.version(),
            topic: topic?,
            spam: spam?,
            language: language?,
            boilerplate: BoilerplateSet::default(),
            manifest: Some(manifest.clone()),
        };
        if has("boilerplate") {
            let (card, bytes) = task_file(bundle, "boilerplate")?;
            check(card, bytes, &pipeline_fingerprint(None))?;
            let fingerprints = TaskFile::open(&card.file, bytes)?.u64s("fingerprints")?;
            if !fingerprints.is_sorted() {
                return Err(ModelFormatError::Tensor {
                    file: card.file.clone(),
                    problem: "tensor fingerprints is not ascending".to_string(),
                });
            }
            model.boilerplate = BoilerplateSet::from_fingerprints(fingerprints);
        }
        Ok(model)
    }

    /// `name@digest`, as said in every reply.
    pub fn version(&self) -> &str {
        &self.version
    }

    /// The card of a loaded bundle; `None` for the empty model.
    pub fn manifest(&self) -> Option<&Manifest> {
        self.manifest.as_ref()
    }

    pub fn topic(&self) -> Option<&TextTask> {
        self.topic.as_ref()
    }

    pub fn spam(&self) -> Option<&TextTask> {
        self.spam.as_ref()
    }

    pub fn language(&self) -> Option<&Detector> {
        self.language.as_ref()
    }

    /// Fingerprints of boilerplate lines.
    pub fn boilerplate(&self) -> &BoilerplateSet {
        &self.boilerplate
    }

    /// Topic labels in the model's order: `(id, name)`.
    pub fn topic_labels(&self) -> Vec<(String, String)> {
        self.topic.iter().flat_map(|t| &t.labels).map(|l| (l.id.to_string(), l.name.to_string())).collect()
    }

    /// Language and script pairs the model can answer.
    pub fn languages(&self) -> Vec<(Language, Script)> {
        self.language.iter().flat_map(|d| d.labels()).copied().collect()
    }
}

impl RankLanguages for Model {
    fn rank(&self, text: &str, limit: usize) -> crate::language::Ranked {
        self.language.as_ref().map_or_else(crate::language::Ranked::new, |d| d.rank(text, limit))
    }
}

fn task_file<'a>(
    bundle: &'a Bundle,
    task: &'static str,
) -> Result<(&'a TaskCard, &'a Bytes), ModelFormatError> {
    let card = bundle.manifest.tasks.get(task).ok_or(ModelFormatError::MissingTask(task))?;
    let bytes = bundle
        .files
        .get(&card.file)
        .ok_or_else(|| ModelFormatError::MissingFile { file: card.file.clone() })?;
    Ok((card, bytes))
}

fn manifest_error<T>(problem: String) -> Result<T, ModelFormatError> {
    Err(ModelFormatError::Manifest(problem))
}

fn text_task(bundle: &Bundle, task: &'static str) -> Result<TextTask, ModelFormatError> {
    let (card, bytes) = task_file(bundle, task)?;
    let Some(spec) = card.features.as_ref().and_then(|f| f.spec()) else {
        return manifest_error(format!("task {task} has no usable features"));
    };
    if task == "spam" && !card.labels.iter().any(|l| l.id == "spam") {
        return manifest_error("task spam has no label \"spam\"".to_string());
    }
    check(card, bytes, &pipeline_fingerprint(Some(&spec)))?;
    let file = TaskFile::open(&card.file, bytes)?;
    let (weights, confidences) = (file.weights(card)?, file.confidences(card.tables.len())?);
    let odds = file.odds(card)?;
    let Some(decision) = card.decision.filter(|d| {
        (0.0..=1.0).contains(&d.threshold)
            && d.threshold_low.is_none_or(|low| (0.0..=d.threshold).contains(&low))
    }) else {
        return manifest_error(format!("task {task} has no usable decision"));
    };
    Ok(TextTask {
        labels: card
            .labels
            .iter()
            .map(|l| Label { id: l.id.as_str().into(), name: l.name.as_str().into() })
            .collect(),
        weights,
        confidences,
        spec,
        rule: DecisionRule {
            threshold: decision.threshold,
            threshold_low: decision.threshold_low.unwrap_or(decision.threshold),
            min_letters: decision.min_letters,
            min_words: decision.min_words,
        },
        odds,
    })
}

fn detector(bundle: &Bundle) -> Result<Detector, ModelFormatError> {
    let (card, bytes) = task_file(bundle, "language")?;
    let Some(spec) = card.features.as_ref().and_then(|f| f.spec()) else {
        return manifest_error("task language has no usable features".to_string());
    };
    check(card, bytes, &pipeline_fingerprint(Some(&spec)))?;
    let file = TaskFile::open(&card.file, bytes)?;
    let weights = file.weights(card)?;
    let mut labels = Vec::with_capacity(card.labels.len());
    for label in &card.labels {
        match parse_pair(&label.id) {
            Some(pair) => labels.push(pair),
            None => {
                return manifest_error(format!(
                    "language label {:?}: expected a known code_Script pair",
                    label.id
                ));
            }
        }
    }
    let calibration = file.f32s("calibration")?;
    let temperatures: Vec<(f32, f32)> = calibration.chunks_exact(2).map(|p| (p[0], p[1])).collect();
    let ascending = temperatures.is_sorted_by(|a, b| a.0 < b.0);
    if !ascending
        || temperatures.iter().any(|(n, t)| !(n.is_finite() && *n > 0.0 && t.is_finite() && *t > 0.0))
    {
        return Err(ModelFormatError::Tensor {
            file: card.file.clone(),
            problem: "tensor calibration is not ascending, finite and positive".to_string(),
        });
    }
    let vocabulary = file.vocabulary(labels.len())?;
    Ok(Detector::new(labels, weights, spec, temperatures).with_vocabulary(vocabulary))
}

/// Both results, the second computed by a thread of its own where one is to be had.
fn beside<A, B: Send>(here: impl FnOnce() -> A, there: impl Fn() -> B + Sync) -> (A, B) {
    std::thread::scope(|scope| {
        let other = std::thread::Builder::new().spawn_scoped(scope, &there);
        let here = here();
        let there = match other {
            Ok(other) => other.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)),
            Err(_) => there(),
        };
        (here, there)
    })
}

/// `eng_Latn` as a language and a script.
pub fn parse_pair(id: &str) -> Option<(Language, Script)> {
    let (language, script) = id.split_once('_')?;
    let language = Language::parse(language).filter(|l| l.as_str() == language)?;
    Some((language, Script::parse(script)?))
}
