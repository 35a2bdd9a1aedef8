//! Measures what `docs/reliability.md` claims, on the real server in a process of its own:
//! `cargo run --release --example reliability -- [--seconds N] [T1 T2 …]`, all of them when none is named.
//!
//! Each test prints one line with its figures and whether they pass; the status is 1 when any does not.

// A figure that cannot be measured is a failure of the run.
#![allow(clippy::unwrap_used)]

mod bundles;
#[path = "../../fuzz/mod.rs"]
#[allow(dead_code)]
mod fuzz;
mod hostile;
mod load;
#[path = "../../tests/it/raw.rs"]
#[allow(dead_code)]
mod raw;
mod server;
mod token;

use std::process::ExitCode;
use std::time::Duration;

/// What a test found.
pub struct Outcome {
    pub pass: bool,
    pub figures: String,
}

pub fn outcome(pass: bool, figures: String) -> Outcome {
    Outcome { pass, figures }
}

const TESTS: [&str; 13] =
    ["T1", "T2", "T2S", "T3", "T4", "T5", "T6", "T7", "T10", "T11", "T13", "T23", "T25"];

fn main() -> ExitCode {
    let mut args: Vec<String> = std::env::args().skip(1).collect();
    // The server is this program too, so that it is surely of the same build.
    if args.first().is_some_and(|arg| arg == "serve") {
        return glotsift::cli::run();
    }
    // So is the publisher that gets killed.
    if let [publish, folder] = &args[..]
        && publish == "publish"
    {
        return bundles::publish_for_ever(folder.as_ref());
    }
    let mut seconds = 180;
    if let Some(at) = args.iter().position(|arg| arg == "--seconds") {
        seconds = args.get(at + 1).and_then(|n| n.parse().ok()).expect("--seconds takes a whole number");
        args.drain(at..at + 2);
    }
    if let Some(odd) = args.iter().find(|arg| !TESTS.contains(&arg.as_str())) {
        eprintln!("{odd:?} is no test, expected some of {}", TESTS.join(" "));
        return ExitCode::from(2);
    }
    let soak = Duration::from_secs(seconds);
    let chosen: Vec<&str> =
        TESTS.into_iter().filter(|t| args.is_empty() || args.iter().any(|a| a == t)).collect();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let mut failed = 0;
    for test in chosen {
        let outcome = runtime.block_on(async {
            match test {
                "T1" => load::deadlines().await,
                "T2" => load::overload(),
                "T2S" => load::overload_shared().await,
                "T3" => load::fairness().await,
                "T4" => hostile::bombs().await,
                "T5" => hostile::empty_items().await,
                "T6" => hostile::silent_and_slow().await,
                "T7" => hostile::frames().await,
                "T10" => bundles::hostile_bundles(),
                "T11" => bundles::killed(),
                "T13" => load::soak(soak).await,
                "T23" => token::timing(),
                _ => load::start().await,
            }
        });
        println!("{test:4} {}  {}", if outcome.pass { "pass" } else { "FAIL" }, outcome.figures);
        failed += usize::from(!outcome.pass);
    }
    ExitCode::from(u8::from(failed > 0))
}
