//! What can be wrong with labelled data, and where.

use std::path::{Path, PathBuf};

/// One failure, with the file and, where there is one, the 1-based line.
#[derive(Debug)]
pub struct CorpusError {
    pub path: PathBuf,
    pub line: Option<u64>,
    pub kind: CorpusErrorKind,
}

#[derive(Debug, thiserror::Error)]
pub enum CorpusErrorKind {
    #[error("cannot read")]
    Read(#[source] std::io::Error),
    #[error(
        "cannot tell the format of extension {extension:?}: expected jsonl, csv, tsv, txt (fastText), each also .gz or .zst, or a format named by hand"
    )]
    UnknownFormat { extension: String },
    #[error("not valid UTF-8 at byte {column} of the line")]
    NotUtf8 { column: usize },
    #[error("not valid UTF-8 in column {column:?}")]
    FieldNotUtf8 { column: String },
    #[error("record longer than {max} bytes")]
    RecordTooLong { max: usize },
    #[error("not a JSON object: {problem} at column {column}")]
    Json { problem: &'static str, column: usize },
    #[error("{found} fields where the header has {expected}")]
    FieldCount { found: u64, expected: u64 },
    #[error(
        "no column {column:?} in the header, which has {found}: expected a header line, or a mapping such as text=body"
    )]
    MissingColumn { column: String, found: String },
    #[error("no text")]
    MissingText,
    #[error("empty text")]
    EmptyText,
    #[error("no label")]
    MissingLabel,
    #[error("no language")]
    MissingLanguage,
    /// A sound row that the task at hand cannot use.
    #[error("{0}")]
    Unusable(String),
}

/// The file a document stands in and, where there is one, its 1-based line.
#[derive(Clone, Debug)]
pub struct Place {
    pub path: PathBuf,
    pub line: Option<u64>,
}

impl Place {
    /// What the task at hand finds wrong with the document.
    pub fn fault(self, problem: String) -> CorpusError {
        CorpusError { path: self.path, line: self.line, kind: CorpusErrorKind::Unusable(problem) }
    }
}

impl CorpusError {
    pub(super) fn of_file(path: &Path, kind: CorpusErrorKind) -> Self {
        Self { path: path.to_owned(), line: None, kind }
    }

    pub(super) fn at(path: &Path, line: u64, kind: CorpusErrorKind) -> Self {
        Self { path: path.to_owned(), line: Some(line), kind }
    }

    /// Whether the rest of the file is lost, so that skipping one row is not what happened.
    pub fn ends_file(&self) -> bool {
        matches!(
            self.kind,
            CorpusErrorKind::Read(_)
                | CorpusErrorKind::UnknownFormat { .. }
                | CorpusErrorKind::MissingColumn { .. }
        )
    }
}

impl std::fmt::Display for CorpusError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.path.to_str() {
            Some(super::STDIN) => f.write_str("standard input")?,
            _ => write!(f, "{}", self.path.display())?,
        }
        match self.line {
            Some(line) => write!(f, ":{line}: {}", self.kind),
            None => write!(f, ": {}", self.kind),
        }
    }
}

impl std::error::Error for CorpusError {
    // The kind is part of this level's own message, so the chain goes on below it.
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        std::error::Error::source(&self.kind)
    }
}
