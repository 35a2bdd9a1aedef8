//! Cuts a slice out of kept counts, for the test that fits it and compares with the shipped weights:
//! `cargo run --release --example weights_slice BUNDLE TASK COUNTS TABLE FEATURES OUT`
//!
//! COUNTS is what `glotsift train --save-fit` wrote when it trained TABLE of TASK in BUNDLE. The slice is
//! a counts file as well: hashes of features and sums.

use anyhow::{Context, bail};
use glotsift::storage::{read_bundle, write_file};
use glotsift::train::ledger::Ledger;
use glotsift::train::slice::slice;
use std::path::Path;

fn main() -> anyhow::Result<()> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [bundle, task, counts, table, features, out] = args.as_slice() else {
        bail!("usage: weights_slice BUNDLE TASK COUNTS TABLE FEATURES OUT");
    };
    let bundle = read_bundle(Path::new(bundle))?;
    let card = bundle.manifest.tasks.get(task).with_context(|| format!("the bundle has no task {task}"))?;
    let spec = card.features.as_ref().and_then(|card| card.spec()).context("the task has no features")?;
    let bytes =
        zstd::decode_all(std::fs::File::open(counts).with_context(|| format!("cannot open {counts}"))?)?;
    let mut ledger = Ledger::from_bytes(&bytes, task, spec)?;
    let mut slice = slice(&mut ledger, table, features.parse().context("FEATURES is a number")?)
        .with_context(|| format!("{counts} has no table {table}"))?;
    write_file(Path::new(out), &zstd::encode_all(slice.to_bytes().as_slice(), 19)?)?;
    Ok(())
}
