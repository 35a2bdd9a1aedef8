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
