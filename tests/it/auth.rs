use crate::support::{PATIENCE, TestServer, expect_error, request};
use glotsift::rpc::auth::{Role, new_token};
use glotsift::rpc::pb;
use glotsift::rpc::server::ServeConfig;
use std::fs;
use std::process::Command;
use std::time::{Duration, Instant};
use tempfile::TempDir;
use tonic::{Code, Request, Status};
use tonic_health::pb::HealthCheckRequest;
use tonic_types::StatusExt;

struct Guarded {
    server: TestServer,
    dir: TempDir,
}

impl Guarded {
    async fn start(file: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("tokens.toml");
        fs::write(&path, file).unwrap();
        let config =
            ServeConfig { tokens: Some(path), reload: Duration::from_millis(20), ..ServeConfig::default() };
        Self { server: TestServer::with(config).await, dir }
    }

    async fn classify(&self, authorization: Option<&str>) -> Result<(), Status> {
        let mut call = Request::new(request("", "A few words."));
        if let Some(value) = authorization {
            call.metadata_mut().insert("authorization", value.parse().unwrap());
        }
        self.server.client().await.classify_article(call).await.map(drop)
    }

    async fn reflects(&self, token: Option<&str>) -> Result<(), Status> {
        use tonic_reflection::pb::v1::server_reflection_client::ServerReflectionClient;
        use tonic_reflection::pb::v1::{ServerReflectionRequest, server_reflection_request::MessageRequest};
        let list = ServerReflectionRequest {
            host: String::new(),
            message_request: Some(MessageRequest::ListServices(String::new())),
        };
        let mut call = Request::new(tokio_stream::iter([list]));
        if let Some(token) = token {
            call.metadata_mut().insert("authorization", format!("Bearer {token}").parse().unwrap());
        }
        let mut client = ServerReflectionClient::new(self.server.channel().await);
        client.server_reflection_info(call).await?.into_inner().message().await.map(drop)
    }
}

#[tokio::test]
async fn a_call_needs_a_known_token_with_its_role() {
    let (classify, entry) = new_token("reader", &[Role::Classify]).unwrap();
    let (feedback, other) = new_token("editor", &[Role::Feedback]).unwrap();
    let guarded = Guarded::start(&format!("{entry}{other}")).await;
    guarded.classify(Some(&format!("Bearer {classify}"))).await.unwrap();

    let long = format!("Bearer {}", "x".repeat(8_000));
    let cut = format!("Bearer {}", &classify[..classify.len() - 1]);
    for (authorization, reason) in [
        (None, "TOKEN_MISSING"),
        (Some("Bearer"), "TOKEN_MISSING"),
        (Some("Basic YTpi"), "TOKEN_MISSING"),
        (Some(classify.as_str()), "TOKEN_MISSING"),
        (Some("Bearer x"), "TOKEN_UNKNOWN"),
        (Some(long.as_str()), "TOKEN_UNKNOWN"),
        (Some(cut.as_str()), "TOKEN_UNKNOWN"),
    ] {
        let status = guarded.classify(authorization).await.unwrap_err();
        expect_error(&status, Code::Unauthenticated, reason);
        assert!(!format!("{status:?}").contains(&classify[..20]), "{status:?}");
    }
    let status = guarded.classify(Some(&format!("Bearer {feedback}"))).await.unwrap_err();
    expect_error(&status, Code::PermissionDenied, "ROLE_MISSING");
}

#[tokio::test]
async fn every_method_is_guarded_but_health() {
    let (token, entry) = new_token("editor", &[Role::Feedback]).unwrap();
    let guarded = Guarded::start(&entry).await;
    guarded.server.health().await.check(HealthCheckRequest::default()).await.unwrap();
    for method in [
        "ClassifyArticle",
        "BatchClassifyArticles",
        "StreamClassifyArticles",
        "DetectLanguage",
        "GetServerInfo",
    ] {
        let status =
            guarded.server.post(&format!("glotsift.v1.ClassifierService/{method}"), &[], Vec::new()).await;
        expect_error(&status, Code::Unauthenticated, "TOKEN_MISSING");
    }
    for method in
        ["glotsift.v1.ClassifierService/Nothing", "glotsift.v1.AdminService/Stop", "no.such.Service/Nothing"]
    {
        let status = guarded.server.post(method, &[], Vec::new()).await;
        expect_error(&status, Code::Unauthenticated, "TOKEN_MISSING");
    }
    let bearer = format!("Bearer {token}");
    let headers = [("authorization", bearer.as_str())];
    let status = guarded.server.post("glotsift.v1.AdminService/Stop", &headers, Vec::new()).await;
    expect_error(&status, Code::PermissionDenied, "ROLE_MISSING");

    let status = guarded.reflects(None).await.unwrap_err();
    expect_error(&status, Code::Unauthenticated, "TOKEN_MISSING");
    guarded.reflects(Some(&token)).await.unwrap();
}

#[tokio::test]
async fn tokens_are_taken_up_and_taken_back_while_serving() {
    let (first, entry) = new_token("first", &[Role::Classify]).unwrap();
    let guarded = Guarded::start(&entry).await;
    let (second, other) = new_token("second", &[Role::Classify]).unwrap();
    let allowed = async |token: &str| guarded.classify(Some(&format!("Bearer {token}"))).await.is_ok();
    assert!(allowed(&first).await && !allowed(&second).await);

    let path = guarded.dir.path().join("tokens.toml");
    fs::write(&path, "[[token]]\nname = 5").unwrap();
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert!(allowed(&first).await, "a wrong file must not lock everyone out");
    fs::write(&path, &other).unwrap();
    let deadline = Instant::now() + PATIENCE;
    while !allowed(&second).await {
        assert!(Instant::now() < deadline, "the new token was not taken up");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert!(!allowed(&first).await);
}

#[tokio::test]
async fn a_batch_is_no_way_around() {
    let guarded = Guarded::start(&new_token("reader", &[Role::Classify]).unwrap().1).await;
    let batch = pb::BatchClassifyArticlesRequest::default();
    let status = guarded.server.client().await.batch_classify_articles(batch).await.unwrap_err();
    expect_error(&status, Code::Unauthenticated, "TOKEN_MISSING");
}

#[tokio::test]
async fn failed_tokens_are_told_to_wait_and_keep_nobody_out() {
    let (token, entry) = new_token("reader", &[Role::Classify]).unwrap();
    let guarded = Guarded::start(&entry).await;
    let mut client = guarded.server.client().await;
    let mut call = async |authorization: Option<&str>| {
        let mut call = Request::new(request("", "A few words."));
        if let Some(value) = authorization {
            call.metadata_mut().insert("authorization", value.parse().unwrap());
        }
        client.classify_article(call).await.map(drop)
    };
    let mut refused = Vec::new();
    for i in 0..100 {
        let guess = format!("Bearer glotsift_{i}");
        refused.push(call((i % 2 == 0).then_some(guess.as_str())).await.unwrap_err());
    }
    for status in &refused[..20] {
        assert_eq!(status.code(), Code::Unauthenticated, "{status:?}");
    }
    let later = refused.split_off(20);
    let told = later.iter().filter(|status| status.code() == Code::ResourceExhausted);
    for status in told.clone() {
        expect_error(status, Code::ResourceExhausted, "AUTH_RATE_EXCEEDED");
        let wait = status.get_details_retry_info().unwrap().retry_delay.unwrap();
        assert!(wait > Duration::ZERO && wait <= Duration::from_secs(1), "{wait:?}");
    }
    // One a second is let through again, on a machine so slow.
    assert!(told.count() > later.len() / 2);
    // The same address, and even the same connection, with a good token; without one, what needs none.
    call(Some(&format!("Bearer {token}"))).await.unwrap();
    guarded.server.health().await.check(HealthCheckRequest::default()).await.unwrap();
}

#[test]
fn the_command_line_makes_tokens_that_the_server_knows() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("tokens.toml");
    let token = |args: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_glotsift"));
        command.args(["token", "--file"]).arg(&path).args(args).output().unwrap()
    };
    let first = token(&["--name", "reader", "--role", "classify"]);
    assert!(first.status.success(), "{first:?}");
    let second = token(&["--name", "owner", "--role", "classify,admin"]);
    assert!(second.status.success(), "{second:?}");
    let file = fs::read_to_string(&path).unwrap();
    for (made, entry) in [(&first, "name = \"reader\"\nroles = [\"classify\"]"), (&second, "\"admin\"]")] {
        let made = std::str::from_utf8(&made.stdout).unwrap().trim();
        assert_eq!(made.len(), "glotsift_".len() + 64);
        assert!(!file.contains(made), "the file must not hold the token");
        assert!(file.contains(entry) && file.contains(&blake3::hash(made.as_bytes()).to_string()), "{file}");
    }
    for (args, expected) in [
        (&["--name", "reader", "--role", "admin"][..], "there already"),
        (&["--name", "two words", "--role", "admin"][..], "its name is not"),
        (&["--name", "x", "--role", "owner"][..], "expected classify, feedback or admin"),
    ] {
        let output = token(args);
        assert_eq!(output.status.code(), Some(2));
        assert!(String::from_utf8_lossy(&output.stderr).contains(expected), "{output:?}");
    }
    assert_eq!(fs::read_to_string(&path).unwrap(), file);
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o077, 0);
    }

    let check = |path: &std::path::Path| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_glotsift"));
        command.args(["serve", "--check", "--tokens"]).arg(path).output().unwrap()
    };
    assert!(check(&path).status.success());
    fs::write(&path, "token = []").unwrap();
    let output = check(&path);
    assert_eq!(output.status.code(), Some(2));
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(stderr.starts_with("error: the file of tokens holds no token"), "{stderr}");
}
