//! SIGTERM or ctrl-c as futures: the first asks to stop, the second insists.

use std::io;
use tokio_util::sync::CancellationToken;

/// Both stages; cloned freely.
#[derive(Clone, Debug, Default)]
pub struct Shutdown {
    /// Finish what is in progress, then stop.
    pub requested: CancellationToken,
    /// Stop now.
    pub insisted: CancellationToken,
}

impl Shutdown {
    /// Listens from now on; must be called inside the runtime.
    #[cfg(unix)]
    pub fn on_signals() -> io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        let (mut term, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
        let shutdown = Self::default();
        let stages = shutdown.clone();
        tokio::spawn(async move {
            for stage in [&stages.requested, &stages.insisted] {
                tokio::select! {
                    _ = term.recv() => {}
                    _ = interrupt.recv() => {}
                }
                stage.cancel();
            }
        });
        Ok(shutdown)
    }

    #[cfg(not(unix))]
    pub fn on_signals() -> io::Result<Self> {
        let shutdown = Self::default();
        let stages = shutdown.clone();
        tokio::spawn(async move {
            for stage in [&stages.requested, &stages.insisted] {
                if tokio::signal::ctrl_c().await.is_ok() {
                    stage.cancel();
                }
            }
        });
        Ok(shutdown)
    }
}
