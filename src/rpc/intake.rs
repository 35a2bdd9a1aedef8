//! Request bodies as they come in: how many bytes the server holds at once over all connections, and how
//! long one message may take to arrive.
//!
//! A limit per message bounds one call; a thousand calls that each send most of a message and then wait are
//! bounded only by their sum, and by a clock.

use crate::rpc::share::Held;
use crate::rpc::status;
use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::time::{Sleep, sleep};
use tonic::Status;

/// A request body whose bytes come out of the budget and whose messages arrive in time.
pub(crate) struct Intake<B> {
    inner: B,
    bytes: Arc<Held>,
    framing: Framing,
    patience: Duration,
    /// Runs while a message is awaited; made only when there is something to wait for.
    timer: Option<Pin<Box<Sleep>>>,
}

impl<B> Intake<B> {
    /// A unary call is awaited from its start to its end; a stream may stay quiet between messages.
    pub(crate) fn new(inner: B, bytes: Arc<Held>, patience: Duration, unary: bool) -> Self {
        Self {
            inner,
            bytes,
            framing: Framing { unary, awaited: unary, ..Framing::default() },
            patience,
            timer: None,
        }
    }
}

impl<B: Body<Data = Bytes, Error = Status> + Unpin> Body for Intake<B> {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let this = &mut *self;
        match Pin::new(&mut this.inner).poll_frame(cx) {
            Poll::Ready(frame) => {
                if let Some(Ok(frame)) = &frame
                    && let Some(data) = frame.data_ref()
                {
                    if this.framing.advance(data) {
                        this.timer = None;
                    }
                    if let Err(refused) = this.bytes.take(data.len()) {
                        return Poll::Ready(Some(Err(status::too_much_in_flight(refused))));
                    }
                }
                Poll::Ready(frame)
            }
            Poll::Pending if this.framing.awaited => {
                let patience = this.patience;
                let timer = this.timer.get_or_insert_with(|| Box::pin(sleep(patience)));
                timer.as_mut().poll(cx).map(|()| Some(Err(status::too_slow(patience))))
            }
            Poll::Pending => Poll::Pending,
        }
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

/// Where in gRPC's framing (a flag, a length of four bytes, the message) the body stands.
#[derive(Debug, Default)]
struct Framing {
    unary: bool,
    /// Bytes are due: a message has begun, or the call is unary.
    awaited: bool,
    prefix: [u8; 5],
    prefix_len: usize,
    /// Bytes of the message still to come, once its prefix is whole.
    remaining: usize,
}

impl Framing {
    /// Whether a stream's message ended in `data`; `awaited` then tells of the next.
    fn advance(&mut self, mut data: &[u8]) -> bool {
        let mut ended = false;
        while !data.is_empty() {
            self.awaited = true;
            if self.prefix_len < self.prefix.len() {
                self.prefix[self.prefix_len] = data[0];
                self.prefix_len += 1;
                data = &data[1..];
                let [_, length @ ..] = self.prefix;
                self.remaining = u32::from_be_bytes(length) as usize;
            } else {
                let step = self.remaining.min(data.len());
                self.remaining -= step;
                data = &data[step..];
            }
            if self.prefix_len == self.prefix.len() && self.remaining == 0 {
                (self.prefix_len, self.awaited, ended) = (0, self.unary, !self.unary);
            }
        }
        ended
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn framing_is_followed_whatever_the_pieces() {
        let body = [&[0, 0, 0, 0, 3, 1, 2, 3][..], &[0, 0, 0, 0, 0], &[0, 0, 0, 1, 0], &[7; 256]].concat();
        for size in 1..body.len() {
            let mut framing = Framing::default();
            let ended = body.chunks(size).filter(|piece| framing.advance(piece)).count();
            assert!(ended >= 1 && !framing.awaited, "pieces of {size}");
            assert!(framing.advance(&[0, 0]) || framing.awaited);
        }
        let mut framing = Framing::default();
        assert!(!framing.advance(&body[..6]) && framing.awaited);
        assert!(framing.advance(&body[6..9]) && framing.awaited);
    }
}
