//! Lines and columns of byte offsets, and lines cut to the terminal around what is marked in them.

use super::Page;
use super::visible::show;
use anstyle::{AnsiColor, Color, Style};
use std::ops::Range;
use unicode_width::UnicodeWidthStr;

const MARK: Style =
    Style::new().fg_color(Some(Color::Ansi(AnsiColor::Black))).bg_color(Some(Color::Ansi(AnsiColor::Yellow)));
const OPEN: &str = "[[";
const CLOSE: &str = "]]";
const CUT: &str = "…";

/// A window is never narrower, whatever the terminal says.
const MIN_WINDOW: usize = 24;

/// Windows shown of one line.
const SHOWN_WINDOWS: usize = 8;

/// Line starts of a text.
pub(super) struct Places<'a> {
    text: &'a str,
    starts: Vec<usize>,
}

/// 1-based; the column counts characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) line: usize,
    pub(super) column: usize,
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}", self.line, self.column)
    }
}

impl<'a> Places<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        let after_ends = text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n').map(|(i, _)| i + 1);
        Self { text, starts: std::iter::once(0).chain(after_ends).collect() }
    }

    pub(super) fn of(&self, offset: usize) -> Place {
        let line = self.line_idx(offset);
        let before = self.text.get(self.starts[line]..offset).unwrap_or_default();
        Place { line: line + 1, column: before.chars().count() + 1 }
    }

    /// 0-based.
    pub(super) fn line_idx(&self, offset: usize) -> usize {
        self.starts.partition_point(|&start| start <= offset).saturating_sub(1)
    }

    /// The line without its end.
    pub(super) fn range(&self, line_idx: usize) -> Range<usize> {
        let start = self.starts.get(line_idx).copied().unwrap_or(self.text.len());
        let end = self.starts.get(line_idx + 1).map_or(self.text.len(), |next| next - 1);
        let content = self.text.get(start..end).unwrap_or_default();
        start..start + content.trim_end_matches('\r').len()
    }
}

/// The marked line in as many rows of at most `width` columns as its marks need: all of it when it
/// fits, otherwise one window around each mark that the window before did not show to its end.
pub(super) fn marked_rows(
    text: &str,
    line: Range<usize>,
    marks: &[Range<usize>],
    width: usize,
    page: Page,
) -> Vec<String> {
    let width = width.max(MIN_WINDOW);
    let whole = Window { text, marks, page };
    let (row, end) = whole.row(line.clone(), line.clone(), width);
    if end == line.end {
        return vec![row];
    }
    let mut rows = Vec::new();
    let mut shown = line.start;
    for (i, mark) in marks.iter().enumerate() {
        let starts = mark.start.max(line.start);
        if !rows.is_empty() && mark.end.min(line.end) <= shown {
            continue;
        }
        if rows.len() == SHOWN_WINDOWS {
            rows.push(format!("{CUT} and {} more in this line", marks.len() - i));
            break;
        }
        let lead = lead(text, line.start..starts, width / 3);
        let (row, end) = whole.row(lead..line.end, line.clone(), width);
        rows.push(row);
        shown = end;
    }
    rows
}

/// Where a window with so many columns before the mark starts.
fn lead(text: &str, before: Range<usize>, columns: usize) -> usize {
    let mut used = 0;
    let mut start = before.end;
    for (i, c) in text[before.clone()].char_indices().rev() {
        used += show(c, false).width();
        if used > columns {
            break;
        }
        start = before.start + i;
    }
    start
}

struct Window<'a> {
    text: &'a str,
    marks: &'a [Range<usize>],
    page: Page,
}

impl Window<'_> {
    /// Prints from `part.start` until the columns run out, and says how far it came.
    fn row(&self, part: Range<usize>, line: Range<usize>, width: usize) -> (String, usize) {
        let mut out = String::new();
        let mut used = 0;
        if part.start > line.start {
            out.push_str(CUT);
            used += 1;
        }
        let mut open = None;
        let mut end = part.end;
        for (i, c) in self.text[part.clone()].char_indices() {
            let at = part.start + i;
            // marks are sorted and apart
            let next = self.marks.partition_point(|mark| mark.end <= at);
            let mark = self.marks.get(next).filter(|mark| mark.contains(&at)).map(|_| next);
            let shown = show(c, mark.is_some());
            let brackets = if self.page.colour { 0 } else { OPEN.len() };
            let change = if mark != open {
                brackets * (usize::from(open.is_some()) + usize::from(mark.is_some()))
            } else {
                0
            };
            // what is open must still be closed, and a cut shown, within the width
            let closing = if mark.is_some() { brackets } else { 0 };
            let reserve = closing + usize::from(at + c.len_utf8() < part.end);
            if used + change + shown.width() + reserve > width {
                end = at;
                break;
            }
            if mark != open {
                self.switch(&mut out, open.is_some(), mark.is_some());
                open = mark;
            }
            out.push_str(&shown);
            used += change + shown.width();
        }
        self.switch(&mut out, open.is_some(), false);
        if end < part.end {
            out.push_str(CUT);
        }
        (out, end)
    }

    fn switch(&self, out: &mut String, from: bool, to: bool) {
        if from {
            out.push_str(&if self.page.colour { format!("{MARK:#}") } else { CLOSE.to_owned() });
        }
        if to {
            out.push_str(&if self.page.colour { format!("{MARK}") } else { OPEN.to_owned() });
        }
    }
}
