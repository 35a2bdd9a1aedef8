//! What a call costs the server beside one that does nothing: `cargo run --release --example wire -- [--rounds N]
//! [--seconds S]`, five rounds of two seconds each when left out.
//!
//! A server that answers every call of our contract with an empty message, and the real one, each in a process of its
//! own, are asked in turn by `glotsift bench` with 64 calls in flight; of each the least CPU time per article over
//! the rounds counts. Then how soon a server is SERVING, and the memory it took. Status 1 when a bar is missed.

// A figure that cannot be measured is a failure of the run.
#![allow(clippy::unwrap_used)]

use glotsift::rpc::pb;
use glotsift::rpc::pb::classifier_service_server::{ClassifierService, ClassifierServiceServer};
use std::io::{BufRead, BufReader};
use std::pin::Pin;
use std::process::{Child, Command, ExitCode, Stdio};
use std::time::{Duration, Instant};
use tokio::net::TcpListener;
use tonic::codegen::tokio_stream::wrappers::TcpListenerStream;
use tonic::codegen::tokio_stream::{Stream, StreamExt};
use tonic::transport::Endpoint;
use tonic::{Request, Response, Status, Streaming};
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;

/// Server CPU of an article over that of an empty answer, at most, by bytes of text.
const BARS: [(&str, f64); 3] = [("300", 2.5), ("3KB", 4.0), ("30KB", 6.0)];
/// Articles per second of CPU in batches and in streams over those of single calls, at least.
const TOGETHER: f64 = 1.1;
/// CPUs a server of two keeps busy under load, at least.
const BUSY: f64 = 1.5;
/// From the start of a process until its health is SERVING, at most; starts that are tried.
const SERVING_MS: f64 = 150.0;
const STARTS: usize = 5;
/// Memory of the server's own after all that, beside the program file and the model in it, at most.
const OWN_MIB: f64 = 40.0;

struct Echo;

#[tonic::async_trait]
impl ClassifierService for Echo {
    async fn classify_article(
        &self,
        _: Request<pb::ClassifyArticleRequest>,
    ) -> Result<Response<pb::ClassifyArticleResponse>, Status> {
        Ok(Response::new(Default::default()))
    }

    async fn batch_classify_articles(
        &self,
        request: Request<pb::BatchClassifyArticlesRequest>,
    ) -> Result<Response<pb::BatchClassifyArticlesResponse>, Status> {
        let result = |_| pb::BatchClassifyResult {
            result: Some(pb::batch_classify_result::Result::Response(pb::ClassifyArticleResponse::default())),
        };
        let results = request.into_inner().articles.iter().map(result).collect();
        Ok(Response::new(pb::BatchClassifyArticlesResponse { results }))
    }

    type StreamClassifyArticlesStream =
        Pin<Box<dyn Stream<Item = Result<pb::StreamClassifyArticlesResponse, Status>> + Send>>;

    async fn stream_classify_articles(
        &self,
        request: Request<Streaming<pb::StreamClassifyArticlesRequest>>,
    ) -> Result<Response<Self::StreamClassifyArticlesStream>, Status> {
        let answers = request.into_inner().map(|item| {
            item.map(|item| pb::StreamClassifyArticlesResponse {
                request_id: item.request_id,
                result: Some(pb::stream_classify_articles_response::Result::Response(
                    pb::ClassifyArticleResponse::default(),
                )),
            })
        });
        Ok(Response::new(Box::pin(answers)))
    }

    async fn detect_language(
        &self,
        _: Request<pb::DetectLanguageRequest>,
    ) -> Result<Response<pb::DetectLanguageResponse>, Status> {
        Ok(Response::new(Default::default()))
    }

    async fn get_server_info(
        &self,
        _: Request<pb::GetServerInfoRequest>,
    ) -> Result<Response<pb::GetServerInfoResponse>, Status> {
        Ok(Response::new(Default::default()))
    }
}

fn echo() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        eprintln!("listening on {}", listener.local_addr().unwrap());
        let service = ClassifierServiceServer::new(Echo).max_decoding_message_size(16 << 20);
        let server = tonic::transport::Server::builder().add_service(service);
        server.serve_with_incoming(TcpListenerStream::new(listener)).await.unwrap();
    });
}

/// A server in a process of its own, this program again.
struct Server {
    child: Child,
    address: String,
}

impl Server {
    fn start(args: &[&str]) -> Self {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(args)
            .stdin(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut log = BufReader::new(child.stderr.take().unwrap()).lines();
        let address = log
            .by_ref()
            .map(Result::unwrap)
            .find_map(|line| {
                let address = line.split_once("listening on ")?.1;
                Some(address.split(|c: char| !c.is_ascii_digit() && !".:".contains(c)).next()?.to_string())
            })
            .expect("the server ended at once");
        // Its log must be read, or it would wait to write.
        std::thread::spawn(move || log.for_each(drop));
        Self { child, address }
    }

    /// Milliseconds of server CPU for an article, and CPUs kept busy.
    fn measure(&self, seconds: &str, args: &[&str]) -> (f64, f64) {
        let pid = self.child.id().to_string();
        let done = Command::new(std::env::current_exe().unwrap())
            .args(["bench", "--closed", "--format", "json", "--warm-up", "500ms"])
            .args(["--address", &self.address, "--server-pid", &pid, "--duration", seconds])
            .args(args)
            .stderr(Stdio::inherit())
            .output()
            .unwrap();
        assert!(done.status.success(), "bench ended with {}", done.status);
        let report: serde_json::Value = serde_json::from_slice(&done.stdout).unwrap();
        assert_eq!(report["errors"], 0, "{report}");
        let server = |key: &str| report["server"][key].as_f64().unwrap();
        (server("cpu_ms_per_article"), server("cpus"))
    }

    /// Memory that no file stands behind.
    fn own_mib(&self) -> f64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let kib = status.lines().find_map(|line| line.strip_prefix("RssAnon:")).expect("a Linux kernel");
        kib.trim().trim_end_matches(" kB").parse::<f64>().unwrap() / 1024.0
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Milliseconds until a server is SERVING, the least of some starts.
fn serving_after() -> f64 {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let start = |_| {
        let begun = Instant::now();
        let server = Server::start(&["serve", "--listen", "127.0.0.1:0"]);
        runtime.block_on(async {
            let channel = Endpoint::from_shared(format!("http://{}", server.address)).unwrap();
            let mut health = HealthClient::new(channel.connect().await.unwrap());
            while health.check(HealthCheckRequest::default()).await.unwrap().into_inner().status()
                != ServingStatus::Serving
            {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        });
        begun.elapsed().as_secs_f64() * 1e3
    };
    (0..STARTS).map(start).fold(f64::INFINITY, f64::min)
}

/// The number after an option.
fn number(args: &[String], option: &str, default: u32) -> u32 {
    let after = args.iter().skip_while(|arg| *arg != option).nth(1);
    after.map_or(default, |n| n.parse().unwrap_or_else(|_| panic!("{option} {n}: expected a whole number")))
}

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    match args.first().map(String::as_str) {
        Some("echo") => {
            echo();
            return ExitCode::SUCCESS;
        }
        Some("serve" | "bench") => return glotsift::cli::run(),
        _ => {}
    }
    let rounds = number(&args, "--rounds", 5);
    let seconds = format!("{}s", number(&args, "--seconds", 2));
    let echo = Server::start(&["echo"]);
    let ours = Server::start(&["serve", "--listen", "127.0.0.1:0"]);
    let mut ways: Vec<(String, Vec<&str>)> = BARS
        .iter()
        .map(|(size, _)| (format!("unary, {size}"), vec!["--size", *size, "--concurrency", "64"]))
        .collect();
    ways.push(("batch of 64, 3KB".into(), vec!["--size", "3KB", "--mode", "batch", "--concurrency", "4"]));
    ways.push(("stream, 3KB".into(), vec!["--size", "3KB", "--mode", "stream", "--concurrency", "64"]));
    let mut least = vec![[f64::INFINITY; 2]; ways.len()];
    let mut busy = vec![0.0_f64; ways.len()];
    for _ in 0..rounds {
        for (way, (_, args)) in ways.iter().enumerate() {
            for (which, server) in [&echo, &ours].into_iter().enumerate() {
                let (ms, cpus) = server.measure(&seconds, args);
                least[way][which] = least[way][which].min(ms);
                if which == 1 {
                    busy[way] = busy[way].max(cpus);
                }
            }
        }
    }
    println!("CPU of the server per article, the least of {rounds} rounds of {seconds}, 64 in flight\n");
    println!(
        "| | empty answer, µs | glotsift, µs | ratio | bar | CPUs busy | |\n| --- | ---: | ---: | ---: | ---: | ---: | --- |"
    );
    let single = least[1][1];
    let mut missed = 0;
    for (way, (name, _)) in ways.iter().enumerate() {
        let [empty, full] = least[way].map(|ms| ms * 1e3);
        let (ratio, bar, pass) = match BARS.get(way) {
            Some((_, most)) => (full / empty, format!("≤ {most}"), full / empty <= *most),
            None => {
                let ratio = single / least[way][1];
                (ratio, format!("≥ {TOGETHER} articles of unary"), ratio >= TOGETHER && busy[way] >= BUSY)
            }
        };
        missed += u32::from(!pass);
        let verdict = if pass { "pass" } else { "short" };
        println!("| {name} | {empty:.0} | {full:.0} | {ratio:.2} | {bar} | {:.2} | {verdict} |", busy[way]);
    }
    println!("\n| | got | bar | |\n| --- | ---: | ---: | --- |");
    for (name, got, most) in [
        ("start to SERVING, ms", serving_after(), SERVING_MS),
        ("memory beyond the program and its model after that load, MiB", ours.own_mib(), OWN_MIB),
    ] {
        missed += u32::from(got > most);
        println!("| {name} | {got:.1} | ≤ {most} | {} |", if got <= most { "pass" } else { "short" });
    }
    ExitCode::from(u8::from(missed > 0))
}
