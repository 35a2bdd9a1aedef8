//! What each task makes of a row and its classification.

use super::GroupBy;
use crate::classify::{Classification, Decision, Options, classify};
use crate::corpus::{Document, Require};
use crate::evaluate::language::{self, LanguageEvaluation, LanguageOutcome};
use crate::evaluate::spam::{self, SpamEvaluation};
use crate::evaluate::{Evaluation, Outcome};
use crate::language::Language;
use crate::model::Model;
use crate::text::Article;
use crate::topic;
use std::collections::{BTreeMap, HashMap, HashSet};

/// The group of rows that do not say which they belong to.
const NO_GROUP: &str = "unknown";

/// The tasks whose answer is a label.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Labelled {
    Topic,
    Spam,
    Language,
}

impl Labelled {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Topic => "topic",
            Self::Spam => "spam",
            Self::Language => "language",
        }
    }
}

/// Why a row that was read well cannot be scored.
#[derive(Debug, thiserror::Error)]
pub(super) enum Unusable {
    #[error("label {0:?} is neither spam nor ham")]
    NotSpamOrHam(String),
}

pub(super) struct Scorer<'a> {
    task: Labelled,
    model: &'a Model,
    group_by: Option<GroupBy>,
    given_language: bool,
    options: Options,
    labels: Labels,
}

/// What one row adds to the tally.
pub(super) enum Scored {
    Topic(Outcome),
    Spam(Outcome),
    Language(LanguageOutcome),
}

pub(super) enum Tally {
    Topic(Evaluation),
    Spam(SpamEvaluation),
    Language(LanguageEvaluation),
}

impl Scored {
    pub(super) fn outcome(&self) -> &Outcome {
        match self {
            Self::Topic(outcome) | Self::Spam(outcome) => outcome,
            Self::Language(outcome) => &outcome.folded,
        }
    }
}

impl<'a> Scorer<'a> {
    pub(super) fn new(
        task: Labelled,
        model: &'a Model,
        group_by: Option<GroupBy>,
        given_language: bool,
    ) -> Self {
        let options = Options {
            // all of them, for the two best and the calibration
            max_topics: 0,
            language_only: task == Labelled::Language,
            ..Options::default()
        };
        Self { task, model, group_by, given_language, options, labels: Labels::new(&model.topic_labels()) }
    }

    pub(super) fn require(&self) -> Require {
        match self.task {
            Labelled::Topic | Labelled::Spam => Require::Label,
            Labelled::Language => Require::Language,
        }
    }

    pub(super) fn score(&self, document: &Document) -> Result<(Scored, Classification), Unusable> {
        let gold = document.label.as_deref().unwrap_or_default();
        let spam_gold = match (self.task, spam::parse(gold)) {
            (Labelled::Spam, None) => return Err(Unusable::NotSpamOrHam(excerpt(gold))),
            (_, parsed) => parsed.unwrap_or_default(),
        };
        let said = self.classify(document);
        let group = self.group_by.map(|key| group(key, document, &said));
        let scored = match self.task {
            Labelled::Topic => Scored::Topic(self.topic(gold, &said, group)),
            Labelled::Spam => Scored::Spam(spam::outcome(spam_gold, &said, group)),
            Labelled::Language => {
                let lang = document.lang.as_deref().unwrap_or_default();
                Scored::Language(language::outcome(lang, document.script.as_deref(), &said, group))
            }
        };
        Ok((scored, said))
    }

    pub(super) fn classify(&self, document: &Document) -> Classification {
        let given = document.lang.as_deref().filter(|_| self.given_language).and_then(Language::parse);
        let article = Article {
            title: &document.title,
            text: &document.text,
            language_hint: given,
            allowed_languages: given.as_slice(),
            strict_languages: given.is_some(),
        };
        classify(self.model, &article, &self.options)
    }

    fn topic(&self, gold: &str, said: &Classification, group: Option<String>) -> Outcome {
        let ranked: Vec<_> = said
            .topics
            .iter()
            .map(|topic| (self.labels.canonical(&topic.label_id), topic.probability))
            .collect();
        let decided = match said.topic_decision {
            Decision::Decided => ranked.first().map(|(label, _)| label.clone()),
            Decision::Abstained(_) => None,
        };
        Outcome { gold: self.labels.canonical(gold), ranked, decided, group }
    }
}

impl Tally {
    pub(super) fn new(task: Labelled) -> Self {
        match task {
            Labelled::Topic => Self::Topic(Evaluation::default()),
            Labelled::Spam => Self::Spam(SpamEvaluation::default()),
            Labelled::Language => Self::Language(LanguageEvaluation::default()),
        }
    }

    pub(super) fn add(&mut self, scored: Scored, unknown: &mut BTreeMap<String, u64>, scorer: &Scorer<'_>) {
        match (self, scored) {
            (Self::Topic(evaluation), Scored::Topic(outcome)) => {
                if !scorer.labels.knows(&outcome.gold) {
                    *unknown.entry(outcome.gold.clone()).or_default() += 1;
                }
                evaluation.add(&outcome);
            }
            (Self::Spam(evaluation), Scored::Spam(outcome)) => evaluation.add(&outcome),
            (Self::Language(evaluation), Scored::Language(outcome)) => evaluation.add(&outcome),
            _ => {}
        }
    }

    pub(super) fn n(&self) -> u64 {
        match self {
            Self::Topic(evaluation) => evaluation.n(),
            Self::Spam(evaluation) => evaluation.shared().n(),
            Self::Language(evaluation) => evaluation.shared().n(),
        }
    }
}

pub(super) fn group(key: GroupBy, document: &Document, said: &Classification) -> String {
    let own = match key {
        GroupBy::Language => document.lang.as_deref(),
        GroupBy::Source => document.source.as_deref(),
        // plainly visible in the text, unlike the other two
        GroupBy::Script => document.script.as_deref().or(Some(said.language.script.as_str())),
    };
    own.filter(|name| !name.is_empty()).unwrap_or(NO_GROUP).to_owned()
}

/// A label is the user's own word, but a mistaken column mapping can make it an article.
fn excerpt(label: &str) -> String {
    match label.char_indices().nth(32) {
        Some((end, _)) => format!("{}...", &label[..end]),
        None => label.to_owned(),
    }
}

/// One name for every way of writing a topic: the model's own label id where it has one.
struct Labels {
    own: HashMap<String, String>,
    ids: HashSet<String>,
}

impl Labels {
    /// From the model's `(id, name)` pairs.
    fn new(labels: &[(String, String)]) -> Self {
        // ids after names, so that an id wins where one label's name is another's id
        let names = labels.iter().map(|(id, name)| (name.to_lowercase(), id.clone()));
        let ids = labels.iter().map(|(id, _)| (id.to_lowercase(), id.clone()));
        Self { own: names.chain(ids).collect(), ids: labels.iter().map(|(id, _)| id.clone()).collect() }
    }

    fn canonical(&self, label: &str) -> String {
        let own = |label: &str| self.own.get(&label.to_lowercase()).cloned();
        let label = label.trim();
        let code = topic::parse(label);
        own(label)
            .or_else(|| own(topic::name(code?)?))
            .or_else(|| code.and_then(own))
            .or_else(|| code.map(str::to_owned))
            .unwrap_or_else(|| label.to_owned())
    }

    fn knows(&self, canonical: &str) -> bool {
        self.ids.contains(canonical)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_topic_has_one_name_however_it_is_written() {
        let iptc = topic::TOP_LEVEL.map(|(code, name)| (code.to_owned(), name.to_owned()));
        let labels = Labels::new(&iptc);
        for label in ["Sport", "medtop:15000000", " MEDTOP:15000000 "] {
            assert_eq!(labels.canonical(label), "medtop:15000000");
        }
        assert_eq!(labels.canonical("Gardening"), "Gardening");
        assert!(labels.knows("medtop:15000000") && !labels.knows("Gardening"));
    }

    #[test]
    fn a_model_of_iptc_names_matches_codes_and_the_other_way_round() {
        let of = |id: &str, name: &str| Labels::new(&[(id.to_owned(), name.to_owned())]);
        assert_eq!(of("sport", "sport").canonical("medtop:15000000"), "sport");
        assert_eq!(of("medtop:15000000", "sports news").canonical("sport"), "medtop:15000000");
    }
}
