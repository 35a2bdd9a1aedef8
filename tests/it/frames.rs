//! HTTP/2 that no client may speak: the connection ends, the server does not.

use crate::raw::{
    CONTINUATION, DATA, END_HEADERS, END_STREAM, HEADERS, PING, RST_STREAM, SETTINGS, call_headers, frame,
    greet, malformed, pour,
};
use crate::support::{TestServer, request};
use glotsift::rpc::server::ServeConfig;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

const PATIENCE: Duration = Duration::from_secs(5);

static STARTED: AtomicUsize = AtomicUsize::new(0);

fn count(path: &str) {
    if path.ends_with("/RapidReset") {
        STARTED.fetch_add(1, Ordering::Relaxed);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn forty_malformed_frames_hurt_their_own_connection_alone() {
    let server = TestServer::start().await;
    let mut bystander = server.client().await;
    let cases = malformed();
    assert_eq!(cases.len(), 40);
    for (name, bytes) in cases {
        let stream = greet(server.address).await.unwrap();
        // Some are an error of their stream, which the rest of the connection survives.
        pour(stream, &bytes, Duration::from_millis(50)).await;
        let reply = bystander.classify_article(request("", "still here")).await;
        assert!(reply.is_ok(), "after {name}: {reply:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn floods_end_their_connection() {
    let config = ServeConfig { before_call: Some(count), ..ServeConfig::default() };
    let server = TestServer::with(config).await;
    let call = call_headers("/glotsift.v1.ClassifierService/RapidReset");
    let resets: Vec<u8> = (0..20_000_u32)
        .flat_map(|i| {
            let stream = 2 * i + 1;
            [frame(HEADERS, END_HEADERS, stream, &call), frame(RST_STREAM, 0, stream, &[0, 0, 0, 8])].concat()
        })
        .collect();
    let closed = pour(greet(server.address).await.unwrap(), &resets, PATIENCE).await;
    assert!(closed, "rapid reset");
    let started = STARTED.load(Ordering::Relaxed);
    assert!(started < 2_000, "{started} handlers were started");

    let mut headers = frame(HEADERS, 0, 1, &call);
    for _ in 0..2_000 {
        headers.extend(frame(CONTINUATION, 0, 1, &[0, 1, b'x', 1, b'y'].repeat(1_000)));
    }
    let closed = pour(greet(server.address).await.unwrap(), &headers, PATIENCE).await;
    assert!(closed, "endless headers");

    // These are answered one by one; a peer that reads no answers is bounded by its own window.
    for flood in [frame(PING, 0, 0, &[7; 8]), frame(SETTINGS, 0, 0, &[])] {
        pour(greet(server.address).await.unwrap(), &flood.repeat(20_000), Duration::from_millis(50)).await;
    }
    server.client().await.classify_article(request("", "still here")).await.unwrap();
}

/// Clients that are far away send a text's bytes long after it was refused.
#[tokio::test(flavor = "multi_thread")]
async fn what_comes_of_refused_calls_is_not_held_against_their_connection() {
    const AT_ONCE: u32 = 100;
    // More streams than a slow machine is behind: those beyond the limit are the client's fault.
    let config = ServeConfig { max_in_flight: 1, max_concurrent_streams: 10_000, ..ServeConfig::default() };
    let server = TestServer::with(config).await;
    // the one place there is
    let mut first = server.client().await;
    let _open = first.stream_classify_articles(tokio_stream::pending()).await.unwrap();
    let call = call_headers("/glotsift.v1.ClassifierService/ClassifyArticle");
    let (mut reader, mut writer) = greet(server.address).await.unwrap().into_split();
    let read = tokio::spawn(async move {
        let mut sink = vec![0; 64 << 10];
        while matches!(reader.read(&mut sink).await, Ok(n) if n > 0) {}
    });
    for round in 0..40 {
        let streams = || (0..AT_ONCE).map(move |i| 2 * (round * AT_ONCE + i) + 1);
        let calls: Vec<u8> = streams().flat_map(|id| frame(HEADERS, END_HEADERS, id, &call)).collect();
        writer.write_all(&calls).await.unwrap();
        tokio::time::sleep(Duration::from_millis(20)).await;
        let texts: Vec<u8> = streams().flat_map(|id| frame(DATA, END_STREAM, id, &[0; 5])).collect();
        assert!(writer.write_all(&texts).await.is_ok() && !read.is_finished(), "ended in round {round}");
    }
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert!(!read.is_finished(), "ended");
}
