//! `glotsift train`: labelled data in, a new bundle out.

mod bundle;
mod corpus;
mod kept;
mod language;
mod report;
mod spam;
mod spool;
mod text;

use super::Failure;
use crate::corpus::{Columns, Format};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Train one task on labelled data and write a bundle; the other tasks come from the base
#[derive(Debug, Clone, clap::Args)]
pub struct TrainArgs {
    /// What to train
    #[arg(long, value_enum)]
    pub task: TrainTask,
    /// Folder of the bundle to write; an existing bundle is replaced
    #[arg(long, value_name = "DIR")]
    pub out: PathBuf,
    /// Bundle that gives the other tasks: a folder, `default` for the one inside the binary, or `none`
    #[arg(long, default_value = "default", value_name = "DIR")]
    pub base: String,
    /// Name of the new bundle; the folder's name when left out
    #[arg(long)]
    pub name: Option<String>,
    /// Labels the data may have: `iptc`, or a comma-separated list; any when left out
    #[arg(long, value_name = "LABELS")]
    pub labels: Option<String>,
    /// Language of every row that has none of its own (ISO 639-3 or BCP 47); detected when left out
    #[arg(long, value_name = "CODE")]
    pub language: Option<String>,
    /// JSON object of sources, `{"name": {"class": …, "licence": …, "repository": …}}`, for the card
    #[arg(long, value_name = "FILE")]
    pub sources: Option<PathBuf>,
    /// Only rows whose source has one of these classes in --sources
    #[arg(long, value_delimiter = ',', value_name = "CLASS,...", requires = "sources")]
    pub classes: Vec<String>,
    /// Source of every row that has none of its own, for balance and for the card
    #[arg(long, default_value = "unnamed", value_name = "NAME")]
    pub source_name: String,
    /// Sources to leave out
    #[arg(long, value_delimiter = ',', value_name = "SOURCE,...")]
    pub leave_out: Vec<String>,
    /// Files, folders or - whose texts are all ham (with --task spam): real articles, say
    #[arg(long, value_name = "FILE")]
    pub ham: Vec<PathBuf>,
    /// Lidstone smoothing
    #[arg(long, value_parser = |text: &str| number(text, f64::MIN_POSITIVE..=1e6, "above 0"))]
    pub alpha: Option<f64>,
    /// How evenly (source, label) pairs count: 0 by documents, 1 all alike
    #[arg(long, value_parser = |text: &str| number(text, 0.0..=1.0, "from 0 to 1"))]
    pub balance: Option<f64>,
    /// Abstain on texts of fewer words (with --task topic); as the base when left out, if its labels are the same
    #[arg(long, value_name = "WORDS", value_parser = whole)]
    pub min_words: Option<u32>,
    /// Size of the tables: bytes per documents^(2/3) of a table; 0 for no bound
    #[arg(long, value_parser = |text: &str| number(text, 0.0..=1e15, "0 or more"))]
    pub bytes: Option<f64>,
    /// Format of the data (jsonl, csv, tsv, fasttext); told from the extension when left out
    #[arg(long, value_name = "FORMAT")]
    pub input_format: Option<Format>,
    /// What the data calls its columns, such as text=body,label=topic
    #[arg(long, value_name = "FIELD=COLUMN,...")]
    pub columns: Option<Columns>,
    /// Stop at the first row that cannot be used instead of skipping it
    #[arg(long)]
    pub strict: bool,
    /// How the report is printed
    #[arg(long, value_enum, default_value_t = super::eval::OutputFormat::Table)]
    pub format: super::eval::OutputFormat,
    /// Start from counts that --save-counts kept, instead of from nothing; several are merged (topic, spam)
    #[arg(long, value_name = "FILE")]
    pub add_to: Vec<PathBuf>,
    /// Labelled data to take out of the counts of --add-to, exactly as if it had never been counted
    #[arg(long, value_name = "FILE", requires = "add_to")]
    pub forget: Vec<PathBuf>,
    /// Keep the counts, for --add-to; documents are then not reviewed, so that they can be taken out again
    #[arg(long, value_name = "FILE")]
    pub save_counts: Option<PathBuf>,
    /// Keep the counts as they are fitted, documents weighted by the review (topic, without --add-to)
    #[arg(long, value_name = "FILE", conflicts_with_all = ["add_to", "save_counts"])]
    pub save_fit: Option<PathBuf>,
    /// Labelled data: files, folders, or - for standard input
    #[arg(required_unless_present = "add_to", value_name = "FILE")]
    pub files: Vec<PathBuf>,
}

fn number(text: &str, range: std::ops::RangeInclusive<f64>, expected: &str) -> Result<f64, String> {
    text.parse().ok().filter(|n| range.contains(n)).ok_or_else(|| format!("expected a number {expected}"))
}

fn whole(text: &str) -> Result<u32, String> {
    text.parse().map_err(|_| format!("expected a whole number from 0 to {}", u32::MAX))
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum TrainTask {
    Topic,
    Spam,
    Language,
    Boilerplate,
}

impl TrainTask {
    pub fn name(self) -> &'static str {
        match self {
            Self::Topic => "topic",
            Self::Spam => "spam",
            Self::Language => "language",
            Self::Boilerplate => "boilerplate",
        }
    }
}

/// Set by ctrl-c; training looks at it between batches and before it publishes.
#[derive(Clone, Debug, Default)]
struct Interrupt(Arc<AtomicBool>);

impl Interrupt {
    fn on_ctrl_c() -> Self {
        let flag = Self::default();
        let seen = flag.clone();
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            if let Ok(runtime) = runtime
                && runtime.block_on(tokio::signal::ctrl_c()).is_ok()
            {
                seen.0.store(true, Ordering::Relaxed);
            }
        });
        flag
    }

    fn check(&self) -> Result<(), Failure> {
        if self.0.load(Ordering::Relaxed) {
            return Err(Failure::Work(anyhow::anyhow!("interrupted: no bundle was written")));
        }
        Ok(())
    }
}

pub fn run(args: TrainArgs) -> Result<(), Failure> {
    let interrupt = Interrupt::on_ctrl_c();
    let keeps_counts = !args.add_to.is_empty() || args.save_counts.is_some();
    if keeps_counts && !matches!(args.task, TrainTask::Topic | TrainTask::Spam) {
        let problem = format!("counts are kept for topic and spam, not for {}", args.task.name());
        return Err(Failure::Usage(anyhow::anyhow!(problem)));
    }
    crate::storage::check_target(&args.out).map_err(|e| Failure::Usage(anyhow::anyhow!(e)))?;
    if args.save_fit.is_some() && args.task != TrainTask::Topic {
        let problem = format!("--save-fit goes with --task topic, not {}", args.task.name());
        return Err(Failure::Usage(anyhow::anyhow!(problem)));
    }
    let base = bundle::Base::open(&args)?;
    let data = corpus::Corpus::open(&args)?;
    let trained = match args.task {
        // Kept counts have no texts left to count again: they are fitted plainly, as for topics.
        TrainTask::Spam if !keeps_counts => spam::train(&args, &base, &data, &interrupt)?,
        TrainTask::Topic | TrainTask::Spam => text::train(&args, &base, &data, &interrupt)?,
        TrainTask::Language => language::train(&args, &data, &interrupt)?,
        TrainTask::Boilerplate => text::boilerplate(&data, &interrupt)?,
    };
    interrupt.check()?;
    let version = base.publish(&args, trained.card, trained.file)?;
    report::print(&args, &trained.report, &version);
    Ok(())
}

/// What a task's training gives.
struct Trained {
    card: crate::model::manifest::TaskCard,
    file: Vec<u8>,
    report: report::TrainReport,
}
