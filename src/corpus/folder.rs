//! Folders: one label per subfolder, or data files side by side.

use super::{CorpusError, CorpusErrorKind, Document, Format, MAX_RECORD_BYTES, Row, Source, input};
use std::io::Read;
use std::path::{Path, PathBuf};

/// What a folder given by the user holds, in name order: a subfolder is a label, a data file is read
/// as if it had been named, anything else is not ours.
pub(super) fn entries(folder: &Path) -> Result<Vec<Source>, CorpusError> {
    let mut sources = Vec::new();
    for path in list(folder)? {
        if path.is_dir() {
            let label = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
            sources.push(Source::Label { path, label });
        } else if Format::guess(&path).is_some() {
            sources.push(Source::Named(path));
        }
    }
    Ok(sources)
}

/// The texts below a label's folder.
pub(super) fn texts(folder: &Path, label: &str) -> Result<Vec<Source>, CorpusError> {
    let mut sources = Vec::new();
    for path in list(folder)? {
        if path.is_dir() {
            sources.push(Source::Label { path, label: label.to_owned() });
        } else if input::bare_extension(&path).as_deref() == Some("txt") {
            sources.push(Source::Text { path, label: label.to_owned() });
        }
    }
    Ok(sources)
}

/// One whole file as one document.
pub(super) fn read_text(path: &Path, label: String) -> Result<Row, CorpusError> {
    let mut bytes = Vec::new();
    let mut bounded = input::open(path)?.take(MAX_RECORD_BYTES as u64 + 1);
    bounded
        .read_to_end(&mut bytes)
        .map_err(|error| CorpusError::of_file(path, CorpusErrorKind::Read(error)))?;
    if bytes.len() > MAX_RECORD_BYTES {
        return Err(CorpusError::of_file(path, CorpusErrorKind::RecordTooLong { max: MAX_RECORD_BYTES }));
    }
    let text = String::from_utf8(bytes).map_err(|error| {
        let good = &error.as_bytes()[..error.utf8_error().valid_up_to()];
        let line = good.iter().filter(|&&byte| byte == b'\n').count() as u64 + 1;
        let line_start = good.iter().rposition(|&byte| byte == b'\n').map_or(0, |end| end + 1);
        CorpusError::at(path, line, CorpusErrorKind::NotUtf8 { column: good.len() - line_start + 1 })
    })?;
    let text = match text.strip_prefix('\u{feff}') {
        Some(rest) => rest.to_owned(),
        None => text,
    };
    Ok(Row { document: Document { text, label: Some(label), ..Document::default() }, line: None })
}

/// Sorted, since the order a file system lists in is nobody's promise; hidden files passed over.
fn list(folder: &Path) -> Result<Vec<PathBuf>, CorpusError> {
    let failed = |error| CorpusError::of_file(folder, CorpusErrorKind::Read(error));
    let mut paths = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        if !entry.file_name().to_string_lossy().starts_with('.') {
            paths.push(entry.path());
        }
    }
    paths.sort();
    Ok(paths)
}
