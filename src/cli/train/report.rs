//! What training says when it is done.

use super::TrainArgs;
use super::corpus::Read;
use crate::cli::eval::OutputFormat;
use crate::evaluate::Report;
use crate::model::manifest::ScoreCard;
use std::collections::BTreeMap;

/// Rows of the worst labels and languages.
const WORST: usize = 5;
/// A label or language of fewer held-back documents is no basis for a judgement.
const MIN_SUPPORT: u64 = 10;

pub struct TrainReport {
    pub read: Read,
    /// Documents by label.
    pub labels: BTreeMap<String, u64>,
    /// On held-back documents; none for boilerplate.
    pub scores: Option<Report>,
    /// On held-back documents by models that have not seen their source, where a language has several.
    pub unseen: Option<Report>,
}

impl From<&Report> for ScoreCard {
    fn from(report: &Report) -> Self {
        let round = |x: f64| (x * 10_000.0).round() / 10_000.0;
        Self {
            documents: report.n,
            accuracy: round(report.accuracy),
            macro_f1: round(report.macro_f1),
            ece: round(report.ece),
            per_label: report.per_label.iter().map(|(l, s)| (l.clone(), round(s.f1))).collect(),
            per_language: report.groups.iter().map(|(l, g)| (l.clone(), round(g.accuracy))).collect(),
        }
    }
}

pub fn print(args: &TrainArgs, report: &TrainReport, version: &str) {
    match args.format {
        OutputFormat::Json => println!("{}", json(args, report, version)),
        OutputFormat::Table => print!("{}", table(args, report, version)),
    }
}

fn json(args: &TrainArgs, report: &TrainReport, version: &str) -> serde_json::Value {
    serde_json::json!({
        "task": args.task.name(),
        "model_version": version,
        "out": args.out.display().to_string(),
        "documents": report.read.documents,
        "skipped": report.read.skipped,
        "left_out": report.read.left_out,
        "labels": report.labels,
        "held_back": report.scores.as_ref().map(ScoreCard::from),
        "unseen_sources": report.unseen.as_ref().filter(|unseen| unseen.n > 0).map(ScoreCard::from),
    })
}

fn table(args: &TrainArgs, report: &TrainReport, version: &str) -> String {
    let mut out = format!("{} trained on {} documents", args.task.name(), report.read.documents);
    if report.read.left_out > 0 {
        out += &format!(", {} of other classes left out", report.read.left_out);
    }
    out += "\n";
    for (reason, n) in &report.read.skipped {
        out += &format!("  skipped {n}: {reason}\n");
    }
    if report.scores.as_ref().is_some_and(|scores| scores.n == 0) {
        out += "held back 0: too few documents to say how good it is\n";
    } else if let Some(scores) = &report.scores {
        out += &format!(
            "held back {}: accuracy {:.3}, macro F1 {:.3}, ECE {:.3}\n",
            scores.n, scores.accuracy, scores.macro_f1, scores.ece
        );
        let mut labels: Vec<(&String, f64, u64)> = scores
            .per_label
            .iter()
            .filter(|(_, s)| s.support >= MIN_SUPPORT)
            .map(|(l, s)| (l, s.f1, s.support))
            .collect();
        worst(&mut out, "worst labels (F1)", &mut labels);
        let mut groups: Vec<(&String, f64, u64)> = scores
            .groups
            .iter()
            .filter(|(_, g)| g.n >= MIN_SUPPORT)
            .map(|(l, g)| (l, g.accuracy, g.n))
            .collect();
        worst(&mut out, "worst languages (accuracy)", &mut groups);
    }
    if let Some(unseen) = report.unseen.as_ref().filter(|unseen| unseen.n > 0) {
        out += &format!(
            "without its own source {}: accuracy {:.3}, macro F1 {:.3}, ECE {:.3}\n",
            unseen.n, unseen.accuracy, unseen.macro_f1, unseen.ece
        );
    }
    out + &format!("wrote {} as {version}\n", args.out.display())
}

fn worst(out: &mut String, title: &str, rows: &mut [(&String, f64, u64)]) {
    rows.sort_by(|a, b| a.1.total_cmp(&b.1).then(a.0.cmp(b.0)));
    if rows.len() > 1 {
        *out += &format!("{title}:");
        for (name, score, n) in rows.iter().take(WORST) {
            *out += &format!("  {name} {score:.3} of {n}");
        }
        *out += "\n";
    }
}
