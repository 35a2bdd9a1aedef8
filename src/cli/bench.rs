//! `glotsift bench`: load on a server, and what became of it.

pub mod arrivals;
pub mod cpu;
pub mod load;
pub mod prose;
pub mod record;
pub mod report;
pub mod texts;
pub mod units;

use super::Failure;
use crate::config::DEFAULT_LISTEN;
use crate::rpc::client::{Connection, Lane, Target};
use crate::shutdown::Shutdown;
use anyhow::{Context, anyhow};
use arrivals::{Arrivals, Schedule};
use load::{Lanes, Plan};
use report::{Report, Setup};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;
use texts::{Mode, Text};
use tonic::Code;

/// Send articles to a server and measure how it answers.
///
/// Calls are due at a fixed rate, whatever becomes of those before (an open loop), and a latency runs from when the call
/// was due: a server that stalls cannot hide it by keeping its callers from calling.
#[derive(Debug, Clone, clap::Args)]
pub struct BenchArgs {
    /// Articles to send, of any format that train reads, such as JSON Lines with a `text`; - is standard input.
    /// Without, texts in thirty languages are made up
    #[arg(value_name = "FILE")]
    files: Vec<PathBuf>,
    /// The server
    #[arg(long, value_name = "HOST:PORT", default_value = DEFAULT_LISTEN)]
    address: String,
    /// Calls due per second; 0 is --closed
    #[arg(long, value_name = "N", value_parser = units::rate, default_value = "50")]
    rate: f64,
    /// Closed loop: always --concurrency calls in flight, for the most that a server can do. Its latencies leave out
    /// what a caller who does not wait would have seen
    #[arg(long, conflicts_with = "rate")]
    closed: bool,
    /// When calls are due
    #[arg(long, value_enum, default_value_t = Arrivals::Constant)]
    arrivals: Arrivals,
    /// Of Poisson arrivals and of the texts made up
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// Most calls in flight; further ones wait, and that counts in their latency
    #[arg(long, value_name = "N", default_value_t = 128, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    concurrency: u32,
    /// How articles travel
    #[arg(long, value_enum, default_value_t = Mode::Unary)]
    mode: Mode,
    /// Articles of a call with --mode batch
    #[arg(long, value_name = "N", default_value_t = 64, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    batch: u32,
    /// HTTP/2 connections, which take calls in turn
    #[arg(long, value_name = "N", default_value_t = 4, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    connections: u32,
    /// Calls due in this time first are made but not measured
    #[arg(long, value_name = "TIME", value_parser = units::duration, default_value = "2s")]
    warm_up: Duration,
    /// How long to measure
    #[arg(long, value_name = "TIME", value_parser = units::some_time, default_value = "10s")]
    duration: Duration,
    /// How long to wait then for answers; a call without any counts as an error
    #[arg(long, value_name = "TIME", value_parser = units::duration, default_value = "10s")]
    drain: Duration,
    /// Deadline of each call from when it is sent, told to the server; none when left out
    #[arg(long, value_name = "TIME", value_parser = units::some_time)]
    deadline: Option<Duration>,
    /// Bytes of each text made up, such as 300, 3KB or 1MiB
    #[arg(long, value_name = "SIZE", value_parser = units::size, default_value = "3KB", conflicts_with = "files")]
    size: usize,
    /// Articles of the files to use; further ones are not read
    #[arg(long, value_name = "N", default_value_t = 10_000, value_parser = clap::value_parser!(u32).range(1..))]
    max_texts: u32,
    /// Certificates, PEM, of which one must have signed the server's; plain text without
    #[arg(long, value_name = "FILE")]
    tls_ca: Option<PathBuf>,
    /// A file with the token that `glotsift token` printed
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,
    /// The server's process on this machine, to report the CPU it takes (Linux)
    #[arg(long, value_name = "PID")]
    server_pid: Option<u32>,
    /// A table for people or one JSON object for scripts
    #[arg(long, value_enum, default_value_t = OutputFormat::Table)]
    format: OutputFormat,
    /// Exit with 1 when more than this share of the articles was not classified, such as 0.01
    #[arg(long, value_name = "SHARE", value_parser = units::share)]
    max_error_share: Option<f64>,
    /// Exit with 1 when the 99th percentile of all latencies is above this
    #[arg(long, value_name = "TIME", value_parser = units::some_time)]
    max_p99: Option<Duration>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum OutputFormat {
    Table,
    Json,
}

pub fn run(args: BenchArgs) -> Result<(), Failure> {
    let target = target(&args)?;
    if let Some(pid) = args.server_pid.filter(|pid| cpu::of(*pid).is_none()) {
        let expected = "expected a process of this machine, on Linux";
        return Err(Failure::Usage(anyhow!("server-pid is \"{pid}\", {expected}")));
    }
    let texts = match args.files.as_slice() {
        [] => texts::made_up(args.size, args.seed),
        files => texts::read(files, args.max_texts as usize, &mut io::stderr())?,
    };
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .context("cannot start the runtime")?;
    let report = runtime.block_on(bench(&args, &target, &texts));
    runtime.shutdown_background();
    let report = report?;
    for warning in report.warnings() {
        eprintln!("warning: {warning}");
    }
    let out = match args.format {
        OutputFormat::Table => report.page(),
        OutputFormat::Json => report.json().context("cannot write the report")?,
    };
    match io::stdout().lock().write_all(out.as_bytes()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            return Err(Failure::Work(anyhow!(error).context("cannot write")));
        }
        _ => {}
    }
    let max_p99_ms = args.max_p99.map(|time| time.as_secs_f64() * 1e3);
    match report.missed(args.max_error_share, max_p99_ms).as_slice() {
        [] => Ok(()),
        missed => Err(Failure::Work(anyhow!("{}", missed.join("; ")))),
    }
}

fn target(args: &BenchArgs) -> Result<Target, Failure> {
    let read = |path: &Path| {
        std::fs::read(path).with_context(|| format!("cannot read {}", path.display())).map_err(Failure::Usage)
    };
    let authorities = args.tls_ca.as_deref().map(read).transpose()?;
    let token = args.token_file.as_deref().map(read).transpose()?;
    let token = token.map(|token| String::from_utf8_lossy(&token).into_owned());
    Target::new(&args.address, authorities.as_deref(), token.as_deref())
        .map_err(|error| Failure::Usage(error.into()))
}

async fn bench(args: &BenchArgs, target: &Target, texts: &[Text]) -> anyhow::Result<Report> {
    let requests = texts::prepare(texts, args.mode, args.batch as usize)?;
    let articles = requests.iter().map(|request| request.articles).sum::<u64>();
    let text_bytes = requests.iter().map(|request| request.text_bytes).sum::<u64>();
    let cannot_connect = |error: tonic::transport::Error| {
        // The layers between say no more than that they failed.
        anyhow!("cannot connect to {}: {}", args.address, anyhow::Error::from(error).root_cause())
    };
    let mut connections = Vec::new();
    for _ in 0..args.connections {
        connections.push(target.connect().await.map_err(cannot_connect)?);
    }
    let model_version = model_version(&connections[0], &args.address).await?;
    let shutdown = Shutdown::on_signals().context("cannot listen for signals")?;
    let schedule =
        (!args.closed && args.rate > 0.0).then(|| Schedule::new(args.arrivals, args.rate, args.seed));
    let setup = Setup {
        address: args.address.clone(),
        model_version,
        mode: args.mode.as_str(),
        kind: if schedule.is_some() { "open" } else { "closed" },
        arrivals: schedule.is_some().then(|| args.arrivals.as_str()),
        rate_calls_per_s: schedule.is_some().then_some(args.rate),
        concurrency: args.concurrency as usize,
        connections: connections.len(),
        batch: if args.mode == Mode::Batch { args.batch as usize } else { 1 },
        texts: texts.len(),
        text_bytes_mean: text_bytes as f64 / articles as f64,
        warm_up_s: args.warm_up.as_secs_f64(),
        duration_s: args.duration.as_secs_f64(),
        deadline_ms: args.deadline.map(|time| time.as_secs_f64() * 1e3),
    };
    let plan = Plan {
        lanes: match args.mode {
            Mode::Unary => Lanes::Unary(connections),
            Mode::Batch => Lanes::Batch(connections),
            Mode::Stream => Lanes::Stream(connections.into_iter().map(Lane::new).collect()),
        },
        requests,
        schedule,
        concurrency: args.concurrency as usize,
        warm_up: args.warm_up,
        duration: args.duration,
        drain: args.drain,
        deadline: args.deadline,
        server: args.server_pid,
    };
    let measured = load::run(plan, &shutdown).await?;
    let cpus = std::thread::available_parallelism().map_or(1, usize::from);
    Report::new(setup, &measured, cpus).context("nothing was measured: no call was due in that time")
}

/// A call before all others: what is no server of ours, or does not let us in, is told before any load.
async fn model_version(connection: &Connection, address: &str) -> anyhow::Result<String> {
    match connection.model_version().await {
        Ok(version) => Ok(version),
        // Somebody else loads it already; that is no reason not to measure.
        Err(status) if status.code() == Code::ResourceExhausted => Ok("model not told".to_owned()),
        Err(status) => Err(anyhow!("{address} does not answer as a glotsift server: {status}")),
    }
}
