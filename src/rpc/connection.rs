//! One connection from its first byte to its end.

use crate::rpc::call::Calls;
use crate::rpc::framing::Framed;
use crate::rpc::reload::Watched;
use hyper::server::conn::http2;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::ServerConfig;
use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::net::IpAddr;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep, sleep_until, timeout_at};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tonic::body::Body;
use tonic::service::Routes;

/// For the UNAVAILABLE of calls that are cut to reach their clients.
pub(crate) const LAST_WORD: Duration = Duration::from_millis(200);

/// How old a connection may become, so that clients find new servers and new certificates.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ages {
    /// From here on no new calls; a tenth more or less, for not all to come back at once.
    pub(crate) age: Duration,
    /// What calls in progress may take then.
    pub(crate) grace: Duration,
}

impl Ages {
    fn jittered(self) -> Duration {
        let random = RandomState::new().hash_one("age") % 2_001;
        self.age.mul_f64(0.9 + random as f64 / 10_000.0)
    }
}

/// What every connection shares.
#[derive(Clone)]
pub(crate) struct Server {
    pub(crate) calls: Calls<Routes>,
    pub(crate) http: http2::Builder<TokioExecutor>,
    pub(crate) tls: Option<Arc<Watched<Arc<ServerConfig>>>>,
    pub(crate) ages: Ages,
    /// For TLS and the client preface together.
    pub(crate) handshake: Duration,
    /// For one frame.
    pub(crate) receive: Duration,
    /// No new streams; connections end with their last one.
    pub(crate) drain: CancellationToken,
    /// Connections end now.
    pub(crate) cut: CancellationToken,
}

impl Server {
    pub(crate) async fn connection(self, stream: TcpStream, peer: IpAddr) {
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "nodelay");
        }
        let deadline = Instant::now() + self.handshake;
        let Some(tls) = &self.tls else { return self.http2(stream, peer, deadline).await };
        let acceptor = TlsAcceptor::from((*tls.current()).clone());
        let accepted = tokio::select! {
            accepted = timeout_at(deadline, acceptor.accept(stream)) => accepted,
            // Who has not shaken hands has no call to finish.
            () = self.drain.cancelled() => return,
        };
        match accepted {
            Ok(Ok(stream)) => self.http2(stream, peer, deadline).await,
            Ok(Err(error)) => tracing::debug!(%error, "connection closed: no TLS"),
            Err(_) => tracing::debug!("connection closed: no TLS handshake in time"),
        }
    }

    async fn http2(
        self,
        stream: impl AsyncRead + AsyncWrite + Unpin + Send,
        peer: IpAddr,
        deadline: Instant,
    ) {
        let stream = Framed::new(stream, self.receive);
        let greeted = stream.greeted();
        let io = TokioIo::new(stream);
        let silent = || !greeted.load(Ordering::Relaxed);
        let calls = self.calls;
        let shares = calls.shares(peer);
        let (stop, leaves) = (shares.stop.clone(), shares.leaving.clone());
        let service = service_fn(move |request: http::Request<hyper::body::Incoming>| {
            let (calls, shares) = (calls.clone(), shares.clone());
            async move { calls.handle(request.map(Body::new), &shares).await }
        });
        let mut connection = pin!(self.http.serve_connection(io, service));
        let mut handshake = pin!(sleep_until(deadline));
        let mut age = pin!(sleep(self.ages.jittered()));
        let (mut checked, mut draining, mut leaving, mut ended) = (false, false, false, false);
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
                () = &mut age => {
                    let next = if ended {
                        return;
                    } else if leaving {
                        ended = true;
                        stop.cancel();
                        LAST_WORD
                    } else {
                        leaving = true;
                        leaves.cancel();
                        connection.as_mut().graceful_shutdown();
                        self.ages.grace
                    };
                    age.as_mut().reset(Instant::now() + next);
                }
                () = self.drain.cancelled(), if !draining => {
                    draining = true;
                    leaves.cancel();
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
