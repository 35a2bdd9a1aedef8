//! Lines with a bound on their length, and the fastText format made of them.

use super::input::Input;
use super::{CorpusError, CorpusErrorKind, Document, MAX_RECORD_BYTES, Row};
use std::io::{BufRead, Read};
use std::path::PathBuf;

const BOM: &[u8] = b"\xef\xbb\xbf";
const LABEL: &str = "__label__";

/// The lines of an input, line ends and a leading byte order mark taken off, blank ones passed over.
pub(super) struct Lines {
    input: Input,
    pub(super) path: PathBuf,
    line: u64,
    buffer: Vec<u8>,
    max: usize,
}

impl Lines {
    pub(super) fn new(input: Input, path: PathBuf) -> Self {
        Self { input, path, line: 0, buffer: Vec::new(), max: MAX_RECORD_BYTES }
    }

    #[cfg(test)]
    pub(super) fn with_max(self, max: usize) -> Self {
        Self { max, ..self }
    }

    /// The next line with its number, borrowed until the one after it is read.
    pub(super) fn next_line(&mut self) -> Option<Result<(u64, &str), CorpusError>> {
        loop {
            self.buffer.clear();
            self.line += 1;
            let limit = self.max as u64 + 1;
            match (&mut self.input).take(limit).read_until(b'\n', &mut self.buffer) {
                Ok(0) => return None,
                Ok(_) => {}
                Err(error) => return Some(Err(self.error(CorpusErrorKind::Read(error)))),
            }
            if self.buffer.len() > self.max && self.buffer.last() != Some(&b'\n') {
                return Some(Err(match self.skip_line() {
                    Ok(()) => self.error(CorpusErrorKind::RecordTooLong { max: self.max }),
                    Err(error) => self.error(CorpusErrorKind::Read(error)),
                }));
            }
            if self.line == 1 && self.buffer.starts_with(BOM) {
                self.buffer.drain(..BOM.len());
            }
            if !self.buffer.trim_ascii().is_empty() {
                break;
            }
        }
        let end = self.buffer.trim_ascii_end().len();
        Some(match std::str::from_utf8(&self.buffer[..end]) {
            Ok(line) => Ok((self.line, line)),
            Err(error) => Err(self.error(CorpusErrorKind::NotUtf8 { column: error.valid_up_to() + 1 })),
        })
    }

    fn skip_line(&mut self) -> std::io::Result<()> {
        loop {
            let chunk = self.input.fill_buf()?;
            let (used, done) = match chunk.iter().position(|&byte| byte == b'\n') {
                Some(end) => (end + 1, true),
                None => (chunk.len(), chunk.is_empty()),
            };
            self.input.consume(used);
            if done {
                return Ok(());
            }
        }
    }

    fn error(&self, kind: CorpusErrorKind) -> CorpusError {
        CorpusError::at(&self.path, self.line, kind)
    }
}

/// `__label__x text` lines; of several labels the first is taken.
pub(super) struct FastText(Lines);

impl FastText {
    pub(super) fn new(input: Input, path: PathBuf) -> Self {
        Self(Lines::new(input, path))
    }
}

impl Iterator for FastText {
    type Item = Result<Row, CorpusError>;

    fn next(&mut self) -> Option<Self::Item> {
        Some(self.0.next_line()?.map(|(line, content)| Row { document: parse(content), line: Some(line) }))
    }
}

fn parse(line: &str) -> Document {
    let mut rest = line.trim_start();
    let mut label = None;
    while let Some(after) = rest.strip_prefix(LABEL) {
        let end = after.find(char::is_whitespace).unwrap_or(after.len());
        let (name, text) = after.split_at(end);
        if label.is_none() && !name.is_empty() {
            label = Some(name.to_owned());
        }
        rest = text.trim_start();
    }
    Document { text: rest.to_owned(), label, ..Document::default() }
}
