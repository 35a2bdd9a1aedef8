use crate::support::{TestServer, article, expect_error, request};
use glotsift::rpc::pb;
use glotsift::rpc::server::ServeConfig;
use std::collections::HashSet;
use tonic::{Code, Request};
use tonic_types::StatusExt;

const PANICKING: &str = "/glotsift.v1.ClassifierService/DetectLanguage";

fn panic_in_detect(path: &str) {
    assert!(path != PANICKING, "injected");
}

fn detect() -> pb::DetectLanguageRequest {
    pb::DetectLanguageRequest { article: Some(article("", "A few words.")), ..Default::default() }
}

#[tokio::test]
async fn an_id_comes_back_as_it_was_given_or_is_made() {
    let server = TestServer::start().await;
    let mut client = server.client().await;
    let mut call = Request::new(request("", "A few words."));
    call.metadata_mut().insert("x-request-id", "order-66".parse().unwrap());
    let reply = client.classify_article(call).await.unwrap();
    assert_eq!(reply.metadata().get("x-request-id").unwrap(), "order-66");

    let mut made = HashSet::new();
    for odd in [None, Some("two words".to_owned()), Some("x".repeat(129)), Some("a\"b".to_owned())] {
        let mut call = Request::new(request("", "A few words."));
        if let Some(odd) = &odd {
            call.metadata_mut().insert("x-request-id", odd.parse().unwrap());
        }
        let reply = client.classify_article(call).await.unwrap();
        let id = reply.metadata().get("x-request-id").unwrap().to_str().unwrap().to_owned();
        assert!(Some(&id) != odd.as_ref() && (1..=128).contains(&id.len()) && made.insert(id));
    }
}

#[tokio::test]
async fn every_failure_names_its_call() {
    let server = TestServer::start().await;
    let mut client = server.client().await;
    let mut call = Request::new(request("", &"x".repeat((1 << 20) + 1)));
    call.metadata_mut().insert("x-request-id", "too-long".parse().unwrap());
    let status = client.classify_article(call).await.unwrap_err();
    expect_error(&status, Code::InvalidArgument, "TEXT_TOO_LONG");
    assert_eq!(status.get_details_request_info().unwrap().request_id, "too-long");
    assert!(status.get_details_bad_request().is_some(), "the other details stay");

    // In trailers, after a reply has begun.
    let headers = [("x-request-id", "cut-off")];
    let body = crate::support::framed(false, b"\xff\xff\xff");
    for method in ["StreamClassifyArticles", "ClassifyArticle", "Nothing"] {
        let method = format!("glotsift.v1.ClassifierService/{method}");
        let status = server.post(&method, &headers, body.clone()).await;
        assert_eq!(status.get_details_request_info().unwrap().request_id, "cut-off", "{method}: {status:?}");
        assert!(status.get_details_error_info().is_some());
    }
}

#[tokio::test]
async fn a_thousand_panics_cost_a_thousand_calls_and_no_place() {
    let config =
        ServeConfig { max_in_flight: 4, before_call: Some(panic_in_detect), ..ServeConfig::default() };
    let server = TestServer::with(config).await;
    let mut client = server.client().await;
    for i in 0..1_000 {
        let mut call = Request::new(detect());
        call.metadata_mut().insert("x-request-id", format!("p-{i}").parse().unwrap());
        let status = client.detect_language(call).await.unwrap_err();
        expect_error(&status, Code::Internal, "INTERNAL");
        assert_eq!(status.get_details_request_info().unwrap().request_id, format!("p-{i}"));
    }
    let calls = (0..4).map(|_| {
        let mut client = client.clone();
        tokio::spawn(async move { client.classify_article(request("", "A few words.")).await })
    });
    for call in calls.collect::<Vec<_>>() {
        call.await.unwrap().unwrap();
    }
}
