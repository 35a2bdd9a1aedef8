//! HTTP/2 that no client may speak: the connection ends, the server does not.

use crate::raw::{
    CONTINUATION, END_HEADERS, HEADERS, PING, RST_STREAM, SETTINGS, call_headers, frame, greet, malformed,
    pour,
};
use crate::support::{TestServer, request};
use glotsift::rpc::server::ServeConfig;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

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
