//! Tags, entities, shortcodes, script and style remnants.

use super::{NoiseKind, NoiseSpan};
use crate::language::Ranked;
use crate::script::Script;
use std::ops::Range;

/// A tag or entity longer than this is not one.
const TAG_REACH: usize = 400;
/// A script or style element is followed this far for its end.
const ELEMENT_REACH: usize = 20_000;

/// Elements met in articles and comments.
const ELEMENTS: [&str; 74] = [
    "a",
    "abbr",
    "acronym",
    "article",
    "aside",
    "audio",
    "b",
    "big",
    "blockquote",
    "body",
    "br",
    "button",
    "center",
    "cite",
    "code",
    "col",
    "dd",
    "del",
    "div",
    "dl",
    "dt",
    "em",
    "embed",
    "figcaption",
    "figure",
    "font",
    "footer",
    "form",
    "h1",
    "h2",
    "h3",
    "h4",
    "h5",
    "h6",
    "head",
    "header",
    "hr",
    "html",
    "i",
    "iframe",
    "img",
    "input",
    "ins",
    "li",
    "link",
    "main",
    "meta",
    "nav",
    "ol",
    "option",
    "p",
    "pre",
    "q",
    "s",
    "script",
    "section",
    "small",
    "span",
    "strike",
    "strong",
    "style",
    "sub",
    "sup",
    "table",
    "tbody",
    "td",
    "tfoot",
    "th",
    "thead",
    "title",
    "tr",
    "u",
    "ul",
    "video",
];

/// Spans of markup; call it only when the text has a `<` or `&`.
pub(super) fn detect(text: &str, spans: &mut Vec<NoiseSpan>) {
    let bytes = text.as_bytes();
    let mut open: Option<Range<usize>> = None;
    let mut at = 0;
    while let Some(step) = bytes[at..].iter().position(|b| matches!(b, b'<' | b'&')) {
        at += step;
        let found = match bytes[at] {
            b'<' => tag(text, at),
            _ => entity(text, at).map(|end| at..end),
        };
        let Some(range) = found else {
            at += 1;
            continue;
        };
        at = range.end;
        match &mut open {
            // neighbours with nothing but blanks between are one piece of debris
            Some(last) if text[last.end..range.start].bytes().all(|b| matches!(b, b' ' | b'\t')) => {
                last.end = range.end;
            }
            _ => spans.extend(open.replace(range).map(span)),
        }
    }
    spans.extend(open.map(span));
}

fn span(range: Range<usize>) -> NoiseSpan {
    NoiseSpan {
        range,
        kind: NoiseKind::Markup,
        script: Script::COMMON,
        candidates: Ranked::new(),
        confidence: 0.9,
    }
}

/// The tag, comment, or whole script or style element at `at`.
fn tag(text: &str, at: usize) -> Option<Range<usize>> {
    let bytes = text.as_bytes();
    let rest = &bytes[at + 1..];
    if rest.starts_with(b"!--") {
        return Some(at..find(bytes, at + 4, b"-->").unwrap_or(at + 4));
    }
    let name_at = usize::from(rest.first() == Some(&b'/'));
    let name = rest[name_at.min(rest.len())..].iter().take_while(|b| b.is_ascii_alphanumeric()).count();
    let first = rest.get(name_at).copied().unwrap_or(b' ');
    if !(first.is_ascii_alphabetic() || first == b'!') || name > 20 {
        return None;
    }
    let after = at + 1 + name_at + name;
    let mut end = None;
    for (i, b) in bytes[after..].iter().take(TAG_REACH).enumerate() {
        match b {
            b'>' => {
                end = Some(after + i + 1);
                break;
            }
            b'<' => break,
            _ => {}
        }
    }
    // a tag cut off by the end of the text still shows an attribute
    let cut = bytes.len() - after < TAG_REACH && bytes[after..].windows(2).any(|w| w == b"=\"");
    let end = match end {
        Some(end) => end,
        None if cut && !bytes[after..].contains(&b'<') => bytes.len(),
        None => return None,
    };
    let name = &bytes[at + 1 + name_at..after];
    // what is not an element's name must show an attribute: news put codes and names in such brackets
    let known = first == b'!' || ELEMENTS.iter().any(|e| name.eq_ignore_ascii_case(e.as_bytes()));
    if !known && !bytes[after..end].contains(&b'=') && bytes.get(at + 1) != Some(&b'/') {
        return None;
    }
    if name_at == 0 && (name.eq_ignore_ascii_case(b"script") || name.eq_ignore_ascii_case(b"style")) {
        let close = find(bytes, end, b"</").filter(|_| !bytes[..end].ends_with(b"/>"));
        if let Some(close) = close.and_then(|c| find(bytes, c, b">")) {
            return Some(at..close);
        }
    }
    Some(at..end)
}

/// The end of the next `needle`, within reach.
fn find(bytes: &[u8], from: usize, needle: &[u8]) -> Option<usize> {
    let reach = bytes.get(from..(from + ELEMENT_REACH).min(bytes.len()))?;
    reach.windows(needle.len()).position(|w| w == needle).map(|i| from + i + needle.len())
}

/// The end of the character reference at `at`.
fn entity(text: &str, at: usize) -> Option<usize> {
    let rest = &text.as_bytes()[at + 1..];
    let length = rest.iter().take(12).position(|b| *b == b';')?;
    let name = &rest[..length];
    let valid = match name.split_first() {
        Some((b'#', digits)) => match digits.split_first() {
            Some((b'x' | b'X', hex)) => !hex.is_empty() && hex.iter().all(u8::is_ascii_hexdigit),
            _ => !digits.is_empty() && digits.iter().all(u8::is_ascii_digit),
        },
        _ => length >= 2 && name[0].is_ascii_alphabetic() && name.iter().all(u8::is_ascii_alphanumeric),
    };
    valid.then_some(at + length + 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: &[&str]) {
        let mut spans = Vec::new();
        detect(text, &mut spans);
        assert_eq!(spans.iter().map(|s| &text[s.range.clone()]).collect::<Vec<_>>(), expected, "{text:?}");
    }

    #[test]
    fn tags_and_entities() {
        check("one <b>two</b> three", &["<b>", "</b>"]);
        check("<p> <br/>end &nbsp; &#8217;s", &["<p> <br/>", "&nbsp; &#8217;"]);
        check("x <script>var a = 1;</script> y", &["<script>var a = 1;</script>"]);
        check("tail <a href=\"", &["<a href=\""]);
    }

    #[test]
    fn signs_that_are_no_markup() {
        check("a < b & c > d, AT&T; R&D, <3, x<y, Acme <ACME.N> rose", &[]);
    }
}
