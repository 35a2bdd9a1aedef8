//! Runs a target on mutated inputs, keeps those with outcomes not seen before and catches what panics.

use super::Target;
use super::mutate::{Random, mutate};
use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::collections::HashSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Once;
use std::time::{Duration, Instant};

/// Inputs grow to this, or to twice the largest seed.
const LONGEST: usize = 16 << 10;
/// Inputs kept for their outcomes.
const KEPT: usize = 4_000;

#[derive(Default)]
pub struct Report {
    pub executions: u64,
    pub elapsed: Duration,
    pub outcomes: usize,
    /// By where it panicked: what was said, and the first input.
    pub failures: BTreeMap<String, (String, Vec<u8>)>,
    pub slowest: (Duration, Vec<u8>),
}

/// Runs seeds, then mutations of them, while `go_on` says so of the number of executions and the time. Every input is
/// shown to `before`: what takes the process down leaves nothing else.
pub fn fuzz(
    target: &Target,
    seed: u64,
    mut go_on: impl FnMut(u64, Duration) -> bool,
    mut before: impl FnMut(&[u8]),
) -> Report {
    let seeds = (target.seeds)();
    let longest = seeds.iter().map(|s| 2 * s.len()).max().unwrap_or(0).max(LONGEST);
    let (mut kept, mut seen) = (Vec::new(), HashSet::new());
    let (mut random, mut report) = (Random(seed), Report::default());
    let mut waiting = seeds.clone().into_iter();
    // What is made when first asked for, the model say, is no input's fault; what panics will do so again.
    let _ = seeds.first().map(|seed| once(target, seed));
    let begun = Instant::now();
    while go_on(report.executions, begun.elapsed()) {
        let input = waiting.next().unwrap_or_else(|| {
            // Half of the time from a seed: what mutations of mutations have become is deep but narrow.
            let pool = if random.below(2) == 0 || kept.is_empty() { &seeds } else { &kept };
            let mut input = random.of(pool).cloned().unwrap_or_default();
            let other = random.of(&seeds).cloned().unwrap_or_default();
            mutate(&mut input, &other, target.words, longest, &mut random);
            input
        });
        before(&input);
        let started = Instant::now();
        match once(target, &input) {
            Ok(outcome) => {
                if seen.insert(outcome) && kept.len() < KEPT {
                    kept.push(input.clone());
                }
            }
            Err((place, message)) => {
                report.failures.entry(place).or_insert_with(|| (message, input.clone()));
            }
        }
        let took = started.elapsed();
        report.executions += 1;
        if took > report.slowest.0 {
            report.slowest = (took, input);
        }
    }
    report.elapsed = begun.elapsed();
    report.outcomes = seen.len();
    report
}

thread_local! {
    static CATCHING: Cell<bool> = const { Cell::new(false) };
    static CAUGHT: RefCell<Option<(String, String)>> = const { RefCell::new(None) };
}

/// The outcome, or where it panicked and what was said.
pub fn once(target: &Target, input: &[u8]) -> Result<u64, (String, String)> {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        // Other threads of the process, tests say, keep their own.
        let others = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| match CATCHING.get() {
            true => CAUGHT.set(Some((
                panic.location().map_or_else(String::new, ToString::to_string),
                said(panic.payload()),
            ))),
            false => others(panic),
        }));
    });
    CATCHING.set(true);
    let ended = catch_unwind(AssertUnwindSafe(|| (target.run)(input)));
    CATCHING.set(false);
    ended.map_err(|_| CAUGHT.take().unwrap_or_default())
}

fn said(payload: &dyn std::any::Any) -> String {
    let literal = payload.downcast_ref::<&str>().map(ToString::to_string);
    literal.or_else(|| payload.downcast_ref().cloned()).unwrap_or_default()
}
