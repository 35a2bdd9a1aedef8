//! One connection from its first byte to its end.

use crate::rpc::call::Calls;
use crate::rpc::reload::Watched;
use hyper::server::conn::http2;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::ServerConfig;
use std::io;
use std::net::IpAddr;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep_until, timeout_at};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tonic::body::Body;
use tonic::service::Routes;

/// The client preface; a connection that has not sent it is nobody's.
const PREFACE_BYTES: usize = 24;

/// What every connection shares.
#[derive(Clone)]
pub(crate) struct Server {
    pub(crate) calls: Calls<Routes>,
    pub(crate) http: http2::Builder<TokioExecutor>,
    pub(crate) tls: Option<Arc<Watched<Arc<ServerConfig>>>>,
    /// For TLS and the client preface together.
    pub(crate) handshake: Duration,
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
        let received = Arc::new(AtomicUsize::new(0));
        let io = TokioIo::new(Counted { stream, received: received.clone() });
        let silent = || received.load(Ordering::Relaxed) < PREFACE_BYTES;
        let calls = self.calls;
        let service = service_fn(move |request: http::Request<hyper::body::Incoming>| {
            calls.clone().handle(request.map(Body::new), peer)
        });
        let mut connection = pin!(self.http.serve_connection(io, service));
        let mut handshake = pin!(sleep_until(deadline));
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
struct Counted<S> {
    stream: S,
    received: Arc<AtomicUsize>,
}

impl<S: AsyncRead + Unpin> AsyncRead for Counted<S> {
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

impl<S: AsyncWrite + Unpin> AsyncWrite for Counted<S> {
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
