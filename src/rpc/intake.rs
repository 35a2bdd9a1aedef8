//! Request bodies as they come in: how many bytes the server holds at once over all connections, how long one
//! message may take to arrive, and what is unpacked.
//!
//! A limit per message bounds one call; a thousand calls that each send most of a message and then wait are
//! bounded only by their sum, and by a clock.

use crate::rpc::aside;
use crate::rpc::call::CallContext;
use crate::rpc::share::Held;
use crate::rpc::status;
use crate::rpc::unpack::{Encoding, PREFIX, Unpacking};
use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use std::future::poll_fn;
use std::panic::resume_unwind;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker, ready};
use std::time::Duration;
use tokio::runtime::Handle;
use tokio::sync::OwnedSemaphorePermit;
use tokio::task::JoinHandle;
use tokio::time::{Sleep, sleep, timeout};
use tokio_util::sync::{CancellationToken, PollSemaphore};
use tonic::Status;

/// Bytes of an answered call that are still taken, and for how long.
const THROWN_AWAY: usize = 8 << 20;
const ON_ITS_WAY: Duration = Duration::from_secs(5);

/// Reads what is on its way of a call that has been answered, and throws it away. A body that is dropped resets its
/// stream; DATA that is on its way then counts against the connection, as if its client were at fault, once so many
/// streams have been reset that this one is forgotten. Once its connection is `leaving` it would only be held up.
pub(crate) fn throw_away<B>(body: B, leaving: CancellationToken)
where
    B: Body<Data = Bytes> + Send + Unpin + 'static,
{
    let Ok(runtime) = Handle::try_current() else { return };
    let mut rest = Box::pin(rest_of(body));
    // Mostly all of it is there.
    if rest.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending() {
        runtime.spawn(timeout(ON_ITS_WAY, leaving.run_until_cancelled_owned(rest)));
    }
}

async fn rest_of<B: Body<Data = Bytes> + Unpin>(mut body: B) {
    let mut taken = 0;
    while taken <= THROWN_AWAY && !body.is_end_stream() {
        let Some(Ok(frame)) = poll_fn(|cx| Pin::new(&mut body).poll_frame(cx)).await else { return };
        taken += frame.data_ref().map_or(0, Bytes::len);
    }
}

/// A request body whose bytes come out of the budget and whose messages arrive in time.
pub(crate) struct Intake<B: Body<Data = Bytes> + Send + Unpin + 'static> {
    /// `None` once nothing more is wanted of it.
    inner: Option<B>,
    /// Of its connection: it takes no new calls.
    leaving: CancellationToken,
    bytes: Arc<Held>,
    framing: Framing,
    patience: Duration,
    /// Of a call whose messages may be packed.
    packed: Option<Packed>,
    /// What came first, of a call that has been asked for it.
    peeked: Option<Result<Frame<Bytes>, Status>>,
    /// Runs while a message is awaited; made only when there is something to wait for.
    timer: Option<Pin<Box<Sleep>>>,
}

impl<B: Body<Data = Bytes> + Send + Unpin + 'static> Drop for Intake<B> {
    /// However the call ended.
    fn drop(&mut self) {
        if let Some(inner) = self.inner.take().filter(|inner| !inner.is_end_stream()) {
            throw_away(inner, self.leaving.clone());
        }
    }
}

impl<B: Body<Data = Bytes> + Send + Unpin + 'static> Intake<B> {
    /// A unary call is awaited from its start to its end; a stream may stay quiet between messages.
    pub(crate) fn new(
        inner: B,
        bytes: Arc<Held>,
        patience: Duration,
        packed: Option<Packed>,
        unary: bool,
        leaving: CancellationToken,
    ) -> Self {
        let framing = Framing { unary, awaited: unary, ..Framing::default() };
        Self { inner: Some(inner), leaving, bytes, framing, patience, packed, peeked: None, timer: None }
    }
}

impl<B: Body<Data = Bytes, Error = Status> + Send + Unpin + 'static> Intake<B> {
    /// Waits for what comes first of a message, which but for odd clients says how long it is, and refuses it when a CPU for
    /// its text is out of reach: it need not come then, nor be decoded.
    pub(crate) async fn admitted(&mut self, context: &CallContext) -> Result<(), Status> {
        self.peeked = poll_fn(|cx| Pin::new(&mut *self).poll_frame(cx)).await;
        match self.framing.announced {
            Some(length) => context.cpu.would_refuse(length, context),
            None => Ok(()),
        }
    }
}

impl<B: Body<Data = Bytes, Error = Status> + Send + Unpin + 'static> Body for Intake<B> {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let this = &mut *self;
        if let Some(peeked) = this.peeked.take() {
            return Poll::Ready(Some(peeked));
        }
        loop {
            if let Some(packed) = &mut this.packed
                && let Some(unpacked) = ready!(packed.unpack(&this.bytes, cx))
            {
                return Poll::Ready(Some(unpacked.map(Frame::data)));
            }
            let Some(inner) = &mut this.inner else { return Poll::Ready(None) };
            let received = match Pin::new(inner).poll_frame(cx) {
                Poll::Ready(received) => received,
                Poll::Pending if this.framing.awaited => {
                    let patience = this.patience;
                    let timer = this.timer.get_or_insert_with(|| Box::pin(sleep(patience)));
                    ready!(timer.as_mut().poll(cx));
                    this.inner = None;
                    return Poll::Ready(Some(Err(status::too_slow(patience))));
                }
                Poll::Pending => return Poll::Pending,
            };
            let Some(Ok(frame)) = received else { return Poll::Ready(received) };
            let Some(data) = frame.data_ref() else { return Poll::Ready(Some(Ok(frame))) };
            if this.framing.advance(data) {
                this.timer = None;
            }
            match (&mut this.packed, frame.into_data()) {
                (Some(packed), Ok(data)) => packed.input = data,
                (None, Ok(data)) => {
                    return Poll::Ready(Some(take(&this.bytes, data.len()).map(|()| Frame::data(data))));
                }
                (_, Err(frame)) => return Poll::Ready(Some(Ok(frame))),
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.peeked.is_none()
            && self.packed.as_ref().is_none_or(|packed| packed.input.is_empty() && !packed.state.is_whole())
            && self.inner.as_ref().is_none_or(Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        match &self.inner {
            Some(inner) if self.packed.is_none() && self.peeked.is_none() => inner.size_hint(),
            _ => SizeHint::default(),
        }
    }
}

fn take(bytes: &Held, amount: usize) -> Result<(), Status> {
    bytes.take(amount).map_err(status::too_much_in_flight)
}

/// What a message may unpack to before it needs one of the turns, of which there are few: those who wait for one hold no
/// more than this.
const WITHOUT_TURN: usize = 64 << 10;
/// Bytes that are unpacked between two looks at how much has come of them, at most a thousand times as many.
const SLICE: usize = 256;
/// What may come of a message without a break, in a tenth of a millisecond or less.
const AT_ONCE: usize = 64 << 10;

/// A body whose messages may be packed, on its way to one whose are not.
pub(crate) struct Packed {
    encoding: Encoding,
    /// Bytes a message may unpack to.
    limit: usize,
    turns: PollSemaphore,
    /// What was received and has not been looked at.
    input: Bytes,
    state: State,
}

enum State {
    /// Of the next message.
    Prefix([u8; PREFIX], usize),
    /// So many bytes of a message that is not packed.
    Plain(usize),
    /// A packed one of which so many bytes are still to come.
    Packed(Unpacking, usize),
    /// The same, being unpacked elsewhere; where that leads.
    Aside(JoinHandle<Result<State, Status>>),
    /// What to give out, and what comes then.
    Unpacked(Bytes, Option<Bytes>),
}

impl Packed {
    /// Large messages are unpacked as many at once as there are `turns`.
    pub(crate) fn new(encoding: Encoding, limit: usize, turns: PollSemaphore) -> Self {
        Self { encoding, limit, turns, input: Bytes::new(), state: State::NEXT }
    }

    /// The next bytes for who reads the body, charged to `bytes`; `None` when more must be received first.
    fn unpack(&mut self, bytes: &Arc<Held>, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Status>>> {
        loop {
            if let State::Aside(work) = &mut self.state {
                self.state = match ready!(Pin::new(work).poll(cx)) {
                    Ok(Ok(state)) => state,
                    Ok(Err(status)) => return Poll::Ready(Some(Err(status))),
                    Err(failed) if failed.is_panic() => resume_unwind(failed.into_panic()),
                    Err(_) => return Poll::Ready(Some(Err(status::shutting_down()))),
                };
            }
            if self.input.is_empty() && !self.state.is_whole() {
                return Poll::Ready(None);
            }
            if self.state.needs_turn() {
                let Some(turn) = ready!(self.turns.poll_acquire(cx)) else {
                    return Poll::Ready(Some(Err(status::shutting_down())));
                };
                self.go_aside(bytes.clone(), turn);
                continue;
            }
            match self.step(bytes) {
                Ok(None) => {}
                Ok(Some(part)) => return Poll::Ready(Some(Ok(part))),
                Err(status) => return Poll::Ready(Some(Err(status))),
            }
        }
    }

    /// Has what there is of a large message unpacked where nobody waits for it, for one turn.
    fn go_aside(&mut self, bytes: Arc<Held>, turn: OwnedSemaphorePermit) {
        self.state = match std::mem::replace(&mut self.state, State::NEXT) {
            State::Packed(unpacking, remaining) => {
                let part = self.input.split_to(remaining.min(self.input.len()));
                State::Aside(aside::spawn(move || {
                    let _turn = turn;
                    unpack_part(unpacking, &part, remaining, &bytes, aside::breathe)
                }))
            }
            other => other,
        };
    }

    fn step(&mut self, bytes: &Held) -> Result<Option<Bytes>, Status> {
        match std::mem::replace(&mut self.state, State::NEXT) {
            State::Prefix(mut prefix, mut have) => {
                let part = self.input.split_to((PREFIX - have).min(self.input.len()));
                prefix[have..have + part.len()].copy_from_slice(&part);
                have += part.len();
                if have < PREFIX {
                    self.state = State::Prefix(prefix, have);
                    return Ok(None);
                }
                let [flag, length @ ..] = prefix;
                let length = u32::from_be_bytes(length) as usize;
                if flag == 1 {
                    if length > self.limit {
                        return Err(status::message_too_large(self.limit));
                    }
                    self.state = State::Packed(Unpacking::new(self.encoding, self.limit), length);
                    return Ok(None);
                }
                // Nothing is known of other flags; whoever reads the body refuses them.
                if length > 0 {
                    self.state = State::Plain(length);
                }
                Ok(Some(Bytes::copy_from_slice(&prefix)))
            }
            State::Plain(mut remaining) => {
                let part = self.input.split_to(remaining.min(self.input.len()));
                remaining -= part.len();
                if remaining > 0 {
                    self.state = State::Plain(remaining);
                }
                take(bytes, part.len()).map(|()| Some(part))
            }
            State::Packed(unpacking, remaining) => {
                let part = self.input.split_to(remaining.min(SLICE).min(self.input.len()));
                self.state = unpack_part(unpacking, &part, remaining, bytes, || ())?;
                Ok(None)
            }
            State::Unpacked(part, then) => {
                if let Some(then) = then {
                    self.state = State::Unpacked(then, None);
                }
                // Nobody waits for no bytes.
                Ok(Some(part).filter(|part| !part.is_empty()))
            }
            // `unpack` waits for it.
            State::Aside(work) => {
                self.state = State::Aside(work);
                Ok(None)
            }
        }
    }
}

/// The next `part` of a packed message, of which `remaining` bytes had not come; charged to `bytes`. After each
/// [`AT_ONCE`] bytes `breathe` is called.
fn unpack_part(
    mut unpacking: Unpacking,
    part: &[u8],
    remaining: usize,
    bytes: &Held,
    breathe: impl Fn(),
) -> Result<State, Status> {
    let mut grown = 0;
    for slice in part.chunks(SLICE) {
        let before = unpacking.held();
        unpacking.push(slice)?;
        let more = unpacking.held() - before;
        take(bytes, more)?;
        grown += more;
        if grown > AT_ONCE {
            grown = 0;
            breathe();
        }
    }
    let remaining = remaining - part.len();
    // A message that has all its work to do at its end has a turn for that by then.
    if remaining > 0 || (unpacking.waits_for_its_end() && !part.is_empty()) {
        return Ok(State::Packed(unpacking, remaining));
    }
    let before = unpacking.held();
    let message = unpacking.finish()?;
    take(bytes, message.len().saturating_sub(before))?;
    let length = u32::try_from(message.len()).unwrap_or(u32::MAX);
    let prefix = [&[0][..], &length.to_be_bytes()].concat();
    Ok(State::Unpacked(prefix.into(), Some(message)))
}

impl State {
    /// Before a message.
    const NEXT: Self = Self::Prefix([0; PREFIX], 0);

    /// Whether something comes of it without more bytes.
    fn is_whole(&self) -> bool {
        matches!(self, Self::Packed(_, 0) | Self::Unpacked(..) | Self::Aside(_))
    }

    fn needs_turn(&self) -> bool {
        let Self::Packed(unpacking, remaining) = self else { return false };
        match unpacking.waits_for_its_end() {
            true => *remaining == 0,
            false => unpacking.held() > WITHOUT_TURN,
        }
    }
}

/// Where in gRPC's framing the body stands.
#[derive(Debug, Default)]
struct Framing {
    unary: bool,
    /// Bytes are due: a message has begun, or the call is unary.
    awaited: bool,
    prefix: [u8; PREFIX],
    prefix_len: usize,
    /// Bytes of the message still to come, once its prefix is whole.
    remaining: usize,
    /// The length of the last message that has begun, once its prefix was whole.
    announced: Option<usize>,
}

impl Framing {
    /// Of the message at hand, once its prefix is whole.
    fn length(&self) -> Option<usize> {
        let [_, length @ ..] = self.prefix;
        (self.prefix_len == self.prefix.len()).then(|| u32::from_be_bytes(length) as usize)
    }

    /// Whether a stream's message ended in `data`; `awaited` then tells of the next.
    fn advance(&mut self, mut data: &[u8]) -> bool {
        let mut ended = false;
        while !data.is_empty() {
            self.awaited = true;
            if self.prefix_len < self.prefix.len() {
                self.prefix[self.prefix_len] = data[0];
                self.prefix_len += 1;
                data = &data[1..];
                if let Some(length) = self.length() {
                    (self.remaining, self.announced) = (length, Some(length));
                }
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
    use crate::rpc::share::{Pool, Share};
    use http_body_util::BodyExt;
    use tokio::sync::Semaphore;

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

    /// A body in pieces, ended or waiting for more.
    struct Pieces(Vec<Bytes>, bool);

    impl Body for Pieces {
        type Data = Bytes;
        type Error = Status;

        fn poll_frame(
            mut self: Pin<&mut Self>,
            _: &mut Context<'_>,
        ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
            match self.0.pop() {
                Some(piece) => Poll::Ready(Some(Ok(Frame::data(piece)))),
                None if self.1 => Poll::Ready(None),
                None => Poll::Pending,
            }
        }
    }

    fn pieces(body: &[u8], size: usize, ended: bool) -> Pieces {
        Pieces(body.chunks(size).rev().map(Bytes::copy_from_slice).collect(), ended)
    }

    fn message(flag: u8, bytes: &[u8]) -> Vec<u8> {
        [&[flag][..], &(bytes.len() as u32).to_be_bytes(), bytes].concat()
    }

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        std::io::Write::write_all(&mut encoder, bytes).unwrap();
        encoder.finish().unwrap()
    }

    fn intake(body: Pieces, encoding: Encoding, turns: &PollSemaphore) -> (Intake<Pieces>, Arc<Held>) {
        let bytes = Arc::new(Share::of(&Pool::new(1 << 24)).nothing());
        let packed = Packed::new(encoding, 1 << 20, turns.clone());
        (
            Intake::new(
                body,
                bytes.clone(),
                Duration::from_secs(1),
                Some(packed),
                false,
                CancellationToken::new(),
            ),
            bytes,
        )
    }

    fn turns() -> PollSemaphore {
        PollSemaphore::new(Arc::new(Semaphore::new(1)))
    }

    /// What comes out until the end, or until there is nothing to be had.
    async fn read(intake: &mut Intake<Pieces>) -> Result<Vec<u8>, Status> {
        let mut read = Vec::new();
        let mut next = async || timeout(Duration::from_millis(500), intake.frame()).await;
        while let Ok(Some(frame)) = next().await {
            read.extend_from_slice(&frame?.into_data().unwrap());
        }
        Ok(read)
    }

    #[tokio::test]
    async fn packed_messages_come_out_as_plain_ones() {
        let (short, long) = (b"a few words".as_slice(), b"many words of one kind, ".repeat(5_000));
        let plain = [message(0, short), message(0, &long), message(0, &[]), message(0, short)].concat();
        for encoding in [Encoding::Gzip, Encoding::Zstd] {
            let pack = |bytes: &[u8]| match encoding {
                Encoding::Gzip => gzip(bytes),
                Encoding::Zstd => zstd::encode_all(bytes, 1).unwrap(),
            };
            let messages = [message(1, &pack(short)), message(1, &pack(&long)), message(0, &[])];
            let body = [messages.concat(), message(1, &pack(short))].concat();
            for size in [1, 2, 3, 7, 100, body.len()] {
                let (mut intake, held) = intake(pieces(&body, size, true), encoding, &turns());
                assert_eq!(read(&mut intake).await.unwrap(), plain, "{encoding:?}, pieces of {size}");
                let charged = held.amount() - (2 * short.len() + long.len());
                assert!(charged < 50, "{charged} beyond what was unpacked");
            }
        }
    }

    #[tokio::test]
    async fn large_messages_take_turns_and_one_that_is_awaited_has_none() {
        let turns = turns();
        let long = message(1, &gzip(&b"many words of one kind, ".repeat(20_000)));
        let taken = turns.clone_inner().try_acquire_owned().unwrap();
        let (mut waiting, _) = intake(pieces(&long, 100, true), Encoding::Gzip, &turns);
        assert!(read(&mut waiting).await.unwrap().is_empty());
        drop(taken);
        assert!(read(&mut waiting).await.unwrap().len() > 400_000);
        let (mut awaited, held) = intake(pieces(&long[..long.len() - 9], 100, false), Encoding::Gzip, &turns);
        assert!(read(&mut awaited).await.unwrap().is_empty());
        assert!(held.amount() > WITHOUT_TURN);
        let (mut other, _) = intake(pieces(&long, 100, true), Encoding::Gzip, &turns);
        assert!(read(&mut other).await.unwrap().len() > 400_000);
    }

    #[tokio::test]
    async fn what_a_message_unpacks_to_comes_out_of_the_budget() {
        let body = message(1, &gzip(&vec![0; 1 << 20]));
        let share = Share::of(&Pool::new(100_000));
        let packed = Packed::new(Encoding::Gzip, 1 << 20, turns());
        let bytes = Arc::new(share.nothing());
        let patience = Duration::from_secs(1);
        let mut intake = Intake::new(
            pieces(&body, 50, true),
            bytes,
            patience,
            Some(packed),
            true,
            CancellationToken::new(),
        );
        assert_eq!(read(&mut intake).await.unwrap_err().code(), tonic::Code::ResourceExhausted);
    }
}
