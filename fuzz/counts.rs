//! Kept counts, as `train --add-to` reads them, merged, forgotten from and written again.

use super::bundle::spec;
use super::outcome;
use glotsift::features::{FeatureSpec, Weighting};
use glotsift::train::counts::{Counts, Example};
use glotsift::train::ledger::Ledger;

const SPEC: FeatureSpec = spec(Weighting::LogNormalized { norm: 30 }, false);

pub(super) fn run(input: &[u8]) -> u64 {
    let read = |bytes: &[u8]| Ledger::from_bytes(bytes, "topic", SPEC);
    let mut ledger = match read(input) {
        Ok(ledger) => ledger,
        Err(error) => return outcome(error.to_string()),
    };
    // Added to itself and taken out again: the counts of before.
    let before = ledger.to_bytes();
    let kind = outcome((ledger.labels.len(), ledger.counts.tables.len(), ledger.documents().0.len()));
    let (Ok(twin), Ok(gone)) = (read(&before), read(&before)) else {
        panic!("what was written cannot be read")
    };
    if let Err(error) = ledger.add(twin.counts) {
        return outcome((kind, error.to_string()));
    }
    ledger.forget(gone.counts).expect("what was added can be forgotten");
    let mut labels: Vec<String> = ledger.labels.iter().cloned().chain(["zzz".to_owned()]).collect();
    labels.dedup();
    assert_eq!(ledger.to_bytes(), before);
    outcome((kind, ledger.renumber(&labels).is_ok()))
}

pub(super) fn seeds() -> Vec<Vec<u8>> {
    let ledger = |documents: u16| {
        let examples: Vec<Example> = (0..documents)
            .map(|i| Example {
                table: ["*", "eng"][usize::from(i % 2)].into(),
                source: format!("source {}", i % 3),
                label: i % 3,
                held_back: i % 5 == 0,
                text: format!("a ferry {i}"),
            })
            .collect();
        let mut counts = Counts::new(SPEC);
        counts.add(&examples);
        let labels = ["post", "sea", "travel"].map(String::from).to_vec();
        Ledger { task: "topic".into(), labels, counts }.to_bytes()
    };
    vec![ledger(1), ledger(4), ledger(12)]
}
