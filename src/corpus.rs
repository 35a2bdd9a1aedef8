//! Labelled data: readers that stream documents out of files, folders and standard input.
//!
//! Nothing is held but the record being read, so a file of any size streams. A row that cannot be used
//! is an `Err` item and reading goes on after it; [`CorpusError::ends_file`] tells the failures after
//! which the rest of that file is lost. Messages quote the structure that was wrong, never article text.

mod error;
mod folder;
mod input;
mod jsonl;
mod lines;
mod table;
#[cfg(test)]
mod tests;

pub use error::{CorpusError, CorpusErrorKind, Place};

use std::collections::VecDeque;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::str::FromStr;

/// The path that means standard input.
pub const STDIN: &str = "-";

/// No record may be longer than this: an unclosed quote or a missing line end must not eat the memory.
pub const MAX_RECORD_BYTES: usize = 64 << 20;

/// One labelled text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Document {
    pub text: String,
    pub title: String,
    pub label: Option<String>,
    /// A language code as the data has it; not checked here.
    pub lang: Option<String>,
    pub script: Option<String>,
    /// Where the text was published, for folds and groups.
    pub source: Option<String>,
    pub id: Option<String>,
    /// The kind of document in noise data: `clean`, `natural` or `noisy`.
    pub class: Option<String>,
    /// Noise known to be in the text.
    pub spans: Vec<GoldSpan>,
}

/// Noise marked by whoever made the data, as UTF-8 byte offsets into the text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GoldSpan {
    pub range: Range<usize>,
    pub kind: String,
    pub script: Option<String>,
    pub lang: Option<String>,
    /// A foreign span in the host's own script.
    pub same_script: bool,
    /// A quotation, which an article may well contain.
    pub quoted: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// One JSON object a line.
    Jsonl,
    /// Comma-separated with a header, quoted as in RFC 4180.
    Csv,
    /// Tab-separated with a header; as IANA has it, a quote is an ordinary character.
    Tsv,
    /// `__label__x text` lines.
    FastText,
}

impl Format {
    /// By extension, `.gz` and `.zst` looked through; standard input is JSONL.
    fn guess(path: &Path) -> Option<Self> {
        if path == Path::new(STDIN) {
            return Some(Self::Jsonl);
        }
        match input::bare_extension(path)?.as_str() {
            "jsonl" | "ndjson" | "json" => Some(Self::Jsonl),
            "csv" => Some(Self::Csv),
            "tsv" | "tab" => Some(Self::Tsv),
            "txt" | "ft" | "fasttext" => Some(Self::FastText),
            _ => None,
        }
    }
}

#[derive(Debug, thiserror::Error)]
#[error("unknown input format {0:?}: expected jsonl, csv, tsv or fasttext")]
pub struct UnknownFormat(String);

impl FromStr for Format {
    type Err = UnknownFormat;

    fn from_str(name: &str) -> Result<Self, UnknownFormat> {
        match name.to_ascii_lowercase().as_str() {
            "jsonl" | "ndjson" => Ok(Self::Jsonl),
            "csv" => Ok(Self::Csv),
            "tsv" => Ok(Self::Tsv),
            "fasttext" => Ok(Self::FastText),
            _ => Err(UnknownFormat(name.to_owned())),
        }
    }
}

/// What the data calls our fields: columns of a table or keys of an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Columns {
    pub text: String,
    pub title: String,
    pub label: String,
    pub lang: String,
    pub script: String,
    pub source: String,
    pub id: String,
}

impl Default for Columns {
    fn default() -> Self {
        let own = |name: &str| name.to_owned();
        Self {
            text: own("text"),
            title: own("title"),
            label: own("label"),
            lang: own("lang"),
            script: own("script"),
            source: own("source"),
            id: own("id"),
        }
    }
}

#[derive(Debug, thiserror::Error)]
#[error(
    "column mapping {0:?} is not of the form field=column, with field one of text, title, label, lang, script, source, id"
)]
pub struct BadColumns(String);

impl FromStr for Columns {
    type Err = BadColumns;

    /// Accepts `text=body,label=topic`; what is not named keeps its own name.
    fn from_str(mapping: &str) -> Result<Self, BadColumns> {
        let mut columns = Self::default();
        for pair in mapping.split(',').map(str::trim).filter(|pair| !pair.is_empty()) {
            let bad = || BadColumns(pair.to_owned());
            let (field, column) = pair.split_once('=').ok_or_else(bad)?;
            let (field, column) = (field.trim(), column.trim());
            let slot = columns.fields_mut().into_iter().find(|(name, _)| *name == field);
            match slot {
                Some((_, slot)) if !column.is_empty() => *slot = column.to_owned(),
                _ => return Err(bad()),
            }
        }
        Ok(columns)
    }
}

impl Columns {
    fn fields_mut(&mut self) -> [(&'static str, &mut String); 7] {
        [
            ("text", &mut self.text),
            ("title", &mut self.title),
            ("label", &mut self.label),
            ("lang", &mut self.lang),
            ("script", &mut self.script),
            ("source", &mut self.source),
            ("id", &mut self.id),
        ]
    }
}

/// What a document must carry, besides a text, to be of use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Require {
    #[default]
    Text,
    Label,
    Language,
}

#[derive(Clone, Debug, Default)]
pub struct ReadOptions {
    /// For every file; guessed from each file's extension when `None`.
    pub format: Option<Format>,
    pub columns: Columns,
    pub require: Require,
}

/// Reads the paths one after the other. A path is a file, `-` for standard input, or a folder: of
/// `label/*.txt`, of data files, or both, taken in name order.
pub fn open(paths: &[PathBuf], options: &ReadOptions) -> Documents {
    Documents {
        waiting: paths.iter().cloned().map(Source::Named).collect(),
        options: options.clone(),
        current: None,
        line: None,
    }
}

type Reader = Box<dyn Iterator<Item = Result<Row, CorpusError>> + Send>;

enum Source {
    /// Given by the user: a file, a folder or standard input.
    Named(PathBuf),
    /// One text of a folder-per-label tree.
    Text { path: PathBuf, label: String },
    /// A folder whose texts all have this label.
    Label { path: PathBuf, label: String },
}

/// The iterator behind [`open`].
pub struct Documents {
    waiting: VecDeque<Source>,
    options: ReadOptions,
    current: Option<(PathBuf, Reader)>,
    /// Of the document given last.
    line: Option<u64>,
}

impl Documents {
    /// Where the document given last stands.
    pub fn place(&self) -> Place {
        let path = self.current.as_ref().map(|(path, _)| path.clone()).unwrap_or_default();
        Place { path, line: self.line }
    }

    fn start(&mut self, source: Source) -> Result<(), CorpusError> {
        match source {
            Source::Text { path, label } => {
                let row = folder::read_text(&path, label);
                self.current = Some((path, Box::new(std::iter::once(row))));
            }
            Source::Label { path, label } => self.queue(folder::texts(&path, &label)?),
            Source::Named(path) if path != Path::new(STDIN) && path.is_dir() => {
                self.queue(folder::entries(&path)?);
            }
            Source::Named(path) => {
                let reader = self.open_file(&path)?;
                self.current = Some((path, reader));
            }
        }
        Ok(())
    }

    fn queue(&mut self, sources: Vec<Source>) {
        sources.into_iter().rev().for_each(|source| self.waiting.push_front(source));
    }

    fn open_file(&self, path: &Path) -> Result<Reader, CorpusError> {
        let format = self.options.format.or_else(|| Format::guess(path));
        let Some(format) = format else {
            let extension = input::bare_extension(path).unwrap_or_default();
            return Err(CorpusError::of_file(path, CorpusErrorKind::UnknownFormat { extension }));
        };
        let input = input::open(path)?;
        let columns = &self.options.columns;
        Ok(match format {
            Format::Jsonl => Box::new(jsonl::Objects::new(input, path, columns)),
            Format::FastText => Box::new(lines::FastText::new(input, path.to_owned())),
            Format::Csv => Box::new(table::Rows::new(input, path, b',', columns)?),
            Format::Tsv => Box::new(table::Rows::new(input, path, b'\t', columns)?),
        })
    }
}

/// What every format asks of a row.
fn check(document: &Document, require: Require) -> Result<(), CorpusErrorKind> {
    let blank = |value: &Option<String>| value.as_deref().is_none_or(|v| v.trim().is_empty());
    if document.text.trim().is_empty() && document.title.trim().is_empty() {
        return Err(CorpusErrorKind::EmptyText);
    }
    match require {
        Require::Label if blank(&document.label) => Err(CorpusErrorKind::MissingLabel),
        Require::Language if blank(&document.lang) => Err(CorpusErrorKind::MissingLanguage),
        _ => Ok(()),
    }
}

impl Iterator for Documents {
    type Item = Result<Document, CorpusError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some((path, reader)) = &mut self.current {
                match reader.next() {
                    Some(Ok(Row { document, line })) => {
                        self.line = line;
                        let checked = check(&document, self.options.require);
                        return Some(match checked {
                            Ok(()) => Ok(document),
                            Err(kind) => Err(CorpusError { path: path.clone(), line, kind }),
                        });
                    }
                    Some(Err(error)) => {
                        if error.ends_file() {
                            self.current = None;
                        }
                        return Some(Err(error));
                    }
                    None => self.current = None,
                }
            }
            let source = self.waiting.pop_front()?;
            if let Err(error) = self.start(source) {
                return Some(Err(error));
            }
        }
    }
}

/// A document before the checks every format shares, and the line to name if one fails.
struct Row {
    document: Document,
    line: Option<u64>,
}
