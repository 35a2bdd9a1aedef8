//! A real server on 127.0.0.1, and the ways to talk to it.

use bytes::Bytes;
use glotsift::model::Model;
use glotsift::rpc::pb;
use glotsift::rpc::pb::classifier_service_client::ClassifierServiceClient;
use glotsift::rpc::server::{Drained, ServeConfig, ServeError, serve};
use http_body_util::{BodyExt, Full};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tonic::body::Body;
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, Status};
use tonic_health::pb::health_client::HealthClient;

/// Nothing here takes this long unless it hangs.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

pub(crate) struct TestServer {
    pub(crate) address: SocketAddr,
    pub(crate) stop: CancellationToken,
    task: JoinHandle<Result<Drained, ServeError>>,
}

impl TestServer {
    pub(crate) async fn start() -> Self {
        Self::with(ServeConfig::default()).await
    }

    pub(crate) async fn with(config: ServeConfig) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let stop = CancellationToken::new();
        let shutdown = stop.clone().cancelled_owned();
        let task = tokio::spawn(serve(listener, model(), config, shutdown));
        Self { address, stop, task }
    }

    pub(crate) async fn channel(&self) -> Channel {
        channel(self.address).await
    }

    pub(crate) async fn client(&self) -> ClassifierServiceClient<Channel> {
        ClassifierServiceClient::new(self.channel().await)
    }

    pub(crate) async fn health(&self) -> HealthClient<Channel> {
        HealthClient::new(self.channel().await)
    }

    /// Asks the server to stop and waits until it has.
    pub(crate) async fn stopped(self) -> Drained {
        self.stop.cancel();
        tokio::time::timeout(PATIENCE, self.task).await.unwrap().unwrap().unwrap()
    }

    /// Posts raw bytes as the body of one call and returns how it ended. Not by tonic's client, which would end a
    /// call with a deadline itself.
    pub(crate) async fn post(&self, method: &str, headers: &[(&str, &str)], body: Vec<u8>) -> Status {
        self.exchange(method, headers, body).await.0
    }

    /// The same with the reply's body, frames and all.
    pub(crate) async fn exchange(
        &self,
        method: &str,
        headers: &[(&str, &str)],
        body: Vec<u8>,
    ) -> (Status, Bytes) {
        self.exchange_body(method, headers, Body::new(Full::new(Bytes::from(body)))).await
    }

    /// The same with a body that may take its time.
    pub(crate) async fn exchange_body(
        &self,
        method: &str,
        headers: &[(&str, &str)],
        body: Body,
    ) -> (Status, Bytes) {
        let mut request = http::Request::post(format!("http://{}/{method}", self.address))
            .header("content-type", "application/grpc")
            .header("te", "trailers");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(body).unwrap();
        let stream = tokio::net::TcpStream::connect(self.address).await.unwrap();
        let io = hyper_util::rt::TokioIo::new(stream);
        let executor = hyper_util::rt::TokioExecutor::new();
        let (mut sender, connection) = hyper::client::conn::http2::handshake(executor, io).await.unwrap();
        tokio::spawn(connection);
        let response = sender.send_request(request).await.unwrap();
        let from_headers = Status::from_header_map(response.headers());
        let collected = response.into_body().collect().await.unwrap();
        let status = from_headers.or_else(|| Status::from_header_map(collected.trailers()?));
        let status = status.unwrap_or_else(|| Status::new(Code::Unknown, "the server sent no status"));
        (status, collected.to_bytes())
    }
}

/// The model the bare binary serves.
pub(crate) fn model() -> Arc<Model> {
    Model::built_in()
}

/// A file of tests/fixtures.
pub(crate) fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name)
}

/// The text files of a folder of tests/fixtures, in order: path and text.
pub(crate) fn texts(folder: &str) -> Vec<(PathBuf, String)> {
    let entries = std::fs::read_dir(fixture(folder)).unwrap().map(|entry| entry.unwrap().path());
    let mut paths: Vec<_> = entries.filter(|path| path.extension().is_some_and(|e| e == "txt")).collect();
    paths.sort();
    paths.into_iter().map(|path| (path.clone(), std::fs::read_to_string(path).unwrap())).collect()
}

pub(crate) async fn channel(address: SocketAddr) -> Channel {
    Endpoint::from_shared(format!("http://{address}")).unwrap().connect().await.unwrap()
}

/// Over TLS, with the authorities and the certificate of `config`; the server is `localhost` to it.
pub(crate) async fn tls_channel(
    address: SocketAddr,
    config: Arc<rustls::ClientConfig>,
) -> Result<Channel, tonic::transport::Error> {
    let connector = tower::service_fn(move |_: http::Uri| {
        let config = config.clone();
        async move {
            let stream = tokio::net::TcpStream::connect(address).await?;
            let name = rustls::pki_types::ServerName::try_from("localhost").unwrap();
            let stream = tokio_rustls::TlsConnector::from(config).connect(name, stream).await?;
            Ok::<_, std::io::Error>(hyper_util::rt::TokioIo::new(stream))
        }
    });
    Endpoint::from_shared(format!("http://{address}")).unwrap().connect_with_connector(connector).await
}

/// The five-byte prefix gRPC puts before each message.
pub(crate) fn framed(compressed: bool, message: &[u8]) -> Vec<u8> {
    let mut framed = vec![u8::from(compressed)];
    framed.extend((message.len() as u32).to_be_bytes());
    framed.extend(message);
    framed
}

pub(crate) fn article(id: &str, text: &str) -> pb::Article {
    pb::Article { id: id.into(), text: text.into(), ..Default::default() }
}

pub(crate) fn request(id: &str, text: &str) -> pb::ClassifyArticleRequest {
    pb::ClassifyArticleRequest { article: Some(article(id, text)), ..Default::default() }
}

/// What a reply's offsets mean in the unit they were asked for.
#[track_caller]
pub(crate) fn cut(text: &str, encoding: pb::EncodingType, start: u32, end: u32) -> String {
    let (start, end) = (start as usize, end as usize);
    match encoding {
        pb::EncodingType::Utf16 => {
            let units: Vec<u16> = text.encode_utf16().collect();
            String::from_utf16(&units[start..end]).unwrap()
        }
        pb::EncodingType::Utf32 => text.chars().skip(start).take(end - start).collect(),
        _ => text[start..end].to_owned(),
    }
}

/// Every error says in an `ErrorInfo` who speaks and why.
#[track_caller]
pub(crate) fn expect_error(status: &Status, code: Code, reason: &str) {
    use tonic_types::StatusExt;
    assert_eq!(status.code(), code, "{status:?}");
    let info = status.get_details_error_info().expect("an ErrorInfo");
    assert_eq!((info.domain.as_str(), info.reason.as_str()), ("glotsift", reason), "{status:?}");
}
