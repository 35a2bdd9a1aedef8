use crate::support::{PATIENCE, TestServer, article, request};
use glotsift::rpc::pb;
use glotsift::rpc::server::ServeConfig;
use std::time::{Duration, Instant};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::time::timeout;
use tokio_stream::wrappers::ReceiverStream;
use tonic::Code;
use tonic_health::pb::HealthCheckRequest;

const DRAIN: Duration = Duration::from_millis(700);

async fn server() -> TestServer {
    TestServer::with(ServeConfig { drain: DRAIN, ..ServeConfig::default() }).await
}

#[tokio::test]
async fn idle_clients_silent_ones_and_watchers_do_not_delay_the_end() {
    let server = server().await;
    let mut idle = server.client().await;
    idle.classify_article(request("", "before")).await.unwrap();
    let _silent = TcpStream::connect(server.address).await.unwrap();
    let watching = server.health().await.watch(HealthCheckRequest::default()).await.unwrap().into_inner();
    let reader = tokio::spawn(async move {
        let mut watching = watching;
        while let Ok(Some(_)) = watching.message().await {}
    });
    let begun = Instant::now();
    assert_eq!(server.stopped().await.cut, 0);
    assert!(begun.elapsed() < DRAIN, "took {:?}", begun.elapsed());
    timeout(PATIENCE, reader).await.unwrap().unwrap();
}

#[tokio::test]
async fn a_stream_may_finish_within_the_drain() {
    let server = server().await;
    let (requests, stream) = mpsc::channel(4);
    let mut replies = server
        .client()
        .await
        .stream_classify_articles(ReceiverStream::new(stream))
        .await
        .unwrap()
        .into_inner();
    let item = |id: &str| pb::StreamClassifyArticlesRequest {
        request_id: id.into(),
        article: Some(article("", "a few words")),
        ..Default::default()
    };
    requests.send(item("before")).await.unwrap();
    assert_eq!(replies.message().await.unwrap().unwrap().request_id, "before");
    server.stop.cancel();
    tokio::time::sleep(Duration::from_millis(100)).await;
    requests.send(item("during")).await.unwrap();
    assert_eq!(replies.message().await.unwrap().unwrap().request_id, "during");
    drop(requests);
    assert!(replies.message().await.unwrap().is_none());
    assert_eq!(server.stopped().await.cut, 0);
}

#[tokio::test]
async fn an_endless_stream_is_cut_at_the_bound_and_told_why() {
    let server = server().await;
    let (_requests, stream) = mpsc::channel::<pb::StreamClassifyArticlesRequest>(1);
    let mut replies = server
        .client()
        .await
        .stream_classify_articles(ReceiverStream::new(stream))
        .await
        .unwrap()
        .into_inner();
    let told = tokio::spawn(async move { replies.message().await });
    let begun = Instant::now();
    let drained = server.stopped().await;
    let took = begun.elapsed();
    assert_eq!(drained.cut, 1);
    assert!(took >= DRAIN && took < DRAIN + Duration::from_secs(2), "took {took:?}");
    let status = timeout(PATIENCE, told).await.unwrap().unwrap().unwrap_err();
    assert_eq!(status.code(), Code::Unavailable, "{status:?}");
}

#[tokio::test]
async fn the_port_closes_before_the_drain_ends() {
    let server = server().await;
    let (_requests, stream) = mpsc::channel::<pb::StreamClassifyArticlesRequest>(1);
    let _open = server.client().await.stream_classify_articles(ReceiverStream::new(stream)).await.unwrap();
    server.stop.cancel();
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert!(TcpStream::connect(server.address).await.is_err());
    server.stopped().await;
}
