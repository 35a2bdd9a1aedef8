//! Who classifies now, who waits and who is refused.
//!
//! As many texts are classified at once as there are CPUs. The runtime has more threads than that (`cli/serve.rs`),
//! so that bytes move, deadlines pass and refusals go out while all CPUs classify. Short texts are classified
//! where they stand, as a change of threads costs more; long ones on a thread of their own, so that their caller
//! can be answered when its deadline passes, and then stop at the next stage.

use crate::rpc::call::CallContext;
use crate::rpc::status;
use std::panic::resume_unwind;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tonic::Status;

/// From this many bytes of text on, some 10 ms, a text gets a thread of its own.
const LONG_TEXT: usize = 64 << 10;

/// The call is over; nobody wants the result.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stopped;

/// Says [`Stopped`] when the work at hand is for nobody.
pub(crate) type Stop = dyn Fn() -> Result<(), Stopped>;

/// CPUs there are for us.
pub(crate) fn count() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// What a text costs beside its bytes, in bytes.
const OF_ANY_TEXT: u64 = 1 << 10;
/// Nanoseconds a byte takes, until some have been seen; an average over some sixteen texts then.
const BYTE_NS: u64 = 600;
const SEEN: i64 = 16;

/// What is to be done and how fast it goes.
#[derive(Debug)]
struct Load {
    cpus: u64,
    /// Bytes of texts that wait for a CPU or have one.
    bytes: AtomicU64,
    byte_ns: AtomicU64,
}

impl Load {
    /// How long what is there will take.
    fn wait(&self) -> Duration {
        let ns = self.bytes.load(Ordering::Relaxed).saturating_mul(self.byte_ns.load(Ordering::Relaxed));
        Duration::from_nanos(ns / self.cpus)
    }

    /// A text of so many bytes took so long. Two at once may lose one of them.
    fn learn(&self, bytes: u64, took: Duration) {
        let seen = i64::try_from(took.as_nanos() / u128::from(bytes.max(1))).unwrap_or(i64::MAX);
        let before = self.byte_ns.load(Ordering::Relaxed) as i64;
        let now = before.saturating_add(seen.saturating_sub(before) / SEEN);
        self.byte_ns.store(now.max(1) as u64, Ordering::Relaxed);
    }
}

/// A text in the load, until dropped.
#[derive(Debug)]
struct Queued {
    bytes: u64,
    load: Arc<Load>,
}

impl Queued {
    fn new(load: &Arc<Load>, bytes: usize) -> Self {
        let bytes = bytes as u64 + OF_ANY_TEXT;
        load.bytes.fetch_add(bytes, Ordering::Relaxed);
        Self { bytes, load: load.clone() }
    }
}

impl Drop for Queued {
    fn drop(&mut self) {
        self.load.bytes.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

/// A CPU for a text.
#[derive(Debug)]
pub(crate) struct Place {
    _permit: OwnedSemaphorePermit,
    queued: Queued,
    begun: Instant,
}

impl Drop for Place {
    fn drop(&mut self) {
        self.queued.load.learn(self.queued.bytes, self.begun.elapsed());
    }
}

#[derive(Clone, Debug)]
pub(crate) struct Cpu {
    places: Arc<Semaphore>,
    load: Arc<Load>,
    max_wait: Duration,
}

impl Cpu {
    /// Who would wait longer than `max_wait` is refused.
    pub(crate) fn new(max_wait: Duration) -> Self {
        let cpus = count();
        let load = Load { cpus: cpus as u64, bytes: AtomicU64::new(0), byte_ns: AtomicU64::new(BYTE_NS) };
        Self { places: Arc::new(Semaphore::new(cpus)), load: Arc::new(load), max_wait }
    }

    /// A CPU for a text of `bytes`, at once or after waiting, if the call's connection may wait and it would not be
    /// too long; without a `call` it is to wait without asking.
    pub(crate) async fn place(&self, bytes: usize, call: Option<&CallContext>) -> Result<Place, Status> {
        let before = self.load.wait();
        let queued = Queued::new(&self.load, bytes);
        let place = |permit| Place { _permit: permit, queued, begun: Instant::now() };
        if let Ok(permit) = self.places.clone().try_acquire_owned() {
            return Ok(place(permit));
        }
        let _waits = call.map(|call| call.waiting.take(1)).transpose().map_err(status::too_many_waiting)?;
        if before > self.max_wait && call.is_some_and(|call| !call.hurried) {
            return Err(status::too_long_a_wait(before, self.max_wait));
        }
        // The semaphore is never closed.
        let permit = self.places.clone().acquire_owned().await.map_err(|_| status::shutting_down())?;
        Ok(place(permit))
    }
}

/// Does the work on a text of `bytes` at a place; gives it up when the future is dropped.
pub(crate) async fn work<T: Send + 'static>(
    place: Place,
    bytes: usize,
    work: impl FnOnce(&Stop) -> Result<T, Stopped> + Send + 'static,
) -> Result<T, Status> {
    let done = if bytes < LONG_TEXT {
        let done = work(&|| Ok(()));
        drop(place);
        done
    } else {
        let caller = Caller(Arc::new(AtomicBool::new(false)));
        let gone = caller.0.clone();
        let task = tokio::task::spawn_blocking(move || {
            let _place = place;
            work(&move || if gone.load(Ordering::Relaxed) { Err(Stopped) } else { Ok(()) })
        });
        match task.await {
            Ok(done) => done,
            Err(failed) if failed.is_panic() => resume_unwind(failed.into_panic()),
            Err(_) => Err(Stopped),
        }
    };
    done.map_err(|Stopped| status::shutting_down())
}

/// Dropped with the call.
struct Caller(Arc<AtomicBool>);

impl Drop for Caller {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_wait_is_what_is_there_at_the_speed_seen() {
        let load = Arc::new(Load { cpus: 2, bytes: AtomicU64::new(0), byte_ns: AtomicU64::new(1_000) });
        assert_eq!(load.wait(), Duration::ZERO);
        let queued = Queued::new(&load, 3_072);
        // 4,096 bytes of a microsecond each, on two CPUs
        assert_eq!(load.wait(), Duration::from_micros(2_048));
        for _ in 0..200 {
            load.learn(1_000, Duration::from_micros(500));
        }
        assert!((500..=516).contains(&load.byte_ns.load(Ordering::Relaxed)));
        load.learn(1, Duration::MAX);
        drop(queued);
        assert_eq!(load.wait(), Duration::ZERO);
    }
}
