//! The targets of `fuzz/` for a moment, by the same seed every time; `examples/fuzz.rs` runs them for long.

use crate::fuzzing::engine::fuzz;
use crate::fuzzing::{TARGETS, Target};

#[track_caller]
fn finds_nothing(name: &str, executions: u64) {
    let target: &Target = TARGETS.iter().find(|target| target.name == name).unwrap();
    let report = fuzz(target, 1, |n, _| n < executions, |_| ());
    let found: Vec<_> = report.failures.iter().map(|(at, (said, input))| (at, said, input.len())).collect();
    assert!(found.is_empty(), "{name}: {found:#?}");
    assert!(report.outcomes > 2, "{name}: {} outcomes: the seeds lead nowhere", report.outcomes);
}

#[test]
fn requests() {
    finds_nothing("request", 250);
}

#[test]
fn texts() {
    finds_nothing("text", 200);
    finds_nothing("spans", 200);
}

#[test]
fn models() {
    finds_nothing("model", 600);
    finds_nothing("manifest", 400);
}

#[test]
fn labelled_data() {
    finds_nothing("corpus", 3_000);
}

#[test]
fn kept_counts() {
    finds_nothing("counts", 2_000);
}

#[test]
fn settings() {
    finds_nothing("settings", 1_000);
    finds_nothing("tokens", 1_000);
}
