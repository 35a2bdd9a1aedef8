//! CSV and TSV with a header line.

use super::input::Input;
use super::{Columns, CorpusError, CorpusErrorKind, Document, MAX_RECORD_BYTES, Row};
use csv::ByteRecord;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Where each of our fields stands in the file's header.
struct Places {
    text: usize,
    title: Option<usize>,
    label: Option<usize>,
    lang: Option<usize>,
    script: Option<usize>,
    source: Option<usize>,
    id: Option<usize>,
}

pub(super) struct Rows {
    reader: csv::Reader<Guard>,
    path: PathBuf,
    places: Places,
    columns: Columns,
    record: ByteRecord,
    /// Bytes read since the last record, shared with the [`Guard`].
    pending: Arc<AtomicU64>,
}

impl Rows {
    pub(super) fn new(
        input: Input,
        path: &Path,
        delimiter: u8,
        columns: &Columns,
    ) -> Result<Self, CorpusError> {
        let pending = Arc::new(AtomicU64::new(0));
        let guard = Guard { input, pending: Arc::clone(&pending) };
        let mut reader = csv::ReaderBuilder::new()
            .delimiter(delimiter)
            .quoting(delimiter == b',')
            .has_headers(true)
            .from_reader(guard);
        let header = reader.byte_headers().map_err(|error| failure(path, error))?;
        let places = find(header, columns).map_err(|kind| CorpusError::at(path, 1, kind))?;
        let (path, columns) = (path.to_owned(), columns.clone());
        Ok(Self { reader, path, places, columns, record: ByteRecord::new(), pending })
    }

    fn document(&self) -> Result<Document, CorpusErrorKind> {
        let field = |place: usize, column: &str| {
            let bytes = self.record.get(place).unwrap_or_default();
            match std::str::from_utf8(bytes) {
                Ok(value) => Ok(value.to_owned()),
                Err(_) => Err(CorpusErrorKind::FieldNotUtf8 { column: column.to_owned() }),
            }
        };
        // an empty cell says nothing
        let optional = |place: Option<usize>, column: &str| match place {
            Some(place) => field(place, column).map(|value| (!value.trim().is_empty()).then_some(value)),
            None => Ok(None),
        };
        let (places, columns) = (&self.places, &self.columns);
        Ok(Document {
            text: field(places.text, &columns.text)?,
            title: optional(places.title, &columns.title)?.unwrap_or_default(),
            label: optional(places.label, &columns.label)?,
            lang: optional(places.lang, &columns.lang)?,
            script: optional(places.script, &columns.script)?,
            source: optional(places.source, &columns.source)?,
            id: optional(places.id, &columns.id)?,
            ..Document::default()
        })
    }
}

impl Iterator for Rows {
    type Item = Result<Row, CorpusError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.pending.store(0, Ordering::Relaxed);
        match self.reader.read_byte_record(&mut self.record) {
            Ok(false) => None,
            Ok(true) => {
                let line = self.record.position().map(csv::Position::line);
                Some(match self.document() {
                    Ok(document) => Ok(Row { document, line }),
                    Err(kind) => Err(CorpusError { path: self.path.clone(), line, kind }),
                })
            }
            Err(error) => Some(Err(failure(&self.path, error))),
        }
    }
}

fn failure(path: &Path, error: csv::Error) -> CorpusError {
    let line = error.position().map(csv::Position::line);
    let kind = match error.into_kind() {
        csv::ErrorKind::UnequalLengths { expected_len: expected, len: found, .. } => {
            CorpusErrorKind::FieldCount { found, expected }
        }
        csv::ErrorKind::Io(error) => CorpusErrorKind::Read(error),
        other => CorpusErrorKind::Read(io::Error::other(format!("{other:?}"))),
    };
    CorpusError { path: path.to_owned(), line, kind }
}

fn find(header: &ByteRecord, columns: &Columns) -> Result<Places, CorpusErrorKind> {
    let names: Vec<String> = header
        .iter()
        .map(|name| String::from_utf8_lossy(name).trim_start_matches('\u{feff}').trim().to_owned())
        .collect();
    let place = |column: &str| names.iter().position(|name| name.eq_ignore_ascii_case(column));
    // a column named by hand must exist; label and language are asked for row by row
    let own = Columns::default();
    let named = |column: &str, default: &str| match place(column) {
        None if column != default => Err(missing(column, &names)),
        found => Ok(found),
    };
    Ok(Places {
        text: place(&columns.text).ok_or_else(|| missing(&columns.text, &names))?,
        title: named(&columns.title, &own.title)?,
        label: named(&columns.label, &own.label)?,
        lang: named(&columns.lang, &own.lang)?,
        script: named(&columns.script, &own.script)?,
        source: named(&columns.source, &own.source)?,
        id: named(&columns.id, &own.id)?,
    })
}

/// Names are shown only where they look like names: without a header the first line is an article.
fn missing(column: &str, names: &[String]) -> CorpusErrorKind {
    let like_name = |name: &&String| {
        (1..=32).contains(&name.len())
            && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"_-.".contains(&b))
    };
    let shown: Vec<&str> = names.iter().filter(like_name).take(12).map(String::as_str).collect();
    let found = match shown.as_slice() {
        [] => format!("{} columns, none with a plain name", names.len()),
        shown => shown.join(", "),
    };
    CorpusErrorKind::MissingColumn { column: column.to_owned(), found }
}

/// Stops a record that goes on without end: the csv reader itself would buffer all of it.
struct Guard {
    input: Input,
    pending: Arc<AtomicU64>,
}

impl Read for Guard {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.pending.load(Ordering::Relaxed) > MAX_RECORD_BYTES as u64 {
            let problem =
                format!("a record is longer than {MAX_RECORD_BYTES} bytes: a quote may be unclosed");
            return Err(io::Error::new(io::ErrorKind::InvalidData, problem));
        }
        let read = self.input.read(buffer)?;
        self.pending.fetch_add(read as u64, Ordering::Relaxed);
        Ok(read)
    }
}
