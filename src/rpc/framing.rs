//! What comes in on a connection: where in HTTP/2's framing it stands, what of the preface is there, how long a frame may take.
//!
//! h2 reads eight kilobytes, then the rest of a frame, then asks whether there is more; here all that has come is read at once.
//! hyper waits for the rest of a frame as long as the peer answers pings, and nobody answers in the midst of a frame:
//! the keepalive ends such a connection late. Here a frame has the time that a message has.

use std::cell::Cell;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::task::coop::poll_proceed;
use tokio::time::{Sleep, sleep};

/// The client preface; a connection that has not sent it is nobody's.
const PREFACE_BYTES: usize = 24;
const HEAD_BYTES: usize = 9;
const HEADERS: u8 = 1;
const PUSH_PROMISE: u8 = 5;
const CONTINUATION: u8 = 9;
const END_HEADERS: u8 = 4;

/// Bytes that are read at once.
const AHEAD: usize = 64 << 10;

thread_local! {
    /// To read into: nearly always empty again before another connection has its turn.
    static SPARE: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

/// Of the 128 a task has.
const PER_UNIT: usize = 512;

/// A stream that fails with `TimedOut` once a frame, or a block of headers in several, has been awaited for too long.
pub(super) struct Framed<S> {
    stream: S,
    ahead: Ahead,
    frames: Frames,
    patience: Duration,
    /// Runs while the rest of a frame is awaited.
    timer: Option<Pin<Box<Sleep>>>,
    greeted: Arc<AtomicBool>,
}

impl<S> Framed<S> {
    pub(super) fn new(stream: S, patience: Duration) -> Self {
        let (frames, greeted) = (Frames::default(), Arc::default());
        Self { stream, ahead: Ahead::default(), frames, patience, timer: None, greeted }
    }

    /// Turns true with the last byte of the preface.
    pub(super) fn greeted(&self) -> Arc<AtomicBool> {
        self.greeted.clone()
    }
}

/// Of what a task may do before others have their turn, tokio counts a read as one whatever its size. Who sends megabytes
/// would keep the thread for as long as they take to be copied.
fn spend(bytes: usize, cx: &mut Context<'_>) {
    for _ in 0..bytes / PER_UNIT {
        match poll_proceed(cx) {
            Poll::Ready(unit) => unit.made_progress(),
            // The next read waits for a turn.
            Poll::Pending => return,
        }
    }
}

/// What has been read and not been asked for.
#[derive(Default)]
struct Ahead {
    buffer: Vec<u8>,
    from: usize,
    to: usize,
}

impl Ahead {
    fn bytes(&self) -> &[u8] {
        &self.buffer[self.from..self.to]
    }

    /// Reads into what is empty.
    fn fill(&mut self, stream: &mut (impl AsyncRead + Unpin), cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.buffer = SPARE.take();
        self.buffer.resize(AHEAD, 0);
        let mut buf = ReadBuf::new(&mut self.buffer);
        let read = Pin::new(stream).poll_read(cx, &mut buf);
        (self.from, self.to) = (0, buf.filled().len());
        self.put_back();
        read
    }

    /// Whether there was something to give.
    fn give(&mut self, buf: &mut ReadBuf<'_>) -> bool {
        let had = self.bytes().len();
        let step = buf.remaining().min(had);
        buf.put_slice(&self.bytes()[..step]);
        self.from += step;
        self.put_back();
        had > 0
    }

    fn put_back(&mut self) {
        if self.from == self.to && !self.buffer.is_empty() {
            SPARE.set(std::mem::take(&mut self.buffer));
            (self.from, self.to) = (0, 0);
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Framed<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        if this.ahead.give(buf) {
            return Poll::Ready(Ok(()));
        }
        let read = this.ahead.fill(&mut this.stream, cx);
        let received = this.ahead.bytes();
        spend(received.len(), cx);
        if this.frames.advance(received) {
            this.timer = None;
        }
        this.ahead.give(buf);
        if this.frames.preface == PREFACE_BYTES {
            this.greeted.store(true, Ordering::Relaxed);
        }
        if read.is_pending() && this.frames.is_within() {
            let patience = this.patience;
            let timer = this.timer.get_or_insert_with(|| Box::pin(sleep(patience)));
            if timer.as_mut().poll(cx).is_ready() {
                return Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, "a frame took too long")));
            }
        }
        read
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Framed<S> {
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

#[derive(Default)]
struct Frames {
    /// Bytes of it that are there.
    preface: usize,
    /// A frame's head (its length in three bytes, its type, its flags, its stream), and how much of it is there.
    head: [u8; HEAD_BYTES],
    head_len: usize,
    /// Bytes of the frame still to come, once its head is whole.
    remaining: usize,
    /// A block of headers goes on in the next frame.
    headers: bool,
}

impl Frames {
    /// Whether what was awaited ended in `data`.
    fn advance(&mut self, mut data: &[u8]) -> bool {
        let mut ended = false;
        let step = (PREFACE_BYTES - self.preface).min(data.len());
        self.preface += step;
        data = &data[step..];
        while !data.is_empty() {
            let step = match HEAD_BYTES - self.head_len {
                0 => self.remaining.min(data.len()),
                missing => missing.min(data.len()),
            };
            let (part, rest) = data.split_at(step);
            if self.head_len < HEAD_BYTES {
                self.head[self.head_len..self.head_len + step].copy_from_slice(part);
                self.head_len += step;
                let [high, mid, low, ..] = self.head;
                self.remaining = u32::from_be_bytes([0, high, mid, low]) as usize;
            } else {
                self.remaining -= step;
            }
            data = rest;
            if self.head_len == HEAD_BYTES && self.remaining == 0 {
                let [_, _, _, kind, flags, ..] = self.head;
                if matches!(kind, HEADERS | PUSH_PROMISE | CONTINUATION) {
                    self.headers = flags & END_HEADERS == 0;
                }
                self.head_len = 0;
                ended |= !self.headers;
            }
        }
        ended
    }

    /// In the midst of something that has begun; the preface has a clock of its own.
    fn is_within(&self) -> bool {
        self.head_len > 0 || self.headers
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(kind: u8, flags: u8, payload: &[u8]) -> Vec<u8> {
        [&[0, 0, payload.len() as u8, kind, flags, 0, 0, 0, 1][..], payload].concat()
    }

    #[test]
    fn frames_are_followed_whatever_the_pieces() {
        let whole = [
            b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec(),
            frame(4, 0, &[]),
            frame(HEADERS, 0, b"one"),
            frame(CONTINUATION, 0, b"two"),
            frame(CONTINUATION, END_HEADERS, b"three"),
            frame(0, 1, &[7; 200]),
        ];
        let bytes = whole.concat();
        // Where something begins and where it is over.
        let rests = [24, 24 + 9, bytes.len() - 209, bytes.len()];
        for size in 1..bytes.len() {
            let (mut frames, mut at) = (Frames::default(), 0);
            for piece in bytes.chunks(size) {
                frames.advance(piece);
                at += piece.len();
                let within = at > 24 && !rests.contains(&at);
                assert_eq!(frames.is_within(), within, "{at} of {} in pieces of {size}", bytes.len());
            }
            assert_eq!(frames.preface, PREFACE_BYTES);
        }
    }

    #[tokio::test]
    async fn connections_that_are_read_by_turns_have_their_own_bytes() {
        use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};
        const MOST: usize = 200_000;
        let mut readers = Vec::new();
        for of in 1..=3_u8 {
            let (mut writes, reads) = duplex(MOST);
            let payload = [frame(0, 1, &[of; 200]).repeat(900), vec![of; 5]].concat();
            writes.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await.unwrap();
            writes.write_all(&payload).await.unwrap();
            readers.push((Framed::new(reads, Duration::from_secs(9)), payload, Vec::new(), writes));
        }
        for size in [1, 9, 0, 24, 1_000, 8_192, 50_000, 100_000, 100_000, 100_000] {
            for (framed, _, read, _) in &mut readers {
                let mut buffer = vec![0; size];
                let Ok(length) =
                    tokio::time::timeout(Duration::from_millis(5), framed.read(&mut buffer)).await
                else {
                    continue;
                };
                read.extend_from_slice(&buffer[..length.unwrap()]);
            }
        }
        for (mut framed, payload, mut read, writes) in readers {
            assert!(framed.greeted().load(Ordering::Relaxed));
            drop(writes);
            framed.read_to_end(&mut read).await.unwrap();
            assert!(read[PREFACE_BYTES..] == payload[..]);
            assert!(framed.ahead.buffer.is_empty(), "nothing is kept for who has nothing to read");
        }
    }
}
