//! Sending: an open loop, whose calls are due at times of their own, or a closed one.
//!
//! A generator that waits for an answer before it sends the next call sends less while the server is slow, and measures
//! the slow moments the least: coordinated omission (Tene, "How NOT to Measure Latency", 2013; wrk2). So in the open
//! loop a latency runs from the time at which the call was *due*: waiting for a place among those in flight,
//! or for this program, counts in it.

use super::arrivals::Schedule;
use super::cpu;
use super::record::{Call, Record};
use super::texts::Prepared;
use crate::rpc::client::{Answer, Connection, Lane};
use crate::shutdown::Shutdown;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::runtime::Handle;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// What calls in flight may still take after ctrl-c.
const LAST_ANSWERS: Duration = Duration::from_secs(1);
/// The pacer looks this often whether it should stop.
const NAP: Duration = Duration::from_millis(50);

/// How the articles travel: one of these for each connection.
pub enum Lanes {
    Unary(Vec<Connection>),
    Batch(Vec<Connection>),
    Stream(Vec<Lane>),
}

impl Lanes {
    async fn send(&self, n: usize, request: &Prepared, deadline: Option<Duration>) -> Answer {
        match self {
            Self::Unary(lanes) => lanes[n % lanes.len()].classify(&request.message, deadline).await,
            Self::Batch(lanes) => lanes[n % lanes.len()].classify_batch(&request.message, deadline).await,
            Self::Stream(lanes) => lanes[n % lanes.len()].classify(&request.message, deadline).await,
        }
    }
}

pub struct Plan {
    pub lanes: Lanes,
    /// At least one; sent one after the other, then from the beginning.
    pub requests: Vec<Prepared>,
    /// The due times of an open loop; `None` is a closed one.
    pub schedule: Option<Schedule>,
    /// Most calls in flight; in a closed loop always so many.
    pub concurrency: usize,
    /// Calls due in this time are made but not measured.
    pub warm_up: Duration,
    pub duration: Duration,
    /// What the last calls may take after the duration.
    pub drain: Duration,
    pub deadline: Option<Duration>,
    /// The server's process, to see what CPU it takes.
    pub server: Option<u32>,
}

/// What came of it.
pub struct Measured {
    pub record: Record,
    /// From the end of the warm-up to the last answer, at least the duration unless it was interrupted.
    pub seconds: f64,
    /// Of CPU that this program took in that time.
    pub own_cpu: f64,
    /// Of CPU that the server took, where it could be told.
    pub server_cpu: Option<f64>,
    pub interrupted: bool,
}

struct Run {
    plan: Plan,
    begun: Instant,
    places: Semaphore,
    seen: Mutex<Seen>,
    /// No more calls.
    stop: CancellationToken,
    /// Nobody waits for answers any more.
    cut: CancellationToken,
}

struct Seen {
    record: Record,
    last: Instant,
}

/// Must be called in a runtime. Ends when `shutdown` is requested, with what was measured until then.
pub async fn run(mut plan: Plan, shutdown: &Shutdown) -> anyhow::Result<Measured> {
    let begun = Instant::now();
    let (from, until) = (begun + plan.warm_up, begun + plan.warm_up + plan.duration);
    let (drain, server, schedule) = (plan.drain, plan.server, plan.schedule.take());
    let run = Arc::new(Run {
        begun,
        places: Semaphore::new(plan.concurrency),
        seen: Mutex::new(Seen { record: Record::new()?, last: from }),
        stop: shutdown.requested.clone(),
        cut: CancellationToken::new(),
        plan,
    });
    let cpu = move || (cpu::own(), server.and_then(cpu::of));
    let before = tokio::spawn(async move {
        tokio::time::sleep_until(from.into()).await;
        cpu()
    });
    let calls = TaskTracker::new();
    match schedule {
        Some(schedule) => {
            let (run, calls, runtime) = (run.clone(), calls.clone(), Handle::current());
            tokio::task::spawn_blocking(move || run.pace(schedule, &calls, &runtime)).await?;
        }
        None => {
            let next = Arc::new(AtomicUsize::new(0));
            for _ in 0..run.plan.concurrency {
                calls.spawn(run.clone().repeat(next.clone()));
            }
        }
    }
    calls.close();
    tokio::select! {
        () = calls.wait() => {}
        () = tokio::time::sleep_until((until + drain).into()) => {}
        () = after(&shutdown.requested, LAST_ANSWERS) => {}
        () = shutdown.insisted.cancelled() => {}
    }
    run.cut.cancel();
    calls.wait().await;
    // An open loop may be through with its calls some time before its time is over.
    tokio::select! {
        () = tokio::time::sleep_until(until.into()) => {}
        () = shutdown.requested.cancelled() => {}
    }
    let interrupted = Instant::now() < until;
    let end = if interrupted { Instant::now() } else { until };
    let after = cpu();
    let before = if before.is_finished() { before.await? } else { after };
    let mut seen = run.seen.lock().unwrap_or_else(PoisonError::into_inner);
    let record = std::mem::replace(&mut seen.record, Record::new()?);
    Ok(Measured {
        record,
        seconds: seen.last.max(end).saturating_duration_since(from).as_secs_f64(),
        own_cpu: after.0 - before.0,
        server_cpu: after.1.zip(before.1).map(|(after, before)| after - before),
        interrupted,
    })
}

async fn after(token: &CancellationToken, time: Duration) {
    token.cancelled().await;
    tokio::time::sleep(time).await;
}

impl Run {
    /// Begins every call when it is due. On a thread of its own, which sleeps to some tens of microseconds where the
    /// runtime's timer goes by whole milliseconds.
    fn pace(self: Arc<Self>, schedule: Schedule, calls: &TaskTracker, runtime: &Handle) {
        let lasts = self.plan.warm_up + self.plan.duration;
        for (n, due) in schedule.take_while(|due| *due < lasts).enumerate() {
            let due = self.begun + due;
            loop {
                if self.stop.is_cancelled() {
                    return;
                }
                let left = due.saturating_duration_since(Instant::now());
                if left.is_zero() {
                    break;
                }
                std::thread::sleep(left.min(NAP));
            }
            calls.spawn_on(self.clone().call(n, due), runtime);
        }
    }

    /// One of a closed loop's callers.
    async fn repeat(self: Arc<Self>, next: Arc<AtomicUsize>) {
        let until = self.begun + self.plan.warm_up + self.plan.duration;
        while Instant::now() < until && !self.stop.is_cancelled() {
            let n = next.fetch_add(1, Ordering::Relaxed);
            self.clone().call(n, Instant::now()).await;
        }
    }

    async fn call(self: Arc<Self>, n: usize, due: Instant) {
        let lag = due.elapsed();
        let request = &self.plan.requests[n % self.plan.requests.len()];
        let mut late = false;
        let answered = async {
            // Places go to who has waited longest.
            let _place = match self.places.try_acquire() {
                Ok(place) => Ok(place),
                Err(_) => {
                    late = true;
                    self.places.acquire().await
                }
            };
            self.plan.lanes.send(n, request, self.plan.deadline).await
        };
        let answer = tokio::select! {
            biased;
            answer = answered => Some(answer),
            () = self.cut.cancelled() => None,
        };
        if due < self.begun + self.plan.warm_up {
            return;
        }
        let (articles, text_bytes) = (request.articles, request.text_bytes);
        let call = Call { latency: due.elapsed(), lag, late, articles, text_bytes, answer };
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.record.add(&call);
        seen.last = Instant::now();
    }
}
