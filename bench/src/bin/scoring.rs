//! What one task costs of a text whose language is known: features and scores alone, nothing of noise or language.
//!
//! usage: `cargo run --release --bin scoring -- MODEL_DIR topic|spam FILE.jsonl [ROUNDS]`
//!
//! FILE.jsonl has rows of `text`, `lang` and `label`. Prints JSON: CPU time of the thread per text, the least of
//! ROUNDS (5), and the share of texts whose likeliest label is theirs.

use anyhow::{Context, Result, bail};
use glotsift::classify::{Prepared, TextUse};
use glotsift::features::Scratch;
use glotsift::language::Language;
use glotsift::model::task::TextTask;
use glotsift::storage::load_bundle;
use glotsift::text::Article;
use std::path::Path;

/// A text as its task sees it, the table of its language, and the place of its label.
struct Row {
    text: String,
    table: usize,
    label: Option<usize>,
}

fn likeliest(task: &TextTask, row: &Row, scratch: &mut Scratch) -> usize {
    let tables = [(row.table, 1.0)];
    if let Some(odds) = &task.odds {
        let observed = task.observe(&tables, &row.text, scratch);
        let spam = odds.probability(&tables, &observed) >= task.rule.threshold;
        return task.labels.iter().position(|l| (&*l.id == "spam") == spam).unwrap_or_default();
    }
    scratch.vectorize(&row.text, &task.spec);
    let p = task.probabilities(&tables, scratch);
    (0..p.len()).max_by(|a, b| p[*a].total_cmp(&p[*b]).then(b.cmp(a))).unwrap_or_default()
}

fn cpu_seconds() -> f64 {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    time.tv_sec as f64 + time.tv_nsec as f64 * 1e-9
}

fn main() -> Result<()> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [folder, kind, file, rest @ ..] = args.as_slice() else {
        bail!("usage: scoring MODEL_DIR topic|spam FILE.jsonl [ROUNDS]");
    };
    let rounds: u32 = rest.first().map_or(Ok(5), |n| n.parse()).context("ROUNDS: expected a whole number")?;
    let model = load_bundle(Path::new(folder))?;
    let (task, usage) = match kind.as_str() {
        "topic" => (model.topic(), TextUse::Topic),
        "spam" => (model.spam(), TextUse::Spam),
        other => bail!("{other:?}: expected topic or spam"),
    };
    let task = task.with_context(|| format!("{folder} has no {kind}"))?;
    let mut rows = Vec::new();
    for line in std::fs::read_to_string(file)?.lines() {
        let row: serde_json::Value = serde_json::from_str(line)?;
        let field = |name: &str| row[name].as_str().unwrap_or_default();
        let language = Language::parse(field("lang"));
        let article = Article { text: field("text"), language_hint: language, ..Article::default() };
        let text = Prepared::new(&model, &article).text(usage).as_str().to_string();
        let table = task.table_for(language.map(|l| l.folded())).context("no table for a row's language")?;
        let label = task.labels.iter().position(|l| [&*l.id, &*l.name].contains(&field("label")));
        rows.push(Row { text, table, label });
    }
    let mut scratch = Scratch::default();
    let (mut least, mut right) = (f64::INFINITY, 0);
    for _ in 0..rounds {
        let begun = cpu_seconds();
        right = rows.iter().filter(|row| Some(likeliest(task, row, &mut scratch)) == row.label).count();
        least = least.min(cpu_seconds() - begun);
    }
    let n = rows.len().max(1) as f64;
    println!(
        r#"{{"n": {}, "microseconds": {:.3}, "accuracy": {:.4}}}"#,
        rows.len(),
        least * 1e6 / n,
        right as f64 / n
    );
    Ok(())
}
