//! Threads for work that others should not wait for: they give way to those that read, answer, refuse and watch the clock.
//!
//! An operating system shares the CPUs in slices of milliseconds. Of a text that takes longer than that, or a message that
//! unpacks to megabytes, everyone else would see those slices in its own latency; what is done here lasts a little longer
//! instead.

use std::cell::Cell;
use tokio::task::{JoinHandle, spawn_blocking};

/// A tenth of what the others get when both want a CPU, so that it goes on whatever the others do.
#[cfg(target_os = "linux")]
const PRIORITY: i32 = 10;

/// Does the work on such a thread. It is done even if the handle is dropped; panics come out of the handle.
pub(crate) fn spawn<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> JoinHandle<T> {
    spawn_blocking(|| {
        give_way();
        work()
    })
}

/// To be called now and then, some ten times a millisecond: who has just come to want the CPU would have it only at the end of
/// the slice.
pub(crate) fn breathe() {
    std::thread::yield_now();
}

/// This thread, from now on.
fn give_way() {
    thread_local! {
        static GIVES_WAY: Cell<bool> = const { Cell::new(false) };
    }
    if !GIVES_WAY.replace(true) {
        // Where this is forbidden, or means the whole process, it goes as it did.
        #[cfg(target_os = "linux")]
        let _ = rustix::process::setpriority_process(None, PRIORITY);
    }
}
