//! What is classified.

use crate::language::Language;

/// One article as given. Offsets in results are UTF-8 byte offsets into `text`, or into `title` where
/// the result says so.
#[derive(Clone, Copy, Debug, Default)]
pub struct Article<'a> {
    pub title: &'a str,
    pub text: &'a str,
    /// What the caller believes the language to be: a prior, not an order.
    pub language_hint: Option<Language>,
    /// When not empty, the languages the answer should come from.
    pub allowed_languages: &'a [Language],
    /// Whether `allowed_languages` excludes every other language instead of only favouring its own.
    pub strict_languages: bool,
}

/// Which of the two texts of an [`Article`] an offset points into.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Field {
    Title,
    #[default]
    Text,
}

/// The sentences of a text, cut at line ends and after closing punctuation. Sorted, without blanks around;
/// an unpunctuated stretch is one sentence.
pub fn sentences(text: &str) -> impl Iterator<Item = std::ops::Range<usize>> + '_ {
    let mut at = 0;
    std::iter::from_fn(move || {
        at += text[at..].len() - text[at..].trim_start().len();
        if at == text.len() {
            return None;
        }
        let start = at;
        let mut ended = false;
        for (i, c) in text[start..].char_indices() {
            let here = start + i;
            if c == '\n' || (ended && c.is_whitespace()) {
                at = here;
                return Some(start..start + text[start..here].trim_end().len());
            }
            match c {
                '.' | '!' | '?' | '؟' | '۔' | '।' | '॥' | '։' | '።' | '៕' => ended = true,
                // these end a sentence without a blank after them
                '。' | '！' | '？' => {
                    let end = here + c.len_utf8();
                    let close = text[end..].chars().next().filter(|c| matches!(c, '”' | '」' | '』' | '"' | '）'));
                    at = end + close.map_or(0, char::len_utf8);
                    return Some(start..at);
                }
                '"' | '\'' | '”' | '’' | '»' | ')' | ']' | '“' => {}
                _ => ended = false,
            }
        }
        at = text.len();
        Some(start..start + text[start..].trim_end().len())
    })
}
