//! The command line: parse, dispatch, turn failures into exit codes.

pub mod bench;
pub mod classify;
pub mod columns;
pub mod eval;
pub mod load;
pub mod model;
pub mod render;
pub mod serve;
pub mod token;
pub mod train;

use clap::{Parser, Subcommand};
use std::process::ExitCode;

/// Language, noise, topic and spam of articles
#[derive(Debug, Parser)]
#[command(name = "glotsift", version, arg_required_else_help = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

// One value a process: boxing the largest would buy nothing.
#[allow(clippy::large_enum_variant)]
#[derive(Debug, Subcommand)]
#[expect(clippy::large_enum_variant, reason = "there is one, once")]
enum Command {
    /// Serve over gRPC, on the built-in model unless told otherwise
    Serve(serve::ServeArgs),
    /// Make a token for a client of the service
    Token(token::TokenArgs),
    /// Classify files or standard input, without a server
    Classify(classify::ClassifyArgs),
    /// Send articles to a server and measure how it answers
    Bench(bench::BenchArgs),
    /// Score a model on labelled data
    Eval(eval::EvalArgs),
    /// Train one task on labelled data and write a bundle
    Train(train::TrainArgs),
    /// Show what is in a bundle, or check that it is whole
    Model(model::ModelArgs),
}

/// Why a subcommand did not succeed; the variant decides the exit code.
#[derive(Debug)]
pub enum Failure {
    /// The arguments, the configuration or a named model were wrong: exit 2.
    Usage(anyhow::Error),
    /// The work itself failed: exit 1.
    Work(anyhow::Error),
}

impl From<anyhow::Error> for Failure {
    fn from(error: anyhow::Error) -> Self {
        Self::Work(error)
    }
}

/// Runs the process's command line.
pub fn run() -> ExitCode {
    let done = match Cli::parse().command {
        Command::Serve(args) => serve::run(args),
        Command::Token(args) => token::run(args),
        Command::Classify(args) => classify::run(args),
        Command::Bench(args) => bench::run(args),
        Command::Eval(args) => eval::run(args),
        Command::Train(args) => train::run(args),
        Command::Model(args) => model::run(args),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(Failure::Work(error)) => failed(&error, 1),
        Err(Failure::Usage(error)) => failed(&error, 2),
    }
}

fn failed(error: &anyhow::Error, code: u8) -> ExitCode {
    eprintln!("error: {}", format!("{error:#}").replace('\n', " "));
    ExitCode::from(code)
}
