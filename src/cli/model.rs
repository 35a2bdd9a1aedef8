//! `glotsift model`: what a bundle holds, and whether it is whole.

mod card;

use super::Failure;
use super::eval::OutputFormat;
use crate::model::format::ModelFormatError;
use crate::model::{Bundle, Model, built_in};
use crate::storage::{StorageError, read_bundle, read_manifest};
use anyhow::{Context, anyhow};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// Show what is in a model bundle, or check that it is whole
#[derive(Debug, Clone, clap::Args)]
#[command(arg_required_else_help = true)]
pub struct ModelArgs {
    #[command(subcommand)]
    command: ModelCommand,
}

#[derive(Debug, Clone, clap::Subcommand)]
enum ModelCommand {
    /// Show the card of a bundle: tasks, labels, recipe, sources with their licences, scores
    Inspect(InspectArgs),
    /// Check bundles as loading does; exit status 1 when one has a fault
    Verify(VerifyArgs),
}

#[derive(Debug, Clone, clap::Args)]
struct InspectArgs {
    /// Folder of the bundle; the one inside the binary when left out
    #[arg(value_name = "DIR")]
    folder: Option<PathBuf>,
    /// A table for people, or one JSON object
    #[arg(long, value_enum, default_value_t = OutputFormat::Table)]
    format: OutputFormat,
}

#[derive(Debug, Clone, clap::Args)]
struct VerifyArgs {
    /// Folders of bundles; the bundle inside the binary when left out
    #[arg(value_name = "DIR")]
    folders: Vec<PathBuf>,
}

/// Why a bundle is not usable.
#[derive(Debug, thiserror::Error)]
enum Fault {
    #[error(transparent)]
    Storage(#[from] StorageError),
    #[error("the bundle inside the binary is not a usable model")]
    BuiltIn(#[source] ModelFormatError),
}

pub fn run(args: ModelArgs) -> Result<(), Failure> {
    match args.command {
        ModelCommand::Inspect(args) => inspect(&args),
        ModelCommand::Verify(args) => verify(&args),
    }
}

fn checked(folder: Option<&Path>) -> Result<Model, Fault> {
    match folder {
        None => {
            let bundle: Bundle = built_in::bundle().map_err(Fault::BuiltIn)?;
            Model::from_bundle(&bundle).map_err(Fault::BuiltIn)
        }
        Some(folder) => {
            let bundle = read_bundle(folder)?;
            let format = |source| StorageError::Format { path: folder.to_owned(), source };
            Ok(Model::from_bundle(&bundle).map_err(format)?)
        }
    }
}

/// The card is shown of a bundle with a fault too, the fault beside it: what another version of this
/// program trained can at least be told apart.
fn inspect(args: &InspectArgs) -> Result<(), Failure> {
    let folder = args.folder.as_deref();
    let manifest = match folder {
        None => built_in::bundle().map_err(|e| Failure::Usage(anyhow!(e)))?.manifest,
        Some(folder) => read_manifest(folder).map_err(|e| Failure::Usage(anyhow!(e)))?,
    };
    let fault = checked(folder).err().map(|fault| one_line(&anyhow!(fault)));
    let card = card::Card { manifest: &manifest, folder, fault };
    let page = match args.format {
        OutputFormat::Json => card.json().context("cannot write the card as JSON")? + "\n",
        OutputFormat::Table => card.table(),
    };
    Ok(printed(&page)?)
}

fn verify(args: &VerifyArgs) -> Result<(), Failure> {
    let folders: Vec<Option<&Path>> = match args.folders.as_slice() {
        [] => vec![None],
        folders => folders.iter().map(|folder| Some(folder.as_path())).collect(),
    };
    let mut faults = Vec::new();
    for folder in folders {
        match checked(folder) {
            Ok(model) => printed(&format!("{}: {} is whole\n", name(folder), model.version()))?,
            Err(fault) => faults.push(anyhow!(fault)),
        }
    }
    let last = faults.pop();
    for fault in faults {
        let _ = writeln!(io::stderr(), "error: {}", one_line(&fault));
    }
    last.map_or(Ok(()), |fault| Err(Failure::Work(fault)))
}

fn name(folder: Option<&Path>) -> String {
    folder.map_or_else(|| "built in".to_owned(), |folder| folder.display().to_string())
}

fn one_line(error: &anyhow::Error) -> String {
    format!("{error:#}").replace('\n', " ")
}

fn printed(page: &str) -> anyhow::Result<()> {
    let mut out = io::stdout().lock();
    match out.write_all(page.as_bytes()).and_then(|()| out.flush()) {
        // a reader that has seen enough is no failure of ours
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(error).context("cannot write"),
        _ => Ok(()),
    }
}
