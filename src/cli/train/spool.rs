//! Documents ready to be counted, in a temporary file: preparing them costs more than reading them again.

use super::Interrupt;
use crate::cli::Failure;
use crate::train::counts::Example;
use anyhow::Context;
use std::fs::File;
use std::io::{BufRead, BufReader, BufWriter, Seek, Write};

/// Documents handed on at a time.
const BATCH: usize = 4096;

pub struct Spool {
    file: BufWriter<File>,
}

impl Spool {
    pub fn new() -> Result<Self, Failure> {
        let file = tempfile::tempfile().context("cannot make a temporary file").map_err(Failure::Work)?;
        Ok(Self { file: BufWriter::new(file) })
    }

    pub fn push(&mut self, batch: &[Example]) -> Result<(), Failure> {
        let mut write = || -> std::io::Result<()> {
            for e in batch {
                serde_json::to_writer(&mut self.file, &(&e.table, &e.source, e.label, e.held_back, &e.text))?;
                self.file.write_all(b"\n")?;
            }
            Ok(())
        };
        write().context("cannot write the temporary file").map_err(Failure::Work)
    }

    /// All documents, in the order they came.
    pub fn for_each(
        &mut self,
        interrupt: &Interrupt,
        mut batch: impl FnMut(&[Example]),
    ) -> Result<(), Failure> {
        let mut read = || -> std::io::Result<()> {
            self.file.flush()?;
            self.file.rewind()?;
            let mut lines = BufReader::new(self.file.get_ref()).lines();
            loop {
                let examples: Vec<Example> = lines
                    .by_ref()
                    .take(BATCH)
                    .map(|line| {
                        let (table, source, label, held_back, text) = serde_json::from_str(&line?)?;
                        Ok(Example { table, source, label, held_back, text })
                    })
                    .collect::<std::io::Result<_>>()?;
                if examples.is_empty() || interrupt.check().is_err() {
                    return Ok(());
                }
                batch(&examples);
            }
        };
        read().context("cannot read the temporary file back").map_err(Failure::Work)?;
        interrupt.check()
    }
}
