//! Counts kept for later: add documents, forget documents, merge what was counted elsewhere. Sums of
//! integers, so that adding and then forgetting gives the same bytes as never having added.

use super::counts::{Cell, Counts, Entry, TableCounts};
use crate::features::{FeatureSpec, fingerprint};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

const MAGIC: &str = "glotsift counts";
const VERSION: u32 = 1;

/// Counts of a task with their labels by name.
#[derive(Debug)]
pub struct Ledger {
    pub task: String,
    /// In the order of the cells' label numbers.
    pub labels: Vec<String>,
    pub counts: Counts,
}

#[derive(Debug, PartialEq, thiserror::Error)]
pub enum LedgerError {
    #[error("not a counts file")]
    NotCounts,
    #[error("counts of format {0}, this program reads format {VERSION}")]
    Version(u32),
    #[error("counted with another pipeline or other features: count the documents again")]
    Pipeline,
    #[error("counts of task {found:?}, expected {expected:?}")]
    Task { found: String, expected: String },
    #[error("the counts contradict themselves")]
    Broken,
    #[error("the counts together are more than can be counted")]
    TooMany,
    #[error("documents to forget were never counted, or not with this label, source and language")]
    NeverCounted,
}

#[derive(Serialize, Deserialize)]
struct File {
    magic: String,
    version: u32,
    pipeline: u64,
    task: String,
    labels: Vec<String>,
    tables: Vec<TableFile>,
}

/// Columns, so that the compressor sees like beside like.
#[derive(Serialize, Deserialize)]
struct TableFile {
    name: String,
    cells: Vec<(String, u16, bool, u64)>,
    /// Each the difference to the one before.
    hashes: Vec<u64>,
    cell: Vec<u32>,
    documents: Vec<u32>,
    sums: Vec<u64>,
}

impl Ledger {
    /// Uncompressed bytes; the same counts give the same bytes whatever the order they came in.
    pub fn to_bytes(&mut self) -> Vec<u8> {
        let file = File {
            magic: MAGIC.to_string(),
            version: VERSION,
            pipeline: fingerprint(Some(&self.counts.spec)),
            task: self.task.clone(),
            labels: self.labels.clone(),
            tables: self
                .counts
                .tables
                .par_iter_mut()
                .map(|(name, table)| table_file(name, table))
                .filter(|table| !table.cells.is_empty())
                .collect(),
        };
        postcard::to_stdvec(&file).unwrap_or_default()
    }

    pub fn from_bytes(bytes: &[u8], task: &str, spec: FeatureSpec) -> Result<Self, LedgerError> {
        let (magic, rest): (String, &[u8]) =
            postcard::take_from_bytes(bytes).map_err(|_| LedgerError::NotCounts)?;
        if magic != MAGIC {
            return Err(LedgerError::NotCounts);
        }
        let (version, _): (u32, &[u8]) =
            postcard::take_from_bytes(rest).map_err(|_| LedgerError::NotCounts)?;
        if version != VERSION {
            return Err(LedgerError::Version(version));
        }
        let file: File = postcard::from_bytes(bytes).map_err(|_| LedgerError::Broken)?;
        if file.task != task {
            return Err(LedgerError::Task { found: file.task, expected: task.to_string() });
        }
        if file.pipeline != fingerprint(Some(&spec)) {
            return Err(LedgerError::Pipeline);
        }
        let mut counts = Counts::new(spec);
        if file.labels.iter().collect::<BTreeSet<_>>().len() < file.labels.len() {
            return Err(LedgerError::Broken);
        }
        for table in file.tables {
            let name = table.name.clone();
            let read = table_counts(table, file.labels.len()).ok_or(LedgerError::Broken)?;
            if counts.tables.insert(name, read).is_some() {
                return Err(LedgerError::Broken);
            }
        }
        Ok(Self { task: file.task, labels: file.labels, counts })
    }

    /// How often each label and each source was counted, pooled copies aside.
    pub fn documents(&self) -> (BTreeMap<String, u64>, BTreeMap<String, u64>) {
        let (mut labels, mut sources) = (BTreeMap::new(), BTreeMap::new());
        let several = self.counts.tables.len() > 1;
        for (name, table) in &self.counts.tables {
            if several && name == crate::model::task::POOLED {
                continue;
            }
            for (cell, n) in table.cells.iter().zip(&table.documents).filter(|(_, n)| **n > 0) {
                if let Some(label) = self.labels.get(usize::from(cell.label)) {
                    *labels.entry(label.clone()).or_default() += n;
                }
                *sources.entry(cell.source.clone()).or_default() += n;
            }
        }
        (labels, sources)
    }

    /// Gives the labels new numbers, by name; labels that `labels` lacks are an error of the caller's.
    pub fn renumber(&mut self, labels: &[String]) -> Result<(), LedgerError> {
        let map: Vec<Option<u16>> = self
            .labels
            .iter()
            .map(|old| labels.iter().position(|new| new == old).map(|i| i as u16))
            .collect();
        for table in self.counts.tables.values_mut() {
            table
                .renumber(|label| map.get(usize::from(label)).copied().flatten())
                .ok_or(LedgerError::Broken)?;
        }
        self.labels = labels.to_vec();
        Ok(())
    }

    /// Adds other counts of the same labels; what has been added when that fails is of no use.
    pub fn add(&mut self, mut other: Counts) -> Result<(), LedgerError> {
        for (name, table) in std::mem::take(&mut other.tables) {
            self.counts.tables.entry(name).or_default().absorb(table).ok_or(LedgerError::TooMany)?;
        }
        Ok(())
    }

    /// Takes counts away exactly; nothing changes when they were never added.
    pub fn forget(&mut self, other: Counts) -> Result<(), LedgerError> {
        let mut left = BTreeMap::new();
        for (name, mut gone) in other.tables {
            let table = self.counts.tables.get_mut(&name).ok_or(LedgerError::NeverCounted)?;
            left.insert(name, table.without(&mut gone).ok_or(LedgerError::NeverCounted)?);
        }
        self.counts.tables.extend(left);
        Ok(())
    }
}

fn table_file(name: &str, table: &mut TableCounts) -> TableFile {
    let mut order: Vec<u32> =
        (0..table.cells.len() as u32).filter(|&i| table.documents[i as usize] > 0).collect();
    order.sort_by(|&a, &b| table.cells[a as usize].cmp(&table.cells[b as usize]));
    let mut number = vec![u32::MAX; table.cells.len()];
    for (new, &old) in order.iter().enumerate() {
        number[old as usize] = new as u32;
    }
    let cells = order
        .iter()
        .map(|&i| {
            let cell = &table.cells[i as usize];
            (cell.source.clone(), cell.label, cell.held_back, table.documents[i as usize])
        })
        .collect();
    let mut entries: Vec<Entry> = table
        .entries()
        .iter()
        .map(|e| Entry { cell: number[e.cell as usize], ..*e })
        .filter(|e| e.cell != u32::MAX)
        .collect();
    // Features are in order; only their cells have other numbers now.
    entries.chunk_by_mut(|a, b| a.hash == b.hash).for_each(|same| same.sort_unstable_by_key(|e| e.cell));
    let mut last = 0_u64;
    let hashes = entries
        .iter()
        .map(|e| {
            let step = e.hash - last;
            last = e.hash;
            step
        })
        .collect();
    TableFile {
        name: name.to_string(),
        cells,
        hashes,
        cell: entries.iter().map(|e| e.cell).collect(),
        documents: entries.iter().map(|e| e.documents).collect(),
        sums: entries.iter().map(|e| e.sum).collect(),
    }
}

/// No cell has so many documents, and sums over all cells of a file still fit.
const MOST_DOCUMENTS: u64 = 1 << 40;

/// `None` for what [`table_file`] does not write: what is counted twice or not at all could not be forgotten again.
fn table_counts(file: TableFile, n_labels: usize) -> Option<TableCounts> {
    let n = file.hashes.len();
    if file.cell.len() != n || file.documents.len() != n || file.sums.len() != n {
        return None;
    }
    let mut cells = Vec::with_capacity(file.cells.len());
    for (source, label, held_back, documents) in file.cells {
        if usize::from(label) >= n_labels || !(1..=MOST_DOCUMENTS).contains(&documents) {
            return None;
        }
        cells.push((Cell { source, label, held_back }, documents));
    }
    let mut hash = 0_u64;
    let mut entries = Vec::with_capacity(n);
    for i in 0..n {
        hash = hash.checked_add(file.hashes[i])?;
        let entry = Entry { hash, cell: file.cell[i], documents: file.documents[i], sum: file.sums[i] };
        let ascends = entries.last().is_none_or(|e: &Entry| (e.hash, e.cell) < (hash, entry.cell));
        let (_, of_cell) = cells.get(entry.cell as usize)?;
        if !ascends || !(1..=*of_cell).contains(&u64::from(entry.documents)) {
            return None;
        }
        entries.push(entry);
    }
    TableCounts::from_parts(cells, entries)
}

#[cfg(test)]
#[expect(clippy::single_range_in_vec_init, reason = "one batch of documents is a batch like others")]
mod tests {
    use super::*;
    use crate::features::SMALL_SPEC as SPEC;
    use crate::train::counts::Example;

    fn examples(range: std::ops::Range<u32>) -> Vec<Example> {
        range
            .map(|i| Example {
                table: ["eng", "deu"][(i % 2) as usize].into(),
                source: format!("source {}", i % 3),
                label: (i % 4) as u16,
                held_back: i % 5 == 0,
                text: format!("text number {i} of the kind {} with words {}", i % 7, i * i),
            })
            .collect()
    }

    fn ledger(batches: &[std::ops::Range<u32>]) -> Ledger {
        let mut counts = Counts::new(SPEC);
        batches.iter().for_each(|range| counts.add(&examples(range.clone())));
        Ledger { task: "topic".into(), labels: ["a", "b", "c", "d"].map(String::from).to_vec(), counts }
    }

    #[test]
    fn shards_in_any_order_give_the_same_bytes() {
        let whole = ledger(&[0..120]).to_bytes();
        let mut merged = ledger(&[80..120]);
        merged.add(ledger(&[0..30]).counts).expect("they add up");
        merged.add(ledger(&[30..80]).counts).expect("they add up");
        assert_eq!(merged.to_bytes(), whole);
    }

    #[test]
    fn forgetting_undoes_adding_to_the_byte() {
        let before = ledger(&[0..60]).to_bytes();
        let mut changed = ledger(&[0..60]);
        changed.add(ledger(&[60..100]).counts).expect("they add up");
        assert_ne!(changed.to_bytes(), before);
        changed.forget(ledger(&[60..100]).counts).expect("they were counted");
        assert_eq!(changed.to_bytes(), before);
        assert_eq!(changed.forget(ledger(&[200..201]).counts), Err(LedgerError::NeverCounted));
        assert_eq!(changed.to_bytes(), before, "a refused call changes nothing");
    }

    #[test]
    fn bytes_come_back_and_others_are_refused() {
        let bytes = ledger(&[0..40]).to_bytes();
        let mut read = Ledger::from_bytes(&bytes, "topic", SPEC).expect("our own bytes");
        assert_eq!(read.to_bytes(), bytes);
        assert_eq!(Ledger::from_bytes(b"hello", "topic", SPEC).err(), Some(LedgerError::NotCounts));
        let other = FeatureSpec { ngram_max: 4, ..SPEC };
        assert_eq!(Ledger::from_bytes(&bytes, "topic", other).err(), Some(LedgerError::Pipeline));
        assert!(matches!(Ledger::from_bytes(&bytes, "spam", SPEC), Err(LedgerError::Task { .. })));
        assert!(Ledger::from_bytes(&bytes[..bytes.len() / 2], "topic", SPEC).is_err());
    }

    #[test]
    fn counts_that_could_not_be_forgotten_again_are_refused() {
        let harms: [fn(&mut File); 8] = [
            |file| file.labels[1] = "a".into(),
            |file| file.tables[1].name = file.tables[0].name.clone(),
            |file| file.tables[0].cells[0].3 = 0,
            |file| file.tables[0].cells[0].3 = u64::MAX,
            |file| file.tables[0].documents[0] = 0,
            |file| file.tables[0].documents[0] = u32::MAX,
            |file| (file.tables[0].hashes[1], file.tables[0].cell[1]) = (0, file.tables[0].cell[0]),
            |file| file.tables[0].hashes[1] = u64::MAX,
        ];
        for (i, harm) in harms.into_iter().enumerate() {
            let mut file: File = postcard::from_bytes(&ledger(&[0..40]).to_bytes()).expect("our own bytes");
            harm(&mut file);
            let bytes = postcard::to_stdvec(&file).expect("bytes");
            assert_eq!(
                Ledger::from_bytes(&bytes, "topic", SPEC).err(),
                Some(LedgerError::Broken),
                "harm {i}"
            );
        }
    }

    #[test]
    fn counts_that_do_not_add_up_are_refused() {
        let mut file: File = postcard::from_bytes(&ledger(&[0..40]).to_bytes()).expect("our own bytes");
        file.tables[0].sums[0] = u64::MAX;
        let bytes = postcard::to_stdvec(&file).expect("bytes");
        let read = || Ledger::from_bytes(&bytes, "topic", SPEC).expect("a sum is a sum");
        assert_eq!(read().add(read().counts), Err(LedgerError::TooMany));
    }

    #[test]
    fn labels_take_new_numbers_by_name() {
        let mut ledger = ledger(&[0..40]);
        let (labels, _) = ledger.documents();
        let names = ["0", "a", "b", "bb", "c", "d"].map(String::from);
        ledger.renumber(&names).expect("all labels are there");
        assert_eq!(ledger.documents().0, labels);
    }
}
