use crate::support::{PATIENCE, channel, request};
use glotsift::rpc::pb::classifier_service_client::ClassifierServiceClient;
use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::process::{Child, ChildStderr, Command, Stdio};
use std::time::{Duration, Instant};
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;

fn glotsift(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_glotsift"));
    command.args(args).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// Runs to the end; returns exit code and standard error. Standard output must stay empty.
#[track_caller]
fn ends(command: &mut Command) -> (i32, String) {
    let output = command.output().unwrap();
    assert!(output.stdout.is_empty(), "{}", String::from_utf8_lossy(&output.stdout));
    (output.status.code().unwrap(), String::from_utf8(output.stderr).unwrap())
}

/// A server in a process of its own; what its log says comes by `stderr`.
pub(crate) struct Running {
    pub(crate) child: Child,
    pub(crate) stderr: BufReader<ChildStderr>,
    pub(crate) address: SocketAddr,
}

impl Running {
    fn start(args: &[&str]) -> Self {
        Self::run(glotsift(&["serve", "--listen", "127.0.0.1:0"]).args(args))
    }

    pub(crate) fn run(command: &mut Command) -> Self {
        let mut child = command.spawn().unwrap();
        let mut stderr = BufReader::new(child.stderr.take().unwrap());
        let mut line = String::new();
        let address = loop {
            line.clear();
            assert_ne!(stderr.read_line(&mut line).unwrap(), 0, "no `listening on` line");
            if let Some((_, after)) = line.split_once("listening on ") {
                let end = after.find(|c: char| !c.is_ascii_digit() && !".:".contains(c)).unwrap();
                break after[..end].parse().unwrap();
            }
        };
        Self { child, stderr, address }
    }

    fn signal(&self) {
        let sent = Command::new("kill").arg("-TERM").arg(self.child.id().to_string()).status().unwrap();
        assert!(sent.success());
    }

    /// Exit code and the rest of the log.
    pub(crate) fn ended(mut self) -> (i32, String) {
        let deadline = Instant::now() + PATIENCE;
        while self.child.try_wait().unwrap().is_none() {
            if Instant::now() > deadline {
                self.child.kill().unwrap();
                panic!("the server did not end");
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        let mut log = String::new();
        self.stderr.read_to_string(&mut log).unwrap();
        (self.child.wait().unwrap().code().unwrap(), log)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn serves_without_configuration_and_ends_on_sigterm() {
    let server = Running::start(&[]);
    let channel = channel(server.address).await;
    let text = "Nobody outside this test has ever seen this sentence.";
    ClassifierServiceClient::new(channel.clone()).classify_article(request("", text)).await.unwrap();
    let mut watch =
        HealthClient::new(channel).watch(HealthCheckRequest::default()).await.unwrap().into_inner();
    let mut seen = vec![watch.message().await.unwrap().unwrap().status()];
    server.signal();
    while let Some(next) = watch.message().await.unwrap() {
        seen.push(next.status());
    }
    assert_eq!(seen.last(), Some(&ServingStatus::NotServing), "{seen:?}");
    let (code, log) = server.ended();
    assert_eq!(code, 0, "{log}");
    assert!(!log.contains("Nobody outside"), "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_signal_does_not_wait() {
    let server = Running::start(&["--drain-seconds", "60"]);
    let mut client = ClassifierServiceClient::new(channel(server.address).await);
    let _open = client.stream_classify_articles(tokio_stream::pending()).await.unwrap();
    server.signal();
    std::thread::sleep(Duration::from_millis(300));
    let begun = Instant::now();
    server.signal();
    let (code, log) = server.ended();
    assert_eq!(code, 1, "{log}");
    assert!(begun.elapsed() < Duration::from_secs(1), "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_are_logged_without_their_text() {
    let server = Running::start(&["--log-format", "json", "--log-level", "debug"]);
    let mut client = ClassifierServiceClient::new(channel(server.address).await);
    client.classify_article(request("", "An unmistakable sentence.")).await.unwrap();
    server.signal();
    let (_, log) = server.ended();
    let mut lines = log.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
    let call = lines.find(|line| line["message"] == "call").expect("a line for the call");
    assert_eq!(call["method"], "/glotsift.v1.ClassifierService/ClassifyArticle");
    assert_eq!(call["code"], "Ok");
    assert_eq!(call["text_bytes"], 25);
    assert!(call["request_id"].is_string() && call["latency_us"].is_u64());
    assert!(!log.contains("unmistakable"), "{log}");
}

#[test]
fn a_taken_port_is_one_clear_line() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let (code, stderr) = ends(&mut glotsift(&["serve", "--listen", &address]));
    assert_eq!(code, 1);
    let expected = format!("error: cannot listen on {address}: Address already in use (os error 98)\n");
    assert_eq!(stderr, expected);
}

#[test]
fn wrong_settings_exit_2_before_a_port_opens() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("glotsift.toml");
    std::fs::write(&file, "drain-seconds = 3\nlisten-on = \"x\"\n").unwrap();
    let file = file.to_str().unwrap();
    let missing = dir.path().join("nothing");
    for (args, expected) in [
        (&["serve", "--listen", "nowhere"][..], "listen is \"nowhere\", expected an IP address and port"),
        (&["serve", "--max-in-flight", "0"][..], "max-in-flight is \"0\", expected at least 1"),
        (&["serve", "--config", file][..], "glotsift.toml:2:1: unknown field `listen-on`"),
        (&["serve", "--models", missing.to_str().unwrap()][..], "nothing"),
        (&["serve", "--no-such-flag"][..], "--no-such-flag"),
        (&["serve", "--drain-seconds", "soon"][..], "soon"),
    ] {
        let (code, stderr) = ends(&mut glotsift(args));
        assert_eq!(code, 2, "{args:?}: {stderr}");
        assert!(stderr.starts_with("error: ") && stderr.contains(expected), "{args:?}: {stderr}");
    }
    let (code, stderr) = ends(glotsift(&["serve", "--check"]).env("GLOTSIFT_REFLECTION", "maybe"));
    assert_eq!(code, 2);
    assert!(stderr.contains("GLOTSIFT_REFLECTION is \"maybe\", expected true or false"), "{stderr}");
}

#[test]
fn check_says_yes_and_ends() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let (code, stderr) = ends(&mut glotsift(&["serve", "--check", "--listen", &address]));
    assert_eq!(code, 0, "{stderr}");
}

#[tokio::test(flavor = "multi_thread")]
async fn without_descriptors_who_is_connected_is_served_and_others_later() {
    let mut shell = Command::new("sh");
    shell.args([
        "-c",
        "ulimit -n 64; exec \"$0\" serve --listen 127.0.0.1:0",
        env!("CARGO_BIN_EXE_glotsift"),
    ]);
    let server = Running::run(shell.stdin(Stdio::null()).stderr(Stdio::piped()));
    let mut client = ClassifierServiceClient::new(channel(server.address).await);
    client.classify_article(request("", "before")).await.unwrap();
    let mut crowd = Vec::new();
    for _ in 0..200 {
        crowd.push(tokio::net::TcpStream::connect(server.address).await.unwrap());
    }
    for _ in 0..20 {
        client.classify_article(request("", "in the crowd")).await.unwrap();
    }
    drop(crowd);
    let afterwards = tokio::time::timeout(PATIENCE, async {
        ClassifierServiceClient::new(channel(server.address).await)
            .classify_article(request("", "after"))
            .await
    });
    afterwards.await.unwrap().unwrap();
    server.signal();
    let (code, log) = server.ended();
    assert_eq!(code, 0, "{log}");
    assert!(log.contains("accept failed"), "{log}");
}
