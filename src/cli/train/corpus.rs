//! The labelled data of a training, read as often as it takes: texts are never all in memory.

use super::{Interrupt, TrainArgs, TrainTask};
use crate::cli::Failure;
use crate::corpus::{CorpusError, Document, Place, ReadOptions, Require, STDIN, open};
use crate::model::manifest::SourceCard;
use anyhow::{Context, anyhow};
use indicatif::{ProgressBar, ProgressStyle};
use std::collections::BTreeMap;
use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{SyncSender, sync_channel};
use tempfile::NamedTempFile;

/// Documents handed on at a time.
const BATCH: usize = 4096;
/// Rows handed on by the thread that reads, fewer where their texts are long; and how often before they are taken.
const ROWS: usize = 256;
const ROWS_BYTES: usize = 1 << 20;
const ROWS_AHEAD: usize = 16;
/// A row, where it stands, and whether its text is ham whatever the row says.
type ReadRow = (Result<Document, CorpusError>, Place, bool);
/// The class of documents of `--ham`: ordinary text, not messages somebody judged.
pub const BACKGROUND: &str = "background";
/// So many skipped rows are shown of each reason, and so many in all; the rest are counted.
const SHOWN_OF_REASON: u64 = 3;
const SHOWN_SKIPS: u64 = 20;

/// What `--sources` says of a source.
#[derive(Clone, Debug, Default, serde::Deserialize)]
struct SourceInfo {
    class: Option<String>,
    licence: Option<String>,
    repository: Option<String>,
}

pub struct Corpus {
    /// Files and whether all their texts are ham.
    parts: Vec<(Vec<PathBuf>, bool)>,
    options: ReadOptions,
    sources: BTreeMap<String, SourceInfo>,
    classes: Vec<String>,
    leave_out: Vec<String>,
    source_name: String,
    strict: bool,
    /// Standard input, kept for the second reading.
    spool: Option<NamedTempFile>,
}

/// How a reading went.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Read {
    pub documents: u64,
    /// Rows that could not be used, by reason.
    pub skipped: BTreeMap<String, u64>,
    /// Rows of sources whose class was not asked for, or that were left out by name.
    pub left_out: u64,
}

impl Corpus {
    pub fn open(args: &TrainArgs) -> Result<Self, Failure> {
        let require = match args.task {
            TrainTask::Topic | TrainTask::Spam => Require::Label,
            TrainTask::Language => Require::Language,
            TrainTask::Boilerplate => Require::Text,
        };
        let sources = match &args.sources {
            None => BTreeMap::new(),
            Some(path) => {
                let text = std::fs::read_to_string(path)
                    .with_context(|| format!("cannot read --sources {}", path.display()))
                    .map_err(Failure::Usage)?;
                serde_json::from_str(&text)
                    .with_context(|| format!("--sources {} is not an object of sources", path.display()))
                    .map_err(Failure::Usage)?
            }
        };
        if !args.ham.is_empty() && args.task != TrainTask::Spam {
            return Err(Failure::Usage(anyhow!("--ham goes with --task spam, not {}", args.task.name())));
        }
        if args.min_words.is_some() && args.task != TrainTask::Topic {
            return Err(Failure::Usage(anyhow!(
                "--min-words goes with --task topic, not {}",
                args.task.name()
            )));
        }
        Self::of(args, &args.files, &args.ham, sources, require)
    }

    /// What `--forget` names, read as the labelled data is.
    pub fn to_forget(&self, args: &TrainArgs) -> Result<Self, Failure> {
        Self::of(args, &args.forget, &[], self.sources.clone(), self.options.require)
    }

    fn of(
        args: &TrainArgs,
        files: &[PathBuf],
        ham: &[PathBuf],
        sources: BTreeMap<String, SourceInfo>,
        require: Require,
    ) -> Result<Self, Failure> {
        let (files, spool) = spool(files)?;
        for path in files.iter().chain(ham) {
            if path != Path::new(STDIN) && !path.exists() {
                return Err(Failure::Work(anyhow!("cannot read {}: no such file or folder", path.display())));
            }
        }
        Ok(Self {
            parts: vec![(files, false), (ham.to_vec(), true)],
            options: ReadOptions {
                format: args.input_format,
                columns: args.columns.clone().unwrap_or_default(),
                require,
            },
            sources,
            classes: args.classes.clone(),
            leave_out: args.leave_out.clone(),
            source_name: args.source_name.clone(),
            strict: args.strict,
            spool,
        })
    }

    /// Reads everything once, in batches. `check` names what is wrong with a document; an empty name only
    /// leaves it out of this reading.
    pub fn for_each(
        &self,
        doing: &str,
        interrupt: &Interrupt,
        loud: bool,
        mut check: impl FnMut(&Document) -> Option<String>,
        mut batch: impl FnMut(Vec<Document>) -> Result<(), Failure>,
    ) -> Result<Read, Failure> {
        let progress = progress(doing);
        let mut read = Read::default();
        let mut pending = Vec::with_capacity(BATCH);
        // Rows are read while others are worked on.
        let (rows, ahead) = sync_channel(ROWS_AHEAD);
        std::thread::scope(|scope| -> Result<(), Failure> {
            scope.spawn(|| self.read_into(rows));
            for (row, place, ham) in ahead.into_iter().flatten() {
                let mut document = match row {
                    Ok(document) => document,
                    Err(error) => {
                        self.skip(error, loud, &mut read, &progress)?;
                        continue;
                    }
                };
                document.source.get_or_insert_with(|| self.source_name.clone());
                if ham {
                    document.label = Some("ham".to_string());
                    document.class = Some(BACKGROUND.to_string());
                }
                if !self.takes(document.source.as_deref()) {
                    read.left_out += 1;
                    continue;
                }
                match check(&document) {
                    None => {}
                    Some(nothing) if nothing.is_empty() => continue,
                    Some(problem) => {
                        self.skip(place.fault(problem), loud, &mut read, &progress)?;
                        continue;
                    }
                }
                read.documents += 1;
                pending.push(document);
                if pending.len() == BATCH {
                    interrupt.check()?;
                    progress.inc(BATCH as u64);
                    batch(std::mem::replace(&mut pending, Vec::with_capacity(BATCH)))?;
                }
            }
            Ok(())
        })?;
        if !pending.is_empty() {
            batch(pending)?;
        }
        progress.finish_and_clear();
        Ok(read)
    }

    /// Sends every row, until nobody takes them any more.
    fn read_into(&self, rows: SyncSender<Vec<ReadRow>>) {
        let (mut some, mut bytes) = (Vec::with_capacity(ROWS), 0);
        for (paths, ham) in &self.parts {
            let mut options = self.options.clone();
            if *ham {
                options.require = Require::Text;
            }
            let mut documents = open(paths, &options);
            while let Some(row) = documents.next() {
                bytes += row.as_ref().map_or(0, |document| document.text.len());
                some.push((row, documents.place(), *ham));
                if some.len() == ROWS || bytes >= ROWS_BYTES {
                    if rows.send(std::mem::take(&mut some)).is_err() {
                        return;
                    }
                    bytes = 0;
                }
            }
        }
        // an error is that nobody waits for the last ones
        let _ = rows.send(some);
    }

    fn skip(
        &self,
        mut error: CorpusError,
        loud: bool,
        read: &mut Read,
        progress: &ProgressBar,
    ) -> Result<(), Failure> {
        if self.spool.as_ref().is_some_and(|file| file.path() == error.path) {
            error.path = STDIN.into();
        }
        if self.strict || error.ends_file() {
            return Err(Failure::Work(anyhow!(error)));
        }
        let shown: u64 = read.skipped.values().map(|n| n.min(&SHOWN_OF_REASON)).sum();
        let of_reason = read.skipped.entry(error.kind.to_string()).or_default();
        if loud && *of_reason < SHOWN_OF_REASON && shown < SHOWN_SKIPS {
            progress.suspend(|| eprintln!("skipped: {error}"));
        }
        *of_reason += 1;
        Ok(())
    }

    fn takes(&self, source: Option<&str>) -> bool {
        let class = source.and_then(|name| self.sources.get(name)).and_then(|info| info.class.as_ref());
        (self.classes.is_empty() || class.is_some_and(|class| self.classes.contains(class)))
            && !source.is_some_and(|name| self.leave_out.iter().any(|out| out == name))
    }

    /// The card's list of sources.
    pub fn source_cards(&self, documents: &BTreeMap<String, u64>) -> Vec<SourceCard> {
        documents
            .iter()
            .map(|(name, &documents)| {
                let info = self.sources.get(name).cloned().unwrap_or_default();
                SourceCard {
                    name: name.clone(),
                    documents,
                    licence: info.licence,
                    class: info.class,
                    repository: info.repository,
                }
            })
            .collect()
    }
}

/// Standard input can be read once only: it goes to a temporary file.
fn spool(files: &[PathBuf]) -> Result<(Vec<PathBuf>, Option<NamedTempFile>), Failure> {
    if !files.iter().any(|f| f == Path::new(STDIN)) {
        return Ok((files.to_vec(), None));
    }
    let copy = || -> std::io::Result<NamedTempFile> {
        let mut file = tempfile::Builder::new().prefix("glotsift-").suffix(".jsonl").tempfile()?;
        std::io::copy(&mut std::io::stdin().lock(), &mut file)?;
        Ok(file)
    };
    let file = copy().context("cannot keep standard input in a temporary file").map_err(Failure::Work)?;
    let files = files.iter().map(|f| if f == Path::new(STDIN) { file.path().to_owned() } else { f.clone() });
    Ok((files.collect(), Some(file)))
}

fn progress(doing: &str) -> ProgressBar {
    if !std::io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let bar = ProgressBar::new_spinner().with_message(doing.to_string());
    if let Ok(style) =
        ProgressStyle::with_template("{spinner} {msg}: {human_pos} documents, {per_sec}, {elapsed}")
    {
        bar.set_style(style);
    }
    bar
}
