//! One JSON object a line. Keys that are not ours are ignored.

use super::input::Input;
use super::lines::Lines;
use super::{Columns, CorpusError, CorpusErrorKind, Document, GoldSpan, Row};
use serde::Deserialize;
use serde::de::{DeserializeSeed, IgnoredAny, MapAccess, Visitor};
use std::path::{Path, PathBuf};

pub(super) struct Objects {
    lines: Lines,
    columns: Columns,
}

impl Objects {
    pub(super) fn new(input: Input, path: &Path, columns: &Columns) -> Self {
        Self { lines: Lines::new(input, PathBuf::from(path)), columns: columns.clone() }
    }
}

impl Iterator for Objects {
    type Item = Result<Row, CorpusError>;

    fn next(&mut self) -> Option<Self::Item> {
        let (line, parsed) = match self.lines.next_line()? {
            Ok((line, content)) => (line, parse(content, &self.columns)),
            Err(error) => return Some(Err(error)),
        };
        Some(match parsed {
            Ok(document) => Ok(Row { document, line: Some(line) }),
            Err(kind) => Err(CorpusError::at(&self.lines.path, line, kind)),
        })
    }
}

fn parse(line: &str, columns: &Columns) -> Result<Document, CorpusErrorKind> {
    let mut json = serde_json::Deserializer::from_str(line);
    let object = Object(columns).deserialize(&mut json);
    let (document, text_seen) = object.and_then(|read| json.end().map(|()| read)).map_err(|error| {
        // serde_json's own message may quote a value, which may be the article
        let problem = match error.classify() {
            serde_json::error::Category::Eof => "it ends too early",
            serde_json::error::Category::Data => "a value is not of the type its key asks for",
            _ => "syntax error",
        };
        CorpusErrorKind::Json { problem, column: error.column() }
    })?;
    if !text_seen && document.title.is_empty() {
        return Err(CorpusErrorKind::MissingText);
    }
    Ok(document)
}

/// Fills a [`Document`], and says whether there was a text, from an object with the data's own keys.
struct Object<'a>(&'a Columns);

impl<'de> DeserializeSeed<'de> for Object<'_> {
    type Value = (Document, bool);

    fn deserialize<D: serde::Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Object<'_> {
    type Value = (Document, bool);

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let columns = self.0;
        let mut document = Document::default();
        let mut text_seen = false;
        while let Some(key) = map.next_key::<std::borrow::Cow<'de, str>>()? {
            let key = key.as_ref();
            if key == columns.text {
                let text = map.next_value::<Option<String>>()?;
                text_seen |= text.is_some();
                document.text = text.unwrap_or_default();
            } else if key == columns.title {
                document.title = map.next_value::<Option<String>>()?.unwrap_or_default();
            } else if key == columns.label {
                document.label = map.next_value::<Option<Scalar>>()?.map(Scalar::into_string);
            } else if key == columns.lang {
                document.lang = map.next_value()?;
            } else if key == columns.script {
                document.script = map.next_value()?;
            } else if key == columns.source {
                document.source = map.next_value::<Option<Scalar>>()?.map(Scalar::into_string);
            } else if key == columns.id {
                document.id = map.next_value::<Option<Scalar>>()?.map(Scalar::into_string);
            } else if key == "class" {
                document.class = map.next_value::<Option<Scalar>>()?.map(Scalar::into_string);
            } else if key == "spans" {
                let spans = map.next_value::<Option<Vec<Span>>>()?.unwrap_or_default();
                document.spans = spans.into_iter().map(Span::into_gold).collect();
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok((document, text_seen))
    }
}

/// Labels are often numbers or booleans in other people's files.
#[derive(Deserialize)]
#[serde(untagged)]
enum Scalar {
    Text(String),
    Bool(bool),
    Integer(i64),
    Float(f64),
}

impl Scalar {
    fn into_string(self) -> String {
        match self {
            Self::Text(text) => text,
            Self::Bool(value) => value.to_string(),
            Self::Integer(value) => value.to_string(),
            Self::Float(value) => value.to_string(),
        }
    }
}

#[derive(Deserialize)]
struct Span {
    start: usize,
    end: usize,
    #[serde(default)]
    kind: String,
    script: Option<String>,
    lang: Option<String>,
    #[serde(default)]
    same_script: bool,
    #[serde(default)]
    quoted: bool,
}

impl Span {
    fn into_gold(self) -> GoldSpan {
        GoldSpan {
            range: self.start..self.end,
            kind: self.kind,
            script: self.script,
            lang: self.lang,
            same_script: self.same_script,
            quoted: self.quoted,
        }
    }
}
