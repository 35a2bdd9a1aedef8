//! The result as a page for people and as JSON for scripts.

use super::load::Measured;
use super::record::Summary;
use crate::cli::columns::{Align, Table};
use crate::cli::render::grouped;
use serde::Serialize;
use std::collections::BTreeMap;
use std::fmt::Write;

/// Calls that begin later than this say more of the generator than of the server. A busy machine's scheduler may take
/// some milliseconds; ten are beyond that.
const LAG_MS: f64 = 10.0;
/// Of all CPUs. A generator that takes more has little left to be on time with.
const OWN_SHARE: f64 = 0.8;

const CLOSED: &str = "callers who wait send less while the server is slow: slow moments count too little";

/// What was asked for.
#[derive(Clone, Debug, Serialize)]
pub struct Setup {
    pub address: String,
    pub model_version: String,
    pub mode: &'static str,
    /// `open` or `closed`.
    #[serde(rename = "loop")]
    pub kind: &'static str,
    /// Of an open loop.
    pub arrivals: Option<&'static str>,
    pub rate_calls_per_s: Option<f64>,
    pub concurrency: usize,
    pub connections: usize,
    /// Articles of a call.
    pub batch: usize,
    /// Texts that differ.
    pub texts: usize,
    pub text_bytes_mean: f64,
    pub warm_up_s: f64,
    pub duration_s: f64,
    pub deadline_ms: Option<f64>,
}

#[derive(Debug, Serialize)]
pub struct Report {
    #[serde(flatten)]
    setup: Setup,
    measured_s: f64,
    interrupted: bool,
    calls: u64,
    articles: u64,
    articles_ok: u64,
    errors: u64,
    error_share: f64,
    unfinished_calls: u64,
    late_calls: u64,
    calls_by_code: BTreeMap<String, u64>,
    article_errors_by_code: BTreeMap<String, u64>,
    throughput: Throughput,
    latency_ms: Summary,
    latency_ok_ms: Option<Summary>,
    /// Of an open loop.
    scheduling_lag_ms: Option<Summary>,
    generator: Cpu,
    server: Option<Cpu>,
    warnings: Vec<String>,
}

#[derive(Debug, Serialize)]
struct Throughput {
    /// That ended with OK.
    calls_per_s: f64,
    /// That were classified.
    articles_per_s: f64,
    megabytes_per_s: f64,
}

#[derive(Debug, Serialize)]
struct Cpu {
    cpu_s: f64,
    /// Kept busy on average.
    cpus: f64,
    /// Of the server alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    cpu_ms_per_article: Option<f64>,
}

impl Report {
    /// `None` when there was nothing to measure. `cpus` is what this machine has.
    pub fn new(setup: Setup, measured: &Measured, cpus: usize) -> Option<Self> {
        let record = &measured.record;
        let latency_ms = record.latency.summary()?;
        let seconds = measured.seconds.max(1e-9);
        let articles_ok = record.articles_ok;
        let cpu = |cpu_s: f64| Cpu { cpu_s, cpus: cpu_s / seconds, cpu_ms_per_article: None };
        let server = |cpu_s: f64| Cpu {
            cpu_ms_per_article: (articles_ok > 0).then(|| cpu_s * 1e3 / articles_ok as f64),
            ..cpu(cpu_s)
        };
        let scheduling_lag_ms = record.lag.summary().filter(|_| setup.kind == "open");
        let generator = cpu(measured.own_cpu);
        let mut warnings = Vec::new();
        if let Some(lag) = scheduling_lag_ms.filter(|lag| lag.p99 > LAG_MS) {
            warnings.push(format!(
                "the generator itself fell behind: one call in a hundred began {:.1} ms or more after it was due, and \
                 that is in the latencies",
                lag.p99
            ));
        }
        if generator.cpus > OWN_SHARE * cpus as f64 {
            warnings.push(format!(
                "the generator took {:.2} of {cpus} CPUs: it may be what is measured",
                generator.cpus
            ));
        }
        if measured.interrupted {
            warnings.push(format!("interrupted after {:.1} s", measured.seconds));
        }
        Some(Self {
            measured_s: measured.seconds,
            interrupted: measured.interrupted,
            calls: record.calls,
            articles: record.articles,
            articles_ok,
            errors: record.errors(),
            error_share: record.error_share(),
            unfinished_calls: record.unfinished,
            late_calls: record.late,
            calls_by_code: record.codes.clone(),
            article_errors_by_code: record.item_codes.clone(),
            throughput: Throughput {
                calls_per_s: record.codes.get("OK").copied().unwrap_or_default() as f64 / seconds,
                articles_per_s: articles_ok as f64 / seconds,
                megabytes_per_s: record.text_bytes_ok / 1e6 / seconds,
            },
            latency_ms,
            latency_ok_ms: record.latency_ok.summary(),
            scheduling_lag_ms,
            generator,
            server: measured.server_cpu.map(server),
            warnings,
            setup,
        })
    }

    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }

    /// What was to be held and was not: the share of articles without a classification, the 99th percentile of all
    /// calls' latencies.
    pub fn missed(&self, max_error_share: Option<f64>, max_p99_ms: Option<f64>) -> Vec<String> {
        let mut missed = Vec::new();
        if let Some(max) = max_error_share.filter(|max| self.error_share > *max) {
            missed.push(format!("error share is {:.4}, expected at most {max}", self.error_share));
        }
        if let Some(max) = max_p99_ms.filter(|max| self.latency_ms.p99 > *max) {
            missed.push(format!("p99 is {:.1} ms, expected at most {max} ms", self.latency_ms.p99));
        }
        missed
    }

    /// One line.
    pub fn json(&self) -> serde_json::Result<String> {
        Ok(serde_json::to_string(self)? + "\n")
    }

    pub fn page(&self) -> String {
        let setup = &self.setup;
        let mut out = String::new();
        let mut line = |name: &str, value: String| {
            let _ = writeln!(out, "  {name:<11} {value}");
        };
        let plural = |n: usize, what: &str| format!("{} {what}{}", grouped(n), if n == 1 { "" } else { "s" });
        line("server", format!("{}, {}", setup.address, setup.model_version));
        let pacing = match (setup.rate_calls_per_s, setup.arrivals) {
            (Some(rate), Some(arrivals)) => {
                format!(
                    "open loop, {rate} calls/s, {arrivals} arrivals, at most {} in flight",
                    setup.concurrency
                )
            }
            _ => format!("closed loop, {} in flight", setup.concurrency),
        };
        let mode = match setup.mode {
            "batch" => format!("batches of {}", setup.batch),
            mode => mode.to_owned(),
        };
        let deadline = setup.deadline_ms.map(|ms| format!(", deadline {ms} ms")).unwrap_or_default();
        line("load", format!("{mode} on {}; {pacing}{deadline}", plural(setup.connections, "connection")));
        let bytes = grouped(setup.text_bytes_mean.round() as usize);
        line("texts", format!("{} of {bytes} bytes", grouped(setup.texts)));
        let count = |n: u64| grouped(usize::try_from(n).unwrap_or(usize::MAX));
        line(
            "measured",
            format!(
                "{:.1} s after {:.1} s of warm-up: {} calls, {} articles",
                self.measured_s,
                setup.warm_up_s,
                count(self.calls),
                count(self.articles)
            ),
        );
        line(
            "throughput",
            format!(
                "{:.1} calls/s, {:.1} articles/s, {:.3} MB/s",
                self.throughput.calls_per_s, self.throughput.articles_per_s, self.throughput.megabytes_per_s
            ),
        );
        let codes = |codes: &BTreeMap<String, u64>| {
            codes.iter().map(|(code, n)| format!("{code} {}", count(*n))).collect::<Vec<_>>()
        };
        let mut ends = codes(&self.calls_by_code);
        if self.unfinished_calls > 0 {
            ends.push(format!("without an answer {}", count(self.unfinished_calls)));
        }
        line("calls", ends.join(", "));
        let mut errors = format!("{} articles, {:.2}%", count(self.errors), self.error_share * 100.0);
        if !self.article_errors_by_code.is_empty() {
            let _ = write!(errors, "; inside batches {}", codes(&self.article_errors_by_code).join(", "));
        }
        line("errors", errors);
        if setup.kind == "open" {
            line("late", format!("{} calls had to wait for a place in flight", count(self.late_calls)));
        }
        if setup.kind == "closed" {
            line("note", CLOSED.to_owned());
        }
        line("generator", cpu(&self.generator));
        if let Some(server) = &self.server {
            line("server CPU", cpu(server));
        }
        out.push('\n');
        self.times().print().lines().for_each(|row| {
            let _ = writeln!(out, "  {row}");
        });
        out
    }

    fn times(&self) -> Table {
        let columns = ["milliseconds", "p50", "p90", "p99", "p99.9", "max", "mean"];
        let columns = columns.map(|name| (name, if name.len() > 5 { Align::Left } else { Align::Right }));
        let mut table = Table::new(&columns);
        let mut row = |name: &str, times: &Summary| {
            let Summary { p50, p90, p99, p99_9, max, mean } = *times;
            let cells = [p50, p90, p99, p99_9, max, mean].map(|ms| format!("{ms:.2}"));
            table.row(std::iter::once(name.to_owned()).chain(cells));
        };
        let closed = self.setup.kind == "closed";
        row(if closed { "closed-loop latency" } else { "latency" }, &self.latency_ms);
        if let Some(ok) = self.latency_ok_ms.filter(|ok| *ok != self.latency_ms) {
            row("of calls that were OK", &ok);
        }
        if let Some(lag) = &self.scheduling_lag_ms {
            row("scheduling lag", lag);
        }
        table
    }
}

fn cpu(cpu: &Cpu) -> String {
    let each = cpu.cpu_ms_per_article.map(|ms| format!(", {ms:.3} ms per article")).unwrap_or_default();
    format!("{:.2} CPUs busy{each}", cpu.cpus)
}
