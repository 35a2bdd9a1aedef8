//! Who classifies now, who waits and who is refused.
//!
//! As many texts are classified at once as there are CPUs. The runtime has more threads than that (`cli/serve.rs`),
//! so that bytes move, deadlines pass and refusals go out while all CPUs classify. Short texts are classified
//! where they stand, as a change of threads costs more; long ones on a thread of their own, so that their caller
//! can be answered when its deadline passes, and then stop at the next stage.

use crate::rpc::share::Share;
use crate::rpc::status;
use std::panic::resume_unwind;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tonic::Status;

/// From this many bytes of text on, some 10 ms, a text gets a thread of its own.
const LONG_TEXT: usize = 64 << 10;

/// The call is over; nobody wants the result.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stopped;

/// Says [`Stopped`] when the work at hand is for nobody.
pub(crate) type Stop = dyn Fn() -> Result<(), Stopped>;

#[derive(Clone, Debug)]
pub(crate) struct Cpu {
    places: Arc<Semaphore>,
}

impl Cpu {
    pub(crate) fn new() -> Self {
        let cpus = std::thread::available_parallelism().map_or(1, usize::from);
        Self { places: Arc::new(Semaphore::new(cpus)) }
    }

    /// A CPU at once or after waiting, if the connection may wait: `None` when it is to wait without asking.
    pub(crate) async fn place(&self, waiting: Option<&Arc<Share>>) -> Result<OwnedSemaphorePermit, Status> {
        if let Ok(place) = self.places.clone().try_acquire_owned() {
            return Ok(place);
        }
        let _waits = waiting.map(|share| share.take(1)).transpose().map_err(status::too_many_waiting)?;
        // The semaphore is never closed.
        self.places.clone().acquire_owned().await.map_err(|_| status::shutting_down())
    }
}

/// Does the work on a text of `bytes` at a place; gives it up when the future is dropped.
pub(crate) async fn work<T: Send + 'static>(
    place: OwnedSemaphorePermit,
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
