//! Fuzzes what takes bytes or text from others, on stable Rust:
//! `cargo run --profile fuzz --example fuzz -- [TARGET …] [--seconds N] [--seed S]`, all targets when none is named; with
//! `--input FILE` one target runs once on that file and panics as it does.
//!
//! A line a target: how often it ran, how many outcomes it has seen, its slowest input, and what panicked or took over a
//! second. Such inputs are written to `target/fuzzed/`; the status is 1 when there are any.

#[path = "../fuzz/mod.rs"]
#[allow(dead_code)]
mod fuzz;

use anyhow::{Context, bail};
use fuzz::engine::fuzz;
use fuzz::{TARGETS, Target};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

/// No input of some kilobytes takes longer.
const SLOW: Duration = Duration::from_secs(1);

struct Arguments {
    targets: Vec<&'static Target>,
    seconds: u64,
    seed: u64,
    input: Option<PathBuf>,
}

fn arguments() -> anyhow::Result<Arguments> {
    let mut parsed = Arguments { targets: Vec::new(), seconds: 180, seed: 1, input: None };
    let mut args = std::env::args().skip(1);
    while let Some(arg) = args.next() {
        let mut number = || {
            let value = args.next().unwrap_or_default();
            value.parse::<u64>().with_context(|| format!("{arg} is {value:?}, expected a whole number"))
        };
        match arg.as_str() {
            "--seconds" => parsed.seconds = number()?,
            "--seed" => parsed.seed = number()?,
            "--input" => parsed.input = Some(args.next().context("--input takes a file")?.into()),
            name => match TARGETS.iter().find(|target| target.name == name) {
                Some(target) => parsed.targets.push(target),
                None => {
                    let names: Vec<&str> = TARGETS.iter().map(|target| target.name).collect();
                    bail!("{name:?} is no target, expected some of {}", names.join(" "));
                }
            },
        }
    }
    if parsed.targets.is_empty() {
        parsed.targets = TARGETS.iter().collect();
    }
    Ok(parsed)
}

fn main() -> ExitCode {
    let ended = arguments().and_then(|arguments| match &arguments.input {
        Some(file) => again(&arguments, file).map(|()| true),
        None => run(&arguments),
    });
    match ended {
        Ok(sound) => ExitCode::from(u8::from(!sound)),
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::from(2)
        }
    }
}

fn again(arguments: &Arguments, file: &Path) -> anyhow::Result<()> {
    let [target] = arguments.targets[..] else { bail!("--input needs the name of one target") };
    let input = std::fs::read(file).with_context(|| format!("cannot read {}", file.display()))?;
    let begun = std::time::Instant::now();
    let outcome = (target.run)(&input);
    println!("{}: outcome {outcome:016x} after {:.1} ms", target.name, begun.elapsed().as_secs_f64() * 1e3);
    Ok(())
}

/// Whether nothing was found.
fn run(arguments: &Arguments) -> anyhow::Result<bool> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/fuzzed");
    std::fs::create_dir_all(&folder).with_context(|| format!("cannot create {}", folder.display()))?;
    let mut sound = true;
    for target in &arguments.targets {
        // What ends the process, as a stack that overflows, leaves its input here.
        let last = folder.join(format!("{}-last", target.name));
        let within = Duration::from_secs(arguments.seconds);
        let mut lost = None;
        let report = fuzz(
            target,
            arguments.seed,
            |_, elapsed| elapsed < within,
            |input| {
                if let Err(error) = std::fs::write(&last, input) {
                    lost = Some(error);
                }
            },
        );
        if let Some(error) = lost {
            return Err(error).with_context(|| format!("cannot write {}", last.display()));
        }
        std::fs::remove_file(&last).with_context(|| format!("cannot remove {}", last.display()))?;
        let (took, slowest) = &report.slowest;
        println!(
            "{:8} {:>9} executions, {:>7.0} a second, {:>5} outcomes, slowest {:.1} ms of {} bytes, {} found",
            target.name,
            report.executions,
            report.executions as f64 / report.elapsed.as_secs_f64(),
            report.outcomes,
            took.as_secs_f64() * 1e3,
            slowest.len(),
            report.failures.len() + usize::from(*took > SLOW),
        );
        let mut keep = |what: &str, input: &[u8]| -> anyhow::Result<()> {
            let digest = blake3::hash(input).to_hex();
            let path = folder.join(format!("{}-{}", target.name, &digest.as_str()[..12]));
            std::fs::write(&path, input).with_context(|| format!("cannot write {}", path.display()))?;
            println!("  {what}\n    {}", path.display());
            sound = false;
            Ok(())
        };
        for (place, (message, input)) in &report.failures {
            let short: String = message.chars().take(300).collect();
            keep(&format!("{place}: {short}"), input)?;
        }
        if *took > SLOW {
            keep("slow", slowest)?;
        }
    }
    Ok(sound)
}
