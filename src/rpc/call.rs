//! What every call gets, whatever its method: a request id, a check of its token, its deadline, a place in the count of calls in
//! flight, protection from a panic, the right status codes, and a line in the log.

use crate::rpc::auth::Auth;
use crate::rpc::cpu::{self, Cpu, Flow};
use crate::rpc::intake::{Intake, Packed, throw_away};
use crate::rpc::rate::{Client, Rates};
use crate::rpc::share::{Held, Pool, Share};
use crate::rpc::unpack::Encoding;
use crate::rpc::{pb, status};
use crate::telemetry;
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Request, Response};
use http_body::{Frame, SizeHint};
use std::collections::hash_map::RandomState;
use std::convert::Infallible;
use std::future::{Future, poll_fn};
use std::hash::BuildHasher;
use std::net::IpAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, LazyLock, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};
use tokio::sync::Semaphore;
use tokio::time::{Sleep, sleep};
use tokio_util::sync::{CancellationToken, PollSemaphore, WaitForCancellationFutureOwned};
use tonic::body::Body;
use tonic::{Code, Status};
use tower::Service;

const REQUEST_ID: &str = "x-request-id";
/// Health checks must be answered when everything else is refused.
const EXEMPT: &str = "/grpc.health.v1.Health/";
/// Calls of one address without a known token that are answered as such: a second, and at once.
const STRANGERS: (u32, u32) = (1, 20);
/// Whose deadline is no further than this, or than the longest wait, is never told to come again.
const NEAR: Duration = Duration::from_millis(100);
/// A call of one text, which is nearly all of its message.
const CLASSIFY: &str = "/glotsift.v1.ClassifierService/ClassifyArticle";
/// Clients of these may open a call and stay quiet.
const STREAMING: [&str; 2] = ["/glotsift.v1.ClassifierService/Stream", "/grpc.reflection."];

/// What a handler may ask of its call's surroundings, and tells the log.
#[derive(Debug)]
pub(crate) struct CallContext {
    text_bytes: AtomicU64,
    /// Request bytes held.
    bytes: Arc<Held>,
    pub(crate) cpu: Cpu,
    /// The connection's part of the places to wait for a CPU.
    pub(crate) waiting: Arc<Share>,
    /// The connection's place in the fair order of those who wait.
    pub(crate) flow: Arc<Flow>,
    pub(crate) deadline: Option<Instant>,
    /// Its deadline is near, and bounds its wait as its caller wants.
    pub(crate) hurried: bool,
    meter: Option<(Arc<Rates>, Client)>,
}

impl CallContext {
    /// Counts an article's text and tells its size.
    pub(crate) fn add_text(&self, article: Option<&pb::Article>) -> usize {
        let bytes = article.map_or(0, |article| article.text.len());
        self.text_bytes.fetch_add(bytes as u64, Ordering::Relaxed);
        bytes
    }

    /// One item of a stream is done with.
    pub(crate) fn item_answered(&self) {
        self.bytes.give_back();
    }

    /// The call has this many articles beyond its first.
    pub(crate) fn charge(&self, articles: usize) {
        if let Some((rates, client)) = &self.meter {
            rates.charge(client, articles, Instant::now());
        }
    }

    /// One more article of a stream, when the client's rate allows it.
    pub(crate) async fn may_go_on(&self) {
        let Some((rates, client)) = &self.meter else { return };
        while let Err(wait) = rates.begin(client, Instant::now()) {
            sleep(wait).await;
        }
    }
}

/// What all connections share.
#[derive(Debug)]
struct Pools {
    calls: Arc<Pool>,
    bytes: Arc<Pool>,
    waiting: Arc<Pool>,
    cpu: Cpu,
    /// To unpack a large message.
    turns: PollSemaphore,
    rates: Option<Arc<Rates>>,
    /// Calls without a known token, of an address.
    strangers: Rates,
}

/// One connection's part of the pools.
#[derive(Debug)]
pub(crate) struct Shares {
    peer: IpAddr,
    calls: Arc<Share>,
    bytes: Arc<Share>,
    waiting: Arc<Share>,
    flow: Arc<Flow>,
    /// Ends the calls of this connection.
    pub(crate) stop: CancellationToken,
    /// It takes no new ones.
    pub(crate) leaving: CancellationToken,
}

/// Wraps the routes; cloned per connection, sharing the pools.
#[derive(Clone)]
pub(crate) struct Calls<S> {
    inner: S,
    auth: Auth,
    pools: Arc<Pools>,
    limits: CallLimits,
    stop: CancellationToken,
}

/// What all calls together, and each message, may take.
#[derive(Clone, Copy, Debug)]
pub(crate) struct CallLimits {
    pub(crate) max_in_flight: usize,
    pub(crate) max_in_flight_bytes: usize,
    pub(crate) max_waiting: usize,
    pub(crate) max_wait: Duration,
    /// Articles a second of one client, and at once.
    pub(crate) rate: Option<(u32, u32)>,
    pub(crate) max_frame_bytes: usize,
    /// How long a message may take to arrive.
    pub(crate) receive: Duration,
    /// See `ServeConfig`.
    pub(crate) before_call: Option<fn(&str)>,
}

impl<S> Calls<S>
where
    S: Service<Request<Body>, Response = Response<Body>, Error = Infallible> + Clone + Send + 'static,
    S::Future: Send,
{
    /// Once `stop` is cancelled, calls still waiting for their client or their deadline are answered
    /// UNAVAILABLE.
    pub(crate) fn new(inner: S, auth: Auth, limits: CallLimits, stop: CancellationToken) -> Self {
        let pools = Pools {
            calls: Pool::new(limits.max_in_flight),
            bytes: Pool::new(limits.max_in_flight_bytes),
            waiting: Pool::new(limits.max_waiting),
            cpu: Cpu::new(limits.max_wait),
            turns: PollSemaphore::new(Arc::new(Semaphore::new(cpu::count().div_ceil(2)))),
            rates: limits.rate.map(|(per_second, burst)| Arc::new(Rates::new(per_second, burst))),
            strangers: Rates::new(STRANGERS.0, STRANGERS.1),
        };
        Self { inner, auth, pools: Arc::new(pools), limits, stop }
    }

    /// For a new connection.
    pub(crate) fn shares(&self, peer: IpAddr) -> Arc<Shares> {
        let Pools { calls, bytes, waiting, .. } = &*self.pools;
        let (calls, bytes, waiting) = (Share::of(calls), Share::of(bytes), Share::of(waiting));
        let (stop, leaving) = (self.stop.child_token(), CancellationToken::new());
        Arc::new(Shares { peer, calls, bytes, waiting, flow: Arc::default(), stop, leaving })
    }

    pub(crate) async fn handle(
        mut self,
        mut request: Request<Body>,
        shares: &Shares,
    ) -> Result<Response<CallBody>, Infallible> {
        let mut log = CallLog {
            request_id: request_id(request.headers()),
            method: request.uri().path().to_owned(),
            client: None,
            begun: Instant::now(),
            context: None,
            code: None,
            quiet: false,
        };
        match self.auth.allow(&log.method, request.headers(), shares.peer) {
            Ok(client) => log.client = client,
            Err(status) if status.code() == Code::Unauthenticated => {
                // Asked only now, so that others of the same address are let in by their tokens.
                let address = Client::of(None, shares.peer);
                let Err(wait) = self.pools.strangers.begin(&address, Instant::now()) else {
                    return Ok(refusal(status, log));
                };
                return Ok(refusal(status::too_many_strangers(wait), log));
            }
            Err(status) => return Ok(refusal(status, log)),
        }
        // Nobody below has a use for it, so nobody below can leak it.
        request.headers_mut().remove(http::header::AUTHORIZATION);
        let exempt = log.method.starts_with(EXEMPT);
        let place = match shares.calls.take(1) {
            _ if exempt => None,
            Ok(place) => Some(place),
            Err(refused) => {
                throw_away(request.into_body(), shares.leaving.clone());
                return Ok(refusal(status::too_many_in_flight(refused), log));
            }
        };
        let meter = match &self.pools.rates {
            Some(rates) if !exempt => {
                let client = Client::of(log.client.as_ref(), shares.peer);
                if let Err(wait) = rates.begin(&client, Instant::now()) {
                    throw_away(request.into_body(), shares.leaving.clone());
                    return Ok(refusal(status::rate_exceeded(wait), log));
                }
                Some((rates.clone(), client))
            }
            _ => None,
        };
        let bytes = Arc::new(shares.bytes.nothing());
        let deadline = timeout(request.headers());
        let context = Arc::new(CallContext {
            text_bytes: AtomicU64::new(0),
            bytes: bytes.clone(),
            cpu: self.pools.cpu.clone(),
            waiting: shares.waiting.clone(),
            flow: shares.flow.clone(),
            deadline: deadline.and_then(|after| log.begun.checked_add(after)),
            hurried: deadline.is_some_and(|after| after <= self.limits.max_wait.max(NEAR)),
            meter,
        });
        log.context = Some(context.clone());
        let max_frame_bytes = self.limits.max_frame_bytes;
        let mut ends = Ends {
            deadline: deadline.map(|after| Box::pin(sleep(after))),
            stop: shares.stop.clone(),
            stopping: None,
        };
        // The routes below would answer a passed deadline with CANCELLED.
        request.headers_mut().remove("grpc-timeout");
        request.extensions_mut().insert(context.clone());
        let classify = log.method == CLASSIFY;
        let unary = !STREAMING.iter().any(|method| log.method.starts_with(method));

        let mut answer = Box::pin(async move {
            if let Some(before_call) = self.limits.before_call {
                before_call(request.uri().path());
            }
            if !exempt {
                let packed = Encoding::take(request.headers_mut())
                    .map(|encoding| Packed::new(encoding, max_frame_bytes, self.pools.turns.clone()));
                // What is packed says nothing of its text's length before it is unpacked.
                let announces = classify && packed.is_none();
                let (receive, leaving) = (self.limits.receive, shares.leaving.clone());
                let (parts, body) = request.into_parts();
                let mut intake = Intake::new(body, bytes, receive, packed, unary, leaving);
                if announces {
                    intake.admitted(&context).await?;
                }
                request = Request::from_parts(parts, Body::new(intake));
            }
            self.inner.call(request).await.map_err(|never| match never {})
        });
        let answered = poll_fn(|cx| {
            match catch_unwind(AssertUnwindSafe(|| answer.as_mut().poll(cx))) {
                Ok(Poll::Ready(answered)) => return Poll::Ready(answered),
                Ok(Poll::Pending) => {}
                Err(_) => return Poll::Ready(Err(log.panicked())),
            }
            ends.poll(cx).map(Err)
        })
        .await;
        drop(answer);

        let response = match answered {
            Ok(response) => response,
            Err(status) => return Ok(refusal(status, log)),
        };
        if let Some(status) = Status::from_header_map(response.headers()) {
            if status.code() != Code::Ok {
                return Ok(refusal(status::adopt(status, max_frame_bytes), log));
            }
            log.code = Some(status.code());
        }
        let (mut parts, body) = response.into_parts();
        log.tell_id(&mut parts.headers);
        Ok(Response::from_parts(
            parts,
            CallBody { inner: body, ends: Some(ends), log, ended: false, _place: place },
        ))
    }
}

fn refusal(status: Status, mut log: CallLog) -> Response<CallBody> {
    log.code = Some(status.code());
    if status::is_for_want_of_room(&status) {
        log.quiet = true;
        Refused::count();
    }
    let (mut parts, body) =
        status::with_request_id(&status, &log.request_id).into_http::<Body>().into_parts();
    log.tell_id(&mut parts.headers);
    Response::from_parts(parts, CallBody { inner: body, ends: None, log, ended: false, _place: None })
}

/// The caller's id when it is short and plain, else one of our own.
fn request_id(headers: &HeaderMap) -> String {
    static START: LazyLock<u64> = LazyLock::new(|| RandomState::new().hash_one("request id"));
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let plain = |id: &&str| {
        (1..=128).contains(&id.len())
            && id.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.:/+=".contains(&b))
    };
    match headers.get(REQUEST_ID).and_then(|id| id.to_str().ok()).filter(plain) {
        Some(id) => id.to_owned(),
        None => format!("{:016x}-{:x}", *START, NEXT.fetch_add(1, Ordering::Relaxed)),
    }
}

/// `grpc-timeout`: at most eight digits and a unit. Anything else is no deadline.
fn timeout(headers: &HeaderMap) -> Option<Duration> {
    let value = headers.get("grpc-timeout")?.to_str().ok()?;
    let (digits, unit) = value.split_at_checked(value.len().checked_sub(1)?)?;
    if digits.len() > 8 || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let n: u64 = digits.parse().ok()?;
    match unit {
        "H" => Some(Duration::from_secs(n * 3600)),
        "M" => Some(Duration::from_secs(n * 60)),
        "S" => Some(Duration::from_secs(n)),
        "m" => Some(Duration::from_millis(n)),
        "u" => Some(Duration::from_micros(n)),
        "n" => Some(Duration::from_nanos(n)),
        _ => None,
    }
}

/// What ends a call that neither client nor handler ends.
struct Ends {
    deadline: Option<Pin<Box<Sleep>>>,
    stop: CancellationToken,
    /// Made only when a call has to wait, which most never do.
    stopping: Option<Pin<Box<WaitForCancellationFutureOwned>>>,
}

impl Ends {
    fn overdue(&self) -> bool {
        self.deadline.as_ref().is_some_and(|deadline| deadline.deadline() <= tokio::time::Instant::now())
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Status> {
        if let Some(deadline) = &mut self.deadline
            && deadline.as_mut().poll(cx).is_ready()
        {
            return Poll::Ready(status::deadline_exceeded());
        }
        let stopping = self.stopping.get_or_insert_with(|| Box::pin(self.stop.clone().cancelled_owned()));
        stopping.as_mut().poll(cx).map(|()| status::shutting_down())
    }
}

/// A response body under its call's deadline and panic guard; its end is the call's end.
pub(crate) struct CallBody {
    inner: Body,
    ends: Option<Ends>,
    log: CallLog,
    ended: bool,
    /// Held until the last byte is out, so that streams count as in flight.
    _place: Option<Held>,
}

impl CallBody {
    fn end_with(&mut self, status: Status) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        self.ended = true;
        self.log.code = Some(status.code());
        let status = status::with_request_id(&status, &self.log.request_id);
        let mut trailers = HeaderMap::new();
        match status.add_header(&mut trailers) {
            Ok(()) => Poll::Ready(Some(Ok(Frame::trailers(trailers)))),
            Err(status) => Poll::Ready(Some(Err(status))),
        }
    }
}

impl http_body::Body for CallBody {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        if self.ended {
            return Poll::Ready(None);
        }
        // A stream that always has something to send never waits, and would outlive its deadline.
        if self.ends.as_ref().is_some_and(Ends::overdue) {
            return self.end_with(status::deadline_exceeded());
        }
        let inner = Pin::new(&mut self.inner);
        match catch_unwind(AssertUnwindSafe(|| inner.poll_frame(cx))) {
            Err(_) => {
                let status = self.log.panicked();
                return self.end_with(status);
            }
            Ok(Poll::Ready(frame)) => {
                if let Some(Ok(frame)) = &frame
                    && let Some(trailers) = frame.trailers_ref()
                {
                    let status = Status::from_header_map(trailers);
                    match status {
                        Some(status) if status.code() != Code::Ok => return self.end_with(status),
                        status => self.log.code = Some(status.map_or(Code::Unknown, |_| Code::Ok)),
                    }
                }
                return Poll::Ready(frame);
            }
            Ok(Poll::Pending) => {}
        }
        match self.ends.as_mut().map(|ends| ends.poll(cx)) {
            Some(Poll::Ready(status)) => self.end_with(status),
            _ => Poll::Pending,
        }
    }

    fn is_end_stream(&self) -> bool {
        self.ended || self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

/// Calls refused for want of room since the log told of them: a line for each would cost an overloaded server as much
/// as refusing them does.
struct Refused {
    since: Option<Instant>,
    calls: u64,
}

impl Refused {
    fn count() {
        static REFUSED: Mutex<Refused> = Mutex::new(Refused { since: None, calls: 0 });
        let mut refused = REFUSED.lock().unwrap_or_else(PoisonError::into_inner);
        refused.calls += 1;
        if refused.since.is_none_or(|since| since.elapsed() >= Duration::from_secs(1)) {
            tracing::warn!(calls = refused.calls, "calls refused for want of room");
            *refused = Refused { since: Some(Instant::now()), calls: 0 };
        }
    }
}

/// One line per call, written when the call is over, however it ends.
struct CallLog {
    request_id: String,
    method: String,
    /// The name of the caller's token.
    client: Option<Arc<str>>,
    begun: Instant,
    context: Option<Arc<CallContext>>,
    /// `None` until the call has been answered: a call dropped before that was cancelled.
    code: Option<Code>,
    /// Many alike must not fill the log.
    quiet: bool,
}

impl CallLog {
    fn tell_id(&self, headers: &mut HeaderMap) {
        if let Ok(id) = HeaderValue::from_str(&self.request_id) {
            headers.insert(REQUEST_ID, id);
        }
    }

    /// Says where, not what: a panic's message may quote the article.
    fn panicked(&self) -> Status {
        let place = telemetry::take_last_panic();
        tracing::error!(request_id = self.request_id, method = self.method, place, "handler panicked");
        status::internal(&self.request_id)
    }
}

impl Drop for CallLog {
    fn drop(&mut self) {
        let code = self.code.unwrap_or(Code::Cancelled);
        let latency_us = self.begun.elapsed().as_micros() as u64;
        let text_bytes =
            self.context.as_ref().map_or(0, |context| context.text_bytes.load(Ordering::Relaxed));
        let (request_id, method) = (self.request_id.as_str(), self.method.as_str());
        let client = self.client.as_deref();
        match code {
            _ if code == Code::Ok || self.quiet => {
                tracing::debug!(request_id, client, method, code = ?code, latency_us, text_bytes, "call");
            }
            _ => tracing::info!(request_id, client, method, code = ?code, latency_us, text_bytes, "call"),
        }
    }
}

#[cfg(test)]
mod tests;
