//! The scores as JSON for programs and as a table for people.

use super::task::{Labelled, Tally};
use crate::cli::columns::{Align, Table};
use crate::evaluate::{Confusion, GroupReport, LabelReport, Report};
use crate::topic;
use serde::Serialize;
use std::collections::BTreeMap;
use std::fmt::Write;

/// How many confusions the table shows.
const SHOWN_CONFUSIONS: usize = 10;

/// What is said beside the scores.
pub(super) struct Facts<'a> {
    pub(super) task: Labelled,
    pub(super) model_version: &'a str,
    /// Rows that could not be used.
    pub(super) skipped: u64,
    /// Gold labels the model does not have: they are scored, and always wrong.
    pub(super) unknown_labels: BTreeMap<String, u64>,
}

#[derive(Serialize)]
struct Json<'a> {
    task: &'static str,
    n: u64,
    accuracy: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    accuracy_strict: Option<f64>,
    macro_f1: f64,
    ece: f64,
    top2_accuracy: f64,
    coverage: f64,
    /// Null without any decision.
    accuracy_covered: Option<f64>,
    #[serde(flatten)]
    spam: Option<JsonSpam>,
    per_label: BTreeMap<&'a str, JsonLabel<'a>>,
    groups: BTreeMap<&'a str, JsonGroup>,
    confusion: &'a BTreeMap<String, BTreeMap<String, u64>>,
    skipped: u64,
    unknown_labels: &'a BTreeMap<String, u64>,
    model_version: &'a str,
}

#[derive(Serialize)]
struct JsonSpam {
    ham_recall: f64,
    spam_recall: f64,
    f1_spam: f64,
    unsure: f64,
}

#[derive(Serialize)]
struct JsonLabel<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
    precision: f64,
    recall: f64,
    f1: f64,
    support: u64,
}

#[derive(Serialize)]
struct JsonGroup {
    n: u64,
    accuracy: f64,
    macro_f1: f64,
}

/// The parts of a tally in one shape.
struct Parts<'a> {
    report: Report,
    confusion: &'a Confusion,
    accuracy_strict: Option<f64>,
    spam: Option<JsonSpam>,
}

fn parts(tally: &Tally) -> Parts<'_> {
    match tally {
        Tally::Topic(evaluation) => Parts {
            report: evaluation.report(),
            confusion: evaluation.confusion(),
            accuracy_strict: None,
            spam: None,
        },
        Tally::Spam(evaluation) => {
            let report = evaluation.report();
            let spam = JsonSpam {
                ham_recall: report.ham_recall,
                spam_recall: report.spam_recall,
                f1_spam: report.f1_spam,
                unsure: report.unsure,
            };
            Parts {
                report: report.shared,
                confusion: evaluation.shared().confusion(),
                accuracy_strict: None,
                spam: Some(spam),
            }
        }
        Tally::Language(evaluation) => {
            let report = evaluation.report();
            Parts {
                report: report.shared,
                confusion: evaluation.shared().confusion(),
                accuracy_strict: Some(report.accuracy_strict),
                spam: None,
            }
        }
    }
}

pub(super) fn json(tally: &Tally, facts: &Facts<'_>) -> serde_json::Result<String> {
    let Parts { report, confusion, accuracy_strict, spam } = parts(tally);
    let label = |(id, label): (&'_ String, &LabelReport)| JsonLabel {
        name: topic::name(id),
        precision: label.precision,
        recall: label.recall,
        f1: label.f1,
        support: label.support,
    };
    let group =
        |group: &GroupReport| JsonGroup { n: group.n, accuracy: group.accuracy, macro_f1: group.macro_f1 };
    let json = Json {
        task: facts.task.as_str(),
        n: report.n,
        accuracy: report.accuracy,
        accuracy_strict,
        macro_f1: report.macro_f1,
        ece: report.ece,
        top2_accuracy: report.top2_accuracy,
        coverage: report.coverage,
        accuracy_covered: report.accuracy_covered,
        spam,
        per_label: report.per_label.iter().map(|row| (row.0.as_str(), label(row))).collect(),
        groups: report.groups.iter().map(|(name, scores)| (name.as_str(), group(scores))).collect(),
        confusion: confusion.cells(),
        skipped: facts.skipped,
        unknown_labels: &facts.unknown_labels,
        model_version: facts.model_version,
    };
    Ok(serde_json::to_string(&json)? + "\n")
}

pub(super) fn table(tally: &Tally, facts: &Facts<'_>) -> String {
    let Parts { report, confusion, accuracy_strict, spam } = parts(tally);
    let mut out = format!("{}: {} documents", facts.task.as_str(), report.n);
    if facts.skipped > 0 {
        let _ = write!(out, ", {} rows skipped", facts.skipped);
    }
    if !facts.model_version.is_empty() {
        let _ = write!(out, ", model {}", facts.model_version);
    }
    out.push_str("\n\n");
    let mut scores = Table::new(&[("score", Align::Left), ("value", Align::Right)]);
    let mut score = |name: &str, value: String| scores.row([name.to_owned(), value]);
    score("accuracy", share(report.accuracy));
    if let Some(strict) = accuracy_strict {
        score("accuracy, code and script unfolded", share(strict));
    }
    score("macro F1", share(report.macro_f1));
    score("right label among the two best", share(report.top2_accuracy));
    score("calibration error", share(report.ece));
    score("decided (coverage)", share(report.coverage));
    score("accuracy where decided", report.accuracy_covered.map_or("-".to_owned(), share));
    if let Some(spam) = spam {
        score("ham kept (ham recall)", share(spam.ham_recall));
        score("spam caught (spam recall)", share(spam.spam_recall));
        score("spam F1", share(spam.f1_spam));
        score("unsure", share(spam.unsure));
    }
    out.push_str(&scores.print());
    out.push('\n');
    out.push_str(&labels(&report).print());
    if !report.groups.is_empty() {
        out.push('\n');
        out.push_str(&groups(&report).print());
    }
    let confusions = confusions(confusion);
    if !confusions.is_empty() {
        out.push('\n');
        out.push_str(&confusions.print());
    }
    for (label, rows) in &facts.unknown_labels {
        let _ = writeln!(out, "\nnote: {rows} documents labelled {label:?}, a label the model does not have");
    }
    out
}

fn share(value: f64) -> String {
    format!("{value:.4}")
}

fn titled(label: &str) -> String {
    match topic::name(label) {
        Some(name) => format!("{label} {name}"),
        None if label.is_empty() => "(none)".to_owned(),
        None => label.to_owned(),
    }
}

fn labels(report: &Report) -> Table {
    let right = Align::Right;
    let columns =
        [("label", Align::Left), ("precision", right), ("recall", right), ("f1", right), ("support", right)];
    let mut table = Table::new(&columns);
    for (label, scores) in &report.per_label {
        let LabelReport { precision, recall, f1, support } = *scores;
        table.row([titled(label), share(precision), share(recall), share(f1), support.to_string()]);
    }
    table
}

fn groups(report: &Report) -> Table {
    let right = Align::Right;
    let mut table =
        Table::new(&[("group", Align::Left), ("documents", right), ("accuracy", right), ("macro F1", right)]);
    for (name, group) in &report.groups {
        table.row([name.clone(), group.n.to_string(), share(group.accuracy), share(group.macro_f1)]);
    }
    table
}

/// The commonest mistakes.
fn confusions(confusion: &Confusion) -> Table {
    let mut mistakes: Vec<(u64, &str, &str)> = Vec::new();
    for (gold, row) in confusion.cells() {
        let wrong = row.iter().filter(|(predicted, _)| *predicted != gold);
        mistakes.extend(wrong.map(|(predicted, &n)| (n, gold.as_str(), predicted.as_str())));
    }
    mistakes.sort_by_key(|&(n, gold, predicted)| (std::cmp::Reverse(n), gold, predicted));
    let mut table =
        Table::new(&[("mistaken", Align::Right), ("is", Align::Left), ("was called", Align::Left)]);
    for (n, gold, predicted) in mistakes.into_iter().take(SHOWN_CONFUSIONS) {
        table.row([n.to_string(), titled(gold), titled(predicted)]);
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evaluate::{Evaluation, Outcome};

    #[test]
    fn the_table_is_for_reading() {
        let mut evaluation = Evaluation::default();
        let (sport, weather) = ("medtop:15000000", "medtop:17000000");
        let rows = [(sport, sport, 0.9, true), (sport, weather, 0.5, false), (weather, weather, 0.8, true)];
        for (gold, top, p, decided) in rows {
            evaluation.add(&Outcome {
                gold: gold.to_owned(),
                ranked: vec![(top.to_owned(), p)],
                decided: decided.then(|| top.to_owned()),
                group: Some("eng".to_owned()),
            });
        }
        let facts = Facts {
            task: Labelled::Topic,
            model_version: "default@abc",
            skipped: 1,
            unknown_labels: [("gardening".to_owned(), 2)].into(),
        };
        insta::assert_snapshot!(table(&Tally::Topic(evaluation), &facts), @r#"
        topic: 3 documents, 1 rows skipped, model default@abc

        score                            value
        accuracy                        0.6667
        macro F1                        0.6667
        right label among the two best  0.6667
        calibration error               0.2667
        decided (coverage)              0.6667
        accuracy where decided          1.0000

        label                    precision  recall      f1  support
        medtop:15000000 sport       1.0000  0.5000  0.6667        2
        medtop:17000000 weather     0.5000  1.0000  0.6667        1

        group  documents  accuracy  macro F1
        eng            3    0.6667    0.6667

        mistaken  is                     was called
               1  medtop:15000000 sport  medtop:17000000 weather

        note: 2 documents labelled "gardening", a label the model does not have
        "#);
    }
}
