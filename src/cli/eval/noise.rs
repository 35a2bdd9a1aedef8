//! The noise task: spans, not labels.

use super::task::{Labelled, Scorer, group};
use super::{EvalArgs, OutputFormat, each_document};
use crate::classify::Classification;
use crate::cli::columns::{Align, Table};
use crate::corpus::{self, Document, Require};
use crate::evaluate::noise::{GoldSpan, GuessedSpan, KindScore, NoiseScore};
use crate::model::Model;
use crate::noise::NoiseKind;
use anyhow::anyhow;
use serde::Serialize;
use std::collections::BTreeMap;
use std::io::Write;

/// The class of documents that do not say theirs.
const DEFAULT_CLASS: &str = "clean";

#[derive(Serialize)]
struct Json<'a> {
    task: &'static str,
    n: u64,
    #[serde(flatten)]
    scores: JsonScores,
    /// Share of the documents without gold spans that got any span; null without such documents.
    false_alarm_clean: Option<f64>,
    /// The same by class of document.
    false_alarm: BTreeMap<String, f64>,
    per_kind: BTreeMap<&'a str, JsonKind>,
    groups: BTreeMap<&'a str, JsonGroup>,
    skipped: u64,
    model_version: &'a str,
}

#[derive(Serialize)]
struct JsonScores {
    precision: f64,
    recall: f64,
    f1: f64,
    f1_overlap: f64,
}

#[derive(Serialize)]
struct JsonKind {
    n: usize,
    recall: f64,
    recall_overlap: f64,
}

#[derive(Serialize)]
struct JsonGroup {
    n: u64,
    #[serde(flatten)]
    scores: JsonScores,
}

/// Totals of all documents or of a group.
#[derive(Default)]
struct Total {
    n: u64,
    score: NoiseScore,
}

impl Total {
    fn add(&mut self, document: &Document, gold: &[GoldSpan], guessed: &[GuessedSpan]) {
        let class = document.class.as_deref().unwrap_or(DEFAULT_CLASS);
        self.n += 1;
        self.score.add(&document.text, class, gold, guessed);
    }

    fn scores(&self) -> JsonScores {
        let score = &self.score;
        JsonScores {
            precision: score.precision(),
            recall: score.recall(),
            f1: score.f1(),
            f1_overlap: score.f1_overlap(),
        }
    }
}

/// Scores the noise spans of every document against its gold spans.
pub(super) fn evaluate(args: &EvalArgs, model: &Model, notes: &mut dyn Write) -> anyhow::Result<String> {
    let scorer = Scorer::new(Labelled::Language, model, None, args.given_language);
    let (mut total, mut groups) = (Total::default(), BTreeMap::<String, Total>::new());
    let score = |document: Document| {
        let said = scorer.classify(&document);
        let group = args.group_by.map(|key| group(key, &document, &said));
        Ok((guessed(&said), group, document))
    };
    let add = |(guessed, group, document): (Vec<GuessedSpan>, Option<String>, Document), _: &_| {
        let gold: Vec<GoldSpan> = document.spans.iter().map(gold).collect();
        total.add(&document, &gold, &guessed);
        if let Some(group) = group {
            groups.entry(group).or_default().add(&document, &gold, &guessed);
        }
        Ok(())
    };
    let skipped = each_document(args, Require::Text, notes, score, add)?;
    if total.n == 0 {
        return Err(anyhow!("no documents to score: {skipped} rows skipped"));
    }
    let json = Json {
        task: "noise",
        n: total.n,
        scores: total.scores(),
        false_alarm_clean: total.score.false_alarm_clean(),
        false_alarm: total.score.false_alarm(),
        per_kind: total.score.per_kind.iter().map(|(kind, score)| (kind.as_str(), recall(score))).collect(),
        groups: groups
            .iter()
            .map(|(name, total)| (name.as_str(), JsonGroup { n: total.n, scores: total.scores() }))
            .collect(),
        skipped,
        model_version: model.version(),
    };
    Ok(match args.format {
        OutputFormat::Json => serde_json::to_string(&json)? + "\n",
        OutputFormat::Table => table(&json),
    })
}

/// As the scoring names them: a foreign word of the host's own script, or in a quotation, is another
/// matter than one that leaps to the eye.
fn gold(span: &corpus::GoldSpan) -> GoldSpan {
    let same_script = if span.same_script { ":same_script" } else { "" };
    let quoted = if span.quoted { ":quoted" } else { "" };
    GoldSpan { range: span.range.clone(), kind: format!("{}{same_script}{quoted}", span.kind) }
}

fn guessed(said: &Classification) -> Vec<GuessedSpan> {
    let guess = |span: &crate::noise::NoiseSpan| GuessedSpan {
        range: span.range.clone(),
        boilerplate: span.kind == NoiseKind::Boilerplate,
    };
    said.noise.iter().map(guess).collect()
}

fn recall(score: &KindScore) -> JsonKind {
    let share = |found: usize| if score.n == 0 { 0.0 } else { found as f64 / score.n as f64 };
    JsonKind { n: score.n, recall: share(score.iou), recall_overlap: share(score.overlap) }
}

fn table(json: &Json<'_>) -> String {
    let share = |value: f64| format!("{value:.4}");
    let right = Align::Right;
    let mut scores = Table::new(&[("score", Align::Left), ("value", right)]);
    let JsonScores { precision, recall, f1, f1_overlap } = json.scores;
    for (name, value) in
        [("precision", precision), ("recall", recall), ("F1", f1), ("F1, any overlap", f1_overlap)]
    {
        scores.row([name.to_owned(), share(value)]);
    }
    for (class, alarms) in &json.false_alarm {
        scores.row([format!("false alarms, {class}"), share(*alarms)]);
    }
    let mut kinds =
        Table::new(&[("kind", Align::Left), ("spans", right), ("recall", right), ("overlap", right)]);
    for (name, kind) in &json.per_kind {
        kinds.row([(*name).to_owned(), kind.n.to_string(), share(kind.recall), share(kind.recall_overlap)]);
    }
    let mut groups =
        Table::new(&[("group", Align::Left), ("documents", right), ("F1", right), ("overlap", right)]);
    for (name, group) in &json.groups {
        let JsonScores { f1, f1_overlap, .. } = group.scores;
        groups.row([(*name).to_owned(), group.n.to_string(), share(f1), share(f1_overlap)]);
    }
    let mut out = format!("noise: {} documents, {} rows skipped\n\n{}", json.n, json.skipped, scores.print());
    for more in [kinds, groups].iter().filter(|table| !table.is_empty()) {
        out.push('\n');
        out.push_str(&more.print());
    }
    out
}
