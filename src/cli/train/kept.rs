//! Files of counts: zstd, read and written whole.

use super::{TrainArgs, TrainTask};
use crate::cli::Failure;
use crate::features::FeatureSpec;
use crate::storage::write_file;
use crate::train::ledger::Ledger;
use anyhow::{Context, anyhow};
use std::io::Read;
use std::path::Path;

/// Counts decompress to no more than this.
const MAX_BYTES: u64 = 16 << 30;

/// The counts of every `--add-to`, each with its own labels.
pub(super) fn read(args: &TrainArgs, spec: FeatureSpec) -> Result<Vec<Ledger>, Failure> {
    args.add_to.iter().map(|path| read_one(path, args.task, spec)).collect()
}

fn read_one(path: &Path, task: TrainTask, spec: FeatureSpec) -> Result<Ledger, Failure> {
    let bytes = || -> std::io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        zstd::Decoder::new(std::fs::File::open(path)?)?.take(MAX_BYTES).read_to_end(&mut bytes)?;
        Ok(bytes)
    };
    let bytes =
        bytes().with_context(|| format!("cannot read counts {}", path.display())).map_err(Failure::Usage)?;
    Ledger::from_bytes(&bytes, task.name(), spec)
        .map_err(|e| Failure::Usage(anyhow!("{}: {e}", path.display())))
}

/// Writes the counts so that a reader sees all of them or the file as it was.
pub(super) fn write(path: &Path, ledger: &mut Ledger) -> Result<(), Failure> {
    let packed = zstd::encode_all(ledger.to_bytes().as_slice(), 3).context("cannot compress the counts")?;
    write_file(path, &packed).map_err(|e| Failure::Work(anyhow!(e)))
}
