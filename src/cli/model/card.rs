//! A bundle's manifest as JSON for programs and as tables for people.

use crate::cli::columns::{Align, Table};
use crate::cli::render::visible;
use crate::model::manifest::{FeatureCard, Manifest, RecipeCard, TaskCard};
use crate::model::parse_pair;
use serde::Serialize;
use std::fmt::Write;
use std::path::Path;

/// Labels a table shows one by one; the languages of the language task are more.
const SHOWN_LABELS: usize = 40;

pub(super) struct Card<'a> {
    pub(super) manifest: &'a Manifest,
    /// `None` for the bundle inside the binary.
    pub(super) folder: Option<&'a Path>,
    /// Why the bundle cannot be used, if it cannot.
    pub(super) fault: Option<String>,
}

#[derive(Serialize)]
struct Json<'a> {
    version: String,
    /// Null for the bundle inside the binary.
    folder: Option<String>,
    bytes: u64,
    usable: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    fault: Option<&'a str>,
    #[serde(flatten)]
    manifest: &'a Manifest,
}

impl Card<'_> {
    fn bytes(&self) -> u64 {
        self.manifest.tasks.values().fold(0, |sum, task| sum.saturating_add(task.bytes))
    }

    pub(super) fn json(&self) -> serde_json::Result<String> {
        serde_json::to_string_pretty(&Json {
            version: self.manifest.version(),
            folder: self.folder.map(|folder| folder.display().to_string()),
            bytes: self.bytes(),
            usable: self.fault.is_none(),
            fault: self.fault.as_deref(),
            manifest: self.manifest,
        })
    }

    pub(super) fn table(&self) -> String {
        let place = self.folder.map_or_else(|| "built in".to_owned(), |folder| folder.display().to_string());
        let mut out = format!(
            "{}  {}, {} bytes, schema {}\n",
            visible(&self.manifest.version()),
            visible(&place),
            grouped(self.bytes()),
            self.manifest.schema
        );
        match &self.fault {
            None => out.push_str("usable: yes\n"),
            Some(fault) => line(&mut out, &format!("usable: no, {}", visible(fault))),
        }
        for (name, task) in &self.manifest.tasks {
            out.push('\n');
            out.push_str(&task_table(name, task));
        }
        out
    }
}

fn task_table(name: &str, task: &TaskCard) -> String {
    let mut out = String::new();
    line(&mut out, &visible(name));
    let mut row = |name: &str, value: String| line(&mut out, &format!("  {name:<9}  {}", visible(&value)));
    row("origin", task.origin.clone());
    row("file", format!("{}, {} bytes, pipeline {}", task.file, grouped(task.bytes), task.pipeline));
    if !task.tables.is_empty() {
        row("tables", format!("{}: {}", task.tables.len(), task.tables.join(" ")));
    }
    if let Some(features) = &task.features {
        row("features", said_features(features));
    }
    if let Some(recipe) = &task.recipe {
        row("recipe", said_recipe(recipe));
    }
    if let Some(decision) = &task.decision {
        let low = decision.threshold_low.map(|low| format!(", unsure from {low:.3}")).unwrap_or_default();
        let words =
            if decision.min_words > 0 { format!(" and {} words", decision.min_words) } else { String::new() };
        row(
            "decision",
            format!("from {:.3}{low}, at least {} letters{words}", decision.threshold, decision.min_letters),
        );
    }
    for (name, scores) in [("held back", &task.held_back), ("new source", &task.unseen_sources)] {
        if let Some(scores) = scores {
            row(
                name,
                format!(
                    "{} documents: accuracy {:.3}, macro F1 {:.3}, calibration error {:.3}",
                    grouped(scores.documents),
                    scores.accuracy,
                    scores.macro_f1,
                    scores.ece
                ),
            );
        }
    }
    labels(&mut out, task);
    sources(&mut out, task);
    out
}

fn labels(out: &mut String, task: &TaskCard) {
    if task.labels.is_empty() {
        return;
    }
    line(out, &format!("  {:<9}  {}", "labels", task.labels.len()));
    let mut table = Table::new(&[("label", Align::Left), ("name", Align::Left), ("F1", Align::Right)]);
    for label in task.labels.iter().take(SHOWN_LABELS) {
        // languages are scored folded
        let scored = parse_pair(&label.id).map_or(label.name.as_str(), |(language, _)| language.folded());
        let f1 = task.held_back.as_ref().and_then(|scores| scores.per_label.get(scored));
        let f1 = f1.map_or_else(String::new, |f1| format!("{f1:.3}"));
        table.row([visible(&label.id), visible(&label.name), f1]);
    }
    indented(out, &table);
    if task.labels.len() > SHOWN_LABELS {
        line(out, &format!("    and {} more; --format json has all", task.labels.len() - SHOWN_LABELS));
    }
}

fn sources(out: &mut String, task: &TaskCard) {
    if task.sources.is_empty() {
        return;
    }
    line(out, &format!("  {:<9}  {}", "sources", task.sources.len()));
    let columns = ["source", "class", "licence"].map(|name| (name, Align::Left));
    let mut table = Table::new(&[("documents", Align::Right), columns[0], columns[1], columns[2]]);
    for source in &task.sources {
        let said = |value: &Option<String>| visible(value.as_deref().unwrap_or(""));
        let (class, licence) = (said(&source.class), said(&source.licence));
        table.row([grouped(source.documents), visible(&source.name), class, licence]);
    }
    indented(out, &table);
}

fn said_features(features: &FeatureCard) -> String {
    let mut said = format!(
        "character 1-{}-grams of {} characters",
        features.ngram_max,
        grouped(u64::from(features.ngram_chars))
    );
    if let Some(chars) = features.dense_chars {
        let _ = write!(said, " ({} of syllables and ideographs)", grouped(u64::from(chars)));
    }
    if features.word_chars > 0 {
        let chars = grouped(u64::from(features.word_chars));
        let _ = write!(said, ", words and word pairs of {chars}, weight {}", features.word_weight);
    }
    if features.shape {
        said.push_str(", shape of the text");
    }
    match (features.norm, features.count_cap) {
        (Some(norm), _) => {
            let _ = write!(said, "; log counts of norm {norm}");
        }
        (None, Some(cap)) => {
            let _ = write!(said, "; counts up to {cap}");
        }
        (None, None) => {}
    }
    said
}

fn said_recipe(recipe: &RecipeCard) -> String {
    format!(
        "{} naive Bayes on {} documents: alpha {}, balance {}, cells of at least {}, {} bytes per documents^(2/3)",
        recipe.variant,
        grouped(recipe.documents),
        recipe.alpha,
        recipe.balance,
        recipe.smallest_cell,
        recipe.bytes
    )
}

fn line(out: &mut String, text: &str) {
    out.push_str(text.trim_end());
    out.push('\n');
}

fn indented(out: &mut String, table: &Table) {
    table.print().lines().for_each(|row| line(out, &format!("    {row}")));
}

/// `32,159,257`.
fn grouped(n: u64) -> String {
    let digits = n.to_string();
    let mut out = String::with_capacity(digits.len() * 4 / 3);
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::manifest::{DecisionCard, LabelCard, SCHEMA, ScoreCard, SourceCard};
    use std::collections::BTreeMap;

    fn manifest() -> Manifest {
        let label = |name: &str| LabelCard { id: name.to_owned(), name: name.to_owned() };
        let topic = TaskCard {
            file: "topic.safetensors".to_owned(),
            bytes: 1_234_567,
            blake3: "ab".repeat(32),
            origin: "mine\u{202e}".to_owned(),
            pipeline: "00ff".to_owned(),
            labels: vec![label("billing"), label("delivery")],
            tables: vec!["*".to_owned(), "eng".to_owned()],
            features: Some(FeatureCard {
                ngram_max: 5,
                ngram_chars: 250,
                dense_chars: Some(600),
                word_chars: 2000,
                word_weight: 3,
                norm: Some(30),
                count_cap: None,
                shape: false,
                marks: false,
                offers: false,
            }),
            recipe: Some(RecipeCard {
                variant: "complement".to_owned(),
                alpha: 0.3,
                balance: 1.0,
                smallest_cell: 20.0,
                bytes: 1800.0,
                documents: 54,
            }),
            sources: vec![SourceCard {
                name: "helpdesk".to_owned(),
                documents: 54,
                licence: Some("own".to_owned()),
                class: None,
                repository: None,
            }],
            decision: Some(DecisionCard {
                threshold: 0.35,
                threshold_low: None,
                min_letters: 20,
                min_words: 13,
            }),
            held_back: Some(ScoreCard {
                documents: 5,
                accuracy: 0.8,
                macro_f1: 0.75,
                ece: 0.1,
                per_label: BTreeMap::from([("billing".to_owned(), 0.9)]),
                per_language: BTreeMap::new(),
            }),
            unseen_sources: None,
        };
        Manifest {
            schema: SCHEMA,
            name: "mine".to_owned(),
            tasks: BTreeMap::from([("topic".to_owned(), topic)]),
        }
    }

    #[test]
    fn a_card_for_people() {
        let manifest = manifest();
        let card = Card { manifest: &manifest, folder: None, fault: Some("broken\u{1b}[2J".to_owned()) };
        let table = card.table();
        let (head, rest) = table.split_once('\n').expect("several lines");
        assert_eq!(head, format!("{}  built in, 1,234,567 bytes, schema 1", manifest.version()));
        insta::assert_snapshot!(rest, @r"
        usable: no, broken<U+001B>[2J

        topic
          origin     mine<U+202E>
          file       topic.safetensors, 1,234,567 bytes, pipeline 00ff
          tables     2: * eng
          features   character 1-5-grams of 250 characters (600 of syllables and ideographs), words and word pairs of 2,000, weight 3; log counts of norm 30
          recipe     complement naive Bayes on 54 documents: alpha 0.3, balance 1, cells of at least 20, 1800 bytes per documents^(2/3)
          decision   from 0.350, at least 20 letters and 13 words
          held back  5 documents: accuracy 0.800, macro F1 0.750, calibration error 0.100
          labels     2
            label     name         F1
            billing   billing   0.900
            delivery  delivery
          sources    1
            documents  source    class  licence
                   54  helpdesk         own
        ");
    }

    #[test]
    fn a_card_for_programs() {
        let manifest = manifest();
        let card = Card { manifest: &manifest, folder: Some(Path::new("models/mine")), fault: None };
        let json: serde_json::Value = serde_json::from_str(&card.json().unwrap()).unwrap();
        assert_eq!((&json["folder"], &json["bytes"]), (&"models/mine".into(), &1_234_567.into()));
        assert_eq!((&json["usable"], json.get("fault")), (&true.into(), None));
        assert_eq!(json["version"], manifest.version());
        assert_eq!(json["tasks"]["topic"]["sources"][0]["licence"], "own");
    }

    #[test]
    fn digits_in_groups() {
        let said = [0, 12, 123, 1234, 123_456, 1_234_567].map(grouped);
        assert_eq!(said, ["0", "12", "123", "1,234", "123,456", "1,234,567"]);
    }
}
