use crate::support::{PATIENCE, TestServer};
use crate::tls::Authority;
use glotsift::rpc::auth::{Role, new_token};
use glotsift::rpc::server::ServeConfig;
use glotsift::rpc::{TlsFiles, pb};
use pb::classifier_service_server::{ClassifierService, ClassifierServiceServer};
use serde_json::Value;
use std::net::SocketAddr;
use std::process::{Command, Output, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};
use tokio::net::TcpListener;
use tokio_stream::wrappers::TcpListenerStream;
use tonic::{Request, Response, Status, Streaming};

fn command(address: &str, line: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_glotsift"));
    command.args(["bench", "--address", address, "--format", "json"]);
    if !line.contains("--warm-up") {
        command.args(["--warm-up", "100ms"]);
    }
    command.args(line.split_whitespace());
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// Runs to the end: exit code, standard output, standard error.
async fn ends(mut command: Command) -> (i32, String, String) {
    let Output { status, stdout, stderr } =
        tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
    (status.code().unwrap(), String::from_utf8(stdout).unwrap(), String::from_utf8(stderr).unwrap())
}

/// The report of a run that must end with 0.
async fn report(address: SocketAddr, line: &str) -> Value {
    let (code, stdout, stderr) = ends(command(&address.to_string(), line)).await;
    assert_eq!(code, 0, "{stderr}");
    parsed(&stdout)
}

#[track_caller]
fn parsed(stdout: &str) -> Value {
    let report: Value = serde_json::from_str(stdout).unwrap();
    let times = &report["latency_ms"];
    let ordered = ["p50", "p90", "p99", "p99_9", "max"].map(|name| times[name].as_f64().unwrap());
    assert!(ordered.is_sorted() && ordered[0] > 0.0, "{times}");
    report
}

/// What a server does to calls of `ClassifyArticle`.
#[derive(Clone, Copy)]
enum Fault {
    None,
    /// Answers none for 300 ms, once, half a second after the first call.
    Stall,
    /// Refuses every second.
    Refuse,
    Silent,
}

struct Stub {
    fault: Fault,
    first: OnceLock<Instant>,
    calls: Arc<AtomicUsize>,
}

/// A server that does nothing but answer; its address and how many calls it has had.
async fn stub(fault: Fault) -> (SocketAddr, Arc<AtomicUsize>) {
    let calls = Arc::new(AtomicUsize::new(0));
    let service = Stub { fault, first: OnceLock::new(), calls: calls.clone() };
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let server = tonic::transport::Server::builder().add_service(ClassifierServiceServer::new(service));
    tokio::spawn(server.serve_with_incoming(TcpListenerStream::new(listener)));
    (address, calls)
}

#[tonic::async_trait]
impl ClassifierService for Stub {
    async fn classify_article(
        &self,
        _: Request<pb::ClassifyArticleRequest>,
    ) -> Result<Response<pb::ClassifyArticleResponse>, Status> {
        let n = self.calls.fetch_add(1, Ordering::Relaxed);
        let since = self.first.get_or_init(Instant::now).elapsed();
        match self.fault {
            Fault::Stall => {
                let (from, until) = (Duration::from_millis(500), Duration::from_millis(800));
                if (from..until).contains(&since) {
                    tokio::time::sleep(until - since).await;
                }
            }
            Fault::Refuse if n % 2 == 1 => return Err(Status::resource_exhausted("no")),
            Fault::Silent => std::future::pending().await,
            Fault::Refuse | Fault::None => {}
        }
        Ok(Response::new(pb::ClassifyArticleResponse::default()))
    }

    async fn batch_classify_articles(
        &self,
        request: Request<pb::BatchClassifyArticlesRequest>,
    ) -> Result<Response<pb::BatchClassifyArticlesResponse>, Status> {
        use pb::batch_classify_result::Result as Item;
        let item = |n| match n {
            0 => Item::Error(pb::ItemError { code: 3, ..Default::default() }),
            _ => Item::Response(pb::ClassifyArticleResponse::default()),
        };
        let articles = 0..request.into_inner().articles.len();
        let results = articles.map(|n| pb::BatchClassifyResult { result: Some(item(n)) }).collect();
        Ok(Response::new(pb::BatchClassifyArticlesResponse { results }))
    }

    type StreamClassifyArticlesStream =
        tokio_stream::Iter<std::vec::IntoIter<Result<pb::StreamClassifyArticlesResponse, Status>>>;

    /// Answers three, the last one first, then ends.
    async fn stream_classify_articles(
        &self,
        request: Request<Streaming<pb::StreamClassifyArticlesRequest>>,
    ) -> Result<Response<Self::StreamClassifyArticlesStream>, Status> {
        use pb::stream_classify_articles_response::Result as Item;
        let (mut requests, mut replies) = (request.into_inner(), Vec::new());
        for _ in 0..3 {
            let Some(request) = requests.message().await? else { break };
            let result = Some(Item::Response(pb::ClassifyArticleResponse::default()));
            let request_id = request.request_id;
            replies.insert(0, Ok(pb::StreamClassifyArticlesResponse { request_id, result }));
        }
        Ok(Response::new(tokio_stream::iter(replies)))
    }

    async fn detect_language(
        &self,
        _: Request<pb::DetectLanguageRequest>,
    ) -> Result<Response<pb::DetectLanguageResponse>, Status> {
        Err(Status::unimplemented(""))
    }

    async fn get_server_info(
        &self,
        _: Request<pb::GetServerInfoRequest>,
    ) -> Result<Response<pb::GetServerInfoResponse>, Status> {
        Ok(Response::new(pb::GetServerInfoResponse { model_version: "stub@1".into(), ..Default::default() }))
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_mode_counts_its_articles() {
    let server = TestServer::start().await;
    let pid = std::process::id();
    for (mode, articles_per_call) in [("unary", 1), ("stream", 1), ("batch --batch 4", 4)] {
        let line = format!("--mode {mode} --rate 20 --duration 500ms --size 300 --server-pid {pid}");
        let report = report(server.address, &line).await;
        assert_eq!(report["calls"], 10, "{report}");
        assert_eq!(report["articles"], 10 * articles_per_call, "{report}");
        assert_eq!(report["articles_ok"], report["articles"], "{report}");
        assert_eq!((&report["errors"], &report["error_share"]), (&0.into(), &0.0.into()), "{report}");
        assert_eq!(report["calls_by_code"], serde_json::json!({ "OK": 10 }), "{report}");
        assert_eq!((&report["loop"], &report["interrupted"]), (&"open".into(), &false.into()), "{report}");
        let mean = report["text_bytes_mean"].as_f64().unwrap();
        assert!((297.0..=300.0).contains(&mean), "{report}");
        let (throughput, measured) = (&report["throughput"], report["measured_s"].as_f64().unwrap());
        let articles = throughput["articles_per_s"].as_f64().unwrap() * measured;
        assert!((articles - 10.0 * f64::from(articles_per_call)).abs() < 1e-6, "{report}");
        assert!(report["server"]["cpu_s"].is_f64() && report["generator"]["cpu_s"].as_f64() > Some(0.0));
        assert!(report["model_version"].as_str().unwrap().starts_with("default@"), "{report}");
    }
    server.stopped().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stall_shows_in_the_calls_that_were_due_in_it() {
    let (address, _) = stub(Fault::Stall).await;
    // With one call in flight only one of a hundred meets the stall itself; thirty are due in it.
    let report =
        report(address, "--rate 100 --duration 1s --warm-up 0s --concurrency 1 --connections 1").await;
    let ms = |name: &str| report["latency_ms"][name].as_f64().unwrap();
    assert!(ms("p99") >= 250.0, "{report}");
    assert!(ms("p90") >= 150.0 && ms("p50") < 250.0, "{report}");
    assert!(report["late_calls"].as_u64().unwrap() >= 20, "{report}");
    assert_eq!((&report["calls"], &report["errors"]), (&100.into(), &0.into()), "{report}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_closed_loop_says_so() {
    let (address, _) = stub(Fault::None).await;
    let closed = report(address, "--closed --concurrency 3 --duration 300ms").await;
    assert_eq!((&closed["loop"], &closed["rate_calls_per_s"]), (&"closed".into(), &Value::Null), "{closed}");
    assert!(closed["calls"].as_u64() > Some(3) && closed["late_calls"] == 0, "{closed}");
    let mut table = Command::new(env!("CARGO_BIN_EXE_glotsift"));
    table.args(["bench", "--rate", "0", "--warm-up", "0s", "--duration", "200ms", "--address"]);
    table.arg(address.to_string());
    let (code, stdout, stderr) = ends(table).await;
    assert_eq!(code, 0, "{stderr}");
    assert!(
        stdout.contains("closed loop, 128 in flight") && stdout.contains("closed-loop latency"),
        "{stdout}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn refusals_are_counted_by_code_and_fail_where_they_must_not_be() {
    let (address, _) = stub(Fault::Refuse).await;
    let line = "--rate 100 --arrivals poisson --seed 3 --duration 300ms";
    let refused = report(address, line).await;
    let codes = &refused["calls_by_code"];
    assert!(codes["OK"].as_u64() > Some(0) && codes["RESOURCE_EXHAUSTED"].as_u64() > Some(0), "{refused}");
    assert_eq!(refused["errors"], codes["RESOURCE_EXHAUSTED"], "{refused}");
    let gates = format!("{line} --max-error-share 0.1 --max-p99 10us");
    let (code, stdout, stderr) = ends(command(&address.to_string(), &gates)).await;
    assert_eq!(code, 1, "{stderr}");
    assert!(stderr.contains("error share is 0.") && stderr.contains("expected at most 0.01 ms"), "{stderr}");
    parsed(&stdout);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_article_that_failed_in_a_batch_and_a_stream_that_ended_do_not_end_the_run() {
    let (address, _) = stub(Fault::None).await;
    let batch = report(address, "--mode batch --batch 5 --rate 50 --duration 200ms").await;
    assert_eq!((&batch["calls"], &batch["errors"]), (&10.into(), &10.into()), "{batch}");
    assert_eq!(batch["article_errors_by_code"], serde_json::json!({ "INVALID_ARGUMENT": 10 }), "{batch}");
    let stream = report(
        address,
        "--mode stream --connections 1 --rate 100 --duration 300ms --warm-up 0s --deadline 2s",
    )
    .await;
    // What is sent while the stream ends is lost with it, the rest goes on a new one.
    assert_eq!(stream["calls"], 30, "{stream}");
    assert!(stream["articles_ok"].as_u64() >= Some(15), "{stream}");
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_without_an_answer_are_errors_that_took_at_least_so_long() {
    let (address, _) = stub(Fault::Silent).await;
    let silent = report(address, "--rate 50 --duration 200ms --drain 200ms --warm-up 0s").await;
    assert_eq!((&silent["unfinished_calls"], &silent["errors"]), (&10.into(), &10.into()), "{silent}");
    assert!(silent["latency_ms"]["max"].as_f64() >= Some(200.0), "{silent}");
    let late = report(address, "--rate 50 --duration 200ms --deadline 100ms --warm-up 0s").await;
    assert_eq!(late["calls_by_code"], serde_json::json!({ "DEADLINE_EXCEEDED": 10 }), "{late}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_interrupt_ends_it_with_what_was_measured() {
    let (address, calls) = stub(Fault::None).await;
    let child = command(&address.to_string(), "--rate 100 --duration 10m --warm-up 0s").spawn().unwrap();
    let begun = Instant::now();
    while calls.load(Ordering::Relaxed) < 5 {
        assert!(begun.elapsed() < PATIENCE);
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let sent = Command::new("kill").arg("-INT").arg(child.id().to_string()).status().unwrap();
    assert!(sent.success());
    let output = tokio::task::spawn_blocking(|| child.wait_with_output().unwrap()).await.unwrap();
    assert_eq!(output.status.code(), Some(0));
    let report = parsed(&String::from_utf8(output.stdout).unwrap());
    assert_eq!((&report["interrupted"], &report["errors"]), (&true.into(), &0.into()), "{report}");
    assert!(report["calls"].as_u64() >= Some(4) && report["measured_s"].as_f64() < Some(20.0), "{report}");
}

#[tokio::test(flavor = "multi_thread")]
async fn over_tls_with_a_token() {
    let (authority, dir) = (Authority::new(), tempfile::tempdir().unwrap());
    let pair = authority.sign();
    let (token, entry) = new_token("bench", &[Role::Classify]).unwrap();
    let path = |name: &str| dir.path().join(name);
    let secret = format!("{token}\n");
    for (name, content) in [
        ("cert.pem", &pair.cert),
        ("key.pem", &pair.key),
        ("ca.pem", &authority.cert),
        ("tokens.toml", &entry),
        ("token", &secret),
        ("other.pem", &Authority::new().cert),
    ] {
        std::fs::write(path(name), content).unwrap();
    }
    let tls = TlsFiles { cert: path("cert.pem"), key: path("key.pem"), client_ca: None };
    let tokens = Some(path("tokens.toml"));
    let server = TestServer::with(ServeConfig { tls: Some(tls), tokens, ..ServeConfig::default() }).await;
    let address = format!("localhost:{}", server.address.port());
    let with = |ca: &str, token: &str| {
        let mut command = command(&address, "--rate 20 --duration 200ms --size 300");
        command.arg("--tls-ca").arg(path(ca));
        if !token.is_empty() {
            command.arg("--token-file").arg(path(token));
        }
        command
    };
    let (code, stdout, stderr) = ends(with("ca.pem", "token")).await;
    assert_eq!((code, &parsed(&stdout)["errors"]), (0, &0.into()), "{stderr}");
    let (code, _, stderr) = ends(with("ca.pem", "")).await;
    assert_eq!(code, 1);
    assert!(stderr.contains("does not answer as a glotsift server"), "{stderr}");
    let (code, _, stderr) = ends(with("other.pem", "token")).await;
    assert!(code == 1 && stderr.contains("cannot connect to localhost:"), "{stderr}");
    assert!(!stderr.contains(&token));
}

#[tokio::test(flavor = "multi_thread")]
async fn who_cannot_be_reached_is_named() {
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    let begun = Instant::now();
    let (code, stdout, stderr) = ends(command(&closed, "--duration 1m")).await;
    assert_eq!((code, stdout.as_str()), (1, ""), "{stderr}");
    assert!(stderr.starts_with(&format!("error: cannot connect to {closed}: ")), "{stderr}");
    assert!(stderr.contains("refused") && begun.elapsed() < PATIENCE, "{stderr}");
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_arguments_exit_2_and_are_quoted() {
    for (line, expected) in [
        ("--rate x", "\"x\" is no rate, expected calls per second"),
        ("--duration 10", "\"10\" is no duration, expected such as 500ms, 10s or 2m"),
        ("--size 3GB", "\"3GB\" is no size, expected such as 300, 3KB or 1MiB"),
        ("--max-error-share 2", "\"2\" is no share"),
        ("--concurrency 0", "0 is not in 1..=1000000"),
        ("--closed --rate 5", "cannot be used with"),
        ("--address nowhere", "address is \"nowhere\", expected HOST:PORT"),
        ("--server-pid 4294967295", "server-pid is \"4294967295\", expected a process"),
        ("--tls-ca no-such-file", "cannot read no-such-file"),
    ] {
        let address = if line.starts_with("--address") { "" } else { "--address 127.0.0.1:1" };
        let mut command = Command::new(env!("CARGO_BIN_EXE_glotsift"));
        command.arg("bench").args(address.split_whitespace()).args(line.split_whitespace());
        let (code, stdout, stderr) = ends(command).await;
        assert_eq!((code, stdout.as_str()), (2, ""), "{line}: {stderr}");
        assert!(stderr.starts_with("error: ") && stderr.contains(expected), "{line}: {stderr}");
    }
}
