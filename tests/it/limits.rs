use crate::support::{TestServer, article, channel, expect_error, framed, request};
use bytes::Bytes;
use glotsift::rpc::pb::classifier_service_client::ClassifierServiceClient;
use glotsift::rpc::server::ServeConfig;
use glotsift::rpc::{Limits, pb};
use http_body_util::StreamBody;
use prost::Message;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use tokio_stream::StreamExt;
use tonic::body::Body;
use tonic::codec::CompressionEncoding;
use tonic::{Code, Request, Status};
use tonic_types::StatusExt;

const CLASSIFY: &str = "glotsift.v1.ClassifierService/ClassifyArticle";
const BATCH: &str = "glotsift.v1.ClassifierService/BatchClassifyArticles";

#[tokio::test]
async fn a_text_over_the_limit_is_refused_or_cut_as_asked() {
    let server = TestServer::start().await;
    let mut client = server.client().await;
    let text = "ж".repeat((1 << 19) + 1);
    let status = client.classify_article(request("", &text)).await.unwrap_err();
    expect_error(&status, Code::InvalidArgument, "TEXT_TOO_LONG");
    assert_eq!(status.message(), "article.text has 1048578 bytes, expected at most 1048576");
    assert_eq!(status.get_details_bad_request().unwrap().field_violations[0].field, "article.text");

    let mut cut = request("", &text);
    cut.options = Some(pb::ClassifyOptions { truncate: true, ..Default::default() });
    let reply = client.classify_article(cut).await.unwrap().into_inner();
    assert!(reply.truncated);
    assert_eq!(reply.text_bytes_total, 1_048_578);
    assert!(reply.text_bytes_used <= 1 << 20);
}

#[tokio::test]
async fn a_frame_over_the_limit_is_resource_exhausted_and_names_it() {
    let limits = Limits { max_text_bytes: 1000, max_frame_bytes: 4000, ..Limits::default() };
    let server = TestServer::with(ServeConfig { limits, ..ServeConfig::default() }).await;
    let mut client = server.client().await;
    let status = client.classify_article(request("", &"x".repeat(5000))).await.unwrap_err();
    expect_error(&status, Code::ResourceExhausted, "MESSAGE_TOO_LARGE");
    assert!(status.message().contains("4000"), "{}", status.message());

    let items = vec![pb::StreamClassifyArticlesRequest {
        article: Some(article("", &"x".repeat(5000))),
        ..Default::default()
    }];
    let mut replies = client.stream_classify_articles(tokio_stream::iter(items)).await.unwrap().into_inner();
    expect_error(&replies.message().await.unwrap_err(), Code::ResourceExhausted, "MESSAGE_TOO_LARGE");
}

#[tokio::test]
async fn four_mebibytes_of_empty_items_are_refused_before_they_are_allocated() {
    let server = TestServer::start().await;
    let body = framed(false, &[0x0a, 0x00].repeat(2 << 20));
    let begun = Instant::now();
    let status = server.post(BATCH, &[], body).await;
    expect_error(&status, Code::InvalidArgument, "BATCH_TOO_LARGE");
    assert_eq!(status.message(), "articles has 2097152 entries, expected at most 1000");
    assert!(begun.elapsed() < Duration::from_secs(5));
}

#[tokio::test]
async fn a_batch_of_exactly_the_limit_passes() {
    let server = TestServer::start().await;
    let mut client = server.client().await;
    let batch = |n| pb::BatchClassifyArticlesRequest {
        articles: vec![article("", "One more."); n],
        ..Default::default()
    };
    let reply = client.batch_classify_articles(batch(1000)).await.unwrap().into_inner();
    assert_eq!(reply.results.len(), 1000);
    let status = client.batch_classify_articles(batch(1001)).await.unwrap_err();
    expect_error(&status, Code::InvalidArgument, "BATCH_TOO_LARGE");
    assert!(client.batch_classify_articles(batch(0)).await.unwrap().into_inner().results.is_empty());
}

#[tokio::test]
async fn unknown_numbers_and_codes_are_the_callers_fault() {
    let server = TestServer::start().await;
    let mut client = server.client().await;

    let mut odd = request("", "text");
    odd.offset_encoding = 77;
    let status = client.classify_article(odd).await.unwrap_err();
    expect_error(&status, Code::InvalidArgument, "UNKNOWN_ENUM");

    let mut odd = request("", "text");
    odd.options =
        Some(pb::ClassifyOptions { allowed_languages: vec!["xx-bogus".into()], ..Default::default() });
    let status = client.classify_article(odd).await.unwrap_err();
    expect_error(&status, Code::InvalidArgument, "UNKNOWN_LANGUAGE");
    let violation = &status.get_details_bad_request().unwrap().field_violations[0];
    assert_eq!(violation.field, "options.allowed_languages[0]");

    let detect = pb::DetectLanguageRequest {
        article: Some(article("", "")),
        strict_languages: true,
        ..Default::default()
    };
    let mut odd = detect.clone();
    odd.allowed_languages = vec!["en".into(), "?".into()];
    let status = client.detect_language(odd).await.unwrap_err();
    assert_eq!(status.get_details_bad_request().unwrap().field_violations[0].field, "allowed_languages[1]");

    // What a batch's items share fails the batch.
    let batch = pb::BatchClassifyArticlesRequest {
        articles: vec![article("", "text")],
        offset_encoding: -1,
        ..Default::default()
    };
    let status = client.batch_classify_articles(batch).await.unwrap_err();
    expect_error(&status, Code::InvalidArgument, "UNKNOWN_ENUM");
}

#[tokio::test]
async fn a_decompression_bomb_stops_at_the_frame_limit() {
    use std::io::Write;
    let server = TestServer::start().await;
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    for _ in 0..64 {
        gzip.write_all(&vec![0; 1 << 20]).unwrap();
    }
    let gzip = framed(true, &gzip.finish().unwrap());
    let status = server.post(CLASSIFY, &[("grpc-encoding", "gzip")], gzip).await;
    expect_error(&status, Code::ResourceExhausted, "MESSAGE_TOO_LARGE");

    let zstd = framed(true, &zstd::bulk::compress(&vec![0; 64 << 20], 1).unwrap());
    let status = server.post(CLASSIFY, &[("grpc-encoding", "zstd")], zstd).await;
    expect_error(&status, Code::ResourceExhausted, "MESSAGE_TOO_LARGE");

    // Its length says so before any of it is unpacked. How far a frame may look back costs nothing.
    let long = framed(true, &vec![7; (8 << 20) + 1]);
    let status = server.post(CLASSIFY, &[("grpc-encoding", "gzip")], long).await;
    expect_error(&status, Code::ResourceExhausted, "MESSAGE_TOO_LARGE");
    let mut far = zstd::Encoder::new(Vec::new(), 1).unwrap();
    far.window_log(27).unwrap();
    far.write_all(&request("", "A few words.").encode_to_vec()).unwrap();
    let status =
        server.post(CLASSIFY, &[("grpc-encoding", "zstd")], framed(true, &far.finish().unwrap())).await;
    assert_eq!(status.code(), Code::Ok);
}

#[tokio::test]
async fn a_deadline_ends_a_waiting_stream_with_its_own_code() {
    let server = TestServer::start().await;
    let mut client = server.client().await;
    let mut request = Request::new(tokio_stream::pending());
    request.metadata_mut().insert("grpc-timeout", "200m".parse().unwrap());
    let begun = Instant::now();
    let mut replies = client.stream_classify_articles(request).await.unwrap().into_inner();
    let status = replies.message().await.unwrap_err();
    expect_error(&status, Code::DeadlineExceeded, "DEADLINE_EXCEEDED");
    assert!(begun.elapsed() < Duration::from_secs(5));
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_beyond_the_limit_are_told_to_come_back_until_a_client_goes() {
    let server = TestServer::with(ServeConfig { max_in_flight: 1, ..ServeConfig::default() }).await;
    let address = server.address;
    // A runtime of its own: dropping it is the client's sudden death.
    let holder = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let item =
                pb::StreamClassifyArticlesRequest { article: Some(article("", "one")), ..Default::default() };
            let open = tokio_stream::iter([item]).chain(tokio_stream::pending());
            let mut client = ClassifierServiceClient::new(channel(address).await);
            let mut replies = client.stream_classify_articles(open).await.unwrap().into_inner();
            replies.message().await.unwrap().unwrap();
        });
        runtime
    });
    let runtime = holder.join().unwrap();

    let mut client = server.client().await;
    let status = client.classify_article(request("", "two")).await.unwrap_err();
    expect_error(&status, Code::ResourceExhausted, "OVERLOADED");
    assert!(status.get_details_retry_info().unwrap().retry_delay.is_some());

    runtime.shutdown_background();
    let deadline = Instant::now() + Duration::from_secs(5);
    while client.classify_article(request("", "three")).await.is_err() {
        assert!(Instant::now() < deadline, "the place was never given back");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test]
async fn bytes_in_flight_are_bounded_over_all_calls() {
    let config = ServeConfig { max_in_flight_bytes: 100_000, ..ServeConfig::default() };
    let server = TestServer::with(config).await;
    let mut client = server.client().await;
    let status = client.classify_article(request("", &"x".repeat(150_000))).await.unwrap_err();
    expect_error(&status, Code::ResourceExhausted, "OVERLOADED");
    assert!(status.get_details_retry_info().unwrap().retry_delay.is_some());
    // Given back after each call, and within a stream after each item.
    for _ in 0..5 {
        client.classify_article(request("", &"x".repeat(60_000))).await.unwrap();
    }
    let (requests, stream) = tokio::sync::mpsc::channel(1);
    let stream = tokio_stream::wrappers::ReceiverStream::new(stream);
    let mut replies = client.stream_classify_articles(stream).await.unwrap().into_inner();
    for _ in 0..5 {
        let item = pb::StreamClassifyArticlesRequest {
            article: Some(article("", &"x".repeat(60_000))),
            ..Default::default()
        };
        requests.send(item).await.unwrap();
        replies.message().await.unwrap().unwrap();
    }
}

#[tokio::test]
async fn one_connection_cannot_have_all_places() {
    let config = ServeConfig { max_in_flight: 4, ..ServeConfig::default() };
    let server = TestServer::with(config).await;
    let mut greedy = server.client().await;
    let mut open = Vec::new();
    let refused = loop {
        match greedy.stream_classify_articles(tokio_stream::pending()).await {
            Ok(replies) => open.push(replies),
            Err(status) => break status,
        }
    };
    expect_error(&refused, Code::ResourceExhausted, "OVERLOADED");
    assert_eq!(open.len(), 3);
    server.client().await.classify_article(request("", "somebody else")).await.unwrap();
}

/// What those of 32 calls with a long text at once are refused with that are not served. All places come back.
async fn many_at_once(server: &TestServer) -> Vec<Status> {
    let text = "The committee will meet again in the spring. ".repeat(20_000);
    let calls = (0..32).map(|_| {
        let (address, text) = (server.address, text.clone());
        tokio::spawn(async move {
            ClassifierServiceClient::new(channel(address).await).classify_article(request("", &text)).await
        })
    });
    let (mut served, mut refused) = (0, Vec::new());
    for call in calls.collect::<Vec<_>>() {
        match call.await.unwrap() {
            Ok(_) => served += 1,
            Err(status) => refused.push(status),
        }
    }
    assert!(served > 0 && !refused.is_empty(), "{served} served, {} refused", refused.len());
    server.client().await.classify_article(request("", "afterwards")).await.unwrap();
    refused
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_that_would_wait_too_many_for_a_cpu_are_refused_at_once() {
    let server = TestServer::with(ServeConfig { max_waiting: 0, ..ServeConfig::default() }).await;
    for status in many_at_once(&server).await {
        expect_error(&status, Code::ResourceExhausted, "OVERLOADED");
        assert!(status.get_details_retry_info().unwrap().retry_delay.is_some());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_sends_compressed_and_waits_keeps_nobody_from_sending_compressed() {
    let server = TestServer::start().await;
    let mut open = Vec::new();
    for _ in 0..16 {
        let mut client = server.client().await.send_compressed(CompressionEncoding::Gzip);
        let article = request("", "a few words").article;
        let item = pb::StreamClassifyArticlesRequest { article, ..Default::default() };
        let items = tokio_stream::iter([item]).chain(tokio_stream::pending());
        open.push(client.stream_classify_articles(items).await.unwrap().into_inner());
    }
    let mut client = server.client().await.send_compressed(CompressionEncoding::Gzip);
    for _ in 0..4 {
        let call = client.classify_article(request("", "a few words"));
        tokio::time::timeout(Duration::from_secs(20), call).await.expect("an answer").unwrap();
    }
    // Nobody has read a reply until now.
    for mut replies in open {
        replies.message().await.unwrap().expect("a reply");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_that_would_wait_too_long_for_a_cpu_are_refused_at_once() {
    let max_wait = Duration::from_millis(1);
    let server = TestServer::with(ServeConfig { max_wait, ..ServeConfig::default() }).await;
    for status in many_at_once(&server).await {
        expect_error(&status, Code::ResourceExhausted, "OVERLOADED");
        let info = status.get_details_error_info().unwrap();
        assert_eq!(info.metadata.get("max_wait_ms").map(String::as_str), Some("1"));
        assert!(status.get_details_retry_info().unwrap().retry_delay.unwrap() > max_wait);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 8)]
async fn who_would_be_refused_need_not_send_the_text() {
    let server = TestServer::with(ServeConfig { max_waiting: 0, ..ServeConfig::default() }).await;
    let busy = std::thread::available_parallelism().map_or(1, usize::from) + 2;
    let text = "The committee will meet again in the spring. ".repeat(20_000);
    let mut calls = tokio::task::JoinSet::new();
    for _ in 0..busy {
        let (mut client, text) = (server.client().await, text.clone());
        calls.spawn(async move {
            let refused = |status: &Status| status.code() == Code::ResourceExhausted;
            // until the server is gone
            while client.classify_article(request("", &text)).await.map_or_else(|s| refused(&s), |_| true) {}
        });
    }
    // A megabyte is announced, the beginning is sent. Between two texts a CPU is free, and the rest awaited.
    let message = framed(false, &request("", &"x".repeat(1 << 20)).encode_to_vec());
    let beginning = Bytes::copy_from_slice(&message[..1_000]);
    let begins = || {
        let sent = tokio_stream::iter([Ok::<_, Status>(http_body::Frame::data(beginning.clone()))]);
        Body::new(StreamBody::new(sent.chain(tokio_stream::pending())))
    };
    // All of it in one frame, and no message: who decodes it says so.
    let malformed = || Body::new(http_body_util::Full::new(Bytes::from(framed(false, &[0xff; 9_000]))));
    for body in [&begins as &dyn Fn() -> Body, &malformed] {
        let deadline = Instant::now() + Duration::from_secs(20);
        let refused = loop {
            assert!(Instant::now() < deadline, "the text was awaited or decoded each time");
            let answer = server.exchange_body(CLASSIFY, &[], body());
            match tokio::time::timeout(Duration::from_millis(500), answer).await {
                Ok((status, _)) if status.code() == Code::InvalidArgument => {}
                Ok((status, _)) => break status,
                Err(_) => {}
            }
        };
        expect_error(&refused, Code::ResourceExhausted, "OVERLOADED");
        assert!(refused.get_details_retry_info().unwrap().retry_delay.is_some());
    }
}

/// Texts are classified on the threads of the runtime: more of them than CPUs, as `serve` has.
#[tokio::test(flavor = "multi_thread", worker_threads = 8)]
async fn who_asks_now_and_then_goes_before_who_asks_all_the_time() {
    const IN_FLIGHT: usize = 60;
    let config = ServeConfig { max_wait: Duration::from_secs(600), ..ServeConfig::default() };
    let server = TestServer::with(config).await;
    let (greedy, mut modest) = (server.client().await, server.client().await);
    let text = "The committee will meet again in the spring. ".repeat(600);
    let (answered, enough) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicBool::new(false)));
    let mut calls = tokio::task::JoinSet::new();
    for _ in 0..IN_FLIGHT {
        let (mut greedy, text) = (greedy.clone(), text.clone());
        let (answered, enough) = (answered.clone(), enough.clone());
        calls.spawn(async move {
            while !enough.load(Ordering::Relaxed) {
                greedy.classify_article(request("", &text)).await.unwrap();
                answered.fetch_add(1, Ordering::Relaxed);
            }
        });
    }
    while answered.load(Ordering::Relaxed) == 0 {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    // Who came first would have most of the others before it, each time. A busy machine may be slow to send or to
    // read a call, so not each time is asked to be a good one.
    let mut best = IN_FLIGHT;
    for _ in 0..10 {
        let before = answered.load(Ordering::Relaxed);
        modest.classify_article(request("", "A few words.")).await.unwrap();
        best = best.min(answered.load(Ordering::Relaxed) - before);
    }
    enough.store(true, Ordering::Relaxed);
    calls.join_all().await;
    assert!(best < IN_FLIGHT / 3, "{best} others answered meanwhile, of {IN_FLIGHT} in flight");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_long_texts_deadline_is_kept_while_it_is_classified() {
    let server = TestServer::start().await;
    let mut client = server.client().await;
    let text = "The committee will meet again in the spring. ".repeat(20_000);
    // Not a tight bound: the answer must only not wait for the work.
    let begun = Instant::now();
    client.classify_article(request("", &text)).await.unwrap();
    let whole = begun.elapsed();
    let deadline = format!("{}m", (whole / 4).as_millis());
    let body = framed(false, &request("", &text).encode_to_vec());
    let status = server.post(CLASSIFY, &[("grpc-timeout", &deadline)], body).await;
    expect_error(&status, Code::DeadlineExceeded, "DEADLINE_EXCEEDED");
    client.classify_article(request("", "afterwards")).await.unwrap();
}

#[tokio::test]
async fn a_stream_that_is_never_quiet_has_a_deadline_too() {
    let server = TestServer::start().await;
    let item =
        pb::StreamClassifyArticlesRequest { article: Some(article("", "again")), ..Default::default() };
    let body = framed(false, &item.encode_to_vec()).repeat(50_000);
    let method = "glotsift.v1.ClassifierService/StreamClassifyArticles";
    let status = server.post(method, &[("grpc-timeout", "300m")], body).await;
    expect_error(&status, Code::DeadlineExceeded, "DEADLINE_EXCEEDED");
}

#[tokio::test]
async fn a_client_has_its_rate_whatever_the_method() {
    let server = TestServer::with(ServeConfig { rate: Some((1, 3)), ..ServeConfig::default() }).await;
    let mut client = server.client().await;
    for _ in 0..3 {
        client.classify_article(request("", "within the burst")).await.unwrap();
    }
    let mut refused = client.classify_article(request("", "beyond it")).await;
    if refused.is_ok() {
        // A second went by on a busy machine.
        refused = client.classify_article(request("", "beyond it")).await;
    }
    let status = refused.unwrap_err();
    expect_error(&status, Code::ResourceExhausted, "RATE_EXCEEDED");
    let wait = status.get_details_retry_info().unwrap().retry_delay.unwrap();
    assert!(wait > Duration::ZERO && wait <= Duration::from_secs(1), "{wait:?}");
    // Another connection of the same client is no way around, and health is no article.
    let status = server.client().await.classify_article(request("", "beyond it")).await.unwrap_err();
    expect_error(&status, Code::ResourceExhausted, "RATE_EXCEEDED");
    server.health().await.check(tonic_health::pb::HealthCheckRequest::default()).await.unwrap();

    let server = TestServer::with(ServeConfig { rate: Some((1, 3)), ..ServeConfig::default() }).await;
    let mut client = server.client().await;
    let batch = pb::BatchClassifyArticlesRequest {
        articles: vec![article("", "One of many."); 100],
        ..Default::default()
    };
    client.batch_classify_articles(batch).await.unwrap();
    let status = client.classify_article(request("", "after the batch")).await.unwrap_err();
    expect_error(&status, Code::ResourceExhausted, "RATE_EXCEEDED");
    assert!(status.get_details_retry_info().unwrap().retry_delay.unwrap() > Duration::from_secs(30));
}

#[tokio::test]
async fn the_reply_to_a_megabyte_of_noise_is_one_that_clients_take() {
    let server = TestServer::start().await;
    // By default a client takes 4 MiB.
    let mut client = server.client().await;
    for (piece, spans) in [
        ("\u{202e}a\u{2066}b", true),
        ("pаypаl ", true),
        ("cat кот γάτα 猫 חתול قطة बिल्ली แมว ", true),
        ("<i>a</i>", true),
        ("The gate was shut.\nВорота закрыли.\n", false),
        ("No comments\nMaybe later.\n", false),
    ] {
        let mut request = request("", &piece.repeat(1_000_000 / piece.len()));
        request.options =
            Some(pb::ClassifyOptions { include_clean_text: true, explain: true, ..Default::default() });
        let reply =
            client.classify_article(request).await.unwrap_or_else(|status| panic!("{piece:?}: {status}"));
        let reply = reply.into_inner();
        assert!(reply.noise.len() <= 5_000 && (!spans || !reply.noise.is_empty()), "{piece:?}");
    }
}
