//! Connections: accepting, bounding, draining.
//!
//! hyper ends no connection that holds an open stream or never finished its handshake, so a stock server
//! can drain for ever. Here the handshake and the drain have bounds of their own, and what is left after the
//! drain's is cut.

use crate::classify::{Options, classify};
use crate::model::Model;
use crate::rpc::call::Calls;
use crate::rpc::convert::Limits;
use crate::rpc::health::{HealthService, Phase};
use crate::rpc::pb::classifier_service_server::ClassifierServiceServer;
use crate::rpc::service::Classifier;
use crate::text::Article;
use hyper::server::conn::http2;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use std::io;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tonic::body::Body;
use tonic::codec::CompressionEncoding::{Gzip, Zstd};
use tonic::service::Routes;

/// How the server behaves; where it listens is the listener's business.
#[derive(Clone, Debug)]
pub struct ServeConfig {
    pub limits: Limits,
    pub reflection: bool,
    /// How long calls in progress may take once the server has been told to stop.
    pub drain: Duration,
    /// How long a new connection may take to say that it speaks HTTP/2.
    pub handshake: Duration,
    pub keepalive: Duration,
    pub max_connections: usize,
    pub max_concurrent_streams: u32,
    pub max_in_flight: usize,
}

impl Default for ServeConfig {
    fn default() -> Self {
        Self {
            limits: Limits::default(),
            reflection: true,
            drain: Duration::from_secs(10),
            handshake: Duration::from_secs(10),
            keepalive: Duration::from_secs(30),
            max_connections: 10_000,
            max_concurrent_streams: 200,
            max_in_flight: 1_024,
        }
    }
}

/// A peer that does not answer a ping for this long is gone.
const KEEPALIVE_TIMEOUT: Duration = Duration::from_secs(20);
/// The client preface; a connection that has not sent it is nobody's.
const PREFACE_BYTES: usize = 24;
/// For the UNAVAILABLE of the calls that are cut to reach their clients.
const LAST_WORD: Duration = Duration::from_millis(200);
/// After a failed accept, such as too many open files: a busy loop would help nobody.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    #[error("the reflection service cannot read the descriptors")]
    Reflection(#[from] tonic_reflection::server::Error),
}

/// How serving ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Drained {
    /// Connections that were cut because they were still open at the end of the drain.
    pub cut: usize,
}

/// Serves until `shutdown` resolves, then drains for at most `config.drain`.
pub async fn serve(
    listener: TcpListener,
    model: Arc<Model>,
    config: ServeConfig,
    shutdown: impl Future<Output = ()>,
) -> Result<Drained, ServeError> {
    let (phase, phases) = watch::channel(Phase::Starting);
    let phase = Arc::new(phase);
    let routes = routes(model.clone(), &config, phases)?;
    let stop = CancellationToken::new();
    let calls = Calls::new(routes, config.max_in_flight, config.limits.max_frame_bytes, stop.clone());
    let server = Server {
        calls,
        http: http(&config),
        handshake: config.handshake,
        drain: CancellationToken::new(),
        cut: CancellationToken::new(),
    };
    let warm = phase.clone();
    tokio::task::spawn_blocking(move || {
        warm_up(&model);
        // Not when the drain has already begun.
        warm.send_if_modified(|now| {
            let starting = *now == Phase::Starting;
            if starting {
                *now = Phase::Serving;
            }
            starting
        });
    });

    let connections = TaskTracker::new();
    accept(listener, &server, &connections, config.max_connections, shutdown).await;

    phase.send_replace(Phase::Draining);
    tracing::info!(connections = connections.len(), drain = ?config.drain, "draining");
    server.drain.cancel();
    connections.close();
    if timeout(config.drain, connections.wait()).await.is_ok() {
        return Ok(Drained { cut: 0 });
    }
    let cut = connections.len();
    tracing::warn!(connections = cut, "drain is over, cutting what is left");
    stop.cancel();
    // Whoever still waits: room for the last word, then silence.
    let _ = timeout(LAST_WORD, connections.wait()).await;
    server.cut.cancel();
    connections.wait().await;
    Ok(Drained { cut })
}

/// Touches every part of the model once, so that the first caller does not pay for it.
fn warm_up(model: &Model) {
    for text in ["A few words of English prose.", "Несколько слов по-русски.", "几句中文。"]
    {
        let article = Article { text, ..Article::default() };
        std::hint::black_box(classify(model, &article, &Options::default()));
    }
}

fn routes(
    model: Arc<Model>,
    config: &ServeConfig,
    phases: watch::Receiver<Phase>,
) -> Result<Routes, ServeError> {
    let classifier = ClassifierServiceServer::new(Classifier { model, limits: config.limits })
        .max_decoding_message_size(config.limits.max_frame_bytes)
        .accept_compressed(Gzip)
        .accept_compressed(Zstd);
    let health = tonic_health::pb::health_server::HealthServer::new(HealthService::new(phases));
    let mut routes = Routes::new(classifier).add_service(health);
    if config.reflection {
        let reflection = || {
            tonic_reflection::server::Builder::configure()
                .register_encoded_file_descriptor_set(crate::rpc::FILE_DESCRIPTOR_SET)
                .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
        };
        routes = routes.add_service(reflection().build_v1()?).add_service(reflection().build_v1alpha()?);
    }
    Ok(routes.prepare())
}

fn http(config: &ServeConfig) -> http2::Builder<TokioExecutor> {
    let mut http = http2::Builder::new(TokioExecutor::new());
    http.timer(TokioTimer::new())
        .max_concurrent_streams(config.max_concurrent_streams)
        .keep_alive_interval(config.keepalive)
        .keep_alive_timeout(KEEPALIVE_TIMEOUT)
        .max_header_list_size(16 << 10);
    http
}

async fn accept(
    listener: TcpListener,
    server: &Server,
    connections: &TaskTracker,
    max_connections: usize,
    shutdown: impl Future<Output = ()>,
) {
    let places = Arc::new(Semaphore::new(max_connections));
    let mut shutdown = pin!(shutdown);
    loop {
        let accepted = tokio::select! {
            () = &mut shutdown => return,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            // Closing at once tells the client more than silence would.
            Ok((stream, _)) => match places.clone().try_acquire_owned() {
                Ok(place) => {
                    let server = server.clone();
                    connections.spawn(async move {
                        server.connection(stream).await;
                        drop(place);
                    });
                }
                Err(_) => tracing::warn!(max_connections, "connection refused: too many"),
            },
            Err(error) => {
                tracing::warn!(%error, "accept failed");
                sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

/// What every connection shares.
#[derive(Clone)]
struct Server {
    calls: Calls<Routes>,
    http: http2::Builder<TokioExecutor>,
    handshake: Duration,
    /// No new streams; connections end with their last one.
    drain: CancellationToken,
    /// Connections end now.
    cut: CancellationToken,
}

impl Server {
    async fn connection(self, stream: TcpStream) {
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "nodelay");
        }
        let received = Arc::new(AtomicUsize::new(0));
        let io = TokioIo::new(Counted { stream, received: received.clone() });
        let silent = || received.load(Ordering::Relaxed) < PREFACE_BYTES;
        let calls = self.calls;
        let service = service_fn(move |request: http::Request<hyper::body::Incoming>| {
            calls.clone().handle(request.map(Body::new))
        });
        let mut connection = pin!(self.http.serve_connection(io, service));
        let mut handshake = pin!(sleep(self.handshake));
        let (mut checked, mut draining) = (false, false);
        loop {
            tokio::select! {
                ended = &mut connection => {
                    if let Err(error) = ended {
                        tracing::debug!(%error, "connection failed");
                    }
                    return;
                }
                () = &mut handshake, if !checked => {
                    checked = true;
                    if silent() {
                        tracing::debug!("connection closed: no HTTP/2 preface in time");
                        return;
                    }
                }
                () = self.drain.cancelled(), if !draining => {
                    draining = true;
                    if silent() {
                        return;
                    }
                    connection.as_mut().graceful_shutdown();
                }
                () = self.cut.cancelled() => return,
            }
        }
    }
}

/// A stream that counts what it has received, to tell a silent peer from a slow one.
struct Counted {
    stream: TcpStream,
    received: Arc<AtomicUsize>,
}

impl AsyncRead for Counted {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let read = Pin::new(&mut self.stream).poll_read(cx, buf);
        self.received.fetch_add(buf.filled().len() - before, Ordering::Relaxed);
        read
    }
}

impl AsyncWrite for Counted {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}
