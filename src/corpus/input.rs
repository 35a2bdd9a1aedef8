//! Bytes from a file or standard input, decompressed on the way.

use super::{CorpusError, CorpusErrorKind, STDIN};
use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;

pub(super) type Input = Box<dyn BufRead + Send>;

const BUFFER: usize = 64 << 10;
const GZIP_MAGIC: &[u8] = &[0x1f, 0x8b];
const ZSTD_MAGIC: &[u8] = &[0x28, 0xb5, 0x2f, 0xfd];

/// The extension in lower case, without `.gz` or `.zst`.
pub(super) fn bare_extension(path: &Path) -> Option<String> {
    let lower = |path: &Path| Some(path.extension()?.to_str()?.to_ascii_lowercase());
    match lower(path)?.as_str() {
        "gz" | "zst" => lower(Path::new(path.file_stem()?)),
        _ => lower(path),
    }
}

/// Opens and decompresses. The content decides, so standard input may be compressed too; an extension
/// that promises compression is believed even when the content is not, so that a damaged file is an
/// error and not a text.
pub(super) fn open(path: &Path) -> Result<Input, CorpusError> {
    let failed = |error| CorpusError::of_file(path, CorpusErrorKind::Read(error));
    let raw: Box<dyn Read + Send> = match path.to_str() {
        Some(STDIN) => Box::new(std::io::stdin()),
        _ => Box::new(File::open(path).map_err(failed)?),
    };
    let mut raw = BufReader::with_capacity(BUFFER, raw);
    let extension = path.extension().and_then(|e| e.to_str()).unwrap_or_default().to_ascii_lowercase();
    let start = raw.fill_buf().map_err(failed)?;
    let (gzip, zstd) = (start.starts_with(GZIP_MAGIC), start.starts_with(ZSTD_MAGIC));
    if gzip || extension == "gz" {
        let decoder = flate2::bufread::MultiGzDecoder::new(raw);
        return Ok(Box::new(BufReader::with_capacity(BUFFER, decoder)));
    }
    if zstd || extension == "zst" {
        let decoder = zstd::stream::read::Decoder::with_buffer(raw).map_err(failed)?;
        return Ok(Box::new(BufReader::with_capacity(BUFFER, decoder)));
    }
    Ok(Box::new(raw))
}
