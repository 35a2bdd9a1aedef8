//! Request bodies as they come in: how many bytes the server holds at once over all connections, how long one
//! message may take to arrive, and how many are decompressed at once.
//!
//! A limit per message bounds one call; a thousand calls that each send most of a message and then wait are
//! bounded only by their sum, and by a clock.

use crate::rpc::share::Held;
use crate::rpc::status;
use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::{Sleep, sleep};
use tokio_util::sync::PollSemaphore;
use tonic::Status;

/// A request body whose bytes come out of the budget and whose messages arrive in time.
pub(crate) struct Intake<B> {
    inner: B,
    bytes: Arc<Held>,
    framing: Framing,
    patience: Duration,
    /// Messages are decompressed where their body is read, in one go from its last byte on: that byte waits for
    /// its turn. A message that unpacks to much more than it was then holds up no more threads than there are turns.
    turns: PollSemaphore,
    turn: Arc<Turn>,
    packed: Option<Frame<Bytes>>,
    /// Runs while a message is awaited; made only when there is something to wait for.
    timer: Option<Pin<Box<Sleep>>>,
}

impl<B> Intake<B> {
    /// A unary call is awaited from its start to its end; a stream may stay quiet between messages.
    pub(crate) fn new(
        inner: B,
        bytes: Arc<Held>,
        patience: Duration,
        turns: (PollSemaphore, Arc<Turn>),
        unary: bool,
    ) -> Self {
        Self {
            inner,
            bytes,
            turns: turns.0,
            turn: turns.1,
            packed: None,
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
        this.turn.end();
        if this.packed.is_some() {
            return this.unpack(cx);
        }
        match Pin::new(&mut this.inner).poll_frame(cx) {
            Poll::Ready(received) => {
                if let Some(Ok(frame)) = &received
                    && let Some(data) = frame.data_ref()
                {
                    if this.framing.advance(data) {
                        this.timer = None;
                    }
                    if let Err(refused) = this.bytes.take(data.len()) {
                        return Poll::Ready(Some(Err(status::too_much_in_flight(refused))));
                    }
                    if std::mem::take(&mut this.framing.packed) {
                        this.packed = received.and_then(Result::ok);
                        return this.unpack(cx);
                    }
                }
                Poll::Ready(received)
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
        self.packed.is_none() && self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

/// A call's turn to decompress a message. It ends with the body, when that is asked for more, or when whoever has the
/// message says so: one that takes its time with it must not keep others from theirs.
#[derive(Debug, Default)]
pub(crate) struct Turn(Mutex<Option<OwnedSemaphorePermit>>);

impl Turn {
    fn begin(&self, turn: Option<OwnedSemaphorePermit>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = turn;
    }

    pub(crate) fn end(&self) {
        self.begin(None);
    }
}

impl<B> Drop for Intake<B> {
    fn drop(&mut self) {
        self.turn.end();
    }
}

impl<B> Intake<B> {
    fn unpack(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        self.turns.poll_acquire(cx).map(|turn| {
            self.turn.begin(turn);
            self.packed.take().map(Ok)
        })
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
    /// A compressed message ended.
    packed: bool,
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
                self.packed |= self.prefix[0] == 1;
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
        assert!(!Framing::default().packed);
        let mut framing = Framing::default();
        framing.advance(&[1, 0, 0, 0, 2, 9]);
        assert!(!framing.packed, "it has not ended");
        framing.advance(&[9]);
        assert!(framing.packed);
        let mut framing = Framing::default();
        assert!(!framing.advance(&body[..6]) && framing.awaited);
        assert!(framing.advance(&body[6..9]) && framing.awaited);
    }
}
