//! Connections: accepting, bounding, draining.
//!
//! hyper ends no connection that holds an open stream or never finished its handshake, so a stock server
//! can drain for ever. Here the handshake and the drain have bounds of their own, and what is left after the
//! drain's is cut.

use crate::classify::{Options, classify};
use crate::model::Model;
use crate::rpc::auth::{self, Auth};
use crate::rpc::call::{CallLimits, Calls};
use crate::rpc::connection::{Ages, LAST_WORD, Server};
use crate::rpc::convert::Limits;
use crate::rpc::health::{HealthService, Phase};
use crate::rpc::pb::classifier_service_server::ClassifierServiceServer;
use crate::rpc::rate::network;
use crate::rpc::reload::FileError;
use crate::rpc::service::Classifier;
use crate::rpc::tls::TlsFiles;
use crate::text::Article;
use hyper::server::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use std::collections::HashMap;
use std::net::IpAddr;
use std::path::PathBuf;
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tonic::codec::CompressionEncoding::{Gzip, Zstd};
use tonic::service::Routes;

/// How the server behaves; where it listens is the listener's business.
#[derive(Clone, Debug)]
pub struct ServeConfig {
    pub limits: Limits,
    pub reflection: bool,
    /// Plain text when left out.
    pub tls: Option<TlsFiles>,
    /// A file of tokens; without, everyone may classify.
    pub tokens: Option<PathBuf>,
    /// How often the files of certificates and tokens are looked at.
    pub reload: Duration,
    /// How long calls in progress may take once the server has been told to stop.
    pub drain: Duration,
    /// How long a new connection may take to say that it speaks HTTP/2.
    pub handshake: Duration,
    /// How long one request message, or one frame, may take to arrive.
    pub receive: Duration,
    pub keepalive: Duration,
    pub max_connections: usize,
    /// Of one address, or of the first 64 bits of one of IPv6.
    pub max_connections_per_ip: usize,
    /// A connection so old, a tenth more or less, takes no new calls.
    pub connection_age: Duration,
    /// What its calls in progress may take then.
    pub connection_grace: Duration,
    pub max_concurrent_streams: u32,
    pub max_in_flight: usize,
    /// Request bytes held at once by all calls; bounds memory where the limits per message cannot.
    pub max_in_flight_bytes: usize,
    /// Calls that wait for a CPU; more are refused at once.
    pub max_waiting: usize,
    /// Calls that would wait longer than this for those before them are refused at once: a caller who is refused can
    /// ask another server, one who waits cannot.
    pub max_wait: Duration,
    /// Articles a second of one client, on average and at once; as many as it likes when left out.
    pub rate: Option<(u32, u32)>,
    /// For tests of what a broken handler costs: called with the path of every request, may panic.
    #[doc(hidden)]
    pub before_call: Option<fn(&str)>,
}

impl Default for ServeConfig {
    fn default() -> Self {
        Self {
            limits: Limits::default(),
            reflection: true,
            tls: None,
            tokens: None,
            reload: Duration::from_secs(1),
            drain: Duration::from_secs(10),
            handshake: Duration::from_secs(10),
            receive: Duration::from_secs(30),
            keepalive: Duration::from_secs(30),
            max_connections: 10_000,
            max_connections_per_ip: 1_000,
            connection_age: Duration::from_secs(900),
            connection_grace: Duration::from_secs(300),
            max_concurrent_streams: 200,
            max_in_flight: 1_024,
            max_in_flight_bytes: 256 << 20,
            max_waiting: 128,
            max_wait: Duration::from_millis(300),
            rate: None,
            before_call: None,
        }
    }
}

impl ServeConfig {
    /// Whether the files that the settings name can be used.
    pub fn check(&self) -> Result<(), FileError> {
        self.tls.as_ref().map_or(Ok(()), TlsFiles::check)?;
        self.tokens.as_deref().map_or(Ok(()), auth::check)
    }
}

/// A peer that does not answer a ping for this long is gone.
const KEEPALIVE_TIMEOUT: Duration = Duration::from_secs(20);
/// Request bytes that a call's client may send ahead, and reply bytes that wait for who does not read them: together what
/// one such client can make the server hold, for a call. hyper's own are 1 MiB and 400 KiB.
const STREAM_WINDOW: u32 = 256 << 10;
const SEND_BUFFER: usize = 128 << 10;
/// Bytes of a frame: in HTTP/2's usual 16 KiB long texts come in more slowly (a megabyte, 64 at once: 66 ms for 51).
const FRAME: u32 = 64 << 10;
/// After a failed accept, such as too many open files: a busy loop would help nobody.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    #[error("the reflection service cannot read the descriptors")]
    Reflection(#[from] tonic_reflection::server::Error),
    #[error(transparent)]
    File(#[from] FileError),
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
    let limits = CallLimits {
        max_in_flight: config.max_in_flight,
        max_in_flight_bytes: config.max_in_flight_bytes,
        max_waiting: config.max_waiting,
        max_wait: config.max_wait,
        rate: config.rate,
        max_frame_bytes: config.limits.max_frame_bytes,
        receive: config.receive,
        before_call: config.before_call,
    };
    let cut = CancellationToken::new();
    let auth = match &config.tokens {
        Some(path) => Auth::watch(path, config.reload, cut.clone())?,
        None => Auth::open(),
    };
    let calls = Calls::new(routes, auth, limits, stop.clone());
    let tls = config.tls.as_ref().map(|files| files.watch(config.reload, cut.clone())).transpose()?;
    let drain = CancellationToken::new();
    let server = Server {
        calls,
        http: http(&config),
        tls,
        ages: Ages { age: config.connection_age, grace: config.connection_grace },
        handshake: config.handshake,
        receive: config.receive,
        drain,
        cut,
    };
    // However serving ends, nothing goes on reading files.
    let _end = server.cut.clone().drop_guard();
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
    let places = Places::new(config.max_connections, config.max_connections_per_ip);
    accept(listener, &server, &connections, &places, shutdown).await;

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

/// What the first caller should not have to wait for: tables that are made when first asked, and the memory of what
/// most texts have in common. A frame of a page, a sentence in another language and an offer are in it.
const WARM_UP: [&str; 3] = [
    "The ferry between the two islands will not run on Sunday, the harbour office said, because a storm is expected from \
     the west. Those who have bought tickets can use them until the end of the month, or ask for their money at the \
     counter.\nIt is the third time this year that the crossing has been closed, and shopkeepers on the smaller island \
     have asked the council for a second boat. The mayor answered that the budget for 2024 was spent; a vote is due in \
     spring.\nDie Fähre fährt am Sonntag nicht, weil ein Sturm erwartet wird.\nWin a free bonus now: \
     https://www.example.com/win?x=1, call 555-0100!\nLeave a comment\nCategory: travel | No comments",
    "Паром между островами не будет ходить в воскресенье: с запада ожидается шторм.",
    "因为预计有风暴，星期日两岛之间的渡轮停航。",
];

/// Bytes of an article.
const ARTICLE: usize = 6 << 10;

/// Touches every part of the model, so that the first caller does not pay for it; with an article of some length at last,
/// as buffers grow with the text.
fn warm_up(model: &Model) {
    let long = WARM_UP[0].repeat(ARTICLE / WARM_UP[0].len());
    for text in WARM_UP.into_iter().chain([long.as_str()]) {
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
        // What is packed so is unpacked before (`intake`); who sends another encoding is told of these.
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
        .initial_stream_window_size(STREAM_WINDOW)
        .max_frame_size(FRAME)
        .max_send_buf_size(SEND_BUFFER)
        .keep_alive_interval(config.keepalive)
        .keep_alive_timeout(KEEPALIVE_TIMEOUT)
        .max_header_list_size(16 << 10);
    http
}

/// Places for connections, over all and for each network.
struct Places {
    all: Arc<Semaphore>,
    per_ip: usize,
    of: Arc<Mutex<HashMap<IpAddr, usize>>>,
}

/// One connection's place, given back when dropped.
struct Place {
    _of_all: OwnedSemaphorePermit,
    network: IpAddr,
    of: Arc<Mutex<HashMap<IpAddr, usize>>>,
}

impl Places {
    fn new(all: usize, per_ip: usize) -> Self {
        Self { all: Arc::new(Semaphore::new(all)), per_ip, of: Arc::default() }
    }

    /// Or the name of the limit that is reached.
    fn take(&self, peer: IpAddr) -> Result<Place, &'static str> {
        let of_all = self.all.clone().try_acquire_owned().map_err(|_| "max-connections")?;
        let network = network(peer);
        let mut counts = self.of.lock().unwrap_or_else(PoisonError::into_inner);
        let count = counts.entry(network).or_default();
        if *count >= self.per_ip {
            return Err("max-connections-per-ip");
        }
        *count += 1;
        Ok(Place { _of_all: of_all, network, of: self.of.clone() })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut counts = self.of.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = counts.get_mut(&self.network) {
            *count -= 1;
            if *count == 0 {
                counts.remove(&self.network);
            }
        }
    }
}

async fn accept(
    listener: TcpListener,
    server: &Server,
    connections: &TaskTracker,
    places: &Places,
    shutdown: impl Future<Output = ()>,
) {
    let mut shutdown = pin!(shutdown);
    loop {
        let accepted = tokio::select! {
            () = &mut shutdown => return,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            // Closing at once tells the client more than silence would.
            Ok((stream, peer)) => match places.take(peer.ip()) {
                Ok(place) => {
                    let server = server.clone();
                    connections.spawn(async move {
                        server.connection(stream, peer.ip()).await;
                        drop(place);
                    });
                }
                Err(limit) => tracing::warn!(limit, "connection refused: too many"),
            },
            Err(error) => {
                tracing::warn!(%error, "accept failed");
                sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}
