//! Request bodies as they come in: how many bytes the server holds at once over all connections, and how
//! long one message may take to arrive.
//!
//! A limit per message bounds one call; a thousand calls that each send most of a message and then wait are
//! bounded only by their sum, and by a clock.

use crate::rpc::status;
use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::time::{Sleep, sleep};
use tonic::Status;

#[derive(Debug)]
pub(crate) struct Budget {
    max: usize,
    held: AtomicUsize,
}

impl Budget {
    pub(crate) fn new(max: usize) -> Arc<Self> {
        Arc::new(Self { max, held: AtomicUsize::new(0) })
    }
}

/// One call's part of the budget; given back when dropped.
#[derive(Debug)]
pub(crate) struct Share {
    budget: Arc<Budget>,
    bytes: AtomicUsize,
}

impl Share {
    pub(crate) fn new(budget: Arc<Budget>) -> Self {
        Self { budget, bytes: AtomicUsize::new(0) }
    }

    fn take(&self, bytes: usize) -> Result<(), Status> {
        let before = self.budget.held.fetch_add(bytes, Ordering::Relaxed);
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
        if before + bytes > self.budget.max {
            return Err(status::too_much_in_flight(self.budget.max));
        }
        Ok(())
    }

    /// What was received so far has been answered; a stream says so after each item.
    pub(crate) fn give_back(&self) {
        let bytes = self.bytes.swap(0, Ordering::Relaxed);
        self.budget.held.fetch_sub(bytes, Ordering::Relaxed);
    }
}

impl Default for Share {
    /// Out of a budget without limit.
    fn default() -> Self {
        Self::new(Budget::new(usize::MAX))
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.give_back();
    }
}

/// A request body whose bytes come out of the budget and whose messages arrive in time.
pub(crate) struct Intake<B> {
    inner: B,
    share: Arc<Share>,
    framing: Framing,
    patience: Duration,
    /// Runs while a message is awaited; made only when there is something to wait for.
    timer: Option<Pin<Box<Sleep>>>,
}

impl<B> Intake<B> {
    /// A unary call is awaited from its start to its end; a stream may stay quiet between messages.
    pub(crate) fn new(inner: B, share: Arc<Share>, patience: Duration, unary: bool) -> Self {
        Self {
            inner,
            share,
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
                    if let Err(status) = this.share.take(data.len()) {
                        return Poll::Ready(Some(Err(status)));
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
    fn shares_come_back() {
        let budget = Budget::new(100);
        let (one, two) = (Share::new(budget.clone()), Share::new(budget.clone()));
        one.take(60).unwrap();
        assert!(two.take(60).is_err());
        drop(two);
        Share::new(budget.clone()).take(40).unwrap();
        one.give_back();
        one.take(100).unwrap();
        drop(one);
        assert_eq!(budget.held.load(Ordering::Relaxed), 0);
    }

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
