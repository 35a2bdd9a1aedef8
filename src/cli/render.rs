//! A classification as a page for people. Pure: what is printed depends on the arguments alone.

mod lines;
mod noise;
#[cfg(test)]
mod tests;
mod visible;

pub use visible::visible;

use super::columns::{Align, pad};
use crate::classify::{AbstainReason, Classification, Decision, LabelScore, SpamVerdict, Task};
use crate::language::{LanguageResult, LanguageVerdict};
use crate::text::Field;
use crate::topic;
use anstyle::{AnsiColor, Style};
use std::fmt::Write;

/// The column where values start.
const INDENT: usize = 12;

/// Length of a topic's bar at probability 1.
const BAR: usize = 20;

/// Pieces of evidence shown per label.
const SHOWN_EVIDENCE: usize = 8;

/// Other languages shown beside the answer, and runs of a text in several languages.
const SHOWN_LANGUAGES: usize = 3;
const SHOWN_RUNS: usize = 8;

/// What is shown.
#[derive(Clone, Copy, Debug)]
pub struct View<'a> {
    /// The file's name, or what stands for it.
    pub name: &'a str,
    pub title: &'a str,
    pub text: &'a str,
    pub result: &'a Classification,
}

/// Where it is shown.
#[derive(Clone, Copy, Debug)]
pub struct Page {
    /// Terminal columns.
    pub width: usize,
    pub colour: bool,
}

impl Page {
    fn paint(self, style: Style, text: &str) -> String {
        if self.colour { format!("{style}{text}{style:#}") } else { text.to_owned() }
    }

    fn bold(self, text: &str) -> String {
        self.paint(Style::new().bold(), text)
    }

    fn dim(self, text: &str) -> String {
        self.paint(Style::new().dimmed(), text)
    }

    fn fg(self, colour: AnsiColor, text: &str) -> String {
        self.paint(colour.on_default(), text)
    }
}

/// One block, ending in a line end.
pub fn render(view: &View<'_>, page: Page) -> String {
    let mut out = header(view, page);
    language(&mut out, view, page);
    topics(&mut out, view.result, page);
    spam(&mut out, view.result, page);
    noise::section(&mut out, view, page);
    evidence(&mut out, view, page);
    out
}

/// A line of the block: its name in the margin (blank on the lines that go on), then the value.
fn field(out: &mut String, page: Page, name: &str, value: &str) {
    let name = page.dim(&pad(name, INDENT - 2, Align::Left));
    let _ = writeln!(out, "  {name}{value}");
}

fn header(view: &View<'_>, page: Page) -> String {
    let result = view.result;
    let size = if result.text_bytes_used > 0 && result.text_bytes_used < result.text_bytes_total {
        let (used, total) = (grouped(result.text_bytes_used), grouped(result.text_bytes_total));
        format!("{total} bytes, topic and spam from {used} of them")
    } else {
        format!("{} bytes", grouped(result.text_bytes_total))
    };
    format!("{}  {}\n", page.bold(&visible(view.name)), page.dim(&size))
}

fn language(out: &mut String, view: &View<'_>, page: Page) {
    let result = &view.result.language;
    let known = match result.verdict {
        LanguageVerdict::Known(language) => Ok((language.name(), language.as_str())),
        LanguageVerdict::Undetermined => Err(("not determined", "und")),
        LanguageVerdict::NoContent => Err(("no language in it", "zxx")),
        LanguageVerdict::Multiple => Err(("several, none of them the main one", "mul")),
    };
    let (Ok((name, code)) | Err((name, code))) = known;
    let mut line = format!("{} ({code}, {})", page.bold(name), result.script);
    if known.is_ok() {
        let (colour, word) = if result.reliable {
            (AnsiColor::Green, "reliable")
        } else {
            (AnsiColor::Yellow, "not reliable")
        };
        let _ = write!(line, "  {}  {}", percent(result.probability), page.fg(colour, word));
    }
    field(out, page, "language", &line);
    let others = others(result);
    if !others.is_empty() {
        field(out, page, "", &page.dim(&format!("or {}", others.join(", "))));
    }
    runs(out, view, page);
}

fn others(result: &LanguageResult) -> Vec<String> {
    let own = match result.verdict {
        LanguageVerdict::Known(language) => Some(language),
        _ => None,
    };
    let shown = result.alternatives.iter().filter(|c| Some(c.language) != own && c.probability >= 0.0005);
    shown
        .take(SHOWN_LANGUAGES)
        .map(|c| format!("{} ({}) {}", c.language.name(), c.language.as_str(), percent(c.probability)))
        .collect()
}

/// Where a text in several languages changes from one to the next.
fn runs(out: &mut String, view: &View<'_>, page: Page) {
    let spans = &view.result.language_spans;
    let first = spans.first().map(|span| span.language);
    if spans.iter().all(|span| Some(span.language) == first) {
        return;
    }
    let places = lines::Places::new(view.text);
    for (i, span) in spans.iter().take(SHOWN_RUNS).enumerate() {
        let name = span.language.map_or("not determined", |language| language.name());
        let code = span.language.map_or("und", |language| language.as_str());
        let place = places.of(span.range.start);
        let line = format!("from {place}  {name} ({code}, {})  {}", span.script, percent(span.probability));
        field(out, page, if i == 0 { "runs" } else { "" }, &line);
    }
    if spans.len() > SHOWN_RUNS {
        field(out, page, "", &page.dim(&format!("and {} more runs", spans.len() - SHOWN_RUNS)));
    }
}

fn topics(out: &mut String, result: &Classification, page: Page) {
    for (i, topic) in result.topics.iter().enumerate() {
        let bar = bar(topic.probability);
        let bar = if topic.selected { page.fg(AnsiColor::Cyan, &bar) } else { page.dim(&bar) };
        let share = pad(&percent(topic.probability), 6, Align::Right);
        let name = visible(label(topic));
        let name = if topic.selected { page.bold(&name) } else { name };
        field(out, page, if i == 0 { "topics" } else { "" }, &format!("{bar} {share}  {name}"));
    }
    if let Decision::Abstained(reason) = result.topic_decision {
        let name = if result.topics.is_empty() { "topics" } else { "" };
        let line = format!("none decided: {}", in_words(reason));
        field(out, page, name, &page.fg(AnsiColor::Yellow, &line));
    }
}

fn label(topic: &LabelScore) -> &str {
    if topic.name.is_empty() { &topic.label_id } else { &topic.name }
}

fn in_words(reason: AbstainReason) -> &'static str {
    match reason {
        AbstainReason::TooShort => "the text is too short",
        AbstainReason::UnknownLanguage => "the language is not known well enough",
        AbstainReason::LowMargin => "the best answers are too close to call",
    }
}

fn spam(out: &mut String, result: &Classification, page: Page) {
    let (colour, verdict) = match result.spam.verdict {
        SpamVerdict::Ham => (AnsiColor::Green, "not spam"),
        SpamVerdict::Spam => (AnsiColor::Red, "SPAM"),
        SpamVerdict::Unsure => (AnsiColor::Yellow, "unsure"),
    };
    let mut line =
        format!("{}  {} likely to be spam", page.fg(colour, verdict), percent(result.spam.probability));
    if let Decision::Abstained(reason) = result.spam_decision {
        let _ = write!(line, ", not decided: {}", in_words(reason));
    }
    field(out, page, "spam", &line);
}

/// The pieces of text that weighed most, label by label in the order they came.
fn evidence(out: &mut String, view: &View<'_>, page: Page) {
    let mut labels: Vec<(Task, &str)> = Vec::new();
    for piece in &view.result.evidence {
        let key = (piece.task, &*piece.label_id);
        if !labels.contains(&key) {
            labels.push(key);
        }
    }
    let (in_title, in_text) = (lines::Places::new(view.title), lines::Places::new(view.text));
    for (task, id) in labels {
        let task_name = match task {
            Task::Topic => "topic",
            Task::Spam => "spam",
        };
        let name = match topic::name(id) {
            _ if task_name == id => String::new(),
            Some(name) => format!(" {name}"),
            None => format!(" {}", visible(id)),
        };
        let _ = writeln!(out, "\n  {}", page.bold(&format!("why {task_name}{name}")));
        let of_label = |piece: &&crate::classify::Evidence| piece.task == task && &*piece.label_id == id;
        let mut pieces: Vec<_> = view.result.evidence.iter().filter(of_label).collect();
        pieces.sort_by(|a, b| b.log_odds.abs().total_cmp(&a.log_odds.abs()));
        for piece in pieces.into_iter().take(SHOWN_EVIDENCE) {
            let (text, place) = match piece.field {
                Field::Title => (view.title, format!("title {}", in_title.of(piece.range.start))),
                Field::Text => (view.text, in_text.of(piece.range.start).to_string()),
            };
            let colour = if piece.log_odds < 0.0 { AnsiColor::Red } else { AnsiColor::Green };
            let weight = page.fg(colour, &format!("{:+7.2}", piece.log_odds));
            let quoted = visible::escaped(text.get(piece.range.clone()).unwrap_or_default());
            let _ = writeln!(out, "    {weight}  {}  {}", pad(&place, 10, Align::Left), quoted);
        }
    }
}

fn bar(probability: f64) -> String {
    let full = (probability.clamp(0.0, 1.0) * BAR as f64).round() as usize;
    "█".repeat(full) + &"░".repeat(BAR - full)
}

/// A share in percent that never says 0 or 100 of what is neither.
fn percent(share: f64) -> String {
    match share * 100.0 {
        p if p > 0.0 && p < 0.05 => "<0.1%".to_owned(),
        p if (99.95..100.0).contains(&p) => ">99.9%".to_owned(),
        p => format!("{p:.1}%"),
    }
}

/// 1,234,567.
pub fn grouped(number: usize) -> String {
    let digits = number.to_string();
    let mut out = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}
