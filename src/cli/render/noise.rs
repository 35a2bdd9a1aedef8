//! The noise: what was found, by kind, and the lines it stands in.

use super::lines::{Places, marked_rows};
use super::{Page, View, field, percent};
use crate::cli::columns::{Align, pad};
use crate::noise::{NoiseKind, NoiseSpan};
use anstyle::AnsiColor;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::ops::Range;

/// Spans listed per kind; lines shown in all, and of one span.
const SHOWN_SPANS: usize = 12;
const SHOWN_LINES: usize = 40;
const SHOWN_LINES_OF_SPAN: usize = 4;

const SHOWN_CANDIDATES: usize = 3;

pub(super) fn section(out: &mut String, view: &View<'_>, page: Page) {
    let (title, text) = (&view.result.title_noise, &view.result.noise);
    let n = title.len() + text.len();
    if n == 0 {
        field(out, page, "noise", &page.fg(AnsiColor::Green, "none"));
        return;
    }
    let spans = if n == 1 { "1 span".to_owned() } else { format!("{n} spans") };
    field(out, page, "noise", &format!("{spans}, {} of the text", percent(view.result.noise_ratio)));
    let (in_title, in_text) = (Places::new(view.title), Places::new(view.text));
    let mut kinds: BTreeMap<NoiseKind, Listed> = BTreeMap::new();
    for span in title {
        let place = || format!("title {}", in_title.of(span.range.start));
        kinds.entry(span.kind).or_default().add(span, place);
    }
    for span in text {
        kinds.entry(span.kind).or_default().add(span, || in_text.of(span.range.start).to_string());
    }
    for (kind, listed) in kinds {
        let _ = writeln!(out, "\n  {}", page.fg(AnsiColor::Yellow, in_words(kind)));
        for entry in &listed.entries {
            let _ = writeln!(out, "    {entry}");
        }
        if listed.n > listed.entries.len() {
            let _ =
                writeln!(out, "    {}", page.dim(&format!("and {} more", listed.n - listed.entries.len())));
        }
    }
    out.push('\n');
    lines(out, view.title, title, &in_title, Some("title"), page);
    lines(out, view.text, text, &in_text, None, page);
}

/// The spans of one kind: all counted, the first ones described. Finding a column costs as much as the
/// line is long, so it is not done for spans nobody sees.
#[derive(Default)]
struct Listed {
    n: usize,
    entries: Vec<String>,
}

impl Listed {
    fn add(&mut self, span: &NoiseSpan, place: impl FnOnce() -> String) {
        self.n += 1;
        if self.n <= SHOWN_SPANS {
            self.entries.push(entry(span, &place()));
        }
    }
}

/// Where a span stands and what it may be.
fn entry(span: &NoiseSpan, place: &str) -> String {
    let bytes = format!("bytes {}-{}", span.range.start, span.range.end);
    let mut line = format!(
        "{}  {}  {}",
        pad(place, 9, Align::Left),
        pad(&bytes, 17, Align::Left),
        pad(&percent(span.confidence), 6, Align::Right)
    );
    if matches!(span.kind, NoiseKind::ForeignScript | NoiseKind::ForeignLanguage) {
        let _ = write!(line, "  {}", span.script);
        let candidates: Vec<String> = span
            .candidates
            .iter()
            .take(SHOWN_CANDIDATES)
            .map(|c| format!("{} ({}) {}", c.language.name(), c.language.as_str(), percent(c.probability)))
            .collect();
        if !candidates.is_empty() {
            let _ = write!(line, "  {}", candidates.join(", "));
        }
    }
    line
}

fn in_words(kind: NoiseKind) -> &'static str {
    match kind {
        NoiseKind::ForeignScript => "foreign script",
        NoiseKind::ForeignLanguage => "foreign language",
        NoiseKind::Homoglyph => "look-alike letters",
        NoiseKind::Invisible => "invisible characters",
        NoiseKind::BidiControl => "direction controls",
        NoiseKind::Mojibake => "wrong encoding",
        NoiseKind::Boilerplate => "boilerplate",
        NoiseKind::Markup => "markup",
        NoiseKind::Gibberish => "gibberish",
        NoiseKind::Repetition => "repetition",
    }
}

/// The noisy lines under their numbers, the noise marked in place.
fn lines(
    out: &mut String,
    text: &str,
    spans: &[NoiseSpan],
    places: &Places<'_>,
    name: Option<&str>,
    page: Page,
) {
    let marks = joined(spans);
    let mut noisy = BTreeSet::new();
    let mut left_out = BTreeMap::new();
    for mark in &marks {
        let first = places.line_idx(mark.start);
        let last = places.line_idx(mark.end.saturating_sub(1).max(mark.start));
        noisy.extend(first..=last.min(first + SHOWN_LINES_OF_SPAN - 1));
        if last - first >= SHOWN_LINES_OF_SPAN {
            left_out.insert(first + SHOWN_LINES_OF_SPAN - 1, last + 1 - first - SHOWN_LINES_OF_SPAN);
        }
    }
    let gutter =
        noisy.last().map_or(0, |last| (last + 1).to_string().len()).max(name.map_or(0, str::len)).max(4);
    for &line_idx in noisy.iter().take(SHOWN_LINES) {
        let line = places.range(line_idx);
        let here: Vec<Range<usize>> =
            marks.iter().filter(|mark| mark.start < line.end && line.start < mark.end).cloned().collect();
        let number = name.map_or_else(|| (line_idx + 1).to_string(), str::to_owned);
        let rows = marked_rows(text, line, &here, page.width.saturating_sub(gutter + 3), page);
        for (i, row) in rows.iter().enumerate().filter(|(_, row)| !row.trim().is_empty()) {
            let number = if i == 0 { number.as_str() } else { "" };
            let _ = writeln!(out, "{} {row}", page.dim(&format!("{} │", pad(number, gutter, Align::Right))));
        }
        if let Some(more) = left_out.get(&line_idx) {
            let more = format!("{} │ and {more} more lines of it", pad("⋮", gutter, Align::Right));
            let _ = writeln!(out, "{}", page.dim(&more));
        }
    }
    if noisy.len() > SHOWN_LINES {
        let more = format!("and {} more lines with noise", noisy.len() - SHOWN_LINES);
        let _ = writeln!(out, "{} {}", " ".repeat(gutter + 2), page.dim(&more));
    }
}

/// Marks in order, those that overlap made one: a mark inside a mark cannot be shown.
fn joined(spans: &[NoiseSpan]) -> Vec<Range<usize>> {
    let mut ranges: Vec<Range<usize>> = spans.iter().map(|span| span.range.clone()).collect();
    ranges.sort_by_key(|range| (range.start, range.end));
    let mut marks: Vec<Range<usize>> = Vec::new();
    for range in ranges.into_iter().filter(|range| !range.is_empty()) {
        match marks.last_mut() {
            Some(last) if range.start < last.end => last.end = last.end.max(range.end),
            _ => marks.push(range),
        }
    }
    marks
}
