//! `glotsift serve`.

use super::Failure;
use super::load::load_model;
use crate::config::{RawServeArgs, Serve};
use crate::model::Model;
use crate::rpc::server::{self, ServeConfig};
use crate::shutdown::Shutdown;
use crate::telemetry;
use anyhow::{Context, anyhow};
use std::fs;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use tokio::net::TcpListener;

#[derive(Debug, clap::Args)]
pub struct ServeArgs {
    /// A TOML file of settings, keyed like the flags; flags and GLOTSIFT_* variables win over it
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Check the settings and the model, then exit without opening a port
    #[arg(long)]
    check: bool,
    #[command(flatten)]
    settings: RawServeArgs,
}

/// Tasks that a thread runs between two looks at the clock and at what has come in: tokio's 61 may take longer than a
/// deadline, when they copy megabytes.
const TASKS_PER_LOOK: u32 = 8;

pub fn run(args: ServeArgs) -> Result<(), Failure> {
    let check_only = args.check;
    let environment = |name: &str| std::env::var(name).ok();
    let settings = settings(args, environment).map_err(Failure::Usage)?;
    let filter = telemetry::filter(&settings.log_level).map_err(|e| Failure::Usage(e.into()))?;
    telemetry::start(settings.log_format, filter);
    settings.server.check().map_err(|error| Failure::Usage(error.into()))?;
    let model = load_model(settings.models.as_deref())?;
    if check_only {
        tracing::info!(model = model.version(), "the settings and the model are good");
        return Ok(());
    }
    // From here on there are articles about.
    telemetry::keep_panics_quiet();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .event_interval(TASKS_PER_LOOK)
        .enable_all()
        .build()
        .context("cannot start the runtime")?;
    let served = runtime.block_on(serve(model, settings));
    // What insisted shutdown left running must not hold the process.
    runtime.shutdown_background();
    served.map_err(Failure::Work)
}

fn settings(args: ServeArgs, env: impl Fn(&str) -> Option<String>) -> anyhow::Result<Serve> {
    let path = args.config.or_else(|| env("GLOTSIFT_CONFIG").map(PathBuf::from));
    let file = match path {
        None => RawServeArgs::default(),
        Some(path) => {
            let text =
                fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
            RawServeArgs::from_toml(&path, &text)?
        }
    };
    Ok(args.settings.or(RawServeArgs::from_environment(env)?).or(file).check()?)
}

async fn serve(model: Arc<Model>, settings: Serve) -> anyhow::Result<()> {
    let shutdown = Shutdown::on_signals().context("cannot listen for signals")?;
    let listener = TcpListener::bind(settings.listen)
        .await
        .with_context(|| format!("cannot listen on {}", settings.listen))?;
    let address = listener.local_addr().context("cannot tell the port")?;
    warn_if_exposed(address, &settings.server);
    let (tls, tokens) = (settings.server.tls.is_some(), settings.server.tokens.is_some());
    tracing::info!(model = model.version(), tls, tokens, "listening on {address}");
    let requested = shutdown.requested.clone().cancelled_owned();
    tokio::select! {
        served = server::serve(listener, model, settings.server, requested) => {
            let drained = served?;
            tracing::info!(cut = drained.cut, "stopped");
            Ok(())
        }
        () = shutdown.insisted.cancelled() => Err(anyhow!("stopped by a second signal before the drain was over")),
    }
}

/// Others than this machine can reach us: says what they could do.
fn warn_if_exposed(address: SocketAddr, config: &ServeConfig) {
    if address.ip().is_loopback() {
        return;
    }
    if config.tokens.is_none() && config.tls.as_ref().is_none_or(|tls| tls.client_ca.is_none()) {
        tracing::warn!("everyone who can connect may classify: set tokens or tls-client-ca");
    }
    if config.tls.is_none() {
        tracing::warn!("texts and tokens can be read on their way: set tls-cert and tls-key");
    }
}
