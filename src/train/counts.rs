//! Exact integer counts per (feature, cell), where a cell is a (source, label, fold) of one table.
//! Sums of integers: the order of documents and the number of threads cannot show.

use crate::features::{FeatureSpec, Scratch};
use crate::model::task::POOLED;
use rayon::prelude::*;
use std::collections::BTreeMap;

/// Triples kept before they are sorted and merged: 16 bytes each.
const PENDING: usize = 16 << 20;

/// The emphasis of a document that counts once.
pub const EVEN: u32 = 64;

/// What divides the documents of a table: counts can be left out or weighted by cell at fit time.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Cell {
    pub source: String,
    pub label: u16,
    /// Held back from the first fit, for calibration.
    pub held_back: bool,
}

/// The sum of one feature in one cell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry {
    pub hash: u64,
    pub cell: u32,
    /// Documents that have the feature.
    pub documents: u32,
    /// In units of 1 / [`crate::features::WEIGHT_SCALE`].
    pub sum: u64,
}

/// Counts of one table.
#[derive(Debug, Default)]
pub struct TableCounts {
    pub cells: Vec<Cell>,
    pub documents: Vec<u64>,
    cell_index: BTreeMap<Cell, u32>,
    pending: Vec<(u64, u32, u32)>,
    merged: Vec<Entry>,
}

impl TableCounts {
    fn cell(&mut self, cell: Cell) -> u32 {
        if let Some(&index) = self.cell_index.get(&cell) {
            return index;
        }
        let index = self.cells.len() as u32;
        self.cells.push(cell.clone());
        self.documents.push(0);
        self.cell_index.insert(cell, index);
        index
    }

    /// The number of a cell that has documents.
    pub fn cell_number(&self, cell: &Cell) -> Option<usize> {
        self.cell_index.get(cell).map(|index| *index as usize)
    }

    /// Adds one document vector.
    pub fn add(&mut self, cell: Cell, vector: &[(u64, u32)]) {
        let cell = self.cell(cell);
        self.documents[cell as usize] += 1;
        self.pending.extend(vector.iter().map(|&(hash, weight)| (hash, cell, weight)));
        if self.pending.len() >= PENDING {
            self.merge();
        }
    }

    fn merge(&mut self) {
        if self.pending.is_empty() {
            return;
        }
        let mut pending = std::mem::take(&mut self.pending);
        pending.par_sort_unstable();
        let old = std::mem::take(&mut self.merged);
        let mut merged: Vec<Entry> = Vec::with_capacity(old.len() + pending.len() / 4);
        let mut old = old.into_iter().peekable();
        let mut add = |entry: Entry| match merged.last_mut() {
            Some(last) if (last.hash, last.cell) == (entry.hash, entry.cell) => {
                last.sum += entry.sum;
                last.documents += entry.documents;
            }
            _ => merged.push(entry),
        };
        for (hash, cell, weight) in pending {
            while let Some(entry) = old.next_if(|e| (e.hash, e.cell) <= (hash, cell)) {
                add(entry);
            }
            add(Entry { hash, cell, documents: 1, sum: u64::from(weight) });
        }
        old.for_each(&mut add);
        self.merged = merged;
    }

    /// Counts as they were kept; `None` when two cells are the same.
    pub(super) fn from_parts(cells: Vec<(Cell, u64)>, entries: Vec<Entry>) -> Option<Self> {
        let mut table = Self { merged: entries, ..Self::default() };
        for (cell, documents) in cells {
            if table.cell_index.contains_key(&cell) {
                return None;
            }
            let index = table.cell(cell);
            table.documents[index as usize] = documents;
        }
        Some(table)
    }

    /// Leaves these sums, a part of [`Self::entries`] in its order.
    pub(super) fn keep(&mut self, entries: Vec<Entry>) {
        self.pending.clear();
        self.merged = entries;
    }

    /// Gives every cell's label a new number; `None` when one has none.
    pub(super) fn renumber(&mut self, number: impl Fn(u16) -> Option<u16>) -> Option<()> {
        for cell in &mut self.cells {
            cell.label = number(cell.label)?;
        }
        self.cell_index = self.cells.iter().cloned().zip(0..).collect();
        Some(())
    }

    /// Adds the counts of another table; `None` when a sum is too large for its type.
    pub(super) fn absorb(&mut self, mut other: Self) -> Option<()> {
        self.merge();
        let numbers: Vec<u32> = other.cells.iter().map(|cell| self.cell(cell.clone())).collect();
        for (&number, n) in numbers.iter().zip(&other.documents) {
            let documents = &mut self.documents[number as usize];
            *documents = documents.checked_add(*n)?;
        }
        let mut fits = true;
        let mut all = std::mem::take(&mut self.merged);
        all.extend(other.entries().iter().map(|e| Entry { cell: numbers[e.cell as usize], ..*e }));
        all.par_sort_unstable_by_key(|e| (e.hash, e.cell));
        all.dedup_by(|b, a| {
            let same = (a.hash, a.cell) == (b.hash, b.cell);
            if same {
                let (sum, documents) = (a.sum.checked_add(b.sum), a.documents.checked_add(b.documents));
                fits &= sum.is_some() && documents.is_some();
                (a.sum, a.documents) = (sum.unwrap_or(a.sum), documents.unwrap_or(a.documents));
            }
            same
        });
        self.merged = all;
        fits.then_some(())
    }

    /// This table less another; `None` when the other holds what this one does not.
    pub(super) fn without(&mut self, other: &mut Self) -> Option<Self> {
        self.merge();
        let numbers: Vec<u32> =
            other.cells.iter().map(|cell| self.cell_index.get(cell).copied()).collect::<Option<_>>()?;
        let mut documents = self.documents.clone();
        for (&number, n) in numbers.iter().zip(&other.documents) {
            documents[number as usize] = documents[number as usize].checked_sub(*n)?;
        }
        let mut merged = self.merged.clone();
        for gone in other.entries() {
            let key = (gone.hash, numbers[gone.cell as usize]);
            let at = merged.binary_search_by_key(&key, |e| (e.hash, e.cell)).ok()?;
            merged[at].sum = merged[at].sum.checked_sub(gone.sum)?;
            merged[at].documents = merged[at].documents.checked_sub(gone.documents)?;
        }
        merged.retain(|e| e.documents > 0);
        Some(Self {
            cells: self.cells.clone(),
            documents,
            cell_index: self.cell_index.clone(),
            pending: Vec::new(),
            merged,
        })
    }

    /// All sums, ordered by feature; cells within a feature in order of first meeting.
    pub fn entries(&mut self) -> &[Entry] {
        self.merge();
        self.merged.shrink_to_fit();
        &self.merged
    }

    /// The same since [`Self::entries`] was called last; what was added after that is not among them.
    pub fn settled(&self) -> &[Entry] {
        debug_assert!(self.pending.is_empty(), "documents were added since");
        &self.merged
    }
}

impl From<&Example> for Cell {
    fn from(example: &Example) -> Self {
        Self { source: example.source.clone(), label: example.label, held_back: example.held_back }
    }
}

/// A document ready to be counted.
#[derive(Clone, Debug)]
pub struct Example {
    pub table: String,
    pub source: String,
    pub label: u16,
    pub held_back: bool,
    pub text: String,
}

/// Features and weights of a document.
type Vector = Vec<(u64, u32)>;

/// Counts of all tables of a task.
#[derive(Debug)]
pub struct Counts {
    pub spec: FeatureSpec,
    pub tables: BTreeMap<String, TableCounts>,
}

impl Counts {
    pub fn new(spec: FeatureSpec) -> Self {
        Self { spec, tables: BTreeMap::new() }
    }

    /// Counts a batch, features on all cores.
    pub fn add(&mut self, batch: &[Example]) {
        let vectors = self.vectors(batch, &[]);
        self.add_vectors(batch, &vectors, |_| true);
    }

    /// Counts a batch, those of the other tables in [`POOLED`] too; each document [`EVEN`]ths as much as its emphasis
    /// says, once where it says nothing.
    pub fn add_pooling(&mut self, batch: &[Example], emphasis: &[u32]) {
        let vectors = self.vectors(batch, emphasis);
        let mut pooled = self.tables.remove(POOLED).unwrap_or_default();
        rayon::join(
            || {
                for (example, vector) in batch.iter().zip(&vectors) {
                    pooled.add(example.into(), vector);
                }
            },
            || self.add_vectors(batch, &vectors, |example| example.table != POOLED),
        );
        if !pooled.cells.is_empty() {
            self.tables.insert(POOLED.to_string(), pooled);
        }
    }

    fn add_vectors(&mut self, batch: &[Example], vectors: &[Vector], take: impl Fn(&Example) -> bool) {
        for (example, vector) in batch.iter().zip(vectors).filter(|(example, _)| take(example)) {
            self.tables.entry(example.table.clone()).or_default().add(example.into(), vector);
        }
    }

    fn vectors(&self, batch: &[Example], emphasis: &[u32]) -> Vec<Vector> {
        let vector = |scratch: &mut Scratch, (i, example): (usize, &Example)| {
            scratch.vectorize(&example.text, &self.spec);
            let emphasis = u64::from(emphasis.get(i).copied().unwrap_or(EVEN));
            let weight = |weight: u32| (u64::from(weight) * emphasis / u64::from(EVEN)) as u32;
            scratch.vector.iter().map(|&(hash, w)| (hash, weight(w))).collect()
        };
        batch.par_iter().enumerate().map_init(Scratch::default, vector).collect()
    }
}
