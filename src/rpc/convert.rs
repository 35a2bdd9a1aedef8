//! Requests into checked values: after this, classifying cannot fail.

use crate::classify::Options;
use crate::language::Language;
use crate::rpc::offsets::Encoding;
use crate::rpc::pb;
use crate::text::Article;

/// More articles in one batch bring no throughput, only latency and memory.
pub const MAX_BATCH_ITEMS: usize = 1_000;
/// Five times the languages there are, so that listing them all under several codes still passes.
pub const MAX_ALLOWED_LANGUAGES: usize = 1_000;
/// Identifiers are echoed and logged by callers, so they stay short.
pub const MAX_ID_BYTES: usize = 1_024;

/// What a request may not exceed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    pub max_text_bytes: usize,
    pub max_title_bytes: usize,
    /// One request message after decompression.
    pub max_frame_bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { max_text_bytes: 1 << 20, max_title_bytes: 1 << 16, max_frame_bytes: 8 << 20 }
    }
}

/// Why a request cannot be answered. Messages never contain the article's text.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum InvalidRequest {
    #[error("{field} is missing, expected a value")]
    Missing { field: &'static str },
    #[error("{field} has {bytes} bytes, expected at most {max}")]
    TextTooLong { field: &'static str, bytes: usize, max: usize },
    #[error(
        "{field} {value:?} is no language of this server, expected ISO 639-3 or BCP 47 such as pes or fa"
    )]
    UnknownLanguage { field: String, value: String },
    #[error("{field} {value} is not in the enum, expected 0 to {max}")]
    UnknownEnum { field: &'static str, value: i32, max: i32 },
    #[error("{field} is {value}, expected a number from 0 to 1")]
    OutOfRange { field: &'static str, value: f64 },
    #[error("{field} has {count} entries, expected at most {max}")]
    TooMany { field: &'static str, count: usize, max: usize },
    #[error("articles has {items} entries, expected at most {max}")]
    BatchTooLarge { items: usize, max: usize },
    #[error("request is no valid {message}: {detail}")]
    Malformed { message: &'static str, detail: String },
}

impl InvalidRequest {
    /// The field at fault, empty when the message as a whole is.
    pub fn field(&self) -> &str {
        match self {
            Self::Missing { field }
            | Self::TextTooLong { field, .. }
            | Self::UnknownEnum { field, .. }
            | Self::OutOfRange { field, .. }
            | Self::TooMany { field, .. } => field,
            Self::UnknownLanguage { field, .. } => field,
            Self::BatchTooLarge { .. } => "articles",
            Self::Malformed { .. } => "",
        }
    }

    /// The same fault in a request that has its options at the top.
    pub(crate) fn without_options(mut self) -> Self {
        match &mut self {
            Self::UnknownLanguage { field, .. } => {
                if let Some(bare) = field.strip_prefix("options.") {
                    *field = bare.to_owned();
                }
            }
            Self::TooMany { field, .. } => *field = field.strip_prefix("options.").unwrap_or(field),
            _ => {}
        }
        self
    }

    /// The constant programs may act on (`ErrorInfo.reason`).
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Missing { .. } => "FIELD_MISSING",
            Self::TextTooLong { .. } => "TEXT_TOO_LONG",
            Self::UnknownLanguage { .. } => "UNKNOWN_LANGUAGE",
            Self::UnknownEnum { .. } => "UNKNOWN_ENUM",
            Self::OutOfRange { .. } => "OUT_OF_RANGE",
            Self::TooMany { .. } => "TOO_MANY_ENTRIES",
            Self::BatchTooLarge { .. } => "BATCH_TOO_LARGE",
            Self::Malformed { .. } => "MALFORMED_REQUEST",
        }
    }

    /// The variable parts of the message (`ErrorInfo.metadata`).
    pub fn metadata(&self) -> Vec<(&'static str, String)> {
        let mut pairs = match self {
            Self::Missing { .. } | Self::Malformed { .. } => Vec::new(),
            Self::TextTooLong { bytes, max, .. } => {
                vec![("bytes", bytes.to_string()), ("max", max.to_string())]
            }
            Self::UnknownLanguage { value, .. } => vec![("value", value.clone())],
            Self::UnknownEnum { value, .. } => vec![("value", value.to_string())],
            Self::OutOfRange { value, .. } => vec![("value", value.to_string())],
            Self::TooMany { count, max, .. } | Self::BatchTooLarge { items: count, max } => {
                vec![("count", count.to_string()), ("max", max.to_string())]
            }
        };
        if !self.field().is_empty() {
            pairs.push(("field", self.field().to_owned()));
        }
        pairs
    }
}

/// A request after its checks; owns the article because the reply quotes it.
#[derive(Debug)]
pub(crate) struct Checked {
    pub(crate) id: String,
    pub(crate) title: String,
    pub(crate) text: String,
    /// The size as given, before any cut.
    pub(crate) text_bytes_total: usize,
    pub(crate) truncated: bool,
    pub(crate) encoding: Encoding,
    pub(crate) options: Options,
    hint: Option<Language>,
    allowed: Vec<Language>,
    strict: bool,
}

impl Checked {
    pub(crate) fn new(request: pb::ClassifyArticleRequest, limits: &Limits) -> Result<Self, InvalidRequest> {
        let wire = request.options.unwrap_or_default();
        let article = request.article.ok_or(InvalidRequest::Missing { field: "article" })?;
        at_most("article.id", &article.id, MAX_ID_BYTES)?;
        at_most("article.title", &article.title, limits.max_title_bytes)?;
        let text_bytes_total = article.text.len();
        let mut text = article.text;
        if wire.truncate {
            text.truncate(text.floor_char_boundary_at(limits.max_text_bytes));
        }
        at_most("article.text", &text, limits.max_text_bytes)?;
        let hint = match article.language_hint.as_str() {
            "" => None,
            code => Some(language("article.language_hint", code)?),
        };
        Ok(Self {
            id: article.id,
            title: article.title,
            truncated: text.len() < text_bytes_total,
            text,
            text_bytes_total,
            encoding: Encoding::try_from(request.offset_encoding)?,
            options: options(&wire)?,
            hint,
            allowed: languages(&wire.allowed_languages)?,
            strict: wire.strict_languages,
        })
    }

    pub(crate) fn article(&self) -> Article<'_> {
        Article {
            title: &self.title,
            text: &self.text,
            language_hint: self.hint,
            allowed_languages: &self.allowed,
            strict_languages: self.strict,
        }
    }
}

fn options(wire: &pb::ClassifyOptions) -> Result<Options, InvalidRequest> {
    let default = Options::default();
    Ok(Options {
        explain: wire.explain,
        clean_text: wire.include_clean_text,
        max_topics: wire.max_topics.map_or(default.max_topics, |n| n as usize),
        topic_threshold: probability("options.topic_threshold", wire.topic_threshold)?,
        spam_threshold: probability("options.spam_threshold", wire.spam_threshold)?,
        language_only: false,
    })
}

fn probability(field: &'static str, value: Option<f64>) -> Result<Option<f64>, InvalidRequest> {
    match value {
        // NaN is outside as well.
        Some(value) if !(0.0..=1.0).contains(&value) => Err(InvalidRequest::OutOfRange { field, value }),
        value => Ok(value),
    }
}

fn at_most(field: &'static str, text: &str, max: usize) -> Result<(), InvalidRequest> {
    if text.len() > max {
        return Err(InvalidRequest::TextTooLong { field, bytes: text.len(), max });
    }
    Ok(())
}

fn languages(codes: &[String]) -> Result<Vec<Language>, InvalidRequest> {
    let field = "options.allowed_languages";
    if codes.len() > MAX_ALLOWED_LANGUAGES {
        return Err(InvalidRequest::TooMany { field, count: codes.len(), max: MAX_ALLOWED_LANGUAGES });
    }
    codes.iter().enumerate().map(|(i, code)| language(&format!("{field}[{i}]"), code)).collect()
}

fn language(field: &str, code: &str) -> Result<Language, InvalidRequest> {
    // A wrong code is quoted back, but not at any length.
    let quoted = || code.chars().take(40).collect();
    Language::parse(code)
        .ok_or_else(|| InvalidRequest::UnknownLanguage { field: field.to_owned(), value: quoted() })
}

trait FloorCharBoundary {
    fn floor_char_boundary_at(&self, at: usize) -> usize;
}

impl FloorCharBoundary for String {
    fn floor_char_boundary_at(&self, at: usize) -> usize {
        let at = at.min(self.len());
        (0..=at).rev().find(|&i| self.is_char_boundary(i)).unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(text: &str) -> pb::ClassifyArticleRequest {
        let article = pb::Article { text: text.into(), ..Default::default() };
        pb::ClassifyArticleRequest { article: Some(article), ..Default::default() }
    }

    #[track_caller]
    fn refused(change: impl FnOnce(&mut pb::ClassifyArticleRequest), expected: &str) {
        let mut request = request("Ein kurzer Satz.");
        request.options = Some(pb::ClassifyOptions::default());
        change(&mut request);
        let error = Checked::new(request, &Limits { max_text_bytes: 20, ..Limits::default() }).unwrap_err();
        assert_eq!(error.to_string(), expected);
    }

    #[test]
    fn each_fault_names_its_field_and_the_accepted_form() {
        refused(|r| r.article = None, "article is missing, expected a value");
        refused(
            |r| r.article.as_mut().unwrap().text = "x".repeat(21),
            "article.text has 21 bytes, expected at most 20",
        );
        refused(|r| r.offset_encoding = 9, "offset_encoding 9 is not in the enum, expected 0 to 3");
        refused(
            |r| r.article.as_mut().unwrap().language_hint = "klingon".into(),
            "article.language_hint \"klingon\" is no language of this server, expected ISO 639-3 or BCP 47 \
             such as pes or fa",
        );
        refused(
            |r| r.options.as_mut().unwrap().allowed_languages = vec!["en".into(), "??".into()],
            "options.allowed_languages[1] \"??\" is no language of this server, expected ISO 639-3 or BCP 47 \
             such as pes or fa",
        );
        refused(
            |r| r.options.as_mut().unwrap().spam_threshold = Some(f64::NAN),
            "options.spam_threshold is NaN, expected a number from 0 to 1",
        );
    }

    #[test]
    fn truncation_keeps_characters_whole_and_the_true_size() {
        let mut request = request("日本語日本語");
        request.options = Some(pb::ClassifyOptions { truncate: true, ..Default::default() });
        let checked = Checked::new(request, &Limits { max_text_bytes: 8, ..Limits::default() }).unwrap();
        assert_eq!(checked.text, "日本");
        assert!(checked.truncated);
        assert_eq!(checked.text_bytes_total, 18);
    }
}
