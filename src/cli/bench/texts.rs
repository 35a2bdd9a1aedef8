//! What is sent: texts made up or read, encoded before the first call.

use super::prose::{Prose, Random};
use crate::corpus::{self, ReadOptions};
use crate::rpc::client::Encoded;
use anyhow::{Context, anyhow};
use std::io::Write;
use std::path::PathBuf;

/// Of texts made up: in thirty languages, so several of each unless they are large.
const MADE_UP: usize = 240;
/// All texts made up together have no more, but for one of each language.
const MADE_UP_BYTES: usize = 16 << 20;
/// No batch is encoded that is larger than any server takes.
const MAX_BATCH_BYTES: usize = 256 << 20;

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Mode {
    /// A call for each article
    Unary,
    /// Calls of --batch articles
    Batch,
    /// A long stream on each connection; an article counts as a call
    Stream,
}

impl Mode {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unary => "unary",
            Self::Batch => "batch",
            Self::Stream => "stream",
        }
    }
}

#[derive(Debug, PartialEq, Eq)]
pub struct Text {
    pub title: String,
    pub text: String,
}

/// A request and what is in it.
pub struct Prepared {
    pub message: Encoded,
    pub articles: u64,
    /// Of titles and texts.
    pub text_bytes: u64,
}

/// Articles of `size` bytes, one language after the other.
pub fn made_up(size: usize, seed: u64) -> Vec<Text> {
    let prose = Prose::all();
    let count = MADE_UP.min(MADE_UP_BYTES / size).max(prose.len());
    let mut random = Random(seed);
    let languages = prose.iter().cycle().take(count);
    languages.map(|prose| Text { title: String::new(), text: prose.article(&mut random, size) }).collect()
}

/// The first `max` articles of files of any format that `train` reads. Rows that cannot be used are told to `notes`.
pub fn read(files: &[PathBuf], max: usize, notes: &mut dyn Write) -> anyhow::Result<Vec<Text>> {
    let mut texts = Vec::new();
    let mut skipped = 0_u64;
    for document in corpus::open(files, &ReadOptions::default()) {
        match document {
            Ok(document) => texts.push(Text { title: document.title, text: document.text }),
            Err(error) if error.ends_file() => return Err(error).context("cannot read the articles"),
            Err(error) => {
                if skipped == 0 {
                    let _ = writeln!(notes, "warning: row skipped: {error}");
                }
                skipped += 1;
            }
        }
        if texts.len() >= max {
            break;
        }
    }
    if skipped > 1 {
        let _ = writeln!(notes, "warning: {skipped} rows skipped in all");
    }
    if texts.is_empty() {
        return Err(anyhow!("no articles to send: {skipped} rows skipped"));
    }
    Ok(texts)
}

/// Encodes all texts, for batches in groups of `batch`, of which the last is filled from the beginning.
pub fn prepare(texts: &[Text], mode: Mode, batch: usize) -> anyhow::Result<Vec<Prepared>> {
    let bytes = |text: &Text| (text.title.len() + text.text.len()) as u64;
    if mode != Mode::Batch {
        let encode = if mode == Mode::Unary { Encoded::unary } else { Encoded::item };
        let one = |text: &Text| Prepared {
            message: encode(&text.title, &text.text),
            articles: 1,
            text_bytes: bytes(text),
        };
        return Ok(texts.iter().map(one).collect());
    }
    let groups = (0..texts.len().div_ceil(batch)).map(|n| {
        let group = || texts.iter().cycle().skip(n * batch).take(batch);
        let text_bytes = group().map(bytes).sum::<u64>();
        if text_bytes > MAX_BATCH_BYTES as u64 {
            return Err(anyhow!(
                "a batch of {batch} such texts has {text_bytes} bytes, expected at most {MAX_BATCH_BYTES}"
            ));
        }
        let message = Encoded::batch(group().map(|text| (text.title.as_str(), text.text.as_str())));
        Ok(Prepared { message, articles: batch as u64, text_bytes })
    });
    groups.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_made_up_are_bounded_in_number_and_in_all() {
        assert_eq!(made_up(300, 1).len(), MADE_UP);
        let large = made_up(1 << 20, 1);
        assert_eq!(large.len(), 30);
        assert_eq!(made_up(300, 1)[239], made_up(300, 1)[239]);
        assert_ne!(made_up(300, 1)[0], made_up(300, 2)[0]);
    }

    #[test]
    fn batches_are_full() {
        let texts: Vec<Text> =
            (0..5).map(|n| Text { title: String::new(), text: "x".repeat(n + 1) }).collect();
        let batches = prepare(&texts, Mode::Batch, 3).unwrap();
        let said: Vec<_> = batches.iter().map(|b| (b.articles, b.text_bytes)).collect();
        assert_eq!(said, [(3, 6), (3, 10)]);
        assert_eq!(prepare(&texts, Mode::Batch, 8).unwrap()[0].articles, 8);
        assert_eq!(prepare(&texts, Mode::Unary, 3).unwrap().len(), 5);
    }

    #[test]
    fn unusable_rows_are_skipped_and_told() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("a.jsonl");
        std::fs::write(&file, "{\"text\":\"one\"}\n{\"no\":1}\n{\"text\":\"two\",\"title\":\"t\"}\n{}\n")
            .unwrap();
        let mut notes = Vec::new();
        let texts = read(std::slice::from_ref(&file), 10, &mut notes).unwrap();
        assert_eq!((texts.len(), texts[1].title.as_str()), (2, "t"));
        assert!(String::from_utf8(notes).unwrap().ends_with("warning: 2 rows skipped in all\n"));
        assert_eq!(read(std::slice::from_ref(&file), 1, &mut Vec::new()).unwrap().len(), 1);
        let missing = read(&[dir.path().join("none.jsonl")], 1, &mut Vec::new()).unwrap_err();
        assert!(format!("{missing:#}").contains("none.jsonl"));
    }
}
