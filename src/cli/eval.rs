//! `glotsift eval`: scores a model on labelled data.

mod noise;
mod predictions;
mod report;
mod task;
#[cfg(test)]
mod tests;

use super::Failure;
use super::load::load_model;
use crate::corpus::{self, Columns, CorpusError, Document, Format, Place, ReadOptions, Require};
use crate::model::Model;
use anyhow::{Context, anyhow};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use predictions::{Prediction, Predictions};
use rayon::prelude::*;
use std::collections::BTreeMap;
use std::io::{self, IsTerminal, Write};
use std::path::PathBuf;
use task::{Labelled, Scorer, Tally, Unusable};

/// A chunk is scored on every core while nothing else is held; either bound ends it.
const CHUNK_DOCUMENTS: usize = 1024;
const CHUNK_BYTES: usize = 8 << 20;

/// So many skipped rows are shown one by one; the rest are counted.
const SHOWN_SKIPS: u64 = 5;

/// Score a model on labelled data
#[derive(Debug, Clone, clap::Args)]
pub struct EvalArgs {
    /// What to score
    #[arg(long, value_enum)]
    pub task: TaskName,
    /// Folder of the model; the one inside the binary when left out
    #[arg(long, value_name = "DIR")]
    pub model: Option<PathBuf>,
    /// Also score each language, source or script apart
    #[arg(long, value_enum, value_name = "KEY")]
    pub group_by: Option<GroupBy>,
    /// Tell the model each row's language instead of letting it detect one
    #[arg(long)]
    pub given_language: bool,
    /// What to print
    #[arg(long, value_enum, default_value_t = OutputFormat::Table)]
    pub format: OutputFormat,
    /// Also write what was said of each row, a line of JSON each, without its text
    #[arg(long, value_name = "FILE")]
    pub predictions: Option<PathBuf>,
    /// Format of the data (jsonl, csv, tsv, fasttext); told from the extension when left out
    #[arg(long, value_name = "FORMAT")]
    pub input_format: Option<Format>,
    /// What the data calls its columns, such as text=body,label=topic
    #[arg(long, value_name = "FIELD=COLUMN,...")]
    pub columns: Option<Columns>,
    /// Stop at the first row that cannot be used instead of skipping it
    #[arg(long)]
    pub strict: bool,
    /// Labelled data: files, folders, or - for standard input
    #[arg(required = true, value_name = "FILE")]
    pub files: Vec<PathBuf>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum TaskName {
    Topic,
    Spam,
    Language,
    Noise,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum GroupBy {
    Language,
    Source,
    Script,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum OutputFormat {
    Json,
    Table,
}

pub fn run(args: EvalArgs) -> Result<(), Failure> {
    let model = load_model(args.model.as_deref())?;
    let stdout = io::stdout();
    let printed = evaluate(&args, &model, &mut io::stderr()).and_then(|text| {
        let mut out = stdout.lock();
        out.write_all(text.as_bytes())
            .and_then(|()| out.flush())
            .or_else(ignore_closed)
            .context("cannot write")?;
        Ok(())
    });
    Ok(printed?)
}

/// A reader that has seen enough is no failure of ours.
fn ignore_closed(error: io::Error) -> io::Result<()> {
    if error.kind() == io::ErrorKind::BrokenPipe { Ok(()) } else { Err(error) }
}

/// The whole work but for arguments and printing; what was skipped is told to `notes`.
fn evaluate(args: &EvalArgs, model: &Model, notes: &mut dyn Write) -> anyhow::Result<String> {
    let task = match args.task {
        TaskName::Topic => Labelled::Topic,
        TaskName::Spam => Labelled::Spam,
        TaskName::Language => Labelled::Language,
        TaskName::Noise if args.predictions.is_some() => {
            return Err(anyhow!(
                "--predictions goes with --task topic, spam or language: noise has no label"
            ));
        }
        TaskName::Noise => return noise::evaluate(args, model, notes),
    };
    let scorer = Scorer::new(task, model, args.group_by, args.given_language);
    let mut tally = Tally::new(task);
    let mut unknown_labels = BTreeMap::<String, u64>::new();
    let mut predictions = args.predictions.as_deref().map(Predictions::create).transpose()?;
    let wanted = predictions.is_some();
    let score = |document: Document| {
        let (scored, said) = scorer.score(&document)?;
        let prediction = wanted.then(|| Prediction::new(document, &scored, &said));
        Ok((scored, prediction))
    };
    let add = |(scored, prediction): (_, Option<Prediction>), place: &Place| {
        tally.add(scored, &mut unknown_labels, &scorer);
        predictions
            .iter_mut()
            .zip(prediction)
            .try_for_each(|(file, prediction)| file.write(prediction, place))
    };
    let skipped = each_document(args, scorer.require(), notes, score, add)?;
    predictions.map_or(Ok(()), Predictions::finish)?;
    if tally.n() == 0 {
        return Err(anyhow!("no labelled documents to score: {skipped} rows skipped"));
    }
    let facts = report::Facts { task, model_version: model.version(), skipped, unknown_labels };
    Ok(match args.format {
        OutputFormat::Json => report::json(&tally, &facts)?,
        OutputFormat::Table => report::table(&tally, &facts),
    })
}

/// Scores every document on all cores and adds the results in the order of the rows, so that nothing
/// depends on timing; answers how many rows were skipped.
fn each_document<T: Send>(
    args: &EvalArgs,
    require: Require,
    notes: &mut dyn Write,
    score: impl Fn(Document) -> Result<T, Unusable> + Sync,
    mut add: impl FnMut(T, &Place) -> anyhow::Result<()>,
) -> anyhow::Result<u64> {
    let columns = args.columns.clone().unwrap_or_default();
    let mut documents =
        corpus::open(&args.files, &ReadOptions { format: args.input_format, columns, require });
    let mut skips = Skips { strict: args.strict, total: 0, notes };
    let progress = progress();
    loop {
        let chunk = next_chunk(&mut documents, &mut skips)?;
        if chunk.is_empty() {
            break;
        }
        progress.inc(chunk.len() as u64);
        let scored: Vec<_> =
            chunk.into_par_iter().map(|(document, place)| (score(document), place)).collect();
        for (scored, place) in scored {
            match scored {
                Ok(scored) => add(scored, &place)?,
                Err(unusable) => skips.row(place.fault(unusable.to_string()))?,
            }
        }
    }
    progress.finish_and_clear();
    skips.sum_up();
    Ok(skips.total)
}

fn next_chunk(
    documents: &mut corpus::Documents,
    skips: &mut Skips<'_>,
) -> anyhow::Result<Vec<(Document, Place)>> {
    let (mut chunk, mut bytes) = (Vec::new(), 0);
    while let Some(document) = documents.next() {
        match document {
            Ok(document) => {
                bytes += document.text.len() + document.title.len();
                chunk.push((document, documents.place()));
            }
            Err(error) => skips.row(error)?,
        }
        if chunk.len() >= CHUNK_DOCUMENTS || bytes >= CHUNK_BYTES {
            break;
        }
    }
    Ok(chunk)
}

/// Rows passed over, told to the user but not one by one for ever.
struct Skips<'a> {
    strict: bool,
    total: u64,
    notes: &'a mut dyn Write,
}

impl Skips<'_> {
    /// A file that cannot be read to its end would make the figures those of other data: that stops.
    fn row(&mut self, error: CorpusError) -> anyhow::Result<()> {
        if self.strict || error.ends_file() {
            return Err(error.into());
        }
        self.note(&error.to_string());
        Ok(())
    }

    fn note(&mut self, problem: &str) {
        self.total += 1;
        if self.total <= SHOWN_SKIPS {
            // notes are a courtesy: a closed stderr must not stop the work
            let _ = writeln!(self.notes, "warning: row skipped: {problem}");
        }
    }

    fn sum_up(&mut self) {
        if self.total > SHOWN_SKIPS {
            let _ = writeln!(self.notes, "warning: {} rows skipped in all", self.total);
        }
    }
}

fn progress() -> ProgressBar {
    if !io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let style = ProgressStyle::with_template("{spinner} {human_pos} documents, {per_sec}, {elapsed}");
    let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
    bar.with_style(style.unwrap_or_else(|_| ProgressStyle::default_spinner()))
}
